/* transhume resume: goes on with an unfinished run. */
#include "cli/cli.h"

#include "base/signals.h"
#include "cli/run_end.h"
#include "cli/way_back.h"

int command_resume(struct cli_call *call)
{
    struct error error = {0};
    struct run_session *session = NULL;
    const char *plan_path;
    int exit_status;
    if (cli_switch(call, CLI_RESYNC)) {
        return command_follow(call);
    }
    if (cli_find_plan_of_run(call, &plan_path, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (way_back_refuse(cli_state_folder(call, plan_path), &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (run_is_unfinished_mirror(cli_state_folder(call, plan_path))) {
        call->mirrors = true;
        return command_mirror(call, plan_path);
    }
    signals_setup();
    run_end_set_log_level(call);
    if (cli_open_session(call, plan_path, &session, &exit_status) != STATUS_OK) {
        return exit_status;
    }
    struct run_result result = {0};
    enum status status = run_resume(session, &result, &error);
    status = cli_go_on(call, plan_path, status, &session, &result, &error, &exit_status);
    if (status == STATUS_END) {
        return exit_status;
    }
    exit_status = run_end(call, session, status, &result, &error);
    return cli_end_with_deletes(call, plan_path, session, exit_status);
}
