/* transhume migrate: a new run. */
#include "cli/cli.h"

#include "base/signals.h"
#include "cli/run_end.h"

int command_migrate(struct cli_call *call)
{
    struct error error = {0};
    struct run_session *session = NULL;
    const char *plan_path;
    int exit_status;
    if (cli_switch(call, CLI_DRY_RUN) && cli_text(call, CLI_REJECTS) != NULL) {
        error_set(&error, ERROR_USAGE, "migrate", "--dry-run does not try a reject file");
        error_hint(&error,
                   "Each record of --rejects FILE is checked while it is loaded; what still "
                   "does not fit is a reject again.");
        return cli_fail(call, &error);
    }
    enum status found = cli_text(call, CLI_REJECTS) == NULL
                            ? cli_find_plan(call, &plan_path, &error)
                            : cli_find_plan_of_run(call, &plan_path, &error);
    if (found != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (cli_switch(call, CLI_MIRROR)) {
        return command_mirror(call, plan_path);
    }
    signals_setup();
    run_end_set_log_level(call);
    if (cli_switch(call, CLI_RESTART) && !cli_switch(call, CLI_DRY_RUN)) {
        exit_status = cli_roll_back_unfinished(call, plan_path);
        if (exit_status != 0) {
            return exit_status;
        }
    }
    if (cli_open_session(call, plan_path, &session, &exit_status) != STATUS_OK) {
        return exit_status;
    }
    if (cli_switch(call, CLI_DRY_RUN)) {
        exit_status = cli_check(call, session, 0, true);
    } else {
        struct run_result result = {0};
        enum status status = run_migrate(session, &result, &error);
        status = cli_go_on(call, plan_path, status, &session, &result, &error, &exit_status);
        if (status == STATUS_END) {
            return exit_status;
        }
        exit_status = run_end(call, session, status, &result, &error);
        return cli_end_with_deletes(call, plan_path, session, exit_status);
    }
    run_close(session);
    return exit_status;
}
