/* A set of hashes of 128 bits, such as of keys or of whole records. */
#ifndef TRANSHUME_BASE_HASH_SET_H
#define TRANSHUME_BASE_HASH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_set_slot {
    uint64_t low;
    uint64_t high;
};

/* Zeroed, it is empty. One thread at a time. */
struct hash_set {
    struct hash_set_slot *slots; /* both halves 0: free */
    size_t count;
    size_t capacity; /* a power of two, at most half of which is taken */
};

/* True: it was not there. */
bool hash_set_add(struct hash_set *set, uint64_t low, uint64_t high);
bool hash_set_holds(const struct hash_set *set, uint64_t low, uint64_t high);
/* Keeps the memory. */
void hash_set_clear(struct hash_set *set);
void hash_set_free(struct hash_set *set);

#endif
