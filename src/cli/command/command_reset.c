/* transhume reset: forgets the local state. */
#include "cli/cli.h"

int command_reset(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    const char *folder = cli_state_folder(call, cli_text(call, CLI_PLAN));
    if (!cli_switch(call, CLI_CONFIRM)) {
        error_set(&error, ERROR_USAGE, folder, "reset forgets this state, rejects included");
        error_hint(&error, "Say --confirm if that is wanted. Source and target stay as they are.");
        return cli_fail(call, &error);
    }
    enum status status = run_state_reset(folder, &out, &error);
    if (status == STATUS_FAILED) {
        buffer_free(&out);
        return cli_fail(call, &error);
    }
    if (status == STATUS_END) {
        buffer_format(&out, "there is no state in %s: nothing to forget\n", folder);
    }
    return cli_finish(&out, EXIT_DONE);
}
