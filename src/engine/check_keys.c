/* Whether the key that a plan declares for a query tells its rows apart. */
#include "base/clock.h"
#include "engine/run_parts.h"
#include "engine/sampling.h"
#include <stdlib.h>

enum { BATCH_ROWS = 4096, BATCH_BYTES = 256 << 10, SHOWN_BYTES_MAX = 80 };

struct key_reader {
    const struct plan_stream *stream;
    struct cell *last; /* the key of the row before, in `kept` */
    struct arena *kept;
    bool begun;
    struct key_check *result;
};

static enum status out_of_memory(const struct plan_stream *stream, struct error *error)
{
    return error_set(error, ERROR_MEMORY, stream->name, "no memory to compare its keys");
}

/* A key with a null in it is nobody's: it has no child rows. */
static bool repeats(const struct key_reader *reader, const struct cell *key)
{
    for (uint32_t i = 0; i < reader->stream->key_count; i++) {
        if (!reader->begun || key[i].kind == VALUE_NULL || key[i].kind == VALUE_MISSING ||
            !value_equal(&key[i], &reader->last[i])) {
            return false;
        }
    }
    return true;
}

static void show_key(const struct key_reader *reader, const struct cell *key)
{
    for (uint32_t i = 0; i < reader->stream->key_count; i++) {
        buffer_append_string(&reader->result->shown, i > 0 ? ", " : "");
        buffer_append_string(&reader->result->shown, reader->stream->key_names[i]);
        buffer_append_string(&reader->result->shown, " = ");
        value_print(&key[i], SHOWN_BYTES_MAX, &reader->result->shown);
    }
}

static enum status take_batch(struct key_reader *reader, const struct batch *batch,
                              struct error *error)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct cell *key = batch_row(batch, row);
        reader->result->rows++;
        if (repeats(reader, key)) {
            show_key(reader, key);
            reader->result->repeats = true;
            return STATUS_END;
        }
        arena_reset(reader->kept);
        for (uint32_t i = 0; i < reader->stream->key_count; i++) {
            if (value_copy(&key[i], reader->kept, &reader->last[i]) != STATUS_OK) {
                return out_of_memory(reader->stream, error);
            }
        }
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
    enum status status = sampling_reader(session, &connection, error);
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
    struct read_column *columns = calloc(count + (size_t)1, sizeof(*columns));
    reader.last = calloc(count + (size_t)1, sizeof(*reader.last));
    enum status status = reader.kept != NULL && columns != NULL && reader.last != NULL
                             ? STATUS_OK
                             : out_of_memory(stream, error);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        columns[i] = stream->request.columns[stream->key_columns[i]];
    }
    struct read_request request = {.name = stream->name,
                                   .query = stream->request.query,
                                   .columns = columns,
                                   .column_count = count,
                                   .root_key = stream->request.root_key,
                                   .ordered = true};
    if (status == STATUS_OK) {
        status = read_keys(session, &reader, &request, until_ms, error);
    }
    arena_destroy(reader.kept);
    free(columns);
    free(reader.last);
    return status;
}
