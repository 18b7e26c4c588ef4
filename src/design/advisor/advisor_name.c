/* Columns as the model names them: "Table.column", "referring>Table.column", "column". */
#include "design/advisor/advisor_parts.h"

#include "base/text.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- ways */

void advisor_ways_init(struct advisor_ways *ways, const struct graph *graph, struct arena *arena)
{
    uint32_t entities = graph->entity_count + 1u;
    uint32_t relations = graph->relation_count + 1u;
    *ways = (struct advisor_ways){.graph = graph, .arena = arena, .root = GRAPH_NONE};
    ways->first = arena_allocate_zeroed(arena, entities, sizeof(*ways->first));
    ways->next = arena_allocate_zeroed(arena, relations, sizeof(*ways->next));
    ways->hops = arena_allocate_zeroed(arena, entities, sizeof(*ways->hops));
    ways->arrival = arena_allocate_zeroed(arena, entities, sizeof(*ways->arrival));
    ways->ambiguous = arena_allocate_zeroed(arena, entities, sizeof(*ways->ambiguous));
    ways->queue = arena_allocate_zeroed(arena, entities, sizeof(*ways->queue));
    memset(ways->first, 0xff, entities * sizeof(*ways->first));
    for (uint32_t i = graph->relation_count; i-- > 0;) {
        uint32_t from = graph->relations[i].from;
        ways->next[i] = ways->first[from];
        ways->first[from] = i;
    }
}

void advisor_ways_from(struct advisor_ways *ways, uint32_t root)
{
    const struct graph *graph = ways->graph;
    uint32_t begin = 0;
    uint32_t end = 0;
    if (ways->root == root) {
        return;
    }
    ways->root = root;
    memset(ways->hops, 0xff, graph->entity_count * sizeof(*ways->hops));
    memset(ways->ambiguous, 0, graph->entity_count * sizeof(*ways->ambiguous));
    ways->hops[root] = 0;
    ways->queue[end++] = root;
    while (begin < end) {
        uint32_t from = ways->queue[begin++];
        for (uint32_t i = ways->first[from]; i != GRAPH_NONE && ways->hops[from] < ADVISOR_HOPS_MAX;
             i = ways->next[i]) {
            uint32_t to = graph->relations[i].to;
            if (ways->hops[to] == GRAPH_NONE) {
                ways->hops[to] = ways->hops[from] + 1;
                ways->arrival[to] = i;
                ways->ambiguous[to] = ways->ambiguous[from];
                ways->queue[end++] = to;
            } else if (ways->hops[to] == ways->hops[from] + 1) {
                ways->ambiguous[to] = true;
            }
        }
    }
}

/* ---------------------------------------------------------------- names */

/* Without blanks and one pair of quotes around it. */
static struct text advisor_name_trim(struct text text)
{
    while (text.length > 0 && strchr(" \t\r\n", text.data[0]) != NULL) {
        text.data++;
        text.length--;
    }
    while (text.length > 0 && strchr(" \t\r\n", text.data[text.length - 1]) != NULL) {
        text.length--;
    }
    if (text.length >= 2 && strchr("\"`", text.data[0]) != NULL &&
        memchr(text.data + 1, text.data[0], text.length - 1) == text.data + text.length - 1) {
        text.data++;
        text.length -= 2;
    }
    return text;
}

static bool ends_with_word(struct text text, const char *word)
{
    size_t length = strlen(word);
    return text.length > length + 1 && text.data[text.length - length - 1] == ' ' &&
           strncasecmp(text.data + text.length - length, word, length) == 0;
}

static struct text take_order(struct text text, bool *descending)
{
    *descending = ends_with_word(text, "desc");
    text.length -= *descending ? 5 : ends_with_word(text, "asc") ? 4 : 0;
    return text;
}

static struct text last_part(struct text text)
{
    size_t at = text.length;
    while (at > 0 && text.data[at - 1] != '>') {
        at--;
    }
    return advisor_name_trim((struct text){text.data + at, text.length - at});
}

/* "a.b.c": table "a.b", column "c", or table "a", column "b.c", whichever there is. */
static void find_column(const struct graph *graph, struct text part, struct arena *arena,
                        struct advisor_name *name)
{
    bool dotted = false;
    for (size_t at = part.length; at-- > 1;) {
        if (part.data[at] != '.') {
            continue;
        }
        struct text table = advisor_name_trim((struct text){part.data, at});
        struct text column =
            advisor_name_trim((struct text){part.data + at + 1, part.length - at - 1});
        uint32_t entity = graph_find_entity(graph, table.data, table.length);
        dotted = true;
        if (entity == GRAPH_NONE) {
            continue;
        }
        name->entity = entity;
        name->field = graph_find_field(&graph->entities[entity], column.data, column.length);
        if (name->field != GRAPH_NONE) {
            name->why = NULL;
            return;
        }
        name->why = arena_format(arena, "%s has no such column", graph->entities[entity].name);
    }
    if (dotted && name->entity == GRAPH_NONE) {
        name->why = "the schema has no such table";
    }
}

void advisor_name_read(const struct graph *graph, const char *text, struct arena *arena,
                       struct advisor_name *name)
{
    *name = (struct advisor_name){.text = text, .entity = GRAPH_NONE, .field = GRAPH_NONE};
    struct text whole = advisor_name_trim((struct text){text, strlen(text)});
    whole = advisor_name_trim(take_order(whole, &name->descending));
    name->has_path = memchr(whole.data, '>', whole.length) != NULL;
    if (whole.length == 0) {
        name->why = "it names no column";
        return;
    }
    find_column(graph, last_part(whole), arena, name);
}

/* ---------------------------------------------------------------- from a root */

static const char *follow_way(const struct advisor_ways *ways, uint32_t entity,
                              struct advisor_column *column)
{
    const struct graph *graph = ways->graph;
    const char *from = graph->entities[ways->root].name;
    if (ways->hops[entity] == GRAPH_NONE) {
        return arena_format(ways->arena, "%s refers to no %s", from, graph->entities[entity].name);
    }
    if (ways->ambiguous[entity]) {
        return arena_format(ways->arena,
                            "several foreign keys lead from %s to %s, and it does not say which",
                            from, graph->entities[entity].name);
    }
    column->relation_count = ways->hops[entity];
    for (uint32_t i = column->relation_count; i-- > 0;) {
        column->relations[i] = ways->arrival[entity];
        entity = graph->relations[column->relations[i]].from;
    }
    return NULL;
}

/* The relation of `entity` that has the field; GRAPH_NONE: none. */
static uint32_t relation_by(const struct advisor_ways *ways, uint32_t entity, struct text column)
{
    const struct graph *graph = ways->graph;
    struct text dot = {memrchr(column.data, '.', column.length), 0};
    if (dot.data != NULL) {
        size_t before = (size_t)(dot.data + 1 - column.data);
        column = (struct text){column.data + before, column.length - before};
    }
    column = advisor_name_trim(column);
    uint32_t field = graph_find_field(&graph->entities[entity], column.data, column.length);
    for (uint32_t i = ways->first[entity]; i != GRAPH_NONE && field != GRAPH_NONE;
         i = ways->next[i]) {
        if (graph_fields_hold(graph->relations[i].fields, field)) {
            return i;
        }
    }
    return GRAPH_NONE;
}

/* "a>b>Table.column": by the foreign keys that have a and b. */
static const char *follow_names(const struct advisor_ways *ways, const struct advisor_name *name,
                                struct advisor_column *column)
{
    uint32_t entity = ways->root;
    const char *at = name->text;
    const char *end;
    while ((end = strchr(at, '>')) != NULL) {
        size_t length = (size_t)(end - at);
        length -= length > 0 && at[length - 1] == '-' ? 1 : 0; /* "a->b" */
        uint32_t relation = relation_by(ways, entity, (struct text){at, length});
        if (relation == GRAPH_NONE || column->relation_count == ADVISOR_HOPS_MAX) {
            return arena_format(ways->arena, "%s has no such foreign key",
                                ways->graph->entities[entity].name);
        }
        column->relations[column->relation_count++] = relation;
        entity = ways->graph->relations[relation].to;
        at = end + 1;
    }
    column->entity = entity;
    if (name->entity != GRAPH_NONE && name->entity != entity) {
        return arena_format(ways->arena, "that foreign key leads to %s",
                            ways->graph->entities[entity].name);
    }
    return NULL;
}

static struct text plain_name(const char *text)
{
    bool ignored;
    return last_part(advisor_name_trim(
        take_order(advisor_name_trim((struct text){text, strlen(text)}), &ignored)));
}

const char *advisor_name_find(const struct advisor_ways *ways, const struct advisor_name *name,
                              struct advisor_column *column)
{
    const char *why = name->why;
    *column = (struct advisor_column){
        .entity = name->entity, .field = name->field, .descending = name->descending};
    if (why == NULL && name->has_path) {
        why = follow_names(ways, name, column);
    } else if (why == NULL && name->entity != GRAPH_NONE) {
        why = follow_way(ways, name->entity, column);
    } else if (why == NULL) {
        column->entity = ways->root;
    }
    if (why != NULL || column->field != GRAPH_NONE) {
        return why;
    }
    struct text plain = plain_name(name->text);
    const struct graph_entity *entity = &ways->graph->entities[column->entity];
    column->field = graph_find_field(entity, plain.data, plain.length);
    return column->field != GRAPH_NONE
               ? NULL
               : arena_format(ways->arena, "%s has no such column", entity->name);
}

/* ---------------------------------------------------------------- types */

static const char *const words[VALUE_KIND_COUNT] = {
    [VALUE_MISSING] = "text",
    [VALUE_NULL] = "text",
    [VALUE_BOOL] = "boolean",
    [VALUE_INT64] = "integer",
    [VALUE_UINT64] = "integer",
    [VALUE_FLOAT32] = "float",
    [VALUE_FLOAT64] = "float",
    [VALUE_DECIMAL] = "decimal",
    [VALUE_TEXT] = "text",
    [VALUE_BYTES] = "bytes",
    [VALUE_DATE] = "date",
    [VALUE_TIME] = "time",
    [VALUE_TIMESTAMP] = "timestamp",
    [VALUE_INTERVAL] = "duration",
    [VALUE_UUID] = "uuid",
    [VALUE_JSON] = "json",
    [VALUE_LIST] = "list",
    [VALUE_SET] = "set",
    [VALUE_MAP] = "map",
    [VALUE_LARGE] = "bytes",
    [VALUE_ESCAPE] = "bytes",
};

const char *advisor_type_word(const struct graph_field *field)
{
    const struct value_type *type = &field->column->type;
    return type->moments ? "timestamp" : type->dates ? "date" : words[type->kind];
}

const char *advisor_key_fault(const struct graph_field *field, bool in_partition)
{
    switch (field->column->type.kind) {
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return "a document or collection is no key";
    case VALUE_INTERVAL:
        return "a duration is no key";
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return in_partition ? "a floating-point number is no partition key" : NULL;
    default:
        return NULL;
    }
}

/* The word for a key's type, as CQL, SQL and DynamoDB call it. */
static const char *word_of_type(const char *type)
{
    static const struct {
        const char *type;
        const char *word;
    } types[] = {
        {"int", "integer"},      {"integer", "integer"},     {"bigint", "integer"},
        {"smallint", "integer"}, {"tinyint", "integer"},     {"varint", "integer"},
        {"decimal", "decimal"},  {"numeric", "decimal"},     {"text", "text"},
        {"varchar", "text"},     {"ascii", "text"},          {"string", "text"},
        {"boolean", "boolean"},  {"bool", "boolean"},        {"date", "date"},
        {"time", "time"},        {"timestamp", "timestamp"}, {"datetime", "timestamp"},
        {"uuid", "uuid"},        {"timeuuid", "uuid"},       {"blob", "bytes"},
        {"float", "float"},      {"double", "float"},
    };
    size_t length = strcspn(type, " (");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i].type) == length && strncasecmp(types[i].type, type, length) == 0) {
            return types[i].word;
        }
    }
    return NULL;
}

bool advisor_type_differs(const struct graph_field *field, const char *type)
{
    const char *word = word_of_type(type);
    return word == NULL || strcmp(word, advisor_type_word(field)) != 0;
}
