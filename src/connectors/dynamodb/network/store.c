/*
 * The store: a table of its own, _transhume_ledger, of which each item is a key. Its partitions are
 * cut so that every scan is one Query:
 *
 *   place (S)         key (S), sort key     version (N)   text (S)
 *   run/0b6c…         run/0b6c…/status      3             {"phase":"loading",…}
 *   scope             scope/Track           1             {"format":2,"run":"0b6c…"}
 *
 * What replaces a version is as safe as that condition. What puts an absent key or deletes any
 * version is sent only while the lease lasts, once this process has claimed a run.
 */
#include "connectors/dynamodb/network/target.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/common/store_key.h"
#include "connectors/dynamodb/network/body.h"
#include "model/json_writer.h"
#include <stdlib.h>
#include <string.h>

#define LEDGER "_transhume_ledger"
#define PLACE "place"
#define KEY "key"

enum { VALUE_BYTES_MAX = 384 * 1024 }; /* an item has 400 KB */

struct store {
    struct dynamodb_network *network;
    struct dynamodb_client *client;
    const char *table;
};

enum status dynamodb_store_open_in(struct database *self, const char *table, struct store **store,
                                   struct error *error)
{
    struct store *made = memory_allocate_zeroed(1, sizeof(*made));
    made->network = dynamodb_network_of(self);
    if (dynamodb_client_create(made->network->service, 1, &made->client, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    made->table = table;
    *store = made;
    return STATUS_OK;
}

static enum status store_open(struct database *self, struct store **store, struct error *error)
{
    return dynamodb_store_open_in(self, LEDGER, store, error);
}

static void store_close(struct store *store)
{
    if (store != NULL) {
        dynamodb_client_destroy(store->client);
        free(store);
    }
}

/* ---------------------------------------------------------------- requests */

/* As dynamodb_client_call; frees the body. */
static enum status store_call(struct store *store, const char *operation, struct buffer *body,
                              const struct database *lease, struct service_reply **reply,
                              struct error *error)
{
    const struct dynamodb_request request = {.operation = operation,
                                             .object = store->table,
                                             .body = body->data,
                                             .body_length = body->length,
                                             .lease = lease};
    enum status status = dynamodb_client_call(store->client, &request, reply, error);
    buffer_free(body);
    return status;
}

static enum status refuse_table(const struct dynamodb_description *description, const char *table,
                                struct error *error)
{
    bool old = description->key.count == 2 && strcmp(description->key.names[0], "run") == 0 &&
               strcmp(description->key.names[1], "part") == 0;
    error_set(error, ERROR_LEDGER_INVALID, table,
              old ? "the ledger is of format 1, which this version does not read"
                  : "the table is there and is no ledger: its key is not " PLACE ", " KEY);
    return error_hint(error,
                      old ? "finish its run with the version that began it, or delete the table"
                          : "rename or delete the table");
}

static bool is_ledger(const struct dynamodb_description *description)
{
    return description->key.count == 2 && strcmp(description->key.names[0], PLACE) == 0 &&
           strcmp(description->key.names[1], KEY) == 0;
}

/* STATUS_OK: it succeeded. STATUS_END: there is no table. A request that is invalid is so because
 * the table is another one. */
static enum status store_judge(struct store *store, const struct service_reply *reply,
                               struct error *error)
{
    struct dynamodb_description description;
    if (reply->fault == DYNAMODB_FAULT_NONE) {
        return STATUS_OK;
    }
    if (reply->fault == DYNAMODB_FAULT_MISSING) {
        return STATUS_END;
    }
    error_copy(error, &reply->error);
    if (reply->fault == DYNAMODB_FAULT_INVALID) {
        struct error ignored;
        struct arena *arena = arena_create(0);
        if (dynamodb_describe(store->network, store->table, arena, &description, &ignored) ==
                STATUS_OK &&
            !is_ledger(&description)) {
            (void)refuse_table(&description, store->table, error);
        }
        arena_destroy(arena);
    }
    return STATUS_FAILED;
}

static void append_text(struct buffer *body, const char *name, const char *text, size_t length)
{
    dynamodb_body_name(body, name);
    buffer_append_string(body, "{\"S\":");
    json_append_string(body, text, length);
    buffer_append_byte(body, '}');
}

static void append_key(struct buffer *body, const char *key)
{
    append_text(body, PLACE, key, store_key_place_length(key));
    append_text(body, KEY, key, strlen(key));
}

static void begin_request(const struct store *store, struct buffer *body)
{
    buffer_append_byte(body, '{');
    dynamodb_body_text(body, "TableName", store->table);
}

/* ---------------------------------------------------------------- the place */

static enum status make_table(struct store *store, struct error *error)
{
    static const char text[] =
        ",\"BillingMode\":\"PAY_PER_REQUEST\","
        "\"AttributeDefinitions\":[{\"AttributeName\":\"" PLACE "\",\"AttributeType\":\"S\"},"
        "{\"AttributeName\":\"" KEY "\",\"AttributeType\":\"S\"}],"
        "\"KeySchema\":[{\"AttributeName\":\"" PLACE "\",\"KeyType\":\"HASH\"},"
        "{\"AttributeName\":\"" KEY "\",\"KeyType\":\"RANGE\"}]}";
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    begin_request(store, &body);
    buffer_append_string(&body, text);
    enum status status = store_call(store, "CreateTable", &body, NULL, &reply, error);
    /* in use: another process, or an earlier try of ours, makes it */
    if (status == STATUS_OK && reply->fault != DYNAMODB_FAULT_NONE &&
        reply->fault != DYNAMODB_FAULT_IN_USE) {
        error_copy(error, &reply->error);
        status = STATUS_FAILED;
    }
    service_reply_destroy(reply);
    return status;
}

/* STATUS_END: it is not there, or not any more. */
static enum status describe_settled(struct store *store, struct arena *arena,
                                    struct dynamodb_description *description, struct error *error)
{
    struct dynamodb_network *network = store->network;
    enum status status = dynamodb_describe(network, store->table, arena, description, error);
    if (status == STATUS_OK && dynamodb_description_is_going(description)) {
        log_write(LOG_INFO, "waiting for the ledger of finished runs to be gone");
        status = dynamodb_wait_gone(network, store->table, description->id, error);
        status = status == STATUS_OK
                     ? dynamodb_describe(network, store->table, arena, description, error)
                     : status;
    }
    return status;
}

static enum status store_create(struct store *store, struct error *error)
{
    struct dynamodb_description description;
    struct arena *arena = arena_create(0);
    enum status status = describe_settled(store, arena, &description, error);
    if (status == STATUS_END) {
        status = failpoint_hit("dynamodb.before_ledger_table", error);
        status = status == STATUS_OK ? make_table(store, error) : status;
        status = status == STATUS_OK ? failpoint_hit("dynamodb.after_ledger_table", error) : status;
    } else if (status == STATUS_OK && !is_ledger(&description)) {
        status = refuse_table(&description, store->table, error);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? dynamodb_wait_active(store->network, store->table, error) : status;
}

static enum status store_drop(struct store *store, struct error *error)
{
    struct dynamodb_network *network = store->network;
    struct dynamodb_description description;
    struct arena *arena = arena_create(0);
    enum status status = dynamodb_describe(network, store->table, arena, &description, error);
    if (status == STATUS_OK && !dynamodb_description_is_going(&description)) {
        status = dynamodb_delete_table(network, store->table, description.id, error);
    }
    if (status == STATUS_OK) {
        status = dynamodb_wait_gone(network, store->table, description.id, error);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- reading */

static enum status read_item(const struct store *store, const json_t *item, struct arena *arena,
                             struct store_value *value, struct error *error)
{
    const json_t *text = json_object_get(json_object_get(item, "text"), "S");
    if (!json_is_string(text) || !dynamodb_reply_n(item, "version", &value->version)) {
        const char *key = dynamodb_reply_s(item, KEY);
        return error_set(error, ERROR_LEDGER_INVALID, store->table,
                         "the ledger's item %s is damaged", key != NULL ? key : "");
    }
    value->length = json_string_length(text);
    value->text = arena_copy(arena, json_string_value(text), value->length);
    return STATUS_OK;
}

static enum status store_get(struct store *store, const char *key, struct arena *arena,
                             struct store_value *value, struct error *error)
{
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    json_t *root = NULL;
    begin_request(store, &body);
    dynamodb_body_name(&body, "Key");
    dynamodb_body_raw(&body, "{");
    append_key(&body, key);
    dynamodb_body_raw(&body, "},\"ConsistentRead\":true}");
    enum status status = store_call(store, "GetItem", &body, NULL, &reply, error);
    status = status == STATUS_OK ? store_judge(store, reply, error) : status;
    if (status == STATUS_OK) {
        root = dynamodb_reply_parse(reply, store->table, error);
        const json_t *item = json_object_get(root, "Item");
        status = root == NULL   ? STATUS_FAILED
                 : item == NULL ? STATUS_END
                                : read_item(store, item, arena, value, error);
    }
    json_decref(root);
    service_reply_destroy(reply);
    return status;
}

static enum status visit_items(const struct store *store, const json_t *items, store_visit *visit,
                               void *context, struct error *error)
{
    enum status status = STATUS_OK;
    struct arena *arena = arena_create(0);
    for (size_t at = 0; status == STATUS_OK && at < json_array_size(items); at++) {
        const json_t *item = json_array_get(items, at);
        struct store_value value;
        arena_reset(arena);
        status = read_item(store, item, arena, &value, error);
        if (status == STATUS_OK) {
            status = visit(context, dynamodb_reply_s(item, KEY), &value, error);
        }
    }
    arena_destroy(arena);
    return status;
}

/* `next`: the key to continue after; empty after the last page. */
static enum status scan_page(struct store *store, const char *prefix, store_visit *visit,
                             void *context, struct buffer *next, struct error *error)
{
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    json_t *root = NULL;
    begin_request(store, &body);
    dynamodb_body_text(&body, "KeyConditionExpression",
                       "#place = :place AND begins_with(#key, :prefix)");
    dynamodb_body_raw(&body, ",\"ConsistentRead\":true,\"ExpressionAttributeNames\":"
                             "{\"#place\":\"" PLACE "\",\"#key\":\"" KEY "\"}"
                             ",\"ExpressionAttributeValues\":{");
    append_text(&body, ":place", prefix, store_key_place_length(prefix));
    append_text(&body, ":prefix", prefix, strlen(prefix));
    dynamodb_body_raw(&body, "}");
    if (next->length > 0) {
        dynamodb_body_name(&body, "ExclusiveStartKey");
        buffer_append(&body, next->data, next->length);
    }
    dynamodb_body_raw(&body, "}");
    enum status status = store_call(store, "Query", &body, NULL, &reply, error);
    status = status == STATUS_OK ? store_judge(store, reply, error) : status;
    if (status == STATUS_OK) {
        root = dynamodb_reply_parse(reply, store->table, error);
        status = root == NULL
                     ? STATUS_FAILED
                     : visit_items(store, json_object_get(root, "Items"), visit, context, error);
    }
    buffer_clear(next);
    const json_t *last = json_object_get(root, "LastEvaluatedKey");
    if (json_object_size(last) > 0) {
        (void)json_tree_append(last, JSON_COMPACT, next);
    }
    json_decref(root);
    service_reply_destroy(reply);
    return status;
}

static enum status store_scan(struct store *store, const char *prefix, store_visit *visit,
                              void *context, struct error *error)
{
    struct buffer next = {0};
    enum status status;
    do {
        status = scan_page(store, prefix, visit, context, &next, error);
    } while (status == STATUS_OK && next.length > 0);
    buffer_free(&next);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- writing */

/* Ends the body with a condition, and sends it. STATUS_AGAIN: it did not hold. STATUS_END: there is
 * no table. */
static enum status write_item(struct store *store, const char *operation, struct buffer *body,
                              const char *condition, uint64_t expected, struct error *error)
{
    struct service_reply *reply = NULL;
    bool versioned = strstr(condition, ":version") != NULL;
    const struct database *lease = versioned ? NULL : keyed_lease(&store->network->keyed);
    if (condition[0] != '\0') {
        dynamodb_body_text(body, "ConditionExpression", condition);
        dynamodb_body_name(body, "ExpressionAttributeNames");
        dynamodb_body_raw(body, "{");
        if (strstr(condition, "#key") != NULL) { /* names that nothing uses are refused */
            dynamodb_body_text(body, "#key", KEY);
        }
        if (versioned) {
            dynamodb_body_text(body, "#version", "version");
        }
        dynamodb_body_raw(body, "}");
    }
    if (versioned) {
        dynamodb_body_name(body, "ExpressionAttributeValues");
        dynamodb_body_raw(body, "{");
        dynamodb_body_n(body, ":version", expected);
        dynamodb_body_raw(body, "}");
    }
    dynamodb_body_raw(body, "}");
    enum status status = store_call(store, operation, body, lease, &reply, error);
    if (status == STATUS_OK) {
        status = reply->fault == DYNAMODB_FAULT_CONDITION ? STATUS_AGAIN
                                                          : store_judge(store, reply, error);
    }
    service_reply_destroy(reply);
    return status;
}

static enum status store_put_if(struct store *store, const char *key, const char *text,
                                size_t length, uint64_t expected, uint64_t *version,
                                struct error *error)
{
    struct buffer body = {0};
    begin_request(store, &body);
    dynamodb_body_name(&body, "Item");
    dynamodb_body_raw(&body, "{");
    append_key(&body, key);
    dynamodb_body_n(&body, "version", expected + 1);
    append_text(&body, "text", text, length);
    dynamodb_body_raw(&body, "}");
    enum status status =
        write_item(store, "PutItem", &body,
                   expected == STORE_ABSENT ? "attribute_not_exists(#key)" : "#version = :version",
                   expected, error);
    *version = expected + 1;
    return status == STATUS_END ? error_set(error, ERROR_TARGET_MISSING, store->table,
                                            "the ledger's table is not there any more")
                                : status;
}

static enum status store_delete_if(struct store *store, const char *key, uint64_t expected,
                                   struct error *error)
{
    struct buffer body = {0};
    begin_request(store, &body);
    dynamodb_body_name(&body, "Key");
    dynamodb_body_raw(&body, "{");
    append_key(&body, key);
    dynamodb_body_raw(&body, "}");
    enum status status = write_item(
        store, "DeleteItem", &body,
        expected == STORE_ANY_VERSION ? "" : "attribute_not_exists(#key) OR #version = :version",
        expected, error);
    return status == STATUS_END ? STATUS_OK : status;
}

const struct store_functions dynamodb_network_store = {
    .value_bytes_max = VALUE_BYTES_MAX,
    .open = store_open,
    .close = store_close,
    .create = store_create,
    .drop = store_drop,
    .get = store_get,
    .put_if = store_put_if,
    .delete_if = store_delete_if,
    .scan = store_scan,
};
