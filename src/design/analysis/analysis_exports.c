/* Designs for other targets, and the files of each target. */
#include "design/analysis/analysis.h"

#include "base/file.h"
#include "design/export/export_astra.h"

bool analysis_wants(const struct analysis *analysis, unsigned target)
{
    unsigned targets = analysis->options->targets;
    return targets == 0 || (targets & target) != 0;
}

struct cost_model analysis_model(const struct analysis *analysis, const struct cost_model *model)
{
    double weight = 0;
    double bytes = 0;
    for (uint32_t i = 0; i < analysis->workload.count; i++) {
        weight += analysis->workload.statements[i].kind == WORKLOAD_SELECT
                      ? analysis->workload.statements[i].weight
                      : 0;
    }
    for (uint32_t i = 0; i < analysis->graph.entity_count; i++) {
        bytes += analysis->graph.entities[i].rows * analysis->graph.entities[i].row_bytes;
    }
    return analysis->options->minimize_duplication ? cost_of_bytes(model, weight, bytes) : *model;
}

void analysis_export(struct analysis *analysis)
{
    duplicates_find(&analysis->layout, analysis->arena, &analysis->duplicates);
    if (analysis_wants(analysis, ANALYSIS_DYNAMODB)) {
        struct cost_model *model = arena_allocate_zeroed(analysis->arena, 1, sizeof(*model));
        *model = analysis_model(analysis, &cost_dynamodb);
        export_dynamodb_make(&analysis->graph, &analysis->workload, model, analysis->arena,
                             &analysis->dynamodb);
        if (analysis->options->single_table) {
            export_single_make(&analysis->graph, &analysis->workload, model, analysis->arena,
                               &analysis->single);
        }
    }
    if (analysis_wants(analysis, ANALYSIS_MONGODB)) {
        export_mongodb_make(&analysis->search, analysis->arena, &analysis->mongodb);
    }
}

void analysis_append_exports(const struct analysis *analysis, struct buffer *out)
{
    if (analysis_wants(analysis, ANALYSIS_DYNAMODB)) {
        export_dynamodb_append_summary(&analysis->dynamodb, out);
        if (analysis->options->single_table) {
            export_single_append_summary(&analysis->single, &analysis->dynamodb.score, out);
        }
    }
    if (analysis_wants(analysis, ANALYSIS_MONGODB)) {
        export_mongodb_append_summary(&analysis->mongodb, out);
    }
}

/* ---------------------------------------------------------------- files */

static const char *target_of(const struct analysis *analysis, unsigned kind)
{
    return (analysis->options->target_kind & kind) != 0 ? analysis->options->target : NULL;
}

static void append_cql(const struct analysis *analysis, struct buffer *out)
{
    layout_append_cql(&analysis->layout, analysis->options->keyspace, out);
}

/* A target of none of the kinds takes this plan. */
static void append_plan(const struct analysis *analysis, struct buffer *out)
{
    unsigned kind = analysis->options->target_kind;
    layout_append_plan(
        &analysis->layout, analysis->options->source,
        kind == 0 ? analysis->options->target : target_of(analysis, ANALYSIS_CASSANDRA), out);
}

static void append_duplicates(const struct analysis *analysis, struct buffer *out)
{
    duplicates_append(&analysis->duplicates, out);
}

static void append_astra_cql(const struct analysis *analysis, struct buffer *out)
{
    export_astra_append_cql(&analysis->layout, out);
}

static void append_astra_tables(const struct analysis *analysis, struct buffer *out)
{
    export_astra_append_tables(&analysis->layout, out);
}

static void append_dynamodb_tables(const struct analysis *analysis, struct buffer *out)
{
    export_dynamodb_append_tables(&analysis->dynamodb, out);
}

static void append_cloudformation(const struct analysis *analysis, struct buffer *out)
{
    export_dynamodb_append_cloudformation(&analysis->dynamodb, out);
}

static void append_workbench(const struct analysis *analysis, struct buffer *out)
{
    export_dynamodb_append_workbench(&analysis->dynamodb, "transhume", out);
}

static void append_dynamodb_plan(const struct analysis *analysis, struct buffer *out)
{
    export_dynamodb_append_plan(&analysis->dynamodb, analysis->options->source,
                                target_of(analysis, ANALYSIS_DYNAMODB), out);
}

static void append_single_table(const struct analysis *analysis, struct buffer *out)
{
    if (analysis->options->single_table) {
        export_single_append_plan(&analysis->graph, analysis->options->source,
                                  target_of(analysis, ANALYSIS_DYNAMODB), analysis->arena, out);
    }
}

static void append_collections(const struct analysis *analysis, struct buffer *out)
{
    export_mongodb_append_collections(&analysis->mongodb, out);
}

static void append_mongodb_plan(const struct analysis *analysis, struct buffer *out)
{
    export_mongodb_append_plan(&analysis->mongodb, analysis->options->source,
                               target_of(analysis, ANALYSIS_MONGODB), out);
}

static const struct {
    unsigned target;
    const char *name;
    void (*append)(const struct analysis *analysis, struct buffer *out);
} files[] = {
    {ANALYSIS_CASSANDRA, "cassandra_schema.cql", append_cql},
    {ANALYSIS_CASSANDRA, "transhume.yaml", append_plan},
    {ANALYSIS_CASSANDRA, "duplicates.md", append_duplicates},
    {ANALYSIS_CASSANDRA, "astra.cql", append_astra_cql},
    {ANALYSIS_CASSANDRA, "astra_create_tables.json", append_astra_tables},
    {ANALYSIS_DYNAMODB, "dynamodb_tables.json", append_dynamodb_tables},
    {ANALYSIS_DYNAMODB, "cloudformation.json", append_cloudformation},
    {ANALYSIS_DYNAMODB, "nosql_workbench.json", append_workbench},
    {ANALYSIS_DYNAMODB, "transhume.dynamodb.yaml", append_dynamodb_plan},
    {ANALYSIS_DYNAMODB, "transhume.dynamodb-single-table.yaml", append_single_table},
    {ANALYSIS_MONGODB, "mongodb_collections.json", append_collections},
    {ANALYSIS_MONGODB, "transhume.mongodb.yaml", append_mongodb_plan},
};

enum status analysis_write_exports(const struct analysis *analysis, const char *folder,
                                   struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof(files) / sizeof(*files) && status == STATUS_OK; i++) {
        struct buffer text = {0};
        if (analysis_wants(analysis, files[i].target)) {
            files[i].append(analysis, &text);
        }
        if (text.length > 0) {
            status =
                file_write_atomic(arena_format(analysis->arena, "%s/%s", folder, files[i].name),
                                  text.data, text.length, NULL, error);
        }
        buffer_free(&text);
    }
    return status;
}
