/* Waiting for what a server still builds for a process that is gone; making views that stand on
 * views, and functions on types: found by trying. */
#include "connectors/sql/builders.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_EACH_MS = 100 };

static void builders_say(const struct sql_built *built, void (*progress)(const char *what))
{
    char printable[160];
    char line[200];
    text_printable(built->table->name, strlen(built->table->name), printable, sizeof printable);
    snprintf(line, sizeof line, "what session %" PRIu64 " builds on %s", built->session, printable);
    log_write(LOG_INFO, "waiting for %s", line);
    if (progress != NULL) {
        progress(line);
    }
}

bool sql_run_builds_on(const struct after_load_request *request, const struct target_table *table)
{
    return table->created || request->rebuilds_indexes;
}

enum status sql_await_builders(sql_find_built find, void *context, const char *shown,
                               void (*progress)(const char *what), struct error *error)
{
    struct sql_built built = {0};
    struct sql_built said = {0};
    while (find(context, &built, error) == STATUS_OK) {
        if (built.table == NULL) {
            return STATUS_OK;
        }
        if (signals_stop_level() > 0) {
            return error_set(error, ERROR_INTERRUPTED, shown,
                             "stopped on request while another session was building");
        }
        if (built.table != said.table || built.session != said.session) {
            builders_say(&built, progress);
            said = built;
        }
        clock_sleep_ms(LOOK_EACH_MS);
    }
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- things that may stand on each
 * other */

/* `*progress`: one was made while others are left. */
static enum status go_round(uint32_t count, bool *done, bool *progress, sql_attempt attempt,
                            void *context)
{
    bool made = false;
    bool left = false;
    for (uint32_t i = 0; i < count; i++) {
        if (done[i]) {
            continue;
        }
        enum status status = attempt(context, i, false);
        if (status == STATUS_FAILED) {
            return status;
        }
        done[i] = status != STATUS_AGAIN;
        made |= status == STATUS_OK;
        left |= status == STATUS_AGAIN;
    }
    *progress = made && left;
    return STATUS_OK;
}

enum status sql_make_in_rounds(uint32_t count, bool tells, sql_attempt attempt, void *context,
                               struct error *error)
{
    bool *done = memory_allocate_zeroed((size_t)count + 1, sizeof *done);
    enum status status = STATUS_OK;
    (void)error;
    bool progress = true;
    while (status == STATUS_OK && progress) {
        status = go_round(count, done, &progress, attempt, context);
    }
    for (uint32_t i = 0; tells && status != STATUS_FAILED && i < count; i++) {
        status = done[i] ? STATUS_OK : attempt(context, i, true);
    }
    free(done);
    return status == STATUS_FAILED ? status : STATUS_OK;
}
