/*
 * A small web server for what a run shows: metrics, health, the dashboard. It answers from one
 * thread of its own, and whatever its clients do costs the run nothing: connections, their memory
 * and their time are bounded, and a client that does not read is dropped. When all places are
 * taken, the client that has held its own for longest makes room (web_clients.h). On libmicrohttpd.
 *
 * At a loopback address, a request that is addressed to another name than the server's own (the
 * address, localhost) is refused: pages that are made by others can't reach it by a name of theirs
 * (DNS rebinding).
 */
#ifndef TRANSHUME_OBSERVE_WEB_SERVER_H
#define TRANSHUME_OBSERVE_WEB_SERVER_H

#include "base/buffer.h"
#include "base/error.h"
#include "observe/web/web_tls.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    WEB_CONNECTIONS_MAX = 128,
    WEB_STREAMS_MAX = 48,                /* of them */
    WEB_CONNECTION_BYTES_MAX = 32 << 10, /* of a request's head, and of what waits to be sent */
    WEB_BODY_BYTES_MAX = 4 << 10,
    WEB_IDLE_SECONDS = 15,    /* without a byte */
    WEB_REQUEST_SECONDS = 20, /* for a whole request, however many bytes come in between */
    WEB_ANSWER_SECONDS = 120  /* for a client to take a whole answer, but a stream */
};

enum web_method { WEB_GET, WEB_HEAD, WEB_POST };

/* One request. Texts are borrowed; NULL: there is none. */
struct web_request {
    void *handle; /* for web_header and web_parameter */
    enum web_method method;
    const char *path; /* begins with '/', decoded, without the query; holds no NUL */
    const char *body; /* of a POST */
    size_t body_length;
};
const char *web_header(const struct web_request *request, const char *name);
const char *web_parameter(const struct web_request *request, const char *name); /* of the query */
const char *web_cookie(const struct web_request *request, const char *name);

/* An answer. Texts are constant, but for the body, which the server takes over. */
struct web_answer {
    unsigned status; /* 200 … */
    const char *content_type;
    struct buffer body;
    const char *cache;    /* Cache-Control; NULL: no-store */
    const char *policy;   /* Content-Security-Policy; NULL: default-src 'none' */
    const char *cookie;   /* Set-Cookie, copied before `answer` returns to the server; NULL */
    const char *location; /* of a redirection; NULL */
    /* Not NULL: the body goes on. Appends what there is to be sent after what `stream` has told
     * before (its context holds where it was); false: the end. Called again at
     * web_server_tick. Then `release` frees the context. */
    bool (*stream)(void *context, struct buffer *out);
    void (*release)(void *context);
    void *stream_context;
};

/* Texts are borrowed for as long as the server lives. */
struct web_options {
    const char *address; /* "[ADDR:]PORT" (net/address.h): a port alone is of 127.0.0.1; port 0 is
                            any that is free */
    struct web_tls_files tls; /* TLS 1.2 or later alone is spoken then */
    /* Called on the server's thread, for GET, HEAD and POST. */
    void (*answer)(void *context, const struct web_request *request, struct web_answer *answer);
    void *context;
};

struct web_server;

/* USAGE, FILE_UNTRUSTED: an address or a certificate that is none. */
enum status web_server_start(const struct web_options *options, struct web_server **server,
                             struct error *error) MUST_USE;
/* Ends all connections. Takes NULL. */
void web_server_stop(struct web_server *server);
/* To be called about once a second, by one thread, that of web_server_stop: those who follow a
 * stream get what is new, clients that take too long are dropped, and a certificate that was
 * renewed is served, for which all connections end. */
void web_server_tick(struct web_server *server);
/* "http://127.0.0.1:9000", as long as the server lives. */
const char *web_server_url(const struct web_server *server);
/* Can whoever sees the network read what is sent? It listens beyond this machine, without TLS. */
bool web_server_is_readable(const struct web_server *server);
/* Was it sent by a page of this server, or by none? */
bool web_server_is_own_page(const struct web_server *server, const struct web_request *request);

#endif
