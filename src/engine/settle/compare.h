/* Records as the plan makes them, compared with what the target has under their keys. */
#ifndef TRANSHUME_ENGINE_SETTLE_COMPARE_H
#define TRANSHUME_ENGINE_SETTLE_COMPARE_H

#include "engine/session/session.h"

enum { COMPARE_KEYS_MAX = 256, COMPARE_BYTES_MAX = 4 << 20 };

/* A made record that waits for its comparison. */
struct compare_item {
    struct canonical_hash key;
    struct canonical_hash record;
    const struct cell *cells; /* of the key, normal form */
    const struct cell *pairs; /* of its fields, by name */
    uint32_t pair_count;
    uint32_t entity;
    bool equal;
};

/* Belongs to one thread. The target must have `fetch`. */
struct compare {
    struct run *run;
    struct buffer scratch;
    struct arena *arena; /* of the items, emptied a fetch */
    uint32_t table;      /* that the items are of */
    struct compare_item items[COMPARE_KEYS_MAX];
    uint32_t count;
    uint64_t *equal; /* an entity each: records that the target has as they were made */
};
void compare_init(struct compare *compare, struct run *run);
void compare_free(struct compare *compare);
/* Counts the batch's records that the target has, in `equal`; some only at compare_flush. */
enum status compare_batch(struct compare *compare, const struct batch *batch,
                          struct error *error) MUST_USE;
enum status compare_flush(struct compare *compare, struct error *error) MUST_USE;

#endif
