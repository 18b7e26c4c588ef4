/* The commands over the designer. */
#include "cli/cli.h"
#include "cli/design/command_analyze.h"
#include "cli/parts.h"

static const struct cli_run runs[] = {{"analyze", command_analyze}};

const struct cli_part cli_part_design = {.runs = runs, .count = sizeof runs / sizeof runs[0]};
