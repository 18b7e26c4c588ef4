/* The analysis as a page. */
#include "design/analysis/analysis_names.h"
#include "design/analysis/analysis_reasons.h"

#include "observe/report_parts.h"

extern const char report_css[];

static const char own_css[] =
    ".entities-drawn text { fill: var(--ink); font-size: 13px; font-weight: 600; }\n"
    ".entities-drawn text.key { fill: var(--soft); font-size: 11px; font-weight: 400; }\n"
    ".entities-drawn .entity { fill: var(--card); stroke: var(--line); stroke-width: 1.5; }\n"
    ".entities-drawn .relation { fill: none; stroke: var(--accent); stroke-width: 1.5; opacity: .7; "
    "}\n"
    ".entities-drawn .guessed { stroke-dasharray: 5 4; }\n"
    ".design h3 { margin-bottom: .1rem; }\n"
    ".design ul { margin: .3rem 0 .6rem; padding-left: 1.2rem; }\n"
    ".names { width: 100%; min-width: 60rem; height: auto; border: 1px solid var(--line); border-radius: 6px; }\n"
    "figure { margin: .6rem 0; }\n"
    "figcaption { color: var(--soft); font-size: .9rem; }\n"
    ".tiles { grid-template-columns: repeat(4, 1fr); }\n"
    "@media (max-width: 34rem) { .tiles { grid-template-columns: 1fr 1fr; } }\n";

static void open_section(const char *name, const char *title, struct buffer *out)
{
    buffer_format(out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", name, name,
                  title);
}

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
        "</h1>\n<p class=\"about\"><span>%u tables of the source</span><span>%u tables "
        "proposed</span><span>%u queries%s</span><span>%s</span></p>\n",
        analysis->graph.entity_count, analysis->layout.count, analysis->query_count,
        analysis->workload.count > 0 && analysis->workload.statements[0].assumed ? ", assumed" : "",
        analysis->result.exact ? "no better choice exists among the candidates"
                               : "found by local search");
}

static void append_tiles(const struct analysis *analysis, struct buffer *out)
{
    struct analysis_figure figures[ANALYSIS_FIGURES];
    analysis_figures(analysis, figures);
    buffer_append_string(out, "<dl class=\"tiles\">\n");
    for (uint32_t i = 0; i < ANALYSIS_FIGURES; i++) {
        buffer_format(out, "<div><dt>%s</dt><dd>%s<small>%s</small></dd></div>\n", figures[i].name,
                      figures[i].value, figures[i].explanation);
    }
    buffer_append_string(out, "</dl>\n");
}

static void append_reason(const char *sentence, struct buffer *out)
{
    buffer_append_string(out, "<li>");
    report_html(out, sentence);
    buffer_append_string(out, "</li>\n");
}

static void append_tables(const struct analysis *analysis, struct buffer *out)
{
    open_section("tables", "Tables", out);
    buffer_append_string(out, "<div class=\"design\">\n");
    for (uint32_t i = 0; i < analysis->layout.count; i++) {
        const struct layout_table *table = &analysis->layout.tables[i];
        struct buffer key = {0};
        analysis_append_key(table, &key);
        buffer_append_string(out, "<h3>");
        report_html(out, table->name);
        buffer_append_string(out, " <code>");
        report_html(out, buffer_string(&key));
        buffer_append_string(out, "</code></h3>\n<ul>\n");
        analysis_reasons(analysis, table, append_reason, out);
        buffer_append_string(out, "</ul>\n");
        buffer_free(&key);
    }
    buffer_append_string(out, "</div>\n</section>\n");
}

static void append_steps(const struct analysis *analysis, const struct analysis_query *query,
                         struct buffer *out)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < query->plan.step_count; i++) {
        buffer_append_string(&text, i > 0 ? "\n" : "");
        layout_append_select(&analysis->layout, query->plan.steps[i].query, &query->plan.steps[i],
                             &text);
    }
    buffer_append_string(out, "<pre>");
    report_html(out, query->is_answered ? buffer_string(&text) : "no table answers it");
    buffer_append_string(out, "</pre>\n");
    buffer_free(&text);
}

static void append_queries(const struct analysis *analysis, struct buffer *out)
{
    open_section("queries", "Queries", out);
    for (uint32_t i = 0; i < analysis->query_count; i++) {
        const struct analysis_query *query = &analysis->queries[i];
        double requests = 0;
        for (uint32_t j = 0; j < query->plan.step_count; j++) {
            requests += query->plan.steps[j].requests;
        }
        buffer_append_string(out, "<details><summary>");
        report_html(out, analysis_query_name(query));
        buffer_format(out,
                      "</summary>\n<p class=\"quiet\">weight %.3g, about %.3g requests%s%s</p>\n",
                      query->statement->weight, requests,
                      query->plan.scans ? ", a scan of the whole table" : "",
                      query->plan.sorts ? ", sorted by the client" : "");
        append_steps(analysis, query, out);
        buffer_append_string(out, "</details>\n");
    }
    buffer_append_string(out, "</section>\n");
}

static void append_proofs(const struct analysis *analysis, struct buffer *out)
{
    if (analysis->proof_count == 0) {
        return;
    }
    open_section("proof", "Proof", out);
    buffer_append_string(out, "<p class=\"quiet\">Each query was asked on the target as an "
                              "application would, and on the source in SQL, with values that the "
                              "source holds.</p>\n<div class=\"wide\"><table><thead><tr><th>query"
                              "</th><th class=\"text\">results</th><th>runs</th><th>rows</th>"
                              "<th>requests</th></tr></thead><tbody>\n");
    for (uint32_t i = 0; i < analysis->proof_count; i++) {
        const struct analysis_proof *proof = &analysis->proofs[i];
        buffer_append_string(out, "<tr><th>");
        report_html(out, proof->query);
        buffer_append_string(out, "</th><td class=\"text\">");
        report_html(out, proof->verdict);
        buffer_append_string(out, proof->why != NULL ? "<br><small>" : "");
        report_html(out, proof->why);
        buffer_format(out, "%s</td><td>%u</td><td>%llu</td><td>%llu</td></tr>\n",
                      proof->why != NULL ? "</small>" : "", proof->runs,
                      (unsigned long long)proof->rows, (unsigned long long)proof->requests);
    }
    buffer_append_string(out, "</tbody></table></div>\n</section>\n");
}

static void append_unserved(const struct analysis *analysis, struct buffer *out)
{
    if (analysis->score.unserved == 0) {
        return;
    }
    open_section("unserved", "What no key can answer", out);
    buffer_append_string(out, "<dl class=\"promises\">\n");
    for (uint32_t i = 0; i < analysis->workload.count; i++) {
        const struct workload_statement *statement = &analysis->workload.statements[i];
        if (statement->unserved == NULL) {
            continue;
        }
        buffer_append_string(out, "<div><dt>");
        report_html(out, statement->name != NULL ? statement->name : statement->text);
        buffer_append_string(out, "</dt><dd>");
        report_html(out, statement->unserved);
        if (statement->alternative != NULL) {
            buffer_append_string(out, ": ");
            report_html(out, statement->alternative);
        }
        buffer_append_string(out, "</dd></div>\n");
    }
    buffer_append_string(out, "</dl>\n</section>\n");
}

static void append_guesses(const struct analysis *analysis, struct buffer *out)
{
    const struct graph *graph = &analysis->graph;
    uint32_t count = 0;
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        if (relation->origin == GRAPH_DECLARED) {
            continue;
        }
        buffer_append_string(out, count++ == 0
                                      ? "<p>The source does not declare these relations; correct "
                                        "them in the plan if they are wrong:</p>\n<ul>\n"
                                      : "");
        buffer_append_string(out, "<li>");
        report_html(out, graph->entities[relation->from].name);
        buffer_append_string(out, " → ");
        report_html(out, graph->entities[relation->to].name);
        buffer_format(out, " (%s, %.0f %% sure)</li>\n", graph_origin_name(relation->origin),
                      relation->confidence * 100);
    }
    buffer_append_string(out, count > 0 ? "</ul>\n" : "");
}

void analysis_append_html(const struct analysis *analysis, const struct analysis_options *options,
                          struct buffer *out)
{
    append_head(analysis, options, out);
    buffer_append_string(out, "<main>\n");
    append_tiles(analysis, out);
    append_tables(analysis, out);
    append_queries(analysis, out);
    append_proofs(analysis, out);
    append_unserved(analysis, out);
    open_section("source", "The source", out);
    analysis_append_diagram(analysis, out);
    append_guesses(analysis, out);
    buffer_append_string(out, "</section>\n");
    analysis_append_names_html(analysis, options, out);
    buffer_append_string(out, "</main>\n</body>\n</html>\n");
}
