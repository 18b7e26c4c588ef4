/* Values of the source that queries are given. */
#include "design/prove/prove_parts.h"

#include <string.h>

enum { DRAWN_MAX = 50, RANGE_MAX = 1000, IN_MAX = 3 };

struct drawing {
    struct prove_side *source;
    struct places *places;
    const struct query *query;
    const char *scheme;
    uint32_t rows_max;
    struct arena *arena;
};

static enum status draw_ask(const struct drawing *drawing, const struct prove_drawing *what,
                            struct prove_rows *values, struct error *error)
{
    struct buffer sql = {0};
    prove_append_drawing(drawing->places, drawing->query, drawing->scheme, what, &sql);
    enum status status = prove_ask(drawing->source, buffer_string(&sql), what->wanted_count,
                                   what->values_max, drawing->arena, values, error);
    buffer_free(&sql);
    return status;
}

/* ---------------------------------------------------------------- what is equal */

static bool is_same_row(const struct drawing *drawing, const struct cell *left,
                        const struct cell *right)
{
    for (uint32_t i = 0; i < drawing->query->equal.count; i++) {
        enum value_kind kind =
            places_field(drawing->places, drawing->query->equal.at[i])->type.kind;
        if (prove_compare_values(&left[i], &right[i], kind) != 0) {
            return false;
        }
    }
    return true;
}

/* The values that most rows have, then some that any rows have. */
static enum status draw_equal(const struct drawing *drawing, uint32_t runs_max,
                              struct prove_rows *runs, struct error *error)
{
    const struct place_set equal = drawing->query->equal;
    struct prove_drawing what = {.wanted = equal.at,
                                 .wanted_count = equal.count,
                                 .rows_max = drawing->rows_max,
                                 .values_max = 1};
    struct prove_rows any = {0};
    *runs = (struct prove_rows){.width = equal.count};
    if (equal.count == 0) {
        runs->count = 1;
        return STATUS_OK;
    }
    if (draw_ask(drawing, &what, runs, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    what.rows_max = 0;
    what.values_max = DRAWN_MAX;
    if (draw_ask(drawing, &what, &any, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < any.count && runs->count < runs_max; i++) {
        uint32_t row = any.count <= runs_max ? i : i * (any.count - 1) / runs_max;
        const struct cell *cells = prove_row(&any, row);
        if (runs->count == 0 || !is_same_row(drawing, prove_row(runs, 0), cells)) {
            memcpy(prove_rows_add(runs, drawing->arena), cells, equal.count * sizeof(*cells));
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the rest of a run */

/* Different values of a place, of rows that pass what is given so far. */
static enum status draw_place(const struct drawing *drawing, const struct prove_given *given,
                              uint32_t place, uint32_t values_max, bool ordered,
                              struct prove_rows *values, struct error *error)
{
    struct buffer condition = {0};
    struct prove_drawing what = {.wanted = &place,
                                 .wanted_count = 1,
                                 .condition = &condition,
                                 .ordered = ordered,
                                 .values_max = values_max};
    enum status status = prove_append_condition(drawing->places, drawing->query, drawing->scheme,
                                                given, &condition, error);
    if (status == STATUS_OK) {
        status = draw_ask(drawing, &what, values, error);
    }
    buffer_free(&condition);
    return status;
}

/* The first, the last and one between. */
static struct prove_list spread(const struct prove_rows *values, struct arena *arena)
{
    uint32_t count = values->count < IN_MAX ? values->count : IN_MAX;
    struct cell *cells = arena_allocate_zeroed(arena, count + 1u, sizeof(*cells));
    for (uint32_t i = 0; i < count; i++) {
        cells[i] = *prove_row(values, count < 2 ? 0 : i * (values->count - 1) / (count - 1));
    }
    return (struct prove_list){cells, count};
}

/* Two values with others between them, and where there are enough, others outside. */
static void choose_bounds(const struct prove_rows *values, struct prove_given *given)
{
    uint32_t last = values->count - 1;
    uint32_t cut = values->count / 4;
    given->low = prove_row(values, cut);
    given->high = prove_row(values, last < 2 ? last : last == 2 ? 1 : last - cut);
}

static enum status complete(const struct drawing *drawing, const struct cell *equal,
                            struct prove_given *given, bool *any, struct error *error)
{
    const struct query *query = drawing->query;
    uint32_t count = query->equal.count + query->in_count;
    uint32_t *places = arena_allocate_zeroed(drawing->arena, count + 1u, sizeof(*places));
    struct prove_list *values = arena_allocate_zeroed(drawing->arena, count + 1u, sizeof(*values));
    *given = (struct prove_given){.places = places, .values = values};
    *any = true;
    for (uint32_t i = 0; i < count && *any; i++) {
        struct prove_rows drawn = {0};
        bool is_equal = i < query->equal.count;
        places[i] = is_equal ? query->equal.at[i] : query->in[i - query->equal.count].place;
        if (is_equal) {
            values[i] = (struct prove_list){&equal[i], 1};
        } else if (draw_place(drawing, given, places[i], DRAWN_MAX, false, &drawn, error) ==
                   STATUS_OK) {
            values[i] = spread(&drawn, drawing->arena);
        } else {
            return STATUS_FAILED;
        }
        *any = values[i].count > 0;
        given->count = i + 1;
    }
    if (query->range == GRAPH_NONE || !*any) {
        return STATUS_OK;
    }
    struct prove_rows bounds = {0};
    if (draw_place(drawing, given, query->range, RANGE_MAX, true, &bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *any = bounds.count > 0;
    if (*any) {
        choose_bounds(&bounds, given);
    }
    return STATUS_OK;
}

enum status prove_draw(struct prove_side *source, struct places *places, const struct query *query,
                       uint32_t runs_max, uint32_t rows_max, struct arena *arena,
                       struct prove_given **runs, uint32_t *count, struct error *error)
{
    struct drawing drawing = {.source = source,
                              .places = places,
                              .query = query,
                              .scheme = source->database->connector->name,
                              .rows_max = rows_max,
                              .arena = arena};
    struct prove_rows equal = {0};
    *count = 0;
    if (draw_equal(&drawing, runs_max, &equal, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *runs = arena_allocate_zeroed(arena, equal.count + 1u, sizeof(**runs));
    for (uint32_t i = 0; i < equal.count; i++) {
        bool any = false;
        const struct cell *cells = equal.width > 0 ? prove_row(&equal, i) : NULL;
        if (complete(&drawing, cells, &(*runs)[*count], &any, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        *count += any;
    }
    return STATUS_OK;
}
