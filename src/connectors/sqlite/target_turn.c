/* Turns at writing: the control thread and the writer of one process never poll against each
 * other. */
#include "base/clock.h"
#include "connectors/sqlite/target_internal.h"
#include <errno.h>
#include <time.h>

static struct timespec deadline_after(int64_t timeout_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t nanoseconds = now.tv_nsec + timeout_ms % 1000 * 1000000;
    return (struct timespec){.tv_sec = now.tv_sec + timeout_ms / 1000 + nanoseconds / 1000000000,
                             .tv_nsec = nanoseconds % 1000000000};
}

enum status sqlite_turn_take(struct sqlite_database *database, enum sqlite_turn turn,
                             struct error *error)
{
    struct sqlite_target_state *state = database->target;
    struct timespec deadline = deadline_after(database->timeout_ms);
    bool control = turn == SQLITE_TURN_CONTROL;
    int waited = 0;

    pthread_mutex_lock(&state->mutex);
    state->control_waiting += control;
    while (waited != ETIMEDOUT && (state->held || (!control && state->control_waiting > 0))) {
        waited = pthread_cond_timedwait(&state->freed, &state->mutex, &deadline);
    }
    state->control_waiting -= control;
    bool taken = !state->held && (control || state->control_waiting == 0);
    if (taken) {
        state->held = true;
    } else if (control) {
        pthread_cond_broadcast(&state->freed);
    }
    pthread_mutex_unlock(&state->mutex);

    if (!taken) {
        return error_set(error, ERROR_TARGET_LOCKED, database->shown,
                         "another transaction of this run did not end within %lld ms",
                         (long long)database->timeout_ms);
    }
    return STATUS_OK;
}

void sqlite_turn_give(struct sqlite_database *database)
{
    struct sqlite_target_state *state = database->target;

    pthread_mutex_lock(&state->mutex);
    state->held = false;
    pthread_cond_broadcast(&state->freed);
    pthread_mutex_unlock(&state->mutex);
}

enum status sqlite_control_begin(struct sqlite_database *database, bool write, struct error *error)
{
    if (sqlite_turn_take(database, SQLITE_TURN_CONTROL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (sqlite_target_execute(database, database->control, write ? "BEGIN IMMEDIATE" : "BEGIN",
                              ERROR_TARGET_WRITE, error) != STATUS_OK) {
        sqlite_turn_give(database);
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

enum status sqlite_control_end(struct sqlite_database *database, enum status status,
                               struct error *error)
{
    if (status == STATUS_OK) {
        status =
            sqlite_target_execute(database, database->control, "COMMIT", ERROR_TARGET_WRITE, error);
    }
    if (!sqlite3_get_autocommit(database->control)) {
        sqlite3_exec(database->control, "ROLLBACK", NULL, NULL, NULL);
    }
    sqlite_turn_give(database);
    return status;
}
