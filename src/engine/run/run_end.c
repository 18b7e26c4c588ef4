/* The end of an attempt, whatever it is: told to the ledger, the folder, the observer and the
 * caller. */
#include "engine/run/run_end.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include "engine/follow/cutover/cutover.h"
#include "engine/follow/feed/spool.h"
#include "engine/hooks/hooks.h"
#include "engine/join/joining.h"
#include "engine/rejects/reject_past.h"
#include "engine/run/left_behind.h"
#include "engine/run/run.h"
#include "engine/session/parts.h"
#include "engine/session/source_now.h"
#include "engine/state/claim.h"
#include "engine/state/run_report.h"
#include "engine/state/run_state.h"
#include "engine/state/state.h"
#include "observe/observer.h"
#include <stdio.h>
#include <unistd.h>

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
    if (!run->claim.held) {
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
    result->follow_end = run->following.end;
    result->changes = atomic_load(&session->progress.follow.changes);
    result->chunks_done = atomic_load(&session->progress.chunks_done);
    result->has_ledger = run->claim.held;
    result->broken_references = run->status.broken_references;
    result->warning_count = run->warning_count;
    char *folder =
        result->rejected == 0 ? NULL : arena_copy_string(session->arena, run->folder.rejects);
    result->rejects_folder = folder;
    left_behind_sum(run, result);
    bool less = result->rejected > 0 || result->broken_references > 0 || result->mixed_snapshot ||
                run->left_extra || run->following.left_count > 0 || result->opened > 0;
    bool stopped = status == STATUS_END &&
                   (run->following.end == FOLLOW_NONE || run->following.end == FOLLOW_STOPPED);
    result->exit_status = stopped ? EXIT_INTERRUPTED : less ? EXIT_ATTENTION : EXIT_DONE;
}

/* Tells the ledger what can still be told, if it is still ours. A failure of a run that another
 * attempt has taken over is that: what to do next is another thing than after the failure itself.
 */
static void tell_ledger(struct run *run, enum status status, struct error *failure)
{
    struct database *target = run->session->target;
    struct error error;
    if (!run->claim.held || failure->code == ERROR_RUN_FENCED || run->session->stuck) {
        claim_keeper_stop(run->claim.keeper);
        run->claim.keeper = NULL;
        return; /* a lost worker may still be inside the target's code */
    }
    bool before = signals_shield(false);
    if (status == STATUS_FAILED) {
        atomic_store(&target->hurried, true);
        /* a cut-over has a time by which it ends, whoever holds a lock of the target */
        (void)signals_shield(before || run->session->options.cut_over.fence != NULL);
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
    claim_keeper_stop(run->claim.keeper);
    run->claim.keeper = NULL;
    if (ledger_release(run->session->ledger, run->id, run->claim.epoch, &error) != STATUS_OK) {
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

/* A reject that is settled by now is counted no more, wherever this run is told of. */
static void read_book(struct run *run, enum status status)
{
    struct error error = {0};
    if (!run->claim.held || run->session->stuck || status == STATUS_FAILED) {
        return;
    }
    if (run->loads_rejects) {
        struct reject_book_sum *sum = arena_allocate_zeroed(run->arena, 1, sizeof *sum);
        if (reject_past_sum(run, run->arena, sum, &error) == STATUS_OK) {
            run->rejects.of_copy = sum;
        }
        return;
    }
    if (reject_book_load(run, &error) != STATUS_OK ||
        reject_book_read_copied(run->rejects.book, &error) != STATUS_OK) {
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
    return session->options.follow.wanted && !run_command_cuts_over(session->options.command) &&
           !run->refused && run->status.phase == LEDGER_FOLLOWING && source_now_may_cause(error) &&
           (source_now_causes(session, NULL, 0, error) ||
            session->options.follow.source_failures < SOURCE_FAILURES_MAX);
}

/* Did a copy let go of the source's tables, since somebody waited for them (ERROR_CLASS_STOP of a
 * reader)? It goes on at a new moment of the source: the changes in between put that right. */
static bool gives_way(const struct run *run, const struct error *error)
{
    const struct run_options *options = &run->session->options;
    return options->follow.wanted && run->claim.held && run->header.feed != NULL &&
           run->status.phase == LEDGER_COPYING && error->code == ERROR_SOURCE_LOCKED &&
           error->class == ERROR_CLASS_STOP &&
           options->follow.source_failures < SOURCE_FAILURES_MAX;
}

/* Ends an attempt that failed so that another one goes on at once. */
static void end_overtaken(struct run *run, const char *next, const struct error *error)
{
    log_write(LOG_WARNING, "%s%s: %s: %s", error->context, error->object, error->message, next);
    run->following.end = FOLLOW_OVERTAKEN;
}

/* Does the ledger have it? What nobody can say now a resume finds out. */
static bool may_be_made(struct run *run)
{
    struct error ignored = {0};
    struct ledger_run *made;
    return run->claim.held ||
           (run->claim.makes_ledger &&
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
    result->source_failed = status == STATUS_FAILED && run->following.end == FOLLOW_OVERTAKEN;
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
    if (status == STATUS_FAILED && run->claim.held && !run->session->stuck) {
        hooks_on_failure(run, error);
    }
    tell_ledger(run, status, error);
    read_book(run, status);
    if (run->record.ready) {
        status = end_local(run, status, error);
        run_report_end(run, result);
    }
    fill_result(run, status, result);
    bool loaded_nothing = status == STATUS_FAILED && run->loads_rejects && !may_be_made(run);
    if (!run->record.ready || loaded_nothing) {
        result->run_id[0] = '\0'; /* nothing began that a resume could go on with */
    }
    tell_end(run, status);
    run_close_files(run);
    run_destroy(run);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
