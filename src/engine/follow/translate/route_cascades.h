/* Foreign keys of the source whose actions no feed tells: what they change has to be found in the
 * target. */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_ROUTE_CASCADES_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_ROUTE_CASCADES_H

#include "engine/follow/translate/routes.h"

/*
 * Fills dependents and cascades, and adds the tables whose changes have to come for that.
 * ERROR_FOLLOW: rows that such a key changes could not be found in the target; noted in `lacks`, if
 * there is a list.
 */
enum status route_cascades_make(struct follow_routes *routes, const struct run_session *session,
                                struct lack_list *lacks, struct error *error) MUST_USE;

/* Do the target's own foreign keys do what those of the source did (--cascades target)? As the
 * command says, else as the run began. */
bool route_cascades_in_target(const struct run_session *session);
/* Does the key change rows when the one that they refer to is deleted or gets other values? */
bool route_cascades_acts(const struct schema_foreign_key *key);
/* The field of the target that has the column as it is, but perhaps of another type; NULL: none. */
const char *route_cascades_field(const struct plan_stream *stream, const struct plan_entity *entity,
                                 const char *column, struct value_type *type);

/* routes.c: the table, added if it is not followed yet; and a column that its changes have to tell
 * of the row before them. */
struct followed_table *follow_routes_add_table(struct follow_routes *routes, const char *name);
void follow_routes_add_before(struct follow_routes *routes, struct followed_table *table,
                              const struct schema_table *described, const char *column);

#endif
