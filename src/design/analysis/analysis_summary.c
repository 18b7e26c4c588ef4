/* An analysis as text. */
#include "design/analysis/analysis_reasons.h"

#include "base/text.h"
#include <string.h>

static void append_tables(const struct analysis *analysis, struct buffer *out)
{
    buffer_format(out, "%u tables\n", analysis->layout.count);
    if (analysis->pool.cut) {
        buffer_format(out, "  only the first %u candidates were considered\n",
                      analysis->pool.limit);
    }
    for (uint32_t i = 0; i < analysis->layout.count; i++) {
        const struct layout_table *table = &analysis->layout.tables[i];
        const struct family *family = layout_family(&analysis->layout, table);
        buffer_format(out, "  %s ", table->name);
        analysis_append_key(table, out);
        buffer_format(out, "  %u columns, %.0f rows, at most %.0f a partition\n",
                      table->column_count, family->rows, family->bucket_rows_max);
    }
}

static void append_queries(const struct analysis *analysis, struct buffer *out)
{
    buffer_append_string(out, "queries\n");
    for (uint32_t i = 0; i < analysis->query_count; i++) {
        const struct analysis_query *query = &analysis->queries[i];
        buffer_format(out, "  %s%s (%.3g)\n", analysis_query_name(query),
                      query->statement->assumed ? ", assumed" : "", query->statement->weight);
        if (!query->is_answered) {
            buffer_append_string(out, "    no plan\n");
        }
        for (uint32_t j = 0; j < query->plan.step_count; j++) {
            const struct access_step *step = &query->plan.steps[j];
            buffer_append_string(out, "    ");
            layout_append_select(&analysis->layout, step->query, step, out);
            buffer_format(out, "  -- %.3g requests, %.3g rows%s\n", step->requests, step->rows,
                          step->scans ? ", a scan" : "");
        }
    }
}

static void append_score(const struct score *score, struct buffer *out)
{
    buffer_format(out,
                  "score\n"
                  "  answered by keys alone    %.1f %%\n"
                  "  requests a query          %.2f\n"
                  "  read efficiency           %.2f\n"
                  "  partitions beyond bounds  %u\n"
                  "  largest partition         %.0f rows\n"
                  "  duplication               %.2f\n"
                  "  rows written a write      %.2f\n"
                  "  reads before a write      %.2f\n"
                  "  cost                      %.4g\n",
                  score->coverage * 100, score->requests, score->efficiency, score->unbounded,
                  score->partition_rows_max, score->duplication, score->amplification,
                  score->reads_a_write, score->cost);
}

static void append_caution(void *context, const char *sentence)
{
    buffer_format(context, "caution: %s\n", sentence);
}

/* Names of the source may hold what a terminal obeys. */
static void append_clean(char *text, struct buffer *out)
{
    for (char *end = strchr(text, '\n'); end != NULL; end = strchr(text, '\n')) {
        *end = '\0';
        text_clean_line(text);
        buffer_format(out, "%s\n", text);
        text = end + 1;
    }
}

void analysis_append_summary(const struct analysis *analysis, struct buffer *out)
{
    struct buffer text = {0};
    if (analysis_wants(analysis, ANALYSIS_CASSANDRA)) {
        append_tables(analysis, &text);
        append_queries(analysis, &text);
        append_score(&analysis->score, &text);
    }
    analysis_append_exports(analysis, &text);
    analysis_cautions(analysis, append_caution, &text);
    append_clean(arena_copy_string(analysis->arena, buffer_string(&text)), out);
    buffer_free(&text);
}
