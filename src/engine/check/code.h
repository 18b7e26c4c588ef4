/* Code of the source that would run in the target: functions that its users made. */
#ifndef TRANSHUME_ENGINE_CHECK_CODE_H
#define TRANSHUME_ENGINE_CHECK_CODE_H

#include "engine/run/run.h"

/* Lists in `arena`. Nothing where a copy makes none of it. */
enum status check_code(struct run_session *session, struct arena *arena, struct check_code *code,
                       struct error *error) MUST_USE;

#endif
