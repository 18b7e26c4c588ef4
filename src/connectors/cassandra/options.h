/* The options of a cassandra: URI. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_OPTIONS_H
#define TRANSHUME_CONNECTORS_CASSANDRA_OPTIONS_H

#include "connectors/cassandra/cassandra.h"

enum { CASSANDRA_OPTION_COUNT = 22 };
extern const struct connector_option cassandra_options[CASSANDRA_OPTION_COUNT];

/* Fills settings, options, tls, keyspace, and the room's bounds. Texts are the URI's, or in the
 * database's arena. */
enum status cassandra_options_read(struct cassandra *self, const struct open_options *open,
                                   struct error *error) MUST_USE;

#endif
