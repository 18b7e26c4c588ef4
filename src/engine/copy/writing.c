/* An open chunk's life at the target, and its counting. */
#include "engine/copy/writing.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/rejects/reject_name.h"
#include "engine/session/options.h"
#include "plan/hooks.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct progress_entity *progress_of(const struct writing *writing,
                                           const struct open_chunk *chunk, uint32_t position)
{
    return &writing->copy->session->progress.entities[chunk->stream->entities[position]];
}

/* ---- begin and end */

void writing_free_chunk(struct open_chunk *chunk)
{
    for (uint32_t i = 0; i < chunk->original_count; i++) {
        batch_destroy(chunk->originals[i]);
    }
    writing_free_held(chunk);
    free(chunk->originals);
    free(chunk->tallies);
    free(chunk->mark_text);
    free(chunk);
}

static enum status begin_attempt(struct writing *writing, struct open_chunk *chunk,
                                 struct error *error)
{
    chunk->attempt = copy_next_attempt(writing->copy, chunk->index);
    if (chunk->attempt == 0) {
        return error_set(error, ERROR_TARGET_WRITE, chunk->stream->name,
                         "chunk %" PRIu64 " failed %d times", chunk->number, CHUNK_TRIES_MAX);
    }
    reject_file_init(&chunk->rejects, writing->copy->run->folder.rejects, chunk->number,
                     chunk->attempt);
    for (uint32_t i = 0; i < chunk->stream->entity_count; i++) {
        chunk->tallies[i] = (struct tally){0};
    }
    chunk->began_ms = clock_monotonic_ms();
    if (writing->target->chunk_begin(writing->worker->writer, chunk->number, chunk->attempt,
                                     error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    chunk->begun = true;
    chunk->hooked = false;
    return writing_run_hooks(writing, chunk, HOOK_BEFORE_CHUNK, error) == STATUS_OK
               ? failpoint_hit("engine.chunk_started", error)
               : STATUS_FAILED;
}

enum status writing_begin(struct writing *writing, uint64_t index, struct work *work,
                          struct error *error)
{
    struct open_chunk *chunk = memory_allocate_zeroed(1, sizeof(*chunk));
    const struct plan_stream *stream = copy_stream(writing->copy, index);
    struct tally *tallies = memory_allocate_zeroed(stream->entity_count, sizeof(*tallies));
    *chunk = (struct open_chunk){.work = work,
                                 .index = index,
                                 .number = copy_chunk(writing->copy, index)->number,
                                 .stream = stream,
                                 .tallies = tallies,
                                 .rejects = {.descriptor = -1}};
    if (writing->last == NULL) {
        writing->first = chunk;
    } else {
        writing->last->next = chunk;
    }
    writing->last = chunk;
    writing->open_count++;
    return begin_attempt(writing, chunk, error);
}

/* Work that was done again stays done: the next chunk of the stream counts it. */
static void give_counts_back(const struct writing *writing, const struct open_chunk *chunk,
                             uint32_t position)
{
    struct database_counts *counts =
        &writing->copy->session->counts[chunk->stream->entities[position]];
    struct progress_entity *entity = progress_of(writing, chunk, position);
    const struct tally *tally = &chunk->tallies[position];
    atomic_fetch_sub(&entity->retries, tally->retries);
    atomic_fetch_sub(&entity->fallbacks, tally->fallbacks);
    atomic_fetch_add(&counts->retries, tally->retries);
    atomic_fetch_add(&counts->fallbacks, tally->fallbacks);
}

void writing_take_counts(const struct writing *writing, struct open_chunk *chunk)
{
    for (uint32_t i = 0; i < chunk->stream->entity_count; i++) {
        struct database_counts *counts =
            &writing->copy->session->counts[chunk->stream->entities[i]];
        struct progress_entity *entity = progress_of(writing, chunk, i);
        uint64_t retries = atomic_exchange(&counts->retries, 0);
        uint64_t fallbacks = atomic_exchange(&counts->fallbacks, 0);
        chunk->tallies[i].retries += retries;
        chunk->tallies[i].fallbacks += fallbacks;
        atomic_fetch_add(&entity->retries, retries);
        atomic_fetch_add(&entity->fallbacks, fallbacks);
    }
}

static void take_progress_back(struct writing *writing, struct open_chunk *chunk)
{
    uint64_t rejected = 0;
    for (uint32_t i = 0; i < chunk->stream->entity_count; i++) {
        struct progress_entity *entity = progress_of(writing, chunk, i);
        const struct tally *tally = &chunk->tallies[i];
        atomic_fetch_sub(&entity->read, tally->read);
        atomic_fetch_sub(&entity->written, tally->written);
        atomic_fetch_sub(&entity->rejected, tally->rejected);
        atomic_fetch_sub(&entity->skipped, tally->skipped);
        atomic_fetch_sub(&entity->bytes, tally->bytes);
        give_counts_back(writing, chunk, i);
        rejected += tally->rejected;
    }
    atomic_fetch_sub(&writing->copy->rejected, rejected);
}

/* Files that a fatal reject leaves stay readable; else files of void attempts only confuse. */
static void writing_forget(struct writing *writing, struct open_chunk *chunk, bool keep_rejects)
{
    if (chunk->begun) {
        writing->target->chunk_abandon(writing->worker->writer, chunk->number);
        chunk->begun = false;
    }
    take_progress_back(writing, chunk);
    reject_file_close(&chunk->rejects, keep_rejects);
    for (uint32_t i = 0; i < chunk->original_count; i++) {
        batch_destroy(chunk->originals[i]);
    }
    writing_free_held(chunk);
    chunk->original_count = 0;
    chunk->under_way = 0;
}

void writing_abandon_all(struct writing *writing, bool requeue)
{
    struct open_chunk *chunk = writing->first;
    writing->first = NULL;
    writing->last = NULL;
    writing->open_count = 0;
    while (chunk != NULL) {
        struct open_chunk *next = chunk->next;
        writing_forget(writing, chunk, !requeue);
        copy_requeue(writing->copy, chunk->index, chunk->work);
        writing_free_chunk(chunk);
        chunk = next;
    }
}

void writing_abandon_last(struct writing *writing)
{
    struct open_chunk *chunk = writing->last;
    struct open_chunk **link = &writing->first;
    struct open_chunk *before = NULL;
    while (*link != chunk) {
        before = *link;
        link = &before->next;
    }
    *link = NULL;
    writing->last = before;
    writing->open_count--;
    writing_forget(writing, chunk, false);
    copy_requeue(writing->copy, chunk->index, chunk->work);
    writing_free_chunk(chunk);
}

void writing_lost_connection(struct writing *writing)
{
    for (struct open_chunk *chunk = writing->first; chunk != NULL; chunk = chunk->next) {
        chunk->begun = false;
    }
}

uint32_t writing_under_way(const struct writing *writing)
{
    uint32_t count = 0;
    for (const struct open_chunk *chunk = writing->first; chunk != NULL; chunk = chunk->next) {
        count += chunk->under_way;
    }
    return count;
}

/* ---- rejects */

static enum status check_reject_bound(struct writing *writing, const struct reject *reject,
                                      struct error *error)
{
    const struct run_options *options = &writing->copy->session->options;
    uint64_t rejected = atomic_load(&writing->copy->rejected);
    if (options_allow_rejects(options, rejected)) {
        return STATUS_OK;
    }
    char object[256];
    snprintf(object, sizeof(object), "entity %s", reject->entity);
    error_set(error, ERROR_TOO_MANY_REJECTS, object,
              "%" PRIu64 " records rejected, the last with %s: %s", rejected,
              error_describe(reject->code)->name, reject->reason == NULL ? "" : reject->reason);
    error_hint(error,
               "see %s; fix source or plan, or allow more by `transhume resume --max-rejects N`",
               writing->copy->run->folder.rejects);
    return STATUS_FAILED;
}

static enum status add_reject(struct writing *writing, struct open_chunk *chunk, uint32_t position,
                              struct reject *reject, struct error *error)
{
    reject_name(writing->copy->run, chunk->stream, chunk->number, chunk->stream->entities[position],
                reject);
    if (reject_file_add(&chunk->rejects, reject, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    chunk->tallies[position].rejected++;
    tally_add_reason(&chunk->tallies[position], reject->code, 1);
    atomic_fetch_add(&progress_of(writing, chunk, position)->rejected, 1);
    atomic_fetch_add(&writing->copy->rejected, 1);
    return check_reject_bound(writing, reject, error);
}

static enum status add_mapping_rejects(struct writing *writing, struct open_chunk *chunk,
                                       const struct parcel *parcel, struct error *error)
{
    for (uint32_t i = 0; i < parcel->reject_count; i++) {
        const struct mapper_reject *from = &parcel->rejects[i];
        struct reject reject = {.code = from->code,
                                .reason = from->reason,
                                .key = from->source_key,
                                .key_count = from->source_key_count,
                                .envelope = from->envelope,
                                .record = &from->record};
        if (add_reject(writing, chunk, copy_position_of(chunk->stream, from->entity), &reject,
                       error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---- results */

static struct open_chunk *find_chunk(const struct writing *writing, uint64_t number)
{
    struct open_chunk *chunk = writing->first;
    while (chunk != NULL && chunk->number != number) {
        chunk = chunk->next;
    }
    return chunk;
}

/* `parents_differ` as in rejects.h. */
static enum status count_outcome(struct writing *writing, struct open_chunk *chunk,
                                 const struct batch *batch, const struct record_outcome *outcome,
                                 const char *parents_differ, struct error *error)
{
    uint32_t position = copy_position_of(chunk->stream, batch->entity);
    struct tally *tally = &chunk->tallies[position];
    if (!writing->copy->session->options.making.no_hashes) {
        struct canonical_hash hash; /* the reader's sum comes with the chunk's end, this in it */
        if (record_hash(&writing->hasher, batch, outcome->row, &hash, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        tally_hash_subtract(&tally->hash, &hash);
    }
    uint32_t table = writing->copy->session->plan->entities[batch->entity].table;
    if (before_refuse(writing->before, table, batch, outcome->row, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (outcome->kind == OUTCOME_SKIPPED) {
        tally->skipped++;
        atomic_fetch_add(&progress_of(writing, chunk, position)->skipped, 1);
        return STATUS_OK;
    }
    struct reject reject = {.code = outcome->code,
                            .reason = outcome->reason,
                            .parents_differ = parents_differ,
                            .shape = batch->shape,
                            .cells = batch_row(batch, outcome->row),
                            .record = batch->shape == NULL ? batch_row(batch, outcome->row) : NULL};
    reject_find_key(writing->copy->run, chunk->stream, batch, outcome->row, &reject);
    return add_reject(writing, chunk, position, &reject, error);
}

enum status writing_count_outcome(struct writing *writing, struct open_chunk *chunk,
                                  const struct batch *batch, const struct record_outcome *outcome,
                                  struct error *error)
{
    return count_outcome(writing, chunk, batch, outcome, NULL, error);
}

static enum status take_outcome(struct writing *writing, struct open_chunk *chunk,
                                struct batch *batch, const struct record_outcome *outcome,
                                struct error *error)
{
    if (outcome->row >= batch->row_count) {
        return error_set(error, ERROR_INTERNAL, chunk->stream->name,
                         "the target answered for a record that was not in the batch");
    }
    return writing_hold(writing, chunk, batch, outcome)
               ? STATUS_OK
               : writing_count_outcome(writing, chunk, batch, outcome, error);
}

/* Counts a result of the target and frees it. */
static enum status writing_settle(struct writing *writing, struct batch_result *result,
                                  struct error *error)
{
    struct open_chunk *chunk = find_chunk(writing, result->chunk);
    struct batch *batch = result->batch;
    enum status status = STATUS_OK;
    if (chunk == NULL || chunk->under_way == 0 || batch == NULL ||
        (uint64_t)result->written + result->outcome_count != batch->row_count) {
        status =
            error_set(error, ERROR_INTERNAL, "target",
                      "its answer for chunk %" PRIu64 " does not fit what was sent", result->chunk);
    } else {
        uint32_t position = copy_position_of(chunk->stream, batch->entity);
        struct progress_entity *shown = progress_of(writing, chunk, position);
        chunk->under_way--;
        chunk->tallies[position].written += result->written;
        chunk->tallies[position].bytes += result->bytes;
        chunk->tallies[position].retries += result->retries;
        chunk->tallies[position].fallbacks += result->fallbacks;
        atomic_fetch_add_explicit(&shown->retries, result->retries, memory_order_relaxed);
        atomic_fetch_add_explicit(&shown->fallbacks, result->fallbacks, memory_order_relaxed);
        atomic_fetch_add_explicit(&shown->written, result->written, memory_order_relaxed);
        atomic_fetch_add_explicit(&shown->bytes, result->bytes, memory_order_relaxed);
        for (uint32_t i = 0; i < result->outcome_count && status == STATUS_OK; i++) {
            status = take_outcome(writing, chunk, batch, &result->outcomes[i], error);
        }
    }
    batch_destroy(result->batch);
    arena_destroy(result->arena);
    copy_moved(writing->copy);
    return status;
}

enum status writing_poll(struct writing *writing, int64_t timeout_ms, struct error *error)
{
    struct batch_result result = {0};
    enum status status = writing->target->poll(writing->worker->writer, timeout_ms, &result, error);
    return status == STATUS_OK ? writing_settle(writing, &result, error) : status;
}

/* ---- feeding */

/* Does the engine keep what is overwritten, since the target can't? */
static bool keeps_images(const struct writing *writing, uint32_t table)
{
    const struct connector *connector = writing->copy->session->target->connector;
    return writing->copy->run->tables[table].keeps_undo && connector->rollback != NULL &&
           connector->rollback->undo == NULL;
}

enum status writing_submit(struct writing *writing, struct open_chunk *chunk, struct batch *batch,
                           struct error *error)
{
    const struct plan *plan = writing->copy->session->plan;
    uint32_t table = plan->entities[batch->entity].table;
    if (keeps_images(writing, table) &&
        before_keep(&writing->before, writing->copy->run, writing->worker->shown->number,
                    chunk->number, table, batch, error) != STATUS_OK) {
        batch_destroy(batch);
        return STATUS_FAILED;
    }
    chunk->under_way++;
    for (;;) {
        enum status status =
            writing->target->submit(writing->worker->writer, chunk->number, table, batch, error);
        if (status == STATUS_OK) {
            return failpoint_hit("engine.batch_submitted", error);
        }
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        copy_show(writing->worker, "waits for the target");
        status = writing_poll(writing, COPY_WAIT_MS, error);
        copy_show(writing->worker, "writes");
        if (status == STATUS_FAILED || copy_must_stop(writing->copy)) {
            batch_destroy(batch);
            chunk->under_way--;
            return status == STATUS_FAILED ? STATUS_FAILED : STATUS_END;
        }
    }
}

static void leave_large(struct large_value *self)
{
    (void)self;
}

struct batch *writing_cut(struct batch *original, uint32_t first, uint32_t count)
{
    struct batch *piece = batch_create_sharing(original, original->shape, original->width, count);
    /* The original keeps the large values; a piece tells that it has some. */
    if (original->large_values != NULL) {
        struct large_value *kept = arena_allocate_zeroed(piece->arena, 1, sizeof(*kept));
        kept->release = leave_large;
        batch_keep_large(piece, kept);
    }
    if (original->envelopes != NULL) {
        batch_add_envelopes(piece);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct cell *cells = batch_append(piece);
        memcpy(cells, batch_row(original, first + i), original->width * sizeof(*cells));
        if (original->envelopes != NULL) {
            piece->envelopes[i] = original->envelopes[first + i];
        }
    }
    piece->entity = original->entity;
    return piece;
}

/* Its large values are released with it: it stays until the chunk ends. */
static void keep_original(struct open_chunk *chunk, struct batch *batch)
{
    chunk->originals =
        memory_resize(chunk->originals, chunk->original_count + 1u, sizeof(struct batch *));
    chunk->originals[chunk->original_count++] = batch;
}

/* Takes the batch over. */
static enum status submit_in_pieces(struct writing *writing, struct open_chunk *chunk,
                                    struct batch *batch, uint32_t rows_max, struct error *error)
{
    bool keep = batch->large_values != NULL;
    enum status status = STATUS_OK;
    if (keep) {
        keep_original(chunk, batch);
    }
    for (uint32_t first = 0; first < batch->row_count && status == STATUS_OK; first += rows_max) {
        uint32_t left = batch->row_count - first;
        struct batch *piece = writing_cut(batch, first, left < rows_max ? left : rows_max);
        status = writing_submit(writing, chunk, piece, error);
    }
    if (!keep) {
        batch_destroy(batch);
    }
    return status;
}

/* Takes the batch over. */
static enum status submit_whole(struct writing *writing, struct open_chunk *chunk,
                                struct batch *batch, struct error *error)
{
    uint32_t rows_max = writing->copy->session->target->limits.batch_rows_max;
    return rows_max != 0 && batch->row_count > rows_max
               ? submit_in_pieces(writing, chunk, batch, rows_max, error)
               : writing_submit(writing, chunk, batch, error);
}

/* NULL: the record refers to no stranger. */
static enum status find_stranger(struct writing *writing, const struct batch *batch, uint32_t row,
                                 const struct stranger_match **match, struct error *error)
{
    struct strangers *strangers = writing->copy->run->seen.strangers;
    return writing->search != NULL ||
                   stranger_search_open(strangers, &writing->search, error) == STATUS_OK
               ? stranger_search_row(writing->search, batch, row, match, error)
               : STATUS_FAILED;
}

static enum status reject_stranger(struct writing *writing, struct open_chunk *chunk,
                                   const struct batch *batch, uint32_t row,
                                   const struct stranger_match *match, struct error *error)
{
    struct record_outcome outcome = {.row = row,
                                     .kind = OUTCOME_REJECTED,
                                     .code = ERROR_REJECT_CONSTRAINT,
                                     .reason = match->reason};
    return count_outcome(writing, chunk, batch, &outcome, match->parents, error);
}

/* Takes the batch over: what refers to strangers is rejected, the rest submitted. */
static enum status submit_others(struct writing *writing, struct open_chunk *chunk,
                                 struct batch *batch, struct error *error)
{
    bool keep = batch->large_values != NULL;
    uint32_t first = 0;
    enum status status = STATUS_OK;
    if (keep) {
        keep_original(chunk, batch);
    }
    for (uint32_t row = 0; status == STATUS_OK && row <= batch->row_count; row++) {
        const struct stranger_match *match = NULL;
        if (row < batch->row_count) {
            status = find_stranger(writing, batch, row, &match, error);
        }
        bool ends = row == batch->row_count || match != NULL;
        if (status == STATUS_OK && ends && row > first) {
            status = submit_whole(writing, chunk, writing_cut(batch, first, row - first), error);
        }
        if (status == STATUS_OK && match != NULL) {
            status = reject_stranger(writing, chunk, batch, row, match, error);
        }
        first = ends ? row + 1 : first;
    }
    if (!keep) {
        batch_destroy(batch);
    }
    return status;
}

static enum status feed_batches(struct writing *writing, struct open_chunk *chunk,
                                struct parcel *parcel, struct error *error)
{
    const struct strangers *strangers = writing->copy->run->seen.strangers;
    for (uint32_t i = 0; i < parcel->batch_count; i++) {
        struct batch *batch = parcel->batches[i];
        parcel->batches[i] = NULL;
        if (batch->row_count == 0) {
            batch_destroy(batch);
            continue;
        }
        enum status status = strangers_concern(strangers, batch->entity)
                                 ? submit_others(writing, chunk, batch, error)
                                 : submit_whole(writing, chunk, batch, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static void add_read(struct writing *writing, struct open_chunk *chunk, uint32_t position,
                     uint64_t rows)
{
    chunk->tallies[position].read += rows;
    atomic_fetch_add_explicit(&progress_of(writing, chunk, position)->read, rows,
                              memory_order_relaxed);
}

static void add_read_for_all(struct writing *writing, struct open_chunk *chunk, uint64_t rows)
{
    for (uint32_t i = 0; rows > 0 && i < chunk->stream->entity_count; i++) {
        add_read(writing, chunk, i, rows);
    }
}

/* A row of the source is read for each entity of its stream; a mended record is of one. */
static void count_read(struct writing *writing, struct open_chunk *chunk,
                       const struct parcel *parcel)
{
    add_read_for_all(writing, chunk, parcel->root_rows);
    bool mended = writing->copy->run->loads_rejects;
    for (uint32_t i = 0; mended && i < parcel->batch_count; i++) {
        const struct batch *batch = parcel->batches[i];
        add_read(writing, chunk, copy_position_of(chunk->stream, batch->entity), batch->row_count);
    }
}

enum status writing_feed(struct writing *writing, struct open_chunk *chunk, struct parcel *parcel,
                         struct error *error)
{
    enum status status;
    count_read(writing, chunk, parcel);
    copy_show_rows(writing->worker, parcel->root_rows);
    if (parcel->kind == PARCEL_RESTART) {
        copy_show_chunk(writing->worker, chunk->index);
        /* The target forgets it, progress and reject file too; the chunk starts anew with its next
         * attempt. */
        writing_forget(writing, chunk, false);
        status = begin_attempt(writing, chunk, error);
    } else if (parcel->kind == PARCEL_END) {
        for (uint32_t i = 0; i < chunk->stream->entity_count; i++) {
            struct tally *tally = &chunk->tallies[i];
            tally->made = parcel->tallies[i].made;
            tally->filtered = parcel->tallies[i].filtered;
            tally->unmatched = parcel->tallies[i].unmatched;
            tally->skipped += parcel->tallies[i].skipped;
            atomic_fetch_add(&progress_of(writing, chunk, i)->skipped, parcel->tallies[i].skipped);
            tally->hashed = parcel->tallies[i].hashed;
            canonical_sum_add(&tally->hash, &parcel->tallies[i].hash);
        }
        chunk->ended = true;
        copy_drained(writing->copy, chunk->work);
        status = STATUS_OK;
    } else {
        status = add_mapping_rejects(writing, chunk, parcel, error);
        if (status == STATUS_OK) {
            status = feed_batches(writing, chunk, parcel, error);
        }
    }
    parcel_destroy(parcel);
    return status;
}

void writing_count_pulled(struct writing *writing, struct open_chunk *chunk, uint64_t rows)
{
    const struct plan *plan = writing->copy->session->plan;
    const struct schema_table *table =
        schema_find_table(plan->source_schema, chunk->stream->request.table);
    struct tally *tally = &chunk->tallies[0];
    struct progress_entity *shown = progress_of(writing, chunk, 0);
    add_read_for_all(writing, chunk, rows);
    tally->made = rows;
    tally->written = rows;
    if (table != NULL && table->row_count > 0 && table->size_bytes > 0) {
        tally->bytes =
            (uint64_t)((double)table->size_bytes / (double)table->row_count * (double)rows);
    }
    atomic_fetch_add(&shown->written, rows);
    atomic_fetch_add(&shown->bytes, tally->bytes);
    chunk->ended = true;
    copy_moved(writing->copy);
}
