/* transhume validate: what the plan makes of the source against what the target holds. */
#include "cli/cli.h"

#include "base/signals.h"
#include "cli/run_end.h"
#include "verify/verify.h"

enum { SAMPLE_DEFAULT = 100, LIMIT_DEFAULT = 100 };

static void take_options(const struct cli_call *call, struct verify_options *options)
{
    const struct cli_value *values = call->values;
    *options = (struct verify_options){
        .level = values[CLI_LEVEL].is_set ? (enum verify_level)values[CLI_LEVEL].number
                                          : VERIFY_HASH, /* the same order */
        .sample = values[CLI_SAMPLE].is_set ? (uint32_t)values[CLI_SAMPLE].number : SAMPLE_DEFAULT,
        .seed = values[CLI_SEED].is_set ? (uint64_t)values[CLI_SEED].number : 0,
        .limit = values[CLI_LIMIT].is_set ? (uint32_t)values[CLI_LIMIT].number : LIMIT_DEFAULT,
        .plan_given = cli_text(call, CLI_PLAN) != NULL || call->argument_count == 2,
        .repair = cli_switch(call, CLI_REPAIR),
        .delete_extra = cli_switch(call, CLI_DELETE_EXTRA),
        .push_down = cli_switch(call, CLI_PUSH_DOWN),
    };
    if (values[CLI_SAMPLE].is_set && !values[CLI_LEVEL].is_set) {
        options->level = VERIFY_SAMPLE;
    }
}

static enum status check_options(const struct cli_call *call, const struct verify_options *options,
                                 struct error *error)
{
    if (options->delete_extra && !options->repair) {
        error_set(error, ERROR_USAGE, "--delete-extra", "goes with --repair");
        return error_hint(error, "without --repair nothing is changed");
    }
    if (options->delete_extra && !cli_switch(call, CLI_CONFIRM)) {
        error_set(error, ERROR_USAGE, "--delete-extra",
                  "takes records out of the target and needs --confirm");
        return error_hint(error, "look at them first: `transhume validate` lists the extra ones");
    }
    if (options->repair && options->level < VERIFY_HASH) {
        error_set(error, ERROR_USAGE, "--repair", "has to look at every record");
        return error_hint(error, "leave --level out, or say --level full");
    }
    if (options->push_down && options->level != VERIFY_HASH) {
        error_set(error, ERROR_USAGE, "--push-down", "goes with level hash");
        return error_hint(error, options->level == VERIFY_FULL
                                     ? "level full compares bytes, which have to be read"
                                     : "leave --level and --sample out");
    }
    return STATUS_OK;
}

int command_validate(struct cli_call *call)
{
    struct error error = {0};
    struct run_session *session = NULL;
    struct verify_options options;
    struct verify_result result = {0};
    const char *plan_path;
    int exit_status;
    take_options(call, &options);
    if (check_options(call, &options, &error) != STATUS_OK ||
        cli_find_plan_of_run(call, &plan_path, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    signals_setup();
    run_end_set_log_level(call);
    if (cli_open_session(call, plan_path, &session, &exit_status) != STATUS_OK) {
        return exit_status;
    }
    enum status status = verify_run(session, &options, &result, &error);
    exit_status = cli_end_validation(call, session, status, &result, &error);
    verify_result_free(&result);
    run_close(session);
    return exit_status;
}
