/* The ledger of the target in memory. */
#include "support_engine_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status fake_ledger_create(struct database *self, const char *run_id, const char *header,
                                      const char *status, const struct ledger_chunk *chunks,
                                      uint64_t chunk_count, struct error *error)
{
    struct fake_store *store = fake_store_of(self);
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

static enum status fake_ledger_load(struct database *self, const char *run_id, struct arena *arena,
                                    struct ledger_run **run, struct error *error)
{
    struct fake_store *store = fake_store_of(self);
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

static enum status fake_ledger_claim(struct database *self, const char *run_id, uint64_t old_epoch,
                                     const struct ledger_holder *replaces,
                                     struct ledger_holder *found, struct error *error)
{
    struct fake_store *store = fake_store_of(self);
    (void)run_id;
    (void)replaces;
    *found = (struct ledger_holder){0};
    (void)error;
    if (store->epoch != old_epoch) {
        snprintf(found->name, sizeof(found->name), "attempt %" PRIu64, store->epoch);
        return STATUS_AGAIN;
    }
    if (store->late_chunk > 0) {
        store->marks[store->late_chunk - 1] = store->late_mark;
        store->late_chunk = 0;
    }
    store->epoch++;
    return STATUS_OK;
}

static enum status fake_ledger_set_status(struct database *self, const char *run_id, uint64_t epoch,
                                          const char *status, struct error *error)
{
    struct fake_store *store = fake_store_of(self);
    (void)run_id;
    if (epoch != store->epoch) {
        return error_set(error, ERROR_RUN_FENCED, "fake", "another epoch holds the run");
    }
    free(store->status);
    store->status = strdup(status);
    return STATUS_OK;
}

static enum status fake_ledger_done(struct database *self, const char *run_id, uint64_t chunk,
                                    struct arena *arena, struct done_mark *mark,
                                    struct error *error)
{
    struct fake_store *store = fake_store_of(self);
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

static enum status fake_ledger_reopen(struct database *self, const char *run_id, uint64_t epoch,
                                      const uint64_t *chunks, uint64_t chunk_count,
                                      const struct target_table *const *tables,
                                      uint32_t table_count, struct error *error)
{
    struct fake_store *store = fake_store_of(self);
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

static enum status fake_ledger_release(struct database *self, const char *run_id, uint64_t epoch,
                                       struct error *error)
{
    (void)self;
    (void)run_id;
    (void)epoch;
    (void)error;
    return STATUS_OK;
}

const struct ledger_functions fake_ledger_functions = {.create = fake_ledger_create,
                                                       .load = fake_ledger_load,
                                                       .claim = fake_ledger_claim,
                                                       .set_status = fake_ledger_set_status,
                                                       .done = fake_ledger_done,
                                                       .reopen = fake_ledger_reopen,
                                                       .release = fake_ledger_release};
