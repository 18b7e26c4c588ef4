/* The guarantee that source and target give after a crash. */
#include "engine/run/run.h"
#include "engine/session/home.h"

bool run_writes_to_stdout(const struct run_session *session)
{
    return session != NULL && session->target_uri != NULL && session->target != NULL &&
           uri_is_stream(session->target_uri, session->target->connector);
}

bool run_can_resume(const struct run_session *session)
{
    return session->target == NULL || /* left after a comparison: what can be read can be resumed */
           (session->target->capabilities & CAPABILITY_NO_RESUME) == 0;
}

const char *run_guarantee_name(enum guarantee guarantee)
{
    static const char *const names[] = {[GUARANTEE_EXACTLY_ONCE] = "exactly once",
                                        [GUARANTEE_IDEMPOTENT] = "idempotent",
                                        [GUARANTEE_AT_LEAST_ONCE] = "at least once"};
    return names[guarantee];
}

enum guarantee run_guarantee(const struct run_session *session)
{
    return !run_can_resume(session)       ? GUARANTEE_AT_LEAST_ONCE
           : home_repeats_chunks(session) ? GUARANTEE_IDEMPOTENT
                                          : session->target->connector->guarantee;
}
