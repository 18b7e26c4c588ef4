/* The policy of IAM that allows just what a run does. */
#include "connectors/contract/rights.h"
#include "connectors/contract/connector.h"
#include "connectors/dynamodb/network/client.h"
#include "connectors/dynamodb/network/network.h"
#include "model/json_writer.h"
#include <string.h>

struct policy {
    const struct dynamodb_network *self;
    struct buffer text;
    uint32_t statements;
};

static void policy_begin(struct policy *policy, const struct dynamodb_network *self)
{
    *policy = (struct policy){.self = self};
    buffer_append_string(&policy->text, "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [");
}

/* Up to "Resource": [ of the next statement; `actions` end with NULL. */
static void append_statement(struct policy *policy, const char *const *actions)
{
    buffer_append_string(&policy->text, policy->statements++ > 0 ? ",\n" : "\n");
    buffer_append_string(&policy->text, "    {\"Effect\": \"Allow\", \"Action\": [");
    for (size_t i = 0; actions[i] != NULL; i++) {
        buffer_format(&policy->text, "%s\"dynamodb:%s\"", i > 0 ? ", " : "", actions[i]);
    }
    buffer_append_string(&policy->text, "],\n     \"Resource\": [");
}

/* The table's ARN names any account (*), for the program does not know which one it is. */
static void append_table(struct policy *policy, const char *name, const char *behind)
{
    struct buffer arn = {0};
    buffer_format(&arn, "arn:aws:dynamodb:%s:*:table/%s%s",
                  dynamodb_service_region(policy->self->service), name, behind);
    buffer_append_string(&policy->text, buffer_last(&policy->text) == '[' ? "" : ", ");
    json_append_printable(&policy->text, buffer_string(&arn));
    buffer_free(&arn);
}

static void end_statement(struct policy *policy)
{
    buffer_append_string(&policy->text, "]}");
}

static void append_listing(struct policy *policy)
{
    static const char *const listing[] = {"ListTables", NULL};
    append_statement(policy, listing);
    buffer_append_string(&policy->text, "\"*\"");
    end_statement(policy);
}

static void policy_end(struct policy *policy, struct rights_list *list)
{
    buffer_append_string(&policy->text, "\n  ]\n}");
    rights_add(list, RIGHTS_COPY, &policy->text);
    buffer_free(&policy->text);
}

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    static const char *const reading[] = {"DescribeTable", "Scan", "Query", NULL};
    static const char *const whole[] = {"DescribeTimeToLive", "ListTagsOfResource", NULL};
    struct policy policy;
    (void)error;
    policy_begin(&policy, dynamodb_network_of(database));
    append_listing(&policy);
    int turns = request->read_count == 0 && !request->queries ? 0
                : request->carries_objects                    ? 2
                                                              : 1;
    for (int turn = 0; turn < turns; turn++) { /* a statement of nothing is refused */
        append_statement(&policy, turn == 0 ? reading : whole);
        if (request->queries) { /* of tables that nobody knows */
            append_table(&policy, "*", "");
            append_table(&policy, "*", "/index/*");
        }
        for (uint32_t i = 0; i < request->read_count && !request->queries; i++) {
            append_table(&policy, request->read[i], "");
        }
        end_statement(&policy);
    }
    policy_end(&policy, list);
    return STATUS_OK;
}

static enum status rights_of_target(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    static const char *const writing[] = {
        "DescribeTable",    "CreateTable",    "DeleteTable", "TagResource", "ListTagsOfResource",
        "UpdateTimeToLive", "BatchWriteItem", "PutItem",     "UpdateItem",  "GetItem",
        "BatchGetItem",     "Scan",           NULL};
    static const char *const ledger[] = {"DescribeTable", "CreateTable", "DeleteTable", "PutItem",
                                         "GetItem",       "DeleteItem",  "Query",       NULL};
    struct policy policy;
    (void)error;
    policy_begin(&policy, dynamodb_network_of(database));
    append_listing(&policy); /* a validation reads it as a source */
    if (request->table_count > 0) {
        append_statement(&policy, writing);
        for (uint32_t i = 0; i < request->table_count; i++) {
            append_table(&policy, request->tables[i].name, "");
        }
        end_statement(&policy);
    }
    append_statement(&policy, ledger);
    append_table(&policy, "_transhume_ledger", "");
    end_statement(&policy);
    policy_end(&policy, list);
    return STATUS_OK;
}

const struct rights_functions dynamodb_network_rights = {.of_source = rights_of_source,
                                                         .of_target = rights_of_target};
