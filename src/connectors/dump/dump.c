/* The descriptor of dump:FILE, its options, its types and its catalogue. */
#include "connectors/dump/dump.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/registry.h"
#include "connectors/common/rights_files.h"
#include "model/time_zone.h"
#include <stdlib.h>
#include <string.h>

enum { READERS_MAX = 64 };
#define RECORD_BYTES_MOST (UINT64_C(1) << 30)

static const char *const suffixes[] = {".sql", ".sql.gz", ".sql.zst", ".dump", ".pgdump", NULL};

static const struct connector_option options[] = {
    {"dialect", OPTION_CHOICE, "", "postgres|mysql|sqlite", false,
     "Whose SQL it is, where the dump's beginning does not show it."},
    {"time_zone", OPTION_TEXT, "", NULL, false,
     "Zone of MySQL's timestamps in a dump made with --skip-tz-utc."},
    {"pg_restore", OPTION_CODE, "pg_restore", NULL, false,
     "The program that reads archives of pg_dump."},
    FOLDER_STAGE_OPTIONS,
    {"record_bytes", OPTION_BYTES, "64MiB", "1KiB..1GiB", false,
     "Largest row, as it is written in the dump."},
};

static const struct type_mapping types[] = {
    {"(PostgreSQL)", VALUE_TEXT, "every type as in docs/types/postgres.md", NULL, "exact"},
    {"(MySQL)", VALUE_TEXT, "every type as in docs/types/mysql.md", NULL,
     "exact; a float has the digits that the dump shows of it"},
    {"(SQLite)", VALUE_TEXT, "every value as in docs/types/sqlite.md", NULL, "exact"},
};

/* ---------------------------------------------------------------- opening */

static enum status read_dialect(struct dump_database *self, const struct uri *uri,
                                struct error *error)
{
    static const struct {
        const char *name;
        enum sql_language language;
    } dialects[] = {{"postgres", SQL_POSTGRES}, {"mysql", SQL_MYSQL}, {"sqlite", SQL_SQLITE}};
    const char *dialect = uri_parameter(uri, &connector_dump, "dialect");
    if (dialect == NULL || dialect[0] == '\0') {
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
        if (strcmp(dialects[i].name, dialect) == 0) {
            self->language = dialects[i].language;
            self->language_given = true;
            return STATUS_OK;
        }
    }
    error_set(error, ERROR_BAD_VALUE, uri->shown, "dialect is postgres, mysql or sqlite");
    return error_hint(error, "write for example dump:FILE?dialect=mysql");
}

static enum status read_options(struct dump_database *self, const struct uri *uri,
                                struct error *error)
{
    const char *zone = uri_parameter(uri, &connector_dump, "time_zone");
    if (text_to_bytes(uri_parameter(uri, &connector_dump, "record_bytes"),
                      &self->record_bytes_max) != STATUS_OK ||
        self->record_bytes_max < 1024 || self->record_bytes_max > RECORD_BYTES_MOST) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "record_bytes is from 1KiB to 1GiB");
        return error_hint(error, "write for example dump:FILE?record_bytes=256MiB");
    }
    if (zone != NULL && zone[0] != '\0') {
        self->session.zone_known = true;
        if (time_zone_make(zone, self->arena, &self->session.zone, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return read_dialect(self, uri, error);
}

static void dump_close(struct database *database)
{
    struct dump_database *self = (struct dump_database *)database;
    if (self != NULL) {
        dump_inventory_free(&self->inventory);
        dump_input_close(self->input);
        folder_stage_destroy(self->stage);
        arena_destroy(self->arena);
        free(self);
    }
}

static enum status open_dump(struct dump_database *self, const struct open_options *open,
                             struct error *error)
{
    const char *path = open->uri->path;
    if (path == NULL || path[0] == '\0' || strcmp(path, "-") == 0) {
        error_set(error, ERROR_USAGE, open->uri->shown, "the URI names no file");
        return error_hint(error, "write dump:FILE; a dump is read more than once, so it can't come "
                                 "by standard input");
    }
    if (read_options(self, open->uri, error) != STATUS_OK ||
        (folder_stage_is(path) &&
         folder_stage_make(open, &connector_dump, NULL, NULL, &self->stage, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    path = self->stage != NULL ? folder_stage_path(self->stage) : path;
    if (dump_input_open(path, open->spill_folder,
                        uri_parameter(open->uri, &connector_dump, "pg_restore"), &self->input,
                        error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return dump_inventory_read(self, error);
}

static enum status dump_open(const struct open_options *open, struct database **database,
                             struct error *error)
{
    struct dump_database *self = memory_allocate_zeroed(1, sizeof *self);
    *database = NULL;
    self->arena = arena_create(0);
    self->shown = arena_copy_string(self->arena, open->uri->path != NULL ? open->uri->path : "");
    self->base.connector = &connector_dump;
    self->base.capabilities = connector_dump.capabilities;
    self->base.limits = (struct connector_limits){.readers_max = READERS_MAX};
    if (open_dump(self, open, error) != STATUS_OK) {
        dump_close(&self->base);
        return STATUS_FAILED;
    }
    *database = &self->base;
    return STATUS_OK;
}

static enum status dump_identity(struct database *database, struct arena *arena,
                                 const char **identity, struct error *error)
{
    const struct dump_database *self = (const struct dump_database *)database;
    (void)error;
    *identity = self->stage != NULL ? folder_stage_identity(self->stage)
                                    : dump_input_identity(self->input, arena);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the catalogue */

/* The inventory outlives what is made here. */
static enum status dump_describe(struct database *database, struct schema **schema,
                                 struct error *error)
{
    const struct dump_inventory *inventory = &((struct dump_database *)database)->inventory;
    struct arena *arena = arena_create(0);
    struct schema *made = arena_allocate(arena, sizeof *made);
    (void)error;
    *made = inventory->schema;
    made->arena = arena;
    made->tables = (const struct schema_table *)(const void *)arena_copy(
        arena, inventory->schema.tables, inventory->schema.table_count * sizeof *made->tables);
    made->objects = (const struct schema_object *)(const void *)arena_copy(
        arena, inventory->schema.objects, inventory->schema.object_count * sizeof *made->objects);
    *schema = made;
    return STATUS_OK;
}

const struct catalog_functions dump_catalog = {.describe = dump_describe};

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    const struct dump_database *self = (const struct dump_database *)database;
    (void)error;
    if (self->stage != NULL) {
        folder_stage_add_policy(folder_stage_address_of(self->stage), false, list);
    } else {
        rights_add_tree(list, RIGHTS_COPY, request->account, self->shown, false);
    }
    return STATUS_OK;
}

static const struct rights_functions dump_rights = {.of_source = rights_of_source};

const struct connector connector_dump = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "dump",
    .title = "SQL dumps",
    .suffixes = suffixes,
    .uri_help = "dump:FILE",
    .capabilities = CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED | CAPABILITY_SQL_SCHEMA,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .types = types,
    .type_count = sizeof types / sizeof types[0],
    .open = dump_open,
    .close = dump_close,
    .identity = dump_identity,
    .catalog = &dump_catalog,
    .source = &dump_source,
    .rights = &dump_rights,
};
