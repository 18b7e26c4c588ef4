/*
 * The cut-over: from following to the target alone.
 *
 * Everything that can be known is asked first (cutover_ask.h). Then the steps are taken in the
 * order of `enum cutover_step`, each noted in the ledger (intent "cutover") once it is reached, the
 * fence before it is taken. A step ends in one of four ways (`enum cutover_end`).
 *
 *   gate       caught up, within --max-lag: what is left is small
 *   BEFORE     the user's hook
 *   FENCING    noted: the fence is about to be taken (fence.h)
 *   FENCED     nobody writes the followed tables of the source any more
 *   DRAINED    what was written until then is in the target, whose columns are the source's
 *   PRIMED     sequences and counters of the target stand behind what came: ready. Here a
 *              validation may look at both sides, which stand still
 *   REVERSED   with --reverse: the run that feeds the former source is begun
 *   SENT       the user's hook `after` is about to run, or the feed to be dropped
 *   done       the feed is gone, and the run complete; of a run that is a way back, the former
 *              source is open for its writers again
 *
 * Until REVERSED or SENT whatever ends the command lets the writers in again, and following goes on
 * as if nothing had been tried; `--keep-fence` has it stay closed, and the same command continues.
 * After `kill -9`, or where the source could not be reached then, the next `follow` or `cutover`
 * finds the note and does it. From REVERSED or SENT on the same command continues, and only
 * `cutover_back` opens the source.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_CUTOVER_CUTOVER_H
#define TRANSHUME_ENGINE_FOLLOW_CUTOVER_CUTOVER_H

#include "engine/follow/follow_end.h"
#include "engine/session/session.h"

/* The last step that was reached. Ordered. */
enum cutover_step {
    CUTOVER_NONE,     /* following; nothing is held */
    CUTOVER_BEFORE,   /* the command of --before has ended well: it is not run again. Undone by its
                         owner */
    CUTOVER_FENCING,  /* writers may be stopped, in part. Undone by opening the fence */
    CUTOVER_FENCED,   /* writers are stopped. Undone by opening the fence */
    CUTOVER_DRAINED,  /* likewise; what is applied stays applied */
    CUTOVER_PRIMED,   /* likewise; counters of the target stay where they are */
    CUTOVER_REVERSED, /* undone by --back: the way back is given up, the fence opened */
    CUTOVER_SENT      /* the same; what --after did is undone by its owner */
};

/* How a step ends. */
enum cutover_end {
    CUTOVER_REACHED,
    CUTOVER_STOPPED,   /* a signal asked for it */
    CUTOVER_OVERTAKEN, /* the source's schema is another one: a session that is opened anew takes
                          the step again, with the fence as it is */
    CUTOVER_FAILED     /* the error says why; --max-pause, too */
};

/* How the steps wait for the feed. */
struct cutover_drain {
    /* Applies all that the source has by now: FOLLOW_HEAD, _STOPPED, _OVERTAKEN or _FAILED. Behind
     * the fence it has no patience with a server that is away. */
    enum follow_end (*drain)(void *context, bool fenced, struct error *error);
    void *context;
    const char *const *tables; /* that are followed */
    uint32_t table_count;
};

/*
 * Up to `ready`: FOLLOW_STEPPED, or FOLLOW_STOPPED, _OVERTAKEN or _FAILED. Where the fence is
 * sealed (fence_state) then, an earlier command has come beyond: go on with cutover_reverse or
 * cutover_end at once. Uses run_options.cut_over.fence.
 */
enum follow_end cutover_make_ready(struct run *run, const struct cutover_drain *drain,
                                   struct error *error) MUST_USE;
/* Behind `ready`: keeps the way back open (reverse.h). ERROR_CUT_OVER: it is not ready. */
enum status cutover_reverse(struct run *run, struct error *error) MUST_USE;
/* From `ready` to `done`. ERROR_CUT_OVER: it is not ready. */
enum status cutover_end(struct run *run, struct error *error) MUST_USE;
/* Opens the fence, and forgets the steps; nothing to take back: STATUS_OK. */
enum status cutover_back(struct run *run, struct error *error) MUST_USE;
/* Ends following without a cut-over: the fence is open, the feed gone. */
enum status cutover_abandon(struct run *run, struct error *error) MUST_USE;
/* The same of a run that has not copied all: FOLLOW_STEPPED, and the run stays unfinished; of a way
 * back, which copies nothing, FOLLOW_OVER. */
enum follow_end cutover_abandon_copy(struct run *run, struct error *error) MUST_USE;

/* Before changes are followed: a cut-over that did not end, as after `kill -9`, is told, and its
 * fence opened, unless the application may be at the target, which is told as well. */
enum status cutover_settle(struct run *run, struct error *error) MUST_USE;

#endif
