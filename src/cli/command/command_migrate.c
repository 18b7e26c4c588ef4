/* transhume migrate: a new run. */
#include "cli/cli.h"

#include "base/signals.h"
#include "base/text.h"
#include "cli/run_end.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* For people at a terminal, above the bars: a line is cut rather than folded. */
static void tell_decided(const struct cli_call *call, const struct run_session *session)
{
    const struct cli_value *progress = &call->values[CLI_PROGRESS];
    uint32_t columns = cli_terminal_columns(STDERR_FILENO);
    struct buffer out = {0};
    bool shows =
        !progress->is_set || progress->number == PROGRESS_AUTO || progress->number == PROGRESS_BAR;
    if ((columns == 0 && !cli_switch(call, CLI_VERBOSE)) || !shows || cli_switch(call, CLI_QUIET)) {
        return;
    }
    run_decided(session, &out);
    for (const char *at = buffer_string(&out); *at != '\0';) {
        char line[512];
        size_t length = strcspn(at, "\n");
        size_t room = columns > 0 && columns < sizeof line ? columns : sizeof line;
        text_printable(at, length, line, room);
        dprintf(STDERR_FILENO, "%s\n", line);
        at += length + (at[length] == '\n');
    }
    buffer_free(&out);
}

/* --resume: tells whether the state folder knows a run. STATUS_FAILED: another switch says the
 * opposite, or the folder can't be read. */
static enum status known_run_find(struct cli_call *call, const char *plan_path, bool *known,
                                  struct error *error)
{
    *known = false;
    if (!cli_switch(call, CLI_RESUME)) {
        return STATUS_OK;
    }
    static const enum cli_option_id against[] = {CLI_RESTART, CLI_DRY_RUN, CLI_MIRROR};
    for (size_t i = 0; i < sizeof against / sizeof against[0]; i++) {
        if (cli_switch(call, against[i])) {
            error_set(error, ERROR_USAGE, "--resume", "can't be given with --%s",
                      cli_option_at(against[i])->name);
            return STATUS_FAILED;
        }
    }
    return run_is_known(cli_state_folder(call, plan_path), known, error);
}

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
    bool goes_on;
    if (known_run_find(call, plan_path, &goes_on, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (goes_on) {
        return command_resume(call);
    }
    if (cli_switch(call, CLI_MIRROR)) {
        return command_mirror(call, plan_path);
    }
    signals_setup();
    run_end_set_log_level(call);
    if (cli_switch(call, CLI_RESTART) && !cli_switch(call, CLI_DRY_RUN)) {
        exit_status = cli_roll_back_unfinished(call, plan_path);
        if (exit_status != EXIT_DONE) {
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
        tell_decided(call, session);
        enum status status = run_migrate(session, &result, &error);
        if (status == STATUS_FAILED && error.code == ERROR_RUN_UNFINISHED &&
            cli_switch(call, CLI_RESUME)) {
            run_close(session); /* the ledger in the target knows it, and no state folder here */
            return command_resume(call);
        }
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
