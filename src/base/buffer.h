/* A growing run of bytes: what writers of formats append to. */
#ifndef TRANSHUME_BASE_BUFFER_H
#define TRANSHUME_BASE_BUFFER_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A failed allocation sets `failed`, after which appends do nothing: callers append freely and ask
 * once at the end. What has not failed has room for one byte more. Not shared between threads.
 */
struct buffer {
    char *data;
    size_t length;
    size_t capacity;
    int failed;
};

void buffer_init(struct buffer *buffer); /* also: a zeroed struct is a valid empty buffer */
void buffer_free(struct buffer *buffer);
/* NUL if there is none. */
static inline char buffer_last(const struct buffer *buffer)
{
    return buffer->length > 0 ? buffer->data[buffer->length - 1] : '\0';
}
/* Surely: one that has failed may have been meant to hold something. */
static inline int buffer_is_empty(const struct buffer *buffer)
{
    return buffer->length == 0 && !buffer->failed;
}
static inline void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
}

/* Makes room for `extra` more bytes; false (and `failed`) when memory is out. */
int buffer_reserve_slow(struct buffer *buffer, size_t extra);
static inline int buffer_reserve(struct buffer *buffer, size_t extra)
{
    return buffer->capacity - buffer->length > extra ? 1 : buffer_reserve_slow(buffer, extra);
}
static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length > 0 && buffer_reserve(buffer, length)) {
        memcpy(buffer->data + buffer->length, bytes, length);
        buffer->length += length;
    }
}
static inline void buffer_append_byte(struct buffer *buffer, char byte)
{
    if (buffer_reserve(buffer, 1)) {
        buffer->data[buffer->length++] = byte;
    }
}
void buffer_append_string(struct buffer *buffer, const char *string);
/* What has failed in the other has failed here, too. */
void buffer_append_buffer(struct buffer *buffer, const struct buffer *other);
void buffer_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_append_int64(struct buffer *buffer, int64_t value);
void buffer_append_uint64(struct buffer *buffer, uint64_t value);
/* Two lower-case digits a byte. */
void buffer_append_hex(struct buffer *buffer, const void *bytes, size_t length);

/* The contents with a NUL after them (not counted), which never fails for a buffer that has not
 * failed. Of one that has: "", in memory of at least `length` bytes. */
const char *buffer_string(struct buffer *buffer);

#endif
