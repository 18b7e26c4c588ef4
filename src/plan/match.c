/* Comparing values with a plan's constants. */
#include "plan/match.h"

#include "model/decimal.h"

static bool is_nothing(const struct cell *cell)
{
    return cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
}

/* A whole number as the small decimal that it is; false if it is none or too large. */
static bool as_decimal(const struct cell *cell, struct cell *decimal)
{
    *decimal = *cell;
    if (cell->kind == VALUE_INT64 || (cell->kind == VALUE_UINT64 && cell->i64 >= 0)) {
        *decimal = (struct cell){.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .i64 = cell->i64};
    }
    return decimal->kind == VALUE_DECIMAL;
}

bool match_constant_equals(const struct cell *constant, const struct cell *value)
{
    struct cell left;
    struct cell right;
    if (is_nothing(constant) || is_nothing(value)) {
        return is_nothing(constant) && is_nothing(value);
    }
    if (as_decimal(constant, &left) && as_decimal(value, &right)) {
        return decimal_compare(&left, &right) == 0;
    }
    return value_equal(constant, value);
}
