/* Starting and ending the workers, and watching over them. */
#include "engine/copy/copy.h"
#include "engine/copy/parents.h"
#include "engine/copy/rejects_read.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/copy/stall.h"
#include "engine/copy/strangers.h"
#include "engine/session/options.h"
#include "engine/settle/recheck.h"
#include "engine/state/claim.h"
#include <assert.h>
#include <stdlib.h>

enum { THREADS_LEAVE_MS_MIN = 5000 };

static void mark_chunks(struct copy *copy)
{
    struct run *run = copy->run;
    copy->chunks = memory_allocate_zeroed(run->chunks.count, sizeof(*copy->chunks));
    /* a rank is less than the number of streams; one more ends the search for the lowest */
    copy->undone =
        run->seen.turns == NULL
            ? NULL
            : memory_allocate_zeroed(copy->session->plan->stream_count + 1u, sizeof(*copy->undone));
    copy->chunk_count = run->chunks.count;
    for (uint64_t i = 0; i < run->chunks.count; i++) {
        const struct plan_stream *stream = copy_stream(copy, i);
        copy->chunks[i].state = run->chunks.done[i] ? CHUNK_DONE
                                : session_is_express(copy->session, stream) &&
                                        !strangers_concern(run->seen.strangers, stream->entities[0])
                                    ? CHUNK_PULLED
                                    : CHUNK_PENDING;
        copy->done_count += run->chunks.done[i];
        if (copy->undone != NULL && !run->chunks.done[i]) {
            copy->undone[run->seen.turns[run->chunks.list[i].stream].rank]++;
        }
    }
    for (uint32_t i = 0; i < copy->session->plan->entity_count; i++) {
        copy->rejected += run->totals[i].rejected;
    }
}

static void init_worker(struct copy *copy, struct worker *worker, bool writes, uint32_t number)
{
    worker->copy = copy;
    worker->writes = writes;
    worker->shown = &copy->session->progress.workers[worker - copy->workers];
    worker->shown->writes = writes;
    worker->shown->number = number;
    progress_worker_begin(worker->shown, 0, clock_monotonic_ms());
    copy_show(worker, "starts");
    retry_init(&worker->retry, session_patience_ms(copy->session));
    worker->retry.cancelled = &copy->stopping;
    worker->retry.counter = &copy->session->progress.retries;
    worker->retry.waiting_until_ms = &worker->shown->waits_until_ms;
}

enum status copy_open_writer(struct worker *worker, struct error *error)
{
    const struct copy *copy = worker->copy;
    struct database *target = copy->session->target;
    return target->connector->target->writer_open(
        target, worker->inserts ? copy->insert_tables : copy->run->tables, copy->run->table_count,
        copy->run->claim.epoch, &worker->writer, error);
}

bool copy_inserts(const struct copy *copy, uint64_t index)
{
    return copy->insert_tables != NULL &&
           rejects_load_inserts(copy->run, &copy_chunk(copy, index)->span);
}

/* Records that were missing are inserted: a record that the target takes for the same under its key
 * is another one, and stays. */
static void make_insert_tables(struct copy *copy)
{
    const struct run *run = copy->run;
    if (!run->repairs) {
        return;
    }
    copy->insert_tables =
        memory_allocate_zeroed((size_t)run->table_count + 1, sizeof(*copy->insert_tables));
    for (uint32_t i = 0; i < run->table_count; i++) {
        copy->insert_tables[i] = run->tables[i];
        copy->insert_tables[i].existing = EXISTING_APPEND;
    }
}

static enum status open_workers(struct copy *copy, struct error *error)
{
    struct run_session *session = copy->session;
    uint32_t count = copy->reader_count + copy->writer_count;
    assert(count <= PROGRESS_WORKERS_MAX);
    copy->workers = memory_allocate_zeroed(count, sizeof(*copy->workers));
    for (uint32_t i = 0; i < count; i++) {
        bool writes = i >= copy->reader_count;
        init_worker(copy, &copy->workers[i], writes, writes ? i - copy->reader_count + 1 : i + 1);
    }
    atomic_store(&session->progress.worker_count, count);
    for (uint32_t i = 0; i < count; i++) {
        struct worker *worker = &copy->workers[i];
        bool writes = worker->writes;
        enum status status;
        if (!writes && copy->run->loads_rejects) {
            continue; /* it reads a file of ours */
        }
        do {
            status = writes ? copy_open_writer(worker, error)
                            : session_reader_open(session, &worker->reader, error);
        } while (status == STATUS_FAILED && retry_wait(&worker->retry, error));
        if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
        retry_reset(&worker->retry);
    }
    return STATUS_OK;
}

enum status copy_create(struct run *run, struct copy **made, struct error *error)
{
    struct run_session *session = run->session;
    struct copy *copy = memory_allocate_zeroed(1, sizeof(*copy));
    copy->run = run;
    copy->session = session;
    copy->ordered = (session->target->capabilities & CAPABILITY_ORDERED_WRITE) != 0;
    copy->reader_count = run->loads_rejects ? 1 : session_reader_count(session);
    copy->writer_count = session_writer_count(session);
    copy->work_bytes =
        options_ring_bytes(&session->options) / ((uint64_t)copy->reader_count * WORKS_A_READER);
    atomic_store(&session->progress.queue_limit_bytes,
                 copy->work_bytes * copy->reader_count * WORKS_A_READER);
    condition_init(&copy->changed);
    pthread_mutex_init(&copy->mutex, NULL);
    pthread_mutex_init(&copy->connection_mutex, NULL);
    throttle_init(&copy->throttle, session->options.limits.rows_per_second_max,
                  session->options.limits.bytes_per_second_max);
    make_insert_tables(copy);
    mark_chunks(copy);
    if (open_workers(copy, error) != STATUS_OK ||
        load_pause_start(session, &copy->throttle, &copy->load_pause, error) != STATUS_OK) {
        copy_destroy(copy);
        return STATUS_FAILED;
    }
    *made = copy;
    return STATUS_OK;
}

void copy_destroy(struct copy *copy)
{
    if (copy == NULL) {
        return;
    }
    copy_free_works(copy); /* before the readers: large values are read through them */
    for (uint32_t i = 0; copy->workers != NULL && i < copy->reader_count + copy->writer_count;
         i++) {
        struct worker *worker = &copy->workers[i];
        if (worker->writer != NULL) {
            copy->session->target->connector->target->writer_close(worker->writer);
        }
        if (worker->reader != NULL && copy->session->sample_reader == NULL) {
            copy->session->sample_reader = worker->reader; /* settling reads some chunks again */
        } else if (worker->reader != NULL && recheck_is_due(copy->run)) {
            session_reader_keep(copy->session, worker->reader); /* more may be copied again */
        } else if (worker->reader != NULL) {
            copy->session->source->connector->source->reader_close(worker->reader);
        }
    }
    load_pause_stop(copy->load_pause);
    throttle_destroy(&copy->throttle);
    pthread_cond_destroy(&copy->changed);
    pthread_mutex_destroy(&copy->mutex);
    pthread_mutex_destroy(&copy->connection_mutex);
    free(copy->workers);
    free(copy->insert_tables);
    free(copy->chunks);
    free(copy->undone);
    free(copy);
}

/* ---- running */

static enum status start_workers(struct copy *copy, struct error *error)
{
    copy->writers_left = copy->writer_count;
    for (uint32_t i = 0; i < copy->reader_count + copy->writer_count; i++) {
        struct worker *worker = &copy->workers[i];
        pthread_mutex_lock(&copy->mutex);
        copy->threads_left++;
        pthread_mutex_unlock(&copy->mutex);
        int failure = pthread_create(&worker->thread, NULL,
                                     worker->writes ? writer_main : reader_main, worker);
        if (failure != 0) {
            pthread_mutex_lock(&copy->mutex);
            copy->threads_left--;
            copy->writers_left -= worker->writes;
            pthread_mutex_unlock(&copy->mutex);
            return error_set_errno(error, ERROR_INTERNAL, failure, NULL, "can't start a thread");
        }
        worker->running = true;
    }
    return STATUS_OK;
}

/* Waits once, for at most COPY_WAIT_MS. False: some have not left. */
static bool wait_for_threads(struct copy *copy)
{
    pthread_mutex_lock(&copy->mutex);
    if (copy->threads_left > 0) {
        condition_wait(&copy->changed, &copy->mutex, COPY_WAIT_MS);
    }
    bool left = copy->threads_left == 0;
    pthread_mutex_unlock(&copy->mutex);
    return left;
}

/* Shows the rows that the target pulls itself, which pass by no writer. */
static void note_pulls(struct copy *copy)
{
    struct run_session *session = copy->session;
    uint64_t pulled = atomic_load(&session->target->report.pulled_rows);
    for (uint32_t i = copy->reader_count; i < copy->reader_count + copy->writer_count; i++) {
        uint32_t entity = atomic_load(&copy->workers[i].pulls);
        if (entity != 0) { /* all of it is shown with one, should there be several */
            atomic_store(&session->progress.entities[entity - 1].pulled, pulled);
            atomic_store(&copy->workers[i].shown->rows, pulled);
            break;
        }
    }
    if (pulled != copy->pulled_before && pulled != 0) {
        copy_moved(copy);
    }
    copy->pulled_before = pulled;
}

/* Until the threads are gone; a connector's call ends within the timeout, or its thread is lost. */
static void copy_watch(struct copy *copy, struct stall *stall, void (*tick)(struct run *run))
{
    struct error error;
    int64_t give_up_ms = 0;
    while (!wait_for_threads(copy)) {
        tick(copy->run);
        note_pulls(copy);
        if (copy_must_stop(copy)) {
            int64_t now = clock_monotonic_ms();
            if (give_up_ms == 0) {
                give_up_ms =
                    now + THREADS_LEAVE_MS_MIN + 2 * copy->session->options.limits.timeout_ms;
            } else if (now > give_up_ms) {
                log_write(LOG_ERROR, "a worker did not come back from the database; leaving it");
                copy->session->stuck = true;
                return;
            }
        } else if (claim_keeper_check(copy->run->claim.keeper, &error) != STATUS_OK ||
                   stall_check(stall, copy, &error) != STATUS_OK) {
            copy_fail(copy, &error);
        }
    }
}

enum status copy_run(struct copy *copy, void (*tick)(struct run *run), struct error *error)
{
    struct stall stall = {.checked_ms = clock_monotonic_ms()};
    copy_moved(copy);
    struct error failure;
    if (start_workers(copy, &failure) != STATUS_OK) {
        copy_fail(copy, &failure);
    }
    copy_watch(copy, &stall, tick);
    for (uint32_t i = 0; !copy->session->stuck && i < copy->reader_count + copy->writer_count;
         i++) {
        if (copy->workers[i].running) {
            pthread_join(copy->workers[i].thread, NULL);
        }
    }
    for (uint32_t i = 0; i < copy->session->progress.entity_count; i++) {
        atomic_store(&copy->session->progress.entities[i].pulled, 0);
    }
    pthread_mutex_lock(&copy->mutex);
    bool failed = copy->failed;
    bool complete = copy->done_count == copy->chunk_count;
    error_copy(error, &copy->error);
    pthread_mutex_unlock(&copy->mutex);
    if (failed) {
        return STATUS_FAILED;
    }
    error_clear(error);
    return complete && !copy->session->stuck ? STATUS_OK : STATUS_END;
}
