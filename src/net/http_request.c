/* A request as a transfer of libcurl's: what goes out, and what its callbacks take in. */
#include "net/http_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    REQUEST_TIMEOUT_MS = 60000,
    RESPONSE_BYTES_MAX = 32 * 1024 * 1024,
    TRANSFER_BUFFER_BYTES = 64 * 1024,
    METHOD_BYTES_MAX = 15,
    SENDS_MAX = 3, /* of a repeatable request */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10
};

/* ---------------------------------------------------------------- what libcurl calls */

/* NULL: plaintext, or libcurl's TLS is not OpenSSL's. */
static const SSL *tls_of(const struct http_slot *slot)
{
    struct curl_tlssessioninfo *session = NULL;
    bool known = slot->tls &&
                 curl_easy_getinfo(slot->easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK &&
                 session != NULL && session->backend == CURLSSLBACKEND_OPENSSL;
    return known ? session->internals : NULL;
}

/* How the connection is kept from others; libcurl has verified the peer. */
static void note_security(struct http_slot *slot, const SSL *tls, const char *peer)
{
    struct http_response *response = &slot->response->response;
    response->loopback = !slot->through_proxy && http_host_is_loopback(peer);
    response->tls_protocol = tls != NULL ? SSL_get_version(tls) : slot->tls ? "TLS" : NULL;
    response->tls_cipher = tls != NULL ? SSL_get_cipher_name(tls) : NULL;
}

/*
 * Just before the request is sent on a connection, each time that it is: libcurl sends it again on
 * a new connection when a kept one ended without an answer.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is libcurl's */
static int on_send(void *user, char *peer, char *local, int peer_port, int local_port)
{
    (void)local;
    (void)peer_port;
    struct http_slot *slot = user;
    struct http_response *response = &slot->response->response;
    if (slot->sends > 0 && (!slot->repeatable || slot->sends >= SENDS_MAX)) {
        slot->fault = HTTP_FAULT_CONNECTION;
        return CURL_PREREQFUNC_ABORT;
    }
    if (clock_boottime_ms() >= slot->deadline_ms) {
        slot->fault = HTTP_FAULT_LATE;
        return CURL_PREREQFUNC_ABORT;
    }
    const SSL *tls = tls_of(slot);
    const unsigned char *protocol = NULL;
    unsigned length = 0;
    if (tls != NULL) {
        SSL_get0_alpn_selected(tls, &protocol, &length);
    }
    slot->http2 = length == 2 && memcmp(protocol, "h2", 2) == 0;
    if (http_sockets_out_of_step(slot, local_port)) {
        slot->fault = HTTP_FAULT_STALE;
        return CURL_PREREQFUNC_ABORT;
    }
    slot->sends++;
    slot->header_complete = false;
    slot->header_bytes = 0;
    response->sent = true;
    buffer_clear(&response->body);
    buffer_clear(&response->header_block);
    note_security(slot, tls, peer);
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct http_slot *slot = user;
    struct http_response *response = &slot->response->response;
    size_t length = size * count; /* libcurl: size is 1 */
    slot->header_bytes += length;
    if (slot->header_bytes > HTTP_HEADER_BLOCK_BYTES_MAX) {
        slot->fault = HTTP_FAULT_HEADERS;
        return 0;
    }
    if (slot->header_complete) {
        return length; /* a trailer */
    }
    buffer_append(&response->header_block, line, length);
    if (line[0] == '\r' || line[0] == '\n') {
        long status = 0;
        (void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
        slot->header_complete = status >= 200;
        if (!slot->header_complete) {
            buffer_clear(&response->header_block); /* of an interim answer */
        }
    }
    return length;
}

/* Room for the whole body at once where its length is told. */
static bool reserve_body(struct http_slot *slot, struct buffer *body, size_t length)
{
    curl_off_t told = 0;
    size_t wanted = length;
    if (body->length == 0 &&
        curl_easy_getinfo(slot->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told) == CURLE_OK &&
        told > (curl_off_t)length && (uint64_t)told <= slot->response_bytes_max) {
        wanted = (size_t)told;
    }
    return buffer_try_reserve(body, wanted);
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
    if (!reserve_body(slot, body, length)) {
        slot->fault = HTTP_FAULT_MEMORY;
        return 0;
    }
    buffer_append(body, bytes, length);
    return length;
}

/* ---------------------------------------------------------------- words */

static bool is_clean(const char *text)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_token(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f ||
            strchr(":()<>@,;\\\"/[]?={}", *c)) {
            return false;
        }
    }
    return text[0] != '\0';
}

static enum status check_words(const struct http_request *request, struct error *error)
{
    if (!is_token(request->method) || strlen(request->method) > METHOD_BYTES_MAX) {
        return error_set(error, ERROR_INTERNAL, request->url, "the request has no valid method");
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (!is_token(request->headers[i].name) || !is_clean(request->headers[i].value)) {
            return error_set(error, ERROR_INTERNAL, request->url,
                             "a header of the request contains forbidden characters");
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- where to */

/* Checks the URL, unless the slot's last request went there too. */
static enum status set_url(struct http_slot *slot, const struct http_request *request,
                           struct error *error)
{
    if (slot->url != NULL && slot->direct == request->direct &&
        strcmp(slot->url, request->url) == 0) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(1024);
    struct http_url url;
    enum status status = http_url_parse(request->url, NULL, arena, &url, error);
    if (status == STATUS_OK && !url.tls && !http_host_is_loopback(url.host) &&
        !slot->client->plaintext_allowed) {
        status = error_set(error, ERROR_BAD_VALUE, request->url,
                           "plaintext http:// goes to this machine only");
        error_hint(error, "use https://; in a trusted network, the URI of a bucket or of "
                          "OpenSearch may say plaintext=allow");
    }
    if (status == STATUS_OK) {
        free(slot->url);
        slot->url = memory_copy_string(request->url);
        slot->tls = url.tls;
        slot->direct = request->direct;
        slot->through_proxy = !request->direct && !http_host_is_loopback(url.host);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- headers and method */

static bool has_header(const struct http_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* One more line of the list that libcurl is given; a NULL value leaves out one that it would add.
 * It sends "Name;" as a header without a value and takes "Name:" as an order to leave it out. */
static void append_line(struct http_slot *slot, const char *name, const char *value)
{
    buffer_append_string(&slot->text, name);
    buffer_append_string(&slot->text, value == NULL ? ":" : value[0] == '\0' ? ";" : ": ");
    buffer_append_string(&slot->text, value == NULL ? "" : value);
    buffer_append_byte(&slot->text, '\0');
}

static void lay_out_headers(struct http_slot *slot, const struct http_request *request)
{
    static const char *const removed[] = {"Expect", "Accept", "Content-Type"};
    buffer_clear(&slot->text);
    size_t count = request->header_count;
    for (uint32_t i = 0; i < request->header_count; i++) {
        append_line(slot, request->headers[i].name, request->headers[i].value);
    }
    for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
        if (!has_header(request, removed[i])) {
            append_line(slot, removed[i], NULL);
            count++;
        }
    }
    if (!has_header(request, "User-Agent")) {
        append_line(slot, "User-Agent", "transhume/" TRANSHUME_VERSION);
        count++;
    }
    if (slot->list_capacity < count) {
        slot->list = memory_resize(slot->list, count, sizeof(*slot->list));
        slot->list_capacity = count;
    }
    char *line = slot->text.data;
    for (size_t i = 0; i < count; i++) {
        slot->list[i].data = line;
        slot->list[i].next = i + 1 < count ? &slot->list[i + 1] : NULL;
        line += strlen(line) + 1;
    }
}

/* Method and body. libcurl has a mode for each kind; CUSTOMREQUEST only changes the word. */
static bool set_method(CURL *easy, const struct http_request *request)
{
    bool bodiless = request->body_length == 0;
    if (bodiless && strcmp(request->method, "GET") == 0) {
        return true; /* as a new handle is */
    }
    if (bodiless && strcmp(request->method, "HEAD") == 0) {
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    }
    bool ok = curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
    if (strcmp(request->method, "POST") != 0) {
        ok &= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
    }
    ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length) ==
          CURLE_OK;
    return ok &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bodiless ? "" : request->body) == CURLE_OK;
}

/* ---------------------------------------------------------------- the handle */

/* The same for all requests of a client. */
static bool set_common(const struct http_client *client, CURL *easy)
{
    bool ok = true;
    ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK; /* no wait for a look-up */
    ok &= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    if (client->ca_file != NULL) {
        ok &= curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file) == CURLE_OK;
        ok &= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    }
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_timeout_ms) ==
          CURLE_OK;
    return ok &&
           curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)TRANSFER_BUFFER_BYTES) == CURLE_OK;
}

static bool set_request(struct http_slot *slot, CURL *easy, const struct http_request *request)
{
    bool ok = set_common(slot->client, easy) && http_sockets_watch(slot->client, easy);
    ok &= curl_easy_setopt(easy, CURLOPT_PRIVATE, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->curl_text) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PREREQDATA, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)slot->response_bytes_max) ==
          CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, slot->list) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_URL, slot->url) == CURLE_OK;
    if (!slot->through_proxy) {
        ok &= curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    }
    return ok && set_method(easy, request);
}

enum status http_slot_prepare(struct http_slot *slot, const struct http_request *request,
                              struct error *error)
{
    if (check_words(request, error) != STATUS_OK || set_url(slot, request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    lay_out_headers(slot, request);
    slot->repeatable = request->repeatable;
    slot->http2 = false;
    slot->waits_to_send = false;
    slot->header_complete = false;
    slot->fault = HTTP_FAULT_NONE;
    slot->sends = 0;
    slot->curl_text[0] = '\0';
    slot->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : REQUEST_TIMEOUT_MS;
    slot->started_ms = request->since_ms != 0 ? request->since_ms : clock_boottime_ms();
    slot->deadline_ms = slot->started_ms + slot->timeout_ms;
    slot->response_bytes_max =
        request->response_bytes_max > 0 ? request->response_bytes_max : RESPONSE_BYTES_MAX;
    /* A new handle each time, which costs 2 microseconds: up to libcurl 8.1.0 one that is used
     * again reads freed memory when an answer begins with a folded header line
     * (https://github.com/curl/curl/issues/11101). */
    CURL *easy = curl_easy_init();
    if (easy == NULL || !set_request(slot, easy, request)) {
        curl_easy_cleanup(easy);
        return error_set(error, ERROR_INTERNAL, request->url, "the HTTP library refused a request");
    }
    slot->easy = easy;
    slot->response = http_pool_take(slot->client->pool);
    slot->response->response.context = request->context;
    return STATUS_OK;
}

void http_slot_release(struct http_slot *slot)
{
    secret_wipe(slot->text.data, slot->text.capacity);
    buffer_free(&slot->text);
    free(slot->list);
    free(slot->url);
}
