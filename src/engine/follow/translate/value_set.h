/* Lists of values, each once: keys of rows, and what leads to them. */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_VALUE_SET_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_VALUE_SET_H

#include "base/arena.h"
#include "base/error.h"
#include "model/value.h"
#include <stdbool.h>

struct value_entry {
    const char *bytes; /* order_bytes of the cells */
    size_t length;
    const struct cell *cells;
};

/* Zeroed: empty. Values live in the arenas that they were added with. */
struct value_set {
    struct value_entry *entries;
    uint32_t count;
    uint32_t capacity;
    uint32_t distinct; /* the first so many are sorted and differ */
};

/* Copies the values into the arena. */
enum status value_set_add(struct value_set *set, struct arena *arena, const struct cell *cells,
                          uint32_t count, struct error *error) MUST_USE;
/* Sorts them, each once. */
void value_set_settle(struct value_set *set);
/* Are these among the values of a settled set? */
enum status value_set_find(const struct value_set *set, const struct cell *cells, uint32_t count,
                           bool *found, struct error *error) MUST_USE;
void value_set_clear(struct value_set *set); /* keeps its room */
void value_set_free(struct value_set *set);

#endif
