/* Rules of types as text: messages propose them. */
#ifndef TRANSHUME_PLAN_WORDS_RULE_TEXT_H
#define TRANSHUME_PLAN_WORDS_RULE_TEXT_H

#include "plan/mapping.h"
#include "plan/plan.h"

/* "`types: { users_seen_drop: { table: users, column: seen, drop: true } }`" for the field of an
 * entity that takes a column as it is; `what` is "drop: true". NULL: it is no such field. */
const char *rule_text(const struct plan *plan, uint32_t entity, const struct mapping_field *field,
                      const char *what, struct arena *arena);

#endif
