/*
 * The writer's insides. A record is encoded straight into the body of the request that will carry
 * it, which is sent when it is full or when there is nothing better to do:
 *
 *   submit ─> filling (one a table) ─> ready ─> under way ─> acknowledged ─> result of its batch
 *               │ key is under way already      │ throttled, cut off: waits, goes out again
 *               └──> held, until it is not      └ refused as a whole: halved, down to one record
 */
#ifndef TRANSHUME_CONNECTORS_KEYED_KEYED_INTERNAL_H
#define TRANSHUME_CONNECTORS_KEYED_KEYED_INTERNAL_H

#include "connectors/keyed/keyed.h"
#include "connectors/keyed/spill.h"

enum {
    WRITER_SPARE_BUFFERS = 32,          /* kept for reuse */
    WRITER_SPARE_BYTES_MAX = 64 * 1024, /* each */
    FILLING_MS_MAX = 20,                /* then it is sent as it is */
    PATIENCE_TIMEOUTS = 4               /* without any success, if nothing else is said */
};

static inline int64_t keyed_patience_ms(const struct keyed_room *room)
{
    return room->patience_ms > 0 ? room->patience_ms : PATIENCE_TIMEOUTS * room->timeout_ms;
}

/* A batch whose records are not all acknowledged. */
struct keyed_waiting {
    struct keyed_waiting *next;
    struct batch_result result;
    uint32_t remaining;
    size_t bytes;
    uint64_t first_ordinal; /* of its first record among the entity's of the chunk */
};

struct keyed_list {
    struct keyed_request *first;
    struct keyed_request **last;
    uint32_t count;
};

/* A record whose key is under way: it goes out after that, so that the order stays. */
struct held {
    struct held *next;
    uint32_t table;
    struct keyed_slot slot;
    struct buffer bytes;
};

/* Keys under way: open addressing, a power of two of places. */
struct keyed_set {
    struct keyed_hash *places;
    uint32_t *used; /* how often; 0: free */
    size_t capacity;
    size_t count;
};

/* The encoder and the key's fields of one shape for one table. */
struct encoding {
    struct encoding *next;
    const struct shape *shape;
    uint32_t table;
    void *encoder;                             /* the service's */
    int32_t key_fields[KEYED_KEY_COLUMNS_MAX]; /* their places in the shape; -1: it has none */
};

struct writer_chunk {
    struct writer_chunk *next;
    uint64_t number;
    uint32_t attempt;
    bool repeated; /* records of it may be there from an earlier attempt */
    struct ordinal_count {
        uint32_t table;
        uint32_t entity;
        uint64_t next;
    } * ordinals;
    uint32_t ordinal_rows;
    struct keyed_spill *spill; /* NULL: no table of it is settled */
};

struct writer {
    struct database *database;
    struct keyed_room *room;
    const struct keyed_service *service;
    const struct target_table *tables;
    uint32_t table_count;
    const enum keyed_kind *kinds; /* a table each, of changes; NULL: as the plan wants them */
    uint64_t epoch;
    struct keyed_connection *connection;
    struct store *store; /* for keys that are kept; NULL until there are any */
    struct encoding *encodings;
    struct writer_chunk *chunks;
    struct keyed_waiting *waiting;
    struct keyed_waiting *results; /* whole ones, in the order of their ends */
    struct keyed_waiting **results_last;
    struct keyed_request **filling; /* a table each; NULL: none */
    struct keyed_list ready;
    struct keyed_list delayed;
    struct keyed_list under_way;
    struct keyed_request *spare;
    uint32_t spare_count;
    uint32_t slots_max; /* of a request */
    struct held *held;
    struct held **held_last;
    struct keyed_set keys;
    struct buffer scratch; /* a key's bytes */
    struct buffer place;   /* scratch */
    struct buffer claims;  /* likewise */
    size_t bytes;          /* of `waiting` and all requests */
    bool refused;          /* a batch waits outside for room */
    /* a chunk was given up, so what is under way need not be of records that count: each record
     * waits for those of its key */
    bool keeps_order;
    double window;
    double slow_start_until;
    int64_t shrunk_ms;
    int64_t failing_since_ms; /* 0: not failing */
};

/* How the plan wants records of the table to be written. */
enum keyed_kind keyed_kind_of(const struct target_table *table);

/* ---------------------------------------------------------------- run.c */

enum status keyed_hit(const struct keyed_room *room, enum keyed_failpoint point,
                      struct error *error) MUST_USE;
/* keyed_service.erase. */
enum status keyed_erase(struct database *self, const struct target_table *table,
                        const struct cell *keys, uint32_t count, struct error *error) MUST_USE;
/* ERROR_RUN_FENCED: the run is not this process's any more, or by another claim. */
enum status keyed_check_claim(const struct database *database, const struct keyed_room *room,
                              uint64_t epoch, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- writer.c */

/* A record that was not written; `reason` says why. */
void keyed_note_refused(struct keyed_waiting *waiting, uint32_t row, enum outcome_kind kind,
                        enum error_code code, const char *reason);
/* One record of the batch is settled: the result is put out with the last one. */
void keyed_record_ended(struct writer *writer, struct keyed_waiting *waiting);
struct writer_chunk *keyed_find_chunk(struct writer *writer, uint64_t number);

/* ---------------------------------------------------------------- records.c */

/* Encodes the batch's records into requests. */
enum status keyed_encode_batch(struct writer *writer, struct keyed_waiting *waiting,
                               struct writer_chunk *chunk, struct error *error) MUST_USE;
extern const char keyed_expired[]; /* why a record was skipped that the service did not encode */
/* A record alone, again, as another kind of request; appended to the body. STATUS_END: its time to
 * live is over. */
enum status keyed_encode_again(struct keyed_request *request, enum keyed_kind kind,
                               struct error *error) MUST_USE;
void keyed_free_encodings(struct writer *writer);
/* A record that was not written after all does not count when duplicates are settled: SPILL_REFUSED
 * or SPILL_SKIPPED. */
enum status keyed_note_void(struct writer *writer, struct keyed_waiting *waiting, uint32_t row,
                            enum keyed_spill_state state, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- requests.c */

/* The frame of a body: what the service puts before and behind its records. */
void keyed_body_begin(struct writer *writer, struct keyed_request *request);
void keyed_body_end(struct writer *writer, struct keyed_request *request);
struct keyed_request *keyed_request_new(struct writer *writer, enum keyed_kind kind,
                                        uint32_t table);
void keyed_request_free(struct writer *writer, struct keyed_request *request);
/* A request with those of the records of another one, whose keys it takes over. */
struct keyed_request *keyed_request_cut(const struct keyed_request *from, const bool *chosen,
                                        enum keyed_kind kind);
/* The table's request that is being filled, with room for a record. */
struct keyed_request *keyed_filling(struct writer *writer, uint32_t table);
/* A record was written behind `start` of a filling body: it stays there, or goes where it may. */
void keyed_keep(struct keyed_request *request, size_t start, const struct keyed_slot *slot);
void keyed_list_add(struct keyed_list *list, struct keyed_request *request);
/* Held records whose keys are free again go into requests. */
void keyed_release_held(struct writer *writer);
/* STATUS_FAILED: what is in `error`, as the end of the writer's patience. */
enum status keyed_give_up(const struct writer *writer, int64_t now_ms,
                          struct error *error) MUST_USE;
/* Sends what may be sent; `idle`: the caller has nothing else to do, part-filled requests go. */
enum status keyed_pump(struct writer *writer, bool idle, struct error *error) MUST_USE;
/* Takes answers in until one is there or timeout_ms is over. STATUS_AGAIN: none came. */
enum status keyed_receive(struct writer *writer, int64_t timeout_ms, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- answer.c */

/* Takes the request over. */
enum status keyed_take_answer(struct writer *writer, const struct keyed_answer *answer,
                              struct error *error) MUST_USE;

/* ---------------------------------------------------------------- key_set.c */

void keyed_set_add(struct keyed_set *set, struct keyed_hash key);
bool keyed_set_has(const struct keyed_set *set, struct keyed_hash key);
void keyed_set_remove(struct keyed_set *set, struct keyed_hash key);
void keyed_set_free(struct keyed_set *set);

#endif
