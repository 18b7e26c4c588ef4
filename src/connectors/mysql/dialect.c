/* MySQL's own way in the things that SQL databases do alike. */
#include "connectors/mysql/copy/later.h"
#include "connectors/mysql/rollback.h"
#include "connectors/mysql/source.h"
#include "connectors/sql/finding.h"
#include "connectors/sql/rollback.h"
#include <string.h>
#include <strings.h>

static struct mysql_database *server_of(struct sql_database *self)
{
    return mysql_database_of(&self->base);
}

static enum status catalog(struct sql_database *self, const struct schema **schema,
                           struct error *error)
{
    const struct mysql_catalog *read = NULL;
    enum status status = mysql_catalog_get(server_of(self), &read, error);
    *schema = status == STATUS_OK ? read->schema : NULL;
    return status;
}

static enum status dialect_find(struct sql_database *self, const char *name,
                                struct sql_table *table)
{
    const struct mysql_table *found = mysql_catalog_find(server_of(self)->catalog, name);
    if (found != NULL) {
        *table = mysql_table_of(found);
    }
    return found != NULL ? STATUS_OK : STATUS_END;
}

/* ---------------------------------------------------------------- statements */

static enum status dialect_begin(struct sql_database *self, enum sql_access access,
                                 struct error *error)
{
    MYSQL *connection = NULL;
    (void)access;
    return mysql_begin(server_of(self), &connection, error);
}

static enum status dialect_end(struct sql_database *self, enum status status, struct error *error)
{
    return mysql_end(server_of(self), server_of(self)->control, status, error);
}

static enum status dialect_run(struct sql_database *self, struct buffer *sql, uint64_t *changed,
                               struct error *error)
{
    MYSQL *connection = server_of(self)->control;
    enum status status = mysql_run_buffer(server_of(self), connection, sql, SQL_LONG,
                                          ERROR_TARGET_WRITE, NULL, error);
    if (status == STATUS_OK && changed != NULL) {
        *changed = mysql_affected_rows(connection);
    }
    return status;
}

static enum status dialect_ask(struct sql_database *self, struct buffer *sql, struct arena *arena,
                               const char **text, struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run_buffer(server_of(self), server_of(self)->control, sql, SQL_LONG,
                                          ERROR_TARGET_INVALID, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *text = row != NULL && row[0] != NULL ? arena_copy_string(arena, row[0]) : NULL;
    mysql_free_result(result);
    return status;
}

static enum status dialect_list(struct sql_database *self, struct buffer *sql, struct arena *arena,
                                struct column_list *texts, struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run_buffer(server_of(self), server_of(self)->control, sql, SQL_LONG,
                                          ERROR_TARGET_INVALID, &result, error);
    uint32_t count = status == STATUS_OK ? (uint32_t)mysql_num_rows(result) : 0;
    const char **copies = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *copies);
    for (uint32_t i = 0; i < count; i++) {
        copies[i] = arena_copy_string(arena, mysql_fetch_row(result)[0]);
    }
    *texts = (struct column_list){copies, count};
    mysql_free_result(result);
    return status;
}

static bool append_exception(struct buffer *sql, const char *column, enum value_test test)
{
    static const char *const conditions[] = {
        [VALUES_TRUTH] = "%n NOT IN (0, 1)",
        [VALUES_INT64] = "%n > 9223372036854775807",
        [VALUES_WITHIN_DAY] = "%n < '00:00:00' OR %n > '24:00:00'",
        [VALUES_DAYS] = "MONTH(%n) = 0 OR DAYOFMONTH(%n) = 0",
        [VALUES_FLOAT] =
            "LENGTH(TRIM(BOTH '0' FROM REPLACE(ABS(%n), '.', ''))) > 15 AND NOT "
            "(%n = TRUNCATE(%n, 0) AND %n BETWEEN -9223372036854775808 AND 9223372036854775807)"};
    if (test > VALUES_FLOAT || conditions[test] == NULL) {
        return false;
    }
    mysql_append(sql, conditions[test], column, column, column, column);
    return true;
}

static enum status dialect_describe(struct sql_database *self, const char *name,
                                    struct arena *arena, struct sql_table *table,
                                    struct error *error)
{
    struct mysql_table *facts = arena_allocate_zeroed(arena, 1, sizeof *facts);
    enum status status =
        mysql_target_describe(server_of(self), server_of(self)->control, name, arena, facts, error);
    *table = mysql_table_of(facts);
    return status;
}

/* ---------------------------------------------------------------- runs */

static enum status enter_run(struct sql_database *self, bool took_over, struct error *error)
{
    return mysql_enter_run(server_of(self), took_over, error);
}

static enum status check_claim(struct sql_database *self, struct error *error)
{
    return mysql_check_claim(server_of(self), server_of(self)->control, error);
}

/* A session that is lost takes its settings along. */
static enum status silence(struct sql_database *self, bool off, struct error *error)
{
    MYSQL *connection = server_of(self)->control;
    return off || mysql_is_alive(connection)
               ? mysql_silence_keys(server_of(self), connection, off, error)
               : STATUS_OK;
}

static enum status is_made(struct sql_database *self, const char *table, bool *made,
                           struct error *error)
{
    enum mysql_making making = MYSQL_NOT_MADE;
    enum status status =
        mysql_find_making(server_of(self), server_of(self)->control, table, &making, error);
    *made = making != MYSQL_NOT_MADE;
    return status;
}

/* ---------------------------------------------------------------- columns */

static bool keeps(const struct sql_table *undo, const struct sql_table *table, uint32_t column)
{
    return mysql_find_column(mysql_facts_of(undo), table->schema->columns[column].name) >= 0;
}

/* By its bytes: texts of other case are equal. */
static void append_held(struct buffer *sql, const struct sql_table *table, uint32_t column,
                        const char *alias)
{
    const struct schema_column *schema = &table->schema->columns[column];
    mysql_append(sql, "(%s.%n IS NOT NULL", alias, schema->name);
    if (sql_column_gives(schema) == SQL_GIVES_DEFAULT) {
        mysql_append(sql, " AND NOT CAST(%s.%n AS BINARY) <=> CAST(DEFAULT(%s.%n) AS BINARY)",
                     alias, schema->name, alias, schema->name);
    }
    buffer_append_byte(sql, ')');
}

/* The sums over each record with its key: two, since there is none of 128 bits. */
static enum status sum(struct sql_database *self, const struct sql_table *table,
                       const uint32_t *columns, uint32_t count, struct arena *arena,
                       const char **told, struct error *error)
{
    struct buffer sql = {0};
    struct mysql_column *summed = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *summed);
    for (uint32_t i = 0; i < count; i++) {
        summed[i] = mysql_facts_of(table)->columns[columns[i]];
    }
    buffer_append_string(&sql, "SELECT CONCAT_WS(' ', COUNT(*), IFNULL(SUM(CAST(CONV(LEFT(h, 16), "
                               "16, 10) AS DECIMAL(20))), 0), IFNULL(SUM(CAST(CONV(RIGHT(h, 16), "
                               "16, 10) AS DECIMAL(20))), 0)) FROM (SELECT HEX(");
    mysql_undo_append_hash(&sql, server_of(self), summed, count, "t");
    buffer_append_string(&sql, ") AS h FROM ");
    mysql_quoting.append_table(&sql, self, table->schema->name);
    buffer_append_string(&sql, " AS t) AS k");
    enum status status = dialect_ask(self, &sql, arena, told, error);
    return status == STATUS_OK && *told == NULL
               ? error_set(error, ERROR_TARGET_INVALID, table->schema->name,
                           "the server does not tell the sum of its columns")
               : status;
}

static void append_names_query(struct buffer *sql, struct sql_database *self)
{
    (void)self;
    buffer_append_string(
        sql, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()");
}

const struct sql_dialect mysql_dialect = {
    .name = "mysql",
    .container = "database",
    .compare_names = strcasecmp,
    .quoting = &mysql_quoting,
    .catalog = catalog,
    .find = dialect_find,
    .look_at_stream = mysql_look_at_stream,
    .count = mysql_count_source,
    .hold_table = mysql_hold_table,
    .hold_query = mysql_hold_query,
    .digest_type = mysql_digest_type,
    .begin = dialect_begin,
    .end = dialect_end,
    .run = dialect_run,
    .ask = dialect_ask,
    .list = dialect_list,
    .append_exception = append_exception,
    .append_names_query = append_names_query,
    .describe = dialect_describe,
    .names_null_keys = true,
    .imagine = mysql_imagine,
    .try_value = mysql_try_value,
    .find_checks = mysql_find_checks,
    .try_checks = mysql_try_checks,
    .enter_run = enter_run,
    .check_claim = check_claim,
    .silence = silence,
    .delete_all = mysql_delete_all,
    .fetch_all = mysql_fetch_all,
    .read_records = mysql_read_records,
    .is_made = is_made,
    .keeps = keeps,
    .append_held = append_held,
    .sum = sum,
    .undo = &mysql_undo,
    .later = &mysql_later,
};
