/* Windows on printed values. */
#include "verify/show.h"

#include "base/text.h"
#include "engine/formats/typed_json.h"
#include "model/json_writer.h"
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
    if (source_out->length == target_out->length &&
        memcmp(source_out->data, target_out->data, source_out->length) == 0) {
        append_mark(source, source->kind != target->kind, source_out);
        append_mark(target, source->kind != target->kind, target_out);
    }
}

void show_text(struct buffer *out, const char *text, size_t length)
{
    char printable[1024];
    if (text_is_utf8(text, length)) {
        json_append_string(out, text, length);
    } else {
        text_printable(text, length, printable, sizeof(printable));
        json_append_string(out, printable, strlen(printable));
    }
}

static enum status show_value(const struct cell *value, struct buffer *out, struct error *error)
{
    struct buffer shown = {0};
    size_t begin = out->length;
    if (typed_json_append(value, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (out->length - begin > SHOW_BYTES_MAX) {
        struct spill_field field = {0};
        value_print(value, 2 * (size_t)SHOW_BYTES_MAX, &shown);
        field.shown = shown.data;
        field.shown_length = (uint32_t)shown.length;
        out->length = begin;
        struct buffer window = {0};
        show_one(&field, &window);
        show_text(out, window.data, window.length);
        buffer_free(&window);
        buffer_free(&shown);
    }
    return STATUS_OK;
}

static enum status show_record(const struct cell *record, struct buffer *out, struct error *error)
{
    for (uint32_t i = 0; i < record->length; i++) {
        const struct cell *pair = &record->items[2 * (size_t)i];
        buffer_append_byte(out, i == 0 ? '{' : ',');
        if (typed_json_append(&pair[0], out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_byte(out, ':');
        if (show_value(&pair[1], out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_string(out, record->length == 0 ? "{}" : "}");
    return STATUS_OK;
}

enum status show_key(const struct spill_head *head, struct buffer *out, struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    struct cell record;
    if (spill_is_keyed(head) || head->key_length <= SHOW_BYTES_MAX) {
        buffer_append(out, spill_key(head), head->key_length);
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    json_reader_init(&reader, spill_key(head), head->key_length, JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, error);
    if (status == STATUS_OK) {
        status = typed_json_read_fields(&reader, token, arena, &record, error);
    }
    if (status == STATUS_OK) {
        status = show_record(&record, out, error);
    }
    arena_destroy(arena);
    return status;
}
