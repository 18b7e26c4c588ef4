/* What a schema holds besides tables, and what a query's result looks like. */
#include "base/text.h"
#include "connectors/postgres/catalog.h"
#include "postgres_sql.h"
#include <string.h>

static enum status no_memory(const struct postgres_database *self, struct error *error)
{
    return error_set(error, ERROR_MEMORY, self->shown, "no memory for a query");
}

static enum schema_object_kind kind_of(char letter)
{
    switch (letter) {
    case 'v':
        return SCHEMA_OBJECT_VIEW;
    case 't':
        return SCHEMA_OBJECT_TRIGGER;
    case 's':
        return SCHEMA_OBJECT_SEQUENCE;
    default:
        return SCHEMA_OBJECT_OTHER;
    }
}

enum status postgres_objects_read(struct postgres_database *self, PGconn *connection,
                                  struct schema *schema, struct error *error)
{
    const struct postgres_parameter parameter = {.text = self->schema};
    PGresult *result = NULL;
    enum status status = postgres_query(self, connection, sql_objects, &parameter, 1, POSTGRES_LONG,
                                        ERROR_SOURCE_READ, &result, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t count = (uint32_t)PQntuples(result);
    struct schema_object *objects =
        arena_allocate_zeroed(schema->arena, (size_t)count + 1, sizeof *objects);
    for (uint32_t i = 0; objects != NULL && i < count; i++) {
        int row = (int)i;
        objects[i].kind = kind_of(PQgetvalue(result, row, 0)[0]);
        objects[i].name = arena_copy_string(schema->arena, PQgetvalue(result, row, 1));
        objects[i].table = PQgetisnull(result, row, 2) != 0
                               ? NULL
                               : arena_copy_string(schema->arena, PQgetvalue(result, row, 2));
        objects[i].not_carried = arena_copy_string(schema->arena, PQgetvalue(result, row, 3));
        if (objects[i].name == NULL || objects[i].not_carried == NULL) {
            objects = NULL;
        }
    }
    PQclear(result);
    if (objects == NULL) {
        return error_set(error, ERROR_MEMORY, self->shown, "no memory for the catalogue");
    }
    schema->objects = objects;
    schema->object_count = count;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- queries */

/* As a subquery it can be one SELECT only; the line's end guards against a comment. */
void postgres_append_query(struct buffer *sql, const char *query)
{
    size_t length = strlen(query);
    while (length > 0 && strchr(" \t\r\n;", query[length - 1]) != NULL) {
        length--;
    }
    buffer_append_byte(sql, '(');
    buffer_append(sql, query, length);
    buffer_append_string(sql, "\n)");
}

/* format_type and the base of a domain, for the columns of a described statement. */
static enum status type_facts(struct postgres_database *self, PGconn *connection, Oid oid,
                              int modifier, struct arena *arena, struct postgres_column *column,
                              struct error *error)
{
    static const char sql[] =
        "SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, "
        "coalesce(b.typtype, t.typtype), CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE $2 END, "
        "pg_catalog.format_type(t.oid, $2) FROM pg_catalog.pg_type t "
        "LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd' "
        "WHERE t.oid = $1::pg_catalog.oid";
    char numbers[2][16] = {{0}, {0}};
    text_from_uint64(oid, numbers[0]);
    text_from_int64(modifier, numbers[1]);
    const struct postgres_parameter parameters[] = {{.text = numbers[0]}, {.text = numbers[1]}};
    PGresult *result = NULL;
    int64_t base = 0;
    int64_t base_modifier = -1;
    enum status status = postgres_query(self, connection, sql, parameters, 2, POSTGRES_SHORT,
                                        ERROR_SOURCE_READ, &result, error);

    if (status == STATUS_OK && PQntuples(result) == 1) {
        const char *words = arena_copy_string(arena, PQgetvalue(result, 0, 3));
        status = text_to_int64(PQgetvalue(result, 0, 0), strlen(PQgetvalue(result, 0, 0)), &base);
        if (status == STATUS_OK) {
            status = text_to_int64(PQgetvalue(result, 0, 2), strlen(PQgetvalue(result, 0, 2)),
                                   &base_modifier);
        }
        column->modifier = (int32_t)base_modifier;
        column->type =
            postgres_type_of((uint32_t)base, PQgetvalue(result, 0, 1)[0], column->modifier, words);
        if (words == NULL || status != STATUS_OK) {
            status = no_memory(self, error);
        }
    }
    PQclear(result);
    return status;
}

static enum status describe_columns(struct postgres_database *self, PGconn *connection,
                                    const PGresult *described, struct arena *arena,
                                    struct schema_table *table, struct postgres_column *columns,
                                    struct error *error)
{
    struct schema_column *schema =
        arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof *schema);
    if (schema == NULL) {
        return no_memory(self, error);
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        columns[i].name = arena_copy_string(arena, PQfname(described, (int)i));
        if (columns[i].name == NULL) {
            return no_memory(self, error);
        }
        if (type_facts(self, connection, PQftype(described, (int)i), PQfmod(described, (int)i),
                       arena, &columns[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        schema[i] = (struct schema_column){.name = columns[i].name, .type = columns[i].type.type};
    }
    table->columns = schema;
    return STATUS_OK;
}

enum status postgres_describe_query(struct postgres_database *self, PGconn *connection,
                                    const char *query, struct arena *arena,
                                    struct schema_table *table, struct postgres_column **columns,
                                    struct error *error)
{
    struct buffer sql = {0};
    PGresult *described = NULL;
    PGresult *rest = NULL;

    *table = (struct schema_table){.kind = SCHEMA_QUERY, .row_count = -1, .size_bytes = -1};
    buffer_append_string(&sql, "SELECT * FROM ");
    postgres_append_query(&sql, query);
    buffer_append_string(&sql, " AS _t0");
    enum status status =
        sql.failed ? no_memory(self, error)
        : PQsendPrepare(connection, "", buffer_string(&sql), 0, NULL) == 0
            ? postgres_failure(self, connection, NULL, ERROR_NETWORK, error)
            : postgres_next_result(self, connection, POSTGRES_SHORT, &described, error);
    buffer_free(&sql);
    if (status == STATUS_OK && PQresultStatus(described) != PGRES_COMMAND_OK) {
        status = postgres_failure(self, connection, described, ERROR_PLAN_INVALID, error);
    }
    PQclear(described);
    described = NULL;
    while (postgres_next_result(self, connection, POSTGRES_SHORT, &rest, error) == STATUS_OK &&
           rest != NULL) {
        PQclear(rest);
    }
    if (status == STATUS_OK) {
        status = PQsendDescribePrepared(connection, "") == 0
                     ? postgres_failure(self, connection, NULL, ERROR_NETWORK, error)
                     : postgres_next_result(self, connection, POSTGRES_SHORT, &described, error);
        while (status == STATUS_OK &&
               postgres_next_result(self, connection, POSTGRES_SHORT, &rest, error) == STATUS_OK &&
               rest != NULL) {
            PQclear(rest);
        }
    }
    if (status == STATUS_OK) {
        table->column_count = (uint32_t)PQnfields(described);
        table->name = query;
        *columns = arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof **columns);
        status = *columns == NULL
                     ? no_memory(self, error)
                     : describe_columns(self, connection, described, arena, table, *columns, error);
    }
    PQclear(described);
    return status;
}
