/*
 * Reading records, by spans or by their keys: what the cursors of these databases share. A
 * connector brings what adds the next record to a batch, and how a key is written.
 */
#ifndef TRANSHUME_CONNECTORS_KEYED_READING_H
#define TRANSHUME_CONNECTORS_KEYED_READING_H

#include "base/buffer.h"
#include "base/text.h"
#include "connectors/contract/source.h"

/* ---------------------------------------------------------------- batches */

/* Adds the next record to the batch, or refuses it there, or gets nearer to it: it is called again
 * after STATUS_OK. STATUS_AGAIN: nothing came within a while. STATUS_END: there was the last. */
typedef enum status keyed_add_next(struct cursor *cursor, struct batch *batch, struct error *error);

struct keyed_filling {
    keyed_add_next *add_next;
    const struct read_request *request;
    const size_t *bytes; /* that are in the batch, as the connector counts; NULL: batch_bytes */
    bool envelopes;
};

/* source_functions.cursor_next: a batch is full with `rows_max` records, those refused among them,
 * or as soon as it holds `bytes_max`. */
enum status keyed_cursor_next(struct cursor *cursor, const struct keyed_filling *filling,
                              uint32_t rows_max, size_t bytes_max, struct batch **batch,
                              struct error *error) MUST_USE;
static inline bool keyed_batch_is_empty(const struct batch *batch)
{
    return batch->row_count == 0 && batch->refused_count == 0;
}
/* The columns that the request asks for of a record (a MAP); where it asks for none, the record
 * itself with its key in the envelope. Returns the envelope; NULL: the batch has none. */
struct record_envelope *keyed_add_record(const struct read_request *request, struct column_list key,
                                         const struct cell *record, struct batch *batch);
/* The key's cells of a record, in the arena; MISSING, what it has not. */
struct cell *keyed_key_of_record(struct column_list key, const struct cell *record,
                                 struct arena *arena);

/* ---------------------------------------------------------------- keys of a request */

struct keyed_wanted_key {
    struct text bytes;
    int64_t token; /* the connector's own */
};

/* The keys that a request asks for (read_request.keys), each once, in the order of their bytes. */
struct keyed_wanted {
    struct keyed_wanted_key *keys;
    uint32_t count;
    uint32_t next;       /* for the cursor: what it has not asked for yet */
    struct buffer bytes; /* of all keys */
    int64_t token;       /* of the key that is being written */
    size_t begun;        /* where that one begins */
    uint32_t capacity;
};

struct keyed_wanting {
    struct column_list key;
    const char *name;    /* of what is read, for messages */
    const char *refusal; /* where the request's keys are others than whole ones */
    /* Appends the key to `wanted->bytes`, and may set `wanted->token`; keyed_wanted_close between
     * two forms of one key. STATUS_END, or a failure of class REJECT: no record can have it, so it
     * is left out. */
    enum status (*encode)(const void *context, const struct cell *key, struct keyed_wanted *wanted,
                          struct error *error);
    const void *context;
};

/* `wanted` is zeroed before. ERROR_NOT_IMPLEMENTED: they are no whole keys; ERROR_REJECT_TYPE: one
 * is a value of another engine. */
enum status keyed_wanted_read(const struct read_request *request,
                              const struct keyed_wanting *wanting, struct keyed_wanted *wanted,
                              struct error *error) MUST_USE;
void keyed_wanted_close(struct keyed_wanted *wanted);
bool keyed_wanted_has(const struct keyed_wanted *wanted, struct text bytes);
void keyed_wanted_free(struct keyed_wanted *wanted);

#endif
