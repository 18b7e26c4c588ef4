/* The registered secrets: a list under a mutex that only grows. */
#include "base/secret.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { SECRET_BYTES_MIN = 4 };

struct secret {
    struct secret *next;
    size_t length;
    char text[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct secret *secrets; /* longest first */

void secret_forbid_dumps(void)
{
    const struct rlimit none = {0, 0};
    /* neither can fail for a process's own limits and flag; a core that is piped to a program minds
     * only the second */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void secret_wipe(void *memory, size_t size)
{
    if (memory != NULL) {
        explicit_bzero(memory, size);
    }
}

static void register_one(const char *text, size_t length)
{
    if (length < SECRET_BYTES_MIN || length > SIZE_MAX / 2) {
        return;
    }
    struct secret *secret = memory_allocate(sizeof(*secret) + length);
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

/* With `before` put before each of the characters in `which`; where there are any. */
static void register_quoted(const char *text, size_t length, const char *which, char before)
{
    struct buffer quoted = {0};
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\0' && strchr(which, text[i]) != NULL) {
            buffer_append_byte(&quoted, before);
        }
        buffer_append_byte(&quoted, text[i]);
    }
    if (quoted.length > length) {
        register_one(quoted.data, quoted.length);
        secret_wipe(quoted.data, quoted.length);
    }
    buffer_free(&quoted);
}

void secret_register(const char *text, size_t length)
{
    register_one(text, length);
    register_quoted(text, length, "\"\\", '\\'); /* "…" of YAML and JSON */
    register_quoted(text, length, "'", '\'');    /* '…' of YAML */
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
    const char *slashes = strstr(uri, "//"); /* the colon before them may have been forgotten */
    const char *at = slashes == NULL ? NULL : strrchr(slashes, '@');
    const char *colon = at == NULL ? NULL : memchr(slashes + 2, ':', (size_t)(at - slashes - 2));
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

/* ---- words of a longer text */

static const char word_ends[] = " \t\r\n\"'";

/* As it is written, and with %XX decoded. */
static void register_part(const char *text, size_t length)
{
    if (length == 0) {
        return;
    }
    secret_register(text, length);
    if (memchr(text, '%', length) == NULL) {
        return;
    }
    char *meant = memory_allocate(length);
    size_t filled = 0;
    for (size_t i = 0; i < length; i++) {
        int high = text[i] == '%' && i + 2 < length ? text_hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? text_hex_digit(text[i + 2]) : -1;
        meant[filled++] = low >= 0 ? (char)(high << 4 | low) : text[i];
        i += low >= 0 ? 2 : 0;
    }
    secret_register(meant, filled);
    secret_wipe(meant, length);
    free(meant);
}

void secret_register_uri(const char *uri)
{
    const char *slashes = strstr(uri, "//"); /* the colon before them may have been forgotten */
    const char *at = slashes == NULL ? NULL : strrchr(slashes, '@');
    const char *colon = at == NULL ? NULL : memchr(slashes + 2, ':', (size_t)(at - slashes - 2));
    if (colon != NULL) {
        register_part(colon + 1, (size_t)(at - colon) - 1);
    }
    for (const char *part = uri; *part != '\0'; part += *part != '\0') {
        size_t size = strcspn(part, "?&");
        const char *value = memchr(part, '=', size);
        if (value != NULL && is_secret_parameter(part, (size_t)(value - part))) {
            register_part(value + 1, size - (size_t)(value + 1 - part));
        }
        part += size;
    }
}

void secret_register_uris(const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, word_ends);
        if (length >= 4) {
            char *word = memory_copy_bytes(text, length);
            secret_register_uri(word);
            secret_wipe(word, length);
            free(word);
        }
        text += length;
        text += *text != '\0';
    }
}

char *secret_redact_copy(const char *text)
{
    struct buffer copy = {0};
    while (*text != '\0') {
        size_t length = strcspn(text, word_ends);
        char *word = memory_copy_bytes(text, length);
        char *shown = memory_allocate_zeroed(length + 64, 2);
        secret_redact_uri(word, shown, 2 * length + 64);
        buffer_append_string(&copy, strcmp(word, shown) == 0 ? word : shown);
        secret_wipe(word, length);
        free(word);
        free(shown);
        text += length;
        if (*text != '\0') {
            buffer_append_byte(&copy, *text++);
        }
    }
    buffer_append_byte(&copy, '\0');
    secret_redact(copy.data);
    return copy.data;
}

/* ---- what is hidden */

void secret_strip_hidden(char *uri)
{
    static const char hidden[] = "***";
    for (char *place = strstr(uri, hidden); place != NULL; place = strstr(place, hidden)) {
        char *after = place + sizeof(hidden) - 1;
        char *from = place;
        if (from > uri && from[-1] == ':' && *after == '@') {
            from--;
        } else if (from > uri && from[-1] == '=' && (*after == '&' || *after == '\0')) {
            while (from > uri && from[-1] != '?' && from[-1] != '&') {
                from--;
            }
            bool more = *after == '&';
            from -= from > uri && !more; /* the mark before it */
            after += more;
        } else {
            from = after;
        }
        memmove(from, after, strlen(after) + 1);
        place = from;
    }
}

bool secret_is_same_uri(const char *shown, const char *other)
{
    char *left = memory_copy_string(shown);
    char *right = memory_copy_string(other);
    secret_strip_hidden(left);
    secret_strip_hidden(right);
    bool same = strcmp(left, right) == 0;
    free(left);
    free(right);
    return same;
}
