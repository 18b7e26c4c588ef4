/* The normal form of values in DynamoDB itself, which keeps no order of names in maps. */
#include "connectors/dynamodb/network_target.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(const void *left, const void *right)
{
    const struct cell *one = (const struct cell *)left;
    const struct cell *two = (const struct cell *)right;
    uint32_t shorter = one->length < two->length ? one->length : two->length;
    int order = memcmp(one->text, two->text, shorter);
    return order != 0 ? order : (one->length > two->length) - (one->length < two->length);
}

/* The depth is bounded: what nests deeper than DynamoDB allows has no normal form. */
static void sort_maps(const struct cell *cell, struct arena *arena, struct cell *sorted)
{
    *sorted = *cell;
    if (cell->kind != VALUE_LIST && cell->kind != VALUE_MAP) {
        return;
    }
    size_t count = (size_t)cell->length * (cell->kind == VALUE_MAP ? 2 : 1);
    struct cell *items = (struct cell *)arena_allocate_zeroed(arena, count + 1, sizeof(*items));
    for (size_t at = 0; at < count; at++) {
        sort_maps(&cell->items[at], arena, &items[at]);
    }
    if (cell->kind == VALUE_MAP) {
        qsort(items, cell->length, 2 * sizeof(*items), compare_names);
    }
    sorted->items = items;
}

enum status dynamodb_network_normal_form(struct database *self, const struct cell *cell,
                                         struct arena *arena, struct cell *normal,
                                         struct error *error)
{
    struct cell form;
    (void)self;
    enum status status = dynamodb_item_normal_form(cell, arena, &form, error);
    if (status == STATUS_OK) {
        sort_maps(&form, arena, normal);
    }
    return status;
}
