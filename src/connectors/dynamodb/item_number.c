/* Numbers as DynamoDB keeps them: up to 38 significant digits, trimmed, within 1E-130
 * and 9.99E+125. */
#include "connectors/dynamodb/item.h"

#include "base/text.h"
#include "connectors/dynamodb/limits.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include <math.h>
#include <string.h>

enum { PLAIN_PLACES_MAX = 40 };

/* A finite number taken apart: digits × 10^exponent, no zeros at either end; zero has no digits. */
struct number_parts {
    const char *digits;
    size_t digit_count;
    int64_t exponent;
    bool negative;
    char store[NUMBER_TEXT_MAX];
};

static enum status reject(struct error *error, const char *attribute, const char *reason)
{
    char shown[128];
    text_printable(attribute, strlen(attribute), shown, sizeof(shown));
    return error_set(error, ERROR_REJECT_NUMBER, shown, "attribute %s: %s", shown, reason);
}

static void trim_zeros(struct number_parts *parts)
{
    while (parts->digit_count > 0 && parts->digits[parts->digit_count - 1] == '0') {
        parts->digit_count--;
        parts->exponent++;
    }
    while (parts->digit_count > 0 && parts->digits[0] == '0') {
        parts->digits++;
        parts->digit_count--;
    }
}

static void parts_of_uint64(struct number_parts *parts, uint64_t digits, int64_t exponent)
{
    parts->digit_count = number_from_uint64(digits, parts->store);
    parts->digits = parts->store;
    parts->exponent = exponent;
    trim_zeros(parts);
}

/* Plain text "-12.340": the point is taken out by way of `joined`, which gets all digits. */
static void parts_of_text(struct number_parts *parts, const char *text, size_t length,
                          struct buffer *joined)
{
    parts->negative = length > 0 && text[0] == '-';
    if (parts->negative) {
        text++;
        length--;
    }
    const char *point = memchr(text, '.', length);
    size_t whole = point != NULL ? (size_t)(point - text) : length;
    size_t fraction = point != NULL ? length - whole - 1 : 0;
    buffer_append(joined, text, whole);
    if (point != NULL) {
        buffer_append(joined, point + 1, fraction);
    }
    parts->digits = joined->data;
    parts->digit_count = joined->length;
    parts->exponent = -(int64_t)fraction;
    trim_zeros(parts);
}

static void append_zeros(struct buffer *out, int64_t count)
{
    for (; count > 0; count--) {
        buffer_append_byte(out, '0');
    }
}

static void append_scientific(const struct number_parts *parts, int64_t first, struct buffer *out)
{
    buffer_append_byte(out, parts->digits[0]);
    if (parts->digit_count > 1) {
        buffer_append_byte(out, '.');
        buffer_append(out, parts->digits + 1, parts->digit_count - 1);
    }
    buffer_append(out, first < 0 ? "E-" : "E+", 2);
    buffer_append_int64(out, first < 0 ? -first : first);
}

static enum status append_parts(const struct number_parts *parts, const char *attribute,
                                struct buffer *out, struct error *error)
{
    int64_t count = (int64_t)parts->digit_count;
    int64_t places = count + parts->exponent; /* before the point */
    if (count == 0) {
        buffer_append_byte(out, '0');
        return STATUS_OK;
    }
    if (count > DYNAMODB_NUMBER_DIGITS_MAX) {
        return reject(error, attribute, "the number has more than 38 significant digits");
    }
    if (places - 1 > DYNAMODB_NUMBER_EXPONENT_MAX || places - 1 < DYNAMODB_NUMBER_EXPONENT_MIN) {
        return reject(error, attribute, "the number is outside 1E-130 to 9.9E+125");
    }
    if (parts->negative) {
        buffer_append_byte(out, '-');
    }
    if (places > PLAIN_PLACES_MAX || -parts->exponent > PLAIN_PLACES_MAX) {
        append_scientific(parts, places - 1, out);
    } else if (parts->exponent >= 0) {
        buffer_append(out, parts->digits, parts->digit_count);
        append_zeros(out, parts->exponent);
    } else if (places > 0) {
        buffer_append(out, parts->digits, (size_t)places);
        buffer_append_byte(out, '.');
        buffer_append(out, parts->digits + places, (size_t)(count - places));
    } else {
        buffer_append(out, "0.", 2);
        append_zeros(out, -places);
        buffer_append(out, parts->digits, parts->digit_count);
    }
    return STATUS_OK;
}

/* The commonest decimals: a few digits, the point within or just before them. */
static void append_small(const struct cell *cell, struct buffer *out)
{
    uint64_t digits = cell->i64 < 0 ? 0 - (uint64_t)cell->i64 : (uint64_t)cell->i64;
    uint32_t scale = cell->aux;
    while (scale > 0 && digits % 10 == 0) {
        digits /= 10;
        scale--;
    }
    char text[NUMBER_TEXT_MAX];
    size_t length = number_from_uint64(digits, text);
    buffer_reserve(out, 48);
    char *place = out->data + out->length;
    char *start = place;
    *place = '-';
    place += cell->i64 < 0;
    if (scale == 0) {
        memcpy(place, text, length);
        place += length;
    } else if (length > scale) {
        memcpy(place, text, length - scale);
        place += length - scale;
        *place++ = '.';
        memcpy(place, text + length - scale, scale);
        place += scale;
    } else {
        *place++ = '0';
        *place++ = '.';
        memset(place, '0', scale - length);
        memcpy(place + scale - length, text, length);
        place += scale;
    }
    out->length += (size_t)(place - start);
}

static bool parts_of_float(struct number_parts *parts, const struct cell *cell)
{
    if (!isfinite(cell->f64)) {
        return false;
    }
    uint64_t digits = 0;
    int exponent = 0;
    int negative = 0;
    if (cell->kind == VALUE_FLOAT32) {
        number_shortest_float32((float)cell->f64, &digits, &exponent, &negative);
    } else {
        number_shortest(cell->f64, &digits, &exponent, &negative);
    }
    parts_of_uint64(parts, digits, exponent);
    parts->negative = negative != 0 && digits != 0;
    return true;
}

static bool is_special(const struct cell *decimal)
{
    return decimal->length > 0 &&
           (decimal->text[0] == 'N' || decimal->text[0] == 'I' ||
            (decimal->length > 1 && decimal->text[0] == '-' && decimal->text[1] == 'I'));
}

enum status dynamodb_number_append(const struct cell *cell, const char *attribute,
                                   struct buffer *out, struct error *error)
{
    struct number_parts parts = {0};
    switch (cell->kind) {
    case VALUE_INT64:
        buffer_append_int64(out, cell->i64);
        return STATUS_OK;
    case VALUE_UINT64:
        buffer_append_uint64(out, cell->u64);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        if (!parts_of_float(&parts, cell)) {
            return reject(error, attribute, "DynamoDB has no NaN and no infinity");
        }
        return append_parts(&parts, attribute, out, error);
    case VALUE_DECIMAL:
        break;
    default:
        return error_set(error, ERROR_INTERNAL, NULL, "a %s is no number",
                         value_kind_name((enum value_kind)cell->kind));
    }
    if ((cell->flags & CELL_SMALL) != 0 && cell->aux <= 18) {
        append_small(cell, out);
        return STATUS_OK;
    }
    if (is_special(cell)) {
        return reject(error, attribute, "DynamoDB has no NaN and no infinity");
    }
    struct buffer joined = {0};
    parts_of_text(&parts, cell->text, cell->length, &joined);
    enum status status = append_parts(&parts, attribute, out, error);
    buffer_free(&joined);
    return status;
}

uint32_t dynamodb_number_digits(const struct cell *cell)
{
    struct number_parts parts = {0};
    switch (cell->kind) {
    case VALUE_INT64:
        parts_of_uint64(&parts, cell->i64 < 0 ? 0 - (uint64_t)cell->i64 : (uint64_t)cell->i64, 0);
        return (uint32_t)parts.digit_count;
    case VALUE_UINT64:
        parts_of_uint64(&parts, cell->u64, 0);
        return (uint32_t)parts.digit_count;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return parts_of_float(&parts, cell) ? (uint32_t)parts.digit_count : 0;
    case VALUE_DECIMAL: {
        int64_t digits = 0;
        int64_t exponent = 0;
        return decimal_measure(cell, &digits, &exponent) ? (uint32_t)digits : 0;
    }
    default:
        return 0;
    }
}

/* Up to 18 digits, whole: no need for the decimal parser. */
static bool read_short_integer(const char *text, size_t length, int64_t *value)
{
    bool negative = length > 0 && text[0] == '-';
    size_t at = negative ? 1 : 0;
    if (length == at || length - at > 18) {
        return false;
    }
    int64_t digits = 0;
    for (; at < length; at++) {
        unsigned digit = (unsigned char)text[at] - (unsigned)'0';
        if (digit > 9) {
            return false;
        }
        digits = digits * 10 + (int64_t)digit;
    }
    *value = negative ? -digits : digits;
    return true;
}

static bool is_number_text(const char *text, size_t length)
{
    size_t at = length > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    return at < length && length <= 400 &&
           (text[at] == '.' || (text[at] >= '0' && text[at] <= '9'));
}

/* Cuts the zeros that follow the last digit after the point of a plain text. */
static size_t length_without_zeros(const char *text, size_t length)
{
    if (memchr(text, '.', length) == NULL) {
        return length;
    }
    while (text[length - 1] == '0') {
        length--;
    }
    return text[length - 1] == '.' ? length - 1 : length;
}

enum status dynamodb_number_read(const char *text, size_t length, struct arena *arena,
                                 struct cell *cell, struct error *error)
{
    int64_t whole = 0;
    if (read_short_integer(text, length, &whole)) {
        *cell = cell_int64(whole);
        return STATUS_OK;
    }
    char shown[64];
    struct cell parsed;
    enum status status =
        is_number_text(text, length) ? decimal_parse(text, length, arena, &parsed) : STATUS_END;
    if (status == STATUS_END) {
        text_printable(text, length, shown, sizeof(shown));
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "\"%s\" is not a number", shown);
    }
    if (status == STATUS_OK && (parsed.flags & CELL_SMALL) == 0) {
        size_t kept = length_without_zeros(parsed.text, parsed.length);
        if (kept < parsed.length) {
            status = decimal_parse(parsed.text, kept, arena, &parsed);
        }
    }
    if (status != STATUS_OK) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a number");
    }
    if ((parsed.flags & CELL_SMALL) != 0) {
        while (parsed.aux > 0 && parsed.i64 % 10 == 0) {
            parsed.i64 /= 10;
            parsed.aux--;
        }
    }
    if (decimal_to_int64(&parsed, &whole) == STATUS_OK) {
        *cell = cell_int64(whole);
    } else {
        *cell = parsed;
    }
    return STATUS_OK;
}
