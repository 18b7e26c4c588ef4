/* Applying change sets: each is one entry of the log, with the position that it brings. */
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/store_notes.h"
#include "toy_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

struct apply {
    struct toy_database *self;
    const struct target_table *tables;
    uint32_t table_count;
    struct apply_request request;
    struct store *store;    /* of notes */
    char lane[80];          /* FEED/LANE */
    struct buffer position; /* of the last set in the log */
    struct buffer now;      /* the same, looked up again */
    struct toy_live *live;
};

static bool is_own(const struct apply *apply, const struct toy_entry *entry)
{
    return entry->kind == TOY_SET && strlen(apply->lane) == entry->table_length &&
           memcmp(apply->lane, entry->table, entry->table_length) == 0;
}

static enum status note_position(void *context, const struct toy_entry *entry, struct error *error)
{
    struct apply *apply = context;
    (void)error;
    if (is_own(apply, entry)) {
        buffer_clear(&apply->now);
        buffer_append(&apply->now, entry->key, entry->key_length);
    }
    return STATUS_OK;
}

static enum status take_live(void *context, const struct toy_entry *entry, struct error *error)
{
    struct apply *apply = context;
    (void)error;
    toy_live_take(&apply->live, entry);
    return STATUS_OK;
}

static enum status look(struct apply *apply, struct error *error)
{
    buffer_clear(&apply->now);
    return toy_log_walk_sets(apply->self, 0, note_position, apply, NULL, error);
}

static void toy_apply_close(struct apply *apply)
{
    if (apply) {
        buffer_free(&apply->position);
        buffer_free(&apply->now);
        toy_store.close(apply->store);
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
    apply->request = *request;
    snprintf(apply->lane, sizeof apply->lane, "%s/%u", request->feed, request->lane);
    enum status status = toy_log_mend(apply->self, error);
    status = status == STATUS_OK ? look(apply, error) : status;
    buffer_append_buffer(&apply->position, &apply->now);
    status = status == STATUS_OK ? toy_store.open(database, &apply->store, error) : status;
    status = status == STATUS_OK ? toy_store.create(apply->store, error) : status;
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

static enum status toy_apply_position(struct apply *apply, struct arena *arena,
                                      struct position *position, struct error *error)
{
    (void)error;
    *position =
        (struct position){.bytes = (const uint8_t *)arena_copy(
                              arena, buffer_string(&apply->position), apply->position.length),
                          .length = (uint32_t)apply->position.length};
    return position->length > 0 ? STATUS_OK : STATUS_END;
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

/* ---- sets to the log */

/* Under the log's lock: the position is still the one that this handle knows. */
static enum status append(struct apply *apply, const struct buffer *out, const struct position *end,
                          struct error *error)
{
    enum status status = flock(apply->self->log, LOCK_EX) == 0
                             ? look(apply, error)
                             : error_set(error, ERROR_TARGET_LOCKED, apply->lane, "no lock");
    if (status == STATUS_OK &&
        (apply->now.length != apply->position.length ||
         memcmp(apply->now.data ? apply->now.data : "",
                apply->position.data ? apply->position.data : "", apply->now.length) != 0)) {
        status = error_set(error, ERROR_RUN_FENCED, apply->lane, "another process applies it");
    }
    status = status == STATUS_OK ? failpoint_hit("toy.before_apply", error) : status;
    status = status == STATUS_OK ? toy_log_write(apply->self, out, error) : status;
    (void)flock(apply->self->log, LOCK_UN);
    if (status == STATUS_OK) {
        buffer_clear(&apply->position);
        buffer_append(&apply->position, end->bytes, end->length);
        status = failpoint_hit("toy.after_apply", error);
    }
    return status;
}

static enum status apply_one(struct apply *apply, const struct change_set *const *sets,
                             uint32_t number, struct arena *arena, struct apply_result *result,
                             struct error *error)
{
    const struct change_set *set = sets[number];
    struct writing writing = {
        .apply = apply, .set = set, .number = number, .arena = arena_create(0), .error = error};
    struct buffer out = {0};
    uint32_t before = result->refusal_count;
    enum status status = write_changes(&writing, arena, result);
    if (status == STATUS_OK) {
        const struct apply_call call = {
            .sets = sets,
            .first = number,
            .end = number + 1,
            .refusals = result->refusal_count > before ? &result->refusals[before] : NULL,
            .refusal_count = result->refusal_count - before};
        status = store_notes_keep(&apply->request, &call, &toy_store, apply->store, arena, error);
    }
    if (status == STATUS_OK) {
        const struct toy_entry entry = {.kind = TOY_SET,
                                        .run = apply->self->run,
                                        .table = apply->lane,
                                        .table_length = (uint32_t)strlen(apply->lane),
                                        .key = set->end.bytes,
                                        .key_length = set->end.length,
                                        .value = (const uint8_t *)writing.out.data,
                                        .value_length = (uint32_t)writing.out.length};
        toy_entry_append(&entry, &out);
        status = append(apply, &out, &set->end, error);
    }
    buffer_free(&out);
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
        status = apply_one(apply, sets, i, arena, result, error);
    }
    return status;
}

const struct apply_functions toy_apply = {
    .open = toy_apply_open,
    .close = toy_apply_close,
    .position = toy_apply_position,
    .apply_sets = toy_apply_sets,
};
