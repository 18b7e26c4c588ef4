#include "connectors/common/alter_settle.h"

#include "base/text.h"
#include <string.h>

enum status alter_settle_by_witness(struct alter_session *session, alter_settle_witness *witness,
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

void alter_witness_add(XXH3_state_t *hash, const char *text)
{
    XXH3_128bits_update(hash, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

const char *alter_witness_end(XXH3_state_t *hash, struct arena *arena)
{
    char hex[33];
    XXH128_hash_t digest = XXH3_128bits_digest(hash);
    XXH3_freeState(hash);
    text_from_hash(digest.high64, digest.low64, hex);
    return arena_copy_string(arena, hex);
}
