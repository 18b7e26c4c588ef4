/* Applying change sets: entries of the log, which has no place for a position. */
#include "base/failpoint.h"
#include "base/memory.h"
#include "toy_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct apply {
    struct toy_database *self;
    const struct target_table *tables;
    uint32_t table_count;
    struct toy_live *live;
};

static enum status take_live(void *context, const struct toy_entry *entry, struct error *error)
{
    struct apply *apply = context;
    (void)error;
    toy_live_take(&apply->live, entry);
    return STATUS_OK;
}

static void toy_apply_close(struct apply *apply)
{
    if (apply) {
        toy_live_free(&apply->live);
        free(apply);
    }
}

static enum status toy_apply_open(struct database *database, const struct apply_request *request,
                                  struct apply **made, struct error *error)
{
    struct apply *apply = memory_allocate_zeroed(1, sizeof *apply);
    *apply = (struct apply){
        .self = toy_of(database), .tables = request->tables, .table_count = request->table_count};
    enum status status = toy_log_mend(apply->self, error);
    if (status == STATUS_OK) {
        status = toy_log_walk(apply->self, 0, take_live, apply, NULL, error);
    }
    if (status != STATUS_OK) {
        toy_apply_close(apply);
        apply = NULL;
    }
    *made = apply;
    return status;
}

/* ---- changes to entries */

struct writing {
    struct apply *apply;
    const struct change_set *set;
    uint32_t number;   /* of the set, in its call */
    struct buffer out; /* the entries of the set */
    struct arena *arena;
    struct error *error;
};

/* The record as a MAP: of a shape its fields, those that are MISSING as they stand. */
static enum status record_map(struct writing *writing, const struct record_change *change,
                              const struct cell *old, struct cell *map)
{
    const struct shape *shape = writing->set->tables[change->table].shape;
    if (!shape) {
        *map = change->after[0];
        return STATUS_OK;
    }
    struct cell *pairs =
        arena_allocate_zeroed(writing->arena, shape->field_count + 1, 2 * sizeof *pairs);
    uint32_t count = 0;
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const struct cell *cell = &change->after[i];
        if (cell->kind == VALUE_MISSING) {
            cell = old ? value_field(old, shape->fields[i].name) : NULL;
        }
        if (cell) {
            pairs[2 * (size_t)count] =
                cell_text(shape->fields[i].name, shape->fields[i].name_length);
            pairs[2 * (size_t)count++ + 1] = *cell;
        }
    }
    *map = cell_items(VALUE_MAP, pairs, count);
    return STATUS_OK;
}

/* STATUS_END: a part of the key is missing or null. */
static enum status key_of_map(struct writing *writing, const struct target_table *table,
                              const struct cell *map, struct buffer *key)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < table->key.count && status == STATUS_OK; i++) {
        const struct cell *part = value_field(map, table->key.names[i]);
        status =
            part && part->kind != VALUE_NULL ? toy_encode(part, key, writing->error) : STATUS_END;
    }
    return status;
}

static void add_entry(struct writing *writing, enum toy_entry_kind kind,
                      const struct target_table *table, const struct buffer *key,
                      const struct buffer *value)
{
    const struct toy_entry entry = {.kind = kind,
                                    .run = writing->apply->self->run,
                                    .table = table->name,
                                    .table_length = (uint32_t)strlen(table->name),
                                    .key = (const uint8_t *)key->data,
                                    .key_length = (uint32_t)key->length,
                                    .value = (const uint8_t *)value->data,
                                    .value_length = (uint32_t)value->length};
    toy_entry_append(&entry, &writing->out);
    toy_live_take(&writing->apply->live, &entry);
}

static enum status find_old(struct writing *writing, const struct target_table *table,
                            const struct buffer *key, const struct cell **old)
{
    const struct toy_entry entry = {.table = table->name,
                                    .table_length = (uint32_t)strlen(table->name),
                                    .key = (const uint8_t *)key->data,
                                    .key_length = (uint32_t)key->length};
    uint32_t length;
    size_t used;
    const uint8_t *value = toy_live_find(writing->apply->live, &entry, &length);
    *old = NULL;
    if (!value) {
        return STATUS_OK;
    }
    struct cell *cell = arena_allocate(writing->arena, sizeof *cell);
    const char *copy = arena_copy(writing->arena, value, length);
    *old = cell;
    return toy_decode((const uint8_t *)copy, length, writing->arena, cell, &used, writing->error);
}

static enum status write_change(struct writing *writing, const struct record_change *change,
                                struct buffer *before, struct buffer *after)
{
    const struct target_table *table = &writing->apply->tables[change->table];
    const struct buffer nothing = {0};
    const struct cell *old;
    struct cell map;
    struct buffer value = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < change->key_count && status == STATUS_OK; i++) {
        status = toy_encode(&change->key[i], before, writing->error);
    }
    if (status == STATUS_OK && !change->after) {
        add_entry(writing, TOY_DELETE, table, before, &nothing);
        return STATUS_OK;
    }
    status = status == STATUS_OK ? find_old(writing, table, before, &old) : status;
    status = status == STATUS_OK ? record_map(writing, change, old, &map) : status;
    status = status == STATUS_OK ? key_of_map(writing, table, &map, after) : status;
    status = status == STATUS_OK ? toy_encode(&map, &value, writing->error) : status;
    if (status == STATUS_OK && change->key_count > 0 &&
        (before->length != after->length || memcmp(before->data, after->data, after->length))) {
        add_entry(writing, TOY_DELETE, table, before, &nothing);
    }
    if (status == STATUS_OK) {
        add_entry(writing, TOY_PUT, table, after, &value);
    }
    buffer_free(&value);
    return status;
}

static enum status write_changes(struct writing *writing, struct arena *arena,
                                 struct apply_result *result)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < writing->set->change_count && status == STATUS_OK; i++) {
        struct buffer before = {0};
        struct buffer after = {0};
        status = write_change(writing, &writing->set->changes[i], &before, &after);
        if (status == STATUS_END) {
            struct apply_refusal *grown =
                arena_allocate_zeroed(arena, result->refusal_count + 1, sizeof *grown);
            if (result->refusal_count > 0) {
                memcpy(grown, result->refusals, result->refusal_count * sizeof *grown);
            }
            grown[result->refusal_count++] = (struct apply_refusal){
                writing->number, i, ERROR_REJECT_KEY_NULL, "a part of the key is null"};
            result->refusals = grown;
            status = STATUS_OK;
        }
        buffer_free(&before);
        buffer_free(&after);
    }
    return status;
}

static enum status apply_one(struct apply *apply, const struct change_set *set, uint32_t number,
                             struct arena *arena, struct apply_result *result, struct error *error)
{
    struct writing writing = {
        .apply = apply, .set = set, .number = number, .arena = arena_create(0), .error = error};
    enum status status = write_changes(&writing, arena, result);
    status = status == STATUS_OK ? failpoint_hit("toy.before_apply", error) : status;
    status = status == STATUS_OK ? toy_log_write(apply->self, &writing.out, error) : status;
    status = status == STATUS_OK ? failpoint_hit("toy.after_apply", error) : status;
    buffer_free(&writing.out);
    arena_destroy(writing.arena);
    return status;
}

static enum status toy_apply_sets(struct apply *apply, const struct change_set *const *sets,
                                  uint32_t set_count, struct arena *arena,
                                  struct apply_result *result, struct error *error)
{
    enum status status = STATUS_OK;
    *result = (struct apply_result){0};
    for (uint32_t i = 0; i < set_count && status == STATUS_OK; i++) {
        status = apply_one(apply, sets[i], i, arena, result, error);
    }
    return status;
}

const struct apply_functions toy_apply = {
    .open = toy_apply_open,
    .close = toy_apply_close,
    .apply_sets = toy_apply_sets,
};
