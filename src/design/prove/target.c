/*
 * A plan as an application runs it: step by step, each request given what the earlier ones
 * returned. Rows are joined, tested and sorted here where the plan leaves that to the client.
 */
#include "design/prove/prove_parts.h"

#include <string.h>

uint32_t prove_column_at(const struct prove_running *running, uint32_t place)
{
    for (uint32_t i = 0; i < running->column_count; i++) {
        if (running->columns[i] == place) {
            return i;
        }
    }
    return GRAPH_NONE;
}

/* GRAPH_NONE: nothing is given there. */
static uint32_t given_number(const struct prove_given *given, uint32_t place)
{
    for (uint32_t i = 0; i < given->count; i++) {
        if (given->places[i] == place) {
            return i;
        }
    }
    return GRAPH_NONE;
}

static const struct cell *given_at(const struct prove_running *running, uint32_t place)
{
    uint32_t number = given_number(running->given, place);
    return number != GRAPH_NONE ? &running->given->values[number].cells[running->chosen[number]]
                                : NULL;
}

static const struct cell *in_row(const struct prove_running *running, const struct cell *row,
                                 uint32_t place)
{
    uint32_t column = prove_column_at(running, place);
    return row != NULL && column != GRAPH_NONE && row[column].kind != VALUE_MISSING ? &row[column]
                                                                                    : NULL;
}

const struct cell *prove_known(const struct prove_running *running, const struct cell *row,
                               uint32_t place)
{
    const struct cell *own = in_row(running, row, place);
    return own != NULL ? own : given_at(running, place);
}

const struct prove_list *prove_known_list(const struct prove_running *running,
                                          const struct cell *row, uint32_t place)
{
    uint32_t number = given_number(running->given, place);
    return number != GRAPH_NONE && running->given->values[number].count > 1 &&
                   in_row(running, row, place) == NULL
               ? &running->given->values[number]
               : NULL;
}

bool prove_choose_next(const struct prove_running *running, const struct cell *row,
                       const uint32_t *places, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (prove_known_list(running, row, places[i]) == NULL) {
            continue;
        }
        uint32_t number = given_number(running->given, places[i]);
        if (++running->chosen[number] < running->given->values[number].count) {
            return true;
        }
        running->chosen[number] = 0;
    }
    return false;
}

uint32_t prove_request_rows(const struct prove_running *running, const struct access_step *step)
{
    return step->limited && step->query != NULL && step->query->limit < running->rows_max
               ? (uint32_t)step->query->limit
               : running->rows_max;
}

/* ---------------------------------------------------------------- steps */

/* Rows that a look-up finds nothing for stay, with nothing there. */
static void keep_unmatched(const struct prove_running *running, const struct access_step *step,
                           const struct cell *row, uint32_t before, struct prove_rows *out)
{
    if (row != NULL && step->query == NULL && out->count == before) {
        memcpy(prove_rows_add(out, running->arena), row, running->column_count * sizeof(*row));
    }
}

static enum status prove_target_ask(const struct prove_running *running,
                                    const struct access_step *step, const struct cell *row,
                                    struct prove_rows *out, struct error *error)
{
    return running->target->dynamodb != NULL ? prove_ask_dynamodb(running, step, row, out, error)
                                             : prove_ask_cassandra(running, step, row, out, error);
}

static enum status run_step(const struct prove_running *running, const struct access_step *step,
                            const struct prove_rows *before, struct prove_rows *after,
                            struct error *error)
{
    *after = (struct prove_rows){.width = running->column_count};
    if (before == NULL) {
        return prove_target_ask(running, step, NULL, after, error);
    }
    for (uint32_t i = 0; i < before->count; i++) {
        uint32_t count = after->count;
        const struct cell *row = prove_row(before, i);
        if (prove_target_ask(running, step, row, after, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        keep_unmatched(running, step, row, count, after);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the client's part */

static enum value_kind kind_of(const struct prove_running *running, uint32_t place)
{
    return places_field(running->target->places, place)->type.kind;
}

static bool is_one_of(const struct prove_running *running, const struct cell *value, uint32_t given)
{
    const struct prove_list *list = &running->given->values[given];
    enum value_kind kind = kind_of(running, running->given->places[given]);
    bool found = false;
    for (uint32_t i = 0; i < list->count && !found; i++) {
        found =
            value->kind != VALUE_NULL && prove_compare_values(value, &list->cells[i], kind) == 0;
    }
    return found;
}

static bool passes_test(const char *test, int order)
{
    return test == NULL || (order == 0 && test[1] == '=') ||
           (test[0] == '<' ? order < 0 : order > 0);
}

static bool is_within(const struct prove_running *running, const struct cell *value)
{
    enum value_kind kind = kind_of(running, running->query->range);
    return passes_test(query_low_test(running->query),
                       prove_compare_values(value, running->given->low, kind)) &&
           passes_test(query_high_test(running->query),
                       prove_compare_values(value, running->given->high, kind));
}

/* Does a row pass what the query is given? */
static bool passes(const struct prove_running *running, const struct cell *row)
{
    const struct prove_given *given = running->given;
    for (uint32_t i = 0; i < given->count; i++) {
        const struct cell *value = in_row(running, row, given->places[i]);
        if (value != NULL && !is_one_of(running, value, i)) {
            return false;
        }
    }
    const struct cell *value =
        given->low != NULL ? in_row(running, row, running->query->range) : NULL;
    return value == NULL || (value->kind != VALUE_NULL && is_within(running, value));
}

static void project(const struct prove_running *running, const struct prove_rows *all,
                    struct place_set wanted, struct prove_rows *rows)
{
    *rows = (struct prove_rows){.width = wanted.count};
    for (uint32_t i = 0; i < all->count; i++) {
        const struct cell *row = prove_row(all, i);
        if (!passes(running, row)) {
            continue;
        }
        struct cell *kept = prove_rows_add(rows, running->arena);
        for (uint32_t j = 0; j < wanted.count; j++) {
            const struct cell *given = given_at(running, wanted.at[j]);
            const struct cell *own = &row[prove_column_at(running, wanted.at[j])];
            kept[j] = own->kind == VALUE_MISSING && given != NULL ? *given : *own;
        }
    }
}

/* Do the requests return rows in the query's order? */
static bool comes_in_order(const struct access_plan *plan)
{
    bool ordered = false;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        ordered = plan->steps[i].query != NULL ? plan->steps[i].ordered : ordered;
    }
    return ordered;
}

/* The places that a family's rows have, as its root sees them. */
static struct place_set places_of_step(const struct prove_running *running,
                                       const struct access_step *step)
{
    const struct export_index *index = NULL;
    const struct export_table *table =
        running->target->dynamodb != NULL
            ? export_table_of(running->target->dynamodb, step->family, &index)
            : NULL;
    struct place_set set = running->target->pool->families[step->family].fields;
    for (uint32_t i = 0; table != NULL && index == NULL && i < table->attribute_count; i++) {
        if (table->attributes[i].place != GRAPH_NONE) {
            set = place_set_with(set, table->attributes[i].place, running->arena);
        }
    }
    return set;
}

/* All places that a step can bring, that are given, or that are wanted. */
static void list_columns(struct prove_running *running, const struct access_plan *plan,
                         struct place_set wanted)
{
    struct places *places = running->target->places;
    struct place_set set = place_set_union(
        wanted, place_set_of(running->given->places, running->given->count, running->arena),
        running->arena);
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct place_set own = places_of_step(running, &plan->steps[i]);
        for (uint32_t j = 0; j < own.count; j++) {
            set = place_set_with(set, places_under(places, plan->steps[i].path, own.at[j]),
                                 running->arena);
        }
    }
    running->columns = set.at;
    running->column_count = set.count;
}

enum status prove_run_plan(struct prove_target *target, const struct query *query,
                           const struct access_plan *plan, const struct prove_given *given,
                           const struct prove_wanted *wanted, struct arena *arena,
                           struct prove_rows *rows, struct error *error)
{
    struct prove_running running = {.target = target,
                                    .query = query,
                                    .given = given,
                                    .rows_max = wanted->rows_max,
                                    .arena = arena};
    struct prove_rows steps[ACCESS_STEPS_MAX] = {0};
    running.chosen = arena_allocate_zeroed(arena, given->count + 1u, sizeof(*running.chosen));
    list_columns(&running, plan, wanted->places);
    for (uint32_t i = 0; i < plan->step_count; i++) {
        if (run_step(&running, &plan->steps[i], i > 0 ? &steps[i - 1] : NULL, &steps[i], error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    project(&running, &steps[plan->step_count - 1], wanted->places, rows);
    if (wanted->order->count > 0 && !comes_in_order(plan)) {
        prove_sort(wanted->order, rows);
    }
    uint32_t limit = wanted->order->limit;
    rows->count = limit > 0 && rows->count > limit ? limit : rows->count;
    return STATUS_OK;
}
