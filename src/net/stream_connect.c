/* How streams come to be: looking names up and connecting. */
#include "net/stream_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_INTERVAL_S = 10, LOOKUP_STACK_BYTES = 256 * 1024 };

/* ---------------------------------------------------------------- names */

/* One look-up on a thread of its own, since getaddrinfo knows no deadline. The stream and the
 * thread hold it; the last one frees it. */
struct stream_lookup {
    _Atomic int holders;
    int done; /* an eventfd */
    char *host;
    char port[8];
    int code;
    struct addrinfo *addresses;
};

static void release_lookup(struct stream_lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->holders, 1) == 1) {
        if (lookup->addresses != NULL) {
            freeaddrinfo(lookup->addresses);
        }
        close(lookup->done);
        free(lookup->host);
        free(lookup);
    }
}

static int look_up(const char *host, const char *port, int flags, struct addrinfo **addresses)
{
    const struct addrinfo wanted = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    return getaddrinfo(host, port, &wanted, addresses);
}

static void *run_lookup(void *user)
{
    struct stream_lookup *lookup = user;
    lookup->code = look_up(lookup->host, lookup->port, AI_ADDRCONFIG, &lookup->addresses);
    (void)!eventfd_write(lookup->done, 1);
    release_lookup(lookup);
    return NULL;
}

static enum status begin_lookup(struct stream *stream, const char *host, uint16_t port)
{
    struct stream_lookup *lookup = memory_allocate_zeroed(1, sizeof(*lookup));
    pthread_attr_t attributes;
    pthread_t thread;
    lookup->host = memory_copy_string(host);
    snprintf(lookup->port, sizeof(lookup->port), "%u", port);
    lookup->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store(&lookup->holders, 2);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, LOOKUP_STACK_BYTES);
    int fault = lookup->done < 0 ? errno : pthread_create(&thread, &attributes, run_lookup, lookup);
    pthread_attr_destroy(&attributes);
    if (fault != 0) {
        atomic_store(&lookup->holders, 1);
        release_lookup(lookup);
        return error_set_errno(&stream->failure, ERROR_NETWORK, fault, stream->object,
                               "the name could not be looked up");
    }
    stream->lookup = lookup;
    return STATUS_OK;
}

int stream_lookup_descriptor(const struct stream *stream)
{
    return stream->lookup->done;
}

void stream_drop_lookup(struct stream *stream)
{
    if (stream->lookup != NULL) {
        release_lookup(stream->lookup);
        stream->lookup = NULL;
    }
}

static enum status take_lookup(struct stream *stream)
{
    eventfd_t ignored;
    struct stream_lookup *lookup = stream->lookup;
    if (eventfd_read(lookup->done, &ignored) != 0) {
        return STATUS_AGAIN;
    }
    int code = lookup->code;
    stream->addresses = lookup->addresses;
    lookup->addresses = NULL;
    stream_drop_lookup(stream);
    return code == 0 ? STATUS_OK
                     : error_set(&stream->failure, ERROR_NETWORK, stream->object,
                                 "no connection: the host's name could not be resolved (%s)",
                                 gai_strerror(code));
}

/* ---------------------------------------------------------------- connections */

/* Sends at once, and notices a peer that is gone. */
bool stream_set_up_socket(int descriptor)
{
    int on = 1;
    int idle = KEEPALIVE_IDLE_S;
    int interval = KEEPALIVE_INTERVAL_S;
    return setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
           setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0 &&
           setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) == 0 &&
           setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval)) == 0;
}

/* Each address gets its share of the time that is left. */
static int64_t share_of_time(const struct stream *stream)
{
    int64_t now_ms = clock_boottime_ms();
    int64_t count = 0;
    for (const struct addrinfo *at = stream->address; at != NULL; at = at->ai_next) {
        count++;
    }
    int64_t left_ms = stream->deadline_ms > now_ms ? stream->deadline_ms - now_ms : 0;
    return count == 1 ? stream->deadline_ms : now_ms + left_ms / count;
}

/* Gives the socket its own port, if one was asked for. */
static bool bind_local(const struct stream *stream, int family)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(stream->local_port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(stream->local_port)};
    if (stream->local_port == 0) {
        return true;
    }
    return family == AF_INET6 ? bind(stream->descriptor, (struct sockaddr *)&v6, sizeof(v6)) == 0
                              : bind(stream->descriptor, (struct sockaddr *)&v4, sizeof(v4)) == 0;
}

/* Begins to connect to the first address, from stream->address on, that does not fail at once. */
static enum status connect_next(struct stream *stream, int fault)
{
    for (; stream->address != NULL; stream->address = stream->address->ai_next) {
        const struct addrinfo *to = stream->address;
        if (stream->descriptor >= 0) {
            close(stream->descriptor);
            stream->descriptor = -1;
        }
        stream->descriptor =
            socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to->ai_protocol);
        if (stream->descriptor >= 0 && stream_set_up_socket(stream->descriptor) &&
            bind_local(stream, to->ai_family) &&
            (connect(stream->descriptor, to->ai_addr, to->ai_addrlen) == 0 ||
             errno == EINPROGRESS)) {
            stream->state = STREAM_CONNECTING;
            stream->open_events = POLLOUT;
            stream->address_deadline_ms = share_of_time(stream);
            return STATUS_OK;
        }
        fault = errno;
    }
    return error_set_errno(&stream->failure, ERROR_NETWORK, fault, stream->object, "no connection");
}

static enum status take_connection(struct stream *stream)
{
    int fault = 0;
    socklen_t length = sizeof(fault);
    struct pollfd wait = {.fd = stream->descriptor, .events = POLLOUT};
    if (poll(&wait, 1, 0) <= 0) {
        if (clock_boottime_ms() < stream->address_deadline_ms) {
            return STATUS_AGAIN;
        }
        fault = ETIMEDOUT;
    } else if (getsockopt(stream->descriptor, SOL_SOCKET, SO_ERROR, &fault, &length) != 0) {
        fault = errno;
    }
    if (fault == 0) {
        return STATUS_OK;
    }
    stream->address = stream->address->ai_next;
    return connect_next(stream, fault) == STATUS_OK ? STATUS_AGAIN : STATUS_FAILED;
}

enum status stream_go_on(struct stream *stream)
{
    enum status status = STATUS_OK;
    if (stream->state == STREAM_LOOKING_UP) {
        status = take_lookup(stream);
        if (status == STATUS_OK) {
            stream->address = stream->addresses;
            status = connect_next(stream, EHOSTUNREACH);
        }
    }
    if (status == STATUS_OK && stream->state == STREAM_CONNECTING) {
        status = take_connection(stream);
        status = status == STATUS_OK ? stream_tls_begin(stream) : status;
    }
    if (status == STATUS_OK && stream->state == STREAM_HANDSHAKING) {
        status = stream_tls_handshake(stream);
    }
    return status;
}

enum status stream_open(const struct stream_options *options, struct stream **stream,
                        struct error *error)
{
    char port[8];
    *stream = NULL;
    struct stream *made =
        stream_new(options->tls, options->host, options->port, options->deadline_ms);
    made->local_port = options->local_port;
    snprintf(port, sizeof(port), "%u", options->port);
    enum status status = STATUS_OK;
    if (options->tls == NULL && !options->plaintext_allowed &&
        !http_host_is_loopback(options->host)) {
        status = error_set(&made->failure, ERROR_BAD_VALUE, made->object,
                           "plaintext goes to this machine only");
        error_hint(&made->failure, "use TLS, or allow plaintext explicitly where the network is "
                                   "trusted");
    } else if (look_up(options->host, port, AI_NUMERICHOST, &made->addresses) == 0) {
        made->address = made->addresses;
        status = connect_next(made, EHOSTUNREACH);
    } else {
        made->addresses = NULL;
        status = begin_lookup(made, options->host, options->port);
    }
    if (status != STATUS_OK) {
        error_copy(error, &made->failure);
        stream_destroy(made);
        return status;
    }
    made->server_name =
        memory_copy_string(options->server_name != NULL ? options->server_name : options->host);
    *stream = made;
    return STATUS_OK;
}
