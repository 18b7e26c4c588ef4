/* What became of a statement of a session that is gone, where one that was carried out shows in the
 * objects that it names. */
#ifndef TRANSHUME_CONNECTORS_SQL_SETTLE_H
#define TRANSHUME_CONNECTORS_SQL_SETTLE_H

#include "connectors/alter.h"

typedef enum status sql_settle_witness(struct alter_session *session,
                                       const struct alter_object *objects, uint32_t count,
                                       struct arena *arena, const char **text, struct error *error);

/* Absent if the witness is what it was before, applied if not; without one it is not known. Of
 * databases that carry out each statement whole or not at all. */
enum status sql_settle_by_witness(struct alter_session *session, sql_settle_witness *witness,
                                  const struct alter_object *objects, uint32_t count,
                                  const char *before, enum alter_settled *settled,
                                  struct error *error) MUST_USE;

#endif
