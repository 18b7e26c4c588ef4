/* The normal form: what a value is once it was written, whatever its column's type. */
#include "connectors/csv/csv.h"

#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <math.h>

/* A column that takes any kind tells numbers from text, and no more. */
static enum status normal_text(const struct cell *cell, struct arena *arena, struct cell *normal,
                               struct error *error)
{
    struct buffer text = {0};
    enum status status = STATUS_OK;
    switch ((enum value_kind)cell->kind) {
    case VALUE_BOOL:
        buffer_append_string(&text, cell->i64 != 0 ? "true" : "false");
        break;
    case VALUE_UUID:
        value_append_uuid(&text, cell->bytes);
        break;
    case VALUE_JSON:
        buffer_append(&text, cell->text, cell->length);
        break;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        status = convert_append_json(cell, &text, error);
        break;
    default:
        time_append(cell, &text);
    }
    char *copy = arena_try_copy(arena, text.data, text.length);
    if (status == STATUS_OK && copy == NULL) {
        status = error_set(error, ERROR_MEMORY, NULL, "no memory for the normal form of a value");
    }
    *normal = cell_text(copy, text.length);
    buffer_free(&text);
    return status;
}

static double special_of(char special)
{
    return special == 'N' ? (double)NAN : special == '+' ? (double)INFINITY : -(double)INFINITY;
}

/* Whole numbers without a point are int64 where they fit; the scale of others is kept. */
static void normal_decimal(const struct cell *cell, struct cell *normal)
{
    int64_t whole = 0;
    char special = decimal_special(cell);
    *normal = *cell;
    normal->flags = (uint8_t)(normal->flags & ~CELL_FROM_FLOAT);
    if (special != 0) {
        *normal = cell_float64(special_of(special));
    } else if (decimal_scale(cell) == 0 && decimal_to_int64(cell, &whole) == STATUS_OK) {
        *normal = cell_int64(whole);
    }
}

/* A float32 by its own digits. */
static struct cell normal_float(const struct cell *cell)
{
    char digits[NUMBER_TEXT_MAX];
    double value = cell->f64;
    size_t length = number_from_float32((float)cell->f64, digits);
    if (isfinite(cell->f64) && number_to_double(digits, length, &value) != STATUS_OK) {
        value = cell->f64;
    }
    return cell_float64(value);
}

enum status csv_normal_form(struct folder *folder, const struct cell *cell, struct arena *arena,
                            struct cell *normal, struct error *error)
{
    (void)folder;
    *normal = *cell;
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
        *normal = cell_null();
        return STATUS_OK;
    case VALUE_UINT64:
        if (cell->u64 > INT64_MAX) {
            *normal = decimal_from_uint64(cell->u64, arena);
            return STATUS_OK;
        }
        *normal = cell_int64((int64_t)cell->u64);
        return STATUS_OK;
    case VALUE_FLOAT32:
        *normal = normal_float(cell);
        return STATUS_OK;
    case VALUE_DECIMAL:
        normal_decimal(cell, normal);
        return STATUS_OK;
    case VALUE_BOOL:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return normal_text(cell, arena, normal, error);
    default:
        return STATUS_OK;
    }
}
