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
    free(hasher->names);
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

/* Anew for each batch: shapes come and go. */
static enum status make_names(struct record_hasher *hasher, const struct shape *shape,
                              struct error *error)
{
    if (shape->field_count > hasher->name_capacity) {
        struct canonical_name *names =
            reallocarray(hasher->names, shape->field_count, sizeof(*names));
        if (names == NULL) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory for hashing");
        }
        hasher->names = names;
        hasher->name_capacity = shape->field_count;
    }
    for (uint32_t i = 0; i < shape->field_count; i++) {
        canonical_name_make(shape->fields[i].name, shape->fields[i].name_length, &hasher->names[i]);
    }
    return STATUS_OK;
}

static enum status append_as_sent(const struct canonical_name *name, const struct cell *cell,
                                  struct buffer *bytes, struct error *error)
{
    canonical_append_name(bytes, name);
    return canonical_append(cell, bytes, error);
}

/* Those fields from `first` on that no column converts, up to the next one that a column does. */
static uint32_t count_as_sent(const struct stored_form *form, uint32_t first, uint32_t count)
{
    uint32_t end = form->classes == NULL ? count : first;
    while (end < count && !stored_form_converts(form, end)) {
        end++;
    }
    return end - first;
}

/* The same hash, of bytes that the target appends itself. */
static enum status hash_appended(struct record_hasher *hasher, const struct batch *batch,
                                 const struct cell *cells, struct canonical_hash *hash,
                                 struct error *error)
{
    const struct target_functions *target = hasher->target->connector->target;
    const struct stored_form *form = form_of(hasher, batch);
    const struct shape *shape = batch->shape;
    struct buffer *bytes = &hasher->scratch;
    buffer_clear(bytes);
    for (uint32_t i = 0; i < shape->field_count;) {
        uint32_t count = count_as_sent(form, i, shape->field_count);
        uint32_t appended = 0;
        struct cell normal;
        enum status status =
            count > 0 ? target->append_normal(hasher->target, &hasher->names[i], &cells[i], count,
                                              hasher->arena, bytes, &appended, error)
                      : stored_form_normal(form, hasher->target, i, &cells[i], hasher->arena,
                                           &normal, error);
        i += appended;
        if (status == STATUS_OK && count > 0) {
            continue;
        }
        if (status != STATUS_OK && !is_rejected(status, error)) {
            return STATUS_FAILED;
        }
        if (append_as_sent(&hasher->names[i], status == STATUS_OK ? &normal : &cells[i], bytes,
                           error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        i++;
    }
    if (bytes->failed) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for hashing");
    }
    *hash = canonical_hash_bytes(bytes->data, bytes->length);
    return STATUS_OK;
}

static bool has_large(const struct cell *cells, uint32_t count)
{
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        found |= cells[i].kind == VALUE_LARGE;
    }
    return found;
}

/* Does the target append the values of the batch, but for large ones? Then names are made. */
static enum status begin_batch(struct record_hasher *hasher, const struct batch *batch,
                               bool *appends, struct error *error)
{
    *appends = hasher->target->connector->target->append_normal != NULL && batch->shape != NULL;
    return *appends ? make_names(hasher, batch->shape, error) : STATUS_OK;
}

static enum status hash_row(struct record_hasher *hasher, const struct batch *batch, uint32_t row,
                            bool appends, struct canonical_hash *hash, struct error *error)
{
    const struct cell *cells = batch_row(batch, row);
    if (arena_bytes(hasher->arena) > RESET_BYTES) {
        arena_reset(hasher->arena);
    }
    return appends && !has_large(cells, batch->shape->field_count)
               ? hash_appended(hasher, batch, cells, hash, error)
               : hash_normal_forms(hasher, batch, cells, hash, error);
}

enum status record_hash(struct record_hasher *hasher, const struct batch *batch, uint32_t row,
                        struct canonical_hash *hash, struct error *error)
{
    bool appends;
    return begin_batch(hasher, batch, &appends, error) == STATUS_OK
               ? hash_row(hasher, batch, row, appends, hash, error)
               : STATUS_FAILED;
}

enum status record_hash_batch(struct record_hasher *hasher, const struct batch *batch,
                              struct canonical_hash *sum, struct error *error)
{
    bool appends;
    enum status status = begin_batch(hasher, batch, &appends, error);
    for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
        struct canonical_hash hash;
        status = hash_row(hasher, batch, row, appends, &hash, error);
        if (status == STATUS_OK) {
            canonical_sum_add(sum, &hash);
        }
    }
    return status;
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
