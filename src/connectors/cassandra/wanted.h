/* The keys that a request asks for (read_request.keys), each once. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_WANTED_H
#define TRANSHUME_CONNECTORS_CASSANDRA_WANTED_H

#include "connectors/cassandra/look_up.h"
#include "connectors/source.h"

/* Of a table: those that a row of it can have, for cassandra_look_up. ERROR_NOT_IMPLEMENTED: they
 * are no whole keys. */
enum status cassandra_wanted_of_table(const struct read_request *request,
                                      const struct cassandra_table *table,
                                      struct keyed_wanted *wanted, struct error *error) MUST_USE;
/* Of a query whose rows have these columns, for cassandra_wanted_has; `*parts` (arena): where in
 * its rows the key's columns are. */
enum status cassandra_wanted_of_query(const struct read_request *request,
                                      const struct cql_columns *columns, struct arena *arena,
                                      const uint32_t **parts, struct keyed_wanted *wanted,
                                      struct error *error) MUST_USE;

/* Is a query's row among them? */
bool cassandra_wanted_has(const struct keyed_wanted *wanted, const uint32_t *parts,
                          uint32_t part_count, const struct cql_value *row);

#endif
