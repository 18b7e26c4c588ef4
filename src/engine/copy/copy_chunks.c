/* The hand-out: which chunk a reader begins next and which one a writer takes. All under one
 * mutex. */
#include "engine/copy/copy.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"
#include "engine/copy/parcel.h"
#include "engine/copy/parents.h"
#include "engine/session/run_facts.h"
#include <stdlib.h>

const struct ledger_chunk *copy_chunk(const struct copy *copy, uint64_t index)
{
    return &copy->run->chunks.list[index];
}

const struct plan_stream *copy_stream(const struct copy *copy, uint64_t index)
{
    return run_chunk_stream(copy->run, index);
}

void copy_note_retry(struct copy *copy, uint64_t index, const struct error *error)
{
    const struct plan_stream *stream = copy_stream(copy, index);
    const char *code = error_describe(error->code)->name;
    log_write_user(LOG_WARNING,
                   EVENT_OF(EVENT_RETRY, .table = run_stream_table(copy->run, stream),
                            .entity = run_stream_entity(copy->run, stream),
                            .chunk = copy_chunk(copy, index)->number, .code = code),
                   "it is done again after: %s [%s]", error->message, code);
    atomic_fetch_add(&copy->session->counts[stream->entities[0]].retries, 1);
}

void copy_show(struct worker *worker, const char *doing)
{
    atomic_store_explicit(&worker->shown->doing, doing, memory_order_relaxed);
}

void copy_show_chunk(struct worker *worker, uint64_t index)
{
    progress_worker_begin(worker->shown, copy_chunk(worker->copy, index)->number,
                          clock_monotonic_ms());
}

void copy_show_rows(struct worker *worker, uint64_t rows)
{
    atomic_fetch_add_explicit(&worker->shown->rows, rows, memory_order_relaxed);
}

bool copy_must_stop(const struct copy *copy)
{
    return atomic_load_explicit(&copy->stopping, memory_order_relaxed) || signals_stop_level() >= 2;
}

void copy_moved(struct copy *copy)
{
    progress_moved(&copy->session->progress, clock_monotonic_ms());
}

void copy_fail(struct copy *copy, const struct error *error)
{
    pthread_mutex_lock(&copy->mutex);
    if (!copy->failed) {
        copy->failed = true;
        copy->error = *error;
    }
    atomic_store(&copy->stopping, true);
    pthread_cond_broadcast(&copy->changed);
    pthread_mutex_unlock(&copy->mutex);
}

static void wait_for_change(struct copy *copy)
{
    condition_wait(&copy->changed, &copy->mutex, COPY_WAIT_MS);
}

uint32_t copy_next_attempt(struct copy *copy, uint64_t index)
{
    pthread_mutex_lock(&copy->mutex);
    uint32_t tries = ++copy->chunks[index].tries + copy->run->chunks.tries_before;
    pthread_mutex_unlock(&copy->mutex);
    return tries > CHUNK_TRIES_MAX
               ? 0
               : (uint32_t)(copy->run->claim.epoch - 1) * ATTEMPTS_AN_EPOCH + tries;
}

bool copy_may_hold(struct copy *copy, uint64_t index)
{
    pthread_mutex_lock(&copy->mutex);
    bool may = copy->chunks[index].held < CHUNK_HELD_MAX;
    copy->chunks[index].held += may;
    pthread_mutex_unlock(&copy->mutex);
    return may;
}

/* ---- works */

static struct work *work_create(struct copy *copy, struct worker *reader, uint64_t index)
{
    struct work *work = memory_allocate_zeroed(1, sizeof(*work));
    *work = (struct work){
        .index = index, .ring = ring_create(copy->work_bytes), .reader = reader, .users = 2};
    ring_count_in(work->ring, &copy->session->progress.queue);
    return work;
}

static void add_waits(struct progress *progress, const struct ring *ring)
{
    uint64_t reader_ns;
    uint64_t writer_ns;
    ring_waits(ring, &reader_ns, &writer_ns);
    atomic_fetch_add(&progress->source.idle_ms, (int64_t)(reader_ns / 1000000));
    atomic_fetch_add(&progress->target.idle_ms, (int64_t)(writer_ns / 1000000));
}

static void work_free(struct copy *copy, struct work *work)
{
    void *parcel;
    ring_close(work->ring);
    add_waits(&copy->session->progress, work->ring);
    while (ring_pop(work->ring, &parcel, 0) == STATUS_OK) {
        parcel_destroy(parcel);
    }
    ring_destroy(work->ring);
    free(work);
}

/* Under the mutex; true when the caller has to free it. */
static bool work_release(struct work *work)
{
    return --work->users == 0;
}

static void mark_drained(struct work *work)
{
    if (!work->drained) {
        work->drained = true;
        work->reader->undrained--;
    }
}

/* ---- readers */

/* Under the mutex. Is what the chunk's records may refer to there? */
static bool is_its_turn(struct copy *copy, uint64_t index)
{
    const struct run *run = copy->run;
    uint32_t stream = run->chunks.list[index].stream;
    if (run->seen.turns == NULL) {
        return true;
    }
    while (copy->rank < copy->session->plan->stream_count && copy->undone[copy->rank] == 0) {
        copy->rank++;
    }
    bool first = true;
    for (uint64_t i = index;
         run->seen.turns[stream].in_order && first && i > run->chunks.stream_first[stream]; i--) {
        first = copy->chunks[i - 1].state == CHUNK_DONE;
    }
    return first && run->seen.turns[stream].rank <= copy->rank;
}

/* Under the mutex: the first PENDING chunk whose turn it is; chunk_count if there is none. */
static uint64_t find_pending(struct copy *copy)
{
    while (copy->first_pending < copy->chunk_count &&
           copy->chunks[copy->first_pending].state != CHUNK_PENDING) {
        copy->first_pending++;
    }
    uint64_t found = copy->first_pending;
    while (found < copy->chunk_count &&
           (copy->chunks[found].state != CHUNK_PENDING || !is_its_turn(copy, found))) {
        found++;
    }
    return found;
}

static struct work *copy_chunks_begin(struct copy *copy, struct worker *worker, uint64_t index)
{
    struct work *work = work_create(copy, worker, index);
    copy->chunks[index].state = CHUNK_STARTED;
    copy->chunks[index].work = work;
    copy->readers_busy++;
    worker->undrained++;
    pthread_cond_broadcast(&copy->changed);
    return work;
}

struct work *copy_begin_reading(struct copy *copy, struct worker *worker)
{
    struct work *work = NULL;
    pthread_mutex_lock(&copy->mutex);
    while (!copy_must_stop(copy) && signals_stop_level() == 0 && copy->writers_left > 0 &&
           copy->done_count < copy->chunk_count) {
        bool held = throttle_held_ms(&copy->throttle) >= 0;
        uint64_t found =
            !held && worker->undrained < WORKS_A_READER ? find_pending(copy) : copy->chunk_count;
        if (held) {
            copy_moved(copy); /* a pause is no stall */
        }
        if (found < copy->chunk_count) {
            work = copy_chunks_begin(copy, worker, found);
            break;
        }
        wait_for_change(copy);
    }
    pthread_mutex_unlock(&copy->mutex);
    return work;
}

void copy_end_reading(struct copy *copy, struct work *work)
{
    pthread_mutex_lock(&copy->mutex);
    copy->readers_busy--;
    bool last = work_release(work);
    pthread_cond_broadcast(&copy->changed);
    pthread_mutex_unlock(&copy->mutex);
    if (last) {
        work_free(copy, work);
    }
}

bool copy_is_cancelled(struct copy *copy, struct work *work)
{
    pthread_mutex_lock(&copy->mutex);
    bool cancelled = work->cancelled;
    pthread_mutex_unlock(&copy->mutex);
    return cancelled;
}

/* ---- writers */

/* Under the mutex. A PULLED chunk is new work, so it is not taken once a stop was asked for. */
static bool is_takeable(struct copy *copy, uint64_t index)
{
    enum chunk_state state = copy->chunks[index].state;
    return state == CHUNK_STARTED ||
           (state == CHUNK_PULLED && signals_stop_level() == 0 && is_its_turn(copy, index));
}

/* `*blocked`: an ordered target waits for a chunk that nobody has begun. */
static uint64_t find_takeable(struct copy *copy, bool *blocked)
{
    *blocked = false;
    while (copy->first_open < copy->chunk_count &&
           copy->chunks[copy->first_open].state == CHUNK_DONE) {
        copy->first_open++;
    }
    for (uint64_t i = copy->first_open; i < copy->chunk_count; i++) {
        const struct chunk *chunk = &copy->chunks[i];
        if (is_takeable(copy, i)) {
            return i;
        }
        if (copy->ordered && (chunk->state == CHUNK_PENDING || chunk->state == CHUNK_PULLED)) {
            *blocked = true;
            break;
        }
    }
    return copy->chunk_count;
}

enum status copy_take(struct copy *copy, bool wait, uint64_t *index, struct work **work)
{
    enum status status = STATUS_AGAIN;
    pthread_mutex_lock(&copy->mutex);
    for (int round = 0; round < (wait ? 2 : 1); round++) {
        if (round > 0) {
            wait_for_change(copy);
        }
        bool blocked = false;
        bool held = throttle_held_ms(&copy->throttle) >= 0;
        uint64_t found = held ? copy->chunk_count : find_takeable(copy, &blocked);
        if (copy_must_stop(copy) || copy->done_count == copy->chunk_count ||
            (held && signals_stop_level() > 0) ||
            (found == copy->chunk_count && signals_stop_level() > 0 &&
             (blocked || copy->readers_busy == 0))) {
            status = STATUS_END;
            break;
        }
        if (found < copy->chunk_count) {
            copy->chunks[found].state = CHUNK_WRITING;
            *work = copy->chunks[found].work;
            copy->chunks[found].work = NULL;
            *index = found;
            status = STATUS_OK;
            break;
        }
    }
    pthread_mutex_unlock(&copy->mutex);
    return status;
}

void copy_drained(struct copy *copy, struct work *work)
{
    pthread_mutex_lock(&copy->mutex);
    mark_drained(work);
    pthread_cond_broadcast(&copy->changed);
    pthread_mutex_unlock(&copy->mutex);
}

/* Under the mutex: the chunk's reader will find its ring closed and go on to another one. */
static struct work *send_back(struct copy *copy, uint64_t index, struct work *work)
{
    copy->chunks[index].state = CHUNK_PENDING;
    copy->chunks[index].work = NULL;
    if (index < copy->first_pending) {
        copy->first_pending = index;
    }
    if (work == NULL) {
        return NULL;
    }
    work->cancelled = true;
    mark_drained(work);
    ring_close(work->ring);
    return work_release(work) ? work : NULL;
}

void copy_requeue(struct copy *copy, uint64_t index, struct work *work)
{
    pthread_mutex_lock(&copy->mutex);
    struct work *free_now = send_back(copy, index, work);
    /* readers may all be held by later chunks, which an ordered target takes only after this one */
    for (uint64_t i = index + 1; copy->ordered && i < copy->chunk_count; i++) {
        if (copy->chunks[i].state == CHUNK_STARTED) {
            struct work *later = send_back(copy, i, copy->chunks[i].work);
            if (later != NULL) {
                work_free(copy, later);
            }
        }
    }
    pthread_cond_broadcast(&copy->changed);
    pthread_mutex_unlock(&copy->mutex);
    if (free_now != NULL) {
        work_free(copy, free_now);
    }
}

void copy_done(struct copy *copy, uint64_t index, struct work *work, const struct tally *tallies)
{
    struct run *run = copy->run;
    const struct plan_stream *stream = copy_stream(copy, index);
    pthread_mutex_lock(&run->state_mutex);
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        tally_add(&run->totals[stream->entities[i]], &tallies[i]);
    }
    run->chunks.done[index] = 1;
    run->chunks.done_count++;
    pthread_mutex_unlock(&run->state_mutex);

    pthread_mutex_lock(&copy->mutex);
    copy->chunks[index].state = CHUNK_DONE;
    copy->done_count++;
    if (copy->undone != NULL) {
        copy->undone[run->seen.turns[run->chunks.list[index].stream].rank]--;
    }
    bool last = false;
    if (work != NULL) {
        mark_drained(work);
        last = work_release(work);
    }
    pthread_cond_broadcast(&copy->changed);
    pthread_mutex_unlock(&copy->mutex);
    if (last) {
        work_free(copy, work);
    }
    atomic_fetch_add(&copy->session->progress.chunks_done, 1);
    copy_moved(copy);
}

uint32_t copy_position_of(const struct plan_stream *stream, uint32_t entity)
{
    uint32_t position = 0;
    while (position + 1 < stream->entity_count && stream->entities[position] != entity) {
        position++;
    }
    return position;
}

void copy_leave(struct copy *copy, bool writes)
{
    pthread_mutex_lock(&copy->mutex);
    copy->threads_left--;
    if (writes && --copy->writers_left == 0) {
        atomic_store(&copy->stopping, true); /* what readers still bring nobody would take */
    }
    pthread_cond_broadcast(&copy->changed);
    pthread_mutex_unlock(&copy->mutex);
}

void copy_free_works(struct copy *copy)
{
    for (uint64_t i = 0; copy->chunks != NULL && i < copy->chunk_count; i++) {
        if (copy->chunks[i].work != NULL) {
            work_free(copy, copy->chunks[i].work);
        }
    }
}
