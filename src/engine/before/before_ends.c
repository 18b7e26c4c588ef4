/* Times to live of before-images, which go on while the run's record is in the way. */
#include "engine/before/before_parts.h"

#include "base/clock.h"
#include "engine/formats/typed_json.h"
#include <inttypes.h>
#include <string.h>

static int64_t now_seconds(void)
{
    return clock_utc_us() / 1000000;
}

const struct before_ends *before_ends_of(const struct batch *batch, uint32_t row,
                                         struct arena *arena)
{
    const struct record_envelope *envelope =
        batch->envelopes != NULL && batch->shape == NULL ? &batch->envelopes[row] : NULL;
    if (envelope == NULL || envelope->cell_times == NULL) {
        return NULL;
    }
    const struct cell *record = batch_row(batch, row);
    struct before_ends *ends = arena_allocate_zeroed(arena, 1, sizeof(*ends));
    struct cell *pairs =
        arena_allocate_zeroed(arena, 2 * (size_t)record->length + 1, sizeof(*pairs));
    uint32_t count = 0;
    int64_t now = now_seconds();
    for (uint32_t i = 0; i < record->length; i++) {
        int64_t left = envelope->cell_times[i].ttl_seconds;
        if (left > 0 && record->items[2 * (size_t)i + 1].kind != VALUE_NULL) {
            pairs[2 * (size_t)count] = record->items[2 * (size_t)i];
            pairs[2 * (size_t)count++ + 1] = cell_int64(now + left);
        }
    }
    ends->record = envelope->ttl_seconds > 0 ? now + envelope->ttl_seconds : 0;
    ends->fields = cell_items(VALUE_MAP, pairs, count);
    return ends;
}

enum status before_ends_append(const struct before_ends *ends, struct buffer *line,
                               struct error *error)
{
    if (ends == NULL) {
        return STATUS_OK;
    }
    buffer_format(line, ",\"end\":%" PRId64 ",\"ends\":", ends->record);
    return typed_json_append_fields(&ends->fields, NULL, line, error);
}

bool before_is_over(const struct before_ends *ends)
{
    return ends != NULL && ends->record > 0 && ends->record <= now_seconds();
}

struct record_envelope before_ends_apply(const struct before_ends *ends, struct cell *image,
                                         struct arena *arena)
{
    struct record_envelope envelope = {0};
    struct cell *pairs =
        arena_allocate_zeroed(arena, 2 * (size_t)image->length + 1, sizeof(*pairs));
    struct cell_times *times = arena_allocate_zeroed(arena, image->length + 1u, sizeof(*times));
    int64_t now = now_seconds();
    envelope.ttl_seconds = ends->record > 0 ? ends->record - now : 0;
    memcpy(pairs, image->items, 2 * (size_t)image->length * sizeof(*pairs));
    for (uint32_t i = 0; i < image->length; i++) {
        char *name = arena_copy(arena, pairs[2 * (size_t)i].text, pairs[2 * (size_t)i].length);
        const struct cell *end = value_field(&ends->fields, name);
        struct cell *value = &pairs[2 * (size_t)i + 1];
        if (end != NULL && end->kind == VALUE_INT64 && end->i64 <= now) {
            *value = cell_null();
        }
        bool lives = end != NULL && end->kind == VALUE_INT64 && end->i64 > now;
        times[i].ttl_seconds = lives                       ? end->i64 - now
                               : value->kind == VALUE_NULL ? envelope.ttl_seconds
                                                           : 0;
    }
    image->items = pairs;
    envelope.cell_times = times;
    return envelope;
}
