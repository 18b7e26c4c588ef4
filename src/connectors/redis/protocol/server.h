/*
 * A Redis as its clients see it: one server, the master that Sentinels name, or a cluster, whose
 * slots its masters share. Any thread; connections that it opens are the caller's.
 */
#ifndef TRANSHUME_CONNECTORS_REDIS_PROTOCOL_SERVER_H
#define TRANSHUME_CONNECTORS_REDIS_PROTOCOL_SERVER_H

#include "connectors/contract/connector.h"
#include "connectors/redis/protocol/connection.h"

enum { REDIS_SLOTS = 16384, REDIS_NODES_MAX = 1024, REDIS_NO_NODE = UINT16_MAX };

struct redis_place {
    char host[256];
    uint16_t port;
};

enum redis_cluster { REDIS_CLUSTER_AUTO, REDIS_CLUSTER_YES, REDIS_CLUSTER_NO };

struct redis_server_options {
    struct database *database; /* for its report */
    const struct redis_place *seeds;
    uint32_t seed_count;
    const char *sentinel; /* the master's name, whose Sentinels the seeds are; NULL: none */
    enum redis_cluster cluster;
    struct redis_login login; /* borrowed texts */
    bool writes; /* what was acknowledged must not be forgotten by a server that starts again */
};

struct redis_server;

/* Connects once, and learns what it is and which node has which slot. */
enum status redis_server_create(const struct redis_server_options *options,
                                struct redis_server **server, struct error *error) MUST_USE;
void redis_server_destroy(struct redis_server *server); /* NULL is fine */

/* The facts of the node that was connected to first. */
const struct redis_facts *redis_server_facts(const struct redis_server *server);
bool redis_server_is_cluster(const struct redis_server *server);
int64_t redis_server_timeout_ms(const struct redis_server *server);
struct database *redis_server_database(const struct redis_server *server);

/* The connections that are opened from now on have that name (CLIENT SETNAME). */
void redis_server_name(struct redis_server *server, const char *name);
/* The text that says which database this is, whatever node answers: HOST:PORT, the Sentinels'
 * master, of a cluster the least of its nodes' ids. */
enum status redis_server_place(struct redis_server *server, char *place, size_t capacity,
                               struct error *error) MUST_USE;

/* CRC16 (XMODEM) of the key, or of what stands in its first {…}, modulo REDIS_SLOTS. */
uint16_t redis_slot_of(const char *key, size_t length);

/* Which node has the slot; REDIS_NO_NODE: none that is known. */
uint16_t redis_server_node_of(struct redis_server *server, uint16_t slot);
/* The node at that place, which becomes known if it was not; REDIS_NO_NODE: there are too many. */
uint16_t redis_server_node_at(struct redis_server *server, const char *host, uint16_t port);
/* A server said that the slot is there. */
void redis_server_moved(struct redis_server *server, uint16_t slot, uint16_t node);
/* The nodes that have slots, each once; the count comes back. */
uint32_t redis_server_masters(struct redis_server *server, uint16_t nodes[REDIS_NODES_MAX]);
/* "MOVED 3999 127.0.0.1:6381": the node, which becomes known, and its slot. `asked`: for a place
 * without a host. False: it is none such. */
bool redis_server_redirected(struct redis_server *server, const struct resp_value *reply,
                             uint16_t asked, uint16_t *node, uint16_t *slot);

/* Asks anew who has what; of Sentinels, who the master is. */
enum status redis_server_refresh(struct redis_server *server, struct error *error) MUST_USE;

/* A connection to the node. ERROR_TARGET_WRITE of class STOP where it lost what it acknowledged: it
 * was started again since this process saw it first, and writes no append-only file. */
enum status redis_server_connect(struct redis_server *server, uint16_t node,
                                 struct redis_connection **connection,
                                 struct error *error) MUST_USE;

#endif
