/* Taking a run back: what stands in columns that it does not fill. */
#include "connectors/postgres/rollback.h"
#include "connectors/sql/unfilled.h"
#include <string.h>

/* Of any type: a row of NULLs is no NULL. */
static void append_held(struct buffer *sql, const struct postgres_table *table, uint32_t column)
{
    buffer_append_string(sql, "t.");
    postgres_append_name(sql, table->schema->columns[column].name);
    buffer_append_string(sql, " IS DISTINCT FROM NULL");
}

void postgres_rollback_append_foreign(struct buffer *sql, const struct postgres_table *table,
                                      uint32_t column)
{
    const struct schema_column *schema = &table->schema->columns[column];
    buffer_append_string(sql, sql->length > 0 ? " OR (" : "(");
    append_held(sql, table, column);
    if (sql_column_gives(schema) == SQL_GIVES_DEFAULT) {
        buffer_append_string(sql, " AND t.");
        postgres_append_name(sql, schema->name);
        buffer_format(sql, "::pg_catalog.text IS DISTINCT FROM ((%s)::%s)::pg_catalog.text",
                      schema->default_text, schema->type.native);
    }
    buffer_append_byte(sql, ')');
}

/* Is there a record of which the condition is true? Frees it. */
static enum status ask(struct postgres_database *self, PGconn *connection,
                       const struct postgres_table *table, struct buffer *condition, bool *found,
                       struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "SELECT 1 FROM ");
    postgres_append_table(&sql, self, table->schema->name);
    buffer_append_string(&sql, " AS t WHERE ");
    buffer_append_buffer(&sql, condition);
    buffer_append_string(&sql, " LIMIT 1");
    buffer_free(condition);
    enum status status = postgres_query_buffer(self, connection, &sql, NULL, 0, POSTGRES_LONG,
                                               ERROR_TARGET_INVALID, &result, error);
    *found = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

enum status postgres_rollback_holds_any(struct postgres_database *self, PGconn *connection,
                                        const struct postgres_table *table, uint32_t column,
                                        bool *holds, struct error *error)
{
    struct buffer condition = {0};
    append_held(&condition, table, column);
    return ask(self, connection, table, &condition, holds, error);
}

/* ---------------------------------------------------------------- what the engine asks */

static enum status describe(struct postgres_database *self, const char *name, struct arena *arena,
                            PGconn **connection, struct postgres_table *table, struct error *error)
{
    if (postgres_control(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_target_describe(self, *connection, name, arena, table, error);
    return status == STATUS_END ? error_set(error, ERROR_TARGET_SCHEMA, name, "the table is gone")
                                : status;
}

/* Of each record with its key: a sum of two halves, since there is none of 128 bits. */
static enum status ask_sum(struct postgres_database *self, PGconn *connection,
                           const struct postgres_table *table,
                           const struct postgres_column *columns, uint32_t count,
                           struct arena *arena, const char **sum, struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(
        &sql, "SELECT pg_catalog.count(*) || ' ' || coalesce(pg_catalog.sum(('x' || "
              "pg_catalog.left(h, 16))::bit(64)::bigint), 0) || ' ' || "
              "coalesce(pg_catalog.sum(('x' || pg_catalog.right(h, 16))::bit(64)::bigint), 0) FROM "
              "(SELECT ");
    postgres_undo_append_hash(&sql, columns, count, "t", false);
    buffer_append_string(&sql, " AS h FROM ");
    postgres_append_table(&sql, self, table->schema->name);
    buffer_append_string(&sql, " AS t) AS k");
    enum status status = postgres_query_buffer(self, connection, &sql, NULL, 0, POSTGRES_LONG,
                                               ERROR_TARGET_INVALID, &result, error);
    if (status == STATUS_OK) {
        *sum = arena_copy_string(arena, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return status;
}

enum status postgres_sum_columns(struct database *database, const struct target_table *table,
                                 struct column_list columns, struct arena *arena, const char **sum,
                                 struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct postgres_table facts;
    PGconn *connection = NULL;
    uint32_t count = 0;
    if (describe(self, table->name, arena, &connection, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct postgres_column *summed =
        arena_allocate_zeroed(arena, facts.schema->column_count + 1u, sizeof *summed);
    for (uint32_t i = 0; i < facts.schema->column_count; i++) {
        const char *name = facts.columns[i].name;
        if (column_list_holds(columns, name) || column_list_holds(table->key, name)) {
            summed[count++] = facts.columns[i];
        }
    }
    return ask_sum(self, connection, &facts, summed, count, arena, sum, error);
}

enum status postgres_find_foreign(struct database *database, const struct target_table *table,
                                  struct column_list columns, bool trusts, struct arena *arena,
                                  const char **column, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct postgres_table facts;
    PGconn *connection = NULL;
    enum status status = describe(self, table->name, arena, &connection, &facts, error);
    *column = NULL;
    for (uint32_t i = 0; status == STATUS_OK && *column == NULL && i < facts.schema->column_count;
         i++) {
        const struct schema_column *schema = &facts.schema->columns[i];
        bool any = sql_column_gives(schema) == SQL_GIVES_ANY;
        struct buffer condition = {0};
        bool found = false;
        if (!column_list_holds(columns, schema->name) || (any && trusts)) {
            continue;
        }
        postgres_rollback_append_foreign(&condition, &facts, i);
        status = ask(self, connection, &facts, &condition, &found, error);
        *column = found ? schema->name : NULL;
    }
    return status;
}
