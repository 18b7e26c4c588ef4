/* Reading typed JSON back into values; the form is in typed_json.h. */
#include "engine/formats/typed_json.h"

#include "base/text.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <string.h>

static enum status unreadable(struct error *error, const char *what)
{
    return error_set(error, ERROR_REJECT_UNREADABLE, "record", "%s", what);
}

static enum status out_of_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
}

static enum status read_number(const struct json_reader *reader, struct cell *cell,
                               struct error *error)
{
    const char *text = reader->text;
    size_t length = reader->length;
    bool whole = true;
    for (size_t i = 0; i < length; i++) {
        whole = whole && strchr(".eE", text[i]) == NULL;
    }
    if (!whole) {
        *cell = cell_float64(0);
        return number_to_double(text, length, &cell->f64) == STATUS_OK
                   ? STATUS_OK
                   : unreadable(error, "a number is out of a float's range");
    }
    *cell = cell_int64(0);
    if (text_to_int64(text, length, &cell->i64) == STATUS_OK) {
        return STATUS_OK;
    }
    *cell = cell_uint64(0);
    if (text_to_uint64(text, length, &cell->u64) == STATUS_OK) {
        return STATUS_OK;
    }
    return unreadable(error, "a whole number is out of range: write it as {\"$decimal\":\"…\"}");
}

/* A growing list of cells; the arena keeps the outgrown ones too, so it doubles. */
struct cell_list {
    struct cell *cells;
    uint32_t count;
    uint32_t capacity;
};

static enum status list_append(struct cell_list *list, struct arena *arena, struct cell cell,
                               struct error *error)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct cell *cells =
            capacity < list->capacity ? NULL : arena_try_allocate(arena, capacity * sizeof(*cells));
        if (cells == NULL) {
            return out_of_memory(error);
        }
        if (list->count > 0) {
            memcpy(cells, list->cells, list->count * sizeof(*cells));
        }
        list->cells = cells;
        list->capacity = capacity;
    }
    list->cells[list->count++] = cell;
    return STATUS_OK;
}

/* The items that follow JSON_TOKEN_ARRAY_BEGIN. */
static enum status read_items(struct json_reader *reader, struct arena *arena,
                              struct cell_list *list, struct error *error)
{
    for (;;) {
        enum json_token token;
        struct cell cell;
        if (json_reader_next(reader, &token, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token == JSON_TOKEN_ARRAY_END) {
            return STATUS_OK;
        }
        if (typed_json_read(reader, token, arena, &cell, error) != STATUS_OK ||
            list_append(list, arena, cell, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

static enum status read_list(struct json_reader *reader, enum value_kind kind, struct arena *arena,
                             struct cell *cell, struct error *error)
{
    enum json_token token;
    struct cell_list list = {0};
    if (kind == VALUE_SET && json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (kind == VALUE_SET && token != JSON_TOKEN_ARRAY_BEGIN) {
        return unreadable(error, "$set wants a list");
    }
    if (read_items(reader, arena, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = cell_items(kind, list.cells, list.count);
    return STATUS_OK;
}

/* {"$map":[[key,value],…]}: the pairs are read as lists of two. */
static enum status read_pairs(struct json_reader *reader, struct arena *arena, struct cell *cell,
                              struct error *error)
{
    enum json_token token;
    struct cell_list pairs = {0};
    struct cell_list list = {0};
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token != JSON_TOKEN_ARRAY_BEGIN) {
        return unreadable(error, "$map wants a list of [key, value]");
    }
    if (read_items(reader, arena, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        const struct cell *pair = &list.cells[i];
        if (pair->kind != VALUE_LIST || pair->length != 2) {
            return unreadable(error, "$map wants a list of [key, value]");
        }
        if (list_append(&pairs, arena, pair->items[0], error) != STATUS_OK ||
            list_append(&pairs, arena, pair->items[1], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *cell = cell_items(VALUE_MAP, pairs.cells, pairs.count / 2);
    return STATUS_OK;
}

static enum status read_escape(struct json_reader *reader, struct arena *arena, struct cell *cell,
                               struct error *error)
{
    enum json_token token;
    struct cell_list list = {0};
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token == JSON_TOKEN_ARRAY_BEGIN && read_items(reader, arena, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (list.count != 3 || list.cells[0].kind != VALUE_INT64 || list.cells[0].i64 < 0 ||
        list.cells[0].i64 > UINT16_MAX || list.cells[1].kind != VALUE_BOOL ||
        list.cells[2].kind != VALUE_TEXT) {
        return unreadable(error, "$escape wants [tag, true or false, base64]");
    }
    uint8_t *bytes;
    size_t count;
    if (json_decode_base64(list.cells[2].text, list.cells[2].length, arena, &bytes, &count,
                           error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = cell_bytes(bytes, count);
    cell->kind = VALUE_ESCAPE;
    cell->aux = (uint16_t)list.cells[0].i64;
    cell->flags = list.cells[1].i64 ? CELL_ESCAPED_TEXT : 0;
    return STATUS_OK;
}

static enum status parse_bytes(const char *text, size_t length, struct arena *arena,
                               struct cell *cell)
{
    uint8_t *bytes;
    size_t count;
    struct error why;
    if (json_decode_base64(text, length, arena, &bytes, &count, &why) != STATUS_OK) {
        return why.code == ERROR_MEMORY ? STATUS_FAILED : STATUS_END;
    }
    *cell = cell_bytes(bytes, count);
    return STATUS_OK;
}

static enum status parse_float(const char *text, size_t length, bool single, struct cell *cell)
{
    *cell = cell_float64(0);
    if (number_to_double(text, length, &cell->f64) != STATUS_OK) {
        return STATUS_END;
    }
    if (single) {
        cell->kind = VALUE_FLOAT32;
        cell->f64 = (double)(float)cell->f64; /* the digits are those of the float32 */
    }
    return STATUS_OK;
}

/* STATUS_END: it is none of that name; STATUS_FAILED: memory is out. */
static enum status parse_wrapped(const char *name, const char *text, size_t length,
                                 struct arena *arena, struct cell *cell)
{
    switch (value_kind_by_name(name)) {
    case VALUE_DECIMAL:
        return decimal_parse(text, length, arena, cell);
    case VALUE_UINT64:
        *cell = cell_uint64(0);
        return text_to_uint64(text, length, &cell->u64) == STATUS_OK ? STATUS_OK : STATUS_END;
    case VALUE_FLOAT32:
        return parse_float(text, length, true, cell);
    case VALUE_FLOAT64:
        return parse_float(text, length, false, cell);
    case VALUE_BYTES:
        return parse_bytes(text, length, arena, cell);
    case VALUE_DATE:
        return time_parse_date(text, length, cell);
    case VALUE_TIME:
        return time_parse_time(text, length, cell);
    case VALUE_TIMESTAMP:
        return time_parse_timestamp(text, length, cell);
    case VALUE_INTERVAL:
        return time_parse_interval(text, length, arena, cell);
    case VALUE_UUID:
        return convert_read_uuid(text, length, arena, cell) ? STATUS_OK : STATUS_END;
    case VALUE_JSON:
        *cell = cell_text(text, length);
        cell->kind = VALUE_JSON;
        return STATUS_OK;
    default:
        return STATUS_END;
    }
}

/* Loading the record as if there were no such value would lose it. */
static enum status read_omitted(struct json_reader *reader, struct error *error)
{
    enum json_token token;
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int length = token != JSON_TOKEN_STRING ? 0 : reader->length < 300 ? (int)reader->length : 300;
    return error_set(
        error, ERROR_REJECT_UNREADABLE, "record",
        "a value is not in the reject (%.*s): put it in the place of {\"$omitted\":…}, "
        "or take that member out",
        length, length > 0 ? reader->text : "");
}

static enum status read_wrapped_text(struct json_reader *reader, const char *name,
                                     struct arena *arena, struct cell *cell, struct error *error)
{
    enum json_token token;
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = token == JSON_TOKEN_STRING
                             ? parse_wrapped(name, reader->text, reader->length, arena, cell)
                             : STATUS_END;
    if (status == STATUS_END) {
        return error_set(error, ERROR_REJECT_UNREADABLE, "record",
                         "the text is no valid {\"$%s\":…}", name);
    }
    return status == STATUS_OK ? STATUS_OK : out_of_memory(error);
}

/* After the key "$name": its value and the closing brace. */
static enum status read_wrapped(struct json_reader *reader, struct arena *arena, struct cell *cell,
                                struct error *error)
{
    char name[16];
    enum json_token token;
    enum status status;
    if (reader->length >= sizeof(name)) {
        return unreadable(error, "an object begins with an unknown $ name");
    }
    memcpy(name, reader->text + 1, reader->length - 1);
    name[reader->length - 1] = '\0';
    if (strcmp(name, "omitted") == 0) {
        return read_omitted(reader, error);
    }
    if (strcmp(name, "set") == 0) {
        status = read_list(reader, VALUE_SET, arena, cell, error);
    } else if (strcmp(name, "map") == 0) {
        status = read_pairs(reader, arena, cell, error);
    } else if (strcmp(name, "escape") == 0) {
        status = read_escape(reader, arena, cell, error);
    } else {
        status = read_wrapped_text(reader, name, arena, cell, error);
    }
    if (status != STATUS_OK || json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return token == JSON_TOKEN_OBJECT_END
               ? STATUS_OK
               : unreadable(error, "an object with a $ name has one member");
}

/* `fields`: names that begin with $ are names like others. */
static enum status read_object(struct json_reader *reader, bool fields, struct arena *arena,
                               struct cell *cell, struct error *error)
{
    struct cell_list list = {0};
    for (;;) {
        enum json_token token;
        struct cell value;
        if (json_reader_next(reader, &token, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token == JSON_TOKEN_OBJECT_END) {
            *cell = cell_items(VALUE_MAP, list.cells, list.count / 2);
            return STATUS_OK;
        }
        if (!fields && reader->length > 0 && reader->text[0] == '$') {
            return list.count == 0 ? read_wrapped(reader, arena, cell, error)
                                   : unreadable(error, "a $ name stands beside other members");
        }
        struct cell key = cell_text(reader->text, reader->length);
        if (json_reader_next(reader, &token, error) != STATUS_OK ||
            typed_json_read(reader, token, arena, &value, error) != STATUS_OK ||
            list_append(&list, arena, key, error) != STATUS_OK ||
            list_append(&list, arena, value, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

enum status typed_json_read(struct json_reader *reader, enum json_token token, struct arena *arena,
                            struct cell *cell, struct error *error)
{
    switch (token) {
    case JSON_TOKEN_NULL:
        *cell = cell_null();
        return STATUS_OK;
    case JSON_TOKEN_TRUE:
    case JSON_TOKEN_FALSE:
        *cell = cell_bool(token == JSON_TOKEN_TRUE);
        return STATUS_OK;
    case JSON_TOKEN_STRING:
        *cell = cell_text(reader->text, reader->length);
        return STATUS_OK;
    case JSON_TOKEN_NUMBER:
        return read_number(reader, cell, error);
    case JSON_TOKEN_ARRAY_BEGIN:
        return read_list(reader, VALUE_LIST, arena, cell, error);
    case JSON_TOKEN_OBJECT_BEGIN:
        return read_object(reader, false, arena, cell, error);
    default:
        return unreadable(error, "a value was expected");
    }
}

enum status typed_json_read_fields(struct json_reader *reader, enum json_token token,
                                   struct arena *arena, struct cell *cell, struct error *error)
{
    return token == JSON_TOKEN_OBJECT_BEGIN ? read_object(reader, true, arena, cell, error)
                                            : typed_json_read(reader, token, arena, cell, error);
}
