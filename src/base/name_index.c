/* Finding a name among many by hash: open addressing, at most half full. */
#include "base/name_index.h"

#include "base/memory.h"
#include <string.h>
#include <strings.h>
#include <xxhash.h>

enum { CAPACITY_FIRST = 16 };

/* FNV-1a of the small letters. */
static uint64_t hash_folded(const char *name, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < length; i++) {
        bool capital = name[i] >= 'A' && name[i] <= 'Z';
        hash = (hash ^ (uint8_t)(capital ? name[i] + ('a' - 'A') : name[i])) * 0x100000001b3;
    }
    return hash;
}

static bool is_same(const struct name_index *index, const char *name, const char *other,
                    size_t length)
{
    return index->folded ? strncasecmp(name, other, length) == 0 : memcmp(name, other, length) == 0;
}

/* The name's slot, or the free one that it would take. There is a free one. */
static struct name_index_slot *find_slot(const struct name_index *index, const char *name,
                                         size_t length)
{
    uint32_t mask = index->capacity - 1;
    uint64_t hash = index->folded ? hash_folded(name, length) : XXH3_64bits(name, length);
    uint32_t at = (uint32_t)hash & mask;
    for (;; at = (at + 1) & mask) {
        struct name_index_slot *slot = &index->slots[at];
        if (slot->name == NULL ||
            (slot->length == length && is_same(index, slot->name, name, length))) {
            return slot;
        }
    }
}

static void name_index_grow(struct name_index *index)
{
    struct name_index grown = *index;
    if (index->capacity > UINT32_MAX / 4) {
        memory_exhausted(0);
    }
    grown.capacity = index->capacity == 0 ? CAPACITY_FIRST : index->capacity * 2;
    grown.slots = arena_allocate_zeroed(index->arena, grown.capacity, sizeof(*grown.slots));
    for (uint32_t at = 0; at < index->capacity; at++) {
        const struct name_index_slot *slot = &index->slots[at];
        if (slot->name != NULL) {
            *find_slot(&grown, slot->name, slot->length) = *slot;
        }
    }
    *index = grown;
}

uint32_t name_index_add(struct name_index *index, const char *name, size_t length, uint32_t number)
{
    if (length > UINT32_MAX) {
        memory_exhausted(length);
    }
    if (index->count >= index->capacity / 2) {
        name_index_grow(index);
    }
    struct name_index_slot *slot = find_slot(index, name, length);
    if (slot->name != NULL) {
        return slot->value;
    }
    *slot = (struct name_index_slot){name, (uint32_t)length, number};
    index->count++;
    return NAME_INDEX_NONE;
}

uint32_t name_index_find(const struct name_index *index, const char *name, size_t length)
{
    if (index->count == 0) {
        return NAME_INDEX_NONE;
    }
    const struct name_index_slot *slot = find_slot(index, name, length);
    return slot->name != NULL ? slot->value : NAME_INDEX_NONE;
}
