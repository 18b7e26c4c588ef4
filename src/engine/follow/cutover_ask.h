/* All that can be known of a cut-over before anybody is kept out. */
#ifndef TRANSHUME_ENGINE_FOLLOW_CUTOVER_ASK_H
#define TRANSHUME_ENGINE_FOLLOW_CUTOVER_ASK_H

#include "connectors/lacks.h"
#include "engine/run/session.h"

/*
 * The questions of `cutover`, of `cutover --dry-run` and of `check --follow`, none of which changes
 * anything. Their answers are noted in `lacks`; STATUS_FAILED: a side did not answer.
 *
 *   may the fence be set and opened again          feed.may_fence, unless --fence has its own way
 *   may the target be written and primed           apply.may_write
 *   with --reverse: can it be followed back        reverse_ask
 *   are records rejected, tables left, steps open  of a run that follows: `run` is not NULL
 *
 * That plan and schema are those of the run is known before: run_resume compares them.
 */
enum status cutover_ask(struct run_session *session, const struct run *run, struct lack_list *lacks,
                        struct error *error) MUST_USE;

/* The same as one failure: each is told in a line of its own. STATUS_OK: nothing is missing. */
enum status cutover_refuse(const struct lack_list *lacks, const char *object,
                           struct error *error) MUST_USE;

#endif
