#include "observe/web/web_clients.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/siphash.h"
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Addresses that share a number here are taken for one: that makes the choice less fair, no more.
 */
enum { ADDRESSES = 1024, NETWORK_BYTES = 8 };

struct web_client {
    int socket;
    unsigned address; /* a number below ADDRESSES */
    int64_t since_ms; /* monotonic: when it got the time that it has */
    int64_t until_ms; /* when that is over; 0: it has no limit */
    bool is_dropped;  /* its socket is shut, and it counts no more */
    struct web_client *previous;
    struct web_client *next;
};

struct web_clients {
    pthread_mutex_t mutex; /* guards all that follows */
    unsigned places;
    unsigned taken; /* by those that are not dropped */
    struct web_client *first;
    unsigned taken_by[ADDRESSES];
    struct siphash_key key; /* so that nobody can choose whose number his own is */
};

struct web_clients *web_clients_create(unsigned places)
{
    struct web_clients *clients = memory_allocate_zeroed(1, sizeof(*clients));
    clients->places = places;
    clients->key = (struct siphash_key){{random_uint64(), random_uint64()}};
    pthread_mutex_init(&clients->mutex, NULL);
    return clients;
}

void web_clients_destroy(struct web_clients *clients)
{
    if (clients != NULL) {
        pthread_mutex_destroy(&clients->mutex);
        free(clients);
    }
}

/* The network of an IPv6 address counts: one machine has as many addresses in it as it likes. */
static unsigned number_of(const struct web_clients *clients, const struct sockaddr *address)
{
    uint64_t hash[2] = {0};
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
        siphash_128(&clients->key, &four->sin_addr, sizeof(four->sin_addr), hash);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
        siphash_128(&clients->key, &six->sin6_addr,
                    is_mapped ? sizeof(six->sin6_addr) : NETWORK_BYTES, hash);
    }
    return (unsigned)(hash[0] % ADDRESSES);
}

/* ---- with the mutex held */

static void leave_place(struct web_clients *clients, struct web_client *client)
{
    if (!client->is_dropped) {
        client->is_dropped = true;
        clients->taken--;
        clients->taken_by[client->address]--;
    }
}

static void web_clients_drop(struct web_clients *clients, struct web_client *client)
{
    shutdown(client->socket, SHUT_RDWR);
    leave_place(clients, client);
}

static void make_room(struct web_clients *clients)
{
    struct web_client *chosen = NULL;
    for (struct web_client *client = clients->first; client != NULL; client = client->next) {
        unsigned held = clients->taken_by[client->address];
        if (client->is_dropped || client->until_ms == 0) {
            continue;
        }
        if (chosen == NULL || held > clients->taken_by[chosen->address] ||
            (held == clients->taken_by[chosen->address] && client->since_ms <= chosen->since_ms)) {
            chosen = client; /* the list has the newest first */
        }
    }
    if (chosen != NULL) {
        web_clients_drop(clients, chosen);
    }
}

/* ---- one connection */

struct web_client *web_clients_add(struct web_clients *clients, int socket,
                                   const struct sockaddr *address, int seconds)
{
    struct web_client *client = memory_allocate_zeroed(1, sizeof(*client));
    client->socket = socket;
    client->address = number_of(clients, address);
    client->since_ms = clock_monotonic_ms();
    client->until_ms = client->since_ms + seconds * INT64_C(1000);
    pthread_mutex_lock(&clients->mutex);
    if (clients->taken >= clients->places) {
        make_room(clients);
    }
    clients->taken++;
    clients->taken_by[client->address]++;
    client->next = clients->first;
    if (client->next != NULL) {
        client->next->previous = client;
    }
    clients->first = client;
    pthread_mutex_unlock(&clients->mutex);
    return client;
}

void web_clients_remove(struct web_clients *clients, struct web_client *client)
{
    pthread_mutex_lock(&clients->mutex);
    leave_place(clients, client);
    *(client->previous != NULL ? &client->previous->next : &clients->first) = client->next;
    if (client->next != NULL) {
        client->next->previous = client->previous;
    }
    pthread_mutex_unlock(&clients->mutex);
    free(client);
}

void web_clients_give_time(struct web_clients *clients, struct web_client *client, int seconds)
{
    if (client == NULL) {
        return;
    }
    pthread_mutex_lock(&clients->mutex);
    client->since_ms = clock_monotonic_ms();
    client->until_ms = seconds > 0 ? client->since_ms + seconds * INT64_C(1000) : 0;
    pthread_mutex_unlock(&clients->mutex);
}

void web_clients_drop_slow(struct web_clients *clients)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&clients->mutex);
    for (struct web_client *client = clients->first; client != NULL; client = client->next) {
        if (!client->is_dropped && client->until_ms != 0 && client->until_ms < now_ms) {
            web_clients_drop(clients, client);
        }
    }
    pthread_mutex_unlock(&clients->mutex);
}
