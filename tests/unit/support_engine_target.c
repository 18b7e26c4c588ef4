/* The target in memory, with the moods of every kind of database. */
#include "base/clock.h"
#include "support_engine_internal.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

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
    struct fake_store *store = fake_store_of(self);
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

static enum status target_check_table(struct database *self, const struct check_request *request,
                                      struct buffer *out, struct error *error)
{
    (void)self;
    (void)request;
    (void)out;
    (void)error;
    return STATUS_OK;
}

static enum status target_prepare(struct database *self, const struct prepare_request *request,
                                  struct error *error)
{
    (void)error;
    for (uint32_t i = 0; i < request->table_count; i++) {
        request->tables[i].created = true;
        fake_store_of(self)->table_made[i] = true;
    }
    return STATUS_OK;
}

static enum status target_empty(struct database *self, const struct target_table *const *tables,
                                uint32_t table_count, struct error *error)
{
    struct fake_store *store = fake_store_of(self);
    (void)error;
    for (uint32_t i = 0; i < table_count; i++) {
        uint32_t number = strcmp(tables[i]->name, "first") == 0 ? 0 : 1;
        memset(store->seen[number], 0, sizeof(store->seen[number]));
        store->reopened_tables++;
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
    (*writer)->store = fake_store_of(self);
    (void)epoch;
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
    if (fake_strikes(&writer->store->moods.fail_begin)) {
        return fake_passing(error, "no chunk can begin for a moment");
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
    if (fake_strikes(&moods->fail_submit)) {
        return fake_passing(error, "nothing can be sent for a moment");
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
                                    .fallbacks = moods->falls_back,
                                    .arena = arena};
    for (uint32_t row = 0; row < batch->row_count; row++) {
        int64_t id = batch_row(batch, row)[0].i64;
        if (fake_is_multiple(id, moods->reject_every) || fake_is_multiple(id, moods->skip_every)) {
            outcomes[result->outcome_count++] = (struct record_outcome){
                .row = row,
                .kind =
                    fake_is_multiple(id, moods->reject_every) ? OUTCOME_REJECTED : OUTCOME_SKIPPED,
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
    for (uint32_t i = 0; i < chunk->pending_count; i++) {
        store->seen[chunk->pending[i].table][chunk->pending[i].id]++;
    }
    if (mark->key != NULL) {
        fake_put_mark(store, chunk->number, mark->text);
    }
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
    if (fake_strikes(&moods->fence_at)) {
        fake_fence(store);
    }
    if (fake_is_fenced(store)) {
        status = error_set(error, ERROR_RUN_FENCED, "fake", "another epoch holds the run");
    } else if (fake_strikes(&moods->fail_commit)) {
        status = fake_passing(error, "nothing can be committed for a moment");
    } else if (fake_strikes(&moods->unknown_not_commit)) {
        status = error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, "fake", "the line went dead");
    } else {
        store_commit(store, chunk, mark);
        for (int i = fake_strikes(&moods->stop_at) ? moods->stop_signals : 0; i > 0; i--) {
            raise(i == 1 ? SIGTERM : SIGINT);
        }
        if (fake_strikes(&moods->unknown_commit)) {
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

static enum status target_after_load(struct database *self, struct after_load_request *request,
                                     struct error *error)
{
    (void)request;
    (void)error;
    fake_store_of(self)->after_loads++;
    return STATUS_OK;
}

static enum status target_count(struct database *self, const struct target_table *table,
                                uint64_t *count, struct error *error)
{
    const struct fake_store *store = fake_store_of(self);
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
    return fake_store_of(self)->moods.express;
}

static enum status target_express_chunk(struct writer *writer, struct database *source,
                                        uint64_t number, const struct read_request *request,
                                        const struct span *span, uint32_t table, uint64_t *rows,
                                        struct error *error)
{
    int64_t bounds[2];
    (void)source;
    (void)error;
    assert_int_equal(table, fake_table_of(request));
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

const struct target_functions fake_target_functions = {.claimed = fake_claimed,
                                                       .empty = target_empty,
                                                       .inspect = target_inspect,
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
                                                       .normal_form = target_normal_form};

const struct express_functions fake_express_functions = {.accepts = target_express_accepts,
                                                         .chunk = target_express_chunk};
