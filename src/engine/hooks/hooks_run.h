/* How a hook is carried out: SQL in a session of its own, or a command. */
#ifndef TRANSHUME_ENGINE_HOOKS_HOOKS_RUN_H
#define TRANSHUME_ENGINE_HOOKS_HOOKS_RUN_H

#include "engine/session/session.h"
#include "plan/hooks.h"

struct hook_session {
    struct run *run;
    struct database *database;     /* NULL: it is a command */
    struct alter_session *session; /* likewise */
    const struct error *failure;   /* of on_failure; NULL: none */
};

/* For SQL: connects. Closed in any case. */
enum status hook_session_open(struct run *run, const struct plan_hook *hook,
                              struct hook_session *open, struct error *error) MUST_USE;
void hook_session_close(struct hook_session *open);
/*
 * Runs one statement of the SQL, or the command. ERROR_TARGET_UNKNOWN_OUTCOME: the connection broke
 * off meanwhile.
 *
 * A command finds in its environment HOOK_NAME, HOOK_RUN, HOOK_TABLE (of a table's), HOOK_SOURCE
 * and HOOK_TARGET (without secrets), HOOK_STATE (the state folder), HOOK_READ, HOOK_WRITTEN,
 * HOOK_REJECTED and HOOK_SKIPPED (of the table, else of the run), and for on_failure HOOK_ERROR
 * (the code) and HOOK_MESSAGE. What it prints becomes lines of the log.
 */
enum status hook_run_statement(struct hook_session *open, const struct plan_hook *hook,
                               uint32_t statement, struct error *error) MUST_USE;
/* Says of an error of it which hook failed, with what. */
enum status hook_failure(const struct plan_hook *hook, uint32_t statement, struct error *error);

#endif
