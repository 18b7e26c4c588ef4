/* Cells as bytes and back. */
#include "model/cell_bytes.h"

#include "base/memory.h"
#include <stdbool.h>
#include <string.h>

enum { HEAD_BYTES = 8, DEPTH_MAX = 1024 };

/* The head in front of every cell's contents. */
struct head {
    uint8_t kind;
    uint8_t flags;
    uint16_t aux;
    uint32_t length;
};
_Static_assert(sizeof(struct head) == HEAD_BYTES, "a head is 8 bytes");

/* How a kind's contents are kept. */
enum layout { LAYOUT_NOTHING, LAYOUT_WORD, LAYOUT_TEXT, LAYOUT_FIXED, LAYOUT_ITEMS, LAYOUT_NONE };

static enum layout layout_of(uint8_t kind, uint8_t flags)
{
    switch ((enum value_kind)kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        return LAYOUT_NOTHING;
    case VALUE_DECIMAL:
        return (flags & CELL_SMALL) != 0 ? LAYOUT_WORD : LAYOUT_TEXT;
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
        return LAYOUT_WORD;
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        return LAYOUT_TEXT;
    case VALUE_UUID:
    case VALUE_INTERVAL:
        return LAYOUT_FIXED;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return LAYOUT_ITEMS;
    default:
        return LAYOUT_NONE;
    }
}

/* ---- to bytes */

static enum status no_memory(uint64_t length, struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a value of %llu bytes",
                     (unsigned long long)length);
}

static enum status append_large(const struct cell *cell, struct buffer *out, struct error *error)
{
    struct large_value *large = cell->large;
    if (large->length > UINT32_MAX ||
        !buffer_try_reserve(out, HEAD_BYTES + (size_t)large->length)) {
        return no_memory(large->length, error);
    }
    struct head head = {.kind = (uint8_t)large->kind, .length = (uint32_t)large->length};
    buffer_append(out, &head, sizeof head);
    if (large->read(large, 0, out->data + out->length, (size_t)large->length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    out->length += (size_t)large->length;
    return STATUS_OK;
}

static enum status append_cell(const struct cell *cell, uint32_t depth, struct buffer *out,
                               struct error *error)
{
    struct head head = {cell->kind, cell->flags, cell->aux, cell->length};
    size_t items = cell->kind == VALUE_MAP ? 2 * (size_t)cell->length : cell->length;
    if (cell->kind == VALUE_LARGE) {
        return append_large(cell, out, error);
    }
    buffer_append(out, &head, sizeof head);
    switch (layout_of(cell->kind, cell->flags)) {
    case LAYOUT_NOTHING:
        return STATUS_OK;
    case LAYOUT_WORD:
        buffer_append(out, &cell->i64, sizeof cell->i64);
        return STATUS_OK;
    case LAYOUT_TEXT:
        if (cell->length > MEMORY_DATA_BYTES && !buffer_try_reserve(out, cell->length)) {
            return no_memory(cell->length, error);
        }
        buffer_append(out, cell->bytes, cell->length);
        return STATUS_OK;
    case LAYOUT_FIXED:
        buffer_append(out, cell->bytes, 16);
        return STATUS_OK;
    case LAYOUT_ITEMS:
        if (depth == DEPTH_MAX) {
            return error_set(error, ERROR_REJECT_TOO_DEEP, NULL, "a value has more than %d levels",
                             DEPTH_MAX);
        }
        for (size_t i = 0; i < items; i++) {
            if (append_cell(&cell->items[i], depth + 1, out, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        return STATUS_OK;
    default:
        return error_set(error, ERROR_INTERNAL, NULL, "a cell of kind %u can't be written aside",
                         (unsigned)cell->kind);
    }
}

enum status cell_bytes_append(const struct cell *cell, struct buffer *out, struct error *error)
{
    _Static_assert(sizeof(struct value_interval) == 16, "an interval is kept as 16 bytes");
    return append_cell(cell, 0, out, error);
}

/* ---- and back */

struct reading {
    const uint8_t *at;
    const uint8_t *end;
    struct arena *arena;
};

static enum status read_cell(struct reading *reading, uint32_t depth, struct cell *cell);

static enum status read_items(struct reading *reading, uint32_t depth, struct cell *cell)
{
    size_t count = cell->kind == VALUE_MAP ? 2 * (size_t)cell->length : cell->length;
    if (depth == DEPTH_MAX || count > (size_t)(reading->end - reading->at) / HEAD_BYTES) {
        return STATUS_FAILED;
    }
    struct cell *items = arena_allocate(reading->arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        if (read_cell(reading, depth + 1, &items[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    cell->items = items;
    return STATUS_OK;
}

/* An interval is copied: its bytes may lie anywhere. */
static void read_fixed(struct reading *reading, struct cell *cell)
{
    cell->bytes = reading->at;
    if (cell->kind == VALUE_INTERVAL) {
        struct value_interval *interval = arena_allocate(reading->arena, sizeof *interval);
        memcpy(interval, reading->at, sizeof *interval);
        cell->interval = interval;
    }
    reading->at += 16;
}

static enum status read_cell(struct reading *reading, uint32_t depth, struct cell *cell)
{
    struct head head;
    size_t left = (size_t)(reading->end - reading->at);
    if (left < HEAD_BYTES) {
        return STATUS_FAILED;
    }
    memcpy(&head, reading->at, sizeof head);
    reading->at += HEAD_BYTES;
    left -= HEAD_BYTES;
    *cell = (struct cell){
        .kind = head.kind, .flags = head.flags, .aux = head.aux, .length = head.length};
    switch (layout_of(head.kind, head.flags)) {
    case LAYOUT_NOTHING:
        return STATUS_OK;
    case LAYOUT_WORD:
        if (left < sizeof cell->i64) {
            return STATUS_FAILED;
        }
        memcpy(&cell->i64, reading->at, sizeof cell->i64);
        reading->at += sizeof cell->i64;
        return STATUS_OK;
    case LAYOUT_TEXT:
        if (left < head.length) {
            return STATUS_FAILED;
        }
        cell->bytes = reading->at;
        reading->at += head.length;
        return STATUS_OK;
    case LAYOUT_FIXED:
        if (left < 16) {
            return STATUS_FAILED;
        }
        read_fixed(reading, cell);
        return STATUS_OK;
    case LAYOUT_ITEMS:
        return read_items(reading, depth, cell);
    default:
        return STATUS_FAILED;
    }
}

enum status cell_bytes_read(const void *bytes, size_t length, uint32_t count, struct arena *arena,
                            struct cell *cells, struct error *error)
{
    struct reading reading = {.at = bytes, .end = (const uint8_t *)bytes + length, .arena = arena};
    bool fine = true;
    for (uint32_t i = 0; i < count && fine; i++) {
        fine = read_cell(&reading, 0, &cells[i]) == STATUS_OK;
    }
    return fine && reading.at == reading.end
               ? STATUS_OK
               : error_set(error, ERROR_STATE_INVALID, NULL,
                           "values that were written aside came back damaged");
}
