/* The in-memory databases that the engine's tests run against. */
#include "support_engine.h"

#include "base/clock.h"
#include "engine/options.h"
#include "engine/schema_lines.h"
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_database {
    struct database head;
    struct fake_store *store;
};

static struct fake_store *store_of(struct database *database)
{
    return ((struct fake_database *)database)->store;
}

/* Counts down; true at the event. */
static bool strikes(_Atomic int64_t *counter)
{
    int64_t now = atomic_load(counter);
    while (now > 0 && !atomic_compare_exchange_weak(counter, &now, now - 1)) {
    }
    return now == 1;
}

static enum status passing(struct error *error, const char *what)
{
    error_set(error, ERROR_TARGET_THROTTLED, "fake", "%s", what);
    error->retry_after_ms = 1;
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- source */

static const struct read_column columns[] = {{-1, "id", false}, {-1, "name", false}};

static uint32_t table_of(const struct read_request *request)
{
    return strcmp(request->table, "first") == 0 ? 0 : 1;
}

static enum status source_snapshot(struct database *self, uint32_t reader_count,
                                   struct arena *arena, const char **token, struct error *error)
{
    (void)reader_count;
    (void)error;
    *token = arena_copy_string(arena, store_of(self)->token);
    return STATUS_OK;
}

static enum status source_describe(struct database *self, const struct read_request *request,
                                   struct arena *arena, struct stream_facts *facts,
                                   struct error *error)
{
    struct fake_store *store = store_of(self);
    (void)arena;
    (void)error;
    *facts = (struct stream_facts){.keyed = store->moods.keyed,
                                   .key_unique = true,
                                   .row_count = store->rows[table_of(request)]};
    return STATUS_OK;
}

static enum status source_split(struct database *self, const struct read_request *request,
                                uint64_t rows_wanted, struct arena *arena, struct span **spans,
                                uint32_t *span_count, struct error *error)
{
    int64_t rows = store_of(self)->rows[table_of(request)];
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

static enum status source_prepare(struct database *self, const struct read_request *const *requests,
                                  uint32_t request_count, void (*progress)(const char *what),
                                  struct error *error)
{
    (void)self;
    (void)requests;
    (void)request_count;
    (void)progress;
    (void)error;
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
    (*reader)->store = store_of(self);
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
    (*cursor)->table = table_of(request);
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
    if (strikes(&cursor->store->moods.fail_read)) {
        return passing(error, "reading failed for a moment");
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

/* ---------------------------------------------------------------- target */

struct submitted {
    uint64_t chunk;
    uint32_t table;
    struct batch *batch;
};

struct fake_chunk {
    uint64_t number; /* 0: free */
    struct {
        uint32_t table;
        int64_t id;
    } * pending; /* written, not committed */
    uint32_t pending_count;
};

enum { QUEUE_MAX = 64, OPEN_MAX = 8 };

struct writer {
    struct fake_store *store;
    uint64_t epoch;
    struct submitted queue[QUEUE_MAX];
    uint32_t queued;
    struct fake_chunk open[OPEN_MAX];
    uint64_t submits;
    uint32_t picked;
};

static enum status target_inspect(struct database *self, const struct target_table *tables,
                                  uint32_t table_count, bool *table_exists, bool *record_exists,
                                  struct error *error)
{
    struct fake_store *store = store_of(self);
    (void)tables;
    (void)error;
    for (uint32_t i = 0; i < table_count; i++) {
        table_exists[i] = store->table_made[i];
        for (uint32_t id = 0; id <= FAKE_ROWS_MAX; id++) {
            record_exists[i] = record_exists[i] || store->seen[i][id] > 0;
        }
    }
    return STATUS_OK;
}

static enum status target_check_table(struct database *self, const struct target_table *table,
                                      const struct shape *const *shapes, uint32_t shape_count,
                                      struct buffer *out, struct error *error)
{
    (void)self;
    (void)table;
    (void)shapes;
    (void)shape_count;
    (void)out;
    (void)error;
    return STATUS_OK;
}

static enum status target_prepare(struct database *self, struct target_table *tables,
                                  uint32_t table_count, const struct schema *objects,
                                  struct error *error)
{
    (void)objects;
    (void)error;
    for (uint32_t i = 0; i < table_count; i++) {
        tables[i].created = true;
        store_of(self)->table_made[i] = true;
    }
    return STATUS_OK;
}

static enum status target_writer_open(struct database *self, const struct target_table *tables,
                                      uint32_t table_count, uint64_t epoch, struct writer **writer,
                                      struct error *error)
{
    (void)tables;
    (void)table_count;
    (void)error;
    *writer = calloc(1, sizeof(**writer));
    (*writer)->store = store_of(self);
    (*writer)->epoch = epoch;
    return STATUS_OK;
}

static void chunk_clear(struct writer *writer, struct fake_chunk *chunk)
{
    for (uint32_t i = 0; i < writer->queued;) {
        if (writer->queue[i].chunk == chunk->number) {
            batch_destroy(writer->queue[i].batch);
            writer->queue[i] = writer->queue[--writer->queued];
        } else {
            i++;
        }
    }
    free(chunk->pending);
    *chunk = (struct fake_chunk){0};
}

static void target_writer_close(struct writer *writer)
{
    for (uint32_t i = 0; i < OPEN_MAX; i++) {
        chunk_clear(writer, &writer->open[i]);
    }
    free(writer);
}

static struct fake_chunk *find_open(struct writer *writer, uint64_t number)
{
    for (uint32_t i = 0; i < OPEN_MAX; i++) {
        if (writer->open[i].number == number) {
            return &writer->open[i];
        }
    }
    return NULL;
}

static enum status target_chunk_begin(struct writer *writer, uint64_t number, uint32_t attempt,
                                      struct error *error)
{
    assert_true(attempt > 0);
    if (strikes(&writer->store->moods.fail_begin)) {
        return passing(error, "no chunk can begin for a moment");
    }
    assert_null(find_open(writer, number));
    struct fake_chunk *chunk = find_open(writer, 0);
    assert_non_null(chunk);
    uint32_t open_max = writer->store->moods.chunks_open;
    uint32_t open = 1;
    for (uint32_t i = 0; i < OPEN_MAX; i++) {
        open += writer->open[i].number != 0;
    }
    assert_true(open <= (open_max == 0 ? 1 : open_max));
    chunk->number = number;
    chunk->pending = calloc(2 * (FAKE_ROWS_MAX + 1), sizeof(*chunk->pending));
    return STATUS_OK;
}

static enum status target_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                 struct batch *batch, struct error *error)
{
    struct fake_moods *moods = &writer->store->moods;
    assert_non_null(find_open(writer, chunk));
    uint32_t under_way_max = moods->asynchronous == 0 ? 1 : moods->asynchronous;
    int64_t again = atomic_load(&moods->again_submit);
    writer->submits++;
    if (writer->queued >= under_way_max ||
        (again > 0 && writer->queued > 0 && writer->submits % (uint64_t)again == 0)) {
        return STATUS_AGAIN;
    }
    pthread_mutex_lock(&writer->store->mutex);
    if (batch->row_count > writer->store->batch_rows_seen_max) {
        writer->store->batch_rows_seen_max = batch->row_count;
    }
    pthread_mutex_unlock(&writer->store->mutex);
    writer->queue[writer->queued++] =
        (struct submitted){.chunk = chunk, .table = table, .batch = batch};
    if (strikes(&moods->fail_submit)) {
        return passing(error, "nothing can be sent for a moment");
    }
    return STATUS_OK;
}

/* Without transactions what is written is there at once. */
static void write_row(struct writer *writer, struct fake_chunk *chunk, uint32_t table, int64_t id)
{
    if (writer->store->moods.transactional) {
        chunk->pending[chunk->pending_count].table = table;
        chunk->pending[chunk->pending_count++].id = id;
        return;
    }
    pthread_mutex_lock(&writer->store->mutex);
    writer->store->seen[table][id] = 1; /* put by key */
    pthread_mutex_unlock(&writer->store->mutex);
}

static bool is_multiple(int64_t id, int64_t every)
{
    return every > 0 && id % every == 0;
}

static void answer(struct writer *writer, const struct submitted *submitted,
                   struct batch_result *result)
{
    const struct fake_moods *moods = &writer->store->moods;
    struct fake_chunk *chunk = find_open(writer, submitted->chunk);
    struct batch *batch = submitted->batch;
    struct arena *arena = arena_create(0);
    struct record_outcome *outcomes =
        arena_allocate_zeroed(arena, batch->row_count, sizeof(*outcomes));
    *result = (struct batch_result){.chunk = submitted->chunk,
                                    .table = submitted->table,
                                    .batch = batch,
                                    .outcomes = outcomes,
                                    .arena = arena};
    for (uint32_t row = 0; row < batch->row_count; row++) {
        int64_t id = batch_row(batch, row)[0].i64;
        if (is_multiple(id, moods->reject_every) || is_multiple(id, moods->skip_every)) {
            outcomes[result->outcome_count++] = (struct record_outcome){
                .row = row,
                .kind = is_multiple(id, moods->reject_every) ? OUTCOME_REJECTED : OUTCOME_SKIPPED,
                .code = ERROR_REJECT_CONSTRAINT,
                .reason = "not wanted here"};
        } else {
            write_row(writer, chunk, submitted->table, id);
            result->written++;
            result->bytes += 10;
        }
    }
}

static enum status target_poll(struct writer *writer, int64_t timeout_ms,
                               struct batch_result *result, struct error *error)
{
    (void)error;
    if (writer->queued == 0) {
        return STATUS_END;
    }
    if (writer->store->moods.hang) {
        clock_sleep_ms(timeout_ms);
        return STATUS_AGAIN;
    }
    if (writer->store->moods.asynchronous > 0 && timeout_ms == 0 && writer->submits % 3 != 0) {
        return STATUS_AGAIN;
    }
    uint32_t index = writer->picked++ * 7 % writer->queued; /* in no order */
    struct submitted submitted = writer->queue[index];
    writer->queue[index] = writer->queue[--writer->queued];
    answer(writer, &submitted, result);
    return STATUS_OK;
}

static void store_commit(struct fake_store *store, struct fake_chunk *chunk,
                         const struct done_mark *mark)
{
    assert_null(store->marks[chunk->number - 1]);
    for (uint32_t i = 0; i < chunk->pending_count; i++) {
        store->seen[chunk->pending[i].table][chunk->pending[i].id]++;
    }
    store->marks[chunk->number - 1] = strdup(mark->text);
    store->commits++;
    store->out_of_order = store->out_of_order || chunk->number < store->last_committed;
    store->last_committed = chunk->number;
}

static enum status target_commit(struct writer *writer, uint64_t number,
                                 const struct done_mark *mark, struct error *error)
{
    struct fake_store *store = writer->store;
    struct fake_moods *moods = &store->moods;
    struct fake_chunk *chunk = find_open(writer, number);
    enum status status = STATUS_OK;
    assert_non_null(chunk);
    for (uint32_t i = 0; i < writer->queued; i++) {
        assert_true(writer->queue[i].chunk != number); /* all results were polled */
    }
    pthread_mutex_lock(&store->mutex);
    if (strikes(&moods->fence_at)) {
        store->epoch++;
    }
    if (store->epoch != writer->epoch) {
        status = error_set(error, ERROR_RUN_FENCED, "fake", "another epoch holds the run");
    } else if (strikes(&moods->fail_commit)) {
        status = passing(error, "nothing can be committed for a moment");
    } else if (strikes(&moods->unknown_not_commit)) {
        status = error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, "fake", "the line went dead");
    } else {
        store_commit(store, chunk, mark);
        for (int i = strikes(&moods->stop_at) ? moods->stop_signals : 0; i > 0; i--) {
            raise(i == 1 ? SIGTERM : SIGINT);
        }
        if (strikes(&moods->unknown_commit)) {
            status = error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, "fake", "the line went dead");
        } else {
            chunk_clear(writer, chunk);
        }
    }
    pthread_mutex_unlock(&store->mutex);
    return status;
}

static void target_chunk_abandon(struct writer *writer, uint64_t number)
{
    struct fake_chunk *chunk = find_open(writer, number);
    assert_non_null(chunk);
    chunk_clear(writer, chunk);
    pthread_mutex_lock(&writer->store->mutex);
    writer->store->abandons++;
    pthread_mutex_unlock(&writer->store->mutex);
}

static enum status target_after_load(struct database *self, const struct target_table *tables,
                                     uint32_t table_count, const struct schema *objects,
                                     void (*progress)(const char *what), struct error *error)
{
    (void)tables;
    (void)table_count;
    (void)objects;
    (void)progress;
    (void)error;
    store_of(self)->after_loads++;
    return STATUS_OK;
}

static enum status target_count(struct database *self, const struct target_table *table,
                                uint64_t *count, struct error *error)
{
    const struct fake_store *store = store_of(self);
    uint32_t number = strcmp(table->name, "first") == 0 ? 0 : 1;
    (void)error;
    *count = 0;
    for (uint32_t id = 0; id <= FAKE_ROWS_MAX; id++) {
        *count += store->seen[number][id];
    }
    return STATUS_OK;
}

static enum status target_normal_form(struct database *self, const struct cell *cell,
                                      struct arena *arena, struct cell *normal, struct error *error)
{
    (void)self;
    (void)arena;
    (void)error;
    *normal = *cell;
    return STATUS_OK;
}

static bool target_express_accepts(struct database *self, struct database *source)
{
    (void)source;
    return store_of(self)->moods.express;
}

static enum status target_express_chunk(struct writer *writer, struct database *source,
                                        uint64_t number, const struct read_request *request,
                                        const struct span *span, uint32_t table, uint64_t *rows,
                                        struct error *error)
{
    int64_t bounds[2];
    (void)source;
    (void)error;
    assert_int_equal(table, table_of(request));
    memcpy(bounds, span->bounds, sizeof(bounds));
    if ((int64_t)number == writer->store->moods.express_refuses) {
        return STATUS_AGAIN;
    }
    *rows = 0;
    for (int64_t id = bounds[0]; id <= bounds[1] && id <= writer->store->rows[table]; id++) {
        write_row(writer, find_open(writer, number), table, id);
        (*rows)++;
    }
    pthread_mutex_lock(&writer->store->mutex);
    writer->store->pulled += *rows;
    pthread_mutex_unlock(&writer->store->mutex);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- ledger */

static enum status ledger_create(struct database *self, const char *run_id, const char *header,
                                 const char *status, const struct ledger_chunk *chunks,
                                 uint64_t chunk_count, struct error *error)
{
    struct fake_store *store = store_of(self);
    (void)error;
    assert_true(chunk_count <= FAKE_CHUNKS_MAX);
    for (uint64_t i = 0; i < store->chunk_count; i++) {
        free(store->marks[i]);
        store->marks[i] = NULL;
    }
    free(store->header);
    free(store->status);
    store->has_run = true;
    store->epoch = 0;
    store->header = strdup(header);
    store->status = strdup(status);
    snprintf(store->run_id, sizeof(store->run_id), "%s", run_id);
    store->chunk_count = chunk_count;
    for (uint64_t i = 0; i < chunk_count; i++) {
        assert_int_equal(chunks[i].number, i + 1);
        store->chunks[i].stream = chunks[i].stream;
        memcpy(&store->chunks[i].first, chunks[i].span.bounds, 2 * sizeof(int64_t));
    }
    return STATUS_OK;
}

static void load_chunks(const struct fake_store *store, struct arena *arena, struct ledger_run *run)
{
    run->chunks = arena_allocate_zeroed(arena, store->chunk_count, sizeof(*run->chunks));
    run->done = arena_allocate_zeroed(arena, store->chunk_count, sizeof(*run->done));
    for (uint64_t i = 0; i < store->chunk_count; i++) {
        run->chunks[i] = (struct ledger_chunk){
            .number = i + 1,
            .stream = store->chunks[i].stream,
            .span = {.printable = "a span",
                     .bounds = (const uint8_t *)arena_copy(arena, &store->chunks[i].first, 16),
                     .bounds_length = 16,
                     .row_estimate = -1}};
        if (store->marks[i] != NULL) {
            run->done[run->done_count++] =
                (struct done_mark){.chunk = i + 1,
                                   .epoch = store->epoch,
                                   .text = arena_copy_string(arena, store->marks[i])};
        }
    }
    run->chunk_count = store->chunk_count;
}

static enum status ledger_load(struct database *self, const char *run_id, struct arena *arena,
                               struct ledger_run **run, struct error *error)
{
    struct fake_store *store = store_of(self);
    (void)error;
    if (!store->has_run || (run_id != NULL && strcmp(run_id, store->run_id) != 0)) {
        return STATUS_END;
    }
    *run = arena_allocate_zeroed(arena, 1, sizeof(**run));
    (*run)->id = arena_copy_string(arena, store->run_id);
    (*run)->epoch = store->epoch;
    (*run)->header = arena_copy_string(arena, store->header);
    (*run)->status = arena_copy_string(arena, store->status);
    load_chunks(store, arena, *run);
    return STATUS_OK;
}

static enum status ledger_claim(struct database *self, const char *run_id, uint64_t old_epoch,
                                bool take_over, char *holder, size_t holder_capacity,
                                struct error *error)
{
    struct fake_store *store = store_of(self);
    (void)run_id;
    (void)take_over;
    (void)error;
    if (store->epoch != old_epoch) {
        snprintf(holder, holder_capacity, "attempt %" PRIu64, store->epoch);
        return STATUS_AGAIN;
    }
    if (store->late_chunk > 0) {
        store->marks[store->late_chunk - 1] = store->late_mark;
        store->late_chunk = 0;
    }
    store->epoch++;
    return STATUS_OK;
}

static enum status ledger_set_status(struct database *self, const char *run_id, uint64_t epoch,
                                     const char *status, struct error *error)
{
    struct fake_store *store = store_of(self);
    (void)run_id;
    if (epoch != store->epoch) {
        return error_set(error, ERROR_RUN_FENCED, "fake", "another epoch holds the run");
    }
    free(store->status);
    store->status = strdup(status);
    return STATUS_OK;
}

static enum status ledger_done(struct database *self, const char *run_id, uint64_t chunk,
                               struct arena *arena, struct done_mark *mark, struct error *error)
{
    struct fake_store *store = store_of(self);
    (void)run_id;
    (void)error;
    pthread_mutex_lock(&store->mutex);
    const char *text = store->marks[chunk - 1];
    *mark = (struct done_mark){.chunk = chunk, .epoch = store->epoch};
    if (text != NULL) {
        mark->text = arena_copy_string(arena, text);
    }
    pthread_mutex_unlock(&store->mutex);
    return text != NULL ? STATUS_OK : STATUS_END;
}

static enum status ledger_reopen(struct database *self, const char *run_id, uint64_t epoch,
                                 const uint64_t *chunks, uint64_t chunk_count,
                                 const struct target_table *const *tables, uint32_t table_count,
                                 struct error *error)
{
    struct fake_store *store = store_of(self);
    (void)run_id;
    (void)epoch;
    (void)error;
    for (uint64_t i = 0; i < chunk_count; i++) {
        free(store->marks[chunks[i] - 1]);
        store->marks[chunks[i] - 1] = NULL;
    }
    for (uint32_t i = 0; i < table_count; i++) {
        uint32_t number = strcmp(tables[i]->name, "first") == 0 ? 0 : 1;
        memset(store->seen[number], 0, sizeof(store->seen[number]));
        store->reopened_tables++;
    }
    return STATUS_OK;
}

static enum status ledger_release(struct database *self, const char *run_id, uint64_t epoch,
                                  struct error *error)
{
    (void)self;
    (void)run_id;
    (void)epoch;
    (void)error;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- sessions */

static void fake_close(struct database *database)
{
    free(database);
}

static enum status source_identity(struct database *self, struct arena *arena,
                                   const char **identity, struct error *error)
{
    (void)self;
    (void)error;
    *identity = arena_copy_string(arena, "fake source");
    return STATUS_OK;
}

static enum status target_identity(struct database *self, struct arena *arena,
                                   const char **identity, struct error *error)
{
    (void)self;
    (void)error;
    *identity = arena_copy_string(arena, "fake target");
    return STATUS_OK;
}

static const struct source_functions source_functions = {.snapshot = source_snapshot,
                                                         .describe_stream = source_describe,
                                                         .split = source_split,
                                                         .prepare = source_prepare,
                                                         .reader_open = source_reader_open,
                                                         .reader_close = source_reader_close,
                                                         .cursor_open = source_cursor_open,
                                                         .cursor_next = source_cursor_next,
                                                         .cursor_close = source_cursor_close};
static const struct target_functions target_functions = {.inspect = target_inspect,
                                                         .check_table = target_check_table,
                                                         .prepare = target_prepare,
                                                         .writer_open = target_writer_open,
                                                         .writer_close = target_writer_close,
                                                         .chunk_begin = target_chunk_begin,
                                                         .submit = target_submit,
                                                         .poll = target_poll,
                                                         .commit = target_commit,
                                                         .chunk_abandon = target_chunk_abandon,
                                                         .after_load = target_after_load,
                                                         .count = target_count,
                                                         .normal_form = target_normal_form,
                                                         .express_accepts = target_express_accepts,
                                                         .express_chunk = target_express_chunk};
static const struct ledger_functions ledger_functions = {.create = ledger_create,
                                                         .load = ledger_load,
                                                         .claim = ledger_claim,
                                                         .set_status = ledger_set_status,
                                                         .done = ledger_done,
                                                         .reopen = ledger_reopen,
                                                         .release = ledger_release};
static const struct connector fake_source = {.contract_version = CONNECTOR_CONTRACT_VERSION,
                                             .name = "fake-source",
                                             .close = fake_close,
                                             .identity = source_identity,
                                             .source = &source_functions};
static const struct connector fake_target = {.contract_version = CONNECTOR_CONTRACT_VERSION,
                                             .name = "fake-target",
                                             .close = fake_close,
                                             .identity = target_identity,
                                             .target = &target_functions,
                                             .ledger = &ledger_functions};

struct fake_store *fake_store_create(int64_t rows_first, int64_t rows_second)
{
    struct fake_store *store = calloc(1, sizeof(*store));
    assert_non_null(store);
    pthread_mutex_init(&store->mutex, NULL);
    store->rows[0] = rows_first;
    store->rows[1] = rows_second;
    store->token = "moment 1";
    store->moods.transactional = true;
    store->moods.keyed = true;
    store->moods.readers = 3;
    store->moods.writers = 1;
    store->moods.chunks_open = 1;
    return store;
}

void fake_store_destroy(struct fake_store *store)
{
    for (uint64_t i = 0; i < store->chunk_count; i++) {
        free(store->marks[i]);
    }
    free(store->header);
    free(store->status);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static struct database *make_database(struct fake_store *store, bool is_target)
{
    struct fake_database *made = calloc(1, sizeof(*made));
    const struct fake_moods *moods = &store->moods;
    assert_non_null(made);
    made->store = store;
    made->head.connector = is_target ? &fake_target : &fake_source;
    made->head.limits = (struct connector_limits){.readers_max = moods->readers,
                                                  .writers_max = moods->writers,
                                                  .chunks_open_max = moods->chunks_open,
                                                  .batch_rows_max = moods->batch_rows_max};
    made->head.capabilities =
        is_target ? CAPABILITY_KEY_ENFORCED | CAPABILITY_COUNTS_EXACT |
                        (moods->transactional ? CAPABILITY_TRANSACTIONS : 0u) |
                        (moods->asynchronous > 0 ? CAPABILITY_ASYNCHRONOUS : 0u) |
                        (moods->ordered ? CAPABILITY_ORDERED_WRITE : 0u)
        : moods->no_snapshot ? 0
                             : CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED;
    return &made->head;
}

static const char *const names[FAKE_TABLES] = {"first", "second"};
static const char *const key_names[] = {"id"};
static const uint32_t key_columns[] = {0};
static const struct shape_field fields[] = {{"id", 2, {.kind = VALUE_INT64}},
                                            {"name", 4, {.kind = VALUE_TEXT}}};
static const struct shape shape = {.name = "fake",
                                   .fields = fields,
                                   .field_count = 2,
                                   .key_fields = key_columns,
                                   .key_field_count = 1};
static const uint32_t numbers[FAKE_TABLES] = {0, 1};

static struct plan *make_plan(void)
{
    struct arena *arena = arena_create(0);
    struct plan *plan = arena_allocate_zeroed(arena, 1, sizeof(*plan));
    struct plan_entity *entities =
        arena_allocate_zeroed(arena, FAKE_TABLES, sizeof(struct plan_entity));
    plan->arena = arena;
    plan->tables = arena_allocate_zeroed(arena, FAKE_TABLES, sizeof(*plan->tables));
    struct plan_stream *streams =
        arena_allocate_zeroed(arena, FAKE_TABLES, sizeof(struct plan_stream));
    plan->streams = streams;
    plan->entities = entities;
    plan->table_count = plan->stream_count = plan->entity_count = FAKE_TABLES;
    for (uint32_t i = 0; i < FAKE_TABLES; i++) {
        entities[i] = (struct plan_entity){.number = i,
                                           .name = names[i],
                                           .table = i,
                                           .stream = i,
                                           .shape = &shape,
                                           .from_text = names[i]};
        plan->tables[i] = (struct plan_table){.target = {.name = names[i],
                                                         .key = {.names = key_names, .count = 1},
                                                         .existing = EXISTING_REFUSE},
                                              .entities = &numbers[i],
                                              .entity_count = 1,
                                              .keys_proven = true,
                                              .keys_reason = "a number each"};
        streams[i] = (struct plan_stream){.number = i,
                                          .name = names[i],
                                          .request = {.name = names[i],
                                                      .table = names[i],
                                                      .columns = columns,
                                                      .column_count = 2,
                                                      .root_key = {.names = key_names, .count = 1}},
                                          .key_columns = key_columns,
                                          .key_names = key_names,
                                          .key_count = 1,
                                          .entities = &numbers[i],
                                          .entity_count = 1,
                                          .identity = true,
                                          .express = true};
    }
    plan->mapping_text = "all of it";
    snprintf(plan->mapping_hash, sizeof(plan->mapping_hash), "%032d", 7);
    return plan;
}

static struct uri *make_uri(struct arena *arena, const char *text)
{
    struct uri *uri = arena_allocate_zeroed(arena, 1, sizeof(*uri));
    uri->text = uri->shown = text;
    return uri;
}

struct run_options fake_options(void)
{
    struct run_options options;
    run_options_default(&options);
    options.jobs = 4;
    options.chunk_rows = 50;
    options.batch_rows = 9;
    options.timeout_ms = 2000;
    options.progress = PROGRESS_NONE;
    return options;
}

struct run_session *fake_session(struct fake_store *store, const char *state_folder,
                                 const struct run_options *options)
{
    struct error error;
    struct run_session *session = calloc(1, sizeof(*session));
    assert_non_null(session);
    session->options = *options;
    assert_int_equal(options_resolve(&session->options, NULL, &error), STATUS_OK);
    session->arena = arena_create(0);
    session->state_path = arena_copy_string(session->arena, state_folder);
    session->source_uri = make_uri(session->arena, "fake:source");
    session->target_uri = make_uri(session->arena, "fake:target");
    session->source = make_database(store, false);
    session->target = make_database(store, true);
    session->source_identity = "fake source";
    session->target_identity = "fake target";
    session->schema_text = "table first\ntable second\n";
    snprintf(session->fingerprint, sizeof(session->fingerprint), "%032d", 3);
    session->plan = make_plan();
    session->schema = arena_allocate_zeroed(session->arena, 1, sizeof(*session->schema));
    struct arena *schema_arena = arena_create(0);
    session->schema->arena = schema_arena;
    session->plan->source_schema = session->schema;
    session->progress.entity_count = FAKE_TABLES;
    session->progress.entities =
        arena_allocate_zeroed(session->arena, FAKE_TABLES, sizeof(*session->progress.entities));
    for (uint32_t i = 0; i < FAKE_TABLES; i++) {
        session->progress.entities[i].name = names[i];
        session->progress.entities[i].table = names[i];
        session->progress.entities[i].total = -1;
    }
    return session;
}

void assert_complete(const struct fake_store *store)
{
    for (uint32_t table = 0; table < FAKE_TABLES; table++) {
        for (int64_t id = 1; id <= store->rows[table]; id++) {
            bool wanted = !is_multiple(id, store->moods.reject_every) &&
                          !is_multiple(id, store->moods.skip_every);
            if (store->seen[table][id] != wanted) {
                fail_msg("table %u holds id %" PRId64 " %u times", table, id,
                         store->seen[table][id]);
            }
        }
    }
}

uint64_t count_rejects(const char *state_folder)
{
    char path[4096];
    uint64_t lines = 0;
    snprintf(path, sizeof(path), "%s/rejects", state_folder);
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[8192];
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(name, "re");
        for (int c; file != NULL && (c = getc(file)) != EOF;) {
            lines += c == '\n';
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return lines;
}
