/* Each query on both sides. */
#include "design/prove/prove_parts.h"

#include <string.h>

enum {
    RUNS_DEFAULT = 3,
    ROWS_DEFAULT = 10000,
    TIES_MAX = 1000,
    VALUES_MAX = 3 /* of an IN */
};

struct proving {
    struct analysis *analysis;
    struct prove_side source;
    struct prove_target target;
    struct prove_options options;
    const char *scheme;
};

/* ---------------------------------------------------------------- one query */

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

/* Rows of the source that are read: beyond a limit so many that ties at its end are known. */
static uint32_t source_rows(const struct proving *proving, const struct prove_order *order)
{
    uint32_t all = proving->options.rows_max + 1;
    uint32_t first = order->count > 0 && order->limit > 0 && order->limit < all - TIES_MAX
                         ? order->limit + TIES_MAX
                         : all;
    return first < all ? first : all;
}

static enum status ask_source(struct proving *proving, const struct query *query,
                              const struct prove_given *given, struct place_set wanted,
                              uint32_t rows_max, struct prove_query *result,
                              struct prove_rows *rows, struct error *error)
{
    struct arena *arena = proving->analysis->arena;
    struct buffer condition = {0};
    struct buffer sql = {0};
    enum status status = prove_append_condition(proving->target.places, query, proving->scheme,
                                                given, &condition, error);
    if (status == STATUS_OK) {
        prove_append_sql(proving->target.places, query, proving->scheme, wanted, &condition,
                         rows_max, &sql);
        result->sql = arena_copy_string(arena, buffer_string(&sql));
        status =
            prove_ask(&proving->source, result->sql, wanted.count, rows_max, arena, rows, error);
    }
    buffer_free(&condition);
    buffer_free(&sql);
    return status;
}

static enum status run_once(struct proving *proving, const struct query *query,
                            const struct access_plan *plan, const struct prove_given *given,
                            struct prove_query *result, struct error *error)
{
    struct arena *arena = proving->analysis->arena;
    struct prove_order order;
    struct prove_rows expected = {0};
    struct prove_rows found = {0};
    uint64_t before = proving->target.side.requests;
    struct prove_wanted wanted = {.places = wanted_of(proving, query, arena),
                                  .order = &order,
                                  .rows_max = proving->options.rows_max + 1};
    prove_order_of(proving->target.places, query, wanted.places, proving->scheme, arena, &order);
    uint32_t rows_max = source_rows(proving, &order);
    if (ask_source(proving, query, given, wanted.places, rows_max, result, &expected, error) !=
            STATUS_OK ||
        prove_run_plan(&proving->target, query, plan, given, &wanted, arena, &found, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    result->runs++;
    result->requests += proving->target.side.requests - before;
    result->rows += found.count;
    if (found.count > proving->options.rows_max ||
        (expected.count == wanted.rows_max && order.limit == 0)) {
        result->verdict = PROVE_TOO_LARGE;
        result->why = arena_format(arena, "more than %u rows", proving->options.rows_max);
        return STATUS_OK;
    }
    if (prove_compare(&order, &expected, expected.count == rows_max, &found, arena, &result->why,
                      error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    result->verdict = result->why != NULL ? PROVE_DIFFERENT : PROVE_EQUAL;
    return STATUS_OK;
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

static enum status run_all(struct proving *proving, const struct query *query,
                           const struct access_plan *plan, struct prove_query *result,
                           struct error *error)
{
    struct prove_given *runs = NULL;
    uint32_t count = 0;
    if (prove_draw(&proving->source, proving->target.places, query, proving->options.runs_max,
                   proving->options.rows_max / VALUES_MAX, proving->analysis->arena, &runs, &count,
                   error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    result->verdict = count == 0 ? PROVE_NO_VALUES : PROVE_EQUAL;
    for (uint32_t i = 0; i < count && result->verdict == PROVE_EQUAL; i++) {
        if (run_once(proving, query, plan, &runs[i], result, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static void prove_one(struct proving *proving, struct prove_query *result)
{
    const struct query *query = &proving->target.search->queries[result->query].query;
    struct access_plan plan;
    struct error error = {0};
    result->left_out = left_out_of(proving, query);
    if (!access_explain(proving->target.pool, query, proving->target.chosen, &plan)) {
        result->verdict = PROVE_NO_PLAN;
    } else if (run_all(proving, query, &plan, result, &error) != STATUS_OK) {
        result->verdict = PROVE_FAILED;
        result->why = arena_copy_string(proving->analysis->arena, error.message);
    }
}

/* ---------------------------------------------------------------- all */

static void prove_all(struct proving *proving, struct prove_report *report)
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
        prove_one(proving, result);
        report->equal += result->verdict == PROVE_EQUAL;
        report->different += result->verdict == PROVE_DIFFERENT;
    }
}

static const char *verdict_name(enum prove_verdict verdict)
{
    static const char *const names[] = {"equal",   "DIFFERENT",    "no values",
                                        "no plan", "not compared", "FAILED"};
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
        proving.target.arena = analysis->arena;
        proving.target.buckets = arena_allocate_zeroed(
            analysis->arena, proving.target.pool->count + 1u, sizeof(*proving.target.buckets));
        prove_all(&proving, report);
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
            buffer_format(out, "    %s\n    %s\n", query->sql != NULL ? query->sql : "-",
                          query->why);
        }
    }
    buffer_format(out, "  %u of %u queries were answered alike", report->equal, report->count);
    if (partly > 0) {
        buffer_format(out, ", %u of these without their filters", partly);
    }
    buffer_append_byte(out, '\n');
}
