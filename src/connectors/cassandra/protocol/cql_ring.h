/*
 * Which nodes hold a partition: the ring's tokens with their owners, and a keyspace's replication.
 * Nodes are numbers here, as their order in the session's list. Only replicas in one data centre,
 * the local one, are of interest.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_RING_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_RING_H

#include "connectors/cassandra/protocol/cql_wire.h"
#include <stddef.h>
#include <stdint.h>

enum { CQL_NO_NODE = UINT16_MAX };

/* Where a node is; texts are borrowed. */
struct cql_place {
    const char *dc;
    const char *rack;
};

/* A token and the node whose it is: of the partitions above the token before, up to this one. */
struct cql_ring_entry {
    int64_t token;
    uint16_t node;
};

struct cql_ring {
    const struct cql_ring_entry *entries; /* sorted by cql_ring_sort */
    size_t count;
    const struct cql_place *places; /* by node */
    size_t node_count;
};

void cql_ring_sort(struct cql_ring_entry *entries, size_t count);
/* The entry that a token belongs to; of a ring with entries. */
size_t cql_ring_find(const struct cql_ring *ring, int64_t token);

enum cql_strategy {
    CQL_STRATEGY_SIMPLE,  /* the next nodes on the ring */
    CQL_STRATEGY_NETWORK, /* so many in each data centre, on several racks */
    CQL_STRATEGY_OTHER    /* the owner is the only replica that is known */
};

struct cql_replication {
    enum cql_strategy strategy;
    uint32_t factor; /* NETWORK: in the local data centre */
};

/* Reads `replication` of system_schema.keyspaces, a map<text, text>. */
struct cql_replication cql_replication_read(struct cql_value map, const char *local_dc);

/* The local replicas of each entry, `*width` (1 and more) nodes of each, the nearest first and then
 * CQL_NO_NODE; free it. NULL: a ring without entries. */
uint16_t *cql_ring_replicas(const struct cql_ring *ring, struct cql_replication replication,
                            const char *local_dc, size_t *width);

#endif
