/* Changes of the target's records. */
#include "engine/follow/followed_set.h"

#include "model/order_bytes.h"
#include "plan/mapping.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct followed_set *followed_set_create(const struct followed_form *form, struct arena *arena)
{
    struct followed_set *set = arena_allocate_zeroed(arena, 1, sizeof *set);
    set->set = (struct change_set){.arena = arena,
                                   .first_piece = true,
                                   .last_piece = true,
                                   .tables = form->outputs,
                                   .table_count = form->plan->entity_count};
    return set;
}

static struct record_change *add_change(struct followed_set *set)
{
    struct arena *arena = set->set.arena;
    uint32_t count = set->set.change_count;
    struct record_change *changes = (struct record_change *)set->set.changes;
    if ((count & (count - 1)) == 0) { /* full at every power of two */
        struct record_change *grown =
            arena_allocate_zeroed(arena, count == 0 ? 1 : count * (size_t)2, sizeof *grown);
        if (count > 0) {
            memcpy(grown, changes, count * sizeof *grown);
        }
        set->set.changes = changes = grown;
    }
    return &changes[set->set.change_count++];
}

void followed_set_empty(struct followed_set *set, uint32_t entity)
{
    *add_change(set) = (struct record_change){.table = entity, .operation = RECORD_TRUNCATE};
}

static enum status copy_cells(struct arena *arena, const struct cell *from, uint32_t count,
                              const struct cell **to, struct error *error)
{
    struct cell *made = arena_allocate(arena, (count + (size_t)1) * sizeof *made);
    *to = made;
    for (uint32_t i = 0; i < count; i++) {
        if (value_copy(&from[i], arena, &made[i]) != STATUS_OK) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory for a changed record");
        }
    }
    return STATUS_OK;
}

struct cell follow_document(struct arena *arena, const struct shape *shape,
                            const struct cell *cells)
{
    struct cell *pairs =
        arena_allocate_zeroed(arena, shape->field_count + (size_t)1, 2 * sizeof *pairs);
    uint32_t count = 0;
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (cells[i].kind != VALUE_MISSING) {
            pairs[2 * (size_t)count] =
                cell_text(shape->fields[i].name, shape->fields[i].name_length);
            pairs[2 * (size_t)count + 1] = cells[i];
            count++;
        }
    }
    return cell_items(VALUE_MAP, pairs, count);
}

static bool has_null(const struct cell *key, uint32_t count)
{
    bool has = false;
    for (uint32_t i = 0; i < count; i++) {
        has = has || key[i].kind == VALUE_NULL || key[i].kind == VALUE_MISSING;
    }
    return has;
}

enum status followed_set_delete(struct followed_set *set, uint32_t entity, const struct cell *key,
                                uint32_t key_count, struct error *error)
{
    if (has_null(key, key_count)) { /* no record has been put under it */
        return STATUS_OK;
    }
    struct record_change *change = add_change(set);
    *change =
        (struct record_change){.table = entity, .operation = RECORD_DELETE, .key_count = key_count};
    return copy_cells(set->set.arena, key, key_count, &change->key, error);
}

static enum status key_of_record(const struct followed_form *form, uint32_t entity,
                                 const struct cell *record, struct arena *arena,
                                 const struct cell **key)
{
    const struct plan_entity *made = &form->plan->entities[entity];
    const struct column_list names = form->tables[entity].key;
    struct cell *cells = arena_allocate_zeroed(arena, names.count + (size_t)1, sizeof *cells);
    *key = cells;
    for (uint32_t i = 0; i < names.count; i++) {
        int32_t at = record->kind == VALUE_MAP && plan_entity_batch_shape(made) == NULL
                         ? -1
                         : shape_field_find(made->shape, names.names[i]);
        const struct cell *cell = at >= 0 ? &record[at] : value_field(record, names.names[i]);
        if (cell == NULL) {
            return STATUS_END;
        }
        cells[i] = *cell;
    }
    return STATUS_OK;
}

enum status followed_set_whole(const struct followed_form *form, struct followed_set *set,
                               uint32_t entity, const struct cell *before, const struct cell *after,
                               struct error *error)
{
    uint32_t width = batch_shape_width(plan_entity_batch_shape(&form->plan->entities[entity]));
    struct record_change *change = add_change(set);
    *change = (struct record_change){.table = entity,
                                     .operation = before == NULL  ? RECORD_INSERT
                                                  : after == NULL ? RECORD_DELETE
                                                                  : RECORD_UPDATE,
                                     .key_count = before != NULL ? width : 0};
    if (before != NULL &&
        copy_cells(set->set.arena, before, width, &change->key, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return after != NULL ? copy_cells(set->set.arena, after, width, &change->after, error)
                         : STATUS_OK;
}

static struct follow_reject *add_reject(struct followed_set *set)
{
    uint32_t count = set->reject_count;
    if ((count & (count - 1)) == 0) { /* full at every power of two */
        struct follow_reject *grown = arena_allocate_zeroed(
            set->set.arena, count == 0 ? 1 : 2 * (size_t)count, sizeof *grown);
        if (count > 0) {
            memcpy(grown, set->rejects, count * sizeof *grown);
        }
        set->rejects = grown;
    }
    return &set->rejects[set->reject_count++];
}

void followed_set_settle(struct followed_set *set, uint32_t entity, const struct reject_id *id,
                         enum reject_state state)
{
    *add_reject(set) = (struct follow_reject){.entity = entity, .state = state, .id = *id};
}

void followed_set_name_rejects(struct followed_set *set, uint32_t first, const struct cell *row,
                               const uint32_t *positions, uint32_t count)
{
    struct cell *key = NULL;
    for (uint32_t i = first; i < set->reject_count; i++) {
        struct follow_reject *reject = &set->rejects[i];
        if (reject->state != REJECT_OPEN || reject->key_count > 0 || count == 0) {
            continue;
        }
        if (key == NULL) { /* the row lives as long as the set */
            key = arena_allocate_zeroed(set->set.arena, count, sizeof *key);
            for (uint32_t k = 0; k < count; k++) {
                key[k] = row[positions != NULL ? positions[k] : k];
            }
        }
        reject->key = key;
        reject->key_count = count;
    }
}

/* Nothing could be found again under such a key. */
static enum status reject_null_key(struct followed_set *set, uint32_t entity,
                                   const struct record_change *change, const struct shape *shape)
{
    struct follow_reject *reject = add_reject(set);
    *reject = (struct follow_reject){
        .entity = entity,
        .code = ERROR_REJECT_KEY_NULL,
        .reason = "a part of its key is null",
        .record = shape != NULL ? follow_document(set->set.arena, shape, change->after)
                                : change->after[0]};
    set->set.change_count--;
    return STATUS_OK;
}

enum status followed_set_put(const struct followed_form *form, struct followed_set *set,
                             uint32_t entity, const struct cell *record, struct error *error)
{
    const struct shape *shape = plan_entity_batch_shape(&form->plan->entities[entity]);
    struct arena *arena = set->set.arena;
    struct record_change *change = add_change(set);
    *change = (struct record_change){
        .table = entity, .operation = RECORD_UPDATE, .key_count = form->tables[entity].key.count};
    const struct cell *copy;
    if (copy_cells(arena, record, batch_shape_width(shape), &copy, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (key_of_record(form, entity, copy, arena, &change->key) != STATUS_OK) {
        change->key = NULL;
        change->key_count = 0;
    }
    if (shape != NULL && form->documents) {
        struct cell *document = arena_allocate(arena, sizeof *document);
        *document = follow_document(arena, shape, copy);
        copy = document;
    }
    change->after = copy;
    return change->key == NULL || has_null(change->key, change->key_count)
               ? reject_null_key(set, entity, change, form->documents ? NULL : shape)
               : STATUS_OK;
}

enum status followed_set_reject(struct followed_set *set, const struct mapper_reject *reject,
                                struct error *error)
{
    struct arena *arena = set->set.arena;
    struct follow_reject *made = add_reject(set);
    *made = (struct follow_reject){.entity = reject->entity,
                                   .code = reject->code,
                                   .reason = arena_copy_string(arena, reject->reason),
                                   .key_count = reject->source_key_count};
    return value_copy(&reject->record, arena, &made->record) == STATUS_OK
               ? copy_cells(arena, reject->source_key, reject->source_key_count, &made->key, error)
               : error_set(error, ERROR_MEMORY, NULL, "no memory for a rejected record");
}

static bool are_same_keys(const struct record_change *left, const struct record_change *right)
{
    if (left->table != right->table || left->key_count != right->key_count) {
        return false;
    }
    for (uint32_t i = 0; i < left->key_count; i++) {
        if (!value_equal(&left->key[i], &right->key[i])) {
            return false;
        }
    }
    return true;
}

void followed_set_are_new(struct followed_set *set, uint32_t first)
{
    struct record_change *changes = (struct record_change *)set->set.changes;
    for (uint32_t i = first; i < set->set.change_count; i++) {
        changes[i].operation = RECORD_INSERT;
    }
}

void followed_set_drop_replaced(struct followed_set *set, uint32_t first, uint32_t deletes)
{
    struct record_change *changes = (struct record_change *)set->set.changes;
    uint32_t kept = first;
    for (uint32_t i = first; i < set->set.change_count; i++) {
        bool replaced = false;
        for (uint32_t p = first + deletes; i < first + deletes && p < set->set.change_count; p++) {
            replaced = replaced || are_same_keys(&changes[i], &changes[p]);
        }
        if (!replaced) {
            changes[kept++] = changes[i];
        }
    }
    set->set.change_count = kept;
}

/* The only change of its entity from `first` on that puts a record, or that takes one out. NULL:
 * there is none, or there are several. */
static struct record_change *only_change(struct followed_set *set, uint32_t first, uint32_t entity,
                                         bool puts)
{
    struct record_change *changes = (struct record_change *)set->set.changes;
    struct record_change *found = NULL;
    for (uint32_t i = first; i < set->set.change_count; i++) {
        if (changes[i].table == entity && (changes[i].after != NULL) == puts) {
            if (found != NULL) {
                return NULL;
            }
            found = &changes[i];
        }
    }
    return found;
}

void followed_set_join_moved(struct followed_set *set, uint32_t first)
{
    struct record_change *changes = (struct record_change *)set->set.changes;
    uint32_t kept = first;
    for (uint32_t i = first; i < set->set.change_count; i++) {
        const struct record_change change = changes[i];
        struct record_change *put = only_change(set, first, change.table, true);
        if (change.after == NULL && put != NULL &&
            only_change(set, first, change.table, false) == &changes[i]) {
            put->key = change.key;
            changes[i].table = UINT32_MAX; /* it goes below */
        }
    }
    for (uint32_t i = first; i < set->set.change_count; i++) {
        if (changes[i].table != UINT32_MAX) {
            changes[kept++] = changes[i];
        }
    }
    set->set.change_count = kept;
}

/* ---- elements with one key */

struct keyed_change {
    XXH128_hash_t hash;
    uint32_t at;
};

static int compare_keyed(const void *left, const void *right)
{
    const struct keyed_change *a = left;
    const struct keyed_change *b = right;
    int order = XXH128_cmp(&a->hash, &b->hash);
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

/* Can two records of one row share a key? */
static bool may_repeat(const struct followed_form *form, const struct record_change *change)
{
    const struct plan_entity *entity = &form->plan->entities[change->table];
    return change->after != NULL && entity->mapping->unnest != NULL &&
           !form->plan->tables[entity->table].keys_proven;
}

static enum status hash_change(const struct record_change *change, struct buffer *bytes,
                               XXH128_hash_t *hash, struct error *error)
{
    buffer_clear(bytes);
    buffer_append(bytes, (const char *)&change->table, sizeof change->table);
    for (uint32_t i = 0; i < change->key_count; i++) {
        if (order_bytes_append(&change->key[i], bytes, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *hash = XXH3_128bits(bytes->data, bytes->length);
    return STATUS_OK;
}

static void reject_repeat(const struct followed_form *form, struct followed_set *set, uint32_t at)
{
    const struct record_change *change = &set->set.changes[at];
    const struct shape *shape = plan_entity_batch_shape(&form->plan->entities[change->table]);
    struct follow_reject *reject = add_reject(set);
    *reject =
        (struct follow_reject){.entity = change->table,
                               .code = ERROR_REJECT_KEY_DUPLICATE,
                               .reason = "an element before it in its list has the same key",
                               .record = shape != NULL && !form->documents
                                             ? follow_document(set->set.arena, shape, change->after)
                                             : change->after[0]};
}

enum status followed_set_reject_repeats(const struct followed_form *form, struct followed_set *set,
                                        uint32_t first, struct error *error)
{
    struct record_change *changes = (struct record_change *)set->set.changes;
    struct keyed_change *keyed = arena_allocate_zeroed(
        set->set.arena, set->set.change_count - first + (size_t)1, sizeof *keyed);
    struct buffer bytes = {0};
    uint32_t count = 0;
    uint32_t kept = first;
    enum status status = STATUS_OK;
    for (uint32_t i = first; i < set->set.change_count && status == STATUS_OK; i++) {
        if (may_repeat(form, &changes[i])) {
            keyed[count].at = i;
            status = hash_change(&changes[i], &bytes, &keyed[count++].hash, error);
        }
    }
    qsort(keyed, count, sizeof *keyed, compare_keyed);
    for (uint32_t i = 1; i < count && status == STATUS_OK; i++) {
        if (XXH128_isEqual(keyed[i - 1].hash, keyed[i].hash)) {
            reject_repeat(form, set, keyed[i].at);
            changes[keyed[i].at].table = UINT32_MAX; /* it goes below */
        }
    }
    for (uint32_t i = first; i < set->set.change_count && status == STATUS_OK; i++) {
        if (changes[i].table != UINT32_MAX) {
            changes[kept++] = changes[i];
        }
    }
    set->set.change_count = status == STATUS_OK ? kept : set->set.change_count;
    buffer_free(&bytes);
    return status;
}
