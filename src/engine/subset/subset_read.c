/* Reads the keys of a table, and what its rows refer to, into the file. */
#include "base/failpoint.h"
#include "base/signals.h"
#include "engine/subset/subset_parts.h"
#include "model/canonical.h"
#include "model/order_bytes.h"
#include <stdio.h>
#include <string.h>

enum { BATCH_ROWS = 4096, BATCH_BYTES = 1 << 20, PROGRESS_ROWS = 1000000 };

/* ---------------------------------------------------------------- hashes */

static void put_hash(const struct subset *subset, const struct buffer *bytes, uint8_t *hash)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(
        &canonical, XXH3_128bits_withSeed(bytes->data, bytes->length, subset->options.seed));
    memcpy(hash, canonical.digest, SPILL_HASH_BYTES);
}

enum status subset_hash(const struct subset *subset, const struct cell *row,
                        const uint32_t *positions, uint32_t count, struct buffer *scratch,
                        uint8_t *hash, bool *is_null, struct error *error)
{
    bool none = false;
    buffer_clear(scratch);
    for (uint32_t i = 0; i < count && !none; i++) {
        const struct cell *cell = &row[positions[i]];
        none = is_null != NULL && order_bytes_matches_nothing(cell);
        if (!none && order_bytes_append(cell, scratch, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (is_null != NULL) {
        *is_null = none;
    }
    if (!none) {
        put_hash(subset, scratch, hash);
    }
    return STATUS_OK;
}

enum status subset_hash_whole(const struct subset *subset, const struct cell *row, uint32_t count,
                              struct buffer *scratch, uint8_t *hash, struct error *error)
{
    struct canonical_hash sum;
    if (canonical_hash_cells(row, count, scratch, &sum, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const uint64_t words[2] = {sum.high, sum.low};
    buffer_clear(scratch);
    buffer_append(scratch, words, sizeof words);
    put_hash(subset, scratch, hash);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- rows */

struct subset_reading {
    struct subset *subset;
    struct subset_node *node;
    struct reader *reader;
    const struct spill_file *file;
    sqlite3_stmt *insert;
    struct buffer scratch;
    uint8_t *hashes; /* of one row */
    void (*progress)(const char *what);
};

static enum status subset_read_bind(struct subset_reading *reading, int number,
                                    const struct cell *row, const uint32_t *positions,
                                    uint32_t count, struct error *error)
{
    uint8_t *hash = reading->hashes + (size_t)(number - 1) * SPILL_HASH_BYTES;
    bool is_null = false;
    if (subset_hash(reading->subset, row, positions, count, &reading->scratch, hash,
                    number == 1 ? NULL : &is_null, error) != STATUS_OK) {
        return error_context(error, "%s: ", reading->node->name);
    }
    int result =
        is_null ? sqlite3_bind_null(reading->insert, number)
                : sqlite3_bind_blob(reading->insert, number, hash, SPILL_HASH_BYTES, SQLITE_STATIC);
    return result == SQLITE_OK ? STATUS_OK : spill_file_fail(reading->file, result, error);
}

static enum status bind_row_hash(struct subset_reading *reading, const struct cell *row,
                                 struct error *error)
{
    const struct subset_node *node = reading->node;
    uint32_t count = 1;
    if (node->whole == NULL) {
        return subset_read_bind(reading, 1, row, node->key_positions, node->key.count, error);
    }
    count = node->whole->column_count > 0 ? node->whole->column_count : 1;
    if (subset_hash_whole(reading->subset, row, count, &reading->scratch, reading->hashes, error) !=
        STATUS_OK) {
        return error_context(error, "%s: ", node->name);
    }
    sqlite3_bind_blob(reading->insert, 1, reading->hashes, SPILL_HASH_BYTES, SQLITE_STATIC);
    return STATUS_OK;
}

static enum status take_row(struct subset_reading *reading, const struct cell *row,
                            struct error *error)
{
    struct subset_node *node = reading->node;
    int number = 2;
    enum status status = bind_row_hash(reading, row, error);
    for (uint32_t i = 0; status == STATUS_OK && i < node->reference_count; i++) {
        const struct subset_reference *reference = &node->references[i];
        status = subset_read_bind(reading, number++, row, reference->positions,
                                  reference->columns.count, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < node->alternative_count; i++) {
        const struct subset_alternative *other = &node->alternatives[i];
        status =
            subset_read_bind(reading, number++, row, other->positions, other->columns.count, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    (void)sqlite3_step(reading->insert);
    int result = sqlite3_reset(reading->insert);
    node->count.rows++;
    if (reading->progress != NULL && node->count.rows % PROGRESS_ROWS == 0) {
        char what[256];
        (void)snprintf(what, sizeof what, "choosing from %.80s: %llu rows", node->name,
                       (unsigned long long)node->count.rows);
        reading->progress(what);
    }
    return result == SQLITE_OK ? STATUS_OK : spill_file_fail(reading->file, result, error);
}

static enum status read_rows(struct subset_reading *reading, struct error *error)
{
    struct database *self = reading->subset->options.source;
    const struct source_functions *source = self->connector->source;
    struct cursor *cursor = NULL;
    enum status status =
        source->cursor_open(reading->reader, &reading->node->request, NULL, &cursor, error);
    while (status == STATUS_OK) {
        struct batch *batch = NULL;
        status = signals_stop_level() > 0
                     ? error_set(error, ERROR_INTERRUPTED, reading->node->name,
                                 "stopped while rows were chosen from it")
                     : source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
        for (uint32_t row = 0; status == STATUS_OK && row < batch->row_count; row++) {
            status = take_row(reading, batch_row(batch, row), error);
        }
        batch_destroy(batch);
        status = status == STATUS_OK ? failpoint_hit("engine.subset_batch", error) : status;
    }
    if (cursor != NULL) {
        source->cursor_close(cursor);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- its table */

static enum status make_tables(struct subset_reading *reading, uint32_t number, struct error *error)
{
    const struct subset_node *node = reading->node;
    struct buffer sql = {0};
    buffer_format(&sql, "CREATE TABLE t%u(h BLOB", (unsigned)number);
    for (uint32_t i = 0; i < node->reference_count; i++) {
        buffer_format(&sql, ", f%u BLOB", (unsigned)i);
    }
    for (uint32_t i = 0; i < node->alternative_count; i++) {
        buffer_format(&sql, ", u%u BLOB", (unsigned)i);
    }
    buffer_append_string(&sql, ");");
    for (const char *kind = "cwx"; *kind != '\0'; kind++) {
        buffer_format(&sql, "CREATE TABLE %c%u(h BLOB PRIMARY KEY) WITHOUT ROWID;", *kind,
                      (unsigned)number);
    }
    enum status status = spill_file_execute(reading->file, buffer_string(&sql), error);
    buffer_clear(&sql);
    buffer_format(&sql, "INSERT INTO t%u VALUES(?", (unsigned)number);
    for (uint32_t i = 0; i < node->reference_count + node->alternative_count; i++) {
        buffer_append_string(&sql, ",?");
    }
    buffer_append_byte(&sql, ')');
    if (status == STATUS_OK) {
        int result = sqlite3_prepare_v2(reading->file->connection, buffer_string(&sql), -1,
                                        &reading->insert, NULL);
        status = result == SQLITE_OK ? STATUS_OK : spill_file_fail(reading->file, result, error);
    }
    buffer_free(&sql);
    return status;
}

/* The index has all that is in the table, so that rows are sorted once and never looked up. */
static enum status make_indexes(struct subset_reading *reading, uint32_t number,
                                struct error *error)
{
    const struct subset_node *node = reading->node;
    struct buffer sql = {0};
    unsigned n = (unsigned)number;
    buffer_format(&sql, "CREATE INDEX i%u ON t%u(h", n, n);
    for (uint32_t i = 0; i < node->reference_count; i++) {
        buffer_format(&sql, ", f%u", (unsigned)i);
    }
    for (uint32_t i = 0; i < node->alternative_count; i++) {
        buffer_format(&sql, ", u%u", (unsigned)i);
    }
    buffer_append_string(&sql, ");");
    for (uint32_t i = 0; i < node->alternative_count; i++) {
        buffer_format(&sql, "CREATE INDEX a%u_%u ON t%u(u%u, h);", n, (unsigned)i, n, (unsigned)i);
    }
    enum status status = spill_file_execute(reading->file, buffer_string(&sql), error);
    buffer_free(&sql);
    return status;
}

enum status subset_read(struct subset *subset, struct subset_node *node, uint32_t number,
                        struct reader *reader, const struct spill_file *file,
                        void (*progress)(const char *what), struct error *error)
{
    struct subset_reading reading = {
        .subset = subset,
        .node = node,
        .reader = reader,
        .file = file,
        .hashes = arena_allocate_zeroed(
            subset->arena, 1u + node->reference_count + node->alternative_count, SPILL_HASH_BYTES),
        .progress = progress};
    node->count = (struct subset_count){0};
    enum status status = make_tables(&reading, number, error);
    status = status == STATUS_OK ? read_rows(&reading, error) : status;
    sqlite3_finalize(reading.insert);
    buffer_free(&reading.scratch);
    return status == STATUS_OK ? make_indexes(&reading, number, error) : status;
}
