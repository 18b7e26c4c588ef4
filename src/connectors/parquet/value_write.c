/* Cells to the values of columns. */
#include "connectors/parquet/parquet.h"

#include "model/convert.h"
#include "model/decimal.h"
#include <inttypes.h>
#include <string.h>

enum { DECIMAL_BYTES_MAX = 32, VALUE_BYTES_MAX = 1 << 30 };
static const int64_t day_ns = INT64_C(86400000000000);

/* ---------------------------------------------------------------- numbers */

static enum status append_int32(int64_t value, struct buffer *out)
{
    int32_t narrow = (int32_t)value;
    buffer_append(out, &narrow, sizeof(narrow));
    return STATUS_OK;
}

static enum status append_int64(int64_t value, struct buffer *out)
{
    buffer_append(out, &value, sizeof(value));
    return STATUS_OK;
}

static enum status append_integer(const struct parquet_node *node, const struct cell *cell,
                                  struct buffer *out, struct error *error)
{
    if (node->physical == CARQUET_PHYSICAL_INT64) {
        return append_int64(cell->i64, out);
    }
    int bits = node->logical.params.integer.bit_width;
    int64_t most = (INT64_C(1) << (bits - 1)) - 1;
    if (cell->i64 > most || cell->i64 < -most - 1) {
        return error_set(error, ERROR_REJECT_NUMBER, NULL,
                         "%" PRId64 " is beyond the %d bits of the column", cell->i64, bits);
    }
    return append_int32(cell->i64, out);
}

/* Digits to a big-endian number in two's complement. */
static void append_wide(const char *digits, size_t length, int32_t width, struct buffer *out)
{
    uint8_t bytes[DECIMAL_BYTES_MAX] = {0};
    bool negative = length > 0 && digits[0] == '-';
    for (size_t at = negative ? 1 : 0; at < length; at++) {
        uint32_t carry = digits[at] >= '0' && digits[at] <= '9' ? (uint32_t)(digits[at] - '0') : 10;
        if (carry == 10) {
            continue; /* the point */
        }
        for (int32_t byte = width - 1; byte >= 0; byte--) {
            carry += (uint32_t)bytes[byte] * 10;
            bytes[byte] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    for (int32_t byte = width - 1, carry = 1; negative && byte >= 0; byte--) {
        carry += (uint8_t)~bytes[byte];
        bytes[byte] = (uint8_t)carry;
        carry >>= 8;
    }
    buffer_append(out, bytes, (size_t)width);
}

/* Small, of the column's scale, and with no more digits than it has. */
static bool fits_as_it_is(const struct cell *cell, const struct value_type *type)
{
    int64_t bound = 1;
    if (cell->kind != VALUE_DECIMAL || (cell->flags & CELL_SMALL) == 0 ||
        cell->aux != type->scale || type->precision > 18) {
        return false;
    }
    for (int32_t digit = 0; digit < type->precision; digit++) {
        bound *= 10;
    }
    return cell->i64 < bound && cell->i64 > -bound;
}

static enum status append_decimal(const struct parquet_node *node, const struct cell *cell,
                                  struct arena *scratch, struct buffer *out, struct error *error)
{
    struct cell fitting;
    struct cell small;
    struct value_type type = {.kind = VALUE_DECIMAL,
                              .precision = node->logical.params.decimal.precision,
                              .scale = node->logical.params.decimal.scale};
    if (fits_as_it_is(cell, &type)) {
        return node->physical == CARQUET_PHYSICAL_INT32 ? append_int32(cell->i64, out)
                                                        : append_int64(cell->i64, out);
    }
    if (convert_value(cell, &type, false, scratch, &fitting, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (decimal_special(&fitting) != 0) {
        return error_set(error, ERROR_REJECT_NUMBER, NULL,
                         "NaN and infinity are no decimals of Parquet");
    }
    if (node->physical != CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY &&
        decimal_to_small(&fitting, &small)) {
        return node->physical == CARQUET_PHYSICAL_INT32 ? append_int32(small.i64, out)
                                                        : append_int64(small.i64, out);
    }
    struct buffer digits = {0};
    decimal_append(&fitting, &digits);
    append_wide(digits.data, digits.length, node->width, out);
    buffer_free(&digits);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- bytes */

static enum status append_bytes(const void *bytes, size_t length, struct buffer *out,
                                struct error *error)
{
    uint32_t count = (uint32_t)length;
    if (length > VALUE_BYTES_MAX || !buffer_try_reserve(out, length + sizeof(count))) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                         "it has %zu bytes, more than a value of a Parquet file may", length);
    }
    buffer_append(out, &count, sizeof(count));
    buffer_append(out, bytes, length);
    return STATUS_OK;
}

/* Of kinds that Parquet has no type for: their text, or JSON. */
static enum status append_as_text(const struct parquet_node *node, const struct cell *cell,
                                  struct buffer *out, struct error *error)
{
    struct buffer text = {0};
    enum status status = node->logical.id == CARQUET_LOGICAL_JSON
                             ? convert_append_json(cell, &text, error)
                             : convert_append_text(cell, false, &text, error);
    if (status == STATUS_OK) {
        status = append_bytes(text.data, text.length, out, error);
    }
    buffer_free(&text);
    return status;
}

static enum status append_variable(const struct parquet_node *node, const struct cell *cell,
                                   struct buffer *out, struct error *error)
{
    bool plain = cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES || cell->kind == VALUE_JSON;
    return plain ? append_bytes(cell->bytes, cell->length, out, error)
                 : append_as_text(node, cell, out, error);
}

/* ---------------------------------------------------------------- days and times */

static enum status refuse_special(const struct cell *cell, struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL, "Parquet has no %s",
                     cell->i64 == CELL_ZERO_DATE ? "day 0000-00-00" : "infinite day");
}

static enum status append_date(const struct cell *cell, struct buffer *out, struct error *error)
{
    if ((cell->flags & CELL_SPECIAL) != 0) {
        return refuse_special(cell, error);
    }
    if (cell->i64 > INT32_MAX || cell->i64 < INT32_MIN) {
        return error_set(error, ERROR_REJECT_TYPE, NULL, "the day is beyond those of Parquet");
    }
    return append_int32(cell->i64, out);
}

static enum status refuse_fraction(carquet_time_unit_t unit, struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL,
                     "it has more digits of a second than the column, which counts %s",
                     unit == CARQUET_TIME_UNIT_MILLIS ? "milliseconds" : "microseconds");
}

static enum status append_time(const struct parquet_node *node, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    carquet_time_unit_t unit = node->logical.params.time.unit;
    int64_t each = unit == CARQUET_TIME_UNIT_MILLIS   ? 1000000
                   : unit == CARQUET_TIME_UNIT_MICROS ? 1000
                                                      : 1;
    if (cell->i64 < 0 || cell->i64 >= day_ns || (cell->flags & CELL_ZONED) != 0) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "Parquet has no such time of day: before 24:00, without an offset");
    }
    if (cell->i64 % each != 0) {
        return refuse_fraction(unit, error);
    }
    return node->physical == CARQUET_PHYSICAL_INT32 ? append_int32(cell->i64 / each, out)
                                                    : append_int64(cell->i64 / each, out);
}

static enum status append_timestamp(const struct parquet_node *node, const struct cell *cell,
                                    struct buffer *out, struct error *error)
{
    carquet_time_unit_t unit = node->logical.params.timestamp.unit;
    int64_t value = cell->i64;
    if ((cell->flags & CELL_SPECIAL) != 0) {
        return refuse_special(cell, error);
    }
    if ((unit != CARQUET_TIME_UNIT_NANOS && cell->aux != 0) ||
        (unit == CARQUET_TIME_UNIT_MILLIS && value % 1000 != 0)) {
        return refuse_fraction(unit, error);
    }
    if (unit == CARQUET_TIME_UNIT_MILLIS) {
        value /= 1000;
    } else if (unit == CARQUET_TIME_UNIT_NANOS &&
               (__builtin_mul_overflow(value, 1000, &value) ||
                __builtin_add_overflow(value, (int64_t)cell->aux, &value))) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "it is beyond the years 1677 to 2262, which nanoseconds count");
    }
    return append_int64(value, out);
}

/* ---------------------------------------------------------------- the whole */

static bool is_nested(const struct cell *cell)
{
    return cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP;
}

static bool is_same(const struct parquet_node *node, const struct cell *cell)
{
    bool same = cell->kind == (uint8_t)node->type.kind;
    if (same && (cell->kind == VALUE_TIMESTAMP) && (cell->flags & CELL_SPECIAL) == 0) {
        return ((cell->flags & CELL_ZONED) != 0) == node->type.zoned;
    }
    return same || (node->logical.id == CARQUET_LOGICAL_JSON &&
                    (is_nested(cell) || cell->kind == VALUE_JSON));
}

/* A number of another kind is one all the same; anything else would come back as what it was not.
 */
static enum status convert(const struct parquet_node *node, const struct cell *cell,
                           struct arena *scratch, struct cell *converted, struct error *error)
{
    bool both =
        value_kind_is_number((enum value_kind)cell->kind) && value_kind_is_number(node->type.kind);
    bool zone = cell->kind == VALUE_TIMESTAMP && node->type.kind == VALUE_TIMESTAMP;
    bool text = node->type.kind == VALUE_TEXT && node->type.untyped && cell->kind != VALUE_BYTES;
    struct value_type type = node->type;
    type.dynamic = type.dynamic || type.kind == VALUE_DECIMAL; /* its limits are told later */
    if (!both && !zone && !text) {
        return error_set(error, ERROR_REJECT_TYPE, NULL, "it is %s, and the column holds %s",
                         value_kind_name((enum value_kind)cell->kind),
                         value_kind_name(node->type.kind));
    }
    return convert_value(cell, &type, false, scratch, converted, error);
}

static enum status append_converted(const struct parquet_node *node, const struct cell *cell,
                                    struct arena *scratch, struct buffer *out, struct error *error)
{
    float narrow = 0;
    switch (node->physical) {
    case CARQUET_PHYSICAL_BOOLEAN:
        buffer_append_byte(out, cell->i64 != 0 ? 1 : 0);
        return STATUS_OK;
    case CARQUET_PHYSICAL_FLOAT:
        narrow = (float)cell->f64;
        buffer_append(out, &narrow, sizeof(narrow));
        return STATUS_OK;
    case CARQUET_PHYSICAL_DOUBLE:
        buffer_append(out, &cell->f64, sizeof(cell->f64));
        return STATUS_OK;
    case CARQUET_PHYSICAL_BYTE_ARRAY:
        return append_variable(node, cell, out, error);
    default:
        break;
    }
    switch (node->type.kind) {
    case VALUE_UINT64:
        return append_int64(cell->i64, out);
    case VALUE_DECIMAL:
        return append_decimal(node, cell, scratch, out, error);
    case VALUE_DATE:
        return append_date(cell, out, error);
    case VALUE_TIME:
        return append_time(node, cell, out, error);
    case VALUE_TIMESTAMP:
        return append_timestamp(node, cell, out, error);
    case VALUE_UUID:
        buffer_append(out, cell->bytes, 16);
        return STATUS_OK;
    default:
        return append_integer(node, cell, out, error);
    }
}

enum status parquet_value_append(const struct parquet_node *node, const struct cell *cell,
                                 struct arena *scratch, struct buffer *out, struct error *error)
{
    struct cell whole = *cell;
    if (cell->kind == VALUE_LARGE &&
        convert_read_large(cell, CONVERT_LARGE_BYTES_MAX, scratch, &whole, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cell converted = whole;
    if (!is_same(node, &whole) && convert(node, &whole, scratch, &converted, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return append_converted(node, &converted, scratch, out, error);
}
