/* Declarations that the files of the HTTP client share. */
#ifndef TRANSHUME_NET_HTTP_INTERNAL_H
#define TRANSHUME_NET_HTTP_INTERNAL_H

#include "net/http.h"
#include <curl/curl.h>

/* ---------------------------------------------------------------- http_response.c */

/* Responses to use again; lives until its client and the last response taken from it are gone. One
 * thread. */
struct http_pool;

struct http_owned_response {
    struct http_response response; /* first: what the caller sees */
    struct http_pool *pool;
    struct http_owned_response *next;
};

struct http_pool *http_pool_create(void);
void http_pool_close(struct http_pool *pool); /* NULL is fine */
/* An empty response, for http_response_destroy. */
struct http_owned_response *http_pool_take(struct http_pool *pool);

/* ---------------------------------------------------------------- http_client.c */

/* Why one of our callbacks ended a transfer. */
enum http_fault {
    HTTP_FAULT_NONE,
    HTTP_FAULT_MEMORY,
    HTTP_FAULT_HEADERS,    /* the header blocks are too long */
    HTTP_FAULT_BODY,       /* the body is */
    HTTP_FAULT_CONNECTION, /* a kept connection was closed, and the request must not be repeated */
    HTTP_FAULT_LATE,       /* its time was over before it was sent */
    HTTP_FAULT_STALE,      /* a kept connection is out of step: sent on a new one */
};

/* One request under way, or none. What its transfer is made of stays for the next request. */
struct http_slot {
    struct http_client *client;
    struct http_slot *next_free;
    struct http_owned_response *response; /* NULL: free */
    CURL *easy;                           /* NULL: free */
    char *url;                            /* of the last request, as the next three */
    bool tls;
    bool direct;
    bool through_proxy;      /* a proxy may be used */
    struct buffer text;      /* the header lines, each ends with NUL */
    struct curl_slist *list; /* nodes over `text`: libcurl reads them and never frees */
    size_t list_capacity;
    bool repeatable;
    bool http2;
    bool waits_to_send;   /* the socket must take more bytes first */
    bool header_complete; /* of the final answer */
    enum http_fault fault;
    uint32_t sends;
    size_t header_bytes; /* of all answers of this sending, with trailers */
    int64_t started_ms;  /* clock_boottime_ms, as the deadline */
    int64_t deadline_ms;
    int64_t timeout_ms;
    uint64_t response_bytes_max;
    char curl_text[CURL_ERROR_SIZE];
};

struct http_client {
    CURLM *multi;
    int epoll;
    int64_t timer_ms; /* when libcurl wants to be called, by clock_monotonic_ms; HTTP_TIMER_NONE */
    int64_t next_deadline_ms; /* no request's is before; clock_boottime_ms */
    struct http_pool *pool;
    struct http_slot *slots;
    uint32_t slot_count;
    struct http_slot *free_slots;
    uint32_t under_way;                     /* in slots */
    struct http_owned_response *done_first; /* ended, to be polled */
    struct http_owned_response *done_last;
    uint32_t done_count;
    struct http_socket *sockets; /* open ones */
    uint32_t socket_count;
    uint32_t socket_capacity;
    bool plaintext_allowed;
    int64_t connect_timeout_ms;
    char *ca_file;
};

enum { HTTP_TIMER_NONE = -1 };

/* ---------------------------------------------------------------- http_request.c */

/* Checks the request and makes the slot's transfer of it, ready for the multi handle. On failure
 * the slot is as free as before. */
enum status http_slot_prepare(struct http_slot *slot, const struct http_request *request,
                              struct error *error) MUST_USE;
/* Frees all that the slot keeps for later requests. */
void http_slot_release(struct http_slot *slot);

/* ---------------------------------------------------------------- http_socket.c */

/* From now on the client knows of the sockets that this transfer opens. */
bool http_sockets_watch(struct http_client *client, CURL *easy);
/*
 * Before a request is sent on the connection with this local port: does it hold bytes that nobody
 * asked for, which would be taken for the answer (libcurl takes them before 8.0)? Always false for
 * new connections and for HTTP/2, whose answers name their request.
 */
bool http_sockets_out_of_step(struct http_slot *slot, int port);

/* ---------------------------------------------------------------- http_ending.c */

/* Fills status, cut and error of the slot's response from what libcurl says of the transfer. */
void http_slot_describe(struct http_slot *slot, CURLcode code);

/* The proxy variable that concerns `tls` and its value without password in `out`; false: none
 * set. */
bool http_proxy_setting(bool tls, const char **name, char *out, size_t capacity);

#endif
