/* Records as sorted pairs of name and value. */
#include "engine/formats/record_image.h"

#include <stdlib.h>
#include <string.h>

static enum status hash_image(struct record_image *image, struct arena *arena, struct error *error)
{
    struct buffer scratch = {0};
    struct cell *hashed =
        arena_allocate_zeroed(arena, 2 * (size_t)image->count + 1, sizeof(*hashed));
    uint32_t count = 0;
    for (uint32_t i = 0; i < image->count; i++) {
        const struct cell *pair = &image->pairs[2 * (size_t)i];
        if (pair[1].kind != VALUE_NULL || !image->null_is_missing) {
            memcpy(&hashed[2 * (size_t)count++], pair, 2 * sizeof(*pair));
        }
    }
    enum status status = canonical_hash_cells(hashed, 2 * count, &scratch, &image->hash, error);
    buffer_free(&scratch);
    return status;
}

/* A value that a target can't hold stays as it is: its writer refuses the record. */
static enum status add_pair(struct database *target, const struct stored_form *form, uint32_t field,
                            const struct cell *name, const struct cell *value, struct arena *arena,
                            struct record_image *image, struct error *error)
{
    struct cell normal;
    struct cell *pair = &image->pairs[2 * (size_t)image->count];
    if (value->kind == VALUE_MISSING || name->kind != VALUE_TEXT) {
        return STATUS_OK;
    }
    if (stored_form_normal(form, target, field, value, arena, &normal, error) != STATUS_OK) {
        if (error->class == ERROR_CLASS_STOP) {
            return STATUS_FAILED;
        }
        normal = *value;
    }
    if (value_copy(name, arena, &pair[0]) != STATUS_OK ||
        value_copy(&normal, arena, &pair[1]) != STATUS_OK) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
    }
    image->count++;
    return STATUS_OK;
}

enum status record_image_make(struct database *target, const struct stored_form *forms,
                              const struct batch *batch, uint32_t row, struct arena *arena,
                              struct record_image *image, struct error *error)
{
    static const struct stored_form as_sent = {0};
    const struct cell *cells = batch_row(batch, row);
    bool document = batch->shape == NULL;
    const struct stored_form *form = forms != NULL && !document ? &forms[batch->entity] : &as_sent;
    uint32_t count = document ? cells->length : batch->shape->field_count;
    *image = (struct record_image){
        .null_is_missing = (target->connector->capabilities & CAPABILITY_MISSING) == 0,
        .pairs = arena_allocate_zeroed(arena, 2 * ((size_t)count + 1), sizeof(*image->pairs))};
    for (uint32_t i = 0; i < count; i++) {
        struct cell name =
            document ? cells->items[2 * (size_t)i]
                     : cell_text(batch->shape->fields[i].name, batch->shape->fields[i].name_length);
        const struct cell *value = document ? &cells->items[2 * (size_t)i + 1] : &cells[i];
        if (add_pair(target, form, i, &name, value, arena, image, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    qsort(image->pairs, image->count, 2 * sizeof(*image->pairs), value_compare_texts);
    return hash_image(image, arena, error);
}

static const struct cell *record_image_find(const struct record_image *image,
                                            const struct cell *name)
{
    return image->count == 0 ? NULL
                             : bsearch(name, image->pairs, image->count, 2 * sizeof(*image->pairs),
                                       value_compare_texts);
}

enum status record_image_merge(const struct record_image *under, const struct record_image *over,
                               struct arena *arena, struct record_image *merged,
                               struct error *error)
{
    size_t most = (size_t)under->count + over->count + 1;
    *merged = (struct record_image){
        .null_is_missing = over->null_is_missing,
        .pairs = arena_allocate_zeroed(arena, 2 * most, sizeof(*merged->pairs))};
    memcpy(merged->pairs, over->pairs, 2 * (size_t)over->count * sizeof(*merged->pairs));
    merged->count = over->count;
    for (uint32_t i = 0; i < under->count; i++) {
        const struct cell *pair = &under->pairs[2 * (size_t)i];
        if (record_image_find(over, pair) == NULL) {
            memcpy(&merged->pairs[2 * (size_t)merged->count++], pair, 2 * sizeof(*pair));
        }
    }
    qsort(merged->pairs, merged->count, 2 * sizeof(*merged->pairs), value_compare_texts);
    return hash_image(merged, arena, error);
}

enum status record_image_key(const struct record_image *image, const struct target_table *table,
                             struct arena *arena, struct cell **key, struct canonical_hash *hash,
                             bool *whole, struct error *error)
{
    struct buffer scratch = {0};
    *key = arena_allocate_zeroed(arena, (size_t)table->key.count + 1, sizeof(**key));
    *whole = true;
    for (uint32_t i = 0; i < table->key.count; i++) {
        const struct cell name = cell_text(table->key.names[i], strlen(table->key.names[i]));
        const struct cell *pair = record_image_find(image, &name);
        *whole = *whole && pair != NULL && pair[1].kind != VALUE_NULL;
        (*key)[i] = pair == NULL ? cell_null() : pair[1];
    }
    enum status status = canonical_hash_cells(*key, table->key.count, &scratch, hash, error);
    buffer_free(&scratch);
    return status;
}
