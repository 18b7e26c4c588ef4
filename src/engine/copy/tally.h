/* Counts of the fate of one entity's records: of a chunk, or of the whole run. */
#ifndef TRANSHUME_ENGINE_TALLY_H
#define TRANSHUME_ENGINE_TALLY_H

#include "base/error.h"
#include "model/canonical.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * made == written + rejected + skipped once a chunk is committed. `read` counts the source records
 * that were read for the entity. `hash` is the sum over the records written, in the normal forms
 * that the target, or a column of it that was there before (stored_form.h), gives their values;
 * `hashed` false: they were never decoded (express lane), or hashing is off. `reasons` says of so
 * many of the rejected ones why; those for which it has no room are only in `rejected`.
 */
enum { TALLY_REASONS = 4 };
struct tally_reason {
    enum error_code code; /* ERROR_NONE: free, as are those behind it */
    uint64_t count;
};

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
    struct tally_reason reasons[TALLY_REASONS];
};

static inline void tally_add_reason(struct tally *tally, enum error_code code, uint64_t count)
{
    for (int i = 0; i < TALLY_REASONS && code != ERROR_NONE; i++) {
        if (tally->reasons[i].code == code || tally->reasons[i].code == ERROR_NONE) {
            tally->reasons[i].code = code;
            tally->reasons[i].count += count;
            return;
        }
    }
}

static inline void tally_subtract_reason(struct tally *tally, enum error_code code, uint64_t count)
{
    for (int i = 0; i < TALLY_REASONS && code != ERROR_NONE; i++) {
        if (tally->reasons[i].code == code) {
            uint64_t *from = &tally->reasons[i].count;
            *from = *from > count ? *from - count : 0;
        }
    }
}

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
    for (int i = 0; i < TALLY_REASONS; i++) {
        tally_add_reason(sum, other->reasons[i].code, other->reasons[i].count);
    }
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
    for (int i = 0; i < TALLY_REASONS; i++) {
        tally_subtract_reason(sum, other->reasons[i].code, other->reasons[i].count);
    }
}

#endif
