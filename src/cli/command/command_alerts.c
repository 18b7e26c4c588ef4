/* transhume alerts: who is told of trouble, and whether that works. */
#include "cli/cli.h"

#include "base/file.h"
#include "observe/alert/alert_center.h"
#include <string.h>
#include <unistd.h>

/* NULL: the call knows none. */
static const char *find_plan(struct cli_call *call)
{
    const char *path = cli_text(call, CLI_PLAN);
    if (path != NULL || (call->argument_count == 2 && call->command->place != IN_ALERTS)) {
        return path;
    }
    struct error both = {0};
    if (cli_plan_here(&path, &both) != STATUS_OK || path != NULL) {
        return path; /* that there are two is told where the plan is read */
    }
    return file_join(call->arena, cli_state_folder(call, NULL), "plan.yaml");
}

enum status cli_read_alerts(struct cli_call *call, const struct alert_config **config,
                            struct buffer *faults, struct error *error)
{
    struct alert_config *made = arena_allocate_zeroed(call->arena, 1, sizeof(*made));
    const char *file = cli_text(call, CLI_ALERTS);
    const char *notify = cli_text(call, CLI_NOTIFY);
    const char *path = file != NULL ? file : find_plan(call);
    *config = made;
    if (path != NULL &&
        alert_config_read(made, path, file == NULL, call->arena, faults, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return notify == NULL ? STATUS_OK : alert_config_add_notify(made, notify, call->arena, error);
}

int command_alerts(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    const struct alert_config *config;
    if (strcmp(call->arguments[0], "test") != 0) {
        error_set(&error, ERROR_USAGE, call->arguments[0], "is nothing that `alerts` does");
        error_hint(&error, "`transhume alerts test` is");
        return cli_fail(call, &error);
    }
    if (cli_read_alerts(call, &config, &out, &error) != STATUS_OK) {
        int exit_status = cli_fail_with_faults(call, &out, &error);
        buffer_free(&out);
        return exit_status;
    }
    if (alert_config_check(config, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (config->count == 0) {
        error_set(&error, ERROR_USAGE, "alerts", "nobody is told of anything");
        error_hint(&error, "--alerts FILE, `alerts:` in the plan or --notify WHERE say who is");
        return cli_fail(call, &error);
    }
    uint32_t failed = alert_center_test(config, &out);
    return cli_finish(&out, failed > 0 ? EXIT_FAILED : EXIT_DONE);
}
