/* The normal form: what a value is once it was written, whatever its column's type. */
#include "connectors/columnar/columnar.h"

#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include <math.h>

/* Numbers by value, since a column has one type of them, and decimals one scale: whole ones that
 * fit are int64, others stay floats or decimals, the latter without zeros at their end. */
static struct cell normal_float(const struct cell *cell)
{
    char digits[NUMBER_TEXT_MAX];
    double value = cell->f64;
    if (cell->kind == VALUE_FLOAT32 && isfinite(value)) {
        size_t length = number_from_float32((float)value, digits);
        if (number_to_double(digits, length, &value) != STATUS_OK) {
            value = cell->f64;
        }
    }
    bool whole = value > -0x1p63 && value < 0x1p63 && value == (double)(int64_t)value &&
                 !(value == 0 && signbit(value));
    return whole ? cell_int64((int64_t)value) : cell_float64(value);
}

static enum status normal_decimal(const struct cell *decimal, struct arena *arena,
                                  struct cell *normal, struct error *error)
{
    struct buffer digits = {0};
    int64_t whole = 0;
    if ((decimal->flags & CELL_SMALL) != 0) {
        *normal = decimal_small_normal(decimal);
        normal->flags = (uint8_t)(normal->flags & ~CELL_FROM_FLOAT);
        *normal = normal->aux == 0 ? cell_int64(normal->i64) : *normal;
        return STATUS_OK;
    }
    *normal = *decimal;
    if (decimal_special(decimal) != 0 || decimal_to_int64(decimal, &whole) == STATUS_OK) {
        *normal = decimal_special(decimal) != 0 ? *decimal : cell_int64(whole);
        return STATUS_OK;
    }
    decimal_append_normal(decimal, &digits);
    enum status status = decimal_parse(digits.data, digits.length, arena, normal);
    buffer_free(&digits);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_NUMBER, NULL, "the number has no digits");
}

/* Lists and maps of a known type and those that are JSON texts alike. */
static enum status normal_nested(const struct cell *cell, struct arena *arena, struct cell *normal,
                                 struct error *error)
{
    struct buffer text = {0};
    enum status status = convert_append_json(cell, &text, error);
    char *copy = arena_try_copy(arena, text.data, text.length);
    if (status == STATUS_OK && copy == NULL) {
        status = error_set(error, ERROR_MEMORY, NULL, "no memory for the normal form of a value");
    }
    *normal = (struct cell){.kind = VALUE_JSON, .length = (uint32_t)text.length, .text = copy};
    buffer_free(&text);
    return status;
}

enum status columnar_normal_form(struct folder *folder, const struct cell *cell,
                                 struct arena *arena, struct cell *normal, struct error *error)
{
    (void)folder;
    *normal = *cell;
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
        *normal = cell_null();
        return STATUS_OK;
    case VALUE_UINT64:
        *normal = cell->u64 > INT64_MAX ? decimal_from_uint64(cell->u64, arena)
                                        : cell_int64((int64_t)cell->u64);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        *normal = normal_float(cell);
        return STATUS_OK;
    case VALUE_DECIMAL:
        return normal_decimal(cell, arena, normal, error);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return normal_nested(cell, arena, normal, error);
    default:
        return STATUS_OK;
    }
}
