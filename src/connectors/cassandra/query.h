/* `query:` of a plan: one SELECT in CQL. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_QUERY_H
#define TRANSHUME_CONNECTORS_CASSANDRA_QUERY_H

#include "connectors/cassandra/schema.h"

/* The text as it is sent, in `arena`: with the keyspace before the table's name, if it has none.
 * ERROR_PLAN_INVALID: it does not begin as a SELECT. */
enum status cassandra_query_text(const struct cassandra *self, const char *query,
                                 struct arena *arena, const char **text,
                                 struct error *error) MUST_USE;

/* As struct catalog_functions has it. */
enum status cassandra_query_describe(struct database *self, const char *text, struct arena *arena,
                                     struct schema_table *table, struct error *error) MUST_USE;

/* The whole key of the one table that the query is about, if its rows have it under these names;
 * else empty. In `arena`. */
enum status cassandra_query_key(struct cassandra *self, const char *text, struct arena *arena,
                                struct column_list *key, struct error *error) MUST_USE;

#endif
