/* transhume follow: applies the source's changes, also after the source has lost the feed. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/signals.h"
#include "cli/run_end.h"
#include "cli/way_back.h"
#include "verify/verify.h"
#include <inttypes.h>

/* One attempt at the run, for this step of a resync; 0: done. */
static int take(struct cli_call *call, const char *plan_path, enum resync_choice choice)
{
    call->resync = choice;
    return run_end_step(call, plan_path, choice == RESYNC_END);
}

static void tell(const struct verify_result *result)
{
    uint64_t left = result->to_leave + result->to_keep + result->to_contradict;
    log_write(LOG_INFO, "resync: %" PRIu64 " records to write, %" PRIu64 " to delete",
              result->to_write, result->to_delete);
    if (left > 0) {
        log_write(LOG_WARNING,
                  "resync: %" PRIu64 " records differ that a repair does not put right: "
                  "`transhume validate` lists them",
                  left);
    }
}

/* The lists of what differs are in the state folder then. */
static int compare(struct cli_call *call, const char *plan_path, struct verify_result *result)
{
    struct error error = {0};
    struct run_session *session = NULL;
    const struct verify_options options = {.level = VERIFY_HASH,
                                           .plan_given = cli_text(call, CLI_PLAN) != NULL ||
                                                         call->argument_count == 2,
                                           .limit = 100,
                                           .repair = true,
                                           .lists = true,
                                           .delete_extra = true};
    int exit_status;
    call->resync = RESYNC_NOT;
    call->compares = true;
    enum status status = cli_open_session(call, plan_path, &session, &exit_status);
    call->compares = false;
    if (status != STATUS_OK) {
        return exit_status;
    }
    status = verify_run(session, &options, result, &error);
    run_close(session);
    if (status != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (result->exit_status == 4) {
        error_set(&error, ERROR_INTERRUPTED, "follow", "the resync was stopped on request");
        error_hint(&error, "`transhume follow --resync` begins it again");
        return cli_fail(call, &error);
    }
    tell(result);
    return 0;
}

int command_follow(struct cli_call *call)
{
    struct error error = {0};
    struct verify_result result = {0};
    const char *plan_path;
    if (!cli_switch(call, CLI_RESYNC)) {
        return command_resume(call);
    }
    if (cli_find_plan_of_run(call, &plan_path, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (way_back_refuse(cli_state_folder(call, plan_path), &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    signals_setup();
    run_end_set_log_level(call);
    int exit_status = take(call, plan_path, RESYNC_BEGIN);
    exit_status = exit_status == 0 ? compare(call, plan_path, &result) : exit_status;
    if (exit_status == 0) {
        call->found = &result;
        exit_status = take(call, plan_path, RESYNC_END);
        call->found = NULL;
    }
    verify_result_free(&result);
    return exit_status;
}
