/* Which tables are kept for joins, with which columns and keys, and how each request reads them. */
#include "engine/join/joining_parts.h"

#include <string.h>

/* ---- tables, columns, keys: found, or added */

static struct joining_table *table_of(struct joining *joining, const char *name)
{
    for (uint32_t i = 0; i < joining->table_count; i++) {
        if (strcmp(joining->tables[i]->name, name) == 0) {
            return joining->tables[i];
        }
    }
    struct joining_table *table = arena_allocate_zeroed(joining->arena, 1, sizeof *table);
    joining->tables = arena_make_room(joining->arena, joining->tables, joining->table_count,
                                      &joining->table_capacity, sizeof(struct joining_table *));
    table->name = name;
    table->number = joining->table_count;
    table->schema = schema_find_table(joining->options.schema, name);
    joining->tables[joining->table_count++] = table;
    return table;
}

static void column_of(struct joining *joining, struct joining_table *table, const char *name,
                      uint32_t *number)
{
    for (*number = 0; *number < table->column_count; ++*number) {
        if (strcmp(table->columns[*number], name) == 0) {
            return;
        }
    }
    table->columns = arena_make_room(joining->arena, (void *)table->columns, table->column_count,
                                     &table->column_capacity, sizeof(char *));
    table->columns[table->column_count++] = name;
}

static struct joining_key *key_of(struct joining *joining, struct joining_table *table,
                                  struct column_list columns, bool is_order, uint32_t *number)
{
    for (*number = 0; *number < table->key_count; ++*number) {
        struct joining_key *key = &table->keys[*number];
        if (key->is_order == is_order && column_list_is_equal(key->columns, columns)) {
            return key;
        }
    }
    table->keys = arena_make_room(joining->arena, table->keys, table->key_count,
                                  &table->key_capacity, sizeof *table->keys);
    struct joining_key *key = &table->keys[table->key_count++];
    key->columns = columns;
    key->is_order = is_order;
    return key;
}

/* ---- one request */

static uint32_t root_position(const struct read_request *root, const char *name)
{
    for (uint32_t i = 0; i < root->column_count; i++) {
        const struct read_column *column = &root->columns[i];
        if (column->join < 0 && !column->presence && strcmp(column->name, name) == 0) {
            return i;
        }
    }
    return 0; /* a document is the first cell */
}

static void plan_root_parts(struct joining *joining, const struct joining_request *what,
                            uint32_t index)
{
    struct column_list columns = what->request->joins[index].from_columns;
    uint32_t *parts =
        arena_allocate_zeroed(joining->arena, columns.count + (size_t)1, sizeof *parts);
    for (uint32_t i = 0; i < columns.count; i++) {
        parts[i] = root_position(what->root, columns.names[i]);
    }
    what->steps[index].root_parts = parts;
}

static void plan_step(struct joining *joining, struct joining_request *what, uint32_t index)
{
    const struct read_join *join = &what->request->joins[index];
    struct joining_step *step = &what->steps[index];
    struct joining_table *table = table_of(joining, join->table);
    struct joining_key *key = key_of(joining, table, join->columns, false, &step->key);
    key->is_searched = true;
    key->one_partner = key->one_partner || !join->many;
    step->table = table->number;
    if (join->from < 0) {
        step->parameter = ++what->parameter_count;
        plan_root_parts(joining, what, index);
    } else {
        key_of(joining, joining->tables[what->steps[join->from].table], join->from_columns, false,
               &step->from_key);
    }
}

static void plan_columns(struct joining *joining, struct joining_request *what)
{
    const struct read_request *request = what->request;
    for (uint32_t i = 0; i < request->column_count; i++) {
        const struct read_column *column = &request->columns[i];
        if (column->join < 0) {
            what->positions[i] = root_position(what->root, column->name);
            continue;
        }
        struct joining_step *step = &what->steps[column->join];
        if (column->presence) {
            continue;
        }
        step->needs_cells = true;
        column_of(joining, joining->tables[step->table], column->name, &what->positions[i]);
    }
    for (uint32_t i = 0; i < request->order_count; i++) {
        const char **name = arena_allocate(joining->arena, sizeof(char *));
        *name = request->orders[i].name;
        struct column_list columns = {name, 1};
        key_of(joining, joining->tables[what->steps[request->orders[i].join].table], columns, true,
               &what->order_keys[i]);
    }
}

/* ---- its statement */

static void append_from(struct buffer *sql, const struct joining_request *what, uint32_t index)
{
    const struct joining_step *step = &what->steps[index];
    int32_t from = what->request->joins[index].from;
    if (from < 0) {
        buffer_format(sql, "?%u", step->parameter);
    } else {
        buffer_format(sql, "_%d.k%u", (int)from, step->from_key);
    }
}

static void append_join(struct buffer *sql, const struct joining_request *what, uint32_t index)
{
    const struct joining_step *step = &what->steps[index];
    if (!what->request->joins[index].many) {
        buffer_format(sql, "%s LEFT JOIN t%u AS _%u ON _%u.seq = (SELECT seq FROM t%u WHERE k%u = ",
                      index == 0 ? " FROM (SELECT 1)" : "", step->table, index, index, step->table,
                      step->key);
        append_from(sql, what, index);
        buffer_append_string(sql, " ORDER BY r, seq LIMIT 1)");
    } else if (index == 0) {
        buffer_format(sql, " FROM t%u AS _0", step->table);
    } else {
        buffer_format(sql, " CROSS JOIN t%u AS _%u ON _%u.k%u = ", step->table, index, index,
                      step->key);
        append_from(sql, what, index);
    }
}

static void append_order(struct buffer *sql, const struct joining_request *what)
{
    const struct read_request *request = what->request;
    const char *separator = " ORDER BY ";
    for (uint32_t i = 0; i < request->order_count; i++) {
        buffer_format(sql, "%s_%d.k%u%s", separator, (int)request->orders[i].join,
                      what->order_keys[i], request->orders[i].descending ? " DESC" : "");
        separator = ", ";
    }
    for (uint32_t i = 0; i < request->join_count; i++) {
        if (request->joins[i].many) {
            buffer_format(sql, "%s_%u.r, _%u.seq", separator, i, i);
            separator = ", ";
        }
    }
}

/* Two result columns a join: its cells, and whether it found a row. */
static void make_sql(struct joining *joining, struct joining_request *what)
{
    const struct read_request *request = what->request;
    struct buffer sql = {0};
    for (uint32_t i = 0; i < request->join_count; i++) {
        buffer_append_string(&sql, i == 0 ? "SELECT " : ", ");
        if (what->steps[i].needs_cells) {
            buffer_format(&sql, "_%u.p, _%u.seq", i, i);
        } else {
            buffer_format(&sql, "NULL, _%u.seq", i);
        }
    }
    for (uint32_t i = 0; i < request->join_count; i++) {
        append_join(&sql, what, i);
    }
    if (request->joins[0].many) {
        buffer_format(&sql, " WHERE _0.k%u = ?%u", what->steps[0].key, what->steps[0].parameter);
    }
    append_order(&sql, what);
    what->sql = arena_copy(joining->arena, sql.data, sql.length);
    buffer_free(&sql);
}

static void plan_request(struct joining *joining, const struct read_request *request,
                         const struct read_request *root)
{
    struct joining_request *what = &joining->requests[joining->request_count++];
    struct arena *arena = joining->arena;
    what->request = request;
    what->root = root;
    what->steps =
        arena_allocate_zeroed(arena, request->join_count + (size_t)1, sizeof *what->steps);
    what->positions =
        arena_allocate_zeroed(arena, request->column_count + (size_t)1, sizeof *what->positions);
    what->order_keys =
        arena_allocate_zeroed(arena, request->order_count + (size_t)1, sizeof *what->order_keys);
    for (uint32_t i = 0; i < request->join_count; i++) {
        plan_step(joining, what, i);
    }
    plan_columns(joining, what);
    make_sql(joining, what);
}

void joining_plan(struct joining *joining)
{
    const struct plan *plan = joining->options.plan;
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        count += plan->streams[i].child_count + (plan->streams[i].joined != NULL);
    }
    joining->requests =
        arena_allocate_zeroed(joining->arena, count + (size_t)1, sizeof *joining->requests);
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const struct plan_stream *stream = &plan->streams[i];
        const struct read_request *parent =
            stream->joined != NULL ? stream->joined : &stream->request;
        if (stream->joined != NULL) {
            plan_request(joining, stream->joined, &stream->request);
        }
        for (uint32_t j = 0; j < stream->child_count; j++) {
            plan_request(joining, &stream->children[j].request, parent);
        }
    }
}
