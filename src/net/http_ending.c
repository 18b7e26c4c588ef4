/* How a transfer ended: libcurl's codes as errors with a class. */
#include "net/http_internal.h"

#include "base/text.h"
#include <stdio.h>
#include <string.h>

/* libcurl's words where it has any, else the code's meaning; in `out` as one clean line. */
static const char *curl_words(const struct http_slot *slot, CURLcode code, char *out,
                              size_t capacity)
{
    const char *text = slot->curl_text[0] != '\0' ? slot->curl_text : curl_easy_strerror(code);
    text_printable(text, strlen(text), out, capacity);
    return out;
}

static void hint_at_proxy(const struct http_slot *slot)
{
    const char *name = NULL;
    char proxy[128];
    if (slot->through_proxy && http_proxy_setting(slot->tls, &name, proxy, sizeof(proxy))) {
        error_hint(&slot->response->response.error,
                   "%s is %s: check it, or name the host in no_proxy", name, proxy);
    }
}

static void describe_timeout(const struct http_slot *slot)
{
    struct http_response *response = &slot->response->response;
    struct error *error = &response->error;
    char seconds[32];
    snprintf(seconds, sizeof(seconds), "%lld.%03lld s", (long long)response->elapsed_ms / 1000,
             (long long)response->elapsed_ms % 1000);
    if (!response->sent) {
        error_set(error, ERROR_NETWORK, slot->url, "no connection within %s", seconds);
        hint_at_proxy(slot);
    } else if (!slot->header_complete) {
        error_set(error, ERROR_NETWORK, slot->url, "no answer within %s", seconds);
    } else {
        response->cut = true;
        error_set(error, ERROR_NETWORK, slot->url,
                  "the answer stopped after %zu bytes and was not whole within %s",
                  response->body.length, seconds);
    }
}

/* Before anything was sent through a proxy's tunnel, or by a proxy instead of the tunnel. */
static bool describe_tunnel(const struct http_slot *slot)
{
    long status = 0;
    struct error *error = &slot->response->response.error;
    if (slot->response->response.sent ||
        curl_easy_getinfo(slot->easy, CURLINFO_HTTP_CONNECTCODE, &status) != CURLE_OK ||
        status == 0 || (status >= 200 && status < 300)) {
        return false;
    }
    error_set(error, ERROR_NETWORK, slot->url, "the proxy refused a tunnel to it: status %ld%s",
              status, status == 407 ? " (it wants a user name and password)" : "");
    hint_at_proxy(slot);
    error->class = status >= 500 ? ERROR_CLASS_RETRY : ERROR_CLASS_STOP;
    return true;
}

static void describe_tls(const struct http_slot *slot, CURLcode code)
{
    char words[CURL_ERROR_SIZE];
    struct error *error = &slot->response->response.error;
    curl_words(slot, code, words, sizeof(words));
    bool broken_off = code == CURLE_SSL_CONNECT_ERROR &&
                      (strstr(words, "SYSCALL") != NULL || strstr(words, "reset") != NULL ||
                       strstr(words, "unexpected eof") != NULL);
    if (broken_off) {
        error_set(error, ERROR_NETWORK, slot->url,
                  "the connection broke off while TLS was set up: %s", words);
        hint_at_proxy(slot);
    } else if (strstr(words, "wrong version number") != NULL) {
        error_set(error, ERROR_TLS, slot->url, "the server does not speak TLS (%s)", words);
        error_hint(error, "check the port; a server without TLS is http://, on this machine only "
                          "unless plaintext is allowed");
        hint_at_proxy(slot);
    } else {
        error_set(error, ERROR_TLS, slot->url, "no verified TLS connection: %s", words);
        error_hint(error, "if a private authority signed the certificate, name its PEM file "
                          "(AWS_CA_BUNDLE, ca_bundle)");
    }
}

/* libcurl has limits of its own: 100 KiB for a line, 300 KiB for all headers with interim ones. */
static bool has_too_many_headers(const struct http_slot *slot, CURLcode code)
{
    return slot->response->response.sent && !slot->header_complete &&
           (code == CURLE_OUT_OF_MEMORY ||
            strstr(slot->curl_text, "Too large response headers") != NULL);
}

static bool describe_fault(const struct http_slot *slot, enum http_fault fault)
{
    struct http_response *response = &slot->response->response;
    struct error *error = &response->error;
    switch (fault) {
    case HTTP_FAULT_NONE:
    case HTTP_FAULT_STALE:
        return false;
    case HTTP_FAULT_LATE:
        describe_timeout(slot);
        break;
    case HTTP_FAULT_MEMORY:
        error_set(error, ERROR_MEMORY, slot->url, "no memory for the answer");
        break;
    case HTTP_FAULT_HEADERS:
        error_set(error, ERROR_NETWORK_ANSWER, slot->url,
                  "the answer's headers take more than %d bytes", HTTP_HEADER_BLOCK_BYTES_MAX);
        error->class = ERROR_CLASS_STOP;
        break;
    case HTTP_FAULT_BODY:
        response->cut = true;
        error_set(error, ERROR_NETWORK_ANSWER, slot->url,
                  "the answer takes more than the %llu bytes allowed",
                  (unsigned long long)slot->response_bytes_max);
        error->class = ERROR_CLASS_STOP;
        break;
    case HTTP_FAULT_CONNECTION:
        error_set(error, ERROR_NETWORK, slot->url,
                  "the server closed the connection without an answer");
        break;
    }
    return true;
}

/* The connection broke, or what came is not HTTP. */
static void describe_broken(const struct http_slot *slot, CURLcode code)
{
    char words[CURL_ERROR_SIZE];
    struct http_response *response = &slot->response->response;
    struct error *error = &response->error;
    curl_words(slot, code, words, sizeof(words));
    if (code == CURLE_GOT_NOTHING) {
        error_set(error, ERROR_NETWORK, slot->url,
                  "the server closed the connection without an answer");
    } else if (code == CURLE_PARTIAL_FILE || code == CURLE_OK) {
        response->cut = true;
        error_set(error, ERROR_NETWORK_ANSWER, slot->url,
                  "the answer was cut short after %zu bytes of its %s", response->body.length,
                  slot->header_complete ? "body" : "body, within its headers");
    } else if (code == CURLE_RECV_ERROR && strstr(words, "hunk") != NULL) {
        response->cut = true;
        error_set(error, ERROR_NETWORK_ANSWER, slot->url,
                  "the answer's chunked body is broken after %zu bytes (%s)", response->body.length,
                  words);
    } else if (slot->header_complete) {
        response->cut = true;
        error_set(error, ERROR_NETWORK, slot->url,
                  "the connection broke off after %zu bytes of the answer (%s)",
                  response->body.length, words);
    } else {
        error_set(error, ERROR_NETWORK, slot->url, "the connection broke off (%s)", words);
    }
}

static void describe_code(const struct http_slot *slot, CURLcode code)
{
    char words[CURL_ERROR_SIZE];
    struct error *error = &slot->response->response.error;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        describe_timeout(slot);
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        error_set(error, ERROR_NETWORK, slot->url, "no connection: %s",
                  curl_words(slot, code, words, sizeof(words)));
        hint_at_proxy(slot);
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
        describe_tls(slot, code);
        break;
    case CURLE_FILESIZE_EXCEEDED:
        describe_fault(slot, HTTP_FAULT_BODY);
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        error_set(error, ERROR_NETWORK_ANSWER, slot->url, "what came is no HTTP answer: %s",
                  curl_words(slot, code, words, sizeof(words)));
        hint_at_proxy(slot);
        break;
    case CURLE_OUT_OF_MEMORY:
        error_set(error, ERROR_MEMORY, slot->url, "no memory for the request");
        break;
    default:
        describe_broken(slot, code);
        break;
    }
}

void http_slot_describe(struct http_slot *slot, CURLcode code)
{
    struct http_response *response = &slot->response->response;
    long status = 0;
    if (slot->header_complete &&
        curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK) {
        response->status = (uint32_t)status;
    }
    if (code == CURLE_OK && slot->header_complete) {
        return;
    }
    enum http_fault fault = slot->fault;
    if (fault == HTTP_FAULT_NONE && has_too_many_headers(slot, code)) {
        fault = HTTP_FAULT_HEADERS;
    }
    if (!describe_fault(slot, fault) && !describe_tunnel(slot)) {
        describe_code(slot, code);
    }
}
