/* Aggregates of child rows, exact: counts, sums, extremes, distinct counts. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "plan/mapper_internal.h"

enum { DISTINCT_SLOTS_FIRST = 64 };

static void distinct_free(struct distinct_set *set)
{
    free(set->slots);
    memset(set, 0, sizeof *set);
}

void aggregate_free(struct aggregate_state *state)
{
    distinct_free(&state->distinct);
    decimal_sum_free(&state->sum);
    buffer_free(&state->text);
}

void aggregate_reset(struct aggregate_state *state)
{
    state->count = 0;
    state->failure = NULL;
    state->extreme = cell_missing();
    if (state->distinct.capacity > DISTINCT_SLOTS_FIRST) {
        distinct_free(&state->distinct);
    } else if (state->distinct.count > 0) {
        memset(state->distinct.slots, 0, state->distinct.capacity * sizeof *state->distinct.slots);
        state->distinct.count = 0;
    }
    decimal_sum_free(&state->sum);
    decimal_sum_init(&state->sum);
}

/* ---------------------------------------------------------------- count(distinct X) */

static bool is_number(const struct cell *cell)
{
    return cell->kind >= VALUE_BOOL && cell->kind <= VALUE_DECIMAL;
}

/* Numbers are equal by value, whatever holds them. */
static bool distinct_hash(struct aggregate_state *state, const struct cell *cell,
                          struct canonical_hash *hash)
{
    struct buffer *text = &state->text;
    struct error error;
    buffer_clear(text);
    if (cell->kind == VALUE_INT64 || cell->kind == VALUE_BOOL) {
        buffer_append_byte(text, 'n');
        buffer_append_int64(text, cell->i64);
    } else if (cell->kind == VALUE_UINT64) {
        buffer_append_byte(text, 'n');
        buffer_append_uint64(text, cell->u64);
    } else if (is_number(cell)) {
        struct cell decimal = *cell;
        struct arena *scratch = NULL;
        bool done = true;
        if (cell->kind != VALUE_DECIMAL) {
            scratch = arena_create(1024);
            done = scratch != NULL && decimal_from_double(cell->f64, scratch, &decimal) == STATUS_OK;
        }
        buffer_append_byte(text, 'n');
        if (done) {
            decimal_append_normal(&decimal, text);
        }
        arena_destroy(scratch);
        if (!done) {
            return false;
        }
    } else if (canonical_append(cell, text, &error) != STATUS_OK) {
        return false;
    }
    XXH128_hash_t sum = XXH3_128bits(text->data, text->length);
    hash->low = sum.low64;
    hash->high = sum.high64 | 1; /* never the free slot */
    return !text->failed;
}

static void distinct_place(struct distinct_set *set, const struct canonical_hash *hash)
{
    uint64_t at = hash->low & (set->capacity - 1);
    while (set->slots[at].high != 0) {
        if (set->slots[at].low == hash->low && set->slots[at].high == hash->high) {
            return;
        }
        at = (at + 1) & (set->capacity - 1);
    }
    set->slots[at] = *hash;
    set->count++;
}

static bool distinct_grow(struct distinct_set *set)
{
    struct distinct_set grown = {.capacity = set->capacity == 0 ? DISTINCT_SLOTS_FIRST
                                                                : set->capacity * 2};
    grown.slots = calloc(grown.capacity, sizeof *grown.slots);
    if (grown.slots == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < set->capacity; i++) {
        if (set->slots[i].high != 0) {
            distinct_place(&grown, &set->slots[i]);
        }
    }
    free(set->slots);
    *set = grown;
    return true;
}

static enum status distinct_add(struct aggregate_state *state, const struct cell *cell,
                                uint64_t bytes_max)
{
    struct distinct_set *set = &state->distinct;
    struct canonical_hash hash;
    if (!distinct_hash(state, cell, &hash)) {
        state->failure = "a value can not be compared";
        return STATUS_OK;
    }
    if ((set->count + 1) * 2 > set->capacity) {
        if (set->capacity * 2 * sizeof *set->slots > bytes_max) {
            state->failure = "there are more different values than memory is allowed for";
            return STATUS_OK;
        }
        if (!distinct_grow(set)) {
            return STATUS_FAILED;
        }
    }
    distinct_place(set, &hash);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- min, max */

static struct cell as_decimal(const struct cell *cell, struct arena *arena)
{
    struct cell result = *cell;
    char digits[32];
    if (cell->kind == VALUE_FLOAT32 || cell->kind == VALUE_FLOAT64) {
        if (decimal_from_double(cell->f64, arena, &result) != STATUS_OK) {
            result = cell_null();
        }
    } else if (cell->kind != VALUE_DECIMAL) {
        size_t length = 0;
        struct buffer text = {.data = digits, .capacity = sizeof digits};
        if (cell->kind == VALUE_UINT64) {
            buffer_append_uint64(&text, cell->u64);
        } else {
            buffer_append_int64(&text, cell->i64);
        }
        length = text.length;
        if (decimal_parse(digits, length, arena, &result) != STATUS_OK) {
            result = cell_null();
        }
    }
    return result;
}

static int compare_numbers(const struct cell *left, const struct cell *right)
{
    if (left->kind == VALUE_INT64 && right->kind == VALUE_INT64) {
        return left->i64 < right->i64 ? -1 : left->i64 > right->i64;
    }
    if (left->kind == VALUE_DECIMAL && right->kind == VALUE_DECIMAL) {
        return decimal_compare(left, right);
    }
    struct arena *scratch = arena_create(1024);
    if (scratch == NULL) {
        return 0;
    }
    struct cell a = as_decimal(left, scratch);
    struct cell b = as_decimal(right, scratch);
    int order = a.kind == VALUE_DECIMAL && b.kind == VALUE_DECIMAL ? decimal_compare(&a, &b) : 0;
    arena_destroy(scratch);
    return order;
}

/* Numbers before texts before bytes, as SQLite orders them; dates and times by their number. */
static int rank(const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
        return 1;
    case VALUE_TEXT:
    case VALUE_JSON:
        return 2;
    case VALUE_BYTES:
    case VALUE_UUID:
        return 3;
    default:
        return is_number(cell) ? 0 : -1;
    }
}

static int compare_bytes(const void *left, size_t left_length, const void *right,
                         size_t right_length)
{
    size_t common = left_length < right_length ? left_length : right_length;
    int order = common > 0 ? memcmp(left, right, common) : 0;
    if (order != 0) {
        return order;
    }
    return left_length < right_length ? -1 : left_length > right_length;
}

static size_t length_of(const struct cell *cell)
{
    return cell->kind == VALUE_UUID ? 16 : cell->length;
}

static int compare(const struct cell *left, const struct cell *right)
{
    int difference = rank(left) - rank(right);
    if (difference != 0) {
        return difference;
    }
    switch (rank(left)) {
    case 0:
        return compare_numbers(left, right);
    case 1:
        if (left->i64 != right->i64) {
            return left->i64 < right->i64 ? -1 : 1;
        }
        return left->aux < right->aux ? -1 : left->aux > right->aux;
    default:
        return compare_bytes(left->text, length_of(left), right->text, length_of(right));
    }
}

static enum status extreme_add(struct aggregate_state *state, const struct cell *cell, bool maximum)
{
    if (rank(cell) < 0) {
        state->failure = "a value has no order";
        return STATUS_OK;
    }
    if (state->extreme.kind != VALUE_MISSING) {
        int order = compare(cell, &state->extreme);
        if (maximum ? order <= 0 : order >= 0) {
            return STATUS_OK;
        }
    }
    state->extreme = *cell;
    bool points = rank(cell) >= 2 ||
                  (cell->kind == VALUE_DECIMAL && (cell->flags & CELL_SMALL) == 0);
    if (points) {
        buffer_clear(&state->text);
        buffer_append(&state->text, cell->text, length_of(cell));
        if (state->text.failed) {
            return STATUS_FAILED;
        }
        state->extreme.text = buffer_string(&state->text);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of them */

enum status aggregate_add(struct aggregate_state *state, const struct mapping_aggregate *aggregate,
                          const struct cell *row, uint64_t bytes_max)
{
    if (aggregate->presence != MAPPING_NONE && row[aggregate->presence].i64 == 0) {
        return STATUS_OK;
    }
    if (aggregate->column == MAPPING_NONE) {
        state->count++;
        return STATUS_OK;
    }
    const struct cell *cell = &row[aggregate->column];
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING || state->failure != NULL) {
        return STATUS_OK;
    }
    if ((cell->kind == VALUE_ESCAPE || cell->kind == VALUE_LARGE) &&
        aggregate->function != AGGREGATE_COUNT) {
        state->failure = "a value is not readable or too large";
        return STATUS_OK;
    }
    switch (aggregate->function) {
    case AGGREGATE_COUNT:
        state->count++;
        return STATUS_OK;
    case AGGREGATE_COUNT_DISTINCT:
        return distinct_add(state, cell, bytes_max);
    case AGGREGATE_SUM:
        if (decimal_sum_add(&state->sum, cell) != STATUS_OK) {
            state->failure = "a value is not a number";
        }
        return STATUS_OK;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return extreme_add(state, cell, aggregate->function == AGGREGATE_MAX);
    }
    return STATUS_OK;
}

enum status aggregate_result(struct aggregate_state *state,
                             const struct mapping_aggregate *aggregate, struct arena *arena,
                             struct cell *result)
{
    switch (aggregate->function) {
    case AGGREGATE_COUNT:
        *result = cell_int64((int64_t)state->count);
        return STATUS_OK;
    case AGGREGATE_COUNT_DISTINCT:
        *result = cell_int64((int64_t)state->distinct.count);
        return STATUS_OK;
    case AGGREGATE_SUM:
        return decimal_sum_result(&state->sum, arena, result);
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        if (state->extreme.kind == VALUE_MISSING) {
            *result = cell_null();
            return STATUS_OK;
        }
        return value_copy(&state->extreme, arena, result);
    }
    return STATUS_OK;
}
