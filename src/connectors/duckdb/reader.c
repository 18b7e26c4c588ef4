/* Readers and cursors: SELECTs whose results come chunk by chunk, each over a connection of its
 * own, since a connection carries one result at a time. */
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include "connectors/duckdb/duckdb_internal.h"
#include "connectors/sql/stream.h"
#include <stdlib.h>

enum { ROWS_AT_ONCE_MAX = 2048, ROWS_AT_FIRST = 64 };

struct reader {
    struct duckdb_database *database;
};

struct cursor {
    struct reader *reader;
    const struct read_request *request;
    struct duckdb_handle *connection;
    struct duckdb_rows rows;
    struct arena *arena;
    struct duckdb_select compiled;
    uint64_t row_bytes; /* of the last ones, on average */
    bool done;
};

/* ---------------------------------------------------------------- the snapshot */

/* Who reads holds the file's lock, so that no other process writes to it. What this process itself
 * writes to a file that it also reads is seen by the next statement. */
static enum status take_snapshot(struct database *database, uint32_t reader_count,
                                 struct arena *arena, const char **token, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    const struct duckdb_catalog *catalog = NULL;
    (void)reader_count;
    *token = arena_copy_string(arena, duckdb_file_token(self->file));
    self->sql.snapshot_taken = true;
    return duckdb_catalog_get(self, &catalog, error);
}

static enum status reader_open(struct database *database, struct reader **reader,
                               struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    const struct duckdb_catalog *catalog = NULL;
    *reader = NULL;
    /* read now: later it would be on a reader's thread */
    if (duckdb_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *reader = memory_allocate_zeroed(1, sizeof **reader);
    (*reader)->database = self;
    return STATUS_OK;
}

static void reader_close(struct reader *reader)
{
    free(reader);
}

/* ---------------------------------------------------------------- cursors */

static void cursor_close(struct cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    duckdb_rows_close(&cursor->rows);
    duckdb_disconnect(cursor->reader->database, &cursor->connection);
    buffer_free(&cursor->compiled.base.sql);
    arena_destroy(cursor->arena);
    free(cursor);
}

static enum status open_rows(struct cursor *cursor, const struct span *span, struct error *error)
{
    struct duckdb_database *self = cursor->reader->database;
    enum error_code otherwise =
        cursor->request->query != NULL ? ERROR_PLAN_INVALID : ERROR_SOURCE_READ;
    if (duckdb_connect(self, &cursor->connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (duckdb_request_compile(self, cursor->connection, cursor->request, span, cursor->arena,
                               &cursor->compiled, error) != STATUS_OK ||
        duckdb_rows_open(&cursor->rows, self, cursor->connection,
                         buffer_string(&cursor->compiled.base.sql), NULL, otherwise,
                         error) != STATUS_OK) {
        return error_context(error, "%s: ", cursor->request->name);
    }
    return STATUS_OK;
}

static enum status cursor_open(struct reader *reader, const struct read_request *request,
                               const struct span *span, struct cursor **cursor, struct error *error)
{
    struct cursor *opened = memory_allocate_zeroed(1, sizeof *opened);
    *cursor = NULL;
    opened->arena = arena_create(4096);
    opened->reader = reader;
    opened->request = request;
    if (open_rows(opened, span, error) != STATUS_OK) {
        cursor_close(opened);
        return STATUS_FAILED;
    }
    *cursor = opened;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- rows */

/* How many rows of the chunk may go into the batch, by what those before took. */
static uint32_t rows_that_fit(const struct cursor *cursor, const struct batch *batch,
                              uint32_t rows_max, size_t bytes_left)
{
    uint64_t rows = cursor->row_bytes == 0 ? ROWS_AT_FIRST : bytes_left / cursor->row_bytes + 1;
    uint64_t there = cursor->rows.count - cursor->rows.at;
    rows = rows > ROWS_AT_ONCE_MAX ? ROWS_AT_ONCE_MAX : rows;
    rows = rows > there ? there : rows;
    return (uint32_t)(rows > rows_max - batch->row_count ? rows_max - batch->row_count : rows);
}

/* Whole columns at a time: a column's values lie side by side. */
static enum status read_columns(struct cursor *cursor, struct arena *arena, uint32_t count,
                                struct cell *cells, struct error *error)
{
    const struct duckdb_library *library = cursor->reader->database->library;
    uint32_t width = cursor->compiled.base.column_count;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < width; i++) {
        status = duckdb_read(library, &cursor->compiled.forms[i],
                             library->data_chunk_get_vector(cursor->rows.chunk, i), cursor->rows.at,
                             count, arena, cells + i, width, error);
    }
    return status;
}

static uint64_t bytes_of(const struct cell *cells, size_t count)
{
    uint64_t bytes = count * sizeof *cells;
    for (size_t i = 0; i < count; i++) {
        bytes += value_bytes(&cells[i]);
    }
    return bytes;
}

static enum status add_rows(struct cursor *cursor, struct batch *batch, uint32_t count,
                            struct error *error)
{
    uint32_t width = cursor->compiled.base.column_count;
    bool documents = cursor->compiled.base.documents;
    uint32_t first = batch->row_count;
    struct cell *cells = NULL;
    for (uint32_t i = 0; !documents && i < count; i++) {
        (void)batch_append(batch);
    }
    cells = documents
                ? arena_allocate_zeroed(batch->arena, (size_t)count * width + 1, sizeof *cells)
                : batch_row(batch, first);
    if (read_columns(cursor, batch->arena, count, cells, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; documents && i < count; i++) {
        batch_make_document(batch, cursor->compiled.base.names, cells + (size_t)i * width, width,
                            batch_append(batch));
    }
    cursor->rows.at += count;
    cursor->row_bytes = bytes_of(cells, (size_t)count * width) / count;
    return STATUS_OK;
}

static enum status reader_fill(struct cursor *cursor, struct batch *batch, uint32_t rows_max,
                               size_t bytes_max, struct error *error)
{
    size_t bytes = 0;
    while (batch_has_room(batch, rows_max, bytes, bytes_max)) {
        if (cursor->rows.at == cursor->rows.count) {
            enum status status = duckdb_rows_next(&cursor->rows, ERROR_SOURCE_READ, error);
            if (status != STATUS_OK) {
                cursor->done = status == STATUS_END;
                return cursor->done ? STATUS_OK : status;
            }
        }
        uint32_t count = rows_that_fit(cursor, batch, rows_max, bytes_max - bytes);
        if (add_rows(cursor, batch, count, error) != STATUS_OK) {
            return error_context(error, "%s: ", cursor->request->name);
        }
        bytes += (size_t)count * cursor->row_bytes;
    }
    return STATUS_OK;
}

static enum status cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                               struct batch **batch, struct error *error)
{
    uint32_t width = cursor->compiled.base.documents ? 1 : cursor->compiled.base.column_count;
    *batch = NULL;
    if (cursor->done) {
        return STATUS_END;
    }
    rows_max = rows_max > 0 ? rows_max : 1;
    struct batch *filled = batch_create_for_cursor(width, rows_max, bytes_max);
    enum status status =
        reader_fill(cursor, filled, rows_max, bytes_max > 0 ? bytes_max : 1, error);
    return batch_deliver(filled, status, batch);
}

const struct source_functions duckdb_source_functions = {
    .holds = sql_holds,
    .snapshot = take_snapshot,
    .describe_stream = sql_describe_stream,
    .count = sql_count_rows,
    .append_groups = sql_append_groups,
    .split = duckdb_split,
    .number_spans = sql_number_spans_of,
    .since_query = duckdb_since_query,
    .prepare = source_prepares_nothing,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .cursor_open = cursor_open,
    .cursor_next = cursor_next,
    .cursor_close = cursor_close,
};
