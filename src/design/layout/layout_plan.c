/* The plan that fills the tables of a layout. */
#include "design/layout/layout.h"

#include "plan/propose/propose.h"
#include "plan/words/expression_names.h"

static void append_list(const struct layout_table *table, uint32_t from, uint32_t count,
                        struct buffer *out)
{
    buffer_append_byte(out, '[');
    for (uint32_t i = from; i < from + count; i++) {
        buffer_append_string(out, i > from ? ", " : "");
        if (table->columns[i].descending) {
            buffer_append_string(out, "{ ");
        }
        propose_append_quoted(out, table->columns[i].name);
        buffer_append_string(out, table->columns[i].descending ? ": desc }" : "");
    }
    buffer_append_byte(out, ']');
}

static void append_key(const struct layout_table *table, struct buffer *out)
{
    uint32_t statics = 0;
    uint32_t key = table->partition_count + table->clustering_count;
    for (uint32_t i = 0; i < table->column_count; i++) {
        statics += table->columns[i].role == LAYOUT_STATIC;
    }
    buffer_append_string(out, "    key: { partition: ");
    append_list(table, 0, table->partition_count, out);
    if (table->clustering_count > 0) {
        buffer_append_string(out, ", clustering: ");
        append_list(table, table->partition_count, table->clustering_count, out);
    }
    if (statics > 0) {
        buffer_append_string(out, ", static: ");
        append_list(table, key, statics, out);
    }
    buffer_append_string(out, " }\n");
}

/* ---------------------------------------------------------------- look-ups */

/* Table by table from the root: "Album.Artist". */
static void append_path(const struct places *places, uint32_t path, struct buffer *out)
{
    uint32_t parent = places->paths[path].parent;
    if (places->paths[parent].parent != GRAPH_NONE) {
        append_path(places, parent, out);
        buffer_append_byte(out, '.');
    }
    buffer_append_string(out, places_entity(places, path)->name);
}

static bool is_ambiguous(const struct graph *graph, const struct graph_relation *relation)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        count +=
            graph->relations[i].from == relation->from && graph->relations[i].to == relation->to;
    }
    return count > 1;
}

static void append_match(const struct places *places, uint32_t path, struct buffer *out)
{
    const struct graph *graph = places->graph;
    const struct graph_relation *relation = &graph->relations[places->paths[path].relation];
    if (places->paths[path].length != 1 || !is_ambiguous(graph, relation)) {
        return;
    }
    buffer_append_string(out, ", match: { ");
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        propose_append_quoted(
            out, graph->entities[relation->to].fields[relation->referenced.at[i]].name);
        buffer_append_string(out, ": ");
        propose_append_quoted(out,
                              graph->entities[relation->from].fields[relation->fields.at[i]].name);
    }
    buffer_append_string(out, " }");
}

void layout_append_lookup(const struct places *places, uint32_t path, struct buffer *out)
{
    struct buffer names = {0};
    if (places->paths[path].parent == GRAPH_NONE) {
        return;
    }
    append_path(places, path, &names);
    buffer_append_string(out, "lookup: ");
    propose_append_quoted(out, buffer_string(&names));
    append_match(places, path, out);
    buffer_append_string(out, ", ");
    buffer_free(&names);
}

void layout_append_column(const struct graph_field *field, struct buffer *out)
{
    buffer_append_string(out, "column: ");
    propose_append_quoted(out, field->name);
    if (field->type.kind != field->column->type.kind) {
        buffer_format(out, ", cast: %s", value_kind_name(field->type.kind));
    }
}

static void append_field(const struct layout *layout, const struct layout_table *table,
                         const struct layout_column *column, struct buffer *out)
{
    const struct places *places = layout->search->pool->places;
    buffer_append_string(out, "      ");
    propose_append_quoted(out, column->name);
    if (column->place == GRAPH_NONE) {
        buffer_append_string(out, ": { sql: ");
        propose_append_quoted(out, table->bucket_sql);
        bool time = layout_family(layout, table)->bucket == FAMILY_BUCKET_TIME;
        buffer_append_string(out, time ? ", cast: text }\n" : ", cast: int64 }\n");
        return;
    }
    buffer_append_string(out, ": { ");
    layout_append_lookup(places, places->list[column->place].path, out);
    layout_append_column(places_field(places, column->place), out);
    buffer_append_string(out, " }\n");
}

/* ---------------------------------------------------------------- tables */

/* Rows without a part of the key are not in the table. */
static void append_condition(const struct layout *layout, const struct layout_table *table,
                             struct buffer *out)
{
    const struct family *family = layout_family(layout, table);
    struct buffer condition = {0};
    for (uint32_t i = 0; i < family->optional.count; i++) {
        const char *name = layout_column_of(table, family->optional.at[i]);
        const struct place place = layout->search->pool->places->list[family->optional.at[i]];
        if (place.path == family->root) {
            name = places_field(layout->search->pool->places, family->optional.at[i])->name;
        }
        buffer_append_string(&condition, i > 0 ? " AND " : "");
        expression_append_quoted(&condition, name);
        buffer_append_string(&condition, " IS NOT NULL");
    }
    if (condition.length > 0) {
        buffer_append_string(out, "    where: ");
        propose_append_quoted(out, buffer_string(&condition));
        buffer_append_byte(out, '\n');
    }
    buffer_free(&condition);
}

static void append_table(const struct layout *layout, const struct layout_table *table,
                         struct buffer *out)
{
    const struct family *family = layout_family(layout, table);
    buffer_append_string(out, "  ");
    propose_append_quoted(out, table->name);
    buffer_append_string(out, ":\n");
    append_key(table, out);
    buffer_append_string(out, "    from: ");
    propose_append_quoted(out, layout->search->pool->places->graph->entities[family->root].name);
    buffer_append_byte(out, '\n');
    append_condition(layout, table, out);
    buffer_append_string(out, "    fields:\n");
    for (uint32_t i = 0; i < table->column_count; i++) {
        append_field(layout, table, &table->columns[i], out);
    }
}

/* Relations that the source does not declare. */
static void append_relations(const struct graph *graph, struct buffer *out)
{
    bool any = false;
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        if (relation->origin == GRAPH_DECLARED) {
            continue;
        }
        const struct graph_entity *from = &graph->entities[relation->from];
        const struct graph_entity *to = &graph->entities[relation->to];
        bool again = any && graph->relations[i - 1].from == relation->from &&
                     graph->relations[i - 1].origin != GRAPH_DECLARED;
        buffer_append_string(out, any ? "" : "relations:\n");
        if (!again) {
            buffer_append_string(out, "  ");
            propose_append_quoted(out, from->name);
            buffer_append_string(out, ":\n");
        }
        for (uint32_t j = 0; j < relation->fields.count; j++) {
            struct buffer target = {0};
            buffer_format(&target, "%s.%s", to->name, to->fields[relation->referenced.at[j]].name);
            buffer_append_string(out, "    ");
            propose_append_quoted(out, from->fields[relation->fields.at[j]].name);
            buffer_append_string(out, ": ");
            propose_append_quoted(out, buffer_string(&target));
            buffer_format(out, " # %s, %.0f %% sure\n", graph_origin_name(relation->origin),
                          relation->confidence * 100);
            buffer_free(&target);
        }
        any = true;
    }
}

void layout_append_head(const struct graph *graph, const char *source, const char *target,
                        struct buffer *out)
{
    buffer_append_string(out, "transhume: 1\nsource: ");
    propose_append_quoted(out, source);
    buffer_append_string(out, "\n");
    if (target != NULL) {
        buffer_append_string(out, "target: ");
        propose_append_quoted(out, target);
        buffer_append_byte(out, '\n');
    }
    buffer_append_string(
        out, "types: keep # what values are beyond their declared types is said below\n");
    append_relations(graph, out);
}

void layout_append_plan(const struct layout *layout, const char *source, const char *target,
                        struct buffer *out)
{
    layout_append_head(layout->search->pool->places->graph, source, target, out);
    buffer_append_string(out, layout->count > 0 ? "tables:\n" : "tables: {}\n");
    for (uint32_t i = 0; i < layout->count; i++) {
        append_table(layout, &layout->tables[i], out);
    }
}
