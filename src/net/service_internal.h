/* Declarations that the files of services share. */
#ifndef TRANSHUME_NET_SERVICE_INTERNAL_H
#define TRANSHUME_NET_SERVICE_INTERNAL_H

#include "net/service.h"

struct service {
    struct service_options options; /* texts of its own */
    _Atomic bool answered;          /* something has answered there once */
};

enum call_state { CALL_SENT, CALL_WAITING /* for its next try */, CALL_ENDED };

/* One request until its reply is taken, and the reply itself. */
struct service_call {
    struct service_reply reply; /* first: what the caller sees */
    struct service_store *store;
    struct service_call *next;
    struct service_call **link; /* what points to this one in the client's list */
    enum call_state state;
    struct service_request request;
    uint64_t mark;
    int64_t first_ms; /* clock_monotonic_ms, as the next three */
    int64_t give_up_ms;
    int64_t begun_ms; /* this try */
    int64_t due_ms;   /* the next one */
    uint32_t failures;
    bool is_final;  /* the last failure is not tried again */
    bool unreached; /* the last failure: nobody was there */
    bool unknown;   /* a try may have been carried out */
    bool reported;  /* a log line says that it is tried again */
};

struct service_client {
    struct service *service;
    const struct service_functions *functions;
    void *self;
    struct http_client *http;
    struct service_store *store;
    uint32_t connections_max;
    struct service_call *calls; /* whose replies were not taken */
    uint32_t call_count;
    uint32_t unsent_count; /* of them: waiting, or ended while they waited */
    struct buffer url;
};

/* ---------------------------------------------------------------- service.c */

/* An empty call, for service_reply_destroy. */
struct service_call *service_call_take(struct service_client *client);
void service_call_add(struct service_client *client, struct service_call *call);
void service_call_remove(struct service_client *client, struct service_call *call);

#endif
