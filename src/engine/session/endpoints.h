/* Opening both databases of a session. */
#ifndef TRANSHUME_ENGINE_SESSION_ENDPOINTS_H
#define TRANSHUME_ENGINE_SESSION_ENDPOINTS_H

#include "engine/session/session.h"

/* Opens source, target and, for a comparison, the target as a source. Nothing is changed there. */
enum status endpoints_open(struct run_session *session, struct error *error) MUST_USE;
/* The caps of a validation, whose repair is a run of its own: those that the plan says are told by
 * that run; `asked` is what was said now. */
enum status endpoints_check_caps(const struct run_session *session, const struct run_options *asked,
                                 struct error *error) MUST_USE;

#endif
