/* transhume serve: the dashboard of state folders and of a ledger, until it is stopped. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include "engine/state/ledger_history.h"
#include "observe/dashboard/dashboard.h"
#include <errno.h>
#include <stdlib.h>

enum { STEP_MS = 1000, LEDGER_STEP_MS = 5000, LEDGER_PART = 20 };

/* The ledger that --ledger names, as a folder that is made for it. */
struct ledger_folder {
    const char *uri; /* NULL: there is none */
    char *folder;
    const char *shown; /* the URI without secrets */
    int64_t next_ms;   /* monotonic: when it is read again */
    bool failed;       /* said once */
};

static const char address_default[] = "127.0.0.1:9400";

/* The state folder that a name means: a folder that has one in it stands for that. */
static const char *state_folder_of(const char *name, struct arena *arena)
{
    const char *inside = file_join(arena, name, ".transhume");
    bool is_one = file_exists(file_join(arena, name, "run.json"));
    const char *folder = !is_one && file_exists(inside) ? inside : name;
    if (!file_exists(folder)) {
        log_write(LOG_WARNING, "there is no %s yet; a run that begins there will be shown", folder);
    }
    return folder;
}

static enum status make_ledger_folder(struct ledger_folder *ledger, struct arena *arena,
                                      struct error *error)
{
    const char *parent = getenv("TMPDIR");
    char *folder = arena_format(arena, "%s/transhume-ledger-XXXXXX",
                                parent != NULL && parent[0] != '\0' ? parent : "/tmp");
    if (mkdtemp(folder) == NULL) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, folder, "can't make a folder");
    }
    ledger->folder = folder;
    return ledger_history_write(ledger->uri, folder, arena, &ledger->shown, error);
}

/* Now and then, so that it costs the database a twentieth of the time at most. */
static void read_ledger(struct ledger_folder *ledger)
{
    struct error error;
    const char *shown;
    int64_t begun_ms = clock_monotonic_ms();
    if (ledger->uri == NULL || begun_ms < ledger->next_ms) {
        return;
    }
    struct arena *arena = arena_create(0);
    bool failed =
        ledger_history_write(ledger->uri, ledger->folder, arena, &shown, &error) != STATUS_OK;
    arena_destroy(arena);
    if (failed && !ledger->failed) {
        log_write(LOG_WARNING, "the ledger is not read: %s: %s", error.object, error.message);
    }
    ledger->failed = failed;
    int64_t now_ms = clock_monotonic_ms();
    int64_t pause_ms = LEDGER_PART * (now_ms - begun_ms);
    ledger->next_ms = now_ms + (pause_ms > LEDGER_STEP_MS ? pause_ms : LEDGER_STEP_MS);
}

static void remove_ledger_folder(const struct ledger_folder *ledger)
{
    struct error ignored;
    if (ledger->folder != NULL && file_remove_tree(ledger->folder, &ignored) != STATUS_OK) {
        log_write(LOG_WARNING, "%s stays: %s", ledger->folder, ignored.message);
    }
}

int command_serve(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    struct dashboard *dashboard = NULL;
    const char *address = cli_text(call, CLI_DASHBOARD);
    const char *folders[CLI_ARGUMENTS_MAX + 1] = {".transhume"};
    uint32_t count = call->argument_count > 0 ? call->argument_count : 1;
    struct ledger_folder ledger = {.uri = cli_text(call, CLI_LEDGER)};
    for (uint32_t i = 0; i < call->argument_count; i++) {
        folders[i] = state_folder_of(call->arguments[i], call->arena);
    }
    if (ledger.uri != NULL) {
        if (make_ledger_folder(&ledger, call->arena, &error) != STATUS_OK) {
            remove_ledger_folder(&ledger);
            return cli_fail(call, &error);
        }
        folders[count++] = ledger.folder;
    }
    const struct dashboard_options options = {
        .address = address != NULL ? address : address_default,
        .folders = folders,
        .folder_count = count,
        .ledger = ledger.shown,
        .token = cli_text(call, CLI_TOKEN),
        .metrics_token = cli_text(call, CLI_METRICS_TOKEN),
        .tls = {cli_text(call, CLI_TLS_CERT), cli_text(call, CLI_TLS_KEY)},
        .allow_control = cli_switch(call, CLI_ALLOW_CONTROL)};
    signals_setup();
    if (dashboard_start(&options, &dashboard, &error) != STATUS_OK) {
        remove_ledger_folder(&ledger);
        return cli_fail(call, &error);
    }
    buffer_format(&out, "dashboard: %s\n", dashboard_url(dashboard));
    enum status status = cli_print(&out, &error);
    while (status == STATUS_OK && signals_stop_level() == 0) {
        dashboard_tick(dashboard);
        read_ledger(&ledger);
        clock_sleep_ms(STEP_MS);
    }
    dashboard_stop(dashboard);
    remove_ledger_folder(&ledger);
    return status == STATUS_OK ? cli_finish(&out, EXIT_DONE) : cli_fail(call, &error);
}
