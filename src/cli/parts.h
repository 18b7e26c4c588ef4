/*
 * Parts of the program that a build can leave out: the designer and schema evolution (`make
 * WITHOUT=design,evolve`). Each part is defined twice: in cli/PART/, over the part's library, and
 * in cli/without/, empty; the build takes one of the two. The table of commands, help and
 * completion are the same in both.
 */
#ifndef TRANSHUME_CLI_PARTS_H
#define TRANSHUME_CLI_PARTS_H

#include <stddef.h>

struct cli_call;

struct cli_run {
    const char *name; /* of the command */
    int (*run)(struct cli_call *call);
};

struct cli_part {
    const struct cli_run *runs; /* NULL: the build left it out */
    size_t count;
    const char *const *(*failpoints[2])(void); /* lists of names, each ended by NULL */
};

extern const struct cli_part cli_part_design; /* `analyze` */
extern const struct cli_part cli_part_evolve; /* `schema`, `change`, `diff` */

#endif
