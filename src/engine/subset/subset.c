#include "engine/subset/subset.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/signals.h"
#include "engine/subset/subset_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    CACHE_BYTES_LEAST = 1 << 20,
    CACHE_BYTES_MOST = 16 << 20,
    STEPS_BETWEEN_LOOKS = 10000,
    WRITE_BYTES = 256 << 10
};

struct subset_scratch {
    struct buffer bytes;
};

/* ---------------------------------------------------------------- made and gone */

struct subset *subset_create(const struct subset_options *options)
{
    struct subset *subset = memory_allocate_zeroed(1, sizeof *subset);
    subset->arena = arena_create(0);
    subset->options = *options;
    subset_plan(subset);
    return subset;
}

static void remove_file(struct subset *subset)
{
    if (subset->path != NULL) {
        (void)unlink(subset->path);
        subset->path = NULL;
    }
}

void subset_destroy(struct subset *subset)
{
    if (subset == NULL) {
        return;
    }
    remove_file(subset);
    for (uint32_t i = 0; i < subset->node_count; i++) {
        const struct subset_node *node = &subset->nodes[i];
        if (node->hashes != NULL) {
            (void)munmap((void *)(uintptr_t)node->hashes, node->hash_count * SUBSET_HASH_BYTES);
        }
    }
    arena_destroy(subset->arena);
    free(subset);
}

enum status subset_error(const struct subset *subset, sqlite3 *output, int result,
                         struct error *error)
{
    int kind = result & 0xff;
    if (kind == SQLITE_NOMEM || result == SQLITE_IOERR_NOMEM) {
        memory_exhausted(0);
    }
    enum error_code code = kind == SQLITE_FULL        ? ERROR_DISK_FULL
                           : kind == SQLITE_INTERRUPT ? ERROR_INTERRUPTED
                                                      : ERROR_STATE_WRITE;
    error_set(error, code, subset->path, "rows can't be chosen: %s",
              output != NULL ? sqlite3_errmsg(output) : sqlite3_errstr(result));
    if (code == ERROR_DISK_FULL) {
        error_hint(error, "make room where the state folder is, or name another with --state");
    }
    return STATUS_FAILED;
}

enum status subset_execute(const struct subset *subset, sqlite3 *output, const char *sql,
                           struct error *error)
{
    int result = sqlite3_exec(output, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? STATUS_OK : subset_error(subset, output, result, error);
}

/* ---------------------------------------------------------------- the file */

static int is_stopped(void *ignored)
{
    (void)ignored;
    return signals_stop_level() > 0;
}

static enum status make_path(struct subset *subset, struct error *error)
{
    uint64_t random = 0;
    if (subset->options.spill_folder == NULL) {
        return error_set(error, ERROR_STATE_WRITE, NULL,
                         "--sample-rows needs a state folder to sort in, and none could be made");
    }
    if (file_make_folder(subset->options.spill_folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite3_randomness(sizeof random, &random);
    subset->path = arena_format(subset->arena, "%s/subset-%016" PRIx64 ".spill",
                                subset->options.spill_folder, random);
    return STATUS_OK;
}

static enum status open_file(struct subset *subset, sqlite3 **output, struct error *error)
{
    uint64_t cache = subset->options.memory_bytes / 2;
    cache = cache < CACHE_BYTES_LEAST  ? CACHE_BYTES_LEAST
            : cache > CACHE_BYTES_MOST ? CACHE_BYTES_MOST
                                       : cache;
    if (make_path(subset, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int descriptor =
        file_open(subset->path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, subset->path,
                               "a file to choose rows in can't be made");
    }
    close(descriptor);
    int result = sqlite3_open_v2(
        subset->path, output,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (result != SQLITE_OK) {
        return subset_error(subset, *output, result, error);
    }
    sqlite3_progress_handler(*output, STEPS_BETWEEN_LOOKS, is_stopped, NULL);
    char sql[200];
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = "
                   "EXCLUSIVE; PRAGMA cache_size = -%llu; BEGIN",
                   (unsigned long long)(cache >> 10));
    return subset_execute(subset, *output, sql, error);
}

/* ---------------------------------------------------------------- the chosen ones */

static enum status write_hashes(const struct subset *subset, sqlite3 *output, uint32_t number,
                                int descriptor, size_t *count, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    struct buffer bytes = {0};
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SELECT h FROM c%u ORDER BY h", (unsigned)number);
    int result = sqlite3_prepare_v2(output, sql, -1, &statement, NULL);
    enum status status = STATUS_OK;
    *count = 0;
    while (result == SQLITE_OK && status == STATUS_OK &&
           (result = sqlite3_step(statement)) == SQLITE_ROW) {
        buffer_append(&bytes, sqlite3_column_blob(statement, 0), SUBSET_HASH_BYTES);
        (*count)++;
        result = SQLITE_OK;
        if (bytes.length >= WRITE_BYTES) {
            status = file_write_all(descriptor, bytes.data, bytes.length, subset->path, error);
            buffer_clear(&bytes);
        }
    }
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = subset_error(subset, output, result, error);
    }
    if (status == STATUS_OK && bytes.length > 0) {
        status = file_write_all(descriptor, bytes.data, bytes.length, subset->path, error);
    }
    sqlite3_finalize(statement);
    buffer_free(&bytes);
    return status;
}

/* Into a file that has no name any more once it is mapped. */
static enum status keep_hashes(struct subset *subset, sqlite3 *output, uint32_t number,
                               struct error *error)
{
    struct subset_node *node = &subset->nodes[number];
    char *path = arena_format(subset->arena, "%s.%u", subset->path, (unsigned)number);
    int descriptor = file_open(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                               "a file of chosen rows can't be made");
    }
    size_t count = 0;
    enum status status = write_hashes(subset, output, number, descriptor, &count, error);
    if (status == STATUS_OK && count > 0) {
        void *mapped = mmap(NULL, count * SUBSET_HASH_BYTES, PROT_READ, MAP_SHARED, descriptor, 0);
        if (mapped == MAP_FAILED) {
            status = error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                                     "a file of chosen rows can't be mapped");
        } else {
            node->hashes = mapped;
            node->hash_count = count;
        }
    }
    (void)unlink(path);
    close(descriptor);
    return status;
}

bool subset_is_prepared(const struct subset *subset)
{
    return subset->prepared;
}

enum status subset_prepare(struct subset *subset, struct reader *reader,
                           void (*progress)(const char *what), struct error *error)
{
    sqlite3 *output = NULL;
    enum status status = open_file(subset, &output, error);
    for (uint32_t i = 0; status == STATUS_OK && i < subset->node_count; i++) {
        status = subset_read(subset, &subset->nodes[i], i, reader, output, progress, error);
    }
    status = status == STATUS_OK ? subset_choose(subset, output, error) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < subset->node_count; i++) {
        status = keep_hashes(subset, output, i, error);
    }
    sqlite3_close(output);
    remove_file(subset);
    subset->prepared = status == STATUS_OK;
    return status;
}

/* ---------------------------------------------------------------- looked up */

struct subset_count subset_count_of(const struct subset *subset, uint32_t stream)
{
    return subset->nodes[subset->streams[stream].node].count;
}

struct subset_scratch *subset_scratch_create(void)
{
    return memory_allocate_zeroed(1, sizeof(struct subset_scratch));
}

void subset_scratch_destroy(struct subset_scratch *scratch)
{
    if (scratch != NULL) {
        buffer_free(&scratch->bytes);
        free(scratch);
    }
}

static bool is_chosen(const struct subset_node *node, const uint8_t *hash)
{
    size_t low = 0;
    size_t high = node->hash_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(node->hashes + middle * SUBSET_HASH_BYTES, hash, SUBSET_HASH_BYTES);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

enum status subset_keeps(const struct subset *subset, uint32_t stream, const struct cell *row,
                         struct subset_scratch *scratch, bool *keeps, struct error *error)
{
    const struct subset_stream *from = &subset->streams[stream];
    const struct subset_node *node = &subset->nodes[from->node];
    uint8_t hash[SUBSET_HASH_BYTES];
    uint32_t count =
        node->whole != NULL && node->whole->column_count > 0 ? node->whole->column_count : 1;
    enum status status = node->whole != NULL
                             ? subset_hash_whole(subset, row, count, &scratch->bytes, hash, error)
                             : subset_hash(subset, row, from->key_positions, node->key.count,
                                           &scratch->bytes, hash, NULL, error);
    *keeps = status == STATUS_OK && is_chosen(node, hash);
    return status;
}

enum status subset_filter(const struct subset *subset, uint32_t stream, struct batch *batch,
                          struct subset_scratch *scratch, struct error *error)
{
    uint32_t kept = 0;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        bool keeps;
        struct cell *cells = batch_row(batch, row);
        if (subset_keeps(subset, stream, cells, scratch, &keeps, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!keeps) {
            continue;
        }
        if (kept < row) {
            memcpy(batch_row(batch, kept), cells, batch->width * sizeof *cells);
            if (batch->envelopes != NULL) {
                batch->envelopes[kept] = batch->envelopes[row];
            }
        }
        kept++;
    }
    batch->row_count = kept;
    return STATUS_OK;
}
