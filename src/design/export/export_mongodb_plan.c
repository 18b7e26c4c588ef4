/* The plan that fills MongoDB's collections, and what a terminal shows of them. */
#include "design/export/export_parts.h"

#include "design/export/export_key.h"
#include "plan/propose/propose.h"
#include "plan/words/template.h"
#include <string.h>

static void indent(uint32_t depth, struct buffer *out)
{
    buffer_format(out, "%*s", (int)depth, "");
}

static const struct graph *graph_of(const struct export_mongodb *design)
{
    return design->places->graph;
}

/* Would the text of a key be that of another row's, too, without escapes? */
static bool needs_escapes(const struct graph_entity *entity)
{
    bool needs = false;
    for (uint32_t i = 0; i + 1 < entity->key.count; i++) {
        needs = needs || export_key_needs_escapes(&entity->fields[entity->key.at[i]]);
    }
    return needs;
}

static bool is_plain(const struct graph_entity *entity)
{
    bool plain = true;
    for (uint32_t i = 0; i < entity->key.count; i++) {
        plain = plain && export_key_is_plain(&entity->fields[entity->key.at[i]]);
    }
    return plain;
}

static void append_id(const struct export_mongodb *design, const struct export_document *document,
                      uint32_t depth, struct buffer *out)
{
    const struct graph_entity *entity = &graph_of(design)->entities[document->entity];
    struct buffer text = {0};
    indent(depth, out);
    buffer_append_string(out, "\"_id\": ");
    if (document->id != NULL) {
        buffer_append_string(out, "{ ");
        layout_append_column(&entity->fields[entity->key.at[0]], out);
        buffer_append_string(out, " }\n");
        return;
    }
    bool escapes = needs_escapes(entity) && is_plain(entity);
    for (uint32_t i = 0; i < entity->key.count; i++) {
        const struct graph_field *field = &entity->fields[entity->key.at[i]];
        if (escapes) {
            buffer_append_string(&text, i > 0 ? " || '#' || " : "");
            export_key_append_sql(field->name, field, 0,
                                  i + 1 < entity->key.count && export_key_needs_escapes(field),
                                  &text);
        } else {
            buffer_format(&text, "%s{%s}", i > 0 ? "#" : "",
                          template_quote_name(design->arena, field->name));
        }
    }
    buffer_append_string(out, escapes ? "{ sql: " : "");
    propose_append_quoted(out, buffer_string(&text));
    buffer_append_string(out, escapes ? ", cast: text }\n" : "\n");
    buffer_free(&text);
}

static void append_own(const struct export_mongodb *design, const struct export_document *document,
                       uint32_t depth, struct buffer *out)
{
    const struct graph_entity *entity = &graph_of(design)->entities[document->entity];
    for (uint32_t i = 0; i < entity->field_count; i++) {
        bool is_id = document->id != NULL && strcmp(document->id, entity->fields[i].name) == 0;
        if (is_id || document->fields[i] == NULL) {
            continue;
        }
        indent(depth, out);
        propose_append_quoted(out, document->fields[i]);
        buffer_append_string(out, ": { ");
        layout_append_column(&entity->fields[i], out);
        buffer_append_string(out, " }\n");
    }
    for (uint32_t i = 0; i < document->copied.count; i++) {
        uint32_t place = document->copied.at[i];
        indent(depth, out);
        propose_append_quoted(out, document->copies[i]);
        buffer_append_string(out, ": { ");
        layout_append_lookup(design->places, design->places->list[place].path, out);
        layout_append_column(places_field(design->places, place), out);
        buffer_append_string(out, " }\n");
    }
}

/* Where more than one foreign key leads from the child to its parent. */
static void append_match(const struct export_mongodb *design, const struct graph_relation *relation,
                         uint32_t depth, struct buffer *out)
{
    const struct graph *graph = graph_of(design);
    uint32_t ways = 0;
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        ways +=
            graph->relations[i].from == relation->from && graph->relations[i].to == relation->to;
    }
    if (ways < 2) {
        return;
    }
    indent(depth, out);
    buffer_append_string(out, "match: { ");
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        propose_append_quoted(out,
                              graph->entities[relation->from].fields[relation->fields.at[i]].name);
        buffer_append_string(out, ": ");
        propose_append_quoted(
            out, graph->entities[relation->to].fields[relation->referenced.at[i]].name);
    }
    buffer_append_string(out, " }\n");
}

static void append_lists(const struct export_mongodb *design, uint32_t entity, uint32_t depth,
                         struct buffer *out)
{
    for (uint32_t i = 0; i < graph_of(design)->entity_count; i++) {
        const struct export_document *child = &design->documents[i];
        if (child->relation == GRAPH_NONE ||
            graph_of(design)->relations[child->relation].to != entity) {
            continue;
        }
        indent(depth, out);
        propose_append_quoted(out, child->name);
        buffer_append_string(out, ":\n");
        indent(depth + 2, out);
        buffer_append_string(out, "embed: ");
        propose_append_quoted(out, graph_of(design)->entities[i].name);
        buffer_append_byte(out, '\n');
        append_match(design, &graph_of(design)->relations[child->relation], depth + 2, out);
        indent(depth + 2, out);
        buffer_append_string(out, "fields:\n");
        append_own(design, child, depth + 4, out);
        append_lists(design, i, depth + 4, out);
    }
}

void export_mongodb_append_plan(const struct export_mongodb *design, const char *source,
                                const char *target, struct buffer *out)
{
    const struct graph *graph = graph_of(design);
    layout_append_head(graph, source, target, out);
    buffer_append_string(out, graph->entity_count > 0 ? "tables:\n" : "tables: {}\n");
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        const struct export_document *document = &design->documents[i];
        if (document->relation != GRAPH_NONE) {
            continue;
        }
        buffer_append_string(out, "  ");
        propose_append_quoted(out, document->name);
        buffer_append_string(out, ":\n    key: [\"_id\"]\n    from: ");
        propose_append_quoted(out, graph->entities[i].name);
        buffer_append_string(out, "\n    fields:\n");
        append_id(design, document, 6, out);
        append_own(design, document, 6, out);
        append_lists(design, i, 6, out);
    }
}

/* ---------------------------------------------------------------- a terminal */

void export_mongodb_append_summary(const struct export_mongodb *design, struct buffer *out)
{
    const struct graph *graph = graph_of(design);
    uint32_t count = 0;
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        count += design->documents[i].relation == GRAPH_NONE;
    }
    buffer_format(out, "MongoDB: %u collections\n", count);
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        const struct export_document *document = &design->documents[i];
        if (document->relation == GRAPH_NONE) {
            buffer_format(out, "  %s  %.0f documents of about %.0f bytes, %u indexes\n",
                          document->name, graph->entities[i].rows, document->bytes,
                          document->index_count);
            if (needs_escapes(&graph->entities[i]) && !is_plain(&graph->entities[i])) {
                buffer_format(out,
                              "note: %s: two rows have the same _id, and one is rejected, where "
                              "a part of their keys holds the # that separates the parts\n",
                              document->name);
            }
            if (document->unindexed > 0) {
                buffer_format(out,
                              "note: %s has no index left (64 a collection): %u of its queries "
                              "read all of it\n",
                              document->name, document->unindexed);
            }
        }
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct export_decision *decision = &design->decisions[i];
        buffer_format(out, "  %s to %s: %s (%s)\n", graph->entities[graph->relations[i].from].name,
                      graph->entities[graph->relations[i].to].name,
                      export_joining_name(decision->joining), decision->reason);
    }
}
