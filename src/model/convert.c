/* Conversions of single values: one function for each kind that is converted to. */
#include "model/convert.h"

#include "base/buffer.h"
#include "base/text.h"
#include "model/canonical.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define US_PER_DAY INT64_C(86400000000)

struct conversion {
    const struct value_type *to;
    bool allow_loss;
    struct arena *arena;
    struct error *error;
};

static enum status refuse(const struct conversion *conversion, const struct cell *from,
                          enum error_code code, const char *why)
{
    if (conversion->error == NULL) {
        return STATUS_FAILED;
    }
    enum { SHOWN_BYTES = 60 };
    struct buffer shown = {0};
    value_print(from, SHOWN_BYTES, &shown);
    error_set(conversion->error, code, NULL, "%s %s can't become %s: %s",
              value_kind_name((enum value_kind)from->kind), buffer_string(&shown),
              value_kind_name(conversion->to->kind), why);
    buffer_free(&shown);
    return STATUS_FAILED;
}

static enum status refuse_kind(const struct conversion *conversion, const struct cell *from)
{
    return refuse(conversion, from, ERROR_REJECT_TYPE, "there is no such conversion");
}

static enum status no_memory(const struct conversion *conversion)
{
    return error_set(conversion->error, ERROR_MEMORY, NULL, "no memory to convert a value");
}

static const char not_a_number[] = "it is not a number";
static const char out_of_range[] = "it is out of range";
static const char not_whole[] = "it is not a whole number";
static const char would_round[] = "its digits would be rounded";

/* A decimal of a number's text; FAILED (and said why) if it is none. */
static enum status decimal_of_text(const struct conversion *conversion, const struct cell *from,
                                   struct cell *decimal)
{
    double ignored;
    if (decimal_parse(from->text, from->length, conversion->arena, decimal) == STATUS_OK) {
        return STATUS_OK;
    }
    if (number_to_double(from->text, from->length, &ignored) != STATUS_OK) {
        return refuse(conversion, from, ERROR_REJECT_TYPE, not_a_number);
    }
    if (!decimal_has_room(from->length, conversion->arena)) {
        return no_memory(conversion);
    }
    return refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
}

/* A FLOAT32's digits are those of the float, not of the double that holds it. */
static enum status decimal_of_float(const struct conversion *conversion, const struct cell *from,
                                    struct cell *decimal)
{
    enum status status;
    if (from->kind == VALUE_FLOAT32) {
        char text[NUMBER_TEXT_MAX];
        size_t length = number_from_float32((float)from->f64, text);
        status = decimal_parse(text, length, conversion->arena, decimal);
    } else {
        status = decimal_from_double(from->f64, conversion->arena, decimal);
    }
    return status == STATUS_OK ? STATUS_OK : no_memory(conversion);
}

/* --- to BOOL --- */

static int bool_of_text(const char *text, size_t length)
{
    static const char *const words[] = {"false", "true", "f", "t", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == length && strncasecmp(text, words[i], length) == 0) {
            return (int)(i % 2);
        }
    }
    return -1;
}

static enum status to_bool(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    int is_true = 0;
    int is_exact = 1;
    switch ((enum value_kind)from->kind) {
    case VALUE_BOOL:
        is_true = from->i64 != 0;
        break;
    case VALUE_INT64:
    case VALUE_UINT64:
        is_true = from->u64 != 0;
        is_exact = from->u64 <= 1;
        break;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        is_true = from->f64 != 0;
        is_exact = from->f64 == 0 || from->f64 == 1;
        break;
    case VALUE_DECIMAL: {
        int64_t whole;
        is_exact = decimal_to_int64(from, &whole) == STATUS_OK && (whole == 0 || whole == 1);
        is_true = !is_exact || whole != 0;
        break;
    }
    case VALUE_TEXT:
        is_true = bool_of_text(from->text, from->length);
        if (is_true < 0) {
            return refuse(conversion, from, ERROR_REJECT_TYPE, "it is neither true nor false");
        }
        break;
    default:
        return refuse_kind(conversion, from);
    }
    if (!is_exact && !conversion->allow_loss) {
        return refuse(conversion, from, ERROR_REJECT_NUMBER, "it is neither 0 nor 1");
    }
    *result = cell_bool(is_true);
    return STATUS_OK;
}

/* --- to INT64 and UINT64 --- */

static enum status whole_of_decimal(const struct conversion *conversion, const struct cell *from,
                                    const struct cell *decimal, struct cell *result)
{
    struct cell whole;
    int exact;
    if (decimal_special(decimal) != 0) {
        return refuse(conversion, from, ERROR_REJECT_NUMBER, not_whole);
    }
    if (decimal_rescale(decimal, 0, conversion->arena, &whole, &exact) != STATUS_OK) {
        return no_memory(conversion);
    }
    if (!exact && !conversion->allow_loss) {
        return refuse(conversion, from, ERROR_REJECT_NUMBER, not_whole);
    }
    int64_t number = 0;
    uint64_t large = 0;
    int is_signed = conversion->to->kind == VALUE_INT64;
    if ((is_signed ? decimal_to_int64(&whole, &number) : decimal_to_uint64(&whole, &large)) !=
        STATUS_OK) {
        return refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
    }
    *result = is_signed ? cell_int64(number) : cell_uint64(large);
    return STATUS_OK;
}

static enum status whole_of_float(const struct conversion *conversion, const struct cell *from,
                                  struct cell *result)
{
    double rounded = nearbyint(from->f64);
    if (isnan(rounded) || (rounded != from->f64 && !conversion->allow_loss)) {
        return refuse(conversion, from, ERROR_REJECT_NUMBER, not_whole);
    }
    if (conversion->to->kind == VALUE_INT64 && rounded >= -0x1p63 && rounded < 0x1p63) {
        *result = cell_int64((int64_t)rounded);
    } else if (conversion->to->kind == VALUE_UINT64 && rounded >= 0 && rounded < 0x1p64) {
        *result = cell_uint64((uint64_t)rounded);
    } else {
        return refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
    }
    return STATUS_OK;
}

static enum status to_whole(const struct conversion *conversion, const struct cell *from,
                            struct cell *result)
{
    int is_signed = conversion->to->kind == VALUE_INT64;
    struct cell decimal;
    switch ((enum value_kind)from->kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
        /* as 64 bits: each has a half that the other does not hold */
        if (from->kind != conversion->to->kind && from->u64 > INT64_MAX) {
            return refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
        }
        *result = is_signed ? cell_int64(from->i64) : cell_uint64(from->u64);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return whole_of_float(conversion, from, result);
    case VALUE_DECIMAL:
        return whole_of_decimal(conversion, from, from, result);
    case VALUE_TEXT:
        if (decimal_of_text(conversion, from, &decimal) != STATUS_OK) {
            return STATUS_FAILED;
        }
        return whole_of_decimal(conversion, from, &decimal, result);
    default:
        return refuse_kind(conversion, from);
    }
}

/* --- to FLOAT64 and FLOAT32 --- */

static struct cell float_cell(const struct conversion *conversion, double value)
{
    return (struct cell){.kind = (uint8_t)conversion->to->kind, .f64 = value};
}

/* Where `value` is the float nearest to `decimal`: are its shortest digits that decimal? */
static enum status float_of_decimal(const struct conversion *conversion, const struct cell *from,
                                    const struct cell *decimal, double value, struct cell *result)
{
    int is_single = conversion->to->kind == VALUE_FLOAT32;
    if (is_single) {
        value = (double)(float)value;
    }
    *result = float_cell(conversion, value);
    if (decimal_special(decimal) != 0) {
        return STATUS_OK;
    }
    if (isinf(value)) {
        return refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
    }
    int64_t digits;
    int64_t exponent;
    decimal_measure(decimal, &digits, &exponent);
    int is_short = is_single ? digits <= 6 && exponent > -38 && exponent < 38
                             : digits <= 15 && exponent > -308 && exponent < 308;
    if (is_short || digits == 0 || conversion->allow_loss) {
        return STATUS_OK;
    }
    struct cell back;
    if (decimal_of_float(conversion, result, &back) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return decimal_compare(&back, decimal) == 0
               ? STATUS_OK
               : refuse(conversion, from, ERROR_REJECT_NUMBER, would_round);
}

static enum status float_of_text(const struct conversion *conversion, const struct cell *from,
                                 struct cell *result)
{
    double value;
    struct cell decimal;
    if (decimal_of_text(conversion, from, &decimal) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (number_to_double(from->text, from->length, &value) != STATUS_OK) {
        return refuse(conversion, from, ERROR_REJECT_TYPE, not_a_number);
    }
    return float_of_decimal(conversion, from, &decimal, value, result);
}

static enum status float_of_whole(const struct conversion *conversion, const struct cell *from,
                                  struct cell *result)
{
    int is_unsigned = from->kind == VALUE_UINT64;
    double value = is_unsigned ? (double)from->u64 : (double)from->i64;
    if (conversion->to->kind == VALUE_FLOAT32) {
        value = is_unsigned ? (double)(float)from->u64 : (double)(float)from->i64;
    }
    /* 2^63 and 2^64 are what the largest numbers are rounded to */
    int is_exact = is_unsigned ? value < 0x1p64 && (uint64_t)value == from->u64
                               : value < 0x1p63 && (int64_t)value == from->i64;
    if (!is_exact && !conversion->allow_loss) {
        return refuse(conversion, from, ERROR_REJECT_NUMBER, would_round);
    }
    *result = float_cell(conversion, value);
    return STATUS_OK;
}

static enum status to_float(const struct conversion *conversion, const struct cell *from,
                            struct cell *result)
{
    switch ((enum value_kind)from->kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
        return float_of_whole(conversion, from, result);
    case VALUE_FLOAT32:
        *result = float_cell(conversion, from->f64);
        return STATUS_OK;
    case VALUE_FLOAT64: {
        double value = from->f64;
        if (conversion->to->kind == VALUE_FLOAT32 && !isnan(value)) {
            value = (double)(float)value;
            if (isinf(value) && !isinf(from->f64)) {
                return refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
            }
            if (value != from->f64 && !conversion->allow_loss) {
                return refuse(conversion, from, ERROR_REJECT_NUMBER, would_round);
            }
        }
        *result = float_cell(conversion, value);
        return STATUS_OK;
    }
    case VALUE_DECIMAL:
        return float_of_decimal(conversion, from, from, decimal_to_double(from), result);
    case VALUE_TEXT:
        return float_of_text(conversion, from, result);
    default:
        return refuse_kind(conversion, from);
    }
}

/* --- to DECIMAL --- */

/* Fits `decimal` into the precision and scale wanted. */
static enum status fit_decimal(const struct conversion *conversion, const struct cell *from,
                               const struct cell *decimal, struct cell *result)
{
    const struct value_type *to = conversion->to;
    *result = *decimal;
    if (to->precision <= 0 || to->dynamic || decimal_special(decimal) != 0) {
        return STATUS_OK;
    }
    int exact;
    uint32_t scale = to->scale > 0 ? (uint32_t)to->scale : 0;
    struct cell fitted;
    if (decimal_rescale(decimal, scale, conversion->arena, &fitted, &exact) != STATUS_OK) {
        return no_memory(conversion);
    }
    if (!exact && !conversion->allow_loss) {
        return refuse(conversion, from, ERROR_REJECT_NUMBER,
                      "it has more digits after the point than the type");
    }
    int64_t digits;
    int64_t exponent;
    decimal_measure(&fitted, &digits, &exponent);
    if (digits > 0 && exponent >= to->precision - to->scale) {
        return refuse(conversion, from, ERROR_REJECT_NUMBER,
                      "it has more digits before the point than the type");
    }
    *result = fitted;
    return STATUS_OK;
}

static enum status to_decimal(const struct conversion *conversion, const struct cell *from,
                              struct cell *result)
{
    struct cell decimal;
    enum status status;
    switch ((enum value_kind)from->kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
        status = decimal_from_int64(from->i64, conversion->arena, &decimal);
        break;
    case VALUE_UINT64:
        status = decimal_from_uint64(from->u64, conversion->arena, &decimal);
        break;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        status = decimal_of_float(conversion, from, &decimal);
        break;
    case VALUE_DECIMAL:
        return fit_decimal(conversion, from, from, result);
    case VALUE_TEXT:
        if (decimal_of_text(conversion, from, &decimal) != STATUS_OK) {
            return STATUS_FAILED;
        }
        status = STATUS_OK;
        break;
    default:
        return refuse_kind(conversion, from);
    }
    return status == STATUS_OK ? fit_decimal(conversion, from, &decimal, result)
                               : no_memory(conversion);
}

/* --- to TEXT, BYTES and JSON --- */

/* The first `limit` characters of UTF-8 text, in bytes; `length` if there are no more than that. */
static size_t clip_characters(const char *text, size_t length, size_t limit)
{
    size_t position = 0;
    if (length <= limit) {
        return length;
    }
    for (size_t characters = 0; position < length; position++) {
        if (((uint8_t)text[position] & 0xC0) != 0x80 && characters++ == limit) {
            break;
        }
    }
    return position;
}

/* Holds a TEXT or BYTES result to its length limit. */
static enum status fit_length(const struct conversion *conversion, const struct cell *from,
                              struct cell *result)
{
    const struct value_type *to = conversion->to;
    if (to->precision <= 0 || to->dynamic) {
        return STATUS_OK;
    }
    size_t limit = (size_t)to->precision;
    size_t length = to->kind == VALUE_TEXT   ? clip_characters(result->text, result->length, limit)
                    : result->length < limit ? result->length
                                             : limit;
    if (length < result->length && !conversion->allow_loss) {
        return refuse(conversion, from, ERROR_REJECT_TYPE, "it is longer than the type");
    }
    result->length = (uint32_t)length;
    return STATUS_OK;
}

/* Each byte that is no part of UTF-8 becomes U+FFFD. */
static enum status replace_invalid(const struct conversion *conversion, const struct cell *from,
                                   struct cell *result)
{
    struct buffer text = {0};
    const char *position = from->text;
    const char *end = position + from->length;
    while (position < end) {
        size_t length = 1;
        if ((uint8_t)*position >= 0x80) {
            for (length = 2; length <= 4 && length <= (size_t)(end - position) &&
                             !text_is_utf8(position, length);) {
                length++;
            }
            if (length > 4 || length > (size_t)(end - position)) {
                buffer_append(&text, "\xEF\xBF\xBD", 3);
                position++;
                continue;
            }
        }
        buffer_append(&text, position, length);
        position += length;
    }
    char *copy = text.failed || text.length > UINT32_MAX
                     ? NULL
                     : arena_copy(conversion->arena, text.data, text.length);
    if (copy != NULL) {
        *result = cell_text(copy, text.length);
    }
    buffer_free(&text);
    return copy == NULL ? no_memory(conversion) : STATUS_OK;
}

/* Numbers, times and the like: by convert_append_text or convert_append_json. */
static enum status write_text(const struct conversion *conversion, const struct cell *from,
                              bool as_json, struct cell *result)
{
    struct buffer text = {0};
    enum status status = as_json ? convert_append_json(from, &text, conversion->error)
                                 : convert_append_text(from, false, &text, conversion->error);
    if (status == STATUS_OK && text.length > UINT32_MAX) {
        status = refuse(conversion, from, ERROR_REJECT_TOO_LARGE, "its text is above 4 GiB");
    }
    if (status == STATUS_OK) {
        char *copy = arena_copy(conversion->arena, text.data, text.length);
        if (copy == NULL) {
            status = no_memory(conversion);
        } else {
            *result = cell_text(copy, text.length);
            result->kind = as_json ? VALUE_JSON : VALUE_TEXT;
        }
    }
    buffer_free(&text);
    return status;
}

static enum status to_text(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    enum status status = STATUS_OK;
    switch ((enum value_kind)from->kind) {
    case VALUE_TEXT:
        *result = *from;
        break;
    case VALUE_JSON:
        *result = cell_text(from->text, from->length);
        break;
    case VALUE_BYTES:
        if (!text_is_utf8(from->bytes, from->length)) {
            return refuse(conversion, from, ERROR_REJECT_TEXT, "it is not UTF-8");
        }
        *result = cell_text(from->text, from->length);
        break;
    case VALUE_LARGE:
        return refuse_kind(conversion, from);
    case VALUE_ESCAPE:
        if ((from->flags & CELL_ESCAPED_TEXT) == 0 || !conversion->allow_loss) {
            return refuse(conversion, from, ERROR_REJECT_TEXT, "it is not UTF-8");
        }
        status = replace_invalid(conversion, from, result);
        break;
    default:
        status = write_text(conversion, from, false, result);
        break;
    }
    return status == STATUS_OK ? fit_length(conversion, from, result) : status;
}

static enum status to_bytes(const struct conversion *conversion, const struct cell *from,
                            struct cell *result)
{
    switch ((enum value_kind)from->kind) {
    case VALUE_BYTES:
    case VALUE_TEXT:
    case VALUE_JSON:
        *result = cell_bytes(from->bytes, from->length);
        break;
    case VALUE_UUID:
        *result = cell_bytes(from->bytes, 16);
        break;
    case VALUE_ESCAPE:
        if ((from->flags & CELL_ESCAPED_TEXT) == 0) {
            return refuse_kind(conversion, from);
        }
        *result = cell_bytes(from->bytes, from->length);
        break;
    default:
        return refuse_kind(conversion, from);
    }
    return fit_length(conversion, from, result);
}

static enum status to_json(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    switch ((enum value_kind)from->kind) {
    case VALUE_JSON:
        *result = *from;
        return STATUS_OK;
    case VALUE_LARGE:
    case VALUE_ESCAPE:
        return refuse_kind(conversion, from);
    default:
        return write_text(conversion, from, true, result);
    }
}

/* --- to DATE, TIME, TIMESTAMP, INTERVAL and UUID --- */

/* The days and the µs of the day of a timestamp. */
static int64_t split_timestamp(int64_t us, int64_t *us_of_day)
{
    int64_t days = us / US_PER_DAY;
    *us_of_day = us % US_PER_DAY;
    if (*us_of_day < 0) {
        *us_of_day += US_PER_DAY;
        days--;
    }
    return days;
}

static enum status to_date(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    switch ((enum value_kind)from->kind) {
    case VALUE_DATE:
        *result = *from;
        return STATUS_OK;
    case VALUE_TIMESTAMP: {
        int64_t us;
        int64_t days = split_timestamp(from->i64, &us);
        if ((from->flags & CELL_SPECIAL) != 0) {
            days = from->i64;
        } else if ((us != 0 || from->aux != 0 || (from->flags & CELL_ZONED) != 0) &&
                   !conversion->allow_loss) {
            return refuse(conversion, from, ERROR_REJECT_TYPE, "its time would be lost");
        }
        *result =
            (struct cell){.kind = VALUE_DATE, .flags = from->flags & CELL_SPECIAL, .i64 = days};
        return STATUS_OK;
    }
    case VALUE_TEXT:
        return time_parse_date(from->text, from->length, result) == STATUS_OK
                   ? STATUS_OK
                   : refuse(conversion, from, ERROR_REJECT_TYPE, "it is not an ISO date");
    default:
        return refuse_kind(conversion, from);
    }
}

static enum status to_time(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    switch ((enum value_kind)from->kind) {
    case VALUE_TIME:
        *result = *from;
        break;
    case VALUE_TIMESTAMP: {
        if ((from->flags & CELL_SPECIAL) != 0 || !conversion->allow_loss) {
            return refuse(conversion, from, ERROR_REJECT_TYPE, "its date would be lost");
        }
        int64_t us;
        split_timestamp(from->i64, &us);
        *result = (struct cell){
            .kind = VALUE_TIME, .flags = from->flags & CELL_ZONED, .i64 = us * 1000 + from->aux};
        break;
    }
    case VALUE_TEXT:
        if (time_parse_time(from->text, from->length, result) != STATUS_OK) {
            return refuse(conversion, from, ERROR_REJECT_TYPE, "it is not an ISO time");
        }
        break;
    default:
        return refuse_kind(conversion, from);
    }
    bool zoned = (result->flags & CELL_ZONED) != 0;
    if (zoned != conversion->to->zoned && !conversion->to->dynamic) {
        if (!conversion->allow_loss) {
            return refuse(conversion, from, ERROR_REJECT_TYPE,
                          zoned ? "its offset would be lost" : "it has no offset");
        }
        result->flags ^= CELL_ZONED;
        result->length = 0;
    }
    return STATUS_OK;
}

static enum status to_timestamp(const struct conversion *conversion, const struct cell *from,
                                struct cell *result)
{
    switch ((enum value_kind)from->kind) {
    case VALUE_TIMESTAMP:
        *result = *from;
        break;
    case VALUE_DATE:
        *result = (struct cell){
            .kind = VALUE_TIMESTAMP, .flags = from->flags & CELL_SPECIAL, .i64 = from->i64};
        if ((from->flags & CELL_SPECIAL) == 0 &&
            __builtin_mul_overflow(from->i64, US_PER_DAY, &result->i64)) {
            return refuse(conversion, from, ERROR_REJECT_TYPE, out_of_range);
        }
        break;
    case VALUE_TEXT:
        if (time_parse_timestamp(from->text, from->length, result) != STATUS_OK) {
            return refuse(conversion, from, ERROR_REJECT_TYPE, "it is not an ISO timestamp");
        }
        break;
    default:
        return refuse_kind(conversion, from);
    }
    bool zoned = (result->flags & CELL_ZONED) != 0;
    if ((result->flags & CELL_SPECIAL) != 0) {
        result->flags = (uint8_t)(CELL_SPECIAL | (conversion->to->zoned ? CELL_ZONED : 0));
    } else if (zoned != conversion->to->zoned && !conversion->to->dynamic) {
        if (!conversion->allow_loss) {
            return refuse(conversion, from, ERROR_REJECT_TYPE,
                          zoned ? "that it is UTC would be lost" : "it has no time zone");
        }
        result->flags ^= CELL_ZONED;
    }
    return STATUS_OK;
}

static enum status to_interval(const struct conversion *conversion, const struct cell *from,
                               struct cell *result)
{
    if (from->kind == VALUE_INTERVAL) {
        *result = *from;
        return STATUS_OK;
    }
    if (from->kind != VALUE_TEXT) {
        return refuse_kind(conversion, from);
    }
    if (time_parse_interval(from->text, from->length, conversion->arena, result) == STATUS_OK) {
        return STATUS_OK;
    }
    if (arena_allocate(conversion->arena, sizeof(struct value_interval)) == NULL) {
        return no_memory(conversion);
    }
    return refuse(conversion, from, ERROR_REJECT_TYPE, "it is not an ISO duration");
}

/* 32 hex digits, hyphens between pairs of them, braces around all. */
static int uuid_of_text(const char *text, size_t length, uint8_t bytes[16])
{
    if (length >= 2 && text[0] == '{' && text[length - 1] == '}') {
        text++;
        length -= 2;
    }
    if (length != 32 && length != 36) {
        return 0;
    }
    size_t position = 0;
    for (size_t i = 0; i < 32; i++) {
        if (length == 36 && (i == 8 || i == 12 || i == 16 || i == 20) && text[position++] != '-') {
            return 0;
        }
        uint8_t digit = (uint8_t)text[position++];
        uint8_t letter = digit | 0x20;
        if (digit >= '0' && digit <= '9') {
            digit = (uint8_t)(digit - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            digit = (uint8_t)(letter - 'a' + 10);
        } else {
            return 0;
        }
        bytes[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : bytes[i / 2] | digit);
    }
    return 1;
}

static enum status to_uuid(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    if (from->kind == VALUE_UUID) {
        *result = *from;
        return STATUS_OK;
    }
    uint8_t bytes[16];
    const uint8_t *found = bytes;
    if (from->kind == VALUE_TEXT) {
        if (!uuid_of_text(from->text, from->length, bytes)) {
            return refuse(conversion, from, ERROR_REJECT_TYPE, "it is not a UUID");
        }
        found = (const uint8_t *)arena_copy(conversion->arena, bytes, 16);
    } else if (from->kind == VALUE_BYTES) {
        if (from->length != 16) {
            return refuse(conversion, from, ERROR_REJECT_TYPE, "it is not 16 bytes");
        }
        found = from->bytes;
    } else {
        return refuse_kind(conversion, from);
    }
    *result = (struct cell){.kind = VALUE_UUID, .length = 16, .bytes = found};
    return found == NULL ? no_memory(conversion) : STATUS_OK;
}

/* --- to LIST, SET and MAP --- */

struct ranked_item {
    struct canonical_hash hash;
    uint32_t index;
    uint32_t is_double;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked_item *a = left;
    const struct ranked_item *b = right;
    if (a->hash.high != b->hash.high) {
        return a->hash.high < b->hash.high ? -1 : 1;
    }
    if (a->hash.low != b->hash.low) {
        return a->hash.low < b->hash.low ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_by_index(const void *left, const void *right)
{
    const struct ranked_item *a = left;
    const struct ranked_item *b = right;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Fills `ranked` in the order of the list, doubles of earlier items marked; counts those that are
 * none. */
static enum status rank_items(const struct conversion *conversion, const struct cell *list,
                              struct ranked_item *ranked, uint32_t *distinct)
{
    struct buffer scratch = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < list->length && status == STATUS_OK; i++) {
        ranked[i] = (struct ranked_item){.index = i};
        status =
            canonical_hash_cells(&list->items[i], 1, &scratch, &ranked[i].hash, conversion->error);
    }
    buffer_free(&scratch);
    *distinct = list->length;
    if (status == STATUS_OK) {
        qsort(ranked, list->length, sizeof(*ranked), compare_ranked);
        for (uint32_t i = 1; i < list->length; i++) {
            ranked[i].is_double = ranked[i].hash.high == ranked[i - 1].hash.high &&
                                  ranked[i].hash.low == ranked[i - 1].hash.low;
            *distinct -= ranked[i].is_double;
        }
        qsort(ranked, list->length, sizeof(*ranked), compare_by_index);
    }
    return status;
}

static enum status set_of_list(const struct conversion *conversion, const struct cell *from,
                               const struct cell *list, struct cell *result)
{
    *result = cell_items(VALUE_SET, list->items, list->length);
    if (list->length < 2) {
        return STATUS_OK;
    }
    struct ranked_item *ranked = calloc(list->length, sizeof(*ranked));
    uint32_t distinct = 0;
    enum status status =
        ranked == NULL ? no_memory(conversion) : rank_items(conversion, list, ranked, &distinct);
    if (status == STATUS_OK && distinct < list->length) {
        struct cell *items = NULL;
        if (!conversion->allow_loss) {
            status = refuse(conversion, from, ERROR_REJECT_TYPE, "it holds a value twice");
        } else {
            items = arena_allocate_zeroed(conversion->arena, distinct, sizeof(*items));
            status = items == NULL ? no_memory(conversion) : STATUS_OK;
        }
        uint32_t filled = 0;
        for (uint32_t i = 0; i < list->length && items != NULL; i++) {
            if (!ranked[i].is_double) {
                items[filled++] = list->items[i];
            }
        }
        *result = cell_items(VALUE_SET, items, filled);
    }
    free(ranked);
    return status;
}

static enum status to_nested(const struct conversion *conversion, const struct cell *from,
                             struct cell *result)
{
    enum value_kind kind = conversion->to->kind;
    struct cell nested = *from;
    if (from->kind == VALUE_TEXT || from->kind == VALUE_JSON) {
        if (convert_read_json(from->text, from->length, conversion->arena, &nested,
                              conversion->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (nested.kind == kind) {
        *result = nested;
        return STATUS_OK;
    }
    if (kind == VALUE_SET && nested.kind == VALUE_LIST) {
        return set_of_list(conversion, from, &nested, result);
    }
    if (kind == VALUE_LIST && nested.kind == VALUE_SET) {
        *result = cell_items(VALUE_LIST, nested.items, nested.length);
        return STATUS_OK;
    }
    return refuse_kind(conversion, from);
}

/* --- the choice --- */

typedef enum status converter(const struct conversion *conversion, const struct cell *from,
                              struct cell *result);

static converter *const converters[VALUE_KIND_COUNT] = {
    [VALUE_BOOL] = to_bool,     [VALUE_INT64] = to_whole,         [VALUE_UINT64] = to_whole,
    [VALUE_FLOAT32] = to_float, [VALUE_FLOAT64] = to_float,       [VALUE_DECIMAL] = to_decimal,
    [VALUE_TEXT] = to_text,     [VALUE_BYTES] = to_bytes,         [VALUE_DATE] = to_date,
    [VALUE_TIME] = to_time,     [VALUE_TIMESTAMP] = to_timestamp, [VALUE_INTERVAL] = to_interval,
    [VALUE_UUID] = to_uuid,     [VALUE_JSON] = to_json,           [VALUE_LIST] = to_nested,
    [VALUE_SET] = to_nested,    [VALUE_MAP] = to_nested,
};

/* The kinds that look into JSON for the scalar there. */
static int sees_through_json(enum value_kind kind)
{
    return kind != VALUE_TEXT && kind != VALUE_BYTES && kind != VALUE_JSON && kind != VALUE_LIST &&
           kind != VALUE_SET && kind != VALUE_MAP;
}

enum status convert_value(const struct cell *from, const struct value_type *to, bool allow_loss,
                          struct arena *arena, struct cell *result, struct error *error)
{
    struct conversion conversion = {
        .to = to, .allow_loss = allow_loss, .arena = arena, .error = error};
    if (from->kind <= VALUE_NULL) {
        *result = *from;
        return STATUS_OK;
    }
    if (from->kind == VALUE_LARGE) {
        if (to->kind != from->large->kind && to->kind != VALUE_LARGE) {
            return refuse(&conversion, from, ERROR_REJECT_TYPE, "it is too large to convert");
        }
        *result = *from;
        return STATUS_OK;
    }
    if (to->kind == VALUE_ESCAPE && from->kind == VALUE_ESCAPE) {
        *result = *from;
        return STATUS_OK;
    }
    converter *convert = (unsigned)to->kind < VALUE_KIND_COUNT ? converters[to->kind] : NULL;
    if (convert == NULL || !convert_is_possible((enum value_kind)from->kind, to->kind)) {
        return refuse_kind(&conversion, from);
    }
    if (from->kind == VALUE_JSON && sees_through_json(to->kind)) {
        struct cell scalar;
        if (convert_read_json(from->text, from->length, arena, &scalar, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (scalar.kind == VALUE_LIST || scalar.kind == VALUE_MAP) {
            return refuse_kind(&conversion, from);
        }
        return convert_value(&scalar, to, allow_loss, arena, result, error);
    }
    return convert(&conversion, from, result);
}
