/* Normal form, canonical bytes, XXH3: once a record. */
#include "engine/record_hash.h"

#include <stdlib.h>

enum { RESET_BYTES = 64 << 10 };

enum status record_hasher_init(struct record_hasher *hasher, struct database *target,
                               struct error *error)
{
    *hasher = (struct record_hasher){.target = target, .arena = arena_create(0)};
    return hasher->arena != NULL ? STATUS_OK
                                 : error_set(error, ERROR_MEMORY, NULL, "no memory for hashing");
}

void record_hasher_free(struct record_hasher *hasher)
{
    arena_destroy(hasher->arena);
    buffer_free(&hasher->scratch);
    free(hasher->cells);
    *hasher = (struct record_hasher){0};
}

static enum status reserve_cells(struct record_hasher *hasher, uint32_t count, struct error *error)
{
    if (count <= hasher->capacity) {
        return STATUS_OK;
    }
    struct cell *cells = reallocarray(hasher->cells, count, sizeof(*cells));
    if (cells == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for hashing");
    }
    hasher->cells = cells;
    hasher->capacity = count;
    return STATUS_OK;
}

enum status record_hash(struct record_hasher *hasher, const struct batch *batch, uint32_t row,
                        struct canonical_hash *hash, struct error *error)
{
    const struct cell *cells = batch_row(batch, row);
    uint32_t count = batch_shape_width(batch->shape);
    if (reserve_cells(hasher, count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (arena_bytes(hasher->arena) > RESET_BYTES) {
        arena_reset(hasher->arena);
    }
    const struct target_functions *target = hasher->target->connector->target;
    for (uint32_t i = 0; i < count; i++) {
        if (target->normal_form(hasher->target, &cells[i], hasher->arena, &hasher->cells[i],
                                error) != STATUS_OK) {
            if (error->class == ERROR_CLASS_STOP) {
                return STATUS_FAILED;
            }
            hasher->cells[i] = cells[i]; /* the writer will reject it, and its hash goes again */
        }
    }
    return batch->shape == NULL
               ? canonical_hash_cells(hasher->cells, count, &hasher->scratch, hash, error)
               : canonical_hash_record(batch->shape, hasher->cells, count, &hasher->scratch, hash,
                                       error);
}

enum status record_hash_batch(struct record_hasher *hasher, const struct batch *batch,
                              struct canonical_hash *sum, struct error *error)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        struct canonical_hash hash;
        if (record_hash(hasher, batch, row, &hash, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        canonical_sum_add(sum, &hash);
    }
    return STATUS_OK;
}
