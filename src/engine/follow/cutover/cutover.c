/* The steps of a cut-over, each noted in the ledger once it is taken. */
#include "engine/follow/cutover/cutover.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/process.h"
#include "base/signals.h"
#include "engine/follow/cutover/cutover_ask.h"
#include "engine/follow/cutover/fence.h"
#include "engine/follow/cutover/reverse.h"
#include "engine/follow/translate/whole.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/session/source_now.h"
#include "engine/settle/references.h"
#include "engine/state/run_state.h"
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum { GATE_TRIES_MAX = 20, HOOK_TIMEOUT_MS = 10 * 60 * 1000 };
static const char intent_name[] = "cutover";

static const char *const step_names[] = {"none",    "before", "fencing",  "fenced",
                                         "drained", "primed", "reversed", "sent"};
enum { STEP_COUNT = sizeof step_names / sizeof step_names[0] };

/* ---- what was done */

struct cutover_note {
    enum cutover_step step;
    int64_t fenced_us; /* UTC; 0: it is open */
    bool by_command;   /* it was closed by the command of --fence */
    bool kept;         /* --keep-fence */
};

static void show_step(struct run *run, enum cutover_step step)
{
    atomic_store(&run->session->progress.follow.cut_over,
                 step != CUTOVER_NONE ? step_names[step] : NULL);
}

static enum status read_note(struct run *run, struct cutover_note *note, struct error *error)
{
    const char *text;
    json_t *object;
    *note = (struct cutover_note){0};
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
        note->step = strcmp(step_names[i], name) == 0 ? (enum cutover_step)i : note->step;
    }
    note->fenced_us = json_member_integer(object, "fenced_us", 0);
    note->by_command = strcmp(json_member_text(object, "by", "feed"), "command") == 0;
    note->kept = json_member_true(object, "kept") != 0;
    json_decref(object);
    show_step(run, note->step);
    return STATUS_OK;
}

static enum status put_note(struct run *run, struct cutover_note *note, enum cutover_step step,
                            struct error *error)
{
    struct buffer text = {0};
    note->step = step;
    buffer_format(&text,
                  "{\"format\":%d,\"step\":\"%s\",\"fenced_us\":%" PRId64
                  ",\"by\":\"%s\",\"kept\":%s}",
                  CONTROL_FORMAT, step_names[step], note->fenced_us,
                  note->by_command ? "command" : "feed", note->kept ? "true" : "false");
    enum status status =
        ledger_put_intent(run->session->ledger, run->id, intent_name, buffer_string(&text), error);
    buffer_free(&text);
    return status;
}

static enum status put_step(struct run *run, struct cutover_note *note, enum cutover_step step,
                            struct error *error)
{
    if (put_note(run, note, step, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    show_step(run, step);
    log_event(LOG_INFO, EVENT_OF(EVENT_CUT_OVER, .code = step_names[step], .state = "done"),
              "cut-over: %s", step_names[step]);
    return failpoint_hit("cutover.after_step", error);
}

static enum status forget_note(struct run *run, struct error *error)
{
    show_step(run, CUTOVER_NONE);
    return ledger_delete_intent(run->session->ledger, run->id, intent_name, error);
}

/* ---- letting the writers in again */

/* Whatever has ended the command. What can't be noted any more the next command finds. */
static void let_in(struct run *run)
{
    struct fence *fence = run->session->options.cut_over.fence;
    struct error error = {0};
    bool before = signals_shield(true);
    enum fence_state state = fence_state(fence);
    if (state == FENCE_SEALED || (state == FENCE_HELD && fence_is_kept(fence)) ||
        (state == FENCE_OPEN && fence_end(fence) == FENCE_NEVER_TAKEN)) {
        signals_stop_at(0);
        (void)signals_shield(before);
        return;
    }
    if (fence_release(fence, NULL) == STATUS_OK) {
        if (forget_note(run, &error) == STATUS_OK) {
            fence_set_noted(fence, false);
        } else {
            log_write(LOG_DEBUG, "the cut-over's steps stay in the ledger: %s", error.message);
        }
    }
    (void)signals_shield(before);
}

static const char *stamp_of(const struct cutover_note *note, char *text, size_t capacity)
{
    clock_format_utc(note->fenced_us, text, capacity);
    return text;
}

/* A fence that stands for nobody. */
static enum status open_left(struct run *run, const struct cutover_note *note, struct error *error)
{
    char since[32];
    const struct run_session *session = run->session;
    bool sealed;
    /* The process that let them in removed fence.json, and may have been kept from the ledger. A
     * fence that is open is opened all the same: a state folder that was lost has no fence.json
     * either. */
    bool stands = fence_look(session->state_path, &sealed) != 0;
    log_write(stands ? LOG_WARNING : LOG_INFO,
              stands ? "the source's writers have been stopped since %s by a cut-over that did not "
                       "end"
                     : "the cut-over of %s did not end, and nothing here says that it still stops "
                       "the source's writers: they are let in if it does",
              stamp_of(note, since, sizeof since));
    enum status status = fence_open(session, run->header.feed, note->by_command,
                                    session->options.cut_over.unfence_command, error);
    if (status == STATUS_END) {
        log_write(LOG_WARNING,
                  "the command of --fence %s stopped them: undo what it did, or name the command "
                  "that does: `transhume cutover --back --confirm --unfence COMMAND`",
                  stands ? "has" : "may have");
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        error_context(error, "letting the source's writers write again: ");
        return STATUS_FAILED;
    }
    log_event(stands ? LOG_WARNING : LOG_INFO,
              EVENT_OF(EVENT_CUT_OVER, .code = "back", .state = "done"),
              "cut-over: taken back, the source's writers write again");
    return forget_note(run, error);
}

enum status cutover_settle(struct run *run, struct error *error)
{
    struct cutover_note note;
    char since[32];
    if (read_note(run, &note, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (note.step >= CUTOVER_REVERSED || (note.step >= CUTOVER_FENCING && note.kept)) {
        log_write(LOG_WARNING,
                  "the source's writers have been stopped since %s by a cut-over%s; `transhume "
                  "cutover --confirm` continues it, `transhume cutover --back --confirm` lets them "
                  "write again",
                  stamp_of(&note, since, sizeof since),
                  note.step >= CUTOVER_REVERSED
                      ? " after which the application may be at the target"
                      : ", as --keep-fence says");
        return STATUS_OK;
    }
    return note.step >= CUTOVER_FENCING ? open_left(run, &note, error) : STATUS_OK;
}

/* ---- steps */

struct cutting {
    struct run *run;
    const struct cutover_drain *drain;
    struct fence *fence;
    struct cutover_note note;
};

static enum status run_hook(const char *which, const char *command, struct error *error)
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

static enum cutover_end end_of(enum follow_end end)
{
    switch (end) {
    case FOLLOW_HEAD:
        return CUTOVER_REACHED;
    case FOLLOW_STOPPED:
        return CUTOVER_STOPPED;
    case FOLLOW_OVERTAKEN:
        return CUTOVER_OVERTAKEN;
    case FOLLOW_NONE:
    case FOLLOW_STEPPED:
    case FOLLOW_OVER:
    case FOLLOW_FAILED:
        break;
    }
    return CUTOVER_FAILED;
}

/* The rest has to be small before anybody is kept waiting for it. */
static enum cutover_end pass_gate(struct cutting *cutting, struct error *error)
{
    const struct cutover_drain *drain = cutting->drain;
    int64_t most_ms = cutting->run->session->options.cut_over.max_lag_ms;
    for (int i = 0; i < GATE_TRIES_MAX; i++) {
        int64_t begun_ms = clock_monotonic_ms();
        enum follow_end end = drain->drain(drain->context, false, error);
        if (end != FOLLOW_HEAD || clock_monotonic_ms() - begun_ms <= most_ms) {
            return end_of(end);
        }
    }
    (void)!cutover_refuse_lag(cutting->run, GATE_TRIES_MAX, error);
    return CUTOVER_FAILED;
}

static enum status questions_ask(struct run *run, enum cutover_moment moment, struct error *error)
{
    struct lack_list lacks = {.arena = run->arena};
    return cutover_ask(run->session, run, moment, &lacks, error) == STATUS_OK
               ? cutover_refuse(&lacks, run->header.feed, error)
               : STATUS_FAILED;
}

static enum cutover_end run_before(struct cutting *cutting, struct error *error)
{
    struct run *run = cutting->run;
    if (failpoint_hit("cutover.before_gate", error) != STATUS_OK) {
        return CUTOVER_FAILED;
    }
    enum cutover_end end = pass_gate(cutting, error);
    if (end == CUTOVER_REACHED && questions_ask(run, CUTOVER_ASKED_CAUGHT_UP, error) != STATUS_OK) {
        end = CUTOVER_FAILED;
    }
    if (end != CUTOVER_REACHED || cutting->note.step >= CUTOVER_BEFORE) {
        return end;
    }
    return run_hook("--before", run->session->options.cut_over.before_command, error) ==
                       STATUS_OK &&
                   put_step(run, &cutting->note, CUTOVER_BEFORE, error) == STATUS_OK
               ? CUTOVER_REACHED
               : CUTOVER_FAILED;
}

static enum cutover_end take_fence(struct cutting *cutting, struct error *error)
{
    struct run *run = cutting->run;
    struct cutover_note *note = &cutting->note;
    note->fenced_us = clock_utc_us();
    note->by_command = run->session->options.cut_over.fence_command != NULL;
    note->kept = fence_is_kept(cutting->fence);
    if (failpoint_hit("cutover.before_fence", error) != STATUS_OK ||
        put_note(run, note, CUTOVER_FENCING, error) != STATUS_OK) {
        return CUTOVER_FAILED;
    }
    fence_set_noted(cutting->fence, true);
    if (failpoint_hit("cutover.noted_fence", error) != STATUS_OK ||
        fence_take(cutting->fence, run->session, run->header.feed, cutting->drain->tables,
                   cutting->drain->table_count, error) != STATUS_OK) {
        return CUTOVER_FAILED;
    }
    return put_step(run, note, CUTOVER_FENCED, error) == STATUS_OK ? CUTOVER_REACHED
                                                                   : CUTOVER_FAILED;
}

static enum cutover_end drain_fenced(struct cutting *cutting, struct error *error)
{
    bool same = false;
    const struct cutover_drain *drain = cutting->drain;
    if (failpoint_hit("cutover.before_drain", error) != STATUS_OK) {
        return CUTOVER_FAILED;
    }
    enum cutover_end end = end_of(drain->drain(drain->context, true, error));
    if (end != CUTOVER_REACHED) {
        return end;
    }
    if (source_now_is_same(cutting->run->session, drain->tables, drain->table_count, &same,
                           error) != STATUS_OK) {
        return CUTOVER_FAILED;
    }
    if (!same) {
        return CUTOVER_OVERTAKEN;
    }
    return put_step(cutting->run, &cutting->note, CUTOVER_DRAINED, error) == STATUS_OK
               ? CUTOVER_REACHED
               : CUTOVER_FAILED;
}

static enum cutover_end cutover_prime(struct cutting *cutting, struct error *error)
{
    struct run *run = cutting->run;
    if (failpoint_hit("cutover.before_prime", error) != STATUS_OK ||
        run_prime_target(run, error) != STATUS_OK ||
        put_step(run, &cutting->note, CUTOVER_PRIMED, error) != STATUS_OK ||
        fence_check(cutting->fence, error) != STATUS_OK) {
        return CUTOVER_FAILED;
    }
    log_write(LOG_INFO, "cut-over: ready, %" PRId64 " ms after writers were stopped",
              fence_paused_ms(cutting->fence));
    return CUTOVER_REACHED;
}

/* The order of the steps; one that is reached is not taken again. */
static const struct {
    enum cutover_step reaches;
    enum cutover_end (*take)(struct cutting *cutting, struct error *error);
} steps[] = {{CUTOVER_FENCING, run_before},
             {CUTOVER_FENCED, take_fence},
             {CUTOVER_DRAINED, drain_fenced},
             {CUTOVER_PRIMED, cutover_prime}};

static enum cutover_end take_steps(struct cutting *cutting, struct error *error)
{
    enum cutover_end end = CUTOVER_REACHED;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && end == CUTOVER_REACHED; i++) {
        if (cutting->note.step < steps[i].reaches) {
            end = steps[i].take(cutting, error);
        }
        if (end == CUTOVER_REACHED && fence_check(cutting->fence, error) != STATUS_OK) {
            end = CUTOVER_FAILED;
        }
    }
    return end;
}

/* Takes up what an earlier command has left: a fence that is to be kept goes on being held by this
 * one. */
static enum status take_up(struct cutting *cutting, struct error *error)
{
    struct run *run = cutting->run;
    struct cutover_note *note = &cutting->note;
    if (note->step < CUTOVER_FENCING) {
        return STATUS_OK;
    }
    if (note->step < CUTOVER_REVERSED && !note->kept) {
        return open_left(run, note, error) == STATUS_OK ? read_note(run, note, error)
                                                        : STATUS_FAILED;
    }
    if (note->step == CUTOVER_FENCING) {
        note->step = CUTOVER_BEFORE; /* nobody knows how much of it is closed: it is taken again */
        return STATUS_OK;
    }
    fence_set_noted(cutting->fence, true);
    return fence_adopt(cutting->fence, run->session, run->header.feed,
                       note->step >= CUTOVER_REVERSED, error);
}

static enum follow_end make_ready_end(const struct cutting *cutting, enum cutover_end end,
                                      struct error *error)
{
    struct error why = {0};
    switch (end) {
    case CUTOVER_REACHED:
        return FOLLOW_STEPPED;
    case CUTOVER_OVERTAKEN:
        return FOLLOW_OVERTAKEN;
    case CUTOVER_STOPPED:
    case CUTOVER_FAILED:
        break;
    }
    /* what failed was perhaps only the deadline's or the signal's doing */
    if (fence_check(cutting->fence, &why) != STATUS_OK) {
        if (why.code == ERROR_INTERRUPTED) {
            end = CUTOVER_STOPPED;
        } else {
            end = CUTOVER_FAILED;
            error_copy(error, &why);
        }
    }
    let_in(cutting->run);
    return end == CUTOVER_STOPPED ? FOLLOW_STOPPED : FOLLOW_FAILED;
}

enum follow_end cutover_make_ready(struct run *run, const struct cutover_drain *drain,
                                   struct error *error)
{
    struct cutting cutting = {
        .run = run, .drain = drain, .fence = run->session->options.cut_over.fence};
    if (read_note(run, &cutting.note, error) != STATUS_OK ||
        (fence_state(cutting.fence) == FENCE_OPEN && take_up(&cutting, error) != STATUS_OK)) {
        let_in(run);
        return FOLLOW_FAILED;
    }
    if (fence_state(cutting.fence) == FENCE_SEALED) {
        return FOLLOW_STEPPED;
    }
    /* before anybody is kept out, or anything of the user's is run */
    if (fence_state(cutting.fence) == FENCE_OPEN &&
        questions_ask(run, CUTOVER_ASKED_FIRST, error) != STATUS_OK) {
        struct error ignored = {0}; /* what one before left is told, or opened */
        enum status settled = cutover_settle(run, &ignored);
        (void)settled;
        return FOLLOW_FAILED;
    }
    return make_ready_end(&cutting, take_steps(&cutting, error), error);
}

/* ---- beyond `ready` */

static enum status read_ready(struct run *run, enum cutover_step least, struct cutover_note *note,
                              struct error *error)
{
    if (read_note(run, note, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (fence_state(run->session->options.cut_over.fence) ==
        FENCE_OPEN) { /* it was not this command's */
        return fence_check(run->session->options.cut_over.fence, error) == STATUS_OK
                   ? error_set(error, ERROR_CUT_OVER, run->id,
                               "the cut-over is not ready to be ended")
                   : STATUS_FAILED;
    }
    return note->step >= least
               ? fence_check(run->session->options.cut_over.fence, error)
               : error_set(error, ERROR_CUT_OVER, run->id, "the cut-over is not ready to be ended");
}

/* A way back that was begun goes with the cut-over. */
static void give_up_reverse(struct run *run)
{
    struct error error = {0};
    bool before = signals_shield(true);
    if (reverse_give_up(run, &error) != STATUS_OK) {
        log_write(LOG_WARNING, "what was begun of the way back stays: %s", error.message);
    }
    (void)signals_shield(before);
}

static enum status begin_reverse(struct run *run, struct cutover_note *note, struct error *error)
{
    struct fence *fence = run->session->options.cut_over.fence;
    if (failpoint_hit("cutover.before_reverse", error) != STATUS_OK ||
        reverse_begin(run, error) != STATUS_OK || fence_seal(fence, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return put_step(run, note, CUTOVER_REVERSED, error);
}

enum status cutover_reverse(struct run *run, struct error *error)
{
    struct cutover_note note = {0};
    struct error why = {0};
    enum status status = read_ready(run, CUTOVER_PRIMED, &note, error);
    if (status == STATUS_OK && note.step >= CUTOVER_REVERSED) {
        return STATUS_OK;
    }
    status = status == STATUS_OK ? begin_reverse(run, &note, error) : status;
    if (status != STATUS_OK && fence_state(run->session->options.cut_over.fence) != FENCE_SEALED) {
        let_in(run);
        give_up_reverse(run);
        if (fence_check(run->session->options.cut_over.fence, &why) != STATUS_OK) {
            error_copy(error, &why);
        }
    }
    return status;
}

/* In a way back the target is the former source, which is the source again. */
static enum status open_target(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    return reverse_is(run) && target->connector->feed->fence != NULL
               ? target->connector->feed->fence(target, run->header.reverse_of, NULL, 0, false,
                                                error)
               : STATUS_OK;
}

/* From here on a killed command is gone on with, and its fence not opened. */
static enum status cutover_decide(struct run *run, struct cutover_note *note, struct error *error)
{
    if (failpoint_hit("cutover.before_sent", error) != STATUS_OK ||
        fence_seal(run->session->options.cut_over.fence, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return put_step(run, note, CUTOVER_SENT, error);
}

static enum status send_application(struct run *run, struct cutover_note *note, struct error *error)
{
    struct database *source = run->session->source;
    if ((note->step < CUTOVER_SENT && cutover_decide(run, note, error) != STATUS_OK) ||
        open_target(run, error) != STATUS_OK ||
        run_hook("--after", run->session->options.cut_over.after_command, error) != STATUS_OK ||
        failpoint_hit("cutover.before_end", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return whole_forget(run, error) == STATUS_OK
               ? source->connector->feed->drop(source, run->header.feed, error)
               : STATUS_FAILED;
}

enum status cutover_end(struct run *run, struct error *error)
{
    struct cutover_note note = {0};
    struct error ignored = {0};
    struct fence *fence = run->session->options.cut_over.fence;
    enum cutover_step least =
        run->session->options.cut_over.reverse ? CUTOVER_REVERSED : CUTOVER_PRIMED;
    enum status status = read_ready(run, least, &note, error);
    bool only_here = status == STATUS_OK && note.step < CUTOVER_REVERSED && !reverse_is(run) &&
                     run->session->options.cut_over.after_command == NULL;
    status = status == STATUS_OK ? send_application(run, &note, error) : status;
    if (status != STATUS_OK) {
        if (only_here) { /* nobody but this command knows that the target is ready */
            fence_unseal(fence);
        }
        let_in(run);
        return STATUS_FAILED;
    }
    if (ledger_delete_intent(run->session->ledger, run->id, intent_name, &ignored) != STATUS_OK) {
        log_write(LOG_DEBUG, "the cut-over's steps stay in the ledger: %s", ignored.message);
    }
    fence_finish(fence);
    atomic_store(&run->session->progress.follow.cut_over, "done");
    log_event(LOG_INFO, EVENT_OF(EVENT_CUT_OVER, .code = "done", .state = "done"),
              "cut-over: done; the source's tables stay closed for writers");
    return STATUS_OK;
}

/* ---- taking it back */

static enum status open_back(struct run *run, struct error *error)
{
    struct cutover_note note;
    if (read_note(run, &note, error) != STATUS_OK || reverse_give_up(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = fence_open(run->session, run->header.feed, note.by_command,
                                    run->session->options.cut_over.unfence_command, error);
    if (status == STATUS_END) {
        log_write(LOG_WARNING, "the source is still kept from being written by the command of "
                               "--fence: undo what it did");
        status = STATUS_OK;
    }
    return status == STATUS_OK ? forget_note(run, error) : STATUS_FAILED;
}

enum status cutover_back(struct run *run, struct error *error)
{
    if (open_back(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    log_event(LOG_INFO, EVENT_OF(EVENT_CUT_OVER, .code = "back", .state = "done"),
              "cut-over: taken back, the source is written again; `transhume follow` continues");
    return STATUS_OK;
}

/* A fence of which nothing is noted is opened, too: one may be killed between both. */
enum status cutover_abandon(struct run *run, struct error *error)
{
    struct database *source = run->session->source;
    if (open_back(run, error) != STATUS_OK || whole_forget(run, error) != STATUS_OK ||
        source->connector->feed->drop(source, run->header.feed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    log_write(LOG_INFO, "following has ended: the feed %s is gone from the source",
              run->header.feed);
    return STATUS_OK;
}

enum follow_end cutover_abandon_copy(struct run *run, struct error *error)
{
    if (cutover_abandon(run, error) != STATUS_OK) {
        return FOLLOW_FAILED;
    }
    if (reverse_is(run)) {
        return FOLLOW_OVER; /* it copies nothing */
    }
    run->session->options.follow.wanted = false; /* nothing of it stays in the source */
    if (run_write_local(run, true, false, error) != STATUS_OK) {
        return FOLLOW_FAILED;
    }
    log_write(LOG_WARNING,
              "the copy had not ended: what it wrote stays in the target, of different moments; "
              "empty it and `transhume reset --confirm`, or copy the rest and put it right with "
              "`transhume resume` and `transhume follow --resync`");
    return FOLLOW_STEPPED;
}
