/* What the subcommands of `schema` share. */
#ifndef TRANSHUME_CLI_COMMAND_SCHEMA_H
#define TRANSHUME_CLI_COMMAND_SCHEMA_H

#include "cli/cli.h"
#include "evolve/run/run.h"

/* A call with its folder and its database. */
struct schema_call {
    struct cli_call *call;
    const char *uri; /* as it was given, for commands in hints; a password is not in it */
    uint32_t most;   /* [N] */
    struct migration_set set;
    struct database *database; /* NULL: none is open */
    const struct alter_functions
        *alter;          /* of the database that was named, also if it is not there */
    const char *program; /* the command again, for hints and the server's list of sessions */
    struct buffer faults;
};

/* [N] DB, or --database. `*uri` NULL: none was named. */
enum status schema_take_words(struct schema_call *schema, bool counts, const char **uri,
                              struct error *error) MUST_USE;
/* The folder that --dir names. */
enum status schema_read_folder(struct schema_call *schema, struct error *error) MUST_USE;
/* Opens the database; `looks`: nothing is made or written. */
enum status schema_open(struct schema_call *schema, const char *uri, bool looks,
                        struct error *error) MUST_USE;
void schema_close(struct schema_call *schema);
/* Options that all commands at a database share; the order is the caller's. */
void schema_fill_options(struct schema_call *schema, struct schema_options *options);
/* Prints the failure, with the faults of the files, and gives its exit status. */
int schema_fail(struct schema_call *schema, struct error *error);

/* command_schema_NAME.c */
int command_schema_up(struct cli_call *call);
int command_schema_down(struct cli_call *call);
int command_schema_status(struct cli_call *call);
int command_schema_new(struct cli_call *call);
int command_schema_repair(struct cli_call *call);
int command_schema_baseline(struct cli_call *call);
int command_schema_lint(struct cli_call *call);
int command_schema_diff(struct cli_call *call);
int command_schema_drift(struct cli_call *call);
int command_schema_dump(struct cli_call *call);
int command_schema_import(struct cli_call *call);

#endif
