/* The types of DynamoDB; the key attributes of a table and its indexes, and the types that their
 * values must have. */
#include "connectors/dynamodb/item.h"

#include "connectors/dynamodb/limits.h"
#include <string.h>

const struct type_mapping dynamodb_types[DYNAMODB_TYPE_COUNT] = {
    {"S", VALUE_TEXT, "text", "text", "exact"},
    {"S", VALUE_DATE, NULL, "ISO 8601 text", "widened"},
    {"S", VALUE_TIME, NULL, "ISO 8601 text", "widened"},
    {"S", VALUE_TIMESTAMP, NULL, "ISO 8601 text", "widened"},
    {"S", VALUE_INTERVAL, NULL, "ISO 8601 duration", "widened"},
    {"S", VALUE_UUID, NULL, "36 characters, lower case", "widened"},
    {"S", VALUE_JSON, NULL, "the JSON text as it stands", "widened"},
    {"N", VALUE_INT64, "whole numbers that fit", "exact digits", "exact"},
    {"N", VALUE_UINT64, NULL, "exact digits; above int64 it comes back as decimal", "widened"},
    {"N", VALUE_DECIMAL, "all other numbers", "exact digits without trailing zeros (0.10 is 0.1)",
     "widened; above 38 digits or outside 1E-130..9.9E+125 the record is rejected"},
    {"N", VALUE_FLOAT32, NULL, "shortest digits that are the same float",
     "widened; -0.0 becomes 0; NaN and infinities are rejected"},
    {"N", VALUE_FLOAT64, NULL, "shortest digits that are the same float",
     "widened; -0.0 becomes 0; NaN and infinities are rejected"},
    {"B", VALUE_BYTES, "base64", "base64", "exact"},
    {"BOOL", VALUE_BOOL, "true or false", "true or false", "exact"},
    {"NULL", VALUE_NULL, "null", "{\"NULL\":true}", "exact"},
    {"L", VALUE_LIST, "list", "list", "exact"},
    {"M", VALUE_MAP, "map with text keys", "map; keys that are no text are rejected", "exact"},
    {"SS, NS, BS", VALUE_SET, "set", "set of texts, numbers or bytes",
     "exact; empty, mixed and repeating sets are rejected"},
};

char dynamodb_item_letter(enum value_kind kind)
{
    switch (kind) {
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        return 'N';
    case VALUE_BYTES:
        return 'B';
    case VALUE_TEXT:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
    case VALUE_JSON:
        return 'S';
    default:
        return 0;
    }
}

static bool same_name(const struct dynamodb_key *key, const char *name, size_t length)
{
    return key->name_length == length && memcmp(key->name, name, length) == 0;
}

/* A kind that says nothing (an expression's, for instance) leaves the letter to the next place. */
static bool says_letter(enum value_kind kind)
{
    return kind != VALUE_MISSING && kind != VALUE_NULL && kind != VALUE_ESCAPE &&
           kind != VALUE_LARGE;
}

static void find_letter(const struct target_table *table, const struct shape *const *shapes,
                        uint32_t shape_count, struct dynamodb_key *key)
{
    key->letter = 'S';
    for (uint32_t at = 0; at < table->column_count; at++) {
        const struct schema_column *column = &table->columns[at];
        if (strcmp(column->name, key->name) == 0 && says_letter(column->type.kind)) {
            key->letter = dynamodb_item_letter(column->type.kind);
            key->known = true;
            return;
        }
    }
    for (uint32_t shape = 0; shape < shape_count; shape++) {
        for (uint32_t at = 0; at < shapes[shape]->field_count; at++) {
            const struct shape_field *field = &shapes[shape]->fields[at];
            if (same_name(key, field->name, field->name_length) && says_letter(field->type.kind)) {
                key->letter = dynamodb_item_letter(field->type.kind);
                key->known = true;
                return;
            }
        }
    }
}

static void add_columns(const struct column_list *columns, bool required, struct dynamodb_key *keys,
                        uint32_t *key_count)
{
    for (uint32_t at = 0; at < columns->count; at++) {
        const char *name = columns->names[at];
        uint32_t bytes_max =
            at == 0 ? DYNAMODB_PARTITION_KEY_BYTES_MAX : DYNAMODB_SORT_KEY_BYTES_MAX;
        struct dynamodb_key *key = NULL;
        for (uint32_t known = 0; known < *key_count && key == NULL; known++) {
            key = same_name(&keys[known], name, strlen(name)) ? &keys[known] : NULL;
        }
        if (key == NULL) {
            key = &keys[(*key_count)++];
            *key = (struct dynamodb_key){
                .name = name, .name_length = (uint32_t)strlen(name), .bytes_max = bytes_max};
        }
        key->required = key->required || required;
        key->bytes_max = key->bytes_max < bytes_max ? key->bytes_max : bytes_max;
    }
}

struct value_type dynamodb_item_key_type(char letter)
{
    return letter == 'N' ? (struct value_type){.kind = VALUE_INT64, .dynamic = true, .native = "N"}
           : letter == 'B' ? (struct value_type){.kind = VALUE_BYTES, .native = "B"}
                           : (struct value_type){.kind = VALUE_TEXT, .native = "S"};
}

void dynamodb_item_keys(const struct target_table *table, const struct shape *const *shapes,
                        uint32_t shape_count, struct arena *arena, struct dynamodb_key **keys,
                        uint32_t *key_count)
{
    size_t room = table->key.count;
    for (uint32_t at = 0; at < table->index_count; at++) {
        room += table->indexes[at].columns.count;
    }
    *key_count = 0;
    *keys = arena_allocate_zeroed(arena, room + 1, sizeof(**keys));
    add_columns(&table->key, true, *keys, key_count);
    for (uint32_t at = 0; at < table->index_count; at++) {
        add_columns(&table->indexes[at].columns, false, *keys, key_count);
    }
    for (uint32_t at = 0; at < *key_count; at++) {
        find_letter(table, shapes, shape_count, &(*keys)[at]);
    }
}
