#include "connectors/sql/settle.h"

#include <string.h>

enum status sql_settle_by_witness(struct alter_session *session, sql_settle_witness *witness,
                                  const struct alter_object *objects, uint32_t count,
                                  const char *before, enum alter_settled *settled,
                                  struct error *error)
{
    const char *now = NULL;
    *settled = ALTER_UNKNOWN;
    if (before == NULL || count == 0) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = witness(session, objects, count, arena, &now, error);
    if (status == STATUS_OK) {
        *settled = strcmp(now, before) == 0 ? ALTER_ABSENT : ALTER_APPLIED;
    }
    arena_destroy(arena);
    return status;
}
