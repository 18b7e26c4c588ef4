/* transhume check: everything that can be known before a run. */
#include "cli/cli.h"

int command_check(struct cli_call *call)
{
    struct error error = {0};
    struct run_session *session = NULL;
    const char *plan_path;
    int exit_status;
    if (cli_find_plan(call, &plan_path, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (cli_open_session(call, plan_path, &session, &exit_status) == STATUS_OK) {
        const struct cli_value *sample = &call->values[CLI_SAMPLE];
        exit_status = cli_check(call, session, (uint32_t)sample->number, false);
    }
    run_close(session);
    return exit_status;
}
