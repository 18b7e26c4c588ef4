/* The history's tables in a SQLite file. */
#include "connectors/sqlite/change/alter.h"
#include <inttypes.h>

#define TEXT_OF_TIME "strftime('%Y-%m-%d %H:%M:%f', "

static void append_table(const struct alter_session *session, struct buffer *sql, const char *name)
{
    (void)session;
    buffer_format(sql, "main.%s", name);
}

static void append_time(struct buffer *sql, int64_t us)
{
    buffer_append_string(sql, TEXT_OF_TIME);
    buffer_format(sql, "%" PRId64 ".%03d, 'unixepoch')", us / 1000000, (int)(us / 1000 % 1000));
}

static void append_begun(const struct alter_session *base, struct buffer *sql)
{
    const struct sqlite_alter *session = (const struct sqlite_alter *)base;
    if (session->within) {
        append_time(sql, session->begun_ms * 1000);
    } else {
        buffer_append_string(sql, sqlite_history.now);
    }
}

static void append_microseconds(struct buffer *sql, const char *column)
{
    buffer_format(sql, "CAST(round((julianday(%s) - 2440587.5) * 86400000) AS INTEGER) * 1000",
                  column);
}

static enum status step_all(struct sqlite_alter *session, sqlite3_stmt *statement,
                            sql_history_field_visit *visit, void *context, struct error *error)
{
    enum { FIELDS_MAX = 32 };
    const char *fields[FIELDS_MAX];
    enum status status = STATUS_OK;
    while (status == STATUS_OK &&
           (status = sqlite_step(session->database, statement, error)) == STATUS_OK) {
        for (int i = 0; i < sqlite3_column_count(statement) && i < FIELDS_MAX; i++) {
            fields[i] = sqlite_text_of(statement, i);
        }
        status = visit != NULL ? visit(context, fields, error) : STATUS_OK;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* SQLite has no code of its own for a table that is not there. */
static enum status look_for_table(struct sqlite_alter *session, bool *there, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_check_ours(session->database, session->connection, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = sqlite_target_prepare(
        session->database, session->connection,
        "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '" SQL_HISTORY_ACTS "'",
        &statement, error);
    status = status == STATUS_OK ? sqlite_step(session->database, statement, error) : status;
    sqlite3_finalize(statement);
    *there = status == STATUS_OK;
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status sqlite_alter_history_run(struct alter_session *base, struct buffer *sql,
                                            sql_history_field_visit *visit, void *context,
                                            uint64_t *changed, struct error *error)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    sqlite3_stmt *statement = NULL;
    bool there = true;
    enum status status = visit != NULL ? look_for_table(session, &there, error) : STATUS_OK;
    if (status == STATUS_OK && there) {
        status = sqlite_target_prepare_buffer(session->database, session->connection, sql,
                                              &statement, error);
    }
    if (status == STATUS_OK && there) {
        status = step_all(session, statement, visit, context, error);
    }
    if (changed != NULL) {
        *changed = (uint64_t)sqlite3_changes64(session->connection);
    }
    sqlite3_finalize(statement);
    buffer_free(sql);
    return status == STATUS_OK && !there ? STATUS_END : status;
}

const struct sql_history_dialect sqlite_history = {
    .name = "sqlite",
    .types = {[SQL_HISTORY_NUMBER] = "INTEGER",
              [SQL_HISTORY_COUNT] = "INTEGER",
              [SQL_HISTORY_WORD] = "TEXT",
              [SQL_HISTORY_NAME] = "TEXT",
              [SQL_HISTORY_TEXT] = "TEXT",
              [SQL_HISTORY_TIME] = "TEXT"},
    .table_end = "",
    .hex = {"CAST(X'", "' AS TEXT)"},
    .conflict = {" ON CONFLICT (", ") DO UPDATE SET "},
    .given = {"excluded.", ""},
    .now = TEXT_OF_TIME "'now')",
    .locking = "",
    .null_code = SQLITE_CONSTRAINT_NOTNULL,
    .append_table = append_table,
    .append_begun = append_begun,
    .append_time = append_time,
    .append_microseconds = append_microseconds,
    .run = sqlite_alter_history_run,
};
