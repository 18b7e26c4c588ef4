/* The SQLite connector's descriptor: options, opening, closing and the identity of a file. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/common/registry.h"
#include "connectors/sql/check.h"
#include "connectors/sqlite/schema/definitions.h"
#include "connectors/sqlite/source.h"
#include "connectors/sqlite/sqlite_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    RESULT_COLUMNS_MAX = 2000, /* SQLITE_MAX_COLUMN, unless it was built with another */
    JOINS_MAX = 63             /* 64 tables in a FROM, with that of the records */
};

static const char *const suffixes[] = {".db", ".sqlite", ".sqlite3", NULL};

static const struct connector_option options[] = {
    {.name = "immutable",
     .type = OPTION_BOOLEAN,
     .default_text = "false",
     .help = "source: read without locks, because nothing writes to the file (for WAL "
             "databases in read-only folders)"},
    {.name = "slice",
     .type = OPTION_BYTES,
     .default_text = "1MiB",
     .range = "64KiB..512MiB",
     .help = "source: larger texts and BLOBs travel in pieces"},
};

static const char *const failpoints[] = {
    "sqlite.before_file",
    "sqlite.snapshot_taken",
    "sqlite.spill_sorted",
    "sqlite.before_replace",
    "sqlite.after_replace",
    "sqlite.before_schema",
    "sqlite.after_schema",
    "sqlite.chunk_begin",
    "sqlite.before_mark",
    "sqlite.before_commit",
    "sqlite.after_commit",
    "sqlite.before_index",
    "sqlite.after_index",
    "sqlite.before_virtual",
    "sqlite.after_virtual",
    "sqlite.before_orphans",
    "sqlite.after_orphans",
    "sqlite.before_objects",
    "sqlite.after_objects",
    "sqlite.before_empty",
    "sqlite.before_delete",
    "sqlite.after_delete",
    "sqlite.before_undo",
    "sqlite.after_undo",
    "sqlite.before_remove_objects",
    "sqlite.after_remove_objects",
    "sqlite.before_remove_table",
    "sqlite.after_remove_table",
    "sqlite.before_forget",
    "sqlite.after_forget",
    "sqlite.before_drop",
    "sqlite.before_apply",
    "sqlite.after_apply",
    "sqlite.before_feed",
    "sqlite.after_feed",
    "sqlite.before_history",
    "sqlite.after_history",
    "sqlite.before_alter",
    "sqlite.after_alter",
    NULL,
};

/* ---------------------------------------------------------------- what the path is */

static enum status check_regular(const char *path, enum open_mode mode, bool *exists, off_t *size,
                                 struct error *error)
{
    struct stat facts;
    *exists = stat(path, &facts) == 0;
    if (!*exists && errno == ENOENT && mode == OPEN_TARGET) {
        return STATUS_OK;
    }
    if (!*exists) {
        enum error_code code = mode == OPEN_SOURCE ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING;
        error_set_errno(error, code, errno, path, "the file can't be reached");
        error_hint(error, "check the path and its folders; a source is never created");
        return STATUS_FAILED;
    }
    if (!S_ISREG(facts.st_mode)) {
        error_set(error, mode == OPEN_SOURCE ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID, path,
                  S_ISDIR(facts.st_mode) ? "this is a folder, not a SQLite file"
                                         : "this is no regular file");
        error_hint(error, "give the path of a SQLite database file");
        return STATUS_FAILED;
    }
    *size = facts.st_size;
    if (access(path, R_OK) != 0) {
        error_set_errno(error, ERROR_PERMISSION, errno, path, "the file can't be read");
        error_hint(error, "run as a user who may read it, or change its mode");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* The folder's real path and the file's own name, so that a file that is not there yet has a path
 * too. */
static enum status real_path(struct arena *arena, const char *path, bool exists,
                             enum open_mode mode, const char **real, struct error *error)
{
    char *resolved = NULL;
    if (exists) {
        resolved = realpath(path, NULL);
        if (resolved != NULL) {
            *real = arena_copy_string(arena, resolved);
        }
    } else {
        const char *slash = strrchr(path, '/');
        const char *name = slash != NULL ? slash + 1 : path;
        const char *folder =
            slash == NULL ? "."
                          : arena_copy(arena, path, slash == path ? 1 : (size_t)(slash - path));
        resolved = realpath(folder, NULL);
        if (resolved != NULL) {
            *real = arena_format(arena, "%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, name);
        }
    }
    if (resolved == NULL) {
        error_set_errno(error, mode == OPEN_SOURCE ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING,
                        errno, path, "its folder can't be reached");
        error_hint(error, "make the folder first, or give another path");
        return STATUS_FAILED;
    }
    free(resolved);
    return STATUS_OK;
}

/* The schema's format, four bytes at 44: 0 in a new file, and 1 to 4. */
static enum status check_format(struct sqlite_database *self, const unsigned char header[100],
                                struct error *error)
{
    uint32_t format = (uint32_t)header[44] << 24 | (uint32_t)header[45] << 16 |
                      (uint32_t)header[46] << 8 | header[47];
    if (format <= 4) {
        return STATUS_OK;
    }
    error_set(error, self->mode == OPEN_SOURCE ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID,
              self->sql.shown, "its schema has the format %u; SQLite knows 1 to 4", format);
    error_hint(error, "its header is damaged: put the file back from a backup, or rescue what can "
                      "be read with sqlite3 FILE .recover | sqlite3 NEW");
    return STATUS_FAILED;
}

/* Reads through SQLite's own descriptor: closing another one would drop this process's locks. */
static enum status check_header(struct sqlite_database *self, off_t size, struct error *error)
{
    static const char magic[16] = "SQLite format 3";
    enum error_code code = self->mode == OPEN_SOURCE ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID;
    unsigned char header[100] = {0};
    sqlite3_file *file = NULL;

    if (size == 0) {
        return STATUS_OK;
    }
    sqlite3_file_control(self->control, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (file == NULL || file->pMethods == NULL) {
        return STATUS_OK;
    }
    int wanted = size < (off_t)sizeof header ? (int)size : (int)sizeof header;
    if (file->pMethods->xRead(file, header, wanted, 0) != SQLITE_OK) {
        return error_set(error, code, self->sql.shown, "its first bytes can't be read");
    }
    if (memcmp(header, magic, sizeof magic) == 0) {
        return check_format(self, header, error);
    }
    char start[40];
    text_printable(header, wanted < 16 ? (size_t)wanted : 16, start, sizeof start);
    if (memcmp(header, "** This file contains an SQLite 2", 33) == 0) {
        error_set(error, code, self->sql.shown,
                  "this is a SQLite 2 file, which SQLite 3 can't read");
        error_hint(error, "convert it: sqlite OLD .dump | sqlite3 NEW");
        return STATUS_FAILED;
    }
    error_set(error, code, self->sql.shown,
              "this is not a SQLite 3 database: it begins with \"%s\"", start);
    error_hint(error, "give a SQLite 3 file; an encrypted one has to be decrypted first");
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- opening */

static enum status open_control(struct sqlite_database *self, bool immutable, struct error *error)
{
    enum connection_access access = self->mode == OPEN_TARGET && !self->read_only
                                        ? CONNECTION_CREATE
                                    : immutable ? CONNECTION_IMMUTABLE
                                                : CONNECTION_READ;
    return sqlite_connection_open(self->path, access, self->timeout_ms, &self->control, error);
}

/* Does it have to be written before it can be read? Who holds it at the moment is not waited for:
 * that is left to the next read. */
static bool is_half_done(sqlite3 *connection)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(connection, "PRAGMA main.schema_version", -1, &statement, NULL) ==
        SQLITE_OK) {
        (void)sqlite3_step(statement);
    }
    bool half_done = sqlite3_extended_errcode(connection) == SQLITE_READONLY_ROLLBACK;
    sqlite3_finalize(statement);
    return half_done;
}

/* Without WAL, a writer that was killed leaves a journal, which is rolled back by whoever reads the
 * file through a connection that may write. What stays in the way is told by the next read. */
static void recover(struct sqlite_database *self)
{
    sqlite3 *writing = NULL;
    sqlite3_busy_timeout(self->control, 0);
    if (is_half_done(self->control) &&
        sqlite_connection_open(self->path, CONNECTION_WRITE, self->timeout_ms, &writing, NULL) ==
            STATUS_OK &&
        !is_half_done(writing)) {
        log_write(LOG_INFO, "%s: what a program left half written when it died was rolled back",
                  self->sql.shown);
    }
    sqlite_connection_close(writing);
    sqlite_connection_wait(self->control, self->timeout_ms);
}

static enum status set_limits(struct sqlite_database *self, const struct uri *uri,
                              struct error *error)
{
    const char *slice = uri_parameter(uri, &connector_sqlite, "slice");
    uint64_t slice_bytes = 0;

    if (text_to_bytes(slice, &slice_bytes) != STATUS_OK || slice_bytes < 64 * 1024 ||
        slice_bytes > 512 * 1024 * 1024) {
        return error_set(error, ERROR_BAD_VALUE, "slice", "%s is not between 64KiB and 512MiB",
                         slice);
    }
    self->sql.base.limits = (struct connector_limits){
        .readers_max = 64,
        .writers_max = 1,
        .chunks_open_max = 1,
        .record_bytes_max = 1000 * 1000 * 1000,
        .slice_bytes = slice_bytes,
        .request_columns_max = RESULT_COLUMNS_MAX,
        .request_joins_max = JOINS_MAX,
    };
    self->sql.base.capabilities = connector_sqlite.capabilities;
    return STATUS_OK;
}

static enum status open_file(struct sqlite_database *self, const struct open_options *open,
                             struct error *error)
{
    const char *path = open->uri->path;
    bool exists = false;
    off_t size = 0;

    if (path == NULL || path[0] == '\0') {
        error_set(error, ERROR_USAGE, open->uri->shown, "the URI names no file");
        error_hint(error, "write sqlite:FILE");
        return STATUS_FAILED;
    }
    if (check_regular(path, self->read_only ? OPEN_SOURCE : self->mode, &exists, &size, error) !=
            STATUS_OK ||
        real_path(self->arena, path, exists, self->mode, &self->path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    self->created_file = !exists;
    const char *immutable = uri_parameter(open->uri, &connector_sqlite, "immutable");
    bool is_immutable = strcmp(immutable, "true") == 0;
    if (self->mode == OPEN_TARGET && !self->read_only &&
        sqlite_target_check_place(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (self->created_file && sqlite_make_private_file(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (open_control(self, is_immutable, error) != STATUS_OK ||
        check_header(self, size, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!is_immutable && (self->read_only || open->mirrors || open->recovers)) {
        recover(self);
    }
    return self->mode == OPEN_TARGET ? sqlite_target_opened(self, error)
                                     : sqlite_source_opened(self, is_immutable, error);
}

static void sqlite_close(struct database *database)
{
    struct sqlite_database *self = sqlite_database_of(database);
    if (self == NULL) {
        return;
    }
    sqlite_feeds_close(self);
    sqlite_target_closing(self);
    sqlite_source_closing(self);
    sqlite_connection_close(self->control);
    sqlite_source_closed(self);
    arena_destroy(self->arena);
    free(self);
}

static enum status sqlite_open(const struct open_options *open, struct database **database,
                               struct error *error)
{
    struct sqlite_database *self = memory_allocate_zeroed(1, sizeof *self);

    *database = NULL;
    self->arena = arena_create(0);
    sqlite_feeds_open(self);
    self->sql.dialect = &sqlite_dialect;
    self->sql.base.connector = &connector_sqlite;
    self->mode = open->mode;
    self->read_only = open->mode == OPEN_TARGET && open->read_only;
    self->memory_bytes = open->memory_bytes;
    self->timeout_ms = open->timeout_ms > 0 ? open->timeout_ms : 30000;
    self->sql.shown =
        arena_copy_string(self->arena, open->uri->path != NULL ? open->uri->path : "");
    self->spill_folder =
        open->spill_folder != NULL ? arena_copy_string(self->arena, open->spill_folder) : NULL;
    if (set_limits(self, open->uri, error) != STATUS_OK ||
        open_file(self, open, error) != STATUS_OK) {
        sqlite_close(&self->sql.base);
        return STATUS_FAILED;
    }
    *database = &self->sql.base;
    return STATUS_OK;
}

/* File system and inode, not the path: hard links are one database. The file system's own id, since
 * device numbers may change when the machine starts anew. */
static enum status sqlite_identity(struct database *database, struct arena *arena,
                                   const char **identity, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct stat facts;
    struct statfs system;

    if (self->target != NULL && sqlite_target_file_moved(self) &&
        sqlite_target_renew(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (self->source != NULL && sqlite_source_check_place(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (stat(self->path, &facts) != 0 || statfs(self->path, &system) != 0) {
        return error_set_errno(error, ERROR_SOURCE_MISSING, errno, self->sql.shown,
                               "the file can't be reached any more");
    }
    *identity = arena_format(arena, "sqlite file inode %ju of file system %08x%08x",
                             (uintmax_t)facts.st_ino, (unsigned)system.f_fsid.__val[0],
                             (unsigned)system.f_fsid.__val[1]);
    return STATUS_OK;
}

const struct connector connector_sqlite = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "sqlite",
    .title = "SQLite",
    .suffixes = suffixes,
    .uri_help = "sqlite:FILE",
    .capabilities = CAPABILITY_TRANSACTIONS | CAPABILITY_READS_BY_KEY | CAPABILITY_JOINS |
                    CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED | CAPABILITY_KEY_ENFORCED |
                    CAPABILITY_SQL_SCHEMA | CAPABILITY_COUNTS_EXACT | CAPABILITY_ORDERED_WRITE |
                    CAPABILITY_FOLDED_NAMES | CAPABILITY_MIXED_KINDS,
    .guarantee = GUARANTEE_EXACTLY_ONCE,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .types = sqlite_types,
    .type_count = SQLITE_TYPE_COUNT,
    .failpoints = failpoints,
    .open = sqlite_open,
    .close = sqlite_close,
    .identity = sqlite_identity,
    .catalog = &sqlite_catalog,
    .source = &sqlite_source_functions,
    .target = &sqlite_target,
    .sql_target = &sqlite_sql_target_functions,
    .columns = &sqlite_column_functions,
    .forecast = &sqlite_forecast_functions,
    .trial = &sql_trial,
    .express = &sqlite_express_functions,
    .store = &sqlite_store,
    .lock = &sqlite_lock,
    .rollback = &sqlite_rollback,
    .feed = &sqlite_feed,
    .apply = &sqlite_apply,
    .alter = &sqlite_alter,
    .change = &sqlite_change,
    .definitions = &sqlite_definition_functions,
    .rights = &sqlite_rights,
};
