/* transhume follow: applies the source's changes, also after the source has lost the feed. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "cli/run_end.h"
#include "cli/way_back.h"
#include "verify/verify.h"
#include <inttypes.h>

/* One attempt at the run, with this command of the engine; 0: done. */
static int command_follow_take(struct cli_call *call, const char *plan_path,
                               enum run_command command)
{
    call->run_command = command;
    return run_end_step(call, plan_path, command == RUN_RESYNC_END);
}

static void command_follow_tell(const struct verify_result *result)
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

/* How often it is begun again, since somebody waited for a table that it had to read. */
enum { COMPARES_MAX = 6, COMPARE_PAUSE_MS = 500 };

/* Did it let go of the source's tables, so that the other one gets through? */
static bool gave_way(const struct error *error)
{
    return error->code == ERROR_SOURCE_LOCKED && error->class == ERROR_CLASS_STOP &&
           signals_stop_level() == 0;
}

/* 0 with STATUS_FAILED in `*status`: it failed as `error` says. */
static int compare_once(struct cli_call *call, const char *plan_path, struct verify_result *result,
                        enum status *status, struct error *error)
{
    struct run_session *session = NULL;
    const struct verify_options options = {.level = VERIFY_HASH,
                                           .plan_given = cli_text(call, CLI_PLAN) != NULL ||
                                                         call->argument_count == 2,
                                           .limit = 100,
                                           .repair = true,
                                           .lists = true,
                                           .delete_extra = true};
    int exit_status;
    call->run_command = RUN_BEGIN;
    call->compares = true;
    *status = cli_open_session(call, plan_path, &session, &exit_status);
    call->compares = false;
    if (*status != STATUS_OK) {
        return exit_status;
    }
    *status = verify_run(session, &options, result, error);
    run_close(session);
    return 0;
}

/* The lists of what differs are in the state folder then. */
static int command_follow_compare(struct cli_call *call, const char *plan_path,
                                  struct verify_result *result)
{
    struct error error = {0};
    enum status status = STATUS_OK;
    int exit_status = compare_once(call, plan_path, result, &status, &error);
    for (int i = 1; exit_status == EXIT_DONE && status == STATUS_FAILED && gave_way(&error) &&
                    i < COMPARES_MAX;
         i++) {
        log_write(LOG_WARNING, "%s%s: %s: the comparison lets go of the tables, and begins again",
                  error.context, error.object, error.message);
        clock_sleep_ms(COMPARE_PAUSE_MS);
        error_clear(&error);
        verify_result_free(result);
        exit_status = compare_once(call, plan_path, result, &status, &error);
    }
    if (exit_status != EXIT_DONE) {
        return exit_status;
    }
    if (status != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (result->exit_status == EXIT_INTERRUPTED) {
        error_set(&error, ERROR_INTERRUPTED, "follow", "the resync was stopped on request");
        error_hint(&error, "`transhume follow --resync` begins it again");
        return cli_fail(call, &error);
    }
    command_follow_tell(result);
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
    int exit_status = command_follow_take(call, plan_path, RUN_RESYNC);
    exit_status =
        exit_status == EXIT_DONE ? command_follow_compare(call, plan_path, &result) : exit_status;
    if (exit_status == EXIT_DONE) {
        call->found = &result;
        exit_status = command_follow_take(call, plan_path, RUN_RESYNC_END);
        call->found = NULL;
    }
    verify_result_free(&result);
    return exit_status;
}
