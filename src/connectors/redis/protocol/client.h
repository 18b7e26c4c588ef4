/*
 * One command after the other, each to the node that has its key: for control work, for the ledger,
 * and for what a pipeline could not do. One thread. What may be tried again is, until the
 * patience of four timeouts ends.
 */
#ifndef TRANSHUME_CONNECTORS_REDIS_PROTOCOL_CLIENT_H
#define TRANSHUME_CONNECTORS_REDIS_PROTOCOL_CLIENT_H

#include "connectors/redis/protocol/server.h"

struct redis_client;

struct redis_client *redis_client_create(struct redis_server *server);
void redis_client_destroy(struct redis_client *client); /* NULL is fine */

struct redis_call {
    const struct buffer *command; /* one, or several that begin with MULTI and end with EXEC */
    uint32_t replies;             /* of which the last counts; 0 is 1 */
    bool to_node;                 /* to `node`, whatever slots it has; else by `slot` */
    uint16_t node;
    uint16_t slot;
    bool writes;                  /* waits for a replica, if the node has one */
    const struct database *lease; /* sent only while its lease lasts; NULL: always */
    bool once;                    /* tried once */
    const char *object;           /* for messages; may be NULL */
};

/* An error that the server answers with is STATUS_FAILED, as redis_refused says. */
enum status redis_client_call(struct redis_client *client, const struct redis_call *call,
                              struct arena *arena, struct resp_value *reply,
                              struct error *error) MUST_USE;

/* The connection to a node, open. It stays the client's; who breaks it has it opened anew. */
enum status redis_client_connection(struct redis_client *client, uint16_t node,
                                    struct redis_connection **connection,
                                    struct error *error) MUST_USE;
void redis_client_drop(struct redis_client *client, uint16_t node);

#endif
