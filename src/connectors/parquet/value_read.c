/* Values of columns to cells. */
#include "connectors/parquet/parquet.h"

#include "connectors/columnar/fitting.h"
#include "model/decimal.h"
#include <math.h>
#include <string.h>

enum { JULIAN_DAY_OF_1970 = 2440588, WIDE_BYTES_MAX = 64, WIDE_DIGITS_MAX = 160 };
static const int64_t day_us = INT64_C(86400000000);

static int32_t int32_of(const void *value)
{
    int32_t number;
    memcpy(&number, value, sizeof(number));
    return number;
}

static int64_t int64_of(const void *value)
{
    int64_t number;
    memcpy(&number, value, sizeof(number));
    return number;
}

/* ---------------------------------------------------------------- numbers */

static void read_integer(const struct parquet_node *node, const void *value, struct cell *cell)
{
    bool is_unsigned =
        node->logical.id == CARQUET_LOGICAL_INTEGER && !node->logical.params.integer.is_signed;
    if (node->physical == CARQUET_PHYSICAL_INT64) {
        *cell = is_unsigned && node->type.kind == VALUE_UINT64
                    ? cell_uint64((uint64_t)int64_of(value))
                    : cell_int64(int64_of(value));
        return;
    }
    int32_t number = int32_of(value);
    *cell = cell_int64(is_unsigned ? (int64_t)(uint32_t)number : (int64_t)number);
}

static double double_of_half(uint16_t half)
{
    int exponent = half >> 10 & 31;
    double fraction = half & 1023;
    double value = exponent == 31  ? (fraction == 0 ? (double)INFINITY : (double)NAN)
                   : exponent == 0 ? ldexp(fraction, -24)
                                   : ldexp(fraction + 1024, exponent - 25);
    return (half & 0x8000) != 0 ? -value : value;
}

static void read_float(const struct parquet_node *node, const void *value, struct cell *cell)
{
    float number = 0;
    if (node->physical == CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY) {
        const uint8_t *half = value;
        number = (float)double_of_half((uint16_t)(half[0] | half[1] << 8));
    } else {
        memcpy(&number, value, sizeof(number));
    }
    *cell = (struct cell){.kind = VALUE_FLOAT32, .f64 = number};
}

/* A big-endian number in two's complement as digits: the last ones first. */
static size_t digits_of_wide(const uint8_t *bytes, size_t length, char *digits, bool *negative)
{
    uint8_t number[WIDE_BYTES_MAX];
    size_t count = 0;
    *negative = length > 0 && (bytes[0] & 0x80) != 0;
    uint32_t carry = *negative ? 1 : 0;
    for (size_t at = length; at-- > 0;) {
        carry += *negative ? (uint8_t)~bytes[at] : bytes[at];
        number[at] = (uint8_t)carry;
        carry >>= 8;
    }
    for (size_t first = 0; first < length;) {
        uint32_t rest = 0;
        for (size_t at = first; at < length; at++) {
            rest = rest << 8 | number[at];
            number[at] = (uint8_t)(rest / 10);
            rest %= 10;
        }
        digits[count++] = (char)('0' + rest);
        while (first < length && number[first] == 0) {
            first++;
        }
    }
    return count;
}

static enum status read_wide(const struct parquet_node *node, const uint8_t *bytes, size_t length,
                             struct arena *arena, struct cell *cell, struct error *error)
{
    char backwards[WIDE_DIGITS_MAX];
    char text[2 * WIDE_DIGITS_MAX];
    bool negative = false;
    size_t scale = (size_t)node->logical.params.decimal.scale;
    size_t at = 0;
    while (length > 1 && (bytes[0] == 0 || bytes[0] == 0xff) &&
           (bytes[0] & 0x80) == (bytes[1] & 0x80)) {
        bytes++;
        length--;
    }
    if (length > WIDE_BYTES_MAX || scale >= WIDE_DIGITS_MAX) {
        return error_set(error, ERROR_REJECT_NUMBER, NULL, "a decimal of %zu bytes", length);
    }
    size_t count = digits_of_wide(bytes, length, backwards, &negative);
    while (count <= scale) {
        backwards[count++] = '0';
    }
    if (negative) {
        text[at++] = '-';
    }
    while (count-- > 0) {
        text[at++] = backwards[count];
        if (count == scale && scale > 0) {
            text[at++] = '.';
        }
    }
    return decimal_parse(text, at, arena, cell) == STATUS_OK
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_NUMBER, NULL, "it is no decimal");
}

static enum status read_decimal(const struct parquet_node *node, const void *value,
                                struct arena *arena, struct cell *cell, struct error *error)
{
    carquet_byte_array_t bytes;
    uint8_t wide[8];
    bool integer =
        node->physical == CARQUET_PHYSICAL_INT32 || node->physical == CARQUET_PHYSICAL_INT64;
    if (integer) {
        int64_t number =
            node->physical == CARQUET_PHYSICAL_INT32 ? int32_of(value) : int64_of(value);
        int32_t scale = node->logical.params.decimal.scale;
        if (scale <= 18 && number > -INT64_C(1000000000000000000) &&
            number < INT64_C(1000000000000000000)) {
            *cell = (struct cell){
                .kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = (uint16_t)scale, .i64 = number};
            return STATUS_OK;
        }
        for (size_t at = 0; at < sizeof(wide); at++) {
            wide[at] = (uint8_t)((uint64_t)number >> (56 - 8 * at));
        }
        return read_wide(node, wide, sizeof(wide), arena, cell, error);
    }
    if (node->physical == CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY) {
        return read_wide(node, value, (size_t)node->width, arena, cell, error);
    }
    memcpy(&bytes, value, sizeof(bytes));
    return read_wide(node, bytes.data, (size_t)bytes.length, arena, cell, error);
}

/* ---------------------------------------------------------------- days and times */

static int64_t unit_ns(carquet_time_unit_t unit)
{
    return unit == CARQUET_TIME_UNIT_MILLIS ? 1000000 : unit == CARQUET_TIME_UNIT_MICROS ? 1000 : 1;
}

static enum status read_time(const struct parquet_node *node, const void *value, struct cell *cell,
                             struct error *error)
{
    int64_t number = node->physical == CARQUET_PHYSICAL_INT32 ? int32_of(value) : int64_of(value);
    return columnar_read_time(number, unit_ns(node->logical.params.time.unit), cell, error);
}

/* Nanoseconds of the day and the Julian day, as Impala and Spark wrote timestamps. */
static enum status read_int96(const void *value, struct cell *cell, struct error *error)
{
    int64_t day = (int64_t)(uint32_t)int32_of((const uint8_t *)value + 8) - JULIAN_DAY_OF_1970;
    int64_t begin = 0;
    if (columnar_read_timestamp(int64_of(value), 1, false, cell, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return __builtin_mul_overflow(day, day_us, &begin) ||
                   __builtin_add_overflow(begin, cell->i64, &cell->i64)
               ? error_set(error, ERROR_REJECT_TYPE, NULL, "the timestamp is beyond all years")
               : STATUS_OK;
}

/* Three unsigned numbers: months, days, milliseconds. */
static void read_interval(const void *value, struct arena *arena, struct cell *cell)
{
    const uint8_t *bytes = value;
    struct value_interval *interval = arena_allocate(arena, sizeof(*interval));
    *interval = (struct value_interval){
        .months = int32_of(bytes),
        .days = int32_of(bytes + 4),
        .nanoseconds = (int64_t)(uint32_t)int32_of(bytes + 8) * 1000000,
    };
    *cell = (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
}

/* ---------------------------------------------------------------- bytes */

static enum status read_variable(const struct parquet_node *node, const void *value,
                                 struct arena *arena, struct cell *cell, struct error *error)
{
    carquet_byte_array_t bytes;
    memcpy(&bytes, value, sizeof(bytes));
    size_t length = bytes.length > 0 ? (size_t)bytes.length : 0;
    return columnar_read_bytes(node->type.kind, bytes.data, length, arena, cell, error);
}

enum status parquet_value_read(const struct parquet_node *node, const void *value,
                               struct arena *arena, struct cell *cell, struct error *error)
{
    double number = 0;
    switch (node->type.kind) {
    case VALUE_BOOL:
        *cell = cell_bool(*(const uint8_t *)value);
        return STATUS_OK;
    case VALUE_INT64:
    case VALUE_UINT64:
        read_integer(node, value, cell);
        return STATUS_OK;
    case VALUE_FLOAT32:
        read_float(node, value, cell);
        return STATUS_OK;
    case VALUE_FLOAT64:
        memcpy(&number, value, sizeof(number));
        *cell = cell_float64(number);
        return STATUS_OK;
    case VALUE_DECIMAL:
        return read_decimal(node, value, arena, cell, error);
    case VALUE_DATE:
        *cell = (struct cell){.kind = VALUE_DATE, .i64 = int32_of(value)};
        return STATUS_OK;
    case VALUE_TIME:
        return read_time(node, value, cell, error);
    case VALUE_TIMESTAMP:
        return node->physical == CARQUET_PHYSICAL_INT96
                   ? read_int96(value, cell, error)
                   : columnar_read_timestamp(int64_of(value),
                                             unit_ns(node->logical.params.timestamp.unit),
                                             node->type.zoned, cell, error);
    case VALUE_INTERVAL:
        read_interval(value, arena, cell);
        return STATUS_OK;
    case VALUE_UUID:
        return columnar_read_bytes(VALUE_UUID, value, 16, arena, cell, error);
    default:
        break;
    }
    return node->physical == CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY
               ? columnar_read_bytes(VALUE_BYTES, value, (size_t)node->width, arena, cell, error)
               : read_variable(node, value, arena, cell, error);
}
