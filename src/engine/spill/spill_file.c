#include "engine/spill/spill_file.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/signals.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    CACHE_BYTES_LEAST = 1 << 20,
    CACHE_BYTES_MOST = 16 << 20,
    STEPS_BETWEEN_LOOKS = 10000,
    WRITE_BYTES = 256 << 10
};

/* ---------------------------------------------------------------- opening */

/* Sorting a large table is one statement: a stop is seen within it. */
static int is_stopped(void *ignored)
{
    (void)ignored;
    return signals_stop_level() > 0;
}

/* It is SQLite's one variable for the process. */
void spill_direct_temporary_files(sqlite3 *connection, const char *folder)
{
    char *sql = sqlite3_mprintf("PRAGMA temp_store_directory = %Q", folder);
    if (sql == NULL) {
        memory_exhausted(0);
    }
    (void)sqlite3_exec(connection, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
}

static enum status make_file(const char *path, int *descriptor, struct error *error)
{
    *descriptor = file_open(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *descriptor >= 0 ? STATUS_OK
                            : error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                                              "a file to sort in can't be made");
}

static enum status open_connection(struct spill_file *file, const char *folder,
                                   uint64_t memory_bytes, struct error *error)
{
    uint64_t cache = memory_bytes / 2;
    char sql[200];
    cache = cache < CACHE_BYTES_LEAST  ? CACHE_BYTES_LEAST
            : cache > CACHE_BYTES_MOST ? CACHE_BYTES_MOST
                                       : cache;
    int result = sqlite3_open_v2(
        file->path, &file->connection,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (result != SQLITE_OK) {
        return spill_file_fail(file, result, error);
    }
    sqlite3_progress_handler(file->connection, STEPS_BETWEEN_LOOKS, is_stopped, NULL);
    spill_direct_temporary_files(file->connection, folder);
    file->directs = true;
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = "
                   "EXCLUSIVE; PRAGMA cache_size = -%llu; BEGIN",
                   (unsigned long long)(cache >> 10));
    return spill_file_execute(file, sql, error);
}

enum status spill_file_open(struct spill_file *file, const char *folder, const char *name,
                            uint64_t memory_bytes, struct arena *arena, struct error *error)
{
    uint64_t random = 0;
    int descriptor = -1;
    *file = (struct spill_file){.arena = arena};
    if (folder == NULL) {
        return error_set(error, ERROR_STATE_WRITE, NULL,
                         "rows need a state folder to be sorted in, and none could be made");
    }
    sqlite3_randomness(sizeof random, &random);
    file->path = arena_format(arena, "%s/%s-%016" PRIx64 ".spill", folder, name, random);
    if (file_make_folder(folder, error) != STATUS_OK ||
        make_file(file->path, &descriptor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    close(descriptor);
    file->is_made = true;
    return open_connection(file, folder, memory_bytes, error);
}

void spill_file_close(struct spill_file *file)
{
    if (file->directs) { /* since the folder goes */
        spill_direct_temporary_files(file->connection, "");
    }
    sqlite3_close(file->connection);
    if (file->is_made) {
        (void)unlink(file->path);
    }
    *file = (struct spill_file){0};
}

enum status spill_file_fail(const struct spill_file *file, int result, struct error *error)
{
    int kind = result & 0xff;
    if (kind == SQLITE_NOMEM || result == SQLITE_IOERR_NOMEM) {
        memory_exhausted(0);
    }
    enum error_code code = kind == SQLITE_FULL        ? ERROR_DISK_FULL
                           : kind == SQLITE_INTERRUPT ? ERROR_INTERRUPTED
                                                      : ERROR_STATE_WRITE;
    error_set(error, code, file->path, "rows can't be sorted: %s",
              file->connection != NULL ? sqlite3_errmsg(file->connection) : sqlite3_errstr(result));
    if (code == ERROR_DISK_FULL) {
        error_hint(error, "make room where the state folder is, or name another with --state");
    }
    return STATUS_FAILED;
}

enum status spill_file_execute(const struct spill_file *file, const char *sql, struct error *error)
{
    int result = sqlite3_exec(file->connection, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? STATUS_OK : spill_file_fail(file, result, error);
}

enum status spill_file_prepare(const struct spill_file *file, const char *sql,
                               sqlite3_stmt **statement, struct error *error)
{
    int result = sqlite3_prepare_v2(file->connection, sql, -1, statement, NULL);
    return result == SQLITE_OK ? STATUS_OK : spill_file_fail(file, result, error);
}

/* ---------------------------------------------------------------- mapped files */

void spill_mapping_free(struct spill_mapping *mapping)
{
    if (mapping->bytes != NULL) {
        (void)munmap((void *)(uintptr_t)mapping->bytes, mapping->length);
    }
    *mapping = (struct spill_mapping){0};
}

size_t spill_mapping_find(const struct spill_mapping *mapping, const uint8_t *hash)
{
    size_t low = 0;
    size_t high = mapping->length / SPILL_HASH_BYTES;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(mapping->bytes + middle * SPILL_HASH_BYTES, hash, SPILL_HASH_BYTES);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return SIZE_MAX;
}

enum status spill_part_begin(struct spill_part *part, const struct spill_file *file, int number,
                             struct error *error)
{
    *part = (struct spill_part){.path = arena_format(file->arena, "%s.%d", file->path, number),
                                .descriptor = -1};
    enum status status = make_file(part->path, &part->descriptor, error);
    if (status == STATUS_OK) {
        (void)unlink(part->path);
    }
    return status;
}

static enum status spill_file_flush(struct spill_part *part, struct error *error)
{
    enum status status =
        file_write_all(part->descriptor, part->bytes.data, part->bytes.length, part->path, error);
    buffer_clear(&part->bytes);
    return status;
}

enum status spill_part_put(struct spill_part *part, const void *bytes, size_t length,
                           struct error *error)
{
    buffer_append(&part->bytes, bytes, length);
    part->length += length;
    return part->bytes.length < WRITE_BYTES ? STATUS_OK : spill_file_flush(part, error);
}

enum status spill_part_put_rows(struct spill_part *part, struct spill_part *places,
                                const struct spill_file *file, const char *sql, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = SQLITE_ROW;
    enum status status = spill_file_prepare(file, sql, &statement, error);
    while (status == STATUS_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t place = part->length;
        if (places != NULL) {
            status = spill_part_put(places, &place, sizeof place, error);
        }
        if (status == STATUS_OK) {
            status = spill_part_put(part, sqlite3_column_blob(statement, 0),
                                    (size_t)sqlite3_column_bytes(statement, 0), error);
        }
    }
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = spill_file_fail(file, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

enum status spill_part_end(struct spill_part *part, enum status status,
                           struct spill_mapping *mapping, struct error *error)
{
    if (status == STATUS_OK && part->bytes.length > 0) {
        status = spill_file_flush(part, error);
    }
    if (status == STATUS_OK && part->length > 0) {
        void *mapped = mmap(NULL, part->length, PROT_READ, MAP_SHARED, part->descriptor, 0);
        if (mapped == MAP_FAILED) {
            status = error_set_errno(error, ERROR_STATE_WRITE, errno, part->path,
                                     "what was sorted can't be mapped");
        } else {
            *mapping = (struct spill_mapping){mapped, part->length};
        }
    }
    if (part->descriptor >= 0) {
        close(part->descriptor);
    }
    buffer_free(&part->bytes);
    return status;
}
