/* Open addressing: a hash stands in the first free slot from that of its lower bits on. */
#include "base/hash_set.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_FIRST = 256 };

static bool is_free(const struct hash_set_slot *slot)
{
    return slot->low == 0 && slot->high == 0;
}

/* The hash's slot, or the free one that it would take. There is a free one. */
static struct hash_set_slot *find_slot(const struct hash_set *set, uint64_t low, uint64_t high)
{
    size_t at = (size_t)low & (set->capacity - 1);
    while (!is_free(&set->slots[at]) &&
           (set->slots[at].low != low || set->slots[at].high != high)) {
        at = (at + 1) & (set->capacity - 1);
    }
    return &set->slots[at];
}

static void hash_set_grow(struct hash_set *set)
{
    struct hash_set grown = {.count = set->count,
                             .capacity = set->capacity == 0 ? CAPACITY_FIRST : set->capacity * 2};
    grown.slots = memory_allocate_zeroed(grown.capacity, sizeof *grown.slots);
    for (size_t i = 0; i < set->capacity; i++) {
        if (!is_free(&set->slots[i])) {
            *find_slot(&grown, set->slots[i].low, set->slots[i].high) = set->slots[i];
        }
    }
    free(set->slots);
    *set = grown;
}

bool hash_set_add(struct hash_set *set, uint64_t low, uint64_t high)
{
    low |= low == 0 && high == 0; /* two zeros are a free slot */
    if (set->count >= set->capacity / 2) {
        hash_set_grow(set);
    }
    struct hash_set_slot *slot = find_slot(set, low, high);
    bool is_new = is_free(slot);
    *slot = (struct hash_set_slot){low, high};
    set->count += is_new;
    return is_new;
}

bool hash_set_holds(const struct hash_set *set, uint64_t low, uint64_t high)
{
    low |= low == 0 && high == 0;
    return set->count > 0 && !is_free(find_slot(set, low, high));
}

void hash_set_clear(struct hash_set *set)
{
    if (set->count > 0) {
        memset(set->slots, 0, set->capacity * sizeof *set->slots);
        set->count = 0;
    }
}

void hash_set_free(struct hash_set *set)
{
    free(set->slots);
    *set = (struct hash_set){0};
}
