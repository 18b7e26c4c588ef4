/*
 * The store: an index of its own, PREFIXtranshume-ledger (of the history of a schema
 * PREFIXtranshume-schema), of which each document is a key:
 *
 *   _id, key               version   text
 *   run/0b6c…/status       3         {"phase":"loading",…}
 *   scope/Track            1         {"format":2,"run":"0b6c…"}
 *
 * A document read by its id is the newest one (GET is realtime); searches see it after a refresh,
 * so that a scan refreshes first. What replaces or deletes a version names the sequence number
 * under which that was read. What puts an absent key or deletes any version is sent only while the
 * lease lasts, once this process has claimed a run.
 * (OpenSearch: "Get document", "Index document": if_seq_no, if_primary_term, op_type.)
 */
#include "connectors/opensearch/opensearch.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdlib.h>

enum { VALUE_BYTES_MAX = 384 * 1024, PAGE_KEYS = 200 };

struct store {
    struct opensearch_database *database;
    struct opensearch_client *client;
    const char *place; /* the index, behind the prefix */
};

enum status opensearch_store_open_in(struct database *self, const char *place, struct store **store,
                                     struct error *error)
{
    struct store *made = memory_allocate_zeroed(1, sizeof(*made));
    made->database = opensearch_of(self);
    made->place = place;
    if (opensearch_client_create(made->database->service, 1, &made->client, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    *store = made;
    return STATUS_OK;
}

static enum status store_open(struct database *self, struct store **store, struct error *error)
{
    return opensearch_store_open_in(self, OPENSEARCH_LEDGER, store, error);
}

static void store_close(struct store *store)
{
    if (store != NULL) {
        opensearch_client_destroy(store->client);
        free(store);
    }
}

/* ---------------------------------------------------------------- requests */

/* "/INDEX" and what follows. */
static void begin_path(const struct store *store, const char *rest, struct buffer *path)
{
    buffer_append_byte(path, '/');
    opensearch_index_append(store->database, store->place, path);
    buffer_append_string(path, rest);
}

static void append_key_path(const struct store *store, const char *rest, const char *key,
                            struct buffer *path)
{
    begin_path(store, rest, path);
    opensearch_append_encoded(path, key, strlen(key));
}

/* Frees path and body. STATUS_END: FAULT_MISSING; STATUS_AGAIN: FAULT_CONFLICT. */
static enum status opensearch_store_call(struct store *store, const char *method,
                                         struct buffer *path, struct buffer *body,
                                         const struct database *lease, struct service_reply **reply,
                                         struct error *error)
{
    const struct opensearch_request request = {.operation = "the ledger",
                                               .object = store->place,
                                               .method = method,
                                               .path = buffer_string(path),
                                               .body = body != NULL ? body->data : NULL,
                                               .body_length = body != NULL ? body->length : 0,
                                               .repeatable = strcmp(method, "GET") == 0,
                                               .lease = lease};
    enum status status = opensearch_client_call(store->client, &request, reply, error);
    enum opensearch_fault fault =
        status == STATUS_OK ? (enum opensearch_fault)(*reply)->fault : OPENSEARCH_FAULT_NONE;
    if (fault == OPENSEARCH_FAULT_MISSING) {
        status = STATUS_END;
    } else if (fault == OPENSEARCH_FAULT_CONFLICT) {
        status = STATUS_AGAIN;
    } else if (fault != OPENSEARCH_FAULT_NONE && fault != OPENSEARCH_FAULT_EXISTS) {
        status = error_copy(error, &(*reply)->error);
    }
    buffer_free(path);
    if (body != NULL) {
        buffer_free(body);
    }
    return status;
}

/* ---------------------------------------------------------------- the place */

static enum status store_create(struct store *store, struct error *error)
{
    static const char text[] =
        "{\"settings\":{\"index\":{\"number_of_shards\":1,\"hidden\":true}},"
        "\"mappings\":{\"dynamic\":false,\"properties\":{\"key\":{\"type\":\"keyword\"},"
        "\"version\":{\"type\":\"long\",\"index\":false},"
        "\"text\":{\"type\":\"keyword\",\"index\":false,\"doc_values\":false}}}}";
    struct buffer path = {0};
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    if (failpoint_hit("opensearch.before_ledger", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    begin_path(store, "", &path);
    buffer_append_string(&body, text);
    enum status status = opensearch_store_call(store, "PUT", &path, &body, NULL, &reply, error);
    service_reply_destroy(reply);
    return status == STATUS_OK ? failpoint_hit("opensearch.after_ledger", error) : status;
}

static enum status store_drop(struct store *store, struct error *error)
{
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    begin_path(store, "", &path);
    enum status status = opensearch_store_call(store, "DELETE", &path, NULL, NULL, &reply, error);
    service_reply_destroy(reply);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- reading */

struct place {
    uint64_t sequence;
    uint64_t term;
};

static enum status refuse_damaged(const struct store *store, const char *key, struct error *error)
{
    return error_set(error, ERROR_LEDGER_INVALID, store->place, "the document %s in it is damaged",
                     key);
}

static enum status read_source(const struct store *store, const json_t *found, const char *key,
                               struct arena *arena, struct store_value *value, struct error *error)
{
    const json_t *source = json_object_get(found, "_source");
    const json_t *text = json_object_get(source, "text");
    const json_t *version = json_object_get(source, "version");
    if (!json_is_string(text) || !json_is_integer(version) || json_integer_value(version) < 1) {
        return refuse_damaged(store, key, error);
    }
    value->version = (uint64_t)json_integer_value(version);
    value->length = json_string_length(text);
    value->text = arena_copy(arena, json_string_value(text), value->length);
    return STATUS_OK;
}

static enum status get_place(struct store *store, const char *key, struct arena *arena,
                             struct store_value *value, struct place *place, struct error *error)
{
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    json_t *root = NULL;
    append_key_path(store, "/_doc/", key, &path);
    enum status status = opensearch_store_call(store, "GET", &path, NULL, NULL, &reply, error);
    if (status == STATUS_OK) {
        root = opensearch_reply_parse(reply, store->place, error);
        status = root == NULL                                    ? STATUS_FAILED
                 : !json_is_true(json_object_get(root, "found")) ? STATUS_END
                                                                 : STATUS_OK;
    }
    if (status == STATUS_OK) {
        place->sequence = (uint64_t)json_integer_value(json_object_get(root, "_seq_no"));
        place->term = (uint64_t)json_integer_value(json_object_get(root, "_primary_term"));
        status = read_source(store, root, key, arena, value, error);
    }
    json_decref(root);
    service_reply_destroy(reply);
    return status;
}

static enum status store_get(struct store *store, const char *key, struct arena *arena,
                             struct store_value *value, struct error *error)
{
    struct place ignored;
    return get_place(store, key, arena, value, &ignored, error);
}

/* ---------------------------------------------------------------- scanning */

/* STATUS_END: there is no such index. */
static enum status refresh(struct store *store, struct error *error)
{
    struct buffer path = {0};
    struct service_reply *reply = NULL;
    begin_path(store, "/_refresh", &path);
    enum status status = opensearch_store_call(store, "POST", &path, NULL, NULL, &reply, error);
    if (status == STATUS_END && !opensearch_reply_no_index(reply)) {
        status = error_copy(error, &reply->error);
    }
    service_reply_destroy(reply);
    return status;
}

static void append_search(const char *prefix, const struct buffer *last, struct buffer *body)
{
    buffer_format(body, "{\"size\":%d,\"track_total_hits\":false,\"query\":{\"prefix\":{\"key\":",
                  (int)PAGE_KEYS);
    json_append_string(body, prefix, strlen(prefix));
    buffer_append_string(body, "}},\"sort\":[{\"key\":\"asc\"}]");
    if (last->length > 0) {
        buffer_append_string(body, ",\"search_after\":[");
        json_append_string(body, last->data, last->length);
        buffer_append_byte(body, ']');
    }
    buffer_append_byte(body, '}');
}

static enum status visit_hits(const struct store *store, const json_t *hits, store_visit *visit,
                              void *context, struct buffer *last, struct error *error)
{
    enum status status = STATUS_OK;
    struct arena *arena = arena_create(0);
    for (size_t at = 0; at < json_array_size(hits) && status == STATUS_OK; at++) {
        const json_t *hit = json_array_get(hits, at);
        const char *key = json_string_value(json_object_get(hit, "_id"));
        struct store_value value;
        arena_reset(arena);
        status = key == NULL ? refuse_damaged(store, "", error)
                             : read_source(store, hit, key, arena, &value, error);
        if (status == STATUS_OK) {
            buffer_clear(last);
            buffer_append_string(last, key);
            status = visit(context, key, &value, error);
        }
    }
    arena_destroy(arena);
    return status;
}

/* `last`: the key to continue after; empty after the last page. A shard that did not answer would
 * hide keys. */
static enum status scan_page(struct store *store, const char *prefix, store_visit *visit,
                             void *context, struct buffer *last, struct error *error)
{
    struct buffer path = {0};
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    json_t *root = NULL;
    begin_path(store, "/_search?allow_partial_search_results=false", &path);
    append_search(prefix, last, &body);
    buffer_clear(last);
    enum status status = opensearch_store_call(store, "POST", &path, &body, NULL, &reply, error);
    if (status == STATUS_OK) {
        root = opensearch_reply_parse(reply, store->place, error);
        const json_t *hits = json_object_get(json_object_get(root, "hits"), "hits");
        status =
            root != NULL ? visit_hits(store, hits, visit, context, last, error) : STATUS_FAILED;
        if (json_array_size(hits) < PAGE_KEYS) {
            buffer_clear(last);
        }
    }
    json_decref(root);
    service_reply_destroy(reply);
    return status;
}

static enum status store_scan(struct store *store, const char *prefix, store_visit *visit,
                              void *context, struct error *error)
{
    struct buffer last = {0};
    enum status status = refresh(store, error);
    if (status == STATUS_END) { /* no place has been made yet */
        return STATUS_OK;
    }
    while (status == STATUS_OK) {
        status = scan_page(store, prefix, visit, context, &last, error);
        if (last.length == 0) {
            break;
        }
    }
    buffer_free(&last);
    return status;
}

/* ---------------------------------------------------------------- writing */

static void append_document(const char *key, const char *text, size_t length, uint64_t version,
                            struct buffer *body)
{
    buffer_append_string(body, "{\"key\":");
    json_append_string(body, key, strlen(key));
    buffer_format(body, ",\"version\":%" PRIu64 ",\"text\":", version);
    json_append_string(body, text, length);
    buffer_append_byte(body, '}');
}

/* The place of that version. STATUS_AGAIN: the key has another one, or is not there. */
static enum status find_version(struct store *store, const char *key, uint64_t expected,
                                struct place *place, struct error *error)
{
    struct store_value value;
    struct arena *arena = arena_create(0);
    enum status status = get_place(store, key, arena, &value, place, error);
    if (status == STATUS_OK && value.version != expected) {
        status = STATUS_AGAIN;
    }
    arena_destroy(arena);
    return status;
}

static enum status store_put_if(struct store *store, const char *key, const char *text,
                                size_t length, uint64_t expected, uint64_t *version,
                                struct error *error)
{
    struct buffer path = {0};
    struct buffer body = {0};
    struct place place;
    struct service_reply *reply = NULL;
    bool absent = expected == STORE_ABSENT;
    *version = expected + 1;
    if (!absent) {
        enum status found = find_version(store, key, expected, &place, error);
        if (found != STATUS_OK) {
            return found == STATUS_END ? STATUS_AGAIN : found;
        }
    }
    append_key_path(store, absent ? "/_create/" : "/_doc/", key, &path);
    if (!absent) {
        buffer_format(&path, "?if_primary_term=%" PRIu64 "&if_seq_no=%" PRIu64, place.term,
                      place.sequence);
    }
    append_document(key, text, length, expected + 1, &body);
    enum status status =
        opensearch_store_call(store, "PUT", &path, &body,
                              absent ? keyed_lease(&store->database->keyed) : NULL, &reply, error);
    service_reply_destroy(reply);
    return status == STATUS_END ? error_set(error, ERROR_TARGET_MISSING, store->place,
                                            "the index is not there any more")
                                : status;
}

static enum status store_delete_if(struct store *store, const char *key, uint64_t expected,
                                   struct error *error)
{
    struct buffer path = {0};
    struct place place;
    struct service_reply *reply = NULL;
    bool any = expected == STORE_ANY_VERSION;
    if (!any) {
        enum status found = find_version(store, key, expected, &place, error);
        if (found != STATUS_OK) {
            return found == STATUS_END ? STATUS_OK : found;
        }
    }
    append_key_path(store, "/_doc/", key, &path);
    if (!any) {
        buffer_format(&path, "?if_primary_term=%" PRIu64 "&if_seq_no=%" PRIu64, place.term,
                      place.sequence);
    }
    enum status status =
        opensearch_store_call(store, "DELETE", &path, NULL,
                              any ? keyed_lease(&store->database->keyed) : NULL, &reply, error);
    service_reply_destroy(reply);
    return status == STATUS_END ? STATUS_OK : status;
}

const struct store_functions opensearch_store = {
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
