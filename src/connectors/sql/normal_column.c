/* Values in columns of texts and of JSON. */
#include "connectors/sql/normal_column.h"
#include "model/convert.h"

static enum status keep_text(struct buffer *text, bool padded, struct arena *arena,
                             struct cell *normal, struct error *error)
{
    size_t length = text->length;
    while (padded && length > 0 && text->data[length - 1] == ' ') {
        length--;
    }
    char *copy = text->failed ? NULL : arena_copy(arena, length > 0 ? text->data : "", length);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the normal form of a value");
    }
    *normal = cell_text(copy, length);
    return STATUS_OK;
}

enum status sql_text_in_column(const struct sql_rules *rules, const struct cell *cell, bool padded,
                               struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    if (cell->kind == VALUE_TEXT && !padded) {
        *normal = cell_text(cell->text, cell->length);
        return STATUS_OK;
    }
    enum status status = sql_append_value_text(rules, cell, &text, error);
    status = status == STATUS_OK ? keep_text(&text, padded, arena, normal, error) : status;
    buffer_free(&text);
    return status;
}

enum status sql_json_in_column(const struct cell *cell, enum sql_json_told told,
                               struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    struct buffer canonical = {0};
    enum status status = STATUS_OK;
    if (cell->kind == VALUE_JSON) {
        buffer_append(&text, cell->text, cell->length);
    } else {
        status = convert_append_json(cell, &text, error);
    }
    if (status == STATUS_OK && text.failed) {
        status = error_set(error, ERROR_MEMORY, NULL, "no memory for a JSON text");
    }
    if (status == STATUS_OK && told != SQL_JSON_BYTES) {
        status = sql_append_canonical_json(buffer_string(&text), text.length,
                                           told == SQL_JSON_REPEATS, &canonical, error);
    }
    if (status == STATUS_OK) {
        status =
            keep_text(told == SQL_JSON_BYTES ? &text : &canonical, false, arena, normal, error);
    }
    buffer_free(&text);
    buffer_free(&canonical);
    return status;
}
