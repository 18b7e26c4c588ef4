/* Values as JSON and back: numbers are digits, whatever has no JSON of its own is a text that the
 * column's type tells from others. */
#include "connectors/opensearch/opensearch.h"

#include "base/text.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <math.h>

enum { SHOWN_BYTES = 80 };

/* ---------------------------------------------------------------- to JSON */

static enum status append_float(const struct cell *cell, struct buffer *out, struct error *error)
{
    char digits[NUMBER_TEXT_MAX];
    if (cell->f64 - cell->f64 != 0) {
        return error_set(error, ERROR_REJECT_NUMBER, NULL,
                         "NaN and infinities are no numbers of JSON");
    }
    if (cell->f64 == 0 && signbit(cell->f64)) { /* to many readers -0 is a whole number */
        buffer_append_string(out, "-0.0");
        return STATUS_OK;
    }
    buffer_append(out, digits,
                  cell->kind == VALUE_FLOAT32 ? number_from_float32((float)cell->f64, digits)
                                              : number_from_double(cell->f64, digits));
    return STATUS_OK;
}

static enum status append_decimal(const struct cell *cell, struct buffer *out, struct error *error)
{
    if (decimal_special(cell) != 0) {
        return error_set(error, ERROR_REJECT_NUMBER, NULL,
                         "NaN and infinities are no numbers of JSON");
    }
    decimal_append(cell, out);
    return STATUS_OK;
}

static void append_quoted(const struct cell *cell, struct buffer *out)
{
    buffer_append_byte(out, '"');
    if (cell->kind == VALUE_UUID) {
        value_append_uuid(out, cell->bytes);
    } else {
        time_append(cell, out);
    }
    buffer_append_byte(out, '"');
}

/* A line end would end the document; within a JSON string it is written otherwise anyway. */
static void blank_line_ends(struct buffer *out, size_t begin)
{
    for (size_t at = begin; at < out->length; at++) {
        if (out->data[at] == '\n' || out->data[at] == '\r') {
            out->data[at] = ' ';
        }
    }
}

static enum status append_json(const struct cell *cell, struct buffer *out, struct error *error)
{
    size_t begin = out->length;
    enum status status = STATUS_OK;
    if (cell->kind == VALUE_JSON) { /* one that is none would spoil the whole document */
        struct cell ignored;
        struct arena *arena = arena_create(0);
        status = convert_read_json(cell->text, cell->length, arena, &ignored, error);
        arena_destroy(arena);
    }
    status = status == STATUS_OK ? convert_append_json(cell, out, error) : status;
    blank_line_ends(out, begin);
    return status;
}

static enum status append_large(const struct cell *cell, struct buffer *out, struct error *error)
{
    struct cell whole;
    struct arena *arena = arena_create(0);
    enum status status =
        convert_read_large(cell, OPENSEARCH_DOCUMENT_BYTES_MAX, arena, &whole, error);
    status = status == STATUS_OK ? opensearch_value_append(&whole, out, error) : status;
    arena_destroy(arena);
    return status;
}

enum status opensearch_value_append(const struct cell *cell, struct buffer *out,
                                    struct error *error)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        buffer_append_string(out, "null");
        return STATUS_OK;
    case VALUE_BOOL:
        buffer_append_string(out, cell->i64 != 0 ? "true" : "false");
        return STATUS_OK;
    case VALUE_INT64:
        buffer_append_int64(out, cell->i64);
        return STATUS_OK;
    case VALUE_UINT64:
        buffer_append_uint64(out, cell->u64);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return append_float(cell, out, error);
    case VALUE_DECIMAL:
        return append_decimal(cell, out, error);
    case VALUE_TEXT:
        if ((cell->flags & CELL_ASCII) != 0) {
            json_append_plain(out, cell->text, cell->length);
        } else {
            json_append_string(out, cell->text, cell->length);
        }
        return STATUS_OK;
    case VALUE_BYTES:
        json_append_base64(out, cell->bytes, cell->length);
        return STATUS_OK;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        append_quoted(cell, out);
        return STATUS_OK;
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return append_json(cell, out, error);
    case VALUE_LARGE:
        return append_large(cell, out, error);
    default:
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "a value of another database's own, which only that one understands");
    }
}

static enum status value_explain(const char *name, size_t length, struct error *error)
{
    char shown[SHOWN_BYTES];
    text_printable(name, length, shown, sizeof(shown));
    error_name_object(error, shown);
    return error_context(error, "%s: ", shown);
}

enum status opensearch_document_append(const struct shape *shape, const struct cell *cells,
                                       struct buffer *out, struct error *error)
{
    uint32_t count = shape != NULL ? shape->field_count : cells->length;
    enum status status = STATUS_OK;
    buffer_append_byte(out, '{');
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const struct cell *pair = shape != NULL ? NULL : &cells->items[2 * (size_t)at];
        const struct cell *value = shape != NULL ? &cells[at] : pair + 1;
        const char *name = shape != NULL ? shape->fields[at].name : pair->text;
        size_t length = shape != NULL ? shape->fields[at].name_length : pair->length;
        bool is_id =
            length == sizeof(OPENSEARCH_ID) - 1 && memcmp(name, OPENSEARCH_ID, length) == 0;
        if (value->kind == VALUE_MISSING || is_id) {
            continue;
        }
        if (buffer_last(out) != '{') {
            buffer_append_byte(out, ',');
        }
        json_append_string(out, name, length);
        buffer_append_byte(out, ':');
        status = opensearch_value_append(value, out, error);
        status = status == STATUS_OK ? STATUS_OK : value_explain(name, length, error);
    }
    buffer_append_byte(out, '}');
    if (status == STATUS_OK && out->length > OPENSEARCH_DOCUMENT_BYTES_MAX) {
        status = convert_refuse_large(out->length, OPENSEARCH_DOCUMENT_BYTES_MAX, error);
    }
    return status;
}

/* ---------------------------------------------------------------- texts */

static bool is_same(struct text text, const struct buffer *other)
{
    return text.length == other->length && memcmp(text.data, other->data, text.length) == 0;
}

/* Is the text just what is written for the value? */
static bool comes_back(struct text text, const struct cell *cell)
{
    struct buffer again = {0};
    if (cell->kind == VALUE_UUID) {
        value_append_uuid(&again, cell->bytes);
    } else {
        time_append(cell, &again);
    }
    bool same = is_same(text, &again);
    buffer_free(&again);
    return same;
}

static bool read_bytes(struct text text, struct arena *arena, struct cell *cell)
{
    struct error ignored;
    struct buffer again = {0};
    uint8_t *bytes = NULL;
    size_t count = 0;
    if (json_decode_base64(text.data, text.length, arena, &bytes, &count, &ignored) != STATUS_OK) {
        return false;
    }
    json_append_base64_part(&again, bytes, count);
    bool same = is_same(text, &again);
    buffer_free(&again);
    *cell = cell_bytes(bytes, count);
    return same;
}

/* A text is what the column's type says if it is just what is written for such a value. */
static void read_text(const struct value_type *type, struct text text, struct arena *arena,
                      struct cell *cell)
{
    bool good = false;
    switch (type->kind) {
    case VALUE_BYTES:
        good = read_bytes(text, arena, cell);
        break;
    case VALUE_DATE:
        good = time_parse_date(text.data, text.length, cell) == STATUS_OK;
        break;
    case VALUE_TIME:
        good = time_parse_time(text.data, text.length, cell) == STATUS_OK;
        break;
    case VALUE_TIMESTAMP:
        good = time_parse_timestamp(text.data, text.length, cell) == STATUS_OK;
        break;
    case VALUE_INTERVAL:
        good = time_parse_interval(text.data, text.length, arena, cell) == STATUS_OK;
        break;
    case VALUE_UUID:
        good = convert_read_uuid(text.data, text.length, arena, cell);
        break;
    default:
        break;
    }
    if (good && type->kind != VALUE_BYTES) {
        good = comes_back(text, cell);
    }
    if (!good) {
        *cell = cell_text(text.data, text.length);
    }
}

/* ---------------------------------------------------------------- numbers */

static bool is_whole(struct text digits)
{
    return memchr(digits.data, '.', digits.length) == NULL &&
           memchr(digits.data, 'e', digits.length) == NULL &&
           memchr(digits.data, 'E', digits.length) == NULL;
}

/* The float, unless the text has digits that it does not keep. */
static bool read_float(enum value_kind kind, struct text text, struct arena *arena,
                       struct cell *cell)
{
    enum { KEPT_DIGITS = 15 /* by every float64 */ };
    char digits[NUMBER_TEXT_MAX];
    struct cell exact;
    struct cell again;
    double value = 0;
    if (number_to_double(text.data, text.length, &value) != STATUS_OK || value - value != 0) {
        return false;
    }
    *cell = cell_float64(value);
    cell->kind = (uint8_t)kind;
    if (kind == VALUE_FLOAT64 && text.length <= KEPT_DIGITS) {
        return true;
    }
    size_t length = kind == VALUE_FLOAT32 ? number_from_float32((float)value, digits)
                                          : number_from_double(value, digits);
    if (kind == VALUE_FLOAT32) {
        cell->f64 = (double)(float)value;
    }
    return decimal_parse(text.data, text.length, arena, &exact) == STATUS_OK &&
           decimal_parse(digits, length, arena, &again) == STATUS_OK &&
           decimal_compare(&exact, &again) == 0;
}

static bool read_whole(struct text text, struct cell *cell)
{
    int64_t whole = 0;
    uint64_t large = 0;
    if (text_to_int64(text.data, text.length, &whole) == STATUS_OK) {
        *cell = cell_int64(whole);
        return true;
    }
    if (text_to_uint64(text.data, text.length, &large) == STATUS_OK) {
        *cell = cell_uint64(large);
        return true;
    }
    return false;
}

static enum status read_number(const struct value_type *type, struct text text, struct arena *arena,
                               struct cell *cell, struct error *error)
{
    bool minus_zero = (text.length == 2 && memcmp(text.data, "-0", 2) == 0) ||
                      (text.length == 4 && memcmp(text.data, "-0.0", 4) == 0);
    if (type->kind == VALUE_FLOAT32 && read_float(VALUE_FLOAT32, text, arena, cell)) {
        return STATUS_OK;
    }
    if ((type->kind == VALUE_FLOAT32 || type->kind == VALUE_FLOAT64 || minus_zero) &&
        read_float(VALUE_FLOAT64, text, arena, cell)) {
        return STATUS_OK;
    }
    if (is_whole(text) && read_whole(text, cell)) {
        return STATUS_OK;
    }
    return decimal_parse(text.data, text.length, arena, cell) == STATUS_OK
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_NUMBER, NULL,
                           "a number has an exponent beyond 20,000");
}

/* ---------------------------------------------------------------- any value */

static enum status read_composed(const struct value_type *type, struct text json,
                                 struct arena *arena, struct cell *cell, struct error *error)
{
    if (type->kind == VALUE_JSON) {
        *cell = cell_text(json.data, json.length);
        cell->kind = VALUE_JSON;
        return STATUS_OK;
    }
    enum status status = convert_read_json(json.data, json.length, arena, cell, error);
    if (status == STATUS_OK && type->kind == VALUE_SET && cell->kind == VALUE_LIST) {
        cell->kind = VALUE_SET;
    }
    return status;
}

static void read_json_text(struct text text, struct arena *arena, struct cell *cell)
{
    struct buffer json = {0};
    json_append_string(&json, text.data, text.length);
    *cell = cell_text(arena_copy(arena, json.data, json.length), json.length);
    cell->kind = VALUE_JSON;
    buffer_free(&json);
}

/* The value that begins with the token just read. */
static enum status read_value(struct json_reader *reader, enum json_token token,
                              const struct value_type *type, struct arena *arena, struct cell *cell,
                              struct error *error)
{
    const struct text text = {reader->text, reader->length};
    bool json = type->kind == VALUE_JSON;
    const char *begin = reader->position - 1;
    switch (token) {
    case JSON_TOKEN_NULL:
        *cell = cell_null();
        return STATUS_OK;
    case JSON_TOKEN_TRUE:
    case JSON_TOKEN_FALSE:
        *cell = cell_bool(token == JSON_TOKEN_TRUE);
        return STATUS_OK;
    case JSON_TOKEN_STRING:
        if (json) {
            read_json_text(text, arena, cell);
        } else {
            read_text(type, text, arena, cell);
        }
        return STATUS_OK;
    case JSON_TOKEN_NUMBER:
        return json ? read_composed(type, text, arena, cell, error)
                    : read_number(type, text, arena, cell, error);
    default:
        break;
    }
    if (json_reader_skip(reader, token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return read_composed(type, (struct text){begin, (size_t)(reader->position - begin)}, arena,
                         cell, error);
}

enum status opensearch_value_read(const struct value_type *type, struct text json,
                                  struct arena *arena, struct cell *cell, struct error *error)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    json_reader_init(&reader, json.data, json.length, OPENSEARCH_DEPTH_MAX, arena);
    if (json_reader_next(&reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return read_value(&reader, token, type, arena, cell, error);
}

static const struct value_type *type_of(const struct opensearch_columns *columns, struct text name)
{
    static const struct value_type any = {.kind = VALUE_TEXT, .dynamic = true};
    uint32_t at = name_index_find(&columns->names, name.data, name.length);
    return at != NAME_INDEX_NONE ? &columns->types[at] : &any;
}

static void read_id(const struct value_type *type, struct text id, struct arena *arena,
                    struct cell *cell)
{
    const struct cell text = cell_text(id.data, id.length);
    struct error ignored;
    if (type->kind == VALUE_TEXT ||
        convert_value(&text, type, false, arena, cell, &ignored) != STATUS_OK) {
        *cell = text;
    }
}

enum status opensearch_document_read(const struct opensearch_columns *columns, struct text id,
                                     struct text json, struct arena *arena, struct cell *record,
                                     struct error *error)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    enum { FIELDS_FIRST = 16 };
    struct cell *pairs = arena_allocate_zeroed(arena, FIELDS_FIRST, 2 * sizeof(*pairs));
    uint32_t capacity = FIELDS_FIRST;
    uint32_t count = 0;
    json_reader_init(&reader, json.data, json.length, OPENSEARCH_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, error);
    if (status == STATUS_OK && token != JSON_TOKEN_OBJECT_BEGIN) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "the document is no JSON object");
    }
    if (columns->id != NULL) {
        pairs[0] = cell_text(OPENSEARCH_ID, sizeof(OPENSEARCH_ID) - 1);
        read_id(columns->id, id, arena, &pairs[1]);
        count = 1;
    }
    while (status == STATUS_OK &&
           (status = json_reader_next(&reader, &token, error)) == STATUS_OK &&
           token == JSON_TOKEN_KEY) {
        const struct text name = {reader.text, reader.length};
        pairs = arena_make_room(arena, pairs, count, &capacity, 2 * sizeof(*pairs));
        pairs[2 * (size_t)count] = cell_text(name.data, name.length);
        status = json_reader_next(&reader, &token, error);
        if (status == STATUS_OK) {
            status = read_value(&reader, token, type_of(columns, name), arena,
                                &pairs[2 * (size_t)count + 1], error);
        }
        count++;
    }
    *record = cell_items(VALUE_MAP, pairs, count);
    return status;
}

/* ---------------------------------------------------------------- normal form */

/* As JSON is read where nothing is known of its column, so that it is the same whatever the column
 * says. */
static enum status through_json(const struct cell *cell, struct arena *arena, struct cell *normal,
                                struct error *error)
{
    static const struct value_type any = {.kind = VALUE_TEXT, .dynamic = true};
    struct buffer json = {0};
    enum status status = opensearch_value_append(cell, &json, error);
    if (status == STATUS_OK) {
        const char *copy = arena_try_copy(arena, buffer_string(&json), json.length);
        status = copy != NULL ? opensearch_value_read(&any, (struct text){copy, json.length}, arena,
                                                      normal, error)
                              : error_set(error, ERROR_MEMORY, NULL,
                                          "no memory for the normal form of a value");
    }
    buffer_free(&json);
    return status;
}

enum status opensearch_normal_form(struct database *database, const struct cell *cell,
                                   struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_TEXT:
        *normal = *cell;
        return STATUS_OK;
    default:
        return through_json(cell, arena, normal, error);
    }
}
