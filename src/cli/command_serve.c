/* transhume serve: the dashboard of state folders, until it is stopped. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/signals.h"
#include "observe/dashboard/dashboard.h"

enum { STEP_MS = 1000 };

static const char address_default[] = "127.0.0.1:9400";

int command_serve(struct cli_call *call)
{
    static const char *const here = ".transhume";
    struct error error = {0};
    struct buffer out = {0};
    struct dashboard *dashboard = NULL;
    const char *address = cli_text(call, CLI_DASHBOARD);
    bool named = call->argument_count > 0;
    const struct dashboard_options options = {.address =
                                                  address != NULL ? address : address_default,
                                              .folders = named ? call->arguments : &here,
                                              .folder_count = named ? call->argument_count : 1,
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
