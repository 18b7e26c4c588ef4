/* The normal form of values in CQL columns: what reading them back gives. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_NORMAL_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_NORMAL_H

#include "base/arena.h"
#include "base/error.h"
#include "connectors/cassandra/protocol/cql_type.h"
#include "model/value.h"

/*
 * The normal form of a value that is written to a column of the type. Idempotent; what is in it is
 * borrowed from `cell` or lives in `arena`. Sets and maps that are empty are NULL in a column that
 * is not frozen, for which the server can't tell them apart. STATUS_FAILED: as cql_value_encode
 * says. Any thread.
 */
enum status cql_normal_form(const struct cql_type *type, const struct cell *cell,
                            struct arena *arena, struct cell *normal, struct error *error) MUST_USE;
/* The same where the column is not known: in the one that a new table would have for it. */
enum status cql_normal_form_of_any(const struct cell *cell, struct arena *arena,
                                   struct cell *normal, struct error *error) MUST_USE;

#endif
