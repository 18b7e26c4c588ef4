/* The design for MongoDB in a report. */
#include "design/analysis/analysis_sections.h"

static void append_index(const struct analysis *analysis, const struct export_mongo_index *index,
                         struct analysis_page *page)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < index->count; i++) {
        buffer_format(&text, "%s%s%s", i > 0 ? ", " : "", index->fields[i],
                      index->descending != NULL && index->descending[i] ? " desc" : "");
    }
    analysis_page_item(page, arena_format(analysis->arena, "Index %s on %s%s.", index->name,
                                          buffer_string(&text), index->unique ? ", unique" : ""));
    buffer_free(&text);
}

static void append_decision(const struct analysis *analysis, uint32_t relation,
                            struct analysis_page *page)
{
    const struct export_decision *decision = &analysis->mongodb.decisions[relation];
    const struct graph_relation *of = &analysis->graph.relations[relation];
    analysis_page_item(page,
                       arena_format(analysis->arena, "%s to %s: %s (%s).",
                                    analysis->graph.entities[of->from].name,
                                    analysis->graph.entities[of->to].name,
                                    export_joining_name(decision->joining), decision->reason));
}

static void append_copied(const struct analysis *analysis, const struct export_document *document,
                          struct analysis_page *page)
{
    struct places *places = analysis->mongodb.places;
    struct buffer text = {0};
    for (uint32_t i = 0; i < document->copied.count; i++) {
        struct place at = places->list[document->copied.at[i]];
        buffer_format(&text, "%s%s.%s", i > 0 ? ", " : "", places_entity(places, at.path)->name,
                      places_field(places, document->copied.at[i])->name);
    }
    if (document->copied.count > 0) {
        analysis_page_item(page, arena_format(analysis->arena,
                                              "Copied, since no statement changes them: %s.",
                                              buffer_string(&text)));
    }
    buffer_free(&text);
}

static void append_collection(const struct analysis *analysis, uint32_t entity,
                              struct analysis_page *page)
{
    const struct export_document *document = &analysis->mongodb.documents[entity];
    const struct graph *graph = &analysis->graph;
    analysis_page_part(page, document->name,
                       document->id != NULL ? arena_format(analysis->arena, "_id: %s", document->id)
                                            : "_id: the fields of the key");
    analysis_page_item(page, arena_format(analysis->arena, "%.0f documents of about %.0f bytes.",
                                          graph->entities[entity].rows, document->bytes));
    append_copied(analysis, document, page);
    for (uint32_t i = 0; i < document->index_count; i++) {
        append_index(analysis, &document->indexes[i], page);
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        bool holds = analysis->mongodb.decisions[i].joining <= EXPORT_KEY_LIST;
        if (holds ? graph->relations[i].to == entity : graph->relations[i].from == entity) {
            append_decision(analysis, i, page);
        }
    }
    analysis_page_end_part(page);
}

static void append_queries(const struct analysis *analysis, struct analysis_page *page)
{
    analysis_page_section(page, "mongodb-queries", "Queries of MongoDB");
    for (uint32_t i = 0; i < analysis->query_count; i++) {
        const struct analysis_query *query = &analysis->queries[i];
        struct buffer text = {0};
        uint32_t requests = export_mongodb_append_find(
            &analysis->mongodb, &analysis->search.queries[query->query].query, &text);
        analysis_page_query(page, analysis_query_name(query),
                            arena_format(analysis->arena, "weight %.3g%s, %u request%s",
                                         query->statement->weight,
                                         query->statement->assumed ? ", assumed" : "", requests,
                                         requests == 1 ? "" : "s"),
                            "js", buffer_string(&text));
        buffer_free(&text);
    }
    analysis_page_end_section(page);
}

void analysis_append_mongodb(const struct analysis *analysis, struct analysis_page *page)
{
    const struct export_mongodb *design = &analysis->mongodb;
    const struct graph *graph = &analysis->graph;
    uint32_t collections = 0;
    uint32_t joinings[EXPORT_REFERENCE_COPY + 1] = {0};
    struct arena *arena = analysis->arena;
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        collections += design->documents[i].relation == GRAPH_NONE;
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        joinings[design->decisions[i].joining]++;
    }
    const struct analysis_figure figures[] = {
        {"Collections", arena_format(arena, "%u", collections),
         arena_format(arena, "of %u tables in the source", graph->entity_count)},
        {"Embedded", arena_format(arena, "%u", joinings[EXPORT_EMBED]),
         "foreign keys whose rows stand in their parent's document"},
        {"Lists of keys", arena_format(arena, "%u", joinings[EXPORT_KEY_LIST]),
         "of tables that only join two others"},
        {"References",
         arena_format(arena, "%u", joinings[EXPORT_REFERENCE] + joinings[EXPORT_REFERENCE_COPY]),
         arena_format(arena, "%u with copied fields", joinings[EXPORT_REFERENCE_COPY])},
    };
    analysis_page_section(page, "mongodb", "MongoDB");
    analysis_page_figures(page, figures, sizeof(figures) / sizeof(figures[0]));
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        if (design->documents[i].relation == GRAPH_NONE) {
            append_collection(analysis, i, page);
        }
    }
    analysis_page_end_section(page);
    append_queries(analysis, page);
}
