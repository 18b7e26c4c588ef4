/* Declarations that the subcommands of `schema` share. */
#ifndef TRANSHUME_CLI_EVOLVE_COMMAND_SCHEMA_H
#define TRANSHUME_CLI_EVOLVE_COMMAND_SCHEMA_H

#include "cli/cli.h"
#include "evolve/evolve.h"

/* A call with its folder and its database. */
struct schema_call {
    struct cli_call *call;
    const char *named; /* the URI as it was given; may have a password in it */
    const char *uri;   /* likewise without it, for commands in hints */
    uint32_t most;     /* [N] */
    struct migration_set set;
    struct database *database; /* NULL: none is open */
    const struct alter_functions
        *alter;          /* of the database that was named, also if it is not there */
    const char *program; /* the command again, for hints */
    struct buffer faults;
};

/* [N] DB, or --database. `*uri` NULL: none was named. */
enum status schema_take_words(struct schema_call *schema, bool counts, const char **uri,
                              struct error *error) MUST_USE;
/* Reads the folder that --dir names. `uri` (may be NULL): where it has faults, those of its
 * statements are told as well, in the words of that database. */
enum status schema_read_folder(struct schema_call *schema, const char *uri,
                               struct error *error) MUST_USE;
/* Opens the database; `looks`: nothing is made or written. */
enum status schema_open(struct schema_call *schema, const char *uri, bool looks,
                        struct error *error) MUST_USE;
void schema_close(struct schema_call *schema);
/* Options that all commands at a database share; the order is the caller's. */
void schema_fill_options(struct schema_call *schema, struct schema_options *options);
/* Prints the failure, with the faults of the files, and gives its exit status. */
int schema_fail(struct schema_call *schema, struct error *error);

/* command_schema_known.c: what a database tells a review: its tables with sizes, its version. */
struct schema_known {
    const struct connector *connector;
    struct database *database; /* NULL: none is open */
    struct schema *schema;     /* good as long as that is; NULL: not known */
    uint32_t version;          /* lint_input.server_version */
    const char *server;        /* "PostgreSQL 15.4", in the call's arena */
    enum sql_language language;
};
enum status schema_know(struct cli_call *call, const char *uri, struct schema_known *known,
                        struct error *error) MUST_USE;
void schema_known_close(struct schema_known *known);

/* command_schema_dry.c: what `up` and `down` would run. Prints it. */
int schema_show_plan(struct schema_call *schema, const struct schema_options *options);

/* command_diff.c: what sets the schemas of a plan's source and target apart. */
int command_diff(struct cli_call *call);

/* command_schema_NAME.c */
int command_schema_up(struct cli_call *call);
int command_schema_down(struct cli_call *call);
int command_schema_status(struct cli_call *call);
int command_schema_new(struct cli_call *call);
int command_schema_repair(struct cli_call *call);
int command_schema_baseline(struct cli_call *call);
int command_schema_lint(struct cli_call *call);
enum lint_kind schema_lint_kind(enum alter_language language);
int command_schema_diff(struct cli_call *call);
int command_schema_drift(struct cli_call *call);
int command_schema_dump(struct cli_call *call);
int command_schema_import(struct cli_call *call);

#endif
