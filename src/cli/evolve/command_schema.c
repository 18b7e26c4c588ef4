/* transhume schema: what its subcommands share. */
#include "cli/evolve/command_schema.h"

#include "base/file.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/common/registry.h"
#include "connectors/common/uri.h"
#include "engine/run/run.h"
#include <string.h>

/* ---------------------------------------------------------------- the call */

static bool is_number(const char *word)
{
    return word[0] != '\0' && strspn(word, "0123456789") == strlen(word);
}

enum status schema_take_words(struct schema_call *schema, bool counts, const char **uri,
                              struct error *error)
{
    struct cli_call *call = schema->call;
    uint32_t next = 0;
    *uri = cli_text(call, CLI_DATABASE);
    if (counts && call->argument_count > 0 && is_number(call->arguments[0]) &&
        (call->argument_count == 2 || *uri != NULL)) {
        uint64_t number;
        const char *word = call->arguments[next++];
        if (text_to_uint64(word, strlen(word), &number) != STATUS_OK || number == 0 ||
            number > UINT32_MAX) {
            return error_set(error, ERROR_USAGE, word, "is no number of versions");
        }
        schema->most = (uint32_t)number;
    }
    if (next < call->argument_count) {
        *uri = call->arguments[next++];
    }
    if (next < call->argument_count) {
        error_set(error, ERROR_USAGE, call->command->name, "N is a number, not '%s'", *uri);
        return error_hint(error, "usage: transhume %s %s", call->command->name,
                          call->command->arguments);
    }
    return STATUS_OK;
}

static enum status need_database(const struct schema_call *schema, const char *uri,
                                 struct error *error)
{
    if (uri != NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_USAGE, schema->call->command->name, "which database?");
    return error_hint(error, "usage: transhume %s %s; or --database URI, TRANSHUME_DATABASE",
                      schema->call->command->name, schema->call->command->arguments);
}

/* The statements of a folder with a fault are looked at, too, so that all faults are told at once;
 * those of a folder without one are looked at when it is known which of its files are to be run. */
static void check_statements(struct schema_call *schema, const char *uri,
                             struct plan_faults *faults)
{
    const struct connector *connector;
    struct uri *parsed;
    struct error ignored = {0};
    if (uri == NULL ||
        registry_resolve(uri, schema->call->arena, &parsed, &connector, &ignored) != STATUS_OK ||
        connector->alter == NULL) {
        return;
    }
    for (uint32_t i = 0; i < schema->set.count; i++) {
        migration_check_steps(&schema->set.items[i], connector->alter, faults);
    }
}

enum status schema_read_folder(struct schema_call *schema, const char *uri, struct error *error)
{
    struct plan_faults faults;
    const char *folder = cli_text(schema->call, CLI_DIR);
    folder = folder != NULL ? folder : cli_option_at(CLI_DIR)->default_text;
    plan_faults_init(&faults, folder, &schema->faults);
    faults.what = "migrations";
    enum status status = migration_folder_read(folder, cli_text(schema->call, CLI_FROM),
                                               schema->call->arena, &schema->set, &faults, error);
    if (status == STATUS_OK || faults.count == 0) {
        return status;
    }
    check_statements(schema, uri, &faults);
    return plan_faults_result(&faults, error);
}

/* "transhume schema up shop.db --dir db", for people to give it again. */
static const char *make_program(const struct schema_call *schema)
{
    struct cli_call *call = schema->call;
    const char *folder = cli_text(call, CLI_DIR);
    return arena_format(call->arena, "transhume %s%s%s%s%s", call->command->name,
                        schema->uri != NULL ? " " : "", schema->uri != NULL ? schema->uri : "",
                        folder != NULL ? " --dir " : "", folder != NULL ? folder : "");
}

enum status schema_open(struct schema_call *schema, const char *text, bool looks,
                        struct error *error)
{
    struct cli_call *call = schema->call;
    const struct connector *connector;
    struct uri *uri;
    if (need_database(schema, text, error) != STATUS_OK ||
        registry_resolve(text, call->arena, &uri, &connector, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (connector->alter == NULL || connector->alter->open == NULL) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, uri->shown,
                         "schemas of %s can't be changed by transhume yet", connector->title);
    }
    struct run_options defaults;
    run_options_default(&defaults);
    const struct cli_value *timeout = &call->values[CLI_TIMEOUT];
    const struct open_options options = {.mode = OPEN_TARGET,
                                         .uri = uri,
                                         .memory_bytes = defaults.limits.memory_bytes,
                                         .timeout_ms = timeout->is_set ? timeout->number : 30000,
                                         .read_only = looks};
    schema->named = text;
    schema->uri = cli_without_hidden(uri->shown, call->arena);
    schema->program = make_program(schema);
    schema->alter = connector->alter;
    enum status status = connector->open(&options, &schema->database, error);
    bool missing = error->code == ERROR_SOURCE_MISSING || error->code == ERROR_TARGET_MISSING;
    if (status == STATUS_FAILED && looks && missing && uri->host == NULL && uri->path != NULL &&
        !file_exists(uri->path)) {
        schema->database = NULL; /* a file that `up` makes: nothing stands in it */
        return STATUS_OK;
    }
    return status;
}

void schema_close(struct schema_call *schema)
{
    if (schema->database != NULL) {
        schema->database->connector->close(schema->database);
    }
    buffer_free(&schema->faults);
}

/* In milliseconds: as it was said, or by its default; 0: no limit. */
static int64_t time_of(const struct cli_call *call, enum cli_option_id id, int64_t otherwise)
{
    return call->values[id].is_set ? call->values[id].number : otherwise;
}

void schema_fill_options(struct schema_call *schema, struct schema_options *options)
{
    const struct cli_call *call = schema->call;
    enum { LOCK_WAIT_MS = 600000, LOCK_MS = 5000 };
    signals_setup();
    *options = (struct schema_options){
        .database = schema->database,
        .set = &schema->set,
        .session = arena_format(call->arena, "transhume %s", call->command->name),
        .program = schema->program,
        .history_schema = cli_text(call, CLI_HISTORY_SCHEMA),
        .faults = &schema->faults,
        .lock_wait_ms = time_of(call, CLI_LOCK_WAIT, LOCK_WAIT_MS),
        .lock_ms = time_of(call, CLI_LOCK_TIMEOUT, LOCK_MS),
        .statement_ms = time_of(call, CLI_STATEMENT_TIMEOUT, 0),
        .steals_lock = cli_switch(call, CLI_STEAL_LOCK)};
}

int schema_fail(struct schema_call *schema, struct error *error)
{
    return cli_fail_with_faults(schema->call, &schema->faults, error);
}
