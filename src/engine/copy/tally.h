/* What became of one entity's records: of a chunk, or of the whole run. */
#ifndef TRANSHUME_ENGINE_TALLY_H
#define TRANSHUME_ENGINE_TALLY_H

#include "model/canonical.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * made == written + rejected + skipped once a chunk is committed. `read` counts the source records
 * that were read for the entity. `hash` is the sum over the records written, in the normal forms
 * that the target, or a column of it that was there before (stored_form.h), gives their values;
 * `hashed` false: they were never decoded (express lane), or hashing is off.
 */
struct tally {
    uint64_t read;
    uint64_t made;
    uint64_t written;
    uint64_t rejected;
    uint64_t skipped;
    uint64_t filtered;
    uint64_t unmatched; /* of a stream's first entity: records that were no entity's, left out */
    uint64_t bytes;
    uint64_t retries;   /* requests that source and target did again, and chunks that were */
    uint64_t fallbacks; /* requests done with less than was asked for */
    struct canonical_hash hash;
    bool hashed;
};

static inline void tally_add(struct tally *sum, const struct tally *other)
{
    sum->read += other->read;
    sum->made += other->made;
    sum->written += other->written;
    sum->rejected += other->rejected;
    sum->skipped += other->skipped;
    sum->filtered += other->filtered;
    sum->unmatched += other->unmatched;
    sum->bytes += other->bytes;
    sum->retries += other->retries;
    sum->fallbacks += other->fallbacks;
    canonical_sum_add(&sum->hash, &other->hash);
    sum->hashed = sum->hashed && other->hashed;
}

/* Takes a hash out of a sum again. */
static inline void tally_hash_subtract(struct canonical_hash *sum,
                                       const struct canonical_hash *hash)
{
    uint64_t borrow = sum->low < hash->low;
    sum->low -= hash->low;
    sum->high -= hash->high + borrow;
}

/* Takes a chunk out again that is to be copied once more. */
static inline void tally_subtract(struct tally *sum, const struct tally *other)
{
    sum->read -= other->read;
    sum->made -= other->made;
    sum->written -= other->written;
    sum->rejected -= other->rejected;
    sum->skipped -= other->skipped;
    sum->filtered -= other->filtered;
    sum->bytes -= other->bytes;
    sum->retries -= other->retries;
    sum->fallbacks -= other->fallbacks;
    tally_hash_subtract(&sum->hash, &other->hash);
}

#endif
