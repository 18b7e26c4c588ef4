/* The keys by which items are asked for, as JSON: {"PK":{"S":"a"},"SK":{"N":"1"}}. */
#include "connectors/dynamodb/item.h"
#include "connectors/dynamodb/limits.h"
#include "connectors/dynamodb/network/body.h"
#include "connectors/dynamodb/network/source.h"
#include "connectors/keyed/reading.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

struct dynamodb_wanted {
    const struct dynamodb_description *table;
    struct keyed_wanted keys;
};

/* ---------------------------------------------------------------- one key */

/* Appends the part if an item's key can have it. STATUS_END: it can't. */
static enum status append_part(const struct dynamodb_description *table, uint32_t part,
                               const struct cell *cell, struct buffer *text, struct error *error)
{
    struct error why;
    const char *name = table->key.names[part];
    char letter = dynamodb_item_letter((enum value_kind)cell->kind);
    if (letter == 0 || letter != dynamodb_description_letter(table, name)) {
        return STATUS_END;
    }
    dynamodb_body_name(text, name);
    if (dynamodb_item_append_value(cell, name, text, &why) != STATUS_OK) {
        return why.class == ERROR_CLASS_REJECT ? STATUS_END : error_copy(error, &why);
    }
    size_t most = part == 0 ? DYNAMODB_PARTITION_KEY_BYTES_MAX : DYNAMODB_SORT_KEY_BYTES_MAX;
    bool counted =
        cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES || cell->kind == VALUE_JSON;
    return counted && (cell->length == 0 || cell->length > most) ? STATUS_END : STATUS_OK;
}

/* STATUS_END: no item can have it. */
static enum status append_key(const struct dynamodb_description *table, const struct cell *key,
                              struct buffer *text, struct error *error)
{
    enum status status = STATUS_OK;
    buffer_append_byte(text, '{');
    for (uint32_t part = 0; part < table->key.count && status == STATUS_OK; part++) {
        status = append_part(table, part, &key[part], text, error);
    }
    buffer_append_byte(text, '}');
    return status;
}

static enum status encode_key(const void *context, const struct cell *key,
                              struct keyed_wanted *wanted, struct error *error)
{
    return append_key(context, key, &wanted->bytes, error);
}

/* ---------------------------------------------------------------- all of them */

enum status dynamodb_wanted_create(const struct read_request *request,
                                   const struct dynamodb_description *table,
                                   struct dynamodb_wanted **wanted, struct error *error)
{
    struct dynamodb_wanted *made = memory_allocate_zeroed(1, sizeof(*made));
    const struct keyed_wanting wanting = {
        .key = table->key,
        .name = table->name,
        .refusal = "DynamoDB finds items by the whole key of their table only",
        .encode = encode_key,
        .context = table};
    *wanted = NULL;
    made->table = table;
    if (keyed_wanted_read(request, &wanting, &made->keys, error) != STATUS_OK) {
        dynamodb_wanted_destroy(made);
        return STATUS_FAILED;
    }
    *wanted = made;
    return STATUS_OK;
}

void dynamodb_wanted_destroy(struct dynamodb_wanted *wanted)
{
    if (wanted != NULL) {
        keyed_wanted_free(&wanted->keys);
        free(wanted);
    }
}

uint32_t dynamodb_wanted_next(struct dynamodb_wanted *wanted, uint32_t keys_max,
                              struct buffer *list)
{
    struct keyed_wanted *keys = &wanted->keys;
    uint32_t count = 0;
    buffer_clear(list);
    for (; keys->next < keys->count && count < keys_max; keys->next++, count++) {
        const struct text *key = &keys->keys[keys->next].bytes;
        buffer_append_byte(list, count == 0 ? '[' : ',');
        buffer_append(list, key->data, key->length);
    }
    buffer_append_string(list, count > 0 ? "]" : "");
    return count;
}

bool dynamodb_wanted_has(const struct dynamodb_wanted *wanted, const struct cell *key)
{
    struct error ignored;
    struct buffer text = {0};
    bool has = append_key(wanted->table, key, &text, &ignored) == STATUS_OK &&
               keyed_wanted_has(&wanted->keys, (struct text){text.data, text.length});
    buffer_free(&text);
    return has;
}
