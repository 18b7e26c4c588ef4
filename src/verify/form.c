/* The hot path of comparing: normal form, canonical bytes and hashes of one record at a time. */
#include "verify/form.h"
#include "connectors/contract/defaults.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL /* most of what is hashed is short: the calls would cost as much as the \
                          work */
#include <xxhash.h>

enum { RESET_BYTES = 64 << 10, SLICE_BYTES = 64 << 10 };

void former_init(struct former *former, struct database *target)
{
    *former = (struct former){
        .target = target,
        .null_is_missing = (target->capabilities & CAPABILITY_MISSING) == 0,
        .arena = arena_create(0),
    };
}

void former_free(struct former *former)
{
    arena_destroy(former->arena);
    buffer_free(&former->bytes);
    buffer_free(&former->key_bytes);
    free(former->fields);
    *former = (struct former){0};
}

static void reserve(struct former *former, uint32_t count)
{
    if (count > former->capacity) {
        former->fields = memory_resize(former->fields, count, sizeof(*former->fields));
        former->capacity = count;
    }
}

/* ---------------------------------------------------------------- one value */

/* A value that the target refuses stays as it is: its writer rejected the record. */
static enum status normal(struct former *former, const struct form_field *field,
                          const struct cell *cell, struct cell *out, struct error *error)
{
    struct database *target = former->target;
    const struct target_functions *functions = target->connector->target;
    const struct column_functions *columns = connector_columns(target->connector);
    enum status status =
        field != NULL && field->in_column
            ? columns->normal_form(target, field->column_class, cell, former->arena, out, error)
            : functions->normal_form(target, cell, former->arena, out, error);
    if (status != STATUS_OK && error->class != ERROR_CLASS_STOP) {
        *out = *cell;
        status = STATUS_OK;
    }
    return status;
}

static enum status hash_slices(struct large_value *large, XXH128_hash_t *digest,
                               struct error *error)
{
    XXH3_state_t *state = XXH3_createState();
    uint8_t *slice = memory_allocate(SLICE_BYTES);
    enum status status = STATUS_OK;
    if (state == NULL) {
        memory_exhausted(0);
    }
    XXH3_128bits_reset(state);
    for (uint64_t offset = 0; status == STATUS_OK && offset < large->length;) {
        uint64_t rest = large->length - offset;
        size_t size = rest < SLICE_BYTES ? (size_t)rest : SLICE_BYTES;
        status = large->read(large, offset, slice, size, error);
        if (status == STATUS_OK) {
            XXH3_128bits_update(state, slice, size);
        }
        offset += size;
    }
    if (status == STATUS_OK) {
        *digest = XXH3_128bits_digest(state);
    }
    free(slice);
    XXH3_freeState(state);
    return status;
}

/* The same bytes whether one side handed it over whole and the other in slices. */
static enum status append_long(struct former *former, const struct cell *cell, struct error *error)
{
    XXH128_hash_t digest;
    enum value_kind kind = (enum value_kind)cell->kind;
    uint64_t length = cell->length;
    if (kind == VALUE_LARGE) {
        kind = cell->large->kind;
        length = cell->large->length;
        if (hash_slices(cell->large, &digest, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } else {
        digest = XXH3_128bits(cell->bytes, cell->length);
    }
    const uint64_t parts[3] = {length, digest.low64, digest.high64};
    buffer_append_byte(&former->bytes, (char)VALUE_LARGE);
    buffer_append_byte(&former->bytes, (char)kind);
    buffer_append(&former->bytes, parts, sizeof(parts));
    return STATUS_OK;
}

static enum status append_value(struct former *former, const struct cell *cell, struct error *error)
{
    bool is_run = cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES;
    if ((is_run && cell->length > FORM_VALUE_BYTES_MAX) ||
        (cell->kind == VALUE_LARGE && cell->large->length > FORM_VALUE_BYTES_MAX)) {
        return append_long(former, cell, error);
    }
    return canonical_append(cell, &former->bytes, error);
}

/* ---------------------------------------------------------------- records */

static bool is_left_out(const struct former *former, const struct cell *cell)
{
    return cell->kind == VALUE_MISSING || (cell->kind == VALUE_NULL && former->null_is_missing);
}

static bool is_of_key(const struct record_form *form, const struct form_field *field)
{
    for (uint32_t i = 0; i < form->key.count; i++) {
        if (strcmp(form->key.names[i], field->name) == 0) {
            return true;
        }
    }
    return false;
}

static enum status take_fields(struct former *former, const struct record_form *form,
                               const struct cell *cells, bool key_only, struct error *error)
{
    for (uint32_t i = 0; i < form->field_count; i++) {
        const struct form_field *from = &form->fields[i];
        const struct cell *raw = &cells[from->cell];
        struct former_field *to = &former->fields[former->count];
        if (is_left_out(former, raw) || (key_only && !is_of_key(form, from))) {
            continue;
        }
        if (normal(former, from, raw, &to->value, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (is_left_out(former, &to->value)) {
            continue;
        }
        to->name = from->name;
        to->name_length = from->name_length;
        to->column = from->column;
        to->raw = raw;
        buffer_append(&former->bytes, from->run, from->run_length);
        to->begin = former->bytes.length;
        if (append_value(former, &to->value, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        to->end = former->bytes.length;
        former->count++;
    }
    return STATUS_OK;
}

static int compare_fields(const void *left, const void *right)
{
    const struct former_field *a = left;
    const struct former_field *b = right;
    return text_compare(a->name, a->name_length, b->name, b->name_length);
}

/* Both lists are by name. */
static void find_columns(struct former *former, const struct column_list *columns)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < former->count; i++) {
        struct former_field *field = &former->fields[i];
        int order = 1;
        while (at < columns->count &&
               (order = text_compare(columns->names[at], strlen(columns->names[at]), field->name,
                                     field->name_length)) < 0) {
            at++;
        }
        field->column = at < columns->count && order == 0 ? at : UINT32_MAX;
    }
}

/* A document: all of its fields, whatever they are. */
static enum status take_document(struct former *former, const struct record_form *form,
                                 const struct cell *map, struct error *error)
{
    for (uint32_t i = 0; i < map->length; i++) {
        const struct cell *pair = &map->items[2 * (size_t)i];
        struct former_field *to = &former->fields[former->count];
        if (pair[0].kind != VALUE_TEXT || is_left_out(former, &pair[1])) {
            continue;
        }
        if (normal(former, NULL, &pair[1], &to->value, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (is_left_out(former, &to->value)) {
            continue;
        }
        to->name = pair[0].text;
        to->name_length = pair[0].length;
        to->raw = &pair[1];
        to->column = UINT32_MAX;
        former->count++;
    }
    qsort(former->fields, former->count, sizeof(*former->fields), compare_fields);
    if (form->columns != NULL) {
        find_columns(former, form->columns);
    }
    for (uint32_t i = 0; i < former->count; i++) {
        struct former_field *field = &former->fields[i];
        struct cell name = cell_text(field->name, field->name_length);
        if (canonical_append(&name, &former->bytes, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        field->begin = former->bytes.length;
        if (append_value(former, &field->value, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        field->end = former->bytes.length;
    }
    return STATUS_OK;
}

const struct former_field *former_find(const struct former *former, const char *name, size_t length)
{
    uint32_t low = 0;
    uint32_t high = former->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct former_field *field = &former->fields[middle];
        int order = text_compare(field->name, field->name_length, name, length);
        if (order == 0) {
            return field;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* A record without all of its key is told by all of its fields: no target took it. */
static void take_key(struct former *former, const struct record_form *form)
{
    former->has_key = form->key.count > 0;
    buffer_clear(&former->key_bytes);
    for (uint32_t i = 0; i < form->key.count && former->has_key; i++) {
        const char *name = form->key.names[i];
        const struct former_field *field = former_find(former, name, strlen(name));
        if (field == NULL) {
            former->has_key = false;
        } else if (form->key.count == 1) {
            former->key =
                canonical_hash_bytes(former->bytes.data + field->begin, field->end - field->begin);
        } else {
            buffer_append(&former->key_bytes, former->bytes.data + field->begin,
                          field->end - field->begin);
        }
    }
    if (former->has_key && form->key.count > 1) {
        former->key = canonical_hash_bytes(former->key_bytes.data, former->key_bytes.length);
    }
    if (!former->has_key) {
        former->key = former->hash;
    }
}

static enum status form_take(struct former *former, const struct record_form *form,
                             const struct cell *cells, bool key_only, struct error *error)
{
    uint32_t fields = form->fields == NULL ? cells->length : form->field_count;
    if (arena_bytes(former->arena) > RESET_BYTES) {
        arena_reset(former->arena);
    }
    buffer_clear(&former->bytes);
    former->count = 0;
    if (form->fields == NULL && cells->kind != VALUE_MAP) {
        return error_set(error, ERROR_INTERNAL, NULL, "a document is no map");
    }
    reserve(former, fields + 1);
    enum status status = form->fields == NULL ? take_document(former, form, cells, error)
                                              : take_fields(former, form, cells, key_only, error);
    if (status == STATUS_OK) {
        former->hash = canonical_hash_bytes(former->bytes.data, former->bytes.length);
        take_key(former, form);
    }
    return status;
}

enum status former_take(struct former *former, const struct record_form *form,
                        const struct cell *cells, struct error *error)
{
    return form_take(former, form, cells, false, error);
}

enum status former_take_key(struct former *former, const struct record_form *form,
                            const struct cell *cells, struct error *error)
{
    return form_take(former, form, cells, true, error);
}
