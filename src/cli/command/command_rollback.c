/* transhume rollback: takes a run back. */
#include "cli/cli.h"

#include "engine/rollback/rollback.h"

static int refuse_without_run(void)
{
    struct error error = {0};
    error_set(&error, ERROR_USAGE, "rollback", "needs --run ID");
    error_hint(&error, "`transhume status` shows the id of the newest run; older ones are the "
                       "folders in .transhume/runs");
    return cli_fail(NULL, &error);
}

static int already(struct cli_call *call, const char *run_id)
{
    struct buffer out = {0};
    if (cli_switch(call, CLI_JSON)) {
        buffer_append_string(&out, "{\"format\":1,\"run\":");
        cli_append_json_text(&out, run_id);
        buffer_append_string(&out, ",\"already\":true,\"tables\":[]}\n");
    } else {
        buffer_format(&out, "run %s is rolled back already\n", run_id);
    }
    return cli_finish(&out, EXIT_DONE);
}

static int command_rollback_act(struct cli_call *call, struct rollback *rollback,
                                const struct rollback_report *report)
{
    struct error error = {0};
    struct buffer out = {0};
    if (cli_switch(call, CLI_DRY_RUN)) {
        cli_append_rollback(call, report, true, &out);
        return cli_finish(&out, EXIT_DONE);
    }
    cli_warn_of_rollback(report);
    if (!cli_is_confirmed(call, "This undoes what the run wrote.")) {
        error_set(&error, ERROR_USAGE, report->run_id, "rollback removes what the run wrote");
        error_hint(&error, "Say --confirm if that is wanted; --dry-run says what would be done.");
        return cli_fail(call, &error);
    }
    enum status status = rollback_run(rollback, &error);
    if (status == STATUS_OK) {
        cli_append_rollback(call, report, false, &out);
        return cli_finish(&out, cli_rollback_differing(report) > 0 ? EXIT_ATTENTION : EXIT_DONE);
    }
    return cli_fail_rollback(call, report, status, &error);
}

int command_rollback(struct cli_call *call)
{
    struct error error = {0};
    struct rollback *rollback;
    const struct rollback_report *report;
    struct rollback_options options;
    if (cli_text(call, CLI_RUN) == NULL) {
        return refuse_without_run();
    }
    if (cli_rollback_begin(call, &options, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    enum status status = rollback_open(&options, &rollback, &error);
    if (status == STATUS_END) {
        return already(call, options.run_id);
    }
    if (status != STATUS_OK) {
        return cli_fail(call, &error);
    }
    int exit_status = rollback_look(rollback, &report, &error) == STATUS_OK
                          ? command_rollback_act(call, rollback, report)
                          : cli_fail(call, &error);
    rollback_close(rollback);
    return exit_status;
}
