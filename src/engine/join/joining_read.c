/* Reading the file of joins: one connection a thread, one statement a request. */
#include "base/memory.h"
#include "engine/join/joining_parts.h"
#include "model/cell_bytes.h"
#include "model/order_bytes.h"

#include <stdlib.h>

enum { CACHE_BYTES_LEAST = 1 << 20, CACHE_BYTES_MOST = 4 << 20 };

struct joining_search {
    struct joining_reader *reader;
    const struct joining_request *what;
    sqlite3_stmt *statement; /* NULL: not made yet */
    struct arena *arena;     /* of nested values; reset a row */
    struct cell **decoded;   /* one array a join that needs its cells */
    struct cell *cells;      /* the row */
    struct buffer bytes;     /* keys that are bound */
    const struct cell *root;
};

struct joining_reader {
    struct joining *joining;
    sqlite3 *connection;
    struct joining_search *searches; /* one a request */
};

static enum status read_error(const struct joining_reader *reader, int result, struct error *error)
{
    return joining_error(reader->joining, reader->connection, result,
                         "the file of joins can't be read", error);
}

/* ---- made and gone */

static int open_connection(struct joining_reader *reader)
{
    const struct joining_options *options = &reader->joining->options;
    uint64_t share =
        options->memory_bytes / (options->reader_count > 0 ? options->reader_count : 1);
    share = share < CACHE_BYTES_LEAST  ? CACHE_BYTES_LEAST
            : share > CACHE_BYTES_MOST ? CACHE_BYTES_MOST
                                       : share;
    int result = sqlite3_open_v2(
        reader->joining->path, &reader->connection,
        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    /* one transaction for all: else each statement would lock and unlock the file */
    char *sql =
        memory_format("PRAGMA cache_size = -%llu; BEGIN", (unsigned long long)(share >> 10));
    if (result == SQLITE_OK) {
        result = sqlite3_exec(reader->connection, sql, NULL, NULL, NULL);
    }
    free(sql);
    return result;
}

enum status joining_reader_open(struct joining *joining, struct joining_reader **made,
                                struct error *error)
{
    struct joining_reader *reader = memory_allocate_zeroed(1, sizeof *reader);
    *made = NULL;
    reader->joining = joining;
    reader->searches =
        memory_allocate_zeroed(joining->request_count + (size_t)1, sizeof *reader->searches);
    int result = open_connection(reader);
    enum status status = result == SQLITE_OK ? STATUS_OK : read_error(reader, result, error);
    if (status != STATUS_OK) {
        joining_reader_close(reader);
        return STATUS_FAILED;
    }
    *made = reader;
    return STATUS_OK;
}

static void free_search(struct joining_search *search)
{
    sqlite3_finalize(search->statement);
    for (uint32_t i = 0; search->decoded != NULL && i < search->what->request->join_count; i++) {
        free(search->decoded[i]);
    }
    free(search->decoded);
    free(search->cells);
    buffer_free(&search->bytes);
    arena_destroy(search->arena);
}

void joining_reader_close(struct joining_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    for (uint32_t i = 0; i < reader->joining->request_count; i++) {
        free_search(&reader->searches[i]);
    }
    free(reader->searches);
    sqlite3_close(reader->connection);
    free(reader);
}

static enum status make_search(struct joining_search *search, struct error *error)
{
    const struct joining_request *what = search->what;
    const struct read_request *request = what->request;
    search->arena = arena_create(0);
    search->decoded = memory_allocate_zeroed(request->join_count, sizeof(struct cell *));
    search->cells =
        memory_allocate_zeroed(request->column_count + (size_t)1, sizeof *search->cells);
    for (uint32_t i = 0; i < request->join_count; i++) {
        const struct joining_table *table = search->reader->joining->tables[what->steps[i].table];
        search->decoded[i] =
            memory_allocate_zeroed(table->column_count + (size_t)1, sizeof(struct cell));
    }
    int result = sqlite3_prepare_v3(search->reader->connection, what->sql, -1,
                                    SQLITE_PREPARE_PERSISTENT, &search->statement, NULL);
    return result == SQLITE_OK ? STATUS_OK : read_error(search->reader, result, error);
}

enum status joining_search_of(struct joining_reader *reader, const struct read_request *request,
                              struct joining_search **made, struct error *error)
{
    const struct joining *joining = reader->joining;
    uint32_t number = 0;
    while (number < joining->request_count && joining->requests[number].request != request) {
        number++;
    }
    if (number == joining->request_count) {
        return error_set(error, ERROR_INTERNAL, request->name, "a join was not planned");
    }
    struct joining_search *search = &reader->searches[number];
    *made = search;
    if (search->statement != NULL) {
        return STATUS_OK;
    }
    search->reader = reader;
    search->what = &joining->requests[number];
    return make_search(search, error);
}

/* ---- one root row */

static const struct cell *root_cell(const struct joining_search *search, uint32_t position,
                                    const char *name)
{
    static const struct cell missing = {.kind = VALUE_MISSING};
    if (!search->reader->joining->documents) {
        return &search->root[position];
    }
    const struct cell *found = value_field(search->root, name);
    return found != NULL ? found : &missing;
}

/* False: it has a part that equals nothing. */
static enum status append_key(struct joining_search *search, uint32_t join, bool *matches,
                              struct error *error)
{
    struct column_list columns = search->what->request->joins[join].from_columns;
    const uint32_t *parts = search->what->steps[join].root_parts;
    *matches = true;
    for (uint32_t i = 0; i < columns.count && *matches; i++) {
        const struct cell *cell = root_cell(search, parts[i], columns.names[i]);
        /* what can't be read is told where it is used */
        *matches = !order_bytes_matches_nothing(cell) && cell->kind != VALUE_ESCAPE;
        if (*matches && order_bytes_append(cell, &search->bytes, error) != STATUS_OK) {
            return error_context(error, "%s.%s: ", search->what->root->name, columns.names[i]);
        }
    }
    return STATUS_OK;
}

static enum status bind_key(struct joining_search *search, uint32_t join, struct error *error)
{
    const struct joining_step *step = &search->what->steps[join];
    bool matches = true;
    buffer_clear(&search->bytes);
    if (append_key(search, join, &matches, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result =
        matches ? sqlite3_bind_blob64(search->statement, (int)step->parameter, search->bytes.data,
                                      search->bytes.length, SQLITE_TRANSIENT)
                : sqlite3_bind_null(search->statement, (int)step->parameter);
    return result == SQLITE_OK ? STATUS_OK : read_error(search->reader, result, error);
}

enum status joining_begin(struct joining_search *search, const struct cell *root,
                          struct error *error)
{
    search->root = root;
    sqlite3_reset(search->statement);
    for (uint32_t i = 0; i < search->what->request->join_count; i++) {
        if (search->what->request->joins[i].from < 0 && bind_key(search, i, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* The cells of a join's row; nulls where it found none. */
static enum status decode(struct joining_search *search, uint32_t join, struct arena *arena,
                          bool keep, struct error *error)
{
    const struct joining_table *table =
        search->reader->joining->tables[search->what->steps[join].table];
    int at = 2 * (int)join;
    struct cell *cells = search->decoded[join];
    if (sqlite3_column_type(search->statement, at + 1) == SQLITE_NULL) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            cells[i] = cell_null();
        }
        return STATUS_OK;
    }
    const void *bytes = sqlite3_column_blob(search->statement, at);
    size_t length = (size_t)sqlite3_column_bytes(search->statement, at);
    if (bytes == NULL && sqlite3_errcode(search->reader->connection) == SQLITE_NOMEM) {
        return read_error(search->reader, SQLITE_NOMEM, error);
    }
    if (bytes != NULL && keep) {
        bytes = arena_try_copy(arena, bytes, length);
        if (bytes == NULL) {
            return error_set(error, ERROR_MEMORY, table->name, "no memory for a row of it");
        }
    }
    if (cell_bytes_read(bytes, length, table->column_count, arena, cells, error) != STATUS_OK) {
        return error_context(error, "%s, looked up in %s: ", table->name,
                             search->reader->joining->path);
    }
    return STATUS_OK;
}

/* Fills the request's cells out of the statement's row. */
static enum status take_row(struct joining_search *search, struct arena *arena, bool keep,
                            struct cell *row, struct error *error)
{
    const struct joining_request *what = search->what;
    const struct read_request *request = what->request;
    for (uint32_t i = 0; i < request->join_count; i++) {
        if (what->steps[i].needs_cells && decode(search, i, arena, keep, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < request->column_count; i++) {
        const struct read_column *column = &request->columns[i];
        if (column->join < 0) {
            row[i] = search->root[what->positions[i]];
        } else if (column->presence) {
            row[i] = cell_int64(sqlite3_column_int64(search->statement, 2 * column->join + 1));
        } else {
            row[i] = search->decoded[column->join][what->positions[i]];
        }
    }
    return STATUS_OK;
}

enum status joining_next(struct joining_search *search, const struct cell **row,
                         struct error *error)
{
    int result = sqlite3_step(search->statement);
    if (result != SQLITE_ROW) {
        sqlite3_reset(search->statement);
        return result == SQLITE_DONE ? STATUS_END : read_error(search->reader, result, error);
    }
    arena_reset(search->arena);
    *row = search->cells;
    return take_row(search, search->arena, false, search->cells, error);
}

/* ---- whole batches */

static enum status widen_row(struct joining_search *search, const struct cell *from,
                             struct batch *to, struct error *error)
{
    struct cell *row = batch_append(to);
    if (joining_begin(search, from, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* of look-ups there is always one row */
    int result = sqlite3_step(search->statement);
    enum status status = result == SQLITE_ROW ? take_row(search, to->arena, true, row, error)
                                              : read_error(search->reader, result, error);
    sqlite3_reset(search->statement);
    return status;
}

enum status joining_widen(struct joining_search *search, struct batch *batch, struct batch **wide,
                          struct error *error)
{
    struct batch *made =
        batch_create_sharing(batch, NULL, search->what->request->column_count, batch->row_count);
    enum status status = STATUS_OK;
    for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
        status = widen_row(search, batch_row(batch, row), made, error);
    }
    if (status != STATUS_OK) {
        batch_destroy(made);
        batch_destroy(batch);
        return STATUS_FAILED;
    }
    made->envelopes = batch->envelopes;
    made->large_values = batch->large_values;
    made->refused = batch->refused;
    made->refused_last = batch->refused_last;
    made->refused_count = batch->refused_count;
    batch->envelopes = NULL;
    batch->large_values = NULL;
    batch_destroy(batch);
    *wide = made;
    return STATUS_OK;
}
