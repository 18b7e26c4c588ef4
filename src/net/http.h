/* An HTTP client: many requests under way from one thread, connections kept between them. */
#ifndef TRANSHUME_NET_HTTP_H
#define TRANSHUME_NET_HTTP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A client, its requests and its responses belong to one thread (another one after a hand-over).
 * libcurl does the work, HTTP/1.1 or, over TLS where the server offers it, HTTP/2. What always
 * holds:
 *   - TLS verifies certificate and host name, at least TLS 1.2; no redirect is followed.
 *   - http:// is refused unless the host is loopback (127.0.0.0/8, ::1, localhost) or
 *     `plaintext_allowed`.
 *   - Proxies come from http_proxy, https_proxy, all_proxy and no_proxy (http_proxy in lower case
 *     only, as curl has it); loopback hosts and `direct` requests never use one.
 *   - A request is sent at most once (see `repeatable`), with Content-Length, without Expect.
 *   - Nothing waits without a deadline, and nothing is sent after it: it is kept by a clock that
 *     goes on while the process is stopped or the machine sleeps (clock_boottime_ms).
 */
struct http_client;

struct http_client_options {
    uint32_t connections_max;   /* requests under way at once, each on a connection; 0: 1 */
    int64_t connect_timeout_ms; /* name look-up, TCP, proxy and TLS together; 0: 10,000 */
    const char *ca_file;        /* PEM certificates to trust instead of the system's; NULL: those */
    bool plaintext_allowed;     /* http:// to a host that is not loopback */
};

enum { HTTP_CONNECTIONS_MAX = 1024, HTTP_HEADER_BLOCK_BYTES_MAX = 64 * 1024 };

/* STATUS_FAILED: ERROR_BAD_VALUE (a ca_file that can't be read), ERROR_INTERNAL. */
enum status http_client_create(const struct http_client_options *options,
                               struct http_client **client, struct error *error) MUST_USE;
/* Breaks off what is under way. Responses taken before stay valid. NULL is fine. */
void http_client_destroy(struct http_client *client);

/* One line "name: value"; neither may hold a control character (checked: ERROR_INTERNAL). */
struct http_header {
    const char *name;
    const char *value;
};

/*
 * `method`, `url` and `headers` are copied by http_submit; the body is borrowed until its response
 * is there (or the client destroyed). Host, Content-Length and User-Agent are added, unless
 * `headers` has them. `url` is sent as it is: no "." or ".." is taken out of its path.
 */
struct http_request {
    const char *method; /* "GET", "POST", "PUT" … */
    const char *url;    /* "https://host:port/path?query" */
    const struct http_header *headers;
    uint32_t header_count;
    const void *body;
    size_t body_length;
    /* From `since_ms` to the last byte, 0: 60,000. An answer that came while nobody polled is taken
     * after that, too. */
    int64_t timeout_ms;
    int64_t since_ms;            /* clock_boottime_ms; 0: when it is submitted */
    uint64_t response_bytes_max; /* body; 0: 32 MiB */
    bool direct;                 /* through no proxy */
    /* Sending it twice does no harm: when a kept connection turns out to have been closed by the
     * server, it is sent again on a new one at once. Else that is an error with `sent`. */
    bool repeatable;
    void *context; /* the caller's own, handed back */
};

/*
 * The result of one request. `error.code` is ERROR_NONE when there is a whole answer, whatever its
 * `status`. Else:
 *   ERROR_NETWORK         no connection, broken off, or no answer in time (class RETRY)
 *   ERROR_NETWORK_ANSWER  what came is not HTTP, broken, cut short or above a limit (class RETRY)
 *   ERROR_TLS             certificate, host name or protocol (class STOP)
 *   ERROR_MEMORY, ERROR_INTERNAL
 * With `sent` false the server can't have seen any of it: it may be repeated freely. With `sent`
 * true and an error its outcome is unknown.
 */
struct http_response {
    void *context;
    uint32_t status; /* 200 …; 0: no header block came */
    bool sent;       /* may have reached the server */
    bool cut;        /* the body ended early, or was cut off at the limit */
    /* of the connection that it came over: */
    bool loopback;            /* it does not leave this machine */
    const char *tls_protocol; /* "TLSv1.3", static; NULL: plaintext */
    const char *tls_cipher;   /* static; NULL: not known */
    struct buffer body;
    struct buffer
        header_block; /* of the last answer: lines "Name: value\r\n" after a status line */
    int64_t elapsed_ms;
    struct error error;
};

/* Never blocks. STATUS_AGAIN: connections_max requests are under way already; poll first.
 * STATUS_FAILED: the request itself is wrong (ERROR_BAD_VALUE: its URL, plaintext refused;
 * ERROR_INTERNAL: a header), nothing was sent and no response will come. */
enum status http_submit(struct http_client *client, const struct http_request *request,
                        struct error *error) MUST_USE;

/* Sends, receives and waits up to `timeout_ms` (0: only looks). STATUS_OK: `*response` is the
 * caller's to destroy; in the order of their ends. STATUS_AGAIN: none in time. STATUS_END: nothing
 * is under way. STATUS_FAILED: out of memory or of descriptors. */
enum status http_poll(struct http_client *client, int64_t timeout_ms,
                      struct http_response **response, struct error *error) MUST_USE;

/* Sends one request and waits for its answer, while others go on (their responses stay for
 * http_poll). STATUS_OK: a response that has no error, whatever its status. STATUS_FAILED: `error`
 * is the response's (and `*response`, when not NULL, still is the caller's, for `sent`). */
enum status http_perform(struct http_client *client, const struct http_request *request,
                         struct http_response **response, struct error *error) MUST_USE;

/* The value of the first header of that name (case does not matter), without blanks around it.
 * False: absent. The text points into header_block. */
bool http_response_header(const struct http_response *response, const char *name,
                          const char **value, size_t *length) MUST_USE;
/* A header with a time (IMF-fixdate of RFC 9110), milliseconds since 1970; _date: the Date header.
 * False: absent or not a time. */
bool http_response_time(const struct http_response *response, const char *name,
                        int64_t *utc_ms) MUST_USE;
bool http_response_date(const struct http_response *response, int64_t *utc_ms) MUST_USE;

/* For an answer that can't be from the service meant (a proxy's page, a captive portal, another
 * server): ERROR_NETWORK_ANSWER that says status, content type, the page's title if it is HTML and
 * which proxy is set. `object` is the service ("DynamoDB at https://…"). Returns STATUS_FAILED. */
enum status http_response_unexpected(const struct http_response *response, const char *object,
                                     struct error *error);

/* NULL is fine. On the client's thread; after the client is gone too. */
void http_response_destroy(struct http_response *response);

/* ---------------------------------------------------------------- URLs */

/* A URL taken apart; the texts are in the arena. */
struct http_url {
    bool tls;
    const char *host;        /* without brackets and port, lower case */
    uint16_t port;           /* the scheme's default if none is given */
    const char *host_header; /* "host" or "host:port", as in the Host header */
    const char *path;        /* "/" if none; still percent-encoded */
    const char *query;       /* NULL if none */
};

/* http and https only; user names and fragments are refused. ERROR_BAD_VALUE with `object`. */
enum status http_url_parse(const char *text, const char *object, struct arena *arena,
                           struct http_url *url, struct error *error) MUST_USE;
/* 127.0.0.0/8, ::1, localhost and names under .localhost. */
bool http_host_is_loopback(const char *host);

#endif
