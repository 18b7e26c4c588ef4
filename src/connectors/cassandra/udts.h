/* The user-defined types of a keyspace, which may hold one another. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_UDTS_H
#define TRANSHUME_CONNECTORS_CASSANDRA_UDTS_H

#include "connectors/cassandra/cassandra.h"
#include "connectors/cassandra/protocol/cql_type.h"

struct cassandra_udts;

/* All of them, in `arena`, for as long as that lives. */
enum status cassandra_udts_read(struct cassandra *self, struct arena *arena,
                                struct cassandra_udts **udts, struct error *error) MUST_USE;
/* From rows of names, field names and field types; for cassandra_udts_read, and tests. */
struct cassandra_udts *cassandra_udts_create(uint32_t capacity, struct arena *arena);
/* The types that a plan or a source tells of; record_types.c. */
struct cassandra_udts *cassandra_udts_of(const struct schema_record_type *types, uint32_t count,
                                         struct arena *arena);
/* The texts are borrowed; `field_types` is CQL. */
void cassandra_udts_add(struct cassandra_udts *udts, struct text name,
                        const struct text *field_names, const struct text *field_types,
                        uint32_t field_count);

/* For cql_type_parse. One thread at a time: a type is made when it is first asked for. */
struct cql_udts *cassandra_udts_finder(struct cassandra_udts *udts);
uint32_t cassandra_udts_count(const struct cassandra_udts *udts);
/* By number, in an order in which each one comes after those that it holds. NULL: it can't be
 * understood, and is left out. */
const struct cql_type *cassandra_udts_type(struct cassandra_udts *udts, uint32_t number);

#endif
