/* The registered secrets: a list under a mutex that only grows. */
#include "base/secret.h"

#include "base/text.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SECRET_BYTES_MIN = 4 };

struct secret {
    struct secret *next;
    size_t length;
    char text[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct secret *secrets; /* longest first */

void secret_wipe(void *memory, size_t size)
{
    if (memory != NULL) {
        explicit_bzero(memory, size);
    }
}

void secret_register(const char *text, size_t length)
{
    if (length < SECRET_BYTES_MIN || length > SIZE_MAX / 2) {
        return;
    }
    struct secret *secret = malloc(sizeof(*secret) + length);
    if (secret == NULL) {
        return;
    }
    secret->length = length;
    memcpy(secret->text, text, length);
    pthread_mutex_lock(&mutex);
    struct secret **place = &secrets;
    while (*place != NULL && (*place)->length > length) {
        place = &(*place)->next;
    }
    struct secret *same = *place;
    while (same != NULL && same->length == length && memcmp(same->text, text, length) != 0) {
        same = same->next;
    }
    if (same != NULL && same->length == length) {
        free(secret);
    } else {
        secret->next = *place;
        *place = secret;
    }
    pthread_mutex_unlock(&mutex);
}

/* The longest secret that begins at `text`. */
static const struct secret *find_at(const char *text, size_t length)
{
    for (const struct secret *secret = secrets; secret != NULL; secret = secret->next) {
        if (secret->length <= length && memcmp(secret->text, text, secret->length) == 0) {
            return secret;
        }
    }
    return NULL;
}

void secret_redact(char *line)
{
    pthread_mutex_lock(&mutex);
    if (secrets != NULL) {
        size_t length = strlen(line);
        size_t out = 0;
        for (size_t in = 0; in < length;) {
            const struct secret *secret = find_at(line + in, length - in);
            if (secret == NULL) {
                line[out++] = line[in++];
            } else {
                memcpy(line + out, "***", 3);
                out += 3;
                in += secret->length;
            }
        }
        line[out] = '\0';
    }
    pthread_mutex_unlock(&mutex);
}

/* Appends what fits, at whole characters. */
static void append_clipped(char *out, size_t capacity, size_t *length, const char *text,
                           size_t size)
{
    size_t room = capacity - 1 - *length;
    if (size > room) {
        size = text_clip(text, size, room);
    }
    memcpy(out + *length, text, size);
    *length += size;
    out[*length] = '\0';
}

/* True if the name=value at `parameter` is one that must not be shown. */
static int is_secret_parameter(const char *parameter, size_t name_length)
{
    static const char *const names[] = {"password", "passwd",     "pwd",        "pass",
                                        "secret",   "token",      "secret_key", "session_token",
                                        "api_key",  "sslpassword"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == name_length && strncasecmp(names[i], parameter, name_length) == 0) {
            return 1;
        }
    }
    return 0;
}

void secret_redact_uri(const char *uri, char *out, size_t capacity)
{
    if (capacity == 0) {
        return;
    }
    out[0] = '\0';
    size_t length = 0;
    /* A password may hold an unescaped '/', '?' or '@', so the last '@' counts: where that is wrong
     * too much is hidden, never too little. */
    const char *authority = strstr(uri, "://");
    const char *at = authority == NULL ? NULL : strrchr(authority, '@');
    const char *colon =
        at == NULL ? NULL : memchr(authority + 3, ':', (size_t)(at - authority - 3));
    if (colon != NULL) {
        append_clipped(out, capacity, &length, uri, (size_t)(colon + 1 - uri));
        append_clipped(out, capacity, &length, "***", 3);
        uri = at;
    }
    while (*uri != '\0') {
        size_t size = strcspn(uri, "?&");
        const char *value = memchr(uri, '=', size);
        if (value != NULL && is_secret_parameter(uri, (size_t)(value - uri))) {
            append_clipped(out, capacity, &length, uri, (size_t)(value + 1 - uri));
            append_clipped(out, capacity, &length, "***", 3);
        } else {
            append_clipped(out, capacity, &length, uri, size);
        }
        uri += size;
        if (*uri != '\0') {
            append_clipped(out, capacity, &length, uri, 1);
            uri++;
        }
    }
    secret_redact(out);
}
