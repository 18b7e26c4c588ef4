/* The functions that run the commands. They are apart from the table of commands (commands.c),
 * which help, completion and messages read. */
#include "cli/cli.h"
#include "cli/parts.h"

#include <string.h>

static const struct cli_run runs[] = {
    {"init", command_init},
    {"check", command_check},
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
};

static const struct cli_part core = {.runs = runs, .count = sizeof runs / sizeof runs[0]};

int cli_command_run(struct cli_call *call)
{
    const struct cli_part *const parts[] = {&core, &cli_part_design, &cli_part_evolve};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (size_t at = 0; at < parts[i]->count; at++) {
            if (strcmp(parts[i]->runs[at].name, call->command->name) == 0) {
                return parts[i]->runs[at].run(call);
            }
        }
    }
    struct error error = {0};
    error_set(&error, ERROR_USAGE, call->command->name, "this program was built without it");
    error_hint(&error, "`make` without WITHOUT= builds all of it");
    return cli_fail(call, &error);
}
