/* The run of the state folder that a command is about, and what is taken from it. */
#ifndef TRANSHUME_ENGINE_SESSION_RECALLED_RUN_H
#define TRANSHUME_ENGINE_SESSION_RECALLED_RUN_H

#include "engine/folder/past_runs.h"
#include "engine/session/session.h"

/* Finds it: the unfinished one, or the one that is validated, or whose rejects are loaded.
 * Endpoints, plan and filters that the command does not give stand as in it; `taken` is what is
 * known of it. */
enum status recalled_run_find(struct run_session *session, struct past_run *taken,
                              struct error *error) MUST_USE;
/* The run says nothing of another plan with endpoints of its own: what was taken from it goes. */
void recalled_run_leave(struct run_session *session, const struct run_options *asked,
                        struct past_run *past);
/* The plan may say the passwords of the run's databases, which the state folder does not keep. */
void recalled_run_uris(struct run_session *session, const struct past_run *past);
/* Where neither a flag nor the plan says one, it is the run's; also where the plan says the one
 * that it said then, since a flag may have won. */
void recalled_run_time_zone(struct run_session *session, const struct past_run *past);

#endif
