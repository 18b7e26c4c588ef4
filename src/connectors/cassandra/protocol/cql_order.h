/* The order in which the server keeps values of a type: of sets, of the keys of maps, of clustering
 * columns. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_ORDER_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_ORDER_H

#include "base/buffer.h"
#include "connectors/cassandra/protocol/cql_type.h"
#include "connectors/cassandra/protocol/cql_wire.h"

/* -1, 0, 1. Both are values of the type, in its encoding; null is before all, no bytes before
 * others. Decimals of one value and two scales are equal. */
int cql_order_compare(const struct cql_type *type, struct cql_value left, struct cql_value right);

/* Sorts the `count` entries that begin at `start` and reach to the end of the buffer, each one
 * [bytes] (a set's) or two (a map's), by the first. False: two are equal. */
bool cql_order_sort(const struct cql_type *type, struct buffer *entries, size_t start, size_t count,
                    bool map);

#endif
