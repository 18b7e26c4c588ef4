/* What is known of a stream before it is read: source_functions that SQL servers have alike. */
#ifndef TRANSHUME_CONNECTORS_SQL_STREAM_H
#define TRANSHUME_CONNECTORS_SQL_STREAM_H

#include "connectors/sql/database.h"

enum { SQL_EXACT_BYTES_MAX = 16 << 20 }; /* of a table: below that all rows are looked at */

enum status sql_describe_stream(struct database *self, const struct read_request *request,
                                struct arena *arena, struct stream_facts *facts,
                                struct error *error);
enum status sql_count_rows(struct database *self, const struct read_request *request, int64_t *rows,
                           struct error *error);
const char *sql_number_spans_of(struct database *self, const struct read_request *request,
                                const char **column);
struct digest_type sql_digest_type(struct database *self, const struct read_request *request,
                                   const char *column);
/* Counted where that is quick, else what the statistics say. */
enum status sql_row_count_of(struct sql_database *self, const struct sql_table *table,
                             int64_t *rows, struct error *error) MUST_USE;

#endif
