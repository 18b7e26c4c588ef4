/* The table of commands: their usage, their help and what runs them. */
#include "cli/cli.h"

#include "base/text.h"
#include <string.h>

static const struct cli_command commands[] = {
    {.name = "init",
     .group = CLI_COMMANDS_MOVE,
     .place = IN_INIT,
     .arguments = "SRC DST",
     .arguments_min = 2,
     .arguments_max = 2,
     .summary = "write a plan",
     .description =
         "Reads the source's schema and writes a commented plan: tables one to one between SQL "
         "databases; keys and embedded lists, from the foreign keys, for a key-value target; "
         "tables from a sample of documents. Nothing else is changed. Edit the plan, then check "
         "and migrate.",
     .examples = "transhume init shop.db dynamodb://eu-west-1\n"
                 "transhume init csv:exported dynamodb-json:out\n"
                 "transhume init shop.db copy.db -o -"},
    {.name = "analyze",
     .group = CLI_COMMANDS_MOVE,
     .place = IN_ANALYZE,
     .arguments = "SRC [DST]",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "design the target",
     .description =
         "Reads the source's schema and proposes the target's tables: keys from what queries are "
         "given, order from what they want sorted, copies where they pay. Without queries it "
         "assumes a look-up by each key and a list by each foreign key. Writes the tables, a plan "
         "that fills them, and the reasons into a folder. Nothing else is changed.",
     .examples = "transhume analyze shop.db\n"
                 "transhume analyze shop.db cassandra://127.0.0.1/shop --out design"},
    {.name = "check",
     .group = CLI_COMMANDS_MOVE,
     .place = IN_CHECK,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "check plan and databases, estimate the run",
     .description =
         "Connects to both sides and changes nothing. Reports the entities with their counts, the "
         "guarantee, what cannot be carried, and an estimate of time and bytes. The first 1,000 "
         "records of each entity are mapped and encoded as the run would, for tables that are "
         "there and for those that it makes: check says how many of them the target would "
         "reject, for which field, why, and the key of the first. The exit status is the one "
         "with which migrate would be refused, else 1 if records would be rejected, else 0.",
     .examples = "transhume check\n"
                 "transhume check --sample 2\n"
                 "transhume check shop.db copy.db --json"},
    {.name = "diff",
     .group = CLI_COMMANDS_MOVE,
     .place = IN_DIFF,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "compare the target's schema with the plan's",
     .description =
         "Compares what migrate would make of the source's schema in an empty target with what DST "
         "holds: tables, columns, types, keys, indexes, references, views and triggers. Exits with "
         "0 if they are equal, else 1. What migrate would make is loaded into a scratch database "
         "on the target's server, in memory for SQLite. Nothing else is changed.",
     .examples = "transhume diff shop.db copy.db\n"
                 "transhume diff --plan orders.yaml --json"},
    {.name = "migrate",
     .group = CLI_COMMANDS_MOVE,
     .place = IN_MIGRATE,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "copy",
     .description =
         "Runs the plan: transhume.yaml here, or --plan FILE. SRC and DST without --plan copy "
         "every table; with --plan they replace its source and target. Ctrl-C once finishes the "
         "chunks in progress, twice stops at once. `transhume resume` continues, also after a "
         "crash.",
     .examples = "transhume migrate shop.db copy.db\n"
                 "transhume migrate --include Track shop.db csv:-\n"
                 "transhume migrate --plan orders.yaml --jobs 4\n"
                 "transhume migrate --mirror --confirm shop.db copy.db\n"
                 "transhume migrate --dry-run"},
    {.name = "resume",
     .group = CLI_COMMANDS_MOVE,
     .place = IN_RESUME,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "continue an unfinished run",
     .description =
         "Chunks that are done are not read again. Plan, source and target must be those of the "
         "run. A plain copy needs no arguments, unless its state folder is lost: then name SRC "
         "and DST again.",
     .examples = "transhume resume\n"
                 "transhume resume shop.db copy.db"},
    {.name = "follow",
     .group = CLI_COMMANDS_FOLLOW,
     .place = IN_RESUME,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "continue to apply the source's changes",
     .description =
         "Continues a run that was begun with `transhume migrate --follow`: finishes its copy if "
         "that is not done, then applies what changed in the source since, in the source's order, "
         "until it is stopped with Ctrl-C. --catch-up ends it once what is there now is applied. "
         "--resync is for a source that no longer has the changes behind the target's position.",
     .examples = "transhume follow\n"
                 "transhume follow --catch-up\n"
                 "transhume follow --max-retained 50GiB --drop-when-full\n"
                 "transhume follow --resync"},
    {.name = "cutover",
     .group = CLI_COMMANDS_FOLLOW,
     .place = IN_CUTOVER,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "end following: the target is the database from now on",
     .description =
         "Of a run that follows: waits until little is left, stops the source's writers, applies the "
         "rest, sets the target's sequences, compares both sides, and ends the feed. Whatever ends it "
         "before the application may have been sent to the target lets the writers in again, and "
         "the last line says so; until it is done, --back does. Stop `transhume follow` first. Needs "
         "--confirm, or --dry-run, which asks whether it can be done, and prints the steps.",
     .examples = "transhume cutover --dry-run\n"
                 "transhume cutover --confirm --after 'systemctl start shop'\n"
                 "transhume cutover --back --confirm"},
    {.name = "status",
     .group = CLI_COMMANDS_LOOK,
     .place = IN_STATUS,
     .arguments = "",
     .summary = "show the progress of a run",
     .description =
         "Shows the run of the state folder: done records, percent, rate and time left of each "
         "entity, what was not carried, and what a repair deleted; or an interrupted rollback and "
         "the command that continues it. --watch waits a few seconds for a run that is about to "
         "begin, and ends with it. --json prints state.json, and as `mapping` what each column "
         "becomes. The exit status is 0 also if there is no run.",
     .examples = "transhume status\n"
                 "transhume status --watch\n"
                 "transhume status --json --state /var/lib/shop-move"},
    {.name = "validate",
     .group = CLI_COMMANDS_LOOK,
     .place = IN_VALIDATE,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "compare the target with the source, and repair it",
     .description =
         "Compares what the plan makes of the source with what the target holds, for the run of "
         "the state folder, the plan, or SRC and DST. Reports missing, different and extra "
         "records, and exits with 0 if there are none, else 1. Changes nothing without --repair. "
         "If it was stopped at level hash or full, the same command continues, provided that "
         "neither side changed.",
     .examples = "transhume validate\n"
                 "transhume validate --level full --json\n"
                 "transhume validate shop.db copy.db --level sample --sample 500\n"
                 "transhume validate --repair --delete-extra --confirm"},
    {.name = "rollback",
     .group = CLI_COMMANDS_UNDO,
     .place = IN_ROLLBACK,
     .arguments = "[[SOURCE] TARGET]",
     .arguments_max = 2,
     .summary = "undo just what a run wrote",
     .description =
         "Deletes the records that the run wrote, restores those that it overwrote, and drops "
         "what it created. Refuses (5) if that could remove other data: a table changed since, a "
         "later run, old versions not stored. Exits with 1 if a trigger kept records from being "
         "restored. Stopped or killed, the same command continues. Needs --dry-run, which only "
         "counts, or --confirm. TARGET is needed if the state folder does not know the run, or "
         "to say its password; SOURCE may stand before it, as for other commands.",
     .examples = "transhume rollback --run 20260131T235959Z-1f3a5c --dry-run\n"
                 "transhume rollback --run 20260131T235959Z-1f3a5c --confirm"},
    {.name = "report",
     .group = CLI_COMMANDS_LOOK,
     .place = IN_REPORT,
     .arguments = "",
     .summary = "write a run's report again",
     .description =
         "Every run, also a failed one, leaves report.html (one page that needs no other file), "
         "report.md and report.json in its state folder. This command writes them again, for "
         "instance after a crash or after validate. They hold no passwords, but samples of "
         "rejected records.",
     .examples = "transhume report\n"
                 "transhume report -o move.html\n"
                 "transhume report --run 20260131T235959Z-0a1b2c --json"},
    {.name = "serve",
     .group = CLI_COMMANDS_LOOK,
     .place = IN_SERVE,
     .arguments = "[DIR...]",
     .arguments_max = CLI_ARGUMENTS_MAX,
     .summary = "show runs in a browser",
     .description =
         "Serves the dashboard of one or more state folders (.transhume here): runs under way and "
         "finished ones, live, with rates, chunks, rejects, validation and log; with --ledger also "
         "runs whose folder is gone or elsewhere, as far as the ledger in their target tells. "
         "Prints its URL, "
         "which holds the token, on stdout, and ends with Ctrl-C. Listens at 127.0.0.1 unless "
         "--dashboard says otherwise, and only reads, unless --allow-control is given.",
     .examples = "transhume serve\n"
                 "transhume serve /var/lib/shop-move /var/lib/crm-move --dashboard 9401\n"
                 "transhume serve --ledger postgres://dba@db.example.org/shop"},
    {.name = "finish",
     .group = CLI_COMMANDS_UNDO,
     .place = IN_FINISH,
     .arguments = "[[SOURCE] TARGET]",
     .arguments_max = 2,
     .summary = "drop the ledger",
     .description =
         "Drops the ledger of all runs in the target, with stored keys and old versions: nothing "
         "can be resumed or rolled back after that. Data stay. Without --confirm every run must "
         "be complete, and the last validation (level hash or full, by the newest run's plan, "
         "over the tables of all runs) without differences. --dry-run reports which runs would be "
         "forgotten, or why not.",
     .examples = "transhume finish\n"
                 "transhume finish --confirm"},
    {.name = "reset",
     .group = CLI_COMMANDS_UNDO,
     .place = IN_RESET,
     .arguments = "",
     .summary = "forget the local state",
     .description =
         "Empties the state folder and reports what stays in the target. Source and target are "
         "not touched. Needs --confirm.",
     .examples = "transhume reset --confirm"},
    {.name = "grafana",
     .group = CLI_COMMANDS_LOOK,
     .place = IN_GRAFANA,
     .arguments = "",
     .summary = "write the dashboard and alert rules",
     .description =
         "Writes the dashboard for Grafana 10 and later that shows what --metrics tells of runs, or "
         "sends it to a Grafana with --push. --rules writes alert rules for Prometheus.",
     .examples = "transhume grafana -o transhume.json\n"
                 "transhume grafana --push https://grafana.example.org --token-file token\n"
                 "transhume grafana --rules -o transhume-rules.yaml"},
    {.name = "alerts",
     .group = CLI_COMMANDS_LOOK,
     .place = IN_ALERTS,
     .arguments = "test",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "try who is told of trouble",
     .description =
         "Sends a test alert to each receiver of --alerts, of the plan's `alerts:` and of "
         "--notify, and reports what came of it. Exits 3 if one was not reached.",
     .examples = "transhume alerts test --alerts alerts.yaml\n"
                 "transhume alerts test --notify mailto:dba@example.com"},
    {.name = "schema",
     .group = CLI_COMMANDS_SCHEMA,
     .place = IN_SCHEMA,
     .arguments = "COMMAND",
     .summary = "versioned schema changes",
     .description =
         "Brings a database's schema to where a folder of migrations says, and back. The history of "
         "what was done is in the database itself.",
     .examples = "transhume schema new users\n"
                 "transhume schema up shop.db\n"
                 "transhume schema status shop.db",
     .subcommands = schema_commands},
    {.name = "change",
     .group = CLI_COMMANDS_SCHEMA,
     .place = IN_CHANGE,
     .arguments = "COMMAND",
     .summary = "declared schema changes without downtime",
     .description =
         "Carries out what a file of operations declares in phases: the new schema is made beside "
         "the old one, rows are filled in batches, it is proved, and applications of both versions "
         "work side by side until it is completed, or taken back.",
     .examples =
         "transhume change start migrations/007_split_name.change.yaml postgres://app@db/shop\n"
         "transhume change status postgres://app@db/shop\n"
         "transhume change complete postgres://app@db/shop",
     .subcommands = change_commands},
    {.name = "connections",
     .group = CLI_COMMANDS_HELP,
     .place = IN_CONNECTIONS,
     .arguments = "[test [NAME...]]",
     .arguments_max = CLI_ARGUMENTS_MAX,
     .summary = "list or try named connections",
     .description =
         "Lists the names that stand for URIs, `@NAME` on the command line and in plans, without "
         "their passwords. `test` opens each, or those that are named, and exits 3 if one does not "
         "answer. They are lines `NAME: URI` of ~/.config/transhume/connections.yaml, or of "
         "--connections FILE.",
     .examples = "transhume connections\n"
                 "transhume connections test prod\n"
                 "transhume migrate @prod shop.db"},
    {.name = "connectors",
     .group = CLI_COMMANDS_HELP,
     .place = IN_CONNECTORS,
     .arguments = "[NAME]",
     .arguments_max = 1,
     .summary = "list databases, their options and types",
     .description =
         "Without NAME: every connector. With NAME: its URI, guarantee, capabilities, options and "
         "types.",
     .examples = "transhume connectors\n"
                 "transhume connectors sqlite"},
    {.name = "help",
     .group = CLI_COMMANDS_HELP,
     .place = IN_HELP,
     .arguments = "[COMMAND|ERROR-CODE]",
     .arguments_max = 2,
     .summary = "help for a command or an error code",
     .description = "An error code is the word in brackets at the end of an error.",
     .examples = "transhume help migrate\n"
                 "transhume help target-not-empty"},
    {.name = "version",
     .group = CLI_COMMANDS_HELP,
     .place = IN_VERSION,
     .arguments = "",
     .summary = "versions of the program and its libraries"},
    {.name = "complete",
     .group = CLI_COMMANDS_HELP,
     .place = IN_COMPLETE,
     .arguments = "connections|runs|schemes|errors",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "words for a shell's completion",
     .description =
         "Prints the names of connections, the runs of the state folder, the schemes of URIs or the "
         "error codes, one a line. The completion of bash, zsh and fish asks it.",
     .examples = "transhume complete runs"},
    {.name = "failpoints",
     .group = CLI_COMMANDS_HELP,
     .place = IN_FAILPOINTS,
     .arguments = "",
     .summary = "list the places where tests make it fail",
     .description =
         "Each boundary at which TRANSHUME_FAILPOINT=NAME:ACTION[:OCCURRENCE] makes the program "
         "fail, for tests. ACTION is kill, stop, error, retry, enospc or sleep.",
     .examples = "transhume failpoints"},
    {0},
};

const struct cli_command *cli_commands(void)
{
    return commands;
}

const struct cli_command *cli_command_by_name(const char *name)
{
    for (const struct cli_command *command = commands; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

bool cli_takes(const struct cli_command *command, const struct cli_option *option)
{
    const enum cli_option_id *id = command->options;
    if ((option->places & command->place) == 0) {
        return false;
    }
    if (id == NULL || option->places == IN_ALL) {
        return true;
    }
    while (*id != CLI_OPTION_COUNT && *id != option->id) {
        id++;
    }
    return *id == option->id;
}

const char *cli_last_word(const struct cli_command *command)
{
    const char *blank = strrchr(command->name, ' ');
    return blank == NULL ? command->name : blank + 1;
}

const struct cli_command *cli_subcommand(const struct cli_command *command, const char *word)
{
    const struct cli_command *sub = command->subcommands;
    while (sub != NULL && sub->name != NULL) {
        if (strcmp(cli_last_word(sub), word) == 0) {
            return sub;
        }
        sub++;
    }
    return NULL;
}

const struct cli_command *cli_command_after(const struct cli_command *command)
{
    if (command == NULL) {
        return commands;
    }
    if (command->subcommands != NULL) {
        return command->subcommands;
    }
    if (command[1].name == NULL && (command->place & (IN_SCHEMA | IN_CHANGE)) != 0) {
        command = cli_command_by_name(command->place == IN_SCHEMA ? "schema" : "change");
    }
    return command[1].name == NULL ? NULL : command + 1;
}

void cli_unknown_command(const char *name, struct error *error)
{
    const char *names[32];
    size_t count = 0;
    for (const struct cli_command *command = commands; command->name != NULL; command++) {
        names[count++] = command->name;
    }
    char shown[80];
    text_printable(name, strlen(name), shown, sizeof(shown));
    error_set(error, ERROR_USAGE, NULL, "there is no command %s", shown);
    const char *nearest = text_nearest(name, names, count);
    if (nearest != NULL) {
        error_hint(error, "Did you mean `transhume %s`?", nearest);
    } else {
        error_hint(error, "`transhume help` lists the commands.");
    }
}
