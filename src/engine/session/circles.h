/* Foreign keys of tables that are there by which records refer to each other in a circle, or to
 * others of their own table: no order of the streams suits them. */
#ifndef TRANSHUME_ENGINE_SESSION_CIRCLES_H
#define TRANSHUME_ENGINE_SESSION_CIRCLES_H

#include "engine/session/session.h"

/* Sets target_table.later of tables, by what the target has of them, in the arena. */
void circles_search(const struct run_session *session, const struct schema *schema,
                    struct target_table *const *tables, uint32_t count, struct arena *arena);
/* The same of the plan's tables, by session->there. */
void circles_find(struct run_session *session);
/* Is it the foreign key of one of the table's `later`? */
bool circles_is_later(const struct target_table *table, const struct schema_foreign_key *key);
/* The fate of such foreign keys, a line each. */
void circles_tell(const struct run_session *session, struct buffer *out);

#endif
