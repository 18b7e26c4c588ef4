/*
 * Services that speak JSON over HTTP: requests that are tried again, classified and bounded.
 *
 *   service          an endpoint, its limits and its patience; shared by all threads
 *   service_client   connections of one thread, with many requests under way
 *   functions        what is the service's own: signing, and what an answer means
 */
#ifndef TRANSHUME_NET_SERVICE_H
#define TRANSHUME_NET_SERVICE_H

#include "base/buffer.h"
#include "base/error.h"
#include "net/http.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---------------------------------------------------------------- what an answer means */

enum service_verdict {
    SERVICE_DONE = 0, /* a success */
    SERVICE_RETRY,    /* it may pass: send again */
    SERVICE_THROTTLE, /* too many requests: send again, and slow down */
    SERVICE_REJECT,   /* this request is refused; others may succeed. The caller judges */
    SERVICE_STOP      /* no request will succeed: credentials, permission, not the service at all */
};

/* The answer to a request, or what became of it without one. Destroyed by the caller, before or
 * after its client, on the client's thread. */
struct service_reply {
    void *context; /* the request's */
    enum service_verdict verdict;
    int fault; /* the functions' own number for it; 0: none */
    /* not DONE, and the server may have carried it out all the same; also when an earlier try may
     * have been carried out, whatever became of the last one */
    bool unknown_outcome;
    uint32_t status; /* of HTTP; 0: none came */
    uint32_t tries;
    struct buffer body; /* may be moved out */
    struct error error; /* unless DONE: class RETRY, REJECT or STOP; retry_after_ms */
    int64_t elapsed_ms; /* of the last try */
};
void service_reply_destroy(struct service_reply *reply); /* NULL is fine */

/* ---------------------------------------------------------------- the service */

struct service_options {
    const char *name;       /* "DynamoDB" */
    const char *contact;    /* what to check where nobody answers; NULL: its address */
    const char *url;        /* "https://host:port/path"; what requests name as path is appended */
    const char *ca_file;    /* http_client_options */
    bool plaintext_allowed; /* http:// to a host that is not loopback */
    int64_t connect_timeout_ms;  /* 0: http_client_options' default */
    int64_t timeout_ms;          /* of one try; 0: 60,000 */
    int64_t patience_ms;         /* SERVICE_PATIENCE: how long a request is tried; 0: 4 timeouts */
    uint64_t response_bytes_max; /* of a body; 0: 32 MiB */
    const _Atomic bool *stopped; /* may be NULL: ends retries early */
};

/* Safe from any thread; outlives its clients. Its texts are copied. */
struct service;
struct service *service_create(const struct service_options *options);
void service_destroy(struct service *service); /* NULL is fine */
const char *service_url(const struct service *service);

/* ---------------------------------------------------------------- requests */

enum { SERVICE_PATIENCE = -1, SERVICE_HEADERS_MAX = 32 };

/* All that it points to is borrowed until its reply is taken (or its client destroyed). */
struct service_request {
    const char *operation; /* what errors and log lines call it: "BatchWriteItem" */
    const char *object;    /* what errors speak of: "table Track"; NULL: the service's URL */
    const char *method;    /* NULL: "POST" */
    const char *path;      /* "/_bulk"; NULL: none */
    const struct http_header *headers; /* at most SERVICE_HEADERS_MAX with those of `prepare` */
    uint32_t header_count;
    const void *body;
    size_t body_length;
    int64_t timeout_ms;  /* of one try; 0: the service's */
    int64_t patience_ms; /* from the first try to giving up; 0: one try; SERVICE_PATIENCE */
    bool repeatable;     /* http_request.repeatable */
    const void *detail;  /* for the functions */
    void *context;       /* for the caller */
};

/* A try that is about to be sent. */
struct service_outgoing {
    struct http_header headers[SERVICE_HEADERS_MAX]; /* texts: until the functions' next call */
    uint32_t header_count;
    int64_t timeout_ms; /* from since_ms on */
    int64_t since_ms;   /* clock_boottime_ms; `prepare` may move it on after it waited */
    uint64_t mark;      /* for judge: with which credentials it was signed, say */
    bool alone;         /* nothing else of this client is under way */
    bool is_final;      /* set with a failure of class RETRY: not tried again here */
};

/* Functions of the service's own; on the client's thread. `self` is service_client_create's. */
struct service_functions {
    /* Before each try: adds headers (a signature), may wait. STATUS_FAILED: it is not sent; class
     * RETRY: it is tried again like any fault. NULL: nothing to add. */
    enum status (*prepare)(void *self, const struct service_request *request,
                           struct service_outgoing *outgoing, struct error *error);
    /* Fills verdict, fault, unknown_outcome and error, and takes the body (service_take_body). Also
     * called with from->error set: no whole answer came. A hint that it reads from the body goes to
     * reply->error.retry_after_ms; else Retry-After counts. NULL: service_judge. */
    void (*judge)(void *self, const struct service_request *request, uint64_t mark,
                  struct http_response *from, struct service_reply *reply);
};

/* Connections of one thread. Errors as of http_client_create. */
struct service_client;
enum status service_client_create(struct service *service, uint32_t connections_max,
                                  const struct service_functions *functions, void *self,
                                  struct service_client **client, struct error *error) MUST_USE;
/* Drops what is under way: it may be carried out or not. NULL is fine. */
void service_client_destroy(struct service_client *client);
/* Requests submitted whose replies were not taken yet. */
uint32_t service_under_way(const struct service_client *client);

/*
 * Prepares and sends; never waits for an answer. STATUS_AGAIN: connections_max requests are under
 * way. STATUS_FAILED: nothing was sent, and no reply will come. With patience, a failure of class
 * RETRY is a try like any other.
 */
enum status service_submit(struct service_client *client, const struct service_request *request,
                           struct error *error) MUST_USE;
/*
 * The next reply, of any request, and meanwhile what is due is tried again: after a random time
 * between 0 and an exponential limit, or after the server's hint. STATUS_OK also for faults: once
 * patience is spent the verdict is STOP with class STOP, since it is spent but once; throttling
 * stays RETRY, which a caller may bear for longer. STATUS_AGAIN: none within timeout_ms;
 * STATUS_END: nothing is under way.
 */
enum status service_poll(struct service_client *client, int64_t timeout_ms,
                         struct service_reply **reply, struct error *error) MUST_USE;
/*
 * One request to its end; no other may be under way. STATUS_OK: `*reply` is DONE or REJECT.
 * STATUS_FAILED: `error` says why, and `*reply` is NULL.
 */
enum status service_call(struct service_client *client, const struct service_request *request,
                         struct service_reply **reply, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- pieces of a judgement */

/*
 * The usual meaning: no whole answer: RETRY, or STOP for certificates and limits; 2xx: DONE; 429:
 * THROTTLE; 408, 425 and 5xx: RETRY, outcome unknown; 401 and 403: STOP; a redirect, or a page
 * instead of JSON: STOP; other 4xx: REJECT.
 */
void service_judge(const struct service *service, const struct service_request *request,
                   struct http_response *from, struct service_reply *reply);
/* When from->error is set: fills verdict, error and unknown_outcome. False: an answer came. */
bool service_judge_no_answer(const struct http_response *from, struct service_reply *reply);
/* Moves the body into the reply. */
void service_take_body(struct service_reply *reply, struct http_response *from);
/* Retry-After, in seconds or as a date, at most 5 minutes; 0: none. */
int64_t service_retry_after_ms(const struct http_response *from);
/* The delay before try `failures` + 1: retry_delay_ms. */
int64_t service_backoff_ms(uint32_t failures, int64_t retry_after_ms);

#endif
