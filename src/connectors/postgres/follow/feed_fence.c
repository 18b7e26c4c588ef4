/*
 * Keeping followed tables from being written: a trigger on each that refuses every statement, and
 * on each partition, which can be written by its own name. To make a trigger waits for the
 * transactions that have written the table, so that nothing of it is under way once the triggers
 * are committed. They are ENABLE ALWAYS: a session that takes itself for a replica is refused, too;
 * but not one that applies changes, which says so (transhume.applies): a way back feeds these
 * tables.
 *
 * All triggers of a feed call one function and go with it, whatever their tables are called by now.
 */
#include "connectors/postgres/follow/feed.h"
#include "postgres_sql.h"
#include <stdio.h>

enum { FENCE_NAME_BYTES = 64 };

static void append_function(struct buffer *sql, const char *schema, const char *fence)
{
    postgres_append(
        sql,
        "CREATE FUNCTION %n.%n() RETURNS trigger LANGUAGE plpgsql SET search_path = "
        "pg_catalog, pg_temp AS $transhume$BEGIN IF "
        "pg_catalog.current_setting('transhume.applies', true) = 'on' THEN RETURN NULL; END IF; "
        "RAISE EXCEPTION 'transhume: this table has moved to another database' USING ERRCODE = "
        "'read_only_sql_transaction'; END$transhume$;",
        schema, fence);
}

/* Where there is none, nothing is written: so a source that is read-only is known to be open. */
static void append_drop(struct buffer *sql, const char *schema, const char *fence)
{
    struct buffer function = {0};
    struct buffer body = {0};
    postgres_append(&function, "%n.%n()", schema, fence);
    postgres_append(&body,
                    "BEGIN IF pg_catalog.to_regprocedure(%q) IS NOT NULL THEN DROP FUNCTION %s "
                    "CASCADE; END IF; END",
                    buffer_string(&function), buffer_string(&function));
    postgres_append(sql, "DO %q;", buffer_string(&body));
    buffer_free(&function);
    buffer_free(&body);
}

static void append_table(struct postgres_database *self, struct buffer *sql, const char *fence,
                         const char *table)
{
    struct buffer name = {0};
    struct buffer body = {0};
    postgres_append(&name, "%t", &self->sql, table);
    postgres_append(
        &body,
        "DECLARE part pg_catalog.regclass; BEGIN FOR part IN WITH RECURSIVE tree(oid) AS (SELECT "
        "%q::pg_catalog.regclass::pg_catalog.oid UNION ALL SELECT i.inhrelid FROM "
        "pg_catalog.pg_inherits i JOIN tree t ON i.inhparent = t.oid) SELECT oid FROM tree LOOP "
        "EXECUTE pg_catalog.format('CREATE TRIGGER %%2$I BEFORE INSERT OR UPDATE OR DELETE OR "
        "TRUNCATE ON %%1$s FOR EACH STATEMENT EXECUTE FUNCTION %%3$I.%%2$I(); ALTER TABLE %%1$s "
        "ENABLE ALWAYS TRIGGER %%2$I', part, %q, %q); END LOOP; END",
        buffer_string(&name), fence, self->sql.schema);
    postgres_append(sql, "DO %q;", buffer_string(&body));
    buffer_free(&name);
    buffer_free(&body);
}

enum status postgres_feed_fence(struct database *database, const char *name,
                                const char *const *tables, uint32_t table_count, bool on,
                                struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const char *schema = self->sql.schema;
    char fence[FENCE_NAME_BYTES];
    struct buffer sql = {0};
    PGconn *connection = NULL;
    snprintf(fence, sizeof fence, "_%s_fence", name);
    enum status status = postgres_connect(self, &connection, error);
    /* a default of the database or the role keeps nobody from letting the writers in again */
    buffer_append_string(&sql, on || self->standby ? "BEGIN;" : "BEGIN READ WRITE;");
    append_drop(&sql, schema, fence);
    if (on) {
        append_function(&sql, schema, fence);
    }
    postgres_append_path_closed(&sql);
    for (uint32_t i = 0; on && i < table_count; i++) {
        append_table(self, &sql, fence, tables[i]);
    }
    buffer_append_string(&sql, "COMMIT");
    status = status == STATUS_OK ? postgres_execute_buffer(self, connection, &sql, SQL_BUILD,
                                                           ERROR_SOURCE_READ, error)
                                 : status;
    if (status != STATUS_OK) {
        error_context(error, on ? "stopping the writers: " : "letting the writers write again: ");
    }
    postgres_disconnect(connection);
    buffer_free(&sql);
    return status;
}
