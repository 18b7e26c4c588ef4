/* Records and what is stored of them as maps in one order of fields, in the target's normal form.
 */
#include "engine/settle/compare.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

void compare_init(struct compare *compare, struct run *run)
{
    *compare = (struct compare){.run = run, .arena = arena_create(0)};
    compare->equal =
        memory_allocate_zeroed(run->session->plan->entity_count + 1u, sizeof(*compare->equal));
}

void compare_free(struct compare *compare)
{
    arena_destroy(compare->arena);
    buffer_free(&compare->scratch);
    free(compare->equal);
    *compare = (struct compare){0};
}

/* A value that a target can't hold stays as it is: its writer refused the record. */
static enum status normal(const struct compare *compare, const struct cell *cell,
                          struct arena *arena, struct cell *out, struct error *error)
{
    struct database *target = compare->run->session->target;
    enum status status = target->connector->target->normal_form(target, cell, arena, out, error);
    if (status != STATUS_OK && error->class != ERROR_CLASS_STOP) {
        *out = *cell;
        status = STATUS_OK;
    }
    return status;
}

/* Pairs of name and value, in normal form and in the order of the names, missing ones left out. */
static enum status hash_pairs(struct compare *compare, struct cell *pairs, uint32_t *count,
                              struct canonical_hash *hash, struct error *error)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        struct cell *pair = &pairs[2 * (size_t)i];
        if (pair[0].kind != VALUE_TEXT) {
            return error_set(error, ERROR_TARGET_INVALID, NULL,
                             "a record of the target has a field without a name");
        }
        if (pair[1].kind == VALUE_MISSING) {
            continue;
        }
        struct cell value;
        if (normal(compare, &pair[1], compare->arena, &value, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        pairs[2 * (size_t)kept] = pair[0];
        pairs[2 * (size_t)kept + 1] = value;
        kept++;
    }
    qsort(pairs, kept, 2 * sizeof(*pairs), value_compare_texts);
    *count = kept;
    return canonical_hash_cells(pairs, 2 * kept, &compare->scratch, hash, error);
}

static enum status hash_key(struct compare *compare, const struct cell *cells, uint32_t count,
                            struct canonical_hash *hash, struct error *error)
{
    return canonical_hash_cells(cells, count, &compare->scratch, hash, error);
}

static const struct cell *cell_of(const struct batch *batch, uint32_t row, const char *name)
{
    const struct cell *cells = batch_row(batch, row);
    if (batch->shape == NULL) {
        return value_field(cells, name);
    }
    for (uint32_t i = 0; i < batch->shape->field_count; i++) {
        if (strcmp(batch->shape->fields[i].name, name) == 0) {
            return &cells[i];
        }
    }
    return NULL;
}

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to compare records");
}

static const struct target_table *table_of(const struct compare *compare)
{
    return &compare->run->tables[compare->table];
}

/* NULL cells: the record has no key, so it was refused. */
static enum status read_key(struct compare *compare, const struct batch *batch, uint32_t row,
                            struct compare_item *item, struct error *error)
{
    const struct target_table *table = table_of(compare);
    struct cell *cells =
        arena_allocate_zeroed(compare->arena, (size_t)table->key.count + 1, sizeof(*cells));
    item->cells = NULL;
    for (uint32_t i = 0; i < table->key.count; i++) {
        const struct cell *cell = cell_of(batch, row, table->key.names[i]);
        if (cell == NULL || cell->kind == VALUE_MISSING || cell->kind == VALUE_NULL) {
            return STATUS_OK;
        }
        struct cell form;
        if (normal(compare, cell, compare->arena, &form, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (value_copy(&form, compare->arena, &cells[i]) != STATUS_OK) {
            return no_memory(error);
        }
    }
    item->cells = cells;
    return hash_key(compare, cells, table->key.count, &item->key, error);
}

static enum status read_record(struct compare *compare, const struct batch *batch, uint32_t row,
                               struct compare_item *item, struct error *error)
{
    const struct cell *cells = batch_row(batch, row);
    uint32_t count = batch->shape == NULL ? cells->length : batch->shape->field_count;
    struct cell *pairs =
        arena_allocate_zeroed(compare->arena, (size_t)count + 1, 2 * sizeof(*pairs));
    for (uint32_t i = 0; i < count; i++) {
        struct cell *pair = &pairs[2 * (size_t)i];
        if (batch->shape == NULL) { /* its names go with the batch */
            pair[1] = cells->items[2 * (size_t)i + 1];
            if (value_copy(&cells->items[2 * (size_t)i], compare->arena, pair) != STATUS_OK) {
                return no_memory(error);
            }
        } else {
            const struct shape_field *field = &batch->shape->fields[i];
            pair[0] = cell_text(field->name, field->name_length);
            pair[1] = cells[i];
        }
    }
    item->pairs = pairs;
    item->pair_count = count;
    return hash_pairs(compare, pairs, &item->pair_count, &item->record, error);
}

/* ---- the target's */

static int compare_items(const void *left, const void *right)
{
    const struct compare_item *a = left;
    const struct compare_item *b = right;
    return a->key.high != b->key.high ? (a->key.high < b->key.high ? -1 : 1)
           : a->key.low != b->key.low ? (a->key.low < b->key.low ? -1 : 1)
                                      : 0;
}

static struct compare_item *find_first(struct compare *compare, const struct canonical_hash *key)
{
    struct compare_item wanted = {.key = *key};
    uint32_t low = 0;
    uint32_t high = compare->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_items(&compare->items[middle], &wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < compare->count && compare_items(&compare->items[low], &wanted) == 0
               ? &compare->items[low]
               : NULL;
}

/* With `existing: upsert` the target's record may have fields of which the plan says nothing. */
static enum status compare_one(struct compare *compare, struct compare_item *item,
                               const struct cell *map, struct error *error)
{
    bool restricted = table_of(compare)->existing == EXISTING_UPSERT;
    struct canonical_hash record;
    uint32_t count = 0;
    struct cell *pairs =
        arena_allocate_zeroed(compare->arena, (size_t)map->length + 1, 2 * sizeof(*pairs));
    for (uint32_t i = 0; i < map->length; i++) {
        const struct cell *pair = &map->items[2 * (size_t)i];
        if (!restricted || bsearch(pair, item->pairs, item->pair_count, 2 * sizeof(*pair),
                                   value_compare_texts) != NULL) {
            memcpy(&pairs[2 * (size_t)count++], pair, 2 * sizeof(*pair));
        }
    }
    enum status status = hash_pairs(compare, pairs, &count, &record, error);
    item->equal = status == STATUS_OK && memcmp(&item->record, &record, sizeof(record)) == 0;
    return status;
}

static enum status take_record(struct compare *compare, const struct cell *map, struct error *error)
{
    const struct target_table *table = table_of(compare);
    struct cell *cells =
        arena_allocate_zeroed(compare->arena, (size_t)table->key.count + 1, sizeof(*cells));
    struct canonical_hash key;
    for (uint32_t i = 0; i < table->key.count; i++) {
        const struct cell *cell = value_field(map, table->key.names[i]);
        if (cell == NULL || normal(compare, cell, compare->arena, &cells[i], error) != STATUS_OK) {
            return cell == NULL ? STATUS_OK : STATUS_FAILED; /* of no key that was asked for */
        }
    }
    enum status status = hash_key(compare, cells, table->key.count, &key, error);
    struct compare_item *item = status == STATUS_OK ? find_first(compare, &key) : NULL;
    struct compare_item *end = compare->items + compare->count;
    while (status == STATUS_OK && item != NULL && item < end &&
           memcmp(&item->key, &key, sizeof(key)) == 0) {
        status = compare_one(compare, item++, map, error);
    }
    return status;
}

static enum status compare_fetch(struct compare *compare, struct batch **batch, struct error *error)
{
    struct database *target = compare->run->session->target;
    const struct target_table *table = table_of(compare);
    uint32_t width = table->key.count;
    uint32_t count = 0;
    struct cell *keys =
        arena_allocate_zeroed(compare->arena, (size_t)compare->count * width + 1, sizeof(*keys));
    for (uint32_t i = 0; i < compare->count; i++) {
        if (i == 0 || compare_items(&compare->items[i - 1], &compare->items[i]) != 0) {
            memcpy(&keys[(size_t)count * width], compare->items[i].cells, width * sizeof(*keys));
            count++;
        }
    }
    struct retry retry;
    session_retry_begin(compare->run->session, &retry);
    enum status status;
    do {
        status = target->connector->target->fetch(target, table, keys, count, batch, error);
    } while (status == STATUS_FAILED && retry_wait(&retry, error));
    return status;
}

enum status compare_flush(struct compare *compare, struct error *error)
{
    struct batch *batch = NULL;
    enum status status = STATUS_OK;
    if (compare->count > 0) {
        qsort(compare->items, compare->count, sizeof(compare->items[0]), compare_items);
        status = compare_fetch(compare, &batch, error);
    }
    for (uint32_t row = 0; status == STATUS_OK && batch != NULL && row < batch->row_count; row++) {
        status = take_record(compare, batch_row(batch, row), error);
    }
    for (uint32_t i = 0; i < compare->count; i++) {
        compare->equal[compare->items[i].entity] += compare->items[i].equal;
    }
    batch_destroy(batch);
    compare->count = 0;
    arena_reset(compare->arena);
    return status;
}

enum status compare_batch(struct compare *compare, const struct batch *batch, struct error *error)
{
    uint32_t table = compare->run->session->plan->entities[batch->entity].table;
    if (table != compare->table && compare_flush(compare, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    compare->table = table;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        struct compare_item item = {.entity = batch->entity};
        if (read_key(compare, batch, row, &item, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (item.cells == NULL) {
            continue;
        }
        if (read_record(compare, batch, row, &item, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        compare->items[compare->count++] = item;
        bool full =
            compare->count == COMPARE_KEYS_MAX || arena_bytes(compare->arena) > COMPARE_BYTES_MAX;
        if (full && compare_flush(compare, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}
