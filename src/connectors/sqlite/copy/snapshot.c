/*
 * One moment for all readers, proof that nothing changed since, and the life of the source's state.
 *
 * The distribution's library has no snapshot calls. So all connections begin their read transaction
 * while a helper holds the write lock: nobody can commit in between. Nothing is written by that,
 * and no lock of ours stays but those of the readers: in rollback-journal mode they keep writers
 * from committing, in WAL mode they keep nobody.
 *
 * The WAL's shared index ("-shm"; sqlite.org/walformat.html, "The WAL-Index File Format") begins
 * with a header of 48 bytes, twice. All integers are in the machine's order: 0 version 3007000   8
 * change counter   16 frames   20 pages   24 frame checksum   32 salts Each commit changes it, and
 * frames, checksum and salts are those of the WAL file itself, so that another process finds the
 * same values for the same content.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/sql/stream.h"
#include "connectors/sqlite/feed_internal.h"
#include "connectors/sqlite/source.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A change in the same tick of the file system's clock as the one before could not be seen. */
enum { CLOCK_TICK_MS = 20, COARSE_TICK_MS = 2000 };

/* ---------------------------------------------------------------- opening */

static bool file_beside_exists(struct sqlite_database *self, const char *suffix)
{
    struct stat facts;
    char *path = arena_format(self->arena, "%s%s", self->path, suffix);
    return stat(path, &facts) == 0 && facts.st_size > 0;
}

static bool is_in_place(const struct sqlite_database *self)
{
    struct sqlite_file_identity found;
    return sqlite_identify_path(self->path, &found) &&
           sqlite_same_file(&found, &self->source->file);
}

static enum status replaced(const struct sqlite_database *self, struct error *error)
{
    error_set(error, ERROR_SOURCE_CHANGED, self->sql.shown,
              "the file was replaced or removed since it was opened");
    error_hint(error, "start again once nobody replaces it");
    return STATUS_FAILED;
}

enum status sqlite_source_check_place(const struct sqlite_database *self, struct error *error)
{
    return is_in_place(self) ? STATUS_OK : replaced(self, error);
}

bool sqlite_source_is_in(const struct sqlite_database *self, sqlite3 *connection,
                         const char *schema)
{
    struct sqlite_file_identity found;
    /* SQLite finds a WAL by the path: it is that of the file while the file has the path */
    return sqlite_identify(connection, schema, &found) &&
           sqlite_same_file(&found, &self->source->file) && is_in_place(self);
}

/* One more connection to the file that `control` holds. */
static enum status open_same(struct sqlite_database *self, enum connection_access access,
                             sqlite3 **connection, struct error *error)
{
    struct sqlite_file_identity found;
    if (sqlite_connection_open(self->path, access, self->timeout_ms, connection, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!sqlite_identify(*connection, "main", &found) ||
        !sqlite_same_file(&found, &self->source->file)) {
        return replaced(self, error);
    }
    return source_register_rows(self, *connection, error);
}

/* A helper that may write; if there can be none, one connection with a mutex serves every
 * thread. */
static enum status open_helper(struct sqlite_database *self, struct error *error)
{
    struct sqlite_source *source = self->source;

    if (access(self->path, W_OK) == 0 &&
        sqlite_connection_open(self->path, CONNECTION_WRITE, self->timeout_ms, &source->helper,
                               NULL) == STATUS_OK &&
        sqlite3_db_readonly(source->helper, "main") == 0) {
        struct sqlite_file_identity written;
        /* asked anew: in layers of file systems a file that is opened to be written may move */
        return sqlite_identify(self->control, "main", &source->file) &&
                       sqlite_identify(source->helper, "main", &written) &&
                       sqlite_same_file(&written, &source->file)
                   ? STATUS_OK
                   : replaced(self, error);
    }
    sqlite_connection_close(source->helper);
    source->helper = NULL;
    source->single = true;
    self->sql.base.limits.readers_max = 1;
    sqlite_connection_close(self->control);
    self->control = NULL;
    return open_same(self, CONNECTION_READ_SHARED, &self->control, error);
}

static enum status read_journal_mode(struct sqlite_database *self, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    /* a read first: in WAL mode it is what opens the WAL, and errors are told by it */
    if (sqlite_prepare(self, self->control, "SELECT count(*) FROM main.sqlite_schema", &statement,
                       error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_step(statement);
    sqlite3_finalize(statement);
    if (result != SQLITE_ROW) {
        return sqlite_error(self->control, result, OPEN_SOURCE, ERROR_SOURCE_READ, self->sql.shown,
                            "it can't be read", error);
    }
    if (sqlite_prepare(self, self->control, "PRAGMA main.journal_mode", &statement, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sqlite_step(self, statement, error);
    if (status == STATUS_OK) {
        const char *mode = (const char *)sqlite3_column_text(statement, 0);
        self->source->wal = mode != NULL && strcmp(mode, "wal") == 0;
    }
    sqlite3_finalize(statement);
    return status == STATUS_FAILED ? status : STATUS_OK;
}

static enum status set_temporary_folder(struct sqlite_database *self, const char *folder,
                                        struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "PRAGMA temp_store_directory = %q", folder);
    enum status status = sqlite_execute(self, self->control, buffer_string(&sql), error);
    buffer_free(&sql);
    return status;
}

/* Process-wide in SQLite: where its sorts spill to. A run has made the folder by the time it takes
 * its snapshot; a check makes none, and sorts where SQLite does by itself. */
static enum status use_spill_folder(struct sqlite_database *self, struct error *error)
{
    if (self->spill_folder == NULL || self->source->temporary_folder_set ||
        access(self->spill_folder, W_OK) != 0) {
        return STATUS_OK;
    }
    self->source->temporary_folder_set = true;
    return set_temporary_folder(self, self->spill_folder, error);
}

enum status sqlite_source_opened(struct sqlite_database *self, bool immutable, struct error *error)
{
    struct sqlite_source *source = memory_allocate_zeroed(1, sizeof *source);

    self->source = source;
    pthread_mutex_init(&source->lock, NULL);
    source->immutable = immutable;
    if (!sqlite_identify(self->control, "main", &source->file)) {
        return replaced(self, error);
    }
    bool wal_has_content = file_beside_exists(self, "-wal");
    struct stat facts;
    char *wal = arena_format(self->arena, "%s-wal", self->path);
    source->wal_found = stat(wal, &facts) == 0;
    if (immutable && wal_has_content) {
        error_set(error, ERROR_SOURCE_INVALID, self->sql.shown,
                  "immutable=true would lose what is in its -wal file");
        error_hint(error,
                   "open it without the option, or let SQLite fold the WAL in first: sqlite3 "
                   "FILE 'PRAGMA wal_checkpoint(TRUNCATE)'");
        return STATUS_FAILED;
    }
    if (!immutable && open_helper(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (trust_settle(self, error) != STATUS_OK ||
        (source->helper != NULL && trust_follow(self, source->helper, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    return read_journal_mode(self, error);
}

/* ---------------------------------------------------------------- closing */

static void report_excess(struct sqlite_source *source)
{
    while (source->excess != NULL) {
        struct excess_digits *excess = source->excess;
        source->excess = excess->next;
        log_write(LOG_WARNING,
                  "%s.%s: %" PRIu64 " values have more digits after the point than the column "
                  "declares; all digits were kept",
                  excess->stream, excess->column, excess->count);
        free(excess);
    }
}

static void close_readers(struct sqlite_database *self)
{
    struct sqlite_source *source = self->source;

    for (uint32_t i = 0; i < source->idle_count; i++) {
        sqlite_connection_close(source->idle[i]);
    }
    free(source->idle);
    source->idle = NULL;
    source->idle_count = 0;
    if (source->large != self->control) {
        sqlite_connection_close(source->large);
    }
    source->large = NULL;
    source->wal_index = NULL;
}

/* The snapshot ends: was it of the file that has the name now? */
static void warn_if_replaced(struct sqlite_database *self)
{
    if (self->source->snapshot_taken && !is_in_place(self)) {
        log_write(LOG_WARNING,
                  "%s was replaced or removed meanwhile: what was read is the file that was opened",
                  self->sql.shown);
    }
}

void sqlite_source_closing(struct sqlite_database *self)
{
    struct sqlite_source *source = self->source;
    if (source == NULL) {
        return;
    }
    report_excess(source);
    warn_if_replaced(self);
    close_readers(self);
    if (source->catalog_read) {
        arena_destroy(source->catalog.schema->arena);
    }
    if (source->temporary_folder_set) {
        enum status status = set_temporary_folder(self, "", NULL);
        (void)status;
    }
    spill_remove(source);
}

/* A reader of a clean WAL database leaves an empty -wal and a -shm file behind; SQLite removes them
 * when a connection that may write is the last to close. Nothing is in them, so nothing is folded
 * in. */
static void tidy(struct sqlite_database *self)
{
    struct sqlite_source *source = self->source;
    struct stat facts;
    char *wal = arena_format(self->arena, "%s-wal", self->path);

    if (source->helper == NULL || !source->wal || source->wal_found || stat(wal, &facts) != 0 ||
        facts.st_size != 0) {
        return;
    }
    sqlite3_busy_timeout(source->helper, 0);
    sqlite3_exec(source->helper, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
    sqlite3_db_config(source->helper, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}

void sqlite_source_closed(struct sqlite_database *self)
{
    struct sqlite_source *source = self->source;
    if (source == NULL) {
        return;
    }
    tidy(self);
    sqlite_connection_close(source->helper);
    pthread_mutex_destroy(&source->lock);
    free(source);
    self->source = NULL;
}

/* ---------------------------------------------------------------- the version of the content */

bool sqlite_source_unchanged(struct sqlite_database *self)
{
    const struct sqlite_source *source = self->source;
    struct wal_version now;

    if (!source->snapshot_taken) {
        return false;
    }
    if (!source->wal || source->immutable) {
        return true; /* the readers' shared locks let nobody commit */
    }
    return wal_version_read(source->wal_index, &now) &&
           memcmp(&now, &source->version, sizeof now) == 0;
}

static int64_t stat_ms(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

/*
 * Waits until a change from now on would be stamped later than the last one. False if that would
 * take too long (clock set back): then nothing is proven.
 */
static bool stamps_settled(struct sqlite_database *self, struct stat *facts)
{
    for (int64_t deadline = clock_monotonic_ms() + COARSE_TICK_MS + CLOCK_TICK_MS;
         clock_monotonic_ms() < deadline; clock_sleep_ms(5)) {
        if (stat(self->path, facts) != 0) {
            return false;
        }
        bool coarse = facts->st_mtim.tv_nsec == 0 && facts->st_ctim.tv_nsec == 0;
        int64_t last = stat_ms(&facts->st_mtim) > stat_ms(&facts->st_ctim)
                           ? stat_ms(&facts->st_mtim)
                           : stat_ms(&facts->st_ctim);
        if (clock_utc_us() / 1000 > last + (coarse ? COARSE_TICK_MS : CLOCK_TICK_MS)) {
            return true;
        }
    }
    return false;
}

/*
 * Everything that a commit changes: in rollback mode the change counter, the size and the stamps of
 * the file; in WAL mode the stamps (a checkpoint writes the file) and the WAL's frames, whose
 * checksum goes over all of them. A checkpoint or a touch alone makes the token differ too: that
 * only costs a proof.
 */
static const char *make_token(struct sqlite_database *self, struct arena *arena)
{
    struct sqlite_source *source = self->source;
    struct stat facts = {0};
    unsigned char header[100] = {0};
    sqlite3_file *file = NULL;
    struct buffer text = {0};
    bool proven = stamps_settled(self, &facts);

    sqlite3_file_control(self->control, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (facts.st_size > 0 && (file == NULL || file->pMethods == NULL ||
                              file->pMethods->xRead(file, header, sizeof header, 0) != SQLITE_OK)) {
        proven = false;
    }
    const struct sqlite_file_identity stamped = {facts.st_dev, facts.st_ino};
    proven = proven && sqlite_same_file(&stamped, &source->file);
    buffer_format(&text, "sqlite1 inode %ju size %jd mtime %jd.%09ld ctime %jd.%09ld header ",
                  (uintmax_t)facts.st_ino, (intmax_t)facts.st_size, (intmax_t)facts.st_mtim.tv_sec,
                  facts.st_mtim.tv_nsec, (intmax_t)facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec);
    buffer_append_hex(&text, header + 24, sizeof header - 24);
    if (source->wal && !source->immutable) {
        const struct wal_version *version = &source->version;
        proven = proven && source->wal_index != NULL;
        if (version->frames > 0) {
            buffer_format(&text, " wal %08x%08x %u %u %08x%08x", version->salt[0], version->salt[1],
                          version->frames, version->pages, version->checksum[0],
                          version->checksum[1]);
        }
    }
    if (!proven) {
        buffer_format(&text, " unproven %jd %jd", (intmax_t)getpid(), (intmax_t)clock_utc_us());
    }
    return sql_text(arena, &text);
}

/* ---------------------------------------------------------------- taking it */

static enum status open_readers(struct sqlite_database *self, uint32_t count, struct error *error)
{
    struct sqlite_source *source = self->source;
    enum connection_access access = source->immutable ? CONNECTION_IMMUTABLE : CONNECTION_READ;

    if (source->single) {
        source->large = self->control;
        return STATUS_OK;
    }
    source->idle = memory_allocate_zeroed(count, sizeof(sqlite3 *));
    for (; source->idle_count < count; source->idle_count++) {
        sqlite3 **reader = &source->idle[source->idle_count];
        if (open_same(self, access, reader, error) != STATUS_OK) {
            sqlite_connection_close(*reader);
            return STATUS_FAILED;
        }
    }
    return open_same(self, access, &source->large, error);
}

/* The cache of connections that read no rows to speak of, and each large value once. */
enum { CONTROL_CACHE_KIB = 256 };

/* Sets the connection's memory bound and begins its read transaction. */
static enum status begin_reading(struct sqlite_database *self, sqlite3 *connection,
                                 int64_t cache_kib, struct error *error)
{
    char sql[224];
    if (trust_follow(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* mmap_size: pages of wide_io.c's own; where the file is the system's, nothing fits in it */
    snprintf(sql, sizeof sql,
             "PRAGMA cache_size = -%" PRId64
             "; PRAGMA main.mmap_size = 1; PRAGMA temp_store = FILE; PRAGMA automatic_index = ON;"
             " BEGIN; SELECT 1 FROM main.sqlite_schema LIMIT 1",
             cache_kib);
    return sqlite_execute(self, connection, sql, error);
}

static enum status begin_all(struct sqlite_database *self, struct error *error)
{
    struct sqlite_source *source = self->source;
    int64_t connections = (int64_t)source->idle_count + 2;
    int64_t cache_kib = (int64_t)(self->memory_bytes / 1024) / connections;
    cache_kib = cache_kib < 256 ? 256 : cache_kib > 2048 ? 2048 : cache_kib;

    enum status status = begin_reading(self, self->control, CONTROL_CACHE_KIB, error);
    for (uint32_t i = 0; status == STATUS_OK && i < source->idle_count; i++) {
        status = begin_reading(self, source->idle[i], cache_kib, error);
    }
    if (status == STATUS_OK && source->large != self->control) {
        status = begin_reading(self, source->large, CONTROL_CACHE_KIB, error);
    }
    if (status == STATUS_OK) {
        status = read_journal_mode(self, error);
    }
    if (status == STATUS_OK && source->wal && !source->immutable) {
        source->wal_index = wal_index_map(self->control);
        if (!wal_version_read(source->wal_index, &source->version)) {
            source->wal_index = NULL;
        }
    }
    return status;
}

static enum status check_schema_version(struct sqlite_database *self, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    struct sqlite_source *source = self->source;
    int64_t version = 0;

    if (!source->catalog_read) {
        return STATUS_OK;
    }
    if (sqlite_prepare(self, self->control, "PRAGMA main.schema_version", &statement, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sqlite_step(self, statement, error);
    if (status == STATUS_OK) {
        version = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (version == source->catalog.schema_version) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_CHANGED, self->sql.shown,
              "its schema changed between the check and the start of the copy");
    error_hint(error, "start again once nobody changes the schema");
    return STATUS_FAILED;
}

/* SQLite's own waiting grows to tenths of a second, in which a busy writer is back again. */
static int wait_for_writers(void *context, int calls)
{
    (void)calls;
    clock_sleep_ms(1);
    return clock_monotonic_ms() < *(const int64_t *)context && signals_stop_level() < 2;
}

static enum status lock_writers_out(struct sqlite_database *self, struct error *error)
{
    sqlite3 *helper = self->source->helper;
    int64_t deadline = clock_monotonic_ms() + self->timeout_ms;

    sqlite3_busy_handler(helper, wait_for_writers, &deadline);
    int result = sqlite3_exec(helper, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    enum status status =
        result == SQLITE_OK
            ? STATUS_OK
            : sqlite_error(helper, result, OPEN_SOURCE, ERROR_SOURCE_READ, self->sql.shown,
                           "the moment of the copy can't be fixed", error);
    if (status == STATUS_OK && self->sql.base.moment != NULL) {
        status = feed_fix_moment(self, helper, self->sql.base.moment, error);
    }
    sqlite3_busy_handler(helper, NULL, NULL);
    if (status != STATUS_OK) {
        sqlite_end_looks(helper, true);
    }
    return status;
}

static enum status snapshot_take(struct sqlite_database *self, uint32_t reader_count,
                                 struct error *error)
{
    struct sqlite_source *source = self->source;
    const struct catalog *catalog = NULL; /* read here: reader threads only look at it */

    if (open_readers(self, reader_count > 0 ? reader_count : 1, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (source->helper != NULL && lock_writers_out(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = begin_all(self, error);
    if (source->helper != NULL) {
        sqlite3_exec(source->helper, "ROLLBACK", NULL, NULL, NULL);
    }
    return status == STATUS_OK && sqlite_source_check_place(self, error) == STATUS_OK &&
                   check_schema_version(self, error) == STATUS_OK &&
                   catalog_get(self, &catalog, error) == STATUS_OK
               ? STATUS_OK
               : STATUS_FAILED;
}

static enum status source_snapshot(struct database *database, uint32_t reader_count,
                                   struct arena *arena, const char **token, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct sqlite_source *source = self->source;

    if (source->snapshot_taken) {
        return error_set(error, ERROR_INTERNAL, self->sql.shown, "a second snapshot was asked for");
    }
    if (use_spill_folder(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (snapshot_take(self, reader_count, error) != STATUS_OK) {
        /* so that it may be tried again */
        close_readers(self);
        sqlite_end_looks(self->control, true);
        return STATUS_FAILED;
    }
    source->snapshot_taken = true;
    if (failpoint_hit("sqlite.snapshot_taken", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *token = make_token(self, arena);
    return STATUS_OK;
}

/* Until then the WAL grows, and in the other journal modes nobody can commit. */
static enum status source_leave(struct database *database, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    (void)error;
    warn_if_replaced(self);
    close_readers(self);
    sqlite_end_looks(self->control, true);
    self->source->snapshot_taken = false;
    return STATUS_OK;
}

const struct source_functions sqlite_source_functions = {
    .holds = source_holds,
    .snapshot = source_snapshot,
    .leave = source_leave,
    .describe_stream = source_describe_stream,
    .count = source_count,
    .append_groups = sql_append_groups,
    .accepts = source_accepts,
    .split = source_split,
    .prepare = source_prepare,
    .reader_open = source_reader_open,
    .reader_close = source_reader_close,
    .cursor_open = source_cursor_open,
    .cursor_next = source_cursor_next,
    .cursor_close = source_cursor_close,
    .number_spans = source_number_spans,
    .since_query = sqlite_since_query,
    .caveats = source_caveats,
};
