/* Which tables are chosen from, what refers to what, and what has to be read for it. */
#include "engine/subset/subset_parts.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- nodes */

static const struct schema_table *table_of(const struct subset *subset,
                                           const struct plan_stream *stream)
{
    return stream->request.table != NULL
               ? schema_find_table(subset->options.schema, stream->request.table)
               : NULL;
}

/* The cells of a request that are the root's columns of these names; NULL: one is not read. */
static const uint32_t *find_positions(const struct subset *subset,
                                      const struct read_request *request,
                                      struct column_list columns)
{
    uint32_t *positions =
        arena_allocate_zeroed(subset->arena, columns.count + 1u, sizeof *positions);
    for (uint32_t i = 0; i < columns.count; i++) {
        uint32_t at = 0;
        while (at < request->column_count &&
               (request->columns[at].join >= 0 || request->columns[at].presence ||
                strcmp(request->columns[at].name, columns.names[i]) != 0)) {
            at++;
        }
        if (at == request->column_count) {
            return NULL;
        }
        positions[i] = at;
    }
    return columns.count > 0 ? positions : NULL;
}

static int32_t find_node(const struct subset *subset, const struct schema_table *table)
{
    for (uint32_t i = 0; i < subset->node_count; i++) {
        if (table != NULL && subset->nodes[i].table == table && subset->nodes[i].key.count > 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* A table's rows are told apart by its primary key, if every stream of it reads that. */
static bool has_key(const struct subset *subset, const struct schema_table *table)
{
    const struct plan *plan = subset->options.plan;
    bool has = table != NULL && table->kind == SCHEMA_TABLE && table->primary_key.count > 0 &&
               !table->has_heirs;
    for (uint32_t i = 0; has && i < plan->stream_count; i++) {
        const struct plan_stream *stream = &plan->streams[i];
        has = table_of(subset, stream) != table ||
              find_positions(subset, &stream->request, table->primary_key) != NULL;
    }
    return has;
}

static void add_stream(struct subset *subset, const struct plan_stream *stream)
{
    const struct schema_table *table = table_of(subset, stream);
    bool keyed = has_key(subset, table);
    int32_t found = keyed ? find_node(subset, table) : -1;
    if (found < 0) {
        found = (int32_t)subset->node_count++;
        subset->nodes[found] =
            (struct subset_node){.name = stream->name,
                                 .table = table,
                                 .whole = keyed ? NULL : &stream->request,
                                 .key = keyed ? table->primary_key : (struct column_list){0}};
    }
    subset->streams[stream->number] = (struct subset_stream){
        .node = (uint32_t)found,
        .key_positions =
            keyed ? find_positions(subset, &stream->request, table->primary_key) : NULL};
}

/* ---------------------------------------------------------------- references */

static bool holds(struct column_list list, const char *name)
{
    for (uint32_t i = 0; i < list.count; i++) {
        if (strcasecmp(list.names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_same_set(struct column_list one, struct column_list other)
{
    bool same = one.count == other.count;
    for (uint32_t i = 0; same && i < one.count; i++) {
        same = holds(other, one.names[i]);
    }
    return same;
}

/* The columns that lead to `wanted`, in its order. */
static struct column_list in_order(const struct subset *subset,
                                   const struct schema_foreign_key *key,
                                   struct column_list referenced, struct column_list wanted)
{
    const char **names = arena_allocate_zeroed(subset->arena, wanted.count + 1u, sizeof *names);
    for (uint32_t i = 0; i < wanted.count; i++) {
        for (uint32_t j = 0; j < referenced.count; j++) {
            if (strcasecmp(referenced.names[j], wanted.names[i]) == 0) {
                names[i] = key->columns.names[j];
            }
        }
    }
    return (struct column_list){names, wanted.count};
}

static int32_t find_alternative(struct subset *subset, struct subset_node *node,
                                struct column_list columns)
{
    uint32_t capacity = node->alternative_count;
    for (uint32_t i = 0; i < node->alternative_count; i++) {
        if (is_same_set(node->alternatives[i].columns, columns)) {
            return (int32_t)i;
        }
    }
    node->alternatives = arena_make_room(subset->arena, node->alternatives, capacity, &capacity,
                                         sizeof *node->alternatives);
    node->alternatives[node->alternative_count].columns = columns;
    return (int32_t)node->alternative_count++;
}

static void add_reference(struct subset *subset, struct subset_node *node,
                          const struct schema_foreign_key *key)
{
    const struct schema_table *partner = schema_find_table(subset->options.schema, key->references);
    int32_t to = find_node(subset, partner);
    if (to < 0) {
        return; /* the plan does not read it: the copy makes no such foreign key */
    }
    struct subset_node *other = &subset->nodes[to];
    struct column_list referenced =
        key->referenced_columns.count > 0 ? key->referenced_columns : partner->primary_key;
    if (referenced.count != key->columns.count) {
        return;
    }
    struct subset_reference reference = {.node = (uint32_t)to, .alternative = -1};
    struct column_list wanted = other->key;
    if (!is_same_set(referenced, other->key)) {
        reference.alternative = find_alternative(subset, other, referenced);
        wanted = other->alternatives[reference.alternative].columns;
    }
    reference.columns = in_order(subset, key, referenced, wanted);
    node->references[node->reference_count++] = reference;
}

/* ---------------------------------------------------------------- what is read */

static const uint32_t *ask_for(struct subset *subset, struct read_column *columns, uint32_t *count,
                               struct column_list list)
{
    uint32_t *positions = arena_allocate_zeroed(subset->arena, list.count + 1u, sizeof *positions);
    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t at = 0;
        while (at < *count && (columns[at].join >= 0 || columns[at].presence ||
                               strcmp(columns[at].name, list.names[i]) != 0)) {
            at++;
        }
        if (at == *count) {
            columns[(*count)++] = (struct read_column){.join = -1, .name = list.names[i]};
        }
        positions[i] = at;
    }
    return positions;
}

/* All that a stream without a key reads comes first, as it reads it. */
static void make_request(struct subset *subset, struct subset_node *node)
{
    size_t most = node->key.count + 1u;
    uint32_t count = 0;
    if (node->whole != NULL) {
        most += node->whole->column_count;
    }
    for (uint32_t i = 0; i < node->reference_count; i++) {
        most += node->references[i].columns.count;
    }
    for (uint32_t i = 0; i < node->alternative_count; i++) {
        most += node->alternatives[i].columns.count;
    }
    struct read_column *columns = arena_allocate_zeroed(subset->arena, most, sizeof *columns);
    if (node->whole != NULL && node->whole->column_count > 0) {
        memcpy(columns, node->whole->columns, node->whole->column_count * sizeof *columns);
        count = node->whole->column_count;
    }
    node->key_positions = ask_for(subset, columns, &count, node->key);
    for (uint32_t i = 0; i < node->reference_count; i++) {
        node->references[i].positions =
            ask_for(subset, columns, &count, node->references[i].columns);
    }
    for (uint32_t i = 0; i < node->alternative_count; i++) {
        node->alternatives[i].positions =
            ask_for(subset, columns, &count, node->alternatives[i].columns);
    }
    if (node->whole != NULL) {
        node->request = *node->whole; /* with its joins, by which its own columns come */
    } else {
        node->request = (struct read_request){.name = node->name, .table = node->table->name};
    }
    node->request.columns = columns;
    node->request.column_count = count;
}

void subset_plan(struct subset *subset)
{
    const struct plan *plan = subset->options.plan;
    subset->nodes =
        arena_allocate_zeroed(subset->arena, plan->stream_count + 1u, sizeof *subset->nodes);
    subset->streams =
        arena_allocate_zeroed(subset->arena, plan->stream_count + 1u, sizeof *subset->streams);
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        add_stream(subset, &plan->streams[i]);
    }
    for (uint32_t i = 0; i < subset->node_count; i++) {
        struct subset_node *node = &subset->nodes[i];
        const struct schema_table *table = node->table;
        bool documents = node->whole != NULL && node->whole->column_count == 0;
        uint32_t count = table == NULL || documents ? 0 : table->foreign_key_count;
        node->references =
            arena_allocate_zeroed(subset->arena, count + 1u, sizeof *node->references);
        for (uint32_t k = 0; k < count; k++) {
            add_reference(subset, node, &table->foreign_keys[k]);
        }
    }
    for (uint32_t i = 0; i < subset->node_count; i++) {
        make_request(subset, &subset->nodes[i]);
    }
}
