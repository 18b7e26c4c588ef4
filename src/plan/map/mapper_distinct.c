/* Records that were made before in the same chunk: they need not travel to the target. What is
 * forgotten here the target finds itself. */
#include "plan/map/mapper_internal.h"

enum { RECORDS_MAX = 1 << 14 };

enum status mapper_distinct_seen(struct mapper *mapper, struct entity_state *entity,
                                 const struct cell *cells, bool *seen, struct error *error)
{
    struct canonical_hash hash;
    /* by position: an entity has one shape */
    enum status status =
        canonical_hash_cells(cells, batch_shape_width(plan_entity_batch_shape(entity->entity)),
                             &mapper->bytes, &hash, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (entity->distinct.count == RECORDS_MAX) {
        hash_set_clear(&entity->distinct);
    }
    *seen = !hash_set_add(&entity->distinct, hash.low, hash.high);
    return STATUS_OK;
}
