/* The parcel: what a reader hands its writer through the ring. */
#ifndef TRANSHUME_ENGINE_PARCEL_H
#define TRANSHUME_ENGINE_PARCEL_H

#include "engine/copy/tally.h"
#include "model/batch.h"
#include "plan/map/mapper.h"
#include <stdint.h>

enum parcel_kind {
    PARCEL_DATA,
    PARCEL_END,    /* nothing more of this chunk; `tallies` count it */
    PARCEL_RESTART /* forget what came: the chunk begins anew */
};

struct parcel {
    enum parcel_kind kind;
    uint64_t root_rows; /* source records read for these batches */
    const struct mapper_reject *rejects;
    uint32_t reject_count;
    struct arena *arena;  /* of the rejects */
    struct batch *keeper; /* of their large values */
    struct tally
        *tallies; /* END: made, filtered, skipped, hash for each of the stream's entities */
    uint32_t batch_count;
    struct batch *batches[]; /* NULL once somebody else has it */
};

struct parcel *parcel_create(enum parcel_kind kind, uint32_t batch_count);
/* With the batches still in it. NULL is fine. */
void parcel_destroy(struct parcel *parcel);
/* The parcel's weight in a ring. */
size_t parcel_bytes(const struct parcel *parcel);

#endif
