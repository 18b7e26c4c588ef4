/*
 * The steps of a change, one after the other. Where schema changes are taken back with their
 * transaction a step and its note are one commit; elsewhere it is announced before it runs, and who
 * finds that it was begun asks whether it stands.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/signals.h"
#include "evolve/change/run_internal.h"
#include "evolve/change/stored.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void change_tell(const struct change_work *work, const struct change_event *event)
{
    if (work->options->observe != NULL) {
        work->options->observe(work->options->context, event);
    }
}

enum status change_check_stop(const struct change_work *work, struct error *error)
{
    if (signals_stop_level() == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_INTERRUPTED, NULL, "stopped behind what is done");
    return error_hint(error, "`%s` goes on; `transhume change abort` takes it back.",
                      work->options->schema.program);
}

bool change_is_lost(const struct error *error)
{
    return error->code == ERROR_NETWORK || error->code == ERROR_TARGET_UNKNOWN_OUTCOME;
}

/* ---------------------------------------------------------------- notes */

enum status change_put_step(struct change_work *work, uint64_t act, uint32_t number,
                            enum history_step_state state, uint64_t rows, const char *position,
                            struct error *error)
{
    char checksum[MIGRATION_CHECKSUM_SIZE];
    const struct change_step *step = &work->view.plan.steps[number - 1];
    migration_checksum(step->text, strlen(step->text), checksum);
    const struct history_step note = {.number = act,
                                      .step = number,
                                      .state = state,
                                      .checksum = checksum,
                                      .witness = position,
                                      .rows = rows};
    return work->base.alter->history_put_step(work->base.session, &note, error);
}

enum status change_put_act(struct change_work *work, enum history_state state, const char *plan,
                           const char *problem, struct error *error)
{
    const struct change_view *view = &work->view;
    struct history_row row =
        work_row(&work->base, view->number, HISTORY_CHANGE, state, view->version, view->name);
    row.checksum = view->checksum;
    row.steps = view->plan.count;
    row.down_text = plan;
    row.error = problem;
    return work->base.alter->history_put(work->base.session, &row, error);
}

/* ---------------------------------------------------------------- one statement */

struct watching {
    const struct change_work *work;
    uint32_t number;
    int64_t began_ms;
};

static void tell_part(void *context, double part, const char *doing)
{
    const struct watching *watching = context;
    const struct change_event event = {.kind = CHANGE_STEP_PROGRESS,
                                       .step =
                                           &watching->work->view.plan.steps[watching->number - 1],
                                       .number = watching->number,
                                       .steps = watching->work->view.plan.count,
                                       .part = part,
                                       .ms = clock_monotonic_ms() - watching->began_ms,
                                       .text = doing};
    change_tell(watching->work, &event);
}

enum status change_fail_step(const struct change_work *work, uint32_t number, struct error *error)
{
    char message[sizeof(error->message)];
    const struct change_view *view = &work->view;
    const char *title = view->plan.steps[number - 1].title;
    enum error_class class = error->class;
    bool completes = view->plan.steps[number - 1].phase == CHANGE_CONTRACT;
    if (error->class == ERROR_CLASS_RETRY || error->code == ERROR_NETWORK ||
        error->code == ERROR_TARGET_UNKNOWN_OUTCOME || error->code == ERROR_RUN_FENCED ||
        error->code == ERROR_INTERRUPTED || error->code == ERROR_CHANGE_UNPROVEN) {
        return error_context(error, "%s: ", title);
    }
    memcpy(message, error->message, sizeof(message));
    error_set(error, ERROR_MIGRATION_FAILED, NULL, "%s: %s", title, message);
    error->class = class;
    if (view->abort != 0 || completes) {
        return error_hint(error,
                          "Once the cause is gone the same command goes on. If it can't be: do by "
                          "hand what the step is for, then `transhume change skip DB %" PRIu32
                          " --confirm`, and the same command.",
                          number);
    }
    return error_hint(error, "What was made before it stands. Once the cause is gone the same "
                             "command goes on; `transhume change abort` takes it back.");
}

enum status change_run_text(struct change_work *work, uint32_t number, const char *text,
                            uint64_t *rows, struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    struct watching watching = {work, number, clock_monotonic_ms()};
    struct alter_answer answer = {.fault = SIZE_MAX};
    const struct schema_options *options = &work->options->schema;
    /* A step that waits for all others' transactions, as for an index built beside them, would be
     * broken off again and again by a short limit. */
    const struct alter_request request = {.language = step->language,
                                          .text = text,
                                          .length = strlen(text),
                                          .lock_ms = step->alone ? 0 : options->lock_ms,
                                          .time_ms = options->statement_ms,
                                          .progress = tell_part,
                                          .context = &watching};
    if (signals_stop_level() >= 2) {
        return change_check_stop(work, error);
    }
    if (failpoint_hit("change.before_statement", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (work->base.alter->run(work->base.session, &request, &answer, error) != STATUS_OK) {
        return change_fail_step(work, number, error);
    }
    *rows = answer.counts ? answer.rows : 0;
    return failpoint_hit("change.after_statement", error);
}

enum status change_set_session(struct change_work *work, uint32_t number, struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    struct alter_answer answer = {.fault = SIZE_MAX};
    if (step->settings == NULL) {
        return STATUS_OK;
    }
    const struct alter_request request = {
        .language = step->language, .text = step->settings, .length = strlen(step->settings)};
    if (work->base.alter->run(work->base.session, &request, &answer, error) != STATUS_OK) {
        return change_fail_step(work, number, error);
    }
    return STATUS_OK;
}

enum status change_settle_session(struct change_work *work, uint32_t number, enum status status,
                                  struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    struct error ignored;
    if (step->settings == NULL) {
        return status;
    }
    if (status != STATUS_OK) {
        (void)!work->base.alter->settle_session(work->base.session, &ignored);
        return status;
    }
    return work->base.alter->settle_session(work->base.session, error);
}

enum status change_ask_stands(struct change_work *work, const struct change_step *step,
                              enum change_stands *stands, struct error *error)
{
    static const char *const words[] = {"1", "t", "true"};
    const char *answer = NULL;
    *stands = CHANGE_STANDS_NOT;
    if (work->base.alter->ask(work->base.session, step->stands, work->base.act_arena, &answer,
                              error) != STATUS_OK) {
        return error_context(error, "%s: whether it stands: ", step->title);
    }
    for (size_t i = 0; answer != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(answer, words[i]) == 0) {
            *stands = CHANGE_STANDS;
        }
    }
    if (answer != NULL && strcmp(answer, "half") == 0) {
        *stands = CHANGE_STANDS_HALF;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- in a transaction */

bool change_is_bound(const struct change_work *work, const struct change_step *step)
{
    const struct alter_functions *alter = work->base.alter;
    return step->kind == CHANGE_STATEMENT && !step->alone && alter->begin != NULL &&
           (alter->takes_back_ddl || step->with_note);
}

static void tell_step(const struct change_work *work, uint32_t number, enum change_event_kind kind,
                      uint64_t rows, int64_t ms)
{
    const struct change_event event = {.kind = kind,
                                       .step = &work->view.plan.steps[number - 1],
                                       .number = number,
                                       .steps = work->view.plan.count,
                                       .rows = rows,
                                       .part = -1,
                                       .ms = ms};
    change_tell(work, &event);
}

/* How many steps are one transaction with that one. */
static uint32_t count_joined(const struct change_work *work, uint32_t number)
{
    const struct change_plan *plan = &work->view.plan;
    uint32_t count = 1;
    while (number - 1 + count < plan->count && plan->steps[number - 1 + count].joined &&
           change_is_bound(work, &plan->steps[number - 1 + count])) {
        count++;
    }
    return count;
}

static enum status run_joined(struct change_work *work, uint32_t number, uint32_t count,
                              struct error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t rows = 0;
        if (change_run_text(work, number + i, work->view.plan.steps[number - 1 + i].text, &rows,
                            error) != STATUS_OK ||
            change_put_step(work, work->view.number, number + i, HISTORY_STEP_DONE, rows, NULL,
                            error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return failpoint_hit("change.before_commit", error);
}

static enum status run_bound(struct change_work *work, uint32_t number, uint32_t count,
                             struct error *error)
{
    const struct schema_work *base = &work->base;
    struct change_patience patience;
    change_be_patient(work, &patience);
    for (;;) {
        enum status status = base->alter->begin(base->session, error);
        if (status == STATUS_OK) {
            status = base->alter->end(base->session, run_joined(work, number, count, error), error);
        }
        if (status == STATUS_OK) {
            break;
        }
        if (!change_try_again(&patience, error)) {
            return status;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        work->view.steps[number - 1 + i].done = true;
    }
    return failpoint_hit("change.after_commit", error);
}

/* ---------------------------------------------------------------- alone */

/* An object that is there before the step was ever begun is somebody else's: an abort would remove
 * it with what they put in. Where schema changes are taken back by a transaction a step that fails
 * has no way back, and needs no such look. */
static enum status keep_others(struct change_work *work, uint32_t number, struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    enum change_stands stands;
    if (work->base.alter->begin != NULL || step->stands == NULL || step->undo == NULL) {
        return STATUS_OK;
    }
    if (change_ask_stands(work, step, &stands, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (stands == CHANGE_STANDS_NOT) {
        return STATUS_OK;
    }
    error_set(error, ERROR_CHANGE_REFUSED, NULL, "%s: it is there already, and not by this change",
              step->title);
    return error_hint(error, "Remove or rename it, and give the command again; `transhume change "
                             "abort` leaves it as it is.");
}

/* Noted of a step that the server refused in plain sight: it was not carried out. */
#define REFUSED "refused"

/* A step whose text is the file's own may be anything, and is not run a second time unless the
 * database knows that this does no harm. */
static enum status settle_said(struct change_work *work, uint32_t number, bool *runs,
                               struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    const struct change_step_state *state = &work->view.steps[number - 1];
    const struct alter_functions *alter = work->base.alter;
    struct watching watching = {work, number, clock_monotonic_ms()};
    enum alter_settled settled = ALTER_UNKNOWN;
    const struct alter_request request = {.language = step->language,
                                          .text = step->text,
                                          .length = strlen(step->text),
                                          .time_ms = work->options->schema.statement_ms,
                                          .progress = tell_part,
                                          .context = &watching};
    if (alter->settle == NULL ||
        (state->position != NULL && strcmp(state->position, REFUSED) == 0)) {
        return STATUS_OK;
    }
    if (alter->settle(work->base.session, &request, NULL, 0, NULL, &settled, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *runs = settled == ALTER_ABSENT;
    if (settled == ALTER_ABSENT || settled == ALTER_APPLIED) {
        return STATUS_OK;
    }
    error_set(error, ERROR_CHANGE_REFUSED, NULL,
              "%s: it can't be told whether it was carried out when the last run ended",
              step->title);
    return error_hint(
        error,
        "See whether it was, and do it by hand if not; then `transhume change skip DB "
        "%" PRIu32 " --confirm`, and the same command.",
        number);
}

/* A step that was begun before. `*runs`: it has to be run. */
static enum status steps_settle(struct change_work *work, uint32_t number, bool *runs,
                                struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    enum change_stands stands;
    uint64_t rows;
    *runs = true;
    if (step->said) {
        return settle_said(work, number, runs, error);
    }
    if (step->stands == NULL) {
        return STATUS_OK;
    }
    if (change_ask_stands(work, step, &stands, error) != STATUS_OK ||
        failpoint_hit("change.after_settle", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *runs = stands != CHANGE_STANDS;
    return stands == CHANGE_STANDS_HALF && step->undo != NULL
               ? change_run_text(work, number, step->undo, &rows, error)
               : STATUS_OK;
}

static enum status run_statement(struct change_work *work, uint32_t number, uint64_t *rows,
                                 struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    const struct schema_work *base = &work->base;
    struct change_patience patience;
    change_be_patient(work, &patience);
    enum status status;
    while ((status = change_run_text(work, number, step->text, rows, error)) != STATUS_OK &&
           error->code == ERROR_TARGET_LOCKED && change_try_again(&patience, error)) {
    }
    if (status == STATUS_OK && base->alter->agree != NULL) {
        status = base->alter->agree(base->session, error);
    }
    return status;
}

/* The failure of a step whose text is the file's own says that it may be run again. */
static void note_refusal(struct change_work *work, uint32_t number, const struct error *failure)
{
    struct error error = {0};
    bool plain = failure->code == ERROR_MIGRATION_FAILED || failure->code == ERROR_TARGET_LOCKED;
    if (work->view.plan.steps[number - 1].said && plain &&
        change_put_step(work, work->view.number, number, HISTORY_STEP_INTENT, 0, REFUSED, &error) !=
            STATUS_OK) {
        log_write(LOG_WARNING, "the failure could not be noted in the history: %s", error.message);
    }
}

static enum status run_alone(struct change_work *work, uint32_t number, struct error *error)
{
    struct change_step_state *state = &work->view.steps[number - 1];
    uint64_t rows = 0;
    bool runs = true;
    if (work_verify(&work->base, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if ((state->begun ? steps_settle(work, number, &runs, error)
                      : keep_others(work, number, error)) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (runs) {
        state->begun = true;
        if (change_put_step(work, work->view.number, number, HISTORY_STEP_INTENT, 0, "", error) !=
                STATUS_OK ||
            failpoint_hit("change.after_intent", error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (run_statement(work, number, &rows, error) != STATUS_OK) {
            note_refusal(work, number, error);
            return STATUS_FAILED;
        }
    }
    if (change_put_step(work, work->view.number, number, HISTORY_STEP_DONE, rows, NULL, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    state->done = true;
    return failpoint_hit("change.after_step", error);
}

/* ---------------------------------------------------------------- all of them */

/* Was what it repeats seen by this process? A change that rests in between is looked at again. */
static bool is_seen(const struct change_work *work, uint32_t number)
{
    const struct change_plan *plan = &work->view.plan;
    const struct change_step *step = &plan->steps[number - 1];
    bool seen = false;
    for (uint32_t i = 0; step->repeats && i < number - 1; i++) {
        if (plan->steps[i].phase == CHANGE_PROVE && plan->steps[i].kind == CHANGE_BATCHES &&
            plan->steps[i].operation == step->operation) {
            seen = work->view.steps[i].seen;
        }
    }
    return seen;
}

static enum status pass_over(struct change_work *work, uint32_t number, struct error *error)
{
    enum status status =
        change_put_step(work, work->view.number, number, HISTORY_STEP_DONE, 0, NULL, error);
    work->view.steps[number - 1].done = status == STATUS_OK;
    return status;
}

static enum status run_step_set(struct change_work *work, uint32_t number, uint32_t *count,
                                struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    int64_t begun = clock_monotonic_ms();
    *count = 1;
    if (step->kind == CHANGE_BATCHES) {
        return change_run_batches(work, number, error);
    }
    bool bound = change_is_bound(work, step);
    *count = bound ? count_joined(work, number) : 1;
    tell_step(work, number, CHANGE_STEP_BEGINS, 0, 0);
    enum status status =
        bound ? run_bound(work, number, *count, error) : run_alone(work, number, error);
    for (uint32_t i = 0; status == STATUS_OK && i < *count; i++) {
        tell_step(work, number + i, CHANGE_STEP_ENDS, 0, clock_monotonic_ms() - begun);
    }
    return status;
}

static enum status run_step(struct change_work *work, uint32_t number, uint32_t *count,
                            struct error *error)
{
    enum status status = change_set_session(work, number, error);
    status = status == STATUS_OK ? run_step_set(work, number, count, error) : status;
    return change_settle_session(work, number, status, error);
}

static enum status let_go_of(struct change_work *work, uint32_t number, struct error *error)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    struct change_step_state *state = &work->view.steps[number - 1];
    uint64_t rows = 0;
    enum status status = change_set_session(work, number, error);
    if (status == STATUS_OK && step->undo != NULL) {
        status = change_run_text(work, number, step->undo, &rows, error);
    }
    if (change_settle_session(work, number, status, error) != STATUS_OK ||
        change_put_step(work, work->view.number, number, HISTORY_STEP_INTENT, 0, NULL, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    state->done = false;
    state->position = NULL;
    return STATUS_OK;
}

/* Was a step that failed carried out all the same, as one whose note failed? What nobody can say is
 * not taken for undone. */
static bool may_stand(struct change_work *work, uint32_t number)
{
    const struct change_step *step = &work->view.plan.steps[number - 1];
    enum change_stands stands;
    struct error ignored = {0};
    if (change_is_bound(work, step) || step->stands == NULL ||
        !work->view.steps[number - 1].begun) {
        return false;
    }
    return change_ask_stands(work, step, &stands, &ignored) != STATUS_OK || stands == CHANGE_STANDS;
}

/* A step failed: what may hold only for it, right ahead of it, is undone. */
static void let_go(struct change_work *work, uint32_t failed, const struct error *failure)
{
    const struct change_plan *plan = &work->view.plan;
    bool kept = change_is_lost(failure) || may_stand(work, failed);
    for (uint32_t i = failed; i > 0 && !kept; i--) {
        struct error error = {0};
        if (!plan->steps[i - 1].held) {
            if (i < failed) {
                return;
            }
            continue;
        }
        if (let_go_of(work, i, &error) != STATUS_OK) {
            log_write(LOG_WARNING, "%s: could not be taken back: %s", plan->steps[i - 1].title,
                      error.message);
        }
    }
}

enum status change_go(struct change_work *work, enum change_phase last, struct error *error)
{
    const struct change_plan *plan = &work->view.plan;
    uint32_t count = 1;
    for (uint32_t i = 0; i < plan->count && plan->steps[i].phase <= last; i += count) {
        count = 1;
        if (work->view.steps[i].done) {
            continue;
        }
        arena_reset(work->base.act_arena);
        if (change_check_stop(work, error) != STATUS_OK ||
            (is_seen(work, i + 1) ? pass_over(work, i + 1, error)
                                  : run_step(work, i + 1, &count, error)) != STATUS_OK) {
            let_go(work, i + 1, error);
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status change_prove_again(struct change_work *work, struct error *error)
{
    const struct change_plan *plan = &work->view.plan;
    for (uint32_t i = 0; i < plan->count; i++) {
        if (!plan->steps[i].again || plan->steps[i].kind != CHANGE_BATCHES) {
            continue;
        }
        enum status status = change_set_session(work, i + 1, error);
        status = status == STATUS_OK ? change_repeat_batches(work, i + 1, error) : status;
        if (change_settle_session(work, i + 1, status, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}
