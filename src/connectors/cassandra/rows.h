/*
 * Rows of a SELECT as records of a batch: the cells that a request asks for, or a document.
 *
 * A partition that has static values and no rows comes as one row with a null clustering key, where
 * static columns are read. It is a record where the request wants `partitions`; else it is refused
 * with its partition key. A query reads it: SELECT DISTINCT of the partition key and static
 * columns.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_ROWS_H
#define TRANSHUME_CONNECTORS_CASSANDRA_ROWS_H

#include "connectors/cassandra/select.h"
#include "connectors/contract/source.h"

struct cassandra_rows {
    const struct read_request *request;
    const char *name;                      /* for messages */
    const struct cassandra_table *table;   /* NULL: a query */
    const struct cassandra_select *select; /* of the table */
    const struct cql_columns *columns;     /* of a row */
    const int32_t *places;                 /* of the request's columns in a row; -1: not there */
    const char *const *names;              /* documents: of the columns */
    uint32_t document_count;               /* … how many of a row's fields are in one */
    const uint32_t *key;                   /* places of the columns that name a record */
    uint32_t key_count;
};

/* The rows of a table; `columns` may be set later. */
struct cassandra_rows cassandra_rows_of_table(const struct read_request *request,
                                              const struct cassandra_select *select,
                                              const struct cql_columns *columns,
                                              struct arena *arena);
/* The rows of a query; `key` are columns of it. */
struct cassandra_rows cassandra_rows_of_query(const struct read_request *request,
                                              const struct cql_columns *columns,
                                              struct column_list key, struct arena *arena);

/* The batch is one of batch_create for the request, with envelopes if the record is a document or
 * times are read. What `values` point to lives in its arena. */
enum status cassandra_rows_add(const struct cassandra_rows *rows, struct batch *batch,
                               const struct cql_value *values, struct error *error) MUST_USE;

/* When the record was written and how long it lives, and each of its cells; of a select with times.
 * Of a document the cells are its fields. */
void cassandra_rows_times(const struct cassandra_rows *rows, const struct cql_value *values,
                          struct arena *arena, struct record_envelope *envelope);

/* Where a row's partition is; of a table. */
int64_t cassandra_rows_token(const struct cassandra_rows *rows, const struct cql_value *values);

#endif
