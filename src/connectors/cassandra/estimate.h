/* How many rows a table has, without counting them. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_ESTIMATE_H
#define TRANSHUME_CONNECTORS_CASSANDRA_ESTIMATE_H

#include "connectors/cassandra/schema.h"

enum { CASSANDRA_PIECES_UNKNOWN = 64 /* of a table that can't be estimated */ };

/* From how close together the tokens of a few thousand rows are, at some places of the ring; exact
 * for a table of few rows. -1: it could not be read so. */
double cassandra_estimate_rows(struct cassandra *self, const struct cassandra_table *table);

/* A node's account of a table's partitions (system.size_estimates, of those flushed to disk some
 * minutes ago), for its own part of the ring, and by that for all of it. */
struct cassandra_size {
    const char *table;
    double partitions; /* of that part */
    double bytes;
    double ring; /* how much of it that is: 0 … 1 */
};
struct cassandra_sizes {
    struct cassandra_size *list; /* by table */
    size_t count;
};
enum status cassandra_sizes_read(struct cassandra *self, struct arena *arena,
                                 struct cassandra_sizes *sizes, struct error *error) MUST_USE;
/* The sizes of the whole table; -1: not known. */
void cassandra_sizes_find(const struct cassandra_sizes *sizes, const char *table,
                          int64_t *partitions, int64_t *bytes);

#endif
