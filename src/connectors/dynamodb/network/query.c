/*
 * `query:` of a plan: the JSON of a Query or a Scan as DynamoDB takes it, without what only says
 * how the pages come. With KeyConditionExpression it is a Query, else a Scan, of a table or an
 * index.
 */
#include "connectors/dynamodb/network/source.h"

#include "connectors/dynamodb/network/body.h"
#include <jansson.h>
#include <string.h>

enum { QUERY_BYTES_MAX = 1024 * 1024 };

static const char *const members_known[] = {
    "TableName",
    "IndexName",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ConsistentRead",
    "ScanIndexForward",
};

static enum status network_query_refuse(const char *what, const char *name, struct error *error)
{
    error_set(error, ERROR_PLAN_INVALID, "query", "%s%s%s", what, name != NULL ? " " : "",
              name != NULL ? name : "");
    return error_hint(error, "a query is the JSON of DynamoDB's Query or Scan: {\"TableName\": …, "
                             "\"IndexName\": …, \"KeyConditionExpression\": …}");
}

static bool is_known(const char *name)
{
    for (size_t at = 0; at < sizeof(members_known) / sizeof(*members_known); at++) {
        if (strcmp(members_known[at], name) == 0) {
            return true;
        }
    }
    return false;
}

static enum status check_members(json_t *root, struct error *error)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(root, name, value)
    {
        if (strcmp(name, "Limit") == 0) {
            return network_query_refuse(
                "Limit would be the size of a page, not of the result; leave it out", NULL, error);
        }
        if (!is_known(name)) {
            return network_query_refuse("the query has an unknown member:", name, error);
        }
    }
    return json_is_string(json_object_get(root, "TableName"))
               ? STATUS_OK
               : network_query_refuse("the query names no table: TableName", NULL, error);
}

/* Its members as text; what the URI's `consistent` says counts where the query says nothing. */
static void write_members(const struct dynamodb_network *network, json_t *root,
                          struct buffer *members)
{
    bool global = json_object_get(root, "IndexName") != NULL;
    if (network->consistent && !global && json_object_get(root, "ConsistentRead") == NULL) {
        json_object_set_new(root, "ConsistentRead", json_true());
    }
    struct buffer text = {0};
    json_tree_append(root, JSON_COMPACT | JSON_ENSURE_ASCII, &text);
    buffer_append_string(members, "\"ReturnConsumedCapacity\":\"TOTAL\",");
    buffer_append(members, text.data + 1, text.length - 2);
    buffer_free(&text);
}

enum status dynamodb_query_read(struct dynamodb_network *network, const char *text,
                                struct dynamodb_query *query, struct error *error)
{
    *query = (struct dynamodb_query){0};
    if (strlen(text) > QUERY_BYTES_MAX) {
        return network_query_refuse("the query is too long", NULL, error);
    }
    json_t *root = NULL;
    struct error reason = {0};
    if (json_tree_parse(text, strlen(text), JSON_REJECT_DUPLICATES, NULL, ERROR_PLAN_INVALID, &root,
                        &reason) != STATUS_OK ||
        !json_is_object(root)) {
        json_decref(root);
        return network_query_refuse("the query is no JSON object:", reason.message, error);
    }
    enum status status = check_members(root, error);
    if (status == STATUS_OK) {
        status = dynamodb_source_find(
            network, json_string_value(json_object_get(root, "TableName")), &query->table, error);
    }
    if (status == STATUS_OK) {
        query->operation =
            json_object_get(root, "KeyConditionExpression") != NULL ? "Query" : "Scan";
        write_members(network, root, &query->members);
    }
    json_decref(root);
    if (status != STATUS_OK) {
        dynamodb_query_free(query);
    }
    return status;
}

void dynamodb_query_free(struct dynamodb_query *query)
{
    buffer_free(&query->members);
}

/* One item of it, to see whether DynamoDB takes it. */
static enum status try_query(struct dynamodb_network *network, const struct dynamodb_query *query,
                             struct error *error)
{
    struct buffer body = {0};
    struct service_reply *response = NULL;
    buffer_append_byte(&body, '{');
    buffer_append(&body, query->members.data, query->members.length);
    buffer_append_string(&body, ",\"Limit\":1}");
    enum status status = dynamodb_network_call(network, query->operation, query->table->name, &body,
                                               &response, error);
    buffer_free(&body);
    if (status == STATUS_OK && response->fault != DYNAMODB_FAULT_NONE) {
        error_copy(error, &response->error);
        status = STATUS_FAILED;
    }
    service_reply_destroy(response);
    return status;
}

enum status dynamodb_query_describe(struct database *self, const char *text, struct arena *arena,
                                    struct schema_table *table, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct dynamodb_query query;
    if (dynamodb_query_read(network, text, &query, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = try_query(network, &query, error);
    if (status == STATUS_OK) {
        dynamodb_catalog_table(query.table, arena, table);
    }
    table->kind = SCHEMA_QUERY;
    table->row_count = -1;
    table->size_bytes = -1;
    table->index_count = 0;
    dynamodb_query_free(&query);
    return status;
}
