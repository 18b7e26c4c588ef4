/* Which rows the copy will reject. */
#include "design/analysis/analysis_sections.h"

enum { MILLISECOND_DIGITS = 3 };

struct telling {
    const struct analysis *analysis;
    void (*tell)(void *context, const char *sentence);
    void *context;
};

/* Cassandra and DynamoDB take no null in a key, and one row for each key. */
static bool has_keyed_target(const struct analysis *analysis)
{
    return analysis_wants(analysis, ANALYSIS_CASSANDRA) ||
           analysis_wants(analysis, ANALYSIS_DYNAMODB);
}

/* No key is declared, and none was found: all of its columns together are the key. */
static bool is_keyless(const struct graph_entity *entity)
{
    return entity->key_origin != GRAPH_DECLARED && entity->key.count == entity->field_count &&
           entity->field_count > 1;
}

static void tell_keyless(const struct telling *telling)
{
    const struct graph *graph = &telling->analysis->graph;
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        if (is_keyless(&graph->entities[i])) {
            telling->tell(telling->context,
                          arena_format(telling->analysis->arena,
                                       "%s has no key, so all of its columns are the key of its "
                                       "copies: of rows that are the same in every column one is "
                                       "kept, and the others are rejected.",
                                       graph->entities[i].name));
        }
    }
}

static bool has_nulls(const struct graph_entity *entity, uint32_t field)
{
    const struct figures_table *figures = entity->figures;
    return figures != NULL && figures->columns != NULL && figures->columns[field].nulls > 0;
}

/* "order_ref, about 12 % of them" */
static void append_nullable(const struct graph_entity *entity, uint32_t field, struct buffer *out)
{
    buffer_format(out, "%s%s", out->length > 0 ? ", " : "", entity->fields[field].name);
    if (has_nulls(entity, field)) {
        buffer_format(out, " (null in about %.2g %% of the rows)",
                      entity->figures->columns[field].nulls * 100);
    }
}

/* A list of names, or a schema without any NOT NULL, says nothing of nulls. */
static bool says_not_null(const struct graph *graph)
{
    bool any = false;
    for (uint32_t i = 0; i < graph->entity_count && !any; i++) {
        const struct graph_entity *entity = &graph->entities[i];
        for (uint32_t j = 0; j < entity->field_count && !any; j++) {
            any = entity->fields[j].column->not_null;
        }
    }
    return any;
}

static void tell_nullable(const struct telling *telling)
{
    const struct graph *graph = &telling->analysis->graph;
    bool declared = says_not_null(graph);
    for (uint32_t i = 0; i < graph->entity_count && has_keyed_target(telling->analysis); i++) {
        const struct graph_entity *entity = &graph->entities[i];
        struct buffer names = {0};
        for (uint32_t j = 0; j < entity->key.count; j++) {
            uint32_t field = entity->key.at[j];
            if (!entity->fields[field].column->not_null && (declared || has_nulls(entity, field))) {
                append_nullable(entity, field, &names);
            }
        }
        if (names.length > 0) {
            telling->tell(telling->context,
                          arena_format(telling->analysis->arena,
                                       "The key of %s may be null by the source's declaration: "
                                       "%s. A row with a null there is rejected.",
                                       entity->name, buffer_string(&names)));
        }
        buffer_free(&names);
    }
}

static bool is_fine(const struct value_type *type)
{
    return type->kind == VALUE_TIMESTAMP &&
           (type->fraction == 0 || type->fraction - 1 > MILLISECOND_DIGITS);
}

static void tell_times(const struct telling *telling)
{
    enum { SHOWN = 12 };
    const struct graph *graph = &telling->analysis->graph;
    struct buffer names = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        const struct graph_entity *entity = &graph->entities[i];
        for (uint32_t j = 0; j < entity->field_count; j++) {
            if (is_fine(&entity->fields[j].type) && count++ < SHOWN) {
                buffer_format(&names, "%s%s.%s", names.length > 0 ? ", " : "", entity->name,
                              entity->fields[j].name);
            }
        }
    }
    if (count > SHOWN) {
        buffer_format(&names, " and %u more", count - SHOWN);
    }
    if (count > 0 && analysis_wants(telling->analysis, ANALYSIS_CASSANDRA)) {
        telling->tell(
            telling->context,
            arena_format(telling->analysis->arena,
                         "Cassandra's timestamp has milliseconds. A row with a finer time "
                         "is rejected: %s.",
                         buffer_string(&names)));
    }
    buffer_free(&names);
}

/* Rows that are left without a parent. */
static void tell_orphans(const struct telling *telling)
{
    const struct analysis *analysis = telling->analysis;
    for (uint32_t i = 0; i < analysis->graph.relation_count; i++) {
        const struct graph_relation *relation = &analysis->graph.relations[i];
        const char *from = analysis->graph.entities[relation->from].name;
        const char *to = analysis->graph.entities[relation->to].name;
        bool matters = analysis_wants(analysis, ANALYSIS_MONGODB) &&
                       analysis->mongodb.decisions != NULL &&
                       analysis->mongodb.decisions[i].distrusted;
        if (relation->trust == GRAPH_BROKEN) {
            telling->tell(telling->context,
                          arena_format(analysis->arena,
                                       "%.0f rows of %s refer to no row of %s: what is copied from "
                                       "%s is empty there%s.",
                                       relation->orphans, from, to, to,
                                       matters ? ", and they are not embedded in MongoDB" : ""));
        } else if (matters) {
            telling->tell(telling->context,
                          arena_format(analysis->arena,
                                       "Nothing proves that each row of %s has its %s, so that "
                                       "MongoDB's documents refer to it instead of embedding.",
                                       from, to));
        }
    }
}

void analysis_cautions(const struct analysis *analysis,
                       void (*tell)(void *context, const char *sentence), void *context)
{
    const struct telling telling = {.analysis = analysis, .tell = tell, .context = context};
    tell_keyless(&telling);
    tell_nullable(&telling);
    tell_times(&telling);
    tell_orphans(&telling);
}

/* ---------------------------------------------------------------- in a report */

struct listing {
    struct analysis_page *page;
    bool is_open;
};

static void analysis_cautions_list(void *context, const char *sentence)
{
    struct listing *listing = context;
    if (!listing->is_open) {
        analysis_page_section(listing->page, "cautions", "What the copy will reject");
        analysis_page_list(listing->page);
    }
    listing->is_open = true;
    analysis_page_item(listing->page, sentence);
}

void analysis_append_cautions(const struct analysis *analysis, struct analysis_page *page)
{
    struct listing listing = {.page = page};
    analysis_cautions(analysis, analysis_cautions_list, &listing);
    if (listing.is_open) {
        analysis_page_end_list(page);
        analysis_page_end_section(page);
    }
}
