/* The ledger in the target's own tables: making a run, who may write, and what starts again. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/ledger_checksum.h"
#include "connectors/sql/claim.h"
#include "connectors/sqlite/ledger_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Prepares, binds a text, and runs a statement without results. */
static enum status run_with_text(struct sqlite_database *self, const char *sql, const char *text,
                                 int64_t number, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(self, sql, &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
        if (sqlite3_bind_parameter_count(statement) > 1) {
            sqlite3_bind_int64(statement, 2, number);
        }
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* ---------------------------------------------------------------- create */

static enum status insert_chunks(struct sqlite_database *self, const char *run_id,
                                 const struct ledger_chunk *chunks, uint64_t count,
                                 struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_ledger_prepare(self,
                              "INSERT INTO main._transhume_chunk (run, number, stream, printable, "
                              "bounds, row_estimate, last_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                              &statement, error);

    for (uint64_t i = 0; status == STATUS_OK && i < count; i++) {
        const struct span *span = &chunks[i].span;
        sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)chunks[i].number);
        sqlite3_bind_int64(statement, 3, chunks[i].stream);
        sqlite3_bind_text(statement, 4, span->printable, -1, SQLITE_STATIC);
        sqlite3_bind_blob64(statement, 5, span->bounds, span->bounds_length, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 6, span->row_estimate);
        sqlite3_bind_text(statement, 7, span->last_id, -1, SQLITE_STATIC);
        int result = sqlite3_step(statement);
        sqlite3_reset(statement);
        status = result == SQLITE_DONE ? STATUS_OK : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status insert_run(struct sqlite_database *self, const char *run_id, const char *header,
                              const char *run_status, const struct ledger_chunk *chunks,
                              uint64_t count, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    char stamp[32];
    char hex[33];
    enum status status = ledger_checksum(header, chunks, count, hex, error);

    if (status == STATUS_OK) {
        status = sqlite_ledger_prepare(
            self,
            "INSERT INTO main._transhume_run (id, format, epoch, header, status, "
            "chunk_count, checksum, created_at) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7)",
            &statement, error);
    }
    if (status == STATUS_OK) {
        clock_format_utc(clock_utc_us(), stamp, sizeof stamp);
        sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, SQLITE_LEDGER_FORMAT);
        sqlite3_bind_text(statement, 3, header, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, run_status, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 5, (sqlite3_int64)count);
        sqlite3_bind_text(statement, 6, hex, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 7, stamp, -1, SQLITE_STATIC);
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status create_rows(struct sqlite_database *self, const char *run_id, const char *header,
                               const char *run_status, const struct ledger_chunk *chunks,
                               uint64_t count, struct error *error)
{
    int64_t number = 0;
    enum status status = sqlite_ledger_check_tables(self, error);

    if (status == STATUS_END) {
        status = sqlite_ledger_make_tables(self, self->control, error);
    }
    if (status != STATUS_OK ||
        sqlite_ledger_ask(
            self,
            /* json_valid would call valid JSON invalid for want of memory */
            "SELECT count(*) FROM main._transhume_run WHERE json_extract(CASE WHEN status GLOB "
            "'{*}' THEN status ELSE '{}' END, '$.phase') IS NOT 'completed'",
            NULL, NULL, &number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (number > 0) {
        return STATUS_AGAIN;
    }
    if (sqlite_ledger_drop_key_tables(self, error) != STATUS_OK ||
        insert_run(self, run_id, header, run_status, chunks, count, error) != STATUS_OK ||
        (self->made_file &&
         run_with_text(self,
                       "INSERT INTO main._transhume_made (run, name) VALUES (?1, '" SQLITE_MADE_FILE
                       "')",
                       run_id, 0, error) != STATUS_OK) ||
        insert_chunks(self, run_id, chunks, count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("sqlite.before_ledger_create", error);
}

/* The first write of a run goes into the file that has the target's name. */
static enum status begin_in_named_file(struct sqlite_database *self, struct error *error)
{
    enum status status = sqlite_control_begin(self, true, error);

    if (!sqlite_target_file_moved(self)) {
        return status;
    }
    enum status ended =
        status == STATUS_OK ? sqlite_control_end(self, STATUS_FAILED, error) : STATUS_FAILED;
    error_set(error, ERROR_TARGET_LOCKED, self->shown,
              "another process removed or replaced the new file just now");
    error_hint(error, "start again once the other has ended");
    return ended;
}

static enum status ledger_create(struct database *database, const char *run_id, const char *header,
                                 const char *run_status, const struct ledger_chunk *chunks,
                                 uint64_t count, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    if (begin_in_named_file(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sqlite_control_end(
        self, create_rows(self, run_id, header, run_status, chunks, count, error), error);
    return status == STATUS_OK ? failpoint_hit("sqlite.after_ledger_create", error) : status;
}

/* ---------------------------------------------------------------- who may write */

#define LOCK_PATH "%s-transhume-lock"

void sqlite_ledger_unlock(struct sqlite_database *self)
{
    struct sqlite_target_state *state = self->target;

    if (state->lock_descriptor >= 0) {
        unlink(state->lock_path);
        close(state->lock_descriptor);
        state->lock_descriptor = -1;
    }
    free(state->lock_path);
    state->lock_path = NULL;
}

/* The lock goes with the process, however it ends; the file beside the database is only its
 * place. */
static enum status lock(struct sqlite_database *self, struct ledger_holder *found,
                        struct error *error)
{
    struct sqlite_target_state *state = self->target;
    int64_t pid = 0;

    if (state->lock_descriptor >= 0) {
        return STATUS_OK;
    }
    free(state->lock_path);
    if (asprintf(&state->lock_path, LOCK_PATH, self->path) < 0) {
        state->lock_path = NULL;
        return error_set(error, ERROR_MEMORY, self->shown, "no memory for a lock");
    }
    enum status status = file_lock(state->lock_path, &state->lock_descriptor, &pid, error);
    if (status != STATUS_OK) {
        state->lock_descriptor = -1;
    }
    if (status == STATUS_FAILED) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    if (status == STATUS_AGAIN) {
        found->pid = pid;
        snprintf(found->name, sizeof found->name, "pid %lld", (long long)pid);
    }
    return status;
}

static enum status move_epoch(struct sqlite_database *self, const char *run_id, uint64_t old_epoch,
                              struct ledger_holder *found, struct error *error)
{
    int64_t epoch = -1;
    enum status status = sqlite_ledger_check_tables(self, error);

    if (status == STATUS_OK) {
        status = sqlite_ledger_ask(self, "SELECT epoch FROM main._transhume_run WHERE id = ?1",
                                   run_id, NULL, &epoch, error);
    }
    if (status == STATUS_OK || status == STATUS_END) {
        status = sql_check_epoch(self->shown, "file", run_id, epoch, old_epoch, found, error);
    }
    if (status == STATUS_OK) {
        status =
            run_with_text(self, "UPDATE main._transhume_run SET epoch = epoch + 1 WHERE id = ?1",
                          run_id, 0, error);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_claim", error) : status;
}

static enum status ledger_claim(struct database *database, const char *run_id, uint64_t old_epoch,
                                const struct ledger_holder *replaces, struct ledger_holder *found,
                                struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct sqlite_target_state *state = self->target;
    char *copy = strdup(run_id);
    *found = (struct ledger_holder){0};
    enum status status = copy != NULL
                             ? lock(self, found, error)
                             : error_set(error, ERROR_MEMORY, self->shown, "no memory for a claim");

    if (status == STATUS_FAILED || (status == STATUS_AGAIN && replaces == NULL)) {
        free(copy);
        return status;
    }
    status = sqlite_control_begin(self, true, error);
    if (status == STATUS_OK) {
        status = sqlite_control_end(self, move_epoch(self, run_id, old_epoch, found, error), error);
    }
    if (status != STATUS_OK) {
        sqlite_ledger_unlock(self);
        free(copy);
        return status;
    }
    free(state->run_id);
    state->run_id = copy;
    state->epoch = old_epoch + 1;
    return failpoint_hit("sqlite.after_claim", error);
}

enum status sqlite_ledger_check_epoch(struct sqlite_database *self, const char *run_id,
                                      uint64_t epoch, struct error *error)
{
    int64_t now = -1;
    enum status status = sqlite_ledger_ask(
        self, "SELECT epoch FROM main._transhume_run WHERE id = ?1", run_id, NULL, &now, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    return now == (int64_t)epoch ? STATUS_OK : sql_run_fenced(self->shown, error);
}

enum status sqlite_ledger_check_claim(struct sqlite_database *self, struct error *error)
{
    const struct sqlite_target_state *state = self->target;
    return state->run_id == NULL
               ? STATUS_OK
               : sqlite_ledger_check_epoch(self, state->run_id, state->epoch, error);
}

static enum status replace_status(struct sqlite_database *self, const char *run_id, uint64_t epoch,
                                  const char *text, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(
        self, "UPDATE main._transhume_run SET status = ?1 WHERE id = ?2 AND epoch = ?3", &statement,
        error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, run_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, (sqlite3_int64)epoch);
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    if (status == STATUS_OK && sqlite3_changes(self->control) != 1) {
        return sql_run_fenced(self->shown, error);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_status", error) : status;
}

static enum status ledger_set_status(struct database *database, const char *run_id, uint64_t epoch,
                                     const char *text, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    if (sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, replace_status(self, run_id, epoch, text, error), error);
}

static enum status ledger_release(struct database *database, const char *run_id, uint64_t epoch,
                                  struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct sqlite_target_state *state = self->target;

    (void)epoch;
    (void)error;
    sqlite_ledger_unlock(self);
    if (state->run_id != NULL && strcmp(state->run_id, run_id) == 0) {
        free(state->run_id);
        state->run_id = NULL;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- streams that start again */

static enum status reopen_all(struct sqlite_database *self, const char *run_id, uint64_t epoch,
                              const uint64_t *chunks, uint64_t chunk_count,
                              const struct target_table *const *tables, uint32_t table_count,
                              struct error *error)
{
    enum status status = sqlite_ledger_check_epoch(self, run_id, epoch, error);

    for (uint64_t i = 0; status == STATUS_OK && i < chunk_count; i++) {
        status =
            run_with_text(self, "DELETE FROM main._transhume_done WHERE run = ?1 AND chunk = ?2",
                          run_id, (int64_t)chunks[i], error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        bool made = false;
        struct buffer sql = {0};
        status = sqlite_ledger_was_made(self, tables[i]->name, &made, error);
        if (status == STATUS_OK && !made) {
            status = error_set(error, ERROR_TARGET_NOT_EMPTY, tables[i]->name,
                               "this run did not make the table, so it will not empty it");
        }
        if (status == STATUS_OK) {
            buffer_append_string(&sql, "DELETE FROM main.");
            sqlite_append_name(&sql, tables[i]->name);
            status = sqlite_target_execute(self, self->control, buffer_string(&sql),
                                           ERROR_TARGET_WRITE, error);
        }
        buffer_free(&sql);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_reopen", error) : status;
}

static enum status ledger_reopen(struct database *database, const char *run_id, uint64_t epoch,
                                 const uint64_t *chunks, uint64_t chunk_count,
                                 const struct target_table *const *tables, uint32_t table_count,
                                 struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    if (sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(
        self, reopen_all(self, run_id, epoch, chunks, chunk_count, tables, table_count, error),
        error);
}

/* The lock's place, and an empty file: where the run's own file was, a killed process made it by
 * opening it. It goes when the database is closed, if nobody else has it open. */
static enum status ledger_tidy(struct database *database, bool rolled_back, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct ledger_holder found = {0};
    struct stat facts;
    char *path = NULL;

    if (rolled_back && lstat(self->path, &facts) == 0 && S_ISREG(facts.st_mode) &&
        facts.st_size == 0) {
        self->made_file = true;
        self->made_device = (uint64_t)facts.st_dev;
        self->made_inode = (uint64_t)facts.st_ino;
    }
    if (self->target->lock_descriptor >= 0) {
        return STATUS_OK;
    }
    if (asprintf(&path, LOCK_PATH, self->path) < 0) {
        return error_set(error, ERROR_MEMORY, self->shown, "no memory for a lock");
    }
    bool left = file_exists(path);
    free(path);
    enum status status = left ? lock(self, &found, error) : STATUS_OK;
    if (status == STATUS_OK) {
        sqlite_ledger_unlock(self);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

const struct ledger_functions sqlite_ledger = {
    .create = ledger_create,
    .load = sqlite_ledger_load,
    .claim = ledger_claim,
    .set_status = ledger_set_status,
    .done = sqlite_ledger_done,
    .reopen = ledger_reopen,
    .release = ledger_release,
    .list = sqlite_ledger_list,
    .forget = sqlite_ledger_forget,
    .tidy = ledger_tidy,
};
