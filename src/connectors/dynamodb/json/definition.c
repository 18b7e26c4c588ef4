/* Table definitions in the form that DynamoDB's CreateTable and ImportTable take. */
#include "connectors/dynamodb/json/json.h"

#include "base/file.h"
#include "base/text.h"
#include "connectors/dynamodb/limits.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <string.h>

enum { DEFINITION_BYTES_MAX = 16 * 1024 * 1024, KEYS_MAX = 64 };

/* ---------------------------------------------------------------- writing */

static void append_text(struct buffer *out, const char *text)
{
    json_append_string(out, text, strlen(text));
}

static void append_key_schema(const struct column_list *columns, const char *indent,
                              struct buffer *out)
{
    buffer_format(out, "%s\"KeySchema\": [", indent);
    for (uint32_t at = 0; at < columns->count; at++) {
        buffer_append_string(out, at > 0 ? ", {\"AttributeName\": " : "{\"AttributeName\": ");
        append_text(out, columns->names[at]);
        buffer_format(out, ", \"KeyType\": \"%s\"}", at == 0 ? "HASH" : "RANGE");
    }
    buffer_append_byte(out, ']');
}

static void append_throughput(const char *indent, uint64_t read, uint64_t write, struct buffer *out)
{
    if (read > 0) {
        buffer_format(out,
                      ",\n%s\"ProvisionedThroughput\": {\"ReadCapacityUnits\": %" PRIu64
                      ", \"WriteCapacityUnits\": %" PRIu64 "}",
                      indent, read, write);
    }
}

static void append_indexes(const struct target_table *table, uint64_t read, uint64_t write,
                           struct buffer *out)
{
    buffer_append_string(out, ",\n  \"GlobalSecondaryIndexes\": [");
    for (uint32_t at = 0; at < table->index_count; at++) {
        buffer_append_string(out, at > 0 ? ",\n    {\n      \"IndexName\": "
                                         : "\n    {\n      \"IndexName\": ");
        append_text(out, table->indexes[at].name);
        buffer_append_string(out, ",\n");
        append_key_schema(&table->indexes[at].columns, "      ", out);
        buffer_append_string(out, ",\n      \"Projection\": {\"ProjectionType\": \"ALL\"}");
        append_throughput("      ", read, write, out);
        buffer_append_string(out, "\n    }");
    }
    buffer_append_string(out, "\n  ]");
}

void dynamodb_definition_append(const struct target_table *table,
                                const struct dynamodb_table_keys *keys, struct buffer *out)
{
    uint64_t read = 0;
    uint64_t write = 0;
    (void)dynamodb_limits_billing(table->billing, &read, &write);
    buffer_append_string(out, "{\n  \"TableName\": ");
    append_text(out, table->name);
    buffer_append_string(out, ",\n");
    append_key_schema(&table->key, "  ", out);
    buffer_append_string(out, ",\n  \"AttributeDefinitions\": [");
    bool first = true;
    for (uint32_t at = 0; at < keys->key_count; at++) {
        if (keys->keys[at].letter != 0 && keys->keys[at].known) {
            buffer_append_string(out, first ? "\n    {\"AttributeName\": "
                                            : ",\n    {\"AttributeName\": ");
            json_append_string(out, keys->keys[at].name, keys->keys[at].name_length);
            buffer_format(out, ", \"AttributeType\": \"%c\"}", keys->keys[at].letter);
            first = false;
        }
    }
    buffer_append_string(out, "\n  ]");
    if (table->index_count > 0) {
        append_indexes(table, read, write, out);
    }
    buffer_format(out, ",\n  \"BillingMode\": \"%s\"",
                  read > 0 ? "PROVISIONED" : "PAY_PER_REQUEST");
    append_throughput("  ", read, write, out);
    buffer_append_string(out, "\n}\n");
}

/* ---------------------------------------------------------------- reading */

struct definition_reader {
    struct json_reader json;
    struct arena *arena;
};

static bool definition_next(struct definition_reader *reader, enum json_token *token)
{
    struct error ignored;
    return json_reader_next(&reader->json, token, &ignored) == STATUS_OK;
}

static bool definition_skip(struct definition_reader *reader)
{
    struct error ignored;
    enum json_token token = JSON_TOKEN_END;
    return definition_next(reader, &token) &&
           json_reader_skip(&reader->json, token, &ignored) == STATUS_OK;
}

static bool key_is(const struct definition_reader *reader, const char *name)
{
    return reader->json.length == strlen(name) &&
           memcmp(reader->json.text, name, reader->json.length) == 0;
}

/* {"AttributeName":…, second: one letter matters}. */
static bool read_pair(struct definition_reader *reader, const char *second,
                      struct dynamodb_key *key)
{
    enum json_token token = JSON_TOKEN_END;
    while (definition_next(reader, &token)) {
        if (token == JSON_TOKEN_OBJECT_END) {
            return key->name != NULL && key->letter != 0;
        }
        bool name = key_is(reader, "AttributeName");
        bool type = key_is(reader, second);
        if (!name && !type) {
            if (!definition_skip(reader)) {
                return false;
            }
            continue;
        }
        if (!definition_next(reader, &token) || token != JSON_TOKEN_STRING ||
            reader->json.length == 0) {
            return false;
        }
        if (name) {
            key->name = arena_copy(reader->arena, reader->json.text, reader->json.length);
            key->name_length = (uint32_t)reader->json.length;
        } else {
            key->letter = reader->json.text[0];
        }
    }
    return false;
}

static bool read_pairs(struct definition_reader *reader, const char *second,
                       struct dynamodb_key *keys, uint32_t *count)
{
    enum json_token token = JSON_TOKEN_END;
    *count = 0;
    if (!definition_next(reader, &token) || token != JSON_TOKEN_ARRAY_BEGIN) {
        return false;
    }
    while (definition_next(reader, &token)) {
        if (token == JSON_TOKEN_ARRAY_END) {
            return true;
        }
        if (token != JSON_TOKEN_OBJECT_BEGIN || *count == KEYS_MAX ||
            !read_pair(reader, second, &keys[(*count)++])) {
            return false;
        }
    }
    return false;
}

/* KeyType is HASH or RANGE; the partition key comes first. */
static bool take_key(struct arena *arena, const struct dynamodb_key *keys, uint32_t count,
                     struct column_list *key)
{
    const char **names = arena_allocate_zeroed(arena, 2, sizeof(*names));
    if (count < 1 || count > 2) {
        return false;
    }
    for (uint32_t at = 0; at < count; at++) {
        names[keys[at].letter == 'H' ? 0 : 1] = keys[at].name;
    }
    *key = (struct column_list){names, count};
    return names[0] != NULL && (count == 1 || names[1] != NULL);
}

static bool read_members(struct definition_reader *reader, struct dynamodb_definition *definition)
{
    enum json_token token = JSON_TOKEN_END;
    struct dynamodb_key keys[KEYS_MAX] = {0};
    uint32_t key_count = 0;
    if (!definition_next(reader, &token) || token != JSON_TOKEN_OBJECT_BEGIN) {
        return false;
    }
    while (definition_next(reader, &token)) {
        bool read = true;
        if (token == JSON_TOKEN_OBJECT_END) {
            return take_key(reader->arena, keys, key_count, &definition->key);
        }
        if (key_is(reader, "KeySchema")) {
            read = read_pairs(reader, "KeyType", keys, &key_count);
        } else if (key_is(reader, "AttributeDefinitions")) {
            read = read_pairs(reader, "AttributeType", definition->types, &definition->type_count);
        } else {
            read = definition_skip(reader);
        }
        if (!read) {
            return false;
        }
    }
    return false;
}

enum status dynamodb_definition_read(const char *path, struct arena *arena,
                                     struct dynamodb_definition *definition, struct error *error)
{
    struct definition_reader reader = {.arena = arena};
    char *text = NULL;
    size_t length = 0;
    *definition = (struct dynamodb_definition){0};
    enum status status = file_read_all(path, DEFINITION_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        return status;
    }
    definition->types = arena_allocate_zeroed(arena, KEYS_MAX + 1, sizeof(*definition->types));
    json_reader_init(&reader.json, text, length, 16, arena);
    if (!read_members(&reader, definition)) {
        *definition = (struct dynamodb_definition){0};
        return STATUS_END;
    }
    return STATUS_OK;
}
