/* transhume schema: the table of its subcommands, and what they share. */
#include "cli/command_schema.h"

#include "base/file.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/registry.h"
#include "connectors/uri.h"
#include "engine/run/run.h"
#include <string.h>

#define AT_DATABASE CLI_DATABASE, CLI_HISTORY_SCHEMA, CLI_TIMEOUT, CLI_TRUST_FILES
#define AT_FOLDER CLI_DIR, CLI_FROM
#define UNDER_LOCK CLI_LOCK_WAIT, CLI_STEAL_LOCK

static const enum cli_option_id up_options[] = {AT_DATABASE,
                                                AT_FOLDER,
                                                UNDER_LOCK,
                                                CLI_TO,
                                                CLI_OUT_OF_ORDER,
                                                CLI_LOCK_TIMEOUT,
                                                CLI_STATEMENT_TIMEOUT,
                                                CLI_DRY_RUN,
                                                CLI_JSON,
                                                CLI_OPTION_COUNT};
static const enum cli_option_id down_options[] = {
    AT_DATABASE, AT_FOLDER,       UNDER_LOCK,       CLI_TO,
    CLI_CONFIRM, CLI_DRY_RUN,     CLI_LOCK_TIMEOUT, CLI_STATEMENT_TIMEOUT,
    CLI_JSON,    CLI_OPTION_COUNT};
static const enum cli_option_id status_options[] = {AT_DATABASE,   AT_FOLDER, CLI_JSON,
                                                    CLI_EXIT_CODE, CLI_COLOR, CLI_OPTION_COUNT};
static const enum cli_option_id new_options[] = {CLI_DIR, CLI_JSON, CLI_OPTION_COUNT};
static const enum cli_option_id diff_options[] = {
    CLI_RENAMED, CLI_ALLOW_DROP,  CLI_BLOCKING, CLI_SERVER, CLI_EXIT_CODE,
    CLI_OUTPUT,  CLI_TRUST_FILES, CLI_TIMEOUT,  CLI_JSON,   CLI_OPTION_COUNT};
static const enum cli_option_id drift_options[] = {
    CLI_TRUST_FILES, CLI_DATABASE, CLI_TIMEOUT, CLI_DIR, CLI_SERVER, CLI_JSON, CLI_OPTION_COUNT};
static const enum cli_option_id dump_options[] = {CLI_TRUST_FILES, CLI_DATABASE, CLI_TIMEOUT,
                                                  CLI_OUTPUT,      CLI_JSON,     CLI_OPTION_COUNT};
static const enum cli_option_id lint_options[] = {CLI_TRUST_FILES, CLI_DATABASE, CLI_HISTORY_SCHEMA,
                                                  CLI_TIMEOUT,     AT_FOLDER,    CLI_DIALECT,
                                                  CLI_FORMAT,      CLI_JSON,     CLI_OPTION_COUNT};
static const enum cli_option_id repair_options[] = {
    AT_DATABASE,       AT_FOLDER,       UNDER_LOCK,          CLI_MARK_APPLIED,
    CLI_MARK_REVERTED, CLI_RESUME_FROM, CLI_ACCEPT_CHECKSUM, CLI_DROP_BEFORE_IMAGES,
    CLI_JSON,          CLI_OPTION_COUNT};
static const enum cli_option_id baseline_options[] = {AT_DATABASE, AT_FOLDER, UNDER_LOCK, CLI_JSON,
                                                      CLI_OPTION_COUNT};

static const enum cli_option_id import_options[] = {AT_DATABASE, AT_FOLDER, UNDER_LOCK,
                                                    CLI_DRY_RUN, CLI_JSON,  CLI_OPTION_COUNT};

const struct cli_command schema_commands[] = {
    {.name = "schema up",
     .place = IN_SCHEMA,
     .arguments = "[N] DB",
     .arguments_max = 2,
     .summary = "apply what is pending",
     .description =
         "Runs the files of the folder that the database's history does not have, the lowest "
         "version first; N: only so many. Each file is one transaction together with its line of "
         "the history, as far as the database has such. What broke off is resumed. Of several "
         "processes that begin at once one works, and the others wait and find nothing to do.",
     .examples = "transhume schema up shop.db\n"
                 "transhume schema up 1 postgres://app@db.example.org/shop\n"
                 "transhume schema up shop.db --to 012 --dry-run",
     .options = up_options,
     .run = command_schema_up},
    {.name = "schema down",
     .place = IN_SCHEMA,
     .arguments = "[N] DB",
     .arguments_max = 2,
     .summary = "take versions back",
     .description =
         "Runs the way back of the highest version, of the N highest, or with --to of all above "
         "that one. A way back whose file is gone is in the history. Needs --confirm, or a yes on "
         "a terminal.",
     .examples = "transhume schema down shop.db --confirm\n"
                 "transhume schema down shop.db --to 011 --dry-run",
     .options = down_options,
     .run = command_schema_down},
    {.name = "schema status",
     .place = IN_SCHEMA,
     .arguments = "[DB]",
     .arguments_max = 1,
     .summary = "what is applied and what is pending",
     .description =
         "Compares the folder with the database's history; without DB it reads the folder alone. "
         "Exits with 1 if a file was changed after it was applied, is gone, came late, or was "
         "broken off.",
     .examples = "transhume schema status shop.db\n"
                 "transhume schema status --dir db/migrations\n"
                 "transhume schema status shop.db --exit-code --json",
     .options = status_options,
     .run = command_schema_status},
    {.name = "schema new",
     .place = IN_SCHEMA,
     .arguments = "NAME",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "begin a migration",
     .description = "Writes two files, the way there and the way back, under the next version. The "
                    "folder is made if it is not there.",
     .examples = "transhume schema new add_email_to_users",
     .options = new_options,
     .run = command_schema_new},
    {.name = "schema lint",
     .place = IN_SCHEMA,
     .arguments = "[FILE|DIR…]",
     .arguments_max = CLI_ARGUMENTS_MAX,
     .summary = "review migrations before they run",
     .description =
         "Reports what would lock readers or writers out, rewrite a table, lose data, break the "
         "application that still runs, or fail half-way, with what to write instead. Without FILE: "
         "the folder of --dir. With --database the sizes of its tables, its columns and its version "
         "count, and of the folder only what is pending there. Exits with 1 if anything is found. A "
         "comment `-- transhume:ignore RULE` in or above a line silences it.",
     .examples = "transhume schema lint\n"
                 "transhume schema lint migrations/012_email.up.sql --dialect postgres\n"
                 "transhume schema lint --database postgres://app@db.example.org/shop\n"
                 "transhume schema lint --format github",
     .options = lint_options,
     .run = command_schema_lint},
    {.name = "schema diff",
     .place = IN_SCHEMA,
     .arguments = "A B",
     .arguments_min = 2,
     .arguments_max = 2,
     .summary = "the statements that make B of A",
     .description =
         "A and B are a database, a file of SQL, a folder of migrations, or '' for an empty schema. "
         "What is in files is loaded into a scratch place of a server that A, B or --server names, "
         "so that both sides are in that server's own words. Nothing else is changed. Renames are "
         "asked, not guessed; drops are listed, and written with --allow-drop.",
     .examples = "transhume schema diff postgres://app@db.example.org/shop schema.sql\n"
                 "transhume schema diff shop.db migrations --allow-drop\n"
                 "transhume schema diff '' shop.db",
     .options = diff_options,
     .run = command_schema_diff},
    {.name = "schema drift",
     .place = IN_SCHEMA,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "what differs from the migrations",
     .description = "Compares a database with what the folder of migrations makes. Exits with 1 if "
                    "they differ.",
     .examples = "transhume schema drift shop.db",
     .options = drift_options,
     .run = command_schema_drift},
    {.name = "schema dump",
     .place = IN_SCHEMA,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "write a schema as SQL",
     .description = "Writes the statements that make the database's schema, in an order that does "
                    "not change from one dump to the next.",
     .examples = "transhume schema dump shop.db -o schema.sql",
     .options = dump_options,
     .run = command_schema_dump},
    {.name = "schema import",
     .place = IN_SCHEMA,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "go on where another tool stopped",
     .description =
         "Notes in the history what the table of Flyway, goose, golang-migrate, dbmate, Sqitch, "
         "Liquibase, Drizzle, Prisma, Alembic, Django or Rails says is applied, and runs nothing. "
         "That table is only read. `transhume schema up` goes on from there, with the same folder. "
         "What the other tool left half done, or files that changed since, are refused.",
     .examples = "transhume schema import shop.db --dir db/migrations --dry-run\n"
                 "transhume schema import postgres://app@db.example.org/shop --from flyway",
     .options = import_options,
     .run = command_schema_import},
    {.name = "schema baseline",
     .place = IN_SCHEMA,
     .arguments = "VERSION DB",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "begin the history of a database that is there",
     .description = "Notes that the database is as VERSION and those below it leave it. Nothing is "
                    "run.",
     .examples = "transhume schema baseline 007 postgres://app@db.example.org/shop",
     .options = baseline_options,
     .run = command_schema_baseline},
    {.name = "schema repair",
     .place = IN_SCHEMA,
     .arguments = "VERSION DB",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "say what is true of a version",
     .description =
         "Notes in the history what a person has found out: that a version is applied "
         "(--mark-applied), is not (--mark-reverted), at which statement a broken off one is to go "
         "on (--resume-from), or that the file as it is now is what was applied "
         "(--accept-checksum). Nothing is run. --drop-before-images drops the rows that a version "
         "kept before it changed them.",
     .examples = "transhume schema repair 012 shop.db --mark-applied\n"
                 "transhume schema repair 012 shop.db --resume-from 3",
     .options = repair_options,
     .run = command_schema_repair},
    {0},
};

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

/* Of a folder with a fault the statements are looked at, too, so that all faults are told at once.
 * Those of a folder without one are looked at when it is known which of its files are to be run. */
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
