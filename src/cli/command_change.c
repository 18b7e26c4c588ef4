/* transhume change: the table of its subcommands, and what they share. */
#include "cli/command_change.h"

#include <stdlib.h>
#include <string.h>

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
     .options = start_options,
     .run = command_change_start},
    {.name = "change status",
     .place = IN_CHANGE,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "what is under way and how far it is",
     .examples = "transhume change status postgres://app@db.example.org/shop --json",
     .options = look_options,
     .run = command_change_status},
    {.name = "change switch",
     .place = IN_CHANGE,
     .arguments = "DB [reads|writes]",
     .arguments_max = 2,
     .summary = "lead applications over to a second table",
     .description = "Of changes that have such a step: reads first, then writes. Can be taken back "
                    "by `abort`.",
     .examples = "transhume change switch postgres://app@db.example.org/shop reads",
     .options = switch_options,
     .run = command_change_switch},
    {.name = "change complete",
     .place = IN_CHANGE,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "remove what only the old version needs",
     .description = "When no application of the old version is left. There is no way back from "
                    "it: needs --confirm, or a yes on a terminal.",
     .examples = "transhume change complete postgres://app@db.example.org/shop --confirm",
     .options = complete_options,
     .run = command_change_complete},
    {.name = "change abort",
     .place = IN_CHANGE,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "take the change back",
     .description = "Removes what was made. At any time before `complete`. What applications of "
                    "the new version wrote stays as the old version sees it.",
     .examples = "transhume change abort postgres://app@db.example.org/shop",
     .options = switch_options,
     .run = command_change_abort},
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
     .options = skip_options,
     .run = command_change_skip},
    {.name = "change run",
     .place = IN_CHANGE,
     .arguments = "FILE DB",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "start and complete in one",
     .description = "Where no application of the old version has to go on beside it. Needs "
                    "--confirm, or a yes on a terminal.",
     .examples = "transhume change run 007_status.change.yaml shop.db --confirm",
     .options = run_options,
     .run = command_change_run},
    {.name = "change check",
     .place = IN_CHANGE,
     .arguments = "FILE DB",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "what a change would do",
     .description = "The way of each operation, the statements with their locks, and how many rows "
                    "have to be filled. Nothing is changed.",
     .examples = "transhume change check 007_status.change.yaml postgres://app@db.example.org/shop",
     .options = look_options,
     .run = command_change_check},
    {0},
};

/* ---------------------------------------------------------------- the call */

/* The word behind the database: what is switched, or the step that is passed over. */
static bool is_last_word(const struct cli_call *call, const char *word)
{
    return call->command->run == command_change_skip
               ? strspn(word, "0123456789") == strlen(word)
               : strcmp(word, "reads") == 0 || strcmp(word, "writes") == 0;
}

/* FILE, DB (or --database), and of switch and skip the last word. */
static enum status take_words(struct change_call *change, bool takes_file, const char **path,
                              const char **uri, struct error *error)
{
    struct cli_call *call = change->schema.call;
    uint32_t next = 0;
    *uri = cli_text(call, CLI_DATABASE);
    *path = takes_file ? call->arguments[next++] : NULL;
    if (next < call->argument_count && !is_last_word(call, call->arguments[next])) {
        *uri = call->arguments[next++];
    }
    if (next < call->argument_count && is_last_word(call, call->arguments[next])) {
        change->word = call->arguments[next++];
    }
    if (next < call->argument_count || *uri == NULL) {
        const char *name = call->command->name;
        error_set(error, ERROR_USAGE, name, *uri == NULL ? "which database?" : "what is '%s'?",
                  *uri == NULL ? "" : call->arguments[next]);
        return error_hint(error, "usage: transhume %s %s; or --database URI, TRANSHUME_DATABASE",
                          name, call->command->arguments);
    }
    return STATUS_OK;
}

static void fill_options(struct change_call *change)
{
    enum { BATCH_MS = 50, LOCK_MS = 200 };
    struct cli_call *call = change->schema.call;
    const struct cli_value *values = call->values;
    struct change_options *options = &change->options;
    schema_fill_options(&change->schema, &options->schema);
    options->file = &change->file;
    options->schema.set = NULL;
    options->schema.program =
        arena_format(call->arena, "transhume %s%s%s %s", call->command->name,
                     change->file.path != NULL ? " " : "",
                     change->file.path != NULL ? change->file.path : "", change->schema.uri);
    if (!values[CLI_LOCK_TIMEOUT].is_set) {
        options->schema.lock_ms = LOCK_MS; /* applications are at work */
    }
    options->switches = change->word != NULL ? change->word[0] : 0;
    options->step = change->word != NULL ? (uint32_t)strtoul(change->word, NULL, 10) : 0;
    options->pace = (struct change_pace){
        .batch_ms = values[CLI_BATCH_TIME].is_set ? values[CLI_BATCH_TIME].number : BATCH_MS,
        .nice = values[CLI_NICE].is_set ? (double)values[CLI_NICE].number : 0,
        .lag_max_s = values[CLI_PAUSE_LAG].is_set ? (double)values[CLI_PAUSE_LAG].number / 1000 : 0,
        .running_max = values[CLI_PAUSE_RUNNING].is_set ? values[CLI_PAUSE_RUNNING].number : 0,
        .pause_file = cli_text(call, CLI_PAUSE_FILE)};
}

enum status change_call_open(struct change_call *change, struct cli_call *call, bool takes_file,
                             bool looks, struct error *error)
{
    struct plan_faults faults;
    const char *path;
    const char *uri;
    *change = (struct change_call){.schema.call = call};
    if (take_words(change, takes_file, &path, &uri, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (takes_file) {
        plan_faults_init(&faults, path, &change->schema.faults);
        if (change_file_read(path, call->arena, &change->file, &faults, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (schema_open(&change->schema, uri, looks, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (change->schema.database == NULL) {
        return error_set(error, ERROR_TARGET_MISSING, change->schema.uri, "it is not there");
    }
    const struct connector *connector = change->schema.database->connector;
    if (connector->change == NULL) {
        error_set(error, ERROR_NOT_IMPLEMENTED, change->schema.uri,
                  "declared changes of %s are not there yet", connector->title);
        return error_hint(error, "`transhume schema` runs versioned files on it.");
    }
    fill_options(change);
    return STATUS_OK;
}

void change_call_close(struct change_call *change)
{
    schema_close(&change->schema);
}
