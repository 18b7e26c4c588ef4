/* Texts that S3 writes and reads: keys in addresses, elements of its XML, pages of a list. */
#include "base/text.h"
#include "net/s3_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void s3_append_encoded(struct buffer *out, const char *text, bool keeps_slashes)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (; *text != '\0'; text++) {
        if (strchr(unreserved, *text) != NULL || (keeps_slashes && *text == '/')) {
            buffer_append_byte(out, *text);
        } else {
            buffer_format(out, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
}

void s3_append_object(const struct s3_bucket *bucket, const char *key, struct buffer *out)
{
    buffer_append_string(out, bucket->root);
    s3_append_encoded(out, key, true);
}

void s3_append_bucket(const struct s3_bucket *bucket, struct buffer *out)
{
    buffer_append(out, bucket->root, strlen(bucket->root) - (bucket->root[1] != '\0' ? 1 : 0));
}

bool s3_take_element(const char **at, const char *end, const char *name, const char **text,
                     size_t *length)
{
    char open[40];
    char close[40];
    int open_length = snprintf(open, sizeof open, "<%s>", name);
    int close_length = snprintf(close, sizeof close, "</%s>", name);
    const char *begin = memmem(*at, (size_t)(end - *at), open, (size_t)open_length);
    if (begin == NULL) {
        return false;
    }
    begin += open_length;
    const char *stop = memmem(begin, (size_t)(end - begin), close, (size_t)close_length);
    if (stop == NULL) {
        return false;
    }
    *text = begin;
    *length = (size_t)(stop - begin);
    *at = stop + close_length;
    return true;
}

const char *s3_without_entities(const char *text, size_t length, struct arena *arena)
{
    static const char *const entities[][2] = {{"&amp;", "&"},   {"&lt;", "<"},   {"&gt;", ">"},
                                              {"&quot;", "\""}, {"&apos;", "'"}, {"&#34;", "\""},
                                              {"&#39;", "'"}};
    char *made = arena_copy(arena, text, length);
    size_t kept = 0;
    for (size_t at = 0; at < length;) {
        size_t skipped = 1;
        made[kept] = text[at];
        for (size_t i = 0; text[at] == '&' && i < sizeof entities / sizeof entities[0]; i++) {
            size_t size = strlen(entities[i][0]);
            if (length - at >= size && memcmp(text + at, entities[i][0], size) == 0) {
                made[kept] = entities[i][1][0];
                skipped = size;
                break;
            }
        }
        kept++;
        at += skipped;
    }
    made[kept] = '\0';
    return made;
}

static const char *decoded(const char *text, size_t length, struct arena *arena)
{
    char *made = arena_copy(arena, text, length);
    size_t kept = 0;
    for (size_t at = 0; at < length; at++) {
        int high = text[at] == '%' && length - at > 2 ? text_hex_digit(text[at + 1]) : -1;
        int low = high >= 0 ? text_hex_digit(text[at + 2]) : -1;
        made[kept] = low >= 0 ? (char)(high << 4 | low) : text[at] == '+' ? ' ' : text[at];
        at += low >= 0 ? 2 : 0;
        if (made[kept++] == '\0') {
            return NULL;
        }
    }
    made[kept] = '\0';
    return made;
}

bool s3_has_encoded_keys(const char *text, size_t length)
{
    static const char mark[] = "<EncodingType>url</EncodingType>";
    return memmem(text, length, mark, sizeof mark - 1) != NULL;
}

const char *s3_key_of(const char *text, size_t length, bool encoded, struct arena *arena)
{
    const char *plain = s3_without_entities(text, length, arena);
    return encoded ? decoded(plain, strlen(plain), arena) : plain;
}

/* ---------------------------------------------------------------- pages of a list */

static bool read_object(const char *text, size_t length, bool encoded, struct arena *arena,
                        struct s3_object *object)
{
    const char *end = text + length;
    const char *part = NULL;
    const char *at = text;
    size_t size = 0;
    char digits[24] = "";
    *object = (struct s3_object){.etag = ""};
    if (!s3_take_element(&at, end, "Key", &part, &size)) {
        return false;
    }
    object->key = s3_key_of(part, size, encoded, arena);
    at = text;
    if (s3_take_element(&at, end, "ETag", &part, &size)) {
        object->etag = s3_without_entities(part, size, arena);
    }
    at = text;
    if (s3_take_element(&at, end, "LastModified", &part, &size)) {
        (void)aws_parse_time(arena_copy(arena, part, size), &object->modified_ms);
    }
    at = text;
    if (!s3_take_element(&at, end, "Size", &part, &size) || size == 0 || size >= sizeof digits) {
        return false;
    }
    memcpy(digits, part, size);
    char *stop = NULL;
    object->bytes = strtoull(digits, &stop, 10);
    return object->key != NULL && *stop == '\0' && object->bytes <= INT64_MAX;
}

enum status s3_page_read(const char *text, size_t length, struct arena *arena, struct s3_page *page,
                         struct error *error)
{
    const char *end = text + length;
    const char *at = text;
    const char *part = NULL;
    size_t size = 0;
    uint32_t capacity = 0;
    bool encoded = s3_has_encoded_keys(text, length);
    *page = (struct s3_page){0};
    if (memmem(text, length, "<ListBucketResult", 17) == NULL) {
        return error_set(error, ERROR_NETWORK_ANSWER, NULL, "what answers is no list of S3");
    }
    while (s3_take_element(&at, end, "Contents", &part, &size)) {
        page->objects =
            arena_make_room(arena, page->objects, page->count, &capacity, sizeof *page->objects);
        if (!read_object(part, size, encoded, arena, &page->objects[page->count++])) {
            return error_set(error, ERROR_NETWORK_ANSWER, NULL,
                             "an object of the list has no key or no size");
        }
    }
    at = text;
    bool cut = s3_take_element(&at, end, "IsTruncated", &part, &size) && size == 4 &&
               memcmp(part, "true", 4) == 0;
    at = text;
    if (cut && s3_take_element(&at, end, "NextContinuationToken", &part, &size)) {
        page->next = s3_without_entities(part, size, arena);
    }
    return cut && page->next == NULL ? error_set(error, ERROR_NETWORK_ANSWER, NULL,
                                                 "the list goes on, and does not say where")
                                     : STATUS_OK;
}
