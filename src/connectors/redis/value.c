/* Values as a hash's bytes and back, and as JSON. */
#include "connectors/redis/redis.h"

#include "base/text.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include "model/number_text.h"
#include "model/time_text.h"

enum { NUMBER_BYTES_MAX = 40 /* a sign, 38 digits, a point */ };

#define BYTES_MEMBER "$bytes" /* JSON has no bytes */

#define WIDENED "exact with a note, else widened"

const struct type_mapping redis_types[REDIS_TYPE_COUNT] = {
    {"-?digits", VALUE_INT64, "canonical digits of 64 bits", "digits", "exact"},
    {"digits", VALUE_UINT64, "canonical digits above 2^63", "digits", "exact"},
    {"digits.digits", VALUE_DECIMAL, "up to 38 digits, the scale kept", "digits",
     "exact up to 38 digits, else text"},
    {"1.5e+300", VALUE_FLOAT64, "with an exponent",
     "shortest digits; without an exponent they come back as a decimal or whole number", "widened"},
    {"float32", VALUE_FLOAT32, NULL, "shortest digits of the float32", "widened"},
    {"UTF-8", VALUE_TEXT, "what is no number",
     "as it is; without a note what is a number's digits is that number", WIDENED},
    {"bytes", VALUE_BYTES, "what is no UTF-8", "as they are; without a note what is UTF-8 is text",
     "widened"},
    {"true, false", VALUE_BOOL, NULL, "true, false: text without a note", "widened"},
    {"2024-02-29", VALUE_DATE, NULL, "ISO 8601: text without a note", "widened"},
    {"23:59:59.5", VALUE_TIME, NULL, "ISO 8601: text without a note", "widened"},
    {"2024-02-29T12:00:00Z", VALUE_TIMESTAMP, NULL, "ISO 8601: text without a note", "widened"},
    {"P1Y2M3DT4H", VALUE_INTERVAL, NULL, "ISO 8601: text without a note", "widened"},
    {"UUID", VALUE_UUID, NULL, "36 characters: text without a note", "widened"},
    {"JSON", VALUE_JSON, NULL, "its text: text without a note", "widened"},
    {"list", VALUE_LIST, "the field value of a key's record",
     "in a hash as JSON text; in form=json as it is", "widened"},
    {"set", VALUE_SET, "the field value of a key's record",
     "in a hash as JSON text; in form=json as an array", "widened"},
    {"sorted set", VALUE_MAP, "the field value: member to score",
     "in a hash as JSON text; in form=json as an object", "widened"},
};

/* ---------------------------------------------------------------- to bytes */

static enum status append_large(const struct cell *cell, struct buffer *out, struct error *error)
{
    struct cell whole;
    struct arena *arena = arena_create(0);
    enum status status = convert_read_large(cell, REDIS_VALUE_BYTES_MAX, arena, &whole, error);
    if (status == STATUS_OK) {
        buffer_append(out, whole.bytes, whole.length);
    }
    arena_destroy(arena);
    return status;
}

static void append_number(const struct cell *cell, struct buffer *out)
{
    char digits[NUMBER_TEXT_MAX];
    size_t length = cell->kind == VALUE_UINT64    ? number_from_uint64(cell->u64, digits)
                    : cell->kind == VALUE_FLOAT32 ? number_from_float32((float)cell->f64, digits)
                                                  : number_from_double(cell->f64, digits);
    buffer_append(out, digits, length);
}

/* A float with an exponent becomes a decimal with many zeros in JSON's reader: it is that float
 * again. */
static void append_decimal(const struct cell *cell, struct buffer *out)
{
    enum { PLAIN_DIGITS = 21 /* of a float that is written without an exponent */ };
    char digits[NUMBER_TEXT_MAX];
    struct cell again;
    if ((cell->flags & CELL_SMALL) == 0 && cell->length > PLAIN_DIGITS) {
        struct arena *arena = arena_create(1024);
        size_t length = number_from_double(decimal_to_double(cell), digits);
        bool same = memchr(digits, 'e', length) != NULL &&
                    decimal_parse(digits, length, arena, &again) == STATUS_OK &&
                    decimal_compare(cell, &again) == 0;
        arena_destroy(arena);
        if (same) {
            buffer_append(out, digits, length);
            return;
        }
    }
    decimal_append(cell, out);
}

static enum status refuse_escape(struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL,
                     "a value of another database's own, which only that one understands");
}

static enum status append_bytes(const struct cell *cell, struct buffer *out, struct error *error)
{
    if (cell->length > REDIS_VALUE_BYTES_MAX) {
        return convert_refuse_large(cell->length, REDIS_VALUE_BYTES_MAX, error);
    }
    buffer_append(out, cell->bytes, cell->length);
    return STATUS_OK;
}

enum status redis_value_append(const struct cell *cell, struct buffer *out, struct error *error)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        return STATUS_END;
    case VALUE_BOOL:
        buffer_append_string(out, cell->i64 != 0 ? "true" : "false");
        return STATUS_OK;
    case VALUE_INT64:
        buffer_append_int64(out, cell->i64);
        return STATUS_OK;
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        append_number(cell, out);
        return STATUS_OK;
    case VALUE_DECIMAL:
        append_decimal(cell, out);
        return STATUS_OK;
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
        return append_bytes(cell, out, error);
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
        time_append(cell, out);
        return STATUS_OK;
    case VALUE_UUID:
        value_append_uuid(out, cell->bytes);
        return STATUS_OK;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return convert_append_json(cell, out, error);
    case VALUE_LARGE:
        return append_large(cell, out, error);
    default:
        return (cell->flags & CELL_ESCAPED_TEXT) != 0 ? append_bytes(cell, out, error)
                                                      : refuse_escape(error);
    }
}

/* ---------------------------------------------------------------- from bytes */

static bool is_same(const char *bytes, size_t length, const char *other, size_t other_length)
{
    return length == other_length && memcmp(bytes, other, length) == 0;
}

/* Is it just what that kind of number is written as? */
static bool read_whole(const char *bytes, size_t length, struct cell *cell)
{
    char digits[NUMBER_TEXT_MAX];
    int64_t whole = 0;
    uint64_t large = 0;
    if (text_to_int64(bytes, length, &whole) == STATUS_OK) {
        *cell = cell_int64(whole);
        return is_same(bytes, length, digits, number_from_int64(whole, digits));
    }
    if (text_to_uint64(bytes, length, &large) == STATUS_OK) {
        *cell = cell_uint64(large);
        return is_same(bytes, length, digits, number_from_uint64(large, digits));
    }
    return false;
}

static bool read_decimal(const char *bytes, size_t length, struct arena *arena, struct cell *cell)
{
    struct buffer digits = {0};
    if (decimal_parse(bytes, length, arena, cell) != STATUS_OK) {
        return false;
    }
    decimal_append(cell, &digits);
    bool same = is_same(bytes, length, digits.data, digits.length);
    buffer_free(&digits);
    return same;
}

static bool read_float(const char *bytes, size_t length, struct cell *cell)
{
    char digits[NUMBER_TEXT_MAX];
    double value = 0;
    if (number_to_double(bytes, length, &value) != STATUS_OK || value - value != 0) {
        return false;
    }
    *cell = cell_float64(value);
    return is_same(bytes, length, digits, number_from_double(value, digits));
}

static bool read_number(const char *bytes, size_t length, struct arena *arena, struct cell *cell)
{
    bool other = false;                                         /* beside digits and a sign */
    bool exponent = length == 2 && memcmp(bytes, "-0", 2) == 0; /* which only a float keeps */
    for (size_t at = 0; at < length; at++) {
        exponent = exponent || bytes[at] == 'e';
        other = other || bytes[at] == '.';
        if ((bytes[at] < '0' || bytes[at] > '9') && strchr("+-.e", bytes[at]) == NULL) {
            return false;
        }
    }
    return exponent                                    ? read_float(bytes, length, cell)
           : !other && read_whole(bytes, length, cell) ? true
                                                       : read_decimal(bytes, length, arena, cell);
}

void redis_value_read(const char *bytes, size_t length, struct arena *arena, struct cell *cell)
{
    bool may_be_number = length > 0 && length <= NUMBER_BYTES_MAX &&
                         (bytes[0] == '-' || (bytes[0] >= '0' && bytes[0] <= '9'));
    if (may_be_number && read_number(bytes, length, arena, cell)) {
        return;
    }
    *cell = text_is_utf8(bytes, length) ? cell_text(bytes, length) : cell_bytes(bytes, length);
}

/* ---------------------------------------------------------------- of a column */

/* Are the bytes no digits and yet a number's? */
static bool read_special(const char *bytes, size_t length, struct cell *cell)
{
    double value = 0;
    *cell = cell_float64(number_to_double(bytes, length, &value) == STATUS_OK ? value : 0);
    return length > 0 && value - value != 0;
}

/* A list, a set or a map of its JSON text. */
static bool read_nested(enum value_kind kind, const char *bytes, size_t length, struct arena *arena,
                        struct cell *cell)
{
    struct error ignored;
    if (convert_read_json(bytes, length, arena, cell, &ignored) != STATUS_OK) {
        return false;
    }
    if (kind == VALUE_SET && cell->kind == VALUE_LIST) {
        cell->kind = VALUE_SET;
    }
    return cell->kind == kind;
}

/* The value of that kind; false: the bytes are none. */
static bool read_kind(enum value_kind kind, const char *bytes, size_t length, struct arena *arena,
                      struct cell *cell)
{
    switch (kind) {
    case VALUE_BYTES:
        *cell = cell_bytes(bytes, length);
        return true;
    case VALUE_TEXT:
        *cell = cell_text(bytes, length);
        return text_is_utf8(bytes, length);
    case VALUE_JSON:
        *cell = cell_text(bytes, length);
        cell->kind = VALUE_JSON;
        return text_is_utf8(bytes, length);
    case VALUE_BOOL:
        *cell = cell_bool(length == 4);
        return is_same(bytes, length, "true", 4) || is_same(bytes, length, "false", 5);
    case VALUE_FLOAT64:
        return read_float(bytes, length, cell) || read_special(bytes, length, cell);
    case VALUE_DECIMAL:
        return read_special(bytes, length, cell);
    case VALUE_DATE:
        return time_parse_date(bytes, length, cell) == STATUS_OK;
    case VALUE_TIME:
        return time_parse_time(bytes, length, cell) == STATUS_OK;
    case VALUE_TIMESTAMP:
        return time_parse_timestamp(bytes, length, cell) == STATUS_OK;
    case VALUE_INTERVAL:
        return time_parse_interval(bytes, length, arena, cell) == STATUS_OK;
    case VALUE_UUID:
        return convert_read_uuid(bytes, length, arena, cell);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return read_nested(kind, bytes, length, arena, cell);
    default:
        return false;
    }
}

void redis_field_read(const struct redis_columns *columns, struct text name, const char *bytes,
                      size_t length, struct arena *arena, struct cell *cell)
{
    struct buffer again = {0};
    struct error ignored;
    uint32_t at = columns != NULL ? name_index_find(&columns->names, name.data, name.length)
                                  : NAME_INDEX_NONE;
    bool good = at != NAME_INDEX_NONE &&
                read_kind(columns->kinds[at], bytes, length, arena, cell) &&
                redis_value_append(cell, &again, &ignored) == STATUS_OK &&
                is_same(bytes, length, again.data, again.length);
    buffer_free(&again);
    if (!good) {
        redis_value_read(bytes, length, arena, cell);
    }
}

/* ---------------------------------------------------------------- JSON */

enum status redis_json_value_append(const struct cell *cell, struct buffer *out,
                                    struct error *error)
{
    struct cell whole = *cell;
    enum status status = STATUS_OK;
    if (cell->kind == VALUE_ESCAPE) {
        return refuse_escape(error);
    }
    struct arena *arena = arena_create(0);
    if (cell->kind == VALUE_LARGE) {
        status = convert_read_large(cell, REDIS_VALUE_BYTES_MAX, arena, &whole, error);
    } else if (cell->kind == VALUE_JSON) { /* one that is none would spoil the whole document */
        struct cell ignored;
        status = convert_read_json(cell->text, cell->length, arena, &ignored, error);
    }
    if (status == STATUS_OK && whole.kind == VALUE_BYTES) {
        buffer_append_string(out, "{\"" BYTES_MEMBER "\":");
        json_append_base64(out, whole.bytes, whole.length);
        buffer_append_byte(out, '}');
    } else if (status == STATUS_OK) {
        status = convert_append_json(&whole, out, error);
    }
    arena_destroy(arena);
    return status;
}

/* {"$bytes":"AP8="} is bytes again. */
static enum status read_bytes_member(const struct cell *member, struct arena *arena,
                                     struct cell *value, struct error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    if (json_decode_base64(member->text, member->length, arena, &bytes, &count, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    *value = cell_bytes(bytes, count);
    return STATUS_OK;
}

enum status redis_json_bytes(struct cell *value, struct arena *arena, struct error *error)
{
    const struct cell *member =
        value->kind == VALUE_MAP && value->length == 1 ? value_field(value, BYTES_MEMBER) : NULL;
    return member != NULL && member->kind == VALUE_TEXT
               ? read_bytes_member(member, arena, value, error)
               : STATUS_OK;
}

enum status redis_json_append(const struct shape *shape, const struct cell *cells,
                              struct buffer *out, struct error *error)
{
    uint32_t count = shape != NULL ? shape->field_count : cells->length;
    enum status status = STATUS_OK;
    buffer_append_byte(out, '{');
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const struct cell *pair = shape != NULL ? NULL : &cells->items[2 * (size_t)at];
        const struct cell *value = shape != NULL ? &cells[at] : pair + 1;
        if (value->kind == VALUE_MISSING) {
            continue;
        }
        if (buffer_last(out) != '{') {
            buffer_append_byte(out, ',');
        }
        json_append_string(out, shape != NULL ? shape->fields[at].name : pair->text,
                           shape != NULL ? shape->fields[at].name_length : pair->length);
        buffer_append_byte(out, ':');
        status = redis_json_value_append(value, out, error);
    }
    buffer_append_byte(out, '}');
    if (status == STATUS_OK && out->length > REDIS_VALUE_BYTES_MAX) {
        status = convert_refuse_large(out->length, REDIS_VALUE_BYTES_MAX, error);
    }
    return status;
}

/* ---------------------------------------------------------------- normal form */

static enum status copy_of(const struct buffer *text, struct arena *arena, const char **copy,
                           struct error *error)
{
    *copy = arena_try_copy(arena, text->data, text->length);
    return *copy != NULL
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, NULL, "no memory for the normal form of a value");
}

enum status redis_normal_form(struct database *database, const struct cell *cell,
                              struct arena *arena, struct cell *normal, struct error *error)
{
    bool json = redis_of(database)->form == REDIS_JSON;
    struct buffer text = {0};
    const char *copy = NULL;
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        *normal = json ? *cell : cell_null();
        return STATUS_OK;
    }
    enum status status =
        json ? redis_json_value_append(cell, &text, error) : redis_value_append(cell, &text, error);
    status = status == STATUS_OK ? copy_of(&text, arena, &copy, error) : status;
    if (status == STATUS_OK && json) {
        status = convert_read_json(copy, text.length, arena, normal, error);
        status = status == STATUS_OK ? redis_json_bytes(normal, arena, error) : status;
    } else if (status == STATUS_OK) {
        redis_value_read(copy, text.length, arena, normal);
    }
    buffer_free(&text);
    return status;
}
