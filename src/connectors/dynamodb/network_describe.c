/* DescribeTable, read into what the rest of the connector asks of a table. */
#include "connectors/dynamodb/network_describe.h"

#include "connectors/dynamodb/network_json.h"
#include <string.h>

enum { KEY_MAX = 2, LISTED_MAX = 64 };

static const char *text_of(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_string_value(json_object_get(object, name));
    return arena_copy_string(arena, text != NULL ? text : "");
}

/* KeySchema: the partition key first. */
static bool read_key(const json_t *schema, struct arena *arena, struct column_list *key)
{
    const char **names = (const char **)arena_allocate_zeroed(arena, KEY_MAX, sizeof(*names));
    if (names == NULL || json_array_size(schema) > KEY_MAX) {
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

static bool read_attributes(const json_t *list, struct arena *arena,
                            struct dynamodb_description *description)
{
    size_t count = json_array_size(list);
    description->attributes = (struct dynamodb_attribute *)arena_allocate_zeroed(
        arena, count + 1, sizeof(*description->attributes));
    for (size_t at = 0; description->attributes != NULL && at < count; at++) {
        const json_t *element = json_array_get(list, at);
        const char *type = json_string_value(json_object_get(element, "AttributeType"));
        description->attributes[at] = (struct dynamodb_attribute){
            text_of(element, "AttributeName", arena), type != NULL ? type[0] : 0};
        if (description->attributes[at].name == NULL) {
            return false;
        }
    }
    description->attribute_count = (uint32_t)count;
    return description->attributes != NULL;
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
        index->projection =
            text_of(json_object_get(element, "Projection"), "ProjectionType", arena);
        if (index->name == NULL || index->status == NULL || index->projection == NULL ||
            !read_key(json_object_get(element, "KeySchema"), arena, &index->key)) {
            return false;
        }
    }
    return true;
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
    description->item_count = dynamodb_reply_number(table, "ItemCount");
    description->size_bytes = dynamodb_reply_number(table, "TableSizeBytes");
    description->indexes = (struct dynamodb_index *)arena_allocate_zeroed(
        arena, count + 1, sizeof(*description->indexes));
    return description->indexes != NULL && count <= LISTED_MAX && description->name != NULL &&
           description->status != NULL && description->arn != NULL && description->id != NULL &&
           read_key(json_object_get(table, "KeySchema"), arena, &description->key) &&
           read_attributes(json_object_get(table, "AttributeDefinitions"), arena, description) &&
           read_indexes(global, false, arena, description) &&
           read_indexes(local, true, arena, description);
}

enum status dynamodb_describe(struct dynamodb_network *network, const char *table,
                              struct arena *arena, struct dynamodb_description *description,
                              struct error *error)
{
    struct buffer body = {0};
    struct dynamodb_response *response = NULL;
    enum status status = STATUS_OK;
    *description = (struct dynamodb_description){0};
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", table);
    dynamodb_body_raw(&body, "}");
    status = dynamodb_network_call(network, "DescribeTable", table, &body, &response, error);
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
        json_t *root = dynamodb_reply_parse(response, table, error);
        status = root != NULL ? STATUS_OK : STATUS_FAILED;
        if (root != NULL && !read_table(json_object_get(root, "Table"), arena, description)) {
            status = error_set(error, ERROR_NETWORK_ANSWER, table,
                               "DescribeTable's answer can't be understood");
        }
        json_decref(root);
    }
    dynamodb_response_destroy(response);
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
