/* JSON written straight into a buffer. */
#ifndef TRANSHUME_MODEL_JSON_WRITER_H
#define TRANSHUME_MODEL_JSON_WRITER_H

#include "base/buffer.h"

/* A quoted JSON string: " \ and control characters escaped (\n \t … \u00XX), all else as it is; the
 * text must be valid UTF-8. Fast for text that needs no escape. */
void json_append_string(struct buffer *out, const char *text, size_t length);
/* The same of any NUL-terminated text: one that is not UTF-8 is made printable, and clipped at
 * 1 KiB. */
void json_append_printable(struct buffer *out, const char *text);
/* json_append_string without the quotes: a string may be put together of several parts, cut
 * anywhere. */
void json_append_string_part(struct buffer *out, const char *text, size_t length);
/* json_append_string for text known to need no escape (CELL_ASCII). */
static inline void json_append_plain(struct buffer *out, const char *text, size_t length)
{
    buffer_reserve(out, length + 2);
    char *position = out->data + out->length;
    *position = '"';
    memcpy(position + 1, text, length);
    position[length + 1] = '"';
    out->length += length + 2;
}
/* Standard base64 with padding, quoted. */
void json_append_base64(struct buffer *out, const void *bytes, size_t length);
/* Without quotes; all parts but the last are multiples of 3 bytes. */
void json_append_base64_part(struct buffer *out, const void *bytes, size_t length);

#endif
