/* A run under way: its beginning and end, its files, and what the ledger's status and its folder
 * say of it. */
#include "engine/state/run_state.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/copy/copy.h"
#include "engine/folder/past_runs.h"
#include "engine/rejects/reject_book.h"
#include "engine/run/run.h"
#include "engine/session/home.h"
#include "engine/session/options.h"
#include "engine/session/parts.h"
#include "engine/session/run_facts.h"
#include "engine/session/session_tables.h"
#include "engine/state/state.h"
#include "observe/observer.h"
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum status run_create(struct run_session *session, struct run **made, struct error *error)
{
    struct run *run = memory_allocate_zeroed(1, sizeof(*run));
    run->session = session;
    run->folder.lock = -1;
    run->rejects.input = -1;
    run->arena = arena_create(0);
    run->attempt_us = clock_utc_us();
    pthread_mutex_init(&run->state_mutex, NULL);
    session->progress.started_ms = clock_monotonic_ms();
    uint32_t entities = session->plan->entity_count;
    run->table_count = session->plan->table_count;
    run->totals = arena_allocate_zeroed(run->arena, entities, sizeof(*run->totals));
    run->written_before = arena_allocate_zeroed(run->arena, entities, sizeof(uint64_t));
    run->seen.counted =
        arena_allocate_zeroed(run->arena, run->table_count + 1u, sizeof(*run->seen.counted));
    for (uint32_t i = 0; i < entities; i++) {
        run->totals[i].hashed = true;
    }
    session_list_tables(session, run->arena, &run->tables);
    if (ledger_status_init(&run->status, error) != STATUS_OK ||
        state_folder_name(&run->folder, session->state_path, run->arena, error) != STATUS_OK) {
        run_destroy(run);
        return STATUS_FAILED;
    }
    *made = run;
    return STATUS_OK;
}

void run_destroy(struct run *run)
{
    if (run == NULL || run->session->stuck) {
        return;
    }
    state_end(run);
    state_folder_unlock(&run->folder);
    if (run->rejects.input >= 0) {
        close(run->rejects.input);
    }
    ledger_status_free(&run->status);
    reject_book_free(run->rejects.book);
    pthread_mutex_destroy(&run->state_mutex);
    arena_destroy(run->arena);
    free(run);
}

enum status run_open_files(struct run *run, struct error *error)
{
    return observer_open_files(run->session->options.observer, run->folder.log_file,
                               run->folder.event_file, error);
}

void run_close_files(struct run *run)
{
    observer_close_files(run->session->options.observer);
}

enum status run_enter_folder(struct run *run, struct error *error)
{
    if (state_folder_lock(&run->folder, error) != STATUS_OK ||
        past_runs_recall(&run->folder, run->arena, error) != STATUS_OK ||
        run_open_files(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *command = run->session->options.command_line;
    log_write(LOG_DEBUG, "transhume %s: %s", TRANSHUME_VERSION, command == NULL ? "" : command);
    log_write_user(LOG_INFO, EVENT_OF(EVENT_MESSAGE),
                   "from %s to %s, tables: %" PRIu32 ", jobs: %" PRIu32,
                   run->session->source_uri->shown, run->session->target_uri->shown,
                   run->table_count, run->session->options.limits.jobs);
    return STATUS_OK;
}

enum status run_write_local(const struct run *run, bool begun, bool finished, struct error *error)
{
    const struct run_options *options = &run->session->options;
    const struct local_run local = {
        .id = run->id,
        .kind = run_kind(run),
        .begun = begun && run_can_resume(run->session),
        .finished = finished,
        .source = run->session->source_uri->shown,
        .target = run->session->target_uri->shown,
        .source_name = options->sides.source_name,
        .target_name = options->sides.target_name,
        .ledger = home_is_elsewhere(run->session) ? run->session->home_uri->shown : NULL,
        .ledger_schema = options->sides.ledger_schema,
        .plan_path = options->sides.plan_path,
        .learned = run->session->learned,
        .schemas = options->selection.schemas,
        .include = options->selection.include,
        .include_count = options->selection.include_count,
        .exclude = options->selection.exclude,
        .exclude_count = options->selection.exclude_count,
        .renumber = options->selection.renumber,
        .renumber_count = options->selection.renumber_count,
        .sample_rows = options->selection.sample_rows,
        .sample_seed = options->selection.sample_seed,
        .names = options->selection.names,
        .since = options->selection.since,
        .parts = run_parts_name(options->selection.parts),
        .existing = options->making.existing,
        .max_rejects = options_reject_bound(options),
        .plan_rejects = options->rejects.planned,
        .follows = options->follow.wanted,
        .mirrors = options->follow.mirrors,
        .no_code = options->making.no_code,
        .time_zone = options->sides.time_zone,
        .plan_time_zone = plan_document_option(run->session->document, "time_zone")};
    return local_run_write(&run->folder, &local, error);
}

enum status run_index_chunks(struct run *run, struct error *error)
{
    uint32_t streams = run->session->plan->stream_count;
    run->chunks.done = arena_allocate_zeroed(run->arena, run->chunks.count + 1, 1);
    run->chunks.stream_first =
        arena_allocate_zeroed(run->arena, (size_t)streams + 1, sizeof(uint64_t));
    uint64_t chunk = 0;
    for (uint32_t stream = 0; stream < streams; stream++) {
        run->chunks.stream_first[stream] = chunk;
        while (chunk < run->chunks.count && run->chunks.list[chunk].stream == stream) {
            if (run->chunks.list[chunk].number != chunk + 1) {
                break;
            }
            chunk++;
        }
    }
    run->chunks.stream_first[streams] = chunk;
    if (chunk != run->chunks.count) {
        return error_set(error, ERROR_LEDGER_INVALID, run->session->target_uri->shown,
                         "the ledger's chunk %" PRIu64 " is out of place", chunk + 1);
    }
    return STATUS_OK;
}

enum status run_put_status(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    struct arena *arena = arena_create(0);
    struct retry retry;
    const char *text;
    session_retry_begin(run->session, &retry);
    retry.cancelled = &target->hurried;
    pthread_mutex_lock(&run->state_mutex);
    enum status status = ledger_status_make(&run->status, arena, &text, error);
    pthread_mutex_unlock(&run->state_mutex);
    if (status == STATUS_OK) {
        do {
            status =
                ledger_set_status(run->session->ledger, run->id, run->claim.epoch, text, error);
        } while (status == STATUS_FAILED && retry_wait(&retry, error));
    }
    arena_destroy(arena);
    return status;
}

enum status run_put_phase(struct run *run, enum ledger_phase phase, struct error *error)
{
    pthread_mutex_lock(&run->state_mutex);
    run->status.phase = phase;
    pthread_mutex_unlock(&run->state_mutex);
    if (run_put_status(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    state_write(run, STATE_IN_PROGRESS);
    log_write(LOG_DEBUG, "run %s: %s", run->id, ledger_phase_name(phase));
    return STATUS_OK;
}

/* The display's thread writes the state meanwhile. */
void run_note(struct run *run, bool *condition)
{
    pthread_mutex_lock(&run->state_mutex);
    *condition = true;
    pthread_mutex_unlock(&run->state_mutex);
}

void run_show_totals(struct run *run)
{
    struct progress *progress = &run->session->progress;
    uint64_t written_before = 0;
    atomic_store(&progress->chunks_total, run->chunks.count);
    atomic_store(&progress->chunks_done, run->chunks.done_count);
    pthread_mutex_lock(&run->state_mutex);
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        const struct tally *tally = &run->totals[i];
        run->written_before[i] = tally->written;
        written_before += tally->written;
        atomic_store(&progress->entities[i].read, tally->read);
        atomic_store(&progress->entities[i].written, tally->written);
        atomic_store(&progress->entities[i].rejected, tally->rejected);
        atomic_store(&progress->entities[i].skipped, tally->skipped);
        atomic_store(&progress->entities[i].bytes, tally->bytes);
        atomic_store(&progress->entities[i].retries, tally->retries);
        atomic_store(&progress->entities[i].fallbacks, tally->fallbacks);
    }
    atomic_store(&progress->written_before, written_before);
    pthread_mutex_unlock(&run->state_mutex);
}
