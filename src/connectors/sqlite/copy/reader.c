/*
 * Readers and cursors: a prepared SELECT stepped into batches.
 *
 * SQLite loads a row's values before it hands them out. So that one of 100 MiB is never loaded, the
 * connection's length limit is the slice limit while rows are read; SQLite then refuses the row
 * that holds a larger one, and the cursor goes on from that row in careful mode, where texts and
 * BLOBs are fetched by their row key. Where that can't be (views, queries, WITHOUT ROWID), values
 * come whole.
 *
 * A call into SQLite for each row, and one for each of its values, cost a quarter of its time. So
 * rows of a table come as arguments of a function in the statement's WHERE, which takes them into
 * the batch, and is true when that is full. (request.c tells of which requests.)
 */
#include "connectors/sqlite/source.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    struct reader *reader;
    const struct read_request *request;
    struct span *span; /* a copy; NULL: all */
    struct arena *arena;
    struct request_sql compiled;
    enum read_mode mode;
    sqlite3_stmt *statement;
    sqlite3_blob **blobs; /* careful mode: one a column */
    uint64_t *excess;
    uint64_t delivered;
    int64_t rows_counted; /* -1: not known */
    bool done;
    struct filling *filling; /* NULL: no batch is under way */
    /* of what is handed over */
    struct span_bounds bounds;
    int64_t last_rowid;
    int64_t next_rowid;
    bool begun;        /* there was a row */
    bool ended_beyond; /* and one beyond the span, which ended it */
};

/* A batch under way. */
struct filling {
    struct batch *batch;
    uint32_t rows_max;
    size_t bytes_max;
    size_t bytes;
    enum status status; /* of the last row that was handed over */
    struct error *error;
};

static const char cursor_pointer[] = "row";

enum status source_reader_open(struct database *database, struct reader **reader,
                               struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct sqlite_source *source = self->source;
    struct reader *opened = memory_allocate_zeroed(1, sizeof *opened);

    *reader = NULL;
    opened->database = self;
    if (source->single && source->snapshot_taken) {
        opened->connection = self->control;
    } else if (source->idle_count > 0) {
        opened->connection = source->idle[--source->idle_count];
        opened->owned = true;
    } else {
        free(opened);
        return error_set(error, ERROR_INTERNAL, self->sql.shown,
                         "a reader was opened that the snapshot was not taken for");
    }
    *reader = opened;
    return STATUS_OK;
}

void source_reader_close(struct reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->owned) {
        sqlite_connection_close(reader->connection);
    }
    free(reader);
}

/* ---------------------------------------------------------------- the statement */

static void forget_statement(struct cursor *cursor)
{
    sqlite3_finalize(cursor->statement);
    cursor->statement = NULL;
    for (uint32_t i = 0; cursor->blobs != NULL && i < cursor->compiled.column_count; i++) {
        large_close(cursor->reader->database, cursor->blobs[i]);
    }
    cursor->blobs = NULL;
    request_free(&cursor->compiled);
}

/* The statement tells the types of a query's columns, which no catalogue knows. */
static void take_declared_types(struct cursor *cursor)
{
    for (uint32_t i = 0; i < cursor->compiled.column_count; i++) {
        struct request_column *column = &cursor->compiled.columns[i];
        if (column->table == NULL && column->rule != READ_PRESENCE) {
            struct column_type read = sqlite_column_type_of(
                sqlite3_column_decltype(cursor->statement, (int)column->result), false);
            column->rule = read.rule;
            column->scale = read.type.precision > 0 ? read.type.scale : -1;
        }
    }
}

static enum status reader_start(struct cursor *cursor, enum read_mode mode, struct error *error)
{
    struct sqlite_database *self = cursor->reader->database;
    struct request_options options = {
        .connection = cursor->reader->connection,
        .schema = "main",
        .mode = mode,
        .with_spills = true,
        .with_offset = cursor->delivered > 0,
        .may_hand_over = true,
    };

    forget_statement(cursor);
    struct reader *reader = cursor->reader;
    if (self->source->spill_ready && reader->owned && !reader->spill_attached) {
        if (spill_attach(self, reader->connection, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        reader->spill_attached = true;
    }
    if (request_compile(self, cursor->request, cursor->span, options, cursor->arena,
                        &cursor->compiled, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    cursor->mode = mode;
    /* careful mode takes two results a column, a key a table, and that of a walk */
    uint32_t careful_results = 2 * cursor->compiled.column_count + cursor->request->join_count + 2;
    bool can_slice = cursor->compiled.sliceable && cursor->compiled.restarts &&
                     careful_results <= self->sql.base.limits.request_columns_max;
    if (mode == READ_NORMAL && !can_slice) {
        cursor->mode = READ_WHOLE;
    }
    uint32_t count = cursor->compiled.column_count + 1;
    cursor->blobs = arena_allocate_zeroed(cursor->arena, count, sizeof(sqlite3_blob *));
    if (cursor->excess == NULL) {
        cursor->excess = arena_allocate_zeroed(cursor->arena, count, sizeof *cursor->excess);
    }
    if (sqlite_prepare(self, cursor->reader->connection, buffer_string(&cursor->compiled.sql),
                       &cursor->statement, error) != STATUS_OK) {
        if (error != NULL && error->code == ERROR_SOURCE_READ && cursor->request->query != NULL) {
            error_recode(error, ERROR_PLAN_INVALID);
        }
        error_context(error, "%s: ", cursor->request->name);
        return STATUS_FAILED;
    }
    take_declared_types(cursor);
    cursor->rows_counted = -1;
    if ((cursor->span != NULL &&
         sqlite_span_bind(cursor->span, cursor->statement, error) != STATUS_OK) ||
        span_decode(cursor->span, &cursor->bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (cursor->bounds.by_key && self->source->split_here && cursor->request->join_count == 0) {
        cursor->rows_counted =
            cursor->span->row_estimate; /* exact in the snapshot that was split */
    }
    if (cursor->compiled.hands_over) {
        sqlite3_bind_pointer(cursor->statement,
                             sqlite3_bind_parameter_index(cursor->statement, ":cursor"), cursor,
                             cursor_pointer, NULL);
    }
    if (options.with_offset) {
        sqlite3_bind_int64(cursor->statement,
                           sqlite3_bind_parameter_index(cursor->statement, ":skip"),
                           (int64_t)cursor->delivered);
    }
    return STATUS_OK;
}

static void copy_span(struct cursor *cursor, const struct span *span)
{
    if (span == NULL) {
        return;
    }
    cursor->span = arena_allocate(cursor->arena, sizeof *cursor->span);
    *cursor->span =
        (struct span){.bounds_length = span->bounds_length, .row_estimate = span->row_estimate};
    cursor->span->printable =
        arena_copy_string(cursor->arena, span->printable != NULL ? span->printable : "span");
    cursor->span->bounds =
        (const uint8_t *)arena_copy(cursor->arena, span->bounds, span->bounds_length);
}

enum status source_cursor_open(struct reader *reader, const struct read_request *request,
                               const struct span *span, struct cursor **cursor, struct error *error)
{
    struct cursor *opened = memory_allocate_zeroed(1, sizeof *opened);

    *cursor = NULL;
    opened->arena = arena_create(4096);
    opened->reader = reader;
    opened->request = request;
    copy_span(opened, span);
    if (reader_start(opened, READ_NORMAL, error) != STATUS_OK) {
        source_read_failed(error);
        source_cursor_close(opened);
        return STATUS_FAILED;
    }
    *cursor = opened;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- rows */

static enum status read_careful(struct cursor *cursor, struct batch *batch, struct cell *cells,
                                size_t *bytes, struct error *error)
{
    for (uint32_t i = 0; i < cursor->compiled.column_count; i++) {
        const struct request_column *column = &cursor->compiled.columns[i];
        int class =
            column->careful ? sqlite3_column_int(cursor->statement, (int)column->result + 1) : 0;
        if (class != 0 &&
            large_read(cursor->reader->database, column,
                       sqlite3_column_int64(cursor->statement, (int)column->rowid_result),
                       class == SQLITE_TEXT, &cursor->blobs[i], batch, &cells[i], bytes,
                       error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status out_of_memory(struct cursor *cursor, struct error *error)
{
    return error_set(error, ERROR_MEMORY, cursor->request->name, "no memory for a row");
}

/* A document: a MAP of names and values, both in the batch's arena. */
static enum status read_document(struct cursor *cursor, sqlite3_value *const *handed,
                                 struct batch *batch, struct cell *cell, size_t *bytes,
                                 struct error *error)
{
    uint32_t count = cursor->compiled.column_count;
    struct cell *values = arena_allocate_zeroed(batch->arena, count + 1, sizeof *values);
    struct cell *pairs = arena_allocate_zeroed(batch->arena, (size_t)count * 2 + 1, sizeof *pairs);

    if (cells_read(cursor->statement, handed, cursor->compiled.columns, count, batch->arena, values,
                   bytes, cursor->excess) != STATUS_OK) {
        return out_of_memory(cursor, error);
    }
    if (cursor->mode == READ_CAREFUL &&
        read_careful(cursor, batch, values, bytes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *name = cursor->compiled.columns[i].name;
        pairs[2 * i] = cell_text(arena_copy_string(batch->arena, name), strlen(name));
        pairs[2 * i + 1] = values[i];
    }
    *cell = cell_items(VALUE_MAP, pairs, count);
    *bytes += (size_t)count * 2 * sizeof *pairs;
    return STATUS_OK;
}

/* `handed` NULL: the statement's result row. */
static enum status read_row(struct cursor *cursor, sqlite3_value *const *handed,
                            struct batch *batch, size_t *bytes, struct error *error)
{
    struct cell *cells = batch_append(batch);
    if (cursor->compiled.documents) {
        return read_document(cursor, handed, batch, cells, bytes, error);
    }
    if (cells_read(cursor->statement, handed, cursor->compiled.columns,
                   cursor->compiled.column_count, batch->arena, cells, bytes,
                   cursor->excess) != STATUS_OK) {
        return out_of_memory(cursor, error);
    }
    return cursor->mode == READ_CAREFUL ? read_careful(cursor, batch, cells, bytes, error)
                                        : STATUS_OK;
}

static enum status take_row(struct cursor *cursor, sqlite3_value *const *handed)
{
    struct filling *filling = cursor->filling;
    enum status status = read_row(cursor, handed, filling->batch, &filling->bytes, filling->error);
    cursor->delivered += status == STATUS_OK;
    filling->bytes += (size_t)filling->batch->width * sizeof(struct cell);
    return status;
}

static bool has_room(const struct filling *filling)
{
    return batch_has_room(filling->batch, filling->rows_max, filling->bytes, filling->bytes_max);
}

static enum status damaged(struct cursor *cursor, const char *what, struct error *error)
{
    return sqlite_error(NULL, SQLITE_CORRUPT, OPEN_SOURCE, ERROR_SOURCE_READ, cursor->request->name,
                        what, error);
}

static enum status out_of_order(struct cursor *cursor, struct error *error)
{
    return damaged(cursor, "its rowids are out of order", error);
}

/* A row of a walk; `handed` NULL: the statement's result row. Whether the statement stops where it
 * is told to is up to SQLite; whether rowids ascend is up to the file. */
static enum status take_walked_row(struct cursor *cursor, int64_t rowid,
                                   sqlite3_value *const *handed)
{
    struct filling *filling = cursor->filling;
    if (!cursor->begun && cursor->bounds.has_low && rowid <= cursor->bounds.low) {
        return STATUS_OK; /* SQLite reads all from the beginning */
    }
    if (!has_room(filling)) {
        return error_set(filling->error, ERROR_INTERNAL, cursor->request->name,
                         "SQLite hands over more rows than asked for");
    }
    if (cursor->begun && rowid <= cursor->last_rowid) {
        return out_of_order(cursor, filling->error);
    }
    if (cursor->bounds.has_high && rowid > cursor->bounds.high) {
        cursor->ended_beyond = true;
        cursor->next_rowid = rowid;
        return STATUS_OK;
    }
    cursor->begun = true;
    cursor->last_rowid = rowid;
    return take_row(cursor, handed);
}

/*
 * A span's beginning is found from the b-tree's root, its end by walking from row to row. In a
 * sound file the row at which it ends is the one with which the next span begins; in a damaged one
 * what lies between the two would be read by nobody.
 */
static enum status check_rowids_end(struct cursor *cursor, struct error *error)
{
    struct sqlite_database *self = cursor->reader->database;
    sqlite3 *connection = cursor->reader->connection;
    const struct schema_table *table = cursor->compiled.root->schema;
    sqlite3_stmt *statement = NULL;
    struct buffer sql = {0};

    sqlite_append(&sql, "SELECT %s FROM main.%n NOT INDEXED WHERE %s > ?1 LIMIT 1", table->row_key,
                  table->name, table->row_key);
    enum status status = sqlite_prepare(self, connection, buffer_string(&sql), &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_int64(statement, 1, cursor->bounds.high);
        status = sqlite_step(self, statement, error);
    }
    if (status != STATUS_FAILED) {
        bool found = status == STATUS_OK;
        bool same = found == cursor->ended_beyond &&
                    (!found || sqlite3_column_int64(statement, 0) == cursor->next_rowid);
        status = same ? STATUS_OK : out_of_order(cursor, error);
    } else {
        error_context(error, "%s: ", cursor->request->name);
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status;
}

static enum status check_end(struct cursor *cursor, struct error *error)
{
    if (cursor->compiled.walks_rowids && cursor->bounds.has_high) {
        return check_rowids_end(cursor, error);
    }
    return cursor->rows_counted < 0 || cursor->delivered == (uint64_t)cursor->rows_counted
               ? STATUS_OK
               : damaged(cursor, "as many rows as were counted can't be read", error);
}

/* SOURCE_ROW_FUNCTION(cursor, row key, value …). Whoever else calls it has no cursor. */
static void take_row_values(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct cursor *cursor = count > 2 ? sqlite3_value_pointer(values[0], cursor_pointer) : NULL;
    if (cursor == NULL || cursor->filling == NULL) {
        sqlite3_result_error(context, SOURCE_ROW_FUNCTION " is not for queries", -1);
        return;
    }
    int64_t rowid = sqlite3_value_int64(values[1]);
    cursor->filling->status = take_walked_row(cursor, rowid, values + 2);
    if (cursor->filling->status == STATUS_OK) {
        sqlite3_result_int(context, cursor->ended_beyond || !has_room(cursor->filling));
    } else {
        sqlite3_result_error(context, "a row was not taken", -1);
    }
}

enum status source_register_rows(const struct sqlite_database *self, sqlite3 *connection,
                                 struct error *error)
{
    int result = sqlite3_create_function_v2(connection, SOURCE_ROW_FUNCTION, -1,
                                            SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, take_row_values,
                                            NULL, NULL, NULL);
    return result == SQLITE_OK ? STATUS_OK
                               : sqlite_error(connection, result, OPEN_SOURCE, ERROR_SOURCE_READ,
                                              self->sql.shown, "it can't be read", error);
}

static enum status take_result_row(struct cursor *cursor)
{
    if (cursor->compiled.hands_over) {
        return STATUS_OK; /* all rows up to here are taken */
    }
    if (!cursor->compiled.walks_rowids) {
        return take_row(cursor, NULL);
    }
    int result = (int)cursor->compiled.walked_result;
    return take_walked_row(cursor, sqlite3_column_int64(cursor->statement, result), NULL);
}

static enum status reader_step(struct cursor *cursor, struct error *error)
{
    if (cursor->compiled.hands_over) { /* of one table, to the batch's end */
        sqlite_give_pages(cursor->reader->connection, true);
    }
    int result = sqlite3_step(cursor->statement);
    if (cursor->compiled.hands_over) {
        sqlite_give_pages(cursor->reader->connection, false);
    }
    if (cursor->filling->status != STATUS_OK) {
        return cursor->filling->status;
    }
    enum status status = result == SQLITE_ROW ? take_result_row(cursor) : STATUS_OK;
    if (result == SQLITE_DONE || cursor->ended_beyond) {
        cursor->done = true;
        return check_end(cursor, error);
    }
    if (result == SQLITE_ROW) {
        return status;
    }
    if ((result & 0xff) == SQLITE_TOOBIG && cursor->mode == READ_NORMAL) {
        sqlite3_limit(cursor->reader->connection, SQLITE_LIMIT_LENGTH, INT_MAX);
        return reader_start(cursor, READ_CAREFUL, error);
    }
    return sqlite_error(cursor->reader->connection, result, OPEN_SOURCE, ERROR_SOURCE_READ,
                        cursor->request->name, "reading failed", error);
}

static enum status sqlite_reader_fill(struct cursor *cursor, struct batch *batch, uint32_t rows_max,
                                      size_t bytes_max, struct error *error)
{
    struct filling filling = {
        .batch = batch, .rows_max = rows_max, .bytes_max = bytes_max, .error = error};
    enum status status = STATUS_OK;

    cursor->filling = &filling;
    while (status == STATUS_OK && !cursor->done && has_room(&filling)) {
        status = reader_step(cursor, error);
    }
    cursor->filling = NULL;
    return status;
}

enum status source_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                               struct batch **batch, struct error *error)
{
    struct sqlite_database *self = cursor->reader->database;
    uint32_t width = cursor->compiled.documents ? 1 : cursor->compiled.column_count;

    *batch = NULL;
    if (cursor->done) {
        return STATUS_END;
    }
    rows_max = rows_max > 0 ? rows_max : 1;
    struct batch *filled = batch_create_for_cursor(width, rows_max, bytes_max);
    sqlite3 *connection = cursor->reader->connection;
    sqlite3_limit(connection, SQLITE_LIMIT_LENGTH,
                  cursor->mode == READ_NORMAL ? (int)self->sql.base.limits.slice_bytes : INT_MAX);
    enum status status =
        sqlite_reader_fill(cursor, filled, rows_max, bytes_max > 0 ? bytes_max : 1, error);
    sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, INT_MAX);
    if (status == STATUS_FAILED) {
        source_read_failed(error);
    }
    return batch_deliver(filled, status, batch);
}

/* ---------------------------------------------------------------- closing */

static void keep_excess(struct cursor *cursor)
{
    struct sqlite_source *source = cursor->reader->database->source;

    for (uint32_t i = 0; cursor->excess != NULL && i < cursor->compiled.column_count; i++) {
        const char *name = cursor->compiled.columns[i].name;
        if (cursor->excess[i] == 0) {
            continue;
        }
        pthread_mutex_lock(&source->lock);
        struct excess_digits *excess = source->excess;
        while (excess != NULL && (strcmp(excess->stream, cursor->request->name) != 0 ||
                                  strcmp(excess->column, name) != 0)) {
            excess = excess->next;
        }
        size_t stream_length = strlen(cursor->request->name) + 1;
        size_t name_length = strlen(name) + 1;
        if (excess == NULL) {
            excess = memory_allocate_zeroed(1, sizeof *excess + stream_length + name_length);
            memcpy(excess->texts, cursor->request->name, stream_length);
            memcpy(excess->texts + stream_length, name, name_length);
            excess->stream = excess->texts;
            excess->column = excess->texts + stream_length;
            excess->next = source->excess;
            source->excess = excess;
        }
        excess->count += cursor->excess[i];
        pthread_mutex_unlock(&source->lock);
    }
}

void source_cursor_close(struct cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    keep_excess(cursor);
    forget_statement(cursor);
    arena_destroy(cursor->arena);
    free(cursor);
}
