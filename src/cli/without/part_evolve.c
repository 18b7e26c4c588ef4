/* A program without schema evolution. */
#include "cli/parts.h"

const struct cli_part cli_part_evolve = {.runs = NULL};
