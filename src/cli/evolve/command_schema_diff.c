/* transhume schema diff, drift and dump: schemas beside each other, and one written down. */
#include "cli/evolve/command_schema.h"

#include "base/file.h"
#include "evolve/evolve.h"
#include <string.h>

enum { TIMEOUT_MS = 30000 };

static void take_options(const struct cli_call *call, struct diff_options *options)
{
    const struct cli_value *renames = &call->values[CLI_RENAMED];
    const struct cli_value *timeout = &call->values[CLI_TIMEOUT];
    options->server = cli_text(call, CLI_SERVER);
    options->renames = renames->list;
    options->rename_count = renames->list_count;
    options->allow_drop = cli_switch(call, CLI_ALLOW_DROP);
    options->blocking = options->blocking || cli_switch(call, CLI_BLOCKING);
    options->timeout_ms = timeout->is_set ? timeout->number : TIMEOUT_MS;
}

/* To stdout, or the file that -o names. */
static int put_out(const struct cli_call *call, struct buffer *out, int exit_status)
{
    const char *path = cli_text(call, CLI_OUTPUT);
    struct error error = {0};
    if (path == NULL || strcmp(path, "-") == 0) {
        return cli_finish(out, exit_status);
    }
    enum status status = file_write_atomic(path, out->data, out->length, NULL, &error);
    buffer_free(out);
    return status == STATUS_OK ? exit_status : cli_fail(call, &error);
}

/* Whether what differs came in behind the last migration. */
static void append_since(struct cli_call *call, const char *uri, struct buffer *out)
{
    struct schema_call schema = {.call = call};
    struct schema_options options;
    struct schema_history history;
    struct error ignored = {0};
    const char *now = NULL;
    enum schema_since since = SCHEMA_SINCE_UNKNOWN;
    if (schema_open(&schema, uri, true, &ignored) == STATUS_OK && schema.database != NULL) {
        schema_fill_options(&schema, &options);
        options.set = NULL;
        if (schema_look(&options, call->arena, &history, &ignored) == STATUS_OK &&
            schema_hash_read(schema.database, call->arena, &now, &ignored) == STATUS_OK) {
            since = schema_compare_hash(&history, now);
        }
    }
    if (since == SCHEMA_SINCE_SAME) {
        buffer_append_string(out, "it was so when the last migration was applied\n");
    } else if (since == SCHEMA_SINCE_CHANGED) {
        buffer_append_string(out, "it was changed since the last migration was applied\n");
    }
    schema_close(&schema);
}

typedef void diff_form(const struct diff_result *result, struct buffer *out);

/* `finds`: a difference is exit status 1; `drifts`: one of a database and its migrations. */
static int command_schema_diff_compare(struct cli_call *call, struct diff_options *options,
                                       diff_form *form, bool finds, bool drifts)
{
    struct diff_result result;
    struct error error = {0};
    struct buffer out = {0};
    take_options(call, options);
    if (diff_run(options, call->arena, &result, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    if (cli_switch(call, CLI_JSON)) {
        diff_append_json(&result, &out);
    } else {
        form(&result, &out);
        if (drifts && result.change_count > 0) {
            append_since(call, options->from, &out);
        }
    }
    return put_out(call, &out, finds && result.change_count > 0 ? EXIT_ATTENTION : EXIT_DONE);
}

int command_schema_diff(struct cli_call *call)
{
    struct diff_options options = {.from = call->arguments[0], .to = call->arguments[1]};
    return command_schema_diff_compare(call, &options, diff_append_sql,
                                       cli_switch(call, CLI_EXIT_CODE), false);
}

static enum status take_database(struct cli_call *call, const char **uri, struct error *error)
{
    struct schema_call schema = {.call = call};
    enum status status = schema_take_words(&schema, false, uri, error);
    if (status == STATUS_OK && *uri == NULL) {
        error_set(error, ERROR_USAGE, call->command->name, "which database?");
        return error_hint(error, "usage: transhume %s %s; or --database URI, TRANSHUME_DATABASE",
                          call->command->name, call->command->arguments);
    }
    return status;
}

int command_schema_drift(struct cli_call *call)
{
    const char *folder = cli_text(call, CLI_DIR);
    struct diff_options options = {.to = folder != NULL ? folder
                                                        : cli_option_at(CLI_DIR)->default_text};
    struct error error = {0};
    if (take_database(call, &options.from, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    return command_schema_diff_compare(call, &options, diff_append_changes, true, true);
}

int command_schema_dump(struct cli_call *call)
{
    struct diff_options options = {.from = ""};
    struct error error = {0};
    if (take_database(call, &options.to, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    options.blocking = true; /* nobody is there to be shut out */
    return command_schema_diff_compare(call, &options, diff_append_sql, false, false);
}
