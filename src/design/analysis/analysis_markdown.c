/* The analysis as Markdown. */
#include "design/analysis/analysis_names.h"
#include "design/analysis/analysis_sections.h"

#include "observe/report_parts.h"

void analysis_append_sections(const struct analysis *analysis, struct analysis_page *page)
{
    analysis_append_cautions(analysis, page);
    analysis_append_relations(analysis, page);
    if (analysis_wants(analysis, ANALYSIS_CASSANDRA)) {
        analysis_append_cassandra(analysis, page);
    }
    if (analysis_wants(analysis, ANALYSIS_DYNAMODB)) {
        analysis_append_dynamodb(analysis, page);
    }
    if (analysis_wants(analysis, ANALYSIS_MONGODB)) {
        analysis_append_mongodb(analysis, page);
    }
    analysis_append_proofs(analysis, page);
    analysis_append_unserved(analysis, page);
}

void analysis_append_markdown(const struct analysis *analysis,
                              const struct analysis_options *options, struct buffer *out)
{
    struct analysis_page page = {.out = out};
    buffer_append_string(out, "# Design of ");
    report_markdown(out, options->source);
    buffer_append_byte(out, '\n');
    analysis_append_sections(analysis, &page);
    analysis_append_names_markdown(analysis, options, out);
}
