/* Rows by their whole keys, many under way at once. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_LOOK_UP_H
#define TRANSHUME_CONNECTORS_CASSANDRA_LOOK_UP_H

#include "base/text.h"
#include "connectors/cassandra/schema.h"
#include "connectors/keyed/reading.h"

struct cassandra_look_up {
    struct cassandra *cassandra;
    struct cql_session *session; /* whose other calls are told of their replies, too */
    const struct cassandra_table *table;
    const char *text;     /* a SELECT with the key's columns as parameters */
    uint32_t field_count; /* of its rows */
    enum cql_consistency consistency;
    const struct keyed_wanted_key *keys; /* as cassandra_key_encode writes them */
    uint32_t key_count;
    struct database_counts *counts; /* of the request that it is for; may be NULL */
};

/* A row that is there, of the key at `key`: its values hold until the function returns. */
typedef enum status cassandra_values_found(void *context, uint32_t key,
                                           const struct cql_columns *columns,
                                           const struct cql_value *values, struct error *error);

/* Each row that is there, in any order, once. Tries again until patience ends. */
enum status cassandra_look_up(const struct cassandra_look_up *look_up,
                              cassandra_values_found *found, void *context,
                              struct error *error) MUST_USE;

#endif
