/* The history's tables in a PostgreSQL schema. */
#include "base/text.h"
#include "connectors/postgres/change/alter.h"
#include <inttypes.h>
#include <string.h>

static void append_table(const struct alter_session *session, struct buffer *sql, const char *name)
{
    postgres_append(sql, "%n.%n", ((const struct postgres_alter *)session)->history_schema, name);
}

static void append_begun(const struct alter_session *session, struct buffer *sql)
{
    (void)session;
    buffer_append_string(sql, "pg_catalog.now()");
}

static void append_time(struct buffer *sql, int64_t us)
{
    buffer_format(sql,
                  "(pg_catalog.to_timestamp(0) OPERATOR(pg_catalog.+) (%" PRId64
                  " OPERATOR(pg_catalog.*) interval '1 microsecond'))",
                  us);
}

static void append_microseconds(struct buffer *sql, const char *column)
{
    buffer_format(sql,
                  "pg_catalog.round(extract(epoch FROM %s)::numeric "
                  "OPERATOR(pg_catalog.*) 1000000)::bigint",
                  column);
}

static enum status visit_rows(PGresult *result, sql_history_field_visit *visit, void *context,
                              struct error *error)
{
    enum { FIELDS_MAX = 32 };
    const char *fields[FIELDS_MAX];
    enum status status = STATUS_OK;
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        for (int i = 0; i < PQnfields(result) && i < FIELDS_MAX; i++) {
            fields[i] = PQgetisnull(result, row, i) != 0 ? NULL : PQgetvalue(result, row, i);
        }
        status = visit(context, fields, error);
    }
    return status;
}

/* An act in a transaction is its last write: it goes with the COMMIT, whose answer is its own. */
static enum status defer(struct postgres_alter *session, struct buffer *sql)
{
    postgres_append(&session->last, "%b; ", sql);
    buffer_free(sql);
    return STATUS_OK;
}

/* Once a session; those that are made from then on are. */
static enum status see_history(struct postgres_alter *session, struct error *error)
{
    static const char *const tables[] = {HISTORY_TABLE, SQL_HISTORY_LOCK};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && !session->history_seen; i++) {
        struct buffer name = {0};
        bool there = false;
        append_table(&session->base, &name, tables[i]);
        status = status == STATUS_OK
                     ? postgres_is_there(session->database, session->connection,
                                         buffer_string(&name), ERROR_TARGET_WRITE, &there, error)
                     : status;
        buffer_free(&name);
    }
    session->history_seen = status == STATUS_OK;
    return status;
}

static enum status postgres_alter_history_run(struct alter_session *base, struct buffer *sql,
                                              sql_history_field_visit *visit, void *context,
                                              uint64_t *changed, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    struct error inner = {0};
    PGresult *result = NULL;
    if (session->within && visit == NULL && changed == NULL) {
        return defer(session, sql);
    }
    enum status status = postgres_alter_catch_up(session, &inner);
    status = status == STATUS_OK ? see_history(session, &inner) : status;
    if (status != STATUS_OK) {
        buffer_free(sql);
    } else {
        status = postgres_query_buffer(session->database, session->connection, sql, NULL, 0,
                                       visit != NULL ? SQL_LONG : SQL_SHORT, ERROR_TARGET_WRITE,
                                       &result, &inner);
    }
    if (status == STATUS_OK && visit != NULL) {
        status = visit_rows(result, visit, context, &inner);
    }
    if (status == STATUS_OK && changed != NULL) {
        status = postgres_rows_changed(result, changed);
    }
    PQclear(result);
    if (status == STATUS_FAILED && visit != NULL &&
        strcmp(inner.native_state, "42P01") == 0) { /* undefined_table */
        return STATUS_END;
    }
    if (status == STATUS_FAILED) {
        postgres_alter_lost(session, status, &inner);
        error_copy(error, &inner);
    }
    return status;
}

const struct sql_history_dialect postgres_history = {
    .name = "postgres",
    .types = {[SQL_HISTORY_NUMBER] = "bigint",
              [SQL_HISTORY_COUNT] = "integer",
              [SQL_HISTORY_WORD] = "text",
              [SQL_HISTORY_NAME] = "text COLLATE \"C\"",
              [SQL_HISTORY_TEXT] = "text",
              [SQL_HISTORY_TIME] = "timestamp with time zone"},
    .table_end = "",
    .hex = {"pg_catalog.convert_from(pg_catalog.decode('", "', 'hex'), 'UTF8')"},
    .conflict = {" ON CONFLICT (", ") DO UPDATE SET "},
    .given = {"excluded.", ""},
    .now = "pg_catalog.clock_timestamp()",
    .locking = " FOR UPDATE",
    .null_state = "23502",
    .append_table = append_table,
    .append_begun = append_begun,
    .append_time = append_time,
    .append_microseconds = append_microseconds,
    .run = postgres_alter_history_run,
};
