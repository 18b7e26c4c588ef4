/* transhume complete: words for a shell's completion, one a line. It says nothing of failures:
 * there are no words then. */
#include "cli/cli.h"

#include "cli/help.h"
#include "connectors/common/registry.h"
#include "plan/text/connections.h"
#include <string.h>

static void append_connections(struct cli_call *call, struct buffer *out)
{
    struct connection *list;
    struct error ignored;
    const char *path;
    uint32_t count;
    if (connections_list(call->arena, &list, &count, &path, &ignored) != STATUS_OK) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, "@%s\n", list[i].name);
    }
}

static void append_runs(struct cli_call *call, struct buffer *out)
{
    const char **ids;
    struct error ignored;
    uint32_t count;
    if (run_ids(cli_state_folder(call, NULL), call->arena, &ids, &count, &ignored) != STATUS_OK) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, "%s\n", ids[i]);
    }
}

static void append_schemes(struct cli_call *call, struct buffer *out)
{
    const char *const *schemes = registry_schemes(call->arena);
    for (; *schemes != NULL; schemes++) {
        buffer_format(out, "%s:\n", *schemes);
    }
}

static void append_errors(struct cli_call *call, struct buffer *out)
{
    (void)call;
    for (int code = 1; code < ERROR_CODE_COUNT; code++) {
        buffer_format(out, "%s\n", error_describe((enum error_code)code)->name);
    }
}

static const struct complete_kind {
    const char *name;
    void (*append)(struct cli_call *call, struct buffer *out);
} kinds[] = {{"connections", append_connections},
             {"runs", append_runs},
             {"schemes", append_schemes},
             {"errors", append_errors}};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

int command_complete(struct cli_call *call)
{
    struct buffer out = {0};
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kinds[i].name, call->arguments[0]) == 0) {
            kinds[i].append(call, &out);
            return cli_finish(&out, EXIT_DONE);
        }
    }
    struct error error = {0};
    error_set(&error, ERROR_USAGE, call->arguments[0], "is nothing that can be completed");
    error_hint(&error, "there are connections, runs, schemes and errors");
    return cli_fail(call, &error);
}
