/* The DuckDB connector's descriptor: options, opening, closing and the identity of a file. */
#include "base/memory.h"
#include "connectors/common/registry.h"
#include "connectors/duckdb/target.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { RESULT_COLUMNS_MAX = 10000, JOINS_MAX = 60, READERS_MAX = 16, COMMENT_BYTES_MAX = 1 << 20 };

static const char *const suffixes[] = {".duckdb", ".ddb", NULL};

static const struct connector_option options[] = {
    {.name = "library",
     .type = OPTION_CODE,
     .help = "DuckDB's library, libduckdb.so; default: what TRANSHUME_DUCKDB names, else where the "
             "system finds it"},
    {.name = "schema", .type = OPTION_TEXT, .default_text = "main", .help = "the tables' schema"},
    {.name = "memory",
     .type = OPTION_BYTES,
     .default_text = "1GiB",
     .range = "64MiB..1TiB",
     .help = "most memory that DuckDB takes for itself; what needs more goes to files beside it"},
};

static const char *const failpoints[] = {
    "duckdb.before_schema",     "duckdb.after_schema",        "duckdb.chunk_begin",
    "duckdb.before_mark",       "duckdb.before_commit",       "duckdb.after_commit",
    "duckdb.before_references", "duckdb.after_references",    "duckdb.before_index",
    "duckdb.after_index",       "duckdb.before_empty",        "duckdb.before_delete",
    "duckdb.after_delete",      "duckdb.before_remove_table", "duckdb.after_remove_table",
    "duckdb.before_forget",     "duckdb.after_forget",        NULL};

/* ---------------------------------------------------------------- what the path is */

static enum status check_regular(const struct duckdb_database *self, const char *path, bool *exists,
                                 struct error *error)
{
    struct stat facts;
    bool source = self->mode == OPEN_SOURCE;
    *exists = stat(path, &facts) == 0;
    if (!*exists && errno == ENOENT && !source && !self->read_only) {
        return STATUS_OK;
    }
    if (!*exists) {
        error_set_errno(error, source ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING, errno, path,
                        "the file can't be reached");
        return error_hint(error, "check the path and its folders; a source is never created");
    }
    if (!S_ISREG(facts.st_mode)) {
        error_set(error, source ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID, path,
                  S_ISDIR(facts.st_mode) ? "this is a folder, not a DuckDB file"
                                         : "this is no regular file");
        return error_hint(error, "give the path of a DuckDB database file");
    }
    if (access(path, self->read_only ? R_OK : R_OK | W_OK) != 0) {
        error_set_errno(error, ERROR_PERMISSION, errno, path, "the file can't be %s",
                        self->read_only ? "read" : "written");
        return error_hint(error, "run as a user who may, or change its mode");
    }
    return STATUS_OK;
}

/* The folder's real path and the file's own name, so that a file that is not there yet has a path
 * too. */
static enum status real_path(struct duckdb_database *self, const char *path, struct error *error)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    char *resolved = realpath(path, NULL);
    if (resolved != NULL) {
        self->path = arena_copy_string(self->arena, resolved);
        free(resolved);
        return STATUS_OK;
    }
    int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    snprintf(folder, sizeof folder, "%.*s", length, slash == NULL ? "." : path);
    resolved = realpath(folder, NULL);
    if (resolved == NULL) {
        error_set_errno(error,
                        self->mode == OPEN_SOURCE ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING,
                        errno, path, "its folder can't be reached");
        return error_hint(error, "make the folder first, or give another path");
    }
    self->path =
        arena_format(self->arena, "%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, name);
    free(resolved);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- opening */

/* As DuckDB writes sizes: "1024KiB". */
static enum status read_memory(struct duckdb_database *self, const struct uri *uri,
                               const char **memory, struct error *error)
{
    const char *text = uri_parameter(uri, &transhume_connector, "memory");
    uint64_t bytes = 0;
    if (text_to_bytes(text, &bytes) != STATUS_OK || bytes < 64 << 20) {
        return error_set(error, ERROR_BAD_VALUE, "memory", "%s is not between 64MiB and 1TiB",
                         text);
    }
    *memory = arena_format(self->arena, "%lluKiB", (unsigned long long)(bytes >> 10));
    return STATUS_OK;
}

static enum status check_schema(struct duckdb_database *self, struct error *error)
{
    int64_t found = 0;
    if (duckdb_ask_number(
            self, self->control,
            duckdb_sql("SELECT count(*) FROM duckdb_schemas() WHERE database_name = " DUCKDB_HERE
                       " AND schema_name = %q",
                       self->sql.schema),
            ERROR_SOURCE_READ, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (found > 0) {
        return STATUS_OK;
    }
    error_set(error, self->mode == OPEN_SOURCE ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING,
              self->sql.shown, "there is no schema %s in the file", self->sql.schema);
    return error_hint(error, "CREATE SCHEMA makes one; without ?schema= it is main");
}

static enum status open_file(struct duckdb_database *self, const struct open_options *open,
                             struct error *error)
{
    const struct uri *uri = open->uri;
    const char *memory = NULL;
    bool exists = false;
    if (uri->path == NULL || uri->path[0] == '\0') {
        error_set(error, ERROR_USAGE, uri->shown, "the URI names no file");
        return error_hint(error, "write duckdb:FILE");
    }
    if (duckdb_library_load(uri_parameter(uri, &transhume_connector, "library"), &self->library,
                            error) != STATUS_OK ||
        read_memory(self, uri, &memory, error) != STATUS_OK ||
        check_regular(self, uri->path, &exists, error) != STATUS_OK ||
        real_path(self, uri->path, error) != STATUS_OK ||
        duckdb_file_open(self, memory, open->spill_folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* The file is its maker's alone, as its source may be. */
    self->made_file = !exists;
    if (self->made_file) {
        (void)chmod(self->path, 0600);
    }
    snprintf(self->sql.base.server, sizeof self->sql.base.server, "DuckDB %s",
             self->library->library_version());
    return duckdb_connect(self, &self->control, error) == STATUS_OK &&
                   check_schema(self, error) == STATUS_OK
               ? duckdb_find_name(self, error)
               : STATUS_FAILED;
}

/* A file that was made by looking at a target goes again, if nothing came into it. */
static bool is_unused(struct duckdb_database *self)
{
    struct error ignored = {0};
    int64_t found = 1;
    if (!self->made_file || self->control == NULL) {
        return false;
    }
    return duckdb_ask_number(
               self, self->control,
               duckdb_sql("SELECT (SELECT count(*) FROM duckdb_tables()) + (SELECT count(*) FROM "
                          "duckdb_views() WHERE NOT internal)"),
               ERROR_TARGET_INVALID, &found, &ignored) == STATUS_OK &&
           found == 0;
}

static void duckdb_close(struct database *database)
{
    struct duckdb_database *self = duckdb_database_of(database);
    if (self == NULL) {
        return;
    }
    bool unused = is_unused(self);
    if (self->library != NULL) {
        duckdb_disconnect(self, &self->control);
    }
    duckdb_file_close(self->file);
    if (unused) {
        (void)unlink(self->path);
    }
    sql_released(database);
    arena_destroy(self->arena);
    free(self);
}

static enum status duckdb_open(const struct open_options *open, struct database **database,
                               struct error *error)
{
    struct duckdb_database *self = memory_allocate_zeroed(1, sizeof *self);
    const char *schema = uri_parameter(open->uri, &transhume_connector, "schema");
    *database = NULL;
    self->arena = arena_create(0);
    self->mode = open->mode;
    self->read_only = open->mode == OPEN_SOURCE || open->read_only;
    self->timeout_ms = open->timeout_ms > 0 ? open->timeout_ms : 30000;
    self->sql.dialect = &duckdb_dialect;
    self->sql.base.connector = &transhume_connector;
    self->sql.base.capabilities = transhume_connector.capabilities;
    self->sql.base.limits = (struct connector_limits){
        .timestamp_digits = {6, 9},
        .time_digits = {6, 6},
        .comment_bytes_max = COMMENT_BYTES_MAX,
        .readers_max = READERS_MAX,
        .writers_max = 1,
        .chunks_open_max = 1,
        .request_columns_max = RESULT_COLUMNS_MAX,
        .request_joins_max = JOINS_MAX,
        .number_digits_max = 0,
    };
    self->sql.shown =
        arena_copy_string(self->arena, open->uri->path != NULL ? open->uri->path : "");
    self->sql.schema = arena_copy_string(self->arena, schema);
    if (open_file(self, open, error) != STATUS_OK) {
        duckdb_close(&self->sql.base);
        return STATUS_FAILED;
    }
    *database = &self->sql.base;
    return STATUS_OK;
}

/* File system and inode, not the path: hard links are one database. */
static enum status duckdb_identity(struct database *database, struct arena *arena,
                                   const char **identity, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    struct stat facts;
    struct statfs system;
    if (stat(self->path, &facts) != 0 || statfs(self->path, &system) != 0) {
        return error_set_errno(error, ERROR_SOURCE_MISSING, errno, self->sql.shown,
                               "the file can't be reached any more");
    }
    *identity = arena_format(arena, "duckdb file inode %ju of file system %08x%08x schema %s",
                             (uintmax_t)facts.st_ino, (unsigned)system.f_fsid.__val[0],
                             (unsigned)system.f_fsid.__val[1], self->sql.schema);
    return STATUS_OK;
}

const struct connector transhume_connector = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "duckdb",
    .title = "DuckDB",
    .suffixes = suffixes,
    .uri_help = "duckdb:FILE",
    .capabilities = CAPABILITY_TRANSACTIONS | CAPABILITY_NESTED | CAPABILITY_JOINS |
                    CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED | CAPABILITY_READS_BY_KEY |
                    CAPABILITY_KEY_ENFORCED | CAPABILITY_SQL_SCHEMA | CAPABILITY_COUNTS_EXACT |
                    CAPABILITY_FOLDED_NAMES | CAPABILITY_ORDERED_WRITE | CAPABILITY_REFERENCES,
    .guarantee = GUARANTEE_EXACTLY_ONCE,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .types = duckdb_types,
    .type_count = DUCKDB_MAPPINGS,
    .failpoints = failpoints,
    .open = duckdb_open,
    .close = duckdb_close,
    .identity = duckdb_identity,
    .catalog = &duckdb_catalog_functions,
    .source = &duckdb_source_functions,
    .target = &duckdb_target_functions,
    .sql_target = &duckdb_sql_target_functions,
    .columns = &duckdb_column_functions,
    .forecast = &duckdb_forecast_functions,
    .trial = &duckdb_trial,
    .store = &duckdb_store_functions,
    .lock = &duckdb_lock_functions,
    .rollback = &duckdb_rollback_functions,
    .rights = &duckdb_rights,
};
