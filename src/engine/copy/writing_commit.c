/* The end of a chunk: rejects to disk, done mark, commit. */
#include "engine/copy/writing.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include "engine/session/run_facts.h"
#include "engine/state/state.h"
#include "plan/hooks.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum status check_sums(const struct writing *writing, const struct open_chunk *chunk,
                              struct error *error)
{
    for (uint32_t i = 0; i < chunk->stream->entity_count; i++) {
        const struct tally *tally = &chunk->tallies[i];
        if (tally->made == tally->written + tally->rejected + tally->skipped) {
            continue;
        }
        error_set(error, ERROR_RECONCILE,
                  writing->copy->session->plan->entities[chunk->stream->entities[i]].name,
                  "chunk %" PRIu64 ": %" PRIu64 " records made, but %" PRIu64 " written, %" PRIu64
                  " rejected and %" PRIu64 " skipped",
                  chunk->number, tally->made, tally->written, tally->rejected, tally->skipped);
        error_hint(error, "the chunk was not committed; please report this fault");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status make_mark(struct writing *writing, struct open_chunk *chunk,
                             const struct ledger_rejects *rejects, struct error *error)
{
    const char *text;
    writing_take_counts(writing, chunk);
    const struct ledger_mark mark = {
        .chunk = chunk->number,
        .attempt = chunk->attempt,
        .epoch = writing->copy->run->claim.epoch,
        .entities = chunk->stream->entities,
        .tallies = chunk->tallies,
        .entity_count = chunk->stream->entity_count,
        .rejects = *rejects,
        .last_id = copy_chunk(writing->copy, chunk->index)->span.last_id,
        .seconds = (double)(clock_monotonic_ms() - chunk->began_ms) / 1000};
    arena_reset(writing->arena);
    if (ledger_mark_make(&mark, writing->arena, &text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    free(chunk->mark_text);
    chunk->mark_text = memory_copy_string(text);
    return STATUS_OK;
}

static struct open_chunk *pop_first(struct writing *writing)
{
    struct open_chunk *chunk = writing->first;
    writing->first = chunk->next;
    if (writing->first == NULL) {
        writing->last = NULL;
    }
    writing->open_count--;
    return chunk;
}

static void tell_done(const struct run *run, const struct open_chunk *chunk, int64_t took_ms)
{
    const char *table = run_stream_table(run, chunk->stream);
    const char *entity = run_stream_entity(run, chunk->stream);
    uint64_t written = 0;
    for (uint32_t i = 0; i < chunk->stream->entity_count; i++) {
        written += chunk->tallies[i].written;
    }
    log_event(LOG_DEBUG,
              EVENT_OF(EVENT_CHUNK, .table = table, .entity = entity, .chunk = chunk->number,
                       .count = (int64_t)written, .milliseconds = took_ms),
              "chunk %" PRIu64 " of %s %s in %" PRId64 " ms", chunk->number, chunk->stream->name,
              chunk->work == NULL ? "pulled" : "done", took_ms);
    for (uint32_t i = 0; i < chunk->rejects.code_count; i++) {
        const struct reject_count *of = &chunk->rejects.counts[i];
        const char *code = error_describe(of->code)->name;
        log_event(LOG_DEBUG,
                  EVENT_OF(EVENT_REJECT, .table = table, .entity = entity, .chunk = chunk->number,
                           .code = code, .count = (int64_t)of->count),
                  "chunk %" PRIu64 " of %s: %" PRIu64 " rejects [%s]", chunk->number,
                  chunk->stream->name, of->count, code);
    }
}

void writing_close_committed(struct writing *writing)
{
    struct open_chunk *chunk = pop_first(writing);
    int64_t took_ms = clock_monotonic_ms() - chunk->began_ms;
    tell_done(writing->copy->run, chunk, took_ms);
    const struct ledger_mark mark = {.chunk = chunk->number,
                                     .attempt = chunk->attempt,
                                     .tallies = chunk->tallies,
                                     .entity_count = chunk->stream->entity_count,
                                     .seconds = (double)took_ms / 1000};
    state_note_chunk(writing->copy->run, &mark);
    reject_file_close(&chunk->rejects, true);
    copy_done(writing->copy, chunk->index, chunk->work, chunk->tallies);
    writing_free_chunk(chunk);
}

static enum status try_mark(struct writing *writing, const struct done_mark *mark,
                            struct error *error)
{
    const struct copy *copy = writing->copy;
    struct ledger *ledger = copy->session->ledger;
    enum status status = STATUS_OK;
    if (writing->store == NULL) {
        status = ledger_open_store(ledger, &writing->store, error);
    }
    if (status == STATUS_OK) {
        status = lease_wait(copy->session->target, 0, error);
    }
    if (status == STATUS_OK) {
        status = ledger_mark(ledger, writing->store, copy->run->id, mark, error);
    }
    if (status == STATUS_FAILED) { /* its connection may be what is broken */
        ledger_close_store(ledger, writing->store);
        writing->store = NULL;
    }
    return status;
}

static bool tries_again(struct writing *writing, enum status status, struct error *error)
{
    return status == STATUS_FAILED && error->class == ERROR_CLASS_RETRY &&
           retry_wait(&writing->worker->retry, error);
}

/* The chunk's records are durable: only the mark is tried again. */
static enum status put_mark(struct writing *writing, const struct done_mark *mark,
                            struct error *error)
{
    enum status status;
    do {
        status = try_mark(writing, mark, error);
    } while (tries_again(writing, status, error));
    if (status == STATUS_FAILED) {
        error->class = ERROR_CLASS_STOP;
    }
    return status;
}

static enum status await_lease(struct writing *writing, struct error *error)
{
    enum status status;
    do {
        status = lease_check(writing->copy->session->target, 0, error);
    } while (tries_again(writing, status, error));
    return status;
}

/* The done mark with the data, or after them where the ledger is not in their transaction. */
static enum status chunk_commit(struct writing *writing, const struct open_chunk *chunk,
                                struct error *error)
{
    const struct copy *copy = writing->copy;
    struct ledger *ledger = copy->session->ledger;
    char key[STORE_KEY_BYTES];
    struct buffer extra = {0};
    bool apart = ledger_marks_apart(ledger);
    ledger_mark_key(key, copy->run->id, chunk->number);
    const struct done_mark mark = {.chunk = chunk->number,
                                   .epoch = copy->run->claim.epoch,
                                   .text = chunk->mark_text,
                                   .key = apart ? NULL : key,
                                   .extra = apart ? &extra : NULL};
    /* a take-over waits for the lease, and then for the deadline of a commit begun within it */
    enum status status = apart ? await_lease(writing, error) : STATUS_OK;
    if (status == STATUS_OK) {
        status = writing->target->commit(writing->worker->writer, chunk->number, &mark, error);
    }
    if (status == STATUS_OK && apart) {
        status = put_mark(writing, &mark, error);
    }
    buffer_free(&extra);
    return status;
}

enum status writing_commit(struct writing *writing, struct error *error)
{
    struct open_chunk *chunk = writing->first;
    struct ledger_rejects rejects;
    copy_show(writing->worker, "commits");
    if (check_sums(writing, chunk, error) != STATUS_OK ||
        (!chunk->hooked &&
         writing_run_hooks(writing, chunk, HOOK_AFTER_CHUNK, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    chunk->hooked = true;
    if (failpoint_hit("engine.before_rejects_sync", error) != STATUS_OK ||
        reject_file_sync(&chunk->rejects, &rejects, error) != STATUS_OK ||
        failpoint_hit("engine.after_rejects_sync", error) != STATUS_OK ||
        make_mark(writing, chunk, &rejects, error) != STATUS_OK ||
        failpoint_hit("engine.before_commit", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (chunk_commit(writing, chunk, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writing_close_committed(writing);
    return failpoint_hit("engine.after_commit", error);
}
