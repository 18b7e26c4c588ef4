/* How tables are kept: compaction, compression, caching and the like, as system_schema.tables has
 * them and as WITH takes them. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROPERTIES_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROPERTIES_H

#include "connectors/cassandra/cassandra.h"

struct cassandra_properties {
    const char *table;
    const struct schema_property *list;
    uint32_t count;
};

/* The properties of all tables of the keyspace, `*count` of them, in `arena`. */
enum status cassandra_properties_read(struct cassandra *self, struct arena *arena,
                                      struct cassandra_properties **all, uint32_t *count,
                                      struct error *error) MUST_USE;
/* The properties that tables of this server have. */
enum status cassandra_properties_known(struct cassandra *self, struct arena *arena,
                                       struct column_list *names, struct error *error) MUST_USE;

/* Appends name = value. */
void cassandra_property_append(const struct schema_property *property, struct buffer *out);

#endif
