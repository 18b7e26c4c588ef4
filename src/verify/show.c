/* Windows on printed values. */
#include "verify/show.h"

#include "model/value.h"
#include <inttypes.h>
#include <string.h>

enum { BEFORE_BYTES = 16, AFTER_BYTES_MIN = 32 };

static bool is_within_character(const char *text, uint32_t length, uint32_t at)
{
    return at > 0 && at < length && ((unsigned char)text[at] & 0xC0) == 0x80;
}

static void append_window(const char *text, uint32_t length, uint32_t begin, struct buffer *out)
{
    uint32_t end = length - begin <= SHOW_BYTES_MAX ? length : begin + SHOW_BYTES_MAX;
    while (is_within_character(text, length, end)) {
        end--;
    }
    buffer_append_string(out, begin > 0 ? "..." : "");
    buffer_append(out, text + begin, end - begin);
    buffer_append_string(out, end < length ? "..." : "");
}

/* Where the window begins: 0 if the difference is seen from there. */
static uint32_t window_begin(const struct spill_field *a, const struct spill_field *b)
{
    uint32_t shorter = a->shown_length < b->shown_length ? a->shown_length : b->shown_length;
    uint32_t at = 0;
    while (at < shorter && a->shown[at] == b->shown[at]) {
        at++;
    }
    if (at == shorter && a->shown_length == b->shown_length) {
        return 0;
    }
    if (at <= SHOW_BYTES_MAX - AFTER_BYTES_MIN) {
        return 0;
    }
    at -= BEFORE_BYTES;
    while (is_within_character(a->shown, a->shown_length, at)) {
        at--;
    }
    return at;
}

void show_one(const struct spill_field *field, struct buffer *out)
{
    append_window(field->shown, field->shown_length, 0, out);
}

static void append_mark(const struct spill_field *field, bool kinds, struct buffer *out)
{
    if (kinds) {
        buffer_format(out, " (%s)", value_kind_name((enum value_kind)field->kind));
    } else {
        buffer_format(out, " (hash %016" PRIx64 ")", field->hash);
    }
}

void show_both(const struct spill_field *source, const struct spill_field *target,
               struct buffer *source_out, struct buffer *target_out)
{
    uint32_t begin = window_begin(source, target);
    append_window(source->shown, source->shown_length, begin, source_out);
    append_window(target->shown, target->shown_length, begin, target_out);
    if (source_out->length == target_out->length && !source_out->failed &&
        memcmp(source_out->data, target_out->data, source_out->length) == 0) {
        append_mark(source, source->kind != target->kind, source_out);
        append_mark(target, source->kind != target->kind, target_out);
    }
}
