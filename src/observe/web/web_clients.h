/*
 * The connections of a web server, and how long each may hold its place. When all places are taken,
 * a new connection gets that of the one that has held its own for longest, among those of the
 * address that holds the most: clients that are slow or silent, however many, keep out nobody who
 * sends a request at once. Any thread.
 */
#ifndef TRANSHUME_OBSERVE_WEB_CLIENTS_H
#define TRANSHUME_OBSERVE_WEB_CLIENTS_H

#include <sys/socket.h>

struct web_clients;
struct web_client;

/* `places`: how many connections may be open; those without a limit of time must be fewer. */
struct web_clients *web_clients_create(unsigned places);
/* No connection is left. Takes NULL. */
void web_clients_destroy(struct web_clients *clients);

/* A connection was opened, and has `seconds` for its first request. Its socket is open until
 * web_clients_remove. */
struct web_client *web_clients_add(struct web_clients *clients, int socket,
                                   const struct sockaddr *address, int seconds);
void web_clients_remove(struct web_clients *clients, struct web_client *client);
/* From now on; 0 seconds: as long as it likes, and its place is safe. Takes a NULL client. */
void web_clients_give_time(struct web_clients *clients, struct web_client *client, int seconds);
/* Shuts the sockets of those whose time is over; whoever reads from them finds their end. To be
 * called about once a second. */
void web_clients_drop_slow(struct web_clients *clients);

#endif
