/*
 * A plan as an application runs it: step by step, each request given what the earlier ones
 * returned. Rows are joined, tested and sorted here where the plan leaves that to the client.
 */
#include "design/prove/prove_parts.h"

#include <stdlib.h>
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

const struct cell *prove_given_at(const struct prove_given *given, uint32_t place)
{
    for (uint32_t i = 0; i < given->count; i++) {
        if (given->places[i] == place) {
            return &given->values[i];
        }
    }
    return NULL;
}

const struct cell *prove_known(const struct prove_running *running, const struct cell *row,
                               uint32_t place)
{
    uint32_t column = prove_column_at(running, place);
    return row != NULL && column != GRAPH_NONE && row[column].kind != VALUE_MISSING
               ? &row[column]
               : prove_given_at(running->given, place);
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

static enum status ask(const struct prove_running *running, const struct access_step *step,
                       const struct cell *row, struct prove_rows *out, struct error *error)
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
        return ask(running, step, NULL, after, error);
    }
    for (uint32_t i = 0; i < before->count; i++) {
        uint32_t count = after->count;
        const struct cell *row = prove_row(before, i);
        if (ask(running, step, row, after, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        keep_unmatched(running, step, row, count, after);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the client's part */

static bool is_within(const struct cell *value, const struct prove_given *given)
{
    struct buffer texts[3] = {0};
    struct error ignored;
    bool within = prove_append_text(value, &texts[0], &ignored) == STATUS_OK &&
                  prove_append_text(given->low, &texts[1], &ignored) == STATUS_OK &&
                  prove_append_text(given->high, &texts[2], &ignored) == STATUS_OK;
    if (within && value_kind_is_number(value->kind)) {
        double number = strtod(buffer_string(&texts[0]), NULL);
        within = number >= strtod(buffer_string(&texts[1]), NULL) &&
                 number <= strtod(buffer_string(&texts[2]), NULL);
    } else if (within) {
        within = strcmp(buffer_string(&texts[0]), buffer_string(&texts[1])) >= 0 &&
                 strcmp(buffer_string(&texts[0]), buffer_string(&texts[2])) <= 0;
    }
    for (uint32_t i = 0; i < 3; i++) {
        buffer_free(&texts[i]);
    }
    return within;
}

static bool is_same(const struct cell *left, const struct cell *right)
{
    struct buffer texts[2] = {0};
    struct error ignored;
    bool same = prove_append_text(left, &texts[0], &ignored) == STATUS_OK &&
                prove_append_text(right, &texts[1], &ignored) == STATUS_OK &&
                strcmp(buffer_string(&texts[0]), buffer_string(&texts[1])) == 0;
    buffer_free(&texts[0]);
    buffer_free(&texts[1]);
    return same;
}

/* Does a row pass what the query is given? */
static bool passes(const struct prove_running *running, const struct cell *row)
{
    for (uint32_t i = 0; i < running->given->count; i++) {
        uint32_t column = prove_column_at(running, running->given->places[i]);
        if (column != GRAPH_NONE && row[column].kind != VALUE_MISSING &&
            !is_same(&row[column], &running->given->values[i])) {
            return false;
        }
    }
    uint32_t column =
        running->given->low != NULL ? prove_column_at(running, running->query->range) : GRAPH_NONE;
    return column == GRAPH_NONE || row[column].kind == VALUE_MISSING ||
           is_within(&row[column], running->given);
}

static void project(const struct prove_running *running, const struct prove_rows *all,
                    const uint32_t *wanted, uint32_t wanted_count, struct prove_rows *rows)
{
    *rows = (struct prove_rows){.width = wanted_count};
    for (uint32_t i = 0; i < all->count; i++) {
        const struct cell *row = prove_row(all, i);
        if (!passes(running, row)) {
            continue;
        }
        struct cell *kept = prove_rows_add(rows, running->arena);
        for (uint32_t j = 0; j < wanted_count; j++) {
            const struct cell *given = prove_given_at(running->given, wanted[j]);
            const struct cell *own = &row[prove_column_at(running, wanted[j])];
            kept[j] = own->kind == VALUE_MISSING && given != NULL ? *given : *own;
        }
    }
}

/* What a family's rows have, as its root sees it. */
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
                         const uint32_t *wanted, uint32_t wanted_count)
{
    struct places *places = running->target->places;
    struct place_set set = place_set_of(wanted, wanted_count, running->arena);
    set = place_set_union(
        set, place_set_of(running->given->places, running->given->count, running->arena),
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
                           const uint32_t *wanted, uint32_t wanted_count, uint32_t rows_max,
                           struct arena *arena, struct prove_rows *rows, struct error *error)
{
    struct prove_running running = {
        .target = target, .query = query, .given = given, .rows_max = rows_max, .arena = arena};
    struct prove_rows steps[ACCESS_STEPS_MAX] = {0};
    list_columns(&running, plan, wanted, wanted_count);
    for (uint32_t i = 0; i < plan->step_count; i++) {
        if (run_step(&running, &plan->steps[i], i > 0 ? &steps[i - 1] : NULL, &steps[i], error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    project(&running, &steps[plan->step_count - 1], wanted, wanted_count, rows);
    return STATUS_OK;
}
