/* The outcome of a statement of a session that is gone, where one that was carried out shows in the
 * objects that it names. */
#ifndef TRANSHUME_CONNECTORS_COMMON_ALTER_SETTLE_H
#define TRANSHUME_CONNECTORS_COMMON_ALTER_SETTLE_H

#include "connectors/contract/alter.h"
#include <xxhash.h>

typedef enum status alter_settle_witness(struct alter_session *session,
                                         const struct alter_object *objects, uint32_t count,
                                         struct arena *arena, const char **text,
                                         struct error *error);

/* Absent if the witness is what it was before, applied if not; without one it is not known. Of
 * databases that carry out each statement whole or not at all. */
enum status alter_settle_by_witness(struct alter_session *session, alter_settle_witness *witness,
                                    const struct alter_object *objects, uint32_t count,
                                    const char *before, enum alter_settled *settled,
                                    struct error *error) MUST_USE;

/* For witnesses that are a digest: a text with its end, so that two do not run together; NULL is as
 * an empty one. */
void alter_witness_add(XXH3_state_t *hash, const char *text);
/* The digest in hexadecimal, in the arena; frees the state. */
const char *alter_witness_end(XXH3_state_t *hash, struct arena *arena);

#endif
