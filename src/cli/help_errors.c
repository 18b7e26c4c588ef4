/* Tables of the meanings of exit statuses and error codes. */
#include "cli/help.h"

#include <string.h>

static const struct help_exit_status exit_statuses[] = {
    {0, "done"},
    {1, "finished, but needs attention: rejects, broken foreign keys, differences"},
    {2, "wrong usage, plan or configuration; nothing was touched"},
    {3, "failed; `transhume resume` continues once the cause is fixed"},
    {4, "interrupted; `transhume resume` continues"},
    {5, "refused for safety: the target holds data, another process has the run, …"},
};

const struct help_exit_status *help_exit_statuses(uint32_t *count)
{
    *count = sizeof(exit_statuses) / sizeof(exit_statuses[0]);
    return exit_statuses;
}

struct error_help {
    const char *causes;
    const char *advice;
};

static const struct error_help error_helps[ERROR_CODE_COUNT] = {
#define ERROR_HELP(name, causes, advice) [ERROR_##name] = {causes, advice},
#include "cli/error_help.def"
#undef ERROR_HELP
};

const char *help_error_causes(enum error_code code)
{
    return error_helps[code].causes;
}

const char *help_error_advice(enum error_code code)
{
    return error_helps[code].advice;
}

enum error_code help_error_by_name(const char *name)
{
    for (int code = 1; code < ERROR_CODE_COUNT; code++) {
        if (strcmp(error_describe((enum error_code)code)->name, name) == 0) {
            return (enum error_code)code;
        }
    }
    return ERROR_CODE_COUNT;
}
