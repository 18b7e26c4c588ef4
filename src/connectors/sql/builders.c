/* Waiting for what a server still builds for a process that is gone. */
#include "connectors/sql/builders.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_EACH_MS = 100 };

static void say(const struct sql_built *built, void (*progress)(const char *what))
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

bool sql_run_builds_on(const struct target_table *table)
{
    return table->created || table->rebuilds_indexes;
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
            say(&built, progress);
            said = built;
        }
        clock_sleep_ms(LOOK_EACH_MS);
    }
    return STATUS_FAILED;
}
