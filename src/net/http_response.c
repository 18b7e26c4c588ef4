/* Responses: their headers, their dates, and saying what is wrong with one. */
#include "net/http_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- a pool of them */

enum { POOL_RESPONSES_MAX = 64, POOL_BYTES_MAX = 4 * 1024 * 1024 };

struct http_pool {
    struct http_owned_response *spare;
    uint32_t spare_count;
    size_t spare_bytes; /* their bodies' memory */
    uint32_t outside;   /* under way or the caller's */
    bool closed;
};

struct http_pool *http_pool_create(void)
{
    return memory_allocate_zeroed(1, sizeof(struct http_pool));
}

static void free_response(struct http_owned_response *owned)
{
    buffer_free(&owned->response.body);
    buffer_free(&owned->response.header_block);
    free(owned);
}

static void free_pool_when_unused(struct http_pool *pool)
{
    if (!pool->closed || pool->outside > 0) {
        return;
    }
    while (pool->spare != NULL) {
        struct http_owned_response *owned = pool->spare;
        pool->spare = owned->next;
        free_response(owned);
    }
    free(pool);
}

void http_pool_close(struct http_pool *pool)
{
    if (pool != NULL) {
        pool->closed = true;
        free_pool_when_unused(pool);
    }
}

struct http_owned_response *http_pool_take(struct http_pool *pool)
{
    struct http_owned_response *owned = pool->spare;
    if (owned != NULL) {
        pool->spare = owned->next;
        pool->spare_count--;
        pool->spare_bytes -= owned->response.body.capacity;
        struct buffer body = owned->response.body;
        struct buffer header_block = owned->response.header_block;
        memset(&owned->response, 0, sizeof(owned->response));
        owned->response.body = body;
        owned->response.header_block = header_block;
    } else {
        owned = memory_allocate_zeroed(1, sizeof(*owned));
        owned->pool = pool;
    }
    owned->next = NULL;
    pool->outside++;
    return owned;
}

void http_response_destroy(struct http_response *response)
{
    if (response == NULL) {
        return;
    }
    struct http_owned_response *owned = (struct http_owned_response *)response;
    struct http_pool *pool = owned->pool;
    pool->outside--;
    bool keep = !pool->closed && pool->spare_count < POOL_RESPONSES_MAX &&
                pool->spare_bytes + response->body.capacity <= POOL_BYTES_MAX;
    if (keep) {
        buffer_clear(&response->body);
        buffer_clear(&response->header_block);
        owned->next = pool->spare;
        pool->spare = owned;
        pool->spare_count++;
        pool->spare_bytes += response->body.capacity;
    } else {
        free_response(owned);
        free_pool_when_unused(pool);
    }
}

/* ---------------------------------------------------------------- headers */

bool http_response_header(const struct http_response *response, const char *name,
                          const char **value, size_t *length)
{
    size_t name_length = strlen(name);
    const char *line = response->header_block.data;
    const char *end = line == NULL ? NULL : line + response->header_block.length;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = newline == NULL ? end : newline;
        if ((size_t)(line_end - line) > name_length && line[name_length] == ':' &&
            strncasecmp(line, name, name_length) == 0) {
            const char *start = line + name_length + 1;
            while (start < line_end && isspace((unsigned char)*start)) {
                start++;
            }
            while (line_end > start && isspace((unsigned char)line_end[-1])) {
                line_end--;
            }
            *value = start;
            *length = (size_t)(line_end - start);
            return true;
        }
        line = newline == NULL ? end : newline + 1;
    }
    return false;
}

/* `digits` decimal digits at `text`, or -1. */
static int number_at(const char *text, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)text[i])) {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_date(const char *text, int64_t *utc_ms)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int month = 0;
    while (month < 12 && memcmp(text + 8, months[month], 3) != 0) {
        month++;
    }
    int day = number_at(text + 5, 2);
    int year = number_at(text + 12, 4);
    int hour = number_at(text + 17, 2);
    int minute = number_at(text + 20, 2);
    int second = number_at(text + 23, 2);
    if (month == 12 || day < 1 || day > 31 || year < 1970 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60 || memcmp(text + 3, ", ", 2) != 0 ||
        text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' ||
        text[22] != ':' || memcmp(text + 25, " GMT", 4) != 0) {
        return false;
    }
    int64_t days = clock_days_from_civil(year, month + 1, day);
    *utc_ms = ((days * 24 + hour) * 60 + minute) * 60000 + second * INT64_C(1000);
    return true;
}

bool http_response_time(const struct http_response *response, const char *name, int64_t *utc_ms)
{
    const char *value = NULL;
    size_t length = 0;
    return http_response_header(response, name, &value, &length) && length == 29 &&
           parse_date(value, utc_ms);
}

bool http_response_date(const struct http_response *response, int64_t *utc_ms)
{
    return http_response_time(response, "Date", utc_ms);
}

/* ---------------------------------------------------------------- answers from somebody else */

/* The bytes from `*from` to `to` as one clean line: the title of a page, say. */
static void clean_excerpt(const char *from, const char *to, char *out, size_t capacity)
{
    while (from < to && isspace((unsigned char)*from)) {
        from++;
    }
    while (to > from && isspace((unsigned char)to[-1])) {
        to--;
    }
    text_printable(from, (size_t)(to - from), out, capacity);
}

static const char *find_ignoring_case(const char *text, size_t length, const char *wanted)
{
    size_t wanted_length = strlen(wanted);
    for (size_t i = 0; i + wanted_length <= length; i++) {
        if (strncasecmp(text + i, wanted, wanted_length) == 0) {
            return text + i;
        }
    }
    return NULL;
}

/* The part of the body that a person would see: an HTML page's title, else its first words. */
static void describe_body(const struct buffer *body, char *out, size_t capacity)
{
    size_t length = body->length < 16384 ? body->length : 16384;
    const char *title = find_ignoring_case(body->data, length, "<title");
    const char *start =
        title == NULL ? NULL : memchr(title, '>', length - (size_t)(title - body->data));
    if (start != NULL) {
        start++;
        size_t rest = length - (size_t)(start - body->data);
        const char *end = memchr(start, '<', rest);
        clean_excerpt(start, end == NULL ? start + rest : end, out, capacity);
    } else {
        clean_excerpt(body->data, body->data + (length < 120 ? length : 120), out, capacity);
    }
}

bool http_proxy_setting(bool tls, const char **name, char *out, size_t capacity)
{
    static const char *const names[2][4] = {
        {"http_proxy", "all_proxy", "ALL_PROXY", NULL},
        {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}};
    for (size_t i = 0; i < 4 && names[tls][i] != NULL; i++) {
        const char *value = getenv(names[tls][i]);
        if (value != NULL && value[0] != '\0') {
            *name = names[tls][i];
            secret_redact_uri(value, out, capacity);
            return true;
        }
    }
    return false;
}

enum status http_response_unexpected(const struct http_response *response, const char *object,
                                     struct error *error)
{
    char type[80] = "no content type";
    char excerpt[160] = "";
    char via[80] = "";
    const char *value = NULL;
    size_t length = 0;
    if (http_response_header(response, "Content-Type", &value, &length)) {
        clean_excerpt(value, value + length, type, sizeof(type));
    }
    if (http_response_header(response, "Server", &value, &length) ||
        http_response_header(response, "Via", &value, &length)) {
        clean_excerpt(value, value + length, via, sizeof(via));
    }
    if (response->body.length > 0) {
        describe_body(&response->body, excerpt, sizeof(excerpt));
    }
    error_set(error, ERROR_NETWORK_ANSWER, object,
              "the answer is not from the service: status %u, %s%s%s%s%s%s%s", response->status,
              type, via[0] != '\0' ? ", from " : "", via, excerpt[0] != '\0' ? ", \"" : "", excerpt,
              excerpt[0] != '\0' ? "\"" : "", response->body.length == 0 ? ", empty" : "");
    const char *name = NULL;
    char proxy[128];
    if (http_proxy_setting(true, &name, proxy, sizeof(proxy)) ||
        http_proxy_setting(false, &name, proxy, sizeof(proxy))) {
        error_hint(error, "%s is %s: name the host in no_proxy if the proxy should not be used",
                   name, proxy);
    } else {
        error_hint(error, "check the endpoint, and whether a proxy or login page is in between");
    }
    return STATUS_FAILED;
}
