/* From references to values: columns, templates, aggregates, expressions, casts and defaults. */
#include "base/memory.h"
#include "model/convert.h"
#include "plan/map/mapper_internal.h"
#include <stdio.h>
#include <string.h>

/* Memory for values, which may be large, can run out. */
static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
}

enum status mapper_reference(struct making *making, struct value_reference reference,
                             struct cell *cell, struct error *error)
{
    const struct stream_mapping *shared = making->mapper->shared;
    switch (reference.origin) {
    case ORIGIN_COLUMN:
        *cell = making->row[reference.index];
        return STATUS_OK;
    case ORIGIN_TEMPLATE:
        return mapper_template(making, &shared->templates[reference.index], cell, error);
    case ORIGIN_AGGREGATE:
        return mapper_aggregate_result(making->mapper, reference.index, cell, error);
    case ORIGIN_PAGE:
        *cell = cell_int64(making->page);
        return STATUS_OK;
    case ORIGIN_LIST:
        *cell = making->list ? *making->list : cell_missing();
        return STATUS_OK;
    case ORIGIN_PART:
        return mapper_part(making, &shared->parts[reference.index], cell, error);
    case ORIGIN_PARENT:
        *cell = making->parent[reference.index];
        return STATUS_OK;
    case ORIGIN_LEVEL: {
        const struct cell *value = mapper_level(making, reference.index);
        *cell = value ? *value : cell_missing();
        return STATUS_OK;
    }
    case ORIGIN_ORDINAL:
        *cell = cell_int64(making->ordinal);
        return STATUS_OK;
    case ORIGIN_ELEMENT:
        *cell = making->element ? *making->element : cell_missing();
        return STATUS_OK;
    }
    return error_set(error, ERROR_INTERNAL, NULL, "a value comes from nowhere");
}

/* ---- templates */

/* Zeroes between sign and digits, so that texts sort as their numbers. */
static void pad_digits(struct buffer *text, size_t start, uint32_t wanted)
{
    bool negative = start < text->length && text->data[start] == '-';
    size_t digits = start + negative;
    size_t length = text->length - digits;
    if (length >= wanted) {
        return;
    }
    buffer_reserve(text, wanted - length);
    size_t zeros = wanted - length;
    memmove(text->data + digits + zeros, text->data + digits, length);
    memset(text->data + digits, '0', zeros);
    text->length += zeros;
}

static enum status append_part(struct making *making, const struct template_part *part,
                               struct buffer *text, bool *present, struct error *error)
{
    struct cell value;
    buffer_append(text, part->literal, part->literal_length);
    if (!part->has_value) {
        return STATUS_OK;
    }
    enum status status = mapper_reference(making, part->value, &value, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (value.kind == VALUE_NULL || value.kind == VALUE_MISSING) {
        *present = false;
        return STATUS_OK;
    }
    if (value.kind == VALUE_TEXT) {
        if (value.length > MEMORY_DATA_BYTES && !buffer_try_reserve(text, value.length)) {
            return no_memory(error);
        }
        buffer_append(text, value.text, value.length);
        return STATUS_OK;
    }
    size_t start = text->length;
    status = convert_append_text(&value, false, text, error);
    if (status == STATUS_OK && part->pad > 0 && value_kind_is_number((enum value_kind)value.kind)) {
        pad_digits(text, start, part->pad);
    }
    return status;
}

enum status mapper_template(struct making *making, const struct plan_template *template,
                            struct cell *cell, struct error *error)
{
    /* Look-up templates stand inside others: what was begun before this one stays in front. */
    struct buffer *text = &making->mapper->text;
    size_t start = text->length;
    bool present = true;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < template->count && status == STATUS_OK && present; i++) {
        status = append_part(making, &template->parts[i], text, &present, error);
    }
    *cell = cell_null();
    if (status == STATUS_OK && present) {
        char *copy = arena_try_copy(making->arena, text->data + start, text->length - start);
        if (!copy) {
            status = no_memory(error);
        } else {
            *cell = cell_text(copy, text->length - start);
        }
    }
    text->length = start;
    return status;
}

/* ---- expressions */

static enum status mapper_value_prepare(struct mapper *mapper, uint32_t number, struct error *error)
{
    if (mapper->statements[number]) {
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    if (!mapper->sandbox) {
        status = expression_sandbox_create(&mapper->sandbox, error);
    }
    return status == STATUS_OK
               ? expression_prepare(mapper->sandbox, &mapper->shared->expressions[number],
                                    &mapper->statements[number], error)
               : status;
}

/* Statements are not entered twice: values of an expression are never expressions. */
static enum status gather(struct making *making, const struct plan_expression *expression,
                          struct error *error)
{
    for (uint32_t i = 0; i < expression->count; i++) {
        enum status status = mapper_reference(making, expression->values[i],
                                              &making->mapper->expression_values[i], error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

enum status mapper_test(struct making *making, uint32_t number, bool *result, struct error *error)
{
    *result = true;
    if (number == MAPPING_NONE) {
        return STATUS_OK;
    }
    struct mapper *mapper = making->mapper;
    const struct plan_expression *expression = &mapper->shared->expressions[number];
    enum status status = gather(making, expression, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (expression->simple != EXPRESSION_GENERAL &&
        mapper->expression_values[0].kind == VALUE_INT64) {
        *result = expression_compare(expression->simple, mapper->expression_values[0].i64,
                                     expression->literal);
        return STATUS_OK;
    }
    status = mapper_value_prepare(mapper, number, error);
    return status == STATUS_OK ? expression_test(mapper->statements[number],
                                                 mapper->expression_values, result, error)
                               : status;
}

static enum status evaluate(struct making *making, uint32_t number, struct cell *cell,
                            struct error *error)
{
    struct mapper *mapper = making->mapper;
    enum status status = gather(making, &mapper->shared->expressions[number], error);
    status = status == STATUS_OK ? mapper_value_prepare(mapper, number, error) : status;
    return status == STATUS_OK
               ? expression_evaluate(mapper->statements[number], mapper->expression_values,
                                     making->arena, cell, error)
               : status;
}

/* ---- what stays */

void mapper_omit(struct making *making, const char *field, const char *why, struct cell *cell)
{
    char text[1024];
    snprintf(text, sizeof text, "%s%s%s", field, *field != 0 ? ": " : "", why);
    const char *copy = arena_copy_string(making->arena, text);
    *cell = cell_text(copy, strlen(copy));
    cell->kind = VALUE_ESCAPE;
    cell->flags = 0;
    cell->aux = ESCAPE_OMITTED;
}

void mapper_omit_value(struct making *making, const char *field, const char *why,
                       const struct cell *value, struct cell *cell)
{
    struct error ignored;
    struct cell *pair = arena_allocate_zeroed(making->arena, 2, sizeof *pair);
    mapper_omit(making, field, why, cell);
    if (value->kind != VALUE_MISSING &&
        mapper_keep(making, value, &pair[1], &ignored) == STATUS_OK) {
        pair[0] = *cell;
        *cell = cell_items(VALUE_LIST, pair, 2);
        cell->aux = ESCAPE_OMITTED;
    }
}

enum status mapper_keep(struct making *making, const struct cell *from, struct cell *to,
                        struct error *error)
{
    *to = *from;
    switch (from->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        making->bytes += 16;
        return STATUS_OK;
    case VALUE_TEXT:
    case VALUE_BYTES:
        making->bytes += 16 + (uint64_t)from->length;
        if (!making->borrow) {
            to->text = arena_try_copy(making->arena, from->text, from->length);
            return to->text ? STATUS_OK : no_memory(error);
        }
        return STATUS_OK;
    case VALUE_LARGE:
        making->bytes += 16 + (making->borrow ? 0 : from->large->length);
        return making->borrow ? STATUS_OK
                              : convert_read_large(from, making->mapper->record_bytes_max,
                                                   making->arena, to, error);
    default:
        making->bytes += 16 + value_bytes(from);
        if (making->borrow || value_copy(from, making->arena, to) == STATUS_OK) {
            return STATUS_OK;
        }
        return no_memory(error);
    }
}

static enum status as_json(struct making *making, const struct cell *list, struct cell *cell,
                           struct error *error)
{
    struct buffer *bytes = &making->mapper->bytes;
    buffer_clear(bytes);
    enum status status = convert_append_json(list, bytes, error);
    if (status != STATUS_OK) {
        return status;
    }
    char *copy = arena_try_copy(making->arena, bytes->data, bytes->length);
    if (!copy) {
        return no_memory(error);
    }
    *cell = cell_text(copy, bytes->length);
    cell->kind = VALUE_JSON;
    return STATUS_OK;
}

static enum status list_value(struct making *making, struct list_state *list, struct cell *cell,
                              struct error *error)
{
    switch (list->phase) {
    case LIST_LEFT_OUT:
        *cell = cell_missing();
        return STATUS_OK;
    case LIST_TOO_LARGE:
        return error_set(error, ERROR_REJECT_TOO_LARGE, list->list->text,
                         "the list %s grows beyond %llu bytes%s", list->list->text,
                         (unsigned long long)making->mapper->record_bytes_max,
                         list->inner_count > 0 ? " with the lists in its items"
                                               : "; cut it with pages:");
    default:
        break;
    }
    if (list->inner_count > 0 && list->count > 0 &&
        mapper_nested_fill(making, list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cell *items =
        arena_try_allocate(making->arena, ((size_t)list->count + 1) * sizeof *items);
    if (!items) {
        return no_memory(error);
    }
    if (list->count > 0) {
        memcpy(items, list->items, list->count * sizeof *items);
    }
    *cell = cell_items(VALUE_LIST, items, list->count);
    if (!making->mapper->shared->target_nested) {
        enum status status = as_json(making, cell, cell, error);
        if (status != STATUS_OK) {
            *cell = cell_missing();
            error_copy(error, list->failed ? &list->fault : error);
            return status;
        }
    }
    if (list->failed) {
        return error_copy(error, &list->fault);
    }
    return STATUS_OK;
}

/* The value before nulls, default and cast. */
static enum status raw_value(struct making *making, const struct mapping_field *field,
                             struct list_state *list, struct cell *cell, struct error *error)
{
    switch (field->kind) {
    case FIELD_VALUE: {
        enum status status = mapper_reference(making, field->value, cell, error);
        bool nested =
            cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP;
        if (status == STATUS_OK && nested && !making->mapper->shared->target_nested) {
            struct cell value = *cell;
            status = as_json(making, &value, cell, error);
        }
        return status;
    }
    case FIELD_CONST:
        *cell = field->constant;
        return STATUS_OK;
    case FIELD_TEMPLATE:
        return mapper_template(making, &field->template, cell, error);
    case FIELD_SQL:
        return evaluate(making, field->expression, cell, error);
    case FIELD_EMBED:
        return list_value(making, list, cell, error);
    }
    return error_set(error, ERROR_INTERNAL, field->name, "a field of no kind");
}

static void apply_nulls(const struct mapping_field *field, struct cell *cell)
{
    bool empty = cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
    if (empty && field->has_default) {
        *cell = field->default_value;
        return;
    }
    if (cell->kind == VALUE_NULL && (field->nulls == NULLS_OMIT || (field->kind == FIELD_TEMPLATE &&
                                                                    field->nulls != NULLS_FILL))) {
        cell->kind = VALUE_MISSING;
    } else if (cell->kind == VALUE_MISSING && field->nulls == NULLS_FILL) {
        cell->kind = VALUE_NULL;
    }
}

static bool is_null_by_plan(const struct mapping_field *field, const struct cell *cell)
{
    bool day = cell->kind == VALUE_DATE || cell->kind == VALUE_TIMESTAMP;
    bool zero = day && (cell->flags & CELL_SPECIAL) != 0 && cell->i64 == CELL_ZERO_DATE;
    bool empty = cell->kind == VALUE_TEXT && cell->length == 0;
    return (field->zero_is_null && zero) || (field->empty_is_null && empty);
}

/* The new key of the record, or of the one that is referred to. */
static enum status move_key(const struct mapping_field *field, struct cell *cell,
                            struct error *error)
{
    int64_t number = cell->i64;
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        return STATUS_OK;
    }
    if (cell->kind != VALUE_INT64 && (cell->kind != VALUE_UINT64 || cell->u64 > INT64_MAX)) {
        return error_set(error, ERROR_REJECT_TYPE, field->name,
                         "%s: it is no whole number, as the keys of the renumbered %s are",
                         field->name, field->renumber->table);
    }
    if (__builtin_add_overflow(number, field->renumber->by, &number)) {
        return error_set(error, ERROR_REJECT_NUMBER, field->name,
                         "%s: there is no new number for it", field->name);
    }
    *cell = cell_int64(number);
    return STATUS_OK;
}

enum status mapper_field(struct making *making, const struct mapping_field *field,
                         struct list_state *list, struct cell *cell, struct error *error)
{
    bool there = true;
    enum status status = STATUS_OK;
    *cell = cell_missing();
    if (field->when != MAPPING_NONE && field->kind != FIELD_EMBED) {
        status = mapper_test(making, field->when, &there, error);
    }
    if (status == STATUS_OK && there) {
        status = raw_value(making, field, list, cell, error);
    }
    if (status != STATUS_OK) {
        if (field->kind != FIELD_EMBED) {
            *cell = cell_missing();
        }
        return status;
    }
    if (is_null_by_plan(field, cell)) {
        *cell = cell_null();
    }
    if (there) {
        apply_nulls(field, cell);
    } else if (field->nulls == NULLS_FILL) {
        *cell = cell_null();
    }
    if (field->cast && cell->kind != VALUE_NULL && cell->kind != VALUE_MISSING) {
        struct cell converted;
        status =
            convert_value(cell, &field->type, field->allow_loss, making->arena, &converted, error);
        if (status != STATUS_OK) {
            making->refusing = field;
            making->refused = *cell;
            *cell = cell_missing();
            return status;
        }
        *cell = converted;
    }
    if (field->renumber != NULL && move_key(field, cell, error) != STATUS_OK) {
        return STATUS_FAILED; /* with the old one in it, for who looks the record up */
    }
    /* Made values live in the arena already; only those of the row may have to be copied. */
    if (field->kind == FIELD_VALUE) {
        struct cell kept = cell_missing();
        status = mapper_keep(making, cell, &kept, error);
        *cell = status == STATUS_OK ? kept : cell_missing();
    } else {
        making->bytes += 16 + (cell->kind == VALUE_TEXT ? cell->length : 0);
    }
    return status;
}
