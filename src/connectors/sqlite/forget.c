/* Removing what is kept for a run, the ledger's place with the last one, and the file that was made
 * for it. */
#include "base/failpoint.h"
#include "connectors/contract/history.h"
#include "connectors/sqlite/ledger_internal.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "DROP TABLE …;" for all of our tables that match. Those of a feed are not the run's, and triggers
 * write to them; the history of the schema is no run's either. */
static enum status drop_tables(struct sqlite_database *self, const char *pattern,
                               struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(
        self,
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name GLOB ?1"
        " AND name NOT GLOB '_transhume_feed*' AND name NOT GLOB '" HISTORY_TABLE "*'",
        &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, pattern, -1, SQLITE_STATIC);
    }
    while (status == STATUS_OK && (status = sqlite_step(self, statement, error)) == STATUS_OK) {
        sqlite_append(&sql, "DROP TABLE main.%n;", sqlite_text_of(statement, 0));
    }
    sqlite3_finalize(statement);
    status = status == STATUS_END ? STATUS_OK : status;
    if (status == STATUS_OK && sql.length > 0) {
        status = sqlite_target_execute(self, self->control, buffer_string(&sql), ERROR_TARGET_WRITE,
                                       error);
    }
    buffer_free(&sql);
    return status;
}

enum status sqlite_drop_key_tables(struct sqlite_database *self, struct error *error)
{
    char pattern[128];

    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    snprintf(pattern, sizeof pattern, SQLITE_KEY_TABLE "%s_*", self->sql.run_id);
    return drop_tables(self, pattern, error);
}

/* ---------------------------------------------------------------- a run */

static enum status delete_objects(struct sqlite_database *self, const char *run_id,
                                  struct error *error)
{
    bool there = false;
    enum status status = sqlite_ledger_has_table(self, "_transhume_object", &there, error);

    return status == STATUS_OK && there
               ? sqlite_ledger_run(self, "DELETE FROM main._transhume_object WHERE run = ?1",
                                   &run_id, 1, error)
               : status;
}

/* The notes of a run whose ledger is elsewhere. `*last`: no other run has notes here. */
static enum status delete_notes(struct sqlite_database *self, const char *run_id, bool *last,
                                struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    const char *const texts[] = {prefix};
    int64_t left = 0;
    bool there = false;
    enum status status = sqlite_ledger_has_table(self, SQL_STORE_TABLE, &there, error);

    *last = there;
    if (status != STATUS_OK || !there) {
        return status;
    }
    store_name_key(prefix, "run/", run_id);
    strncat(prefix, "/", sizeof prefix - strlen(prefix) - 1);
    status = sqlite_ledger_run(
        self, "DELETE FROM main." SQL_STORE_TABLE " WHERE substr(name, 1, length(?1)) = ?1", texts,
        1, error);
    store_name_key(prefix, STORE_GUEST_PREFIX, run_id);
    if (status == STATUS_OK) {
        status = sqlite_ledger_run(self, "DELETE FROM main." SQL_STORE_TABLE " WHERE name = ?1",
                                   texts, 1, error);
    }
    if (status == STATUS_OK) {
        status = sqlite_ledger_ask(self,
                                   "SELECT count(*) FROM main." SQL_STORE_TABLE
                                   " WHERE name GLOB 'run*' OR name GLOB 'guest/*'",
                                   NULL, &left, error);
    }
    *last = left == 0;
    return status;
}

static enum status forget_all(struct sqlite_database *self, const char *run_id, bool *last,
                              struct error *error)
{
    char pattern[128];
    enum status status = sqlite_claim_check(self, error);

    snprintf(pattern, sizeof pattern, SQLITE_UNDO_TABLE "%s_*", run_id);
    status = status == STATUS_OK ? drop_tables(self, pattern, error) : status;
    snprintf(pattern, sizeof pattern, SQLITE_KEY_TABLE "%s_*", run_id);
    status = status == STATUS_OK ? drop_tables(self, pattern, error) : status;
    status = status == STATUS_OK ? delete_objects(self, run_id, error) : status;
    if (status == STATUS_OK && self->sql.guard_key == NULL) {
        status = delete_notes(self, run_id, last, error);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_forget", error) : status;
}

enum status sqlite_target_forget_run(struct database *database, const char *run_id,
                                     bool rolled_back, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    bool last = false;

    if (sqlite_control_begin(self, true, error) != STATUS_OK ||
        sqlite_control_end(self, forget_all(self, run_id, &last, error), error) != STATUS_OK ||
        failpoint_hit("sqlite.after_forget", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    self->target->rolled_back = rolled_back;
    return last ? sqlite_place_drop(self, error) : STATUS_OK;
}

/* ---------------------------------------------------------------- the place */

/* Was the file made for the ledger, and is nothing else in it? */
static enum status is_all_there_is(struct sqlite_database *self, bool *alone, struct error *error)
{
    int64_t made = 0;
    int64_t others = 0;
    bool there = false;
    enum status status = sqlite_ledger_has_table(self, SQL_STORE_TABLE, &there, error);

    if (status == STATUS_OK && there) {
        status =
            sqlite_ledger_ask(self, "SELECT count(*) FROM main." SQL_STORE_TABLE " WHERE name = ?1",
                              SQLITE_PLACE_FILE, &made, error);
    }
    if (status == STATUS_OK) {
        status = sqlite_ledger_ask(self,
                                   "SELECT count(*) FROM main.sqlite_schema WHERE name NOT GLOB "
                                   "'sqlite_*' AND (tbl_name NOT GLOB '_transhume_*' OR tbl_name "
                                   "GLOB '" HISTORY_TABLE "*')",
                                   NULL, &others, error);
    }
    *alone = status == STATUS_OK && made > 0 && others == 0;
    return status;
}

/*
 * One unlink, so that a crash leaves the file with the whole ledger or no file: nothing of it may
 * be in a write-ahead log, and nobody else may have it open to write. STATUS_AGAIN: somebody does.
 */
static enum status remove_file(struct sqlite_database *self, struct error *error)
{
    bool alone = false;

    if (sqlite_turn_take(self, SQLITE_TURN_CONTROL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_AGAIN;
    if (sqlite3_exec(self->control, "PRAGMA main.journal_mode=DELETE", NULL, NULL, NULL) ==
            SQLITE_OK &&
        sqlite3_exec(self->control, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK) {
        status = sqlite_claim_check(self, error);
        status = status == STATUS_OK ? is_all_there_is(self, &alone, error) : status;
        status = status == STATUS_OK ? failpoint_hit("sqlite.before_drop", error) : status;
        if (status == STATUS_OK && (!alone || unlink(self->path) != 0)) {
            status = STATUS_AGAIN;
        }
        sqlite3_exec(self->control, "ROLLBACK", NULL, NULL, NULL);
    }
    sqlite_turn_give(self);
    return status;
}

static enum status is_alone(struct sqlite_database *self, bool *alone, struct error *error)
{
    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, is_all_there_is(self, alone, error), error);
}

static enum status drop_all(struct sqlite_database *self, struct error *error)
{
    enum status status = drop_tables(self, "_transhume_*", error);
    return status == STATUS_OK ? failpoint_hit("sqlite.before_drop", error) : status;
}

enum status sqlite_place_drop(struct sqlite_database *self, struct error *error)
{
    bool alone = false;
    enum status status = STATUS_AGAIN;

    if (self->target->rolled_back && is_alone(self, &alone, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (alone) {
        status = remove_file(self, error);
    }
    if (status == STATUS_AGAIN) {
        status = sqlite_control_begin(self, true, error);
        status =
            status == STATUS_OK ? sqlite_control_end(self, drop_all(self, error), error) : status;
    }
    return status;
}

/* The lock's place, and an empty file: where the run's own file was, a killed process made it by
 * opening it. It goes when the database is closed, if nobody else has it open. */
enum status sqlite_target_tidy(struct database *database, bool rolled_back, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct stat facts;

    if (rolled_back && lstat(self->path, &facts) == 0 && S_ISREG(facts.st_mode) &&
        facts.st_size == 0) {
        self->made_file = true;
        self->made_device = (uint64_t)facts.st_dev;
        self->made_inode = (uint64_t)facts.st_ino;
    }
    return sqlite_claim_sweep_lock(self, error);
}
