/* The normal form: what a value is once it was written, whatever its column's type. */
#include "connectors/parquet/parquet.h"

#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include <math.h>

/* Numbers by value: a column has one type of them and one scale. Only what is no decimal stays a
 * float. */
static enum status normal_float(const struct cell *cell, struct arena *arena, struct cell *normal,
                                struct error *error)
{
    char digits[NUMBER_TEXT_MAX];
    *normal = cell_float64(cell->f64);
    if (!isfinite(cell->f64) || (cell->f64 == 0 && signbit(cell->f64))) {
        return STATUS_OK;
    }
    size_t length = cell->kind == VALUE_FLOAT32 ? number_from_float32((float)cell->f64, digits)
                                                : number_from_double(cell->f64, digits);
    return decimal_parse(digits, length, arena, normal) == STATUS_OK
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_NUMBER, NULL, "the number has no digits");
}

static enum status normal_decimal(const struct cell *decimal, struct arena *arena,
                                  struct cell *normal, struct error *error)
{
    struct buffer digits = {0};
    if (decimal_special(decimal) != 0) {
        *normal = *decimal;
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
static enum status normal_nested(const struct cell *cell, struct arena *arena,
                                 struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    enum status status = convert_append_json(cell, &text, error);
    char *copy = arena_try_copy(arena, text.data, text.length);
    if (status == STATUS_OK && copy == NULL) {
        status = error_set(error, ERROR_MEMORY, NULL, "no memory for the normal form of a value");
    }
    *normal =
        (struct cell){.kind = VALUE_JSON, .length = (uint32_t)text.length, .text = copy};
    buffer_free(&text);
    return status;
}

enum status parquet_normal_form(struct folder *folder, const struct cell *cell, struct arena *arena,
                                struct cell *normal, struct error *error)
{
    struct cell number = *cell;
    (void)folder;
    *normal = *cell;
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
        *normal = cell_null();
        return STATUS_OK;
    case VALUE_INT64:
        number = decimal_from_int64(cell->i64, arena);
        break;
    case VALUE_UINT64:
        number = decimal_from_uint64(cell->u64, arena);
        break;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        if (normal_float(cell, arena, &number, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        break;
    case VALUE_DECIMAL:
        break;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return normal_nested(cell, arena, normal, error);
    default:
        return STATUS_OK;
    }
    if (number.kind != VALUE_DECIMAL) {
        *normal = number;
        return STATUS_OK;
    }
    return normal_decimal(&number, arena, normal, error);
}
