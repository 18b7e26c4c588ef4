/* JSON strings and base64, straight into a buffer's room. */
#include "model/json_writer.h"

#include "base/text.h"
#include <stdint.h>

enum { BLOCK_BYTES = 16, ESCAPED_BYTES_MAX = 6 };

typedef uint8_t block __attribute__((vector_size(BLOCK_BYTES)));

/* True if one of the 16 bytes must be escaped. */
static int needs_escape(block bytes)
{
    block marks = (block)(bytes < 0x20) | (block)(bytes == '"') | (block)(bytes == '\\');
    uint64_t halves[2];
    memcpy(halves, &marks, sizeof(halves));
    return (halves[0] | halves[1]) != 0;
}

/* Copies fewer than 16 bytes if none must be escaped: as two runs that overlap. */
static int copy_if_plain(const char *text, size_t length, char *out)
{
    block bytes;
    memset(&bytes, ' ', sizeof(bytes));
    if (length >= 8) {
        memcpy(&bytes, text, 8);
        memcpy((char *)&bytes + 8, text + length - 8, 8);
        if (needs_escape(bytes)) {
            return 0;
        }
        memcpy(out, &bytes, 8);
        memcpy(out + length - 8, (char *)&bytes + 8, 8);
        return 1;
    }
    if (length >= 4) {
        memcpy(&bytes, text, 4);
        memcpy((char *)&bytes + 8, text + length - 4, 4);
        if (needs_escape(bytes)) {
            return 0;
        }
        memcpy(out, &bytes, 4);
        memcpy(out + length - 4, (char *)&bytes + 8, 4);
        return 1;
    }
    return 0;
}

static size_t put_byte(uint8_t byte, char *out)
{
    static const char digits[] = "0123456789abcdef";
    static const char names[] = "btn\0fr"; /* \b is 8; 11 has no name */
    if (byte >= 0x20 && byte != '"' && byte != '\\') {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    if (byte >= 0x20) {
        out[1] = (char)byte;
        return 2;
    }
    if (byte >= 8 && byte <= 13 && byte != 11) {
        out[1] = names[byte - 8];
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = digits[byte >> 4];
    out[5] = digits[byte & 15];
    return ESCAPED_BYTES_MAX;
}

void json_append_string(struct buffer *out, const char *text, size_t length)
{
    buffer_append_byte(out, '"');
    json_append_string_part(out, text, length);
    buffer_append_byte(out, '"');
}

void json_append_printable(struct buffer *out, const char *text)
{
    char printable[1024];
    size_t length = strlen(text);
    if (!text_is_utf8(text, length)) {
        text_printable(text, length, printable, sizeof(printable));
        text = printable;
        length = strlen(printable);
    }
    json_append_string(out, text, length);
}

void json_append_string_part(struct buffer *out, const char *text, size_t length)
{
    /* Room for all of it without escapes, and always for one block more, or its 16 bytes
     * escaped. */
    enum { SLACK = BLOCK_BYTES * ESCAPED_BYTES_MAX + 2 };
    buffer_reserve(out, length + SLACK);
    char *position = out->data + out->length;
    while (length > 0) {
        size_t step = length < BLOCK_BYTES ? length : BLOCK_BYTES;
        if (step == BLOCK_BYTES) {
            block bytes;
            memcpy(&bytes, text, BLOCK_BYTES);
            if (!needs_escape(bytes)) {
                memcpy(position, &bytes, BLOCK_BYTES);
                position += BLOCK_BYTES;
                text += BLOCK_BYTES;
                length -= BLOCK_BYTES;
                continue;
            }
        } else if (copy_if_plain(text, length, position)) {
            position += length;
            break;
        }
        for (size_t i = 0; i < step; i++) {
            position += put_byte((uint8_t)text[i], position);
        }
        text += step;
        length -= step;
        /* The escapes may have used up the room of what follows. */
        out->length = (size_t)(position - out->data);
        buffer_reserve(out, length + SLACK);
        position = out->data + out->length;
    }
    out->length = (size_t)(position - out->data);
}

void json_append_base64(struct buffer *out, const void *bytes, size_t length)
{
    buffer_append_byte(out, '"');
    json_append_base64_part(out, bytes, length);
    buffer_append_byte(out, '"');
}

void json_append_base64_part(struct buffer *out, const void *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buffer_reserve(out, (length + 2) / 3 * 4);
    const uint8_t *from = bytes;
    char *position = out->data + out->length;
    for (; length >= 3; length -= 3, from += 3) {
        uint32_t group = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        position[0] = digits[group >> 18];
        position[1] = digits[group >> 12 & 63];
        position[2] = digits[group >> 6 & 63];
        position[3] = digits[group & 63];
        position += 4;
    }
    if (length > 0) {
        uint32_t group = (uint32_t)from[0] << 16 | (length == 2 ? (uint32_t)from[1] << 8 : 0);
        position[0] = digits[group >> 18];
        position[1] = digits[group >> 12 & 63];
        position[2] = length == 2 ? digits[group >> 6 & 63] : '=';
        position[3] = '=';
        position += 4;
    }
    out->length = (size_t)(position - out->data);
}
