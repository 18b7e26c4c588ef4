/* Handles on large values: one block of them is in memory. */
#include "connectors/sql/large.h"
#include <stdlib.h>
#include <string.h>

static void forget_block(struct sql_large *self)
{
    free(self->block);
    self->block = NULL;
    self->block_length = 0;
}

static enum status fetch_block(struct sql_large *self, uint64_t offset, struct error *error)
{
    uint64_t left = self->base.length - offset;
    size_t size = left < self->block_bytes ? (size_t)left : self->block_bytes;
    if (self->block == NULL && (self->block = malloc(self->block_bytes)) == NULL) {
        return error_set(error, ERROR_MEMORY, self->shown,
                         "no memory for a piece of a large value");
    }
    self->block_length = 0;
    enum status status = self->fetch(self, offset, self->block, size, error);
    if (status == STATUS_OK) {
        self->block_offset = offset;
        self->block_length = size;
    }
    return status;
}

static enum status read_blocks(struct sql_large *self, uint64_t offset, void *bytes, size_t size,
                               struct error *error)
{
    uint8_t *to = bytes;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && size > 0) {
        bool inside =
            offset >= self->block_offset && offset - self->block_offset < self->block_length;
        if (!inside) {
            status = fetch_block(self, offset, error);
            continue;
        }
        size_t at = (size_t)(offset - self->block_offset);
        size_t piece = self->block_length - at < size ? self->block_length - at : size;
        memcpy(to, self->block + at, piece);
        to += piece;
        offset += piece;
        size -= piece;
    }
    if (offset == self->base.length) {
        forget_block(self);
    }
    return status;
}

static enum status large_read(struct large_value *large, uint64_t offset, void *bytes, size_t size,
                              struct error *error)
{
    struct sql_large *self = (struct sql_large *)large;
    if (offset > large->length || size > large->length - offset) {
        return error_set(error, ERROR_INTERNAL, self->shown, "a slice behind the end");
    }
    pthread_mutex_lock(self->lock);
    enum status status = read_blocks(self, offset, bytes, size, error);
    pthread_mutex_unlock(self->lock);
    return status;
}

static void large_release(struct large_value *large)
{
    struct sql_large *self = (struct sql_large *)large;
    forget_block(self);
    free(self);
}

void sql_large_keep(struct sql_large *large, enum value_kind kind, uint64_t length,
                    struct batch *batch, struct cell *cell)
{
    large->base = (struct large_value){
        .kind = kind, .length = length, .read = large_read, .release = large_release};
    *cell = (struct cell){.kind = VALUE_LARGE, .large = &large->base};
    batch_keep_large(batch, &large->base);
}
