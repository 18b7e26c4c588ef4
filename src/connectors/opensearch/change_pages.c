/* Documents in the order of their sequence numbers. (OpenSearch: "Index stats": level=shards,
 * "Search": sort; the field _seq_no is searched and sorted like a number.) */
#include "connectors/opensearch/change_session.h"

#include "model/json_tree.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <string.h>

/* ---------------------------------------------------------------- how far an index has come */

static bool is_primary(const json_t *copy)
{
    return json_is_true(json_object_get(json_object_get(copy, "routing"), "primary"));
}

static enum status read_reach(const json_t *root, const char *index, struct opensearch_reach *reach,
                              struct error *error)
{
    const json_t *shards =
        json_object_get(json_object_get(json_object_get(root, "indices"), index), "shards");
    const char *name = NULL;
    const json_t *copies = NULL;
    size_t found = 0;
    json_object_foreach((json_t *)(uintptr_t)shards, name, copies)
    {
        for (size_t i = 0; i < json_array_size(copies); i++) {
            const json_t *copy = json_array_get(copies, i);
            const json_t *numbers = json_object_get(copy, "seq_no");
            if (is_primary(copy) && json_is_object(numbers)) {
                int64_t highest = json_integer_value(json_object_get(numbers, "max_seq_no"));
                int64_t safe = json_integer_value(json_object_get(numbers, "global_checkpoint"));
                reach->high = highest > reach->high ? highest : reach->high;
                reach->writes += highest + 1;
                reach->low = found == 0 || safe + 1 < reach->low ? safe + 1 : reach->low;
                found++;
            }
        }
    }
    return found > 0 && found == json_object_size(shards)
               ? STATUS_OK
               : error_set(error, ERROR_NETWORK_ANSWER, index,
                           "not all of its shards say how far they are");
}

/* The numbers first: what they count is visible behind the refresh. */
enum status opensearch_reach(struct opensearch_alter *session, const char *index,
                             struct opensearch_reach *reach, struct error *error)
{
    json_t *root = NULL;
    struct arena *arena = arena_create(0);
    *reach = (struct opensearch_reach){.high = -1};
    enum status status = opensearch_alter_ask(
        session, "GET", opensearch_change_path(arena, index, "/_stats/indexing?level=shards"), NULL,
        &root, error);
    status = status == STATUS_OK ? read_reach(root, index, reach, error) : status;
    if (status == STATUS_OK) {
        status = opensearch_alter_ask(
            session, "POST", opensearch_change_path(arena, index, "/_refresh"), NULL, NULL, error);
    }
    json_decref(root);
    arena_destroy(arena);
    return status == STATUS_END
               ? error_set(error, ERROR_TARGET_MISSING, index, "the index is not there any more")
               : status;
}

/* ---------------------------------------------------------------- pages */

static enum status change_pages_search(struct opensearch_alter *session, const char *index,
                                       const char *body, json_t **root, const json_t **hits,
                                       struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = opensearch_alter_ask(
        session, "POST",
        opensearch_change_path(arena, index, "/_search?allow_partial_search_results=false"), body,
        root, error);
    arena_destroy(arena);
    *hits = json_object_get(json_object_get(*root, "hits"), "hits");
    if (status == STATUS_END) {
        return error_set(error, ERROR_TARGET_MISSING, index, "the index is not there any more");
    }
    return status == STATUS_OK && !json_is_array(*hits)
               ? error_set(error, ERROR_NETWORK_ANSWER, index, "the search's answer has no hits")
               : status;
}

enum status opensearch_page_end(struct opensearch_alter *session, const char *index, int64_t low,
                                int64_t high, uint64_t rows, int64_t *end, struct error *error)
{
    struct buffer body = {0};
    json_t *root = NULL;
    const json_t *hits = NULL;
    buffer_format(&body,
                  "{\"size\":1,\"from\":%" PRIu64 ",\"_source\":false,\"track_total_hits\":false,"
                  "\"sort\":[\"_seq_no\"],\"query\":{\"range\":{\"_seq_no\":{\"gte\":%" PRId64
                  ",\"lte\":%" PRId64 "}}}}",
                  rows - 1, low, high);
    enum status status =
        change_pages_search(session, index, buffer_string(&body), &root, &hits, error);
    const json_t *last = json_array_get(json_object_get(json_array_get(hits, 0), "sort"), 0);
    *end = json_is_integer(last) ? json_integer_value(last) : high;
    json_decref(root);
    buffer_free(&body);
    return status;
}

enum status opensearch_page(struct opensearch_alter *session, const char *index, int64_t low,
                            int64_t high, uint64_t rows, bool whole, json_t **root,
                            const json_t **hits, struct error *error)
{
    struct buffer body = {0};
    buffer_format(&body,
                  "{\"size\":%" PRIu64 ",\"_source\":%s,\"version\":true,"
                  "\"track_total_hits\":false,\"sort\":[\"_seq_no\"],"
                  "\"query\":{\"range\":{\"_seq_no\":{\"gte\":%" PRId64 ",\"lte\":%" PRId64 "}}}}",
                  rows, whole ? "true" : "false", low, high);
    enum status status =
        change_pages_search(session, index, buffer_string(&body), root, hits, error);
    buffer_free(&body);
    return status;
}

/* ---------------------------------------------------------------- by id */

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

enum status opensearch_fetch_same(struct opensearch_alter *session, const char *index,
                                  const json_t *hits, bool whole, json_t **root,
                                  struct error *error)
{
    struct buffer body = {0};
    struct arena *arena = arena_create(0);
    buffer_append_string(&body, "{\"docs\":[");
    for (size_t i = 0; i < json_array_size(hits); i++) {
        const json_t *hit = json_array_get(hits, i);
        const char *id = text_of(hit, "_id");
        const char *routing = text_of(hit, "_routing");
        buffer_append_string(&body, i > 0 ? ",{\"_id\":" : "{\"_id\":");
        json_append_string(&body, id != NULL ? id : "", id != NULL ? strlen(id) : 0);
        if (routing != NULL) {
            buffer_append_string(&body, ",\"routing\":");
            json_append_string(&body, routing, strlen(routing));
        }
        buffer_append_string(&body, whole ? "}" : ",\"_source\":false}");
    }
    buffer_append_string(&body, "]}");
    enum status status =
        opensearch_alter_ask(session, "POST", opensearch_change_path(arena, index, "/_mget"),
                             buffer_string(&body), root, error);
    if (status == STATUS_END) {
        status = error_set(error, ERROR_TARGET_MISSING, index, "the index is not there any more");
    }
    if (status == STATUS_OK &&
        json_array_size(json_object_get(*root, "docs")) != json_array_size(hits)) {
        status = error_set(error, ERROR_NETWORK_ANSWER, index,
                           "_mget answers with another number of documents");
    }
    arena_destroy(arena);
    buffer_free(&body);
    return status;
}

enum status opensearch_count_written(struct opensearch_alter *session, const char *index,
                                     uint64_t *count, struct error *error)
{
    json_t *root = NULL;
    struct arena *arena = arena_create(0);
    *count = 0;
    enum status status = opensearch_alter_ask(
        session, "GET", opensearch_change_path(arena, index, "/_count"), NULL, &root, error);
    if (status == STATUS_END) {
        status = error_set(error, ERROR_TARGET_MISSING, index, "the index is not there any more");
    }
    const json_t *number = json_object_get(root, "count");
    *count = json_is_integer(number) ? (uint64_t)json_integer_value(number) : 0;
    json_decref(root);
    arena_destroy(arena);
    return status;
}
