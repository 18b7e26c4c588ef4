/* For cql_encode*.c only. What fails leaves in `out` what it will. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_ENCODE_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_ENCODE_H

#include "connectors/cassandra/protocol/cql_value.h"

enum status cql_encode_any(const struct cql_type *type, const struct cell *cell, struct buffer *out,
                           struct error *error) MUST_USE;
/* As a type with parts; CUSTOM takes nothing. */
enum status cql_encode_nested(const struct cql_type *type, const struct cell *cell,
                              struct buffer *out, struct error *error) MUST_USE;
/* "int64 300 does not fit tinyint (whole numbers from -128 to 127)"; `takes` may be NULL. */
enum status cql_encode_refuse(const struct cql_type *type, const struct cell *cell,
                              enum error_code code, const char *takes, struct error *error);

#endif
