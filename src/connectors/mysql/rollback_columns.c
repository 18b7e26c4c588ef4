/* Taking a run back: what stands in columns that it does not fill. */
#include "connectors/mysql/rollback.h"
#include "connectors/sql/unfilled.h"
#include <string.h>

/* The record `t` holds something in the column that the table did not put there; ORed to what is
 * there. By its bytes: texts of other case are equal. */
static void append_foreign(struct buffer *sql, const struct schema_column *column)
{
    buffer_append_string(sql, sql->length > 0 ? " OR (t." : "(t.");
    mysql_append_name(sql, column->name);
    buffer_append_string(sql, " IS NOT NULL");
    if (sql_column_gives(column) == SQL_GIVES_DEFAULT) {
        buffer_append_string(sql, " AND NOT CAST(t.");
        mysql_append_name(sql, column->name);
        buffer_append_string(sql, " AS BINARY) <=> CAST(DEFAULT(t.");
        mysql_append_name(sql, column->name);
        buffer_append_string(sql, ") AS BINARY)");
    }
    buffer_append_byte(sql, ')');
}

static enum status ask(struct mysql_database *self, MYSQL *connection, const char *table,
                       const struct schema_column *column, bool *found, struct error *error)
{
    struct buffer sql = {0};
    struct buffer condition = {0};
    int64_t number = 0;
    append_foreign(&condition, column);
    buffer_append_string(&sql, "SELECT EXISTS (SELECT 1 FROM ");
    mysql_append_table(&sql, self, table);
    buffer_append_string(&sql, " AS t WHERE ");
    buffer_append_buffer(&sql, &condition);
    buffer_append_byte(&sql, ')');
    buffer_free(&condition);
    enum status status = mysql_ask_number(self, connection, &sql, MYSQL_LONG, ERROR_TARGET_INVALID,
                                          0, &number, error);
    *found = status == STATUS_OK && number != 0;
    return status;
}

enum status mysql_rollback_find_added(struct mysql_undoing *undoing, const struct mysql_table *undo)
{
    const struct mysql_table *facts = &undoing->facts;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < facts->schema->column_count; i++) {
        const struct schema_column *column = &facts->schema->columns[i];
        bool found = false;
        if (facts->columns[i].generated || mysql_find_column(undo, column->name) >= 0) {
            continue;
        }
        if (sql_column_gives(column) != SQL_GIVES_ANY) {
            append_foreign(&undoing->foreign, column);
            continue;
        }
        status = ask(undoing->self, undoing->connection, facts->schema->name, column, &found,
                     undoing->error);
        if (found) {
            status = sql_refuse_untold(facts->schema->name, column->name, undoing->error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- what the engine asks */

static enum status describe(struct mysql_database *self, const char *name, struct arena *arena,
                            MYSQL **connection, struct mysql_table *table, struct error *error)
{
    if (mysql_control(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = mysql_target_describe(self, *connection, name, arena, table, error);
    return status == STATUS_END ? error_set(error, ERROR_TARGET_SCHEMA, name, "the table is gone")
                                : status;
}

/* Of each record with its key: two sums, since there is none of 128 bits. */
static enum status ask_sum(struct mysql_database *self, MYSQL *connection, const char *table,
                           const struct mysql_column *columns, uint32_t count, struct arena *arena,
                           const char **sum, struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    buffer_append_string(&sql, "SELECT CONCAT_WS(' ', COUNT(*), IFNULL(SUM(CAST(CONV(LEFT(h, 16), "
                               "16, 10) AS DECIMAL(20))), 0), IFNULL(SUM(CAST(CONV(RIGHT(h, 16), "
                               "16, 10) AS DECIMAL(20))), 0)) FROM (SELECT HEX(");
    mysql_undo_append_hash(&sql, columns, count, "t");
    buffer_append_string(&sql, ") AS h FROM ");
    mysql_append_table(&sql, self, table);
    buffer_append_string(&sql, " AS t) AS k");
    enum status status =
        mysql_run_buffer(self, connection, &sql, MYSQL_LONG, ERROR_TARGET_INVALID, &result, error);
    if (status == STATUS_OK) {
        MYSQL_ROW row = mysql_fetch_row(result);
        *sum = row != NULL && row[0] != NULL ? arena_copy_string(arena, row[0]) : NULL;
        status = *sum != NULL ? STATUS_OK
                              : error_set(error, ERROR_TARGET_INVALID, table,
                                          "the server does not tell the sum of its columns");
    }
    mysql_free_result(result);
    return status;
}

enum status mysql_sum_columns(struct database *database, const struct target_table *table,
                              struct column_list columns, struct arena *arena, const char **sum,
                              struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct mysql_table facts;
    MYSQL *connection = NULL;
    uint32_t count = 0;
    if (describe(self, table->name, arena, &connection, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct mysql_column *summed =
        arena_allocate_zeroed(arena, facts.schema->column_count + 1u, sizeof *summed);
    for (uint32_t i = 0; i < facts.schema->column_count; i++) {
        const char *name = facts.columns[i].name;
        if (mysql_is_in(columns, name) || mysql_is_in(table->key, name)) {
            summed[count++] = facts.columns[i];
        }
    }
    return ask_sum(self, connection, facts.schema->name, summed, count, arena, sum, error);
}

enum status mysql_find_foreign(struct database *database, const struct target_table *table,
                               struct column_list columns, bool trusts, struct arena *arena,
                               const char **column, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct mysql_table facts;
    MYSQL *connection = NULL;
    enum status status = describe(self, table->name, arena, &connection, &facts, error);
    *column = NULL;
    for (uint32_t i = 0; status == STATUS_OK && *column == NULL && i < facts.schema->column_count;
         i++) {
        const struct schema_column *schema = &facts.schema->columns[i];
        bool found = false;
        if (!mysql_is_in(columns, schema->name) ||
            (trusts && sql_column_gives(schema) == SQL_GIVES_ANY)) {
            continue;
        }
        status = ask(self, connection, facts.schema->name, schema, &found, error);
        *column = found ? schema->name : NULL;
    }
    return status;
}
