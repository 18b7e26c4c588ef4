/* transhume init: writes a proposed plan. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "connectors/common/registry.h"
#include "connectors/common/scope.h"
#include "engine/session/opening.h"
#include "model/time_zone.h"
#include <string.h>

static const char default_path[] = "transhume.yaml";

enum { MEMORY_BYTES = 8 << 20, TIMEOUT_MS = 30000 };

static const char *output_path(const struct cli_call *call)
{
    const char *path = cli_text(call, CLI_OUTPUT);
    return path == NULL ? default_path : path;
}

/* Said before the databases are opened, which may take long. */
static enum status check_output(const struct cli_call *call, const char *path, struct error *error)
{
    if (strcmp(path, "-") == 0 || cli_switch(call, CLI_FORCE) || !file_exists(path)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_USAGE, path, "is there already");
    return error_hint(error,
                      "--force writes over it, -o FILE writes another one, -o - prints the plan.");
}

static enum status write_plan(const struct cli_call *call, const char *path, struct buffer *yaml,
                              struct error *error)
{
    /* a plan may have appeared meanwhile */
    if (check_output(call, path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (file_write_atomic(path, yaml->data, yaml->length, NULL, error) != STATUS_OK) {
        error_recode(error, ERROR_USAGE);
        return error_hint(error, "-o FILE writes it elsewhere, -o - prints it.");
    }
    bool is_default = strcmp(path, default_path) == 0;
    buffer_clear(yaml);
    buffer_format(yaml, "wrote %s: read and edit it, then `transhume check%s%s`\n", path,
                  is_default ? "" : " --plan ", is_default ? "" : path);
    return cli_print(yaml, error);
}

static enum status open_source(const struct cli_call *call, struct uri *uri,
                               const struct connector *connector, struct database **source,
                               struct error *error)
{
    if (connector->source == NULL || connector->catalog == NULL) {
        return error_set(error, ERROR_USAGE, connector->name, "can't be a source");
    }
    const struct cli_value *timeout = &call->values[CLI_TIMEOUT];
    struct open_options options = {.mode = OPEN_SOURCE,
                                   .uri = uri,
                                   .memory_bytes = MEMORY_BYTES,
                                   .timeout_ms = timeout->is_set ? timeout->number : TIMEOUT_MS,
                                   .schemas = cli_schemas(call)};
    if (options.schemas.count > 0 && (connector->capabilities & CAPABILITY_SCHEMAS) == 0) {
        error_set(error, ERROR_USAGE, uri->shown, "%s has no schemas", connector->title);
        return error_hint(error, "leave out --schema");
    }
    return opening_open(connector, uri, &options, call->arena, source, error);
}

static enum status write_proposal(const struct cli_call *call, const struct uri *source_uri,
                                  struct database *source, struct schema *schema,
                                  const struct uri *target_uri, struct database *target,
                                  const struct plan_settings *settings, struct buffer *yaml,
                                  struct error *error)
{
    const char *from = call->named[0] != NULL ? call->named[0]
                                              : cli_without_hidden(source_uri->shown, call->arena);
    const char *to = call->named[1] != NULL ? call->named[1]
                                            : cli_without_hidden(target_uri->shown, call->arena);
    if ((from != call->named[0] && strcmp(from, source_uri->shown) != 0) ||
        (to != call->named[1] && strcmp(to, target_uri->shown) != 0)) {
        log_write(LOG_WARNING, "passwords are left out of the plan: keep them in ~/.pgpass "
                               "(PostgreSQL) or ~/.my.cnf (MySQL, MariaDB)");
    }
    return plan_propose(from, source, schema, to, target, settings, yaml, error);
}

/* The target need not be there yet and is not opened: a proposal needs to know only its nature. */
static enum status propose(const struct cli_call *call, struct buffer *yaml, struct error *error)
{
    struct uri *source_uri;
    struct uri *target_uri;
    const struct connector *source_connector;
    const struct connector *target_connector;
    struct database *source = NULL;
    struct schema *schema = NULL;
    if (registry_resolve(call->arguments[0], call->arena, &source_uri, &source_connector, error) !=
            STATUS_OK ||
        registry_resolve(call->arguments[1], call->arena, &target_uri, &target_connector, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    if (target_connector->target == NULL) {
        return error_set(error, ERROR_USAGE, target_connector->name, "can't be a target");
    }
    struct database target = {.connector = target_connector,
                              .capabilities = target_connector->capabilities};
    struct plan_settings settings = {.include = call->values[CLI_INCLUDE].list,
                                     .include_count = call->values[CLI_INCLUDE].list_count,
                                     .exclude = call->values[CLI_EXCLUDE].list,
                                     .exclude_count = call->values[CLI_EXCLUDE].list_count,
                                     .existing = -1};
    const char *zone = cli_text(call, CLI_TIME_ZONE);
    enum status status =
        zone != NULL ? time_zone_make(zone, call->arena, &settings.time_zone, error) : STATUS_OK;
    if (status == STATUS_OK) {
        status = open_source(call, source_uri, source_connector, &source, error);
    }
    if (status == STATUS_OK &&
        (call->values[CLI_SCHEMA].is_set || source->scope.others.count > 0)) {
        settings.schemas = scope_names(&source->scope, call->arena);
    }
    if (status == STATUS_OK) {
        status = source_connector->catalog->describe(source, &schema, error);
    }
    if (status == STATUS_OK && schema->table_count == 0) {
        log_write(LOG_WARNING, "%s has no tables: the plan is empty", source_uri->shown);
    }
    if (status == STATUS_OK) {
        status = write_proposal(call, source_uri, source, schema, target_uri, &target, &settings,
                                yaml, error);
    }
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    if (source != NULL) {
        source_connector->close(source);
    }
    return status;
}

int command_init(struct cli_call *call)
{
    struct error error = {0};
    struct buffer yaml = {0};
    const char *path = output_path(call);
    int exit_status = EXIT_DONE;
    if (check_output(call, path, &error) != STATUS_OK ||
        propose(call, &yaml, &error) != STATUS_OK) {
        exit_status = cli_fail(call, &error);
    } else if (strcmp(path, "-") == 0) {
        exit_status = cli_finish(&yaml, EXIT_DONE);
    } else if (write_plan(call, path, &yaml, &error) != STATUS_OK) {
        exit_status = cli_fail(call, &error);
    }
    buffer_free(&yaml);
    return exit_status;
}
