/* Indexes that are there: what they hold, whether they fit the plan, counting and emptying them. */
#include "connectors/opensearch/opensearch.h"

#include "base/failpoint.h"
#include "model/json_tree.h"
#include "model/json_writer.h"

enum { EMPTY_DOCUMENTS = 2000 /* of one request */, HTTP_MISSING = 404 };

/* ---------------------------------------------------------------- counting */

/* What was written before is counted, too. STATUS_END: there is no index. */
static enum status count_documents(struct opensearch_database *self, const char *table,
                                   uint64_t *count, struct error *error)
{
    json_t *root = NULL;
    struct arena *arena = arena_create(0);
    const struct opensearch_request request = {.operation = "_count",
                                               .object = table,
                                               .method = "GET",
                                               .path =
                                                   opensearch_path(self, arena, table, "/_count"),
                                               .repeatable = true};
    *count = 0;
    enum status status = opensearch_refresh(self, table, error);
    status =
        status == STATUS_OK ? opensearch_control_ask(self, &request, NULL, &root, error) : status;
    if (status == STATUS_OK) {
        const json_t *shards = json_object_get(root, "_shards");
        *count = (uint64_t)json_integer_value(json_object_get(root, "count"));
        if (json_integer_value(json_object_get(shards, "failed")) > 0) {
            status = error_set(error, ERROR_NETWORK, table, "not all shards have answered");
        }
    }
    json_decref(root);
    arena_destroy(arena);
    return status;
}

enum status opensearch_count(struct database *database, const struct target_table *table,
                             uint64_t *count, struct error *error)
{
    enum status status = count_documents(opensearch_of(database), table->name, count, error);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- inspect */

static const struct opensearch_index *find_index(const struct opensearch_index *indexes,
                                                 uint32_t count,
                                                 const struct opensearch_database *self,
                                                 const char *table)
{
    const struct opensearch_index *found = NULL;
    struct buffer name = {0};
    opensearch_index_append(self, table, &name);
    for (uint32_t at = 0; at < count; at++) {
        struct buffer other = {0};
        opensearch_append_encoded(&other, indexes[at].name, strlen(indexes[at].name));
        found = strcmp(buffer_string(&other), buffer_string(&name)) == 0 ? &indexes[at] : found;
        buffer_free(&other);
    }
    buffer_free(&name);
    return found;
}

enum status opensearch_inspect(struct database *database, const struct target_table *tables,
                               uint32_t table_count, bool *table_exists, bool *record_exists,
                               struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct opensearch_index *indexes = NULL;
    uint32_t count = 0;
    struct arena *arena = arena_create(0);
    enum status status = opensearch_describe(self, NULL, arena, &indexes, &count, error);
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        uint64_t documents = 0;
        table_exists[at] = find_index(indexes, count, self, tables[at].name) != NULL;
        if (table_exists[at]) {
            status = count_documents(self, tables[at].name, &documents, error);
            status = status == STATUS_END ? STATUS_OK : status;
        }
        record_exists[at] = documents > 0;
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- checking */

static void append_shown(const char *name, struct buffer *out)
{
    char shown[128];
    text_printable(name, strlen(name), shown, sizeof(shown));
    buffer_append_string(out, shown);
}

static bool is_metadata(const char *name)
{
    static const char *const names[] = {"_index",
                                        "_source",
                                        "_routing",
                                        "_type",
                                        "_version",
                                        "_seq_no",
                                        "_field_names",
                                        "_ignored",
                                        "_size",
                                        "_doc_count",
                                        "_tier",
                                        "_nested_path",
                                        "_data_stream_timestamp"};
    bool found = false;
    for (size_t at = 0; at < sizeof(names) / sizeof(*names); at++) {
        found = found || strcmp(names[at], name) == 0;
    }
    return found;
}

static void check_columns(const struct target_table *table, struct buffer *out)
{
    bool is_id = opensearch_key_is_id(table->key);
    for (uint32_t at = 0; at < table->column_count; at++) {
        const char *name = table->columns[at].name;
        bool bad_id = strcmp(name, OPENSEARCH_ID) == 0 && !is_id;
        if (strchr(name, '.') != NULL || name[strspn(name, " \t")] == '\0') {
            append_shown(name, out);
            buffer_append_string(out, ": a field's name is not empty and has no dot, which the "
                                      "server takes for a path; rename it in the plan\n");
        } else if (is_metadata(name) || bad_id) {
            append_shown(name, out);
            buffer_append_string(out, bad_id ? ": the id is a field only where it is the key\n"
                                             : ": the server has a field of its own by that name; "
                                               "rename it in the plan\n");
        } else if (table->existing == EXISTING_UPSERT && !table->created &&
                   table->columns[at].type.kind == VALUE_DECIMAL) {
            append_shown(name, out);
            buffer_append_string(out, ": updating a document writes its numbers anew, as floats; "
                                      "write `existing: replace`, or cast it to text\n");
        }
    }
}

static void check_features(const struct target_table *table, struct buffer *out)
{
    for (uint32_t at = 0; at < table->index_count; at++) {
        if (table->indexes[at].unique && !table->indexes[at].promised) {
            buffer_append_string(out, "the unique index \"");
            append_shown(table->indexes[at].name, out);
            buffer_append_string(out, "\": only ids of documents are unique\n");
        }
    }
    if (table->key.count == 0) {
        buffer_append_string(out, "it has no key, of which the ids of its documents are made\n");
    }
    if (table->key.count > KEYED_KEY_COLUMNS_MAX) {
        buffer_format(out, "its key has more than %d columns\n", KEYED_KEY_COLUMNS_MAX);
    }
    if (table->ttl != NULL) {
        buffer_append_string(out, "ttl: documents do not expire by themselves\n");
    }
}

static void append_names(struct buffer *out, struct column_list key)
{
    for (uint32_t at = 0; at < key.count; at++) {
        buffer_append_string(out, at > 0 ? ", " : "");
        append_shown(key.names[at], out);
    }
}

static void check_index(const struct target_table *table, const struct opensearch_index *index,
                        struct buffer *out)
{
    if (index->lacking != NULL) {
        buffer_format(out, "the index is there, and %s\n", index->lacking);
    }
    if (index->run != NULL && !column_list_is_equal(index->key, table->key)) {
        buffer_append_string(out, "the index is there with the key ");
        append_names(out, index->key);
        buffer_append_string(out, ", the plan says ");
        append_names(out, table->key);
        buffer_append_byte(out, '\n');
    }
    for (uint32_t at = 0; at < table->column_count; at++) {
        const char *name = table->columns[at].name;
        if (name_index_find(&index->columns.names, name, strlen(name)) == NAME_INDEX_NONE &&
            strcmp(name, OPENSEARCH_ID) != 0) {
            append_shown(name, out);
            buffer_append_string(out, ": the index is there without such a field; add it to the "
                                      "mapping, or leave it out of the plan\n");
        }
    }
}

enum status opensearch_check_table(struct database *database, const struct check_request *request,
                                   struct buffer *out, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    const struct target_table *table = request->table;
    struct opensearch_index *indexes = NULL;
    uint32_t count = 0;
    const char *fault = opensearch_name_fault(self, table->name);
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    check_columns(table, out);
    check_features(table, out);
    if (fault != NULL) {
        buffer_format(out, "%s\n", fault);
    } else {
        status = opensearch_describe(self, table->name, arena, &indexes, &count, error);
        if (status == STATUS_OK) {
            check_index(table, &indexes[0], out);
        }
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- emptying */

/* Ids of some documents, as deletes of a _bulk. */
static enum status list_some(struct opensearch_database *self, const char *table,
                             struct arena *arena, struct buffer *deletes, struct error *error)
{
    json_t *root = NULL;
    struct buffer body = {0};
    const struct opensearch_request request = {
        .operation = "_search",
        .object = table,
        .method = "POST",
        .path = opensearch_path(self, arena, table, "/_search?allow_partial_search_results=false"),
        .repeatable = true};
    buffer_format(&body, "{\"size\":%d,\"_source\":false,\"query\":{\"match_all\":{}}}",
                  (int)EMPTY_DOCUMENTS);
    enum status status = opensearch_control_ask(self, &request, &body, &root, error);
    const json_t *hits = json_object_get(json_object_get(root, "hits"), "hits");
    for (size_t at = 0; at < json_array_size(hits); at++) {
        const char *id = json_string_value(json_object_get(json_array_get(hits, at), "_id"));
        if (id != NULL) {
            buffer_append_string(deletes, "{\"delete\":{\"_id\":");
            json_append_string(deletes, id, strlen(id));
            buffer_append_string(deletes, "}}\n");
        }
    }
    json_decref(root);
    return status;
}

enum status opensearch_empty_table(struct opensearch_database *self, const char *table,
                                   struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    bool more = true;
    while (status == STATUS_OK && more) {
        struct buffer deletes = {0};
        arena_reset(arena);
        status = opensearch_refresh(self, table, error);
        status = status == STATUS_OK ? list_some(self, table, arena, &deletes, error) : status;
        more = status == STATUS_OK && deletes.length > 0;
        status = more ? opensearch_bulk_now(self, table, &deletes, HTTP_MISSING, error) : status;
        buffer_free(&deletes);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status opensearch_empty(struct database *database, const struct target_table *const *tables,
                             uint32_t table_count, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = failpoint_hit("opensearch.before_empty", error);
        if (status == STATUS_OK) {
            status = opensearch_empty_table(opensearch_of(database), tables[at]->name, error);
        }
    }
    return status;
}
