/* Conversions to BOOL and to the numbers. */
#include "model/convert_parts.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include <math.h>
#include <string.h>
#include <strings.h>

#define TWO_TO_63 9223372036854775808.0
#define TWO_TO_64 18446744073709551616.0

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
    return number_to_double(from->text, from->length, &ignored) == STATUS_OK
               ? convert_refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range)
               : convert_refuse(conversion, from, ERROR_REJECT_TYPE, not_a_number);
}

/* A FLOAT32's digits are those of the float, not of the double that holds it. */
static enum status decimal_of_float(const struct conversion *conversion, const struct cell *from,
                                    struct cell *decimal)
{
    if (from->kind == VALUE_FLOAT32) {
        char text[NUMBER_TEXT_MAX];
        size_t length = number_from_float32((float)from->f64, text);
        return decimal_parse(text, length, conversion->arena, decimal);
    }
    return decimal_from_double(from->f64, conversion->arena, decimal);
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

enum status convert_to_bool(const struct conversion *conversion, const struct cell *from,
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
            return convert_refuse(conversion, from, ERROR_REJECT_TYPE,
                                  "it is neither true nor false");
        }
        break;
    default:
        return convert_refuse_kind(conversion, from);
    }
    if (!is_exact && !conversion->allow_loss) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, "it is neither 0 nor 1");
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
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, not_whole);
    }
    if (decimal_rescale(decimal, 0, conversion->arena, &whole, &exact) != STATUS_OK ||
        (!exact && !conversion->allow_loss)) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, not_whole);
    }
    int64_t number = 0;
    uint64_t large = 0;
    int is_signed = conversion->to->kind == VALUE_INT64;
    if ((is_signed ? decimal_to_int64(&whole, &number) : decimal_to_uint64(&whole, &large)) !=
        STATUS_OK) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
    }
    *result = is_signed ? cell_int64(number) : cell_uint64(large);
    return STATUS_OK;
}

static enum status whole_of_float(const struct conversion *conversion, const struct cell *from,
                                  struct cell *result)
{
    double rounded = nearbyint(from->f64);
    if (isnan(rounded) || (rounded != from->f64 && !conversion->allow_loss)) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, not_whole);
    }
    if (conversion->to->kind == VALUE_INT64 && rounded >= -TWO_TO_63 && rounded < TWO_TO_63) {
        *result = cell_int64((int64_t)rounded);
    } else if (conversion->to->kind == VALUE_UINT64 && rounded >= 0 && rounded < TWO_TO_64) {
        *result = cell_uint64((uint64_t)rounded);
    } else {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
    }
    return STATUS_OK;
}

enum status convert_to_whole(const struct conversion *conversion, const struct cell *from,
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
            return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
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
        return convert_refuse_kind(conversion, from);
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
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
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
               : convert_refuse(conversion, from, ERROR_REJECT_NUMBER, would_round);
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
        return convert_refuse(conversion, from, ERROR_REJECT_TYPE, not_a_number);
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
    int is_exact = is_unsigned ? value < TWO_TO_64 && (uint64_t)value == from->u64
                               : value < TWO_TO_63 && (int64_t)value == from->i64;
    if (!is_exact && !conversion->allow_loss) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, would_round);
    }
    *result = float_cell(conversion, value);
    return STATUS_OK;
}

enum status convert_to_float(const struct conversion *conversion, const struct cell *from,
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
                return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
            }
            if (value != from->f64 && !conversion->allow_loss) {
                return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, would_round);
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
        return convert_refuse_kind(conversion, from);
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
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, out_of_range);
    }
    if (!exact && !conversion->allow_loss) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER,
                              "it has more digits after the point than the type");
    }
    int64_t digits;
    int64_t exponent;
    decimal_measure(&fitted, &digits, &exponent);
    if (digits > 0 && exponent >= to->precision - to->scale) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER,
                              "it has more digits before the point than the type");
    }
    *result = fitted;
    return STATUS_OK;
}

enum status convert_to_decimal(const struct conversion *conversion, const struct cell *from,
                               struct cell *result)
{
    struct cell decimal;
    enum status status = STATUS_OK;
    switch ((enum value_kind)from->kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
        decimal = decimal_from_int64(from->i64, conversion->arena);
        break;
    case VALUE_UINT64:
        decimal = decimal_from_uint64(from->u64, conversion->arena);
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
        break;
    default:
        return convert_refuse_kind(conversion, from);
    }
    return status == STATUS_OK ? fit_decimal(conversion, from, &decimal, result) : STATUS_FAILED;
}
