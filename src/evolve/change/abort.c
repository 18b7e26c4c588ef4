/* The way back: what stands is undone, the last step first, as an act of its own. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "evolve/change/run_internal.h"
#include <inttypes.h>

static enum status put_abort(struct change_work *work, enum history_state state,
                             struct error *error)
{
    const struct change_view *view = &work->view;
    struct history_row row =
        work_row(&work->base, view->abort, HISTORY_ABORT, state, view->version, view->name);
    row.checksum = view->checksum;
    row.steps = view->plan.count;
    return work->base.alter->history_put(work->base.session, &row, error);
}

/* ---------------------------------------------------------------- one step */

static enum status undo_once(struct change_work *work, uint32_t number, struct error *error)
{
    const struct schema_work *base = &work->base;
    const struct change_step *step = &work->view.plan.steps[number - 1];
    uint64_t rows = 0;
    bool bound = change_is_bound(work, step) ||
                 (base->alter->begin != NULL && base->alter->takes_back_ddl && !step->alone);
    if (bound && base->alter->begin(base->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        step->undo == NULL ? STATUS_OK : change_run_text(work, number, step->undo, &rows, error);
    if (status == STATUS_OK && base->alter->agree != NULL && !bound) {
        status = base->alter->agree(base->session, error);
    }
    if (status == STATUS_OK) {
        status =
            change_put_step(work, work->view.abort, number, HISTORY_STEP_DONE, rows, NULL, error);
    }
    return bound ? base->alter->end(base->session, status, error) : status;
}

/* Is there anything of it? Of one that is a transaction with its note the note says so. */
static enum status stands(struct change_work *work, uint32_t number, bool *stands,
                          struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    const struct change_step_state *state = &work->view.steps[number - 1];
    enum change_stands answer = CHANGE_STANDS;
    *stands = state->begun;
    /* A way back that was begun and not noted may have been carried out, too. */
    bool asks = state->begun && step->stands != NULL && !change_is_bound(work, step);
    if (asks && change_ask_stands(work, step, &answer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *stands = *stands && answer != CHANGE_STANDS_NOT;
    return STATUS_OK;
}

static enum status abort_undo(struct change_work *work, uint32_t number, struct error *error)
{
    struct change_step_state *state = &work->view.steps[number - 1];
    struct change_patience patience;
    bool is_there;
    if (stands(work, number, &is_there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!is_there) {
        state->undone = true;
        return STATUS_OK;
    }
    change_be_patient(work, &patience);
    enum status status = change_set_session(work, number, error);
    while (status == STATUS_OK && (status = undo_once(work, number, error)) != STATUS_OK &&
           change_try_again(&patience, error)) {
        /* Without a transaction it may have been carried out although what followed it failed. */
        status = stands(work, number, &is_there, error);
        if (status == STATUS_OK && !is_there) {
            break;
        }
    }
    if (change_settle_session(work, number, status, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    state->undone = true;
    const struct change_event event = {.kind = CHANGE_STEP_UNDONE,
                                       .step = &work->view.plan.steps[number - 1],
                                       .number = number,
                                       .steps = work->view.plan.count,
                                       .part = -1};
    change_tell(work, &event);
    return failpoint_hit("change.after_undo", error);
}

/* ---------------------------------------------------------------- all of them */

static enum status put_end(struct change_work *work, struct error *error)
{
    if (failpoint_hit("change.before_abort_end", error) != STATUS_OK ||
        put_abort(work, HISTORY_DONE, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return change_put_act(work, HISTORY_FAILED, NULL, "aborted", error);
}

static enum status end_abort(struct change_work *work, struct error *error)
{
    const struct schema_work *base = &work->base;
    if (base->alter->begin == NULL) {
        return put_end(work, error);
    }
    if (base->alter->begin(base->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return base->alter->end(base->session, put_end(work, error), error);
}

enum status change_give_up_abort(struct change_work *work, struct error *error)
{
    if (put_abort(work, HISTORY_FAILED, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    work->view.abort = 0;
    work->view.state = CHANGE_STARTED;
    return failpoint_hit("change.after_give_up", error);
}

enum status change_take_back(struct change_work *work, struct error *error)
{
    struct change_view *view = &work->view;
    if (view->abort == 0) {
        view->abort = ++work->base.history.last_number;
        if (put_abort(work, HISTORY_RUNNING, error) != STATUS_OK ||
            failpoint_hit("change.after_abort_row", error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = view->plan.count; i > 0; i--) {
        arena_reset(work->base.act_arena);
        if (view->steps[i - 1].undone) {
            continue;
        }
        if (change_check_stop(work, error) != STATUS_OK ||
            abort_undo(work, i, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (end_abort(work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    view->state = CHANGE_ABORTED;
    return STATUS_OK;
}
