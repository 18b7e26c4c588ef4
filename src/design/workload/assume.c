/* The workload that is assumed where no queries are known. */
#include "design/workload/statement.h"

#include <math.h>
#include <string.h>

struct assuming {
    const struct graph *graph;
    struct arena *arena;
    struct workload_statement *list;
    uint32_t count;
    uint32_t capacity;
};

static struct workload_statement *assume_add(struct assuming *assuming, enum workload_kind kind,
                                             uint32_t entity, const char *name)
{
    assuming->list = arena_make_room(assuming->arena, assuming->list, assuming->count,
                                     &assuming->capacity, sizeof(*assuming->list));
    struct workload_alias *alias = arena_allocate_zeroed(assuming->arena, 1, sizeof(*alias));
    *alias =
        (struct workload_alias){.name = assuming->graph->entities[entity].name, .entity = entity};
    struct workload_statement *statement = &assuming->list[assuming->count++];
    *statement = (struct workload_statement){
        .kind = kind,
        .name = name,
        .weight = 1 + log10(assuming->graph->entities[entity].rows),
        .assumed = true,
        .aliases = alias,
        .alias_count = 1,
    };
    return statement;
}

static void want_all(struct assuming *assuming, uint32_t entity,
                     struct workload_statement *statement)
{
    uint32_t count = assuming->graph->entities[entity].field_count;
    struct workload_reference *fields =
        arena_allocate_zeroed(assuming->arena, count + 1u, sizeof(*fields));
    for (uint32_t i = 0; i < count; i++) {
        fields[i].field = i;
    }
    statement->fields = fields;
    statement->field_count = count;
}

static void assume_give(struct assuming *assuming, struct graph_fields fields,
                        struct workload_statement *statement)
{
    struct workload_predicate *predicates =
        arena_allocate_zeroed(assuming->arena, fields.count + 1u, sizeof(*predicates));
    for (uint32_t i = 0; i < fields.count; i++) {
        predicates[i] =
            (struct workload_predicate){.test = WORKLOAD_EQUAL, .field = {0, fields.at[i]}};
    }
    statement->predicates = predicates;
    statement->predicate_count = fields.count;
}

static const char *name_of(struct assuming *assuming, uint32_t entity, struct graph_fields fields)
{
    const struct graph_entity *of = &assuming->graph->entities[entity];
    struct buffer name = {0};
    buffer_format(&name, "%s by ", of->name);
    for (uint32_t i = 0; i < fields.count; i++) {
        buffer_format(&name, "%s%s", i > 0 ? ", " : "", of->fields[fields.at[i]].name);
    }
    const char *kept = arena_copy_string(assuming->arena, buffer_string(&name));
    buffer_free(&name);
    return kept;
}

static struct workload_statement *select_by(struct assuming *assuming, uint32_t entity,
                                            struct graph_fields fields)
{
    struct workload_statement *statement =
        assume_add(assuming, WORKLOAD_SELECT, entity, name_of(assuming, entity, fields));
    want_all(assuming, entity, statement);
    assume_give(assuming, fields, statement);
    return statement;
}

/* Newest first, where each row of the entity has a time. */
static void order_by_time(struct assuming *assuming, uint32_t entity,
                          struct workload_statement *statement)
{
    const struct graph_entity *of = &assuming->graph->entities[entity];
    for (uint32_t i = 0; i < of->field_count; i++) {
        if (graph_field_is_time(&of->fields[i]) && of->fields[i].column->not_null) {
            struct workload_order *order =
                arena_allocate_zeroed(assuming->arena, 1, sizeof(*order));
            *order = (struct workload_order){.field = {0, i}, .descending = true};
            statement->order = order;
            statement->order_count = 1;
            return;
        }
    }
}

static bool is_asked_for(const struct assuming *assuming, uint32_t entity,
                         struct graph_fields fields)
{
    for (uint32_t i = 0; i < assuming->count; i++) {
        const struct workload_statement *statement = &assuming->list[i];
        bool same = statement->kind == WORKLOAD_SELECT && statement->aliases[0].entity == entity &&
                    statement->predicate_count == fields.count;
        for (uint32_t j = 0; j < fields.count && same; j++) {
            same = graph_fields_hold(fields, statement->predicates[j].field.field);
        }
        if (same) {
            return true;
        }
    }
    return false;
}

static void assume_indexes(struct assuming *assuming, uint32_t entity)
{
    const struct graph_entity *of = &assuming->graph->entities[entity];
    for (uint32_t i = 0; i < of->table->index_count; i++) {
        const struct schema_index *index = &of->table->indexes[i];
        uint32_t *at =
            arena_allocate_zeroed(assuming->arena, index->columns.count + 1u, sizeof(*at));
        struct graph_fields fields = {at, 0};
        for (uint32_t j = 0; j < index->columns.count && (index->unique || j < 1); j++) {
            const char *column = index->columns.names[j];
            at[j] = graph_find_field(of, column, strlen(column));
            fields.count += at[j] != GRAPH_NONE;
        }
        bool usable = fields.count == (index->unique ? index->columns.count : 1) &&
                      !index->partial && index->method == NULL;
        if (usable && !is_asked_for(assuming, entity, fields)) {
            (void)select_by(assuming, entity, fields);
        }
    }
}

void workload_assume(const struct graph *graph, struct arena *arena, struct workload *workload)
{
    struct assuming assuming = {.graph = graph, .arena = arena};
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        (void)select_by(&assuming, i, graph->entities[i].key);
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        if (!is_asked_for(&assuming, relation->from, relation->fields)) {
            struct workload_statement *list =
                select_by(&assuming, relation->from, relation->fields);
            order_by_time(&assuming, relation->from, list);
        }
    }
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        assume_indexes(&assuming, i);
        struct workload_statement *insert =
            assume_add(&assuming, WORKLOAD_INSERT, i,
                       arena_format(arena, "insert into %s", graph->entities[i].name));
        want_all(&assuming, i, insert);
    }
    *workload = (struct workload){arena, assuming.list, assuming.count};
}
