/* The records under one key, one kind of equal ones after another: both sides are in one order, so
 * that what belongs together is found by going through each once, however many there are. */
#ifndef TRANSHUME_VERIFY_KEY_GROUP_H
#define TRANSHUME_VERIFY_KEY_GROUP_H

#include "verify/spill.h"

/* One side's records, and of them the kind in hand. */
struct key_group {
    const struct verify *verify;
    struct spill_cursor cursor;     /* behind it */
    const struct spill_head *entry; /* one of its records; NULL: there is no more */
    uint64_t left;                  /* how many there are yet */
    uint64_t collapsed;             /* and how many more `distinct` made one of */
};
void key_group_begin(struct key_group *pile, const struct verify *verify,
                     const struct spill_cursor *side);
void key_group_next(struct key_group *pile);
/* Takes up to `wanted` records that `entry`, of the other side, equals; asked in the order of the
 * entries. How many there were. */
uint64_t key_group_take_equal(struct key_group *pile, const struct spill_head *entry,
                              uint64_t wanted);

/* The records of the target that have no equal one in the source. */
struct unmatched {
    struct key_group source;
    struct key_group target;
    const struct spill_head *entry;
    uint64_t left;
};
void unmatched_begin(struct unmatched *unmatched, const struct verify *verify,
                     const struct spill_group *group);
bool unmatched_take(struct unmatched *unmatched, const struct spill_head **taken);

#endif
