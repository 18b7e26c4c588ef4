/* Masks of rows, before anything is made of them. */
#include "base/memory.h"
#include "plan/map/mapper_internal.h"
#include <stdlib.h>
#include <string.h>

void mapper_masks_make(struct mapper *mapper)
{
    const struct plan_stream *stream = mapper->stream;
    size_t widest = 1;
    if (!stream->masks_rows) {
        return;
    }
    for (uint32_t i = 0; i < stream->child_count; i++) {
        uint32_t width = stream->children[i].request.column_count;
        widest = width > widest ? width : widest;
    }
    const struct read_request *rows = stream->joined != NULL ? stream->joined : &stream->request;
    mapper->mask_arena = arena_create(0);
    mapper->masked_parent =
        memory_allocate_zeroed((size_t)rows->column_count + 1, sizeof(struct cell));
    mapper->masked_child = memory_allocate_zeroed(widest, sizeof(struct cell));
}

void mapper_masks_free(struct mapper *mapper)
{
    arena_destroy(mapper->mask_arena);
    free(mapper->masked_parent);
    free(mapper->masked_child);
}

/* A row that was not there when the values changed places has none: its record is a reject. */
static void take_shuffled(const struct plan_mask *mask, struct arena *arena, struct cell *row)
{
    const struct plan_shuffle *shuffle = mask->shuffle;
    struct cell key[PLAN_SHUFFLE_KEY_MAX];
    struct error error = {0};
    uint32_t count = shuffle->key.count;
    for (uint32_t i = 0; i < count; i++) {
        key[i] = row[mask->key[i]];
    }
    if (shuffle->take == NULL ||
        shuffle->take(shuffle->context, key, arena, &row[mask->column], &error) != STATUS_OK) {
        mask_omit(mask->mask, arena, &row[mask->column]);
    }
}

static void mask(const struct plan_mask *masks, uint32_t count, struct arena *arena,
                 struct cell *row)
{
    for (uint32_t i = 0; i < count; i++) {
        if (masks[i].shuffle != NULL) {
            take_shuffled(&masks[i], arena, row);
        } else {
            mask_cell(masks[i].mask, arena, &row[masks[i].column]);
        }
    }
}

void mapper_mask_batch(const struct mapper *mapper, struct batch *batch)
{
    const struct plan_stream *stream = mapper->stream;
    for (uint32_t row = 0; stream->mask_count > 0 && row < batch->row_count; row++) {
        mask(stream->masks, stream->mask_count, batch->arena, batch_row(batch, row));
    }
}

/* The rows that come are still compared with the parent's own key: a copy is masked. */
const struct cell *mapper_mask_parent(struct mapper *mapper, const struct cell *row)
{
    const struct plan_stream *stream = mapper->stream;
    if (!stream->masks_rows) {
        return row;
    }
    const struct read_request *rows = stream->joined != NULL ? stream->joined : &stream->request;
    arena_reset(mapper->mask_arena);
    memcpy(mapper->masked_parent, row, rows->column_count * sizeof *row);
    mask(stream->masks, stream->mask_count, mapper->mask_arena, mapper->masked_parent);
    return mapper->masked_parent;
}

const struct cell *mapper_mask_child(struct mapper *mapper, uint32_t child, const struct cell *row)
{
    const struct plan_child *from = &mapper->stream->children[child];
    if (from->mask_count == 0) {
        return row;
    }
    memcpy(mapper->masked_child, row,
           (from->request.column_count - from->root_key_count) * sizeof *row);
    mask(from->masks, from->mask_count, mapper->mask_arena, mapper->masked_child);
    return mapper->masked_child;
}
