/* The session that rows are fetched by their keys on (cassandra_fetch), shared by all threads. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_FETCH_H
#define TRANSHUME_CONNECTORS_CASSANDRA_FETCH_H

#include "connectors/cassandra/look_up.h"

/* When the database is closed; NULL is fine. */
void cassandra_fetcher_close(struct cassandra_fetcher *fetcher);

/* Any rows by their keys on that session, which is filled in. Any thread. */
enum status cassandra_fetch_values(struct cassandra *self, struct cassandra_look_up *look_up,
                                   cassandra_values_found *found, void *context,
                                   struct error *error) MUST_USE;

#endif
