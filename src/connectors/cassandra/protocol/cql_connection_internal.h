/* Declarations that the two files of a connection share: cql_connection.c and cql_handshake.c. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_CONNECTION_INTERNAL_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_CONNECTION_INTERNAL_H

#include "base/arena.h"
#include "connectors/cassandra/protocol/cql_connection.h"

enum { NO_SLOT = -1 };

enum step {
    STEP_CONNECTING,
    STEP_OPTIONS, /* sent, its answer is awaited; so with the next three */
    STEP_STARTUP,
    STEP_PASSWORD,
    STEP_KEYSPACE,
    STEP_OPEN,
    STEP_BROKEN
};

enum slot_state {
    SLOT_FREE = 0,
    SLOT_WAITING,
    SLOT_LATE, /* its caller waits no more, but the answer may still come: the id is taken */
    SLOT_HEARTBEAT
};

/* A stream id. */
struct slot {
    void *tag;
    int64_t deadline_ms;
    uint32_t generation; /* of `gathered` when the request was added */
    int32_t next_free;
    enum slot_state state;
};

struct cql_connection {
    struct cql_connection_options options;
    enum step step;
    int64_t open_until_ms;
    struct stream *stream; /* NULL: broken */
    struct error failure;  /* why */
    uint8_t version;
    bool lz4; /* offered by the node, and wanted */
    struct cql_shards shards;
    struct arena *arena; /* of one answer of the handshake */

    /* Requests are gathered as plain envelopes, then packed into `wire`, which is sent; each time a
     * new generation of them begins. */
    enum cql_framing framing;
    struct buffer gathered;
    int64_t gathered_deadline_ms; /* the nearest of them */
    uint32_t generation;          /* of `gathered` */
    struct buffer wire;
    size_t wire_sent;
    int64_t wire_deadline_ms;
    uint32_t wire_generation;
    uint32_t sent_generation; /* up to this one, requests may have reached the node */

    struct cql_unframer unframer;
    int64_t received_ms; /* when something came last */

    struct slot *slots; /* by stream id; `options.streams_max` */
    size_t slot_count;  /* used so far */
    int32_t first_free;
    uint32_t under_way;
    uint32_t late_count;
    bool beating; /* a heartbeat is under way */
    int64_t next_deadline_ms;
    size_t late_at; /* find_late: where it is, and the nearest deadline that it saw */
    int64_t late_min_ms;
    size_t lost_at;
};

/* Begins to connect with connection->version. */
enum status cql_handshake_begin(struct cql_connection *connection, struct error *error) MUST_USE;
/* Marks the connection as broken for `why`, and copies that to `error`. STATUS_FAILED. */
enum status cql_connection_break(struct cql_connection *connection, const struct error *why,
                                 struct error *error) MUST_USE;
/* Adds an envelope to those that go out next. */
void cql_connection_gather(struct cql_connection *connection, int16_t stream,
                           enum cql_opcode opcode, const void *body, size_t length,
                           int64_t deadline_ms);
/* Reads once. STATUS_OK: something came. STATUS_AGAIN: nothing now. */
enum status cql_connection_receive(struct cql_connection *connection, struct error *error) MUST_USE;
/* The next envelope of what came. STATUS_AGAIN: none. */
enum status cql_connection_envelope(struct cql_connection *connection,
                                    struct cql_envelope *envelope, struct error *error) MUST_USE;

#endif
