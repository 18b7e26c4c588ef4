/* The session that rows are fetched by their keys on (cassandra_fetch), shared by all threads. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_FETCH_H
#define TRANSHUME_CONNECTORS_CASSANDRA_FETCH_H

#include "connectors/cassandra/cassandra.h"

/* When the database is closed; NULL is fine. */
void cassandra_fetcher_close(struct cassandra_fetcher *fetcher);

#endif
