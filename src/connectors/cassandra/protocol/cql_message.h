/*
 * Messages of the CQL native protocol, versions 3 to 5: requests are written, responses decoded.
 * What differs between the versions is settled here. Opcodes of requests are in capitals as in the
 * specification; bodies of several requests begin with parameters that they share.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_MESSAGE_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_MESSAGE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "connectors/cassandra/protocol/cql_segment.h"
#include "connectors/cassandra/protocol/cql_wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cql_type;

enum { CQL_VERSION_MIN = 3, CQL_VERSION_MAX = 5 };

enum cql_opcode {
    CQL_ERROR = 0x00,
    CQL_STARTUP = 0x01,
    CQL_READY = 0x02,
    CQL_AUTHENTICATE = 0x03,
    CQL_OPTIONS = 0x05,
    CQL_SUPPORTED = 0x06,
    CQL_QUERY = 0x07,
    CQL_RESULT = 0x08,
    CQL_PREPARE = 0x09,
    CQL_EXECUTE = 0x0A,
    CQL_REGISTER = 0x0B,
    CQL_EVENT = 0x0C,
    CQL_BATCH = 0x0D,
    CQL_AUTH_CHALLENGE = 0x0E,
    CQL_AUTH_RESPONSE = 0x0F,
    CQL_AUTH_SUCCESS = 0x10
};

enum cql_consistency {
    CQL_ANY = 0x00,
    CQL_ONE = 0x01,
    CQL_TWO = 0x02,
    CQL_THREE = 0x03,
    CQL_QUORUM = 0x04,
    CQL_ALL = 0x05,
    CQL_LOCAL_QUORUM = 0x06,
    CQL_EACH_QUORUM = 0x07,
    CQL_SERIAL = 0x08,
    CQL_LOCAL_SERIAL = 0x09,
    CQL_LOCAL_ONE = 0x0A
};
/* "LOCAL_QUORUM", static; of a number that is none "an unknown level". */
const char *cql_consistency_name(uint16_t consistency);
/* By its name, in any case. False: there is none. */
bool cql_consistency_find(const char *name, enum cql_consistency *consistency) MUST_USE;

/* ---------------------------------------------------------------- requests */

/* Bodies only: the envelope's header comes from cql_envelope_write, or from the connection. */

/* Appends an envelope. */
void cql_envelope_write(struct buffer *to, uint8_t version, int16_t stream, enum cql_opcode opcode,
                        const void *body, size_t length);

#define CQL_NO_TIMESTAMP INT64_MIN

/* The parameters that QUERY, EXECUTE and BATCH share; zeroed but for `timestamp_us` means nothing
 * special. */
struct cql_parameters {
    enum cql_consistency consistency;
    enum cql_consistency serial_consistency; /* CQL_ANY (zero): not given */
    int64_t timestamp_us;                    /* CQL_NO_TIMESTAMP: the server's */
    int32_t page_size;                       /* rows; 0: all at once; not of BATCH */
    struct cql_value paging_state;           /* length 0 or less: the first page; not of BATCH */
    bool skip_metadata;                      /* not of BATCH */
};

/* A statement and its values: `value_count` [value], encoded as cql_write_value does. */
struct cql_bound {
    struct text query;       /* empty: prepared */
    struct text id;          /* of the prepared statement */
    struct text metadata_id; /* version 5, likewise */
    const void *values;
    size_t values_length;
    uint16_t value_count;
};

enum cql_batch_type { CQL_BATCH_LOGGED = 0, CQL_BATCH_UNLOGGED = 1, CQL_BATCH_COUNTER = 2 };

/* `pairs` has `count` times an option's name and value. */
void cql_write_startup(struct buffer *to, const char *const *pairs, size_t count);
/* SASL PLAIN. */
void cql_write_auth_response(struct buffer *to, const char *user, const char *password);
void cql_write_register(struct buffer *to, const char *const *events, size_t count);
void cql_write_prepare(struct buffer *to, uint8_t version, struct text query);
/* The body of QUERY, or of EXECUTE if the statement is prepared. */
void cql_write_statement(struct buffer *to, uint8_t version, const struct cql_bound *bound,
                         const struct cql_parameters *parameters);
/* A batch is written piece by piece: begin, each statement (at most 65,535), end. */
size_t cql_write_batch_begin(struct buffer *to, enum cql_batch_type type);
void cql_write_batch_add(struct buffer *to, const struct cql_bound *bound);
void cql_write_batch_end(struct buffer *to, uint8_t version, size_t begin, size_t count,
                         const struct cql_parameters *parameters);

/* The text of the prepared statement with that id; empty: nobody knows it. */
typedef struct text cql_text_of(const void *context, struct text id);
/*
 * Writes what the body of an EXECUTE or a BATCH asks for with its statements as texts: the body of
 * a QUERY, whose answer brings its metadata along, or of such a BATCH. False, with nothing of use
 * in `to`: it is no such body, or a text is not known.
 */
bool cql_write_as_texts(struct buffer *to, uint8_t version, enum cql_opcode opcode,
                        const struct buffer *body, cql_text_of *text_of,
                        const void *context) MUST_USE;

/* ---------------------------------------------------------------- responses */

/* Texts and values that are decoded are borrowed from the body, and lists are in the caller's
 * arena. */

struct cql_column {
    struct text keyspace;
    struct text table;
    struct text name;
    const struct cql_type *type;
};

struct cql_columns {
    struct cql_column *list; /* NULL: the server left them out (skip_metadata) */
    size_t count;
};

enum cql_error_code {
    CQL_SERVER_ERROR = 0x0000,
    CQL_PROTOCOL_ERROR = 0x000A,
    CQL_BAD_CREDENTIALS = 0x0100,
    CQL_UNAVAILABLE = 0x1000,
    CQL_OVERLOADED = 0x1001,
    CQL_BOOTSTRAPPING = 0x1002,
    CQL_TRUNCATE_ERROR = 0x1003,
    CQL_WRITE_TIMEOUT = 0x1100,
    CQL_READ_TIMEOUT = 0x1200,
    CQL_READ_FAILURE = 0x1300,
    CQL_FUNCTION_FAILURE = 0x1400,
    CQL_WRITE_FAILURE = 0x1500,
    CQL_CDC_WRITE_FAILURE = 0x1600,
    CQL_CAS_WRITE_UNKNOWN = 0x1700,
    CQL_SYNTAX_ERROR = 0x2000,
    CQL_UNAUTHORIZED = 0x2100,
    CQL_INVALID = 0x2200,
    CQL_CONFIG_ERROR = 0x2300,
    CQL_ALREADY_EXISTS = 0x2400,
    CQL_UNPREPARED = 0x2500
};

enum cql_write_type {
    CQL_WRITE_NONE = 0, /* none was given */
    CQL_WRITE_SIMPLE,
    CQL_WRITE_BATCH,
    CQL_WRITE_UNLOGGED_BATCH,
    CQL_WRITE_COUNTER,
    CQL_WRITE_BATCH_LOG,
    CQL_WRITE_CAS,
    CQL_WRITE_VIEW,
    CQL_WRITE_CDC,
    CQL_WRITE_OTHER
};

/* The reason why one node failed, as far as servers of version 5 say. The numbers above these
 * differ between servers and from those of the specification, so they are passed on and not
 * interpreted.
 */
enum cql_failure_reason { CQL_REASON_UNKNOWN = 0, CQL_REASON_TOO_MANY_TOMBSTONES = 1 };

/* An ERROR; what its code has no such thing for is zero. */
struct cql_error {
    int32_t code; /* of enum cql_error_code, or a later one */
    struct text message;
    uint16_t consistency;
    int32_t received; /* answers of replicas; for UNAVAILABLE those alive */
    int32_t required;
    int32_t failures; /* replicas that failed */
    uint16_t reason;  /* enum cql_failure_reason of one of them, if told */
    enum cql_write_type write_type;
    bool data_present;
    uint16_t contentions;
    struct text unprepared_id;
    struct text keyspace; /* ALREADY_EXISTS, FUNCTION_FAILURE */
    struct text object;   /* a table, or empty; a function */
};

struct cql_rows {
    struct cql_columns columns;
    struct text paging_state; /* `data` NULL: this is the last page */
    struct text metadata_id;  /* version 5: the prepared statement's result has changed to
                                 `columns`; `data` NULL: it has not */
    size_t count;
    struct cql_reader content; /* where cql_rows_next is */
    size_t left;
};

/* Fills `values`, one of each column, borrowed. STATUS_END: no more rows. Never fails on rows that
 * are shorter than they claim: the rest ends early, and `content.failed` is set. */
enum status cql_rows_next(struct cql_rows *rows, struct cql_value *values) MUST_USE;

struct cql_prepared_result {
    struct text id;
    struct text metadata_id; /* version 5 */
    struct cql_columns parameters;
    uint16_t *key; /* the parameters that make the partition key, in its order */
    size_t key_count;
    struct cql_columns columns; /* of its result; `list` NULL: none, or not known */
};

/* A change of the schema, as result or event. */
struct cql_schema_change {
    struct text change; /* CREATED, UPDATED, DROPPED */
    struct text target; /* KEYSPACE, TABLE, TYPE, FUNCTION, AGGREGATE */
    struct text keyspace;
    struct text object; /* empty for KEYSPACE */
};

struct cql_event {
    struct text type;   /* TOPOLOGY_CHANGE, STATUS_CHANGE, SCHEMA_CHANGE */
    struct text change; /* NEW_NODE, REMOVED_NODE, UP, DOWN */
    struct cql_inet node;
    struct cql_schema_change schema;
};

/* An option of SUPPORTED with its values. */
struct cql_supported {
    struct text name;
    struct text *values;
    size_t value_count;
};

enum cql_result_kind {
    CQL_RESULT_VOID = 1,
    CQL_RESULT_ROWS = 2,
    CQL_RESULT_KEYSPACE = 3,
    CQL_RESULT_PREPARED = 4,
    CQL_RESULT_SCHEMA_CHANGE = 5
};

struct cql_response {
    enum cql_opcode opcode;
    enum cql_result_kind kind; /* of CQL_RESULT */
    struct text *warnings;
    size_t warning_count;
    union {
        struct cql_error error;
        struct text authenticator; /* AUTHENTICATE: a class name */
        struct {
            struct cql_supported *list;
            size_t count;
        } supported;
        struct cql_value token; /* AUTH_CHALLENGE, AUTH_SUCCESS */
        struct cql_event event;
        struct cql_rows rows;
        struct text keyspace;
        struct cql_prepared_result prepared;
        struct cql_schema_change schema;
    };
};

/* ERROR_NETWORK_ANSWER: not a response of this version, or its lengths do not add up. Types of
 * columns are those of cql_type.h. */
enum status cql_response_decode(const struct cql_envelope *envelope, struct arena *arena,
                                struct cql_response *response, struct error *error) MUST_USE;

#endif
