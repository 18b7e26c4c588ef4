/* Lists of values, each once. */
#include "engine/follow/translate/value_set.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "model/order_bytes.h"
#include <stdlib.h>
#include <string.h>

static int compare_entries(const void *left, const void *right)
{
    const struct value_entry *a = left;
    const struct value_entry *b = right;
    size_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, common);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

void value_set_settle(struct value_set *set)
{
    uint32_t kept = 0;
    if (set->count == 0 || set->distinct == set->count) {
        return;
    }
    qsort(set->entries, set->count, sizeof *set->entries, compare_entries);
    for (uint32_t i = 0; i < set->count; i++) {
        if (kept == 0 || compare_entries(&set->entries[kept - 1], &set->entries[i]) != 0) {
            set->entries[kept++] = set->entries[i];
        }
    }
    set->count = set->distinct = kept;
}

/* Repeated values are common, as of a transaction that updates one row's children: they go before
 * the list grows. */
static void make_room(struct value_set *set)
{
    if (set->count < set->capacity) {
        return;
    }
    value_set_settle(set);
    if (set->count > set->capacity / 2 || set->capacity == 0) {
        set->capacity = set->capacity == 0 ? 64 : set->capacity * 2;
        set->entries = memory_resize(set->entries, set->capacity, sizeof *set->entries);
    }
}

static enum status append_bytes(const struct cell *cells, uint32_t count, struct buffer *bytes,
                                struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = order_bytes_append(&cells[i], bytes, error);
    }
    return status;
}

enum status value_set_add(struct value_set *set, struct arena *arena, const struct cell *cells,
                          uint32_t count, struct error *error)
{
    struct buffer bytes = {0};
    struct cell *copy = arena_allocate(arena, (count + (size_t)1) * sizeof *copy);
    enum status status = append_bytes(cells, count, &bytes, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        if (value_copy(&cells[i], arena, &copy[i]) != STATUS_OK) {
            status = error_set(error, ERROR_MEMORY, NULL, "no memory for a changed row's key");
        }
    }
    if (status == STATUS_OK) {
        make_room(set);
        set->entries[set->count++] =
            (struct value_entry){.bytes = arena_copy(arena, buffer_string(&bytes), bytes.length),
                                 .length = bytes.length,
                                 .cells = copy};
    }
    buffer_free(&bytes);
    return status;
}

enum status value_set_find(const struct value_set *set, const struct cell *cells, uint32_t count,
                           bool *found, struct error *error)
{
    struct buffer bytes = {0};
    enum status status = append_bytes(cells, count, &bytes, error);
    const struct value_entry entry = {.bytes = buffer_string(&bytes), .length = bytes.length};
    *found = status == STATUS_OK && set->count > 0 &&
             bsearch(&entry, set->entries, set->count, sizeof entry, compare_entries) != NULL;
    buffer_free(&bytes);
    return status;
}

void value_set_clear(struct value_set *set)
{
    set->count = set->distinct = 0;
}

void value_set_free(struct value_set *set)
{
    free(set->entries);
    *set = (struct value_set){0};
}
