/* transhume analyze: designs the target. */
#include "cli/cli.h"

#include "base/secret.h"
#include "connectors/registry.h"
#include "design/analysis/analysis.h"
#include "engine/run/opening.h"
#include <string.h>

enum { MEMORY_BYTES = 8 << 20, TIMEOUT_MS = 30000 };

static const char default_folder[] = "analysis";

/* What is shown as "***" is not there. */
static const char *strip(const char *shown, struct arena *arena)
{
    char *text = arena_copy_string(arena, shown);
    secret_strip_hidden(text);
    return text;
}

static enum status describe(struct cli_call *call, struct schema **schema,
                            struct analysis_options *options, struct error *error)
{
    struct uri *uri;
    const struct connector *connector;
    struct database *source = NULL;
    if (registry_resolve(call->arguments[0], call->arena, &uri, &connector, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (connector->source == NULL || connector->catalog == NULL) {
        return error_set(error, ERROR_USAGE, connector->name, "can't be a source");
    }
    const struct cli_value *timeout = &call->values[CLI_TIMEOUT];
    struct open_options opening = {.mode = OPEN_SOURCE,
                                   .uri = uri,
                                   .memory_bytes = MEMORY_BYTES,
                                   .timeout_ms = timeout->is_set ? timeout->number : TIMEOUT_MS,
                                   .schemas = cli_schemas(call)};
    options->source = strip(uri->shown, call->arena);
    if (opening_open(connector, uri, &opening, call->arena, &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = connector->catalog->describe(source, schema, error);
    connector->close(source);
    return status;
}

static enum status analyze(struct cli_call *call, struct buffer *out, struct error *error)
{
    struct schema *schema = NULL;
    struct analysis_options options = {0};
    struct analysis analysis;
    const char *folder = cli_text(call, CLI_OUT);
    folder = folder == NULL ? default_folder : folder;
    if (describe(call, &schema, &options, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (call->argument_count > 1) {
        struct uri *uri;
        const struct connector *connector;
        if (registry_resolve(call->arguments[1], call->arena, &uri, &connector, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        options.target = strip(uri->shown, call->arena);
    }
    analysis_run(schema, NULL, &options, call->arena, &analysis);
    analysis_append_summary(&analysis, out);
    enum status status = analysis_write(&analysis, &options, folder, error);
    arena_destroy(schema->arena);
    return status;
}

int command_analyze(struct cli_call *call)
{
    struct error error = {0};
    struct buffer out = {0};
    if (analyze(call, &out, &error) != STATUS_OK) {
        buffer_free(&out);
        return cli_fail(call, &error);
    }
    return cli_finish(&out, 0);
}
