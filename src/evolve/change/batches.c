/* The batches of a step: each is a transaction with the note of how far it got. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "evolve/change/run_internal.h"
#include <inttypes.h>
#include <string.h>

enum { ROWS_FIRST = 500, TELL_MS = 200 };

struct batches {
    struct change_work *work;
    uint32_t number;
    const struct change_step *step;
    bool noted;           /* in the history */
    const char *position; /* NULL: at the beginning */
    struct arena *arenas[2];
    int turn;
    bool over;
    uint64_t want; /* rows of the next batch */
    uint64_t rows;
    uint64_t wrong;
    char first_wrong[128];
    uint64_t total;
    int64_t began_ms;
    uint64_t began_rows;
    int64_t told_ms;
};

static void batches_tell(struct batches *batches, enum change_event_kind kind)
{
    int64_t now = clock_monotonic_ms();
    if (kind == CHANGE_STEP_PROGRESS && now - batches->told_ms < TELL_MS) {
        return;
    }
    batches->told_ms = now;
    int64_t ms = now - batches->began_ms;
    const struct change_event event = {
        .kind = kind,
        .step = batches->step,
        .number = batches->number,
        .steps = batches->work->view.plan.count,
        .rows = batches->rows,
        .rows_total = batches->total > batches->rows ? batches->total : batches->rows,
        .rows_s = ms > 0 ? 1000.0 * (double)(batches->rows - batches->began_rows) / (double)ms : 0,
        .part = -1,
        .ms = ms};
    change_tell(batches->work, &event);
}

/* ---------------------------------------------------------------- one batch */

/* The rows, and how far they go, in one commit where there are commits. */
static enum status run_batch(struct batches *batches, struct arena *arena,
                             struct change_batch *batch, struct error *error)
{
    struct change_work *work = batches->work;
    if (failpoint_hit("change.before_batch", error) != STATUS_OK ||
        work->change->batch(work->base.session, batches->step, batches->position, batches->want,
                            arena, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!batches->noted) {
        return STATUS_OK;
    }
    if (failpoint_hit("change.in_batch", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* A difference keeps the step from ever being done: it is run again from its beginning. */
    bool done = batch->position == NULL && batches->wrong + batch->wrong == 0;
    const char *position = batches->wrong + batch->wrong > 0 ? "" : batch->position;
    return change_put_step(work, work->view.number, batches->number,
                           done ? HISTORY_STEP_DONE : HISTORY_STEP_INTENT,
                           batches->rows + batch->rows, done ? "" : position, error);
}

static enum status commit_batch(struct batches *batches, struct arena *arena,
                                struct change_batch *batch, struct error *error)
{
    const struct schema_work *base = &batches->work->base;
    *batch = (struct change_batch){0};
    if (base->alter->begin == NULL) {
        return run_batch(batches, arena, batch, error);
    }
    if (base->alter->begin(base->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = run_batch(batches, arena, batch, error);
    return base->alter->end(base->session, status, error);
}

/* A deadlock, a lock that others hold, a row that fails and is to be named: the batch is tried
 * again with fewer rows. */
static enum status try_batch(struct batches *batches, struct change_batch *batch,
                             struct error *error)
{
    struct change_work *work = batches->work;
    struct arena *arena = batches->arenas[batches->turn];
    struct change_patience patience;
    change_be_patient(work, &patience);
    arena_reset(arena);
    for (;;) {
        enum status status = commit_batch(batches, arena, batch, error);
        if (status == STATUS_OK) {
            return status;
        }
        bool divides = batch->one_failed && batches->want > 1;
        if (divides ? change_check_stop(work, error) != STATUS_OK
                    : !change_try_again(&patience, error)) {
            return STATUS_FAILED;
        }
        error_clear(error);
        batches->want = batches->want / 2 > 0 ? batches->want / 2 : 1;
    }
}

static void batches_take(struct batches *batches, const struct change_batch *batch)
{
    batches->rows += batch->rows;
    if (batch->wrong > 0 && batches->wrong == 0 && batch->first_wrong != NULL) {
        size_t length = strnlen(batch->first_wrong, sizeof(batches->first_wrong) - 1);
        memcpy(batches->first_wrong, batch->first_wrong, length);
        batches->first_wrong[length] = '\0';
    }
    batches->wrong += batch->wrong;
    batches->position = batch->position;
    batches->over = batch->position == NULL;
    batches->turn = 1 - batches->turn; /* the position lives until the next batch is over */
}

static enum status batches_go(struct batches *batches, struct error *error)
{
    struct change_work *work = batches->work;
    struct change_batch batch;
    while (!batches->over) {
        int64_t begun = clock_monotonic_ms();
        if (change_check_stop(work, error) != STATUS_OK ||
            try_batch(batches, &batch, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        batches_take(batches, &batch);
        int64_t ms = clock_monotonic_ms() - begun;
        batches->want = change_next_rows(work, batches->want, batch.rows, ms);
        batches_tell(batches, CHANGE_STEP_PROGRESS);
        if (failpoint_hit("change.after_batch", error) != STATUS_OK ||
            (!batches->over && change_give_way(work, batches->number, ms, error) != STATUS_OK)) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of them */

static enum status batches_judge(const struct batches *batches, struct error *error)
{
    if (batches->wrong == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_CHANGE_UNPROVEN, NULL,
              "%s: %" PRIu64 " of %" PRIu64 " rows are not as they should be, the first one %s",
              batches->step->title, batches->wrong, batches->rows,
              batches->first_wrong[0] != '\0' ? batches->first_wrong : "without a key");
    return error_hint(error, "Put them right, or what is declared, and give the command again; "
                             "`transhume change abort` takes the change back.");
}

static enum status run_batches(struct change_work *work, uint32_t number, bool noted,
                               struct error *error)
{
    struct change_step_state *state = &work->view.steps[number - 1];
    struct batches batches = {.work = work,
                              .number = number,
                              .step = &work->view.plan.steps[number - 1],
                              .noted = noted,
                              .position = noted ? state->position : NULL,
                              .arenas = {arena_create(0), arena_create(0)},
                              .want = ROWS_FIRST,
                              .began_ms = clock_monotonic_ms()};
    batches.rows = noted && batches.position != NULL ? state->rows : 0;
    batches.began_rows = batches.rows;
    work->rows_ms = 0;
    enum status status = STATUS_OK;
    if (work->change->estimate != NULL) {
        status = work->change->estimate(work->base.session, batches.step, &batches.total, error);
    }
    batches_tell(&batches, CHANGE_STEP_BEGINS);
    work_relax(&work->base, true);
    status = status == STATUS_OK ? batches_go(&batches, error) : status;
    work_relax(&work->base, false);
    status = status == STATUS_OK ? batches_judge(&batches, error)
                                 : change_fail_step(work, number, error);
    if (status == STATUS_OK) {
        state->done = state->done || noted;
        state->seen = batches.began_rows == 0;
        state->rows = batches.rows;
        batches_tell(&batches, CHANGE_STEP_ENDS);
    }
    arena_destroy(batches.arenas[0]);
    arena_destroy(batches.arenas[1]);
    return status;
}

enum status change_run_batches(struct change_work *work, uint32_t number, struct error *error)
{
    return run_batches(work, number, true, error);
}

enum status change_repeat_batches(struct change_work *work, uint32_t number, struct error *error)
{
    return run_batches(work, number, false, error);
}
