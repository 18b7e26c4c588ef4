/*
 * The room of databases that are written record by record, with no transaction around a chunk: it
 * writes asynchronously, keeps the keys that chunks wrote, and settles duplicates. A database
 * brings a struct keyed_service, which encodes records, sends requests and says what their answers
 * mean, and puts the room's functions into its struct target_functions.
 *
 *   the room      batches, order, windows, retries, halving, patience, kept keys, the claim
 *   the service   bytes of records and of requests, connections, answers
 *
 * Several records of one kind go in one request: what `begin` writes, the records with the
 * separator between them, what `end` writes. So a request can be cut without encoding again.
 */
#ifndef TRANSHUME_CONNECTORS_KEYED_KEYED_H
#define TRANSHUME_CONNECTORS_KEYED_KEYED_H

#include "connectors/contract/connector.h"
#include "connectors/keyed/capacity.h"
#include <pthread.h>

enum {
    KEYED_KEY_COLUMNS_MAX = 16,
    KEYED_BYTES_MAX = 8 << 20 /* of a writer's batches and requests not acknowledged yet */
};

/* ---------------------------------------------------------------- what is sent */

enum keyed_kind {
    KEYED_PUT,    /* puts the whole record, whatever is there */
    KEYED_INSERT, /* puts it if nothing is there under its key */
    KEYED_UPDATE, /* sets its fields and leaves all others, whatever is there */
    KEYED_LOOK,   /* reads what is there under its key, and compares */
    KEYED_DELETE, /* deletes what is there under its key, if anything; for applying changes */
    KEYED_KINDS
};

struct keyed_record {
    const struct target_table *table;
    const struct shape *shape; /* NULL: `cells` is one MAP */
    const struct cell *cells;
    const struct cell *key;                 /* table->key.count cells */
    void *encoder;                          /* keyed_service.encoder's; NULL: it has none */
    const struct record_envelope *envelope; /* NULL: nothing more is known of it */
    /* of its chunk, from 1; above 1 or under a later claim than the first, the record may have been
     * written before, and in another form */
    uint32_t attempt;
    bool repeated;
};

struct keyed_hash {
    uint64_t high;
    uint64_t low;
};

/* A record in a request. What is behind `length` is the room's. */
struct keyed_slot {
    uint32_t offset; /* in the body */
    uint32_t length;
    uint32_t row;
    uint32_t attempt;              /* as keyed_record has it */
    struct keyed_waiting *waiting; /* NULL: its chunk was abandoned */
    struct keyed_hash key;
};

struct keyed_request {
    enum keyed_kind kind;
    uint32_t table; /* its number */
    uint64_t group; /* keyed_service.group's, of all its records */
    struct buffer body;
    /* the room's */
    struct writer *writer;
    struct keyed_request *next;
    uint32_t failures; /* how often it was sent in vain; also the service's to read */
    int64_t since_ms;  /* monotonic: begun to be filled */
    int64_t next_ms;   /* not to be sent before */
    int64_t reserved;  /* thousandths of units taken for it before it was sent */
    bool tried;        /* it may have been done, wholly or in part */
    uint32_t mark;     /* the service's own, 0 at first; a request that is cut leaves it behind */
    uint32_t vanished; /* times that the record which refused it was gone when it was looked at */
    /* the records */
    uint32_t count;
    struct keyed_slot slots[];
};

/* For the service: the record in a slot. False: nobody waits for it any more. */
bool keyed_request_record(const struct keyed_request *request, uint32_t at,
                          struct cell key[KEYED_KEY_COLUMNS_MAX], struct keyed_record *record);
/* The slot of the record with that key; UINT32_MAX: it holds none. */
uint32_t keyed_request_find(const struct keyed_request *request, const struct cell *key);

/* ---------------------------------------------------------------- what comes back */

enum keyed_outcome {
    KEYED_DONE,     /* durable; LOOK: the same record is there */
    KEYED_AGAIN,    /* not done, or nobody knows: send it again */
    KEYED_REFUSED,  /* a reject, as `reason` says; of all of several: they go again in halves */
    KEYED_OCCUPIED, /* INSERT: a record is there; LOOK: another one is there */
    KEYED_GONE      /* LOOK: nothing is there */
};

/* Filled by `poll`; what it points to holds until the next call. */
struct keyed_answer {
    struct keyed_request *request;
    enum keyed_outcome outcome;         /* of all its records, … */
    const enum keyed_outcome *outcomes; /* … unless not NULL: of each one */
    bool throttled;                     /* AGAIN: slow down, and be patient */
    bool unknown;                       /* AGAIN: some of it may have been done all the same */
    const struct error *reason;         /* AGAIN (retry_after_ms is the server's hint), REFUSED */
    const struct error *const *reasons; /* with `outcomes`: of each one; NULL: `reason` */
    double units;                       /* of capacity that it took; below 0: not known */
    uint32_t retries;                   /* what the service did again by itself meanwhile */
    uint32_t fallbacks;                 /* … and with less than was asked for */
};

/* The guard that keeps a request that is carried out late, or twice, from undoing what came after
 * it. */
enum keyed_guard {
    KEYED_GUARD_NONE, /* nothing: it is sent again until it is answered, and then what follows */
    KEYED_GUARD_NEWER /* a timestamp or version that it carries: it loses by itself */
};

enum keyed_failpoint {
    KEYED_POINT_CHUNK_BEGIN,
    KEYED_POINT_BEFORE_SEND,
    KEYED_POINT_AFTER_SEND,
    KEYED_POINT_AFTER_ANSWER,
    KEYED_POINT_BEFORE_KEYS,
    KEYED_POINT_BEFORE_RESTORE,
    KEYED_POINT_AFTER_RESTORE,
    KEYED_POINT_BEFORE_APPLY,
    KEYED_POINT_AFTER_APPLY,
    KEYED_POINT_BEFORE_DELETE,
    KEYED_POINT_BEFORE_INTENT,
    KEYED_POINT_AFTER_INTENT,
    KEYED_POINT_BEFORE_MADE,
    KEYED_POINT_AFTER_MADE,
    KEYED_POINT_BEFORE_EMPTY,
    KEYED_POINT_BEFORE_REMOVE_TABLE,
    KEYED_POINT_TABLE_REMOVED,
    KEYED_POINT_AFTER_REMOVE_TABLE
};
/* Their names, for struct connector's list: of all that are written record by record, … */
#define KEYED_FAILPOINTS(connector)                                                       \
    connector ".chunk_begin", connector ".before_send", connector ".after_send",          \
        connector ".after_answer", connector ".before_keys", connector ".before_restore", \
        connector ".after_restore"
/* … that apply changes, … */
#define KEYED_APPLY_FAILPOINTS(connector) connector ".before_apply", connector ".after_apply"
/* … whose tables are made and whose records are deleted by the room (tables.h). */
#define KEYED_TABLE_FAILPOINTS(connector)                                              \
    connector ".before_delete", connector ".before_intent", connector ".after_intent", \
        connector ".before_made", connector ".after_made", connector ".before_empty",  \
        connector ".before_remove_table", connector ".table_removed",                  \
        connector ".after_remove_table"

/* ---------------------------------------------------------------- the service */

struct keyed_connection; /* many requests under way; one thread */

struct keyed_service {
    uint32_t records_max[KEYED_KINDS]; /* of one request; DELETE 0: only `erase` deletes */
    size_t request_bytes_max;
    char separator; /* '\0': none */
    enum keyed_guard guard;
    /* A record that was written twice may not be what it is: elements of its lists add up. */
    bool repeats_add_up;
    /* Changes are applied by PUT and DELETE alone: of what did not change the record that is there
     * is read first. For databases whose UPDATE bears no version, or changes more than its fields.
     */
    bool applies_whole;
    const char *name;                  /* of the connector, as its failpoints begin */
    const struct keyed_tables *tables; /* NULL: it makes and removes them by itself */

    /* `tables` stay as long as the connection. */
    enum status (*connect)(struct database *self, const struct target_table *tables,
                           uint32_t table_count, uint32_t in_flight_max,
                           struct keyed_connection **connection, struct error *error);
    void (*disconnect)(
        struct keyed_connection *connection); /* takes NULL; drops what is under way */
    /* Optional, for check, in place of `connect`: a connection that only encodes records of a table
     * that may not be there yet. STATUS_END: nothing is known of it. */
    enum status (*try_connect)(struct database *self, const struct target_table *table,
                               struct keyed_connection **connection, struct error *error);
    /* Optional, for check: the record was encoded in so many bytes. Fails of class REJECT, and
     * names the field, where the server itself is known to refuse it. */
    enum status (*foresee)(struct keyed_connection *connection, const struct keyed_record *record,
                           size_t length, struct error *error);

    /* Optional, both: what stands before and behind the records of a body. */
    void (*begin)(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                  struct buffer *body);
    void (*end)(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                struct buffer *body);
    /* Optional: what helps to encode records of a shape (NULL: nothing does). It is given back
     * before the connection goes. */
    void *(*encoder)(struct keyed_connection *connection, uint32_t table,
                     const struct shape *shape);
    void (*encoder_free)(void *encoder); /* takes NULL */
    /* Appends the record as a request of the kind takes it. Class REJECT: it can't be stored; the
     * room cuts off what was appended. STATUS_END: likewise, and the record is skipped, since its
     * time to live is over. */
    enum status (*encode)(struct keyed_connection *connection, enum keyed_kind kind,
                          const struct keyed_record *record, struct buffer *out,
                          struct error *error);
    /* A key as bytes, equal for equal keys, of which none begins another; and back (false: they are
     * no key). */
    enum status (*append_key)(struct database *self, const struct target_table *table,
                              const struct cell *key, struct buffer *out, struct error *error);
    bool (*read_key)(struct database *self, const struct target_table *table, const uint8_t *bytes,
                     size_t length, struct arena *arena, struct cell *key);
    /* Optional, of tables with `settles_claims`: what the record shares with others of its place,
     * as claims.h has it; nothing where its fields say nothing of that. */
    enum status (*append_claims)(struct database *self, const struct keyed_record *record,
                                 struct buffer *place, struct buffer *claims, struct error *error);
    /* Optional: of an encoded record; only such of one group share a request (a partition). */
    uint64_t (*group)(const char *bytes, size_t length);
    /* Optional: units of capacity that writing a record of so many bytes is guessed to take. */
    double (*units)(size_t length);

    /* Optional: are the table's records only ever inserted, whatever is to become of others that
     * are there? OCCUPIED is told by the service itself then, also of such that equal them. */
    bool (*inserts_only)(const struct keyed_connection *connection, uint32_t table);
    /* Optional: a chunk was abandoned, whose records may be under way; they may be begun again by
     * another connection. */
    void (*abandoned)(struct keyed_connection *connection);

    /* Never waits for an answer. STATUS_AGAIN: in_flight_max requests are under way. STATUS_FAILED:
     * nothing was sent. Sent only while the lease lasts (lease_check): the room looks as well. */
    enum status (*send)(struct keyed_connection *connection, struct keyed_request *request,
                        struct error *error);
    /* The next answer, to any request. STATUS_AGAIN: none within timeout_ms. STATUS_FAILED: the
     * writer fails, and `answer->request` (NULL: not known) may have been done. */
    enum status (*poll)(struct keyed_connection *connection, int64_t timeout_ms,
                        struct keyed_answer *answer, struct error *error);
    /*
     * Optional, where writes bear a time or version, for applying changes: a time (µs since 1970),
     * well above `after_us` and all that this process has written, and what a connection writes
     * from then on bears it. So changes keep their order whatever is late.
     */
    int64_t (*time)(struct database *self, int64_t after_us);
    void (*set_time)(struct keyed_connection *connection, int64_t time_us);
    /* Optional, for keyed_delete: deletes up to erase_max records; what is not there is no error.
     */
    enum status (*erase)(struct database *self, const struct target_table *table,
                         const struct cell *keys, uint32_t count, struct error *error);
    uint32_t erase_max;
    /* Optional: all of a batch is acknowledged that a repair writes (database.repairs). Reads its
     * records back and writes again what something newer hides; what stays hidden is an outcome of
     * the result (keyed_note_outcome). */
    enum status (*prove)(struct database *self, const struct target_table *table,
                         struct batch_result *result, struct error *error);
    /* One PUT or UPDATE to its end, for control work. */
    enum status (*write)(struct database *self, enum keyed_kind kind,
                         const struct keyed_record *record, struct error *error);
};

/* ---------------------------------------------------------------- the room */

struct keyed_room {
    const struct keyed_service *service;
    const char *spill_folder;       /* borrowed; may be NULL */
    int64_t timeout_ms;             /* of a request */
    int64_t patience_ms;            /* with failures in a row; 0: four times that */
    uint32_t in_flight_max;         /* of one writer */
    struct keyed_capacity capacity; /* of all writers */
    /* The run that this process has claimed; run_id NULL: none. */
    char *run_id;
    uint64_t epoch;
    struct database *home; /* where its ledger is */
    struct store *store;   /* the control thread's, of the home; NULL before the first claim */
};

/* The head of a connector's own database: its first member. */
struct keyed_database {
    struct database base;
    struct keyed_room room;
    enum open_mode mode;
    const struct uri *uri;
    const char *const *catalog_tables; /* open_options */
    struct arena *arena; /* lives as long as the database; control thread, or with `mutex` */
    pthread_mutex_t control_mutex; /* of the connector's connection for control work */
    pthread_mutex_t mutex;         /* of what the connector says */
};
static inline struct keyed_room *keyed_room_of(struct database *database)
{
    return &((struct keyed_database *)database)->room;
}

/* For requests that are sent only while the lease lasts, once a run is claimed; NULL: at any time.
 */
static inline const struct database *keyed_lease(const struct keyed_database *database)
{
    return database->room.run_id != NULL ? &database->base : NULL;
}

/* A record of the result's batch was not written; `reason` says why. `written` is the caller's. */
void keyed_note_outcome(struct batch_result *result, uint32_t row, enum outcome_kind kind,
                        enum error_code code, const char *reason);
/* The key's cells of a record. False: one is missing. */
bool keyed_find_key(const struct target_table *table, const struct shape *shape,
                    const struct cell *cells, struct cell key[KEYED_KEY_COLUMNS_MAX]);

/* The caller sets the rest: in_flight_max, timeout_ms if it is another one than the options',
 * capacity.units_per_second. */
void keyed_room_init(struct keyed_database *database, const struct keyed_service *service,
                     const struct open_options *options);
void keyed_room_destroy(struct keyed_database *database);

/* The store's notes of a table that the claimed run makes: first that it is about to, then which
 * table it is (an id that no other one has). Control thread. */
enum keyed_made { KEYED_MADE_NOT, KEYED_MADE_INTENDED, KEYED_MADE_DONE };
/* `*table_id` (arena): which table it is, once it is made. */
enum status keyed_made_read(const struct keyed_room *room, const char *table, struct arena *arena,
                            enum keyed_made *made, const char **table_id,
                            struct error *error) MUST_USE;
enum status keyed_made_intend(const struct keyed_room *room, const char *table,
                              struct error *error) MUST_USE;
enum status keyed_made_done(const struct keyed_room *room, const char *table, const char *table_id,
                            struct error *error) MUST_USE;
enum status keyed_made_forget(const struct keyed_room *room, const char *table,
                              struct error *error) MUST_USE;

/* As struct target_functions has them. */
enum status keyed_claimed(struct database *self, const struct run_claim *claim,
                          struct error *error);
void keyed_released(struct database *self);
enum status keyed_writer_open(struct database *self, const struct target_table *tables,
                              uint32_t table_count, uint64_t epoch, struct writer **writer,
                              struct error *error);
void keyed_writer_close(struct writer *writer);
/* The database and a table of a writer, for connectors that put a chunk's records there by
 * themselves (express_chunk). */
struct database *keyed_writer_database(const struct writer *writer);
const struct target_table *keyed_writer_table(const struct writer *writer, uint32_t table);
enum status keyed_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                              struct error *error);
enum status keyed_submit(struct writer *writer, uint64_t chunk, uint32_t table, struct batch *batch,
                         struct error *error);
enum status keyed_poll(struct writer *writer, int64_t timeout_ms, struct batch_result *result,
                       struct error *error);
enum status keyed_commit(struct writer *writer, uint64_t chunk, const struct done_mark *mark,
                         struct error *error);
void keyed_chunk_abandon(struct writer *writer, uint64_t chunk);
extern const struct trial_functions keyed_trial;
enum status keyed_settle(struct database *self, const struct target_table *table,
                         enum status (*found)(void *context, uint64_t chunk, uint32_t entity,
                                              uint64_t ordinal, const struct cell *key,
                                              uint32_t key_count, const struct cell *record,
                                              enum duplicate_kind kind, struct error *error),
                         void *context, struct error *error);
enum status keyed_keys_are_equal(struct database *self, const struct target_table *table,
                                 const struct cell *left, const struct cell *right, bool *equal,
                                 struct error *error);
enum status keyed_restore(struct database *self, const struct target_table *table,
                          const struct batch *batch, uint32_t row, struct error *error);
/* delete_records; reads them by the target's `fetch` first, to count those that are there. */
enum status keyed_delete(struct database *self, const struct target_table *table,
                         const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                         struct error *error);

/* Functions of struct target_functions that all databases of the room have alike. */
#define KEYED_TARGET_FUNCTIONS                                                                    \
    .released = keyed_released, .writer_open = keyed_writer_open,                                 \
    .writer_close = keyed_writer_close, .chunk_begin = keyed_chunk_begin, .submit = keyed_submit, \
    .poll = keyed_poll, .commit = keyed_commit, .chunk_abandon = keyed_chunk_abandon,             \
    .settle_duplicates = keyed_settle, .keys_are_equal = keyed_keys_are_equal,                    \
    .restore = keyed_restore

/* Changes applied record by record (apply.c), for connectors with `erase`, or with DELETE. */
enum status keyed_apply_open(struct database *self, const struct apply_request *request,
                             struct apply **apply, struct error *error);
void keyed_apply_close(struct apply *apply);
enum status keyed_apply_position(struct apply *apply, struct arena *arena,
                                 struct position *position, struct error *error);
enum status keyed_apply_sets(struct apply *apply, const struct change_set *const *sets,
                             uint32_t set_count, struct arena *arena, struct apply_result *result,
                             struct error *error);
extern const struct apply_functions keyed_apply_functions; /* all of these */

#endif
