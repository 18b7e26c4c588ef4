/* The analysis as Markdown. */
#include "design/analysis/analysis_names.h"
#include "design/analysis/analysis_reasons.h"

#include "observe/report_parts.h"

static void append_reason(const char *sentence, struct buffer *out)
{
    buffer_append_string(out, "- ");
    report_markdown(out, sentence);
    buffer_append_byte(out, '\n');
}

static void append_tables(const struct analysis *analysis, struct buffer *out)
{
    buffer_append_string(out, "\n## Tables\n");
    for (uint32_t i = 0; i < analysis->layout.count; i++) {
        const struct layout_table *table = &analysis->layout.tables[i];
        buffer_append_string(out, "\n### ");
        report_markdown(out, table->name);
        buffer_append_string(out, "\n\nKey: ");
        struct buffer key = {0};
        analysis_append_key(table, &key);
        report_markdown(out, buffer_string(&key));
        buffer_free(&key);
        buffer_append_string(out, "\n\n");
        analysis_reasons(analysis, table, append_reason, out);
    }
}

static void append_queries(const struct analysis *analysis, struct buffer *out)
{
    buffer_append_string(out, "\n## Queries\n");
    for (uint32_t i = 0; i < analysis->query_count; i++) {
        const struct analysis_query *query = &analysis->queries[i];
        struct buffer text = {0};
        buffer_append_string(out, "\n");
        report_markdown(out, analysis_query_name(query));
        buffer_append_string(out, "\n\n");
        for (uint32_t j = 0; j < query->plan.step_count; j++) {
            layout_append_select(&analysis->layout, query->plan.steps[j].query,
                                 &query->plan.steps[j], &text);
            buffer_append_byte(&text, '\n');
        }
        report_markdown_block(out, "sql",
                              query->is_answered ? buffer_string(&text) : "-- no table answers it");
        buffer_free(&text);
    }
}

static void append_proofs(const struct analysis *analysis, struct buffer *out)
{
    buffer_append_string(out, analysis->proof_count > 0
                                  ? "\n## Proof\n\n| query | results | runs | rows | requests |\n"
                                    "|---|---|---|---|---|\n"
                                  : "");
    for (uint32_t i = 0; i < analysis->proof_count; i++) {
        const struct analysis_proof *proof = &analysis->proofs[i];
        buffer_append_string(out, "| ");
        report_markdown(out, proof->query);
        buffer_format(out, " | %s | %u | %llu | %llu |\n", proof->verdict, proof->runs,
                      (unsigned long long)proof->rows, (unsigned long long)proof->requests);
    }
}

static void append_unserved(const struct analysis *analysis, struct buffer *out)
{
    bool any = false;
    for (uint32_t i = 0; i < analysis->workload.count; i++) {
        const struct workload_statement *statement = &analysis->workload.statements[i];
        if (statement->unserved == NULL) {
            continue;
        }
        buffer_append_string(out, any ? "" : "\n## What no key can answer\n\n");
        any = true;
        buffer_append_string(out, "- ");
        report_markdown(out, statement->name != NULL ? statement->name : statement->text);
        buffer_append_string(out, ": ");
        report_markdown(out, statement->unserved);
        buffer_append_string(out, statement->alternative != NULL ? "; " : "");
        report_markdown(out, statement->alternative);
        buffer_append_byte(out, '\n');
    }
}

void analysis_append_markdown(const struct analysis *analysis,
                              const struct analysis_options *options, struct buffer *out)
{
    struct analysis_figure figures[ANALYSIS_FIGURES];
    analysis_figures(analysis, figures);
    buffer_append_string(out, "# Design of ");
    report_markdown(out, options->source);
    buffer_append_string(out, "\n\n| figure | value | |\n|---|---|---|\n");
    for (uint32_t i = 0; i < ANALYSIS_FIGURES; i++) {
        buffer_format(out, "| %s | %s | %s |\n", figures[i].name, figures[i].value,
                      figures[i].explanation);
    }
    append_tables(analysis, out);
    append_queries(analysis, out);
    append_proofs(analysis, out);
    append_unserved(analysis, out);
    analysis_append_names_markdown(analysis, options, out);
}
