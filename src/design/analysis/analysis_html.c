/* The analysis as a page. */
#include "design/analysis/analysis_names.h"
#include "design/analysis/analysis_sections.h"

#include "observe/report_parts.h"

extern const char report_css[];

static const char own_css[] =
    ".entities-drawn text { fill: var(--ink); font-size: 13px; font-weight: 600; }\n"
    ".entities-drawn text.key { fill: var(--soft); font-size: 11px; font-weight: 400; }\n"
    ".entities-drawn .entity { fill: var(--card); stroke: var(--line); stroke-width: 1.5; }\n"
    ".entities-drawn .relation { fill: none; stroke: var(--accent); stroke-width: 1.5; opacity: .7; "
    "}\n"
    ".entities-drawn .guessed { stroke-dasharray: 5 4; }\n"
    ".wide tbody th { min-width: 9rem; }\n"
    ".wide td.text { min-width: 7rem; }\n"
    "main h3 { margin: 1.2rem 0 .1rem; overflow-wrap: anywhere; }\n"
    "main ul { margin: .3rem 0 .6rem; padding-left: 1.2rem; }\n"
    ".names { width: 100%; min-width: 60rem; height: auto; border: 1px solid var(--line); border-radius: 6px; }\n"
    "figure { margin: .6rem 0; }\n"
    "figcaption { color: var(--soft); font-size: .9rem; }\n"
    ".tiles { grid-template-columns: repeat(4, 1fr); }\n"
    "@media (max-width: 34rem) { .tiles { grid-template-columns: 1fr 1fr; } }\n";

static void append_head(const struct analysis *analysis, const struct analysis_options *options,
                        struct buffer *out)
{
    buffer_append_string(
        out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
             "'unsafe-inline'; img-src data:\">\n<title>Design of ");
    report_html(out, options->source);
    buffer_append_string(out, "</title>\n<style>\n");
    buffer_append_string(out, report_css);
    buffer_append_string(out, own_css);
    buffer_append_string(out, "</style>\n</head>\n<body>\n<p class=\"mark\">transhume "
                              "analyze</p>\n<h1>Design of ");
    report_html(out, options->source);
    buffer_format(
        out,
        "</h1>\n<p class=\"about\"><span>%u tables of the source</span>"
        "<span>%u queries%s</span><span>%s</span></p>\n",
        analysis->graph.entity_count, analysis->query_count,
        analysis->workload.count > 0 && analysis->workload.statements[0].assumed ? ", assumed" : "",
        analysis->result.exact ? "no better choice exists among the candidates"
                               : "found by local search");
}

void analysis_append_html(const struct analysis *analysis, const struct analysis_options *options,
                          struct buffer *out)
{
    append_head(analysis, options, out);
    buffer_append_string(out, "<main>\n");
    struct analysis_page page = {.out = out, .is_html = true};
    analysis_append_sections(analysis, &page);
    analysis_page_section(&page, "source", "The source");
    analysis_append_diagram(analysis, out);
    analysis_page_end_section(&page);
    analysis_append_names_html(analysis, options, out);
    buffer_append_string(out, "</main>\n</body>\n</html>\n");
}
