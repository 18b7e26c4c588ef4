/* embedding_suggested_tables.json: what tables the clusters would be. */
#include "design/embed/embed.h"
#include "design/names/names.h"

#include "base/text.h"
#include "model/json_writer.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

enum { NAME_BYTES_MAX = 48 }; /* Cassandra's bound for tables */

/* How the rows of another table come to those of the main one. */
enum way {
    WAY_MAIN,
    WAY_PARENT, /* the main table refers to it: its columns are copied */
    WAY_CHILD,  /* it refers to the main table: several rows for one of that */
    WAY_NONE    /* no foreign key between them */
};

struct table {
    const struct names_clusters *clusters;
    uint32_t cluster;
    uint32_t main;            /* entity */
    const uint32_t *entities; /* of its columns, the main one first */
    const enum way *ways;
    uint32_t entity_count;
    enum layout_naming naming;
    struct name_index *taken; /* names of tables */
    struct arena *arena;
    struct buffer *out;
};

static const struct graph_entity *entity_at(const struct table *table, uint32_t number)
{
    return &table->clusters->names->graph->entities[number];
}

/* ---------------------------------------------------------------- entities */

static enum way way_to(const struct graph *graph, uint32_t main, uint32_t other)
{
    enum way way = WAY_NONE;
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        if (relation->from == main && relation->to == other) {
            return WAY_PARENT;
        }
        way = relation->from == other && relation->to == main ? WAY_CHILD : way;
    }
    return main == other ? WAY_MAIN : way;
}

static void find_entities(struct table *table)
{
    const struct names_clusters *clusters = table->clusters;
    const struct names *names = clusters->names;
    uint32_t size = names_cluster_size(clusters, table->cluster);
    uint32_t *entities = arena_allocate_zeroed(table->arena, size + 1u, sizeof(*entities));
    enum way *ways = arena_allocate_zeroed(table->arena, size + 1u, sizeof(*ways));
    table->main = names_main_entity(clusters, table->cluster);
    entities[table->entity_count++] = table->main;
    uint32_t last = table->main;
    for (uint32_t i = 0; i < names->count; i++) {
        uint32_t entity = names->columns[i].entity;
        if (clusters->of[i] == table->cluster && entity != table->main && entity != last) {
            entities[table->entity_count] = entity;
            ways[table->entity_count++] = way_to(names->graph, table->main, entity);
            last = entity;
        }
    }
    table->entities = entities;
    table->ways = ways;
}

/* ---------------------------------------------------------------- names */

/* Letters and digits of any script, and _. */
static char *clean(struct arena *arena, const char *text, bool lowers)
{
    char *name = arena_copy_string(arena, text);
    for (char *at = name; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        *at = (char)(byte >= 0x80 ? byte : !isalnum(byte) ? '_' : lowers ? tolower(byte) : byte);
    }
    if (strlen(name) > NAME_BYTES_MAX) {
        name[text_clip(name, strlen(name), NAME_BYTES_MAX)] = '\0';
    }
    return name;
}

static const char *table_name(const struct table *table)
{
    struct buffer name = {0};
    if (table->naming == LAYOUT_PLAIN) {
        buffer_append_string(&name, table->clusters->list[table->cluster]);
    }
    for (uint32_t i = 0; table->naming == LAYOUT_CLASSIC && i < table->entity_count; i++) {
        buffer_format(&name, "%s_", entity_at(table, table->entities[i])->name);
    }
    buffer_append_string(&name, table->naming == LAYOUT_CLASSIC ? "data" : "");
    const char *wanted = clean(table->arena, buffer_string(&name), table->naming == LAYOUT_CLASSIC);
    const char *unique = wanted;
    buffer_free(&name);
    for (uint32_t i = 2; name_index_add(table->taken, unique, strlen(unique), 0) != NAME_INDEX_NONE;
         i++) {
        unique = arena_format(table->taken->arena, "%s_%u", wanted, i);
    }
    return unique;
}

static const char *column_name(const struct table *table, uint32_t entity, uint32_t field)
{
    const struct graph_entity *of = entity_at(table, entity);
    const char *name = of->fields[field].name;
    bool whole = table->naming == LAYOUT_CLASSIC || entity != table->main;
    return clean(table->arena, whole ? arena_format(table->arena, "%s_%s", of->name, name) : name,
                 false);
}

/* ---------------------------------------------------------------- columns */

static bool is_in_cluster(const struct table *table, uint32_t entity, uint32_t field)
{
    const struct names *names = table->clusters->names;
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->columns[i].entity == entity && names->columns[i].field == field) {
            return table->clusters->of[i] == table->cluster;
        }
    }
    return false;
}

static void append_column(const struct table *table, uint32_t entity, uint32_t field, bool added,
                          bool *first)
{
    const struct graph_entity *of = entity_at(table, entity);
    buffer_append_string(table->out, *first ? "\n        {\"name\": " : ",\n        {\"name\": ");
    json_append_printable(table->out, column_name(table, entity, field));
    buffer_append_string(table->out, ", \"source\": ");
    json_append_printable(table->out,
                          arena_format(table->arena, "%s.%s", of->name, of->fields[field].name));
    buffer_append_string(table->out, added ? ", \"added\": \"for the key\"}" : "}");
    *first = false;
}

/* A key's columns are there, whatever cluster they are in. */
static void append_key_columns(const struct table *table, uint32_t entity, bool *first)
{
    const struct graph_fields *key = &entity_at(table, entity)->key;
    for (uint32_t i = 0; i < key->count; i++) {
        if (!is_in_cluster(table, entity, key->at[i])) {
            append_column(table, entity, key->at[i], true, first);
        }
    }
}

static void append_columns(const struct table *table)
{
    const struct names *names = table->clusters->names;
    bool first = true;
    buffer_append_string(table->out, "      \"columns\": [");
    for (uint32_t i = 0; i < table->entity_count; i++) {
        if (table->ways[i] == WAY_MAIN || table->ways[i] == WAY_CHILD) {
            append_key_columns(table, table->entities[i], &first);
        }
    }
    for (uint32_t i = 0; i < names->count; i++) {
        if (table->clusters->of[i] == table->cluster) {
            append_column(table, names->columns[i].entity, names->columns[i].field, false, &first);
        }
    }
    buffer_append_string(table->out, "\n      ],\n");
}

/* ---------------------------------------------------------------- keys */

static void append_fields(const struct table *table, enum way way)
{
    bool first = true;
    for (uint32_t i = 0; i < table->entity_count; i++) {
        const struct graph_fields *key = &entity_at(table, table->entities[i])->key;
        for (uint32_t j = 0; table->ways[i] == way && j < key->count; j++) {
            buffer_append_string(table->out, first ? "" : ", ");
            json_append_printable(table->out, column_name(table, table->entities[i], key->at[j]));
            first = false;
        }
    }
}

/* ---------------------------------------------------------------- why, and how sure */

static void append_ways(const struct table *table, enum way way, const char *one, const char *many,
                        struct buffer *why)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->entity_count; i++) {
        if (table->ways[i] == way) {
            buffer_format(why, "%s%s", count++ == 0 ? " " : ", ",
                          entity_at(table, table->entities[i])->name);
        }
    }
    buffer_append_string(why, count == 0 ? "" : count == 1 ? one : many);
}

static void append_why(const struct table *table)
{
    const struct graph_entity *main = entity_at(table, table->main);
    struct buffer why = {0};
    buffer_format(&why, "The names of these %u columns are near each other.",
                  names_cluster_size(table->clusters, table->cluster));
    buffer_format(&why, " %s has most of them, and its key (%s, %.0f %% sure) finds the rows.",
                  main->name, graph_origin_name(main->key_origin), main->key_confidence * 100);
    append_ways(table, WAY_PARENT, " is what its rows refer to: copied.",
                " are what its rows refer to: copied.", &why);
    append_ways(table, WAY_CHILD, " refers to it: several rows for one, told apart by its key.",
                " refer to it: several rows for one, told apart by their keys.", &why);
    append_ways(table, WAY_NONE, " has no foreign key to it: its columns belong elsewhere.",
                " have no foreign key to it: their columns belong elsewhere.", &why);
    buffer_append_string(table->out, "      \"why\": ");
    json_append_printable(table->out, buffer_string(&why));
    buffer_append_string(table->out, ",\n");
    buffer_free(&why);
}

/* How near the columns are to their mean: 1 where all are one. */
static double cohesion(const struct table *table)
{
    float center[EMBED_WIDTH];
    double sum = 0;
    names_center(table->clusters, table->cluster, center);
    for (uint32_t i = 0; i < EMBED_WIDTH; i++) {
        sum += (double)center[i] * (double)center[i];
    }
    return sqrt(sum);
}

/* The share of its columns that a foreign key leads to. */
static double related(const struct table *table)
{
    const struct names *names = table->clusters->names;
    uint32_t count = 0;
    uint32_t all = 0;
    for (uint32_t i = 0; i < names->count; i++) {
        if (table->clusters->of[i] == table->cluster) {
            count += way_to(names->graph, table->main, names->columns[i].entity) != WAY_NONE;
            all++;
        }
    }
    return all > 0 ? (double)count / all : 0;
}

static void append_table(struct table *table)
{
    find_entities(table);
    buffer_append_string(table->out, "    {\n      \"name\": ");
    json_append_printable(table->out, table_name(table));
    buffer_append_string(table->out, ",\n      \"cluster\": ");
    json_append_printable(table->out, table->clusters->list[table->cluster]);
    buffer_append_string(table->out, ",\n");
    append_columns(table);
    buffer_append_string(table->out, "      \"key\": {\"partition\": [");
    append_fields(table, WAY_MAIN);
    buffer_append_string(table->out, "], \"clustering\": [");
    append_fields(table, WAY_CHILD);
    buffer_append_string(table->out, "]},\n");
    append_why(table);
    buffer_format(table->out, "      \"confidence\": %.2f\n    }",
                  cohesion(table) * related(table) * entity_at(table, table->main)->key_confidence);
}

/* ---------------------------------------------------------------- the file */

static void append_relation(const struct graph *graph, const struct graph_relation *relation,
                            struct arena *arena, struct buffer *out)
{
    const struct graph_entity *from = &graph->entities[relation->from];
    const struct graph_entity *to = &graph->entities[relation->to];
    buffer_append_string(out, "    {\"from\": ");
    json_append_printable(
        out, arena_format(arena, "%s.%s", from->name, from->fields[relation->fields.at[0]].name));
    buffer_append_string(out, ", \"to\": ");
    json_append_printable(
        out, arena_format(arena, "%s.%s", to->name, to->fields[relation->referenced.at[0]].name));
    buffer_format(out, ", \"origin\": \"%s\", \"confidence\": %.2f}",
                  graph_origin_name(relation->origin), relation->confidence);
}

void names_append_tables(const struct names_clusters *clusters,
                         const struct names_relations *relations, enum layout_naming naming,
                         struct buffer *out)
{
    struct arena *arena = arena_create(0);
    struct name_index taken = {.arena = arena, .folded = true};
    buffer_format(out, "{\n  \"format\": 1,\n  \"naming\": \"%s\",\n  \"tables\": [\n",
                  naming == LAYOUT_CLASSIC ? "classic" : "plain");
    for (uint32_t i = 0; i < clusters->count; i++) {
        struct table table = {.clusters = clusters,
                              .cluster = i,
                              .naming = naming,
                              .taken = &taken,
                              .arena = arena,
                              .out = out};
        append_table(&table);
        buffer_append_string(out, i + 1 < clusters->count ? ",\n" : "\n");
    }
    buffer_append_string(out, "  ],\n  \"foreign_keys\": [\n");
    for (uint32_t i = 0; i < relations->count; i++) {
        append_relation(clusters->names->graph, &relations->list[i], arena, out);
        buffer_append_string(out, i + 1 < relations->count ? ",\n" : "\n");
    }
    buffer_append_string(out, "  ]\n}\n");
    arena_destroy(arena);
}
