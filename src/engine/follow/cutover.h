/*
 * The cut-over: from following to the target alone.
 *
 *   gate      caught up, within --max-lag: what is left is small
 *   before    the user's hook
 *   fenced    nobody writes the followed tables of the source any more: by the feed's own fence, or
 *             by the user's command
 *   drained   what was written until then is in the target
 *   primed    sequences and counters of the target stand behind what came
 *   ready     here a validation may look at both sides, which stand still
 *   reversed  with --reverse: the run that feeds the former source is begun
 *   done      the user's hook `after`; the feed is gone, and the run complete; of a run that is a
 *             way back, the former source is open for its writers again
 *
 * Each step that was taken is in the ledger (intent "cutover"), so that the same command goes on
 * where it was stopped or killed; until the last one `cutover_back` returns to following.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_CUTOVER_H
#define TRANSHUME_ENGINE_FOLLOW_CUTOVER_H

#include "engine/follow/follow_end.h"
#include "engine/run/session.h"

enum cutover_step {
    CUTOVER_NONE,
    CUTOVER_BEFORE,
    CUTOVER_FENCED,
    CUTOVER_DRAINED,
    CUTOVER_PRIMED,
    CUTOVER_REVERSED
};

/* How the steps wait for the feed. */
struct cutover_drain {
    /* Applies all that the source has by now: FOLLOW_HEAD, _STOPPED, _OVERTAKEN or _FAILED. */
    enum follow_end (*drain)(void *context, struct error *error);
    void *context;
    const char *const *tables; /* that are followed */
    uint32_t table_count;
};

/* Up to `ready`: FOLLOW_STEPPED, or FOLLOW_STOPPED, _OVERTAKEN or _FAILED. ERROR_CUT_OVER: a hook,
 * the fence or --max-pause failed; the fence is open again, and following may go on. */
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

#endif
