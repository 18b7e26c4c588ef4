/* A plain copy of records without fixed fields: the plan that names their columns, learnt once. */
#ifndef TRANSHUME_ENGINE_SESSION_LEARNING_H
#define TRANSHUME_ENGINE_SESSION_LEARNING_H

#include "engine/folder/past_runs.h"
#include "engine/session/session.h"
#include "plan/resolve/learn.h"

/*
 * After the endpoints, the schema and the target's tables are known. Where such a plan is needed,
 * session->document becomes it: the one that `past` was begun by, if it copied the same, else what
 * all records of the source say, which are read through a connection of its own. `learnt` gets the
 * notes about it; the caller frees it, also after a failure.
 */
enum status learning_make_plan(struct run_session *session, const struct past_run *past,
                               struct learnt_plan *learnt, struct buffer *faults,
                               struct error *error) MUST_USE;

#endif
