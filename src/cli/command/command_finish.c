/* transhume finish: drops the ledger. */
#include "cli/cli.h"

#include "engine/rollback/rollback.h"

static void append_report(struct cli_call *call, const struct finish_report *report, bool dry_run,
                          struct buffer *out)
{
    bool json = cli_switch(call, CLI_JSON);
    if (json) {
        buffer_format(out, "{\"format\":1,\"dry_run\":%s,\"target\":", dry_run ? "true" : "false");
        cli_append_json_text(out, report->target);
        buffer_append_string(out, ",\"runs\":[");
    } else {
        buffer_format(out, "%s the ledger of %s, with the runs", dry_run ? "would drop" : "dropped",
                      report->target);
    }
    for (uint32_t i = 0; i < report->run_count; i++) {
        buffer_append_string(out, json ? (i == 0 ? "" : ",") : (i == 0 ? " " : ", "));
        if (json) {
            cli_append_json_text(out, report->runs[i]);
        } else {
            buffer_append_string(out, report->runs[i]);
        }
    }
    buffer_append_string(out, json ? "],\"doubt\":" : "\n");
    if (json) {
        cli_append_json_text(out, report->doubt);
        buffer_append_string(out, "}\n");
    } else if (report->doubt != NULL) {
        buffer_format(out, "all the same, since it is confirmed: %s\n", report->doubt);
    }
}

static int nothing(struct cli_call *call)
{
    struct buffer out = {0};
    buffer_append_string(&out, cli_switch(call, CLI_JSON)
                                   ? "{\"format\":1,\"runs\":[]}\n"
                                   : "there is no ledger in the target: nothing to drop\n");
    return cli_finish(&out, EXIT_DONE);
}

/* On a terminal: why it would be refused, before it is asked. */
static bool is_confirmed(struct cli_call *call, const char *doubt)
{
    const char *question =
        arena_format(call->arena, "%s. Nothing can be resumed or rolled back after this.", doubt);
    return cli_is_confirmed(call, question);
}

int command_finish(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    struct finish_report report;
    struct rollback_options options;
    bool dry_run = cli_switch(call, CLI_DRY_RUN);
    if (cli_rollback_begin(call, &options, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    enum status status =
        finish_run(&options, dry_run, cli_switch(call, CLI_CONFIRM), call->arena, &report, &error);
    if (status == STATUS_AGAIN && !dry_run && is_confirmed(call, report.doubt)) {
        status = finish_run(&options, false, true, call->arena, &report, &error);
    }
    if (status == STATUS_AGAIN) {
        error_set(&error, ERROR_FINISH_REFUSED, report.target, "%s", report.doubt);
        error_hint(&error,
                   "`transhume finish --confirm` drops the ledger all the same: nothing can "
                   "be resumed or rolled back then");
        return cli_fail(call, &error);
    }
    if (status != STATUS_OK) {
        bool untold = report.begun && error_exit_status(&error) == EXIT_USAGE;
        return status == STATUS_END ? nothing(call)
               : report.begun
                   ? cli_fail_begun(call, &error, untold ? "the same command continues" : NULL)
                   : cli_fail(call, &error);
    }
    append_report(call, &report, dry_run, &out);
    return cli_finish(&out, EXIT_DONE);
}
