/* Encodings other than UTF-8, by iconv. */
#include "base/buffer.h"
#include "base/memory.h"
#include "connectors/csv/reader.h"
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHARACTER_BYTES_MAX = 8 };
#define NO_CONVERSION ((iconv_t)-1)

struct csv_decoder {
    iconv_t conversion;
    char *path;
};

const char *csv_encoding_of_bom(const char *bytes, size_t *length)
{
    size_t there = *length;
    *length = 0;
    if (there >= 4 && memcmp(bytes, "\xff\xfe\0\0", 4) == 0) {
        *length = 4;
        return "UTF-32LE";
    }
    if (there >= 2 && memcmp(bytes, "\xff\xfe", 2) == 0) {
        *length = 2;
        return "UTF-16LE";
    }
    if (there >= 2 && memcmp(bytes, "\xfe\xff", 2) == 0) {
        *length = 2;
        return "UTF-16BE";
    }
    if (there >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        *length = 3;
    }
    return NULL;
}

enum status csv_decoder_open(const char *name, const char *path, struct csv_decoder **decoder,
                             struct error *error)
{
    struct csv_decoder *made = memory_allocate_zeroed(1, sizeof(*made));
    *decoder = NULL;
    made->path = memory_copy_string(path);
    made->conversion = iconv_open("UTF-8", name);
    if (made->conversion == NO_CONVERSION) {
        error_set(error, ERROR_BAD_VALUE, path, "the encoding %s is not known here", name);
        csv_decoder_close(made);
        return STATUS_FAILED;
    }
    *decoder = made;
    return STATUS_OK;
}

void csv_decoder_close(struct csv_decoder *decoder)
{
    if (decoder != NULL) {
        if (decoder->conversion != NO_CONVERSION) {
            iconv_close(decoder->conversion);
        }
        free(decoder->path);
        free(decoder);
    }
}

enum status csv_decoder_convert(struct csv_decoder *decoder, const char **from, size_t *from_length,
                                char **to, size_t *to_length, bool last, struct error *error)
{
    while (*from_length > 0 && *to_length > CHARACTER_BYTES_MAX) {
        char *in = (char *)(uintptr_t)*from; /* iconv does not write there */
        size_t result = iconv(decoder->conversion, &in, from_length, to, to_length);
        *from = in;
        if (result != (size_t)-1 || errno == E2BIG) {
            continue;
        }
        if (errno == EINVAL && !last) {
            return STATUS_OK; /* a character is cut off: the rest comes */
        }
        if (errno != EILSEQ && errno != EINVAL) {
            return error_set_errno(error, ERROR_SOURCE_READ, errno, decoder->path,
                                   "can't convert the file's encoding");
        }
        **to = (char)0xff;
        ++*to;
        --*to_length;
        ++*from;
        --*from_length;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- writing */

const char *csv_encoding_written(const char *name)
{
    if (strcasecmp(name, "UTF-16") == 0 || strcasecmp(name, "UTF16") == 0) {
        return "UTF-16LE";
    }
    if (strcasecmp(name, "UTF-32") == 0 || strcasecmp(name, "UTF32") == 0) {
        return "UTF-32LE";
    }
    return name;
}

bool csv_encoding_wants_bom(const struct csv_dialect *dialect)
{
    return dialect->bom || (dialect->encoding != NULL &&
                            csv_encoding_written(dialect->encoding) != dialect->encoding);
}

enum status csv_encode(const char *name, const char *text, size_t length, struct buffer *out,
                       struct error *error)
{
    size_t start = out->length;
    iconv_t conversion = iconv_open(name, "UTF-8");
    char *from = (char *)(uintptr_t)text;
    size_t left = length;
    enum status status = STATUS_OK;
    if (conversion == NO_CONVERSION) {
        return error_set(error, ERROR_BAD_VALUE, NULL, "the encoding %s is not known here", name);
    }
    while (left > 0 && status == STATUS_OK) {
        if (!buffer_try_reserve(out, left + 4 * (size_t)CHARACTER_BYTES_MAX)) {
            status = error_set(error, ERROR_MEMORY, NULL, "no memory to write a record");
            break;
        }
        char *to = out->data + out->length;
        size_t room = out->capacity - out->length;
        size_t result = iconv(conversion, &from, &left, &to, &room);
        out->length = (size_t)(to - out->data);
        if (result == (size_t)-1 && errno == E2BIG) {
            if (!buffer_try_reserve(out, out->capacity - out->length + 4 * left)) {
                status = error_set(error, ERROR_MEMORY, NULL, "no memory to write a record");
            }
        } else if (result != 0) { /* more than 0: characters were replaced by others like them */
            status = error_set(error, ERROR_REJECT_TEXT, NULL,
                               "the encoding %s has not all of the record's characters", name);
        }
    }
    iconv_close(conversion);
    if (status != STATUS_OK) {
        out->length = start;
    }
    return status;
}
