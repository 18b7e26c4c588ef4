/* Replies: found in the text, read, and checked against the graph. */
#include "design/advisor/advisor_parts.h"

#include "base/text.h"
#include <string.h>
#include <strings.h>

enum {
    SHOWN_BYTES = 160,
    TEXT_BYTES_MAX = 2000,
    DROPPED_MAX = 2000,
    QUERIES_MAX = 100,
    CANDIDATES_MAX = 64
};

enum part { PART_PARTITION, PART_CLUSTERING, PART_OTHER };

/* A column that a table is to have. */
struct wish {
    enum part part;
    struct advisor_name name;
    const char *type; /* what the model calls its type; NULL: it does not */
};

struct reading {
    struct advisor_reply *reply;
    struct arena *arena;
    struct advisor_ways ways;
    struct advisor_dropped *dropped; /* of DROPPED_MAX */
    const char *table;               /* the one in progress */
    struct wish *wishes;
    uint32_t wish_count;
    uint32_t *candidates; /* roots that are tried */
    uint32_t candidate_count;
};

/* ---------------------------------------------------------------- JSON in a text */

static json_t *advisor_reply_parse(const char *text, size_t length, size_t flags)
{
    json_error_t fault;
    json_t *root = json_loadb(text, length, flags, &fault);
    if (root != NULL && !json_is_object(root) && !json_is_array(root)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

/* The first text between fences that is JSON. */
static json_t *parse_fenced(const char *text, size_t length)
{
    static const char fence[] = "```";
    const char *end = text + length;
    const char *open = memmem(text, length, fence, 3);
    while (open != NULL) {
        const char *begin = memchr(open, '\n', (size_t)(end - open));
        if (begin == NULL) {
            return NULL;
        }
        const char *close = memmem(begin, (size_t)(end - begin), fence, 3);
        const char *stop = close != NULL ? close : end;
        json_t *root = advisor_reply_parse(begin, (size_t)(stop - begin), 0);
        if (root != NULL || close == NULL) {
            return root;
        }
        open = memmem(close + 3, (size_t)(end - close - 3), fence, 3);
    }
    return NULL;
}

/* In the middle of prose only what says that it holds tables. */
static json_t *parse_from_brace(const char *text, size_t length)
{
    const char *brace = memchr(text, '{', length);
    json_t *root = brace == NULL ? NULL
                                 : advisor_reply_parse(brace, length - (size_t)(brace - text),
                                                       JSON_DISABLE_EOF_CHECK);
    if (json_object_get(root, "tables") == NULL) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

static json_t *find_json(const char *text, size_t length)
{
    json_t *root = advisor_reply_parse(text, length, 0);
    root = root != NULL ? root : parse_fenced(text, length);
    return root != NULL ? root : parse_from_brace(text, length);
}

static enum status no_json(const char *text, size_t length, struct error *error)
{
    char shown[SHOWN_BYTES];
    size_t begin = 0;
    while (begin < length && strchr(" \t\r\n", text[begin]) != NULL) {
        begin++;
    }
    text_printable(text + begin, length - begin, shown, sizeof(shown));
    const char *what = shown[0] == '<' ? "HTML in place of JSON"
                       : shown[0] != '\0' && strchr("{[`", shown[0]) != NULL
                           ? "no whole JSON"
                           : "prose in place of JSON";
    error_set(error, ERROR_ADVISOR, "suggested tables", "the model answers with %s: \"%s\"", what,
              shown);
    return error_hint(error, "try again, or with another --advisor-model");
}

/* ---------------------------------------------------------------- members */

/* The first of these members that there is; names are separated by "|". */
static const json_t *member(const json_t *object, const char *names)
{
    for (;;) {
        size_t length = strcspn(names, "|");
        const json_t *value = json_object_getn(object, names, length);
        if (value != NULL && !json_is_null(value)) {
            return value;
        }
        if (names[length] == '\0') {
            return NULL;
        }
        names += length + 1;
    }
}

static const char *clean(struct reading *reading, const char *text, size_t bytes_max)
{
    struct buffer line = {0};
    advisor_append_clean(&line, text, bytes_max);
    const char *kept = arena_copy(reading->arena, line.data, line.length);
    buffer_free(&line);
    return kept;
}

static const char *text_member(struct reading *reading, const json_t *object, const char *names)
{
    const char *text = json_string_value(member(object, names));
    return text != NULL && text[0] != '\0' ? clean(reading, text, TEXT_BYTES_MAX) : NULL;
}

static void advisor_reply_drop(struct reading *reading, const char *what, const char *why)
{
    struct advisor_reply *reply = reading->reply;
    if (reply->dropped_count < DROPPED_MAX) {
        reading->dropped[reply->dropped_count++] =
            (struct advisor_dropped){reading->table, clean(reading, what, SHOWN_BYTES), why};
    }
}

/* ---------------------------------------------------------------- wishes */

/* "Table.column", {"column": "Table.column", "order": "DESC", "type": "int"} */
static void read_wish(struct reading *reading, const json_t *value, enum part part)
{
    const char *text = json_string_value(value);
    const char *order = NULL;
    struct wish *wish = &reading->wishes[reading->wish_count];
    *wish = (struct wish){.part = part};
    if (json_is_object(value)) {
        text = json_string_value(member(value, "column|name"));
        order = json_string_value(member(value, "order|direction"));
        wish->type = json_string_value(member(value, "type"));
    }
    if (text == NULL) {
        advisor_reply_drop(reading, "a column", "it is no text");
    } else if (reading->wish_count == ADVISOR_COLUMNS_MAX) {
        advisor_reply_drop(reading, text, "a table has too many columns");
    } else {
        advisor_name_read(reading->reply->graph, arena_copy_string(reading->arena, text),
                          reading->arena, &wish->name);
        wish->name.descending =
            wish->name.descending || (order != NULL && strncasecmp(order, "desc", 4) == 0);
        reading->wish_count++;
    }
}

static void read_wishes(struct reading *reading, const json_t *value, enum part part)
{
    size_t i;
    json_t *element;
    if (json_is_array(value)) {
        json_array_foreach(value, i, element)
        {
            read_wish(reading, element, part);
        }
    } else if (value != NULL) {
        read_wish(reading, value, part);
    }
}

/* ---------------------------------------------------------------- the root */

static void add_candidate(struct reading *reading, uint32_t entity)
{
    for (uint32_t i = 0; i < reading->candidate_count; i++) {
        if (reading->candidates[i] == entity) {
            return;
        }
    }
    if (entity != GRAPH_NONE && reading->candidate_count < CANDIDATES_MAX) {
        reading->candidates[reading->candidate_count++] = entity;
    }
}

/* How many of the wishes have a meaning as seen from `root`. */
static uint32_t count_reached(struct reading *reading, uint32_t root)
{
    uint32_t count = 0;
    advisor_ways_from(&reading->ways, root);
    for (uint32_t i = 0; i < reading->wish_count; i++) {
        const struct advisor_name *name = &reading->wishes[i].name;
        count += name->why == NULL && !name->has_path &&
                 (name->entity == GRAPH_NONE || reading->ways.hops[name->entity] != GRAPH_NONE);
    }
    return count;
}

static uint32_t best_candidate(struct reading *reading, uint32_t begin, uint32_t *reached)
{
    uint32_t best = GRAPH_NONE;
    for (uint32_t i = begin; i < reading->candidate_count; i++) {
        uint32_t count = count_reached(reading, reading->candidates[i]);
        if (best == GRAPH_NONE || count > *reached) {
            best = reading->candidates[i];
            *reached = count;
        }
    }
    return best;
}

static uint32_t count_wanted(const struct reading *reading)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < reading->wish_count; i++) {
        count += reading->wishes[i].name.why == NULL && !reading->wishes[i].name.has_path;
    }
    return count;
}

/* The entity whose rows the table has: the one that the model says, unless another one that it
 * names, or that joins those, reaches more of the columns. */
static uint32_t find_root(struct reading *reading, uint32_t said)
{
    const struct graph *graph = reading->reply->graph;
    uint32_t reached = 0;
    reading->candidate_count = 0;
    add_candidate(reading, said);
    for (uint32_t i = 0; i < reading->wish_count; i++) {
        add_candidate(reading, reading->wishes[i].name.entity);
    }
    uint32_t named = reading->candidate_count;
    uint32_t best = best_candidate(reading, 0, &reached);
    if (best == GRAPH_NONE || reached == count_wanted(reading)) {
        return best;
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        for (uint32_t j = 0; j < named; j++) {
            if (graph->relations[i].to == reading->candidates[j]) {
                add_candidate(reading, graph->relations[i].from);
            }
        }
    }
    uint32_t others = reached;
    uint32_t other = best_candidate(reading, named, &others);
    return other != GRAPH_NONE && others > reached ? other : best;
}

static uint32_t read_root(struct reading *reading, const json_t *object)
{
    const struct graph *graph = reading->reply->graph;
    const char *text = json_string_value(member(object, "rows_of|root"));
    uint32_t said = text != NULL ? graph_find_entity(graph, text, strlen(text)) : GRAPH_NONE;
    uint32_t root = find_root(reading, said);
    if (text != NULL && said == GRAPH_NONE) {
        advisor_reply_drop(reading, arena_format(reading->arena, "rows_of %s", text),
                           "the schema has no such table");
    } else if (said != GRAPH_NONE && said != root) {
        advisor_reply_drop(reading, arena_format(reading->arena, "rows_of %s", text),
                           arena_format(reading->arena,
                                        "with these columns it has a row for each of %s",
                                        graph->entities[root].name));
    }
    return root;
}

/* ---------------------------------------------------------------- a table */

static bool is_same_column(const struct advisor_column *left, const struct advisor_column *right)
{
    return left->entity == right->entity && left->field == right->field &&
           left->relation_count == right->relation_count &&
           memcmp(left->relations, right->relations,
                  left->relation_count * sizeof(left->relations[0])) == 0;
}

static bool is_there(const struct advisor_column *list, uint32_t count,
                     const struct advisor_column *column)
{
    for (uint32_t i = 0; i < count; i++) {
        if (is_same_column(&list[i], column)) {
            return true;
        }
    }
    return false;
}

/* The column of a wish. False: it is dropped. */
static bool grant(struct reading *reading, const struct wish *wish, struct advisor_column *column)
{
    const struct graph *graph = reading->reply->graph;
    const char *why = advisor_name_find(&reading->ways, &wish->name, column);
    if (why == NULL) {
        const struct graph_field *field = &graph->entities[column->entity].fields[column->field];
        why = wish->part != PART_OTHER ? advisor_key_fault(field, wish->part == PART_PARTITION)
                                       : NULL;
        if (why == NULL && wish->part != PART_OTHER && wish->type != NULL &&
            advisor_type_differs(field, wish->type)) {
            advisor_reply_drop(
                reading, arena_format(reading->arena, "type %s of %s", wish->type, wish->name.text),
                arena_format(reading->arena, "it is %s", advisor_type_word(field)));
        }
    }
    if (why != NULL) {
        advisor_reply_drop(reading, wish->name.text, why);
    }
    return why == NULL;
}

static void grant_wishes(struct reading *reading, struct advisor_table *table)
{
    struct advisor_columns *parts[] = {&table->partition, &table->clustering, &table->others};
    struct advisor_column *list =
        arena_allocate_zeroed(reading->arena, reading->wish_count + 1u, sizeof(*list));
    uint32_t count = 0;
    for (enum part part = PART_PARTITION; part <= PART_OTHER; part++) {
        uint32_t begin = count;
        for (uint32_t i = 0; i < reading->wish_count; i++) {
            struct advisor_column *column = &list[count];
            if (reading->wishes[i].part == part && grant(reading, &reading->wishes[i], column) &&
                !is_there(list, count, column)) {
                count++;
            }
        }
        *parts[part] = (struct advisor_columns){list + begin, count - begin};
    }
}

static void read_queries(struct reading *reading, const json_t *value, struct advisor_table *table)
{
    size_t i;
    json_t *element;
    const char **list = arena_allocate_zeroed(reading->arena, QUERIES_MAX, sizeof(*list));
    json_array_foreach(value, i, element)
    {
        if (json_is_string(element) && table->query_count < QUERIES_MAX) {
            list[table->query_count++] = clean(reading, json_string_value(element), SHOWN_BYTES);
        }
    }
    table->queries = list;
}

static void read_table(struct reading *reading, const json_t *object)
{
    struct advisor_table table = {.family = GRAPH_NONE};
    reading->table = text_member(reading, object, "name|table_name|table");
    reading->table = reading->table != NULL ? reading->table : "(a table without a name)";
    reading->wish_count = 0;
    read_wishes(reading, member(object, "partition_key|partition_keys"), PART_PARTITION);
    read_wishes(reading, member(object, "clustering|clustering_key|clustering_columns"),
                PART_CLUSTERING);
    read_wishes(reading, member(object, "columns"), PART_OTHER);
    table.name = reading->table;
    table.root = read_root(reading, object);
    if (table.root == GRAPH_NONE) {
        advisor_reply_drop(reading, "the table", "nothing in it is of the schema");
        return;
    }
    advisor_ways_from(&reading->ways, table.root);
    grant_wishes(reading, &table);
    if (table.partition.count == 0) {
        advisor_reply_drop(reading, "the table", "it has no usable partition key");
        return;
    }
    table.reason = text_member(reading, object, "reason");
    read_queries(reading, member(object, "queries"), &table);
    reading->reply->tables[reading->reply->table_count++] = table;
}

/* ---------------------------------------------------------------- a reply */

static void read_tables(struct reading *reading, const json_t *list)
{
    size_t i;
    json_t *element;
    json_array_foreach(list, i, element)
    {
        if (i >= ADVISOR_TABLES_MAX) {
            reading->table = "(others)";
            advisor_reply_drop(reading, "the tables after them", "there are too many");
            break;
        }
        read_table(reading, element);
    }
}

enum status advisor_reply_read(const char *text, size_t length, const struct graph *graph,
                               struct arena *arena, struct advisor_reply *reply,
                               struct error *error)
{
    json_t *root = find_json(text, length);
    const json_t *list = json_is_array(root) ? root : member(root, "tables");
    *reply = (struct advisor_reply){.arena = arena, .graph = graph};
    if (root == NULL) {
        return no_json(text, length, error);
    }
    if (!json_is_array(list)) {
        json_decref(root);
        error_set(error, ERROR_ADVISOR, "suggested tables",
                  "the model's JSON has no list \"tables\"");
        return error_hint(error, "try again, or with another --advisor-model");
    }
    struct reading reading = {.reply = reply, .arena = arena};
    size_t count = json_array_size(list);
    count = count < ADVISOR_TABLES_MAX ? count : ADVISOR_TABLES_MAX;
    advisor_ways_init(&reading.ways, graph, arena);
    reply->tables = arena_allocate_zeroed(arena, count + 1, sizeof(*reply->tables));
    reading.dropped = arena_allocate_zeroed(arena, DROPPED_MAX, sizeof(*reading.dropped));
    reading.wishes = arena_allocate_zeroed(arena, ADVISOR_COLUMNS_MAX + 1, sizeof(*reading.wishes));
    reading.candidates = arena_allocate_zeroed(arena, CANDIDATES_MAX, sizeof(*reading.candidates));
    reply->dropped = reading.dropped;
    read_tables(&reading, list);
    json_decref(root);
    return STATUS_OK;
}

void advisor_append_column(const struct advisor_reply *reply, const struct advisor_column *column,
                           struct buffer *out)
{
    const struct graph *graph = reply->graph;
    for (uint32_t i = 0; i < column->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[column->relations[i]];
        const struct graph_entity *from = &graph->entities[relation->from];
        buffer_format(out, "%s>", from->fields[relation->fields.at[0]].name);
    }
    buffer_format(out, "%s.%s", graph->entities[column->entity].name,
                  graph->entities[column->entity].fields[column->field].name);
}
