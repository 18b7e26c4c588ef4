/* Tables and rows in SQLite. */
#include "design/generate/generate.h"

#include "base/buffer.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

struct generating {
    const struct graph *graph;
    const char *path;
    sqlite3 *file;
    struct arena *arena;
    uint32_t drawn; /* the state of what is drawn */
    bool *made;     /* by entity */
    struct buffer sql;
};

static uint32_t generate_draw(struct generating *generating, uint32_t below)
{
    uint32_t drawn = generating->drawn;
    drawn ^= drawn << 13;
    drawn ^= drawn >> 17;
    drawn ^= drawn << 5;
    generating->drawn = drawn;
    return drawn % below;
}

static enum status generate_fail(const struct generating *generating, struct error *error)
{
    return error_set(error, ERROR_STATE_WRITE, generating->path, "%s",
                     generating->file != NULL ? sqlite3_errmsg(generating->file) : "no memory");
}

static enum status generate_run(struct generating *generating, struct error *error)
{
    int result = sqlite3_exec(generating->file, buffer_string(&generating->sql), NULL, NULL, NULL);
    buffer_clear(&generating->sql);
    return result == SQLITE_OK ? STATUS_OK : generate_fail(generating, error);
}

static void append_name(const char *name, struct buffer *out)
{
    buffer_append_byte(out, '"');
    for (const char *at = name; *at != '\0'; at++) {
        buffer_append_string(out, *at == '"' ? "\"" : "");
        buffer_append_byte(out, *at);
    }
    buffer_append_byte(out, '"');
}

static void append_fields(const struct graph_entity *entity, struct graph_fields fields,
                          struct buffer *out)
{
    for (uint32_t i = 0; i < fields.count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "(");
        append_name(entity->fields[fields.at[i]].name, out);
    }
    buffer_append_byte(out, ')');
}

/* ---------------------------------------------------------------- tables */

static const char *type_of(enum value_kind kind)
{
    switch (kind) {
    case VALUE_BOOL:
        return "BOOLEAN";
    case VALUE_INT64:
    case VALUE_UINT64:
        return "INTEGER";
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return "REAL";
    case VALUE_DECIMAL:
        return "NUMERIC";
    case VALUE_BYTES:
        return "BLOB";
    case VALUE_DATE:
        return "DATE";
    case VALUE_TIMESTAMP:
        return "TIMESTAMP";
    default:
        return "TEXT";
    }
}

static void append_unique(const struct schema_table *table, struct buffer *out)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        bool is_plain = index->unique && !index->partial && index->columns.count > 0 &&
                        !column_list_holds(index->columns, "");
        for (uint32_t j = 0; is_plain && j < index->columns.count; j++) {
            buffer_append_string(out, j > 0 ? ", " : ", UNIQUE (");
            append_name(index->columns.names[j], out);
        }
        buffer_append_string(out, is_plain ? ")" : "");
    }
}

static enum status make_table(struct generating *generating, uint32_t number, struct error *error)
{
    const struct graph_entity *entity = &generating->graph->entities[number];
    struct buffer *sql = &generating->sql;
    buffer_append_string(sql, "CREATE TABLE ");
    append_name(entity->name, sql);
    for (uint32_t i = 0; i < entity->field_count; i++) {
        const struct graph_field *field = &entity->fields[i];
        bool is_set = field->column->not_null || graph_fields_hold(entity->key, i);
        buffer_append_string(sql, i > 0 ? ", " : " (");
        append_name(field->name, sql);
        buffer_format(sql, " %s%s", type_of((enum value_kind)field->type.kind),
                      is_set ? " NOT NULL" : "");
    }
    buffer_append_string(sql, ", PRIMARY KEY ");
    append_fields(entity, entity->key, sql);
    append_unique(entity->table, sql);
    for (uint32_t i = 0; i < generating->graph->relation_count; i++) {
        const struct graph_relation *relation = &generating->graph->relations[i];
        const struct graph_entity *to = &generating->graph->entities[relation->to];
        if (relation->from == number && relation->origin == GRAPH_DECLARED) {
            buffer_append_string(sql, ", FOREIGN KEY ");
            append_fields(entity, relation->fields, sql);
            buffer_append_string(sql, " REFERENCES ");
            append_name(to->name, sql);
            append_fields(to, relation->referenced, sql);
        }
    }
    buffer_append_byte(sql, ')');
    return generate_run(generating, error);
}

/* ---------------------------------------------------------------- values */

/* A literal; `number` is all that two values of one column differ in. */
static const char *literal(struct generating *generating, const struct graph_field *field,
                           uint32_t number)
{
    struct arena *arena = generating->arena;
    switch (field->type.kind) {
    case VALUE_BOOL:
        return arena_format(arena, "%u", number % 2);
    case VALUE_INT64:
    case VALUE_UINT64:
        return arena_format(arena, "%u", number + 1);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        return arena_format(arena, "%u.5", number + 1);
    case VALUE_BYTES:
        return arena_format(arena, "X'%08x'", number);
    case VALUE_DATE:
        return arena_format(arena, "'%04u-%02u-%02u'", 2000 + number / 336, number / 28 % 12 + 1,
                            number % 28 + 1);
    case VALUE_TIME:
        return arena_format(arena, "'%02u:%02u:00'", number / 60 % 24, number % 60);
    case VALUE_TIMESTAMP:
        return arena_format(arena, "'2024-%02u-%02uT%02u:%02u:00'", number / 28 % 12 + 1,
                            number % 28 + 1, number / 336 % 24, number % 60);
    case VALUE_UUID:
        return arena_format(arena, "'%08x-0000-4000-8000-000000000000'", number);
    case VALUE_JSON:
    case VALUE_MAP:
        return arena_format(arena, "'{\"n\":%u}'", number);
    case VALUE_LIST:
    case VALUE_SET:
        return arena_format(arena, "'[%u]'", number);
    default:
        return arena_format(arena, "'v%u'", number);
    }
}

static bool is_alone_unique(const struct graph_entity *entity, uint32_t field)
{
    bool is_unique = entity->key.count == 1 && entity->key.at[0] == field;
    for (uint32_t i = 0; i < entity->table->index_count; i++) {
        const struct schema_index *index = &entity->table->indexes[i];
        is_unique = is_unique || (index->unique && index->columns.count == 1 &&
                                  strcmp(index->columns.names[0], entity->fields[field].name) == 0);
    }
    return is_unique;
}

static void choose_values(struct generating *generating, const struct graph_entity *entity,
                          uint32_t row, const char **values)
{
    enum { VALUES = 8, NULLS = 10 };
    for (uint32_t i = 0; i < entity->field_count; i++) {
        const struct graph_field *field = &entity->fields[i];
        bool is_set = field->column->not_null || graph_fields_hold(entity->key, i);
        if (values[i] != NULL) {
            continue;
        }
        if (is_alone_unique(entity, i)) {
            values[i] = literal(generating, field, row);
        } else if (!is_set && generate_draw(generating, NULLS) == 0) {
            values[i] = "NULL";
        } else {
            uint32_t below = graph_fields_hold(entity->key, i) ? GENERATE_ROWS : VALUES;
            values[i] = literal(generating, field, generate_draw(generating, below));
        }
    }
}

/* ---------------------------------------------------------------- foreign keys */

/* A row that is there and agrees with what is chosen already. */
static void append_search(struct generating *generating, const struct graph_relation *relation,
                          const char *const *values)
{
    const struct graph_entity *to = &generating->graph->entities[relation->to];
    struct buffer *sql = &generating->sql;
    bool any = false;
    for (uint32_t i = 0; i < relation->referenced.count; i++) {
        buffer_append_string(sql, i > 0 ? ", quote(" : "SELECT quote(");
        append_name(to->fields[relation->referenced.at[i]].name, sql);
        buffer_append_byte(sql, ')');
    }
    buffer_append_string(sql, " FROM ");
    append_name(to->name, sql);
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        const char *value = values[relation->fields.at[i]];
        buffer_append_string(sql, any ? " AND " : " WHERE ");
        append_name(to->fields[relation->referenced.at[i]].name, sql);
        buffer_format(sql, value != NULL ? " = %s" : " IS NOT NULL", value);
        any = true;
    }
    buffer_format(sql, " ORDER BY (rowid * 7919 + %u) %% 1009 LIMIT 1",
                  generate_draw(generating, 1009));
}

static enum status choose_parent(struct generating *generating,
                                 const struct graph_relation *relation, const char **values,
                                 struct error *error)
{
    enum { NULLS = 10 };
    sqlite3_stmt *statement = NULL;
    bool is_null = relation->optional && generate_draw(generating, NULLS) == 0;
    append_search(generating, relation, values);
    int result =
        sqlite3_prepare_v2(generating->file, buffer_string(&generating->sql), -1, &statement, NULL);
    buffer_clear(&generating->sql);
    bool found = result == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW;
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        const char **value = &values[relation->fields.at[i]];
        if (found && !is_null) {
            *value = arena_copy_string(generating->arena,
                                       (const char *)sqlite3_column_text(statement, (int)i));
        } else if (relation->optional && *value == NULL) {
            *value = "NULL";
        }
    }
    sqlite3_finalize(statement);
    return result == SQLITE_OK ? STATUS_OK : generate_fail(generating, error);
}

/* ---------------------------------------------------------------- rows */

static enum status make_row(struct generating *generating, uint32_t number, uint32_t row,
                            struct error *error)
{
    const struct graph *graph = generating->graph;
    const struct graph_entity *entity = &graph->entities[number];
    const char **values =
        arena_allocate_zeroed(generating->arena, entity->field_count + 1u, sizeof(*values));
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        if (graph->relations[i].from == number && generating->made[graph->relations[i].to] &&
            choose_parent(generating, &graph->relations[i], values, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    choose_values(generating, entity, row, values);
    buffer_append_string(&generating->sql, "INSERT OR IGNORE INTO ");
    append_name(entity->name, &generating->sql);
    for (uint32_t i = 0; i < entity->field_count; i++) {
        buffer_format(&generating->sql, "%s%s", i > 0 ? ", " : " VALUES (", values[i]);
    }
    buffer_append_byte(&generating->sql, ')');
    return generate_run(generating, error);
}

static enum status make_rows(struct generating *generating, uint32_t number, struct error *error)
{
    bool is_child = false;
    for (uint32_t i = 0; i < generating->graph->relation_count; i++) {
        is_child = is_child || generating->graph->relations[i].from == number;
    }
    uint32_t rows = is_child ? GENERATE_ROWS_OF_CHILDREN : GENERATE_ROWS;
    enum status status = STATUS_OK;
    generating->made[number] = true; /* a row may refer to those before it */
    for (uint32_t i = 0; i < rows && status == STATUS_OK; i++) {
        status = make_row(generating, number, i, error);
    }
    return status;
}

/* The first whose parents are all made; where there is a circle, the first. */
static uint32_t next_entity(const struct generating *generating)
{
    const struct graph *graph = generating->graph;
    uint32_t first = GRAPH_NONE;
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        bool waits = false;
        for (uint32_t j = 0; j < graph->relation_count; j++) {
            const struct graph_relation *relation = &graph->relations[j];
            waits = waits ||
                    (relation->from == i && relation->to != i && !generating->made[relation->to]);
        }
        if (!generating->made[i] && !waits) {
            return i;
        }
        first = generating->made[i] || first != GRAPH_NONE ? first : i;
    }
    return first;
}

static enum status make_all(struct generating *generating, struct error *error)
{
    enum status status = STATUS_OK;
    buffer_append_string(&generating->sql, "BEGIN");
    status = generate_run(generating, error);
    for (uint32_t i = 0; i < generating->graph->entity_count && status == STATUS_OK; i++) {
        status = make_table(generating, i, error);
    }
    for (uint32_t i = 0; i < generating->graph->entity_count && status == STATUS_OK; i++) {
        status = make_rows(generating, next_entity(generating), error);
    }
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&generating->sql, "COMMIT");
    return generate_run(generating, error);
}

enum status generate_source(const struct graph *graph, const char *path, struct error *error)
{
    struct generating generating = {
        .graph = graph, .path = path, .drawn = 2463534242u, .arena = arena_create(0)};
    generating.made =
        arena_allocate_zeroed(generating.arena, graph->entity_count + 1u, sizeof(bool));
    (void)remove(path);
    enum status status = sqlite3_open(path, &generating.file) == SQLITE_OK
                             ? make_all(&generating, error)
                             : generate_fail(&generating, error);
    sqlite3_close(generating.file);
    buffer_free(&generating.sql);
    arena_destroy(generating.arena);
    return status;
}
