/* Keys of records as a root's row alone tells them (struct follow_key). */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_ROUTE_KEYS_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_ROUTE_KEYS_H

#include "engine/follow/translate/routes.h"

struct mapping_field;

/* How often a field of a key holds the number of a page; above 1: not so that it can be read back.
 * `field` may be NULL. */
uint32_t route_keys_pages(const struct mapping_field *field);
/* Makes of the entity of a copy of the plan the one that makes keys, and notes in `stream` what of
 * a row these need. */
void route_keys_make(struct follow_routes *routes, const struct plan *plan,
                     struct plan_entity *entity, struct follow_stream *stream);

#endif
