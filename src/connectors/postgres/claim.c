/*
 * Claims: the lock that goes with the process, and what a claim means to the target's sessions.
 *
 * The lock is an advisory one of schema and run, in a transaction that stays open on a connection
 * of its own: it goes with the process, however that ends. What fences is the guard, a row of the
 * ledger (struct run_claim): each commit reads it with FOR SHARE, which the next claim's update
 * waits for. Who takes over first ends the sessions that work on the run (sessions.c).
 */
#include "base/clock.h"
#include "base/memory.h"
#include "connectors/contract/ledger.h"
#include "connectors/postgres/store.h"
#include "connectors/sql/sessions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLAIM_WAIT_MS = 1500, CLAIM_STEP_MS = 20 };

/* ---------------------------------------------------------------- the lock of a run */

static void postgres_claim_unlock(struct postgres_database *self)
{
    postgres_disconnect(self->lock);
    free(self->locked_run);
    self->lock = NULL;
    self->locked_run = NULL;
}

static bool is_locked(const struct postgres_database *self, const char *run_id)
{
    return self->locked_run != NULL && strcmp(self->locked_run, run_id) == 0;
}

/* STATUS_AGAIN: somebody has it. */
static enum status try_lock(struct postgres_database *self, const char *run_id, struct error *error)
{
    char sql[96];
    PGresult *result = NULL;
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_try_advisory_xact_lock(%lld)",
             (long long)sql_sessions_key(self->sql.schema, run_id, 0));
    enum status status = postgres_query(self, self->lock, sql, NULL, 0, SQL_SHORT,
                                        ERROR_TARGET_LOCKED, &result, error);
    if (status == STATUS_OK && PQgetvalue(result, 0, 0)[0] != 't') {
        status = STATUS_AGAIN;
    }
    PQclear(result);
    return status;
}

/* The session is known as one of the attempt that is to follow on `epoch`, also where the process
 * is stopped before it has the claim. */
static enum status keep_lock(struct postgres_database *self, const char *run_id, uint64_t epoch,
                             struct error *error)
{
    self->locked_run = memory_copy_string(run_id);
    if (postgres_session_mark(self, self->lock, run_id, epoch + 1, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* the last query's portal would keep its snapshot as long as the claim lasts: VACUUM could
     * remove nothing, and CREATE INDEX CONCURRENTLY would wait for it */
    return postgres_execute(self, self->lock, "SELECT 1", SQL_SHORT, ERROR_TARGET_LOCKED, error);
}

/* The server needs a moment to see that a killed process is gone. STATUS_AGAIN: somebody has it. */
static enum status lock_run(struct postgres_database *self, const char *run_id, uint64_t epoch,
                            int64_t wait_ms, struct error *error)
{
    int64_t end = clock_monotonic_ms() + wait_ms;
    if (is_locked(self, run_id) && PQstatus(self->lock) == CONNECTION_OK) {
        return STATUS_OK;
    }
    postgres_claim_unlock(self);
    if (postgres_connect(self, &self->lock, error) != STATUS_OK ||
        postgres_execute(self, self->lock, "BEGIN", SQL_SHORT, ERROR_TARGET_LOCKED, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = try_lock(self, run_id, error);
    while (status == STATUS_AGAIN && clock_monotonic_ms() < end) {
        clock_sleep_ms(CLAIM_STEP_MS);
        status = try_lock(self, run_id, error);
    }
    return status == STATUS_OK ? keep_lock(self, run_id, epoch, error) : status;
}

/* Anything that the holder has locked would be waited for; its lock goes along. */
static enum status end_holder(struct postgres_database *self, const char *run_id, uint64_t epoch,
                              struct error *error)
{
    PGconn *connection = NULL;
    if (postgres_control(self, &connection, error) != STATUS_OK ||
        postgres_sessions_end(self, connection, run_id, epoch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return lock_run(self, run_id, epoch, CLAIM_WAIT_MS, error);
}

/* Who has it stands in the ledger, which the caller reads. */
static enum status postgres_claim_take(struct database *database, const char *run_id,
                                       uint64_t epoch, bool take_over, struct ledger_holder *found,
                                       struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    *found = (struct ledger_holder){0};
    enum status status = lock_run(self, run_id, epoch, take_over ? 0 : CLAIM_WAIT_MS, error);
    if (status == STATUS_AGAIN && take_over) {
        status = end_holder(self, run_id, epoch, error);
    }
    if (status != STATUS_OK) {
        postgres_claim_unlock(self);
    }
    return status;
}

static void give_back(struct database *database, const char *run_id)
{
    struct postgres_database *self = postgres_database_of(database);
    if (is_locked(self, run_id)) {
        postgres_claim_unlock(self);
    }
}

const struct lock_functions postgres_lock_functions = {.take = postgres_claim_take,
                                                       .give_back = give_back};

/* ---------------------------------------------------------------- the claim */

/* Sessions that the former holder opened until its claim was replaced are ended, too. The guard is
 * looked at once these are marked, as in postgres_join. */
enum status postgres_enter_run(struct postgres_database *self, bool took_over, struct error *error)
{
    PGconn *connection = NULL;
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK && took_over) {
        status =
            postgres_sessions_end(self, connection, self->sql.run_id, self->sql.epoch - 1, error);
    }
    if (status == STATUS_OK && self->sql.guard_key == NULL) {
        status = postgres_store_make(self, connection, error); /* for notes.c */
    }
    if (status == STATUS_OK) {
        status = postgres_session_mark(self, connection, self->sql.run_id, self->sql.epoch, error);
    }
    return status == STATUS_OK ? postgres_check_claim(self, connection, error) : status;
}
