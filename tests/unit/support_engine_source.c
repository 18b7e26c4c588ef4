/* The source in memory: two tables of numbered rows. */
#include "base/clock.h"
#include "connectors/contract/defaults.h"
#include "support_engine_internal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum status source_snapshot(struct database *self, uint32_t reader_count,
                                   struct arena *arena, const char **token, struct error *error)
{
    (void)reader_count;
    (void)error;
    *token = arena_copy_string(arena, fake_store_of(self)->token);
    return STATUS_OK;
}

static enum status source_describe(struct database *self, const struct read_request *request,
                                   struct arena *arena, struct stream_facts *facts,
                                   struct error *error)
{
    struct fake_store *store = fake_store_of(self);
    (void)arena;
    (void)error;
    *facts = (struct stream_facts){.keyed = store->moods.keyed,
                                   .key_unique = true,
                                   .row_count = store->rows[fake_table_of(request)]};
    return STATUS_OK;
}

static enum status source_split(struct database *self, const struct read_request *request,
                                uint64_t rows_wanted, struct arena *arena, struct span **spans,
                                uint32_t *span_count, struct error *error)
{
    int64_t rows = fake_store_of(self)->rows[fake_table_of(request)];
    (void)error;
    *span_count = (uint32_t)((rows + (int64_t)rows_wanted - 1) / (int64_t)rows_wanted);
    *span_count = *span_count == 0 ? 1 : *span_count;
    *spans = arena_allocate_zeroed(arena, *span_count, sizeof(**spans));
    for (uint32_t i = 0; i < *span_count; i++) {
        int64_t bounds[2] = {(int64_t)(i * rows_wanted) + 1, (int64_t)((i + 1) * rows_wanted)};
        bounds[1] = i + 1 == *span_count ? FAKE_ROWS_MAX : bounds[1];
        (*spans)[i] = (struct span){
            .printable = arena_format(arena, "id %" PRId64 "..%" PRId64, bounds[0], bounds[1]),
            .bounds = (const uint8_t *)arena_copy(arena, bounds, sizeof(bounds)),
            .bounds_length = sizeof(bounds),
            .row_estimate = -1,
            .last_id = arena_format(arena, "%" PRId64, bounds[1])};
    }
    return STATUS_OK;
}

struct reader {
    struct fake_store *store;
};

static enum status source_reader_open(struct database *self, struct reader **reader,
                                      struct error *error)
{
    (void)error;
    *reader = calloc(1, sizeof(**reader));
    (*reader)->store = fake_store_of(self);
    return STATUS_OK;
}

static void source_reader_close(struct reader *reader)
{
    free(reader);
}

struct cursor {
    struct fake_store *store;
    uint32_t table;
    int64_t next;
    int64_t last;
};

static enum status source_cursor_open(struct reader *reader, const struct read_request *request,
                                      const struct span *span, struct cursor **cursor,
                                      struct error *error)
{
    int64_t bounds[2] = {1, FAKE_ROWS_MAX};
    (void)error;
    if (span != NULL) {
        memcpy(bounds, span->bounds, sizeof(bounds));
    }
    *cursor = calloc(1, sizeof(**cursor));
    (*cursor)->store = reader->store;
    (*cursor)->table = fake_table_of(request);
    (*cursor)->next = bounds[0];
    int64_t rows = reader->store->rows[(*cursor)->table];
    (*cursor)->last = bounds[1] < rows ? bounds[1] : rows;
    return STATUS_OK;
}

static enum status source_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                      struct batch **made, struct error *error)
{
    (void)bytes_max;
    if (cursor->next > cursor->last) {
        return STATUS_END;
    }
    if (fake_strikes(&cursor->store->moods.fail_read)) {
        return fake_passing(error, "reading failed for a moment");
    }
    if (cursor->store->moods.slow_read_ms > 0) {
        clock_sleep_ms(cursor->store->moods.slow_read_ms);
    }
    struct batch *batch = batch_create(NULL, 2, rows_max);
    assert_non_null(batch);
    while (batch->row_count < rows_max && cursor->next <= cursor->last) {
        struct cell *cells = batch_append(batch);
        char *name = arena_format(batch->arena, "name %" PRId64, cursor->next);
        cells[0] = cell_int64(cursor->next++);
        cells[1] = cell_text(name, strlen(name));
    }
    *made = batch;
    return STATUS_OK;
}

static void source_cursor_close(struct cursor *cursor)
{
    free(cursor);
}

const struct source_functions fake_source_functions = {.snapshot = source_snapshot,
                                                       .describe_stream = source_describe,
                                                       .split = source_split,
                                                       .prepare = source_prepares_nothing,
                                                       .reader_open = source_reader_open,
                                                       .reader_close = source_reader_close,
                                                       .cursor_open = source_cursor_open,
                                                       .cursor_next = source_cursor_next,
                                                       .cursor_close = source_cursor_close};
