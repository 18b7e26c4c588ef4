/* From a schema and a workload to a design. */
#include "design/analysis/analysis.h"

#include "base/file.h"

static void analysis_explain(struct analysis *analysis)
{
    const struct search *search = &analysis->search;
    struct analysis_query *list =
        arena_allocate_zeroed(analysis->arena, search->query_count + 1u, sizeof(*list));
    for (uint32_t i = 0; i < search->query_count; i++) {
        const struct search_query *query = &search->queries[i];
        if (query->statement == GRAPH_NONE) {
            continue;
        }
        struct analysis_query *found = &list[analysis->query_count++];
        found->query = i;
        found->statement = &analysis->workload.statements[query->statement];
        found->is_answered =
            access_explain(&analysis->pool, &query->query, analysis->result.chosen, &found->plan);
    }
    analysis->queries = list;
}

const char *analysis_query_name(const struct analysis_query *query)
{
    return query->statement->name != NULL ? query->statement->name : query->statement->text;
}

void analysis_start(const struct schema *schema, const struct figures *figures,
                    const struct analysis_options *options, struct arena *arena,
                    struct analysis *analysis)
{
    *analysis = (struct analysis){.arena = arena, .options = options};
    graph_from_schema(schema, figures, &options->assumptions, arena, &analysis->graph);
}

void analysis_run(struct analysis *analysis, const struct workload *workload)
{
    struct arena *arena = analysis->arena;
    if (workload != NULL) {
        analysis->workload = *workload;
    } else {
        workload_assume(&analysis->graph, arena, &analysis->workload);
    }
    places_init(&analysis->places, &analysis->graph, arena);
    analysis->model = analysis_model(analysis, &cost_cassandra);
    pool_init(&analysis->pool, &analysis->places, &analysis->model, SEARCH_POOL_MAX);
    if (analysis->options->advised != NULL) {
        advisor_propose(analysis->options->advised, &analysis->places, &analysis->pool);
    }
    search_prepare(&analysis->search, &analysis->pool, &analysis->workload, arena);
    search_run(&analysis->search, &analysis->result);
    layout_make(&analysis->search, &analysis->result, analysis->options->naming, arena,
                &analysis->layout);
    score_find(&analysis->search, analysis->result.chosen, &analysis->score);
    analysis_explain(analysis);
    analysis_export(analysis);
}

/* ---------------------------------------------------------------- files */

static enum status write_file(const struct analysis *analysis, const char *folder, const char *name,
                              struct buffer *text, struct error *error)
{
    const char *path = arena_format(analysis->arena, "%s/%s", folder, name);
    enum status status = file_write_atomic(path, text->data, text->length, NULL, error);
    buffer_free(text);
    return status;
}

enum status analysis_write(const struct analysis *analysis, const struct analysis_options *options,
                           const char *folder, struct error *error)
{
    struct buffer text = {0};
    if (file_make_folder(folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (analysis_write_exports(analysis, folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    analysis_append_html(analysis, options, &text);
    if (write_file(analysis, folder, "report.html", &text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    analysis_append_markdown(analysis, options, &text);
    return write_file(analysis, folder, "report.md", &text, error);
}
