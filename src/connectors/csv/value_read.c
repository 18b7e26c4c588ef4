/* Fields to cells, by the column's type. */
#include "connectors/csv/value.h"

#include "base/text.h"
#include "connectors/csv/infer.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/json_reader.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SMALL_DIGITS_MAX = 18, SHOWN_BYTES_MAX = 48 };

static enum status value_read_refuse(const char *text, size_t length, const char *what,
                                     struct error *error)
{
    char shown[SHOWN_BYTES_MAX * 2];
    text_printable(text, length < SHOWN_BYTES_MAX ? length : SHOWN_BYTES_MAX, shown, sizeof shown);
    return error_set(error, ERROR_REJECT_TYPE, NULL, "\"%s\" is no %s", shown, what);
}

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a value");
}

/* ---------------------------------------------------------------- numbers */

/* -?digits[.digits] of at most 18 digits; false: something else. */
static inline bool read_small(const char *text, size_t length, int64_t *value, uint32_t *scale)
{
    const char *at = text;
    const char *end = text + length;
    const char *point = NULL;
    uint64_t digits = 0;
    bool negative = length > 0 && *at == '-';
    at += negative;
    if (end - at > SMALL_DIGITS_MAX + 1 || at == end) {
        return false;
    }
    for (; at < end; at++) {
        unsigned digit = (unsigned char)*at - (unsigned)'0';
        if (digit < 10) {
            digits = digits * 10 + digit;
        } else if (*at == '.' && point == NULL && at > text + negative && at + 1 < end) {
            point = at + 1;
        } else {
            return false;
        }
    }
    if (point == NULL && end - text - negative > SMALL_DIGITS_MAX) {
        return false;
    }
    *scale = point != NULL ? (uint32_t)(end - point) : 0;
    *value = negative ? -(int64_t)digits : (int64_t)digits;
    return true;
}

static enum status read_int64(const char *text, size_t length, struct cell *cell,
                              struct error *error)
{
    int64_t value = 0;
    uint32_t scale = 0;
    if (read_small(text, length, &value, &scale) && scale == 0) {
        *cell = cell_int64(value);
        return STATUS_OK;
    }
    size_t plus = length > 1 && text[0] == '+' && text[1] != '-';
    if (text_to_int64(text + plus, length - plus, &value) != STATUS_OK) {
        return value_read_refuse(text, length, "whole number of 64 bits", error);
    }
    *cell = cell_int64(value);
    return STATUS_OK;
}

static enum status read_uint64(const char *text, size_t length, struct cell *cell,
                               struct error *error)
{
    uint64_t value = 0;
    size_t plus = length > 1 && text[0] == '+' && text[1] != '-';
    if (text_to_uint64(text + plus, length - plus, &value) != STATUS_OK) {
        return value_read_refuse(text, length, "whole number of 64 bits without sign", error);
    }
    *cell = cell_uint64(value);
    return STATUS_OK;
}

static enum status read_float(const struct value_type *type, const char *text, size_t length,
                              struct cell *cell, struct error *error)
{
    double value = 0;
    if (number_to_double(text, length, &value) != STATUS_OK) {
        return value_read_refuse(text, length, "number", error);
    }
    bool infinite =
        isinf(value) && memchr(text, 'f', length) == NULL && memchr(text, 'F', length) == NULL;
    if (type->kind == VALUE_FLOAT32) {
        value = (double)(float)value;
        infinite = infinite || (isinf(value) && memchr(text, 'f', length) == NULL &&
                                memchr(text, 'F', length) == NULL);
    }
    if (infinite) {
        return error_set(error, ERROR_REJECT_NUMBER, NULL, "%.*s is beyond the largest float",
                         (int)(length < SHOWN_BYTES_MAX ? length : SHOWN_BYTES_MAX), text);
    }
    *cell = cell_float64(value);
    cell->kind = (uint8_t)type->kind;
    return STATUS_OK;
}

/* Digits beyond the declared scale and precision are refused, zeros behind the point are not. */
static enum status check_decimal(const struct value_type *type, const struct cell *cell,
                                 const char *text, size_t length, struct error *error)
{
    int64_t digits = 0;
    int64_t exponent = 0;
    if (type->precision <= 0 || type->dynamic || !decimal_measure(cell, &digits, &exponent) ||
        digits == 0) {
        return STATUS_OK;
    }
    bool fits = digits - 1 - exponent <= type->scale && exponent < type->precision - type->scale;
    char what[64];
    if (fits) {
        return STATUS_OK;
    }
    snprintf(what, sizeof what, "decimal(%d,%d)", type->precision, type->scale);
    return value_read_refuse(text, length, what, error);
}

static enum status read_decimal(const struct value_type *type, const char *text, size_t length,
                                struct arena *arena, struct cell *cell, struct error *error)
{
    int64_t value = 0;
    uint32_t scale = 0;
    if (read_small(text, length, &value, &scale)) {
        *cell = (struct cell){
            .kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = (uint16_t)scale, .i64 = value};
        int32_t whole = (int32_t)(length - (scale > 0 ? scale + 1 : 0) - (text[0] == '-'));
        bool fits = (int32_t)scale <= type->scale && whole <= type->precision - type->scale;
        return fits ? STATUS_OK : check_decimal(type, cell, text, length, error);
    }
    enum status status = decimal_parse(text, length, arena, cell);
    if (status != STATUS_OK) {
        return status == STATUS_END ? value_read_refuse(text, length, "decimal number", error)
                                    : no_memory(error);
    }
    return check_decimal(type, cell, text, length, error);
}

/* ---------------------------------------------------------------- other kinds */

static bool is_one_of(const char *text, size_t length, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strlen(*words) == length && strncasecmp(*words, text, length) == 0) {
            return true;
        }
    }
    return false;
}

static enum status read_bool(const char *text, size_t length, struct cell *cell,
                             struct error *error)
{
    static const char *const yes[] = {"true", "t", "1", NULL};
    static const char *const no[] = {"false", "f", "0", NULL};
    bool is_true = is_one_of(text, length, yes);
    if (!is_true && !is_one_of(text, length, no)) {
        return value_read_refuse(text, length, "boolean (true, false, t, f, 1, 0)", error);
    }
    *cell = cell_bool(is_true);
    return STATUS_OK;
}

static int digit_of_hex(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static enum status read_hex(const char *text, size_t length, struct arena *arena, struct cell *cell,
                            struct error *error)
{
    if (length < 2 || length % 2 != 0 || text[0] != '\\' || text[1] != 'x') {
        return value_read_refuse(text, length, "run of bytes (\\x and hex digits)", error);
    }
    size_t count = length / 2 - 1;
    uint8_t *bytes = arena_try_allocate(arena, count);
    if (bytes == NULL) {
        return no_memory(error);
    }
    for (size_t at = 0; at < count; at++) {
        int high = digit_of_hex(text[2 + 2 * at]);
        int low = digit_of_hex(text[3 + 2 * at]);
        if (high < 0 || low < 0) {
            return value_read_refuse(text, length, "run of bytes (\\x and hex digits)", error);
        }
        bytes[at] = (uint8_t)(high << 4 | low);
    }
    *cell = cell_bytes(bytes, count);
    return STATUS_OK;
}

static enum status read_bytes(const struct csv_dialect *dialect, const char *text, size_t length,
                              struct arena *arena, struct cell *cell, struct error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    /* base64 has no backslash, and a column of any kind is written in hex whatever the dialect */
    bool is_hex = length >= 2 && text[0] == '\\' && text[1] == 'x';
    if (dialect->bytes_form == CSV_BYTES_HEX || is_hex) {
        return read_hex(text, length, arena, cell, error);
    }
    if (json_decode_base64(text, length, arena, &bytes, &count, error) != STATUS_OK) {
        return error != NULL && error->class != ERROR_CLASS_REJECT
                   ? STATUS_FAILED
                   : value_read_refuse(text, length, "run of bytes in base64", error);
    }
    *cell = cell_bytes(bytes, count);
    return STATUS_OK;
}

static enum status read_time(const struct value_type *type, const char *text, size_t length,
                             struct arena *arena, struct cell *cell, struct error *error)
{
    switch (type->kind) {
    case VALUE_DATE:
        return time_parse_date(text, length, cell) == STATUS_OK
                   ? STATUS_OK
                   : value_read_refuse(text, length, "date (2024-02-29)", error);
    case VALUE_TIME:
        return time_parse_time(text, length, cell) == STATUS_OK
                   ? STATUS_OK
                   : value_read_refuse(text, length, "time of day (23:59:59)", error);
    case VALUE_TIMESTAMP:
        return time_parse_timestamp(text, length, cell) == STATUS_OK
                   ? STATUS_OK
                   : value_read_refuse(text, length, "timestamp (2024-02-29T23:59:59)", error);
    default:
        return time_parse_interval(text, length, arena, cell) == STATUS_OK
                   ? STATUS_OK
                   : value_read_refuse(text, length, "interval (P1DT2H)", error);
    }
}

static enum status read_json(const struct value_type *type, const char *text, size_t length,
                             struct arena *arena, struct cell *cell, struct error *error)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    if (type->kind != VALUE_JSON) {
        return convert_read_json(text, length, arena, cell, error);
    }
    json_reader_init(&reader, text, length, JSON_DEPTH_MAX, arena);
    do {
        if (json_reader_next(&reader, &token, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } while (token != JSON_TOKEN_END);
    *cell = cell_text(text, length);
    cell->kind = VALUE_JSON;
    return STATUS_OK;
}

static enum status read_text(const char *text, size_t length, bool is_utf8, struct cell *cell,
                             struct error *error)
{
    if (!is_utf8 && !text_is_utf8(text, length)) {
        char shown[SHOWN_BYTES_MAX * 2];
        text_printable(text, length < SHOWN_BYTES_MAX ? length : SHOWN_BYTES_MAX, shown,
                       sizeof shown);
        return error_set(error, ERROR_REJECT_TEXT, NULL, "\"%s\" is not valid in the encoding",
                         shown);
    }
    *cell = cell_text(text, length);
    return STATUS_OK;
}

static enum status read_typed(const struct csv_dialect *dialect, const struct value_type *type,
                              const char *text, size_t length, bool is_utf8, struct arena *arena,
                              struct cell *cell, struct error *error)
{
    switch (type->kind) {
    case VALUE_BOOL:
        return read_bool(text, length, cell, error);
    case VALUE_INT64:
        return read_int64(text, length, cell, error);
    case VALUE_UINT64:
        return read_uint64(text, length, cell, error);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return read_float(type, text, length, cell, error);
    case VALUE_DECIMAL:
        return read_decimal(type, text, length, arena, cell, error);
    case VALUE_BYTES:
        return read_bytes(dialect, text, length, arena, cell, error);
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
        return read_time(type, text, length, arena, cell, error);
    case VALUE_UUID:
        return convert_read_uuid(text, length, arena, cell)
                   ? STATUS_OK
                   : value_read_refuse(text, length, "UUID", error);
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return read_json(type, text, length, arena, cell, error);
    default:
        return read_text(text, length, is_utf8, cell, error);
    }
}

bool csv_value_is_truth(const char *text, size_t length)
{
    return (length == 4 && memcmp(text, "true", 4) == 0) ||
           (length == 5 && memcmp(text, "false", 5) == 0);
}

/* An unquoted field of a dynamic column that is not of the column's kind. */
static enum status read_dynamic(const char *text, size_t length, bool is_utf8, struct arena *arena,
                                struct cell *cell, struct error *error)
{
    static const struct value_type decimal = {.kind = VALUE_DECIMAL};
    static const struct value_type real = {.kind = VALUE_FLOAT64};
    uint32_t digits = 0;
    uint32_t scale = 0;
    bool inexact = false;
    if (length >= 2 && text[0] == '\\' && text[1] == 'x' &&
        read_hex(text, length, arena, cell, error) == STATUS_OK) {
        return STATUS_OK;
    }
    if (csv_value_is_truth(text, length)) {
        *cell = cell_bool(text[0] == 't');
        return STATUS_OK;
    }
    switch (csv_infer_class(text, length, &digits, &scale, &inexact)) {
    case CSV_CLASS_WHOLE:
        return read_int64(text, length, cell, error);
    case CSV_CLASS_WIDE_WHOLE:
    case CSV_CLASS_FRACTION:
        return read_decimal(&decimal, text, length, arena, cell, error);
    case CSV_CLASS_FLOAT:
    case CSV_CLASS_FLOAT_WORD:
        return read_float(&real, text, length, cell, error);
    default:
        break;
    }
    return read_text(text, length, is_utf8, cell, error);
}

/* Kinds that read_dynamic finds by themselves: 1 is a number in a column of truths, too. */
static bool is_told_by_grammar(enum value_kind kind)
{
    return kind == VALUE_BOOL || kind == VALUE_TEXT || kind == VALUE_BYTES || kind == VALUE_INT64 ||
           kind == VALUE_UINT64 || kind == VALUE_DECIMAL;
}

enum status csv_value_read(const struct csv_dialect *dialect, const struct value_type *type,
                           const char *text, size_t length, bool quoted, bool is_utf8,
                           struct arena *arena, struct cell *cell, struct error *error)
{
    if (!type->dynamic) {
        return read_typed(dialect, type, text, length, is_utf8, arena, cell, error);
    }
    if (quoted) {
        return read_text(text, length, is_utf8, cell, error);
    }
    int64_t value = 0;
    uint32_t scale = 0;
    bool decimal = type->kind == VALUE_DECIMAL;
    if ((decimal || type->kind == VALUE_INT64) && read_small(text, length, &value, &scale)) {
        bool whole = scale == 0 && !decimal;
        *cell = whole ? cell_int64(value)
                      : (struct cell){.kind = VALUE_DECIMAL,
                                      .flags = CELL_SMALL,
                                      .aux = (uint16_t)scale,
                                      .i64 = value};
        return STATUS_OK;
    }
    struct error ignored;
    if (!is_told_by_grammar(type->kind) &&
        read_typed(dialect, type, text, length, is_utf8, arena, cell, &ignored) == STATUS_OK) {
        return STATUS_OK;
    }
    return read_dynamic(text, length, is_utf8, arena, cell, error);
}
