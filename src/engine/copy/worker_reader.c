/* The reader's thread: chunk after chunk, from the source through the mapping into the ring. */
#include "engine/copy/reading.h"
#include "engine/copy/rejects_read.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/signals.h"
#include "engine/subset/subset.h"
#include <inttypes.h>
#include <stdlib.h>

/* STATUS_OK: the ring has it; STATUS_END: nobody wants it any more, and it is gone. */
static enum status worker_reader_send(struct reading *reading, struct parcel *parcel)
{
    struct worker *worker = reading->worker;
    size_t bytes = parcel_bytes(parcel);
    uint64_t rows = parcel->root_rows;
    enum status status;
    if (reading->sink != NULL) {
        return reading->sink(reading->sink_context, parcel);
    }
    copy_show(worker, "waits for its writer");
    do {
        status = copy_must_stop(worker->copy)
                     ? STATUS_END
                     : ring_push(reading->work->ring, parcel, bytes, COPY_WAIT_MS);
    } while (status == STATUS_AGAIN);
    copy_show(worker, "reads");
    if (status != STATUS_OK) {
        parcel_destroy(parcel);
        return STATUS_END;
    }
    copy_show_rows(worker, rows);
    copy_moved(worker->copy);
    return STATUS_OK;
}

static enum status hash_parcel(struct reading *reading, const struct parcel *parcel,
                               struct error *error)
{
    for (uint32_t i = 0; i < parcel->batch_count; i++) {
        struct tally *tally =
            &reading->tallies[copy_position_of(reading->stream, parcel->batches[i]->entity)];
        if (tally->hashed && record_hash_batch(&reading->hasher, parcel->batches[i], &tally->hash,
                                               error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status reading_send(struct reading *reading, struct parcel *parcel, struct error *error)
{
    parcel->root_rows = reading->root_rows;
    reading->root_rows = 0;
    if (hash_parcel(reading, parcel, error) != STATUS_OK) {
        parcel_destroy(parcel);
        return STATUS_FAILED;
    }
    return worker_reader_send(reading, parcel);
}

bool reading_is_full(const struct reading *reading)
{
    return mapper_pending_bytes(reading->mapper) >= reading->bytes_max ||
           mapper_pending_rows(reading->mapper) >= reading->rows_max;
}

enum status reading_take(struct reading *reading, struct error *error)
{
    struct mapper_output output;
    if (mapper_take(reading->mapper, &output, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (output.batch_count == 0 && output.reject_count == 0 && reading->root_rows == 0) {
        arena_destroy(output.arena);
        batch_destroy(output.keeper);
        return STATUS_OK;
    }
    struct parcel *parcel = parcel_create(PARCEL_DATA, output.batch_count);
    for (uint32_t i = 0; i < output.batch_count; i++) {
        parcel->batches[i] = output.batches[i];
    }
    parcel->keeper = output.keeper;
    parcel->rejects = output.rejects;
    parcel->reject_count = output.reject_count;
    parcel->arena = output.arena;
    return reading_send(reading, parcel, error);
}

enum status reading_account(struct reading *reading, uint64_t rows, uint64_t bytes)
{
    struct copy *copy = reading->worker->copy;
    if (reading->sink_account != NULL) {
        return reading->sink_account(reading->sink_context, rows, bytes);
    }
    copy_moved(copy);
    int64_t wait_ms = throttle_take(&copy->throttle, rows, bytes);
    int64_t until_ms = wait_ms > 0 ? clock_monotonic_ms() + wait_ms : 0;
    while ((wait_ms = throttle_left_ms(&copy->throttle, until_ms)) > 0) {
        /* a chunk that is held is not finished first: nobody knows how long that would take */
        if (atomic_load(&copy->throttle.held) && signals_stop_level() > 0) {
            atomic_store(&copy->stopping, true);
        }
        if (copy_must_stop(copy) || copy_is_cancelled(copy, reading->work)) {
            return STATUS_END;
        }
        copy_show(reading->worker, "keeps to the rate cap, or gives way to others");
        clock_sleep_ms(wait_ms < COPY_WAIT_MS ? wait_ms : COPY_WAIT_MS);
        copy_moved(copy);
        copy_show(reading->worker, "reads");
    }
    return copy_must_stop(copy) ? STATUS_END : STATUS_OK;
}

/* Records that the source could not read, as rejects of the stream's one entity. */
static enum status reject_refused(struct reading *reading, const struct batch *batch,
                                  struct parcel *parcel, struct error *error)
{
    static const char name[] = "unreadable";
    uint32_t count = 0;
    struct arena *arena = arena_create(0);
    struct mapper_reject *rejects =
        arena_allocate_zeroed(arena, batch->refused_count, sizeof(*rejects));
    parcel->arena = arena;
    for (const struct batch_refused *from = batch->refused; from != NULL; from = from->next) {
        struct cell *cells =
            arena_allocate_zeroed(arena, from->source_key_count + (size_t)2, sizeof(*cells));
        struct mapper_reject *to = &rejects[count];
        to->entity = reading->stream->entities[0];
        to->code = from->code;
        to->reason = arena_copy_string(arena, from->reason);
        if (value_copy(&from->raw, arena, &cells[1]) != STATUS_OK) {
            break;
        }
        cells[0] = cell_text(name, sizeof(name) - 1);
        to->record = cells[1].kind == VALUE_MAP ? cells[1] : cell_items(VALUE_MAP, cells, 1);
        to->source_key = &cells[2];
        to->source_key_count = from->source_key_count;
        uint32_t part = 0;
        while (part < from->source_key_count &&
               value_copy(&from->source_key[part], arena, &cells[2 + part]) == STATUS_OK) {
            part++;
        }
        if (part < from->source_key_count) {
            break;
        }
        count++;
    }
    if (count < batch->refused_count) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for rejects");
    }
    parcel->rejects = rejects;
    parcel->reject_count = count;
    reading->tallies[0].made += count;
    reading->tallies[0].rejected += count;
    return STATUS_OK;
}

/* Takes the batch over. */
static enum status pass_batch(struct reading *reading, struct batch *batch, struct error *error)
{
    const struct plan_stream *stream = reading->stream;
    uint32_t rows = batch->row_count;
    reading->root_rows += batch->refused_count;
    if (reading->mapper != NULL) {
        reading->root_rows += rows;
        enum status status = mapper_map_batch(reading->mapper, batch, error);
        return status == STATUS_OK ? reading_take(reading, error) : status;
    }
    struct parcel *parcel = parcel_create(PARCEL_DATA, rows > 0 ? 1 : 0);
    if (batch->refused_count > 0 && reject_refused(reading, batch, parcel, error) != STATUS_OK) {
        parcel_destroy(parcel);
        batch_destroy(batch);
        return STATUS_FAILED;
    }
    const struct plan_entity *entity =
        &reading->worker->copy->session->plan->entities[stream->entities[0]];
    batch->entity = entity->number;
    batch->shape = plan_entity_batch_shape(entity);
    if (rows > 0) {
        parcel->batches[0] = batch;
    } else {
        batch_destroy(batch);
    }
    reading->tallies[0].made += rows;
    reading->root_rows += rows;
    return reading_send(reading, parcel, error);
}

enum status reading_search(struct reading *reading, const struct read_request *request,
                           struct joining_search **search, struct error *error)
{
    struct joining *joining = reading->worker->copy->session->joining;
    if (reading->joining == NULL &&
        joining_reader_open(joining, &reading->joining, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return joining_search_of(reading->joining, request, search, error);
}

static const struct subset *subset_of(struct reading *reading)
{
    const struct subset *subset = reading->worker->copy->session->subset;
    if (subset != NULL && reading->subset == NULL) {
        reading->subset = subset_scratch_create();
    }
    return subset;
}

enum status reading_keeps(struct reading *reading, const struct cell *row, bool *keeps,
                          struct error *error)
{
    const struct subset *subset = subset_of(reading);
    *keeps = true;
    return subset == NULL
               ? STATUS_OK
               : subset_keeps(subset, reading->stream->number, row, reading->subset, keeps, error);
}

/* Filters rows of the stream's root, as its request brings them; a batch that fails is gone. */
static enum status filter(struct reading *reading, struct batch **batch, struct error *error)
{
    const struct subset *subset = subset_of(reading);
    if (subset == NULL || subset_filter(subset, reading->stream->number, *batch, reading->subset,
                                        error) == STATUS_OK) {
        return STATUS_OK;
    }
    batch_destroy(*batch);
    *batch = NULL;
    return STATUS_FAILED;
}

enum { WIDENED_ROWS_FIRST = 64 };

/* The bytes that look-ups add are known once they are made: batches grow while they stay below the
 * bound. */
static uint32_t next_rows(const struct reading *reading, uint32_t asked, const struct batch *wide)
{
    uint64_t most = asked < reading->rows_max / 2 ? asked * UINT64_C(2) : reading->rows_max;
    uint64_t rows = (uint64_t)wide->row_count * reading->bytes_max / batch_bytes(wide);
    return wide->row_count == 0 ? asked : (uint32_t)(rows < 1 ? 1 : rows < most ? rows : most);
}

enum status reading_next(struct reading *reading, struct cursor *cursor,
                         struct joining_search *search, struct batch **batch, struct error *error)
{
    const struct source_functions *source =
        reading->worker->copy->session->source->connector->source;
    if (search == NULL) {
        return source->cursor_next(cursor, reading->rows_max, reading->bytes_max, batch, error);
    }
    uint32_t asked = reading->widened_rows > 0 ? reading->widened_rows : WIDENED_ROWS_FIRST;
    asked = asked < reading->rows_max ? asked : reading->rows_max;
    enum status status = source->cursor_next(cursor, asked, reading->bytes_max, batch, error);
    status = status == STATUS_OK ? filter(reading, batch, error) : status;
    status = status == STATUS_OK ? joining_widen(search, *batch, batch, error) : status;
    if (status == STATUS_OK) {
        reading->widened_rows = next_rows(reading, asked, *batch);
    }
    return status;
}

static enum status read_batches(struct reading *reading, struct error *error)
{
    const struct source_functions *source =
        reading->worker->copy->session->source->connector->source;
    struct joining_search *search = NULL;
    struct cursor *cursor;
    if (reading->stream->joined != NULL &&
        reading_search(reading, reading->stream->joined, &search, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (source->cursor_open(reading->worker->reader, &reading->stream->request, reading->span,
                            &cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status;
    struct batch *batch;
    while ((status = reading_next(reading, cursor, search, &batch, error)) == STATUS_OK) {
        status = reading_account(reading, batch->row_count, batch_bytes(batch));
        if (status == STATUS_OK && search == NULL && filter(reading, &batch, error) != STATUS_OK) {
            status = STATUS_FAILED;
            batch = NULL;
        }
        if (status != STATUS_OK) {
            batch_destroy(batch);
        } else {
            status = pass_batch(reading, batch, error);
        }
        if (status != STATUS_OK) {
            source->cursor_close(cursor);
            return status;
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---- a chunk */

static void prepare_mapper(struct reading *reading)
{
    struct run_session *session = reading->worker->copy->session;
    if (reading->stream->identity || reading->worker->copy->run->loads_rejects) {
        mapper_destroy(reading->mapper);
        reading->mapper = NULL;
        reading->mapper_stream = NULL;
        return;
    }
    if (reading->mapper == NULL || reading->mapper_stream != reading->stream) {
        mapper_destroy(reading->mapper);
        reading->mapper =
            mapper_create(session->plan, reading->stream, session->target->limits.record_bytes_max);
        reading->mapper_stream = reading->stream;
    }
    mapper_begin_chunk(reading->mapper);
}

static void prepare_tallies(struct reading *reading)
{
    free(reading->tallies);
    reading->tallies =
        memory_allocate_zeroed(reading->stream->entity_count, sizeof(*reading->tallies));
    for (uint32_t i = 0; i < reading->stream->entity_count; i++) {
        reading->tallies[i].hashed =
            reading->sink == NULL && !reading->worker->copy->session->options.making.no_hashes;
    }
    reading->root_rows = 0;
}

static enum status send_end(struct reading *reading)
{
    struct parcel *parcel = parcel_create(PARCEL_END, 0);
    for (uint32_t i = 0; reading->mapper != NULL && i < reading->stream->entity_count; i++) {
        const struct mapper_counts *counts = &mapper_counts(reading->mapper)[i];
        reading->tallies[i].made = counts->made;
        reading->tallies[i].filtered = counts->filtered;
        reading->tallies[i].skipped = counts->skipped;
        reading->tallies[i].unmatched = counts->unmatched;
        reading->tallies[i].rejected = counts->rejected;
    }
    parcel->root_rows = reading->root_rows;
    parcel->tallies = reading->tallies;
    reading->tallies = NULL;
    return worker_reader_send(reading, parcel);
}

enum status reading_span(struct reading *reading, struct error *error)
{
    prepare_mapper(reading);
    prepare_tallies(reading);
    reading->widened_rows = 0;
    enum status status = reading->worker->copy->run->loads_rejects
                             ? rejects_load_span(reading, error)
                         : reading->stream->child_count > 0 ? merge_span(reading, error)
                                                            : read_batches(reading, error);
    return status == STATUS_OK ? send_end(reading) : status;
}

/* Again from the beginning, as long as it pays; the writer forgets what it has. */
static enum status read_with_retries(struct reading *reading, struct error *error)
{
    struct worker *worker = reading->worker;
    for (;;) {
        enum status status = reading_span(reading, error);
        if (status != STATUS_FAILED) {
            retry_reset(&worker->retry);
            return status;
        }
        mapper_destroy(reading->mapper);
        reading->mapper = NULL;
        copy_show(worker, "waits to read again");
        if (!retry_wait(&worker->retry, error)) {
            if (error->class == ERROR_CLASS_RETRY && copy_must_stop(worker->copy)) {
                return STATUS_END;
            }
            break;
        }
        copy_note_retry(worker->copy, reading->work->index, error);
        copy_show_chunk(worker, reading->work->index);
        if (worker_reader_send(reading, parcel_create(PARCEL_RESTART, 0)) != STATUS_OK) {
            return STATUS_END;
        }
    }
    const struct ledger_chunk *chunk = copy_chunk(worker->copy, reading->work->index);
    error_context(error, "reading chunk %" PRIu64 " of %s (%s): ", chunk->number,
                  reading->stream->name, chunk->span.printable);
    if (error->code == ERROR_SOURCE_MISSING) {
        error_recode(error, ERROR_SOURCE_READ); /* it was there: exit status 2 touches nothing */
    }
    return STATUS_FAILED;
}

static uint64_t smaller_limit(uint64_t wanted, uint64_t limit)
{
    return limit != 0 && limit < wanted ? limit : wanted;
}

void reading_init(struct reading *reading, struct worker *worker)
{
    const struct run_session *session = worker->copy->session;
    *reading = (struct reading){
        .worker = worker,
        .rows_max = (uint32_t)smaller_limit(session->options.limits.batch_rows,
                                            session->target->limits.batch_rows_max),
        .bytes_max = smaller_limit(session->options.limits.batch_bytes,
                                   session->target->limits.batch_bytes_max)};
    record_hasher_init(&reading->hasher, session->target, worker->copy->run->seen.forms);
}

void reading_free(struct reading *reading)
{
    joining_reader_close(reading->joining);
    mapper_destroy(reading->mapper);
    record_hasher_free(&reading->hasher);
    subset_scratch_destroy(reading->subset);
    free(reading->tallies);
}

void *reader_main(void *argument)
{
    struct worker *worker = argument;
    struct copy *copy = worker->copy;
    struct reading reading;
    struct error error = {0};
    struct work *work;
    reading_init(&reading, worker);
    enum status status = STATUS_OK;
    copy_show(worker, "waits for a chunk");
    while (status != STATUS_FAILED && (work = copy_begin_reading(copy, worker)) != NULL) {
        reading.work = work;
        reading.stream = copy_stream(copy, work->index);
        reading.span = &copy_chunk(copy, work->index)->span;
        copy_show_chunk(worker, work->index);
        copy_show(worker, "reads");
        status = read_with_retries(&reading, &error);
        if (status == STATUS_FAILED) {
            copy_fail(copy, &error);
        }
        copy_show(worker, "waits for a chunk");
        progress_worker_begin(worker->shown, 0, clock_monotonic_ms());
        copy_end_reading(copy, work);
    }
    if (status == STATUS_FAILED) {
        copy_fail(copy, &error);
    }
    reading_free(&reading);
    copy_show(worker, "is done");
    copy_leave(copy, false);
    return NULL;
}
