/* The steps of a cut-over, each noted in the ledger once it is taken. */
#include "engine/follow/cutover.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/process.h"
#include "base/signals.h"
#include "engine/follow/reverse.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/run/run_parts.h"
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum { GATE_TRIES_MAX = 20, HOOK_TIMEOUT_MS = 10 * 60 * 1000 };
static const char intent_name[] = "cutover";

static const char *const step_names[] = {"none",    "before", "fenced",
                                         "drained", "primed", "reversed"};
enum { STEP_COUNT = sizeof step_names / sizeof step_names[0] };

/* ---- what was done */

struct progress_of {
    enum cutover_step step;
    int64_t fenced_us; /* UTC; 0: it is open */
};

static void show_step(struct run *run, enum cutover_step step)
{
    atomic_store(&run->session->progress.follow.cut_over,
                 step != CUTOVER_NONE ? step_names[step] : NULL);
}

static enum status read_steps(struct run *run, struct progress_of *steps, struct error *error)
{
    const char *text;
    json_t *object;
    *steps = (struct progress_of){0};
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent_name, run->arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (json_from_text(text, "the cut-over's steps", ERROR_LEDGER_INVALID, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *name = json_member_text(object, "step", "");
    for (int i = 0; i < STEP_COUNT; i++) {
        steps->step = strcmp(step_names[i], name) == 0 ? (enum cutover_step)i : steps->step;
    }
    steps->fenced_us = json_member_integer(object, "fenced_us", 0);
    json_decref(object);
    show_step(run, steps->step);
    return STATUS_OK;
}

static enum status put_step(struct run *run, struct progress_of *steps, enum cutover_step step,
                            struct error *error)
{
    struct buffer text = {0};
    steps->step = step;
    buffer_format(&text, "{\"format\":%d,\"step\":\"%s\",\"fenced_us\":%" PRId64 "}",
                  CONTROL_FORMAT, step_names[step], steps->fenced_us);
    enum status status =
        ledger_put_intent(run->session->ledger, run->id, intent_name, buffer_string(&text), error);
    buffer_free(&text);
    show_step(run, step);
    log_event(LOG_INFO, EVENT_OF(EVENT_CUT_OVER, .code = step_names[step], .state = "done"),
              "cut-over: %s", step_names[step]);
    return status == STATUS_OK ? failpoint_hit("cutover.after_step", error) : status;
}

/* ---- steps */

static enum status hook(const char *which, const char *command, struct error *error)
{
    const char *const arguments[] = {"/bin/sh", "-c", command, NULL};
    if (command == NULL) {
        return STATUS_OK;
    }
    log_write(LOG_INFO, "cut-over: running the command of %s", which);
    if (process_run(arguments, "", 0, HOOK_TIMEOUT_MS, error) == STATUS_OK) {
        return STATUS_OK;
    }
    error_recode(error, ERROR_CUT_OVER);
    error_context(error, "the command of %s: ", which);
    return STATUS_FAILED;
}

/* What is left has to be small before anybody is kept waiting for it. */
static enum follow_end pass_gate(struct run *run, const struct cutover_drain *drain,
                                 struct error *error)
{
    int64_t most_ms = run->session->options.max_lag_ms;
    for (int i = 0; i < GATE_TRIES_MAX; i++) {
        int64_t begun_ms = clock_monotonic_ms();
        enum follow_end end = drain->drain(drain->context, error);
        if (end != FOLLOW_HEAD || clock_monotonic_ms() - begun_ms <= most_ms) {
            return end;
        }
    }
    error_set(error, ERROR_CUT_OVER, run->header.feed,
              "the target is still more than %" PRId64 " ms behind after %d attempts", most_ms,
              GATE_TRIES_MAX);
    error_hint(error, "wait for a quieter time, or allow more with --max-lag");
    return FOLLOW_FAILED;
}

/* `drain`: whose tables; NULL: the fence is opened. */
static enum status set_fence(struct run *run, const struct cutover_drain *drain,
                             struct error *error)
{
    struct database *source = run->session->source;
    const struct feed_functions *feed = source->connector->feed;
    const char *command = run->session->options.fence_command;
    if (command != NULL) {
        return drain != NULL ? hook("--fence", command, error) : STATUS_OK;
    }
    if (feed->fence == NULL) {
        error_set(error, ERROR_CUT_OVER, run->session->source_uri->shown,
                  "%s can't be kept from being written by this program", source->connector->title);
        return error_hint(error, "name a command that does it: --fence COMMAND");
    }
    return feed->fence(source, run->header.feed, drain != NULL ? drain->tables : NULL,
                       drain != NULL ? drain->table_count : 0, drain != NULL, error);
}

static enum status open_fence(struct run *run, struct progress_of *steps, struct error *error)
{
    if (set_fence(run, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (run->session->options.fence_command != NULL && steps->fenced_us != 0) {
        log_write(LOG_WARNING, "the source is still kept from being written by the command of "
                               "--fence: undo what it did");
    }
    steps->fenced_us = 0;
    show_step(run, CUTOVER_NONE);
    return ledger_delete_intent(run->session->ledger, run->id, intent_name, error);
}

/* After a failure: the source is written again, as if nothing had been tried. */
static void give_up(struct run *run, struct progress_of *steps)
{
    struct error error = {0};
    if (open_fence(run, steps, &error) != STATUS_OK) {
        log_write(LOG_WARNING,
                  "the source could not be opened for its writers again: %s; `transhume cutover "
                  "--back --confirm` tries again",
                  error.message);
    }
}

static enum status close_fence(struct run *run, const struct cutover_drain *drain,
                               struct progress_of *steps, struct error *error)
{
    steps->fenced_us = clock_utc_us();
    if (set_fence(run, drain, error) != STATUS_OK) {
        give_up(run, steps);
        return STATUS_FAILED;
    }
    enum status status = failpoint_hit("cutover.after_fence", error);
    return status == STATUS_OK ? put_step(run, steps, CUTOVER_FENCED, error) : status;
}

static enum follow_end drain_fenced(struct run *run, const struct cutover_drain *drain,
                                    struct progress_of *steps, struct error *error)
{
    int64_t most_ms = run->session->options.max_pause_ms;
    enum follow_end end = drain->drain(drain->context, error);
    int64_t paused_ms = (clock_utc_us() - steps->fenced_us) / 1000;
    if (end != FOLLOW_HEAD) {
        return end;
    }
    if (paused_ms > most_ms && steps->step == CUTOVER_FENCED) {
        give_up(run, steps);
        error_set(error, ERROR_CUT_OVER, run->header.feed,
                  "writers were kept waiting for %" PRId64 " ms, longer than --max-pause allows",
                  paused_ms);
        error_hint(error, "they write again, and following goes on; allow more, or wait for a "
                          "quieter time");
        return FOLLOW_FAILED;
    }
    return put_step(run, steps, CUTOVER_DRAINED, error) == STATUS_OK ? FOLLOW_HEAD : FOLLOW_FAILED;
}

static enum status prime(struct run *run, struct progress_of *steps, struct error *error)
{
    if (run_prime_target(run, error) != STATUS_OK ||
        put_step(run, steps, CUTOVER_PRIMED, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    log_write(LOG_INFO, "cut-over: ready, %" PRId64 " ms after writers were stopped",
              (clock_utc_us() - steps->fenced_us) / 1000);
    return STATUS_OK;
}

enum follow_end cutover_make_ready(struct run *run, const struct cutover_drain *drain,
                                   struct error *error)
{
    struct progress_of steps;
    if (read_steps(run, &steps, error) != STATUS_OK) {
        return FOLLOW_FAILED;
    }
    enum follow_end end = steps.step < CUTOVER_FENCED ? pass_gate(run, drain, error) : FOLLOW_HEAD;
    if (end != FOLLOW_HEAD) {
        return end;
    }
    if (steps.step < CUTOVER_BEFORE &&
        (hook("--before", run->session->options.before_command, error) != STATUS_OK ||
         put_step(run, &steps, CUTOVER_BEFORE, error) != STATUS_OK)) {
        return FOLLOW_FAILED;
    }
    if (steps.step < CUTOVER_FENCED && close_fence(run, drain, &steps, error) != STATUS_OK) {
        return FOLLOW_FAILED;
    }
    end = steps.step < CUTOVER_DRAINED ? drain_fenced(run, drain, &steps, error) : FOLLOW_HEAD;
    if (end != FOLLOW_HEAD) {
        return end;
    }
    return steps.step >= CUTOVER_PRIMED || prime(run, &steps, error) == STATUS_OK ? FOLLOW_STEPPED
                                                                                  : FOLLOW_FAILED;
}

static enum status read_ready(struct run *run, enum cutover_step least, struct progress_of *steps,
                              struct error *error)
{
    if (read_steps(run, steps, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return steps->step >= least
               ? STATUS_OK
               : error_set(error, ERROR_CUT_OVER, run->id, "the cut-over is not ready to be ended");
}

enum status cutover_reverse(struct run *run, struct error *error)
{
    struct progress_of steps;
    if (read_ready(run, CUTOVER_PRIMED, &steps, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (steps.step >= CUTOVER_REVERSED) {
        return STATUS_OK;
    }
    return reverse_begin(run, error) == STATUS_OK ? put_step(run, &steps, CUTOVER_REVERSED, error)
                                                  : STATUS_FAILED;
}

/* Of a way back: the former source is the source again. */
static enum status open_target(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    return reverse_is(run) ? target->connector->feed->fence(target, run->header.reverse_of, NULL, 0,
                                                            false, error)
                           : STATUS_OK;
}

enum status cutover_end(struct run *run, struct error *error)
{
    struct progress_of steps;
    struct database *source = run->session->source;
    struct error ignored = {0};
    enum cutover_step least = run->session->options.reverse ? CUTOVER_REVERSED : CUTOVER_PRIMED;
    if (read_ready(run, least, &steps, error) != STATUS_OK ||
        open_target(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (hook("--after", run->session->options.after_command, error) != STATUS_OK ||
        failpoint_hit("cutover.before_end", error) != STATUS_OK ||
        source->connector->feed->drop(source, run->header.feed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (ledger_delete_intent(run->session->ledger, run->id, intent_name, &ignored) != STATUS_OK) {
        log_write(LOG_DEBUG, "the cut-over's steps stay in the ledger: %s", ignored.message);
    }
    atomic_store(&run->session->progress.follow.cut_over, "done");
    log_event(LOG_INFO, EVENT_OF(EVENT_CUT_OVER, .code = "done", .state = "done"),
              "cut-over: done; the source's tables stay closed for writers");
    return STATUS_OK;
}

enum status cutover_back(struct run *run, struct error *error)
{
    struct progress_of steps;
    if (read_steps(run, &steps, error) != STATUS_OK || reverse_give_up(run, error) != STATUS_OK ||
        open_fence(run, &steps, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    log_event(LOG_INFO, EVENT_OF(EVENT_CUT_OVER, .code = "back", .state = "done"),
              "cut-over: taken back, the source is written again; `transhume follow` continues");
    return STATUS_OK;
}

/* A fence of which nothing is noted is opened, too: one may be killed between both. */
enum status cutover_abandon(struct run *run, struct error *error)
{
    struct progress_of steps;
    struct database *source = run->session->source;
    if (read_steps(run, &steps, error) != STATUS_OK || reverse_give_up(run, error) != STATUS_OK ||
        open_fence(run, &steps, error) != STATUS_OK ||
        source->connector->feed->drop(source, run->header.feed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    log_write(LOG_INFO, "following has ended: the feed %s is gone from the source",
              run->header.feed);
    return STATUS_OK;
}
