/* The sockets of a client's connections, to find out whether a kept one is still in step. */
#include "net/http_internal.h"

#include "base/memory.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* One open socket; libcurl does not tell which one a transfer uses, but the transfer's local port
 * does. */
struct http_socket {
    curl_socket_t descriptor;
    int port; /* 0: not known yet */
};

static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct http_client *client = user;
    curl_socket_t descriptor =
        socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (descriptor < 0) {
        return CURL_SOCKET_BAD;
    }
    client->sockets = memory_make_room(client->sockets, client->socket_count,
                                       &client->socket_capacity, sizeof(*client->sockets));
    client->sockets[client->socket_count++] = (struct http_socket){.descriptor = descriptor};
    return descriptor;
}

static int on_close(void *user, curl_socket_t descriptor)
{
    struct http_client *client = user;
    for (uint32_t i = 0; i < client->socket_count; i++) {
        if (client->sockets[i].descriptor == descriptor) {
            client->sockets[i] = client->sockets[--client->socket_count];
            break;
        }
    }
    return close(descriptor);
}

bool http_sockets_watch(struct http_client *client, CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, client) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, client) == CURLE_OK;
}

static int local_port(struct http_socket *socket)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any = {0}};
    socklen_t length = sizeof(address);
    if (socket->port == 0 && getsockname(socket->descriptor, &address.any, &length) == 0) {
        socket->port = address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port)
                                                         : ntohs(address.v4.sin_port);
    }
    return socket->port;
}

bool http_sockets_out_of_step(struct http_slot *slot, int port)
{
    struct http_client *client = slot->client;
    long connects = 0;
    if (curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connects) != CURLE_OK ||
        connects > 0 || slot->http2) {
        return false;
    }
    for (uint32_t i = 0; i < client->socket_count; i++) {
        char byte;
        if (local_port(&client->sockets[i]) == port &&
            recv(client->sockets[i].descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
            return true;
        }
    }
    return false;
}
