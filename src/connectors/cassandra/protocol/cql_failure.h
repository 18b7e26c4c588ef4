/* Why a call to a cluster failed: kinds that callers decide by, made from ERROR messages and from
 * what connections meet. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_FAILURE_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_FAILURE_H

#include "base/error.h"
#include "connectors/cassandra/protocol/cql_message.h"
#include <stdbool.h>

enum cql_failure {
    CQL_FAILURE_NONE = 0,
    CQL_FAILURE_NO_HOST,     /* no node could be reached; nothing was sent */
    CQL_FAILURE_LOST,        /* the connection broke after sending: outcome unknown */
    CQL_FAILURE_LATE,        /* no answer by the deadline: outcome unknown */
    CQL_FAILURE_UNAVAILABLE, /* too few replicas are alive for the consistency */
    CQL_FAILURE_OVERLOADED,
    CQL_FAILURE_BOOTSTRAPPING,
    CQL_FAILURE_READ_TIMEOUT,
    CQL_FAILURE_WRITE_TIMEOUT, /* see write_type */
    CQL_FAILURE_READ,          /* a replica failed: too many tombstones, … */
    CQL_FAILURE_WRITE,
    CQL_FAILURE_TRUNCATE,
    CQL_FAILURE_CAS_UNKNOWN,
    CQL_FAILURE_UNPREPARED,
    CQL_FAILURE_CREDENTIALS,
    CQL_FAILURE_UNAUTHORIZED,
    CQL_FAILURE_SYNTAX,
    CQL_FAILURE_INVALID, /* the statement or a value of it, too large a mutation */
    CQL_FAILURE_ALREADY_EXISTS,
    CQL_FAILURE_CONFIG,
    CQL_FAILURE_FUNCTION,
    CQL_FAILURE_SERVER,  /* a fault of the server */
    CQL_FAILURE_PROTOCOL /* the node did not understand us, or we not it */
};

/* "write timeout", static. */
const char *cql_failure_name(enum cql_failure failure);
/* "UNLOGGED_BATCH", static; "" for CQL_WRITE_NONE. */
const char *cql_write_type_name(enum cql_write_type type);

/* Fills `error` (class, native code, message with the level and counts) from an ERROR that `node`
 * sent, and returns its kind. */
enum cql_failure cql_failure_of(const struct cql_error *from, const char *node,
                                struct error *error);
/* Whether a request that failed so may have been carried out, or may be yet. */
bool cql_failure_may_have_happened(enum cql_failure failure);

#endif
