/* Running the mapping: source rows in, records of the target's shapes out. Copy, verify and follow
 * share it. */
#ifndef TRANSHUME_PLAN_MAP_MAPPER_H
#define TRANSHUME_PLAN_MAP_MAPPER_H

#include "model/batch.h"
#include "plan/plan.h"

/* One a reader thread and stream: it holds expression statements and half-made records. */
struct mapper;

/* A record that the mapping could not make. */
struct mapper_reject {
    uint32_t entity;
    enum error_code code;
    const char *reason;
    const struct mapping_field *field; /* that can't be made; NULL: another reason */
    struct cell value;                 /* that its type does not take; MISSING: another reason */
    const struct cell *source_key;
    uint32_t source_key_count;
    const struct record_envelope *envelope; /* as the record would have it; NULL: plain */
    struct cell record;                     /* a MAP of the fields made so far */
};

/* Batches and rejects that were made since the last take. Everything in it lives in the batches'
 * arenas or `arena`. */
struct mapper_output {
    struct batch **batches; /* one an entity that made records; batch->entity says which; at most
                               stream->entity_count. They are the caller's; the array is the
                               mapper's until the next take */
    uint32_t batch_count;
    const struct mapper_reject *rejects;
    uint32_t reject_count;
    struct arena *arena; /* of rejects; the caller destroys it; NULL if there are none */
    struct batch
        *keeper; /* of large values in rejects; destroyed after them; NULL: there are none */
};

/* Per entity of the stream, in order of stream->entities. */
struct mapper_counts {
    uint64_t made;          /* after where, pages, unnest: written + rejected + skipped equal it */
    uint64_t filtered;      /* left out by `where`, `match` or an entity's `when` */
    uint64_t rejected;      /* by the mapping: part of made */
    uint64_t skipped;       /* part of made: `distinct`, and made before in this chunk */
    uint64_t unmatched;     /* of the first entity: records that are no entity's, left out */
    uint64_t long_decimals; /* digits beyond the declared scale, kept */
};

/* `record_bytes_max` is the target's limit (0: none); a record with lists is given up once it is
 * certainly larger, and beyond 16 MiB where that is more than the limit has room for. */
struct mapper *mapper_create(const struct plan *plan, const struct plan_stream *stream,
                             uint64_t record_bytes_max);
void mapper_destroy(struct mapper *mapper);
/* Zeroes the counts for a new chunk. */
void mapper_begin_chunk(struct mapper *mapper);
const struct mapper_counts *mapper_counts(const struct mapper *mapper);

/* For streams without children: maps a whole batch and takes it over (its arena goes on in the
 * outputs where texts are borrowed). */
enum status mapper_map_batch(struct mapper *mapper, struct batch *batch,
                             struct error *error) MUST_USE;

/*
 * For streams with children, row by row: begin with the parent's row; then for each child in order
 * of stream->children each of its rows (cells after the root key) that belongs to this parent; then
 * end. The parent's batch must live until mapper_end, a child's row during the call. The parent is
 * a document, with what was looked up for it, or columns. `*wanted` false: it fits no entity or
 * can't be read and has been dealt with; no children, no end. Rows of a list whose `when` is false
 * cost no more than the call. `envelope`: of the child's row; NULL: none.
 */
enum status mapper_begin_row(struct mapper *mapper, const struct batch *batch, uint32_t row,
                             bool *wanted, struct error *error) MUST_USE;
enum status mapper_child(struct mapper *mapper, uint32_t child, const struct cell *row,
                         const struct record_envelope *envelope, struct error *error) MUST_USE;
enum status mapper_end(struct mapper *mapper, struct error *error) MUST_USE;
/* Rejects what the source could not read of this batch; between records. */
enum status mapper_refuse_batch(struct mapper *mapper, const struct batch *batch,
                                struct error *error) MUST_USE;

/* Bytes made and not yet taken: take when it exceeds the batch bound, also between two child
 * rows. */
size_t mapper_pending_bytes(const struct mapper *mapper);
uint32_t mapper_pending_rows(const struct mapper *mapper);
/* Hands over all that is complete. Nothing: batch_count and reject_count are 0. */
enum status mapper_take(struct mapper *mapper, struct mapper_output *output,
                        struct error *error) MUST_USE;

#endif
