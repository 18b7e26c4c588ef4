/* Random types of CQL, and random values of them. */
#ifndef TRANSHUME_UNIT_SUPPORT_CQL_H
#define TRANSHUME_UNIT_SUPPORT_CQL_H

#include "connectors/cassandra/protocol/cql_type.h"
#include "support.h"

/* Nested up to `depth` levels, counters and customs left out. User-defined ones are of keyspace
 * "shop", their fields of their own names. */
const struct cql_type *random_cql_type(struct random *random, struct arena *arena, int depth);
/* A value that the type gives back as it is: sets and maps in the server's order, no element
 * twice. */
struct cell random_cql_value(struct random *random, const struct cql_type *type,
                             struct arena *arena);
/* The type of that CQL text; the user-defined type "Address" has street text, "No" int and tags
 * set<text>. */
const struct cql_type *cql_type_of(const char *text, struct arena *arena);

#endif
