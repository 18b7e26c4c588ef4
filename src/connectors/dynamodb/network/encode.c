/* Records as requests take them: BatchWriteItem, PutItem, UpdateItem, GetItem. */
#include "connectors/dynamodb/network/target.h"

#include "base/text.h"
#include "connectors/dynamodb/network/body.h"
#include "model/json_writer.h"
#include <stdio.h>
#include <string.h>

static const char units_told[] = ",\"ReturnConsumedCapacity\":\"TOTAL\"}";
static const char put_begin[] = "{\"PutRequest\":{\"Item\":";
static const char put_end[] = "}}";

void dynamodb_send_begin(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                         struct buffer *body)
{
    const char *name = connection->tables[table].name;
    if (kind == KEYED_PUT) {
        dynamodb_body_raw(body, "{\"RequestItems\":{");
        dynamodb_body_name(body, name);
        dynamodb_body_raw(body, "[");
        return;
    }
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "TableName", name);
    if (kind == KEYED_INSERT) {
        dynamodb_body_name(body, "Item");
    }
}

void dynamodb_send_end(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                       struct buffer *body)
{
    if (kind == KEYED_PUT) {
        dynamodb_body_raw(body, "]}");
    } else if (kind == KEYED_INSERT) {
        dynamodb_body_text(body, "ConditionExpression", "attribute_not_exists(#k)");
        dynamodb_body_name(body, "ExpressionAttributeNames");
        dynamodb_body_raw(body, "{");
        dynamodb_body_text(body, "#k", connection->tables[table].key.names[0]);
        dynamodb_body_raw(body, "}");
    } else if (kind == KEYED_LOOK) {
        dynamodb_body_raw(body, ",\"ConsistentRead\":true");
    }
    buffer_append(body, units_told, sizeof(units_told) - 1);
}

/* ---------------------------------------------------------------- updates */

/* The fields of a record as pairs of name and value. */
struct fields {
    const struct shape *shape;
    const struct cell *cells;
    uint32_t count;
};

static void field_at(const struct fields *fields, uint32_t at, struct text *name,
                     const struct cell **value)
{
    if (fields->shape != NULL) {
        *name =
            (struct text){fields->shape->fields[at].name, fields->shape->fields[at].name_length};
        *value = &fields->cells[at];
    } else {
        const struct cell *pair = &fields->cells->items[2 * (size_t)at];
        *name = (struct text){pair->text, pair->length};
        *value = pair + 1;
    }
}

static enum status append_key_object(const struct target_table *table, const struct cell *key,
                                     struct buffer *body, struct error *error)
{
    dynamodb_body_name(body, "Key");
    dynamodb_body_raw(body, "{");
    for (uint32_t at = 0; at < table->key.count; at++) {
        dynamodb_body_name(body, table->key.names[at]);
        if (dynamodb_item_append_value(&key[at], table->key.names[at], body, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    dynamodb_body_raw(body, "}");
    return STATUS_OK;
}

static bool is_set(const struct target_table *table, const struct fields *fields, uint32_t at)
{
    struct text name;
    const struct cell *value = NULL;
    field_at(fields, at, &name, &value);
    for (uint32_t key = 0; key < table->key.count; key++) {
        if (strlen(table->key.names[key]) == name.length &&
            memcmp(table->key.names[key], name.data, name.length) == 0) {
            return false;
        }
    }
    return value->kind != VALUE_MISSING;
}

/* SET #0 = :0, … of all fields but the key: what the plan does not name stays. */
static enum status append_sets(const struct target_table *table, const struct fields *fields,
                               struct buffer *body, struct error *error)
{
    struct text name;
    const struct cell *value = NULL;
    struct buffer names = {0};
    struct buffer values = {0};
    uint32_t count = 0;
    char mark[16];
    char shown[64];
    enum status status = STATUS_OK;
    size_t start = body->length;
    dynamodb_body_name(body, "UpdateExpression");
    dynamodb_body_raw(body, "\"SET ");
    for (uint32_t at = 0; at < fields->count && status == STATUS_OK; at++) {
        if (!is_set(table, fields, at)) {
            continue;
        }
        field_at(fields, at, &name, &value);
        buffer_format(body, "%s#%u = :%u", count > 0 ? ", " : "", count, count);
        snprintf(mark, sizeof(mark), "#%u", count);
        dynamodb_body_name(&names, mark);
        json_append_string(&names, name.data, name.length);
        mark[0] = ':';
        dynamodb_body_name(&values, mark);
        text_printable(name.data, name.length, shown, sizeof(shown));
        status = dynamodb_item_append_value(value, shown, &values, error);
        count++;
    }
    if (status == STATUS_OK && count == 0) {
        body->length = start;
    } else if (status == STATUS_OK) {
        dynamodb_body_raw(body, "\",\"ExpressionAttributeNames\":{");
        buffer_append(body, names.data, names.length);
        dynamodb_body_raw(body, "},\"ExpressionAttributeValues\":{");
        buffer_append(body, values.data, values.length);
        dynamodb_body_raw(body, "}");
    }
    buffer_free(&names);
    buffer_free(&values);
    return status;
}

static enum status append_update(const struct keyed_record *record, struct buffer *body,
                                 struct error *error)
{
    const struct fields fields = {.shape = record->shape,
                                  .cells = record->cells,
                                  .count = record->shape != NULL ? record->shape->field_count
                                                                 : record->cells->length};
    if (append_key_object(record->table, record->key, body, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return append_sets(record->table, &fields, body, error);
}

/* ---------------------------------------------------------------- records */

enum status dynamodb_send_encode(struct keyed_connection *connection, enum keyed_kind kind,
                                 const struct keyed_record *record, struct buffer *out,
                                 struct error *error)
{
    struct dynamodb_encoder *encoder = record->encoder;
    size_t start = out->length;
    (void)connection;
    if (kind == KEYED_PUT) {
        buffer_append(out, put_begin, sizeof(put_begin) - 1);
    }
    /* an update's values are judged as an item, before it is made of them */
    if (kind != KEYED_LOOK &&
        dynamodb_encoder_append(encoder, record->cells, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (kind == KEYED_PUT) {
        buffer_append(out, put_end, sizeof(put_end) - 1);
        return STATUS_OK;
    }
    if (kind == KEYED_INSERT) {
        return STATUS_OK;
    }
    out->length = start;
    if (record->key == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "a record without its key");
    }
    return kind == KEYED_UPDATE ? append_update(record, out, error)
                                : append_key_object(record->table, record->key, out, error);
}

/* ---------------------------------------------------------------- normal form */

static int compare_names(const void *left, const void *right)
{
    const struct cell *one = (const struct cell *)left;
    const struct cell *two = (const struct cell *)right;
    uint32_t shorter = one->length < two->length ? one->length : two->length;
    int order = memcmp(one->text, two->text, shorter);
    return order != 0 ? order : (one->length > two->length) - (one->length < two->length);
}

/* The depth is bounded: what nests deeper than DynamoDB allows has no normal form. */
static void sort_maps(const struct cell *cell, struct arena *arena, struct cell *sorted)
{
    *sorted = *cell;
    if (cell->kind != VALUE_LIST && cell->kind != VALUE_MAP) {
        return;
    }
    size_t count = (size_t)cell->length * (cell->kind == VALUE_MAP ? 2 : 1);
    struct cell *items = arena_allocate_zeroed(arena, count + 1, sizeof(*items));
    for (size_t at = 0; at < count; at++) {
        sort_maps(&cell->items[at], arena, &items[at]);
    }
    if (cell->kind == VALUE_MAP) {
        qsort(items, cell->length, 2 * sizeof(*items), compare_names);
    }
    sorted->items = items;
}

enum status dynamodb_network_normal_form(struct database *self, const struct cell *cell,
                                         struct arena *arena, struct cell *normal,
                                         struct error *error)
{
    struct cell form;
    (void)self;
    enum status status = dynamodb_item_normal_form(cell, arena, &form, error);
    if (status == STATUS_OK) {
        sort_maps(&form, arena, normal);
    }
    return status;
}
