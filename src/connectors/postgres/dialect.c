/* PostgreSQL's own way in the things that SQL databases do alike. */
#include "connectors/postgres/copy/later.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/source.h"
#include "connectors/postgres/undo/rollback.h"
#include "connectors/sql/finding.h"
#include "connectors/sql/rollback.h"
#include <stdio.h>
#include <string.h>

static struct postgres_database *server_of(struct sql_database *self)
{
    return postgres_database_of(&self->base);
}

static enum status catalog(struct sql_database *self, const struct schema **schema,
                           struct error *error)
{
    const struct postgres_catalog *read = NULL;
    enum status status = postgres_catalog_get(server_of(self), &read, error);
    *schema = status == STATUS_OK ? read->schema : NULL;
    return status;
}

static enum status postgres_dialect_find(struct sql_database *self, const char *name,
                                         struct sql_table *table)
{
    const struct postgres_table *found = postgres_catalog_find(server_of(self)->catalog, name);
    if (found != NULL) {
        *table = postgres_table_of(found);
    }
    return found != NULL ? STATUS_OK : STATUS_END;
}

/* ---------------------------------------------------------------- statements */

static enum status postgres_dialect_begin(struct sql_database *self, enum sql_access access,
                                          struct error *error)
{
    PGconn *connection = NULL;
    return (access == SQL_ALTERS ? postgres_begin_brief : postgres_begin)(server_of(self),
                                                                          &connection, error);
}

static enum status postgres_dialect_end(struct sql_database *self, enum status status,
                                        struct error *error)
{
    return postgres_end(server_of(self), server_of(self)->control, status, error);
}

static enum status postgres_dialect_run(struct sql_database *self, struct buffer *sql,
                                        uint64_t *changed, struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_query_buffer(server_of(self), server_of(self)->control, sql, NULL,
                                               0, SQL_LONG, ERROR_TARGET_WRITE, &result, error);
    if (status == STATUS_OK && changed != NULL) {
        status = postgres_rows_changed(result, changed);
    }
    PQclear(result);
    return status;
}

static enum status postgres_dialect_ask(struct sql_database *self, struct buffer *sql,
                                        struct arena *arena, const char **text, struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_query_buffer(server_of(self), server_of(self)->control, sql, NULL,
                                               0, SQL_LONG, ERROR_TARGET_INVALID, &result, error);
    bool found = status == STATUS_OK && PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0;
    *text = found ? arena_copy_string(arena, PQgetvalue(result, 0, 0)) : NULL;
    PQclear(result);
    return status;
}

static enum status postgres_dialect_list(struct sql_database *self, struct buffer *sql,
                                         struct arena *arena, struct column_list *texts,
                                         struct error *error)
{
    PGresult *result = NULL;
    enum status status =
        postgres_catalog_query_buffer(server_of(self), server_of(self)->control, sql, NULL, 0,
                                      SQL_LONG, ERROR_TARGET_INVALID, &result, error);
    int count = status == STATUS_OK ? PQntuples(result) : 0;
    const char **copies = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *copies);
    for (int i = 0; i < count; i++) {
        copies[i] = arena_copy_string(arena, PQgetvalue(result, i, 0));
    }
    *texts = (struct column_list){copies, (uint32_t)count};
    PQclear(result);
    return status;
}

static void append_names_query(struct buffer *sql, struct sql_database *self)
{
    static const char names[] =
        POSTGRES_WITH_SPACE "SELECT n.lead || c.relname FROM pg_catalog.pg_class c JOIN space n ON "
                            "n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
                            "AND c.relname NOT LIKE '\\_transhume\\_%' AND " POSTGRES_IS_CALLED;
    postgres_fill_spaces(sql, server_of(self), names);
}

static enum status postgres_dialect_describe(struct sql_database *self, const char *name,
                                             struct arena *arena, struct sql_table *table,
                                             struct error *error)
{
    struct postgres_table *facts = arena_allocate_zeroed(arena, 1, sizeof *facts);
    enum status status = postgres_target_describe(server_of(self), server_of(self)->control, name,
                                                  arena, facts, error);
    *table = postgres_table_of(facts);
    return status;
}

static bool append_exception(struct buffer *sql, const char *column, enum value_test test)
{
    if (test != VALUES_FLOAT) {
        return false;
    }
    postgres_append(
        sql,
        "%n = 'NaN' OR (length(trim(both '0' from replace(abs(%n)::text, '.', ''))) > "
        "15 AND NOT (%n = trunc(%n) AND %n BETWEEN -9223372036854775808 AND 9223372036854775807))",
        column, column, column, column, column);
    return true;
}

/* ---------------------------------------------------------------- runs */

static enum status enter_run(struct sql_database *self, bool took_over, struct error *error)
{
    return postgres_enter_run(server_of(self), took_over, error);
}

static enum status check_claim(struct sql_database *self, struct error *error)
{
    return postgres_check_claim(server_of(self), server_of(self)->control, error);
}

/* A transaction that failed has it as it was. */
static enum status silence(struct sql_database *self, bool off, struct error *error)
{
    PGconn *connection = server_of(self)->control;
    return PQtransactionStatus(connection) == PQTRANS_INTRANS
               ? postgres_silence_triggers(server_of(self), connection, off, error)
               : STATUS_OK;
}

static enum status is_made(struct sql_database *self, const char *table, bool *made,
                           struct error *error)
{
    return postgres_is_noted_made(server_of(self), server_of(self)->control, table, made, error);
}

static enum status forget_made(struct sql_database *self, const char *table, struct error *error)
{
    return postgres_forget_made(server_of(self), server_of(self)->control, table, error);
}

/* ---------------------------------------------------------------- columns */

static bool keeps(const struct sql_table *undo, const struct sql_table *table, uint32_t column)
{
    char name[16];
    snprintf(name, sizeof name, "c%d", postgres_facts_of(table)->columns[column].number);
    return postgres_find_column(postgres_facts_of(undo), name) >= 0;
}

/* IS DISTINCT FROM serves any type: a row of NULLs is no NULL. */
static void append_held(struct buffer *sql, const struct sql_table *table, uint32_t column,
                        const char *alias)
{
    const struct schema_column *schema = &table->schema->columns[column];
    postgres_append(sql, "(%s.%n IS DISTINCT FROM NULL", alias, schema->name);
    if (sql_column_gives(schema) == SQL_GIVES_DEFAULT) {
        const struct postgres_words text =
            postgres_cast_to_text(&postgres_facts_of(table)->columns[column]);
        postgres_append(sql, " AND %s%s.%n%s IS DISTINCT FROM %s((%s)::%s)%s", text.before, alias,
                        schema->name, text.behind, text.before, schema->default_text,
                        schema->type.native, text.behind);
    }
    buffer_append_byte(sql, ')');
}

/* The sum over each record with its key, of two halves, since there is none of 128 bits. */
static enum status sum(struct sql_database *self, const struct sql_table *table,
                       const uint32_t *columns, uint32_t count, struct arena *arena,
                       const char **told, struct error *error)
{
    struct buffer sql = {0};
    struct postgres_column *summed =
        arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *summed);
    for (uint32_t i = 0; i < count; i++) {
        summed[i] = postgres_facts_of(table)->columns[columns[i]];
    }
    buffer_append_string(
        &sql, "SELECT pg_catalog.count(*) || ' ' || coalesce(pg_catalog.sum(('x' || "
              "pg_catalog.left(h, 16))::bit(64)::bigint), 0) || ' ' || "
              "coalesce(pg_catalog.sum(('x' || pg_catalog.right(h, 16))::bit(64)::bigint), 0) FROM "
              "(SELECT ");
    postgres_undo_append_hash(&sql, summed, count, "t", false);
    buffer_append_string(&sql, " AS h FROM ");
    postgres_quoting.append_table(&sql, self, table->schema->name);
    buffer_append_string(&sql, " AS t) AS k");
    return postgres_dialect_ask(self, &sql, arena, told, error);
}

const struct sql_dialect postgres_dialect = {
    .name = "postgres",
    .container = "schema",
    .compare_names = strcmp,
    .quoting = &postgres_quoting,
    .catalog = catalog,
    .find = postgres_dialect_find,
    .look_at_stream = postgres_look_at_stream,
    .count = postgres_count_source,
    .hold_table = postgres_hold_table,
    .hold_query = postgres_hold_query,
    .digest_type = postgres_digest_type,
    .begin = postgres_dialect_begin,
    .end = postgres_dialect_end,
    .run = postgres_dialect_run,
    .ask = postgres_dialect_ask,
    .list = postgres_dialect_list,
    .append_names_query = append_names_query,
    .describe = postgres_dialect_describe,
    .null_words = SQL_NULL_VIOLATES,
    .imagine = postgres_imagine,
    .try_value = postgres_try_value,
    .find_checks = postgres_find_checks,
    .try_checks = postgres_try_checks,
    .append_exception = append_exception,
    .enter_run = enter_run,
    .check_claim = check_claim,
    .silence = silence,
    .delete_all = postgres_delete_all,
    .fetch_all = postgres_fetch_all,
    .read_records = postgres_read_records,
    .is_made = is_made,
    .forget_made = forget_made,
    .remove = postgres_remove,
    .keeps = keeps,
    .append_held = append_held,
    .sum = sum,
    .undo = &postgres_undo,
    .later = &postgres_later,
};
