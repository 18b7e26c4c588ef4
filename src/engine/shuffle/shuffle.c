#include "engine/shuffle/shuffle.h"

#include "base/memory.h"
#include "base/signals.h"
#include "engine/spill/spill_file.h"
#include "model/cell_bytes.h"
#include "model/order_bytes.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 4096, BATCH_BYTES = 1 << 20, PROGRESS_ROWS = 1000000 };

enum part { PART_HASHES, PART_PLACES, PART_VALUES, PART_COUNT };

/* A column that is shuffled. */
struct shuffled {
    struct shuffle *shuffle;
    struct plan_shuffle *plan;
    struct spill_mapping parts[PART_COUNT];
};

struct shuffle {
    struct arena *arena;
    struct database *source;
    struct plan *plan;
    const char *spill_folder;
    uint64_t memory_bytes;
    struct shuffled *columns;
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

void shuffle_destroy(struct shuffle *shuffle)
{
    if (shuffle == NULL) {
        return;
    }
    for (uint32_t i = 0; i < shuffle->plan->shuffle_count; i++) {
        for (int part = 0; part < PART_COUNT; part++) {
            spill_mapping_free(&shuffle->columns[i].parts[part]);
        }
    }
    arena_destroy(shuffle->arena);
    free(shuffle);
}

bool shuffle_is_prepared(const struct shuffle *shuffle)
{
    return shuffle->prepared;
}

/* ---------------------------------------------------------------- rows */

/* The two hashes of a row's key. */
static enum status hash_key(const struct plan_shuffle *plan, const struct cell *key,
                            struct buffer *scratch, uint8_t hashes[2][SPILL_HASH_BYTES],
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
        memcpy(hashes[which], words, SPILL_HASH_BYTES);
    }
    return STATUS_OK;
}

struct reading_rows {
    struct shuffled *column;
    struct spill_file file;
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
    uint8_t hashes[2][SPILL_HASH_BYTES];
    buffer_clear(&reading->value);
    if (hash_key(plan, row, &reading->scratch, hashes, error) != STATUS_OK ||
        cell_bytes_append(&row[plan->key.count], &reading->value, error) != STATUS_OK) {
        return error_context(error, "%s: ", plan->table->name);
    }
    sqlite3_bind_blob(reading->insert, 1, hashes[0], SPILL_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob(reading->insert, 2, hashes[1], SPILL_HASH_BYTES, SQLITE_STATIC);
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
    return result == SQLITE_OK ? STATUS_OK : spill_file_fail(&reading->file, result, error);
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

static enum status shuffle_keep(struct shuffled *column, const struct spill_file *file,
                                struct error *error)
{
    struct spill_part parts[PART_COUNT];
    enum status status = STATUS_OK;
    for (int i = 0; i < PART_COUNT; i++) {
        enum status begun = spill_part_begin(&parts[i], file, i, error);
        status = status == STATUS_OK ? begun : status;
    }
    if (status == STATUS_OK) {
        status = spill_part_put_rows(&parts[PART_HASHES], NULL, file, "SELECT a FROM s ORDER BY a",
                                     error);
    }
    if (status == STATUS_OK) {
        status = spill_part_put_rows(&parts[PART_VALUES], &parts[PART_PLACES], file,
                                     "SELECT v FROM s ORDER BY b", error);
    }
    if (status == STATUS_OK) {
        uint64_t end = parts[PART_VALUES].length;
        status = spill_part_put(&parts[PART_PLACES], &end, sizeof end, error);
    }
    for (int i = 0; i < PART_COUNT; i++) {
        status = spill_part_end(&parts[i], status, &column->parts[i], error);
    }
    return status;
}

/* ---------------------------------------------------------------- looked up */

/* Any thread. */
static enum status shuffle_take(void *context, const struct cell *key, struct arena *arena,
                                struct cell *value, struct error *error)
{
    const struct shuffled *column = context;
    uint8_t hashes[2][SPILL_HASH_BYTES];
    struct buffer scratch = {0};
    uint64_t places[2];
    enum status status = hash_key(column->plan, key, &scratch, hashes, error);
    buffer_free(&scratch);
    if (status != STATUS_OK) {
        return status;
    }
    size_t at = spill_mapping_find(&column->parts[PART_HASHES], hashes[0]);
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
    enum status status = spill_file_open(&reading.file, shuffle->spill_folder, "shuffle",
                                         shuffle->memory_bytes, shuffle->arena, error);
    if (status == STATUS_OK) {
        status = spill_file_execute(&reading.file, "CREATE TABLE s(a BLOB, b BLOB, v BLOB)", error);
    }
    if (status == STATUS_OK) {
        status = spill_file_prepare(&reading.file, "INSERT INTO s VALUES(?, ?, ?)", &reading.insert,
                                    error);
    }
    status = status == STATUS_OK ? read_rows(&reading, reader, error) : status;
    status = status == STATUS_OK ? shuffle_keep(column, &reading.file, error) : status;
    sqlite3_finalize(reading.insert);
    spill_file_close(&reading.file);
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
        column->plan->take = shuffle_take;
    }
    shuffle->prepared = status == STATUS_OK;
    return status;
}
