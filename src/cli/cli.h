/* The program's front: a parsed command line, the commands, and what they share. */
#ifndef TRANSHUME_CLI_CLI_H
#define TRANSHUME_CLI_CLI_H

#include "base/buffer.h"
#include "cli/options.h"
#include "engine/run/run.h"

enum { CLI_ARGUMENTS_MAX = 64 };

struct cli_command;
struct verify_result;

/* The call as it was asked for. Texts point into argv, the environment and the plan; lists live in
 * `arena`. */
struct cli_call {
    const struct cli_command *command;
    const char *arguments[CLI_ARGUMENTS_MAX];
    const char *named[CLI_ARGUMENTS_MAX]; /* the argument as "@NAME", whose URI it is; or NULL */
    uint32_t argument_count;
    struct cli_value values[CLI_OPTION_COUNT];
    struct run_parameter *parameters; /* of a settings file */
    uint32_t parameter_count;
    struct arena *arena;
    const char *command_line;     /* for the log, without secrets */
    struct observer *observer;    /* NULL: the command is none that is watched */
    enum run_command run_command; /* the engine's, about to be given; RUN_BEGIN: the usual one */
    struct fence *fence;          /* … and what keeps the source's writers out; NULL: nothing */
    bool compares;                /* it compares both sides */
    const char *state_folder;     /* in place of the one that was said; NULL: that one */
    uint32_t source_failures;     /* run_result.source_failed, so many without a step in between */
    uint64_t chunks_done;         /* at the last of these */
    bool goes_on;                 /* with the run that this process was at work on */
    bool deletes;                 /* it looks for what the source has no more */
    bool mirrors;                 /* resume: it is a part of migrate --mirror */
    const struct verify_result *found; /* what it compared; NULL: nothing */
};

/* The headings of the list of commands, in their order. */
enum cli_command_group {
    CLI_COMMANDS_MOVE,
    CLI_COMMANDS_FOLLOW,
    CLI_COMMANDS_LOOK,
    CLI_COMMANDS_UNDO,
    CLI_COMMANDS_SCHEMA,
    CLI_COMMANDS_HELP,
    CLI_COMMANDS_COUNT
};

/* One command: its help, and what runs it. Of one with subcommands each of these is a command whose
 * name begins with its own: "schema up". */
struct cli_command {
    const char *name;
    uint32_t place;               /* its bit for options */
    enum cli_command_group group; /* of the first ones; subcommands are in that of their own */
    const char *arguments;        /* "[SRC DST]", for the usage line */
    uint32_t arguments_min;
    uint32_t arguments_max;
    const char *summary;     /* one line */
    const char *description; /* paragraphs, lines of their own; may be NULL */
    const char *examples;    /* a line each, "# comment" lines between; may be NULL */
    /* The options of its place that a subcommand takes, besides those that every command has; ended
     * by CLI_OPTION_COUNT. NULL: all of them. */
    const enum cli_option_id *options;
    const struct cli_command *subcommands; /* ended by one without a name; NULL: it has none */
};
/* Runs the command of the call, and returns the exit status. command_runs.c */
int cli_command_run(struct cli_call *call);
/* May the option stand there? */
bool cli_takes(const struct cli_command *command, const struct cli_option *option);
/* The word by which a subcommand is chosen: "up" of "schema up". */
const char *cli_last_word(const struct cli_command *command);
/* The subcommand of that word; NULL: there is none. */
const struct cli_command *cli_subcommand(const struct cli_command *command, const char *word);
/* The next command in the order of the help, subcommands behind their own; NULL begins, NULL ends.
 */
const struct cli_command *cli_command_after(const struct cli_command *command);
/* Ended by a command without a name. */
const struct cli_command *cli_commands(void);
const struct cli_command *cli_command_by_name(const char *name);
/* `name` with what it was perhaps meant to be. */
void cli_unknown_command(const char *name, struct error *error);

/* The whole program but for main; returns the exit status. */
int cli_main(int argument_count, char **arguments);

/* parse.c */
enum status cli_parse(struct cli_call *call, int argument_count, char **arguments,
                      struct error *error) MUST_USE;

static inline bool cli_switch(const struct cli_call *call, enum cli_option_id id)
{
    return call->values[id].is_set && call->values[id].number != 0;
}
static inline const char *cli_text(const struct cli_call *call, enum cli_option_id id)
{
    return call->values[id].is_set ? call->values[id].text : NULL;
}

/* failure.c */
/* A failure as it is to be told: one without a code, which would look like success, is a fault of
 * ours. */
void cli_copy_failure(struct error *to, const struct error *from);
/* "transhume resume --plan a/b.yaml": with what is needed to find this run again. */
void cli_append_command(const struct cli_call *call, const char *name, struct buffer *out);
/*
 * Prints the error (and the plan faults before it, a line each) and returns its exit status. Hints
 * that speak of `transhume resume` name the call's own command, where that is what goes on; `call`
 * may be NULL.
 */
int cli_fail(const struct cli_call *call, const struct error *error);
/* With --json on the command line, whatever else is wrong with it, or TRANSHUME_JSON, each failure
 * is told on stdout as well: {"format":1,"error":{…}}. */
void cli_expect_json(int argument_count, char **arguments);
/* {"code","message","object","hint","exit"}, as it was told. */
void cli_append_error(const struct error *told, int exit_status, struct buffer *out);
/* Prints that object, if JSON is wanted. */
void cli_print_error(const struct cli_call *call, const struct error *told, int exit_status);
/* Commands in backquotes get the --plan and --state of the call, so that they can be pasted. */
void cli_append_placed(const struct cli_call *call, const char *text, struct buffer *out);
void cli_place_hint(const struct cli_call *call, struct error *error);
/* The same of what has begun, where 2 would say that nothing was touched: 3 then. `goes_on` (may be
 * NULL) is what does "once that is mended", and added to the hint. */
int cli_fail_begun(const struct cli_call *call, struct error *error, const char *goes_on);
int cli_fail_with_faults(const struct cli_call *call, struct buffer *faults,
                         const struct error *error);
/* output.c */
/* Writes to stdout and empties the buffer; a failure to write is ERROR… and exit 3, but for a
 * reader that went away. */
enum status cli_print(struct buffer *out, struct error *error) MUST_USE;
/* cli_print and then `exit_status`, or the failure's. */
int cli_finish(struct buffer *out, int exit_status);
bool cli_color(const struct cli_call *call, int descriptor);
/* Columns of the terminal, at least 40; 0 where it is none. */
uint32_t cli_terminal_columns(int descriptor);
/* Its rows; 0 where it is none. */
uint32_t cli_terminal_rows(int descriptor);
/* At what column prose is folded: at the terminal's, but no line is longer than 100. */
uint32_t cli_prose_columns(int descriptor);
/* Is the text printable JSON text? Appends it quoted, escaped where it is not. */
void cli_append_json_text(struct buffer *out, const char *text);
/* Folds `text` at `columns`, each line after `indent` spaces; "\n" in it stays. */
void cli_append_wrapped(struct buffer *out, const char *text, uint32_t indent, uint32_t columns);
/* A statement that people run by hand: its lines, each after `indent` spaces, whole; printable. */
void cli_append_whole(const char *text, uint32_t indent, struct buffer *out);

struct alert_config;
/* command_alerts.c */
/* Who is to be told: --alerts, or else the plan's `alerts:` (of the plan that the call means, or
 * that of its run), and --notify. In call->arena; no plan, or one that can't be read, is nobody's
 * fault here. */
enum status cli_read_alerts(struct cli_call *call, const struct alert_config **config,
                            struct buffer *faults, struct error *error) MUST_USE;

/* command_connections.c */
/* Names of connections among arguments and options become their URIs; --connections says of which
 * file. */
enum status cli_expand_connections(struct cli_call *call, struct error *error) MUST_USE;

/* run_setup.c */
/* A URI as it is shown, without what is shown as "***": a connection takes that from elsewhere. */
const char *cli_without_hidden(const char *shown, struct arena *arena);
/* `.transhume` beside the plan (NULL: none) or here, unless --state says another. */
const char *cli_state_folder(struct cli_call *call, const char *plan_path);
/* transhume.yaml, or transhume.yml, in this folder; NULL: neither. Both are a failure. */
enum status cli_plan_here(const char **path, struct error *error);
/* The plan that the call means: --plan, or transhume.yaml when no SRC and DST are given; NULL: a
 * plain copy. */
enum status cli_find_plan(struct cli_call *call, const char **path, struct error *error) MUST_USE;
/* The same for resume: NULL also where the state folder knows a run, which the engine then goes on
 * with. */
enum status cli_find_plan_of_run(struct cli_call *call, const char **path,
                                 struct error *error) MUST_USE;
/* From the call's values to the engine's options; what is not given stays unset. */
void cli_run_options(struct cli_call *call, const char *plan_path, struct run_options *options);
/* --max-pause, or its default. */
int64_t cli_max_pause_ms(const struct cli_call *call);
/* The schemas that --schema lists. */
struct column_list cli_schemas(const struct cli_call *call);
/* Opens plan and databases. A failure has been printed, and is in `*exit_status`. */
enum status cli_open_session(struct cli_call *call, const char *plan_path,
                             struct run_session **session, int *exit_status) MUST_USE;

/* Opens the session anew and resumes, as long as a run that follows was overtaken by its source's
 * schema; `status` is what the run ended with. STATUS_END: no session could be opened, which was
 * printed, and is in `*exit_status`. */
enum status cli_go_on(struct cli_call *call, const char *plan_path, enum status status,
                      struct run_session **session, struct run_result *result, struct error *error,
                      int *exit_status) MUST_USE;

/* check_report.c: what check and migrate --dry-run print; the exit status comes back. */
int cli_check(struct cli_call *call, struct run_session *session, uint32_t sample, bool dry_run);

/* rollback_end.c */
struct rollback_report;
struct rollback_options;
void cli_rollback_options(struct cli_call *call, const char *plan_path, const char *target,
                          struct rollback_options *options);
/* The beginning of rollback and finish: the plan of the run that the call names, signals, the log's
 * level, the options. A run that the state folder does not know is no failure: it may be older. */
enum status cli_rollback_begin(struct cli_call *call, struct rollback_options *options,
                               struct error *error) MUST_USE;
/* `--confirm`, or a typed yes on a terminal to `question`. */
bool cli_is_confirmed(struct cli_call *call, const char *question);
/* How many records triggers kept from being what they were. */
uint64_t cli_rollback_differing(const struct rollback_report *report);
/* The deeds of a rollback, done or (`dry_run`) to come, as a table or as JSON. */
void cli_append_rollback(struct cli_call *call, const struct rollback_report *report, bool dry_run,
                         struct buffer *out);
/* After rollback_run, of which it has the status: what goes on with it. */
int cli_fail_rollback(const struct cli_call *call, const struct rollback_report *report,
                      enum status status, struct error *error);
/* In the log, where tables are compared by their count alone. */
void cli_warn_of_rollback(const struct rollback_report *report);
/* migrate --restart: rolls the unfinished run back, if there is one; 0: go on. */
int cli_roll_back_unfinished(struct cli_call *call, const char *plan_path);

/* validate_end.c */
struct verify_options;
/* Repairs what verify_run found, if it is to be and there is anything, and tells of both. */
int cli_end_validation(struct cli_call *call, struct run_session *session, enum status status,
                       struct verify_result *result, struct error *error);

/* command_mirror.c: migrate --mirror, and what goes on with it. */
int command_mirror(struct cli_call *call, const char *plan_path);
/* After a run that ended with `exit_status`: compares the tables whose entities say `deletes:
 * compare` and deletes what is extra; the session is closed before. */
int cli_end_with_deletes(struct cli_call *call, const char *plan_path, struct run_session *session,
                         int exit_status);
/* Does it write, or only look? */
static inline bool cli_is_mirroring(const struct cli_call *call)
{
    return call->mirrors || call->deletes ||
           (cli_switch(call, CLI_MIRROR) && cli_switch(call, CLI_CONFIRM) &&
            !cli_switch(call, CLI_DRY_RUN));
}

/* One function a command; command/command_NAME.c. Those of the parts are in their folders
 * (parts.h). */
int command_init(struct cli_call *call);
int command_check(struct cli_call *call);
int command_migrate(struct cli_call *call);
int command_cutover(struct cli_call *call);
int command_resume(struct cli_call *call);
int command_follow(struct cli_call *call);
int command_status(struct cli_call *call);
int command_report(struct cli_call *call);
int command_serve(struct cli_call *call);
int command_validate(struct cli_call *call);
int command_rollback(struct cli_call *call);
int command_finish(struct cli_call *call);
int command_reset(struct cli_call *call);
int command_alerts(struct cli_call *call);
int command_complete(struct cli_call *call);
int command_connections(struct cli_call *call);
int command_connectors(struct cli_call *call);
int command_grafana(struct cli_call *call);
int command_failpoints(struct cli_call *call);
int command_help(struct cli_call *call);
int command_version(struct cli_call *call);

/* The subcommands of `schema`: command_schema.c and its kin. */
extern const struct cli_command schema_commands[];
/* Likewise of `change`. */
extern const struct cli_command change_commands[];

#endif
