/* The tables that are in the target before the plan is resolved. */
#ifndef TRANSHUME_ENGINE_SESSION_TARGET_TABLES_H
#define TRANSHUME_ENGINE_SESSION_TARGET_TABLES_H

#include "engine/session/session.h"

/* Takes the tables out of session->schema that the source has only since the run that is gone on
 * with or compared began, of which its plan is not. */
void there_leave_new_out(struct run_session *session);

/* Is the table, which the source has only since the run began, one that a run that follows without
 * naming tables takes along? */
bool there_joins(const struct run_session *session, const struct schema_table *table);

/* The tables that were there before the run: as the run keeps it, else what the target's catalogue
 * tells now, without the tables that the run itself made, if a table that the run may write to is
 * in it; NULL: none is, or the target's tables have no columns. The caller's to destroy with its
 * arena, unless that is the session's. */
enum status there_describe(struct run_session *session, const struct schema **there,
                           struct error *error) MUST_USE;

#endif
