/* A server of HTTP on a thread of its own: one connection at a time, one answer each. */
#include "server.h"

#include "support.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_BYTES_MAX = 65536, WAIT_S = 2 };

static int listening;
static fuzz_answer *answer_of;
static char *held; /* what answers come from */
static pthread_mutex_t answering = PTHREAD_MUTEX_INITIALIZER;

/* Where the header block ends; 0: not yet. */
static size_t head_end(const struct buffer *request)
{
    const char *end = memmem(request->data, request->length, "\r\n\r\n", 4);
    return end != NULL ? (size_t)(end - request->data) + 4 : 0;
}

static size_t body_length(const char *head, size_t length)
{
    static const char name[] = "content-length:";
    for (size_t at = 0; at + sizeof name < length; at++) {
        if (strncasecmp(head + at, name, sizeof name - 1) == 0) {
            return (size_t)strtoul(head + at + sizeof name - 1, NULL, 10);
        }
    }
    return 0;
}

static void serve_one(int connection)
{
    struct buffer request = {0};
    struct buffer out = {0};
    char bytes[16384];
    size_t head = 0;
    struct timeval wait = {.tv_sec = WAIT_S};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    while (head == 0 || request.length < head + body_length(request.data, head)) {
        ssize_t taken = recv(connection, bytes, sizeof bytes, 0);
        if (taken <= 0 || request.length > HEAD_BYTES_MAX) {
            break;
        }
        buffer_append(&request, bytes, (size_t)taken);
        buffer_string(&request); /* ends it: the head is read as a text */
        head = head_end(&request);
    }
    if (head > 0) {
        pthread_mutex_lock(&answering);
        answer_of((struct text){request.data, head}, &out);
        pthread_mutex_unlock(&answering);
        if (out.length > 0) {
            send(connection, out.data, out.length, MSG_NOSIGNAL);
        }
    }
    shutdown(connection, SHUT_WR);
    buffer_free(&request);
    buffer_free(&out);
    close(connection);
}

static void *serve(void *context)
{
    (void)context;
    for (;;) {
        int connection = accept(listening, NULL, NULL);
        if (connection >= 0) {
            serve_one(connection);
        }
    }
    return NULL;
}

unsigned fuzz_serve(fuzz_answer *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    pthread_t thread;
    answer_of = answer;
    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_REQUIRE(listening >= 0);
    FUZZ_REQUIRE(bind(listening, (struct sockaddr *)&address, sizeof address) == 0);
    FUZZ_REQUIRE(listen(listening, 16) == 0);
    FUZZ_REQUIRE(getsockname(listening, (struct sockaddr *)&address, &length) == 0);
    FUZZ_REQUIRE(pthread_create(&thread, NULL, serve, NULL) == 0);
    pthread_detach(thread);
    return ntohs(address.sin_port);
}

void fuzz_serve_from(struct text *input, const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1); /* an exact size shows what reads beyond it */
    FUZZ_REQUIRE(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    pthread_mutex_lock(&answering);
    free(held);
    held = copy;
    *input = (struct text){held, size};
    pthread_mutex_unlock(&answering);
}
