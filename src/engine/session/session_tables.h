/* The target tables of a session, and what its options make of them. */
#ifndef TRANSHUME_ENGINE_SESSION_SESSION_TABLES_H
#define TRANSHUME_ENGINE_SESSION_SESSION_TABLES_H

#include "engine/session/session.h"

/* The plan's tables as one list, as the connectors want it. */
void session_list_tables(struct run_session *session, struct arena *arena,
                         struct target_table **tables);
/* Views, triggers and so on that a new run makes; NULL: none. */
const struct schema *session_objects(const struct run_session *session);
/* As the options say; not for the few records of a repair, nor indexes for those that were mended.
 */
bool session_rebuilds_indexes(const struct run_session *session);
bool session_disables_triggers(const struct run_session *session);
bool session_rejects_orphans(const struct run_session *session);
/* Must duplicates of this table be looked for after the load? */
bool session_settles(const struct run_session *session, const struct plan_table *table);

#endif
