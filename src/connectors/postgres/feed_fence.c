/*
 * Keeping followed tables from being written: a trigger on each that refuses every statement. To
 * make a trigger waits for the transactions that have written the table, so that nothing of it is
 * under way once the triggers are committed. They are ENABLE ALWAYS: a session that takes itself
 * for a replica is refused, too.
 */
#include "connectors/postgres/feed.h"
#include "postgres_sql.h"

#define FENCE "_transhume_fence"

static void append_function(struct buffer *sql, const char *schema)
{
    postgres_append(
        sql,
        "CREATE OR REPLACE FUNCTION %n." FENCE
        "() RETURNS trigger LANGUAGE plpgsql AS $transhume$BEGIN RAISE EXCEPTION 'transhume: this "
        "table has moved to another database' USING ERRCODE = 'read_only_sql_transaction'; "
        "END$transhume$;",
        schema);
}

static void append_table(struct postgres_database *self, struct buffer *sql, const char *schema,
                         const char *table, bool on)
{
    postgres_append(sql, "DROP TRIGGER IF EXISTS %n ON %t;", FENCE, &self->sql, table);
    if (on) {
        postgres_append(sql,
                        "CREATE TRIGGER %n BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %t FOR "
                        "EACH STATEMENT EXECUTE FUNCTION %n.%n();"
                        "ALTER TABLE %t ENABLE ALWAYS TRIGGER %n;",
                        FENCE, &self->sql, table, schema, FENCE, &self->sql, table, FENCE);
    }
}

enum status postgres_feed_fence(struct database *database, const char *name,
                                const char *const *tables, uint32_t table_count, bool on,
                                struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const char *schema = self->sql.schema;
    struct buffer sql = {0};
    PGconn *connection = NULL;
    (void)name;
    enum status status = postgres_connect(self, &connection, error);
    buffer_append_string(&sql, "BEGIN;");
    if (on) {
        append_function(&sql, schema);
    }
    for (uint32_t i = 0; i < table_count; i++) {
        append_table(self, &sql, schema, tables[i], on);
    }
    if (!on) {
        postgres_append(&sql, "DROP FUNCTION IF EXISTS %n." FENCE "();", schema);
    }
    buffer_append_string(&sql, "COMMIT");
    status = status == STATUS_OK ? postgres_execute_buffer(self, connection, &sql, SQL_BUILD,
                                                           ERROR_SOURCE_READ, error)
                                 : status;
    if (status != STATUS_OK) {
        error_context(error, "stopping the writers: ");
    }
    postgres_disconnect(connection);
    buffer_free(&sql);
    return status;
}
