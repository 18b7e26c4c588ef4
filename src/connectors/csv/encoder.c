/* Records to lines of CSV, and the line with the names before them. */
#include "connectors/csv/csv.h"
#include "connectors/csv/value.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/decimal.h"
#include <stdlib.h>
#include <string.h>

struct encoded_column {
    const char *name;
    struct value_type type;
    uint32_t declared; /* its number among the table's columns */
    bool watched;      /* no value of another kind was met yet */
    bool is_key;
};

struct folder_encoder {
    struct csv_database *database;
    const struct target_table *table;
    struct csv_dialect dialect;
    struct encoded_column *columns;
    uint32_t count;
    const char *encoding; /* what is written; NULL: UTF-8 */
    struct buffer plain;  /* a record before it is encoded */
    struct arena *arena;
};

void csv_encoder_destroy(struct folder_encoder *encoder)
{
    if (encoder != NULL) {
        buffer_free(&encoder->plain);
        arena_destroy(encoder->arena);
        free(encoder);
    }
}

/*
 * Whether a value of another kind can be told from the column's own. In a column that was not known
 * to hold both from the start, what is quoted already must not be text alone.
 */
static bool can_be_dynamic(const struct value_type *type, const struct csv_dialect *dialect)
{
    switch (type->kind) {
    case VALUE_TEXT:
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return type->dynamic;
    case VALUE_BYTES:
        return type->dynamic || dialect->bytes_form == CSV_BYTES_HEX;
    default:
        return true;
    }
}

/* The type that the table declares for a field of the shape: a reread goes by that. */
static void describe_column(const struct target_table *table, const struct shape_field *field,
                            const struct csv_dialect *dialect, uint32_t guess,
                            struct encoded_column *column)
{
    *column = (struct encoded_column){.name = field->name, .type = field->type};
    for (uint32_t tried = 0; tried < table->column_count; tried++) {
        uint32_t at = (guess + tried) % table->column_count;
        if (strcmp(table->columns[at].name, field->name) == 0) {
            column->type = table->columns[at].type;
            column->declared = at;
            column->watched = can_be_dynamic(&column->type, dialect);
            break;
        }
    }
    for (uint32_t at = 0; at < table->key.count; at++) {
        column->is_key = column->is_key || strcmp(table->key.names[at], field->name) == 0;
    }
}

enum status csv_encoder_create(struct folder *folder, const struct target_table *table,
                               const struct shape *shape, const struct cell *first,
                               struct folder_encoder **encoder, struct error *error)
{
    (void)first;
    *encoder = NULL;
    if (shape == NULL) {
        return error_set(error, ERROR_INTERNAL, table->name, "documents have no columns");
    }
    struct folder_encoder *made = memory_allocate_zeroed(1, sizeof(*made));
    made->arena = arena_create(0);
    made->database = (struct csv_database *)folder;
    made->table = table;
    made->dialect = made->database->dialect;
    made->count = shape->field_count;
    made->encoding =
        made->dialect.encoding != NULL ? csv_encoding_written(made->dialect.encoding) : NULL;
    made->columns =
        arena_allocate_zeroed(made->arena, (size_t)shape->field_count + 1, sizeof(*made->columns));
    for (uint32_t at = 0; at < shape->field_count; at++) {
        describe_column(table, &shape->fields[at], &made->dialect, at, &made->columns[at]);
    }
    *encoder = made;
    return STATUS_OK;
}

static void append_line_end(const struct csv_dialect *dialect, struct buffer *out)
{
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    const char *end = ends[dialect->line_end];
    buffer_append(out, end, end[1] == '\0' ? 1 : 2);
}

/* The bytes appended since `start` are put into the encoding that is wanted. */
static enum status encode(struct folder_encoder *encoder, size_t start, struct buffer *out,
                          struct error *error)
{
    if (encoder->encoding == NULL) {
        return STATUS_OK;
    }
    buffer_clear(&encoder->plain);
    if (!buffer_try_reserve(&encoder->plain, out->length - start)) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to write records");
    }
    buffer_append(&encoder->plain, out->data + start, out->length - start);
    out->length = start;
    return csv_encode(encoder->encoding, encoder->plain.data, encoder->plain.length, out, error);
}

enum status csv_encoder_head(struct folder_encoder *encoder, struct buffer *out,
                             struct error *error)
{
    size_t start = out->length;
    struct value_type text = {.kind = VALUE_TEXT};
    if (csv_encoding_wants_bom(&encoder->dialect)) {
        buffer_append(out, "\xef\xbb\xbf", 3);
    }
    for (uint32_t at = 0; encoder->dialect.header && at < encoder->count; at++) {
        const char *text_of_name = encoder->columns[at].name;
        struct cell name = cell_text(text_of_name, strlen(text_of_name));
        if (at > 0) {
            buffer_append_byte(out, encoder->dialect.delimiter);
        }
        if (csv_value_append(&encoder->dialect, &text, &name, at == 0, out, error) != STATUS_OK) {
            out->length = start;
            return error_context(error, "the name of column %u: ", at + 1);
        }
    }
    if (encoder->dialect.header) {
        append_line_end(&encoder->dialect, out);
    }
    return encode(encoder, start, out, error);
}

static enum status too_large(const struct folder_encoder *encoder, struct error *error)
{
    return error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                     "the record is larger than record_bytes, %zu bytes",
                     encoder->database->record_bytes_max);
}

/* Would the value be read as it is if the column had its declared kind only? */
static bool is_of_type(const struct value_type *type, const struct cell *cell)
{
    enum value_kind kind = cell->kind == VALUE_LARGE ? cell->large->kind : cell->kind;
    int64_t digits = 0;
    int64_t exponent = 0;
    if (kind == VALUE_NULL || kind == VALUE_MISSING) {
        return true;
    }
    if (type->kind != VALUE_DECIMAL) {
        return kind == type->kind;
    }
    struct cell decimal = *cell;
    if (kind == VALUE_INT64) {
        decimal = (struct cell){.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .i64 = cell->i64};
    } else if (kind != VALUE_DECIMAL) {
        return false;
    }
    return type->precision <= 0 || !decimal_measure(&decimal, &digits, &exponent) || digits == 0 ||
           (digits - 1 - exponent <= type->scale && exponent < type->precision - type->scale);
}

static enum status encoder_watch(struct folder_encoder *encoder, struct encoded_column *column,
                                 const struct cell *cell, struct error *error)
{
    bool tries = encoder->database->folder.run.id == NULL; /* nothing is written then */
    if (tries || is_of_type(&column->type, cell)) {
        return STATUS_OK;
    }
    column->watched = false;
    column->type.dynamic = true;
    return csv_definition_note(encoder->database, encoder->table, column->declared, error);
}

static enum status append_field(struct folder_encoder *encoder, uint32_t at,
                                const struct cell *cell, struct buffer *out, struct error *error)
{
    struct encoded_column *column = &encoder->columns[at];
    struct error reason;
    if (column->is_key && (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING)) {
        return error_set(error, ERROR_REJECT_KEY_NULL, column->name,
                         "column %s: a part of the key is null", column->name);
    }
    if (column->watched && encoder_watch(encoder, column, cell, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (cell->kind == VALUE_LARGE && cell->large->length > encoder->database->record_bytes_max) {
        return too_large(encoder, error);
    }
    if (csv_value_append(&encoder->dialect, &column->type, cell, at == 0, out, &reason) ==
        STATUS_OK) {
        return STATUS_OK;
    }
    char name[100];
    text_printable(column->name, strlen(column->name), name, sizeof name);
    error_copy(error, &reason);
    return reason.class == ERROR_CLASS_REJECT
               ? error_set(error, reason.code, name, "column %s: %s", name, reason.message)
               : STATUS_FAILED;
}

static enum status append_fields(struct folder_encoder *encoder, const struct cell *cells,
                                 struct buffer *out, struct error *error)
{
    size_t start = out->length;
    for (uint32_t at = 0; at < encoder->count; at++) {
        if (at > 0) {
            buffer_append_byte(out, encoder->dialect.delimiter);
        }
        if (append_field(encoder, at, &cells[at], out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    append_line_end(&encoder->dialect, out);
    return out->length - start > encoder->database->record_bytes_max ? too_large(encoder, error)
                                                                     : STATUS_OK;
}

enum status csv_encoder_append(struct folder_encoder *encoder, const struct cell *cells,
                               struct buffer *out, struct error *error)
{
    size_t start = out->length;
    enum status status = append_fields(encoder, cells, out, error);
    status = status == STATUS_OK ? encode(encoder, start, out, error) : status;
    if (status != STATUS_OK) {
        out->length = start;
    }
    return status;
}
