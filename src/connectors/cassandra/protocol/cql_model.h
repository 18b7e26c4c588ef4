/* CQL's types and those of the model; the table behind docs/types/cassandra.md. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_MODEL_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_MODEL_H

#include "base/arena.h"
#include "connectors/cassandra/protocol/cql_type.h"
#include "connectors/contract/database.h"
#include "model/schema.h"

enum { CQL_MAPPING_COUNT = 29 };
extern const struct type_mapping cql_mappings[CQL_MAPPING_COUNT];

/* The names of types that a plan may give a column, NULL-terminated. */
extern const char *const cql_native_names[];

/* The type that a column of that type has for others. In `arena`; `native` is its CQL text. */
struct value_type cql_type_to_model(const struct cql_type *type, struct arena *arena);
/* For source_functions.native_type: types of a plan, user-defined ones left out. What is nested is
 * not told. */
bool cql_native_type(const char *declared, struct value_type *type);
/* The same with user-defined types, which may be NULL. */
bool cql_native_type_among(const char *declared, struct cql_udts *udts, struct value_type *type);
/* The type that a column of a new table gets: that of the column's own CQL text, else by its kind.
 * `udts` may be NULL. What is nested in it is frozen; it itself is not. */
const struct cql_type *cql_type_of_model(const struct value_type *type, struct cql_udts *udts,
                                         struct arena *arena);

#endif
