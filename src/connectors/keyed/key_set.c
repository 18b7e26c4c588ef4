/* The keys of records under way: no two of one key are sent at once. */
#include "connectors/keyed/keyed_internal.h"

#include "base/memory.h"
#include <stdlib.h>

enum { PLACES_MIN = 1024 };

static size_t place_of(const struct keyed_set *set, struct keyed_hash key)
{
    size_t mask = set->capacity - 1;
    size_t at = (size_t)key.low & mask;
    while (set->used[at] != 0 &&
           (set->places[at].low != key.low || set->places[at].high != key.high)) {
        at = (at + 1) & mask;
    }
    return at;
}

static void key_set_grow(struct keyed_set *set)
{
    struct keyed_set larger = {.capacity = set->capacity == 0 ? PLACES_MIN : 2 * set->capacity};
    larger.places = memory_allocate_zeroed(larger.capacity, sizeof(*larger.places));
    larger.used = memory_allocate_zeroed(larger.capacity, sizeof(*larger.used));
    for (size_t at = 0; at < set->capacity; at++) {
        if (set->used[at] != 0) {
            size_t to = place_of(&larger, set->places[at]);
            larger.places[to] = set->places[at];
            larger.used[to] = set->used[at];
        }
    }
    free(set->places);
    free(set->used);
    set->places = larger.places;
    set->used = larger.used;
    set->capacity = larger.capacity;
}

void keyed_set_add(struct keyed_set *set, struct keyed_hash key)
{
    if (2 * (set->count + 1) > set->capacity) {
        key_set_grow(set);
    }
    size_t at = place_of(set, key);
    set->count += set->used[at] == 0;
    set->places[at] = key;
    set->used[at]++;
}

bool keyed_set_has(const struct keyed_set *set, struct keyed_hash key)
{
    return set->count > 0 && set->used[place_of(set, key)] != 0;
}

/* The places that follow without a gap are moved back, so that no search ends too early. */
static void close_gap(struct keyed_set *set, size_t gap)
{
    size_t mask = set->capacity - 1;
    for (size_t at = (gap + 1) & mask; set->used[at] != 0; at = (at + 1) & mask) {
        size_t wanted = (size_t)set->places[at].low & mask;
        if (((at - wanted) & mask) >= ((at - gap) & mask)) {
            set->places[gap] = set->places[at];
            set->used[gap] = set->used[at];
            set->used[at] = 0;
            gap = at;
        }
    }
}

void keyed_set_remove(struct keyed_set *set, struct keyed_hash key)
{
    if (set->count == 0) {
        return;
    }
    size_t at = place_of(set, key);
    if (set->used[at] != 0 && --set->used[at] == 0) {
        set->count--;
        close_gap(set, at);
    }
}

void keyed_set_free(struct keyed_set *set)
{
    free(set->places);
    free(set->used);
    *set = (struct keyed_set){0};
}
