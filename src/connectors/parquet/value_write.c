/* Cells to the values of columns. */
#include "connectors/parquet/parquet.h"

#include "connectors/columnar/fitting.h"
#include "model/convert.h"
#include "model/decimal.h"
#include <string.h>

enum { DECIMAL_BYTES_MAX = 32 };
static const char format[] = "Parquet";

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
    return columnar_fit_integer(node->logical.params.integer.bit_width, cell, error) == STATUS_OK
               ? append_int32(cell->i64, out)
               : STATUS_FAILED;
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
    if (columnar_fit_decimal(format, type.precision, type.scale, cell, scratch, &fitting, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
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
    if (length > COLUMNAR_VALUE_BYTES_MAX || !buffer_try_reserve(out, length + sizeof(count))) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                         "it has %zu bytes, more than a value of a Parquet file may", length);
    }
    buffer_append(out, &count, sizeof(count));
    buffer_append(out, bytes, length);
    return STATUS_OK;
}

/* Values of kinds that Parquet has no type for: their text, or JSON. */
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

static int64_t unit_ns(carquet_time_unit_t unit)
{
    return unit == CARQUET_TIME_UNIT_MILLIS ? 1000000 : unit == CARQUET_TIME_UNIT_MICROS ? 1000 : 1;
}

static enum status append_date(const struct cell *cell, struct buffer *out, struct error *error)
{
    return columnar_fit_date(format, cell, error) == STATUS_OK ? append_int32(cell->i64, out)
                                                               : STATUS_FAILED;
}

static enum status append_time(const struct parquet_node *node, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    int64_t number = 0;
    if (columnar_fit_time(format, unit_ns(node->logical.params.time.unit), cell, &number, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    return node->physical == CARQUET_PHYSICAL_INT32 ? append_int32(number, out)
                                                    : append_int64(number, out);
}

static enum status append_timestamp(const struct parquet_node *node, const struct cell *cell,
                                    struct buffer *out, struct error *error)
{
    int64_t number = 0;
    return columnar_fit_timestamp(format, unit_ns(node->logical.params.timestamp.unit), cell,
                                  &number, error) == STATUS_OK
               ? append_int64(number, out)
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- the whole */

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
    struct cell fitted;
    return columnar_fit_kind(&node->type, node->logical.id == CARQUET_LOGICAL_JSON, cell, scratch,
                             &fitted, error) == STATUS_OK
               ? append_converted(node, &fitted, scratch, out, error)
               : STATUS_FAILED;
}
