/* Queries of a plan, in DynamoDB's own language: the JSON of its Query and Scan. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_QUERY_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_QUERY_H

#include "connectors/dynamodb/network_source.h"

struct dynamodb_query {
    const char *operation; /* "Query" or "Scan" */
    const struct dynamodb_description *table;
    struct buffer members; /* of the request, without braces */
};

/* STATUS_FAILED: ERROR_PLAN_INVALID, or there is no such table. Nothing is asked of the server but
 * which tables there are. */
enum status dynamodb_query_read(struct dynamodb_network *network, const char *text,
                                struct dynamodb_query *query, struct error *error) MUST_USE;
void dynamodb_query_free(struct dynamodb_query *query);

/* catalog_functions.describe_query: tries it with one item. */
enum status dynamodb_query_describe(struct database *self, const char *text, struct arena *arena,
                                    struct schema_table *table, struct error *error) MUST_USE;

#endif
