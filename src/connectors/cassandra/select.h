/* The SELECT that reads a request's columns, and where each one is in its rows. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_SELECT_H
#define TRANSHUME_CONNECTORS_CASSANDRA_SELECT_H

#include "connectors/cassandra/schema.h"
#include "connectors/contract/source.h"

/*
 *   columns 0 … column_count - 1   those asked for, each once, and then those of the key
 *   then, with keeps_times         WRITETIME and TTL of each column that has them
 */
struct cassandra_select {
    const struct cassandra_table *table;
    const uint32_t *columns; /* of the table */
    uint32_t column_count;
    const int32_t *places; /* of the request's columns in the row; -1: there is no such column.
                              Documents: NULL, all columns in their order */
    uint32_t place_count;
    const uint32_t *key;  /* of the table's key */
    const int32_t *times; /* a column: where its WRITETIME is, TTL behind it; -1: it has none.
                             NULL: no times are read */
    uint32_t field_count; /* of a row, times included */
};

/* All in `arena`. */
struct cassandra_select cassandra_select_of(const struct cassandra *self,
                                            const struct cassandra_table *table,
                                            const struct read_request *request, bool keeps_times,
                                            struct arena *arena);
/* The function that tells when the column was written, with its "("; of what has elements the
 * latest one's, which servers tell from version 5 on. NULL: none does. */
const char *cassandra_time_function(const struct cassandra *self,
                                    const struct cassandra_column *column);
/* All columns of the table in their order. */
struct cassandra_select cassandra_select_all(const struct cassandra *self,
                                             const struct cassandra_table *table, bool keeps_times,
                                             struct arena *arena);

/* Its text without a WHERE: SELECT … FROM "keyspace"."table". */
void cassandra_select_append(const struct cassandra_select *select, const struct cassandra *self,
                             struct buffer *text);
/* … of the rows of a range: two bigint parameters. */
const char *cassandra_select_range(const struct cassandra_select *select,
                                   const struct cassandra *self, struct arena *arena);
/* … of the row with a key: the key's values as parameters. */
const char *cassandra_select_key(const struct cassandra_select *select,
                                 const struct cassandra *self, struct arena *arena);

/* The parameters of cassandra_select_range. */
void cassandra_select_write_range(const struct cql_range *range, struct buffer *values);

#endif
