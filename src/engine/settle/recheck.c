/* After a take-over: what the other process may have had in hand, compared once it is written. */
#include "engine/settle/recheck.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include "engine/copy/sampling.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_texts.h"
#include "engine/session/run_facts.h"
#include "engine/session/run_source.h"
#include "engine/settle/compare.h"
#include "engine/state/run_state.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/*
 * A request that the other process had sent may be carried out late, over what this one wrote. It
 * can only be of a chunk that it had begun and not finished. Chunks are begun in the order of their
 * numbers, and one that is given back is begun again before any later one: so they are among the
 * first that are not done, twice as many as it could have in hand.
 */
enum { HANDS_FACTOR = 2, ROUNDS = 2, TRIES_A_ROUND = 30 };

void recheck_note_open(struct run *run)
{
    uint64_t left = (uint64_t)ledger_status_hands(&run->status) * HANDS_FACTOR;
    for (uint64_t i = 0; i < run->chunks.count && left > 0; i++) {
        if (!run->chunks.done[i]) {
            ledger_status_add_doubtful(&run->status, run->chunks.list[i].number);
            left--;
        }
    }
}

struct recheck {
    struct compare compare;
    struct error *error;
    bool failed;
};

static enum status take_parcel(void *context, struct parcel *parcel)
{
    struct recheck *recheck = context;
    for (uint32_t i = 0; i < parcel->batch_count && !recheck->failed; i++) {
        recheck->failed =
            compare_batch(&recheck->compare, parcel->batches[i], recheck->error) != STATUS_OK;
    }
    parcel_destroy(parcel);
    return recheck->failed || signals_stop_level() > 0 ? STATUS_END : STATUS_OK;
}

static enum status read_mark(struct run *run, uint64_t chunk, struct ledger_mark *mark,
                             struct error *error)
{
    struct done_mark done;
    enum status status =
        ledger_done(run->session->ledger, run->id, chunk, run->arena, &done, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_LEDGER_INVALID, "ledger",
                         "lost the done mark of chunk %" PRIu64, chunk);
    }
    return status == STATUS_OK
               ? ledger_mark_read(&done, run->session->plan->entity_count, run->arena, mark, error)
               : STATUS_FAILED;
}

/* `*differs`: not all that the mark counts as written is there as it was made. */
static enum status compare_chunk(struct recheck *recheck, const struct ledger_mark *mark,
                                 bool *differs, struct error *error)
{
    struct run *run = recheck->compare.run;
    const struct ledger_chunk *chunk = &run->chunks.list[mark->chunk - 1];
    const struct plan_stream *stream = run_chunk_stream(run, mark->chunk - 1);
    memset(recheck->compare.equal, 0, run->session->plan->entity_count * sizeof(uint64_t));
    recheck->error = error;
    if (run_prepare_source(run, error) != STATUS_OK ||
        sampling_read_span(run->session, run, stream, &chunk->span, take_parcel, recheck, error) ==
            STATUS_FAILED ||
        recheck->failed || compare_flush(&recheck->compare, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *differs = false;
    for (uint32_t i = 0; i < mark->entity_count; i++) {
        *differs = *differs || recheck->compare.equal[mark->entities[i]] < mark->tallies[i].written;
    }
    return STATUS_OK;
}

static enum status reopen(struct run *run, const struct ledger_mark *mark, struct error *error)
{
    if (failpoint_hit("engine.before_recheck_reopen", error) != STATUS_OK ||
        ledger_reopen(run->session->ledger, run->id, run->claim.epoch, &mark->chunk, 1, NULL, 0,
                      error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    pthread_mutex_lock(&run->state_mutex);
    run->chunks.done[mark->chunk - 1] = 0;
    run->chunks.done_count--;
    for (uint32_t i = 0; i < mark->entity_count; i++) {
        tally_subtract(&run->totals[mark->entities[i]], &mark->tallies[i]);
    }
    pthread_mutex_unlock(&run->state_mutex);
    const char *path = mark->rejects.file == NULL
                           ? NULL
                           : file_join(run->arena, run->folder.rejects, mark->rejects.file);
    if (path != NULL) {
        unlink(path); /* a resume would sweep it away, too */
    }
    return failpoint_hit("engine.after_recheck_reopen", error);
}

static bool settles(const struct run *run, const struct ledger_mark *mark)
{
    bool any = false;
    for (uint32_t i = 0; i < mark->entity_count; i++) {
        any = any || run->tables[run->session->plan->entities[mark->entities[i]].table].settles;
    }
    return any;
}

/*
 * Until duplicates are settled, records of one key, or of one place, stand in each other's stead,
 * so that a difference tells nothing. Settling makes those that stay again; and as long as the
 * source is what it was, the other process wrote for the rest what this one does.
 */
static bool is_explained(const struct run *run, const struct ledger_mark *mark)
{
    bool moved = run->status.mixed_snapshot || run->status.no_snapshot || run->moment.moved;
    return !moved && settles(run, mark);
}

/* `*reopened` counts. */
static enum status check_chunk(struct recheck *recheck, uint64_t number, uint32_t *reopened,
                               struct error *error)
{
    struct run *run = recheck->compare.run;
    struct ledger_mark mark;
    bool differs;
    if (read_mark(run, number, &mark, error) != STATUS_OK ||
        compare_chunk(recheck, &mark, &differs, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (signals_stop_level() > 0) {
        return STATUS_END;
    }
    if (!differs || is_explained(run, &mark)) {
        return STATUS_OK;
    }
    log_write(LOG_WARNING,
              "chunk %" PRIu64 " is not in the target as it was written: copying it again", number);
    *reopened += 1;
    return reopen(run, &mark, error);
}

/* Chunks that were right are out of doubt. */
static enum status check_all(struct run *run, json_t *again, struct error *error)
{
    struct recheck recheck = {0};
    compare_init(&recheck.compare, run);
    enum status status = STATUS_OK;
    size_t index;
    json_t *item;
    json_array_foreach(run->status.doubtful, index, item)
    {
        json_int_t number = json_integer_value(item);
        uint32_t reopened = 0;
        if (status != STATUS_OK || number < 1 || (uint64_t)number > run->chunks.count) {
            continue;
        }
        status = check_chunk(&recheck, (uint64_t)number, &reopened, error);
        if (reopened > 0) {
            json_array_append_new(again, json_integer(number));
        }
    }
    compare_free(&recheck.compare);
    return status;
}

/* Nothing looks at them any more before a validation does. */
static void leave_doubtful(struct run *run)
{
    size_t index;
    json_t *number;
    json_array_foreach(run->status.doubtful, index, number)
    {
        log_write(LOG_WARNING,
                  "chunk %" JSON_INTEGER_FORMAT " stays in doubt: another process may have written "
                  "over it, and it is not compared again; `transhume validate` compares it",
                  json_integer_value(number));
    }
    pthread_mutex_lock(&run->state_mutex);
    json_array_clear(run->status.doubtful);
    pthread_mutex_unlock(&run->state_mutex);
}

bool recheck_is_due(const struct run *run)
{
    return json_array_size(run->status.doubtful) > 0;
}

enum status recheck_run(struct run *run, struct error *error)
{
    const struct database *target = run->session->target;
    size_t count = json_array_size(run->status.doubtful);
    if (count == 0 || target->connector->target->fetch == NULL ||
        run->chunks.recheck_rounds == ROUNDS) {
        leave_doubtful(run);
        return STATUS_OK;
    }
    if (failpoint_hit("engine.before_recheck", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    log_write(LOG_INFO, "comparing %zu chunks that another process may have been writing", count);
    json_t *again = json_array();
    enum status status = check_all(run, again, error);
    if (status != STATUS_OK) {
        json_decref(again);
        return status;
    }
    pthread_mutex_lock(&run->state_mutex);
    json_decref(run->status.doubtful);
    run->status.doubtful = again;
    pthread_mutex_unlock(&run->state_mutex);
    run->chunks.recheck_rounds++;
    run->chunks.tries_before += TRIES_A_ROUND;
    if (json_array_size(again) == 0) {
        return STATUS_OK;
    }
    if (run->session->sample_reader != NULL) {
        session_reader_keep(run->session, run->session->sample_reader);
        run->session->sample_reader = NULL;
    }
    run_show_totals(run);
    return run_put_status(run, error) == STATUS_OK ? STATUS_AGAIN : STATUS_FAILED;
}
