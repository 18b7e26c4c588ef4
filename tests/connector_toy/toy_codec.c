/* Any value to bytes and back: tag, flags, aux, then the value; nested ones follow their parent. */
#include "toy_internal.h"
#include <string.h>

/* u8 kind | u8 flags | u16 aux | u32 length | 8 bytes value or `length` bytes or `length` cells */
enum { HEADER_BYTES = 8, DEPTH_MAX = 200 };

static bool is_bytes(const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        return true;
    case VALUE_DECIMAL:
        return !(cell->flags & CELL_SMALL);
    default:
        return false;
    }
}

static bool is_nested(const struct cell *cell)
{
    return cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP;
}

static enum status encode_large(const struct cell *cell, struct buffer *out, struct error *error)
{
    struct large_value *large = cell->large;
    struct cell head = {.kind = (uint8_t)large->kind, .length = (uint32_t)large->length};
    buffer_append(out, &head, HEADER_BYTES);
    if (!buffer_try_reserve(out, large->length)) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a value of %llu bytes",
                         (unsigned long long)large->length);
    }
    enum status status = large->read(large, 0, out->data + out->length, large->length, error);
    out->length += status == STATUS_OK ? large->length : 0;
    return status;
}

static enum status encode(const struct cell *cell, unsigned depth, struct buffer *out,
                          struct error *error)
{
    if (depth > DEPTH_MAX) {
        return error_set(error, ERROR_REJECT_TOO_DEEP, NULL, "nested deeper than %d", DEPTH_MAX);
    }
    if (cell->kind == VALUE_LARGE) {
        return encode_large(cell, out, error);
    }
    struct cell head = *cell;
    head.flags &= (uint8_t)~CELL_ASCII;
    buffer_append(out, &head, HEADER_BYTES);
    if (is_bytes(cell)) {
        buffer_append(out, cell->text, cell->length);
    } else if (cell->kind == VALUE_UUID) {
        buffer_append(out, cell->bytes, 16);
    } else if (cell->kind == VALUE_INTERVAL) {
        buffer_append(out, cell->interval, sizeof *cell->interval);
    } else if (is_nested(cell)) {
        uint64_t count = (uint64_t)cell->length * (cell->kind == VALUE_MAP ? 2 : 1);
        for (uint64_t i = 0; i < count; i++) {
            enum status status = encode(&cell->items[i], depth + 1, out, error);
            if (status != STATUS_OK) {
                return status;
            }
        }
    } else {
        buffer_append(out, &cell->i64, 8);
    }
    return STATUS_OK;
}

enum status toy_encode(const struct cell *cell, struct buffer *out, struct error *error)
{
    return encode(cell, 0, out, error);
}

static enum status damaged(struct error *error)
{
    return error_set(error, ERROR_SOURCE_INVALID, "data.log", "a record can't be decoded");
}

static enum status decode(const uint8_t *bytes, size_t length, unsigned depth, struct arena *arena,
                          struct cell *cell, size_t *used, struct error *error);

static enum status decode_items(const uint8_t *bytes, size_t length, unsigned depth,
                                struct arena *arena, struct cell *cell, size_t *used,
                                struct error *error)
{
    uint64_t count = (uint64_t)cell->length * (cell->kind == VALUE_MAP ? 2 : 1);
    if (count > length / HEADER_BYTES) {
        return damaged(error);
    }
    struct cell *items = arena_allocate_zeroed(arena, count, sizeof *items);
    if (!items) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a list");
    }
    size_t position = 0;
    for (uint64_t i = 0; i < count; i++) {
        size_t taken = 0;
        enum status status =
            decode(bytes + position, length - position, depth + 1, arena, &items[i], &taken, error);
        if (status != STATUS_OK) {
            return status;
        }
        position += taken;
    }
    cell->items = items;
    *used = position;
    return STATUS_OK;
}

static enum status decode(const uint8_t *bytes, size_t length, unsigned depth, struct arena *arena,
                          struct cell *cell, size_t *used, struct error *error)
{
    if (length < HEADER_BYTES || depth > DEPTH_MAX || bytes[0] >= VALUE_KIND_COUNT) {
        return damaged(error);
    }
    *cell = cell_missing();
    memcpy(cell, bytes, HEADER_BYTES);
    const uint8_t *value = bytes + HEADER_BYTES;
    size_t left = length - HEADER_BYTES;
    size_t taken = 8;
    if (is_nested(cell)) {
        enum status status = decode_items(value, left, depth, arena, cell, &taken, error);
        if (status != STATUS_OK) {
            return status;
        }
    } else if (is_bytes(cell) || cell->kind == VALUE_UUID || cell->kind == VALUE_INTERVAL) {
        taken = is_bytes(cell) ? cell->length : 16;
        if (left < taken) {
            return damaged(error);
        }
        cell->text = arena_copy(arena, value, taken);
        if (!cell->text) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory for a value");
        }
    } else {
        if (left < taken) {
            return damaged(error);
        }
        memcpy(&cell->i64, value, 8);
    }
    *used = HEADER_BYTES + taken;
    return STATUS_OK;
}

enum status toy_decode(const uint8_t *bytes, size_t length, struct arena *arena, struct cell *cell,
                       size_t *used, struct error *error)
{
    return decode(bytes, length, 0, arena, cell, used, error);
}
