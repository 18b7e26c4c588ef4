/* Buffers: growth by doubling; the rest is inline. */
#include "base/buffer.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CAPACITY_FIRST = 256 };

void buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){0};
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

int buffer_try_reserve(struct buffer *buffer, size_t extra)
{
    size_t needed;
    if (__builtin_add_overflow(buffer->length, extra, &needed) || needed > SIZE_MAX / 4) {
        return 0;
    }
    needed++; /* buffer_string's */
    if (needed <= buffer->capacity) {
        return 1;
    }
    size_t capacity = buffer->capacity < CAPACITY_FIRST ? CAPACITY_FIRST : buffer->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        return 0;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return 1;
}

void buffer_reserve_slow(struct buffer *buffer, size_t extra)
{
    if (!buffer_try_reserve(buffer, extra)) {
        memory_exhausted(extra);
    }
}

void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

void buffer_append_buffer(struct buffer *buffer, const struct buffer *other)
{
    buffer_append(buffer, other->data, other->length);
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = buffer->capacity - buffer->length;
    int length =
        vsnprintf(room > 0 ? buffer->data + buffer->length : NULL, room, format, arguments);
    va_end(arguments);
    if (length < 0) {
        memory_exhausted(0);
    }
    if ((size_t)length >= room) {
        buffer_reserve(buffer, (size_t)length + 1);
        va_start(arguments, format);
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    buffer->length += (size_t)length;
}

void buffer_append_int64(struct buffer *buffer, int64_t value)
{
    buffer_reserve(buffer, 20);
    buffer->length += text_from_int64(value, buffer->data + buffer->length);
}

void buffer_append_uint64(struct buffer *buffer, uint64_t value)
{
    buffer_reserve(buffer, 20);
    buffer->length += text_from_uint64(value, buffer->data + buffer->length);
}

void buffer_append_hex(struct buffer *buffer, const void *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    buffer_reserve(buffer, 2 * length);
    char *position = buffer->data + buffer->length;
    for (size_t i = 0; i < length; i++) {
        position[2 * i] = digits[from[i] >> 4];
        position[2 * i + 1] = digits[from[i] & 15];
    }
    buffer->length += 2 * length;
}

const char *buffer_string(struct buffer *buffer)
{
    if (buffer->data == NULL) {
        return "";
    }
    buffer->data[buffer->length] = '\0';
    return buffer->data;
}
