/* Runs of the ledger: which there are, and taking one out, with all that was kept for it. */
#include "base/failpoint.h"
#include "connectors/sqlite/ledger_internal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RUNS_MAX = 100000 };

static enum status list_runs(struct sqlite_database *self, struct arena *arena, const char ***ids,
                             uint32_t *count, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int64_t rows = 0;
    int result = SQLITE_DONE;
    enum status status = sqlite_ledger_check_tables(self, error);

    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    status = sqlite_ledger_ask(self, "SELECT count(*) FROM main._transhume_run", NULL, NULL, &rows,
                               error);
    if (status == STATUS_OK && (rows < 0 || rows > RUNS_MAX)) {
        status = sqlite_ledger_invalid(self, "it has too many runs", error);
    }
    if (status == STATUS_OK) {
        status = sqlite_ledger_prepare(self, "SELECT id FROM main._transhume_run ORDER BY number",
                                       &statement, error);
    }
    *ids = arena_allocate_zeroed(arena, (size_t)rows + 1, sizeof **ids);
    if (status == STATUS_OK && *ids == NULL) {
        status = error_set(error, ERROR_MEMORY, self->shown, "no memory for the list of runs");
    }
    while (status == STATUS_OK && *count < (uint64_t)rows &&
           (result = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        const char *id = text == NULL ? NULL : arena_copy_string(arena, text);
        (*ids)[(*count)++] = id;
        status = id != NULL ? STATUS_OK
                            : error_set(error, ERROR_MEMORY, self->shown,
                                        "no memory for the list of runs");
    }
    if (status == STATUS_OK && result != SQLITE_DONE && result != SQLITE_ROW) {
        status = sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_ledger_list(struct database *database, struct arena *arena, const char ***ids,
                               uint32_t *count, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    *ids = NULL;
    *count = 0;
    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, list_runs(self, arena, ids, count, error), error);
}

/* ---------------------------------------------------------------- forgetting */

/* "DROP TABLE …;" for all of the ledger's tables that match. */
static enum status drop_tables(struct sqlite_database *self, const char *pattern,
                               struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(
        self, "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name GLOB ?1",
        &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, pattern, -1, SQLITE_STATIC);
    }
    while (status == STATUS_OK && (status = sqlite_step(self, statement, error)) == STATUS_OK) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        buffer_append_string(&sql, "DROP TABLE main.");
        sqlite_append_name(&sql, name != NULL ? name : "");
        sql.failed |= name == NULL;
        buffer_append_string(&sql, ";");
    }
    sqlite3_finalize(statement);
    status = status == STATUS_END ? STATUS_OK : status;
    if (status == STATUS_OK && sql.failed) {
        status = error_set(error, ERROR_MEMORY, self->shown, "no memory for a statement");
    }
    if (status == STATUS_OK && sql.length > 0) {
        status = sqlite_target_execute(self, self->control, buffer_string(&sql), ERROR_TARGET_WRITE,
                                       error);
    }
    buffer_free(&sql);
    return status;
}

/* Lists of written keys are of a run that is over. */
enum status sqlite_ledger_drop_key_tables(struct sqlite_database *self, struct error *error)
{
    return drop_tables(self, SQLITE_KEY_TABLE "*", error);
}

static enum status delete_rows(struct sqlite_database *self, const char *table, const char *column,
                               const char *run_id, struct error *error)
{
    char sql[96];
    sqlite3_stmt *statement = NULL;
    int64_t found = 0;

    if (sqlite_ledger_ask(self, "SELECT count(*) FROM main.sqlite_schema WHERE name = ?1", table,
                          NULL, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (found == 0) {
        return STATUS_OK;
    }
    snprintf(sql, sizeof sql, "DELETE FROM main.%s WHERE %s = ?1", table, column);
    enum status status = sqlite_ledger_prepare(self, sql, &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status forget_rows(struct sqlite_database *self, const char *run_id, uint64_t epoch,
                               struct error *error)
{
    char pattern[128];
    int64_t left = 0;
    enum status status = sqlite_ledger_check_epoch(self, run_id, epoch, error);

    snprintf(pattern, sizeof pattern, SQLITE_UNDO_TABLE "%s_*", run_id);
    status = status == STATUS_OK ? drop_tables(self, pattern, error) : status;
    static const char *const tables[] = {"_transhume_chunk", "_transhume_done", "_transhume_made",
                                         "_transhume_object"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && status == STATUS_OK; i++) {
        status = delete_rows(self, tables[i], "run", run_id, error);
    }
    status =
        status == STATUS_OK ? delete_rows(self, "_transhume_run", "id", run_id, error) : status;
    status = status == STATUS_OK
                 ? sqlite_ledger_ask(self, "SELECT count(*) FROM main._transhume_run", NULL, NULL,
                                     &left, error)
                 : status;
    status = status == STATUS_OK ? (left == 0 ? drop_tables(self, "_transhume_*", error)
                                              : sqlite_ledger_drop_key_tables(self, error))
                                 : status;
    return status == STATUS_OK ? failpoint_hit("sqlite.before_forget", error) : status;
}

/* Did the run make the file, and is there nothing else in it? */
static enum status is_all_there_is(struct sqlite_database *self, const char *run_id, bool *alone,
                                   struct error *error)
{
    int64_t made = 0;
    int64_t others = 0;

    *alone = false;
    if (sqlite_ledger_ask(self,
                          "SELECT count(*) FROM main._transhume_made WHERE run = ?1 AND name = ?2",
                          run_id, SQLITE_MADE_FILE, &made, error) != STATUS_OK ||
        sqlite_ledger_ask(self,
                          "SELECT (SELECT count(*) FROM main.sqlite_schema WHERE tbl_name NOT GLOB "
                          "'_transhume_*' AND name NOT GLOB 'sqlite_*') + "
                          "(SELECT count(*) FROM main._transhume_run WHERE id != ?1)",
                          run_id, NULL, &others, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *alone = made > 0 && others == 0;
    return STATUS_OK;
}

/*
 * One unlink, so that a crash leaves the file with the whole ledger or no file: nothing of it may
 * be in a write-ahead log, and nobody else may have it open to write. STATUS_AGAIN: somebody does.
 */
static enum status remove_file(struct sqlite_database *self, const char *run_id, uint64_t epoch,
                               struct error *error)
{
    bool alone = false;

    if (sqlite_turn_take(self, SQLITE_TURN_CONTROL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_AGAIN;
    if (sqlite3_exec(self->control, "PRAGMA main.journal_mode=DELETE", NULL, NULL, NULL) ==
            SQLITE_OK &&
        sqlite3_exec(self->control, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK) {
        status = sqlite_ledger_check_epoch(self, run_id, epoch, error);
        status = status == STATUS_OK ? is_all_there_is(self, run_id, &alone, error) : status;
        status = status == STATUS_OK ? failpoint_hit("sqlite.before_forget", error) : status;
        if (status == STATUS_OK && (!alone || unlink(self->path) != 0)) {
            status = STATUS_AGAIN;
        }
        sqlite3_exec(self->control, "ROLLBACK", NULL, NULL, NULL);
    }
    sqlite_turn_give(self);
    return status;
}

static enum status is_alone(struct sqlite_database *self, const char *run_id, bool *alone,
                            struct error *error)
{
    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, is_all_there_is(self, run_id, alone, error), error);
}

enum status sqlite_ledger_forget(struct database *database, const char *run_id, uint64_t epoch,
                                 bool rolled_back, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    bool alone = false;
    enum status status = STATUS_AGAIN;

    if (rolled_back && is_alone(self, run_id, &alone, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (alone) {
        status = remove_file(self, run_id, epoch, error);
    }
    if (status == STATUS_AGAIN) {
        if (sqlite_control_begin(self, true, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        status = sqlite_control_end(self, forget_rows(self, run_id, epoch, error), error);
    }
    if (status != STATUS_OK || failpoint_hit("sqlite.after_forget", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return database->connector->ledger->release(database, run_id, epoch, error);
}
