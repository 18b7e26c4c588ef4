/* Prompts: the question, then the facts, the most important ones as far as there is room. */
#include "design/advisor/advisor_parts.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 200, COLUMNS_MAX = 150, SELECTED_MAX = 40, NOTE_BYTES = 200 };

static const char instruction[] =
    "You are a database architect who designs tables for Apache Cassandra from a relational schema "
    "and the queries on it. Use the tables and columns that are listed, and no others. You are "
    "given names and statistics only, never data; do not invent any.";

static const char tables_question[] =
    "Propose tables for Apache Cassandra that answer the queries below with as few requests as "
    "possible, and with few copies.\n"
    "\n"
    "Answer with JSON alone, without prose and without a code fence, of this form:\n"
    "{\"tables\": [{\"name\": \"orders_by_customer\", \"rows_of\": \"orders\", "
    "\"partition_key\": [\"orders.customer_id\"], "
    "\"clustering\": [{\"column\": \"orders.placed_at\", \"order\": \"DESC\"}], "
    "\"columns\": [\"orders.total\", \"customers.name\"], \"queries\": [\"Q1\"], "
    "\"reason\": \"one sentence\"}]}\n"
    "- rows_of is the table of which each row makes one row here.\n"
    "- Each column is written table.column, as they are listed below. It belongs to rows_of, or to "
    "a table that rows_of refers to by foreign keys, directly or over others. If several foreign "
    "keys lead there, the referring column comes first: manager_id>employees.name.\n"
    "- The partition key holds what a query compares with =; clustering columns hold ranges and "
    "the order; what else a row needs to be unique is added by the reader.\n"
    "- Add no buckets, counters or made-up columns; the reader adds buckets where a partition would "
    "grow too large.\n";

static const char strategy_question[] =
    "Write a strategy for moving this database to Apache Cassandra, as plain text with headings:\n"
    "1. Keys: partition key and clustering columns of each table, and why.\n"
    "2. Denormalisation: what to copy where, and how copies are kept equal.\n"
    "3. Query patterns: which table answers which query.\n"
    "4. CQL examples: CREATE TABLE statements, and a SELECT for each query with ? for values.\n"
    "Name what cannot be answered well, and the alternative.\n";

struct facts {
    const struct graph *graph;
    const struct workload *workload;
    struct arena *arena;
    bool *shown; /* by entity */
    struct advisor_prompts *prompts;
};

/* ---------------------------------------------------------------- words */

static bool is_plain(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$";
    return name[0] != '\0' && strspn(name, letters) == strlen(name);
}

void advisor_append_clean(struct buffer *out, const char *text, size_t bytes_max)
{
    size_t length = strlen(text);
    char *line = memory_copy_bytes(text, text_clip(text, length, bytes_max));
    text_clean_line(line);
    buffer_append_string(out, line);
    free(line);
}

static void append_name(const char *name, struct buffer *out)
{
    if (is_plain(name) && strlen(name) <= NAME_BYTES_MAX) {
        buffer_append_string(out, name);
        return;
    }
    buffer_append_byte(out, '"');
    advisor_append_clean(out, name, NAME_BYTES_MAX);
    buffer_append_byte(out, '"');
}

/* Three digits say all that an estimate knows. */
static void append_figure(double figure, struct buffer *out)
{
    double unit = 1;
    while (figure / unit >= 1000) {
        unit *= 10;
    }
    if (figure < 100) {
        buffer_format(out, "%.3g", figure);
    } else {
        buffer_format(out, "%.0f", (double)(int64_t)(figure / unit + 0.5) * unit);
    }
}

static void append_fields(const struct graph_entity *entity, struct graph_fields fields,
                          struct buffer *out)
{
    for (uint32_t i = 0; i < fields.count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        append_name(entity->fields[fields.at[i]].name, out);
    }
}

static void append_origin(enum graph_origin origin, double confidence, struct buffer *out)
{
    if (origin != GRAPH_DECLARED) {
        buffer_format(out, " (from %s, confidence %.2f)", graph_origin_name(origin), confidence);
    }
}

/* ---------------------------------------------------------------- entities */

static bool is_joined(const struct graph *graph, uint32_t entity, uint32_t field)
{
    if (graph_fields_hold(graph->entities[entity].key, field)) {
        return true;
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        if ((relation->from == entity && graph_fields_hold(relation->fields, field)) ||
            (relation->to == entity && graph_fields_hold(relation->referenced, field))) {
            return true;
        }
    }
    return false;
}

/* The columns of a table; if they are very many, all those of keys and the first of the others. */
static uint32_t append_columns(const struct graph *graph, uint32_t number, struct buffer *out)
{
    const struct graph_entity *entity = &graph->entities[number];
    uint32_t left_out = 0;
    for (uint32_t i = 0; i < entity->field_count; i++) {
        const struct graph_field *field = &entity->fields[i];
        if (i >= COLUMNS_MAX && !is_joined(graph, number, i)) {
            left_out++;
            continue;
        }
        buffer_append_string(out, "  ");
        append_name(field->name, out);
        buffer_format(out, ": %s, ", advisor_type_word(field));
        append_figure(field->bytes, out);
        buffer_append_string(out, " bytes, ");
        append_figure(field->distinct, out);
        buffer_append_string(out,
                             field->column->not_null ? " distinct\n" : " distinct, nullable\n");
    }
    if (left_out > 0) {
        buffer_format(out, "  and %u columns more that no key has\n", left_out);
    }
    return left_out;
}

static void append_relations(const struct graph *graph, uint32_t number, struct buffer *out)
{
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        if (relation->from != number) {
            continue;
        }
        buffer_append_string(out, "  foreign key ");
        append_fields(&graph->entities[number], relation->fields, out);
        buffer_append_string(out, " -> ");
        append_name(graph->entities[relation->to].name, out);
        buffer_append_string(out, "(");
        append_fields(&graph->entities[relation->to], relation->referenced, out);
        buffer_append_string(out, "): ");
        append_figure(relation->fan_out, out);
        buffer_append_string(out, " rows each, at most ");
        append_figure(relation->fan_out_max, out);
        append_origin(relation->origin, relation->confidence, out);
        buffer_append_byte(out, '\n');
    }
}

/* Returns how many columns are left out. */
static uint32_t append_entity(const struct graph *graph, uint32_t number, struct buffer *out)
{
    const struct graph_entity *entity = &graph->entities[number];
    buffer_append_string(out, "table ");
    append_name(entity->name, out);
    buffer_append_string(out, ": ");
    append_figure(entity->rows, out);
    buffer_append_string(out, entity->counted ? " rows of " : " rows (assumed) of ");
    append_figure(entity->row_bytes, out);
    buffer_append_string(out, " bytes\n  key ");
    append_fields(entity, entity->key, out);
    append_origin(entity->key_origin, entity->key_confidence, out);
    buffer_append_byte(out, '\n');
    append_relations(graph, number, out);
    return append_columns(graph, number, out);
}

/* ---------------------------------------------------------------- queries */

static void append_reference(const struct facts *facts, const struct workload_statement *statement,
                             struct workload_reference reference, struct buffer *out)
{
    uint32_t entity = statement->aliases[reference.alias].entity;
    if (statement->alias_count > 1) {
        buffer_format(out, "t%u.", reference.alias + 1);
    }
    append_name(facts->graph->entities[entity].fields[reference.field].name, out);
}

static void append_references(const struct facts *facts, const struct workload_statement *statement,
                              const struct workload_reference *list, uint32_t count,
                              const char *ending, struct buffer *out)
{
    for (uint32_t i = 0; i < count && i < SELECTED_MAX; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        append_reference(facts, statement, list[i], out);
        buffer_append_string(out, ending);
    }
    if (count > SELECTED_MAX) {
        buffer_format(out, " and %u more", count - SELECTED_MAX);
    }
}

static void append_from(const struct facts *facts, const struct workload_statement *statement,
                        struct buffer *out)
{
    for (uint32_t i = 0; i < statement->alias_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        append_name(facts->graph->entities[statement->aliases[i].entity].name, out);
        if (statement->alias_count > 1) {
            buffer_format(out, " t%u", i + 1);
        }
    }
}

/* Constants never: a parameter stands for each. */
static void append_predicate(const struct facts *facts, const struct workload_statement *statement,
                             const struct workload_predicate *predicate, struct buffer *out)
{
    static const char *const endings[] = {[WORKLOAD_EQUAL] = " = ?",
                                          [WORKLOAD_IN] = " IN (?)",
                                          [WORKLOAD_RANGE] = " BETWEEN ? AND ?",
                                          [WORKLOAD_FILTER] = ")"};
    buffer_append_string(out, predicate->test == WORKLOAD_FILTER ? "some_test(" : "");
    append_reference(facts, statement, predicate->field, out);
    buffer_append_string(out, endings[predicate->test]);
}

static void append_where(const struct facts *facts, const struct workload_statement *statement,
                         struct buffer *out)
{
    const char *word = " WHERE ";
    for (uint32_t i = 0; i < statement->join_count; i++) {
        const struct workload_join *join = &statement->joins[i];
        const struct graph_relation *relation = &facts->graph->relations[join->relation];
        for (uint32_t j = 0; j < relation->fields.count; j++) {
            buffer_append_string(out, word);
            append_reference(facts, statement,
                             (struct workload_reference){join->from, relation->fields.at[j]}, out);
            buffer_append_string(out, " = ");
            append_reference(facts, statement,
                             (struct workload_reference){join->to, relation->referenced.at[j]},
                             out);
            word = " AND ";
        }
    }
    for (uint32_t i = 0; i < statement->predicate_count; i++) {
        buffer_append_string(out, word);
        append_predicate(facts, statement, &statement->predicates[i], out);
        word = " AND ";
    }
}

static void append_select(const struct facts *facts, const struct workload_statement *statement,
                          struct buffer *out)
{
    uint32_t entity = statement->aliases[0].entity;
    bool all = statement->alias_count == 1 &&
               statement->field_count == facts->graph->entities[entity].field_count;
    buffer_format(out, "SELECT %s%s", statement->distinct ? "DISTINCT " : "",
                  statement->aggregates ? "aggregates of " : "");
    if (all || statement->field_count == 0) {
        buffer_append_string(out, "*");
    } else {
        append_references(facts, statement, statement->fields, statement->field_count, "", out);
    }
    buffer_append_string(out, " FROM ");
    append_from(facts, statement, out);
    append_where(facts, statement, out);
    if (statement->group_count > 0) {
        buffer_append_string(out, " GROUP BY ");
        append_references(facts, statement, statement->group, statement->group_count, "", out);
    }
    for (uint32_t i = 0; i < statement->order_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : " ORDER BY ");
        append_reference(facts, statement, statement->order[i].field, out);
        buffer_append_string(out, statement->order[i].descending ? " DESC" : "");
    }
    buffer_append_string(out, statement->limit > 0 ? " LIMIT ?" : "");
}

static void append_query(const struct facts *facts, uint32_t number, struct buffer *out)
{
    const struct workload_statement *statement = &facts->workload->statements[number];
    buffer_format(out, "Q%u, weight ", number + 1);
    append_figure(statement->weight, out);
    buffer_append_string(out, statement->assumed ? ", assumed: " : ": ");
    switch (statement->kind) {
    case WORKLOAD_SELECT:
        append_select(facts, statement, out);
        break;
    case WORKLOAD_INSERT:
        buffer_append_string(out, "INSERT INTO ");
        append_from(facts, statement, out);
        break;
    case WORKLOAD_UPDATE:
        buffer_append_string(out, "UPDATE ");
        append_from(facts, statement, out);
        buffer_append_string(out, " SET ");
        append_references(facts, statement, statement->fields, statement->field_count, " = ?", out);
        append_where(facts, statement, out);
        break;
    case WORKLOAD_DELETE:
        buffer_append_string(out, "DELETE FROM ");
        append_from(facts, statement, out);
        append_where(facts, statement, out);
        break;
    }
    buffer_append_byte(out, '\n');
}

/* ---------------------------------------------------------------- what matters most */

struct ranked {
    uint32_t number;
    double importance;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->importance != b->importance) {
        return a->importance > b->importance ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

/* By how often they are queried, then by how many others they are joined with. */
static struct ranked *rank_entities(const struct facts *facts)
{
    const struct graph *graph = facts->graph;
    struct ranked *list =
        arena_allocate_zeroed(facts->arena, graph->entity_count + 1u, sizeof(*list));
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        list[i].number = i;
    }
    for (uint32_t i = 0; i < facts->workload->count; i++) {
        const struct workload_statement *statement = &facts->workload->statements[i];
        for (uint32_t j = 0; j < statement->alias_count; j++) {
            list[statement->aliases[j].entity].importance += statement->weight;
        }
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        list[graph->relations[i].from].importance += 1e-6;
        list[graph->relations[i].to].importance += 1e-6;
    }
    qsort(list, graph->entity_count, sizeof(*list), compare_ranked);
    return list;
}

static void choose_entities(struct facts *facts, size_t room)
{
    const struct ranked *list = rank_entities(facts);
    struct buffer text = {0};
    for (uint32_t i = 0; i < facts->graph->entity_count; i++) {
        buffer_clear(&text);
        (void)append_entity(facts->graph, list[i].number, &text);
        if (text.length <= room) {
            room -= text.length;
            facts->shown[list[i].number] = true;
        }
    }
    buffer_free(&text);
}

static bool is_about_shown(const struct facts *facts, const struct workload_statement *statement)
{
    for (uint32_t i = 0; i < statement->alias_count; i++) {
        if (!facts->shown[statement->aliases[i].entity]) {
            return false;
        }
    }
    return statement->alias_count > 0 && statement->unserved == NULL;
}

static void choose_queries(struct facts *facts, size_t room, bool *chosen)
{
    uint32_t count = facts->workload->count;
    struct ranked *list = arena_allocate_zeroed(facts->arena, count + 1u, sizeof(*list));
    struct buffer text = {0};
    for (uint32_t i = 0; i < count; i++) {
        list[i] = (struct ranked){i, facts->workload->statements[i].weight};
    }
    qsort(list, count, sizeof(*list), compare_ranked);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_about_shown(facts, &facts->workload->statements[list[i].number])) {
            continue;
        }
        buffer_clear(&text);
        append_query(facts, list[i].number, &text);
        if (text.length <= room) {
            room -= text.length;
            chosen[list[i].number] = true;
        }
    }
    buffer_free(&text);
}

/* ---------------------------------------------------------------- prompts */

static void append_entities(struct facts *facts, struct buffer *out)
{
    struct advisor_prompts *prompts = facts->prompts;
    buffer_append_string(out, "\nSCHEMA\n");
    for (uint32_t i = 0; i < facts->graph->entity_count; i++) {
        if (facts->shown[i]) {
            prompts->columns_left_out += append_entity(facts->graph, i, out);
            prompts->entities++;
        }
    }
    prompts->entities_left_out = facts->graph->entity_count - prompts->entities;
    if (prompts->entities_left_out > 0) {
        buffer_format(out, "and %u tables more that are queried less\n",
                      prompts->entities_left_out);
    }
}

static void append_queries(struct facts *facts, size_t room, struct buffer *out)
{
    struct advisor_prompts *prompts = facts->prompts;
    bool *chosen =
        arena_allocate_zeroed(facts->arena, facts->workload->count + 1u, sizeof(*chosen));
    choose_queries(facts, room, chosen);
    buffer_append_string(out, "\nQUERIES\n");
    for (uint32_t i = 0; i < facts->workload->count; i++) {
        if (chosen[i]) {
            append_query(facts, i, out);
            prompts->queries++;
        }
    }
    prompts->queries_left_out = facts->workload->count - prompts->queries;
    if (prompts->queries_left_out > 0) {
        buffer_format(out, "and %u statements more\n", prompts->queries_left_out);
    }
}

void advisor_prompts_make(const struct graph *graph, const struct workload *workload,
                          size_t bytes_max, struct arena *arena, struct advisor_prompts *prompts)
{
    size_t least = ADVISOR_PROMPT_BYTES_MIN;
    size_t room = bytes_max == 0      ? (size_t)ADVISOR_PROMPT_BYTES_MAX
                  : bytes_max < least ? least
                                      : bytes_max;
    room -= sizeof(tables_question) + NOTE_BYTES; /* the longer of both */
    *prompts = (struct advisor_prompts){.instruction = instruction};
    struct facts facts = {.graph = graph,
                          .workload = workload,
                          .arena = arena,
                          .shown =
                              arena_allocate_zeroed(arena, graph->entity_count + 1u, sizeof(bool)),
                          .prompts = prompts};
    struct buffer text = {0};
    choose_entities(&facts, room / 3 * 2);
    append_entities(&facts, &text);
    append_queries(&facts, room - text.length, &text);
    const char *words = buffer_string(&text);
    prompts->tables = arena_format(arena, "%s%s", tables_question, words);
    prompts->strategy = arena_format(arena, "%s%s", strategy_question, words);
    buffer_free(&text);
}
