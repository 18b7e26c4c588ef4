/* Reading, writing and waiting. How a stream comes to be: stream_connect.c; TLS: stream_tls.c. */
#include "net/stream_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { POLL_MS_MAX = 60000, FEW = 16 };

struct stream *stream_new(const struct stream_tls *tls, const char *host, uint16_t port,
                          int64_t deadline_ms)
{
    struct stream *stream = memory_allocate_zeroed(1, sizeof(*stream));
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(stream->object, sizeof(stream->object), "%s%s%s:%u", is_v6 ? "[" : "", host,
             is_v6 ? "]" : "", port);
    stream->descriptor = -1;
    stream->deadline_ms = deadline_ms;
    stream->read_events = POLLIN;
    stream->write_events = POLLOUT;
    if (tls != NULL && SSL_CTX_up_ref(tls->context) == 1) {
        stream->context = tls->context;
        stream->verify = tls->verify;
    }
    return stream;
}

void stream_destroy(struct stream *stream)
{
    if (stream == NULL) {
        return;
    }
    if (stream->ssl != NULL && stream->state == STREAM_OPEN && !stream->writing_ended) {
        (void)stream_tls_end(stream);
    }
    SSL_free(stream->ssl);
    SSL_CTX_free(stream->context);
    stream_drop_lookup(stream);
    if (stream->addresses != NULL) {
        freeaddrinfo(stream->addresses);
    }
    if (stream->descriptor >= 0) {
        close(stream->descriptor);
    }
    free(stream->server_name);
    free(stream);
}

/* ---------------------------------------------------------------- one step */

/* Keeps the error (given by the caller or in `failure` already) and returns it. */
static enum status stream_break(struct stream *stream, struct error *error)
{
    stream->state = STREAM_BROKEN;
    return error_copy(error, &stream->failure);
}

static enum status break_off(struct stream *stream, struct error *error, const char *words)
{
    error_set(&stream->failure, ERROR_NETWORK, stream->object, "%s", words);
    return stream_break(stream, error);
}

enum status stream_ready(struct stream *stream, struct error *error)
{
    if (stream->state == STREAM_OPEN) {
        return STATUS_OK;
    }
    if (stream->state == STREAM_BROKEN) {
        return error_copy(error, &stream->failure);
    }
    if (clock_boottime_ms() >= stream->deadline_ms) {
        return break_off(stream, error,
                         stream->state == STREAM_HANDSHAKING
                             ? "no connection in time: TLS was not set up"
                             : "no connection in time");
    }
    enum status status = stream_go_on(stream);
    if (status == STATUS_END) { /* the peer ends TLS within the handshake */
        return break_off(stream, error, "the connection was closed while TLS was set up");
    }
    return status == STATUS_FAILED ? stream_break(stream, error) : status;
}

static enum status fail_plaintext(struct stream *stream, short *events, short wanted)
{
    if (errno == EAGAIN || errno == EINTR) {
        *events = wanted;
        return STATUS_AGAIN;
    }
    return error_set_errno(&stream->failure, ERROR_NETWORK, errno, stream->object,
                           "the connection broke off");
}

enum status stream_read(struct stream *stream, void *bytes, size_t capacity, size_t *got,
                        struct error *error)
{
    *got = 0;
    enum status status = stream_ready(stream, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (stream->ssl != NULL) {
        status = stream_tls_read(stream, bytes, capacity, got);
    } else {
        ssize_t received = recv(stream->descriptor, bytes, capacity, MSG_DONTWAIT);
        status = received > 0    ? STATUS_OK
                 : received == 0 ? STATUS_END
                                 : fail_plaintext(stream, &stream->read_events, POLLIN);
        *got = received > 0 ? (size_t)received : 0;
    }
    return status == STATUS_FAILED ? stream_break(stream, error) : status;
}

enum status stream_write(struct stream *stream, const void *bytes, size_t length, size_t *written,
                         struct error *error)
{
    *written = 0;
    enum status status = stream_ready(stream, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (stream->writing_ended) {
        return error_set(error, ERROR_INTERNAL, stream->object, "writing has ended already");
    }
    if (stream->ssl != NULL) {
        status = stream_tls_write(stream, bytes, length, written);
    } else {
        ssize_t sent = send(stream->descriptor, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        status = sent >= 0 ? STATUS_OK : fail_plaintext(stream, &stream->write_events, POLLOUT);
        *written = sent > 0 ? (size_t)sent : 0;
    }
    return status == STATUS_FAILED ? stream_break(stream, error) : status;
}

/* ---------------------------------------------------------------- waiting */

int stream_waits_for(const struct stream *stream, bool to_read, bool to_write, short *events,
                     bool *at_once, int64_t *wake_ms)
{
    *at_once = stream->state == STREAM_BROKEN;
    *wake_ms = stream->state == STREAM_CONNECTING ? stream->address_deadline_ms
               : stream->state < STREAM_OPEN      ? stream->deadline_ms
                                                  : INT64_MAX;
    if (stream->state == STREAM_LOOKING_UP) {
        *events = POLLIN;
        return stream_lookup_descriptor(stream);
    }
    if (stream->state < STREAM_OPEN) {
        *events = stream->open_events;
        *at_once = *events == 0;
        return stream->descriptor;
    }
    *events = (short)((to_read ? stream->read_events : 0) | (to_write ? stream->write_events : 0));
    *at_once = *at_once || (to_read && stream->ssl != NULL && SSL_pending(stream->ssl) > 0);
    return stream->descriptor;
}

/* Milliseconds for poll(), from now until `until_ms` by the boot-time clock. */
static int poll_time(int64_t until_ms)
{
    int64_t left_ms = until_ms - clock_boottime_ms();
    return left_ms <= 0 ? 0 : left_ms < POLL_MS_MAX ? (int)left_ms : POLL_MS_MAX;
}

static enum status poll_once(struct stream_wait *waits, struct pollfd *polls, size_t count,
                             int64_t until_ms, struct error *error)
{
    bool any = false;
    int64_t end_ms = until_ms;
    for (size_t i = 0; i < count; i++) {
        int64_t wake_ms = 0;
        polls[i].fd = stream_waits_for(waits[i].stream, waits[i].to_read, waits[i].to_write,
                                       &polls[i].events, &waits[i].ready, &wake_ms);
        polls[i].revents = 0;
        any = any || waits[i].ready;
        end_ms = wake_ms < end_ms ? wake_ms : end_ms;
    }
    int found = poll(polls, (nfds_t)count, any ? 0 : poll_time(end_ms));
    if (found < 0 && errno != EINTR) {
        return error_set_errno(error, ERROR_INTERNAL, errno, NULL, "waiting for sockets failed");
    }
    int64_t now_ms = clock_boottime_ms();
    for (size_t i = 0; i < count; i++) {
        const struct stream *stream = waits[i].stream;
        bool late = (stream->state < STREAM_OPEN && stream->deadline_ms <= now_ms) ||
                    (stream->state == STREAM_CONNECTING && stream->address_deadline_ms <= now_ms);
        waits[i].ready = waits[i].ready || late || (found > 0 && polls[i].revents != 0);
        any = any || waits[i].ready;
    }
    return any ? STATUS_OK : STATUS_AGAIN;
}

enum status stream_poll(struct stream_wait *waits, size_t count, int64_t timeout_ms,
                        struct error *error)
{
    struct pollfd few[FEW];
    struct pollfd *polls = count <= FEW ? few : memory_resize(NULL, count, sizeof(*polls));
    int64_t until_ms = clock_boottime_ms() + (timeout_ms > 0 ? timeout_ms : 0);
    enum status status = STATUS_AGAIN;
    do {
        status = poll_once(waits, polls, count, until_ms, error);
    } while (status == STATUS_AGAIN && clock_boottime_ms() < until_ms);
    if (polls != few) {
        free(polls);
    }
    return status;
}

/* ---------------------------------------------------------------- with a deadline */

/* Until the stream may go on, or the deadline. */
static enum status wait_for(struct stream *stream, bool to_write, int64_t deadline_ms,
                            struct error *error)
{
    struct stream_wait wait = {.stream = stream, .to_read = !to_write, .to_write = to_write};
    int64_t left_ms = deadline_ms - clock_boottime_ms();
    if (left_ms <= 0) {
        return break_off(stream, error,
                         stream->state < STREAM_OPEN ? "no connection in time"
                         : to_write                  ? "the other side took no more bytes in time"
                                                     : "the other side sent nothing in time");
    }
    return stream_poll(&wait, 1, left_ms, error) == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status stream_connect(const struct stream_options *options, struct stream **stream,
                           struct error *error)
{
    enum status status = stream_open(options, stream, error);
    if (status != STATUS_OK) {
        return status;
    }
    while ((status = stream_ready(*stream, error)) == STATUS_AGAIN) {
        if (wait_for(*stream, false, options->deadline_ms, error) != STATUS_OK) {
            status = STATUS_FAILED;
            break;
        }
    }
    if (status != STATUS_OK) {
        stream_destroy(*stream);
        *stream = NULL;
    }
    return status;
}

enum status stream_read_some(struct stream *stream, void *bytes, size_t capacity,
                             int64_t deadline_ms, size_t *got, struct error *error)
{
    enum status status = STATUS_OK;
    while ((status = stream_read(stream, bytes, capacity, got, error)) == STATUS_AGAIN) {
        if (wait_for(stream, false, deadline_ms, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return status;
}

enum status stream_read_all(struct stream *stream, void *bytes, size_t length, int64_t deadline_ms,
                            struct error *error)
{
    size_t have = 0;
    while (have < length) {
        size_t got = 0;
        enum status status =
            stream_read_some(stream, (char *)bytes + have, length - have, deadline_ms, &got, error);
        if (status == STATUS_END) {
            error_set(&stream->failure, ERROR_NETWORK, stream->object,
                      "the other side closed the connection after %zu of %zu bytes", have, length);
            return stream_break(stream, error);
        }
        if (status != STATUS_OK) {
            return status;
        }
        have += got;
    }
    return STATUS_OK;
}

enum status stream_write_all(struct stream *stream, const void *bytes, size_t length,
                             int64_t deadline_ms, struct error *error)
{
    size_t done = 0;
    while (done < length) {
        size_t written = 0;
        if (clock_boottime_ms() >= deadline_ms) {
            return wait_for(stream, true, deadline_ms, error);
        }
        enum status status =
            stream_write(stream, (const char *)bytes + done, length - done, &written, error);
        if (status == STATUS_AGAIN) {
            status = wait_for(stream, true, deadline_ms, error);
        }
        if (status != STATUS_OK) {
            return status;
        }
        done += written;
    }
    return STATUS_OK;
}

enum status stream_end_writing(struct stream *stream, int64_t deadline_ms, struct error *error)
{
    enum status status = STATUS_OK;
    while ((status = stream_ready(stream, error)) == STATUS_AGAIN) {
        if (wait_for(stream, true, deadline_ms, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (status != STATUS_OK || stream->writing_ended) {
        return status;
    }
    while (stream->ssl != NULL && (status = stream_tls_end(stream)) == STATUS_AGAIN) {
        if (wait_for(stream, true, deadline_ms, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (status == STATUS_FAILED) {
        return stream_break(stream, error);
    }
    stream->writing_ended = true;
    return shutdown(stream->descriptor, SHUT_WR) == 0 || errno == ENOTCONN
               ? STATUS_OK
               : error_set_errno(error, ERROR_NETWORK, errno, stream->object,
                                 "the connection broke off");
}

/* ---------------------------------------------------------------- reports */

static bool is_loopback(const struct stream *stream)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    char text[INET6_ADDRSTRLEN] = "";
    if (getpeername(stream->descriptor, (struct sockaddr *)&address, &length) != 0) {
        return false;
    }
    const void *number = address.ss_family == AF_INET6
                             ? (const void *)&((const struct sockaddr_in6 *)&address)->sin6_addr
                             : (const void *)&((const struct sockaddr_in *)&address)->sin_addr;
    return inet_ntop(address.ss_family, number, text, sizeof(text)) != NULL &&
           http_host_is_loopback(text);
}

struct stream_report stream_report(const struct stream *stream)
{
    if (stream->ssl == NULL) {
        return (struct stream_report){.security = is_loopback(stream) ? STREAM_PLAINTEXT_LOOPBACK
                                                                      : STREAM_PLAINTEXT};
    }
    return (struct stream_report){
        .security = stream->verify == STREAM_VERIFY_PEER        ? STREAM_PEER_VERIFIED
                    : stream->verify == STREAM_VERIFY_AUTHORITY ? STREAM_AUTHORITY_VERIFIED
                                                                : STREAM_UNVERIFIED,
        .protocol = SSL_get_version(stream->ssl),
        .cipher = SSL_get_cipher_name(stream->ssl)};
}
