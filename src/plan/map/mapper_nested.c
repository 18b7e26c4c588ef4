/* Lists within the items of lists: whose row is whose, and what becomes of them in the end. */
#include "base/memory.h"
#include "plan/map/mapper_internal.h"
#include <stdlib.h>
#include <string.h>

/* ---- made and freed */

uint32_t mapper_nested_count(const struct stream_mapping *shared,
                             const struct mapping_field *fields, uint32_t field_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < field_count; i++) {
        if (fields[i].kind == FIELD_EMBED) {
            const struct mapping_list *list = &shared->lists[fields[i].list];
            for (uint32_t k = 0; k < list->field_count; k++) {
                count += list->fields[k].kind == FIELD_EMBED;
            }
            count += mapper_nested_count(shared, list->fields, list->field_count);
        }
    }
    return count;
}

static void make_inner(struct mapper *mapper, struct entity_state *entity, struct list_state *outer)
{
    const struct mapping_list *list = outer->list;
    outer->inner = &entity->lists[entity->list_count];
    for (uint32_t i = 0; i < list->field_count; i++) {
        const struct mapping_field *field = &list->fields[i];
        if (field->kind == FIELD_EMBED) {
            outer->inner[outer->inner_count++] =
                (struct list_state){.list = &mapper->shared->lists[field->list],
                                    .number = field->list,
                                    .entity = entity,
                                    .field = field,
                                    .outer = outer};
        }
    }
    entity->list_count += outer->inner_count;
    if (outer->inner_count > 0) {
        outer->index.key =
            memory_allocate_zeroed(list->key_count + (size_t)1, sizeof *outer->index.key);
    }
}

void mapper_nested_make(struct mapper *mapper, struct entity_state *entity)
{
    for (uint32_t i = 0; i < entity->list_count; i++) {
        if (entity->lists[i].field != NULL) {
            make_inner(mapper, entity, &entity->lists[i]);
        }
    }
}

void mapper_nested_free(struct list_state *list)
{
    free(list->index.keys);
    free(list->index.twins);
    free(list->index.slots);
    free(list->index.key);
    free(list->places);
    free(list->owners);
}

/* ---- room */

static enum status no_memory(const struct list_state *list, struct error *error)
{
    return error_set(error, ERROR_MEMORY, list->list->text, "no memory for a list");
}

static bool grow_inner(struct list_state *list, uint32_t capacity)
{
    struct item_index *index = &list->index;
    struct canonical_hash *keys = reallocarray(index->keys, capacity, sizeof *keys);
    index->keys = keys != NULL ? keys : index->keys;
    uint32_t *twins = reallocarray(index->twins, capacity, sizeof *twins);
    index->twins = twins != NULL ? twins : index->twins;
    bool grown = keys != NULL && twins != NULL;
    for (uint32_t i = 0; grown && i < list->inner_count; i++) {
        struct list_state *inner = &list->inner[i];
        struct cell **places = reallocarray(inner->places, capacity, sizeof(struct cell *));
        inner->places = places != NULL ? places : inner->places;
        grown = places != NULL;
    }
    return grown;
}

enum status mapper_nested_grow(struct list_state *list, uint32_t capacity, struct error *error)
{
    if (list->outer != NULL) {
        uint32_t *owners = reallocarray(list->owners, capacity, sizeof *owners);
        if (owners == NULL) {
            return no_memory(list, error);
        }
        list->owners = owners;
    }
    return list->inner_count == 0 || grow_inner(list, capacity) ? STATUS_OK
                                                                : no_memory(list, error);
}

uint64_t mapper_nested_item_bytes(const struct list_state *list)
{
    /* at most four slots an item */
    const uint64_t indexed = sizeof(struct canonical_hash) + 5 * sizeof(uint32_t);
    uint64_t bytes = list->outer != NULL ? sizeof(uint32_t) + sizeof(struct cell) : 0;
    return bytes +
           (list->inner_count > 0 ? indexed + list->inner_count * sizeof(struct cell *) : 0);
}

/* ---- keys */

static enum status hash_key(struct mapper *mapper, const struct list_state *list,
                            const uint32_t *cells, const struct cell *row,
                            struct canonical_hash *hash, struct error *error)
{
    uint32_t count = list->list->key_count;
    for (uint32_t i = 0; i < count; i++) {
        list->index.key[i] = row[cells[i]];
    }
    return canonical_hash_cells(list->index.key, count, &mapper->bytes, hash, error);
}

enum status mapper_nested_note_key(struct mapper *mapper, struct list_state *list,
                                   const struct cell *row, struct error *error)
{
    list->index.keys[list->count] = (struct canonical_hash){0};
    return hash_key(mapper, list, list->list->key, row, &list->index.keys[list->count], error);
}

/* The slot of the first item with that key, or a free one. */
static uint32_t *find_slot(const struct item_index *index, const struct canonical_hash *hash)
{
    uint32_t at = (uint32_t)hash->low & (index->slot_count - 1);
    for (;; at = (at + 1) & (index->slot_count - 1)) {
        uint32_t item = index->slots[at];
        if (item == 0 ||
            (index->keys[item - 1].low == hash->low && index->keys[item - 1].high == hash->high)) {
            return &index->slots[at];
        }
    }
}

/* All items are there when the first row of an inner list comes. */
static enum status make_index(struct list_state *list, struct error *error)
{
    struct item_index *index = &list->index;
    uint32_t wanted = 16;
    while (wanted / 2 < list->count) {
        wanted *= 2;
    }
    if (wanted > index->slot_capacity) {
        uint32_t *slots = reallocarray(index->slots, wanted, sizeof *slots);
        if (slots == NULL) {
            return no_memory(list, error);
        }
        index->slots = slots;
        index->slot_capacity = wanted;
    }
    memset(index->slots, 0, wanted * sizeof *index->slots);
    index->slot_count = wanted;
    index->has_twins = false;
    for (uint32_t item = 0; item < list->count; item++) {
        uint32_t *slot = find_slot(index, &index->keys[item]);
        index->twins[item] = item;
        if (*slot == 0) {
            *slot = item + 1;
        } else {
            index->twins[item] = index->twins[*slot - 1];
            index->twins[*slot - 1] = item;
            index->has_twins = true;
        }
    }
    return STATUS_OK;
}

enum status mapper_nested_find(struct mapper *mapper, const struct list_state *list,
                               const struct cell *row, uint32_t *owner, bool *found,
                               struct error *error)
{
    struct list_state *outer = list->outer;
    struct canonical_hash hash;
    *found = false;
    if (outer->index.slot_count == 0 && make_index(outer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (hash_key(mapper, outer, list->list->outer_key, row, &hash, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t item = *find_slot(&outer->index, &hash);
    if (item > 0) {
        *owner = item - 1;
        *found = list->places[item - 1] != NULL;
    }
    return STATUS_OK;
}

/* ---- places */

enum status mapper_nested_place(struct making *making, struct list_state *list, uint32_t item,
                                struct cell *cell, struct error *error)
{
    bool wanted = true;
    enum status status = mapper_test(making, list->field->when, &wanted, error);
    if (status != STATUS_OK) {
        wanted = mapper_is_reject(error);
    }
    list->places[item] = wanted ? cell : NULL;
    *cell = cell_items(VALUE_LIST, NULL, 0);
    making->bytes += sizeof(struct cell);
    if (wanted) {
        return status;
    }
    *cell = cell_missing();
    list->phase = LIST_LEFT_OUT;
    return status == STATUS_OK ? mapper_field(making, list->field, list, cell, error) : status;
}

/* Its number within the list that it is in, from 1. */
static uint32_t number_within(const struct list_state *list, uint32_t item)
{
    uint32_t number = 1;
    for (uint32_t i = 0; i < item; i++) {
        number += list->owners[i] == list->owners[item];
    }
    return number;
}

void mapper_nested_name(const struct list_state *list, uint32_t item, struct error *error)
{
    for (; list->outer != NULL; list = list->outer) {
        error_context(error, "%s, item %u: ", list->list->text,
                      (unsigned)number_within(list, item));
        item = list->owners[item];
    }
    error_context(error, "item %u: ", (unsigned)item + 1);
    error->object[0] = '\0'; /* it is the record's field that is named before */
}

/* ---- filling */

/* Twins take turns: each has as many of the rows, which come next to one another. */
static enum status share_among_twins(struct making *making, struct list_state *list,
                                     struct error *error)
{
    const struct item_index *index = &list->outer->index;
    if (!index->has_twins) {
        return STATUS_OK;
    }
    uint32_t *turns = arena_try_allocate(making->arena, list->outer->count * sizeof *turns);
    if (turns == NULL) {
        return no_memory(list, error);
    }
    for (uint32_t item = 0; item < list->outer->count; item++) {
        turns[item] = item;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t first = list->owners[i];
        list->owners[i] = turns[first];
        turns[first] = index->twins[turns[first]];
    }
    return STATUS_OK;
}

/* The items in the order of their owners, each owner's in their own; `ends`: where they end. */
static enum status sort_items(struct making *making, const struct list_state *list,
                              struct cell **sorted, uint32_t **ends, struct error *error)
{
    uint32_t owners = list->outer->count;
    *sorted = arena_try_allocate(making->arena, ((size_t)list->count + 1) * sizeof **sorted);
    *ends = arena_try_allocate(making->arena, ((size_t)owners + 1) * sizeof **ends);
    if (*sorted == NULL || *ends == NULL) {
        return no_memory(list, error);
    }
    memset(*ends, 0, ((size_t)owners + 1) * sizeof **ends);
    for (uint32_t i = 0; i < list->count; i++) {
        (*ends)[list->owners[i] + 1]++;
    }
    for (uint32_t owner = 0; owner < owners; owner++) {
        (*ends)[owner + 1] += (*ends)[owner];
    }
    for (uint32_t i = 0; i < list->count; i++) {
        (*sorted)[(*ends)[list->owners[i]]++] = list->items[i];
    }
    return STATUS_OK;
}

static enum status plan_mapper_nested_fill(struct making *making, struct list_state *list,
                                           struct error *error)
{
    struct cell *sorted = NULL;
    uint32_t *ends = NULL;
    if (list->count == 0) {
        return STATUS_OK; /* they are empty as they were placed */
    }
    if (share_among_twins(making, list, error) != STATUS_OK ||
        sort_items(making, list, &sorted, &ends, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t owner = 0; owner < list->outer->count; owner++) {
        uint32_t begin = owner > 0 ? ends[owner - 1] : 0;
        if (list->places[owner] != NULL) {
            *list->places[owner] = cell_items(VALUE_LIST, sorted + begin, ends[owner] - begin);
        }
    }
    return STATUS_OK;
}

enum status mapper_nested_fill(struct making *making, struct list_state *top, struct error *error)
{
    struct entity_state *entity = top->entity;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < entity->list_count && status == STATUS_OK; i++) {
        struct list_state *list = &entity->lists[i];
        if (list->outer != NULL && mapper_list_top(list) == top) {
            status = plan_mapper_nested_fill(making, list, error);
        }
    }
    return status;
}
