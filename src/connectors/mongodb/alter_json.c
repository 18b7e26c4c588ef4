/*
 * Extended JSON as commands have it. The C library takes {"$type": …} for a binary value of its
 * first version, {"$type": "00", "$binary": "…"}, and refuses what filters say: numbers, lists, and
 * words that begin with a hexadecimal digit ("bool", "date", "array"). Behind another member it
 * takes them, and {"$exists": true, "$type": …} finds the same documents.
 */
#include "connectors/mongodb/alter.h"

#include <string.h>

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n", *at) != NULL) {
        at++;
    }
    return at;
}

/* Behind the string that begins here. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\' && at + 1 < end;
    }
    return at < end ? at + 1 : end;
}

/* Does {"$type": a number, a list or a word} begin here? An expression's path is none. */
static bool asks_for_type(const char *at, const char *end)
{
    static const char name[] = "\"$type\"";
    size_t length = sizeof(name) - 1;
    at = skip_blanks(at + 1, end);
    if ((size_t)(end - at) <= length || memcmp(at, name, length) != 0) {
        return false;
    }
    at = skip_blanks(at + length, end);
    if (at == end || *at != ':') {
        return false;
    }
    at = skip_blanks(at + 1, end);
    if (at == end || *at != '"') {
        return at < end && strchr("[-0123456789", *at) != NULL;
    }
    const char *behind = skip_string(at, end);
    return at[1] != '$' && behind - at > 4; /* more than the two digits of a binary value */
}

static void rewrite(const char *text, size_t length, struct buffer *out)
{
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        const char *next = *at == '"' ? skip_string(at, end) : at + 1;
        buffer_append(out, at, (size_t)(next - at));
        if (*at == '{' && asks_for_type(at, end)) {
            buffer_append_string(out, "\"$exists\": true, ");
        }
        at = next;
    }
}

bson_t *mongodb_json_read(const char *text, size_t length, bson_error_t *why)
{
    struct buffer other = {0};
    bson_t *read = bson_new_from_json((const uint8_t *)text, (ssize_t)length, why);
    if (read == NULL && memmem(text, length, "\"$type\"", strlen("\"$type\"")) != NULL) {
        rewrite(text, length, &other);
        read = bson_new_from_json((const uint8_t *)other.data, (ssize_t)other.length, NULL);
        buffer_free(&other);
    }
    return read;
}
