/*
 * Hooks of the plan (plan/hooks.h), in the order of a run:
 *
 *   before           the target was checked; the source's snapshot, the chunk list and the ledger
 *                    come after it
 *   before of table  all tables are there, no record was read for them
 *   after of table   all records are there and counted, indexes built, references checked
 *   after            behind those of the tables
 *   on_failure       each time that the run ends with a failure; what comes of it is only told
 *
 * Each runs once in a run. It is noted before it is begun and when it is done, of SQL statement by
 * statement: in the ledger, as intents "hook-ID"; what runs before there is a ledger, in hooks.json
 * of the state folder, and in the ledger as well once it is there. A resume skips what is done and
 * repeats what is known to have failed. Of what had begun and is not known to be done, `once:
 * false` lets it repeat the statement or command; else it refuses (ERROR_HOOK_REFUSED) until
 * --begun-hooks says which.
 *
 *   {"format":2,"title":"after of orders","text":"ANALYZE orders","state":"begun","statement":0}
 *
 * Only runs that copy have them: not those that load rejects or repair, nor the way back of a
 * cut-over. Control thread.
 */
#ifndef TRANSHUME_ENGINE_HOOKS_HOOKS_H
#define TRANSHUME_ENGINE_HOOKS_HOOKS_H

#include "engine/session/session.h"

struct plan_hook;

/* "hooks.json": of the state folder. */
#define HOOKS_FILE "hooks.json"

/* Does this run have any of that moment? */
bool hooks_has(const struct run *run, int moment);
/* ERROR_HOOK_REFUSED: the plan has commands that nobody allowed. */
enum status hooks_check(const struct run_session *session, struct error *error) MUST_USE;
/* The run's own ones; `again`: a run that had not come to its ledger is begun again. */
enum status hooks_before_run(struct run *run, bool again, struct error *error) MUST_USE;
/* The contents of hooks.json go into the ledger that was made meanwhile. */
enum status hooks_keep(struct run *run, struct error *error) MUST_USE;
enum status hooks_before_tables(struct run *run, struct error *error) MUST_USE;
/* Has one of them begun? Then the records may not be those that were counted any more. */
enum status hooks_after_begun(struct run *run, bool *begun, struct error *error) MUST_USE;
enum status hooks_after(struct run *run, struct error *error) MUST_USE;
void hooks_on_failure(struct run *run, const struct error *failure);
/* The hooks that are run, a line each: "before: in the target, SQL: …". */
void hooks_describe(const struct run_session *session, struct buffer *out);

#endif
