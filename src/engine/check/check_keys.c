/* Whether the key that a plan declares for a query tells its rows apart. */
#include "engine/check/check_keys.h"
#include "base/clock.h"
#include "base/memory.h"
#include "engine/copy/sampling.h"
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 4096, BATCH_BYTES = 256 << 10, SHOWN_BYTES_MAX = 80 };

struct key_reader {
    const struct plan_stream *stream;
    struct read_column *columns; /* those of the key, then those that children are found by */
    uint32_t column_count;
    struct cell *last; /* the key of the row before, in `kept` */
    bool last_is_sought;
    struct arena *kept;
    bool begun;
    struct key_check *result;
};

static bool is_null(const struct cell *cell)
{
    return cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
}

/* ---- what children are found by */

static bool hangs_from_root(const struct read_join *join)
{
    return join->from < 0 && join->many;
}

static uint32_t find_column(const struct key_reader *reader, const char *name)
{
    uint32_t i = 0;
    while (i < reader->column_count && strcmp(reader->columns[i].name, name) != 0) {
        i++;
    }
    return i;
}

static uint32_t most_columns(const struct plan_stream *stream)
{
    uint32_t count = stream->key_count;
    for (uint32_t i = 0; i < stream->child_count; i++) {
        const struct read_request *request = &stream->children[i].request;
        for (uint32_t j = 0; j < request->join_count; j++) {
            count += request->joins[j].from_columns.count;
        }
    }
    return count;
}

static void add_columns(struct key_reader *reader, const struct read_request *request)
{
    for (uint32_t j = 0; j < request->join_count; j++) {
        const struct read_join *join = &request->joins[j];
        for (uint32_t c = 0; hangs_from_root(join) && c < join->from_columns.count; c++) {
            const char *name = join->from_columns.names[c];
            if (find_column(reader, name) == reader->column_count) {
                reader->columns[reader->column_count++] =
                    (struct read_column){.join = -1, .name = name};
            }
        }
    }
}

static void choose_columns(struct key_reader *reader)
{
    const struct plan_stream *stream = reader->stream;
    reader->columns =
        memory_allocate_zeroed(most_columns(stream) + (size_t)1, sizeof(*reader->columns));
    for (uint32_t i = 0; i < stream->key_count; i++) {
        reader->columns[reader->column_count++] = stream->request.columns[stream->key_columns[i]];
    }
    for (uint32_t i = 0; i < stream->child_count; i++) {
        add_columns(reader, &stream->children[i].request);
    }
}

/* A null equals nothing: a child that is found by one does not exist. */
static bool may_have(const struct key_reader *reader, const struct read_request *request,
                     const struct cell *row)
{
    for (uint32_t j = 0; j < request->join_count; j++) {
        const struct read_join *join = &request->joins[j];
        for (uint32_t c = 0; hangs_from_root(join) && c < join->from_columns.count; c++) {
            if (is_null(&row[find_column(reader, join->from_columns.names[c])])) {
                return false;
            }
        }
    }
    return true;
}

static bool may_have_children(const struct key_reader *reader, const struct cell *row)
{
    bool may = false;
    for (uint32_t i = 0; !may && i < reader->stream->child_count; i++) {
        may = may_have(reader, &reader->stream->children[i].request, row);
    }
    return may;
}

/* ---- the rows */

/* A key with a null in it may be that of many rows, as long as none of them has children. */
static bool repeats(const struct key_reader *reader, const struct cell *row, bool is_sought)
{
    bool has_null = false;
    for (uint32_t i = 0; i < reader->stream->key_count; i++) {
        if (!reader->begun || !value_equal(&row[i], &reader->last[i])) {
            return false;
        }
        has_null = has_null || is_null(&row[i]);
    }
    return !has_null || is_sought || reader->last_is_sought;
}

static void show_key(const struct key_reader *reader, const struct cell *key)
{
    for (uint32_t i = 0; i < reader->stream->key_count; i++) {
        buffer_append_string(&reader->result->shown, i > 0 ? ", " : "");
        buffer_append_string(&reader->result->shown, reader->stream->key_names[i]);
        buffer_append_string(&reader->result->shown, " = ");
        if (reader->stream->masks_rows) {
            buffer_append_string(&reader->result->shown, "(masked)");
        } else {
            value_print(&key[i], SHOWN_BYTES_MAX, &reader->result->shown);
        }
    }
}

static enum status take_batch(struct key_reader *reader, const struct batch *batch,
                              struct error *error)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct cell *key = batch_row(batch, row);
        reader->result->rows++;
        bool is_sought = may_have_children(reader, key);
        if (repeats(reader, key, is_sought)) {
            show_key(reader, key);
            reader->result->repeats = true;
            return STATUS_END;
        }
        arena_reset(reader->kept);
        for (uint32_t i = 0; i < reader->stream->key_count; i++) {
            if (value_copy(&key[i], reader->kept, &reader->last[i]) != STATUS_OK) {
                return error_set(error, ERROR_MEMORY, reader->stream->name,
                                 "no memory to compare its keys");
            }
        }
        reader->last_is_sought = is_sought;
        reader->begun = true;
    }
    return STATUS_OK;
}

static enum status read_keys(struct run_session *session, struct key_reader *reader,
                             const struct read_request *request, int64_t until_ms,
                             struct error *error)
{
    const struct source_functions *source = session->source->connector->source;
    struct reader *connection = NULL;
    struct cursor *cursor = NULL;
    enum status status = session_sample_reader(session, &connection, error);
    if (status == STATUS_OK) {
        status = source->cursor_open(connection, request, NULL, &cursor, error);
    }
    while (status == STATUS_OK) {
        struct batch *batch = NULL;
        status = source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
        if (status == STATUS_OK) {
            status = take_batch(reader, batch, error);
            batch_destroy(batch);
        } else if (status == STATUS_END) {
            reader->result->whole = true;
        }
        if (status == STATUS_OK && clock_monotonic_ms() > until_ms) {
            status = STATUS_END;
        }
    }
    if (cursor != NULL) {
        source->cursor_close(cursor);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

enum status check_query_key(struct run_session *session, const struct plan_stream *stream,
                            int64_t until_ms, struct key_check *result, struct error *error)
{
    uint32_t count = stream->key_count;
    struct key_reader reader = {.stream = stream, .result = result, .kept = arena_create(0)};
    reader.last = memory_allocate_zeroed(count + (size_t)1, sizeof(*reader.last));
    choose_columns(&reader);
    struct read_request request = {.name = stream->name,
                                   .query = stream->request.query,
                                   .columns = reader.columns,
                                   .column_count = reader.column_count,
                                   .root_key = stream->request.root_key,
                                   .ordered = true};
    enum status status = read_keys(session, &reader, &request, until_ms, error);
    arena_destroy(reader.kept);
    free(reader.columns);
    free(reader.last);
    return status;
}
