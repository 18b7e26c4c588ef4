#include "engine/rejects/reject_heads.h"

#include "base/memory.h"
#include <string.h>

static const char record_key[] = "\"record\":";
static const char no_record[] = "{}";

/* Where in its JSON a line is. */
struct heading {
    struct file_lines *lines;
    uint32_t depth; /* of objects and lists that are open */
    bool in_text;
    bool escaped;
    bool skips; /* within the record's value */
};

static void line_append(struct file_lines *lines, char byte)
{
    if (lines->length + 2 > lines->capacity) {
        lines->capacity = lines->capacity < 512 ? 1024 : 2 * lines->capacity;
        lines->line = memory_resize(lines->line, lines->capacity, 1);
    }
    lines->line[lines->length++] = byte;
    lines->line[lines->length] = '\0';
}

/* Behind a colon: was it the one of the object's own "record"? A quote in a text is escaped, so
 * that no text ends with these bytes. */
static bool is_record(const struct heading *heading)
{
    const struct file_lines *lines = heading->lines;
    size_t length = sizeof record_key - 1;
    return heading->depth == 1 && lines->length > length &&
           memcmp(lines->line + lines->length - length, record_key, length) == 0;
}

static void heading_step(struct heading *heading, char byte)
{
    if (heading->in_text) {
        heading->in_text = heading->escaped || byte != '"';
        heading->escaped = !heading->escaped && byte == '\\';
    } else if (byte == '"') {
        heading->in_text = true;
    } else if (byte == '{' || byte == '[') {
        heading->depth++;
    } else if ((byte == '}' || byte == ']') && heading->depth > 0) {
        heading->depth--;
    }
}

static void heading_append(struct heading *heading, char byte)
{
    bool was_text = heading->in_text;
    bool ends = heading->skips && !was_text && heading->depth == 1 &&
                (byte == ',' || byte == '}' || byte == '\n');
    heading->skips = heading->skips && !ends;
    heading_step(heading, byte);
    if (heading->skips) {
        return;
    }
    line_append(heading->lines, byte);
    if (byte == ':' && !was_text && is_record(heading)) {
        heading->skips = true;
        for (const char *at = no_record; *at != '\0'; at++) {
            line_append(heading->lines, *at);
        }
    }
}

enum status reject_heads_next(struct file_lines *lines, struct error *error)
{
    struct heading heading = {.lines = lines};
    int byte;
    bool any = false;
    lines->length = 0;
    while ((byte = getc_unlocked(lines->stream)) != EOF) {
        any = true;
        heading_append(&heading, (char)byte);
        if (byte == '\n') {
            break;
        }
    }
    if (byte == EOF && ferror(lines->stream)) {
        return file_lines_fail(lines, error);
    }
    return any ? STATUS_OK : STATUS_END;
}
