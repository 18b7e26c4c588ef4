/* A person says that a step which cannot succeed is not needed, or was done by hand. */
#include "base/failpoint.h"
#include "evolve/change/run_internal.h"
#include <inttypes.h>

/* The number of the step that is next; 0: there is none that could be passed over. */
static uint32_t next_step(const struct change_view *view)
{
    if (view->state == CHANGE_COMPLETING) {
        for (uint32_t i = 0; i < view->plan.count; i++) {
            if (!view->steps[i].done) {
                return i + 1;
            }
        }
    }
    for (uint32_t i = 0; view->state == CHANGE_STARTING && i < view->plan.count; i++) {
        if (!view->steps[i].done) { /* one of which it can't be told whether it was carried out */
            return view->steps[i].begun && view->plan.steps[i].said ? i + 1 : 0;
        }
    }
    for (uint32_t i = view->plan.count; view->state == CHANGE_ABORTING && i > 0; i--) {
        if (view->steps[i - 1].begun && !view->steps[i - 1].undone) {
            return i;
        }
    }
    return 0;
}

static enum status skip_refuse(const struct change_view *view, uint32_t next, struct error *error)
{
    if (next == 0) {
        error_set(error, ERROR_CHANGE_REFUSED, view->version,
                  "steps are passed over once its completion or its abort was begun: it is %s",
                  change_state_name(view->state));
        return error_hint(error, "Before that `transhume change abort DB` takes it back.");
    }
    error_set(error, ERROR_CHANGE_REFUSED, view->version,
              "the step that is next is %" PRIu32 ": %s", next, view->plan.steps[next - 1].title);
    return error_hint(error, "`transhume change status DB` lists the steps.");
}

enum status change_skip(struct change_work *work, struct error *error)
{
    struct change_view *view = &work->view;
    uint32_t next = next_step(view);
    if (next == 0 || next != work->options->step) {
        return skip_refuse(view, next, error);
    }
    uint64_t act = view->state == CHANGE_ABORTING ? view->abort : view->number;
    if (failpoint_hit("change.before_skip", error) != STATUS_OK ||
        change_put_step(work, act, next, HISTORY_STEP_DONE, 0, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    view->steps[next - 1].done = view->state != CHANGE_ABORTING || view->steps[next - 1].done;
    view->steps[next - 1].undone = view->state == CHANGE_ABORTING;
    return STATUS_OK;
}
