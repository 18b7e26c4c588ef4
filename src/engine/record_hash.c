/* Normal form, canonical bytes, XXH3: once a record. */
#include "engine/record_hash.h"

#include <stdlib.h>

enum { RESET_BYTES = 64 << 10 };

enum status record_hasher_init(struct record_hasher *hasher, struct database *target,
                               const struct stored_form *forms, struct error *error)
{
    *hasher = (struct record_hasher){.target = target, .forms = forms, .arena = arena_create(0)};
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

/* What the writer will reject stays as it is; its hash goes again. */
static bool is_rejected(enum status status, const struct error *error)
{
    return status != STATUS_OK && error->class != ERROR_CLASS_STOP;
}

static const struct stored_form *form_of(const struct record_hasher *hasher,
                                         const struct batch *batch)
{
    static const struct stored_form as_sent = {0};
    return hasher->forms != NULL && batch->shape != NULL ? &hasher->forms[batch->entity] : &as_sent;
}

static enum status hash_normal_forms(struct record_hasher *hasher, const struct batch *batch,
                                     const struct cell *cells, struct canonical_hash *hash,
                                     struct error *error)
{
    const struct stored_form *form = form_of(hasher, batch);
    uint32_t count = batch_shape_width(batch->shape);
    if (reserve_cells(hasher, count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        enum status status = stored_form_normal(form, hasher->target, i, &cells[i], hasher->arena,
                                                &hasher->cells[i], error);
        if (is_rejected(status, error)) {
            hasher->cells[i] = cells[i];
        } else if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return batch->shape == NULL
               ? canonical_hash_cells(hasher->cells, count, &hasher->scratch, hash, error)
               : canonical_hash_record(batch->shape, hasher->cells, count, &hasher->scratch, hash,
                                       error);
}

static enum status append_field(struct record_hasher *hasher, const struct stored_form *form,
                                uint32_t field, const struct cell *cell, struct error *error)
{
    const struct target_functions *target = hasher->target->connector->target;
    if (!stored_form_converts(form, field)) {
        return target->append_normal(hasher->target, cell, hasher->arena, &hasher->scratch, error);
    }
    struct cell normal;
    return stored_form_normal(form, hasher->target, field, cell, hasher->arena, &normal, error) ==
                   STATUS_OK
               ? canonical_append(&normal, &hasher->scratch, error)
               : STATUS_FAILED;
}

/* The same hash, of bytes that the target appends itself. */
static enum status hash_appended(struct record_hasher *hasher, const struct batch *batch,
                                 const struct cell *cells, struct canonical_hash *hash,
                                 struct error *error)
{
    const struct stored_form *form = form_of(hasher, batch);
    const struct shape *shape = batch->shape;
    struct buffer *bytes = &hasher->scratch;
    enum status status = STATUS_OK;
    buffer_clear(bytes);
    for (uint32_t i = 0; i < shape->field_count && status == STATUS_OK; i++) {
        const struct shape_field *field = &shape->fields[i];
        canonical_append_run(bytes, VALUE_TEXT, field->name, field->name_length);
        size_t start = bytes->length;
        status = append_field(hasher, form, i, &cells[i], error);
        if (is_rejected(status, error)) {
            bytes->length = start;
            status = canonical_append(&cells[i], bytes, error);
        }
    }
    if (status == STATUS_OK && bytes->failed) {
        status = error_set(error, ERROR_MEMORY, NULL, "no memory for hashing");
    }
    if (status == STATUS_OK) {
        *hash = canonical_hash_bytes(bytes->data, bytes->length);
    }
    return status;
}

static bool has_large(const struct cell *cells, uint32_t count)
{
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        found |= cells[i].kind == VALUE_LARGE;
    }
    return found;
}

enum status record_hash(struct record_hasher *hasher, const struct batch *batch, uint32_t row,
                        struct canonical_hash *hash, struct error *error)
{
    const struct cell *cells = batch_row(batch, row);
    const struct shape *shape = batch->shape;
    bool appends = hasher->target->connector->target->append_normal != NULL && shape != NULL &&
                   !has_large(cells, shape->field_count);
    if (arena_bytes(hasher->arena) > RESET_BYTES) {
        arena_reset(hasher->arena);
    }
    return appends ? hash_appended(hasher, batch, cells, hash, error)
                   : hash_normal_forms(hasher, batch, cells, hash, error);
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

uint32_t record_lay_out(const struct cell *record, const struct shape *shape, struct cell *cells)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const struct cell *cell = value_field(record, shape->fields[i].name);
        cells[i] = cell != NULL ? *cell : cell_missing();
        found += cell != NULL;
    }
    return found;
}

enum status record_hash_gone(struct record_hasher *hasher, uint32_t entity,
                             const struct cell *record, const struct shape *shape,
                             struct arena *arena, struct tally *gone, struct error *error)
{
    struct canonical_hash hash;
    gone->rejected++;
    gone->hashed = gone->hashed && shape != NULL;
    if (!gone->hashed) {
        return STATUS_OK;
    }
    struct cell *cells = arena_allocate_zeroed(arena, shape->field_count + 1u, sizeof(*cells));
    if (cells == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for hashing");
    }
    gone->hashed = record_lay_out(record, shape, cells) == shape->field_count;
    const struct batch one = {.entity = entity,
                              .arena = arena,
                              .shape = shape,
                              .cells = cells,
                              .width = batch_shape_width(shape),
                              .row_count = 1};
    if (!gone->hashed) {
        return STATUS_OK;
    }
    enum status status = record_hash(hasher, &one, 0, &hash, error);
    if (status == STATUS_OK) {
        canonical_sum_add(&gone->hash, &hash);
    }
    return status;
}
