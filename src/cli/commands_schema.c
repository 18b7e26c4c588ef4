/* transhume schema: the table of its subcommands. */
#include "cli/cli.h"

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
     .options = up_options},
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
     .options = down_options},
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
     .options = status_options},
    {.name = "schema new",
     .place = IN_SCHEMA,
     .arguments = "NAME",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "begin a migration",
     .description = "Writes two files, the way there and the way back, under the next version. The "
                    "folder is made if it is not there.",
     .examples = "transhume schema new add_email_to_users",
     .options = new_options},
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
     .options = lint_options},
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
     .options = diff_options},
    {.name = "schema drift",
     .place = IN_SCHEMA,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "what differs from the migrations",
     .description = "Compares a database with what the folder of migrations makes. Exits with 1 if "
                    "they differ.",
     .examples = "transhume schema drift shop.db",
     .options = drift_options},
    {.name = "schema dump",
     .place = IN_SCHEMA,
     .arguments = "DB",
     .arguments_max = 1,
     .summary = "write a schema as SQL",
     .description = "Writes the statements that make the database's schema, in an order that does "
                    "not change from one dump to the next.",
     .examples = "transhume schema dump shop.db -o schema.sql",
     .options = dump_options},
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
     .options = import_options},
    {.name = "schema baseline",
     .place = IN_SCHEMA,
     .arguments = "VERSION DB",
     .arguments_min = 1,
     .arguments_max = 2,
     .summary = "begin the history of a database that is there",
     .description = "Notes that the database is as VERSION and those below it leave it. Nothing is "
                    "run.",
     .examples = "transhume schema baseline 007 postgres://app@db.example.org/shop",
     .options = baseline_options},
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
     .options = repair_options},
    {0},
};
