/* The table of commands: their usage, their help and what runs them. */
#include "cli/cli.h"

#include "base/text.h"
#include <string.h>

static const struct cli_command commands[] = {
    {.name = "init",
     .place = IN_INIT,
     .arguments = "SRC DST",
     .arguments_min = 2,
     .arguments_max = 2,
     .summary = "write a plan",
     .description =
         "Reads the source's schema and writes a commented plan that moves it to the target: between tables "
         "one to one, from tables to a key-value store with keys and embedded lists proposed from the "
         "foreign keys, from documents to tables by a sample. Edit it, then check and migrate. Nothing "
         "else is touched.",
     .examples = "transhume init shop.db dynamodb://eu-west-1\n"
                 "transhume init csv:exported dynamodb-json:out\n"
                 "transhume init shop.db copy.db -o -",
     .run = command_init},
    {.name = "check",
     .place = IN_CHECK,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "check plan and databases, estimate the run",
     .description =
         "Connects to both sides and changes nothing: lists the entities with their counts, the guarantee, "
         "what cannot be carried, and an estimate of time and bytes. The exit status is that with which "
         "migrate would refuse, else 0.",
     .examples = "transhume check\n"
                 "transhume check --sample 2\n"
                 "transhume check shop.db copy.db --json",
     .run = command_check},
    {.name = "migrate",
     .place = IN_MIGRATE,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "copy",
     .description =
         "Runs the plan: transhume.yaml here, or --plan FILE. SRC and DST without --plan mean a plain copy of "
         "every table; with it they replace the plan's own. Ctrl-C once finishes the chunks in hand, twice "
         "stops now; either way, and after a crash too, `transhume resume` goes on.",
     .examples = "transhume migrate shop.db copy.db\n"
                 "transhume migrate --include Track shop.db csv:-\n"
                 "transhume migrate --plan orders.yaml --jobs 4\n"
                 "transhume migrate --dry-run",
     .run = command_migrate},
    {.name = "resume",
     .place = IN_RESUME,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "go on with an unfinished run",
     .description =
         "Goes on where the unfinished run stopped: chunks that are done are not read again. Plan, source "
         "and target must be those that the run began with. A plain copy is named again by its SRC and DST, "
         "or by nothing: then the state folder knows them.",
     .examples = "transhume resume\n"
                 "transhume resume shop.db copy.db",
     .run = command_resume},
    {.name = "status",
     .place = IN_STATUS,
     .arguments = "",
     .summary = "how far a run is",
     .description =
         "Shows the state folder's run: per entity how many records are done, percent, rate and time left. "
         "--json prints state.json as it is. Without any run it says so; the exit status is 0 all the same. "
         "A rollback that was broken off is said, with the command that goes on with it (in state.json: status \"rolling_back\", and \"next\" in \"rollback\").",
     .examples = "transhume status\n"
                 "transhume status --watch\n"
                 "transhume status --json --state /var/lib/shop-move",
     .run = command_status},
    {.name = "report",
     .place = IN_REPORT,
     .arguments = "",
     .summary = "make a run's report again",
     .description =
         "Every run leaves a report in its state folder, also when it fails or is stopped: report.html, a page "
         "that needs nothing beside it, report.md and report.json. This makes it again from what lies in the "
         "folder, for instance after a crash or after validate. It holds what moved, the guarantee, throughput "
         "over time, the chunks, rejects with samples, warnings, validation, settings and the plan, and no secrets; "
         "samples of rejects are records.",
     .examples = "transhume report\n"
                 "transhume report -o move.html\n"
                 "transhume report --run 20260131T235959Z-0a1b2c --json",
     .run = command_report},
    {.name = "reset",
     .place = IN_RESET,
     .arguments = "",
     .summary = "forget the local state",
     .description =
         "Clears the state folder, and says what stays in the target. Neither source nor target is "
         "touched. Needs --confirm.",
     .examples = "transhume reset --confirm",
     .run = command_reset},
    {.name = "validate",
     .place = IN_VALIDATE,
     .arguments = "[SRC DST]",
     .arguments_max = 2,
     .summary = "compare the target with the source, and repair it",
     .description =
         "Compares what the plan makes of the source with what the target holds: the run of the state "
         "folder, or the plan or SRC DST that is named. Says which records are missing, different or extra; "
         "exits 0 if none is, else 1. Nothing is changed, unless --repair says so. At levels hash and full one "
         "that was stopped or killed goes on when it is called again, if neither side changed.",
     .examples = "transhume validate\n"
                 "transhume validate --level full --json\n"
                 "transhume validate shop.db copy.db --level sample --sample 500\n"
                 "transhume validate --repair --delete-extra --confirm",
     .run = command_validate},
    {.name = "rollback",
     .place = IN_ROLLBACK,
     .arguments = "[TARGET]",
     .arguments_max = 1,
     .summary = "take back just what a run wrote",
     .description =
         "Removes exactly the records that the run wrote, puts back those that it overwrote, and drops the "
         "tables, views and triggers that it made. Refuses (5) where that could take more: a table that was "
         "changed since, a later run, images that were not kept. Exits 1 where a trigger of a table did "
         "something else with records than to take them back. Stopped or killed it goes on when it is "
         "called again. --dry-run counts; acting needs --confirm. TARGET is needed only where the state "
         "folder does not know the run.",
     .examples = "transhume rollback --run 20260131T235959Z-1f3a5c --dry-run\n"
                 "transhume rollback --run 20260131T235959Z-1f3a5c --confirm",
     .run = command_rollback},
    {.name = "finish",
     .place = IN_FINISH,
     .arguments = "[TARGET]",
     .arguments_max = 1,
     .summary = "drop the ledger",
     .description =
         "Drops the ledger that runs keep in the target, undo records and before-images with it: after that "
         "nothing can be resumed or rolled back. Data stay as they are. Without --confirm each run has to be "
         "complete, and the last validation, at level hash or full, by the newest run's own plan and of the tables "
         "of all runs, without a difference. --dry-run says which runs would be forgotten, or why not.",
     .examples = "transhume finish\n"
                 "transhume finish --confirm",
     .run = command_finish},
    {.name = "connectors",
     .place = IN_CONNECTORS,
     .arguments = "[NAME]",
     .arguments_max = 1,
     .summary = "list databases, their options and types",
     .description =
         "Without NAME: every connector with what it can do. With NAME: its URI, guarantee, limits of use, "
         "options and the table of types.",
     .examples = "transhume connectors\n"
                 "transhume connectors sqlite",
     .run = command_connectors},
    {.name = "failpoints",
     .place = IN_FAILPOINTS,
     .arguments = "",
     .summary = "list the places where tests make it fail",
     .description =
         "Every named boundary at which TRANSHUME_FAILPOINT=NAME:ACTION[:OCCURRENCE] makes the program die "
         "or fail. ACTION is kill, stop, error, retry, enospc or sleep. Without the variable they do nothing.",
     .examples = "transhume failpoints",
     .run = command_failpoints},
    {.name = "help",
     .place = IN_HELP,
     .arguments = "[COMMAND|ERROR-CODE]",
     .arguments_max = 1,
     .summary = "help for a command or an error code",
     .description =
         "Help for a command, or what an error code (the word in brackets at the end of an error) means "
         "and what to do about it.",
     .examples = "transhume help migrate\n"
                 "transhume help target-not-empty",
     .run = command_help},
    {.name = "version",
     .place = IN_VERSION,
     .arguments = "",
     .summary = "versions of the program and its libraries",
     .run = command_version},
    {.name = "analyze", .arguments = "SRC", .summary = "design the target", .is_later = true},
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
