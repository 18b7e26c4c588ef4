/* A run's frame: lock, claim, phases, and the end, whatever it is. */
#include "engine/run/run.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include "connectors/contract/defaults.h"
#include "engine/copy/copy.h"
#include "engine/copy/strangers.h"
#include "engine/copy/target_look.h"
#include "engine/follow/apply/target_ahead.h"
#include "engine/follow/cutover/cutover.h"
#include "engine/follow/cutover/reverse.h"
#include "engine/follow/feed/retention.h"
#include "engine/follow/feed/spool.h"
#include "engine/follow/follow.h"
#include "engine/hooks/hooks.h"
#include "engine/join/joining.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/rejects/reject_past.h"
#include "engine/rollback/unfilled.h"
#include "engine/run/left_behind.h"
#include "engine/run/rejects_load.h"
#include "engine/run/run_begin.h"
#include "engine/run/run_end.h"
#include "engine/run/run_phases.h"
#include "engine/session/circles.h"
#include "engine/session/numbering.h"
#include "engine/session/parts.h"
#include "engine/session/run_facts.h"
#include "engine/session/run_source.h"
#include "engine/session/since.h"
#include "engine/settle/circles_fill.h"
#include "engine/settle/emptying.h"
#include "engine/settle/recheck.h"
#include "engine/settle/reconcile.h"
#include "engine/settle/repair_delete.h"
#include "engine/settle/settle.h"
#include "engine/state/run_state.h"
#include "engine/state/state.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/signals.h"
#include "observe/observer.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- phases */

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
    const struct sql_target_functions *sql_target =
        connector_sql_target(session->target->connector);
    if (failpoint_hit("engine.before_prepare", error) != STATUS_OK ||
        run_require_tables(run, error) != STATUS_OK ||
        target->prepare(session->target, &request, error) != STATUS_OK ||
        (sql_target->later_prepare != NULL &&
         sql_target->later_prepare(session->target, tables, known, error) != STATUS_OK)) {
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

static enum status stopped_or_failed(const struct error *error)
{
    return error->code == ERROR_INTERRUPTED ? STATUS_END : STATUS_FAILED;
}

/* Counts that no chunk took, since none was left, are not in the ledger. */
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
        status = run->chunks.done_count < run->chunks.count ? copy_chunks(run, error) : STATUS_OK;
        if (status == STATUS_OK) {
            status = recheck_run(run, error);
        }
    } while (status == STATUS_AGAIN);
    if (!run->session->stuck) {
        strangers_free(run->seen.strangers);
        run->seen.strangers = NULL;
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

static enum status run_build(struct run *run, struct error *error)
{
    struct run_session *session = run->session;
    uint64_t *written = memory_allocate_zeroed((size_t)run->table_count + 1, sizeof *written);
    for (uint32_t i = 0; i < run->table_count; i++) {
        run->seen.counted[i].known = false;
        written[i] = written_to(run, i);
    }
    struct rights_left left = {.arena = arena_create(0)};
    struct after_load_request request = {.tables = run->tables,
                                         .table_count = run->table_count,
                                         .left = &left,
                                         .objects = run_objects(run),
                                         .progress = log_progress,
                                         .rebuilds_indexes = run->header.rebuilds_indexes,
                                         .rejects_orphans = run->header.rejects_orphans,
                                         .records_written = run->loads_rejects ? NULL : written,
                                         .counted = run->loads_rejects ? NULL : run->seen.counted};
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
    status = status == STATUS_OK ? persist(run, run_build, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    if (failpoint_hit("engine.after_after_load", error) != STATUS_OK) {
        return stopped_or_failed(error);
    }
    return run_put_phase(run, LEDGER_INDEXED, error);
}

static enum status run_settle(struct run *run, struct error *error)
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

static enum status run_publish(struct run *run, struct error *error)
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
    status = status == STATUS_OK ? persist(run, run_publish, error) : status;
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
    run->following.end = follow_run(run, error);
    if (run->following.end != FOLLOW_OVER) {
        return run->following.end == FOLLOW_FAILED ? STATUS_FAILED : STATUS_END;
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
                                          .memory_limit_bytes =
                                              session->options.limits.memory_bytes,
                                          .stall_ms = session->options.limits.stall_ms};
    observer_identify(session->options.observer, &identity);
    log_event(LOG_DEBUG,
              EVENT_OF(EVENT_RUN, .state = run->chunks.done_count > 0 ? "resumed" : "began",
                       .count = (int64_t)run->claim.epoch),
              "run %s: attempt %" PRIu64, run->id, run->claim.epoch);
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

/* The way back after a cut-over is a run of its own, with a session of its own. */
static enum status run_back(const struct run_options *options, struct error *error)
{
    struct run_session *session = NULL;
    struct run_result result = {0};
    struct buffer faults = {0};
    enum status status = run_open(options, &session, &faults, error);
    if (status == STATUS_OK) {
        status = options->command != RUN_BEGIN ? run_resume(session, &result, error)
                                               : run_migrate(session, &result, error);
    }
    if (status == STATUS_OK && result.exit_status != EXIT_DONE) {
        status = error_set(error, ERROR_CUT_OVER, options->sides.state_folder, "it was stopped");
    }
    if (session != NULL) {
        run_close(session);
    }
    buffer_free(&faults);
    if (status != STATUS_OK) {
        error_context(error, "the way back: ");
    }
    return status;
}

enum status run_execute(struct run *run, struct error *error)
{
    struct progress *progress = &run->session->progress;
    run->run_within = run_back;
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
        run_command_gives_up(run->session->options.command)) {
        return follow_on(run, error);
    }
    if (run->header.feed != NULL && run->status.phase < LEDGER_FOLLOWING &&
        run->session->options.command == RUN_ABANDON) {
        run->following.end = cutover_abandon_copy(run, error);
        return run->following.end == FOLLOW_OVER     ? run_put_phase(run, LEDGER_COMPLETED, error)
               : run->following.end == FOLLOW_FAILED ? STATUS_FAILED
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
    status = run->status.phase < LEDGER_SETTLED ? run_settle(run, error) : STATUS_OK;
    return status != STATUS_OK                               ? status
           : run->header.feed != NULL && !run->loads_rejects ? follow_on(run, error)
                                                             : complete(run, error);
}

/* ---- the end */

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
    run->loads_rejects = session->options.repair.file != NULL;
    run->repairs = session->options.repair.is_repair;
    run->status.repairs =
        session->options.repair.of_run != NULL ? json_text(session->options.repair.of_run) : NULL;
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
