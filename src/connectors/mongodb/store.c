/*
 * The store: a collection (MONGODB_LEDGER, and the history of a schema), a document for each key,
 * changed under a condition.
 *
 *   {_id: key, version: int64, text: string}
 *   {_id: "", format: 2}                      the place itself
 *
 * What replaces a version is as safe as that condition. What puts an absent key or deletes any
 * version is sent only while the lease lasts, once this process has claimed a run.
 */
#include "connectors/mongodb/alter.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include <stdlib.h>

enum { VALUE_BYTES_MAX = 4 << 20, FORMAT = 2 };

struct store {
    struct mongodb_database *database;
    mongoc_client_t *client;
    const char *collection;
};

struct store *mongodb_store_open_in(struct database *self, const char *collection)
{
    struct store *made = memory_allocate_zeroed(1, sizeof(*made));
    made->database = mongodb_of(self);
    made->client = mongodb_client_take(made->database);
    made->collection = collection;
    return made;
}

static enum status store_open(struct database *self, struct store **store, struct error *error)
{
    (void)error;
    *store = mongodb_store_open_in(self, MONGODB_LEDGER);
    return STATUS_OK;
}

static void store_close(struct store *store)
{
    if (store != NULL) {
        mongodb_client_return(store->database, store->client);
        free(store);
    }
}

/* ---------------------------------------------------------------- writes */

static enum status check_lease(const struct store *store, bool guarded, struct error *error)
{
    const struct mongodb_database *self = store->database;
    return guarded && self->keyed.room.run_id != NULL
               ? lease_check(&self->keyed.base, self->keyed.room.timeout_ms, error)
               : STATUS_OK;
}

/* One write; frees the command. `*matched`: how many documents it found. STATUS_AGAIN: there is a
 * document of that key. */
static enum status write_one(struct store *store, struct buffer *command, int64_t *matched,
                             struct error *error)
{
    bson_t view;
    bson_t reply;
    mongodb_write_view(command, &view);
    enum status status =
        mongodb_call(store->database, store->client, MONGODB_WRITE, &view, NULL, &reply, error);
    if (status == STATUS_OK) {
        status = mongodb_write_outcome(store->database, &reply, store->collection, error);
        *matched = mongodb_number(&reply, "n", 0);
    }
    bson_destroy(&reply);
    buffer_free(command);
    return status;
}

/* ---------------------------------------------------------------- the place */

static enum status check_format(struct store *store, struct error *error);

static enum status store_create(struct store *store, struct error *error)
{
    struct buffer command = {0};
    int64_t matched = 0;
    enum status status = failpoint_hit("mongodb.before_ledger", error);
    if (status == STATUS_OK) {
        size_t whole = mongodb_write_begin(&command);
        mongodb_write_text(&command, "insert", store->collection, strlen(store->collection));
        size_t list = mongodb_write_open(&command, "documents", BSON_TYPE_ARRAY);
        size_t place = mongodb_write_open(&command, "0", BSON_TYPE_DOCUMENT);
        mongodb_write_text(&command, MONGODB_ID, "", 0);
        mongodb_write_int32(&command, "format", FORMAT);
        mongodb_write_end(&command, place);
        mongodb_write_end(&command, list);
        mongodb_write_concern(&command);
        mongodb_write_end(&command, whole);
        status = write_one(store, &command, &matched, error);
        status = status == STATUS_AGAIN ? check_format(store, error) : status;
    }
    return status == STATUS_OK ? failpoint_hit("mongodb.after_ledger", error) : status;
}

static enum status store_drop(struct store *store, struct error *error)
{
    struct buffer command = {0};
    bson_t view;
    size_t whole = mongodb_write_begin(&command);
    mongodb_write_text(&command, "drop", store->collection, strlen(store->collection));
    mongodb_write_concern(&command);
    mongodb_write_end(&command, whole);
    mongodb_write_view(&command, &view);
    enum status status =
        mongodb_call(store->database, store->client, MONGODB_WRITE, &view, NULL, NULL, error);
    buffer_free(&command);
    bool absent = status == STATUS_FAILED && error->native_code == MONGODB_NO_COLLECTION;
    return absent ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- reading */

static enum status damaged(const struct store *store, const char *key, struct error *error)
{
    return error_set(error, ERROR_LEDGER_INVALID, store->collection,
                     "the value of %s in it is damaged", key);
}

/* Borrows the document. */
static enum status read_value(const struct store *store, const bson_t *document, const char *key,
                              struct store_value *value, struct error *error)
{
    bson_iter_t at;
    uint32_t length = 0;
    int64_t version = mongodb_number(document, "version", 0);
    if (version < 1 || !bson_iter_init_find(&at, document, "text") || !BSON_ITER_HOLDS_UTF8(&at)) {
        return damaged(store, key, error);
    }
    value->text = bson_iter_utf8(&at, &length);
    value->length = length;
    value->version = (uint64_t)version;
    return STATUS_OK;
}

typedef enum status found_document(void *context, const bson_t *document, struct error *error);

/* Documents that the filter finds, by key. Frees the filter. */
static enum status store_find(struct store *store, struct buffer *filter, found_document *found,
                              void *context, struct error *error)
{
    bson_t view;
    bson_error_t why;
    bson_t sorted = BSON_INITIALIZER;
    bson_t order;
    const bson_t *document = NULL;
    const bson_t *reply = NULL;
    enum status status = STATUS_OK;
    (void)bson_append_document_begin(&sorted, "sort", -1, &order);
    (void)bson_append_int32(&order, MONGODB_ID, -1, 1);
    (void)bson_append_document_end(&sorted, &order);
    mongodb_write_view(filter, &view);
    mongoc_collection_t *collection =
        mongoc_client_get_collection(store->client, store->database->name, store->collection);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &view, &sorted, NULL);
    while (status == STATUS_OK && mongoc_cursor_next(cursor, &document)) {
        status = found(context, document, error);
    }
    if (status == STATUS_OK && mongoc_cursor_error_document(cursor, &why, &reply)) {
        status = mongodb_failure(store->database, &why, reply, store->collection, error);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    bson_destroy(&sorted);
    buffer_free(filter);
    return status;
}

static void filter_key(const char *key, struct buffer *filter)
{
    size_t begin = mongodb_write_begin(filter);
    mongodb_write_text(filter, MONGODB_ID, key, strlen(key));
    mongodb_write_end(filter, begin);
}

static enum status see_format(void *context, const bson_t *document, struct error *error)
{
    int64_t *format = context;
    (void)error;
    *format = mongodb_number(document, "format", 0);
    return STATUS_OK;
}

static enum status check_format(struct store *store, struct error *error)
{
    struct buffer filter = {0};
    int64_t format = FORMAT;
    filter_key("", &filter);
    enum status status = store_find(store, &filter, see_format, &format, error);
    if (status == STATUS_OK && format != FORMAT) {
        status = error_set(error, format > FORMAT ? ERROR_FORMAT_NEWER : ERROR_LEDGER_INVALID,
                           store->collection, "it is of another format than %d", (int)FORMAT);
    }
    return status;
}

struct getting {
    const struct store *store;
    const char *key;
    struct arena *arena;
    struct store_value *value;
    bool found;
};

static enum status take_value(void *context, const bson_t *document, struct error *error)
{
    struct getting *getting = context;
    enum status status = read_value(getting->store, document, getting->key, getting->value, error);
    if (status == STATUS_OK) {
        getting->found = true;
        getting->value->text =
            arena_copy(getting->arena, getting->value->text, getting->value->length);
    }
    return status;
}

static enum status store_get(struct store *store, const char *key, struct arena *arena,
                             struct store_value *value, struct error *error)
{
    struct buffer filter = {0};
    struct getting getting = {store, key, arena, value, false};
    filter_key(key, &filter);
    enum status status = store_find(store, &filter, take_value, &getting, error);
    return status == STATUS_OK && !getting.found ? STATUS_END : status;
}

struct scanning {
    const struct store *store;
    store_visit *visit;
    void *context;
};

static enum status visit_document(void *context, const bson_t *document, struct error *error)
{
    const struct scanning *scanning = context;
    struct store_value value;
    const char *key = mongodb_text(document, MONGODB_ID);
    if (key == NULL || key[0] == '\0') {
        return STATUS_OK;
    }
    enum status status = read_value(scanning->store, document, key, &value, error);
    return status == STATUS_OK ? scanning->visit(scanning->context, key, &value, error) : status;
}

/* Keys are printable ASCII, so that DEL is behind all that begin with the prefix. */
static enum status store_scan(struct store *store, const char *prefix, store_visit *visit,
                              void *context, struct error *error)
{
    struct buffer filter = {0};
    struct scanning scanning = {store, visit, context};
    char *end = memory_format("%s\x7f", prefix);
    size_t begin = mongodb_write_begin(&filter);
    size_t range = mongodb_write_open(&filter, MONGODB_ID, BSON_TYPE_DOCUMENT);
    mongodb_write_text(&filter, "$gte", prefix, strlen(prefix));
    mongodb_write_text(&filter, "$lt", end, strlen(end));
    mongodb_write_end(&filter, range);
    mongodb_write_end(&filter, begin);
    free(end);
    return store_find(store, &filter, visit_document, &scanning, error);
}

/* ---------------------------------------------------------------- changing */

static enum status store_insert(struct store *store, const char *key, const char *text,
                                size_t length, struct error *error)
{
    struct buffer command = {0};
    int64_t matched = 0;
    size_t whole = mongodb_write_begin(&command);
    mongodb_write_text(&command, "insert", store->collection, strlen(store->collection));
    size_t list = mongodb_write_open(&command, "documents", BSON_TYPE_ARRAY);
    size_t document = mongodb_write_open(&command, "0", BSON_TYPE_DOCUMENT);
    mongodb_write_text(&command, MONGODB_ID, key, strlen(key));
    mongodb_write_int64(&command, "version", 1);
    mongodb_write_text(&command, "text", text, length);
    mongodb_write_end(&command, document);
    mongodb_write_end(&command, list);
    mongodb_write_concern(&command);
    mongodb_write_end(&command, whole);
    return write_one(store, &command, &matched, error);
}

static void append_condition(const char *key, uint64_t version, struct buffer *command)
{
    size_t filter = mongodb_write_open(command, "q", BSON_TYPE_DOCUMENT);
    mongodb_write_text(command, MONGODB_ID, key, strlen(key));
    if (version != STORE_ANY_VERSION) {
        mongodb_write_int64(command, "version", (int64_t)version);
    }
    mongodb_write_end(command, filter);
}

static enum status store_update(struct store *store, const char *key, const char *text,
                                size_t length, uint64_t expected, struct error *error)
{
    struct buffer command = {0};
    int64_t matched = 0;
    size_t whole = mongodb_write_begin(&command);
    mongodb_write_text(&command, "update", store->collection, strlen(store->collection));
    size_t list = mongodb_write_open(&command, "updates", BSON_TYPE_ARRAY);
    size_t item = mongodb_write_open(&command, "0", BSON_TYPE_DOCUMENT);
    append_condition(key, expected, &command);
    size_t change = mongodb_write_open(&command, "u", BSON_TYPE_DOCUMENT);
    size_t set = mongodb_write_open(&command, "$set", BSON_TYPE_DOCUMENT);
    mongodb_write_int64(&command, "version", (int64_t)expected + 1);
    mongodb_write_text(&command, "text", text, length);
    mongodb_write_end(&command, set);
    mongodb_write_end(&command, change);
    mongodb_write_end(&command, item);
    mongodb_write_end(&command, list);
    mongodb_write_concern(&command);
    mongodb_write_end(&command, whole);
    enum status status = write_one(store, &command, &matched, error);
    return status == STATUS_OK && matched == 0 ? STATUS_AGAIN : status;
}

static enum status store_put_if(struct store *store, const char *key, const char *text,
                                size_t length, uint64_t expected, uint64_t *version,
                                struct error *error)
{
    *version = expected + 1;
    if (check_lease(store, expected == STORE_ABSENT, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return expected == STORE_ABSENT ? store_insert(store, key, text, length, error)
                                    : store_update(store, key, text, length, expected, error);
}

static enum status store_delete_if(struct store *store, const char *key, uint64_t expected,
                                   struct error *error)
{
    struct buffer command = {0};
    struct store_value value;
    int64_t matched = 0;
    if (check_lease(store, expected == STORE_ANY_VERSION, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    size_t whole = mongodb_write_begin(&command);
    mongodb_write_text(&command, "delete", store->collection, strlen(store->collection));
    size_t list = mongodb_write_open(&command, "deletes", BSON_TYPE_ARRAY);
    size_t item = mongodb_write_open(&command, "0", BSON_TYPE_DOCUMENT);
    append_condition(key, expected, &command);
    mongodb_write_int32(&command, "limit", 1);
    mongodb_write_end(&command, item);
    mongodb_write_end(&command, list);
    mongodb_write_concern(&command);
    mongodb_write_end(&command, whole);
    enum status status = write_one(store, &command, &matched, error);
    if (status == STATUS_OK && matched == 0) { /* it is gone, or has another version */
        struct arena *arena = arena_create(0);
        status = store_get(store, key, arena, &value, error);
        status = status == STATUS_END ? STATUS_OK : status == STATUS_OK ? STATUS_AGAIN : status;
        arena_destroy(arena);
    }
    return status;
}

const struct store_functions mongodb_store = {
    .value_bytes_max = VALUE_BYTES_MAX,
    .open = store_open,
    .close = store_close,
    .create = store_create,
    .drop = store_drop,
    .get = store_get,
    .put_if = store_put_if,
    .delete_if = store_delete_if,
    .scan = store_scan,
};
