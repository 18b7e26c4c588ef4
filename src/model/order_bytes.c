/* Values as bytes that sort as the values do. */
#include "model/order_bytes.h"

#include "base/memory.h"
#include "model/canonical.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include <math.h>
#include <string.h>

/*
 * A value is a class and what follows it:
 *   text, bytes    each 00 as 00 FF, then 00 00
 *   number > 0     exponent of the first digit + 2^31 (4 bytes, big endian), digits each as 1..10
 *                  without trailing zeros, 00
 *   number < 0     the same, all bits turned over
 *   date … uuid    big-endian numbers of fixed width, the sign bit turned over
 *   nested         the canonical bytes, written as bytes are
 */
enum order_class {
    CLASS_NULL = 0x01,
    CLASS_BOOL = 0x02,
    CLASS_MINUS_INFINITY = 0x10,
    CLASS_NEGATIVE = 0x11,
    CLASS_ZERO = 0x12,
    CLASS_POSITIVE = 0x13,
    CLASS_INFINITY = 0x14,
    CLASS_NAN = 0x15,
    CLASS_TEXT = 0x20,
    CLASS_BYTES = 0x21,
    CLASS_OTHER = 0x40, /* + the kind, and + ZONED for kinds with a zone */
    CLASS_ZONED = 0x20
};

static void put_big_endian(struct buffer *out, uint64_t value, int bytes)
{
    for (int at = bytes - 1; at >= 0; at--) {
        buffer_append_byte(out, (char)(value >> (8 * at)));
    }
}

static void put_signed(struct buffer *out, int64_t value)
{
    put_big_endian(out, (uint64_t)value ^ ((uint64_t)1 << 63), 8);
}

static void put_ended(struct buffer *out, const void *bytes, size_t length)
{
    const char *from = bytes;
    while (length > 0) {
        const char *zero = memchr(from, 0, length);
        size_t plain = zero != NULL ? (size_t)(zero - from) : length;
        buffer_append(out, from, plain);
        from += plain;
        length -= plain;
        if (length > 0) {
            buffer_append(out, "\0\xff", 2);
            from++;
            length--;
        }
    }
    buffer_append(out, "\0\0", 2);
}

/* ---- numbers */

/* Digits without zeros at either end, and the place of the first: 0.d1d2… × 10^exponent. */
static void put_digits(struct buffer *out, bool negative, const char *digits, size_t count,
                       int64_t exponent)
{
    size_t begin = out->length;
    buffer_append_byte(out, CLASS_POSITIVE);
    put_big_endian(out, (uint64_t)(exponent + ((int64_t)1 << 31)), 4);
    for (size_t i = 0; i < count; i++) {
        if (digits[i] != '.') {
            buffer_append_byte(out, (char)(digits[i] - '0' + 1));
        }
    }
    buffer_append_byte(out, 0);
    for (size_t i = begin; negative && i < out->length; i++) {
        out->data[i] = (char)~(unsigned char)out->data[i];
    }
    if (negative) {
        out->data[begin] = CLASS_NEGATIVE;
    }
}

/* -?digits[.digits], as decimal_append_normal writes it. */
static void put_plain(struct buffer *out, const char *text, size_t length)
{
    bool negative = length > 0 && text[0] == '-';
    text += negative;
    length -= negative;
    const char *point = memchr(text, '.', length);
    size_t whole = point != NULL ? (size_t)(point - text) : length;
    size_t first = 0;
    while (first < length && (text[first] == '0' || text[first] == '.')) {
        first++;
    }
    if (first == length) {
        buffer_append_byte(out, CLASS_ZERO);
        return;
    }
    size_t end = length;
    while (text[end - 1] == '0' || text[end - 1] == '.') {
        end--;
    }
    int64_t exponent = first < whole ? (int64_t)(whole - first) : -(int64_t)(first - whole - 1);
    put_digits(out, negative, text + first, end - first, exponent);
}

static void put_int64(struct buffer *out, bool negative, uint64_t magnitude)
{
    char text[24];
    char *at = text + sizeof text;
    do {
        *--at = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (negative) {
        *--at = '-';
    }
    put_plain(out, at, (size_t)(text + sizeof text - at));
}

static void put_decimal(struct buffer *out, const struct cell *decimal)
{
    struct buffer text = {0};
    switch (decimal_special(decimal)) {
    case 'N':
        buffer_append_byte(out, CLASS_NAN);
        return;
    case '+':
        buffer_append_byte(out, CLASS_INFINITY);
        return;
    case '-':
        buffer_append_byte(out, CLASS_MINUS_INFINITY);
        return;
    default:
        break;
    }
    decimal_append_normal(decimal, &text);
    put_plain(out, text.data, text.length);
    buffer_free(&text);
}

static void put_float(struct buffer *out, const struct cell *cell)
{
    double value = cell->f64;
    char text[NUMBER_TEXT_MAX];
    uint64_t digits;
    int exponent;
    int negative;
    if (isnan(value) || isinf(value)) {
        buffer_append_byte(out, isnan(value)  ? CLASS_NAN
                                : value > 0.0 ? CLASS_INFINITY
                                              : CLASS_MINUS_INFINITY);
        return;
    }
    if (cell->kind == VALUE_FLOAT32) {
        number_shortest_float32((float)value, &digits, &exponent, &negative);
    } else {
        number_shortest(value, &digits, &exponent, &negative);
    }
    if (digits == 0) {
        buffer_append_byte(out, CLASS_ZERO);
        return;
    }
    size_t count = number_from_uint64(digits, text);
    put_digits(out, negative != 0, text, count, (int64_t)count + exponent);
}

/* ---- the others */

static void put_class(struct buffer *out, const struct cell *cell)
{
    int zoned = (cell->flags & CELL_ZONED) != 0 ? CLASS_ZONED : 0;
    buffer_append_byte(out, (char)(CLASS_OTHER + cell->kind + zoned));
}

/* -infinity, the zero date, all dates, infinity. */
static void put_moment(struct buffer *out, const struct cell *cell)
{
    bool special = (cell->flags & CELL_SPECIAL) != 0;
    put_class(out, cell);
    buffer_append_byte(out, (char)(!special                           ? 3
                                   : cell->i64 == CELL_INFINITY       ? 4
                                   : cell->i64 == CELL_MINUS_INFINITY ? 1
                                                                      : 2));
    if (!special) {
        put_signed(out, cell->i64);
        put_big_endian(out, cell->kind == VALUE_TIMESTAMP ? cell->aux : 0, 2);
    }
}

/* With a zone: the same instant of a day is equal, as are its offset. */
static void put_time(struct buffer *out, const struct cell *cell)
{
    bool zoned = (cell->flags & CELL_ZONED) != 0;
    int32_t offset = zoned ? (int32_t)cell->length : 0;
    put_class(out, cell);
    put_signed(out, cell->i64 - (int64_t)offset * 1000000000);
    put_signed(out, offset);
}

static void put_interval(struct buffer *out, const struct cell *cell)
{
    put_class(out, cell);
    put_signed(out, cell->interval->months);
    put_signed(out, cell->interval->days);
    put_signed(out, cell->interval->nanoseconds);
}

/* Data may be of any length. */
static enum status put_run(struct buffer *out, const void *bytes, size_t length,
                           struct error *error)
{
    if (length > MEMORY_DATA_BYTES && !buffer_try_reserve(out, length + 2)) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a key");
    }
    put_ended(out, bytes, length);
    return STATUS_OK;
}

static enum status put_nested(struct buffer *out, const struct cell *cell, struct error *error)
{
    struct buffer bytes = {0};
    enum status status = canonical_append(cell, &bytes, error);
    put_class(out, cell);
    status = status == STATUS_OK ? put_run(out, bytes.data, bytes.length, error) : status;
    buffer_free(&bytes);
    return status;
}

static enum status put_value(struct buffer *out, const struct cell *cell, struct error *error)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        buffer_append_byte(out, CLASS_NULL);
        return STATUS_OK;
    case VALUE_BOOL:
        buffer_append_byte(out, CLASS_BOOL);
        buffer_append_byte(out, (char)(cell->i64 != 0));
        return STATUS_OK;
    case VALUE_INT64:
        put_int64(out, cell->i64 < 0, cell->i64 < 0 ? 0 - (uint64_t)cell->i64 : cell->u64);
        return STATUS_OK;
    case VALUE_UINT64:
        put_int64(out, false, cell->u64);
        return STATUS_OK;
    case VALUE_DECIMAL:
        put_decimal(out, cell);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        put_float(out, cell);
        return STATUS_OK;
    case VALUE_TEXT:
    case VALUE_BYTES:
        buffer_append_byte(out, cell->kind == VALUE_TEXT ? CLASS_TEXT : CLASS_BYTES);
        return put_run(out, cell->text, cell->length, error);
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
        put_moment(out, cell);
        return STATUS_OK;
    case VALUE_TIME:
        put_time(out, cell);
        return STATUS_OK;
    case VALUE_INTERVAL:
        put_interval(out, cell);
        return STATUS_OK;
    case VALUE_UUID:
        put_class(out, cell);
        buffer_append(out, cell->bytes, 16);
        return STATUS_OK;
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return put_nested(out, cell, error);
    default:
        return error_set(error, ERROR_SOURCE_READ, NULL,
                         "a value that can't be read, or is too large, can't be compared");
    }
}

enum status order_bytes_append(const struct cell *cell, struct buffer *out, struct error *error)
{
    return put_value(out, cell, error);
}

bool order_bytes_matches_nothing(const struct cell *cell)
{
    return cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING ||
           ((cell->kind == VALUE_FLOAT64 || cell->kind == VALUE_FLOAT32) && isnan(cell->f64)) ||
           (cell->kind == VALUE_DECIMAL && decimal_special(cell) == 'N');
}
