/* transhume schema repair and baseline: what a person says of a version. */
#include "cli/evolve/command_schema.h"

#include <string.h>

static enum status take_kind(const struct cli_call *call, struct schema_repair *repair,
                             struct error *error)
{
    static const struct {
        enum cli_option_id option;
        enum schema_repair_kind kind;
    } kinds[] = {{CLI_MARK_APPLIED, SCHEMA_MARK_APPLIED},
                 {CLI_MARK_REVERTED, SCHEMA_MARK_REVERTED},
                 {CLI_RESUME_FROM, SCHEMA_RESUME_FROM},
                 {CLI_ACCEPT_CHECKSUM, SCHEMA_ACCEPT_CHECKSUM},
                 {CLI_DROP_BEFORE_IMAGES, SCHEMA_DROP_IMAGES}};
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct cli_value *value = &call->values[kinds[i].option];
        if (value->is_set && (kinds[i].option == CLI_RESUME_FROM || value->number != 0)) {
            repair->kind = kinds[i].kind;
            count++;
        }
    }
    if (count != 1) {
        return error_set(error, ERROR_USAGE, call->command->name,
                         "takes one of --mark-applied, --mark-reverted, --resume-from N, "
                         "--accept-checksum and --drop-before-images");
    }
    repair->step =
        repair->kind == SCHEMA_RESUME_FROM ? (uint32_t)call->values[CLI_RESUME_FROM].number : 0;
    return STATUS_OK;
}

/* VERSION DB, in either order: a version is no file and no URI. */
static enum status take_words(struct schema_call *schema, struct schema_repair *repair,
                              const char **uri, struct error *error)
{
    const struct cli_call *call = schema->call;
    *uri = cli_text(call, CLI_DATABASE);
    repair->version = call->arguments[0];
    if (call->argument_count == 2) {
        *uri = call->arguments[1];
        for (uint32_t i = 0; i < schema->set.count; i++) {
            const struct migration *file = &schema->set.items[i];
            const char *name = file->version != NULL ? file->version : file->name;
            if (strcmp(name, call->arguments[1]) == 0) {
                repair->version = call->arguments[1];
                *uri = call->arguments[0];
            }
        }
    }
    return *uri != NULL ? STATUS_OK
                        : error_set(error, ERROR_USAGE, call->command->name, "needs %s",
                                    call->command->arguments);
}

static int command_schema_repair_say(struct schema_call *schema, struct schema_repair *repair,
                                     const char *word)
{
    struct error error = {0};
    struct buffer out = {0};
    struct schema_options options;
    const char *uri = NULL;
    int exit_status;
    if (schema_read_folder(schema, NULL, &error) != STATUS_OK ||
        take_words(schema, repair, &uri, &error) != STATUS_OK ||
        schema_open(schema, uri, false, &error) != STATUS_OK) {
        exit_status = schema_fail(schema, &error);
    } else {
        schema_fill_options(schema, &options);
        if (schema_repair(&options, repair, &error) != STATUS_OK) {
            exit_status = schema_fail(schema, &error);
        } else {
            if (cli_switch(schema->call, CLI_JSON)) {
                buffer_append_string(&out, "{\"format\":1,\"version\":");
                cli_append_json_text(&out, repair->version);
                buffer_append_string(&out, ",\"noted\":");
                cli_append_json_text(&out, word);
                buffer_append_string(&out, "}\n");
            } else {
                buffer_format(&out, "%s: %s\n", repair->version, word);
            }
            exit_status = cli_finish(&out, EXIT_DONE);
        }
    }
    schema_close(schema);
    return exit_status;
}

int command_schema_repair(struct cli_call *call)
{
    static const char *const words[] = {[SCHEMA_MARK_APPLIED] = "noted as applied",
                                        [SCHEMA_MARK_REVERTED] = "noted as not applied",
                                        [SCHEMA_RESUME_FROM] = "noted where it goes on",
                                        [SCHEMA_ACCEPT_CHECKSUM] = "noted as it is now",
                                        [SCHEMA_DROP_IMAGES] = "the rows that it kept are gone"};
    struct schema_call schema = {.call = call};
    struct schema_repair repair = {0};
    struct error error = {0};
    if (take_kind(call, &repair, &error) != STATUS_OK) {
        return cli_fail(call, &error);
    }
    return command_schema_repair_say(&schema, &repair, words[repair.kind]);
}

int command_schema_baseline(struct cli_call *call)
{
    struct schema_call schema = {.call = call};
    struct schema_repair repair = {.kind = SCHEMA_BASELINE};
    return command_schema_repair_say(&schema, &repair, "noted as the baseline");
}
