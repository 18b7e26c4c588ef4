/* The commands over schema evolution. */
#include "cli/cli.h"
#include "cli/evolve/command_change.h"
#include "cli/evolve/command_schema.h"
#include "cli/parts.h"

static const struct cli_run runs[] = {
    {"diff", command_diff},
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

const struct cli_part cli_part_evolve = {.runs = runs,
                                         .count = sizeof runs / sizeof runs[0],
                                         .failpoints = {schema_failpoints, change_failpoints}};
