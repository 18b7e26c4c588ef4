/* A run's frame: lock, claim, phases, and the end, whatever it is. */
#include "engine/run/run.h"
#include "base/memory.h"
#include "connectors/lease.h"
#include "engine/copy/circles.h"
#include "engine/copy/copy.h"
#include "engine/copy/strangers.h"
#include "engine/follow/apply/ahead.h"
#include "engine/follow/cutover/cutover.h"
#include "engine/follow/cutover/reverse.h"
#include "engine/follow/feed/retention.h"
#include "engine/follow/feed/source_now.h"
#include "engine/follow/feed/spool.h"
#include "engine/follow/follow.h"
#include "engine/hooks/hooks.h"
#include "engine/join/joining.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/rejects/reject_past.h"
#include "engine/rejects/rejects_load.h"
#include "engine/rollback/unfilled.h"
#include "engine/run/run_parts.h"
#include "engine/session/home.h"
#include "engine/session/losses.h"
#include "engine/session/numbering.h"
#include "engine/session/options.h"
#include "engine/session/since.h"
#include "engine/settle/emptying.h"
#include "engine/settle/repair_delete.h"
#include "engine/state/claim.h"
#include "engine/state/past_runs.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include "observe/observer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status run_create(struct run_session *session, struct run **made, struct error *error)
{
    struct run *run = memory_allocate_zeroed(1, sizeof(*run));
    run->session = session;
    run->folder.lock = -1;
    run->input = -1;
    run->arena = arena_create(0);
    run->attempt_us = clock_utc_us();
    pthread_mutex_init(&run->state_mutex, NULL);
    session->progress.started_ms = clock_monotonic_ms();
    uint32_t entities = session->plan->entity_count;
    run->table_count = session->plan->table_count;
    run->totals = arena_allocate_zeroed(run->arena, entities, sizeof(*run->totals));
    run->written_before = arena_allocate_zeroed(run->arena, entities, sizeof(uint64_t));
    run->counted = arena_allocate_zeroed(run->arena, run->table_count + 1u, sizeof(*run->counted));
    for (uint32_t i = 0; i < entities; i++) {
        run->totals[i].hashed = true;
    }
    preflight_tables(session, run->arena, &run->tables);
    if (ledger_status_init(&run->status, error) != STATUS_OK ||
        state_folder_name(&run->folder, session->state_path, run->arena, error) != STATUS_OK) {
        run_destroy(run);
        return STATUS_FAILED;
    }
    *made = run;
    return STATUS_OK;
}

const char *run_kind(const struct run *run)
{
    return run->repairs ? "repair" : run->loads_rejects ? "rejects" : "copy";
}

void run_set_kind(struct run *run, const char *kind)
{
    run->repairs = strcmp(kind, "repair") == 0;
    run->loads_rejects = run->repairs || strcmp(kind, "rejects") == 0;
}

void run_destroy(struct run *run)
{
    if (run == NULL || run->session->stuck) {
        return;
    }
    state_end(run);
    state_folder_unlock(&run->folder);
    if (run->input >= 0) {
        close(run->input);
    }
    ledger_status_free(&run->status);
    reject_book_free(run->book);
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
                   run->table_count, run->session->options.jobs);
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
        .source_name = options->source_name,
        .target_name = options->target_name,
        .ledger = home_is_elsewhere(run->session) ? run->session->home_uri->shown : NULL,
        .ledger_schema = options->ledger_schema,
        .plan_path = options->plan_path,
        .learned = run->session->learned,
        .schemas = options->schemas,
        .include = options->include,
        .include_count = options->include_count,
        .exclude = options->exclude,
        .exclude_count = options->exclude_count,
        .renumber = options->renumber,
        .renumber_count = options->renumber_count,
        .sample_rows = options->sample_rows,
        .sample_seed = options->sample_seed,
        .names = options->names,
        .since = options->since,
        .parts = run_parts_name(options->parts),
        .existing = options->existing,
        .max_rejects = options_reject_bound(options),
        .plan_rejects = options->plan_rejects,
        .follows = options->follow,
        .mirrors = options->mirrors,
        .no_code = options->no_code,
        .time_zone = options->time_zone,
        .plan_time_zone = plan_document_option(run->session->document, "time_zone")};
    return local_run_write(&run->folder, &local, error);
}

enum status run_index_chunks(struct run *run, struct error *error)
{
    uint32_t streams = run->session->plan->stream_count;
    run->done = arena_allocate_zeroed(run->arena, run->chunk_count + 1, 1);
    run->stream_first_chunk =
        arena_allocate_zeroed(run->arena, (size_t)streams + 1, sizeof(uint64_t));
    uint64_t chunk = 0;
    for (uint32_t stream = 0; stream < streams; stream++) {
        run->stream_first_chunk[stream] = chunk;
        while (chunk < run->chunk_count && run->chunks[chunk].stream == stream) {
            if (run->chunks[chunk].number != chunk + 1) {
                break;
            }
            chunk++;
        }
    }
    run->stream_first_chunk[streams] = chunk;
    if (chunk != run->chunk_count) {
        return error_set(error, ERROR_LEDGER_INVALID, run->session->target_uri->shown,
                         "the ledger's chunk %" PRIu64 " is out of place", chunk + 1);
    }
    return STATUS_OK;
}

/* ---- the ledger's status */

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
            status = ledger_set_status(run->session->ledger, run->id, run->epoch, text, error);
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

/* ---- phases */

static void say(const char *what)
{
    log_write(LOG_INFO, "%s", what);
}

/* All of it can be repeated. */
static enum status persist(struct run *run, enum status (*step)(struct run *run, struct error *),
                           struct error *error)
{
    struct retry retry;
    enum status status;
    session_retry_begin(run->session, &retry);
    do {
        status = lease_check(run->session->target, 0, error);
        status = status == STATUS_OK ? step(run, error) : status;
    } while (session_tries_again(&retry, &status, error));
    return status;
}

/* Tables that came while the source is followed are made where it is followed (new_tables.h). */
static struct target_table *list_known(const struct run *run, uint32_t *count)
{
    struct target_table *known =
        arena_allocate_zeroed(run->arena, run->table_count + 1u, sizeof *known);
    *count = 0;
    for (uint32_t i = 0; i < run->table_count; i++) {
        if (!numbering_is_new(run, i) ||
            ledger_status_is_created(&run->status, run->tables[i].name)) {
            known[(*count)++] = run->tables[i];
        }
    }
    return known;
}

static void take_created(struct run *run, const struct target_table *known, uint32_t count)
{
    for (uint32_t i = 0, at = 0; i < run->table_count && at < count; i++) {
        if (strcmp(run->tables[i].name, known[at].name) == 0) {
            run->tables[i] = known[at++];
        }
    }
}

static enum status prepare_target(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    bool untouched = run->status.phase < LEDGER_COPYING;
    uint32_t known;
    struct target_table *tables = list_known(run, &known);
    const struct prepare_request request = {
        .tables = tables,
        .table_count = known,
        .objects = run_objects(run),
        .rebuilds_indexes = untouched && run->header.rebuilds_indexes,
        .disables_triggers = untouched && run->header.disables_triggers};
    const struct target_functions *target = session->target->connector->target;
    if (failpoint_hit("engine.before_prepare", error) != STATUS_OK ||
        run_require_tables(run, error) != STATUS_OK ||
        target->prepare(session->target, &request, error) != STATUS_OK ||
        (target->later_prepare != NULL &&
         target->later_prepare(session->target, tables, known, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    take_created(run, tables, known);
    pthread_mutex_lock(&run->state_mutex);
    for (uint32_t i = 0; i < run->table_count; i++) {
        if (run->tables[i].created) {
            ledger_status_add_created(&run->status, run->tables[i].name);
        }
        run->tables[i].created = ledger_status_is_created(&run->status, run->tables[i].name);
    }
    pthread_mutex_unlock(&run->state_mutex);
    return failpoint_hit("engine.after_prepare", error);
}

/* The display's thread writes the state meanwhile. */
void run_note(struct run *run, bool *condition)
{
    pthread_mutex_lock(&run->state_mutex);
    *condition = true;
    pthread_mutex_unlock(&run->state_mutex);
}

/* All chunks were copied by earlier attempts; what is read now may be of another moment. */
static void judge_snapshot(struct run *run)
{
    run->source_moved = run->snapshot_unjudged && !run->status.no_snapshot &&
                        !session_is_at(run->session, run->snapshot);
    run->snapshot_unjudged = false;
}

enum status run_prepare_source(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    if (run->source_prepared || run->loads_rejects) {
        return STATUS_OK;
    }
    const struct source_functions *source = session->source->connector->source;
    uint32_t count = session_request_count(session);
    const struct read_request **requests =
        arena_allocate_zeroed(run->arena, count, sizeof(struct read_request *));
    session_list_requests(session, requests);
    int phase = atomic_load(&session->progress.phase);
    progress_enter(&session->progress, PROGRESS_PREPARE);
    if (losses_warn(session, error) != STATUS_OK ||
        session_snapshot(session, session_reader_count(session), error) != STATUS_OK ||
        source->prepare(session->source, requests, count, say, error) != STATUS_OK ||
        session_choose_rows(session, say, error) != STATUS_OK ||
        (session->joining != NULL && joining_prepare(session->joining, say, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    progress_enter(&session->progress, phase);
    judge_snapshot(run);
    run->source_prepared = true;
    return STATUS_OK;
}

void run_show_totals(struct run *run)
{
    struct progress *progress = &run->session->progress;
    uint64_t written_before = 0;
    atomic_store(&progress->chunks_total, run->chunk_count);
    atomic_store(&progress->chunks_done, run->done_count);
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

static enum status stopped_or_failed(const struct error *error)
{
    return error->code == ERROR_INTERRUPTED ? STATUS_END : STATUS_FAILED;
}

/* What no chunk counted, since none was left: it is not in the ledger. */
static void take_counts(struct run *run)
{
    struct progress *progress = &run->session->progress;
    pthread_mutex_lock(&run->state_mutex);
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        struct database_counts *counts = &run->session->counts[i];
        uint64_t retries = atomic_exchange(&counts->retries, 0);
        uint64_t fallbacks = atomic_exchange(&counts->fallbacks, 0);
        run->totals[i].retries += retries;
        run->totals[i].fallbacks += fallbacks;
        atomic_fetch_add(&progress->entities[i].retries, retries);
        atomic_fetch_add(&progress->entities[i].fallbacks, fallbacks);
    }
    pthread_mutex_unlock(&run->state_mutex);
}

static enum status copy_chunks(struct run *run, struct error *error)
{
    struct copy *copy;
    pthread_mutex_lock(&run->state_mutex);
    run->attempt_us = clock_utc_us();
    pthread_mutex_unlock(&run->state_mutex);
    if (run->loads_rejects ? rejects_load_check(run, error) != STATUS_OK
                           : run_prepare_source(run, error) != STATUS_OK) {
        return stopped_or_failed(error);
    }
    if (run_look_at_target(run, error) != STATUS_OK) {
        return stopped_or_failed(error);
    }
    enum status found = strangers_find(run, error);
    if (found != STATUS_OK) {
        return found == STATUS_END ? STATUS_END : stopped_or_failed(error);
    }
    progress_enter(&run->session->progress, PROGRESS_COPY);
    state_note_counters(run);
    if (copy_create(run, &copy, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = copy_run(copy, state_tick, error);
    if (!run->session->stuck) {
        copy_destroy(copy);
    }
    if (atomic_load(&run->session->source->report.moved)) {
        run_note(run, &run->status.mixed_snapshot);
    }
    take_counts(run);
    return status;
}

/* Until all chunks are done and none is in doubt. */
static enum status copy_and_recheck(struct run *run, struct error *error)
{
    enum status status;
    do {
        status = run->done_count < run->chunk_count ? copy_chunks(run, error) : STATUS_OK;
        if (status == STATUS_OK) {
            status = recheck_run(run, error);
        }
    } while (status == STATUS_AGAIN);
    if (!run->session->stuck) {
        strangers_free(run->strangers);
        run->strangers = NULL;
    }
    return status;
}

static uint64_t written_to(const struct run *run, uint32_t number)
{
    const struct plan_table *table = &run->session->plan->tables[number];
    uint64_t written = 0;
    for (uint32_t i = 0; i < table->entity_count; i++) {
        written += run->totals[table->entities[i]].written;
    }
    return written;
}

static enum status build(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    uint64_t *written = memory_allocate_zeroed((size_t)run->table_count + 1, sizeof *written);
    for (uint32_t i = 0; i < run->table_count; i++) {
        run->counted[i].known = false;
        written[i] = written_to(run, i);
    }
    struct rights_left left = {.arena = arena_create(0)};
    struct after_load_request request = {.tables = run->tables,
                                         .table_count = run->table_count,
                                         .left = &left,
                                         .objects = run_objects(run),
                                         .progress = say,
                                         .rebuilds_indexes = run->header.rebuilds_indexes,
                                         .rejects_orphans = run->header.rejects_orphans,
                                         .records_written = run->loads_rejects ? NULL : written,
                                         .counted = run->loads_rejects ? NULL : run->counted};
    enum status status =
        session->target->connector->target->after_load(session->target, &request, error);
    free(written);
    pthread_mutex_lock(&run->state_mutex);
    run->status.broken_references = request.broken + run->status.left_references;
    if (status == STATUS_OK && request.objects != NULL) {
        json_decref(run->status.rights);
        run->status.rights = left_behind_rights(&left, ledger_value_bytes_max(session->ledger));
    }
    pthread_mutex_unlock(&run->state_mutex);
    arena_destroy(left.arena);
    if (status == STATUS_OK && request.broken > 0 && run->header.feed != NULL) {
        log_write(LOG_INFO, "foreign keys that are broken are looked at again, once what has "
                            "changed since the copy began is applied");
    }
    return status == STATUS_FAILED ? stopped_or_failed(error) : status;
}

enum status run_look_at_references(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    struct after_load_request request = {
        .tables = run->tables, .table_count = run->table_count, .references_only = true};
    enum status status = target->connector->target->after_load(target, &request, error);
    if (status != STATUS_OK) {
        return status;
    }
    pthread_mutex_lock(&run->state_mutex);
    run->status.broken_references = request.broken + run->status.left_references;
    bool broken = run->status.broken_references > 0;
    pthread_mutex_unlock(&run->state_mutex);
    log_write(LOG_INFO, broken ? "foreign keys were looked at again, and some are broken still"
                               : "foreign keys that were broken behind the copy are obeyed now");
    return run_put_status(run, error);
}

enum status run_prime_target(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    run->session->values_asked = false;
    if (session_ask_values(run->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < run->table_count; i++) {
        run->counted[i].known = false;
    }
    /* the way back makes nothing of what is there */
    const struct schema *objects = reverse_is(run) ? NULL : run_objects(run);
    struct after_load_request request = {.tables = run->tables,
                                         .table_count = run->table_count,
                                         .objects = objects,
                                         .progress = say};
    return target->connector->target->after_load(target, &request, error);
}

static enum status after_load(struct run *run, struct error *error)
{
    if (failpoint_hit("engine.before_after_load", error) != STATUS_OK ||
        session_ask_values(run->session, error) != STATUS_OK ||
        session_leave_source(run->session, error) != STATUS_OK) {
        return stopped_or_failed(error);
    }
    enum status status = persist(run, circles_fill, error);
    if (status == STATUS_OK && failpoint_hit("engine.after_fill", error) != STATUS_OK) {
        return stopped_or_failed(error);
    }
    status = status == STATUS_OK ? persist(run, build, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    if (failpoint_hit("engine.after_after_load", error) != STATUS_OK) {
        return stopped_or_failed(error);
    }
    return run_put_phase(run, LEDGER_INDEXED, error);
}

static enum status settle(struct run *run, struct error *error)
{
    if (failpoint_hit("engine.before_settle", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = persist(run, settle_run, error);
    if (status != STATUS_OK) {
        return status;
    }
    return failpoint_hit("engine.after_settle", error) == STATUS_OK
               ? run_put_phase(run, LEDGER_SETTLED, error)
               : STATUS_FAILED;
}

/* Nothing asks for kept keys once the run is known to be settled. */
static enum status forget_keys(struct run *run, struct error *error)
{
    bool settles = false;
    for (uint32_t i = 0; i < run->table_count; i++) {
        settles = settles || run->tables[i].settles;
    }
    return settles ? ledger_forget_keys(run->session->ledger, run->id, error) : STATUS_OK;
}

static enum status publish(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    return target->connector->target->publish != NULL
               ? target->connector->target->publish(target, run->tables, run->table_count, error)
               : STATUS_OK;
}

/* Its copy is whole and counted. What hooks do to it afterwards is not counted. */
static enum status check_counts(struct run *run, struct error *error)
{
    bool begun;
    progress_enter(&run->session->progress, PROGRESS_COUNT);
    if (hooks_after_begun(run, &begun, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = begun ? STATUS_OK : persist(run, reconcile_run, error);
    status = status == STATUS_OK ? persist(run, unfilled_note, error) : status;
    status = status == STATUS_OK ? repair_delete_tell_partnerless(run, error) : status;
    status = status == STATUS_OK ? persist(run, publish, error) : status;
    status = status == STATUS_OK ? persist(run, forget_keys, error) : status;
    if (status == STATUS_OK && hooks_after(run, error) != STATUS_OK) {
        return stopped_or_failed(error);
    }
    return status;
}

static enum status follow_on(struct run *run, struct error *error)
{
    enum status status = run->status.phase < LEDGER_FOLLOWING && !reverse_is(run)
                             ? check_counts(run, error)
                             : STATUS_OK;
    if (status == STATUS_OK && run->status.phase < LEDGER_FOLLOWING) {
        /* an earlier run between the same databases had a feed of this name */
        status = ledger_delete_position(run->session->ledger, run->header.feed, 0, error);
    }
    if (status == STATUS_OK && run->status.phase < LEDGER_FOLLOWING) {
        status = ahead_note(run, error);
    }
    if (status == STATUS_OK && run->status.phase < LEDGER_FOLLOWING) {
        status = run_put_phase(run, LEDGER_FOLLOWING, error);
    }
    spool_end(run);
    status = status == STATUS_OK ? session_end_snapshot(run->session, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    run->follow_end = follow_run(run, error);
    if (run->follow_end != FOLLOW_OVER) {
        return run->follow_end == FOLLOW_FAILED ? STATUS_FAILED : STATUS_END;
    }
    pthread_mutex_lock(&run->state_mutex);
    run->status.ended_us = clock_utc_us();
    ledger_status_end_attempt(&run->status, "completed");
    pthread_mutex_unlock(&run->state_mutex);
    return run_put_phase(run, LEDGER_COMPLETED, error);
}

static enum status complete(struct run *run, struct error *error)
{
    enum status status = check_counts(run, error);
    status = status == STATUS_OK ? persist(run, since_end, error) : status;
    status = status == STATUS_OK && run->loads_rejects ? persist(run, reject_past_settle, error)
                                                       : status;
    if (status != STATUS_OK || failpoint_hit("engine.before_completed", error) != STATUS_OK) {
        return status == STATUS_OK ? STATUS_FAILED : status;
    }
    pthread_mutex_lock(&run->state_mutex);
    run->status.ended_us = clock_utc_us();
    run_note_connections(run);
    ledger_status_end_attempt(&run->status, "completed");
    pthread_mutex_unlock(&run->state_mutex);
    if (run_put_phase(run, LEDGER_COMPLETED, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("engine.after_completed", error);
}

static void tell_begin(const struct run *run)
{
    const struct run_session *session = run->session;
    const struct run_identity identity = {.run = run->id,
                                          .kind = run_kind(run),
                                          .source = session->source->connector->name,
                                          .target = session->target->connector->name,
                                          .data_at_us = run->status.started_us,
                                          .memory_limit_bytes = session->options.memory_bytes,
                                          .stall_ms = session->options.stall_ms};
    observer_identify(session->options.observer, &identity);
    log_event(LOG_DEBUG,
              EVENT_OF(EVENT_RUN, .state = run->done_count > 0 ? "resumed" : "began",
                       .count = (int64_t)run->epoch),
              "run %s: attempt %" PRIu64, run->id, run->epoch);
}

static void target_prepare(const struct run *run)
{
    struct database *target = run->session->target;
    target->triggers_off = run->repairs;
    target->carries_rights = run->header.carries_rights;
    target->definer = run->header.definer_self ? DEFINER_SELF : DEFINER_KEEP;
    /* what is deleted first must not outlive what is written after it */
    target->repairs = run->repairs || run->header.takes_out;
}

enum status run_execute(struct run *run, struct error *error)
{
    struct progress *progress = &run->session->progress;
    target_prepare(run);
    if (run->loads_rejects) {
        rejects_load_make_stream(run);
    }
    if (failpoint_hit("engine.after_claim", error) != STATUS_OK ||
        (!run->loads_rejects && run->status.phase == LEDGER_PREPARED &&
         run_check_overtaken(run, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (run->status.phase < LEDGER_FOLLOWING && !run->loads_rejects &&
        hooks_check(run->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    tell_begin(run);
    if (run->status.phase == LEDGER_FOLLOWING &&
        (run->session->options.cut_over == CUT_OVER_BACK ||
         run->session->options.cut_over == CUT_OVER_ABANDON)) {
        return follow_on(run, error);
    }
    if (run->header.feed != NULL && run->status.phase < LEDGER_FOLLOWING &&
        run->session->options.cut_over == CUT_OVER_ABANDON) {
        run->follow_end = cutover_abandon_copy(run, error);
        return run->follow_end == FOLLOW_OVER     ? run_put_phase(run, LEDGER_COMPLETED, error)
               : run->follow_end == FOLLOW_FAILED ? STATUS_FAILED
                                                  : STATUS_END;
    }
    progress_enter(progress, PROGRESS_PREPARE);
    enum status status = persist(run, prepare_target, error);
    if (status != STATUS_OK) {
        return status;
    }
    run_show_totals(run);
    if (reverse_is(run)) {
        return follow_on(run, error);
    }
    if (run->status.phase < LEDGER_LOADED) {
        if (hooks_keep(run, error) != STATUS_OK || hooks_before_tables(run, error) != STATUS_OK) {
            return stopped_or_failed(error);
        }
        if (run_put_phase(run, LEDGER_COPYING, error) != STATUS_OK ||
            spool_begin(run, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if ((run->repairs ? repair_delete_listed(run, error) : emptying_run(run, error)) !=
            STATUS_OK) {
            return stopped_or_failed(error);
        }
        struct retention_watch *watch;
        status = retention_watch_start(run, &watch, error);
        status = status == STATUS_OK ? copy_and_recheck(run, error) : status;
        retention_watch_stop(watch);
        if (status != STATUS_OK) {
            return status;
        }
        if (run_put_phase(run, LEDGER_LOADED, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (signals_stop_level() > 0) {
        return STATUS_END;
    }
    progress_enter(progress, PROGRESS_INDEXES);
    status = run->status.phase < LEDGER_INDEXED ? after_load(run, error) : STATUS_OK;
    if (status != STATUS_OK) {
        return status;
    }
    if (signals_stop_level() > 0) {
        return STATUS_END;
    }
    progress_enter(progress, PROGRESS_SETTLE);
    status = run->status.phase < LEDGER_SETTLED ? settle(run, error) : STATUS_OK;
    return status != STATUS_OK                               ? status
           : run->header.feed != NULL && !run->loads_rejects ? follow_on(run, error)
                                                             : complete(run, error);
}

/* ---- the end */

/* "run ID: completed in 12s: 20,000 records, 3 rejected" */
static void tell_end(const struct run *run, enum status status)
{
    const struct progress *progress = &run->session->progress;
    struct observer *observer = run->session->options.observer;
    const char *state = status == STATUS_OK    ? "completed"
                        : status == STATUS_END ? "interrupted"
                                               : "failed";
    int64_t took_ms = clock_monotonic_ms() - progress->started_ms;
    uint64_t written = 0;
    uint64_t rejected = 0;
    char counts[2][32];
    char took[32];
    if (!run->claimed) {
        return;
    }
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        written += atomic_load(&progress->entities[i].written);
        rejected += atomic_load(&progress->entities[i].rejected);
    }
    text_human_count(written, counts[0], sizeof(counts[0]));
    text_human_count(rejected, counts[1], sizeof(counts[1]));
    text_human_seconds((double)took_ms / 1000, took, sizeof(took));
    log_event(
        LOG_DEBUG,
        EVENT_OF(EVENT_RUN, .state = state, .count = (int64_t)written, .milliseconds = took_ms),
        "run %s: %s after %s: %s records written, %s rejected", run->id, state, took, counts[0],
        counts[1]);
    observer_end(observer, (double)took_ms / 1000);
}

static void fill_result(struct run *run, enum status status, struct run_result *result)
{
    struct run_session *session = run->session;
    snprintf(result->run_id, sizeof(result->run_id), "%s", run->id);
    result->progress = &session->progress;
    result->seconds = (double)(clock_monotonic_ms() - session->progress.started_ms) / 1000;
    result->rejected = reject_book_unsettled(run);
    if (run->loads_rejects && !run->repairs) { /* of what it was given; status tells the rest */
        result->rejected = 0;
        for (uint32_t i = 0; i < session->plan->entity_count; i++) {
            result->rejected += run->totals[i].rejected;
        }
    }
    result->unmatched = 0;
    for (uint32_t i = 0; i < session->plan->entity_count; i++) {
        result->unmatched += run->totals[i].unmatched;
    }
    /* the changes in between put it right */
    result->mixed_snapshot = run->status.mixed_snapshot && run->header.feed == NULL;
    result->no_snapshot = run->status.no_snapshot;
    result->schema_only = run_moves(run, PARTS_SCHEMA);
    result->follow_end = run->follow_end;
    result->changes = atomic_load(&session->progress.follow.changes);
    result->chunks_done = atomic_load(&session->progress.chunks_done);
    result->has_ledger = run->claimed;
    result->broken_references = run->status.broken_references;
    result->warning_count = run->warning_count;
    char *folder =
        result->rejected == 0 ? NULL : arena_copy_string(session->arena, run->folder.rejects);
    result->rejects_folder = folder;
    left_behind_sum(run, result);
    bool less = result->rejected > 0 || result->broken_references > 0 || result->mixed_snapshot ||
                run->left_extra || run->left_count > 0 || result->opened > 0;
    bool stopped = status == STATUS_END &&
                   (run->follow_end == FOLLOW_NONE || run->follow_end == FOLLOW_STOPPED);
    result->exit_status = stopped ? 4 : less ? 1 : 0;
}

/* What can still be told to the ledger, if it is still ours. A failure of a run that another
 * attempt has taken over is that: what to do next is another thing than after the failure itself.
 */
static void tell_ledger(struct run *run, enum status status, struct error *failure)
{
    struct database *target = run->session->target;
    struct error error;
    if (!run->claimed || failure->code == ERROR_RUN_FENCED || run->session->stuck) {
        claim_keeper_stop(run->keeper);
        run->keeper = NULL;
        return; /* a lost worker may still be inside the target's code */
    }
    bool before = signals_shield(false);
    if (status == STATUS_FAILED) {
        atomic_store(&target->hurried, true);
        /* a cut-over has a time by which it ends, whoever holds a lock of the target */
        (void)signals_shield(before || run->session->options.fence != NULL);
    } else {
        (void)signals_shield(before);
    }
    if (status != STATUS_OK) {
        pthread_mutex_lock(&run->state_mutex);
        run_note_connections(run);
        ledger_status_end_attempt(&run->status, status == STATUS_END ? "interrupted" : "failed");
        pthread_mutex_unlock(&run->state_mutex);
        if (run_put_status(run, &error) != STATUS_OK) {
            log_write(LOG_WARNING, "the ledger's status stays behind: %s", error.message);
            if (status == STATUS_FAILED && error.code == ERROR_RUN_FENCED) {
                error_copy(failure, &error);
            }
        }
    }
    claim_keeper_stop(run->keeper);
    run->keeper = NULL;
    if (ledger_release(run->session->ledger, run->id, run->epoch, &error) != STATUS_OK) {
        log_write(LOG_WARNING, "the claim on the run was not given back: %s", error.message);
    }
    (void)signals_shield(before);
}

static enum status end_local(struct run *run, enum status status, struct error *error)
{
    if (status != STATUS_OK) {
        state_write(run, status == STATUS_END ? STATE_INTERRUPTED : STATE_FAILED);
        return status;
    }
    if (run_write_local(run, true, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    progress_enter(&run->session->progress, PROGRESS_DONE);
    state_write(run, STATE_COMPLETED);
    state_folder_clean(&run->folder);
    return STATUS_OK;
}

/* What was rejected and is settled by now is counted no more, wherever this run is told of. */
static void read_book(struct run *run, enum status status)
{
    struct error error = {0};
    if (!run->claimed || run->session->stuck || status == STATUS_FAILED) {
        return;
    }
    if (run->loads_rejects) {
        struct reject_book_sum *sum = arena_allocate_zeroed(run->arena, 1, sizeof *sum);
        if (reject_past_sum(run, run->arena, sum, &error) == STATUS_OK) {
            run->copy_rejects = sum;
        }
        return;
    }
    if (reject_book_load(run, &error) != STATUS_OK ||
        reject_book_read_copied(run->book, &error) != STATUS_OK) {
        log_write(LOG_WARNING, "what became of rejected records since could not be read: %s",
                  error.message);
    }
    for (uint32_t i = 0; i < run->session->progress.entity_count; i++) {
        atomic_store(&run->session->progress.entities[i].rejected,
                     reject_book_counts_of(run, i).unsettled);
    }
}

/* Did a follower fail since the source's tables are other ones than those that the session has
 * read? A table that was gone for a moment need not differ from the one that was read. */
static bool is_overtaken(const struct run *run, const struct error *error)
{
    const struct run_session *session = run->session;
    return session->options.follow && session->options.cut_over == CUT_OVER_NOT && !run->refused &&
           run->status.phase == LEDGER_FOLLOWING && source_now_may_cause(error) &&
           (source_now_causes(session, NULL, 0, error) ||
            session->options.source_failures < SOURCE_FAILURES_MAX);
}

/* Did a copy let go of the source's tables, since somebody waited for them (ERROR_CLASS_STOP of a
 * reader)? It goes on at a new moment of the source: the changes in between put that right. */
static bool gives_way(const struct run *run, const struct error *error)
{
    const struct run_options *options = &run->session->options;
    return options->follow && run->claimed && run->header.feed != NULL &&
           run->status.phase == LEDGER_COPYING && error->code == ERROR_SOURCE_LOCKED &&
           error->class == ERROR_CLASS_STOP && options->source_failures < SOURCE_FAILURES_MAX;
}

/* Ends an attempt that failed so that another one goes on at once. */
static void end_overtaken(struct run *run, const char *next, const struct error *error)
{
    log_write(LOG_WARNING, "%s%s: %s: %s", error->context, error->object, error->message, next);
    run->follow_end = FOLLOW_OVERTAKEN;
}

/* Does the ledger have it? What nobody can say now a resume finds out. */
static bool may_be_made(struct run *run)
{
    struct error ignored = {0};
    struct ledger_run *made;
    return run->claimed ||
           (run->makes_ledger &&
            ledger_load(run->session->ledger, run->id, run->arena, &made, &ignored) != STATUS_END);
}

enum status run_conclude(struct run *run, enum status status, struct run_result *result,
                         struct error *error)
{
    spool_end(run);
    if (status == STATUS_FAILED && is_overtaken(run, error)) {
        end_overtaken(run, "the source's tables are read again", error);
    } else if (status == STATUS_FAILED && gives_way(run, error)) {
        end_overtaken(run, "the run lets go of its tables, and goes on behind the other one",
                      error);
    }
    result->source_failed = status == STATUS_FAILED && run->follow_end == FOLLOW_OVERTAKEN;
    status = result->source_failed ? STATUS_END : status;
    if (status != STATUS_FAILED) {
        error_clear(error);
        if (run->was_finished) {
            error_set(error, ERROR_RUN_FINISHED, run->id, "the run is complete already");
        }
    } else {
        pthread_mutex_lock(&run->state_mutex);
        ledger_status_add_error(&run->status, error);
        pthread_mutex_unlock(&run->state_mutex);
        if (run->folder.lock >= 0) {
            log_write(LOG_DEBUG, "failed: %s%s: %s", error->context, error->object, error->message);
        }
    }
    if (status == STATUS_FAILED && run->claimed && !run->session->stuck) {
        hooks_on_failure(run, error);
    }
    tell_ledger(run, status, error);
    read_book(run, status);
    if (run->state_ready) {
        status = end_local(run, status, error);
        run_report_end(run, result);
    }
    fill_result(run, status, result);
    bool loaded_nothing = status == STATUS_FAILED && run->loads_rejects && !may_be_made(run);
    if (!run->state_ready || loaded_nothing) {
        result->run_id[0] = '\0'; /* nothing began that a resume could go on with */
    }
    tell_end(run, status);
    run_close_files(run);
    run_destroy(run);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static void every_second(void *context)
{
    struct run *run = context;
    session_note_reports(run->session);
    state_tick(run);
}

static enum status begin_and_execute(struct run *run, struct error *error)
{
    enum status status =
        run->loads_rejects ? rejects_load_begin(run, error) : run_begin(run, error);
    return status == STATUS_OK ? run_execute(run, error) : status;
}

enum status run_with_display(struct run *run, enum status (*steps)(struct run *run, struct error *),
                             struct error *error)
{
    struct run_session *session = run->session;
    struct progress_display *display = NULL;
    if (progress_display_start(&session->progress, session->options.progress,
                               session->options.color, every_second, run, &display,
                               error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = steps(run, error);
    if (status == STATUS_OK) {
        progress_enter(&session->progress, PROGRESS_DONE);
    }
    session_note_reports(session);
    progress_display_stop(display);
    return status;
}

enum status run_migrate(struct run_session *session, struct run_result *result, struct error *error)
{
    struct run *run;
    *result = (struct run_result){.progress = &session->progress};
    if (run_create(session, &run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    random_run_id(run->id);
    run->loads_rejects = session->options.rejects_file != NULL;
    run->repairs = session->options.repairing;
    run->status.repairs =
        session->options.repairs_run != NULL ? json_text(session->options.repairs_run) : NULL;
    enum status status = run_enter_folder(run, error);
    if (status == STATUS_OK && run->loads_rejects) {
        status = rejects_load_open(run, error); /* it may lie in what is moved away next */
    }
    if (status == STATUS_OK) {
        status = run_clear_way(run, error);
    }
    if (status == STATUS_OK) {
        status = run_with_display(run, begin_and_execute, error);
    }
    return run_conclude(run, status, result, error);
}
