/* The settings that a table has besides items, keys and indexes: read from the source, told to
 * CreateTable. */
#include "connectors/dynamodb/network/whole.h"

#include "base/text.h"
#include "connectors/dynamodb/network/body.h"
#include "connectors/dynamodb/network/source.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TAG_PAGES_MAX = 20, STREAM_KIND_BYTES = 40 };

static const char reserved_tags[] = "aws:"; /* AWS's own: nobody else may set them */

/* ---------------------------------------------------------------- what DescribeTable says */

/* {"ProvisionedThroughput":{…}} or {"OnDemandThroughput":{…}} or {}. */
static void append_throughput(const json_t *from, bool on_demand, struct buffer *out)
{
    static const char *const provisioned[] = {"ReadCapacityUnits", "WriteCapacityUnits"};
    static const char *const capped[] = {"MaxReadRequestUnits", "MaxWriteRequestUnits"};
    const char *const *names = on_demand ? capped : provisioned;
    const char *member = on_demand ? "OnDemandThroughput" : "ProvisionedThroughput";
    const json_t *throughput = json_object_get(from, member);
    bool any = false;
    for (size_t at = 0; at < 2; at++) {
        uint64_t units = dynamodb_reply_number(throughput, names[at]);
        if (units > 0) { /* a cap of -1 is none */
            if (!any) {
                dynamodb_body_name(out, member);
                dynamodb_body_raw(out, "{");
            }
            dynamodb_body_name(out, names[at]);
            buffer_format(out, "%" PRIu64, units);
            any = true;
        }
    }
    dynamodb_body_raw(out, any ? "}" : "");
}

static void append_indexes(const json_t *indexes, bool on_demand, struct buffer *out)
{
    dynamodb_body_name(out, "indexes");
    dynamodb_body_raw(out, "{");
    for (size_t at = 0; at < json_array_size(indexes); at++) {
        const json_t *index = json_array_get(indexes, at);
        const char *name = json_string_value(json_object_get(index, "IndexName"));
        if (name != NULL) {
            dynamodb_body_name(out, name);
            dynamodb_body_raw(out, "{");
            append_throughput(index, on_demand, out);
            dynamodb_body_raw(out, "}");
        }
    }
    dynamodb_body_raw(out, "}");
}

/* The settings that need more than a word to CreateTable, or would bind the copy while it is being
 * made. */
static void append_left(const json_t *table, struct buffer *out)
{
    const json_t *stream = json_object_get(table, "StreamSpecification");
    const char *key = json_string_value(
        json_object_get(json_object_get(table, "SSEDescription"), "KMSMasterKeyArn"));
    dynamodb_body_name(out, "left");
    dynamodb_body_raw(out, "[");
    if (json_is_true(json_object_get(stream, "StreamEnabled"))) {
        const char *kind = json_string_value(json_object_get(stream, "StreamViewType"));
        char text[STREAM_KIND_BYTES + 16];
        snprintf(text, sizeof(text), "its stream (%.*s)", STREAM_KIND_BYTES,
                 kind != NULL ? kind : "");
        dynamodb_body_element(out, text);
    }
    if (json_is_true(json_object_get(table, "DeletionProtectionEnabled"))) {
        dynamodb_body_element(out, "deletion protection");
    }
    if (key != NULL) {
        dynamodb_body_element(out, "encryption under a KMS key");
    }
    if (json_array_size(json_object_get(table, "Replicas")) > 0) {
        dynamodb_body_element(out, "replicas in other regions");
    }
    dynamodb_body_raw(out, "]");
}

const char *dynamodb_whole_described(const json_t *table, bool on_demand, struct arena *arena)
{
    struct buffer out = {0};
    const char *class = json_string_value(
        json_object_get(json_object_get(table, "TableClassSummary"), "TableClass"));
    dynamodb_body_raw(&out, "{\"table\":{");
    append_throughput(table, on_demand, &out);
    if (class != NULL && strcmp(class, "STANDARD") != 0) {
        dynamodb_body_text(&out, "TableClass", class);
    }
    dynamodb_body_raw(&out, "}");
    append_indexes(json_object_get(table, "GlobalSecondaryIndexes"), on_demand, &out);
    append_left(table, &out);
    const char *text = arena_copy(arena, out.data, out.length);
    buffer_free(&out);
    return text;
}

/* ---------------------------------------------------------------- what has to be asked for */

/* `*reply` is NULL where the endpoint knows no such thing. STATUS_END: it may not be read, `error`
 * says why. */
static enum status whole_ask(struct dynamodb_network *network, const char *operation,
                             const char *object, const struct buffer *body, json_t **reply,
                             struct error *error)
{
    struct service_reply *response = NULL;
    *reply = NULL;
    enum status status = dynamodb_network_call(network, operation, object, body, &response, error);
    if (status != STATUS_OK) {
        return error->code == ERROR_PERMISSION ? STATUS_END : STATUS_FAILED;
    }
    if (response->fault == DYNAMODB_FAULT_NONE) {
        *reply = dynamodb_reply_parse(response, object, error);
        status = *reply != NULL ? STATUS_OK : STATUS_FAILED;
    } else if (response->fault != DYNAMODB_FAULT_UNKNOWN &&
               response->fault != DYNAMODB_FAULT_MISSING) {
        error_copy(error, &response->error);
        status = STATUS_FAILED;
    }
    service_reply_destroy(response);
    return status;
}

static enum status read_ttl(struct dynamodb_network *network, const char *table, struct buffer *out,
                            struct error *error)
{
    struct buffer body = {0};
    json_t *reply = NULL;
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", table);
    dynamodb_body_raw(&body, "}");
    enum status status = whole_ask(network, "DescribeTimeToLive", table, &body, &reply, error);
    buffer_free(&body);
    const json_t *told = json_object_get(reply, "TimeToLiveDescription");
    const char *state = json_string_value(json_object_get(told, "TimeToLiveStatus"));
    const char *name = json_string_value(json_object_get(told, "AttributeName"));
    if (name != NULL && state != NULL &&
        (strcmp(state, "ENABLED") == 0 || strcmp(state, "ENABLING") == 0)) {
        dynamodb_body_text(out, "ttl", name);
    }
    json_decref(reply);
    return status;
}

/* STATUS_END: they may not be read. */
static enum status read_tags(struct dynamodb_network *network, const char *arn, json_t *tags,
                             struct error *error)
{
    enum status status = STATUS_OK;
    const char *next = NULL;
    json_t *reply = NULL;
    for (int pages = 0; arn[0] != '\0' && status == STATUS_OK && pages < TAG_PAGES_MAX; pages++) {
        struct buffer body = {0};
        dynamodb_body_raw(&body, "{");
        dynamodb_body_text(&body, "ResourceArn", arn);
        if (next != NULL) {
            dynamodb_body_text(&body, "NextToken", next);
        }
        dynamodb_body_raw(&body, "}");
        json_decref(reply);
        status = whole_ask(network, "ListTagsOfResource", arn, &body, &reply, error);
        buffer_free(&body);
        json_t *page = json_object_get(reply, "Tags");
        if (status == STATUS_OK && json_is_array(page)) {
            json_array_extend(tags, page);
        }
        next = json_string_value(json_object_get(reply, "NextToken"));
        if (next == NULL) {
            break;
        }
    }
    json_decref(reply);
    return status;
}

enum status dynamodb_tags_read(struct dynamodb_network *network, const char *arn, json_t *tags,
                               struct error *error)
{
    return read_tags(network, arn, tags, error) == STATUS_OK ? STATUS_OK : STATUS_FAILED;
}

static bool is_carried(const char *key)
{
    return key != NULL && strcmp(key, DYNAMODB_RUN_TAG) != 0 &&
           strncmp(key, reserved_tags, sizeof(reserved_tags) - 1) != 0;
}

static enum status append_tags(struct dynamodb_network *network, const char *arn,
                               struct buffer *out, struct error *error)
{
    json_t *tags = json_array();
    enum status status = read_tags(network, arn, tags, error);
    dynamodb_body_name(out, "tags");
    dynamodb_body_raw(out, "[");
    for (size_t at = 0; status == STATUS_OK && at < json_array_size(tags); at++) {
        const json_t *tag = json_array_get(tags, at);
        const char *key = json_string_value(json_object_get(tag, "Key"));
        const char *value = json_string_value(json_object_get(tag, "Value"));
        if (is_carried(key)) {
            dynamodb_body_raw(out, buffer_last(out) == '[' ? "{" : ",{");
            dynamodb_body_text(out, "Key", key);
            dynamodb_body_text(out, "Value", value != NULL ? value : "");
            dynamodb_body_raw(out, "}");
        }
    }
    dynamodb_body_raw(out, "]");
    json_decref(tags);
    return status;
}

static void append_unread(const char *what, const struct error *error, struct buffer *out)
{
    char text[sizeof(error->message) + 32];
    snprintf(text, sizeof(text), "%s: %s", what, error->message);
    dynamodb_body_element(out, text);
}

static enum status settings_of(struct dynamodb_network *network, const char *name,
                               struct arena *arena, const char **settings, struct error *error)
{
    const struct dynamodb_description *table = NULL;
    struct error why_no_ttl;
    struct error why_no_tags;
    if (dynamodb_source_find(network, name, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct buffer out = {0};
    dynamodb_body_raw(&out, table->whole);
    enum status ttl = read_ttl(network, name, &out, &why_no_ttl);
    enum status tags =
        ttl != STATUS_FAILED ? append_tags(network, table->arn, &out, &why_no_tags) : STATUS_FAILED;
    dynamodb_body_name(&out, "unread");
    dynamodb_body_raw(&out, "[");
    if (ttl == STATUS_END) {
        append_unread("its time to live", &why_no_ttl, &out);
    }
    if (tags == STATUS_END) {
        append_unread("its tags", &why_no_tags, &out);
    }
    dynamodb_body_raw(&out, "]}");
    enum status status = STATUS_OK;
    if (ttl == STATUS_FAILED || tags == STATUS_FAILED) {
        error_copy(error, ttl == STATUS_FAILED ? &why_no_ttl : &why_no_tags);
        status = STATUS_FAILED;
    } else {
        *settings = arena_copy(arena, out.data, out.length);
    }
    buffer_free(&out);
    return status;
}

enum status dynamodb_whole_settings(struct database *self, const char *const *tables,
                                    uint32_t count, struct arena *arena, const char **settings,
                                    struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        status = settings_of(dynamodb_network_of(self), tables[at], arena, &settings[at], error);
    }
    return status;
}

/* ---------------------------------------------------------------- as the target */

enum status dynamodb_whole_read(const struct target_table *table, json_t **whole,
                                struct error *error)
{
    *whole = NULL;
    return table->settings == NULL ? STATUS_OK
                                   : json_tree_parse(table->settings, strlen(table->settings), 0,
                                                     table->name, ERROR_INTERNAL, whole, error);
}

static const json_t *throughput_of(const json_t *whole)
{
    return json_object_get(json_object_get(whole, "table"), "ProvisionedThroughput");
}

void dynamodb_whole_append(const json_t *whole, const char *index, struct buffer *body)
{
    const json_t *members = index == NULL
                                ? json_object_get(whole, "table")
                                : json_object_get(json_object_get(whole, "indexes"), index);
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)members, name, value)
    {
        dynamodb_body_name(body, name);
        json_tree_append(value, JSON_COMPACT | JSON_ENCODE_ANY, body);
    }
    if (index == NULL) {
        dynamodb_body_text(body, "BillingMode",
                           throughput_of(whole) != NULL ? "PROVISIONED" : "PAY_PER_REQUEST");
    }
}

uint64_t dynamodb_whole_write_units(const json_t *whole)
{
    return dynamodb_reply_number(throughput_of(whole), "WriteCapacityUnits");
}

const char *dynamodb_whole_ttl(const json_t *whole)
{
    return json_string_value(json_object_get(whole, "ttl"));
}

static void append_list(const json_t *list, bool *any, struct buffer *out)
{
    for (size_t at = 0; at < json_array_size(list); at++) {
        buffer_format(out, "%s%s", *any ? ", " : "", json_string_value(json_array_get(list, at)));
        *any = true;
    }
}

void dynamodb_whole_append_left(const json_t *whole, struct buffer *out)
{
    bool any = false;
    append_list(json_object_get(whole, "left"), &any, out);
    append_list(json_object_get(whole, "unread"), &any, out);
}

static void append_billing(const json_t *whole, struct buffer *out)
{
    const json_t *throughput = throughput_of(whole);
    const json_t *table = json_object_get(whole, "table");
    const char *class = json_string_value(json_object_get(table, "TableClass"));
    if (throughput != NULL) {
        buffer_format(out, "provisioned for %" PRIu64 " read and %" PRIu64 " write units a second",
                      dynamodb_reply_number(throughput, "ReadCapacityUnits"),
                      dynamodb_reply_number(throughput, "WriteCapacityUnits"));
    } else {
        buffer_format(out, "on demand%s",
                      json_object_get(table, "OnDemandThroughput") != NULL ? ", capped" : "");
    }
    if (class != NULL) {
        buffer_format(out, ", class %s", class);
    }
}

void dynamodb_whole_append_told(const json_t *whole, bool plan_bills, struct buffer *out)
{
    size_t tag_count = json_array_size(json_object_get(whole, "tags"));
    const char *ttl = dynamodb_whole_ttl(whole);
    if (plan_bills) {
        buffer_append_string(out, "billed as the plan says");
    } else {
        append_billing(whole, out);
    }
    if (ttl != NULL) {
        char shown[128];
        text_printable(ttl, strlen(ttl), shown, sizeof(shown));
        buffer_format(out, ", time to live by %s", shown);
    }
    if (tag_count > 0) {
        buffer_format(out, ", %zu tag%s", tag_count, tag_count > 1 ? "s" : "");
    }
}
