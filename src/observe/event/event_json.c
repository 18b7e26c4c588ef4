/* Events as lines of JSON. */
#include "observe/event/event_json.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 1024 };
#define NUMBER_MAX (UINT64_C(1) << 53) /* as far as readers of JSON count exactly */

static void append_name(struct buffer *out, const char *name)
{
    buffer_format(out, ",\"%s\":", name);
}

/* Names and keys come from databases: they may hold anything, a secret as well. */
static void append_text(struct buffer *out, const char *name, const char *text)
{
    char clean[TEXT_BYTES_MAX];
    if (text != NULL) {
        snprintf(clean, sizeof(clean), "%s", text);
        clean[text_clip(clean, strlen(clean), sizeof(clean) - 1)] = '\0';
        secret_redact(clean);
        append_name(out, name);
        json_append_printable(out, clean);
    }
}

static void append_number(struct buffer *out, const char *name, int64_t number)
{
    if (number > 0) {
        append_name(out, name);
        buffer_format(out, "%" PRId64, number);
    }
}

/* The message, of at most so many bytes, and the hint behind it. */
static void append_message(struct buffer *out, const char *text, size_t limit_bytes)
{
    size_t length = strcspn(text, "\n");
    append_name(out, "text");
    json_append_string(out, text, text_clip(text, length, limit_bytes));
    if (text[length] == '\n') {
        const char *hint = text + length + 1 + strspn(text + length + 1, " ");
        append_name(out, "hint");
        json_append_string(out, hint, text_clip(hint, strlen(hint), limit_bytes));
    }
}

static void append_record(const struct log_record *record, size_t limit_bytes, struct buffer *out)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    const struct event *event = record->event;
    char stamp[32];
    clock_format_utc(record->at_us, stamp, sizeof(stamp));
    buffer_format(out, "\"at\":\"%s\",\"level\":\"%s\",\"kind\":\"%s\"", stamp,
                  levels[record->level], event_kind_name(event->kind));
    append_text(out, "code", event->code);
    append_text(out, "state", event->state);
    append_text(out, "table", event->table);
    append_text(out, "entity", event->entity);
    append_number(out, "chunk", (int64_t)event->chunk);
    append_text(out, "key", event->key);
    append_number(out, "count", event->count);
    append_number(out, "milliseconds", event->milliseconds);
    append_message(out, record->text, limit_bytes);
    buffer_append_string(out, "}\n");
}

void event_json_append(const struct log_record *record, struct buffer *out)
{
    append_record(record, SIZE_MAX, out);
}

uint64_t event_json_number(const char *line, size_t length)
{
    static const char begin[] = "{\"number\":";
    const size_t skipped = sizeof(begin) - 1;
    uint64_t number = 0;
    if (length <= skipped || memcmp(line, begin, skipped) != 0 || line[length - 1] != '}') {
        return 0;
    }
    for (const char *at = line + skipped; *at >= '0' && *at <= '9' && number <= NUMBER_MAX; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
    }
    return number <= NUMBER_MAX ? number : 0;
}

size_t event_json_format(const struct log_record *record, char *line, size_t capacity)
{
    struct buffer out = {0};
    buffer_append_byte(&out, '{');
    append_record(record, SIZE_MAX, &out);
    for (size_t limit = capacity / 4; out.length > capacity && limit > 0; limit /= 2) {
        buffer_clear(&out);
        buffer_append_byte(&out, '{');
        append_record(record, limit, &out);
    }
    if (out.length > capacity) { /* names of control characters, six bytes each */
        const struct event nameless = {.kind = record->event->kind, .chunk = record->event->chunk};
        struct log_record bare = *record;
        bare.event = &nameless;
        buffer_clear(&out);
        buffer_append_byte(&out, '{');
        append_record(&bare, capacity / 16, &out);
    }
    size_t length = out.length <= capacity ? out.length : 0;
    memcpy(line, out.data, length);
    buffer_free(&out);
    return length;
}
