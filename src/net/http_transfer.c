/* Requests that libcurl carries out whole: plaintext that may go through a proxy. */
#include "net/http_internal.h"

#include "base/clock.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TRANSFER_BUFFER_BYTES = 64 * 1024 };

/* ---------------------------------------------------------------- what libcurl calls */

/* Just before the request goes out on a connection: each time that it does. */
static int on_send(void *user, char *peer __attribute__((unused)),
                   char *local __attribute__((unused)), int peer_port, int local_port)
{
    (void)peer_port;
    (void)local_port;
    struct http_slot *slot = user;
    if (slot->sends > 0 && (!slot->repeatable || slot->sends >= HTTP_SENDS_MAX)) {
        slot->fault = HTTP_FAULT_CONNECTION;
        return CURL_PREREQFUNC_ABORT;
    }
    if (clock_boottime_ms() >= slot->deadline_ms) {
        slot->fault = HTTP_FAULT_LATE;
        return CURL_PREREQFUNC_ABORT;
    }
    slot->sends++;
    slot->response->response.sent = true;
    buffer_clear(&slot->response->response.body);
    buffer_clear(&slot->response->response.header_block);
    slot->header_complete = false;
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct http_slot *slot = user;
    struct buffer *block = &slot->response->response.header_block;
    size_t length = size * count; /* libcurl: size is 1 */
    if (slot->header_complete && length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        buffer_clear(block); /* the final answer after an interim one */
        slot->header_complete = false;
    }
    if (block->length + length > HTTP_HEADER_BLOCK_BYTES_MAX) {
        slot->fault = HTTP_FAULT_HEADERS;
        return 0;
    }
    buffer_append(block, line, length);
    if (block->failed) {
        slot->fault = HTTP_FAULT_MEMORY;
        return 0;
    }
    if (!slot->header_complete && (line[0] == '\r' || line[0] == '\n')) {
        slot->header_complete = true;
    }
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct http_slot *slot = user;
    struct buffer *body = &slot->response->response.body;
    size_t length = size * count;
    if (length > slot->response_bytes_max || body->length > slot->response_bytes_max - length) {
        slot->fault = HTTP_FAULT_BODY;
        return 0;
    }
    buffer_append(body, bytes, length);
    if (body->failed) {
        slot->fault = HTTP_FAULT_MEMORY;
        return 0;
    }
    return length;
}

/* ---------------------------------------------------------------- handles */

CURL *http_easy_create(struct http_slot *slot)
{
    const struct http_client *client = slot->client;
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return NULL;
    }
    bool ok = true;
    ok &= curl_easy_setopt(easy, CURLOPT_PRIVATE, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->curl_text) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    if (client->ca_file != NULL) {
        ok &= curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file) == CURLE_OK;
        ok &= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    }
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_timeout_ms) ==
          CURLE_OK;
    if (!ok) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

bool http_easy_set_url(struct http_slot *slot, CURL *easy)
{
    const char *proxy = slot->through_proxy ? NULL : "";
    return curl_easy_setopt(easy, CURLOPT_URL, slot->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, proxy) == CURLE_OK;
}

static bool make_easy(struct http_slot *slot)
{
    CURL *easy = slot->easy = http_easy_create(slot);
    bool ok = easy != NULL;
    ok = ok && curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)TRANSFER_BUFFER_BYTES) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PREREQDATA, slot) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    return ok && curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot) == CURLE_OK;
}

/* ---------------------------------------------------------------- headers and method */

/* One more line of the list that libcurl is given; a NULL value leaves out one that it would add.
 */
static void append_line(struct http_slot *slot, const char *name, const char *value)
{
    buffer_append_string(&slot->text, name);
    /* libcurl sends "Name;" as a header without a value and takes "Name:" as an order to leave out
     */
    buffer_append_string(&slot->text, value == NULL ? ":" : value[0] == '\0' ? ";" : ": ");
    buffer_append_string(&slot->text, value == NULL ? "" : value);
    buffer_append_byte(&slot->text, '\0');
}

static bool reserve_lines(struct http_slot *slot, size_t count)
{
    if (slot->lines_capacity < count) {
        struct curl_slist *lines = reallocarray(slot->lines, count, sizeof(*lines));
        if (lines == NULL) {
            return false;
        }
        slot->lines = lines;
        slot->lines_capacity = count;
    }
    return true;
}

/* The header lines as a list whose nodes and texts are the slot's: libcurl reads, never frees. */
static bool set_headers(struct http_slot *slot, const struct http_request *request)
{
    static const char *const removed[] = {"Expect", "Accept", "Content-Type"};
    buffer_clear(&slot->text);
    size_t count = request->header_count;
    for (uint32_t i = 0; i < request->header_count; i++) {
        append_line(slot, request->headers[i].name, request->headers[i].value);
    }
    for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
        if (!http_request_has_header(request, removed[i])) {
            append_line(slot, removed[i], NULL);
            count++;
        }
    }
    if (!http_request_has_header(request, "User-Agent")) {
        append_line(slot, "User-Agent", "transhume/" TRANSHUME_VERSION);
        count++;
    }
    if (slot->text.failed || !reserve_lines(slot, count)) {
        return false;
    }
    char *line = slot->text.data;
    for (size_t i = 0; i < count; i++) {
        slot->lines[i].data = line;
        slot->lines[i].next = i + 1 < count ? &slot->lines[i + 1] : NULL;
        line += strlen(line) + 1;
    }
    return curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->lines) == CURLE_OK;
}

/* Method and body. libcurl has a mode for each kind; CUSTOMREQUEST only changes the word. */
static bool set_method(struct http_slot *slot, const struct http_request *request)
{
    CURL *easy = slot->easy;
    bool ok = true;
    bool is_get = strcmp(request->method, "GET") == 0 && request->body_length == 0;
    bool is_head = strcmp(request->method, "HEAD") == 0 && request->body_length == 0;
    if (strcmp(slot->easy_method, request->method) != 0 || is_get || is_head) {
        ok &= curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK; /* takes HEAD back */
        if (is_head) {
            ok &= curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
        } else if (!is_get) {
            ok &= curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
        }
        bool standard = is_get || is_head || strcmp(request->method, "POST") == 0;
        ok &= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, standard ? NULL : request->method) ==
              CURLE_OK;
        memcpy(slot->easy_method, slot->method, sizeof(slot->easy_method));
    }
    if (!is_get && !is_head) {
        const void *body = request->body_length > 0 ? request->body : "";
        ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK;
        ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)request->body_length) == CURLE_OK;
    }
    return ok;
}

enum status http_transfer_prepare(struct http_slot *slot, const struct http_request *request,
                                  struct error *error)
{
    bool ok = slot->easy != NULL || make_easy(slot);
    if (ok && !slot->easy_is_set) {
        ok = slot->easy_is_set = http_easy_set_url(slot, slot->easy);
    }
    ok = ok && set_headers(slot, request) && set_method(slot, request);
    int64_t left = slot->deadline_ms - clock_boottime_ms();
    ok = ok &&
         curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? left : 1)) == CURLE_OK;
    ok = ok && curl_easy_setopt(slot->easy, CURLOPT_MAXFILESIZE_LARGE,
                                (curl_off_t)slot->response_bytes_max) == CURLE_OK;
    slot->header_complete = false;
    return ok ? STATUS_OK
              : error_set(error, ERROR_MEMORY, request->url, "no memory for the request");
}
