/* The writer's thread: takes started chunks, drains their rings into the target, commits,
 * recovers. */
#include "engine/copy/writing.h"

#include "base/clock.h"
#include "base/log.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_BETWEEN_MS = 5, HELD_OPEN_MS = 2000 };

static bool can_commit(const struct writing *writing)
{
    return writing->first != NULL && writing->first->ended && writing->first->under_way == 0;
}

/* The target pulls the chunk itself, or it goes the general way. */
static enum status worker_writer_pull(struct writing *writing, struct error *error)
{
    struct copy *copy = writing->copy;
    struct open_chunk *chunk = writing->last;
    const struct plan *plan = copy->session->plan;
    uint64_t rows = 0;
    uint32_t entity = chunk->stream->entities[0];
    copy_show(writing->worker, "lets the target pull");
    atomic_store(&writing->worker->pulls, entity + 1);
    enum status status = copy->session->target->connector->express->chunk(
        writing->worker->writer, copy->session->source, chunk->number, &chunk->stream->request,
        &copy_chunk(copy, chunk->index)->span, plan->entities[entity].table, &rows, error);
    atomic_store(&writing->worker->pulls, 0);
    atomic_store(&copy->session->progress.entities[entity].pulled, 0);
    if (status == STATUS_OK) {
        writing_count_pulled(writing, chunk, rows);
    } else if (status == STATUS_AGAIN) {
        log_write(LOG_DEBUG, "chunk %" PRIu64 " of %s takes the general path", chunk->number,
                  chunk->stream->name);
        writing_abandon_last(writing);
        status = STATUS_OK;
    }
    return status;
}

static enum status reopen(struct writing *writing, struct error *error)
{
    struct worker *worker = writing->worker;
    struct copy *copy = writing->copy;
    enum status status;
    pthread_mutex_lock(&copy->connection_mutex);
    if (worker->writer != NULL) {
        writing->target->writer_close(worker->writer);
        worker->writer = NULL;
    }
    writing_lost_connection(writing);
    pthread_mutex_unlock(&copy->connection_mutex);
    do {
        pthread_mutex_lock(&copy->connection_mutex);
        status = copy_open_writer(worker, error);
        pthread_mutex_unlock(&copy->connection_mutex);
    } while (status == STATUS_FAILED && retry_wait(&worker->retry, error));
    return status;
}

/* No chunk is open: targets that insert what was missing have one at a time. */
static enum status suit_writer(struct writing *writing, uint64_t index, struct error *error)
{
    struct worker *worker = writing->worker;
    bool inserts = copy_inserts(writing->copy, index);
    if (worker->inserts == inserts) {
        return STATUS_OK;
    }
    worker->inserts = inserts;
    return reopen(writing, error);
}

static enum status take_chunk(struct writing *writing, bool wait, struct error *error)
{
    uint64_t index;
    struct work *work;
    enum status status = copy_take(writing->copy, wait, &index, &work);
    if (status != STATUS_OK) {
        return status;
    }
    copy_show_chunk(writing->worker, index);
    copy_show(writing->worker, "writes");
    if (suit_writer(writing, index, error) != STATUS_OK) {
        copy_requeue(writing->copy, index, work);
        return STATUS_FAILED;
    }
    status = writing_begin(writing, index, work, error);
    return status == STATUS_OK && work == NULL ? worker_writer_pull(writing, error) : status;
}

/* Results that are there already; asynchronous targets have them as they come. */
static enum status poll_ready(struct writing *writing, struct error *error)
{
    enum status status;
    do {
        status = writing_poll(writing, 0, error);
    } while (status == STATUS_OK);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* A pause, whose end nobody knows, does not keep the locks of a transaction. */
static bool is_held_too_long(const struct writing *writing, const struct open_chunk *chunk)
{
    return (writing->copy->session->target->capabilities & CAPABILITY_TRANSACTIONS) != 0 &&
           throttle_held_ms(&writing->copy->throttle) >= HELD_OPEN_MS &&
           copy_may_hold(writing->copy, chunk->index);
}

static enum status worker_writer_drain(struct writing *writing, struct open_chunk *chunk,
                                       struct error *error)
{
    void *parcel;
    bool busy = writing_under_way(writing) > 0;
    enum status status = ring_pop(chunk->work->ring, &parcel, busy ? 0 : COPY_WAIT_MS);
    if (status != STATUS_OK && is_held_too_long(writing, chunk)) {
        log_write(LOG_DEBUG, "chunk %" PRIu64 " of %s is given up for the pause, to begin again",
                  chunk->number, chunk->stream->name);
        writing_abandon_all(writing, true);
        return STATUS_OK;
    }
    if (status != STATUS_OK && busy) {
        enum status polled = writing_poll(writing, POLL_BETWEEN_MS, error);
        if (polled != STATUS_END) {
            return polled == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
        }
        /* the target waits for more */
        status = ring_pop(chunk->work->ring, &parcel, COPY_WAIT_MS);
    }
    if (status == STATUS_OK) {
        copy_show(writing->worker, "writes");
        status = writing_feed(writing, chunk, parcel, error);
        return status == STATUS_OK ? poll_ready(writing, error) : status;
    }
    copy_show(writing->worker, "waits for its reader");
    return STATUS_OK;
}

static void show_waiting(const struct writing *writing)
{
    struct progress_worker *shown = writing->worker->shown;
    copy_show(writing->worker, "waits for a chunk");
    if (writing->open_count == 0 && atomic_load(&shown->chunk) != 0) {
        progress_worker_begin(shown, 0, clock_monotonic_ms());
    }
}

/* One move of the writer. STATUS_END: nothing is left for it. */
static enum status worker_writer_step(struct writing *writing, struct error *error)
{
    uint32_t open_max = writing->copy->session->target->limits.chunks_open_max;
    if (copy_must_stop(writing->copy)) {
        return STATUS_END;
    }
    if (can_commit(writing)) {
        enum status status = writing_try_again(writing, writing->first, error);
        if (status != STATUS_END) {
            return status;
        }
        status = writing_commit(writing, error);
        if (status == STATUS_OK) {
            retry_reset(&writing->worker->retry);
        }
        return status;
    }
    /* The chunk whose ring is being drained: always the last one begun. */
    struct open_chunk *chunk =
        writing->last != NULL && !writing->last->ended ? writing->last : NULL;
    if (chunk != NULL) {
        return worker_writer_drain(writing, chunk, error);
    }
    if (writing->open_count == 0 || writing->open_count < open_max) {
        show_waiting(writing);
        enum status status = take_chunk(writing, writing->open_count == 0, error);
        if (status == STATUS_OK || status == STATUS_FAILED ||
            (status == STATUS_END && writing->open_count == 0)) {
            return status;
        }
    }
    if (writing->open_count > 0) {
        copy_show(writing->worker, "waits for the target");
        enum status status = writing_poll(writing, COPY_WAIT_MS, error);
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    return STATUS_OK;
}

/* ---- when something failed */

/* After a commit of unknown outcome: did the mark arrive? STATUS_END: no. */
static enum status look_up(struct writing *writing, const struct open_chunk *chunk,
                           struct error *error)
{
    struct copy *copy = writing->copy;
    struct done_mark mark = {0};
    enum status status;
    arena_reset(writing->arena);
    do {
        pthread_mutex_lock(&copy->connection_mutex);
        status = ledger_done(copy->session->ledger, copy->run->id, chunk->number, writing->arena,
                             &mark, error);
        pthread_mutex_unlock(&copy->connection_mutex);
    } while (status == STATUS_FAILED && retry_wait(&writing->worker->retry, error));
    if (status == STATUS_OK && strcmp(mark.text, chunk->mark_text) != 0) {
        return error_set(error, ERROR_RUN_FENCED, chunk->stream->name,
                         "somebody else committed chunk %" PRIu64, chunk->number);
    }
    return status;
}

/*
 * Only what is known decides: with an unknown outcome the ledger is asked first. What is open and
 * not committed is given back to the readers.
 */
static enum status recover(struct writing *writing, struct error *error)
{
    struct worker *worker = writing->worker;
    bool unknown = error->code == ERROR_TARGET_UNKNOWN_OUTCOME && can_commit(writing);
    if (unknown) {
        error->class = ERROR_CLASS_RETRY;
    }
    if (error->class != ERROR_CLASS_RETRY) {
        return STATUS_FAILED;
    }
    struct open_chunk *asked = NULL;
    if (unknown) {
        asked = writing->first;
        log_write(LOG_WARNING,
                  "the outcome of chunk %" PRIu64 "'s commit is not known: looking it "
                  "up",
                  asked->number);
    } else {
        writing_abandon_all(writing, true);
    }
    copy_show(worker, "waits to write again");
    uint64_t chunk = atomic_load(&worker->shown->chunk);
    if (!retry_wait(&worker->retry, error)) {
        return STATUS_FAILED;
    }
    if (chunk > 0) {
        copy_note_retry(writing->copy, chunk - 1, error);
    }
    if (reopen(writing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (unknown) {
        enum status status = look_up(writing, asked, error);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        if (status == STATUS_OK) {
            writing_close_committed(writing);
        }
        writing_abandon_all(writing, true);
    }
    return STATUS_OK;
}

static void run_writer(struct writing *writing, struct error *error)
{
    for (;;) {
        enum status status = worker_writer_step(writing, error);
        if (status == STATUS_FAILED) {
            uint64_t chunk = atomic_load(&writing->worker->shown->chunk);
            status = recover(writing, error);
            if (status == STATUS_FAILED && chunk > 0) {
                error_context(error, "writing chunk %" PRIu64 " of %s: ", chunk,
                              copy_stream(writing->copy, chunk - 1)->name);
                if (error->code == ERROR_TARGET_MISSING) {
                    error_recode(error, ERROR_TARGET_WRITE); /* it was there */
                }
            }
        }
        if (status == STATUS_FAILED && error->class == ERROR_CLASS_RETRY &&
            copy_must_stop(writing->copy)) {
            status = STATUS_END; /* what would have been tried again if nobody had stopped us */
        }
        if (status == STATUS_FAILED) {
            copy_fail(writing->copy, error);
        }
        if (status == STATUS_FAILED || status == STATUS_END) {
            return;
        }
    }
}

void *writer_main(void *argument)
{
    struct worker *worker = argument;
    struct writing writing = {.worker = worker,
                              .copy = worker->copy,
                              .target = worker->copy->session->target->connector->target};
    struct error error = {0};
    writing.arena = arena_create(0);
    record_hasher_init(&writing.hasher, worker->copy->session->target,
                       worker->copy->run->seen.forms);
    run_writer(&writing, &error);
    writing_abandon_all(&writing, false);
    before_close(writing.before);
    stranger_search_close(writing.search);
    ledger_close_store(worker->copy->session->ledger, writing.store);
    record_hasher_free(&writing.hasher);
    arena_destroy(writing.arena);
    copy_show(worker, "is done");
    copy_leave(worker->copy, true);
    return NULL;
}
