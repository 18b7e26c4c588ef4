/* A growing run of bytes: what writers of formats append to. */
#ifndef TRANSHUME_BASE_BUFFER_H
#define TRANSHUME_BASE_BUFFER_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Memory that runs out ends the program (base/memory.h), but in buffer_try_reserve. There is always
 * room for one byte more than was reserved. Not shared between threads.
 */
struct buffer {
    char *data;
    size_t length;
    size_t capacity;
};

void buffer_init(struct buffer *buffer); /* also: a zeroed struct is a valid empty buffer */
void buffer_free(struct buffer *buffer);
/* NUL if there is none. */
static inline char buffer_last(const struct buffer *buffer)
{
    return buffer->length > 0 ? buffer->data[buffer->length - 1] : '\0';
}
static inline int buffer_is_empty(const struct buffer *buffer)
{
    return buffer->length == 0;
}
static inline void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
}

/* For sizes that come from data: makes room for `extra` more bytes, or returns false and leaves the
 * buffer as it is. */
int buffer_try_reserve(struct buffer *buffer, size_t extra) MUST_USE;
void buffer_reserve_slow(struct buffer *buffer, size_t extra);
/* Makes room for `extra` more bytes. */
static inline void buffer_reserve(struct buffer *buffer, size_t extra)
{
    if (buffer->capacity - buffer->length <= extra) {
        buffer_reserve_slow(buffer, extra);
    }
}
static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length > 0) {
        buffer_reserve(buffer, length);
        memcpy(buffer->data + buffer->length, bytes, length);
        buffer->length += length;
    }
}
static inline void buffer_append_byte(struct buffer *buffer, char byte)
{
    buffer_reserve(buffer, 1);
    buffer->data[buffer->length++] = byte;
}
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_append_buffer(struct buffer *buffer, const struct buffer *other);
void buffer_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_append_int64(struct buffer *buffer, int64_t value);
void buffer_append_uint64(struct buffer *buffer, uint64_t value);
/* Two lower-case digits a byte. */
void buffer_append_hex(struct buffer *buffer, const void *bytes, size_t length);

/* The contents with a NUL after them, which is not counted; "" for an empty buffer. */
const char *buffer_string(struct buffer *buffer);

#endif
