#include "engine/shuffle/shuffle.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/signals.h"
#include "model/cell_bytes.h"
#include "model/order_bytes.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    HASH_BYTES = 16,
    BATCH_ROWS = 4096,
    BATCH_BYTES = 1 << 20,
    CACHE_BYTES_LEAST = 1 << 20,
    CACHE_BYTES_MOST = 16 << 20,
    WRITE_BYTES = 256 << 10,
    STEPS_BETWEEN_LOOKS = 10000,
    PROGRESS_ROWS = 1000000
};

/* A file without a name, mapped. */
struct mapping_of_file {
    const uint8_t *bytes; /* NULL: it is empty */
    size_t length;
};

enum part { PART_HASHES, PART_PLACES, PART_VALUES, PART_COUNT };

/* A column that is shuffled. */
struct shuffled {
    struct shuffle *shuffle;
    struct plan_shuffle *plan;
    struct mapping_of_file parts[PART_COUNT];
};

struct shuffle {
    struct arena *arena;
    struct database *source;
    struct plan *plan;
    const char *spill_folder;
    uint64_t memory_bytes;
    struct shuffled *columns;
    char *path; /* of the SQLite file; NULL: it is not there */
    bool prepared;
};

struct shuffle *shuffle_create(struct database *source, struct plan *plan, const char *spill_folder,
                               uint64_t memory_bytes)
{
    if (plan->shuffle_count == 0) {
        return NULL;
    }
    struct shuffle *shuffle = memory_allocate_zeroed(1, sizeof *shuffle);
    shuffle->arena = arena_create(0);
    shuffle->source = source;
    shuffle->plan = plan;
    shuffle->spill_folder = spill_folder;
    shuffle->memory_bytes = memory_bytes;
    shuffle->columns =
        arena_allocate_zeroed(shuffle->arena, plan->shuffle_count, sizeof *shuffle->columns);
    for (uint32_t i = 0; i < plan->shuffle_count; i++) {
        shuffle->columns[i] = (struct shuffled){.shuffle = shuffle, .plan = plan->shuffles[i]};
    }
    return shuffle;
}

static void remove_file(struct shuffle *shuffle)
{
    if (shuffle->path != NULL) {
        (void)unlink(shuffle->path);
        shuffle->path = NULL;
    }
}

void shuffle_destroy(struct shuffle *shuffle)
{
    if (shuffle == NULL) {
        return;
    }
    remove_file(shuffle);
    for (uint32_t i = 0; i < shuffle->plan->shuffle_count; i++) {
        for (int part = 0; part < PART_COUNT; part++) {
            struct mapping_of_file *file = &shuffle->columns[i].parts[part];
            if (file->bytes != NULL) {
                (void)munmap((void *)(uintptr_t)file->bytes, file->length);
            }
        }
    }
    arena_destroy(shuffle->arena);
    free(shuffle);
}

bool shuffle_is_prepared(const struct shuffle *shuffle)
{
    return shuffle->prepared;
}

/* ---------------------------------------------------------------- the file */

static enum status fail(const struct shuffle *shuffle, sqlite3 *file, int result,
                        struct error *error)
{
    int kind = result & 0xff;
    if (kind == SQLITE_NOMEM || result == SQLITE_IOERR_NOMEM) {
        memory_exhausted(0);
    }
    enum error_code code = kind == SQLITE_FULL        ? ERROR_DISK_FULL
                           : kind == SQLITE_INTERRUPT ? ERROR_INTERRUPTED
                                                      : ERROR_STATE_WRITE;
    return error_set(error, code, shuffle->path, "values can't be shuffled: %s",
                     file != NULL ? sqlite3_errmsg(file) : sqlite3_errstr(result));
}

static enum status execute(const struct shuffle *shuffle, sqlite3 *file, const char *sql,
                           struct error *error)
{
    int result = sqlite3_exec(file, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? STATUS_OK : fail(shuffle, file, result, error);
}

static int is_stopped(void *ignored)
{
    (void)ignored;
    return signals_stop_level() > 0;
}

static enum status make_new_file(const char *path, int *descriptor, struct error *error)
{
    *descriptor = file_open(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *descriptor >= 0 ? STATUS_OK
                            : error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                                              "a file to shuffle in can't be made");
}

static enum status open_file(struct shuffle *shuffle, sqlite3 **file, struct error *error)
{
    uint64_t random = 0;
    int descriptor = -1;
    uint64_t cache = shuffle->memory_bytes / 2;
    cache = cache < CACHE_BYTES_LEAST  ? CACHE_BYTES_LEAST
            : cache > CACHE_BYTES_MOST ? CACHE_BYTES_MOST
                                       : cache;
    if (shuffle->spill_folder == NULL) {
        return error_set(error, ERROR_STATE_WRITE, NULL,
                         "shuffle needs a state folder to sort in, and none could be made");
    }
    sqlite3_randomness(sizeof random, &random);
    shuffle->path = arena_format(shuffle->arena, "%s/shuffle-%016" PRIx64 ".spill",
                                 shuffle->spill_folder, random);
    if (file_make_folder(shuffle->spill_folder, error) != STATUS_OK ||
        make_new_file(shuffle->path, &descriptor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    close(descriptor);
    int result = sqlite3_open_v2(
        shuffle->path, file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
        NULL);
    if (result != SQLITE_OK) {
        return fail(shuffle, *file, result, error);
    }
    sqlite3_progress_handler(*file, STEPS_BETWEEN_LOOKS, is_stopped, NULL);
    char sql[200];
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = "
                   "EXCLUSIVE; PRAGMA cache_size = -%llu; BEGIN",
                   (unsigned long long)(cache >> 10));
    return execute(shuffle, *file, sql, error);
}

/* ---------------------------------------------------------------- rows */

/* The two hashes of a row's key. */
static enum status hash_key(const struct plan_shuffle *plan, const struct cell *key,
                            struct buffer *scratch, uint8_t hashes[2][HASH_BYTES],
                            struct error *error)
{
    buffer_clear(scratch);
    for (uint32_t i = 0; i < plan->key.count; i++) {
        if (order_bytes_append(&key[i], scratch, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    /* of two columns of a row each goes its own way */
    buffer_append_string(scratch, plan->column);
    for (int which = 0; which < 2; which++) {
        uint64_t words[2];
        buffer_append_byte(scratch, (char)('a' + which));
        siphash_128(&plan->mask->key, scratch->data, scratch->length, words);
        scratch->length--;
        memcpy(hashes[which], words, HASH_BYTES);
    }
    return STATUS_OK;
}

struct reading_rows {
    struct shuffled *column;
    sqlite3 *file;
    sqlite3_stmt *insert;
    struct buffer scratch;
    struct buffer value;
    uint64_t rows;
    void (*progress)(const char *what);
};

/* The key's cells come first, the column's behind them. */
static enum status take_row(struct reading_rows *reading, const struct cell *row,
                            struct error *error)
{
    const struct plan_shuffle *plan = reading->column->plan;
    const struct shuffle *shuffle = reading->column->shuffle;
    uint8_t hashes[2][HASH_BYTES];
    buffer_clear(&reading->value);
    if (hash_key(plan, row, &reading->scratch, hashes, error) != STATUS_OK ||
        cell_bytes_append(&row[plan->key.count], &reading->value, error) != STATUS_OK) {
        return error_context(error, "%s: ", plan->table->name);
    }
    sqlite3_bind_blob(reading->insert, 1, hashes[0], HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob(reading->insert, 2, hashes[1], HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob64(reading->insert, 3, reading->value.data, reading->value.length,
                        SQLITE_STATIC);
    (void)sqlite3_step(reading->insert);
    int result = sqlite3_reset(reading->insert);
    reading->rows++;
    if (reading->progress != NULL && reading->rows % PROGRESS_ROWS == 0) {
        char what[256];
        (void)snprintf(what, sizeof what, "shuffling %.60s.%.60s: %llu rows", plan->table->name,
                       plan->column, (unsigned long long)reading->rows);
        reading->progress(what);
    }
    return result == SQLITE_OK ? STATUS_OK : fail(shuffle, reading->file, result, error);
}

static enum status read_rows(struct reading_rows *reading, struct reader *reader,
                             struct error *error)
{
    const struct plan_shuffle *plan = reading->column->plan;
    struct shuffle *shuffle = reading->column->shuffle;
    const struct source_functions *source = shuffle->source->connector->source;
    struct read_column *columns =
        arena_allocate_zeroed(shuffle->arena, plan->key.count + 1u, sizeof *columns);
    for (uint32_t i = 0; i <= plan->key.count; i++) {
        columns[i] = (struct read_column){
            .join = -1, .name = i < plan->key.count ? plan->key.names[i] : plan->column};
    }
    struct read_request *request = arena_allocate_zeroed(shuffle->arena, 1, sizeof *request);
    *request = (struct read_request){.name = plan->table->name,
                                     .table = plan->table->name,
                                     .columns = columns,
                                     .column_count = plan->key.count + 1};
    struct cursor *cursor = NULL;
    enum status status = source->cursor_open(reader, request, NULL, &cursor, error);
    while (status == STATUS_OK) {
        struct batch *batch = NULL;
        status = signals_stop_level() > 0
                     ? error_set(error, ERROR_INTERRUPTED, plan->table->name,
                                 "stopped while its values were shuffled")
                     : source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
        for (uint32_t row = 0; status == STATUS_OK && row < batch->row_count; row++) {
            status = take_row(reading, batch_row(batch, row), error);
        }
        batch_destroy(batch);
    }
    if (cursor != NULL) {
        source->cursor_close(cursor);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- what is kept */

/* One of the files while it is written. */
struct writing_part {
    const struct shuffle *shuffle;
    int descriptor;
    struct buffer bytes;
    size_t length;
};

static enum status put(struct writing_part *part, const void *bytes, size_t length,
                       struct error *error)
{
    buffer_append(&part->bytes, bytes, length);
    part->length += length;
    if (part->bytes.length < WRITE_BYTES) {
        return STATUS_OK;
    }
    enum status status = file_write_all(part->descriptor, part->bytes.data, part->bytes.length,
                                        part->shuffle->path, error);
    buffer_clear(&part->bytes);
    return status;
}

static enum status begin_part(struct shuffle *shuffle, int number, struct writing_part *part,
                              struct error *error)
{
    char *path = arena_format(shuffle->arena, "%s.%d", shuffle->path, number);
    *part = (struct writing_part){.shuffle = shuffle, .descriptor = -1};
    enum status status = make_new_file(path, &part->descriptor, error);
    (void)unlink(path);
    return status;
}

static enum status end_part(struct writing_part *part, enum status status,
                            struct mapping_of_file *file, struct error *error)
{
    if (status == STATUS_OK && part->bytes.length > 0) {
        status = file_write_all(part->descriptor, part->bytes.data, part->bytes.length,
                                part->shuffle->path, error);
    }
    if (status == STATUS_OK && part->length > 0) {
        void *mapped = mmap(NULL, part->length, PROT_READ, MAP_SHARED, part->descriptor, 0);
        if (mapped == MAP_FAILED) {
            status = error_set_errno(error, ERROR_STATE_WRITE, errno, part->shuffle->path,
                                     "shuffled values can't be mapped");
        } else {
            *file = (struct mapping_of_file){mapped, part->length};
        }
    }
    if (part->descriptor >= 0) {
        close(part->descriptor);
    }
    buffer_free(&part->bytes);
    return status;
}

/* The rows of a query, in its order: hashes, or values with their places. */
static enum status put_rows(struct shuffle *shuffle, sqlite3 *file, const char *sql,
                            struct writing_part *first, struct writing_part *places,
                            struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = STATUS_OK;
    int result = sqlite3_prepare_v2(file, sql, -1, &statement, NULL);
    while (result == SQLITE_OK && status == STATUS_OK &&
           (result = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t place = first->length;
        if (places != NULL) {
            status = put(places, &place, sizeof place, error);
        }
        if (status == STATUS_OK) {
            status = put(first, sqlite3_column_blob(statement, 0),
                         (size_t)sqlite3_column_bytes(statement, 0), error);
        }
        result = SQLITE_OK;
    }
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = fail(shuffle, file, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status keep(struct shuffled *column, sqlite3 *file, struct error *error)
{
    struct writing_part parts[PART_COUNT];
    enum status status = STATUS_OK;
    for (int i = 0; i < PART_COUNT; i++) {
        enum status begun = begin_part(column->shuffle, i, &parts[i], error);
        status = status == STATUS_OK ? begun : status;
    }
    if (status == STATUS_OK) {
        status = put_rows(column->shuffle, file, "SELECT a FROM s ORDER BY a", &parts[PART_HASHES],
                          NULL, error);
    }
    if (status == STATUS_OK) {
        status = put_rows(column->shuffle, file, "SELECT v FROM s ORDER BY b", &parts[PART_VALUES],
                          &parts[PART_PLACES], error);
    }
    if (status == STATUS_OK) {
        uint64_t end = parts[PART_VALUES].length;
        status = put(&parts[PART_PLACES], &end, sizeof end, error);
    }
    for (int i = 0; i < PART_COUNT; i++) {
        status = end_part(&parts[i], status, &column->parts[i], error);
    }
    return status;
}

/* ---------------------------------------------------------------- looked up */

/* The place of the row in the first order; SIZE_MAX: it was not there. */
static size_t place_of(const struct mapping_of_file *file, const uint8_t *hash)
{
    size_t low = 0;
    size_t high = file->length / HASH_BYTES;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(file->bytes + middle * HASH_BYTES, hash, HASH_BYTES);
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

/* Any thread. */
static enum status take(void *context, const struct cell *key, struct arena *arena,
                        struct cell *value, struct error *error)
{
    const struct shuffled *column = context;
    uint8_t hashes[2][HASH_BYTES];
    struct buffer scratch = {0};
    uint64_t places[2];
    enum status status = hash_key(column->plan, key, &scratch, hashes, error);
    buffer_free(&scratch);
    if (status != STATUS_OK) {
        return status;
    }
    size_t at = place_of(&column->parts[PART_HASHES], hashes[0]);
    if (at == SIZE_MAX) {
        return error_set(error, ERROR_REJECT_TYPE, column->plan->table->name,
                         "its row was not there when the values were shuffled");
    }
    memcpy(places, column->parts[PART_PLACES].bytes + at * sizeof places[0], sizeof places);
    return cell_bytes_read(column->parts[PART_VALUES].bytes + places[0],
                           (size_t)(places[1] - places[0]), 1, arena, value, error);
}

static enum status prepare_column(struct shuffled *column, struct reader *reader,
                                  void (*progress)(const char *what), struct error *error)
{
    struct shuffle *shuffle = column->shuffle;
    struct reading_rows reading = {.column = column, .progress = progress};
    enum status status = open_file(shuffle, &reading.file, error);
    status =
        status == STATUS_OK
            ? execute(shuffle, reading.file,
                      "CREATE TABLE s(a BLOB PRIMARY KEY, b BLOB, v BLOB) WITHOUT ROWID", error)
            : status;
    if (status == STATUS_OK) {
        int result = sqlite3_prepare_v2(reading.file, "INSERT OR IGNORE INTO s VALUES(?, ?, ?)", -1,
                                        &reading.insert, NULL);
        status = result == SQLITE_OK ? STATUS_OK : fail(shuffle, reading.file, result, error);
    }
    status = status == STATUS_OK ? read_rows(&reading, reader, error) : status;
    status = status == STATUS_OK ? execute(shuffle, reading.file, "CREATE INDEX sb ON s(b)", error)
                                 : status;
    status = status == STATUS_OK ? keep(column, reading.file, error) : status;
    sqlite3_finalize(reading.insert);
    sqlite3_close(reading.file);
    remove_file(shuffle);
    buffer_free(&reading.scratch);
    buffer_free(&reading.value);
    return status;
}

enum status shuffle_prepare(struct shuffle *shuffle, struct reader *reader,
                            void (*progress)(const char *what), struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < shuffle->plan->shuffle_count; i++) {
        struct shuffled *column = &shuffle->columns[i];
        status = prepare_column(column, reader, progress, error);
        column->plan->context = column;
        column->plan->take = take;
    }
    shuffle->prepared = status == STATUS_OK;
    return status;
}
