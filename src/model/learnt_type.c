#include "model/learnt_type.h"

#include "model/decimal.h"

enum { PRECISION_MAX = 1000 };

static void learn_digits(struct learnt_type *learnt, const struct cell *cell, struct arena *scratch)
{
    struct cell decimal = *cell;
    struct cell again;
    int64_t digits = 0;
    int64_t exponent = 0;
    enum status status = STATUS_OK;
    switch ((enum value_kind)cell->kind) {
    case VALUE_INT64:
        decimal = decimal_from_int64(cell->i64, scratch);
        learnt->negative = learnt->negative || cell->i64 < 0;
        break;
    case VALUE_UINT64:
        decimal = decimal_from_uint64(cell->u64, scratch);
        break;
    case VALUE_FLOAT64:
        status = decimal_from_double(cell->f64, scratch, &decimal);
        break;
    default:
        break;
    }
    if (status != STATUS_OK || !decimal_measure(&decimal, &digits, &exponent)) {
        return;
    }
    int64_t whole = digits > 0 && exponent >= 0 ? exponent + 1 : 0;
    int64_t scale = decimal_scale(&decimal);
    learnt->whole_digits = whole > learnt->whole_digits ? whole : learnt->whole_digits;
    learnt->scale = scale > learnt->scale ? scale : learnt->scale;
    if (digits > 15 && cell->kind != VALUE_FLOAT64 && !learnt->beyond_float) {
        learnt->beyond_float =
            decimal_from_double(decimal_to_double(&decimal), scratch, &again) != STATUS_OK ||
            decimal_compare(&decimal, &again) != 0;
    }
}

void learnt_type_add(struct learnt_type *learnt, const struct cell *cell, struct arena *scratch)
{
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        return;
    }
    learnt->kinds |= 1u << cell->kind;
    if (cell->kind == VALUE_TIMESTAMP) {
        bool zoned = (cell->flags & CELL_ZONED) != 0;
        learnt->zoned = learnt->zoned || zoned;
        learnt->bare = learnt->bare || !zoned;
    }
    if (value_kind_is_number((enum value_kind)cell->kind)) {
        learn_digits(learnt, cell, scratch);
    }
}

void learnt_type_merge(struct learnt_type *into, const struct learnt_type *from)
{
    into->kinds |= from->kinds;
    into->negative = into->negative || from->negative;
    into->zoned = into->zoned || from->zoned;
    into->bare = into->bare || from->bare;
    into->beyond_float = into->beyond_float || from->beyond_float;
    into->whole_digits =
        into->whole_digits > from->whole_digits ? into->whole_digits : from->whole_digits;
    into->scale = into->scale > from->scale ? into->scale : from->scale;
}

static struct value_type decide_number(const struct learnt_type *learnt)
{
    const uint32_t whole = 1u << VALUE_INT64;
    const uint32_t large = 1u << VALUE_UINT64;
    const uint32_t floats = 1u << VALUE_FLOAT64;
    struct value_type type = {.kind = VALUE_DECIMAL};
    if (learnt->kinds == whole) {
        type.kind = VALUE_INT64;
    } else if ((learnt->kinds & ~(whole | large)) == 0 && !learnt->negative) {
        type.kind = VALUE_UINT64;
    } else if ((learnt->kinds & floats) != 0 && !learnt->beyond_float) {
        type.kind = VALUE_FLOAT64;
    } else if ((learnt->kinds & floats) == 0 &&
               learnt->whole_digits + learnt->scale <= PRECISION_MAX) {
        type.precision = (int32_t)(learnt->whole_digits + learnt->scale);
        type.precision = type.precision > 0 ? type.precision : 1;
        type.scale = (int32_t)learnt->scale;
    }
    return type;
}

struct value_type learnt_type_decide(const struct learnt_type *learnt)
{
    const uint32_t numbers =
        1u << VALUE_INT64 | 1u << VALUE_UINT64 | 1u << VALUE_FLOAT64 | 1u << VALUE_DECIMAL;
    if (learnt->kinds != 0 && (learnt->kinds & ~numbers) == 0) {
        return decide_number(learnt);
    }
    bool mixed = learnt->zoned && learnt->bare;
    for (uint32_t kind = 0; kind < VALUE_KIND_COUNT && !mixed; kind++) {
        if (learnt->kinds == 1u << kind) {
            return (struct value_type){.kind = (enum value_kind)kind, .zoned = learnt->zoned};
        }
    }
    return (struct value_type){.kind = VALUE_TEXT, .dynamic = true};
}
