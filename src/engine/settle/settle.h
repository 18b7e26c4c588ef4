/* Records that the target had, or that came twice. */
#ifndef TRANSHUME_ENGINE_SETTLE_SETTLE_H
#define TRANSHUME_ENGINE_SETTLE_SETTLE_H

#include "engine/session/session.h"

enum status settle_run(struct run *run, struct error *error) MUST_USE;
/* Applies what an earlier settling found to the totals. */
enum status settle_apply(struct run *run, struct error *error) MUST_USE;
/* The same to totals of another run, an entity each. */
enum status settle_totals(const struct run *run, struct tally *totals, uint32_t count,
                          struct error *error) MUST_USE;
/* Takes what became of an entity there (NULL: nothing) out of the sum of what was written; where
 * its hashes are not known, `*hashed` becomes false. */
void settle_subtract_hash(const struct json_t *entity, struct canonical_hash *sum, bool *hashed);

#endif
