/* What the files of the HTTP client share. */
#ifndef TRANSHUME_NET_HTTP_INTERNAL_H
#define TRANSHUME_NET_HTTP_INTERNAL_H

#include "net/http.h"
#include <curl/curl.h>

enum { HTTP_POOL_RESPONSES_MAX = 64, HTTP_POOL_BYTES_MAX = 4 * 1024 * 1024 };

/* Responses to use again; lives until its client and the last response taken from it are gone. One
 * thread. */
struct http_pool {
    struct http_owned_response *spare;
    uint32_t spare_count;
    size_t spare_bytes; /* their bodies' memory */
    uint32_t outside;   /* under way or the caller's */
    bool closed;
};

struct http_owned_response {
    struct http_response response; /* first: what the caller sees */
    struct http_pool *pool;
    struct http_owned_response *next;
};

struct http_pool *http_pool_create(void);
void http_pool_close(struct http_pool *pool); /* NULL is fine */
/* An empty response; NULL when memory is out. */
struct http_owned_response *http_pool_take(struct http_pool *pool);

/* Why one of our callbacks ended a transfer. */
enum http_fault {
    HTTP_FAULT_NONE,
    HTTP_FAULT_MEMORY,
    HTTP_FAULT_HEADERS,    /* the header block is too long */
    HTTP_FAULT_BODY,       /* the body is */
    HTTP_FAULT_CONNECTION, /* a kept connection was closed, and the request must not be repeated */
};

/* What is known of a transfer that has ended, to make its error of. */
struct http_ending {
    CURLcode code;
    CURL *easy;
    const char *url;
    const char *curl_text; /* libcurl's own words, may be empty */
    enum http_fault fault;
    bool header_complete;
    bool through_proxy; /* a proxy may have been used */
    int64_t timeout_ms;
    uint64_t response_bytes_max;
};

/* Fills status, cut and error of a response. */
void http_ending_describe(const struct http_ending *ending, struct http_response *response);

/* The proxy variable that concerns `tls` and its value without password in `out`; false: none
 * set. */
bool http_proxy_setting(bool tls, const char **name, char *out, size_t capacity);

#endif
