/*
 * A plan as an application runs it: step by step, each request given what the earlier ones
 * returned. Rows are joined, tested and sorted here where the plan leaves that to the client.
 */
#include "design/prove/prove_parts.h"

#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MAX = 5000 };

struct running {
    struct analysis *analysis;
    struct places *places;
    struct prove_side *target;
    const struct query *query;
    const struct prove_given *given;
    uint32_t rows_max;
    struct arena *arena;
    /* What the rows have so far, as the query's root sees it; MISSING: not yet known. */
    const uint32_t *columns;
    uint32_t column_count;
};

static uint32_t column_at(const struct running *running, uint32_t place)
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

/* ---------------------------------------------------------------- one request */

struct request {
    const struct layout_table *table;
    const struct access_step *step;
    const struct cell *row; /* what is known; NULL: nothing */
    const struct cell *bucket;
};

static const struct cell *value_of(const struct running *running, const struct request *request,
                                   uint32_t place)
{
    const struct cell *given = prove_given_at(running->given, place);
    uint32_t column = column_at(running, place);
    if (request->row != NULL && column != GRAPH_NONE &&
        request->row[column].kind != VALUE_MISSING) {
        return &request->row[column];
    }
    return given;
}

static void append_name(const char *name, struct buffer *out)
{
    buffer_append_byte(out, '"');
    buffer_append_string(out, name);
    buffer_append_byte(out, '"');
}

static enum status append_test(const char *name, const char *test, const struct cell *value,
                               bool *any, struct buffer *out, struct error *error)
{
    buffer_append_string(out, *any ? " AND " : " WHERE ");
    append_name(name, out);
    buffer_append_string(out, test);
    *any = true;
    return prove_append_literal(value, PROVE_CQL, out, error);
}

/* The key as far as it is known; `*complete`: all that the step needs is. */
static enum status append_where(const struct running *running, const struct request *request,
                                struct buffer *out, bool *complete, struct error *error)
{
    const struct layout_table *table = request->table;
    bool any = false;
    *complete = true;
    for (uint32_t i = 0; i < table->partition_count + table->clustering_count; i++) {
        const struct layout_column *column = &table->columns[i];
        bool is_bucket = column->place == GRAPH_NONE;
        uint32_t place = is_bucket
                             ? GRAPH_NONE
                             : places_under(running->places, request->step->path, column->place);
        const struct cell *value = is_bucket ? request->bucket : value_of(running, request, place);
        if (value == NULL || value->kind == VALUE_NULL) {
            *complete =
                i >= table->partition_count && request->step->query != NULL && value == NULL;
            if (*complete && place == running->query->range && running->given->low != NULL) {
                return append_test(column->name, " >= ", running->given->low, &any, out, error) ==
                               STATUS_OK
                           ? append_test(column->name, " <= ", running->given->high, &any, out,
                                         error)
                           : STATUS_FAILED;
            }
            return STATUS_OK;
        }
        if (append_test(column->name, " = ", value, &any, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static void append_select(const struct layout_table *table, struct buffer *out)
{
    buffer_append_string(out, "SELECT ");
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        append_name(table->columns[i].name, out);
    }
    buffer_append_string(out, " FROM ");
    append_name(table->name, out);
}

/* Earlier row and new row in one; false: they contradict each other. */
static bool merge(const struct running *running, const struct request *request,
                  const struct cell *found, struct cell *merged)
{
    for (uint32_t i = 0; i < running->column_count; i++) {
        merged[i] = request->row != NULL ? request->row[i] : cell_missing();
    }
    for (uint32_t i = 0; i < request->table->column_count; i++) {
        uint32_t place = request->table->columns[i].place;
        if (place == GRAPH_NONE) {
            continue;
        }
        uint32_t column =
            column_at(running, places_under(running->places, request->step->path, place));
        if (column != GRAPH_NONE) {
            merged[column] = found[i];
        }
    }
    return true;
}

static enum status ask(const struct running *running, const struct request *request,
                       struct prove_rows *out, struct error *error)
{
    struct buffer text = {0};
    struct prove_rows found = {0};
    bool complete = true;
    enum status status = STATUS_OK;
    append_select(request->table, &text);
    if (!request->step->scans) {
        status = append_where(running, request, &text, &complete, error);
    }
    if (status == STATUS_OK && complete) {
        status = prove_ask(running->target, buffer_string(&text), request->table->column_count,
                           running->rows_max, running->arena, &found, error);
    }
    for (uint32_t i = 0; i < found.count && status == STATUS_OK; i++) {
        struct cell *row = prove_rows_add(out, running->arena);
        (void)merge(running, request, prove_row(&found, i), row);
    }
    buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- buckets */

/* Those that the family has: an application computes or lists them. */
static enum status list_buckets(const struct running *running, const struct layout_table *table,
                                struct prove_rows *buckets, struct error *error)
{
    struct buffer text = {0};
    struct prove_rows all = {0};
    *buckets = (struct prove_rows){.width = 1};
    buffer_append_string(&text, "SELECT DISTINCT ");
    for (uint32_t i = 0; i < table->partition_count; i++) {
        buffer_append_string(&text, i > 0 ? ", " : "");
        append_name(table->columns[i].name, &text);
    }
    buffer_append_string(&text, " FROM ");
    append_name(table->name, &text);
    enum status status = prove_ask(running->target, buffer_string(&text), table->partition_count,
                                   BUCKETS_MAX, running->arena, &all, error);
    buffer_free(&text);
    for (uint32_t i = 0; i < all.count && status == STATUS_OK; i++) {
        struct buffer one = {0};
        struct buffer other = {0};
        const struct cell *bucket = &prove_row(&all, i)[table->partition_count - 1];
        bool known = false;
        status = prove_append_text(bucket, &one, error);
        for (uint32_t j = 0; j < buckets->count && status == STATUS_OK && !known; j++) {
            buffer_clear(&other);
            status = prove_append_text(prove_row(buckets, j), &other, error);
            known = strcmp(buffer_string(&one), buffer_string(&other)) == 0;
        }
        if (!known) {
            *prove_rows_add(buckets, running->arena) = *bucket;
        }
        buffer_free(&one);
        buffer_free(&other);
    }
    return status;
}

/* ---------------------------------------------------------------- steps */

static enum status run_request(const struct running *running, struct request *request,
                               const struct prove_rows *buckets, struct prove_rows *out,
                               struct error *error)
{
    if (request->table->bucket_sql == NULL || request->step->scans) {
        return ask(running, request, out, error);
    }
    for (uint32_t i = 0; i < buckets->count; i++) {
        request->bucket = prove_row(buckets, i);
        if (ask(running, request, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Rows that a look-up finds nothing for stay, with nothing there. */
static void keep_unmatched(const struct running *running, const struct request *request,
                           uint32_t before, struct prove_rows *out)
{
    if (request->row != NULL && request->step->query == NULL && out->count == before) {
        struct cell *row = prove_rows_add(out, running->arena);
        memcpy(row, request->row, running->column_count * sizeof(*row));
    }
}

static enum status run_step(const struct running *running, const struct access_step *step,
                            const struct prove_rows *before, struct prove_rows *after,
                            struct error *error)
{
    struct request request = {.table = layout_table_of(&running->analysis->layout, step->family),
                              .step = step};
    struct prove_rows buckets = {0};
    *after = (struct prove_rows){.width = running->column_count};
    if (request.table->bucket_sql != NULL && !step->scans &&
        list_buckets(running, request.table, &buckets, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (before == NULL) {
        return run_request(running, &request, &buckets, after, error);
    }
    for (uint32_t i = 0; i < before->count; i++) {
        uint32_t count = after->count;
        request.row = prove_row(before, i);
        if (run_request(running, &request, &buckets, after, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        keep_unmatched(running, &request, count, after);
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
static bool passes(const struct running *running, const struct cell *row)
{
    for (uint32_t i = 0; i < running->given->count; i++) {
        uint32_t column = column_at(running, running->given->places[i]);
        if (column != GRAPH_NONE && row[column].kind != VALUE_MISSING &&
            !is_same(&row[column], &running->given->values[i])) {
            return false;
        }
    }
    uint32_t column =
        running->given->low != NULL ? column_at(running, running->query->range) : GRAPH_NONE;
    return column == GRAPH_NONE || row[column].kind == VALUE_MISSING ||
           is_within(&row[column], running->given);
}

static void project(const struct running *running, const struct prove_rows *all,
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
            const struct cell *own = &row[column_at(running, wanted[j])];
            kept[j] = own->kind == VALUE_MISSING && given != NULL ? *given : *own;
        }
    }
}

/* All places that a step can bring, that are given, or that are wanted. */
static void list_columns(struct running *running, const struct access_plan *plan,
                         const uint32_t *wanted, uint32_t wanted_count)
{
    struct place_set set = place_set_of(wanted, wanted_count, running->arena);
    set = place_set_union(
        set, place_set_of(running->given->places, running->given->count, running->arena),
        running->arena);
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct layout_table *table =
            layout_table_of(&running->analysis->layout, plan->steps[i].family);
        for (uint32_t j = 0; j < table->column_count; j++) {
            if (table->columns[j].place != GRAPH_NONE) {
                set = place_set_with(
                    set,
                    places_under(running->places, plan->steps[i].path, table->columns[j].place),
                    running->arena);
            }
        }
    }
    running->columns = set.at;
    running->column_count = set.count;
}

enum status prove_run_plan(struct analysis *analysis, struct prove_side *target,
                           const struct query *query, const struct access_plan *plan,
                           const struct prove_given *given, const uint32_t *wanted,
                           uint32_t wanted_count, uint32_t rows_max, struct arena *arena,
                           struct prove_rows *rows, struct error *error)
{
    struct running running = {.analysis = analysis,
                              .places = &analysis->places,
                              .target = target,
                              .query = query,
                              .given = given,
                              .rows_max = rows_max,
                              .arena = arena};
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
