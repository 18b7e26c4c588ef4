/* transhume check: everything that can be known before a run. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/state_view.h"
#include "engine/follow/cutover/fence.h"

/* On standard error: what a cut-over left is no matter of the plan. */
static void warn_of_fence(struct cli_call *call, const char *plan_path)
{
    bool sealed;
    struct buffer line = {0};
    struct buffer placed = {0};
    const char *folder = cli_state_folder(call, plan_path);
    int64_t since_us = fence_look(folder, &sealed);
    if (since_us == 0) {
        return;
    }
    bool running = file_is_locked(file_join(call->arena, folder, "lock"));
    state_view_append_fence(since_us, sealed, running, &line);
    line.length -= 1; /* the line's end, which the log has itself */
    line.data[line.length] = '\0';
    cli_append_placed(call, buffer_string(&line), &placed);
    log_write(LOG_WARNING, "%s", buffer_string(&placed));
    buffer_free(&line);
    buffer_free(&placed);
}

int command_check(struct cli_call *call)
{
    struct error error = {0};
    struct run_session *session = NULL;
    const char *plan_path;
    int exit_status;
    if (cli_find_plan(call, &plan_path, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    warn_of_fence(call, plan_path);
    if (cli_open_session(call, plan_path, &session, &exit_status) == STATUS_OK) {
        const struct cli_value *sample = &call->values[CLI_SAMPLE];
        exit_status = cli_check(call, session, (uint32_t)sample->number, false);
    }
    run_close(session);
    return exit_status;
}
