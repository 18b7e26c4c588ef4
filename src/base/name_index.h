/* Finding a name among many by hash: for tables of tens of thousands of columns. */
#ifndef TRANSHUME_BASE_NAME_INDEX_H
#define TRANSHUME_BASE_NAME_INDEX_H

#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_INDEX_NONE = UINT32_MAX };

struct name_index_slot {
    const char *name; /* NULL: free */
    uint32_t length;
    uint32_t value;
};

/*
 * Numbers by name; names are bytes, borrowed. Zeroed but for `arena` and `folded`, it is empty; its
 * memory is the arena's. One thread at a time changes it; those that only look may be many.
 */
struct name_index {
    struct arena *arena;
    struct name_index_slot *slots;
    uint32_t capacity; /* a power of two */
    uint32_t count;
    bool folded; /* names that differ in the case of ASCII letters only are one */
};

/* The number that the name had before: NAME_INDEX_NONE if it is new, and then has `number` (less
 * than NAME_INDEX_NONE). */
uint32_t name_index_add(struct name_index *index, const char *name, size_t length, uint32_t number);
/* NAME_INDEX_NONE: it is not there. */
uint32_t name_index_find(const struct name_index *index, const char *name, size_t length);

#endif
