/* Values of fields: columns, templates, expressions, casts, defaults and nulls. */
#include <string.h>
#include "base/text.h"
#include "model/convert.h"
#include "model/number_text.h"
#include "plan/mapper_internal.h"

/* ---------------------------------------------------------------- copies */

uint64_t mapper_cell_bytes(const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        return cell->length;
    case VALUE_DECIMAL:
        return (cell->flags & CELL_SMALL) != 0 ? 0 : cell->length;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return value_bytes(cell);
    case VALUE_UUID:
    case VALUE_INTERVAL:
        return 16;
    default:
        return 0;
    }
}

static enum status read_large(struct mapper *mapper, struct large_value *large,
                              struct arena *arena, struct cell *to)
{
    if (large->length > mapper->record_bytes_max || large->length > UINT32_MAX) {
        return error_set(&mapper->failure, ERROR_REJECT_TOO_LARGE, NULL,
                         "a value of %llu bytes exceeds the limit of a record",
                         (unsigned long long)large->length);
    }
    char *bytes = arena_allocate(arena, (size_t)large->length + 1);
    if (bytes == NULL) {
        return mapper_out_of_memory(mapper);
    }
    enum status status = large->read(large, 0, bytes, (size_t)large->length, &mapper->failure);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (large->kind == VALUE_TEXT && !text_is_utf8(bytes, (size_t)large->length)) {
        return error_set(&mapper->failure, ERROR_REJECT_TEXT, NULL, "a text is not valid UTF-8");
    }
    *to = large->kind == VALUE_TEXT ? cell_text(bytes, (size_t)large->length)
                                    : cell_bytes(bytes, (size_t)large->length);
    return STATUS_OK;
}

enum status mapper_copy_cell(struct mapper *mapper, const struct cell *from, struct arena *arena,
                             struct cell *to)
{
    *to = *from;
    switch (from->kind) {
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON: {
        char *copy = arena_allocate(arena, from->length);
        if (copy == NULL) {
            return mapper_out_of_memory(mapper);
        }
        if (from->length > 0) {
            memcpy(copy, from->text, from->length);
        }
        to->text = copy;
        return STATUS_OK;
    }
    case VALUE_DECIMAL:
        if ((from->flags & CELL_SMALL) != 0) {
            return STATUS_OK;
        }
        break;
    case VALUE_LARGE:
        return read_large(mapper, from->large, arena, to);
    case VALUE_UUID:
    case VALUE_INTERVAL:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
    case VALUE_ESCAPE:
        break;
    default:
        return STATUS_OK;
    }
    return value_copy(from, arena, to) == STATUS_OK ? STATUS_OK : mapper_out_of_memory(mapper);
}

/* ---------------------------------------------------------------- templates */

static void pad(struct buffer *out, size_t start, uint32_t digits)
{
    size_t sign = out->length > start && out->data[start] == '-';
    size_t length = out->length - start - sign;
    if (length >= digits || !buffer_reserve(out, digits - length)) {
        return;
    }
    size_t zeros = digits - length;
    memmove(out->data + start + sign + zeros, out->data + start + sign, length);
    memset(out->data + start + sign, '0', zeros);
    out->length += zeros;
}

static enum status append_value(struct mapper *mapper, const struct cell *value,
                                struct arena *arena, struct buffer *out, bool *plain)
{
    if (value->kind == VALUE_INT64) {
        if (buffer_reserve(out, NUMBER_TEXT_MAX)) {
            out->length += number_from_int64(value->i64, out->data + out->length);
        }
        return STATUS_OK;
    }
    if (value->kind == VALUE_TEXT) {
        buffer_append(out, value->text, value->length);
        *plain = *plain && (value->flags & CELL_ASCII) != 0;
        return STATUS_OK;
    }
    *plain = false;
    if (value->kind == VALUE_LARGE) {
        struct cell whole;
        enum status status = mapper_copy_cell(mapper, value, arena, &whole);
        return status == STATUS_OK ? append_value(mapper, &whole, arena, out, plain) : status;
    }
    if (convert_append_text(value, false, out, &mapper->failure) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* `*null`: a value was null, there is no text. */
static enum status append_template(struct mapper *mapper, const struct plan_template *template,
                                   const struct record_source *source, struct buffer *out,
                                   bool *null, bool *plain)
{
    for (uint32_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        enum status status = STATUS_OK;
        buffer_append(out, part->literal, part->literal_length);
        *plain = *plain && part->literal_plain;
        if (!part->has_value) {
            continue;
        }
        size_t start = out->length;
        if (part->value.origin == ORIGIN_TEMPLATE) {
            status = append_template(mapper, &mapper->mapping->templates[part->value.index], source,
                                     out, null, plain);
        } else {
            struct cell value;
            status = mapper_value(mapper, source, part->value, &value);
            if (status == STATUS_OK &&
                (value.kind == VALUE_NULL || value.kind == VALUE_MISSING)) {
                *null = true;
                return STATUS_OK;
            }
            if (status == STATUS_OK) {
                status = append_value(mapper, &value, source->arena, out, plain);
            }
        }
        if (status != STATUS_OK || *null) {
            return status;
        }
        if (part->pad > 0) {
            pad(out, start, part->pad);
        }
    }
    return STATUS_OK;
}

static enum status make_text(struct mapper *mapper, const struct plan_template *template,
                             const struct record_source *source, struct cell *value)
{
    struct buffer *text = &mapper->text;
    bool null = false;
    bool plain = true;
    buffer_clear(text);
    enum status status = append_template(mapper, template, source, text, &null, &plain);
    if (status != STATUS_OK) {
        return status;
    }
    if (null) {
        *value = cell_missing();
        return STATUS_OK;
    }
    char *copy = text->failed ? NULL : arena_allocate(source->arena, text->length);
    if (copy == NULL || text->length > UINT32_MAX) {
        text->failed = 0;
        return mapper_out_of_memory(mapper);
    }
    if (text->length > 0) {
        memcpy(copy, text->data, text->length);
    }
    *value = cell_text(copy, text->length);
    value->flags = plain ? CELL_ASCII : 0;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- values */

enum status mapper_value(struct mapper *mapper, const struct record_source *source,
                         struct value_reference reference, struct cell *value)
{
    switch (reference.origin) {
    case ORIGIN_COLUMN:
        *value = source->row[reference.index];
        return STATUS_OK;
    case ORIGIN_TEMPLATE:
        return make_text(mapper, &mapper->mapping->templates[reference.index], source, value);
    case ORIGIN_AGGREGATE: {
        const struct aggregate_state *state = &mapper->aggregates[reference.index];
        if (state->failure != NULL) {
            return error_set(&mapper->failure, ERROR_REJECT_TYPE, NULL, "%s: %s",
                             mapper->mapping->aggregates[reference.index].text, state->failure);
        }
        *value = mapper->results[reference.index];
        return STATUS_OK;
    }
    case ORIGIN_PAGE:
        *value = cell_int64(source->page);
        return STATUS_OK;
    case ORIGIN_LIST:
        *value = source->page_list;
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* The cells of an expression, in mapper->arguments. */
static enum status gather(struct mapper *mapper, const struct record_source *source,
                          const struct plan_expression *expression)
{
    for (uint32_t i = 0; i < expression->count; i++) {
        struct cell value;
        enum status status = mapper_value(mapper, source, expression->values[i], &value);
        if (status == STATUS_OK && value.kind == VALUE_LARGE) {
            struct cell handle = value;
            status = mapper_copy_cell(mapper, &handle, source->arena, &value);
        }
        if (status != STATUS_OK) {
            return status;
        }
        mapper->arguments[i] = value;
    }
    return STATUS_OK;
}

enum status mapper_test(struct mapper *mapper, const struct record_source *source,
                        uint32_t expression, bool *result)
{
    enum status status = gather(mapper, source, &mapper->mapping->expressions[expression]);
    if (status != STATUS_OK) {
        return status;
    }
    return expression_test(mapper->statements[expression], mapper->arguments, result,
                           &mapper->failure);
}

static enum status make_sql(struct mapper *mapper, const struct mapping_field *field,
                            const struct record_source *source, struct cell *value)
{
    enum status status = gather(mapper, source, &mapper->mapping->expressions[field->expression]);
    if (status != STATUS_OK) {
        return status;
    }
    return expression_evaluate(mapper->statements[field->expression], mapper->arguments,
                               source->arena, value, &mapper->failure);
}

static bool points_somewhere(const struct cell *cell)
{
    return cell->kind >= VALUE_TEXT || cell->kind == VALUE_DECIMAL;
}

static enum status make_raw(struct mapper *mapper, const struct mapping_field *field,
                            const struct record_source *source, struct cell *value)
{
    switch (field->kind) {
    case FIELD_VALUE: {
        enum status status = mapper_value(mapper, source, field->value, value);
        if (status == STATUS_OK && source->transient && field->value.origin == ORIGIN_COLUMN &&
            points_somewhere(value)) {
            struct cell borrowed = *value;
            status = mapper_copy_cell(mapper, &borrowed, source->arena, value);
        }
        return status;
    }
    case FIELD_CONST:
        *value = field->constant;
        return STATUS_OK;
    case FIELD_TEMPLATE:
        return make_text(mapper, &field->template, source, value);
    case FIELD_SQL:
        return make_sql(mapper, field, source, value);
    case FIELD_EMBED:
        *value = source->lists[field->list];
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* Targets without nesting take lists and maps as JSON text. */
static enum status to_json(struct mapper *mapper, struct arena *arena, struct cell *value)
{
    buffer_clear(&mapper->text);
    if (convert_append_json(value, &mapper->text, &mapper->failure) != STATUS_OK) {
        return STATUS_FAILED;
    }
    char *copy =
        mapper->text.failed ? NULL : arena_copy(arena, mapper->text.data, mapper->text.length);
    if (copy == NULL) {
        return mapper_out_of_memory(mapper);
    }
    *value = cell_text(copy, mapper->text.length);
    value->kind = VALUE_JSON;
    return STATUS_OK;
}

static enum status apply_cast(struct mapper *mapper, const struct mapping_field *field,
                              const struct record_source *source, struct cell *value)
{
    struct cell from = *value;
    if (from.kind == VALUE_LARGE) {
        struct cell handle = from;
        if (mapper_copy_cell(mapper, &handle, source->arena, &from) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return convert_value(&from, &field->type, field->allow_loss, source->arena, value,
                         &mapper->failure);
}

static void apply_nulls(enum null_policy policy, struct cell *value)
{
    if (policy == NULLS_OMIT) {
        *value = cell_missing();
    } else if (policy == NULLS_FILL) {
        *value = cell_null();
    }
}

enum status mapper_field_make(struct mapper *mapper, const struct mapping_field *field,
                              const struct record_source *source, struct cell *value)
{
    enum status status = STATUS_OK;
    *value = cell_missing();
    if (field->when != MAPPING_NONE && field->kind != FIELD_EMBED) {
        bool wanted = false;
        status = mapper_test(mapper, source, field->when, &wanted);
        if (status != STATUS_OK) {
            return status;
        }
        if (!wanted) {
            if (field->nulls == NULLS_FILL) {
                *value = cell_null();
            }
            return STATUS_OK;
        }
    }
    status = make_raw(mapper, field, source, value);
    if (status != STATUS_OK) {
        return status;
    }
    if ((value->kind == VALUE_NULL || value->kind == VALUE_MISSING) && field->has_default) {
        *value = field->default_value;
    }
    if (value->kind == VALUE_NULL || value->kind == VALUE_MISSING) {
        if (field->kind != FIELD_CONST || field->nulls == NULLS_FILL) {
            apply_nulls(field->nulls, value);
        }
        return STATUS_OK;
    }
    if (field->cast) {
        status = apply_cast(mapper, field, source, value);
    }
    if (status == STATUS_OK && !mapper->mapping->target_nested &&
        (value->kind == VALUE_LIST || value->kind == VALUE_SET || value->kind == VALUE_MAP)) {
        status = to_json(mapper, source->arena, value);
    }
    return status;
}
