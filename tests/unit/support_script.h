/* An HTTP server that follows a script, in a thread of its own. */
#ifndef TRANSHUME_UNIT_SUPPORT_SCRIPT_H
#define TRANSHUME_UNIT_SUPPORT_SCRIPT_H

#include "support.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream_listener;

enum { SCRIPT_SEEN_MAX = 64 };

/* Gives one answer of `answers` for each request, the last one again and again; "" closes the
 * connection instead. */
struct script_server {
    struct stream_listener *listener;
    pthread_t thread;
    const char *const *answers;
    size_t answer_count;
    _Atomic bool stopped;
    _Atomic uint32_t request_count;
    char *seen[SCRIPT_SEEN_MAX]; /* the requests, each before the count goes up */
    char url[64];                /* "http://127.0.0.1:PORT/base" */
};

#define SCRIPT_ANSWER(line, headers, length, body) \
    "HTTP/1.1 " line "\r\n" headers "Content-Length: " length "\r\n\r\n" body

void script_server_start(struct script_server *server, const char *const *answers, size_t count);
void script_server_stop(struct script_server *server);

#endif
