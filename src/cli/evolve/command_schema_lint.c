/* transhume schema lint: reviews migrations before they run. */
#include "cli/evolve/command_schema.h"

#include "base/file.h"
#include "connectors/common/registry.h"
#include "evolve/evolve.h"
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* A review: its subject and its rules. */
struct linting {
    struct schema_call *schema;
    struct lint_report report;
    bool has_language; /* --dialect said it, or the database; else it is as the text looks */
    enum sql_language language;
    struct schema_known known;
    struct schema_history history; /* of the database */
};

enum lint_kind schema_lint_kind(enum alter_language language)
{
    static const enum lint_kind kinds[ALTER_LANGUAGE_COUNT] = {[ALTER_SQL] = LINT_SQL,
                                                               [ALTER_CQL] = LINT_CQL,
                                                               [ALTER_DYNAMODB] = LINT_DYNAMODB,
                                                               [ALTER_HTTP] = LINT_HTTP,
                                                               [ALTER_MONGO] = LINT_MONGO};
    return kinds[language];
}

/* A part is reviewed with what stands in front of it in its file, for the places and comments. */
static void lint_part(struct linting *linting, const struct migration *item,
                      const struct migration_text *text)
{
    if (text->text == NULL) {
        return;
    }
    const struct lint_input input = {
        .file = text->path,
        .text = text->whole,
        .length = (size_t)(text->text + text->length - text->whole),
        .kind = schema_lint_kind(item->language),
        .server_version = linting->known.version,
        .schema = linting->known.schema,
        .language = linting->has_language
                        ? linting->language
                        : sql_language_recognise(text->text, text->length, SQL_POSTGRES)};
    lint_text(&input, &linting->report);
}

/* The way there; a way back only where it is all that a file is. */
static void lint_item(struct linting *linting, const struct migration *item)
{
    lint_part(linting, item, item->up.text != NULL ? &item->up : &item->down);
}

/* A folder is reviewed only as far as it is pending in the database: the rest is in its schema. */
static bool is_applied(const struct linting *linting, const struct migration *item)
{
    const struct schema_entry *entry =
        linting->history.arena != NULL ? schema_entry_of(&linting->history, item) : NULL;
    return entry != NULL && entry->stands && !entry->unfinished &&
           (item->kind == MIGRATION_VERSIONED ||
            (entry->act.checksum != NULL && strcmp(entry->act.checksum, item->up.checksum) == 0));
}

static enum status lint_folder(struct linting *linting, const char *folder, struct error *error)
{
    struct schema_call *schema = linting->schema;
    struct plan_faults faults;
    struct migration_set set;
    plan_faults_init(&faults, folder, &schema->faults);
    if (migration_folder_look(folder, cli_text(schema->call, CLI_FROM), schema->call->arena, &set,
                              &faults, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < set.count; i++) {
        if (!is_applied(linting, &set.items[i])) {
            lint_item(linting, &set.items[i]);
        }
    }
    return STATUS_OK;
}

static enum status lint_path(struct linting *linting, const char *path, struct error *error)
{
    struct schema_call *schema = linting->schema;
    struct plan_faults faults;
    struct migration item;
    struct stat found;
    if (stat(path, &found) == 0 && S_ISDIR(found.st_mode)) {
        return lint_folder(linting, path, error);
    }
    plan_faults_init(&faults, path, &schema->faults);
    if (!file_exists(path)) {
        return error_set(error, ERROR_USAGE, path, "there is no such file or folder");
    }
    if (migration_read_file(path, true, schema->call->arena, &item, &faults, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    lint_item(linting, &item);
    return STATUS_OK;
}

/* Facts from the database, if one was named. */
static enum status ask_database(struct linting *linting, struct error *error)
{
    struct schema_call *schema = linting->schema;
    const char *uri = cli_text(schema->call, CLI_DATABASE);
    struct schema_options options;
    if (uri == NULL) {
        return STATUS_OK;
    }
    if (schema_know(schema->call, uri, &linting->known, error) != STATUS_OK ||
        schema_open(schema, uri, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    linting->has_language = true;
    linting->language = linting->known.language;
    if (schema->database == NULL) {
        return STATUS_OK;
    }
    schema_fill_options(schema, &options);
    options.set = NULL;
    return schema_look(&options, schema->call->arena, &linting->history, error);
}

static enum status lint_all(struct linting *linting, struct error *error)
{
    struct cli_call *call = linting->schema->call;
    const char *folder = cli_text(call, CLI_DIR);
    /* In the order of --dialect's choices. */
    static const enum sql_language languages[] = {SQL_POSTGRES, SQL_MYSQL, SQL_SQLITE};
    const struct cli_value *dialect = &linting->schema->call->values[CLI_DIALECT];
    if (dialect->is_set) {
        linting->has_language = true;
        linting->language = languages[dialect->number];
    }
    if (ask_database(linting, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (call->argument_count == 0) {
        return lint_folder(linting, folder != NULL ? folder : cli_option_at(CLI_DIR)->default_text,
                           error);
    }
    for (uint32_t i = 0; i < call->argument_count; i++) {
        if (lint_path(linting, call->arguments[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* By what was judged, where it counts. */
static void append_source(const struct linting *linting, struct buffer *out)
{
    uint32_t by_size = 0;
    for (uint32_t i = 0; i < linting->report.count; i++) {
        by_size += linting->report.findings[i].rule->goes_by_size;
    }
    if (linting->known.schema != NULL) {
        buffer_format(out, "by the tables of %s\n", linting->known.server);
    } else if (by_size > 0) {
        buffer_format(out,
                      "%" PRIu32 " of them %s on the table's size: --database URI looks at it\n",
                      by_size, by_size == 1 ? "depends" : "depend");
    }
}

int command_schema_lint(struct cli_call *call)
{
    static const enum lint_form forms[] = {LINT_FORM_TEXT, LINT_FORM_JSON, LINT_FORM_SARIF,
                                           LINT_FORM_GITHUB};
    struct schema_call schema = {.call = call};
    struct linting linting = {.schema = &schema};
    struct error error = {0};
    struct buffer out = {0};
    int exit_status;
    lint_report_init(&linting.report);
    if (lint_all(&linting, &error) != STATUS_OK) {
        exit_status = schema_fail(&schema, &error);
    } else {
        enum lint_form form = cli_switch(call, CLI_JSON) ? LINT_FORM_JSON
                              : call->values[CLI_FORMAT].is_set
                                  ? forms[call->values[CLI_FORMAT].number]
                                  : LINT_FORM_TEXT;
        lint_write(&linting.report, form, &out);
        if (form == LINT_FORM_TEXT) {
            append_source(&linting, &out);
        }
        exit_status = cli_finish(
            &out, linting.report.errors + linting.report.warnings > 0 ? EXIT_ATTENTION : EXIT_DONE);
    }
    lint_report_free(&linting.report);
    schema_known_close(&linting.known);
    schema_close(&schema);
    return exit_status;
}
