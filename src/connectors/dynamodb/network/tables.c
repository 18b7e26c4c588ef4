/* Tables that are there: what they hold, whether they fit the plan, counting and emptying them. */
#include "connectors/dynamodb/network/target.h"

#include "base/clock.h"
#include "connectors/dynamodb/limits.h"
#include "connectors/dynamodb/network/body.h"
#include "connectors/dynamodb/network/estimate.h"
#include "connectors/keyed/keys.h"
#include "model/json_writer.h"
#include <string.h>

/* ---------------------------------------------------------------- scanning */

struct page {
    json_t *reply;
    struct buffer next; /* ExclusiveStartKey of the next page, empty at the end */
};

/* One page of a strongly consistent Scan; `more` are further members of the request. */
static enum status scan_page(struct dynamodb_network *network, const char *table, const char *more,
                             struct page *page, struct error *error)
{
    struct buffer body = {0};
    struct service_reply *response = NULL;
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", table);
    dynamodb_body_raw(&body, ",\"ConsistentRead\":true");
    dynamodb_body_raw(&body, more);
    if (page->next.length > 0) {
        dynamodb_body_name(&body, "ExclusiveStartKey");
        buffer_append(&body, page->next.data, page->next.length);
    }
    dynamodb_body_raw(&body, "}");
    json_decref(page->reply);
    page->reply = NULL;
    buffer_clear(&page->next);
    enum status status = dynamodb_network_call(network, "Scan", table, &body, &response, error);
    buffer_free(&body);
    if (status != STATUS_OK) {
        return status;
    }
    if (response->fault != DYNAMODB_FAULT_NONE) {
        error_copy(error, &response->error);
        status = STATUS_FAILED;
    } else if ((page->reply = dynamodb_reply_parse(response, table, error)) == NULL) {
        status = STATUS_FAILED;
    }
    const json_t *last = json_object_get(page->reply, "LastEvaluatedKey");
    if (json_object_size(last) > 0) {
        json_tree_append(last, JSON_COMPACT, &page->next);
    }
    service_reply_destroy(response);
    return status;
}

static void free_page(struct page *page)
{
    json_decref(page->reply);
    buffer_free(&page->next);
}

enum status dynamodb_network_count(struct database *self, const struct target_table *table,
                                   uint64_t *count, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct page page = {0};
    enum status status = STATUS_OK;
    *count = 0;
    do {
        status = scan_page(network, table->name, ",\"Select\":\"COUNT\"", &page, error);
        *count += dynamodb_reply_number(page.reply, "Count");
    } while (status == STATUS_OK && page.next.length > 0);
    free_page(&page);
    return status;
}

static enum status holds_any(struct dynamodb_network *network, const char *table, bool *any,
                             struct error *error)
{
    struct page page = {0};
    enum status status = STATUS_OK;
    *any = false;
    do {
        status = scan_page(network, table, ",\"Limit\":1,\"Select\":\"COUNT\"", &page, error);
        *any = dynamodb_reply_number(page.reply, "Count") > 0;
    } while (status == STATUS_OK && !*any && page.next.length > 0);
    free_page(&page);
    return status;
}

enum status dynamodb_network_inspect(struct database *self, const struct target_table *tables,
                                     uint32_t table_count, bool *table_exists, bool *record_exists,
                                     struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct dynamodb_description description;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        record_exists[at] = false;
        table_exists[at] = false;
        if (!dynamodb_limits_name_valid(tables[at].name)) {
            continue; /* check_table says so */
        }
        status = dynamodb_describe(network, tables[at].name, arena, &description, error);
        /* Who needs the name of one that is going (a migration) is told so by check_table, who
         * wants it gone waits when it is removed. */
        if (status == STATUS_END ||
            (status == STATUS_OK && dynamodb_description_is_going(&description))) {
            status = STATUS_OK;
            continue;
        }
        table_exists[at] = status == STATUS_OK;
        if (status == STATUS_OK && strcmp(description.status, "ACTIVE") == 0) {
            status = holds_any(network, tables[at].name, &record_exists[at], error);
        }
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- checking */

static void check_indexes(const struct target_table *table,
                          const struct dynamodb_description *description, struct buffer *out)
{
    for (uint32_t at = 0; at < table->index_count; at++) {
        const struct target_index *wanted = &table->indexes[at];
        const struct dynamodb_index *index = dynamodb_description_index(description, wanted->name);
        if (index == NULL) {
            buffer_format(out,
                          "the table is there without the index \"%s\": add the index, or leave "
                          "it out of the plan\n",
                          wanted->name);
        } else if (!column_list_is_equal(index->key, wanted->columns)) {
            buffer_format(out, "the table is there and its index \"%s\" has the key ",
                          wanted->name);
            keyed_check_append_keys(index->key, wanted->columns, out);
        } else if (index->local != wanted->local) {
            buffer_format(out, "the table is there and its index \"%s\" is a %s one\n",
                          wanted->name, index->local ? "local" : "global");
        }
    }
}

static void check_letters(const struct dynamodb_description *description,
                          const struct dynamodb_key *keys, uint32_t key_count, struct buffer *out)
{
    for (uint32_t at = 0; at < key_count; at++) {
        char letter = dynamodb_description_letter(description, keys[at].name);
        if (keys[at].known && letter != 0 && letter != keys[at].letter) {
            buffer_format(out,
                          "the table is there with the key attribute %s of type %c, the plan "
                          "makes it %c\n",
                          keys[at].name, letter, keys[at].letter);
        }
    }
}

static void check_existing(const struct target_table *table,
                           const struct dynamodb_description *description, struct buffer *out)
{
    if (dynamodb_description_is_going(description)) {
        buffer_append_string(out, "the table is being deleted: wait until it is gone\n");
        return;
    }
    if (strcmp(description->status, "ACTIVE") != 0 &&
        strcmp(description->status, "UPDATING") != 0 &&
        strcmp(description->status, "CREATING") != 0) {
        buffer_format(out, "the table can't be written to: it is %s\n", description->status);
        return;
    }
    if (!column_list_is_equal(description->key, table->key)) {
        buffer_append_string(out, "the table is there with the key ");
        keyed_check_append_keys(description->key, table->key, out);
    }
    check_indexes(table, description, out);
}

/* A table that is to be made must say the types of its keys before the first record. */
static void check_unknown(const struct dynamodb_key *keys, uint32_t key_count, struct buffer *out)
{
    for (uint32_t at = 0; at < key_count; at++) {
        if (!keys[at].known) {
            buffer_format(out,
                          "the type of the key attribute %s is not known before the first record: "
                          "say `cast: text` or another one for it\n",
                          keys[at].name);
        }
    }
}

static void check_local_indexes(const struct target_table *table, struct buffer *out)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < table->index_count; at++) {
        const struct target_index *index = &table->indexes[at];
        if (!index->local) {
            continue;
        }
        if (++count == DYNAMODB_LOCAL_INDEXES_MAX + 1) {
            buffer_format(out, "more than %d local indexes: DynamoDB allows no more\n",
                          DYNAMODB_LOCAL_INDEXES_MAX);
        }
        if (table->key.count != 2) {
            buffer_format(out, "index \"%s\": local indexes need a table with a sort key\n",
                          index->name);
        } else if (index->columns.count != 2 ||
                   strcmp(index->columns.names[0], table->key.names[0]) != 0) {
            buffer_format(out,
                          "index \"%s\": a local index has the table's partition key %s and a "
                          "sort key of its own\n",
                          index->name, table->key.names[0]);
        }
    }
}

enum status dynamodb_network_check_table(struct database *self, const struct check_request *request,
                                         struct buffer *out, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    const struct target_table *table = request->table;
    struct dynamodb_description description;
    struct dynamodb_key *keys = NULL;
    uint32_t key_count = 0;
    size_t before = out->length;
    dynamodb_limits_check_table(table, request->shapes, request->shape_count, out);
    if (strncmp(table->name, "_transhume_", 11) == 0) {
        buffer_append_string(out, "names that begin with _transhume_ are the program's own\n");
    }
    check_local_indexes(table, out);
    if (out->length > before) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    dynamodb_item_keys(table, request->shapes, request->shape_count, arena, &keys, &key_count);
    enum status there = dynamodb_describe(network, table->name, arena, &description, error);
    if (there == STATUS_OK) {
        check_existing(table, &description, out);
        check_letters(&description, keys, key_count, out);
    } else if (there == STATUS_END) {
        check_unknown(keys, key_count, out);
    }
    if (there != STATUS_FAILED) {
        dynamodb_network_keys(network, table, request->shapes, request->shape_count,
                              there == STATUS_OK ? &description : NULL);
    }
    arena_destroy(arena);
    return there == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- fetching by key */

enum { FETCH_KEYS_MAX = 100, REST_TRIES_MAX = 64, REST_DOUBLINGS_MAX = 6 };
#define FETCH_TOLD "\"ReturnConsumedCapacity\":\"TOTAL\","

/* DynamoDB did not do all that it was asked for: before the rest is asked for again. */
static enum status wait_for_rest(const char *table, uint32_t tries, const char *what,
                                 struct error *error)
{
    if (tries == REST_TRIES_MAX) {
        return error_set(error, ERROR_TARGET_THROTTLED, table, "%s is throttled", what);
    }
    if (tries > 0) {
        uint32_t doublings = tries < REST_DOUBLINGS_MAX ? tries : REST_DOUBLINGS_MAX;
        clock_sleep_ms(service_backoff_ms(doublings, 0));
    }
    return STATUS_OK;
}

static enum status append_fetch_key(const struct target_table *table, const struct cell *key,
                                    struct buffer *body, struct error *error)
{
    buffer_append_byte(body, '{');
    for (uint32_t at = 0; at < table->key.count; at++) {
        dynamodb_body_name(body, table->key.names[at]);
        if (dynamodb_item_append_value(&key[at], table->key.names[at], body, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_byte(body, '}');
    return STATUS_OK;
}

/* Items of {"Responses":{"T":[item,…]},"UnprocessedKeys":{…},"ConsumedCapacity":[…]} go into the
 * batch; what was left is put into `left` as it stands, and so is what it took into `used`. */
static enum status take_items(struct json_reader *reader, struct batch *batch, struct buffer *left,
                              struct buffer *used, struct error *error)
{
    enum json_token token = JSON_TOKEN_END;
    enum status status = json_reader_next(reader, &token, error);
    while (status == STATUS_OK && (status = json_reader_next(reader, &token, error)) == STATUS_OK &&
           token == JSON_TOKEN_KEY) {
        bool responses = reader->length == 9 && memcmp(reader->text, "Responses", 9) == 0;
        bool unprocessed = reader->length == 15 && memcmp(reader->text, "UnprocessedKeys", 15) == 0;
        bool consumed = reader->length == 16 && memcmp(reader->text, "ConsumedCapacity", 16) == 0;
        if (!responses) {
            const char *start = reader->position;
            status = json_reader_skip(reader, token, error);
            if (status == STATUS_OK && consumed) {
                buffer_append(used, start, (size_t)(reader->position - start));
            }
            if (status == STATUS_OK && unprocessed) {
                const char *value = start;
                while (*value != '{' && value < reader->position) {
                    value++;
                }
                buffer_append(left, value, (size_t)(reader->position - value));
            }
            continue;
        }
        status = json_reader_next(reader, &token, error); /* { */
        while (status == STATUS_OK &&
               (status = json_reader_next(reader, &token, error)) == STATUS_OK &&
               token == JSON_TOKEN_KEY) {
            status = json_reader_next(reader, &token, error); /* [ */
            while (status == STATUS_OK &&
                   (status = json_reader_next(reader, &token, error)) == STATUS_OK &&
                   token == JSON_TOKEN_OBJECT_BEGIN) {
                struct cell *row = batch_append(batch);
                status = dynamodb_item_read(reader, true, batch->arena, row, error);
            }
        }
    }
    return status;
}

/* The answer's items, and what it took of the cap; where that is not told, its length says no less.
 */
static enum status take_answer(struct dynamodb_network *network,
                               const struct service_reply *response, struct batch *batch,
                               struct buffer *left, struct error *error)
{
    size_t length = response->body.length;
    /* texts of the items point into what outlives the answer */
    char *text = arena_try_copy(batch->arena, response->body.data, length);
    struct buffer used = {0};
    struct json_reader reader;
    if (text == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for an answer");
    }
    json_reader_init(&reader, text, length, DYNAMODB_JSON_DEPTH_MAX, batch->arena);
    enum status status = take_items(&reader, batch, left, &used, error);
    double units = dynamodb_units_told(buffer_string(&used));
    keyed_capacity_take(&network->read_capacity,
                        units > 0 ? (int64_t)(units * 1000)
                                  : (int64_t)dynamodb_estimate_read_milliunits(length, true));
    buffer_free(&used);
    return status;
}

static enum status fetch_some(struct dynamodb_network *network, const struct target_table *table,
                              const struct buffer *keys, struct batch *batch, struct error *error)
{
    struct buffer body = {0};
    struct buffer left = {0};
    enum status status = STATUS_OK;
    dynamodb_body_raw(&body, "{" FETCH_TOLD "\"RequestItems\":{");
    dynamodb_body_name(&body, table->name);
    dynamodb_body_raw(&body, "{\"ConsistentRead\":true,\"Keys\":[");
    buffer_append(&body, keys->data, keys->length);
    dynamodb_body_raw(&body, "]}}}");
    for (uint32_t tries = 0; status == STATUS_OK && body.length > 0; tries++) {
        struct service_reply *response = NULL;
        status = wait_for_rest(table->name, tries, "reading records back", error);
        if (status == STATUS_OK) {
            keyed_capacity_wait(&network->read_capacity);
            status = dynamodb_network_call(network, "BatchGetItem", table->name, &body, &response,
                                           error);
        }
        buffer_clear(&left);
        if (status == STATUS_OK && response->fault != DYNAMODB_FAULT_NONE) {
            error_copy(error, &response->error);
            status = STATUS_FAILED;
            if (response->fault == DYNAMODB_FAULT_INVALID) {
                error_recode(error,
                             ERROR_REJECT_TYPE); /* no key of this table's: of another type */
            }
        }
        status = status == STATUS_OK ? take_answer(network, response, batch, &left, error) : status;
        service_reply_destroy(response);
        buffer_clear(&body);
        if (status == STATUS_OK && left.length > 2) {
            dynamodb_body_raw(&body, "{" FETCH_TOLD "\"RequestItems\":");
            buffer_append(&body, left.data, left.length);
            dynamodb_body_raw(&body, "}");
        }
    }
    buffer_free(&body);
    buffer_free(&left);
    return status;
}

enum status dynamodb_network_fetch(struct database *self, const struct target_table *table,
                                   const struct cell *keys, uint32_t key_count,
                                   struct batch **batch, struct error *error)
{
    struct buffer list = {0};
    struct batch *made = batch_create(NULL, 1, key_count + 1);
    enum status status = STATUS_OK;
    /* a key takes a unit at least: no request is for more than a second's worth of a cap */
    uint64_t cap = dynamodb_network_of(self)->read_units;
    uint32_t keys_max = cap > 0 && cap < FETCH_KEYS_MAX ? (uint32_t)cap : FETCH_KEYS_MAX;
    for (uint32_t at = 0; at < key_count && status == STATUS_OK;) {
        buffer_clear(&list);
        uint32_t end = at + keys_max < key_count ? at + keys_max : key_count;
        for (uint32_t begin = at; at < end && status == STATUS_OK; at++) {
            if (at > begin) {
                buffer_append_byte(&list, ',');
            }
            status = append_fetch_key(table, keys + (size_t)at * table->key.count, &list, error);
        }
        if (status == STATUS_OK) {
            status = fetch_some(dynamodb_network_of(self), table, &list, made, error);
        }
    }
    buffer_free(&list);
    if (status != STATUS_OK) {
        batch_destroy(made);
        made = NULL;
    }
    *batch = made;
    return status;
}

/* ---------------------------------------------------------------- emptying */

static enum status send_deletes(struct dynamodb_network *network, const char *table,
                                struct buffer *body, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t tries = 0; status == STATUS_OK && body->length > 0; tries++) {
        struct service_reply *response = NULL;
        status = wait_for_rest(table, tries, "emptying the table", error);
        if (status == STATUS_OK) {
            status =
                dynamodb_network_write(network, "BatchWriteItem", table, body, &response, error);
        }
        buffer_clear(body);
        if (status == STATUS_OK && response->fault != DYNAMODB_FAULT_NONE) {
            error_copy(error, &response->error);
            status = STATUS_FAILED;
        }
        if (status == STATUS_OK) {
            json_t *reply = dynamodb_reply_parse(response, table, error);
            const json_t *left = json_object_get(reply, "UnprocessedItems");
            status = reply == NULL ? STATUS_FAILED : STATUS_OK;
            if (json_object_size(left) > 0) {
                buffer_append_string(body, "{\"RequestItems\":");
                json_tree_append(left, JSON_COMPACT, body);
                buffer_append_byte(body, '}');
            }
            json_decref(reply);
        }
        service_reply_destroy(response);
    }
    return status;
}

enum status dynamodb_network_erase(struct database *self, const struct target_table *table,
                                   const struct cell *keys, uint32_t count, struct error *error)
{
    struct buffer body = {0};
    enum status status = STATUS_OK;
    dynamodb_body_raw(&body, "{" FETCH_TOLD "\"RequestItems\":{");
    dynamodb_body_name(&body, table->name);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        buffer_append_string(&body, at > 0 ? "," : "[");
        buffer_append_string(&body, "{\"DeleteRequest\":{\"Key\":");
        status = append_fetch_key(table, keys + (size_t)at * table->key.count, &body, error);
        buffer_append_string(&body, "}}");
    }
    dynamodb_body_raw(&body, "]}}");
    if (status == STATUS_OK) {
        status = send_deletes(dynamodb_network_of(self), table->name, &body, error);
    }
    buffer_free(&body);
    return status;
}

static enum status delete_page(struct dynamodb_network *network, const struct target_table *table,
                               const struct page *page, struct error *error)
{
    const json_t *items = json_object_get(page->reply, "Items");
    struct buffer body = {0};
    enum status status = STATUS_OK;
    size_t count = json_array_size(items);
    for (size_t at = 0; at < count && status == STATUS_OK;) {
        buffer_clear(&body);
        dynamodb_body_raw(&body, "{\"RequestItems\":{");
        dynamodb_body_name(&body, table->name);
        for (size_t end = at + DYNAMODB_WRITES_MAX, first = at; at < end && at < count; at++) {
            dynamodb_body_raw(&body, at > first ? ",{\"DeleteRequest\":{\"Key\":"
                                                : "[{\"DeleteRequest\":{\"Key\":");
            json_tree_append(json_array_get(items, at), JSON_COMPACT, &body);
            dynamodb_body_raw(&body, "}}");
        }
        dynamodb_body_raw(&body, "]}}");
        status = send_deletes(network, table->name, &body, error);
    }
    buffer_free(&body);
    return status;
}

enum status dynamodb_network_empty(struct database *self, const struct target_table *table,
                                   struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct page page = {0};
    struct buffer keys = {0};
    enum status status = STATUS_OK;
    buffer_append_string(&keys, table->key.count > 1 ? ",\"ProjectionExpression\":\"#a,#b\""
                                                     : ",\"ProjectionExpression\":\"#a\"");
    dynamodb_body_name(&keys, "ExpressionAttributeNames");
    dynamodb_body_raw(&keys, "{");
    dynamodb_body_text(&keys, "#a", table->key.names[0]);
    if (table->key.count > 1) {
        dynamodb_body_text(&keys, "#b", table->key.names[1]);
    }
    dynamodb_body_raw(&keys, "}");
    do {
        status = scan_page(network, table->name, buffer_string(&keys), &page, error);
        status = status == STATUS_OK ? delete_page(network, table, &page, error) : status;
    } while (status == STATUS_OK && page.next.length > 0);
    free_page(&page);
    buffer_free(&keys);
    return status;
}
