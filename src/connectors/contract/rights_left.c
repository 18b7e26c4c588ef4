/* The list of what is left to do about rights. */
#include "connectors/contract/rights_left.h"

void rights_left_add(struct rights_left *left, const struct right_left *item)
{
    left->items = arena_make_room(left->arena, left->items, left->count, &left->capacity,
                                  sizeof *left->items);
    left->items[left->count++] = (struct right_left){
        .opens = item->opens,
        .kind = arena_copy_string(left->arena, item->kind),
        .object = arena_copy_string(left->arena, item->object),
        .text = arena_copy_string(left->arena, item->text),
        .statement =
            item->statement != NULL ? arena_copy_string(left->arena, item->statement) : NULL};
}

bool rights_left_open(const struct rights_left *left)
{
    bool opens = false;
    for (uint32_t i = 0; !opens && i < left->count; i++) {
        opens = left->items[i].opens;
    }
    return opens;
}
