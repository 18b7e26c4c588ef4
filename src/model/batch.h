/* The batch: many records, one arena, freed as one. Readers fill it, writers take it. */
#ifndef TRANSHUME_MODEL_BATCH_H
#define TRANSHUME_MODEL_BATCH_H

#include "base/arena.h"
#include "model/schema.h"
#include "model/value.h"
#include <stddef.h>
#include <stdint.h>

/* The fixed shape of a batch's records; outlives every batch that has it. */
struct shape_field {
    const char *name;
    uint32_t name_length;
    struct value_type type;
};
struct shape {
    const char *name; /* of the entity or stream, for messages */
    const struct shape_field *fields;
    uint32_t field_count;
    const uint32_t *key_fields; /* positions of the key's parts within fields */
    uint32_t key_field_count;
};

/* The field of that name; -1: there is none. */
int32_t shape_field_find(const struct shape *shape, const char *name);

/* The operation on a record, or, of changes alone, on all of a table. */
enum record_operation {
    RECORD_INSERT = 0,
    RECORD_UPDATE,
    RECORD_DELETE,
    RECORD_TRUNCATE, /* all records go */
    /* Operations on a source's tables alone, and never on a target's: */
    RECORD_REDEFINED, /* the table was made, dropped, renamed or altered */
    RECORD_REWRITTEN, /* likewise, and rows that no change tells of may have other values */
    RECORD_REPLACED   /* likewise, and which rows there are may have changed, too */
};

/* A place in a feed: opaque bytes, which only the feed orders. `length` 0: none. */
struct position {
    const uint8_t *bytes;
    uint32_t length;
};

enum { ENVELOPE_TTL_KEPT = -1 };

/* When one cell was written and when it expires; for databases that keep both per cell. */
struct cell_times {
    int64_t write_time_us;
    int64_t ttl_seconds;
};

/*
 * Everything that is known of a record besides its cells. The mapping hands it from a source's row
 * to the records made of it; of several rows in one record the newest write time counts. A batch
 * without envelopes is of plain inserts.
 */
struct record_envelope {
    enum record_operation operation;
    uint32_t attempt;
    const struct cell *source_key; /* in the batch's arena; what rejects are named by */
    uint32_t source_key_count;
    struct position position; /* of the feed; none in a copy */
    int64_t write_time_us;    /* UTC; 0: not known */
    int64_t ttl_seconds;      /* from now on; 0: none; ENVELOPE_TTL_KEPT: what the target has */
    const struct cell_times *cell_times; /* one a cell of the row, of a document one a
                                            field; NULL: all are as above */
};

/* A record that its source could not read: no row, but it is counted and rejected with this. */
struct batch_refused {
    struct batch_refused *next;
    enum error_code code; /* REJECT_… */
    const char *reason;
    const struct cell *source_key; /* as the envelope has it */
    uint32_t source_key_count;
    struct cell raw; /* what stood there, perhaps clipped: TEXT, BYTES, ESCAPE; MAP: all of it */
};

/*
 * Row-major: cell `column` of record `row` is cells[row * width + column]. Without a shape
 * (documents) width is 1 and each cell is a MAP. A batch belongs to one thread at a time and is
 * handed over whole. `width` may exceed shape->field_count: the cells beyond are the record's
 * source key, which rejects are named by (zero cells: not kept). `entity` is the number of the
 * plan's entity that made it. `arena` is shared by the batches made from one read (source batch and
 * what the mapping made of it): it is counted, and freed with the last of them.
 */
struct batch {
    struct arena *arena;
    const struct shape *shape;
    struct cell *cells;
    struct record_envelope *envelopes; /* NULL: all inserts, nothing more is known of them */
    uint32_t width;
    uint32_t row_count;
    uint32_t row_capacity;
    uint32_t entity;
    struct large_value *large_values; /* released with the batch; NULL: no cell is LARGE */
    struct batch_refused *refused;    /* in the order of batch_refuse */
    struct batch_refused *refused_last;
    uint32_t refused_count;
    uint32_t *arena_users; /* shared count; only one thread holds all sharers */
};

/* Room for `row_capacity` records; a new arena. */
struct batch *batch_create(const struct shape *shape, uint32_t width, uint32_t row_capacity)
    __attribute__((returns_nonnull));
/* The same, living in `owner`'s arena: both must be handed over together. */
struct batch *batch_create_sharing(struct batch *owner, const struct shape *shape, uint32_t width,
                                   uint32_t row_capacity) __attribute__((returns_nonnull));
/* For one answer of a cursor: room for at most `rows_max` records, and for no more than whose cells
 * are `bytes_max` bytes; for one at least. */
struct batch *batch_create_for_cursor(uint32_t width, uint32_t rows_max, size_t bytes_max)
    __attribute__((returns_nonnull));
/* May a cursor put another row into it, which holds `bytes` by now? No more follow a row of large
 * values: what is made of them counts, too. */
static inline bool batch_has_room(const struct batch *batch, uint32_t rows_max, size_t bytes,
                                  size_t bytes_max)
{
    return batch->row_count < rows_max && bytes < bytes_max && batch->large_values == NULL;
}
/* The answer of a cursor once filling ended with `status`: hands `filled` over if it holds
 * anything, else destroys it; OK becomes END if it was empty. */
enum status batch_deliver(struct batch *filled, enum status status, struct batch **batch) MUST_USE;
void batch_destroy(struct batch *batch);
/* Adds envelopes (zeroed) for all of row_capacity. STATUS_OK always. */
void batch_add_envelopes(struct batch *batch);
struct cell *batch_append_slow(struct batch *batch) __attribute__((returns_nonnull));
/* The next row's cells, uninitialised; the row counts at once. Pointers to earlier rows may move.
 */
__attribute__((returns_nonnull)) static inline struct cell *batch_append(struct batch *batch)
{
    return batch->row_count < batch->row_capacity
               ? batch->cells + (size_t)batch->row_count++ * batch->width
               : batch_append_slow(batch);
}
/*
 * Adds a record that can't be read, in the place where its row would be. `reason` is copied; `key`
 * and what `raw` points to live in the batch's arena. A batch may have refused records and no row.
 * STATUS_OK always.
 */
void batch_refuse(struct batch *batch, enum error_code code, const char *reason,
                  const struct cell *key, uint32_t key_count, const struct cell *raw);
/* Takes the last appended row back. */
static inline void batch_drop_last(struct batch *batch)
{
    batch->row_count--;
}
/* Cells that are the record itself. */
static inline uint32_t batch_shape_width(const struct shape *shape)
{
    return shape == NULL ? 1 : shape->field_count;
}
static inline struct cell *batch_row(const struct batch *batch, uint32_t row)
{
    return batch->cells + (size_t)row * batch->width;
}
/* Names (copied) and values as one MAP, in the batch's arena. STATUS_OK always. */
void batch_make_document(struct batch *batch, const char *const *names, const struct cell *values,
                         uint32_t count, struct cell *document);
/* The batch releases the handle when it is destroyed. */
void batch_keep_large(struct batch *batch, struct large_value *large);
/* Bytes held, cells and arena: the size that rings count. */
size_t batch_bytes(const struct batch *batch);

#endif
