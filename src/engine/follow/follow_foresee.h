/* The answer of `check --follow`: whether it can be done, what it costs, and what else would do. */
#ifndef TRANSHUME_ENGINE_FOLLOW_FOLLOW_FORESEE_H
#define TRANSHUME_ENGINE_FOLLOW_FOLLOW_FORESEE_H

#include "connectors/contract/lacks.h"
#include "engine/session/session.h"

/* Changes nothing. Notes all that stands against it in `lacks`, which is no failure. Texts live in
 * the arena of `lacks`. */
enum status follow_foresee(const struct run_session *session, struct lack_list *lacks,
                           struct check_follow *found, struct error *error) MUST_USE;

#endif
