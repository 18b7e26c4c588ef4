/* Each query on both sides. */
#include "design/prove/prove_parts.h"

#include <stdlib.h>
#include <string.h>

enum { RUNS_DEFAULT = 3, ROWS_DEFAULT = 10000, DRAWN_MAX = 50 };

struct proving {
    struct analysis *analysis;
    struct prove_side source;
    struct prove_target target;
    struct prove_options options;
    const char *scheme;
};

/* ---------------------------------------------------------------- comparing */

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Each row as a line, sorted. */
static enum status lines_of(const struct prove_rows *rows, struct arena *arena, const char ***lines,
                            struct error *error)
{
    const char **list = arena_allocate_zeroed(arena, rows->count + 1u, sizeof(*list));
    struct buffer line = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < rows->count && status == STATUS_OK; i++) {
        buffer_clear(&line);
        for (uint32_t j = 0; j < rows->width && status == STATUS_OK; j++) {
            buffer_append_string(&line, j > 0 ? " | " : "");
            status = prove_append_text(&prove_row(rows, i)[j], &line, error);
        }
        list[i] = arena_copy_string(arena, buffer_string(&line));
    }
    buffer_free(&line);
    qsort(list, rows->count, sizeof(*list), by_text);
    *lines = list;
    return status;
}

static enum status compare(const struct prove_rows *source, const struct prove_rows *target,
                           struct arena *arena, struct prove_query *result, struct error *error)
{
    const char **expected = NULL;
    const char **found = NULL;
    if (lines_of(source, arena, &expected, error) != STATUS_OK ||
        lines_of(target, arena, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    result->rows += source->count;
    for (uint32_t i = 0; i < source->count || i < target->count; i++) {
        const char *left = i < source->count ? expected[i] : NULL;
        const char *right = i < target->count ? found[i] : NULL;
        if (left == NULL || right == NULL || strcmp(left, right) != 0) {
            result->verdict = PROVE_DIFFERENT;
            result->why =
                arena_format(arena,
                             "%u rows in the source, %u in the target; "
                             "row %u: %.300s; %.300s",
                             source->count, target->count, i + 1, left != NULL ? left : "(none)",
                             right != NULL ? right : "(none)");
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- values */

/* What a query could be given: rows of the given places' values. */
static enum status draw_values(struct proving *proving, const struct query *query,
                               const uint32_t *list, uint32_t count, struct arena *arena,
                               struct prove_rows *values, struct error *error)
{
    struct buffer sql = {0};
    *values = (struct prove_rows){.width = count};
    if (count == 0) {
        values->count = 1;
        return STATUS_OK;
    }
    prove_append_sql(proving->target.places, query, proving->scheme, list, count, NULL, &sql);
    buffer_format(&sql, " LIMIT %d", DRAWN_MAX);
    enum status status =
        prove_ask(&proving->source, buffer_string(&sql), count, DRAWN_MAX, arena, values, error);
    buffer_free(&sql);
    return status;
}

static struct place_set wanted_of(const struct proving *proving, const struct query *query,
                                  struct arena *arena)
{
    struct places *places = proving->target.places;
    struct place_set set = place_set_union(query->fields, places_key(places, query->root), arena);
    for (uint32_t i = 0; i < query->order_count; i++) {
        set = place_set_with(set, query->order[i].place, arena);
    }
    return set;
}

/* ---------------------------------------------------------------- one query */

static enum status run_once(struct proving *proving, const struct query *query,
                            const struct access_plan *plan, const struct prove_given *given,
                            struct arena *arena, struct prove_query *result, struct error *error)
{
    struct places *places = proving->target.places;
    struct place_set wanted = wanted_of(proving, query, arena);
    struct buffer condition = {0};
    struct buffer sql = {0};
    struct prove_rows expected = {0};
    struct prove_rows found = {0};
    uint64_t before = proving->target.side.requests;
    enum status status =
        prove_append_condition(places, query, proving->scheme, given, &condition, error);
    if (status == STATUS_OK) {
        prove_append_sql(places, query, proving->scheme, wanted.at, wanted.count, &condition, &sql);
        result->sql = arena_copy_string(arena, buffer_string(&sql));
        status = prove_ask(&proving->source, result->sql, wanted.count, proving->options.rows_max,
                           arena, &expected, error);
    }
    if (status == STATUS_OK) {
        status = prove_run_plan(&proving->target, query, plan, given, wanted.at, wanted.count,
                                proving->options.rows_max, arena, &found, error);
    }
    if (status == STATUS_OK) {
        result->runs++;
        result->requests += proving->target.side.requests - before;
        status = compare(&expected, &found, arena, result, error);
    }
    buffer_free(&condition);
    buffer_free(&sql);
    return status;
}

/* The values that a filter compares with, and its expression, are not part of a query: both sides
 * are asked without it. */
static const char *left_out_of(const struct proving *proving, const struct query *query)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < query->filters.count; i++) {
        buffer_format(&text, "%s%s", i > 0 ? ", " : "filter not proven: ",
                      places_field(proving->target.places, query->filters.at[i])->name);
    }
    const char *kept =
        text.length > 0 ? arena_copy_string(proving->analysis->arena, buffer_string(&text)) : NULL;
    buffer_free(&text);
    return kept;
}

static enum status prove_one(struct proving *proving, struct prove_query *result,
                             struct error *error)
{
    struct analysis *analysis = proving->analysis;
    const struct query *query = &proving->target.search->queries[result->query].query;
    struct arena *arena = analysis->arena;
    struct access_plan plan;
    struct prove_rows values = {0};
    const uint32_t *list = NULL;
    result->left_out = left_out_of(proving, query);
    if (!access_explain(proving->target.pool, query, proving->target.chosen, &plan)) {
        result->verdict = PROVE_NO_PLAN;
        return STATUS_OK;
    }
    uint32_t count = prove_given_places(proving->target.places, query, arena, &list);
    if (draw_values(proving, query, list, count, arena, &values, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    result->verdict = values.count == 0 ? PROVE_NO_VALUES : PROVE_EQUAL;
    uint32_t runs =
        values.count < proving->options.runs_max ? values.count : proving->options.runs_max;
    bool ranged = query->range != GRAPH_NONE;
    for (uint32_t i = 0; i < runs && result->verdict == PROVE_EQUAL; i++) {
        uint32_t row = runs < 2 ? 0 : i * (values.count - 1) / (runs - 1);
        const struct cell *cells = count > 0 ? prove_row(&values, row) : NULL;
        struct prove_given given = {.places = list,
                                    .values = cells,
                                    .count = count - ranged,
                                    .low = ranged ? &cells[count - 1] : NULL,
                                    .high = ranged ? &cells[count - 1] : NULL};
        if (run_once(proving, query, &plan, &given, arena, result, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all */

static enum status prove_all(struct proving *proving, struct prove_report *report,
                             struct error *error)
{
    const struct search *search = proving->target.search;
    struct prove_query *list =
        arena_allocate_zeroed(proving->analysis->arena, search->query_count + 1u, sizeof(*list));
    report->queries = list;
    for (uint32_t i = 0; i < search->query_count; i++) {
        if (search->queries[i].statement == GRAPH_NONE) {
            continue;
        }
        struct prove_query *result = &list[report->count++];
        result->query = i;
        if (prove_one(proving, result, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        report->equal += result->verdict == PROVE_EQUAL;
        report->different += result->verdict == PROVE_DIFFERENT;
    }
    return STATUS_OK;
}

static const char *verdict_name(enum prove_verdict verdict)
{
    static const char *const names[] = {"equal", "DIFFERENT", "no values", "no plan"};
    return names[verdict];
}

static const char *query_name(const struct analysis *analysis, const struct prove_report *report,
                              const struct prove_query *query)
{
    const struct workload_statement *statement =
        &analysis->workload.statements[report->search->queries[query->query].statement];
    return statement->name != NULL ? statement->name : statement->text;
}

/* For the report. */
static void keep_proofs(struct analysis *analysis, const struct prove_report *report)
{
    struct analysis_proof *proofs =
        arena_allocate_zeroed(analysis->arena, report->count + 1u, sizeof(*proofs));
    for (uint32_t i = 0; i < report->count; i++) {
        const struct prove_query *query = &report->queries[i];
        proofs[i] = (struct analysis_proof){.query = query_name(analysis, report, query),
                                            .verdict = verdict_name(query->verdict),
                                            .runs = query->runs,
                                            .rows = query->rows,
                                            .requests = query->requests,
                                            .why = query->why,
                                            .left_out = query->left_out};
    }
    analysis->proofs = proofs;
    analysis->proof_count = report->count;
}

/* Which of the designs the database is for. */
static void choose_design(struct analysis *analysis, const struct database *target,
                          struct prove_target *design)
{
    struct export_dynamodb *dynamodb = &analysis->dynamodb;
    *design = (struct prove_target){.places = &analysis->places,
                                    .pool = &analysis->pool,
                                    .search = &analysis->search,
                                    .chosen = analysis->result.chosen,
                                    .layout = &analysis->layout};
    if (strcmp(target->connector->name, "dynamodb") == 0) {
        *design = (struct prove_target){.places = &dynamodb->places,
                                        .pool = &dynamodb->pool,
                                        .search = &dynamodb->search,
                                        .chosen = dynamodb->result.chosen,
                                        .dynamodb = dynamodb};
    }
}

enum status prove_run(struct analysis *analysis, struct database *source, struct database *target,
                      const struct prove_options *options, struct prove_report *report,
                      struct error *error)
{
    struct proving proving = {.analysis = analysis, .scheme = source->connector->name};
    proving.options = *options;
    proving.options.runs_max = options->runs_max > 0 ? options->runs_max : RUNS_DEFAULT;
    proving.options.rows_max = options->rows_max > 0 ? options->rows_max : ROWS_DEFAULT;
    choose_design(analysis, target, &proving.target);
    *report = (struct prove_report){.search = proving.target.search};
    enum status status = prove_side_open(source, analysis->arena, &proving.source, error);
    if (status == STATUS_OK) {
        status = prove_side_open(target, analysis->arena, &proving.target.side, error);
    }
    if (status == STATUS_OK) {
        status = prove_all(&proving, report, error);
    }
    if (status == STATUS_OK) {
        keep_proofs(analysis, report);
    }
    prove_side_close(&proving.source);
    prove_side_close(&proving.target.side);
    return status;
}

void prove_append(const struct analysis *analysis, const struct prove_report *report,
                  struct buffer *out)
{
    uint32_t partly = 0;
    buffer_append_string(out, "proof\n");
    for (uint32_t i = 0; i < report->count; i++) {
        const struct prove_query *query = &report->queries[i];
        buffer_format(out, "  %s: %s, %u runs, %llu rows, %llu requests%s%s\n",
                      query_name(analysis, report, query), verdict_name(query->verdict),
                      query->runs, (unsigned long long)query->rows,
                      (unsigned long long)query->requests, query->left_out != NULL ? "; " : "",
                      query->left_out != NULL ? query->left_out : "");
        partly += query->verdict == PROVE_EQUAL && query->left_out != NULL;
        if (query->why != NULL) {
            buffer_format(out, "    %s\n    %s\n", query->sql, query->why);
        }
    }
    buffer_format(out, "  %u of %u queries were answered alike", report->equal, report->count);
    if (partly > 0) {
        buffer_format(out, ", %u of these without their filters", partly);
    }
    buffer_append_byte(out, '\n');
}
