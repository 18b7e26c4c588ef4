/* transhume change: what its subcommands share. */
#include "cli/evolve/command_change.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- the call */

/* The word behind the database: what is switched, or the step that is passed over. */
static bool is_last_word(const struct cli_call *call, const char *word)
{
    return strcmp(cli_last_word(call->command), "skip") == 0
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
