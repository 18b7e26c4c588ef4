/* The functions that run the commands. They are apart from the table of commands (commands.c),
 * which help, completion and messages read. */
#include "cli/cli.h"
#include "cli/command/command_change.h"
#include "cli/command/command_schema.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(struct cli_call *call);
} runs[] = {
    {"init", command_init},
    {"analyze", command_analyze},
    {"check", command_check},
    {"diff", command_diff},
    {"migrate", command_migrate},
    {"resume", command_resume},
    {"follow", command_follow},
    {"cutover", command_cutover},
    {"status", command_status},
    {"validate", command_validate},
    {"rollback", command_rollback},
    {"report", command_report},
    {"serve", command_serve},
    {"finish", command_finish},
    {"reset", command_reset},
    {"grafana", command_grafana},
    {"alerts", command_alerts},
    {"connections", command_connections},
    {"connectors", command_connectors},
    {"help", command_help},
    {"version", command_version},
    {"complete", command_complete},
    {"failpoints", command_failpoints},
    {"schema up", command_schema_up},
    {"schema down", command_schema_down},
    {"schema status", command_schema_status},
    {"schema new", command_schema_new},
    {"schema lint", command_schema_lint},
    {"schema diff", command_schema_diff},
    {"schema drift", command_schema_drift},
    {"schema dump", command_schema_dump},
    {"schema import", command_schema_import},
    {"schema baseline", command_schema_baseline},
    {"schema repair", command_schema_repair},
    {"change start", command_change_start},
    {"change status", command_change_status},
    {"change switch", command_change_switch},
    {"change complete", command_change_complete},
    {"change abort", command_change_abort},
    {"change skip", command_change_skip},
    {"change run", command_change_run},
    {"change check", command_change_check},
};

int cli_command_run(struct cli_call *call)
{
    size_t at = 0;
    while (at < sizeof runs / sizeof runs[0] && strcmp(runs[at].name, call->command->name) != 0) {
        at++;
    }
    assert(at < sizeof runs / sizeof runs[0]);
    return runs[at].run(call);
}
