/* The keys by which items are asked for, as JSON: {"PK":{"S":"a"},"SK":{"N":"1"}}. */
#include "connectors/dynamodb/item.h"
#include "connectors/dynamodb/limits.h"
#include "connectors/dynamodb/network/body.h"
#include "connectors/dynamodb/network/source.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

struct dynamodb_wanted {
    const struct dynamodb_description *table;
    struct buffer texts; /* of all keys, one after the other */
    struct text *keys;   /* sorted by their text, each once */
    uint32_t count;
    uint32_t next; /* to be given */
};

/* ---------------------------------------------------------------- one key */

/* Appends the part if an item's key can have it. STATUS_END: it can't. */
static enum status append_part(const struct dynamodb_description *table, uint32_t part,
                               const struct cell *cell, struct buffer *text, struct error *error)
{
    struct error why;
    const char *name = table->key.names[part];
    char letter = dynamodb_item_letter((enum value_kind)cell->kind);
    if (cell->kind == VALUE_ESCAPE) {
        return error_set(error, ERROR_REJECT_TYPE, table->name, "a key is of another engine");
    }
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

/* STATUS_END: no item can have it. `key` in the order of `places`, the table's parts within it. */
static enum status append_key(const struct dynamodb_description *table, const struct cell *key,
                              const uint32_t *places, struct buffer *text, struct error *error)
{
    size_t begin = text->length;
    enum status status = STATUS_OK;
    buffer_append_byte(text, '{');
    for (uint32_t part = 0; part < table->key.count && status == STATUS_OK; part++) {
        status = append_part(table, part, &key[places[part]], text, error);
    }
    buffer_append_byte(text, '}');
    text->length = status == STATUS_OK ? text->length : begin;
    return status;
}

/* ---------------------------------------------------------------- all of them */

static enum status find_places(const struct read_request *request,
                               const struct dynamodb_description *table, uint32_t places[2],
                               struct error *error)
{
    uint32_t found = 0;
    for (uint32_t part = 0; part < table->key.count && part < 2; part++) {
        for (uint32_t at = 0; at < request->root_key.count; at++) {
            if (strcmp(request->root_key.names[at], table->key.names[part]) == 0) {
                places[part] = at;
                found++;
            }
        }
    }
    return found == table->key.count && found == request->root_key.count
               ? STATUS_OK
               : error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                           "DynamoDB finds items by the whole key of their table only");
}

static int compare_texts(const void *left, const void *right)
{
    const struct text *one = left;
    const struct text *other = right;
    size_t length = one->length < other->length ? one->length : other->length;
    int order = memcmp(one->data, other->data, length);
    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

static void sort_and_drop_repeats(struct dynamodb_wanted *wanted)
{
    uint32_t kept = 0;
    qsort(wanted->keys, wanted->count, sizeof(*wanted->keys), compare_texts);
    for (uint32_t at = 0; at < wanted->count; at++) {
        if (kept == 0 || compare_texts(&wanted->keys[kept - 1], &wanted->keys[at]) != 0) {
            wanted->keys[kept++] = wanted->keys[at];
        }
    }
    wanted->count = kept;
}

static enum status write_keys(struct dynamodb_wanted *wanted, const struct read_request *request,
                              const uint32_t places[2], struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->key_count && status != STATUS_FAILED; at++) {
        const struct cell *key = request->keys + (size_t)at * request->root_key.count;
        size_t begin = wanted->texts.length;
        status = append_key(wanted->table, key, places, &wanted->texts, error);
        if (status == STATUS_OK) {
            wanted->keys[wanted->count++].length = wanted->texts.length - begin;
        }
    }
    const char *from = wanted->texts.data; /* which may have moved until now */
    for (uint32_t at = 0; at < wanted->count; at++) {
        wanted->keys[at].data = from;
        from += wanted->keys[at].length;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status dynamodb_wanted_create(const struct read_request *request,
                                   const struct dynamodb_description *table,
                                   struct dynamodb_wanted **wanted, struct error *error)
{
    uint32_t places[2] = {0};
    *wanted = NULL;
    if (find_places(request, table, places, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct dynamodb_wanted *made = memory_allocate_zeroed(1, sizeof(*made));
    made->table = table;
    made->keys = memory_allocate_zeroed((size_t)request->key_count + 1, sizeof(*made->keys));
    if (write_keys(made, request, places, error) != STATUS_OK) {
        dynamodb_wanted_destroy(made);
        return STATUS_FAILED;
    }
    sort_and_drop_repeats(made);
    *wanted = made;
    return STATUS_OK;
}

void dynamodb_wanted_destroy(struct dynamodb_wanted *wanted)
{
    if (wanted != NULL) {
        buffer_free(&wanted->texts);
        free(wanted->keys);
        free(wanted);
    }
}

uint32_t dynamodb_wanted_next(struct dynamodb_wanted *wanted, uint32_t keys_max,
                              struct buffer *list)
{
    uint32_t count = 0;
    buffer_clear(list);
    for (; wanted->next < wanted->count && count < keys_max; wanted->next++, count++) {
        const struct text *key = &wanted->keys[wanted->next];
        buffer_append_byte(list, count == 0 ? '[' : ',');
        buffer_append(list, key->data, key->length);
    }
    buffer_append_string(list, count > 0 ? "]" : "");
    return count;
}

bool dynamodb_wanted_has(const struct dynamodb_wanted *wanted, const struct cell *key)
{
    static const uint32_t places[] = {0, 1};
    struct error ignored;
    struct buffer text = {0};
    bool has = false;
    if (append_key(wanted->table, key, places, &text, &ignored) == STATUS_OK) {
        const struct text one = {text.data, text.length};
        has = bsearch(&one, wanted->keys, wanted->count, sizeof(one), compare_texts) != NULL;
    }
    buffer_free(&text);
    return has;
}
