/* Who may write: the lock that goes with the process, and the guard that the ledger moves on. */
#include "base/file.h"
#include "base/text.h"
#include "connectors/contract/ledger.h"
#include "connectors/sql/database.h"
#include "connectors/sqlite/ledger_internal.h"
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- the lock */

static void note_run(int descriptor, const char *run_id)
{
    struct buffer text = {0};
    buffer_format(&text, "%" PRId64 "\n%s\n", (int64_t)getpid(), run_id);
    /* for messages alone: a failure changes nothing */
    if (file_write_at(descriptor, text.data, text.length, 0) == (ssize_t)text.length) {
        (void)!file_cut(descriptor, (off_t)text.length);
    }
    buffer_free(&text);
}

/* The run in its second line; "": not known. */
static void read_run(const char *path, char *run, size_t capacity)
{
    char text[128];
    int descriptor = file_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);

    run[0] = '\0';
    if (descriptor < 0) {
        return;
    }
    ssize_t got = file_read_at(descriptor, text, sizeof text - 1, 0);
    close(descriptor);
    text[got > 0 ? got : 0] = '\0';
    const char *line = strchr(text, '\n');
    const char *end = line != NULL ? strchr(++line, '\n') : NULL;
    for (const char *at = line; end != NULL && at < end; at++) {
        if (!isalnum((unsigned char)*at) && *at != '-') {
            return;
        }
    }
    if (end != NULL) {
        snprintf(run, capacity, "%.*s", (int)(end - line), line);
    }
}

void sqlite_claim_unlock(struct sqlite_database *self)
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

static enum status claim_lock(struct sqlite_database *self, const char *run_id,
                              struct ledger_holder *found, struct error *error)
{
    struct sqlite_target_state *state = self->target;
    int64_t pid = 0;

    if (state->lock_descriptor >= 0) {
        note_run(state->lock_descriptor, run_id);
        return STATUS_OK;
    }
    free(state->lock_path);
    state->lock_path = memory_format(SQLITE_LOCK_PATH, self->path);
    enum status status = file_lock(state->lock_path, &state->lock_descriptor, &pid, error);
    if (status == STATUS_OK) {
        note_run(state->lock_descriptor, run_id);
        return STATUS_OK;
    }
    state->lock_descriptor = -1;
    if (status == STATUS_FAILED) {
        error_recode(error, ERROR_TARGET_WRITE);
        return STATUS_FAILED;
    }
    *found = (struct ledger_holder){.pid = pid};
    snprintf(found->name, sizeof found->name, "pid %lld", (long long)pid);
    read_run(state->lock_path, found->run, sizeof found->run);
    if (strcmp(found->run, run_id) == 0) {
        found->run[0] = '\0';
    }
    return STATUS_AGAIN;
}

/* A process that works on the very run may be taken over without the lock: the guard makes its
 * commits fail.
 */
static enum status sqlite_claim_take(struct database *database, const char *run_id, uint64_t epoch,
                                     bool take_over, struct ledger_holder *found,
                                     struct error *error)
{
    enum status status = claim_lock(sqlite_database_of(database), run_id, found, error);

    (void)epoch;
    return status == STATUS_AGAIN && take_over && found->run[0] == '\0' ? STATUS_OK : status;
}

static void give_back(struct database *database, const char *run_id)
{
    (void)run_id;
    sqlite_claim_unlock(sqlite_database_of(database));
}

const struct lock_functions sqlite_lock = {.take = sqlite_claim_take, .give_back = give_back};

enum status sqlite_claim_refuse_other(struct sqlite_database *self, struct error *error)
{
    struct ledger_holder found = {0};
    char *path = memory_format(SQLITE_LOCK_PATH, self->path);
    bool held = self->target->lock_descriptor < 0 && file_is_locked(path);
    enum status status = held ? claim_lock(self, "", &found, error) : STATUS_OK;

    free(path);
    if (held && status == STATUS_OK) {
        sqlite_claim_unlock(self);
    }
    if (status != STATUS_AGAIN) {
        return status;
    }
    bool changes = strcmp(found.run, SQLITE_LOCK_SCHEMA) == 0;
    error_set(error, ERROR_RUN_HELD, self->sql.shown, "%s %s%s", found.name,
              changes                ? "changes the schema of this file"
              : found.run[0] != '\0' ? "works on run "
                                     : "works on this file",
              changes ? "" : found.run);
    error_hint(error, "one process at a time writes to a SQLite file: wait for it or stop it");
    return STATUS_FAILED;
}

enum status sqlite_claim_sweep_lock(struct sqlite_database *self, struct error *error)
{
    struct ledger_holder found = {0};
    char *path = memory_format(SQLITE_LOCK_PATH, self->path);
    bool left = self->target->lock_descriptor < 0 && file_exists(path);
    enum status status = left ? claim_lock(self, "", &found, error) : STATUS_AGAIN;

    free(path);
    if (status == STATUS_OK) {
        sqlite_claim_unlock(self);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- the claim */

enum status sqlite_claim_check(struct sqlite_database *self, struct error *error)
{
    struct buffer sql = {0};
    bool there = false;
    int64_t held = 0;

    if (self->sql.guard_key == NULL) {
        return STATUS_OK;
    }
    enum status status = sqlite_ledger_has_table(self, SQL_STORE_TABLE, &there, error);
    if (status == STATUS_OK && there) {
        buffer_format(&sql,
                      "SELECT count(*) FROM main." SQL_STORE_TABLE
                      " WHERE name = ?1 AND version = %" PRIu64,
                      self->sql.guard_version);
        status = sqlite_ledger_ask(self, buffer_string(&sql), self->sql.guard_key, &held, error);
        buffer_free(&sql);
    }
    return status == STATUS_FAILED ? STATUS_FAILED
           : held == 1             ? STATUS_OK
                                   : sql_run_fenced(self->sql.shown, error);
}
