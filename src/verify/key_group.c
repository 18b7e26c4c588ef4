/* Kinds of equal records, and those of both sides put together. */
#include "verify/key_group.h"

#include "plan/mapping.h"
#include "verify/match.h"

static bool is_distinct(const struct verify *verify, const struct spill_head *entry)
{
    return entry->side == SIDE_SOURCE && (verify->entities[entry->entity].plan->mapping->distinct ||
                                          verify->tables[entry->table].plan->target.distinct);
}

static bool is_of_kind(const struct spill_head *entry, const struct spill_head *next)
{
    return next == entry ||
           (next->entity == entry->entity && spill_compare_records(entry, next) == 0);
}

void key_group_next(struct key_group *pile)
{
    const struct spill_head *before = pile->entry;
    const struct spill_head *next = spill_peek(&pile->cursor);
    pile->entry = next;
    pile->left = pile->collapsed = 0;
    for (; next != NULL && is_of_kind(pile->entry, next); next = spill_peek(&pile->cursor)) {
        pile->left += next->count;
        spill_skip(&pile->cursor);
    }
    if (pile->entry != NULL && is_distinct(pile->verify, pile->entry)) {
        /* another entity may have made it, too */
        bool again = before != NULL && spill_compare_records(before, pile->entry) == 0;
        pile->collapsed = again ? pile->left : pile->left - 1;
        pile->left -= pile->collapsed;
    }
}

void key_group_begin(struct key_group *pile, const struct verify *verify,
                     const struct spill_cursor *side)
{
    *pile = (struct key_group){.verify = verify, .cursor = *side};
    key_group_next(pile);
}

/* Which comes first? Where only some of the target's fields count, its records are in no order that
 * the source's have; but such a target has one kind under a key, which waits for its equal one. */
static int group_compare(const struct verify *verify, const struct spill_head *a,
                         const struct spill_head *b)
{
    const struct spill_head *source = a->side == SIDE_SOURCE ? a : b;
    const struct spill_head *other = source == a ? b : a;
    if (!verify->tables[source->table].restricted || other->side != SIDE_TARGET) {
        return spill_compare_records(a, b);
    }
    return match_compare_fields(verify, source, other, NULL) ? 0 : source == a ? -1 : 1;
}

uint64_t key_group_take_equal(struct key_group *pile, const struct spill_head *entry,
                              uint64_t wanted)
{
    uint64_t taken = 0;
    while (pile->entry != NULL && taken < wanted) {
        int order = group_compare(pile->verify, pile->entry, entry);
        if (order > 0) {
            break;
        }
        if (order == 0) {
            uint64_t some = pile->left < wanted - taken ? pile->left : wanted - taken;
            taken += some;
            pile->left -= some;
        }
        if (order < 0 || pile->left == 0) {
            key_group_next(pile);
        }
    }
    return taken;
}

void unmatched_begin(struct unmatched *unmatched, const struct verify *verify,
                     const struct spill_group *group)
{
    *unmatched = (struct unmatched){0};
    key_group_begin(&unmatched->source, verify, &group->sides[SIDE_SOURCE]);
    key_group_begin(&unmatched->target, verify, &group->sides[SIDE_TARGET]);
}

bool unmatched_take(struct unmatched *unmatched, const struct spill_head **taken)
{
    struct key_group *target = &unmatched->target;
    while (unmatched->left == 0 && target->entry != NULL) {
        unmatched->entry = target->entry;
        unmatched->left =
            target->left - key_group_take_equal(&unmatched->source, target->entry, target->left);
        key_group_next(target);
    }
    if (unmatched->left == 0) {
        return false;
    }
    unmatched->left--;
    *taken = unmatched->entry;
    return true;
}
