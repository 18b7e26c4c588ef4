/* Connections: libcurl makes them (names, proxies, TLS) and closes them; bytes go through here. */
#include "net/http_internal.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { LINK_BUFFER_BYTES = 4096 /* libcurl's own, for what a proxy says */ };

/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is libcurl's */
static size_t ignore_bytes(char *bytes, size_t size, size_t count, void *user)
{
    (void)bytes;
    (void)user;
    return size * count;
}

enum status http_link_begin(struct http_slot *slot, struct error *error)
{
    CURL *link = http_easy_create(slot);
    bool ok = link != NULL && http_easy_set_url(slot, link);
    ok = ok && curl_easy_setopt(link, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(link, CURLOPT_BUFFERSIZE, (long)LINK_BUFFER_BYTES) == CURLE_OK;
    ok = ok && curl_easy_setopt(link, CURLOPT_WRITEFUNCTION, ignore_bytes) == CURLE_OK;
    ok = ok && curl_multi_add_handle(slot->client->multi, link) == CURLM_OK;
    if (!ok) {
        curl_easy_cleanup(link);
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a connection");
    }
    slot->link = link;
    slot->connected = false;
    return STATUS_OK;
}

static const SSL *tls_of(CURL *link)
{
    struct curl_tlssessioninfo *session = NULL;
    return curl_easy_getinfo(link, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK && session != NULL &&
                   session->backend == CURLSSLBACKEND_OPENSSL
               ? session->internals
               : NULL;
}

/* How the connection is kept from others; libcurl has verified the peer. */
static void note_security(struct http_slot *slot)
{
    const char *address = NULL;
    const SSL *tls = slot->tls ? tls_of(slot->link) : NULL;
    slot->loopback = curl_easy_getinfo(slot->link, CURLINFO_PRIMARY_IP, &address) == CURLE_OK &&
                     address != NULL && http_host_is_loopback(address);
    slot->tls_protocol = tls != NULL ? SSL_get_version(tls) : slot->tls ? "TLS" : NULL;
    slot->tls_cipher = tls != NULL ? SSL_get_cipher_name(tls) : NULL;
}

bool http_link_take(struct http_slot *slot)
{
    curl_socket_t descriptor = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(slot->link, CURLINFO_ACTIVESOCKET, &descriptor) != CURLE_OK ||
        descriptor == CURL_SOCKET_BAD) {
        return false;
    }
    /* This binds the handle to its connection for good: libcurl looks for dead ones among those
     * that nobody uses, and would take one with an answer in it for such. */
    char byte;
    size_t got = 0;
    if (curl_easy_recv(slot->link, &byte, 1, &got) != CURLE_AGAIN) {
        return false;
    }
    note_security(slot);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
    slot->descriptor = descriptor;
    slot->wants_out = false;
    slot->connected = epoll_ctl(slot->client->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ||
                      epoll_ctl(slot->client->epoll, EPOLL_CTL_MOD, descriptor, &event) == 0;
    return slot->connected;
}

void http_link_close(struct http_slot *slot)
{
    if (slot->link == NULL) {
        return;
    }
    if (slot->connected) {
        struct epoll_event event = {0};
        (void)epoll_ctl(slot->client->epoll, EPOLL_CTL_DEL, slot->descriptor, &event);
    }
    (void)curl_multi_remove_handle(slot->client->multi, slot->link);
    curl_easy_cleanup(slot->link);
    slot->link = NULL;
    slot->connected = false;
}

void http_link_await(struct http_slot *slot, bool out)
{
    struct epoll_event event = {.events = out ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = slot};
    if (slot->wants_out != out &&
        epoll_ctl(slot->client->epoll, EPOLL_CTL_MOD, slot->descriptor, &event) == 0) {
        slot->wants_out = out;
    }
}

/* ---------------------------------------------------------------- bytes */

static enum http_link_result from_errno(struct http_slot *slot)
{
    if (errno == EAGAIN || errno == EINTR) {
        return HTTP_LINK_WAIT;
    }
    snprintf(slot->curl_text, sizeof(slot->curl_text), "%s", strerror(errno));
    return HTTP_LINK_BROKEN;
}

enum http_link_result http_link_send(struct http_slot *slot, const char *bytes, size_t length,
                                     size_t *sent)
{
    *sent = 0;
    if (slot->tls) {
        CURLcode code = curl_easy_send(slot->link, bytes, length, sent);
        return code == CURLE_OK      ? HTTP_LINK_DONE
               : code == CURLE_AGAIN ? HTTP_LINK_WAIT
                                     : HTTP_LINK_BROKEN;
    }
    ssize_t done = send(slot->descriptor, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < 0) {
        return from_errno(slot);
    }
    *sent = (size_t)done;
    return HTTP_LINK_DONE;
}

enum http_link_result http_link_receive(struct http_slot *slot, char *bytes, size_t capacity,
                                        size_t *got)
{
    *got = 0;
    if (slot->tls) {
        CURLcode code = curl_easy_recv(slot->link, bytes, capacity, got);
        return code == CURLE_AGAIN ? HTTP_LINK_WAIT
               : code != CURLE_OK  ? HTTP_LINK_BROKEN
               : *got > 0          ? HTTP_LINK_DONE
                                   : HTTP_LINK_CLOSED;
    }
    ssize_t done = recv(slot->descriptor, bytes, capacity, MSG_DONTWAIT);
    if (done < 0) {
        return from_errno(slot);
    }
    *got = (size_t)done;
    return done > 0 ? HTTP_LINK_DONE : HTTP_LINK_CLOSED;
}

bool http_link_is_usable(struct http_slot *slot)
{
    char byte;
    size_t got = 0;
    if (slot->link == NULL || !slot->connected) {
        return false;
    }
    /* under TLS the library may have read on, and tickets for later sessions are no answer */
    return slot->tls ? http_link_receive(slot, &byte, 1, &got) == HTTP_LINK_WAIT
                     : recv(slot->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
                           (errno == EAGAIN || errno == EINTR);
}
