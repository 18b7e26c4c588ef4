/* transhume serve: the dashboard of state folders, until it is stopped. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include "observe/dashboard/dashboard.h"

enum { STEP_MS = 1000 };

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

int command_serve(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    struct dashboard *dashboard = NULL;
    const char *address = cli_text(call, CLI_DASHBOARD);
    const char *folders[CLI_ARGUMENTS_MAX] = {".transhume"};
    for (uint32_t i = 0; i < call->argument_count; i++) {
        folders[i] = state_folder_of(call->arguments[i], call->arena);
    }
    const struct dashboard_options options = {
        .address = address != NULL ? address : address_default,
        .folders = folders,
        .folder_count = call->argument_count > 0 ? call->argument_count : 1,
        .token = cli_text(call, CLI_TOKEN),
        .allow_control = cli_switch(call, CLI_ALLOW_CONTROL)};
    signals_setup();
    if (dashboard_start(&options, &dashboard, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    buffer_format(&out, "dashboard: %s\n", dashboard_url(dashboard));
    enum status status = cli_print(&out, &error);
    while (status == STATUS_OK && signals_stop_level() == 0) {
        dashboard_tick(dashboard);
        clock_sleep_ms(STEP_MS);
    }
    dashboard_stop(dashboard);
    return status == STATUS_OK ? cli_finish(&out, 0) : cli_fail(call, &error);
}
