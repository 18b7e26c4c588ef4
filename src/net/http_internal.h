/* What the files of the HTTP client share. */
#ifndef TRANSHUME_NET_HTTP_INTERNAL_H
#define TRANSHUME_NET_HTTP_INTERNAL_H

#include "net/http.h"
#include "net/http_parser.h"
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
    HTTP_FAULT_LATE,       /* its time was over before it went out */
};

/* How a request goes out. */
enum http_way {
    HTTP_WAY_NONE,       /* the slot is free */
    HTTP_WAY_TRANSFER,   /* whole by libcurl */
    HTTP_WAY_CONNECTING, /* libcurl makes a connection for it */
    HTTP_WAY_EXCHANGE    /* ours, over the slot's connection */
};

/*
 * One request under way, or none, and the connection that it goes over, which stays for the next
 * one. What libcurl needs for a whole transfer is kept too, so that setting it up is paid for once.
 */
struct http_slot {
    struct http_client *client;
    struct http_slot *next_free;
    struct http_owned_response *response; /* NULL: free */
    enum http_way way;
    struct buffer text; /* the head and what of the body goes with it; the lines of a transfer */
    char *url;
    char *target; /* path and query */
    char *host_header;
    char method[16];
    bool tls;
    bool direct;
    bool through_proxy; /* a proxy may be used */
    bool repeatable;
    bool fresh; /* the connection was made for this request */
    enum http_fault fault;
    uint32_t sends;
    int64_t started_ms; /* by clock_boottime_ms, as its end: */
    int64_t deadline_ms;
    int64_t timeout_ms;
    uint64_t response_bytes_max;
    char curl_text[CURL_ERROR_SIZE];

    /* a connection of ours: libcurl's handle keeps it open, closing that one closes it */
    CURL *link;
    curl_socket_t descriptor; /* in epoll, once connected */
    bool connected;
    bool loopback; /* as in http_response, as the next two */
    const char *tls_protocol;
    const char *tls_cipher;
    bool wants_out;   /* epoll waits for room to send */
    const char *rest; /* of the body, behind `text` */
    size_t rest_length;
    size_t sent_bytes;  /* of both */
    bool sends_no_more; /* the other side takes nothing any more, its answer may have come */
    struct http_parser parser;

    /* a transfer of libcurl's */
    CURL *easy;
    struct curl_slist *lines; /* nodes of ours over `text` */
    size_t lines_capacity;
    char easy_method[16];
    bool easy_is_set; /* to `url` */
    bool header_complete;
};

enum { HTTP_TIMER_NONE = -1, HTTP_SENDS_MAX = 3 /* of a repeatable request */ };

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
    bool plaintext_allowed;
    int64_t connect_timeout_ms;
    char *ca_file;
    char *receive; /* HTTP_RECEIVE_BYTES of scratch */
};

enum { HTTP_RECEIVE_BYTES = 64 * 1024 };

/* ---------------------------------------------------------------- http_client.c */

bool http_request_has_header(const struct http_request *request, const char *name);
/* The request has ended; the slot is free. */
void http_slot_finish(struct http_slot *slot, CURLcode code);

/* ---------------------------------------------------------------- http_transfer.c */

/* A new handle with what both ways have in common: protocols, whom to trust, where its words go.
 * NULL: memory is out. */
CURL *http_easy_create(struct http_slot *slot);
/* Where to, and through what. */
bool http_easy_set_url(struct http_slot *slot, CURL *easy);
/* Makes libcurl's handle ready for the whole request. */
enum status http_transfer_prepare(struct http_slot *slot, const struct http_request *request,
                                  struct error *error) MUST_USE;

/* ---------------------------------------------------------------- http_link.c */

/* Begins to connect to the slot's URL; the end comes as one of libcurl's messages. */
enum status http_link_begin(struct http_slot *slot, struct error *error) MUST_USE;
/* libcurl has connected: from now on the socket is ours. False: it broke at once. */
bool http_link_take(struct http_slot *slot);
/* Closes the slot's connection, if it has one. */
void http_link_close(struct http_slot *slot);
/* Before a request: has the other side not closed it meanwhile, nor sent what nobody asked for? */
bool http_link_is_usable(struct http_slot *slot);

enum http_link_result {
    HTTP_LINK_DONE,   /* some bytes */
    HTTP_LINK_WAIT,   /* none now */
    HTTP_LINK_CLOSED, /* by the other side */
    HTTP_LINK_BROKEN  /* `curl_text` says how */
};
enum http_link_result http_link_send(struct http_slot *slot, const char *bytes, size_t length,
                                     size_t *sent);
enum http_link_result http_link_receive(struct http_slot *slot, char *bytes, size_t capacity,
                                        size_t *got);
/* Whether the socket is waited for room to send, besides answers. */
void http_link_await(struct http_slot *slot, bool out);

/* ---------------------------------------------------------------- http_exchange.c */

/* Lays out the request's bytes. */
enum status http_exchange_prepare(struct http_slot *slot, const struct http_request *request,
                                  struct error *error) MUST_USE;
/* Over the slot's connection, or over one that is made now. */
enum status http_exchange_begin(struct http_slot *slot, struct error *error) MUST_USE;
/* libcurl's attempt to connect has ended. */
void http_exchange_connected(struct http_slot *slot, CURLcode code);
/* The socket can be read or written; also of a slot without a request. */
void http_exchange_act(struct http_slot *slot);
/* The request's time is over. */
void http_exchange_expire(struct http_slot *slot);

/* ---------------------------------------------------------------- http_ending.c */

/* What is known of a transfer that has ended, to make its error of. */
struct http_ending {
    CURLcode code;
    CURL *easy; /* NULL: none of libcurl's had to do with it */
    uint32_t status;
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
