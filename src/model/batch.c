/* Batches: cells and envelopes in blocks of their own, all that they point to in the arena. */
#include "model/batch.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

static size_t bytes_of_row(uint32_t width)
{
    return (width == 0 ? 1 : (size_t)width) * sizeof(struct cell);
}

static struct batch *model_batch_create(struct arena *arena, uint32_t *arena_users,
                                        const struct shape *shape, uint32_t width,
                                        uint32_t row_capacity)
{
    struct batch *batch = memory_allocate_zeroed(1, sizeof(*batch));
    if (row_capacity == 0) {
        row_capacity = 1;
    }
    /* not zeroed: rows are filled as they are appended */
    batch->cells = memory_resize(NULL, row_capacity, bytes_of_row(width));
    batch->arena = arena;
    batch->arena_users = arena_users;
    batch->shape = shape;
    batch->width = width;
    batch->row_capacity = row_capacity;
    return batch;
}

struct batch *batch_create(const struct shape *shape, uint32_t width, uint32_t row_capacity)
{
    struct arena *arena = arena_create(0);
    uint32_t *users = arena_allocate(arena, sizeof(*users));
    *users = 1;
    return model_batch_create(arena, users, shape, width, row_capacity);
}

struct batch *batch_create_sharing(struct batch *owner, const struct shape *shape, uint32_t width,
                                   uint32_t row_capacity)
{
    ++*owner->arena_users;
    return model_batch_create(owner->arena, owner->arena_users, shape, width, row_capacity);
}

struct batch *batch_create_for_cursor(uint32_t width, uint32_t rows_max, size_t bytes_max)
{
    size_t fitting = bytes_max / ((size_t)width * sizeof(struct cell) + 1) + 1;
    return batch_create(NULL, width, fitting < rows_max ? (uint32_t)fitting : rows_max);
}

enum status batch_deliver(struct batch *filled, enum status status, struct batch **batch)
{
    if (status == STATUS_OK && filled->row_count == 0 && filled->refused_count == 0) {
        status = STATUS_END;
    }
    if (status != STATUS_OK) {
        batch_destroy(filled);
        filled = NULL;
    }
    *batch = filled;
    return status;
}

void batch_destroy(struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    struct large_value *large = batch->large_values;
    while (large != NULL) {
        struct large_value *next = large->next;
        large->release(large);
        large = next;
    }
    if (--*batch->arena_users == 0) {
        arena_destroy(batch->arena);
    }
    free(batch->envelopes);
    free(batch->cells);
    free(batch);
}

void batch_add_envelopes(struct batch *batch)
{
    if (batch->envelopes == NULL) {
        batch->envelopes = memory_allocate_zeroed(batch->row_capacity, sizeof(*batch->envelopes));
    }
}

struct cell *batch_append_slow(struct batch *batch)
{
    if (batch->row_capacity > UINT32_MAX / 2) {
        memory_exhausted(0);
    }
    uint32_t capacity = batch->row_capacity * 2;
    batch->cells = memory_resize(batch->cells, capacity, bytes_of_row(batch->width));
    if (batch->envelopes != NULL) {
        struct record_envelope *envelopes =
            memory_resize(batch->envelopes, capacity, sizeof(*envelopes));
        for (uint32_t i = batch->row_capacity; i < capacity; i++) {
            envelopes[i] = (struct record_envelope){0};
        }
        batch->envelopes = envelopes;
    }
    batch->row_capacity = capacity;
    return batch->cells + (size_t)batch->row_count++ * batch->width;
}

void batch_refuse(struct batch *batch, enum error_code code, const char *reason,
                  const struct cell *key, uint32_t key_count, const struct cell *raw)
{
    struct batch_refused *refused = arena_allocate(batch->arena, sizeof(*refused));
    *refused = (struct batch_refused){.code = code,
                                      .reason = arena_copy_string(batch->arena, reason),
                                      .source_key = key,
                                      .source_key_count = key_count};
    refused->raw = *raw;
    if (batch->refused_last != NULL) {
        batch->refused_last->next = refused;
    } else {
        batch->refused = refused;
    }
    batch->refused_last = refused;
    batch->refused_count++;
}

void batch_make_document(struct batch *batch, const char *const *names, const struct cell *values,
                         uint32_t count, struct cell *document)
{
    struct cell *pairs = arena_allocate_zeroed(batch->arena, 2 * (size_t)count + 1, sizeof *pairs);
    for (uint32_t i = 0; i < count; i++) {
        const char *copy = arena_copy_string(batch->arena, names[i]);
        pairs[2 * (size_t)i] = cell_text(copy, strlen(copy));
        pairs[2 * (size_t)i + 1] = values[i];
    }
    *document = cell_items(VALUE_MAP, pairs, count);
}

void batch_keep_large(struct batch *batch, struct large_value *large)
{
    large->next = batch->large_values;
    batch->large_values = large;
}

size_t batch_bytes(const struct batch *batch)
{
    size_t bytes = sizeof(*batch) + arena_bytes(batch->arena);
    bytes += batch->row_capacity * bytes_of_row(batch->width);
    if (batch->envelopes != NULL) {
        bytes += batch->row_capacity * sizeof(struct record_envelope);
    }
    return bytes;
}

int32_t shape_field_find(const struct shape *shape, const char *name)
{
    size_t length = strlen(name);
    for (uint32_t at = 0; at < shape->field_count; at++) {
        const struct shape_field *field = &shape->fields[at];
        if (length == field->name_length && memcmp(name, field->name, length) == 0) {
            return (int32_t)at;
        }
    }
    return -1;
}
