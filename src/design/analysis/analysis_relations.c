/* Foreign keys of the source: declared, or why they are believed. */
#include "design/analysis/analysis_sections.h"

/* "orders.customer_id", "line.(order_id, number)" */
static const char *columns_of(const struct graph_entity *entity, struct graph_fields fields,
                              struct arena *arena)
{
    struct buffer text = {0};
    buffer_format(&text, "%s.%s", entity->name, fields.count > 1 ? "(" : "");
    for (uint32_t i = 0; i < fields.count; i++) {
        buffer_format(&text, "%s%s", i > 0 ? ", " : "", entity->fields[fields.at[i]].name);
    }
    buffer_append_string(&text, fields.count > 1 ? ")" : "");
    const char *kept = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return kept;
}

static void append_row(const struct analysis *analysis, const struct graph_relation *relation,
                       struct analysis_page *page)
{
    const struct graph_entity *from = &analysis->graph.entities[relation->from];
    const struct graph_entity *to = &analysis->graph.entities[relation->to];
    struct arena *arena = analysis->arena;
    bool is_declared = relation->origin == GRAPH_DECLARED;
    const char *const cells[] = {columns_of(from, relation->fields, arena),
                                 columns_of(to, relation->referenced, arena),
                                 graph_origin_name(relation->origin),
                                 relation->why != NULL ? relation->why
                                 : is_declared         ? ""
                                                       : "its name alone; no values were looked up",
                                 arena_format(arena, "%.0f %%", relation->confidence * 100)};
    analysis_page_row(page, cells, 5, 4);
}

static void append_doubts(const struct analysis *analysis, struct analysis_page *page)
{
    if (analysis->graph.doubt_count == 0) {
        return;
    }
    analysis_page_paragraph(page, "Not believed:");
    analysis_page_list(page);
    for (uint32_t i = 0; i < analysis->graph.doubt_count; i++) {
        analysis_page_item(page, analysis->graph.doubts[i]);
    }
    analysis_page_end_list(page);
}

void analysis_append_relations(const struct analysis *analysis, struct analysis_page *page)
{
    static const char *const heads[] = {"column", "refers to", "from", "why", "sure"};
    const struct graph *graph = &analysis->graph;
    if (graph->relation_count + graph->doubt_count == 0) {
        return;
    }
    analysis_page_section(page, "relations", "Foreign keys");
    if (graph->relation_count > 0 &&
        graph->relations[graph->relation_count - 1].origin != GRAPH_DECLARED) {
        analysis_page_paragraph(page, "Those that are not declared are written into the plan; "
                                      "correct them there if they are wrong.");
    }
    if (graph->relation_count > 0) {
        analysis_page_table(page, heads, 5, 4);
        for (uint32_t i = 0; i < graph->relation_count; i++) {
            append_row(analysis, &graph->relations[i], page);
        }
        analysis_page_end_table(page);
    }
    append_doubts(analysis, page);
    analysis_page_end_section(page);
}
