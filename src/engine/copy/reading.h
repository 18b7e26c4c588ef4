/* One chunk being read: source rows, mapping, parcels into the ring. Lives on a reader's thread. */
#ifndef TRANSHUME_ENGINE_READING_H
#define TRANSHUME_ENGINE_READING_H

#include "engine/copy/copy.h"
#include "engine/copy/parcel.h"
#include "engine/formats/record_hash.h"
#include "engine/join/joining.h"
#include "plan/map/mapper.h"

struct subset_scratch; /* engine/subset/subset.h */
struct reading {
    struct worker *worker;
    struct work *work;
    const struct plan_stream *stream;
    const struct span *span;
    struct mapper *mapper; /* of mapper_stream; NULL for identity streams */
    const struct plan_stream *mapper_stream;
    struct joining_reader *joining; /* NULL: none was needed yet */
    struct record_hasher hasher;
    struct tally *tallies; /* made, filtered and hash, by position in stream->entities */
    uint64_t root_rows;    /* read since the last parcel */
    uint32_t rows_max;
    size_t bytes_max;
    struct subset_scratch *subset; /* NULL: none was needed yet */
    uint32_t widened_rows; /* to ask for next where look-ups are added here; 0: the chunk begins */
    /* Instead of the ring, for check and sample: takes the parcel over; STATUS_END: that is
     * enough. */
    enum status (*sink)(void *context, struct parcel *parcel);
    /* Optional, with it: what reading_account says. */
    enum status (*sink_account)(void *context, uint64_t rows, uint64_t bytes);
    void *sink_context;
};

/* Batch bounds and hasher for a worker; freed by reading_free. */
void reading_init(struct reading *reading, struct worker *worker);
void reading_free(struct reading *reading);
/* All of the stream's chunk: STATUS_OK, STATUS_END when nobody wants it any more. */
enum status reading_span(struct reading *reading, struct error *error) MUST_USE;

/* Puts a batch's weight on caps and stall clock; STATUS_END when the chunk is wanted no more. */
enum status reading_account(struct reading *reading, uint64_t rows, uint64_t bytes) MUST_USE;
/* Hashes and hands over; the parcel is the ring's, or gone. STATUS_END: nobody wants it. */
enum status reading_send(struct reading *reading, struct parcel *parcel,
                         struct error *error) MUST_USE;
/* Hands over what the mapper has ready. */
enum status reading_take(struct reading *reading, struct error *error) MUST_USE;
bool reading_is_full(const struct reading *reading);
/* --sample-rows: is the row one of those that were chosen? */
enum status reading_keeps(struct reading *reading, const struct cell *row, bool *keeps,
                          struct error *error) MUST_USE;
/* The search that finds the rows of a request that the engine joins. */
enum status reading_search(struct reading *reading, const struct read_request *request,
                           struct joining_search **search, struct error *error) MUST_USE;
/* The next batch of the stream's root as the mapper takes it: with what was looked up. `search` is
 * that of stream->joined, NULL where there is none. */
enum status reading_next(struct reading *reading, struct cursor *cursor,
                         struct joining_search *search, struct batch **batch,
                         struct error *error) MUST_USE;

/* Parents merged with their children, in merge.c. */
enum status merge_span(struct reading *reading, struct error *error) MUST_USE;

#endif
