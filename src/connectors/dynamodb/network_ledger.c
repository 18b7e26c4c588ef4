/*
 * The ledger: a table of its own, _transhume_ledger, with the key run (S), part (S):
 *
 *   run   part              holds
 *   *     newest            id, sequence: the run that was made last
 *                           closing: the table is about to go, with this run; nothing is published
 *   *     head/ID           nothing: there is a head of that name, or was to be
 *   ID    head              format, sequence, epoch, holder, renewals, status, chunks, published
 *   ID    header/0000       text: the engine's header, in pieces
 *   ID    chunks/0000000000 text: a JSON object a chunk and line, in pieces
 *   ID    done/0000000001   epoch, text: a chunk's done mark
 *   ID    keys/0000000001/… bytes: the keys that the chunk wrote (network_spill.c)
 *   ID    made/<table>      state, table_id: a table that the run makes
 *
 * A run is there once `newest` names it: everything else is written before. `holder` is the claim,
 * changed by conditional writes only (connectors/lease.h).
 */
#include "connectors/dynamodb/network_target.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/dynamodb/network_json.h"
#include "connectors/dynamodb/network_ledger.h"
#include "connectors/lease.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char table_name[] = DYNAMODB_LEDGER_TABLE;

enum status dynamodb_ledger_no_room(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for the ledger");
}

void dynamodb_ledger_part(char part[DYNAMODB_PART_BYTES], const char *kind, uint64_t number)
{
    snprintf(part, DYNAMODB_PART_BYTES, "%s/%010" PRIu64, kind, number);
}

/* ---------------------------------------------------------------- items */

static void append_key(struct buffer *body, const char *run_id, const char *part)
{
    dynamodb_body_s(body, "run", run_id);
    dynamodb_body_s(body, "part", part);
}

/* A write with a condition: its refusal is no error. */
static enum status write_item(struct dynamodb_network *network, struct dynamodb_client *client,
                              const char *operation, const struct buffer *body,
                              const struct database *lease, bool *refused, bool *unknown,
                              struct error *error)
{
    struct service_reply *response = NULL;
    const struct dynamodb_request request = {.operation = operation,
                                             .object = table_name,
                                             .body = body->data,
                                             .body_length = body->length,
                                             .lease = lease};
    enum status status = STATUS_OK;
    if (body->failed) {
        status = dynamodb_ledger_no_room(error);
    } else if (client != NULL) {
        status = dynamodb_client_call(client, &request, &response, error);
    } else if (lease != NULL) {
        status = dynamodb_network_write(network, operation, table_name, body, &response, error);
    } else {
        status = dynamodb_network_call(network, operation, table_name, body, &response, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    *refused = response->fault == DYNAMODB_FAULT_CONDITION;
    *unknown = response->unknown_outcome;
    if (response->fault != DYNAMODB_FAULT_NONE && !*refused) {
        error_copy(error, &response->error);
        status = STATUS_FAILED;
    }
    service_reply_destroy(response);
    return status;
}

enum status dynamodb_ledger_put(struct dynamodb_network *network, struct dynamodb_client *client,
                                const struct dynamodb_ledger_item *item, bool *refused,
                                bool *unknown, struct error *error)
{
    struct buffer body = {0};
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", table_name);
    dynamodb_body_name(&body, "Item");
    dynamodb_body_raw(&body, "{");
    append_key(&body, item->run_id, item->part);
    if (item->attributes->length > 0) {
        dynamodb_body_raw(&body, ",");
        buffer_append(&body, item->attributes->data, item->attributes->length);
    }
    dynamodb_body_raw(&body, "}");
    if (item->tail != NULL) {
        buffer_append(&body, item->tail->data, item->tail->length);
    }
    dynamodb_body_raw(&body, "}");
    body.failed |= item->attributes->failed || (item->tail != NULL && item->tail->failed);
    enum status status =
        write_item(network, client, "PutItem", &body, &network->base, refused, unknown, error);
    buffer_free(&body);
    return status;
}

enum status dynamodb_ledger_get(struct dynamodb_network *network, const char *run_id,
                                const char *part, json_t **reply, const json_t **item,
                                struct error *error)
{
    struct buffer body = {0};
    struct service_reply *response = NULL;
    *reply = NULL;
    *item = NULL;
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", table_name);
    dynamodb_body_name(&body, "Key");
    dynamodb_body_raw(&body, "{");
    append_key(&body, run_id, part);
    dynamodb_body_raw(&body, "},\"ConsistentRead\":true}");
    enum status status =
        dynamodb_network_call(network, "GetItem", table_name, &body, &response, error);
    buffer_free(&body);
    if (status != STATUS_OK) {
        return status;
    }
    if (response->fault == DYNAMODB_FAULT_MISSING) {
        status = STATUS_END;
    } else if (response->fault != DYNAMODB_FAULT_NONE) {
        error_copy(error, &response->error);
        status = STATUS_FAILED;
    } else {
        *reply = dynamodb_reply_parse(response, table_name, error);
        *item = json_object_get(*reply, "Item");
        status = *reply == NULL ? STATUS_FAILED : *item == NULL ? STATUS_END : STATUS_OK;
    }
    service_reply_destroy(response);
    return status;
}

enum status dynamodb_ledger_delete(struct dynamodb_network *network, const char *run_id,
                                   const char *part, struct error *error)
{
    struct buffer body = {0};
    bool refused = false;
    bool unknown = false;
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", table_name);
    dynamodb_body_name(&body, "Key");
    dynamodb_body_raw(&body, "{");
    append_key(&body, run_id, part);
    dynamodb_body_raw(&body, "}}");
    enum status status =
        write_item(network, NULL, "DeleteItem", &body, &network->base, &refused, &unknown, error);
    buffer_free(&body);
    return status;
}

enum status dynamodb_ledger_update(struct dynamodb_network *network, struct dynamodb_client *client,
                                   const char *run_id, const char *part, const char *expression,
                                   const char *condition, const struct buffer *values,
                                   bool *refused, bool *unknown, struct error *error)
{
    static const char *const names[] = {"epoch", "holder", "renewals", "status", "published",
                                        "run",   "id",     "sequence", "closing"};
    struct buffer body = {0};
    char mark[16];
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", table_name);
    dynamodb_body_name(&body, "Key");
    dynamodb_body_raw(&body, "{");
    append_key(&body, run_id, part);
    dynamodb_body_raw(&body, "}");
    dynamodb_body_text(&body, "UpdateExpression", expression);
    dynamodb_body_text(&body, "ConditionExpression", condition);
    dynamodb_body_name(&body, "ExpressionAttributeNames");
    dynamodb_body_raw(&body, "{");
    for (size_t at = 0; at < sizeof(names) / sizeof(*names); at++) {
        snprintf(mark, sizeof(mark), "#%s", names[at]);
        /* DynamoDB refuses names that no expression uses */
        if (strstr(expression, mark) != NULL || strstr(condition, mark) != NULL) {
            dynamodb_body_text(&body, mark, names[at]);
        }
    }
    dynamodb_body_raw(&body, "}");
    if (values->length > 0) {
        dynamodb_body_name(&body, "ExpressionAttributeValues");
        dynamodb_body_raw(&body, "{");
        buffer_append(&body, values->data, values->length);
        dynamodb_body_raw(&body, "}");
    }
    dynamodb_body_raw(&body, "}");
    body.failed |= values->failed;
    /* the condition is as good as a lease: it names the claim, or is of what nobody holds */
    enum status status =
        write_item(network, client, "UpdateItem", &body, NULL, refused, unknown, error);
    buffer_free(&body);
    return status;
}

/* ---------------------------------------------------------------- walking */

enum status dynamodb_ledger_page(struct dynamodb_network *network, const char *operation,
                                 const struct buffer *body, dynamodb_ledger_visit *visit,
                                 void *context, struct buffer *next, struct error *error)
{
    struct service_reply *response = NULL;
    if (dynamodb_network_call(network, operation, table_name, body, &response, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    json_t *reply = NULL;
    if (response->fault == DYNAMODB_FAULT_MISSING) {
        status = STATUS_END;
    } else if (response->fault != DYNAMODB_FAULT_NONE) {
        error_copy(error, &response->error);
        status = STATUS_FAILED;
    } else if ((reply = dynamodb_reply_parse(response, table_name, error)) == NULL) {
        status = STATUS_FAILED;
    }
    const json_t *items = json_object_get(reply, "Items");
    for (size_t at = 0; status == STATUS_OK && at < json_array_size(items); at++) {
        const json_t *item = json_array_get(items, at);
        const char *part = dynamodb_reply_s(item, "part");
        status = visit(context, part != NULL ? part : "", item, error);
    }
    const json_t *last = json_object_get(reply, "LastEvaluatedKey");
    buffer_clear(next);
    if (status == STATUS_OK && json_object_size(last) > 0) {
        next->failed |= !json_tree_append(last, JSON_COMPACT, next);
    }
    json_decref(reply);
    service_reply_destroy(response);
    return status == STATUS_OK && next->failed ? dynamodb_ledger_no_room(error) : status;
}

enum status dynamodb_ledger_walk(struct dynamodb_network *network, const char *run_id,
                                 const char *from, const char *until, dynamodb_ledger_visit *visit,
                                 void *context, struct error *error)
{
    struct buffer body = {0};
    struct buffer next = {0};
    enum status status = STATUS_OK;
    do {
        buffer_clear(&body);
        dynamodb_body_raw(&body, "{");
        dynamodb_body_text(&body, "TableName", table_name);
        dynamodb_body_text(&body, "KeyConditionExpression",
                           "#run = :run AND #part BETWEEN :from AND :until");
        dynamodb_body_raw(&body,
                          ",\"ExpressionAttributeNames\":{\"#run\":\"run\",\"#part\":\"part\"}"
                          ",\"ConsistentRead\":true,\"ExpressionAttributeValues\":{");
        dynamodb_body_s(&body, ":run", run_id);
        dynamodb_body_s(&body, ":from", from);
        dynamodb_body_s(&body, ":until", until);
        dynamodb_body_raw(&body, "}");
        if (next.length > 0) {
            dynamodb_body_name(&body, "ExclusiveStartKey");
            buffer_append(&body, next.data, next.length);
        }
        dynamodb_body_raw(&body, "}");
        status = dynamodb_ledger_page(network, "Query", &body, visit, context, &next, error);
    } while (status == STATUS_OK && next.length > 0);
    buffer_free(&body);
    buffer_free(&next);
    return status;
}

enum status dynamodb_ledger_known(enum status status, const char *run_id, struct error *error)
{
    return status == STATUS_END
               ? error_set(error, ERROR_LEDGER_INVALID, run_id, "the ledger does not know this run")
               : status;
}

/* ---------------------------------------------------------------- tables that the run makes */

static void made_part(const char *table, char part[DYNAMODB_PART_BYTES])
{
    snprintf(part, DYNAMODB_PART_BYTES, "made/%s", table);
}

enum status dynamodb_ledger_made(struct dynamodb_network *network, const char *table,
                                 enum dynamodb_made *made, struct error *error)
{
    char part[DYNAMODB_PART_BYTES];
    json_t *reply = NULL;
    const json_t *item = NULL;
    *made = DYNAMODB_MADE_NOT;
    if (network->run == NULL) {
        return STATUS_OK;
    }
    made_part(table, part);
    enum status status = dynamodb_ledger_get(network, network->run->id, part, &reply, &item, error);
    if (status == STATUS_OK) {
        const char *state = dynamodb_reply_s(item, "state");
        *made = state != NULL && strcmp(state, "made") == 0 ? DYNAMODB_MADE_DONE
                                                            : DYNAMODB_MADE_INTENDED;
    }
    json_decref(reply);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status dynamodb_ledger_put_made(struct dynamodb_network *network, const char *table,
                                     enum dynamodb_made made, const char *table_id,
                                     struct error *error)
{
    char part[DYNAMODB_PART_BYTES];
    struct buffer attributes = {0};
    bool refused = false;
    bool unknown = false;
    if (network->run == NULL) {
        return error_set(error, ERROR_INTERNAL, table, "no run is claimed");
    }
    made_part(table, part);
    dynamodb_body_s(&attributes, "state", made == DYNAMODB_MADE_DONE ? "made" : "intended");
    dynamodb_body_s(&attributes, "table_id", table_id);
    const struct dynamodb_ledger_item item = {network->run->id, part, &attributes, NULL};
    enum status status = dynamodb_ledger_put(network, NULL, &item, &refused, &unknown, error);
    buffer_free(&attributes);
    return status;
}
