/*
 * Readers and cursors: SELECTs that are read as they come, never held by the client. A connection
 * carries one result at a time, so a cursor takes one of those that share the snapshot.
 */
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include "connectors/mysql/source.h"
#include <stdlib.h>
#include <string.h>

struct reader {
    struct mysql_database *database;
};

struct cursor {
    struct reader *reader;
    const struct read_request *request;
    MYSQL *connection;
    struct mysql_rows *rows; /* NULL: in the text protocol */
    MYSQL_RES *result;
    MYSQL_ROW row;
    const unsigned long *lengths;
    struct arena *arena;
    struct mysql_request compiled;
    bool done;
};

static enum status reader_open(struct database *database, struct reader **reader,
                               struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    const struct mysql_catalog *catalog = NULL;
    *reader = NULL;
    /* read now: later it would be on a reader's thread */
    if (mysql_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct reader *opened = memory_allocate_zeroed(1, sizeof *opened);
    opened->database = self;
    *reader = opened;
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
    if (cursor->connection != NULL) {
        bool begun = cursor->rows != NULL || cursor->result != NULL;
        if (!cursor->done && begun && mysql_is_alive(cursor->connection)) {
            /* All rows still to come have to be read off before the connection is of use again,
             * which is the snapshot's, and there is no other: so the statement is ended, not the
             * session.
             */
            mysql_kill_statement(cursor->reader->database, cursor->connection);
        }
        mysql_rows_close(cursor->rows);
        mysql_free_result(cursor->result);
        mysql_pool_give(cursor->reader->database, cursor->connection);
    }
    buffer_free(&cursor->compiled.select.sql);
    arena_destroy(cursor->arena);
    free(cursor);
}

static enum status reader_send(struct cursor *cursor, struct error *error)
{
    struct mysql_database *self = cursor->reader->database;
    const struct buffer *sql = &cursor->compiled.select.sql;
    enum error_code otherwise =
        cursor->request->query != NULL ? ERROR_PLAN_INVALID : ERROR_SOURCE_READ;
    if (mysql_rows_open(self, cursor->connection, &cursor->compiled, cursor->arena, otherwise,
                        &cursor->rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return cursor->rows != NULL ? STATUS_OK
                                : mysql_send(self, cursor->connection, sql->data, sql->length,
                                             SQL_LONG, otherwise, error);
}

static enum status open_on(struct cursor *cursor, const struct span *span, struct error *error)
{
    struct mysql_database *self = cursor->reader->database;
    if (mysql_pool_take(self, &cursor->connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (mysql_request_compile(self, cursor->connection, cursor->request, span, cursor->arena,
                              &cursor->compiled, error) != STATUS_OK ||
        reader_send(cursor, error) != STATUS_OK) {
        error_context(error, "%s: ", cursor->request->name);
        return STATUS_FAILED;
    }
    if (cursor->rows != NULL) {
        return STATUS_OK;
    }
    cursor->result = mysql_use_result(cursor->connection);
    return cursor->result != NULL
               ? STATUS_OK
               : mysql_failure(self, cursor->connection, ERROR_SOURCE_READ, error);
}

static enum status cursor_open(struct reader *reader, const struct read_request *request,
                               const struct span *span, struct cursor **cursor, struct error *error)
{
    struct cursor *opened = memory_allocate_zeroed(1, sizeof *opened);

    *cursor = NULL;
    opened->arena = arena_create(4096);
    opened->reader = reader;
    opened->request = request;
    if (open_on(opened, span, error) != STATUS_OK) {
        cursor_close(opened);
        return STATUS_FAILED;
    }
    *cursor = opened;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- rows */

/* The next row's values and texts behind them, and how many bytes the values have. STATUS_END:
 * there is none. */
static enum status reader_fetch(struct cursor *cursor, size_t *bytes, struct error *error)
{
    if (cursor->rows != NULL) {
        return mysql_rows_next(cursor->rows, bytes, error);
    }
    if (mysql_next_row(cursor->reader->database, cursor->result, cursor->connection, &cursor->row,
                       error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (cursor->row == NULL) {
        return STATUS_END;
    }
    cursor->lengths = mysql_fetch_lengths(cursor->result);
    *bytes = 0;
    for (uint32_t i = 0; i < cursor->compiled.select.column_count; i++) {
        *bytes += cursor->lengths[i];
    }
    return STATUS_OK;
}

/* Their bytes are copied as one: the row's own are overwritten by the next one's. */
static enum status decode_row(struct cursor *cursor, struct arena *arena, size_t bytes,
                              struct cell *cells, struct error *error)
{
    if (cursor->rows != NULL) {
        return mysql_rows_decode(cursor->rows, arena, cells, error);
    }
    char *copy = arena_try_allocate(arena, bytes);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, cursor->request->name, "no memory for a row");
    }
    for (uint32_t i = 0; i < cursor->compiled.select.column_count; i++) {
        size_t length = cursor->lengths[i];
        if (cursor->row[i] == NULL) {
            cells[i] = cell_null();
            continue;
        }
        memcpy(copy, cursor->row[i], length);
        mysql_decode(&cursor->compiled.columns[i], copy, length, arena, &cells[i]);
        copy += length;
    }
    return STATUS_OK;
}

static enum status add_row(struct cursor *cursor, struct batch *batch, size_t bytes,
                           struct error *error)
{
    struct cell *cells = batch_append(batch);
    struct cell *values = cells;
    uint32_t count = cursor->compiled.select.column_count;

    if (cursor->compiled.select.documents) {
        values = arena_allocate_zeroed(batch->arena, (size_t)count + 1, sizeof *values);
    }
    enum status status = decode_row(cursor, batch->arena, bytes, values, error);
    if (status == STATUS_OK && cursor->compiled.select.documents) {
        batch_make_document(batch, cursor->compiled.select.names, values, count, cells);
    }
    return status == STATUS_OK && cursor->compiled.sliced_count > 0
               ? mysql_large_make(cursor->reader->database, &cursor->compiled, cursor->row + count,
                                  cursor->lengths + count, batch, cells, error)
               : status;
}

static enum status mysql_reader_fill(struct cursor *cursor, struct batch *batch, uint32_t rows_max,
                                     size_t bytes_max, struct error *error)
{
    size_t bytes = 0;
    size_t row_bytes = (size_t)batch->width * sizeof(struct cell);

    while (batch_has_room(batch, rows_max, bytes, bytes_max)) {
        size_t length = 0;
        enum status status = reader_fetch(cursor, &length, error);
        if (status != STATUS_OK) {
            cursor->done = status == STATUS_END;
            return cursor->done ? STATUS_OK : status;
        }
        if (add_row(cursor, batch, length, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        bytes += length + row_bytes;
    }
    return STATUS_OK;
}

static enum status cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                               struct batch **batch, struct error *error)
{
    uint32_t width = cursor->compiled.select.documents ? 1 : cursor->compiled.select.column_count;

    *batch = NULL;
    if (cursor->done) {
        return STATUS_END;
    }
    rows_max = rows_max > 0 ? rows_max : 1;
    struct batch *filled = batch_create_for_cursor(width, rows_max, bytes_max);
    enum status status =
        mysql_reader_fill(cursor, filled, rows_max, bytes_max > 0 ? bytes_max : 1, error);
    return batch_deliver(filled, status, batch);
}

struct mysql_database *mysql_reader_database(const struct reader *reader)
{
    return reader->database;
}

const struct source_functions mysql_source_functions = {
    .holds = sql_holds,
    .hold = sql_hold,
    .snapshot = mysql_snapshot,
    .leave = mysql_leave_snapshot,
    .tell_lacking = mysql_tell_lacking,
    .caveats = mysql_caveats,
    .describe_stream = sql_describe_stream,
    .count = sql_count_rows,
    .append_groups = sql_append_groups,
    .accepts = mysql_accepts,
    .split = mysql_split,
    .number_spans = sql_number_spans_of,
    .since_query = mysql_since_query,
    .prepare = source_prepares_nothing,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .cursor_open = cursor_open,
    .cursor_next = cursor_next,
    .cursor_close = cursor_close,
    .digest_type = sql_digest_type,
    .digest = mysql_digest,
};
