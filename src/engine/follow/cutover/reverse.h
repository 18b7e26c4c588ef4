/*
 * The way back after a cut-over: a run of its own, from the target to the former source, which
 * copies nothing, since both sides are the same when it begins, and follows what is written to the
 * target from then on. Its state folder is "back" in that of the run that it turns round.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_CUTOVER_REVERSE_H
#define TRANSHUME_ENGINE_FOLLOW_CUTOVER_REVERSE_H

#include "engine/session/session.h"

/*
 * The same, and all that beginning it would be refused for: opens the run turned round, which says
 * what the target lacks to be followed (settings, rights, tables without a key) and the former
 * source to be written. Notes it in `lacks`, as far as it is no failure of this plan (the error).
 * `run` may be NULL. Changes nothing.
 */
struct lack_list;
enum status reverse_ask(struct run_session *session, const struct run *run, struct lack_list *lacks,
                        struct error *error) MUST_USE;

/* With both sides the same, and neither written: begins the run, up to following. Repeatable. */
enum status reverse_begin(struct run *run, struct error *error) MUST_USE;

/* Ends such a run that was begun, if any, before anybody writes the target: the cut-over is taken
 * back. */
enum status reverse_give_up(struct run *run, struct error *error) MUST_USE;

/* Is it such a run? It copies nothing. */
static inline bool reverse_is(const struct run *run)
{
    return run->header.reverse_of != NULL;
}

#endif
