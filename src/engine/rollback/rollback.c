/* Taking a run back, step by step: each can be repeated, and the ledger knows which are done. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/signals.h"
#include "engine/before/before.h"
#include "engine/ledger/json_text.h"
#include "engine/rejects/reject_past.h"
#include "engine/rollback/rollback_parts.h"
#include "engine/session/since.h"
#include "engine/state/claim.h"
#include "engine/state/run_state.h"
#include "observe/observer.h"
#include <inttypes.h>
#include <string.h>

static enum status rollback_begin(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    if (failpoint_hit("rollback.before_begin", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (run->status.undone == NULL) {
        run->status.undone = json_array();
    }
    run->status.phase = LEDGER_ROLLING_BACK;
    return run_put_status(run, error) == STATUS_OK &&
                   failpoint_hit("rollback.after_begin", error) == STATUS_OK
               ? rollback_note_begun(rollback, error)
               : STATUS_FAILED;
}

/* A table that the run made, with undo records: it goes if nothing of others is left in it. */
static enum status drop_if_empty(struct rollback *rollback, uint32_t number, struct error *error)
{
    struct database *target = rollback->session.target;
    const struct target_table *table = &rollback->tables[number];
    uint64_t count = 0;
    bool exists = false;
    bool filled = false;
    if (!table->created) {
        return STATUS_OK;
    }
    if (target->connector->target->inspect(target, table, 1, &exists, &filled, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!exists) {
        return target->connector->rollback->remove_table(target, table, error);
    }
    if (filled || target->connector->target->count(target, table, &count, error) != STATUS_OK) {
        return filled ? STATUS_OK : STATUS_FAILED;
    }
    if (count > 0) {
        return STATUS_OK;
    }
    rollback->report.tables[number].dropped = true;
    return target->connector->rollback->remove_table(target, table, error);
}

static void add_counts(struct rollback_table_report *report, const struct undo_counts *counts)
{
    report->removed += counts->removed;
    report->restored += counts->restored;
    report->changed += counts->changed;
    report->missing += counts->missing;
    report->differing = counts->differing;
}

/* Changes that the look counted are told as they are done. */
static void forget_counts(struct rollback *rollback)
{
    for (uint32_t i = 0; i < rollback->report.table_count; i++) {
        struct rollback_table_report *report = &rollback->report.tables[i];
        if (report->action == ROLLBACK_UNDO || rollback_has_deleted(rollback, i)) {
            rollback->looked[i].counts = (struct undo_counts){.removed = report->removed,
                                                              .restored = report->restored,
                                                              .changed = report->changed,
                                                              .missing = report->missing,
                                                              .differing = report->differing};
            report->removed = report->restored = report->changed = report->missing = 0;
        }
    }
}

/* Records that the target kept from being what they were are taken off the other counts of the
 * look. */
static void count_differing(struct rollback_table_report *report, uint64_t differing)
{
    uint64_t more = differing > report->differing ? differing - report->differing : 0;
    uint64_t restored = more < report->restored ? more : report->restored;
    uint64_t removed = more - restored < report->removed ? more - restored : report->removed;
    report->restored -= restored;
    report->removed -= removed;
    report->differing = differing;
}

/* A try whose answer was lost may have done all, and the next one finds nothing left to be done. */
static void count_repeated(struct rollback *rollback)
{
    for (uint32_t i = 0; i < rollback->report.table_count; i++) {
        struct rollback_table_report *report = &rollback->report.tables[i];
        if (rollback->looked[i].repeated) {
            uint64_t differing = report->differing;
            report->removed = report->restored = report->changed = report->missing = 0;
            add_counts(report, &rollback->looked[i].counts);
            count_differing(report, differing);
        }
    }
}

/* A record that is left counts as changed only when no call moves anything any more. */
static void note_left(struct rollback *rollback, const struct undo_counts *counts, uint64_t *left)
{
    rollback->moved |= counts->removed + counts->restored > 0;
    *left = counts->left;
}

static enum status undo_records(struct rollback *rollback, uint32_t number, struct error *error)
{
    struct database *target = rollback->session.target;
    const struct rollback_functions *functions = target->connector->rollback;
    struct rollback_table_report *report = &rollback->report.tables[number];
    struct undo_counts counts = {0};
    enum status status = functions->undo != NULL
                             ? functions->undo(target, &rollback->tables[number],
                                               rollback->run.status.ended_us, false, &counts, error)
                             : before_undo(&rollback->run, number, false, &counts, error);
    if (status != STATUS_OK) {
        return status;
    }
    add_counts(report, &counts);
    note_left(rollback, &counts, &rollback->looked[number].left);
    return drop_if_empty(rollback, number, error);
}

static enum status undo_table(struct rollback *rollback, uint32_t number, struct error *error)
{
    struct database *target = rollback->session.target;
    enum rollback_action action = rollback->report.tables[number].action;
    if (claim_still_holds(&rollback->run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (action == ROLLBACK_UNDO) {
        return undo_records(rollback, number, error);
    }
    if (action == ROLLBACK_NOTHING && !rollback->tables[number].created) {
        return STATUS_OK;
    }
    enum status status = action == ROLLBACK_DROP || action == ROLLBACK_EMPTY
                             ? rollback_check_referrers(rollback, number, error)
                             : STATUS_OK;
    return status == STATUS_OK
               ? target->connector->rollback->remove_table(target, &rollback->tables[number], error)
               : status;
}

/* A failure while a table is taken back names the table, also where it is what somebody's trigger
 * says. */
static enum status name_table(const char *table, enum status status, struct error *error)
{
    bool named = strcmp(error->object, table) == 0;
    if (status == STATUS_FAILED && !named && error->code != ERROR_RUN_FENCED) {
        error_context(error, "%s: ", table);
    }
    return status;
}

/* A table goes only after those that refer to it. */
static bool waits(struct rollback *rollback, uint32_t number, enum status status,
                  struct error *error)
{
    struct rollback_looked *looked = &rollback->looked[number];
    bool refused = status == STATUS_FAILED && error->code == ERROR_ROLLBACK_REFUSED;
    bool whole = rollback->report.tables[number].action == ROLLBACK_EMPTY;
    if (whole) {
        looked->left = refused && looked->goes_early;
        rollback->moved |= status == STATUS_OK;
    }
    if (!whole || looked->left == 0) {
        return false;
    }
    if (rollback->refusal.code == ERROR_NONE) {
        error_copy(&rollback->refusal, error);
    }
    error_clear(error);
    return true;
}

static enum status take_back(struct rollback *rollback, uint32_t number, struct error *error)
{
    struct run *run = &rollback->run;
    const struct rollback_table_report *report = &rollback->report.tables[number];
    enum status status;
    struct retry retry;
    if (failpoint_hit("rollback.before_table", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    session_retry_begin(&rollback->session, &retry);
    do {
        status = undo_table(rollback, number, error);
    } while (session_tries_again(&retry, &status, error));
    rollback->looked[number].repeated |= report->action == ROLLBACK_UNDO && retry.failures > 0;
    rollback->moved |= retry.failures > 0;
    status = name_table(report->name, status, error);
    if (waits(rollback, number, status, error)) {
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    log_write(LOG_DEBUG, "rolled back table %s: %s", report->name,
              rollback_action_name(report->action));
    progress_moved(&rollback->session.progress, clock_monotonic_ms());
    if (rollback_has_deleted(rollback, number) || rollback->looked[number].left > 0) {
        return failpoint_hit("rollback.after_table", error); /* more may come of it */
    }
    if (report->differing > 0) {
        ledger_status_note_differing(&run->status, report->name, report->differing);
    }
    json_array_append_new(run->status.undone, json_text(report->name));
    atomic_store(&rollback->session.progress.chunks_done, json_array_size(run->status.undone));
    return run_put_status(run, error) == STATUS_OK ? failpoint_hit("rollback.after_table", error)
                                                   : STATUS_FAILED;
}

/* Records that the run took out, once all others are as they were: what they refer to first. */
static enum status put_deleted_back(struct rollback *rollback, const uint32_t *order,
                                    struct error *error)
{
    struct database *target = rollback->session.target;
    enum status status = STATUS_OK;
    for (uint32_t i = rollback->report.table_count; i > 0; i--) {
        uint32_t number = order[i - 1];
        struct undo_counts counts = {0};
        if (!rollback_has_deleted(rollback, number)) {
            continue;
        }
        if (signals_stop_level() > 0) {
            return STATUS_END;
        }
        struct retry retry;
        session_retry_begin(&rollback->session, &retry);
        do {
            status = claim_still_holds(&rollback->run, error);
            status = status == STATUS_OK
                         ? target->connector->rollback->undo_deleted(
                               target, &rollback->tables[number], false, &counts, error)
                         : status;
        } while (session_tries_again(&retry, &status, error));
        rollback->looked[number].repeated |= retry.failures > 0;
        rollback->moved |= retry.failures > 0;
        if (status != STATUS_OK) {
            return name_table(rollback->report.tables[number].name, status, error);
        }
        add_counts(&rollback->report.tables[number], &counts);
        note_left(rollback, &counts, &rollback->looked[number].away);
    }
    return STATUS_OK;
}

static enum status undo_tables(struct rollback *rollback, const uint32_t *order, bool again,
                               struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < rollback->report.table_count && status == STATUS_OK; i++) {
        uint32_t number = order[i];
        if (signals_stop_level() > 0) {
            return STATUS_END;
        }
        if (!rollback_is_undone(rollback, rollback->report.tables[number].name) &&
            (!again || rollback->looked[number].left > 0)) {
            status = take_back(rollback, number, error);
        }
    }
    return status;
}

/* Where the run took records out, too, others may wait for those, and those for others. */
static enum status take_records_back(struct rollback *rollback, const uint32_t *order,
                                     struct error *error)
{
    uint64_t left = 0;
    enum status status = STATUS_OK;
    for (bool again = false; status == STATUS_OK; again = true) {
        rollback->moved = false;
        status = undo_tables(rollback, order, again, error);
        status = status == STATUS_OK ? put_deleted_back(rollback, order, error) : status;
        left = 0;
        for (uint32_t i = 0; i < rollback->report.table_count; i++) {
            left += rollback->looked[i].left + rollback->looked[i].away;
        }
        if (left == 0 || !rollback->moved) {
            break;
        }
        rollback->refusal = (struct error){0};
    }
    if (status == STATUS_OK && rollback->refusal.code != ERROR_NONE) {
        error_copy(error, &rollback->refusal);
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < rollback->report.table_count && left > 0; i++) {
        rollback->report.tables[i].changed += rollback->looked[i].left + rollback->looked[i].away;
    }
    return status;
}

/* Said before the run is forgotten: whoever calls it then finds nothing of it. */
static void tell_differing(const struct rollback *rollback)
{
    for (uint32_t i = 0; i < rollback->report.table_count; i++) {
        const struct rollback_table_report *report = &rollback->report.tables[i];
        if (report->differing > 0) {
            log_write(LOG_WARNING,
                      "%s: %" PRIu64 " record%s not as %s before the run: a trigger or a rule of "
                      "the table did something else with %s",
                      report->name, report->differing, report->differing == 1 ? " is" : "s are",
                      report->differing == 1 ? "it was" : "they were",
                      report->differing == 1 ? "it" : "them");
        }
    }
}

static enum status rollback_forget(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    if (failpoint_hit("rollback.before_forget", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    claim_keeper_stop(run->claim.keeper);
    run->claim.keeper = NULL;
    enum status status;
    struct retry retry;
    session_retry_begin(&rollback->session, &retry);
    do {
        status = since_take_back(rollback->session.ledger, &run->header, error);
        status = status == STATUS_OK ? reject_past_take_back(run, error) : status;
        status = status == STATUS_OK ? ledger_forget(rollback->session.ledger, run->id,
                                                     run->claim.epoch, true, error)
                                     : status;
    } while (session_tries_again(&retry, &status, error));
    if (status != STATUS_OK) {
        return status;
    }
    run->claim.held = false;
    return failpoint_hit("rollback.after_forget", error);
}

enum status rollback_remove_objects(struct rollback *rollback, bool dry_run, struct buffer *what,
                                    struct error *error)
{
    struct database *target = rollback->session.target;
    const struct rollback_functions *functions = target->connector->rollback;
    enum status status;
    struct retry retry;
    if (functions->remove_objects == NULL) {
        return STATUS_OK;
    }
    session_retry_begin(&rollback->session, &retry);
    do {
        buffer_clear(what);
        status = functions->remove_objects(target, dry_run, what, error);
    } while (session_tries_again(&retry, &status, error));
    return status;
}

static enum status remove_objects(struct rollback *rollback, struct error *error)
{
    struct buffer said = {0};
    enum status status = rollback_remove_objects(rollback, false, &said, error);
    buffer_free(&said);
    return status == STATUS_OK ? failpoint_hit("rollback.after_objects", error) : status;
}

/* Circles that no order of the tables opens. */
static enum status loosen_tables(struct rollback *rollback, struct error *error)
{
    struct database *target = rollback->session.target;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < rollback->report.table_count; i++) {
        struct retry retry;
        if (!rollback->looked[i].loosened ||
            rollback_is_undone(rollback, rollback->report.tables[i].name)) {
            continue;
        }
        session_retry_begin(&rollback->session, &retry);
        do {
            status = claim_still_holds(&rollback->run, error);
            status = status == STATUS_OK
                         ? target->connector->rollback->loosen(target, &rollback->tables[i], error)
                         : status;
        } while (session_tries_again(&retry, &status, error));
        status = name_table(rollback->report.tables[i].name, status, error);
    }
    return status == STATUS_OK ? failpoint_hit("rollback.after_loosening", error) : status;
}

static enum status take_all_back(struct rollback *rollback, struct error *error)
{
    uint32_t *order = NULL;
    if (rollback_begin(rollback, error) != STATUS_OK ||
        rollback_order(rollback, &order, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = remove_objects(rollback, error);
    status = status == STATUS_OK ? loosen_tables(rollback, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    forget_counts(rollback);
    status = take_records_back(rollback, order, error);
    count_repeated(rollback);
    if (status != STATUS_OK) {
        return status;
    }
    tell_differing(rollback);
    status = rollback_forget(rollback, error);
    return status == STATUS_OK ? rollback_end_local(rollback, error) : status;
}

static void tell_begin(struct rollback *rollback)
{
    struct run_session *session = &rollback->session;
    struct progress *progress = &session->progress;
    const struct run_identity identity = {.run = rollback->run.id,
                                          .kind = "rollback",
                                          .source = "",
                                          .target = session->target->connector->name};
    observer_identify(session->options.observer, &identity);
    atomic_store(&progress->chunks_total, rollback->report.table_count);
    log_event(LOG_DEBUG,
              EVENT_OF(EVENT_RUN, .code = identity.kind,
                       .state = rollback->has_begun ? "resumed" : "began"),
              "rollback of run %s", rollback->run.id);
    progress_enter(progress, PROGRESS_UNDO);
}

static void tell_end(struct rollback *rollback, enum status status)
{
    struct progress *progress = &rollback->session.progress;
    int64_t took_ms = clock_monotonic_ms() - progress->started_ms;
    const char *state = status == STATUS_OK    ? "completed"
                        : status == STATUS_END ? "interrupted"
                                               : "failed";
    if (status == STATUS_OK) {
        atomic_store(&progress->chunks_done, rollback->report.table_count);
        progress_enter(progress, PROGRESS_DONE);
    }
    log_event(LOG_DEBUG,
              EVENT_OF(EVENT_RUN, .code = "rollback", .state = state, .milliseconds = took_ms),
              "rollback: %s", state);
    observer_end(rollback->session.options.observer, (double)took_ms / 1000);
}

enum status rollback_run(struct rollback *rollback, struct error *error)
{
    tell_begin(rollback);
    enum status status = take_all_back(rollback, error);
    tell_end(rollback, status);
    if (status == STATUS_FAILED) {
        atomic_store(&rollback->session.target->hurried, true);
    }
    return status;
}
