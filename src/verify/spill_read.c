/* Entries in their order, and the groups of one key among them. */
#include "verify/spill.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE_BYTES_MAX = 64 << 10, HELD_BYTES = 128 << 10 };

/* ---------------------------------------------------------------- fields */

void spill_field_read(const char **at, struct spill_field *field)
{
    const char *from = *at;
    uint16_t length;
    memcpy(&length, from, sizeof(length));
    field->name = from + sizeof(length);
    field->name_length = length;
    from = field->name + length;
    memcpy(&field->hash, from, sizeof(field->hash));
    from += sizeof(field->hash);
    memcpy(&field->kind, from, sizeof(field->kind));
    from += sizeof(field->kind);
    memcpy(&field->shown_length, from, sizeof(field->shown_length));
    field->shown = from + sizeof(field->shown_length);
    from = field->shown + field->shown_length;
    memcpy(&field->value_length, from, sizeof(field->value_length));
    from += sizeof(field->value_length);
    field->value = field->value_length == UINT32_MAX ? NULL : from;
    *at = from + (field->value == NULL ? 0 : field->value_length);
}

static int compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

int spill_compare_names(const struct spill_field *a, const struct spill_field *b)
{
    return compare_bytes(a->name, a->name_length, b->name, b->name_length);
}

int spill_compare_values(const struct spill_field *a, const struct spill_field *b)
{
    if (a->value != NULL && b->value != NULL) {
        return compare_bytes(a->value, a->value_length, b->value, b->value_length);
    }
    return (a->hash > b->hash) - (a->hash < b->hash);
}

/* ---------------------------------------------------------------- order */

static int compare_hashes(const struct canonical_hash *a, const struct canonical_hash *b)
{
    if (a->high != b->high) {
        return a->high < b->high ? -1 : 1;
    }
    return (a->low > b->low) - (a->low < b->low);
}

static int compare_keys(const struct spill_head *a, const struct spill_head *b)
{
    if (a->table != b->table) {
        return a->table < b->table ? -1 : 1;
    }
    return compare_hashes(&a->key, &b->key);
}

static int compare_fields(const struct spill_head *a, const struct spill_head *b)
{
    const char *left = spill_fields(a);
    const char *right = spill_fields(b);
    struct spill_field one;
    struct spill_field other;
    int order = 0;
    if (a->fields_length == b->fields_length && memcmp(left, right, a->fields_length) == 0) {
        return 0;
    }
    for (uint32_t i = 0; order == 0 && i < a->field_count && i < b->field_count; i++) {
        spill_field_read(&left, &one);
        spill_field_read(&right, &other);
        order = spill_compare_names(&one, &other);
        order = order != 0 ? order : spill_compare_values(&one, &other);
    }
    return order != 0 ? order
                      : (a->field_count > b->field_count) - (a->field_count < b->field_count);
}

int spill_compare_records(const struct spill_head *a, const struct spill_head *b)
{
    int order = compare_hashes(&a->hash, &b->hash);
    return order != 0 ? order : compare_fields(a, b);
}

int spill_compare(const struct spill_head *a, const struct spill_head *b)
{
    int order = compare_keys(a, b);
    if (order == 0) {
        order = (int)a->side - (int)b->side;
    }
    if (order == 0) {
        order = spill_compare_records(a, b);
    }
    return order != 0 ? order : (a->entity > b->entity) - (a->entity < b->entity);
}

static int compare_places(const void *left, const void *right)
{
    return spill_compare(*(const struct spill_head *const *)left,
                         *(const struct spill_head *const *)right);
}

/* Is it of the attempt that did its task? */
static bool counts(const struct spill_head *entry, const struct spill_options *options)
{
    return options->attempts == NULL || entry->task == SPILL_NO_TASK ||
           (entry->task < options->task_count && options->attempts[entry->task] == entry->attempt);
}

void spill_list_sort(const char *bytes, uint64_t length, const struct spill_options *options,
                     struct spill_list *list)
{
    uint64_t count = 0;
    for (uint64_t at = 0; at < length; at += spill_entry(bytes, at)->length) {
        count += counts(spill_entry(bytes, at), options);
    }
    const struct spill_head **entries =
        memory_allocate_zeroed(count + 1, sizeof(struct spill_head *));
    uint64_t at = 0;
    for (uint64_t i = 0; i < count; at += spill_entry(bytes, at)->length) {
        if (counts(spill_entry(bytes, at), options)) {
            entries[i++] = spill_entry(bytes, at);
        }
    }
    qsort(entries, count, sizeof(struct spill_head *), compare_places);
    *list = (struct spill_list){.bytes = bytes, .entries = entries, .end = count};
}

/* ---------------------------------------------------------------- going through */

void spill_let_go(const char *bytes, uint64_t from, uint64_t to)
{
    from -= from % PAGE_BYTES_MAX;
    to -= to % PAGE_BYTES_MAX;
    int ignored = madvise((void *)(uintptr_t)(bytes + from), to - from, MADV_DONTNEED);
    (void)ignored; /* then it is held a little longer */
}

void spill_skip(struct spill_cursor *cursor)
{
    if (cursor->list->entries != NULL) {
        cursor->at++;
        return;
    }
    cursor->at += spill_entry(cursor->list->bytes, cursor->at)->length;
    if (cursor->at - cursor->held_from >= HELD_BYTES) {
        spill_let_go(cursor->list->bytes, cursor->held_from, cursor->at);
        cursor->held_from = cursor->at;
    }
}

static void find_group(struct spill_cursor *cursor, struct spill_group *group)
{
    const struct spill_head *next = group->first = spill_peek(cursor);
    for (uint32_t side = SIDE_SOURCE; side <= SIDE_REJECT; side++) {
        group->sides[side] = *cursor;
        group->counts[side] = 0;
        while (next != NULL && next->side == side && compare_keys(group->first, next) == 0) {
            group->counts[side] += next->count;
            spill_skip(cursor);
            next = spill_peek(cursor);
        }
        group->sides[side].end = cursor->at;
    }
}

enum status spill_list_walk(const struct spill_list *list, spill_group_function *function,
                            void *context, struct error *error)
{
    struct spill_cursor cursor = {.list = list, .end = list->end};
    struct spill_group group;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && spill_peek(&cursor) != NULL) {
        find_group(&cursor, &group);
        status = function(context, &group, error);
    }
    return status;
}
