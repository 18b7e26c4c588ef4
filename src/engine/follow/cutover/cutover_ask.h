/* All that can be known of a cut-over before anybody is kept out. */
#ifndef TRANSHUME_ENGINE_FOLLOW_CUTOVER_CUTOVER_ASK_H
#define TRANSHUME_ENGINE_FOLLOW_CUTOVER_CUTOVER_ASK_H

#include "connectors/contract/lacks.h"
#include "engine/session/session.h"

/*
 * The questions of `cutover`, of `cutover --dry-run` and of `check --follow`, none of which changes
 * anything. Each is there once, in one list; what differs is when it is asked.
 *
 *   first      may the fence be set and opened again: feed.may_fence, unless --fence has its own
 *              does the feed still stand: feed.look
 *              may the target be written and primed: quiet_foresee, apply.may_write
 *              has it the columns that are written
 *              with --reverse, can it be followed back: reverse_ask
 *              is the source's schema what is followed: adopt.h
 *   caught up  how far is the target behind: what `follow` says; a cut-over's own gate
 *              are records missing that were rejected: the book of rejects
 *              are tables left: unfollowed.h
 *
 * A cut-over asks the first before it runs anything, and the others once it has caught up, since
 * what comes may settle them; --dry-run asks all; `check --follow` those that take no run.
 */
enum cutover_moment { CUTOVER_ASKED_FIRST = 1, CUTOVER_ASKED_CAUGHT_UP = 2 };

/* Answers are noted in `lacks`; STATUS_FAILED: a side did not answer. `moments` may be several.
 * `run` may be NULL: none has begun. */
enum status cutover_ask(struct run_session *session, struct run *run, unsigned moments,
                        struct lack_list *lacks, struct error *error) MUST_USE;

/* ERROR_CUT_OVER: more than --max-lag behind, after so many attempts. */
enum status cutover_refuse_lag(const struct run *run, int tries, struct error *error) MUST_USE;

/* The same as one failure: each is told in a line of its own. STATUS_OK: nothing is missing. */
enum status cutover_refuse(const struct lack_list *lacks, const char *object,
                           struct error *error) MUST_USE;

#endif
