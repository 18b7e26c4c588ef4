/* URLs: taking them apart, and which hosts are this machine. */
#include "net/http.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { URL_BYTES_MAX = 8192, HOST_BYTES_MAX = 255 };

bool http_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, host, &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    }
    static const char suffix[] = ".localhost";
    size_t length = strlen(host);
    return strcasecmp(host, "localhost") == 0 ||
           (length > sizeof(suffix) - 1 &&
            strcasecmp(host + length - (sizeof(suffix) - 1), suffix) == 0);
}

static bool is_host_name(const char *host, size_t length)
{
    if (length == 0 || length > HOST_BYTES_MAX || host[0] == '.' || host[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)host[i]) && strchr(".-_", host[i]) == NULL) {
            return false;
        }
        if (host[i] == '.' && i + 1 < length && host[i + 1] == '.') {
            return false;
        }
    }
    return true;
}

/* "[::1]" or "host" at `text`; the bytes it takes, 0 if it is neither. `*host` is NULL then, and
 * where memory is out. */
static size_t parse_host(const char *text, struct arena *arena, const char **host)
{
    *host = NULL;
    size_t skip = 0;
    size_t length = strcspn(text, ":/?");
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        struct in6_addr address;
        length = end == NULL ? 0 : (size_t)(end - text) - 1;
        skip = 2;
        char copy[INET6_ADDRSTRLEN] = "";
        if (length == 0 || length >= sizeof(copy)) {
            return 0;
        }
        memcpy(copy, text + 1, length);
        if (inet_pton(AF_INET6, copy, &address) != 1) {
            return 0;
        }
    } else if (!is_host_name(text, length)) {
        return 0;
    }
    char *copy = arena_copy(arena, text + skip / 2, length);
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    *host = copy;
    return length + skip;
}

/* ":8000" at `*text`, or nothing. */
static bool parse_port(const char **text, uint16_t *port)
{
    if (**text != ':') {
        return true;
    }
    uint32_t value = 0;
    const char *digit = *text + 1;
    for (; isdigit((unsigned char)*digit) && value < 100000; digit++) {
        value = value * 10 + (uint32_t)(*digit - '0');
    }
    if (value == 0 || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    *text = digit;
    return true;
}

static bool is_printable_url(const char *text)
{
    size_t length = strnlen(text, URL_BYTES_MAX + 1);
    if (length > URL_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] == 0x7f || strchr("\\#\"<>", text[i]) != NULL) {
            return false;
        }
    }
    return true;
}

/* `*fault`: what is wrong with it; NULL: nothing, memory is out. */
static enum status split_url(const char *text, struct arena *arena, struct http_url *url,
                             const char **fault)
{
    *fault = "it holds blanks, control characters, a fragment, or more than 8,192 bytes";
    if (!is_printable_url(text)) {
        return STATUS_FAILED;
    }
    url->tls = strncasecmp(text, "https://", 8) == 0;
    *fault = "it does not begin with https:// or http://";
    if (!url->tls && strncasecmp(text, "http://", 7) != 0) {
        return STATUS_FAILED;
    }
    const char *rest = text + (url->tls ? 8 : 7);
    *fault = "a user name in it would be sent in clear or ignored";
    if (memchr(rest, '@', strcspn(rest, "/?")) != NULL) {
        return STATUS_FAILED;
    }
    *fault = "its host is no name or address";
    size_t taken = parse_host(rest, arena, &url->host);
    if (taken == 0) {
        return STATUS_FAILED;
    }
    if (url->host == NULL) {
        *fault = NULL;
        return STATUS_FAILED;
    }
    rest += taken;
    *fault = "its port is no number from 1 to 65535";
    uint16_t standard = url->tls ? 443 : 80;
    url->port = standard;
    if (!parse_port(&rest, &url->port) || (*rest != '\0' && *rest != '/' && *rest != '?')) {
        return STATUS_FAILED;
    }
    const char *question = strchr(rest, '?');
    size_t path_length = question == NULL ? strlen(rest) : (size_t)(question - rest);
    url->path = path_length == 0 ? "/" : arena_copy(arena, rest, path_length);
    url->query = question == NULL ? NULL : arena_copy_string(arena, question + 1);
    bool is_v6 = strchr(url->host, ':') != NULL;
    const char *open = is_v6 ? "[" : "";
    const char *close = is_v6 ? "]" : "";
    url->host_header = url->port == standard
                           ? arena_format(arena, "%s%s%s", open, url->host, close)
                           : arena_format(arena, "%s%s%s:%u", open, url->host, close, url->port);
    *fault = NULL;
    return url->path == NULL || url->host_header == NULL || (question != NULL && url->query == NULL)
               ? STATUS_FAILED
               : STATUS_OK;
}

enum status http_url_parse(const char *text, const char *object, struct arena *arena,
                           struct http_url *url, struct error *error)
{
    const char *fault = NULL;
    *url = (struct http_url){0};
    enum status status = split_url(text, arena, url, &fault);
    if (status != STATUS_OK && fault == NULL) {
        return error_set(error, ERROR_MEMORY, object, "no memory for a URL");
    }
    if (status != STATUS_OK) {
        error_set(error, ERROR_BAD_VALUE, object, "\"%s\" is no URL that can be used: %s",
                  strchr(text, '@') == NULL ? text : "(a URL with a user name)", fault);
        return error_hint(error, "write it as https://HOST:PORT/PATH");
    }
    return STATUS_OK;
}
