/* Parts of the source's records that a copy leaves out: check lists them, the run warns of them. */
#ifndef TRANSHUME_ENGINE_SESSION_LOSSES_H
#define TRANSHUME_ENGINE_SESSION_LOSSES_H

#include "engine/session/session.h"

/* One line each in `out`. */
enum status losses_tell(struct run_session *session, struct buffer *out,
                        struct error *error) MUST_USE;
/* The same as warnings of the log. */
enum status losses_warn(struct run_session *session, struct error *error) MUST_USE;

#endif
