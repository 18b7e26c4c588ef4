/* The changes of a history as its acts and steps leave them. */
#include "base/failpoint.h"
#include "evolve/change/run_internal.h"
#include "evolve/change/stored.h"
#include <string.h>

const char *change_state_name(enum change_state state)
{
    static const char *const names[] = {
        [CHANGE_NONE] = "none",           [CHANGE_STARTING] = "starting",
        [CHANGE_STARTED] = "started",     [CHANGE_COMPLETING] = "completing",
        [CHANGE_COMPLETED] = "completed", [CHANGE_ABORTING] = "aborting",
        [CHANGE_ABORTED] = "aborted",
    };
    return names[state];
}

/* ---------------------------------------------------------------- acts */

struct reading {
    struct arena *arena;
    struct change_views *views;
    uint32_t capacity;
};

static const char *view_copy(struct reading *reading, const char *text)
{
    return text == NULL ? NULL : arena_copy_string(reading->arena, text);
}

static void add_change(struct reading *reading, const struct history_row *row)
{
    struct change_views *views = reading->views;
    views->items = arena_make_room(reading->arena, views->items, views->count, &reading->capacity,
                                   sizeof(*views->items));
    views->items[views->count++] = (struct change_view){
        .state = row->state == HISTORY_DONE     ? CHANGE_COMPLETED
                 : row->state == HISTORY_FAILED ? CHANGE_ABORTED
                                                : CHANGE_STARTING,
        .version = view_copy(reading, row->version != NULL ? row->version : ""),
        .name = view_copy(reading, row->name != NULL ? row->name : ""),
        .checksum = view_copy(reading, row->checksum != NULL ? row->checksum : ""),
        .who = view_copy(reading, row->who),
        .error = view_copy(reading, row->error),
        .number = row->number,
        .begun_us = row->begun_us,
        .ended_us = row->ended_us};
}

static void add_abort(struct reading *reading, const struct history_row *row)
{
    const char *version = row->version != NULL ? row->version : "";
    struct change_view *view = change_of_version(reading->views, version);
    if (view == NULL || view->state == CHANGE_COMPLETED || row->state == HISTORY_FAILED) {
        return; /* or it was given up */
    }
    view->abort = row->number;
    view->state = row->state == HISTORY_DONE ? CHANGE_ABORTED : CHANGE_ABORTING;
    view->ended_us = row->ended_us;
    if (row->error != NULL) {
        view->error = view_copy(reading, row->error);
    }
}

static enum status visit_act(void *context, const struct history_row *row, struct error *error)
{
    struct reading *reading = context;
    (void)error;
    if (row->action == HISTORY_CHANGE) {
        add_change(reading, row);
    } else if (row->action == HISTORY_ABORT) {
        add_abort(reading, row);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- steps */

struct step_reading {
    struct arena *arena;
    struct change_view *view;
    bool undoes;
};

static enum status visit_step(void *context, const struct history_step *step, struct error *error)
{
    struct step_reading *reading = context;
    (void)error;
    if (step->step == 0 || step->step > reading->view->plan.count) {
        return STATUS_OK;
    }
    struct change_step_state *state = &reading->view->steps[step->step - 1];
    if (reading->undoes) {
        state->undone = step->state == HISTORY_STEP_DONE;
        return STATUS_OK;
    }
    state->begun = true;
    state->done = step->state == HISTORY_STEP_DONE;
    state->rows = step->rows;
    state->position = step->witness == NULL || step->witness[0] == '\0'
                          ? NULL
                          : arena_copy_string(reading->arena, step->witness);
    return STATUS_OK;
}

static enum status read_steps(struct schema_work *work, struct arena *arena,
                              struct change_view *view, struct error *error)
{
    struct step_reading reading = {.arena = arena, .view = view};
    const char *text = NULL;
    if (work->alter->history_down_text(work->session, view->number, arena, &text, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (change_plan_read(text != NULL ? text : "{}", arena, &view->plan, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    view->steps = arena_allocate_zeroed(arena, view->plan.count + 1, sizeof(*view->steps));
    if (work->alter->history_read_steps(work->session, view->number, visit_step, &reading, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    reading.undoes = true;
    return view->abort == 0 ? STATUS_OK
                            : work->alter->history_read_steps(work->session, view->abort,
                                                              visit_step, &reading, error);
}

static void set_state(struct change_view *view)
{
    if (view->state != CHANGE_STARTING) {
        return;
    }
    view->state = change_is_done(view, CHANGE_OPEN) ? CHANGE_STARTED : CHANGE_STARTING;
    for (uint32_t i = 0; i < view->plan.count; i++) {
        if (view->plan.steps[i].phase == CHANGE_CONTRACT && view->steps[i].begun) {
            view->state = CHANGE_COMPLETING;
        }
    }
}

/* ---------------------------------------------------------------- all of it */

bool change_is_done(const struct change_view *view, enum change_phase last)
{
    for (uint32_t i = 0; i < view->plan.count; i++) {
        if (view->plan.steps[i].phase <= last && !view->steps[i].done) {
            return false;
        }
    }
    return true;
}

struct change_view *change_under_way(const struct change_views *views)
{
    for (uint32_t i = views->count; i > 0; i--) {
        enum change_state state = views->items[i - 1].state;
        if (state != CHANGE_COMPLETED && state != CHANGE_ABORTED) {
            return &views->items[i - 1];
        }
    }
    return NULL;
}

struct change_view *change_of_version(const struct change_views *views, const char *version)
{
    for (uint32_t i = views->count; i > 0; i--) {
        if (strcmp(views->items[i - 1].version, version) == 0) {
            return &views->items[i - 1];
        }
    }
    return NULL;
}

enum status change_read(struct schema_work *work, struct arena *arena, struct change_views *views,
                        struct error *error)
{
    struct reading reading = {.arena = arena, .views = views};
    *views = (struct change_views){0};
    if (work->alter->history_read(work->session, visit_act, &reading, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct change_view *view = change_under_way(views);
    if (view == NULL) {
        return STATUS_OK;
    }
    if (read_steps(work, arena, view, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    set_state(view);
    return STATUS_OK;
}
