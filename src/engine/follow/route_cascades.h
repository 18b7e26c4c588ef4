/* Foreign keys of the source whose actions no feed tells: what they change has to be found in the
 * target. */
#ifndef TRANSHUME_ENGINE_FOLLOW_ROUTE_CASCADES_H
#define TRANSHUME_ENGINE_FOLLOW_ROUTE_CASCADES_H

#include "engine/follow/routes.h"

/*
 * Fills dependents and cascades, and adds the tables whose changes have to come for that.
 * ERROR_FOLLOW: rows that such a key changes could not be found in the target.
 */
enum status route_cascades_make(struct follow_routes *routes, const struct run_session *session,
                                struct error *error) MUST_USE;

/* routes.c: the table, added if it is not followed yet; and a column that its changes have to tell
 * of the row before them. */
struct followed_table *follow_routes_add_table(struct follow_routes *routes, const char *name);
void follow_routes_add_before(struct follow_routes *routes, struct followed_table *table,
                              const struct schema_table *described, const char *column);

#endif
