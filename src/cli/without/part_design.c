/* A program without the designer. */
#include "cli/parts.h"

const struct cli_part cli_part_design = {.runs = NULL};
