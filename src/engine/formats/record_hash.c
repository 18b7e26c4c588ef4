/* Normal forms and their hashes, once a record. */
#include "engine/formats/record_hash.h"

#include "base/memory.h"
#include <stdlib.h>

enum { RESET_BYTES = 64 << 10 };

void record_hasher_init(struct record_hasher *hasher, struct database *target,
                        const struct stored_form *forms)
{
    *hasher = (struct record_hasher){
        .target = target, .forms = forms, .fields = {.arena = arena_create(0)}};
}

void record_hasher_free(struct record_hasher *hasher)
{
    arena_destroy(hasher->fields.arena);
    buffer_free(&hasher->fields.scratch);
    free(hasher->seeds);
    *hasher = (struct record_hasher){0};
}

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

/* Anew for each batch: shapes come and go. */
static void begin_batch(struct record_hasher *hasher, const struct batch *batch)
{
    const struct shape *shape = batch->shape;
    uint32_t count = shape == NULL ? 0 : shape->field_count;
    if (count > hasher->seed_capacity) {
        hasher->seeds = memory_resize(hasher->seeds, count, sizeof(*hasher->seeds));
        hasher->seed_capacity = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        hasher->seeds[i] = field_hash_seed(shape->fields[i].name, shape->fields[i].name_length);
    }
}

/* The fields from `first` on that no column converts, up to the next one that a column does. */
static uint32_t count_as_sent(const struct stored_form *form, uint32_t first, uint32_t count)
{
    uint32_t end = form->classes == NULL ? count : first;
    while (end < count && !stored_form_converts(form, end)) {
        end++;
    }
    return end - first;
}

/* A value that the writer will reject stays as it is; its hash goes again. */
static enum status make_normal(struct record_hasher *hasher, const struct stored_form *form,
                               uint32_t field, const struct cell *cell, struct cell *normal,
                               struct error *error)
{
    enum status status =
        stored_form_normal(form, hasher->target, field, cell, hasher->fields.arena, normal, error);
    if (!is_rejected(status, error)) {
        return status;
    }
    *normal = *cell;
    return STATUS_OK;
}

static enum status add_field(struct record_hasher *hasher, const struct stored_form *form,
                             uint32_t field, const struct cell *cell, struct error *error)
{
    struct cell normal;
    return make_normal(hasher, form, field, cell, &normal, error) == STATUS_OK
               ? field_hash_add_cell(&hasher->fields, hasher->seeds[field], &normal, error)
               : STATUS_FAILED;
}

/* The target adds what it can by itself; field by field goes the rest. */
static enum status add_fields(struct record_hasher *hasher, const struct batch *batch,
                              const struct cell *cells, struct error *error)
{
    const struct target_functions *target = hasher->target->connector->target;
    const struct stored_form *form = form_of(hasher, batch);
    uint32_t width = batch->shape->field_count;
    for (uint32_t i = 0; i < width;) {
        uint32_t count = target->hash_normal == NULL ? 0 : count_as_sent(form, i, width);
        uint32_t hashed = 0;
        if (count > 0) {
            enum status status = target->hash_normal(hasher->target, &hasher->seeds[i], &cells[i],
                                                     count, &hasher->fields, &hashed, error);
            if (status != STATUS_OK && !is_rejected(status, error)) {
                return STATUS_FAILED;
            }
            i += hashed;
        }
        if (hashed < count || count == 0) { /* one that the target left, or was not asked for */
            if (add_field(hasher, form, i, &cells[i], error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            i++;
        }
    }
    return STATUS_OK;
}

/* Has it fields, whose names are texts? */
static bool has_fields(const struct cell *cell)
{
    bool has = cell->kind == VALUE_MAP;
    for (uint32_t at = 0; has && at < cell->length; at++) {
        has = cell->items[2 * (size_t)at].kind == VALUE_TEXT;
    }
    return has;
}

/* Not every target keeps the order of a document's fields, nor those that are null. */
static enum status hash_fields(struct record_hasher *hasher, const struct stored_form *form,
                               const struct cell *document, struct canonical_hash *hash,
                               struct error *error)
{
    bool nulls = (hasher->target->capabilities & CAPABILITY_MISSING) != 0;
    hasher->fields.sum = (struct canonical_hash){0};
    for (uint32_t at = 0; at < document->length; at++) {
        const struct cell *name = &document->items[2 * (size_t)at];
        struct cell normal;
        if (make_normal(hasher, form, at, name + 1, &normal, error) != STATUS_OK ||
            ((nulls || normal.kind != VALUE_NULL) &&
             field_hash_add_cell(&hasher->fields, field_hash_seed(name->text, name->length),
                                 &normal, error) != STATUS_OK)) {
            return STATUS_FAILED;
        }
    }
    *hash = field_hash_take(&hasher->fields);
    return STATUS_OK;
}

/* A record of no shape is hashed by its fields; one that is no document is one value. */
static enum status hash_document(struct record_hasher *hasher, const struct batch *batch,
                                 const struct cell *cell, struct canonical_hash *hash,
                                 struct error *error)
{
    struct cell normal;
    const struct stored_form *form = form_of(hasher, batch);
    if (has_fields(cell)) {
        return hash_fields(hasher, form, cell, hash, error);
    }
    return make_normal(hasher, form, 0, cell, &normal, error) == STATUS_OK
               ? canonical_hash_cells(&normal, 1, &hasher->fields.scratch, hash, error)
               : STATUS_FAILED;
}

static enum status hash_row(struct record_hasher *hasher, const struct batch *batch, uint32_t row,
                            struct canonical_hash *hash, struct error *error)
{
    const struct cell *cells = batch_row(batch, row);
    if (arena_bytes(hasher->fields.arena) > RESET_BYTES) {
        arena_reset(hasher->fields.arena);
    }
    if (batch->shape == NULL) {
        return hash_document(hasher, batch, cells, hash, error);
    }
    hasher->fields.sum = (struct canonical_hash){0};
    if (add_fields(hasher, batch, cells, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *hash = field_hash_take(&hasher->fields);
    return STATUS_OK;
}

enum status record_hash(struct record_hasher *hasher, const struct batch *batch, uint32_t row,
                        struct canonical_hash *hash, struct error *error)
{
    begin_batch(hasher, batch);
    return hash_row(hasher, batch, row, hash, error);
}

enum status record_hash_batch(struct record_hasher *hasher, const struct batch *batch,
                              struct canonical_hash *sum, struct error *error)
{
    begin_batch(hasher, batch);
    enum status status = STATUS_OK;
    for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
        struct canonical_hash hash;
        status = hash_row(hasher, batch, row, &hash, error);
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
