/* Ending the sessions of a process that a run is taken over from. */
#include "connectors/sql/sessions.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "connectors/sql/undo.h"
#include <inttypes.h>
#include <stdio.h>

enum { LOOK_EACH_MS = 20, NAME_BYTES = 320, SHOWN_MAX = 4, SHOWN_BYTES = 60 };

uint64_t sql_sessions_key(const char *schema, const char *run_id, uint64_t epoch)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s %" PRIu64 " %s", run_id, epoch, schema);
    return sql_name_hash(name);
}

/* `why`: what the server said when it was to end the last of them. */
static enum status still_there(const struct sql_ending *ending, const uint64_t *numbers,
                               uint32_t count, const struct error *why, struct error *error)
{
    char words[SHOWN_MAX * SHOWN_BYTES] = "";
    size_t length = 0;
    bool refused = why->code != ERROR_NONE;
    for (uint32_t i = 0; i < count && i < SHOWN_MAX; i++) {
        length +=
            (size_t)snprintf(words + length, sizeof words - length, "%s%s%" PRIu64 "%s",
                             i > 0 ? "; " : "", ending->words[0], numbers[i], ending->words[1]);
    }
    error_set(error, ERROR_RUN_HELD, ending->shown,
              "%u %s of the process that worked on this run %s not end%s%s", count,
              count == 1 ? "session" : "sessions", count == 1 ? "does" : "do", refused ? ": " : "",
              refused ? why->message : "");
    error_hint(
        error,
        "end that process, or its sessions as somebody who may: `%s`%s; then take the run over again",
        words, count > SHOWN_MAX ? " and so on" : "");
    return STATUS_FAILED;
}

enum status sql_end_sessions(const struct sql_ending *ending, struct error *error)
{
    uint64_t numbers[SQL_SESSIONS_MAX];
    uint32_t count = 0;
    int64_t end = clock_monotonic_ms() + ending->timeout_ms;
    bool said = false;

    while (ending->find(ending->context, numbers, &count, error) == STATUS_OK) {
        struct error why = {0};
        for (uint32_t i = 0; i < count; i++) {
            (void)!ending->end(ending->context, numbers[i], &why);
        }
        if (count == 0) {
            return STATUS_OK;
        }
        if (!said) {
            log_write(LOG_INFO, "ending %u sessions of the process that worked on this run", count);
            said = true;
        }
        if (signals_stop_level() > 0) {
            return error_set(error, ERROR_INTERRUPTED, ending->shown,
                             "stopped on request while another process's sessions were ended");
        }
        if (clock_monotonic_ms() >= end) {
            return still_there(ending, numbers, count, &why, error);
        }
        clock_sleep_ms(LOOK_EACH_MS);
    }
    return STATUS_FAILED;
}
