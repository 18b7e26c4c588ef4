#include "support_listener.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/stream_internal.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream_listener {
    int descriptor;
    uint16_t port;
};

enum status stream_listen(uint16_t port, struct stream_listener **listener, struct error *error)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int on = 1;
    *listener = NULL;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(descriptor, SOMAXCONN) != 0 ||
        getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) {
        error_set_errno(error, ERROR_NETWORK, errno, NULL, "can't listen on port %u", port);
        if (descriptor >= 0) {
            close(descriptor);
        }
        return STATUS_FAILED;
    }
    struct stream_listener *made = memory_allocate_zeroed(1, sizeof(*made));
    made->descriptor = descriptor;
    made->port = ntohs(address.sin_port);
    *listener = made;
    return STATUS_OK;
}

uint16_t stream_listener_port(const struct stream_listener *listener)
{
    return listener->port;
}

void stream_listener_destroy(struct stream_listener *listener)
{
    if (listener != NULL) {
        close(listener->descriptor);
        free(listener);
    }
}

static enum status wrap_accepted(int descriptor, const struct stream_listener *listener,
                                 const struct stream_tls *tls, int64_t deadline_ms,
                                 struct stream **stream, struct error *error)
{
    struct stream *made = stream_new(tls, "127.0.0.1", listener->port, deadline_ms);
    made->descriptor = descriptor;
    made->server = true;
    (void)stream_set_up_socket(descriptor);
    if (stream_tls_begin(made) != STATUS_OK) {
        error_copy(error, &made->failure);
        stream_destroy(made);
        return STATUS_FAILED;
    }
    *stream = made;
    return STATUS_OK;
}

enum status stream_accept(struct stream_listener *listener, const struct stream_tls *tls,
                          int64_t timeout_ms, int64_t deadline_ms, struct stream **stream,
                          struct error *error)
{
    int64_t end_ms = clock_boottime_ms() + timeout_ms;
    *stream = NULL;
    for (;;) {
        int descriptor = accept4(listener->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            return wrap_accepted(descriptor, listener, tls, deadline_ms, stream, error);
        }
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            return error_set_errno(error, ERROR_NETWORK, errno, NULL, "accepting failed");
        }
        int64_t left_ms = end_ms - clock_boottime_ms();
        struct pollfd wait = {.fd = listener->descriptor, .events = POLLIN};
        if (left_ms <= 0) {
            return STATUS_AGAIN;
        }
        (void)poll(&wait, 1, left_ms < 60000 ? (int)left_ms : 60000);
    }
}
