/*
 * The writer's insides. A record is encoded straight into the body of the request that will carry
 * it, which is sent when it is full or when there is nothing better to do:
 *
 *   submit ─> filling (one a table) ─> ready ─> under way ─> acknowledged ─> result of its batch
 *               │ key is under way already      │ throttled, cut off: waits, goes out again
 *               └──> held, until it is not      └ refused as a whole: halved, down to one record
 */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_WRITER_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_WRITER_H

#include "connectors/dynamodb/network_spill.h"
#include "connectors/dynamodb/network_target.h"

enum {
    SHIPMENT_ITEMS_MAX = 25,            /* of BatchWriteItem */
    SHIPMENT_BYTES_MAX = 4 << 20,       /* the service's limit is 16 MB */
    WRITER_BYTES_MAX = 8 << 20,         /* of batches and requests not acknowledged yet */
    WRITER_SPARE_BUFFERS = 32,          /* kept for reuse */
    WRITER_SPARE_BYTES_MAX = 64 * 1024, /* each */
    FILLING_MS_MAX = 20                 /* then it is sent as it is */
};

/* A batch whose records are not all acknowledged. */
struct waiting {
    struct waiting *next;
    struct batch_result result;
    uint32_t remaining;
    size_t bytes;
    uint64_t first_ordinal; /* of its first record among the entity's of the chunk */
    bool conditional;       /* records go one by one, with a condition */
};

struct key_hash {
    uint64_t high;
    uint64_t low;
};

/* A record in a request. */
struct slot {
    struct waiting *waiting; /* NULL: its chunk was abandoned */
    uint32_t row;
    uint32_t offset; /* in the body */
    uint32_t length;
    struct key_hash key;
};

enum shipment_kind { SHIPMENT_BATCH, SHIPMENT_PUT, SHIPMENT_UPDATE, SHIPMENT_LOOK };

/* A request. */
struct shipment {
    struct shipment *next;
    enum shipment_kind kind;
    uint32_t table;
    struct buffer body;
    struct slot slots[SHIPMENT_ITEMS_MAX];
    uint32_t count;
    uint32_t failures;
    int64_t since_ms;  /* monotonic: begun to be filled */
    int64_t next_ms;   /* not to be sent before */
    int64_t reserved;  /* thousandths of units taken for it before it was sent */
    bool tried;        /* it may have been done, wholly or in part */
    uint32_t vanished; /* times that the record which refused it was gone when it was looked at */
};

struct shipment_list {
    struct shipment *first;
    struct shipment **last;
    uint32_t count;
};

/* A record whose key is under way: it goes out after that, so that the order stays. */
struct held {
    struct held *next;
    uint32_t table;
    struct slot slot;
    struct buffer body; /* as in a request of its own kind */
    enum shipment_kind kind;
};

/* Keys under way: open addressing, a power of two of places. */
struct key_set {
    struct key_hash *places;
    uint32_t *used; /* how often; 0: free */
    size_t capacity;
    size_t count;
};

/* The encoder of one shape for one table. */
struct encoding {
    struct encoding *next;
    const struct shape *shape;
    uint32_t table;
    struct dynamodb_encoder *encoder;
    int32_t key_fields[2]; /* their places in the shape */
};

struct writer_chunk {
    struct writer_chunk *next;
    uint64_t number;
    bool repeated; /* records of it may be there from an earlier attempt */
    struct ordinal_count {
        uint32_t table;
        uint32_t entity;
        uint64_t next;
    } * ordinals;
    uint32_t ordinal_rows;
    struct dynamodb_spill *spill; /* NULL: no table of it is settled */
};

struct writer {
    struct dynamodb_network *network;
    const struct target_table *tables;
    uint32_t table_count;
    uint64_t epoch;
    struct dynamodb_client *client; /* many requests under way */
    struct store *store;            /* for keys that are kept; NULL until there are any */
    struct encoding *encodings;
    struct writer_chunk *chunks;
    struct waiting *waiting;
    struct waiting *results; /* whole ones, in the order of their ends */
    struct waiting **results_last;
    struct shipment **filling; /* a table each; NULL: none */
    struct shipment_list ready;
    struct shipment_list delayed;
    struct shipment_list under_way;
    struct shipment *spare;
    uint32_t spare_count;
    struct held *held;
    struct held **held_last;
    struct key_set keys;
    struct buffer scratch;
    size_t bytes; /* of `waiting` and all requests */
    bool refused; /* a batch waits outside for room */
    /* a chunk was given up, so what is under way need not be of records that count: each record
     * waits for those of its key */
    bool keeps_order;
    double window;
    double slow_start_until;
    int64_t shrunk_ms;
    int64_t failing_since_ms; /* 0: not failing */
};

/* ---------------------------------------------------------------- network_writer.c */

/* A record that was not written; `reason` says why. */
void dynamodb_writer_refuse(struct waiting *waiting, uint32_t row, enum outcome_kind kind,
                            enum error_code code, const char *reason);
/* One record of the batch is settled: the result is put out with the last one. */
void dynamodb_writer_settled(struct writer *writer, struct waiting *waiting);
struct writer_chunk *dynamodb_writer_chunk(struct writer *writer, uint64_t number);

/* ---------------------------------------------------------------- network_encode.c */

/* Encodes the batch's records from `row` on into requests. */
enum status dynamodb_writer_encode(struct writer *writer, struct waiting *waiting,
                                   struct writer_chunk *chunk, struct error *error) MUST_USE;
void dynamodb_writer_free_encodings(struct writer *writer);
/* A record that was refused after all does not count when duplicates are settled. */
enum status dynamodb_writer_note_void(struct writer *writer, struct waiting *waiting, uint32_t row,
                                      struct error *error) MUST_USE;
/* GetItem of a record's key; the record as it would be sent. */
enum status dynamodb_writer_look_body(struct writer *writer, struct waiting *waiting, uint32_t row,
                                      struct buffer *body, struct error *error) MUST_USE;
/* PutItem on the condition that nothing is there. */
enum status dynamodb_writer_put_body(struct writer *writer, struct waiting *waiting, uint32_t row,
                                     struct buffer *body, struct error *error) MUST_USE;
enum status dynamodb_writer_item_text(struct writer *writer, struct waiting *waiting, uint32_t row,
                                      struct buffer *out, struct error *error) MUST_USE;
/* A key's bytes into the scratch buffer, and their hash. */
enum status dynamodb_writer_hash_key(struct writer *writer, uint32_t table,
                                     const struct cell key[2], struct key_hash *hash,
                                     struct error *error) MUST_USE;

/* ---------------------------------------------------------------- network_ship.c */

struct shipment *dynamodb_shipment_new(struct writer *writer, enum shipment_kind kind,
                                       uint32_t table);
void dynamodb_shipment_free(struct writer *writer, struct shipment *shipment);
/* The table's request that is being filled, with room for a record. */
struct shipment *dynamodb_writer_filling(struct writer *writer, uint32_t table);
/* A record was written behind `start` of a filling body: it stays there, or goes where it may. */
void dynamodb_writer_keep(struct writer *writer, struct shipment *shipment, size_t start,
                          const struct slot *slot);
void dynamodb_list_add(struct shipment_list *list, struct shipment *shipment);
/* Closes the body of a table's filling request and makes it ready. */
void dynamodb_writer_flush(struct writer *writer, uint32_t table);
/* Held records whose keys are free again go into requests. */
void dynamodb_writer_release_held(struct writer *writer);
/* Puts a record's bytes into a request of its kind, or holds them while its key is taken. */
void dynamodb_writer_place(struct writer *writer, enum shipment_kind kind, uint32_t table,
                           const struct slot *slot, const char *bytes, size_t length);
/* STATUS_FAILED: what is in `error`, as the end of the writer's patience. */
enum status dynamodb_writer_give_up(const struct writer *writer, int64_t now_ms,
                                    struct error *error) MUST_USE;
/* Sends what may be sent; `idle`: the caller has nothing else to do, part-filled requests go. */
enum status dynamodb_writer_pump(struct writer *writer, bool idle, struct error *error) MUST_USE;
/* Takes answers in until one is there or timeout_ms is over. STATUS_AGAIN: none came. */
enum status dynamodb_writer_receive(struct writer *writer, int64_t timeout_ms,
                                    struct error *error) MUST_USE;

/* ---------------------------------------------------------------- network_answer.c */

/* Takes the shipment over. */
enum status dynamodb_writer_answer(struct writer *writer, struct shipment *shipment,
                                   struct service_reply *response, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- network_keyset.c */

void dynamodb_key_set_add(struct key_set *set, struct key_hash key);
bool dynamodb_key_set_has(const struct key_set *set, struct key_hash key);
void dynamodb_key_set_remove(struct key_set *set, struct key_hash key);
void dynamodb_key_set_free(struct key_set *set);

#endif
