#include "connectors/cassandra/key.h"
#include "connectors/cassandra/target.h"

#include "connectors/cassandra/protocol/cql_token.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include <string.h>

static struct text name_of(const struct cassandra_table *table, uint32_t column)
{
    const char *name = table->columns[column].name;
    return (struct text){name, strlen(name)};
}

void cassandra_key_append_where(const struct cassandra_table *table, struct buffer *text)
{
    for (uint32_t at = 0; at < table->key.count; at++) {
        buffer_append_string(text, at > 0 ? " AND " : "");
        cql_name_append(name_of(table, at), text);
        buffer_append_string(text, " = ?");
    }
}

void cassandra_key_append_token(const struct cassandra_table *table, struct buffer *text)
{
    buffer_append_string(text, "token(");
    for (uint32_t at = 0; at < table->partition_count; at++) {
        buffer_append_string(text, at > 0 ? ", " : "");
        cql_name_append(name_of(table, at), text);
    }
    buffer_append_byte(text, ')');
}

int64_t cassandra_key_token(const struct cql_value *parts, uint32_t part_count)
{
    if (part_count == 1) {
        return cql_token_of(parts[0].data, parts[0].length > 0 ? (size_t)parts[0].length : 0);
    }
    struct buffer key = {0};
    for (uint32_t at = 0; at < part_count; at++) {
        size_t length = parts[at].length > 0 ? (size_t)parts[at].length : 0;
        if (!cql_token_key_append(&key, parts[at].data, length)) {
            break; /* no such key can be stored */
        }
    }
    int64_t token = cql_token_of(key.data, key.length);
    buffer_free(&key);
    return token;
}

static enum status cassandra_key_refuse(const struct cassandra_table *table, uint32_t column,
                                        enum error_code code, const char *why, struct error *error)
{
    const char *name = table->columns[column].name;
    return error_set(error, code, name, "%s, a column of the key, %s", name, why);
}

enum status cassandra_key_encode_part(const struct cassandra_table *table, uint32_t column,
                                      const struct cell *cell, struct buffer *values,
                                      struct error *error)
{
    size_t begin = values->length;
    if (cell == NULL || cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        return cassandra_key_refuse(table, column, ERROR_REJECT_KEY_NULL, "is null", error);
    }
    if (cassandra_value_encode(table->columns[column].type, cell, values, error) != STATUS_OK) {
        error_name_object(error, table->columns[column].name);
        return error_context(error, "column %s: ", table->columns[column].name);
    }
    size_t length = values->length - begin - 4;
    if (length > CASSANDRA_KEY_BYTES_MAX) {
        return cassandra_key_refuse(table, column, ERROR_REJECT_KEY_TOO_LONG,
                                    "has more than 65,535 bytes", error);
    }
    if (length == 0 && table->partition_count == 1 && column == 0) {
        return cassandra_key_refuse(table, column, ERROR_REJECT_KEY_NULL, "is empty", error);
    }
    return STATUS_OK;
}

static int64_t token_of(const struct cassandra_table *table, const void *values, size_t length)
{
    enum { PARTS_MAX = 64 };
    struct cql_value parts[PARTS_MAX];
    struct cql_reader reader = cql_reader_of(values, length);
    uint32_t count = table->partition_count < PARTS_MAX ? table->partition_count : PARTS_MAX;
    for (uint32_t at = 0; at < count; at++) {
        parts[at] = cql_read_value(&reader);
    }
    return cassandra_key_token(parts, count);
}

enum status cassandra_key_encode(const struct cassandra_table *table, const struct cell *key,
                                 struct buffer *values, int64_t *token, struct error *error)
{
    size_t begin = values->length;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table->key.count && status == STATUS_OK; at++) {
        status = cassandra_key_encode_part(table, at, &key[at], values, error);
    }
    if (status != STATUS_OK) {
        values->length = begin;
    } else if (token != NULL) {
        *token = token_of(table, values->data + begin, values->length - begin);
    }
    return status;
}
