/* transhume change: the table of its subcommands. */
#include "cli/cli.h"

#define AT_DATABASE CLI_DATABASE, CLI_HISTORY_SCHEMA, CLI_TIMEOUT, CLI_TRUST_FILES
#define UNDER_LOCK CLI_LOCK_WAIT, CLI_STEAL_LOCK, CLI_LOCK_TIMEOUT, CLI_STATEMENT_TIMEOUT
#define IN_BATCHES CLI_BATCH_TIME, CLI_NICE, CLI_PAUSE_LAG, CLI_PAUSE_RUNNING, CLI_PAUSE_FILE

static const enum cli_option_id start_options[] = {AT_DATABASE, UNDER_LOCK, IN_BATCHES,
                                                   CLI_DRY_RUN, CLI_JSON,   CLI_OPTION_COUNT};
static const enum cli_option_id run_options[] = {
    AT_DATABASE, UNDER_LOCK, IN_BATCHES, CLI_CONFIRM, CLI_DRY_RUN, CLI_JSON, CLI_OPTION_COUNT};
static const enum cli_option_id complete_options[] = {AT_DATABASE, UNDER_LOCK, IN_BATCHES,
                                                      CLI_CONFIRM, CLI_JSON,   CLI_OPTION_COUNT};
static const enum cli_option_id switch_options[] = {AT_DATABASE, UNDER_LOCK, CLI_JSON,
                                                    CLI_OPTION_COUNT};
static const enum cli_option_id skip_options[] = {AT_DATABASE, CLI_LOCK_WAIT, CLI_STEAL_LOCK,
                                                  CLI_CONFIRM, CLI_JSON,      CLI_OPTION_COUNT};
static const enum cli_option_id look_options[] = {AT_DATABASE, CLI_JSON, CLI_OPTION_COUNT};

const struct cli_command change_commands[] = {
    {.name = "change start",
     .place = IN_CHANGE,
     .arguments = "FILE DB",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "make the new schema beside the old one",
     .description =
         "Makes what the new version needs, fills rows that are there in batches that give way to "
         "others, and proves it. From then on applications of both versions work side by side. "
         "What was broken off is resumed by the same command.",
     .examples =
         "transhume change start 007_status.change.yaml postgres://app@db.example.org/shop\n"
         "transhume change start 007_status.change.yaml shop.db --dry-run",
     .options = start_options},
    {.name = "change status",
     .place = IN_CHANGE,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "what is under way and how far it is",
     .examples = "transhume change status postgres://app@db.example.org/shop --json",
     .options = look_options},
    {.name = "change switch",
     .place = IN_CHANGE,
     .arguments = "DB [reads|writes]",
     .arguments_max = 2,
     .summary = "lead applications over to a second table",
     .description = "Of changes that have such a step: reads first, then writes. Can be taken back "
                    "by `abort`.",
     .examples = "transhume change switch postgres://app@db.example.org/shop reads",
     .options = switch_options},
    {.name = "change complete",
     .place = IN_CHANGE,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "remove what only the old version needs",
     .description = "When no application of the old version is left. There is no way back from "
                    "it: needs --confirm, or a yes on a terminal.",
     .examples = "transhume change complete postgres://app@db.example.org/shop --confirm",
     .options = complete_options},
    {.name = "change abort",
     .place = IN_CHANGE,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "take the change back",
     .description = "Removes what was made. At any time before `complete`. What applications of "
                    "the new version wrote stays as the old version sees it.",
     .examples = "transhume change abort postgres://app@db.example.org/shop",
     .options = switch_options},
    {.name = "change skip",
     .place = IN_CHANGE,
     .arguments = "DB STEP",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "pass over a step that cannot succeed",
     .description = "Of a completion or an abort that a step keeps from ending: once a person did "
                    "by hand what it is for. STEP is its number in `change status`, and has to be "
                    "the next one. Needs --confirm, or a yes on a terminal.",
     .examples = "transhume change skip postgres://app@db.example.org/shop 12 --confirm",
     .options = skip_options},
    {.name = "change run",
     .place = IN_CHANGE,
     .arguments = "FILE DB",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "start and complete in one",
     .description = "Where no application of the old version has to go on beside it. Needs "
                    "--confirm, or a yes on a terminal.",
     .examples = "transhume change run 007_status.change.yaml shop.db --confirm",
     .options = run_options},
    {.name = "change check",
     .place = IN_CHANGE,
     .arguments = "FILE DB",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "what a change would do",
     .description = "The way of each operation, the statements with their locks, and how many rows "
                    "have to be filled. Nothing is changed.",
     .examples = "transhume change check 007_status.change.yaml postgres://app@db.example.org/shop",
     .options = look_options},
    {0},
};
