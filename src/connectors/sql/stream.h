/* Facts of a stream that are known before it is read: source_functions that SQL servers have alike.
 */
#ifndef TRANSHUME_CONNECTORS_SQL_STREAM_H
#define TRANSHUME_CONNECTORS_SQL_STREAM_H

#include "connectors/sql/database.h"

enum { SQL_EXACT_BYTES_MAX = 16 << 20 }; /* of a table: below that all rows are looked at */

enum status sql_describe_stream(struct database *self, const struct read_request *request,
                                struct arena *arena, struct stream_facts *facts,
                                struct error *error);
enum status sql_count_rows(struct database *self, const struct read_request *request, int64_t *rows,
                           struct error *error);
const char *sql_append_groups(struct database *self, const char *table,
                              const struct column_list *columns, uint32_t count_max,
                              struct buffer *query);
const char *sql_number_spans_of(struct database *self, const struct read_request *request,
                                const char **column);
struct digest_type sql_digest_type(struct database *self, const struct read_request *request,
                                   const char *column);
enum status sql_hold(struct database *self, const struct read_request *const *requests,
                     uint32_t request_count, struct error *error);
/* ERROR_SOURCE_CHANGED: a table was `what` ("altered") after the catalogue was read. */
enum status sql_refuse_changed(const struct sql_database *self, const char *name, const char *what,
                               struct error *error);
/* Counted where that is quick, else what the statistics say. */
enum status sql_row_count_of(struct sql_database *self, const struct sql_table *table,
                             int64_t *rows, struct error *error) MUST_USE;

#endif
