/*
 * Claims: the lock that goes with the process, and what a claim means to the target's sessions.
 *
 * The lock is a named one (GET_LOCK) of the server, of database and run, on a connection of its
 * own. What fences is the guard, a row of the ledger (struct run_claim): each commit reads it with
 * LOCK IN SHARE MODE, which the next claim's update waits for. Who takes over first ends the
 * sessions that work on the run (ending.c).
 */
#include "base/clock.h"
#include "base/memory.h"
#include "connectors/common/store_key.h"
#include "connectors/mysql/store.h"
#include "model/json_tree.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { CLAIM_WAIT_MS = 1500, CLAIM_STEP_MS = 20 };

/* ---------------------------------------------------------------- the lock of a run */

static void claim_unlock(struct mysql_database *self)
{
    mysql_disconnect(self->lock);
    free(self->locked_run);
    self->lock = NULL;
    self->locked_run = NULL;
}

static bool is_locked(const struct mysql_database *self, const char *run_id)
{
    return self->locked_run != NULL && strcmp(self->locked_run, run_id) == 0;
}

/* The server needs a moment to see that a killed process is gone. STATUS_AGAIN: somebody has it. */
static enum status lock_run(struct mysql_database *self, const char *run_id, int64_t wait_ms,
                            struct error *error)
{
    int64_t end = clock_monotonic_ms() + wait_ms;
    if (is_locked(self, run_id) && mysql_is_alive(self->lock)) {
        return STATUS_OK;
    }
    claim_unlock(self);
    if (mysql_connect(self, &self->lock, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = mysql_named_lock_get(self, self->lock, "claim", run_id, 0, error);
    while (status == STATUS_AGAIN && clock_monotonic_ms() < end) {
        clock_sleep_ms(CLAIM_STEP_MS);
        status = mysql_named_lock_get(self, self->lock, "claim", run_id, 0, error);
    }
    if (status == STATUS_OK) {
        self->locked_run = memory_copy_string(run_id);
    }
    return status;
}

/* As the run's `leader` says (engine/ledger/ledger.h). */
static uint64_t epoch_of(const char *leader)
{
    json_t *object = NULL;
    struct error ignored;
    if (json_tree_parse(leader, strlen(leader), 0, "leader", ERROR_LEDGER_INVALID, &object,
                        &ignored) != STATUS_OK) {
        return 0;
    }
    uint64_t epoch = (uint64_t)json_integer_value(json_object_get(object, "epoch"));
    json_decref(object);
    return epoch;
}

static enum status find_epoch(struct mysql_database *self, MYSQL *connection, const char *run_id,
                              uint64_t *epoch, struct error *error)
{
    char key[STORE_KEY_BYTES];
    MYSQL_RES *result = NULL;
    store_name_key(key, "run/", run_id);
    enum status status = mysql_run_buffer(self, connection,
                                          mysql_sql("SELECT value FROM %t WHERE name = '%s/leader'",
                                                    &self->sql, SQL_STORE_TABLE, key),
                                          SQL_SHORT, ERROR_LEDGER_INVALID, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *epoch = row != NULL && row[0] != NULL ? epoch_of(row[0]) : 0;
    mysql_free_result(result);
    return status;
}

/* Anything that the holder has locked would be waited for; its lock goes along. One that has just
 * begun with its claim has the lock, and no session that works on the run. */
static enum status end_holder(struct mysql_database *self, MYSQL *connection, const char *run_id,
                              uint64_t epoch, struct error *error)
{
    struct buffer lock = {0};
    uint64_t now = 0;
    enum status status = mysql_sessions_end(self, connection, run_id, epoch, error);
    status = status == STATUS_OK ? lock_run(self, run_id, 0, error) : status;
    if (status != STATUS_AGAIN) {
        return status;
    }
    status = find_epoch(self, connection, run_id, &now, error);
    if (status != STATUS_OK || now != epoch) {
        return status == STATUS_OK ? STATUS_AGAIN : status;
    }
    mysql_named_lock_append(&lock, self, "claim", run_id);
    status = mysql_holder_end(self, connection, buffer_string(&lock), false, error);
    buffer_free(&lock);
    return status == STATUS_OK ? lock_run(self, run_id, CLAIM_WAIT_MS, error) : status;
}

/* Who has it stands in the ledger, which the caller reads. */
static enum status claim_take(struct database *database, const char *run_id, uint64_t epoch,
                              bool take_over, struct ledger_holder *found, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    *found = (struct ledger_holder){0};
    enum status status = mysql_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = lock_run(self, run_id, take_over ? 0 : CLAIM_WAIT_MS, error);
    }
    if (status == STATUS_AGAIN && take_over) {
        status = end_holder(self, connection, run_id, epoch, error);
    }
    if (status != STATUS_OK) {
        claim_unlock(self);
    }
    return status;
}

static void give_back(struct database *database, const char *run_id)
{
    struct mysql_database *self = mysql_database_of(database);
    if (is_locked(self, run_id)) {
        claim_unlock(self);
    }
}

const struct lock_functions mysql_lock_functions = {.take = claim_take, .give_back = give_back};

/* ---------------------------------------------------------------- the claim */

/* Sessions that the former holder opened until its claim was replaced are ended, too. The guard is
 * looked at once these are marked, as in mysql_join. */
enum status mysql_enter_run(struct mysql_database *self, bool took_over, struct error *error)
{
    MYSQL *connection = NULL;
    enum status status = mysql_control(self, &connection, error);
    if (status == STATUS_OK && took_over) {
        status = mysql_sessions_end(self, connection, self->sql.run_id, self->sql.epoch - 1, error);
    }
    if (status == STATUS_OK && self->sql.guard_key == NULL) {
        status = mysql_store_make(self, connection, error); /* for notes.c */
    }
    if (status == STATUS_OK) {
        status = mysql_session_mark(self, connection, error);
    }
    if (status == STATUS_OK && self->lock != NULL) {
        status = mysql_session_mark(self, self->lock, error);
    }
    return status == STATUS_OK ? mysql_check_claim(self, connection, error) : status;
}
