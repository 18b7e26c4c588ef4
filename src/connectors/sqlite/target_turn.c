/* Turns at writing: the control thread and the writer of one process never poll against each
 * other. */
#include "base/clock.h"
#include "connectors/sqlite/target_internal.h"

enum status sqlite_turn_take(struct sqlite_database *database, enum sqlite_turn turn,
                             struct error *error)
{
    struct sqlite_target_state *state = database->target;
    int64_t until_ns = clock_monotonic_ns() + database->timeout_ms * 1000000;
    bool control = turn == SQLITE_TURN_CONTROL;
    bool in_time = true;

    pthread_mutex_lock(&state->mutex);
    state->control_waiting += control;
    while (in_time && (state->held || (!control && state->control_waiting > 0))) {
        in_time = condition_wait_until(&state->freed, &state->mutex, until_ns);
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
        return error_set(error, ERROR_TARGET_LOCKED, database->sql.shown,
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
