/* Aggregates over the child rows of one parent: exact sums, counts, extremes. */
#include "plan/map/mapper_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Hashes that one count(distinct) may keep: 16 MiB. */
enum { DISTINCT_MAX = 1 << 20 };
enum { UUID_BYTES = 16, NS_A_SECOND = 1000000000 };

void mapper_aggregates_begin(struct mapper *mapper)
{
    for (uint32_t i = 0; i < mapper->shared->aggregate_count; i++) {
        struct aggregate_state *state = &mapper->aggregates[i];
        state->count = 0;
        state->seen_count = 0;
        state->failed = false;
        state->known = false;
        state->extreme = cell_null();
        if (mapper->shared->aggregates[i].function == AGGREGATE_SUM) {
            decimal_sum_free(&state->sum);
            decimal_sum_init(&state->sum);
        }
    }
}

void mapper_aggregates_free(struct mapper *mapper)
{
    for (uint32_t i = 0; mapper->aggregates && i < mapper->shared->aggregate_count; i++) {
        struct aggregate_state *state = &mapper->aggregates[i];
        if (mapper->shared->aggregates[i].function == AGGREGATE_SUM) {
            decimal_sum_free(&state->sum);
        }
        buffer_free(&state->text);
        free(state->seen);
    }
}

static void mapper_aggregate_fail(struct aggregate_state *state, enum error_code code,
                                  const char *text, const char *why)
{
    if (!state->failed) {
        state->failed = true;
        error_set(&state->fault, code, text, "%s: %s", text, why);
    }
}

/* ---- order of values: numbers by value, then texts and bytes by bytes, each kind among itself */

/* 0: a kind without an order. */
static int rank(const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        return 1;
    case VALUE_TEXT:
    case VALUE_JSON:
        return 2;
    case VALUE_BYTES:
        return 3;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_UUID:
        return 4 + cell->kind;
    case VALUE_INTERVAL: /* MySQL's TIME is one below 0 and from 24 hours on */
        return 4 + VALUE_TIME;
    default:
        return 0;
    }
}

static enum status as_decimal(struct mapper *mapper, const struct cell *cell, struct cell *decimal)
{
    switch (cell->kind) {
    case VALUE_DECIMAL:
        *decimal = *cell;
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return decimal_from_double(cell->f64, mapper->scratch, decimal);
    case VALUE_UINT64: {
        struct buffer text = {0};
        buffer_append_uint64(&text, cell->u64);
        enum status status = decimal_parse(text.data, text.length, mapper->scratch, decimal);
        buffer_free(&text);
        return status;
    }
    default:
        *decimal = (struct cell){.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .i64 = cell->i64};
        return STATUS_OK;
    }
}

static int compare_integers(__int128 left, __int128 right)
{
    return (left > right) - (left < right);
}

/* Where a date or timestamp stands that is none: before all others, after them, or among them. */
static int side_of(const struct cell *cell)
{
    if (!(cell->flags & CELL_SPECIAL)) {
        return 0;
    }
    return cell->i64 == CELL_INFINITY ? 1 : cell->i64 == CELL_ZERO_DATE ? -1 : -2;
}

/* PostgreSQL's order: by the instant, then the western one is the greater. */
static int compare_times(const struct cell *left, const struct cell *right)
{
    int64_t east = left->flags & CELL_ZONED ? (int32_t)left->length : 0;
    int64_t other_east = right->flags & CELL_ZONED ? (int32_t)right->length : 0;
    int order =
        compare_integers(left->i64 - east * NS_A_SECOND, right->i64 - other_east * NS_A_SECOND);
    return order ? order : compare_integers(other_east, east);
}

/* As PostgreSQL orders them: a month is 30 days, a day 24 hours. */
static __int128 nanoseconds_of(const struct cell *cell)
{
    if (cell->kind == VALUE_TIME) {
        return cell->i64;
    }
    int64_t days = (int64_t)cell->interval->months * 30 + cell->interval->days;
    return (__int128)days * 86400 * NS_A_SECOND + cell->interval->nanoseconds;
}

/* Two of one rank above 3. */
static int compare_others(const struct cell *left, const struct cell *right)
{
    if (left->kind != right->kind || left->kind == VALUE_INTERVAL) {
        return compare_integers(nanoseconds_of(left), nanoseconds_of(right));
    }
    switch (left->kind) {
    case VALUE_TIME:
        return compare_times(left, right);
    case VALUE_UUID:
        return memcmp(left->bytes, right->bytes, UUID_BYTES);
    default: {
        int order = compare_integers(side_of(left), side_of(right));
        order = order ? order : compare_integers(left->i64, right->i64);
        return order ? order : compare_integers(left->aux, right->aux);
    }
    }
}

static enum status mapper_aggregate_compare(struct mapper *mapper, const struct cell *left,
                                            const struct cell *right, int *order)
{
    struct cell a;
    struct cell b;
    *order = rank(left) - rank(right);
    if (*order != 0) {
        return STATUS_OK;
    }
    if (left->kind == VALUE_INT64 && right->kind == VALUE_INT64) {
        *order = (left->i64 > right->i64) - (left->i64 < right->i64);
        return STATUS_OK;
    }
    if (rank(left) == 1) {
        if (as_decimal(mapper, left, &a) != STATUS_OK ||
            as_decimal(mapper, right, &b) != STATUS_OK) {
            return STATUS_FAILED;
        }
        *order = decimal_compare(&a, &b);
        return STATUS_OK;
    }
    if (rank(left) <= 3) {
        uint32_t shorter = left->length < right->length ? left->length : right->length;
        *order = shorter ? memcmp(left->text, right->text, shorter) : 0;
        *order = *order ? *order : (left->length > right->length) - (left->length < right->length);
        return STATUS_OK;
    }
    *order = compare_others(left, right);
    return STATUS_OK;
}

/* Bytes that the cell borrows are gone with its row. */
static void mapper_aggregate_keep(struct aggregate_state *state, const struct cell *cell)
{
    bool digits = cell->kind == VALUE_DECIMAL && !(cell->flags & CELL_SMALL);
    bool borrows = true;
    size_t length = cell->length;
    if (cell->kind == VALUE_UUID) {
        length = UUID_BYTES;
    } else if (cell->kind == VALUE_INTERVAL) {
        length = sizeof *cell->interval;
    } else {
        borrows = rank(cell) == 2 || rank(cell) == 3 || digits;
    }
    if (borrows) {
        buffer_clear(&state->text);
        if (!buffer_try_reserve(&state->text, length)) {
            mapper_aggregate_fail(state, ERROR_MEMORY, "an extreme", "no memory for a value");
            return;
        }
        buffer_append(&state->text, cell->text, length);
    }
    state->extreme = *cell;
    if (borrows) {
        state->extreme.text = buffer_string(&state->text);
    }
}

static void add_extreme(struct mapper *mapper, const struct mapping_aggregate *aggregate,
                        struct aggregate_state *state, const struct cell *cell)
{
    int order = 0;
    if (rank(cell) == 0) {
        mapper_aggregate_fail(state, ERROR_REJECT_TYPE, aggregate->text,
                              "values of this kind have no order");
        return;
    }
    if (state->extreme.kind != VALUE_NULL &&
        mapper_aggregate_compare(mapper, cell, &state->extreme, &order) != STATUS_OK) {
        mapper_aggregate_fail(state, ERROR_REJECT_TYPE, aggregate->text,
                              "these values have no order");
        return;
    }
    bool better = aggregate->function == AGGREGATE_MIN ? order < 0 : order > 0;
    if (state->extreme.kind != VALUE_NULL && !better) {
        return;
    }
    mapper_aggregate_keep(state, cell);
}

/* ---- count(distinct) */

static int compare_hashes(const void *left, const void *right)
{
    const struct canonical_hash *a = left;
    const struct canonical_hash *b = right;
    if (a->high != b->high) {
        return a->high < b->high ? -1 : 1;
    }
    return a->low < b->low ? -1 : a->low > b->low;
}

static void sort_and_unite(struct aggregate_state *state)
{
    uint32_t kept = 0;
    if (state->seen_count > 1) {
        qsort(state->seen, state->seen_count, sizeof *state->seen, compare_hashes);
    }
    for (uint32_t i = 0; i < state->seen_count; i++) {
        if (kept == 0 || compare_hashes(&state->seen[i], &state->seen[kept - 1]) != 0) {
            state->seen[kept++] = state->seen[i];
        }
    }
    state->seen_count = kept;
}

/* One cell for each number, whichever kind and scale it has: 1, 1.0 and 1.00 are one, 0 and -0, as
 * in SQL. `digits` keeps those of a long decimal. */
static struct cell one_of_number(const struct cell *cell, struct buffer *digits)
{
    const double limit = 9223372036854775808.0; /* 2^63 */
    struct cell whole = {.kind = VALUE_INT64};
    if (cell->kind == VALUE_FLOAT32 || cell->kind == VALUE_FLOAT64) {
        struct cell one = *cell;
        one.kind = VALUE_FLOAT64;
        if (cell->f64 >= -limit && cell->f64 < limit && cell->f64 == trunc(cell->f64)) {
            whole.i64 = (int64_t)cell->f64;
            return whole;
        }
        return one;
    }
    if (cell->kind != VALUE_DECIMAL) {
        return *cell;
    }
    if (decimal_to_int64(cell, &whole.i64) == STATUS_OK) {
        return whole;
    }
    if (decimal_to_uint64(cell, &whole.u64) == STATUS_OK) {
        whole.kind = VALUE_UINT64;
        return whole;
    }
    if ((cell->flags & CELL_SMALL) != 0) {
        return decimal_small_normal(cell);
    }
    decimal_append_normal(cell, digits);
    return (struct cell){
        .kind = VALUE_DECIMAL, .length = (uint32_t)digits->length, .text = buffer_string(digits)};
}

static void add_distinct(struct mapper *mapper, const struct mapping_aggregate *aggregate,
                         struct aggregate_state *state, const struct cell *cell)
{
    struct error error;
    if (state->seen_count == state->seen_capacity) {
        sort_and_unite(state);
    }
    if (state->seen_count >= state->seen_capacity / 2) {
        uint32_t capacity = state->seen_capacity ? state->seen_capacity * 2 : 64;
        struct canonical_hash *grown =
            capacity <= DISTINCT_MAX ? reallocarray(state->seen, capacity, sizeof *grown) : NULL;
        if (!grown && state->seen_count == state->seen_capacity) {
            mapper_aggregate_fail(state, ERROR_REJECT_TOO_LARGE, aggregate->text,
                                  "too many distinct values");
            return;
        }
        if (grown) {
            state->seen = grown;
            state->seen_capacity = capacity;
        }
    }
    struct buffer digits = {0};
    const struct cell one = one_of_number(cell, &digits);
    enum status status =
        canonical_hash_cells(&one, 1, &mapper->bytes, &state->seen[state->seen_count], &error);
    buffer_free(&digits);
    if (status != STATUS_OK) {
        mapper_aggregate_fail(state, error.code, aggregate->text, error.message);
        return;
    }
    state->seen_count++;
}

/* ---- a row */

static void mapper_aggregate_add(struct mapper *mapper, uint32_t number, const struct cell *row)
{
    const struct mapping_aggregate *aggregate = &mapper->shared->aggregates[number];
    struct aggregate_state *state = &mapper->aggregates[number];
    if (aggregate->presence != MAPPING_NONE && row[aggregate->presence].i64 == 0) {
        return;
    }
    if (aggregate->column == MAPPING_NONE) {
        state->count++;
        return;
    }
    const struct cell *cell = &row[aggregate->column];
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        return;
    }
    state->count++;
    switch (aggregate->function) {
    case AGGREGATE_SUM:
        if (decimal_sum_add(&state->sum, cell) != STATUS_OK) {
            mapper_aggregate_fail(state, ERROR_REJECT_TYPE, aggregate->text,
                                  "a value is no number");
        }
        break;
    case AGGREGATE_COUNT_DISTINCT:
        add_distinct(mapper, aggregate, state, cell);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        add_extreme(mapper, aggregate, state, cell);
        break;
    case AGGREGATE_COUNT:
        break;
    }
}

enum status mapper_aggregates_add(struct mapper *mapper, uint32_t child, const struct cell *row,
                                  struct error *error)
{
    for (uint32_t i = 0; i < mapper->shared->aggregate_count; i++) {
        if (mapper->shared->aggregates[i].child == child && !mapper->aggregates[i].failed) {
            mapper_aggregate_add(mapper, i, row);
        }
    }
    for (uint32_t i = 0; i < mapper->shared->aggregate_count; i++) {
        if (mapper->aggregates[i].failed && mapper->aggregates[i].fault.code == ERROR_MEMORY) {
            return error_copy(error, &mapper->aggregates[i].fault);
        }
    }
    return STATUS_OK;
}

enum status mapper_aggregate_result(struct mapper *mapper, uint32_t number, struct cell *cell,
                                    struct error *error)
{
    struct aggregate_state *state = &mapper->aggregates[number];
    const struct mapping_aggregate *aggregate = &mapper->shared->aggregates[number];
    if (state->failed) {
        return error_copy(error, &state->fault);
    }
    switch (aggregate->function) {
    case AGGREGATE_COUNT:
        *cell = cell_int64((int64_t)state->count);
        return STATUS_OK;
    case AGGREGATE_COUNT_DISTINCT:
        sort_and_unite(state);
        *cell = cell_int64(state->seen_count);
        return STATUS_OK;
    case AGGREGATE_SUM:
        return decimal_sum_result(&state->sum, mapper->scratch, cell) == STATUS_OK
                   ? STATUS_OK
                   : error_set(error, ERROR_MEMORY, aggregate->text, "no memory for a sum");
    default:
        *cell = state->extreme;
        return STATUS_OK;
    }
}
