/* The keys that a request asks for (read_request.keys), each once. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_WANTED_H
#define TRANSHUME_CONNECTORS_CASSANDRA_WANTED_H

#include "connectors/cassandra/look_up.h"
#include "connectors/source.h"

struct cassandra_wanted {
    struct buffer values;              /* of all keys */
    struct cassandra_wanted_key *keys; /* by their bytes */
    uint32_t count;
    uint32_t next;         /* that the cursor has not asked for yet */
    const uint32_t *parts; /* query: where in its rows the key's columns are */
    uint32_t part_count;
};

/* Of a table: those that a row of it can have, for cassandra_look_up. ERROR_NOT_IMPLEMENTED: they
 * are no whole keys. */
enum status cassandra_wanted_of_table(const struct read_request *request,
                                      const struct cassandra_table *table,
                                      struct cassandra_wanted *wanted,
                                      struct error *error) MUST_USE;
/* Of a query whose rows have these columns, for cassandra_wanted_has. `arena`: as the columns. */
enum status cassandra_wanted_of_query(const struct read_request *request,
                                      const struct cql_columns *columns, struct arena *arena,
                                      struct cassandra_wanted *wanted,
                                      struct error *error) MUST_USE;
void cassandra_wanted_free(struct cassandra_wanted *wanted);

/* Is a query's row among them? */
bool cassandra_wanted_has(const struct cassandra_wanted *wanted, const struct cql_value *row);

#endif
