/* Making, weighing and freeing parcels. */
#include "engine/copy/parcel.h"

#include "base/memory.h"
#include <stdlib.h>

struct parcel *parcel_create(enum parcel_kind kind, uint32_t batch_count)
{
    struct parcel *parcel =
        memory_allocate_zeroed(1, sizeof(*parcel) + batch_count * sizeof(struct batch *));
    parcel->kind = kind;
    parcel->batch_count = batch_count;
    return parcel;
}

void parcel_destroy(struct parcel *parcel)
{
    if (parcel == NULL) {
        return;
    }
    for (uint32_t i = 0; i < parcel->batch_count; i++) {
        batch_destroy(parcel->batches[i]);
    }
    arena_destroy(parcel->arena);
    batch_destroy(parcel->keeper);
    free(parcel->tallies);
    free(parcel);
}

size_t parcel_bytes(const struct parcel *parcel)
{
    size_t bytes = sizeof(*parcel);
    const struct arena *counted = NULL; /* sharers of an arena come one after the other */
    for (uint32_t i = 0; i < parcel->batch_count; i++) {
        const struct batch *batch = parcel->batches[i];
        bytes += batch->arena == counted
                     ? (size_t)batch->row_capacity * batch->width * sizeof(struct cell)
                     : batch_bytes(batch);
        counted = batch->arena;
    }
    if (parcel->arena != NULL) {
        bytes += arena_bytes(parcel->arena);
    }
    return bytes;
}
