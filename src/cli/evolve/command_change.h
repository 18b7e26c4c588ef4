/* Declarations that the subcommands of `change` share. */
#ifndef TRANSHUME_CLI_EVOLVE_COMMAND_CHANGE_H
#define TRANSHUME_CLI_EVOLVE_COMMAND_CHANGE_H

#include "cli/evolve/command_schema.h"
#include "evolve/evolve.h"

/* A call with its file and its database. */
struct change_call {
    struct schema_call schema;
    struct change_file file;
    struct change_options options;
    const char *word; /* of switch: "reads", "writes"; of skip a number; NULL */
};

/* Reads the words and the file, opens the database, and fills the options; `looks`: nothing is made
 * or written. */
enum status change_call_open(struct change_call *change, struct cli_call *call, bool takes_file,
                             bool looks, struct error *error) MUST_USE;
void change_call_close(struct change_call *change);

int command_change_start(struct cli_call *call);
int command_change_switch(struct cli_call *call);
int command_change_complete(struct cli_call *call);
int command_change_abort(struct cli_call *call);
int command_change_skip(struct cli_call *call);
int command_change_run(struct cli_call *call);
int command_change_check(struct cli_call *call);
int command_change_status(struct cli_call *call);

#endif
