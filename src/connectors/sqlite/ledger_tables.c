/* The ledger's tables in the target: their layout, and asking them. */
#include "base/text.h"
#include "connectors/sqlite/ledger_internal.h"
#include <string.h>

/*
 * _transhume_run    a row a run; `number` orders them. `epoch` is the attempt that may commit.
 *                   `checksum` is over the header and all chunks: they never change.
 * _transhume_chunk  the spans, complete from the first moment
 * _transhume_done   done marks, written in the transaction of their chunk's records
 * _transhume_made   tables that a run made, written in the transaction that made them; '' is the
 *                   file itself
 * _transhume_object views, triggers, indexes and virtual tables that a run made, alike; there only
 *                   where there are such
 */
static const char make_objects[] =
    "CREATE TABLE IF NOT EXISTS main._transhume_object ("
    "run TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, sql TEXT NOT NULL, "
    "PRIMARY KEY (run, type, name)) WITHOUT ROWID";
static const char make_tables[] =
    "CREATE TABLE IF NOT EXISTS main._transhume_run ("
    "number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, format INTEGER NOT NULL, "
    "epoch INTEGER NOT NULL, header TEXT NOT NULL, status TEXT NOT NULL, "
    "chunk_count INTEGER NOT NULL, checksum TEXT NOT NULL, created_at TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS main._transhume_chunk ("
    "run TEXT NOT NULL, number INTEGER NOT NULL, stream INTEGER NOT NULL, printable TEXT, bounds BLOB, "
    "row_estimate INTEGER NOT NULL, last_id TEXT, PRIMARY KEY (run, number)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS main._transhume_done ("
    "run TEXT NOT NULL, chunk INTEGER NOT NULL, epoch INTEGER NOT NULL, mark TEXT NOT NULL, "
    "PRIMARY KEY (run, chunk)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS main._transhume_made ("
    "run TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (run, name)) WITHOUT ROWID;";
enum { LEDGER_TABLES = 4 };

enum status sqlite_ledger_invalid(struct sqlite_database *self, const char *what,
                                  struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, self->shown, "the ledger in the target is damaged: %s",
              what);
    error_hint(error,
               "it was edited or cut; restore the target from a backup, or start anew with an "
               "empty target");
    return STATUS_FAILED;
}

enum status sqlite_ledger_prepare(struct sqlite_database *self, const char *sql,
                                  sqlite3_stmt **statement, struct error *error)
{
    int result = sqlite3_prepare_v2(self->control, sql, -1, statement, NULL);
    if (result == SQLITE_ERROR) {
        return sqlite_ledger_invalid(self, sqlite3_errmsg(self->control), error);
    }
    if (result != SQLITE_OK) {
        return sqlite_target_error(self, self->control, result, ERROR_LEDGER_INVALID,
                                   "the ledger can't be read", error);
    }
    return STATUS_OK;
}

enum status sqlite_ledger_step_failed(struct sqlite_database *self, int result, struct error *error)
{
    return sqlite_target_error(self, self->control, result, ERROR_TARGET_WRITE,
                               "the ledger can't be read or written", error);
}

enum status sqlite_ledger_ask(struct sqlite_database *self, const char *sql, const char *first,
                              const char *second, int64_t *number, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(self, sql, &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, first, -1, SQLITE_STATIC);
        if (second != NULL) {
            sqlite3_bind_text(statement, 2, second, -1, SQLITE_STATIC);
        }
        int result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            *number = sqlite3_column_int64(statement, 0);
        }
        status = result == SQLITE_ROW    ? STATUS_OK
                 : result == SQLITE_DONE ? STATUS_END
                                         : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* How many of the ledger's tables are there. */
static enum status count_tables(struct sqlite_database *self, int64_t *count, struct error *error)
{
    return sqlite_ledger_ask(
        self,
        "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name IN "
        "('_transhume_run', '_transhume_chunk', '_transhume_done', '_transhume_made')",
        NULL, NULL, count, error);
}

enum status sqlite_ledger_check_tables(struct sqlite_database *self, struct error *error)
{
    int64_t count = 0;
    int64_t format = 0;

    if (count_tables(self, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count == 0) {
        return STATUS_END;
    }
    enum status status =
        sqlite_ledger_ask(self, "SELECT coalesce(max(format), 1) FROM main._transhume_run", NULL,
                          NULL, &format, error);
    if (status == STATUS_OK && format > SQLITE_LEDGER_FORMAT) {
        error_set(error, ERROR_FORMAT_NEWER, self->shown,
                  "the ledger in the target has format %lld, this version knows %d",
                  (long long)format, SQLITE_LEDGER_FORMAT);
        error_hint(error, "go on with the version of transhume that began the run, or a later one");
        return STATUS_FAILED;
    }
    if (status == STATUS_OK && (format < 1 || count != LEDGER_TABLES)) {
        return sqlite_ledger_invalid(self, "one of its tables is missing", error);
    }
    return status;
}

enum status sqlite_ledger_make_tables(struct sqlite_database *self, sqlite3 *connection,
                                      struct error *error)
{
    return sqlite_target_execute(self, connection, make_tables, ERROR_TARGET_WRITE, error);
}

/* ---------------------------------------------------------------- tables that the run made */

/* `sql` takes the run and the table. */
static enum status of_made(struct sqlite_database *self, const char *sql, const char *table,
                           struct error *error)
{
    sqlite3_stmt *statement = NULL;

    if (self->target->run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = sqlite_ledger_prepare(self, sql, &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, self->target->run_id, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, table, -1, SQLITE_STATIC);
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_ledger_note_made(struct sqlite_database *self, const char *table,
                                    struct error *error)
{
    return of_made(self, "INSERT OR IGNORE INTO main._transhume_made (run, name) VALUES (?1, ?2)",
                   table, error);
}

enum status sqlite_ledger_forget_made(struct sqlite_database *self, const char *table,
                                      struct error *error)
{
    return of_made(self, "DELETE FROM main._transhume_made WHERE run = ?1 AND name = ?2", table,
                   error);
}

enum status sqlite_ledger_was_made(struct sqlite_database *self, const char *table, bool *made,
                                   struct error *error)
{
    int64_t number = 0;

    *made = false;
    if (self->target->run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = sqlite_ledger_ask(
        self, "SELECT count(*) FROM main._transhume_made WHERE run = ?1 AND name = ?2",
        self->target->run_id, table, &number, error);
    *made = number > 0;
    return status;
}

enum status sqlite_ledger_note_object(struct sqlite_database *self, const char *type,
                                      const char *name, const char *sql, struct error *error)
{
    sqlite3_stmt *statement = NULL;

    if (self->target->run_id == NULL) {
        return STATUS_OK;
    }
    enum status status =
        sqlite_target_execute(self, self->control, make_objects, ERROR_TARGET_WRITE, error);
    if (status == STATUS_OK) {
        status = sqlite_ledger_prepare(
            self,
            "INSERT OR IGNORE INTO main._transhume_object (run, type, name, sql) "
            "VALUES (?1, ?2, ?3, ?4)",
            &statement, error);
    }
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, self->target->run_id, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, type, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, sql, -1, SQLITE_STATIC);
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}
