/* One record: its fields in a row, or a reject with its reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plan/mapper_internal.h"

/* ---------------------------------------------------------------- rejects */

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "out of memory");
}

static struct mapper_reject *reject_append(struct mapper *mapper)
{
    if (mapper->reject_arena == NULL) {
        mapper->reject_arena = arena_create(0);
    }
    if (mapper->reject_count == mapper->reject_capacity) {
        uint32_t capacity = mapper->reject_capacity == 0 ? 16 : mapper->reject_capacity * 2;
        struct mapper_reject *rejects =
            reallocarray(mapper->rejects, capacity, sizeof *rejects);
        if (rejects == NULL) {
            return NULL;
        }
        mapper->rejects = rejects;
        mapper->reject_capacity = capacity;
    }
    return mapper->reject_arena != NULL ? &mapper->rejects[mapper->reject_count] : NULL;
}

/* A deep copy; what is too large to be held is left out. */
static enum status keep_cell(struct mapper *mapper, const struct cell *from, struct cell *to)
{
    struct error reason = mapper->failure;
    enum status status = mapper_copy_cell(mapper, from, mapper->reject_arena, to);
    if (status != STATUS_OK && mapper->failure.class == ERROR_CLASS_REJECT) {
        *to = cell_missing();
        status = STATUS_OK;
    }
    if (status == STATUS_OK) {
        mapper->failure = reason;
    }
    return status;
}

static enum status keep_record(struct mapper *mapper, const struct mapper_entity *entity,
                               const struct cell *cells, struct cell *record)
{
    uint32_t count = cells != NULL ? entity->mapping->field_count : 0;
    struct cell *pairs = arena_allocate_zeroed(mapper->reject_arena, count * (size_t)2 + 1,
                                               sizeof *pairs);
    uint32_t used = 0;
    if (pairs == NULL) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct mapping_field *field = &entity->mapping->fields[i];
        if (cells[i].kind == VALUE_MISSING) {
            continue;
        }
        pairs[used] = cell_text(field->name, field->name_length);
        if (keep_cell(mapper, &cells[i], &pairs[used + 1]) != STATUS_OK) {
            return STATUS_FAILED;
        }
        used += pairs[used + 1].kind != VALUE_MISSING ? 2 : 0;
    }
    *record = cell_items(VALUE_MAP, pairs, used / 2);
    return STATUS_OK;
}

enum status mapper_reject_add(struct mapper *mapper, struct mapper_entity *entity,
                              const struct cell *cells, const struct cell *key,
                              struct error *error)
{
    struct mapper_reject *reject = reject_append(mapper);
    uint32_t key_count = mapper->mapping->key_count;
    if (mapper->failure.class != ERROR_CLASS_REJECT) {
        error_copy(error, &mapper->failure);
        return STATUS_FAILED;
    }
    struct cell *key_copy =
        reject != NULL
            ? arena_allocate_zeroed(mapper->reject_arena, key_count + (size_t)1, sizeof *key_copy)
            : NULL;
    if (key_copy == NULL) {
        return no_memory(error);
    }
    const struct error *failure = &mapper->failure;
    reject->entity = entity->entity->number;
    reject->code = failure->code;
    reject->reason = failure->object[0] != '\0'
                         ? arena_format(mapper->reject_arena, "field %s: %s", failure->object,
                                        failure->message)
                         : arena_copy_string(mapper->reject_arena, failure->message);
    reject->source_key = key_copy;
    reject->source_key_count = key_count;
    for (uint32_t i = 0; i < key_count; i++) {
        if (keep_cell(mapper, &key[i], &key_copy[i]) != STATUS_OK) {
            return no_memory(error);
        }
    }
    if (reject->reason == NULL ||
        keep_record(mapper, entity, cells, &reject->record) != STATUS_OK) {
        return no_memory(error);
    }
    mapper->reject_count++;
    mapper->counts[entity - mapper->entities].made++;
    mapper->counts[entity - mapper->entities].rejected++;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- conditions */

enum status mapper_record_test(struct mapper *mapper, struct mapper_entity *entity,
                               const struct record_source *source, const struct cell *key,
                               bool *passes, bool *rejected, struct error *error)
{
    const uint32_t conditions[4] = {entity->mapping->parent_where, entity->mapping->parent_when,
                                    entity->mapping->where, entity->mapping->when};
    *passes = true;
    *rejected = false;
    for (int i = 0; i < 4 && *passes; i++) {
        if (conditions[i] == MAPPING_NONE) {
            continue;
        }
        if (mapper_test(mapper, source, conditions[i], passes) != STATUS_OK) {
            *passes = false;
            *rejected = true;
            return mapper_reject_add(mapper, entity, NULL, key, error);
        }
    }
    if (!*passes) {
        mapper->counts[entity - mapper->entities].filtered++;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- fields */

void mapper_count_long_decimals(struct mapper *mapper, const struct mapper_entity *entity,
                                const struct cell *cells)
{
    for (uint32_t i = 0; i < entity->decimal_count; i++) {
        uint32_t field = entity->decimals[i];
        const struct cell *cell = &cells[field];
        if (cell->kind != VALUE_DECIMAL) {
            continue;
        }
        int32_t scale = cell->aux;
        if ((cell->flags & CELL_SMALL) == 0) {
            const char *point = memchr(cell->text, '.', cell->length);
            scale = point != NULL ? (int32_t)(cell->text + cell->length - point - 1) : 0;
        }
        if (scale > entity->mapping->fields[field].type.scale) {
            mapper->counts[entity - mapper->entities].long_decimals++;
        }
    }
}

static void note_failure(struct mapper *mapper, const struct mapping_field *field,
                         struct error *first, bool *failed)
{
    if (!*failed) {
        *first = mapper->failure;
        snprintf(first->object, sizeof first->object, "%.200s", field->name);
        *failed = true;
    }
}

/* Fills the cells. `*failed` with mapper->failure: some could not be made. */
static enum status make_fields(struct mapper *mapper, const struct mapping *mapping,
                               const struct record_source *source, struct cell *cells, bool *failed)
{
    struct error first;
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        struct cell *cell = &cells[i];
        if (field->direct) {
            *cell = source->row[field->value.index];
            if (cell->kind <= VALUE_NULL && field->nulls != NULLS_KEEP) {
                cell->kind = field->nulls == NULLS_OMIT ? VALUE_MISSING : VALUE_NULL;
            }
        } else if (mapper_field_make(mapper, field, source, cell) != STATUS_OK) {
            if (mapper->failure.class != ERROR_CLASS_REJECT) {
                return STATUS_FAILED;
            }
            note_failure(mapper, field, &first, failed);
            *cell = cell_missing();
            continue;
        }
        if (field->is_key && cell->kind <= VALUE_NULL) {
            (void)error_set(&mapper->failure, ERROR_REJECT_KEY_NULL, NULL,
                            "a part of the key is null");
            note_failure(mapper, field, &first, failed);
        }
    }
    if (*failed) {
        mapper->failure = first;
    }
    return STATUS_OK;
}

static bool is_excepted(const struct mapping *mapping, const struct cell *name)
{
    for (uint32_t i = 0; i < mapping->star_except_count; i++) {
        const char *known = mapping->star_except[i];
        if (name->kind == VALUE_TEXT && strlen(known) == name->length &&
            memcmp(known, name->text, name->length) == 0) {
            return true;
        }
    }
    return false;
}

/* All fields of the document but those named, then those made: one MAP. */
static enum status merge_document(struct mapper *mapper, const struct mapping *mapping,
                                  const struct cell *document, const struct cell *made,
                                  struct arena *arena, struct cell *record)
{
    uint32_t known = document->kind == VALUE_MAP ? document->length : 0;
    size_t most = ((size_t)known + mapping->field_count) * 2;
    struct cell *pairs = arena_allocate_zeroed(arena, most + 1, sizeof *pairs);
    uint32_t used = 0;
    if (pairs == NULL) {
        return mapper_out_of_memory(mapper);
    }
    for (uint32_t i = 0; i < known; i++) {
        const struct cell *pair = &document->items[(size_t)i * 2];
        if (!is_excepted(mapping, pair)) {
            pairs[used++] = pair[0];
            pairs[used++] = pair[1];
        }
    }
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        if (made[i].kind != VALUE_MISSING) {
            pairs[used++] = cell_text(mapping->fields[i].name, mapping->fields[i].name_length);
            pairs[used++] = made[i];
        }
    }
    *record = cell_items(VALUE_MAP, pairs, used / 2);
    return STATUS_OK;
}

static uint64_t bytes_of(const struct cell *cells, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += sizeof *cells + mapper_cell_bytes(&cells[i]);
    }
    return bytes;
}

/* The record's own cells: in the batch's row, or beside it while a document is merged. */
static enum status make_cells(struct mapper *mapper, const struct mapper_entity *entity,
                              const struct record_source *source, struct cell *row, bool *failed)
{
    const struct mapping *mapping = entity->mapping;
    if (!mapping->document_star) {
        return make_fields(mapper, mapping, source, row, failed);
    }
    struct cell *made =
        arena_allocate_zeroed(source->arena, mapping->field_count + (size_t)1, sizeof *made);
    if (made == NULL) {
        return mapper_out_of_memory(mapper);
    }
    enum status status = make_fields(mapper, mapping, source, made, failed);
    if (status != STATUS_OK) {
        return status;
    }
    return merge_document(mapper, mapping, source->document, made, source->arena, row);
}

enum status mapper_record_make(struct mapper *mapper, struct mapper_entity *entity,
                               const struct record_source *source, const struct cell *key,
                               bool check_bytes, struct error *error)
{
    struct batch *batch = entity->batch;
    uint32_t own = entity->width - mapper->mapping->key_count;
    bool failed = false;
    struct cell *row = batch_append(batch);
    if (row == NULL) {
        return no_memory(error);
    }
    if (make_cells(mapper, entity, source, row, &failed) != STATUS_OK) {
        batch_drop_last(batch);
        error_copy(error, &mapper->failure);
        return STATUS_FAILED;
    }
    if (check_bytes && !failed) {
        uint64_t bytes = bytes_of(row, own);
        mapper->complete_bytes += bytes;
        if (bytes > mapper->record_bytes_max) {
            failed = true;
            (void)error_set(&mapper->failure, ERROR_REJECT_TOO_LARGE, NULL,
                            "the record has more than %llu bytes",
                            (unsigned long long)mapper->record_bytes_max);
        }
    }
    if (failed) {
        batch_drop_last(batch);
        return mapper_reject_add(mapper, entity, entity->mapping->document_star ? NULL : row, key,
                                 error);
    }
    if (mapper->mapping->key_count > 0) {
        memcpy(row + own, key, mapper->mapping->key_count * sizeof *key);
    }
    if (entity->decimal_count > 0) {
        mapper_count_long_decimals(mapper, entity, row);
    }
    mapper->counts[entity - mapper->entities].made++;
    return STATUS_OK;
}
