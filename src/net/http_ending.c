/* How a transfer ended, in our words: libcurl's codes as errors with a class. */
#include "net/http_internal.h"

#include "base/text.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* libcurl's words where it has any, else the code's meaning; in `out` as one clean line. */
static const char *curl_words(const struct http_ending *ending, char *out, size_t capacity)
{
    const char *text =
        ending->curl_text[0] != '\0' ? ending->curl_text : curl_easy_strerror(ending->code);
    text_printable(text, strlen(text), out, capacity);
    return out;
}

static void hint_at_proxy(const struct http_ending *ending, struct error *error)
{
    const char *name = NULL;
    char proxy[128];
    bool tls = strncasecmp(ending->url, "https:", 6) == 0;
    if (ending->through_proxy && http_proxy_setting(tls, &name, proxy, sizeof(proxy))) {
        error_hint(error, "%s is %s: check it, or name the host in no_proxy", name, proxy);
    }
}

static void describe_timeout(const struct http_ending *ending, struct http_response *response)
{
    struct error *error = &response->error;
    char seconds[32];
    snprintf(seconds, sizeof(seconds), "%lld.%03lld s", (long long)response->elapsed_ms / 1000,
             (long long)response->elapsed_ms % 1000);
    if (!response->sent) {
        error_set(error, ERROR_NETWORK, ending->url, "no connection within %s", seconds);
        hint_at_proxy(ending, error);
    } else if (!ending->header_complete) {
        error_set(error, ERROR_NETWORK, ending->url, "no answer within %s", seconds);
    } else {
        error_set(error, ERROR_NETWORK, ending->url,
                  "the answer stopped after %zu bytes and was not whole within %s",
                  response->body.length, seconds);
        response->cut = true;
    }
}

/* Before anything was sent through a proxy's tunnel, or by a proxy instead of the tunnel. */
static bool describe_tunnel(const struct http_ending *ending, struct http_response *response)
{
    long code = 0;
    if (response->sent || ending->easy == NULL ||
        curl_easy_getinfo(ending->easy, CURLINFO_HTTP_CONNECTCODE, &code) != CURLE_OK ||
        code == 0 || (code >= 200 && code < 300)) {
        return false;
    }
    struct error *error = &response->error;
    error_set(error, ERROR_NETWORK, ending->url, "the proxy refused a tunnel to it: status %ld%s",
              code, code == 407 ? " (it wants a user name and password)" : "");
    hint_at_proxy(ending, error);
    error->class = code >= 500 ? ERROR_CLASS_RETRY : ERROR_CLASS_STOP;
    return true;
}

static void describe_tls(const struct http_ending *ending, struct http_response *response)
{
    char words[CURL_ERROR_SIZE];
    struct error *error = &response->error;
    curl_words(ending, words, sizeof(words));
    bool broken_off = ending->code == CURLE_SSL_CONNECT_ERROR &&
                      (strstr(words, "SYSCALL") != NULL || strstr(words, "reset") != NULL ||
                       strstr(words, "unexpected eof") != NULL);
    if (broken_off) {
        error_set(error, ERROR_NETWORK, ending->url,
                  "the connection broke off while TLS was set up: %s", words);
        hint_at_proxy(ending, error);
    } else if (strstr(words, "wrong version number") != NULL) {
        error_set(error, ERROR_TLS, ending->url, "what answers there speaks no TLS (%s)", words);
        error_hint(error, "check the port; a server without TLS is http://, on this machine only "
                          "unless plaintext is allowed");
        hint_at_proxy(ending, error);
    } else {
        error_set(error, ERROR_TLS, ending->url, "no verified TLS connection: %s", words);
        error_hint(error, "if a private authority signed the certificate, name its PEM file "
                          "(AWS_CA_BUNDLE, ca_bundle)");
    }
}

/* libcurl has limits of its own: 100 KiB for a line, 300 KiB for all headers with interim ones. */
static bool has_too_many_headers(const struct http_ending *ending)
{
    return !ending->header_complete &&
           (ending->code == CURLE_OUT_OF_MEMORY ||
            strstr(ending->curl_text, "Too large response headers") != NULL);
}

static bool describe_fault(const struct http_ending *ending, struct http_response *response)
{
    struct error *error = &response->error;
    enum http_fault fault = ending->fault;
    if (fault == HTTP_FAULT_NONE && response->sent && has_too_many_headers(ending)) {
        fault = HTTP_FAULT_HEADERS;
    }
    switch (fault) {
    case HTTP_FAULT_NONE:
    case HTTP_FAULT_LATE: /* told as a timeout */
        return false;
    case HTTP_FAULT_MEMORY:
        error_set(error, ERROR_MEMORY, ending->url, "no memory for the answer");
        break;
    case HTTP_FAULT_HEADERS:
        error_set(error, ERROR_NETWORK_ANSWER, ending->url,
                  "the answer's headers take more than %d bytes", HTTP_HEADER_BLOCK_BYTES_MAX);
        error->class = ERROR_CLASS_STOP;
        break;
    case HTTP_FAULT_BODY:
        response->cut = true;
        error_set(error, ERROR_NETWORK_ANSWER, ending->url,
                  "the answer takes more than the %llu bytes allowed",
                  (unsigned long long)ending->response_bytes_max);
        error->class = ERROR_CLASS_STOP;
        break;
    case HTTP_FAULT_CONNECTION:
        error_set(error, ERROR_NETWORK, ending->url,
                  "the server closed the connection without an answer");
        break;
    }
    return true;
}

/* The connection broke, or what came is no HTTP. */
static void describe_broken(const struct http_ending *ending, struct http_response *response)
{
    char words[CURL_ERROR_SIZE];
    struct error *error = &response->error;
    curl_words(ending, words, sizeof(words));
    if (ending->code == CURLE_GOT_NOTHING) {
        error_set(error, ERROR_NETWORK, ending->url,
                  "the server closed the connection without an answer");
    } else if (ending->code == CURLE_PARTIAL_FILE || ending->code == CURLE_OK) {
        response->cut = true;
        error_set(error, ERROR_NETWORK_ANSWER, ending->url,
                  "the answer was cut short after %zu bytes of its %s", response->body.length,
                  ending->header_complete ? "body" : "body, within its headers");
    } else if (ending->code == CURLE_RECV_ERROR && strstr(words, "hunk") != NULL) {
        response->cut = true;
        error_set(error, ERROR_NETWORK_ANSWER, ending->url,
                  "the answer's chunked body is broken after %zu bytes (%s)", response->body.length,
                  words);
    } else if (ending->header_complete) {
        response->cut = true;
        error_set(error, ERROR_NETWORK, ending->url,
                  "the connection broke off after %zu bytes of the answer (%s)",
                  response->body.length, words);
    } else {
        error_set(error, ERROR_NETWORK, ending->url, "the connection broke off (%s)", words);
    }
}

void http_ending_describe(const struct http_ending *ending, struct http_response *response)
{
    char words[CURL_ERROR_SIZE];
    struct error *error = &response->error;
    if (ending->header_complete) {
        response->status = ending->status;
    }
    if (ending->code == CURLE_OK && ending->header_complete) {
        return;
    }
    if (describe_fault(ending, response) || describe_tunnel(ending, response)) {
        return;
    }
    switch (ending->code) {
    case CURLE_OPERATION_TIMEDOUT:
        describe_timeout(ending, response);
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        error_set(error, ERROR_NETWORK, ending->url, "no connection: %s",
                  curl_words(ending, words, sizeof(words)));
        hint_at_proxy(ending, error);
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
        describe_tls(ending, response);
        break;
    case CURLE_FILESIZE_EXCEEDED: {
        struct http_ending too_long = *ending;
        too_long.fault = HTTP_FAULT_BODY;
        describe_fault(&too_long, response);
        break;
    }
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        error_set(error, ERROR_NETWORK_ANSWER, ending->url, "what came is no HTTP answer: %s",
                  curl_words(ending, words, sizeof(words)));
        hint_at_proxy(ending, error);
        break;
    case CURLE_OUT_OF_MEMORY:
        error_set(error, ERROR_MEMORY, ending->url, "no memory for the request");
        break;
    default:
        describe_broken(ending, response);
        break;
    }
}
