/* DescribeTable, read into what the rest of the connector asks of a table. */
#include "connectors/dynamodb/network/describe.h"

#include "base/memory.h"
#include "connectors/dynamodb/network/body.h"
#include "connectors/dynamodb/network/whole.h"
#include "model/json_tree.h"
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 2, LISTED_MAX = 64, DESCRIBED_AT_ONCE = 16, ANSWER_WAIT_MS = 1000 };

static const char *text_of(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_string_value(json_object_get(object, name));
    return arena_copy_string(arena, text != NULL ? text : "");
}

/* NULL for all attributes. */
static const char *read_projection(const json_t *projection, struct arena *arena)
{
    const char *type = json_string_value(json_object_get(projection, "ProjectionType"));
    if (type == NULL || strcmp(type, "ALL") == 0) {
        return NULL;
    }
    struct buffer dump = {0};
    json_tree_append(projection, JSON_COMPACT | JSON_SORT_KEYS, &dump);
    const char *text = arena_copy(arena, dump.data, dump.length);
    buffer_free(&dump);
    return text;
}

/* KeySchema: the partition key first. */
static bool read_key(const json_t *schema, struct arena *arena, struct column_list *key)
{
    const char **names = arena_allocate_zeroed(arena, KEY_MAX, sizeof(*names));
    if (json_array_size(schema) > KEY_MAX) {
        return false;
    }
    for (size_t at = 0; at < json_array_size(schema); at++) {
        const json_t *element = json_array_get(schema, at);
        const char *type = json_string_value(json_object_get(element, "KeyType"));
        bool sort = type != NULL && strcmp(type, "RANGE") == 0;
        names[sort ? 1 : 0] = text_of(element, "AttributeName", arena);
    }
    *key = (struct column_list){names, (uint32_t)json_array_size(schema)};
    return names[0] != NULL && (key->count < KEY_MAX || names[1] != NULL);
}

static void read_attributes(const json_t *list, struct arena *arena,
                            struct dynamodb_description *description)
{
    size_t count = json_array_size(list);
    description->attributes =
        arena_allocate_zeroed(arena, count + 1, sizeof(*description->attributes));
    for (size_t at = 0; at < count; at++) {
        const json_t *element = json_array_get(list, at);
        const char *type = json_string_value(json_object_get(element, "AttributeType"));
        description->attributes[at] = (struct dynamodb_attribute){
            text_of(element, "AttributeName", arena), type != NULL ? type[0] : 0};
    }
    description->attribute_count = (uint32_t)count;
}

static bool read_indexes(const json_t *list, bool local, struct arena *arena,
                         struct dynamodb_description *description)
{
    for (size_t at = 0; at < json_array_size(list); at++) {
        const json_t *element = json_array_get(list, at);
        struct dynamodb_index *index = &description->indexes[description->index_count++];
        index->name = text_of(element, "IndexName", arena);
        index->local = local;
        index->status = local ? "ACTIVE" : text_of(element, "IndexStatus", arena);
        index->projection = read_projection(json_object_get(element, "Projection"), arena);
        if (!read_key(json_object_get(element, "KeySchema"), arena, &index->key)) {
            return false;
        }
    }
    return true;
}

bool dynamodb_description_is_going(const struct dynamodb_description *description)
{
    return strcmp(description->status, "DELETING") == 0;
}

/* The key of a table that is being deleted need not be told by the service. */
static bool read_table_key(const json_t *table, struct arena *arena,
                           struct dynamodb_description *description)
{
    const json_t *schema = json_object_get(table, "KeySchema");
    return (schema == NULL && dynamodb_description_is_going(description)) ||
           read_key(schema, arena, &description->key);
}

static bool read_table(const json_t *table, struct arena *arena,
                       struct dynamodb_description *description)
{
    const json_t *global = json_object_get(table, "GlobalSecondaryIndexes");
    const json_t *local = json_object_get(table, "LocalSecondaryIndexes");
    const json_t *throughput = json_object_get(table, "ProvisionedThroughput");
    const char *mode = json_string_value(
        json_object_get(json_object_get(table, "BillingModeSummary"), "BillingMode"));
    size_t count = json_array_size(global) + json_array_size(local);
    description->name = text_of(table, "TableName", arena);
    description->status = text_of(table, "TableStatus", arena);
    description->arn = text_of(table, "TableArn", arena);
    description->id = text_of(table, "TableId", arena);
    description->read_units = dynamodb_reply_number(throughput, "ReadCapacityUnits");
    description->write_units = dynamodb_reply_number(throughput, "WriteCapacityUnits");
    description->on_demand =
        mode != NULL ? strcmp(mode, "PAY_PER_REQUEST") == 0 : description->write_units == 0;
    description->whole = dynamodb_whole_described(table, description->on_demand, arena);
    description->item_count = dynamodb_reply_number(table, "ItemCount");
    description->size_bytes = dynamodb_reply_number(table, "TableSizeBytes");
    description->indexes = arena_allocate_zeroed(arena, count + 1, sizeof(*description->indexes));
    read_attributes(json_object_get(table, "AttributeDefinitions"), arena, description);
    return count <= LISTED_MAX && read_table_key(table, arena, description) &&
           read_indexes(global, false, arena, description) &&
           read_indexes(local, true, arena, description);
}

bool dynamodb_description_is_active(const struct dynamodb_description *description)
{
    bool active = strcmp(description->status, "ACTIVE") == 0;
    for (uint32_t i = 0; i < description->index_count; i++) {
        active = active && strcmp(description->indexes[i].status, "ACTIVE") == 0;
    }
    return active;
}

static void append_request(struct buffer *body, const char *table)
{
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "TableName", table);
    dynamodb_body_raw(body, "}");
}

/* STATUS_END: there is no such table. */
static enum status read_answer(struct service_reply *response, const char *table,
                               struct arena *arena, struct dynamodb_description *description,
                               struct error *error)
{
    if (response->fault == DYNAMODB_FAULT_MISSING) {
        return STATUS_END;
    }
    if (response->fault != DYNAMODB_FAULT_NONE) {
        return error_copy(error, &response->error);
    }
    json_t *root = dynamodb_reply_parse(response, table, error);
    enum status status = root != NULL ? STATUS_OK : STATUS_FAILED;
    if (root != NULL && !read_table(json_object_get(root, "Table"), arena, description)) {
        status = error_set(error, ERROR_NETWORK_ANSWER, table,
                           "DescribeTable's answer can't be understood");
    }
    json_decref(root);
    return status;
}

enum status dynamodb_describe(struct dynamodb_network *network, const char *table,
                              struct arena *arena, struct dynamodb_description *description,
                              struct error *error)
{
    struct buffer body = {0};
    struct service_reply *response = NULL;
    *description = (struct dynamodb_description){0};
    append_request(&body, table);
    enum status status =
        dynamodb_network_call(network, "DescribeTable", table, &body, &response, error);
    buffer_free(&body);
    status = status == STATUS_OK ? read_answer(response, table, arena, description, error) : status;
    service_reply_destroy(response);
    return status;
}

/* ---------------------------------------------------------------- many at once */

/* One of many tables. */
struct question {
    const char *table;
    struct buffer body;
    bool answered; /* false in the end: asked once more, alone and with patience */
    bool found;
};

static enum status take_answer(struct dynamodb_client *client, struct question *questions,
                               struct arena *arena, struct dynamodb_description *descriptions,
                               struct error *error)
{
    struct service_reply *response = NULL;
    enum status status = dynamodb_client_poll(client, ANSWER_WAIT_MS, &response, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct question *question = (struct question *)response->context;
    size_t at = (size_t)(question - questions);
    if (response->fault == DYNAMODB_FAULT_NONE || response->fault == DYNAMODB_FAULT_MISSING) {
        status = read_answer(response, question->table, arena, &descriptions[at], error);
        question->answered = status != STATUS_FAILED;
        question->found = status == STATUS_OK;
    }
    service_reply_destroy(response);
    return status == STATUS_FAILED ? status : STATUS_OK;
}

static enum status ask_all(struct dynamodb_client *client, struct question *questions,
                           uint32_t count, struct arena *arena,
                           struct dynamodb_description *descriptions, struct error *error)
{
    uint32_t asked = 0;
    enum status status = STATUS_OK;
    while (status != STATUS_FAILED && (asked < count || status != STATUS_END)) {
        while (asked < count) {
            struct question *question = &questions[asked];
            const struct dynamodb_request request = {.operation = "DescribeTable",
                                                     .object = question->table,
                                                     .body = question->body.data,
                                                     .body_length = question->body.length,
                                                     .context = question};
            status = dynamodb_client_submit(client, &request, error);
            if (status == STATUS_AGAIN) {
                break;
            }
            asked = status == STATUS_OK ? asked + 1 : count; /* the rest is asked one by one */
        }
        status = take_answer(client, questions, arena, descriptions, error);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* In their order, without those that there are not. */
static enum status gather(struct dynamodb_network *network, const struct question *questions,
                          uint32_t count, struct arena *arena,
                          struct dynamodb_description *descriptions, uint32_t *found,
                          struct error *error)
{
    enum status status = STATUS_OK;
    *found = 0;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        bool there = questions[at].found;
        if (!questions[at].answered) {
            status =
                dynamodb_describe(network, questions[at].table, arena, &descriptions[at], error);
            there = status == STATUS_OK;
            status = status == STATUS_END ? STATUS_OK : status;
        }
        if (there) {
            descriptions[(*found)++] = descriptions[at];
        }
    }
    return status;
}

enum status dynamodb_describe_many(struct dynamodb_network *network, const char *const *tables,
                                   uint32_t count, struct arena *arena,
                                   struct dynamodb_description *descriptions, uint32_t *found,
                                   struct error *error)
{
    struct dynamodb_client *client = NULL;
    struct question *questions = memory_allocate_zeroed((size_t)count + 1, sizeof(*questions));
    *found = 0;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count; at++) {
        questions[at].table = tables[at];
        append_request(&questions[at].body, tables[at]);
    }
    uint32_t connections = count < DESCRIBED_AT_ONCE ? count : DESCRIBED_AT_ONCE;
    if (count > 1) {
        status = dynamodb_client_create(network->service, connections, &client, error);
    }
    if (status == STATUS_OK && count > 1) {
        status = ask_all(client, questions, count, arena, descriptions, error);
    }
    dynamodb_client_destroy(client); /* before the bodies, which it borrows */
    if (status == STATUS_OK) {
        status = gather(network, questions, count, arena, descriptions, found, error);
    }
    for (uint32_t at = 0; at < count; at++) {
        buffer_free(&questions[at].body);
    }
    free(questions);
    return status;
}

char dynamodb_description_letter(const struct dynamodb_description *description, const char *name)
{
    for (uint32_t at = 0; at < description->attribute_count; at++) {
        if (strcmp(description->attributes[at].name, name) == 0) {
            return description->attributes[at].letter;
        }
    }
    return 0;
}

const struct dynamodb_index *
dynamodb_description_index(const struct dynamodb_description *description, const char *name)
{
    for (uint32_t at = 0; at < description->index_count; at++) {
        if (strcmp(description->indexes[at].name, name) == 0) {
            return &description->indexes[at];
        }
    }
    return NULL;
}
