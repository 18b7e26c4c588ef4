/* Records that were made before in the same chunk: they need not travel to the target. What is
 * forgotten here the target finds itself. */
#include "base/memory.h"
#include "plan/mapper_internal.h"
#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 256, SLOTS_MAX = 1 << 15 };

void mapper_distinct_forget(struct distinct_set *set)
{
    if (set->slots != NULL) {
        memset(set->slots, 0, set->capacity * sizeof *set->slots);
    }
    set->count = 0;
}

void mapper_distinct_free(struct distinct_set *set)
{
    free(set->slots);
    *set = (struct distinct_set){0};
}

static bool is_empty(const struct canonical_hash *hash)
{
    return hash->low == 0 && hash->high == 0;
}

static struct canonical_hash *mapper_distinct_find(const struct distinct_set *set,
                                                   const struct canonical_hash *hash)
{
    uint32_t at = (uint32_t)hash->low & (set->capacity - 1);
    while (!is_empty(&set->slots[at]) &&
           (set->slots[at].low != hash->low || set->slots[at].high != hash->high)) {
        at = (at + 1) & (set->capacity - 1);
    }
    return &set->slots[at];
}

/* Room for one more: twice as much, or, at the bound, all is forgotten. */
static void make_room(struct distinct_set *set)
{
    if (set->slots != NULL && set->count < set->capacity / 2) {
        return;
    }
    if (set->capacity == SLOTS_MAX) {
        mapper_distinct_forget(set);
        return;
    }
    struct distinct_set larger = {.capacity = set->slots ? 2 * set->capacity : SLOTS_FIRST,
                                  .count = set->count};
    larger.slots = memory_allocate_zeroed(larger.capacity, sizeof *larger.slots);
    for (uint32_t i = 0; set->slots != NULL && i < set->capacity; i++) {
        if (!is_empty(&set->slots[i])) {
            *mapper_distinct_find(&larger, &set->slots[i]) = set->slots[i];
        }
    }
    free(set->slots);
    *set = larger;
}

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
    make_room(&entity->distinct);
    struct canonical_hash *slot = mapper_distinct_find(&entity->distinct, &hash);
    *seen = !is_empty(slot);
    entity->distinct.count += !*seen;
    *slot = hash;
    return STATUS_OK;
}
