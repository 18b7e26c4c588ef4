/* What `check --follow` says: whether it can be done, what it costs, and what else would do. */
#ifndef TRANSHUME_ENGINE_FOLLOW_FOLLOW_FORESEE_H
#define TRANSHUME_ENGINE_FOLLOW_FOLLOW_FORESEE_H

#include "engine/run/session.h"

/* Changes nothing. `found->refusal`: why not; that is no failure. Texts in the arena. */
enum status follow_foresee(const struct run_session *session, struct arena *arena,
                           struct check_follow *found, struct error *error) MUST_USE;

#endif
