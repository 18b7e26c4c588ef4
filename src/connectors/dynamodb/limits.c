/* The limits beyond which DynamoDB refuses: names, key definitions, and the size of an item as it
 * counts it. */
#include "connectors/dynamodb/limits.h"

#include "base/text.h"
#include "connectors/dynamodb/item.h"
#include "model/time_text.h"
#include <string.h>

enum { SHOWN_MAX = 128 };

bool dynamodb_limits_name_valid(const char *name)
{
    size_t length = strlen(name);
    for (size_t at = 0; at < length; at++) {
        char byte = name[at];
        bool valid = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-';
        if (!valid) {
            return false;
        }
    }
    return length >= DYNAMODB_TABLE_NAME_BYTES_MIN && length <= DYNAMODB_TABLE_NAME_BYTES_MAX;
}

/* The bytes that an item costs beside names, texts and bytes. */
struct size_rule {
    uint64_t number; /* beside a byte for two digits */
    uint64_t minus;
    uint64_t container;
    uint64_t element;
};

static const struct size_rule rule_documented = {1, 1, 3, 1};
static const struct size_rule rule_least = {0, 0, 0, 0};

static uint64_t value_size(const struct cell *cell, const struct size_rule *rule);

static uint64_t number_size(const struct cell *cell, const struct size_rule *rule)
{
    bool negative = cell->kind == VALUE_INT64    ? cell->i64 < 0
                    : cell->kind == VALUE_UINT64 ? false
                    : cell->kind == VALUE_DECIMAL && (cell->flags & CELL_SMALL) == 0
                        ? cell->length > 0 && cell->text[0] == '-'
                    : cell->kind == VALUE_DECIMAL ? cell->i64 < 0
                                                  : cell->f64 < 0;
    uint64_t size = rule->number + (dynamodb_number_digits(cell) + 1) / 2;
    return (size > 0 ? size : 1) + (negative ? rule->minus : 0);
}

static uint64_t time_size(const struct cell *cell)
{
    struct buffer text = {0};
    time_append(cell, &text);
    uint64_t size = text.length;
    buffer_free(&text);
    return size;
}

static uint64_t items_size(const struct cell *cell, const struct size_rule *rule)
{
    bool holds = cell->kind != VALUE_SET;
    uint64_t size = holds ? rule->container : 0;
    for (uint32_t at = 0; at < cell->length; at++) {
        size_t place = cell->kind == VALUE_MAP ? 2 * (size_t)at : at;
        const struct cell *value = &cell->items[cell->kind == VALUE_MAP ? place + 1 : place];
        if (cell->kind == VALUE_MAP && value->kind == VALUE_MISSING) {
            continue;
        }
        size += value_size(value, rule) + (holds ? rule->element : 0);
        size += cell->kind == VALUE_MAP ? cell->items[place].length : 0;
    }
    return size;
}

static uint64_t value_size(const struct cell *cell, const struct size_rule *rule)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
        return 0;
    case VALUE_NULL:
    case VALUE_BOOL:
        return 1;
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        return number_size(cell, rule);
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        return cell->length;
    case VALUE_LARGE:
        return cell->large->length;
    case VALUE_UUID:
        return 36;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
        return time_size(cell);
    case VALUE_SET:
    case VALUE_LIST:
    case VALUE_MAP:
        return items_size(cell, rule);
    case VALUE_KIND_COUNT:
        break;
    }
    return 0;
}

static uint64_t item_size(const struct shape *shape, const struct cell *cells,
                          const struct size_rule *rule)
{
    uint64_t size = 0;
    uint32_t count = shape != NULL ? shape->field_count : cells->length;
    for (uint32_t at = 0; at < count; at++) {
        const struct cell *value = shape != NULL ? &cells[at] : &cells->items[2 * (size_t)at + 1];
        uint32_t name =
            shape != NULL ? shape->fields[at].name_length : cells->items[2 * (size_t)at].length;
        if (value->kind != VALUE_MISSING) {
            size += name + value_size(value, rule);
        }
    }
    return size;
}

uint64_t dynamodb_limits_value_size(const struct cell *cell)
{
    return value_size(cell, &rule_documented);
}

uint64_t dynamodb_limits_item_size(const struct shape *shape, const struct cell *cells)
{
    return item_size(shape, cells, &rule_documented);
}

uint64_t dynamodb_limits_item_size_least(const struct shape *shape, const struct cell *cells)
{
    return item_size(shape, cells, &rule_least);
}

/* ---------------------------------------------------------------- tables */

static const char *shown(const char *name, char text[SHOWN_MAX])
{
    text_printable(name, strlen(name), text, SHOWN_MAX);
    return text;
}

static void check_name(const char *what, const char *name, struct buffer *out)
{
    char text[SHOWN_MAX];
    if (!dynamodb_limits_name_valid(name)) {
        buffer_format(
            out, "%s name \"%s\": DynamoDB allows 3 to 255 letters, digits, '_', '-' and '.'\n",
            what, shown(name, text));
    }
}

static void check_key_name(const char *name, struct buffer *out)
{
    char text[SHOWN_MAX];
    size_t length = strlen(name);
    if (length == 0 || length > DYNAMODB_KEY_NAME_BYTES_MAX || !text_is_utf8(name, length)) {
        buffer_format(out, "key attribute \"%s\": its name must be 1 to 255 bytes of UTF-8\n",
                      shown(name, text));
    }
}

static void check_indexes(const struct target_table *table, struct buffer *out)
{
    char text[SHOWN_MAX];
    if (table->index_count > DYNAMODB_INDEXES_MAX) {
        buffer_format(out, "%u indexes: DynamoDB allows %d\n", table->index_count,
                      DYNAMODB_INDEXES_MAX);
    }
    for (uint32_t at = 0; at < table->index_count; at++) {
        const struct target_index *index = &table->indexes[at];
        check_name("index", index->name, out);
        if (index->columns.count < 1 || index->columns.count > 2) {
            buffer_format(out,
                          "index \"%s\" has %u key attributes: DynamoDB wants a partition key "
                          "and at most a sort key\n",
                          shown(index->name, text), index->columns.count);
        } else if (index->columns.count == 2 &&
                   strcmp(index->columns.names[0], index->columns.names[1]) == 0) {
            buffer_format(out, "index \"%s\": partition and sort key are the same attribute\n",
                          shown(index->name, text));
        }
        if (index->unique) {
            buffer_format(out, "index \"%s\": DynamoDB has no unique indexes\n",
                          shown(index->name, text));
        }
        for (uint32_t before = 0; before < at; before++) {
            if (strcmp(table->indexes[before].name, index->name) == 0) {
                buffer_format(out, "two indexes are named \"%s\"\n", shown(index->name, text));
            }
        }
    }
}

/* The field that one shape brings to a key attribute. */
static void check_key_field(const struct shape *shape, const struct dynamodb_key *key,
                            struct buffer *out)
{
    char text[SHOWN_MAX];
    char entity[SHOWN_MAX];
    for (uint32_t at = 0; at < shape->field_count; at++) {
        const struct shape_field *field = &shape->fields[at];
        if (field->name_length != key->name_length ||
            memcmp(field->name, key->name, key->name_length) != 0) {
            continue;
        }
        char letter = dynamodb_item_letter(field->type.kind);
        if (field->type.kind == VALUE_MISSING) {
            return; /* its records will tell */
        }
        if (letter == 0) {
            buffer_format(out,
                          "key attribute \"%s\" of %s is a %s: a key is text, a number or bytes\n",
                          shown(key->name, text), shown(shape->name, entity),
                          value_kind_name(field->type.kind));
        } else if (letter != key->letter && !field->type.dynamic) {
            buffer_format(out,
                          "key attribute \"%s\" is %c in the table and %c in %s: give one of "
                          "them a cast\n",
                          shown(key->name, text), key->letter, letter, shown(shape->name, entity));
        }
        return;
    }
    /* a shape without fields stands for documents: each record tells */
    if (key->required && shape->field_count > 0) {
        buffer_format(out, "%s has no field \"%s\", which is in the table's key\n",
                      shown(shape->name, entity), shown(key->name, text));
    }
}

static void check_field_names(const struct shape *shape, struct buffer *out)
{
    char text[SHOWN_MAX];
    for (uint32_t at = 0; at < shape->field_count; at++) {
        const struct shape_field *field = &shape->fields[at];
        if (field->name_length == 0 || field->name_length > DYNAMODB_NAME_BYTES_MAX ||
            !text_is_utf8(field->name, field->name_length)) {
            buffer_format(out, "attribute \"%s\": a name is 1 to 65,535 bytes of UTF-8\n",
                          shown(field->name, text));
        }
    }
}

void dynamodb_limits_check_table(const struct target_table *table,
                                 const struct shape *const *shapes, uint32_t shape_count,
                                 struct buffer *out)
{
    char text[SHOWN_MAX];
    check_name("table", table->name, out);
    if (table->key.count < 1 || table->key.count > 2) {
        buffer_format(out,
                      "%u key attributes: DynamoDB wants a partition key and at most a sort key; "
                      "give the table a key in the plan\n",
                      table->key.count);
    } else if (table->key.count == 2 && strcmp(table->key.names[0], table->key.names[1]) == 0) {
        buffer_format(out, "partition and sort key are the same attribute \"%s\"\n",
                      shown(table->key.names[0], text));
    }
    check_indexes(table, out);
    struct arena *arena = arena_create(0);
    struct dynamodb_key *keys = NULL;
    uint32_t key_count = 0;
    dynamodb_item_keys(table, shapes, shape_count, arena, &keys, &key_count);
    for (uint32_t at = 0; at < key_count; at++) {
        check_key_name(keys[at].name, out);
        if (keys[at].letter == 0) {
            buffer_format(out, "key attribute \"%s\": a key is text, a number or bytes\n",
                          shown(keys[at].name, text));
            continue;
        }
        for (uint32_t shape = 0; shape < shape_count; shape++) {
            check_key_field(shapes[shape], &keys[at], out);
        }
    }
    for (uint32_t shape = 0; shape < shape_count; shape++) {
        check_field_names(shapes[shape], out);
    }
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- billing */

/* "{ read: 5, write: 5 }" in any spelling: the number after a word, 0 where there is none. */
static uint64_t number_after(const char *text, const char *word)
{
    const char *at = strstr(text, word);
    uint64_t value = 0;
    at = at != NULL ? strpbrk(at, "0123456789") : NULL;
    if (at != NULL && text_to_uint64(at, strspn(at, "0123456789"), &value) != STATUS_OK) {
        value = 0;
    }
    return value;
}

bool dynamodb_limits_billing(const char *billing, uint64_t *read, uint64_t *write)
{
    *read = 0;
    *write = 0;
    if (billing == NULL || strcmp(billing, "on_demand") == 0 ||
        strcmp(billing, "\"on_demand\"") == 0) {
        return true;
    }
    *read = number_after(billing, "read");
    *write = number_after(billing, "write");
    return *read > 0 && *write > 0;
}
