/* Records by their keys: reading them, deleting them. */
#include "connectors/mongodb/mongodb.h"


enum { KEYS_A_FIND = 500 };

/* ---------------------------------------------------------------- fetch */

/* {_id: {$in: [KEY, …]}} */
static enum status write_filter(const struct target_table *table, const struct cell *keys,
                                uint32_t count, struct buffer *filter, struct error *error)
{
    char digits[12];
    struct buffer id = {0};
    enum status status = STATUS_OK;
    size_t whole = mongodb_write_begin(filter);
    size_t field = mongodb_write_open(filter, MONGODB_ID, BSON_TYPE_DOCUMENT);
    size_t list = mongodb_write_open(filter, "$in", BSON_TYPE_ARRAY);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        buffer_clear(&id);
        status = mongodb_key_append(table->key, keys + (size_t)at * table->key.count, &id, error);
        if (status == STATUS_OK) {
            size_t width = mongodb_write_index(at, digits);
            size_t named = 1 + strlen(MONGODB_ID) + 1; /* type and name of the element _id */
            mongodb_write_head(filter, (uint8_t)id.data[0], digits, width);
            buffer_append(filter, id.data + named, id.length - named);
        }
    }
    mongodb_write_end(filter, list);
    mongodb_write_end(filter, field);
    mongodb_write_end(filter, whole);
    buffer_free(&id);
    return status;
}

static enum status fetch_some(struct mongodb_database *self, mongoc_client_t *client,
                              const struct target_table *table, const struct cell *keys,
                              uint32_t count, struct batch *batch, struct error *error)
{
    struct buffer filter = {0};
    bson_t view;
    bson_error_t why;
    const bson_t *document = NULL;
    const bson_t *reply = NULL;
    const char *left_out = mongodb_key_is_id(table->key) ? NULL : MONGODB_ID;
    enum status status = write_filter(table, keys, count, &filter, error);
    if (status != STATUS_OK) {
        buffer_free(&filter);
        return status;
    }
    mongodb_write_view(&filter, &view);
    mongoc_collection_t *collection = mongoc_client_get_collection(client, self->name, table->name);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &view, NULL, NULL);
    while (status == STATUS_OK && mongoc_cursor_next(cursor, &document)) {
        struct cell record;
        status = mongodb_read_document(bson_get_data(document), document->len, left_out,
                                       batch->arena, &record, error);
        if (status == STATUS_OK) {
            *batch_append(batch) = record;
        }
    }
    if (status == STATUS_OK && mongoc_cursor_error_document(cursor, &why, &reply)) {
        status = mongodb_failure(self, &why, reply, table->name, error);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    buffer_free(&filter);
    return status;
}

enum status mongodb_fetch(struct database *database, const struct target_table *table,
                          const struct cell *keys, uint32_t key_count, struct batch **batch,
                          struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    struct batch *made = batch_create(NULL, 1, key_count + 1);
    mongoc_client_t *client = mongodb_client_take(self);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < key_count && status == STATUS_OK; at += KEYS_A_FIND) {
        uint32_t left = key_count - at;
        status = fetch_some(self, client, table, keys + (size_t)at * table->key.count,
                            left < KEYS_A_FIND ? left : KEYS_A_FIND, made, error);
    }
    mongodb_client_return(self, client);
    if (status != STATUS_OK) {
        batch_destroy(made);
        made = NULL;
    }
    *batch = made;
    return status;
}

/* ---------------------------------------------------------------- erase */

static enum status write_deletions(const struct target_table *table, const struct cell *keys,
                                   uint32_t count, struct buffer *bytes, struct error *error)
{
    char digits[12];
    enum status status = STATUS_OK;
    size_t command = mongodb_write_begin(bytes);
    mongodb_write_text(bytes, "delete", table->name, strlen(table->name));
    mongodb_write_bool(bytes, "ordered", false);
    mongodb_write_concern(bytes);
    size_t list = mongodb_write_open(bytes, "deletes", BSON_TYPE_ARRAY);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        (void)mongodb_write_index(at, digits);
        size_t item = mongodb_write_open(bytes, digits, BSON_TYPE_DOCUMENT);
        size_t filter = mongodb_write_open(bytes, "q", BSON_TYPE_DOCUMENT);
        status = mongodb_key_append(table->key, keys + (size_t)at * table->key.count, bytes, error);
        mongodb_write_end(bytes, filter);
        mongodb_write_int32(bytes, "limit", 1);
        mongodb_write_end(bytes, item);
    }
    mongodb_write_end(bytes, list);
    mongodb_write_end(bytes, command);
    return status;
}

enum status mongodb_erase(struct database *database, const struct target_table *table,
                          const struct cell *keys, uint32_t count, struct error *error)
{
    struct buffer bytes = {0};
    bson_t view;
    enum status status = write_deletions(table, keys, count, &bytes, error);
    if (status == STATUS_OK) {
        mongodb_write_view(&bytes, &view);
        status = mongodb_control_write(mongodb_of(database), &view, NULL, error);
    }
    buffer_free(&bytes);
    return status;
}
