#include "connectors/cassandra/properties.h"

#include "connectors/cassandra/protocol/cql_value.h"
#include "connectors/cassandra/system_rows.h"
#include "model/convert.h"
#include <string.h>

/* ---------------------------------------------------------------- reading */

/* Columns that tell which table it is, only the server sets, or no server of today heeds. */
static bool is_other(const char *name)
{
    static const char *const others[] = {"keyspace_name",
                                         "table_name",
                                         "id",
                                         "flags",
                                         "extensions",
                                         "read_repair_chance",
                                         "dclocal_read_repair_chance"};
    bool other = false;
    for (size_t at = 0; at < sizeof(others) / sizeof(*others); at++) {
        other |= strcmp(others[at], name) == 0;
    }
    return other;
}

static bool can_be_said(const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_TEXT:
    case VALUE_INT64:
    case VALUE_FLOAT64:
    case VALUE_BOOL:
    case VALUE_MAP:
        return true;
    default:
        return false;
    }
}

/* SELECT * since each version has columns of its own. */
static enum status read_all(struct cassandra *self, const char *select, struct arena *arena,
                            struct cql_rows *rows, struct error *error)
{
    struct buffer values = {0};
    struct cql_reply reply = {0};
    cql_write_value(&values, self->keyspace, (int32_t)strlen(self->keyspace));
    enum status status =
        cassandra_run_prepared(self, select, &values, 1, CQL_ONE, true, arena, &reply, error);
    if (status == STATUS_OK &&
        (reply.response.opcode != CQL_RESULT || reply.response.kind != CQL_RESULT_ROWS)) {
        status = error_set(error, ERROR_NETWORK_ANSWER, "system_schema",
                           "a SELECT was answered with something else");
    }
    *rows = reply.response.rows;
    buffer_free(&values);
    return status;
}

static const char *name_of(const struct cql_column *column, struct arena *arena)
{
    return arena_copy(arena, column->name.data, column->name.length);
}

static struct cassandra_properties
properties_of(const struct cql_rows *rows, const struct cql_value *values, struct arena *arena)
{
    struct cassandra_properties made = {.table = ""};
    struct schema_property *list =
        arena_allocate_zeroed(arena, rows->columns.count + 1, sizeof(*list));
    for (size_t at = 0; at < rows->columns.count; at++) {
        const struct cql_column *column = &rows->columns.list[at];
        struct schema_property property = {.name = name_of(column, arena)};
        struct error ignored;
        if (strcmp(property.name, "table_name") == 0) {
            struct text name = system_text(values[at]);
            made.table = arena_copy(arena, name.data, name.length);
        }
        if (!is_other(property.name) &&
            cql_value_decode(column->type, values[at], arena, &property.value, &ignored) ==
                STATUS_OK &&
            can_be_said(&property.value)) {
            list[made.count++] = property;
        }
    }
    made.list = list;
    return made;
}

enum status cassandra_properties_read(struct cassandra *self, struct arena *arena,
                                      struct cassandra_properties **all, uint32_t *count,
                                      struct error *error)
{
    static const char select[] = "SELECT * FROM system_schema.tables WHERE keyspace_name = ?";
    struct cql_rows rows;
    *count = 0;
    if (read_all(self, select, arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cql_value *values =
        arena_allocate_zeroed(arena, rows.columns.count + 1, sizeof(*values));
    *all = arena_allocate_zeroed(arena, rows.count + 1, sizeof(**all));
    while (rows.columns.list != NULL && cql_rows_next(&rows, values) == STATUS_OK) {
        (*all)[(*count)++] = properties_of(&rows, values, arena);
    }
    return STATUS_OK;
}

enum status cassandra_properties_known(struct cassandra *self, struct arena *arena,
                                       struct column_list *names, struct error *error)
{
    static const char select[] =
        "SELECT * FROM system_schema.tables WHERE keyspace_name = ? LIMIT 1";
    struct cql_rows rows;
    *names = (struct column_list){0};
    if (read_all(self, select, arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    size_t count = rows.columns.list != NULL ? rows.columns.count : 0;
    const char **list = arena_allocate_zeroed(arena, count + 1, sizeof(*list));
    for (size_t at = 0; at < count; at++) {
        list[at] = name_of(&rows.columns.list[at], arena);
    }
    *names = (struct column_list){list, (uint32_t)count};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- writing */

/* 'text', its quotes doubled. */
static void append_quoted(const struct cell *text, struct buffer *out)
{
    buffer_append_byte(out, '\'');
    for (uint32_t at = 0; at < text->length; at++) {
        buffer_append_string(out, text->text[at] == '\'' ? "'" : "");
        buffer_append_byte(out, text->text[at]);
    }
    buffer_append_byte(out, '\'');
}

static void append_value(const struct cell *value, struct buffer *out)
{
    struct error ignored;
    if (value->kind == VALUE_TEXT) {
        append_quoted(value, out);
    } else {
        (void)!convert_append_text(value, false, out, &ignored);
    }
}

void cassandra_property_append(const struct schema_property *property, struct buffer *out)
{
    const struct cell *value = &property->value;
    buffer_append_string(out, property->name);
    buffer_append_string(out, " = ");
    if (value->kind != VALUE_MAP) {
        append_value(value, out);
        return;
    }
    buffer_append_byte(out, '{');
    for (uint32_t at = 0; at < value->length; at++) {
        buffer_append_string(out, at > 0 ? ", " : "");
        append_quoted(&value->items[2 * (size_t)at], out);
        buffer_append_string(out, ": ");
        append_value(&value->items[2 * (size_t)at + 1], out);
    }
    buffer_append_byte(out, '}');
}
