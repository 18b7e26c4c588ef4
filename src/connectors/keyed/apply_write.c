/* The states that changes came to are written: deletes, then records, all of them under way at
 * once. */
#include "connectors/keyed/apply_internal.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS_MAX = 1000, POLL_MS = 1000 };

/* ---------------------------------------------------------------- deletes by the service */

/* One that the database refuses: so it would its record. */
static enum status erase_one(struct applying *applying, const struct target_table *table,
                             const struct cell *key)
{
    struct apply *apply = applying->apply;
    struct database *self = apply->database;
    struct error refused = {0};
    struct batch *there = NULL;
    if (keyed_erase(self, table, key, 1, applying->error) == STATUS_OK) {
        return STATUS_OK;
    }
    if (applying->error->class == ERROR_CLASS_RETRY) {
        return STATUS_FAILED;
    }
    enum status status = self->connector->target->fetch(self, table, key, 1, &there, &refused);
    batch_destroy(there);
    return status != STATUS_OK && refused.class == ERROR_CLASS_REJECT ? STATUS_OK : STATUS_FAILED;
}

static enum status erase(struct applying *applying, const struct target_table *table,
                         const struct cell *keys, uint32_t count)
{
    struct apply *apply = applying->apply;
    enum status status = keyed_erase(apply->database, table, keys, count, applying->error);
    if (status == STATUS_OK || applying->error->class == ERROR_CLASS_RETRY) {
        return status;
    }
    for (uint32_t at = 0; at < count; at++) {
        if (erase_one(applying, table, keys + (size_t)at * table->key.count) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Deletes the records of states of one table. */
static enum status erase_states(struct applying *applying, const struct key_state *states,
                                uint32_t count)
{
    struct apply *apply = applying->apply;
    const struct target_table *table = &apply->tables[states[0].table];
    uint32_t width = table->key.count;
    uint32_t most = apply->room->service->erase_max;
    struct cell *keys = memory_allocate((size_t)most * width * sizeof(*keys));
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK;) {
        uint32_t some = 0;
        for (; some < most && at < count; some++, at++) {
            memcpy(keys + (size_t)some * width, states[at].key, width * sizeof(*keys));
        }
        status = erase(applying, table, keys, some);
    }
    free(keys);
    return status;
}

/* ---------------------------------------------------------------- by the writer */

/* A key that the database refuses has no record. */
static void take_outcome(struct applying *applying, struct key_state *state,
                         const struct record_outcome *outcome)
{
    if (state->mode == APPLY_DELETE) {
        return;
    }
    if (outcome->kind == OUTCOME_REJECTED) {
        const char *reason = arena_format(
            applying->arena, "%s; what was under its key before stays", outcome->reason);
        (void)!keyed_apply_refuse(applying, state->set, state->change, outcome->code, reason);
        return;
    }
    state->document = NULL;
    applying->expired++;
}

/* STATUS_END: nothing is under way. */
static enum status poll_once(struct applying *applying, int64_t timeout_ms)
{
    struct batch_result result = {0};
    enum status status = keyed_poll(applying->apply->writer, timeout_ms, &result, applying->error);
    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t at = 0; at < result.outcome_count; at++) {
        const struct record_outcome *outcome = &result.outcomes[at];
        take_outcome(applying, &applying->states[result.batch->entity + outcome->row], outcome);
    }
    batch_destroy(result.batch);
    arena_destroy(result.arena);
    return STATUS_OK;
}

/* STATUS_OK: nothing is under way any more. */
static enum status poll_all(struct applying *applying)
{
    enum status status;
    do {
        status = poll_once(applying, POLL_MS);
    } while (status == STATUS_OK || status == STATUS_AGAIN);
    return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
}

static struct cell key_document(const struct target_table *table, const struct cell *key,
                                struct arena *arena)
{
    struct cell *pairs = arena_allocate_zeroed(arena, table->key.count + 1u, 2 * sizeof(*pairs));
    for (uint32_t at = 0; at < table->key.count; at++) {
        const char *name = table->key.names[at];
        pairs[2 * (size_t)at] = cell_text(name, strlen(name));
        pairs[2 * (size_t)at + 1] = key[at];
    }
    return cell_items(VALUE_MAP, pairs, table->key.count);
}

static enum status write_batch(struct applying *applying, uint32_t first, uint32_t count)
{
    struct apply *apply = applying->apply;
    const struct key_state *states = &applying->states[first];
    const struct target_table *table = &apply->tables[states[0].table];
    uint32_t number = states[0].table + (uint32_t)states[0].mode * apply->table_count;
    struct batch *batch = batch_create(NULL, 1, count);
    enum status status;
    batch->entity = first;
    for (uint32_t at = 0; at < count; at++) {
        *batch_append(batch) = states[at].document != NULL
                                   ? *states[at].document
                                   : key_document(table, states[at].key, batch->arena);
    }
    while ((status = keyed_submit(apply->writer, apply->chunk, number, batch, applying->error)) ==
           STATUS_AGAIN) {
        if (poll_once(applying, POLL_MS) == STATUS_FAILED) {
            batch_destroy(batch);
            return STATUS_FAILED;
        }
    }
    return status;
}

/* All of one table and mode. */
static enum status write_alike(struct applying *applying, uint32_t first, uint32_t count)
{
    const struct key_state *states = &applying->states[first];
    bool by_service =
        applying->apply->room->service->records_max[KEYED_DELETE] == 0; /* none by the writer */
    enum status status = STATUS_OK;
    if (states[0].mode == APPLY_DELETE && by_service) {
        return erase_states(applying, states, count);
    }
    for (uint32_t done = 0; done < count && status == STATUS_OK;) {
        uint32_t some = count - done < BATCH_ROWS_MAX ? count - done : BATCH_ROWS_MAX;
        status = write_batch(applying, first + done, some);
        done += some;
    }
    return status;
}

/* By table; those that go come first. */
static int compare_states(const void *left, const void *right)
{
    const struct key_state *one = left;
    const struct key_state *two = right;
    if (one->table != two->table) {
        return one->table < two->table ? -1 : 1;
    }
    return (int)one->mode - (int)two->mode;
}

static enum status write_all(struct applying *applying)
{
    enum status status = STATUS_OK;
    qsort(applying->states, applying->count, sizeof(*applying->states), compare_states);
    for (uint32_t at = 0; at < applying->count && status == STATUS_OK;) {
        uint32_t end = at + 1;
        while (end < applying->count &&
               compare_states(&applying->states[at], &applying->states[end]) == 0) {
            end++;
        }
        status = write_alike(applying, at, end - at);
        at = end;
    }
    return status == STATUS_OK ? poll_all(applying) : status;
}

/* Records whose time was over before they were sent: what was there before goes, too. */
static enum status delete_expired(struct applying *applying)
{
    uint32_t kept = 0;
    if (applying->expired == 0) {
        return STATUS_OK;
    }
    for (uint32_t at = 0; at < applying->count; at++) {
        struct key_state *state = &applying->states[at];
        if (state->mode != APPLY_DELETE && state->document == NULL) {
            state->mode = APPLY_DELETE;
            applying->states[kept++] = *state;
        }
    }
    applying->count = kept;
    applying->expired = 0;
    return write_all(applying);
}

static enum status open_writer(struct apply *apply, struct error *error)
{
    enum status status =
        keyed_writer_open(apply->database, apply->tables, apply->table_count * APPLY_MODES,
                          apply->room->epoch, &apply->writer, error);
    if (status == STATUS_OK) {
        apply->writer->kinds = apply->kinds;
    }
    return status;
}

static enum status write_noted(struct applying *applying)
{
    struct apply *apply = applying->apply;
    struct error *error = applying->error;
    enum status status = apply->writer == NULL ? open_writer(apply, error) : STATUS_OK;
    if (status == STATUS_OK && apply->room->service->set_time != NULL) {
        apply->room->service->set_time(apply->writer->connection, apply->time_us);
    }
    status =
        status == STATUS_OK ? keyed_chunk_begin(apply->writer, ++apply->chunk, 1, error) : status;
    status = status == STATUS_OK ? write_all(applying) : status;
    status = status == STATUS_OK ? delete_expired(applying) : status;
    return status == STATUS_OK ? keyed_commit(apply->writer, apply->chunk, NULL, error) : status;
}

enum status keyed_apply_flush(struct applying *applying)
{
    struct apply *apply = applying->apply;
    if (applying->count == 0) {
        return STATUS_OK;
    }
    enum status status = keyed_apply_take_time(apply, applying->error);
    status = status == STATUS_OK ? write_noted(applying) : status;
    if (status != STATUS_OK) {
        keyed_writer_close(apply->writer);
        apply->writer = NULL;
    }
    applying->count = 0;
    applying->index = (struct name_index){.arena = applying->scratch};
    return status;
}

enum status keyed_apply_empty(struct applying *applying, uint32_t number)
{
    struct database *self = applying->apply->database;
    const struct target_table *table = &applying->apply->tables[number];
    if (keyed_apply_flush(applying) != STATUS_OK ||
        keyed_apply_take_time(applying->apply, applying->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return self->connector->target->empty(self, &table, 1, applying->error);
}
