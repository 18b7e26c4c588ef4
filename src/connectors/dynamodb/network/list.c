/*
 * Which records a partition holds whose sort keys begin alike: what apply_functions.list asks.
 *
 *   {"TableName":"shop","KeyConditionExpression":"#partition = :partition AND
 *     begins_with(#sort, :begins)","ProjectionExpression":"#sort","ConsistentRead":true,…}
 *
 * (AWS: "Query", API version 2012-08-10.)
 */
#include "connectors/dynamodb/network/target.h"

#include "connectors/dynamodb/item.h"
#include "connectors/dynamodb/network/body.h"
#include "model/json_writer.h"
#include <string.h>

struct listing {
    struct dynamodb_network *network;
    const struct apply_listing *what;
    apply_found *found;
    void *context;
    struct buffer next; /* the key that the next page begins behind; empty: the first one */
};

static enum status append_value(struct buffer *body, const char *name, const struct cell *cell,
                                const char *attribute, struct error *error)
{
    dynamodb_body_name(body, name);
    return dynamodb_item_append_value(cell, attribute, body, error);
}

static enum status write_request(const struct listing *listing, struct buffer *body,
                                 struct error *error)
{
    const char *partition = listing->what->table->key.names[0];
    const char *sort = listing->what->table->key.names[listing->what->wanted];
    bool begins = listing->what->begins_length > 0; /* an empty text is refused */
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "TableName", listing->what->table->name);
    dynamodb_body_text(body, "KeyConditionExpression",
                       begins ? "#partition = :partition AND begins_with(#sort, :begins)"
                              : "#partition = :partition");
    dynamodb_body_raw(body, ",\"ProjectionExpression\":\"#sort\",\"ConsistentRead\":true"
                            ",\"ExpressionAttributeNames\":{");
    dynamodb_body_text(body, "#partition", partition);
    dynamodb_body_text(body, "#sort", sort);
    dynamodb_body_raw(body, "},\"ExpressionAttributeValues\":{");
    enum status status =
        append_value(body, ":partition", &listing->what->values[0], partition, error);
    if (status == STATUS_OK && begins) {
        const struct cell text = cell_text(listing->what->begins, listing->what->begins_length);
        status = append_value(body, ":begins", &text, sort, error);
    }
    dynamodb_body_raw(body, "}");
    if (listing->next.length > 0) {
        dynamodb_body_name(body, "ExclusiveStartKey");
        buffer_append_buffer(body, &listing->next);
    }
    dynamodb_body_raw(body, "}");
    return status;
}

static enum status list_tell(const struct listing *listing, const json_t *items,
                             struct error *error)
{
    const char *sort = listing->what->table->key.names[listing->what->wanted];
    const char *letter = listing->what->begins != NULL ? "S" : "N";
    enum status status = STATUS_OK;
    for (size_t i = 0; i < json_array_size(items) && status == STATUS_OK; i++) {
        const json_t *value = json_object_get(json_array_get(items, i), sort);
        const json_t *text = json_object_get(value, letter);
        if (json_is_string(text)) {
            status = listing->found(listing->context, json_string_value(text),
                                    json_string_length(text), error);
        }
    }
    return status;
}

static enum status ask_page(struct listing *listing, struct error *error)
{
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    json_t *root = NULL;
    enum status status = write_request(listing, &body, error);
    if (status == STATUS_OK) {
        status = dynamodb_network_call(listing->network, "Query", listing->what->table->name, &body,
                                       &reply, error);
    }
    buffer_free(&body);
    if (status == STATUS_OK && reply->fault != DYNAMODB_FAULT_NONE) {
        error_copy(error, &reply->error);
        status = STATUS_FAILED;
    }
    if (status == STATUS_OK) {
        root = dynamodb_reply_parse(reply, listing->what->table->name, error);
        status = root != NULL ? list_tell(listing, json_object_get(root, "Items"), error)
                              : STATUS_FAILED;
    }
    buffer_clear(&listing->next);
    const json_t *last = json_object_get(root, "LastEvaluatedKey");
    if (json_object_size(last) > 0) {
        (void)json_tree_append(last, JSON_COMPACT, &listing->next);
    }
    json_decref(root);
    service_reply_destroy(reply);
    return status;
}

/* Under a key that DynamoDB refuses there is nothing. */
static bool is_no_key(const struct cell *partition)
{
    return partition->kind == VALUE_TEXT && partition->length == 0;
}

enum status dynamodb_network_list(struct database *self, struct apply *apply,
                                  const struct apply_listing *what, apply_found *found,
                                  void *context, struct error *error)
{
    struct listing listing = {
        .network = dynamodb_network_of(self), .what = what, .found = found, .context = context};
    enum status status = STATUS_OK;
    (void)apply;
    if (is_no_key(&what->values[0])) {
        return STATUS_OK;
    }
    do {
        status = ask_page(&listing, error);
    } while (status == STATUS_OK && listing.next.length > 0);
    buffer_free(&listing.next);
    return status;
}
