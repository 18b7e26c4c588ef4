#include "evolve/folder/checksum.h"

#include "base/buffer.h"
#include "base/memory.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static const char mark[] = "\xEF\xBB\xBF";

/* Line breaks as "\n", none at the end. */
static void normalise(const char *text, size_t length, struct buffer *out)
{
    const char *end = text + length;
    if (length >= sizeof(mark) - 1 && memcmp(text, mark, sizeof(mark) - 1) == 0) {
        text += sizeof(mark) - 1;
    }
    buffer_reserve(out, (size_t)(end - text));
    for (const char *at = text; at < end; at++) {
        if (*at == '\r') {
            at += at + 1 < end && at[1] == '\n';
            buffer_append_byte(out, '\n');
        } else {
            buffer_append_byte(out, *at);
        }
    }
    if (buffer_last(out) == '\n') {
        out->length--;
    }
}

void migration_checksum(const char *text, size_t length, char checksum[MIGRATION_CHECKSUM_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    struct buffer normal = {0};
    normalise(text, length, &normal);
    if (EVP_Digest(buffer_string(&normal), normal.length, digest, &size, EVP_sha256(), NULL) != 1) {
        memory_exhausted(0); /* there is no other reason */
    }
    buffer_free(&normal);
    memcpy(checksum, "s1:", 3);
    for (unsigned int i = 0; i < size; i++) {
        snprintf(checksum + 3 + (size_t)2 * i, 3, "%02x", digest[i]);
    }
}
