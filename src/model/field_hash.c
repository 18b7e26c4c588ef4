/* Hashes of fields of any kind, and of a record. */
#include "model/field_hash.h"

#include "base/memory.h"
#include "model/decimal.h"

enum { SLICE_BYTES = 65536 };

uint64_t field_hash_seed(const char *name, uint32_t length)
{
    return XXH3_64bits(name, length);
}

/* As field_hash_add of the whole. */
static enum status add_large(struct field_hasher *hasher, uint64_t seed, struct large_value *large,
                             struct error *error)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) {
        memory_exhausted(0);
    }
    buffer_clear(&hasher->scratch);
    buffer_reserve(&hasher->scratch, SLICE_BYTES);
    XXH3_128bits_reset_withSeed(state, field_hash_seed_of_kind(seed, large->kind, 0));
    enum status status = STATUS_OK;
    for (uint64_t offset = 0; offset < large->length && status == STATUS_OK;) {
        uint64_t rest = large->length - offset;
        size_t size = rest < SLICE_BYTES ? (size_t)rest : SLICE_BYTES;
        status = large->read(large, offset, hasher->scratch.data, size, error);
        if (status == STATUS_OK) {
            XXH3_128bits_update(state, hasher->scratch.data, size);
        }
        offset += size;
    }
    if (status == STATUS_OK) {
        const struct canonical_hash hash = field_hash_of_digest(XXH3_128bits_digest(state));
        canonical_sum_add(&hasher->sum, &hash);
    }
    XXH3_freeState(state);
    return status;
}

void field_hash_add_decimal(struct field_hasher *hasher, uint64_t seed, const struct cell *cell)
{
    double value;
    struct cell small;
    if (decimal_is_of_double(cell, &value)) {
        field_hash_add_float(hasher, seed, VALUE_FLOAT64, value);
    } else if (decimal_to_small(cell, &small)) {
        field_hash_add_u64(hasher, seed, VALUE_DECIMAL, small.aux, small.u64);
    } else {
        struct buffer *text = &hasher->scratch;
        buffer_clear(text);
        decimal_append(cell, text);
        field_hash_add(hasher, seed, VALUE_DECIMAL, 0, text->data, text->length);
    }
}

static enum status add_canonical(struct field_hasher *hasher, uint64_t seed,
                                 const struct cell *cell, struct error *error)
{
    struct buffer *bytes = &hasher->scratch;
    buffer_clear(bytes);
    enum status status = canonical_append(cell, bytes, error);
    if (status == STATUS_OK) {
        field_hash_add(hasher, seed, (enum value_kind)cell->kind, 0, bytes->data, bytes->length);
    }
    return status;
}

enum status field_hash_add_cell(struct field_hasher *hasher, uint64_t seed, const struct cell *cell,
                                struct error *error)
{
    enum value_kind kind = (enum value_kind)cell->kind;
    switch (kind) {
    case VALUE_MISSING:
        return STATUS_OK;
    case VALUE_NULL:
        field_hash_add_null(hasher, seed);
        return STATUS_OK;
    case VALUE_INT64:
        field_hash_add_u64(hasher, seed, kind, 0, cell->u64);
        return STATUS_OK;
    case VALUE_UINT64:
        kind = cell->u64 <= INT64_MAX ? VALUE_INT64 : VALUE_UINT64;
        field_hash_add_u64(hasher, seed, kind, 0, cell->u64);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        field_hash_add_float(hasher, seed, kind, cell->f64);
        return STATUS_OK;
    case VALUE_DECIMAL:
        field_hash_add_decimal(hasher, seed, cell);
        return STATUS_OK;
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
        field_hash_add(hasher, seed, kind, 0, cell->bytes, cell->length);
        return STATUS_OK;
    case VALUE_LARGE:
        return add_large(hasher, seed, cell->large, error);
    default:
        return add_canonical(hasher, seed, cell, error);
    }
}
