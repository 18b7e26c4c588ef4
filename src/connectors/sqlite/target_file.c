/* The file of a target: opened, set up, put in another's place, closed. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/sqlite/sqlite_internal.h"
#include "connectors/sqlite/target_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Only after the first read is it known that this is a database at all. */
static enum status look_at_file(struct sqlite_database *self, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = STATUS_FAILED;

    int result = sqlite3_prepare_v2(self->control, "PRAGMA page_count", -1, &statement, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
    }
    if (result != SQLITE_ROW) {
        sqlite_target_error(self, self->control, result, ERROR_TARGET_INVALID, "it can't be read",
                            error);
        goto out;
    }
    self->target->fresh = sqlite3_column_int64(statement, 0) == 0;
    status = STATUS_OK;
out:
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_target_check_place(const struct sqlite_database *self, struct error *error)
{
    const char *slash = strrchr(self->path, '/');
    char folder[4096];
    int length = slash == NULL || slash == self->path ? 1 : (int)(slash - self->path);

    snprintf(folder, sizeof folder, "%.*s", length, slash == NULL ? "." : self->path);
    if (euidaccess(folder, W_OK) != 0) {
        error_set_errno(
            error, ERROR_PERMISSION, errno, self->sql.shown,
            "SQLite can't make a file in the folder of the target, as it has to for each "
            "transaction");
        error_hint(error, "give write permission on the folder, or another target");
        return STATUS_FAILED;
    }
    if (!self->created_file && euidaccess(self->path, W_OK) != 0) {
        error_set_errno(error, ERROR_PERMISSION, errno, self->sql.shown,
                        "the target can't be written");
        error_hint(error, "change its mode, or give another target");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status check_writable(struct sqlite_database *self, struct error *error)
{
    if (sqlite3_db_readonly(self->control, "main") == 1) {
        error_set(error, ERROR_PERMISSION, self->sql.shown, "SQLite can only read the target");
        error_hint(error, "change its mode, or give another target");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

enum status sqlite_target_set_up(struct sqlite_database *self, sqlite3 *connection,
                                 struct error *error)
{
    return sqlite_target_execute(
        self, connection,
        "PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF; PRAGMA recursive_triggers=OFF",
        ERROR_TARGET_WRITE, error);
}

void sqlite_triggers_set(sqlite3 *connection, bool fire)
{
    (void)sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, fire ? 1 : 0, NULL);
}

enum status sqlite_target_opened(struct sqlite_database *self, struct error *error)
{
    struct sqlite_target_state *state = memory_allocate_zeroed(1, sizeof *state);

    pthread_mutex_init(&state->mutex, NULL);
    condition_init(&state->freed);
    state->lock_descriptor = -1;
    self->target = state;
    self->sql.base.limits.writers_max = 1;
    self->sql.base.limits.chunks_open_max = 1;
    if (look_at_file(self, error) != STATUS_OK ||
        (!self->read_only && check_writable(self, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    return sqlite_target_set_up(self, self->control, error);
}

/*
 * Looking at a target that is not there must not leave an empty file behind. Only the file that
 * this process made, and while it alone holds it: another one may have opened it to write; if that
 * one begins later, it finds that its file is gone (sqlite_target_file_moved).
 */
static void remove_unused_file(struct sqlite_database *self)
{
    struct stat facts;

    if (!self->made_file || self->control == NULL) {
        return;
    }
    sqlite3_busy_timeout(self->control, 0);
    if (sqlite3_exec(self->control, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK) {
        return;
    }
    if (lstat(self->path, &facts) == 0 && facts.st_size == 0 &&
        (uint64_t)facts.st_ino == self->made_inode && (uint64_t)facts.st_dev == self->made_device) {
        unlink(self->path);
    }
    sqlite3_exec(self->control, "ROLLBACK", NULL, NULL, NULL);
}

bool sqlite_target_file_moved(struct sqlite_database *self)
{
    int moved = 0;
    return self->target->fresh &&
           sqlite3_file_control(self->control, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
               SQLITE_OK &&
           moved != 0;
}

enum status sqlite_target_renew(struct sqlite_database *self, struct error *error)
{
    sqlite3 *renewed = NULL;

    if (sqlite_make_private_file(self, error) != STATUS_OK ||
        sqlite_connection_open(self->path, CONNECTION_CREATE, self->timeout_ms, &renewed, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite_connection_close(self->control);
    self->control = renewed;
    return sqlite_target_set_up(self, self->control, error);
}

void sqlite_target_closing(struct sqlite_database *self)
{
    struct sqlite_target_state *state = self->target;

    remove_unused_file(self);
    if (state == NULL) {
        return;
    }
    sqlite_claim_unlock(self);
    sql_released(&self->sql.base);
    pthread_cond_destroy(&state->freed);
    pthread_mutex_destroy(&state->mutex);
    free(state);
    self->target = NULL;
}

/* SQLite would let everybody read a new file who may read the folder, though its source may be
 * private; and it would follow a link that leads nowhere. */
enum status sqlite_make_private_file(struct sqlite_database *self, struct error *error)
{
    struct stat facts;
    if (failpoint_hit("sqlite.before_file", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int descriptor =
        file_open(self->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (descriptor >= 0) {
        self->made_file = fstat(descriptor, &facts) == 0;
        self->made_device = self->made_file ? (uint64_t)facts.st_dev : 0;
        self->made_inode = self->made_file ? (uint64_t)facts.st_ino : 0;
        close(descriptor);
        return STATUS_OK;
    }
    if (errno == EEXIST && lstat(self->path, &facts) == 0 && S_ISLNK(facts.st_mode)) {
        error_set(error, ERROR_TARGET_INVALID, self->sql.shown,
                  "this is a symbolic link to a file that is not there");
        error_hint(error, "remove the link, or name the file that it should lead to");
        return STATUS_FAILED;
    }
    return errno == EEXIST ? STATUS_OK
                           : error_set_errno(error, ERROR_TARGET_WRITE, errno, self->sql.shown,
                                             "the file can't be made");
}
