/* Indexes that are there: what they hold, whether they fit the plan, counting and emptying them. */
#include "connectors/opensearch/opensearch.h"

#include "model/json_tree.h"
#include "model/json_writer.h"
#include <inttypes.h>

enum { EMPTY_DOCUMENTS = 2000 /* of one request */, HTTP_MISSING = 404 };

/* ---------------------------------------------------------------- counting */

/* "/INDEX" and what follows it: an alias may have a filter, and hide documents of its index. */
static const char *index_path(struct arena *arena, const struct opensearch_index *index,
                              const char *rest)
{
    struct buffer path = {0};
    buffer_append_byte(&path, '/');
    opensearch_append_encoded(&path, index->name, strlen(index->name));
    buffer_append_string(&path, rest);
    const char *made = arena_copy(arena, path.data, path.length);
    buffer_free(&path);
    return made;
}

/* Documents that were written before are counted, too. STATUS_END: there is no index. */
static enum status count_documents(struct opensearch_database *self, const char *table,
                                   uint64_t *count, struct error *error)
{
    json_t *root = NULL;
    struct opensearch_index *index = NULL;
    struct opensearch_request request = {
        .operation = "_count", .object = table, .method = "GET", .repeatable = true};
    struct arena *arena = arena_create(0);
    *count = 0;
    enum status status = opensearch_find_one(self, table, arena, &index, error);
    status = status == STATUS_OK ? opensearch_refresh(self, table, error) : status;
    if (status == STATUS_OK) {
        request.path = index_path(arena, index, "/_count");
        status = opensearch_control_ask(self, &request, NULL, &root, error);
    }
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

enum status opensearch_inspect(struct database *database, const struct target_table *tables,
                               uint32_t table_count, bool *table_exists, bool *record_exists,
                               struct error *error)
{
    enum status status =
        opensearch_alias_check_all(opensearch_of(database), tables, table_count, error);
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        uint64_t documents = 0;
        status = count_documents(opensearch_of(database), tables[at].name, &documents, error);
        table_exists[at] = status == STATUS_OK;
        record_exists[at] = documents > 0;
        status = status == STATUS_END ? STATUS_OK : status;
    }
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

/* The server merges objects of an update into those that are there, and writes numbers anew. */
static const char *find_upsert_fault(const struct value_type *type)
{
    switch (type->kind) {
    case VALUE_DECIMAL:
        return ": updating a document writes its numbers anew, as floats; write `existing: "
               "replace`, or cast it to text\n";
    case VALUE_JSON:
    case VALUE_MAP:
    case VALUE_LIST:
    case VALUE_SET:
        break;
    default:
        if (!type->dynamic) {
            return NULL;
        }
        break;
    }
    return ": updating a document merges objects into those that are there, and writes numbers in "
           "them anew; write `existing: replace`\n";
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
                   find_upsert_fault(&table->columns[at].type) != NULL) {
            append_shown(name, out);
            buffer_append_string(out, find_upsert_fault(&table->columns[at].type));
        }
    }
}

static void check_features(const struct target_table *table, struct buffer *out)
{
    for (uint32_t at = 0; at < table->index_count; at++) {
        if (table->indexes[at].unique && !table->indexes[at].promised) {
            buffer_append_string(out, "the unique index \"");
            append_shown(table->indexes[at].name, out);
            buffer_append_string(out,
                                 "\": only ids of documents are unique; leave out `unique`, or "
                                 "make it the table's key\n");
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
        if (status == STATUS_OK && count > 1) {
            buffer_format(out, "it is an alias of %u indexes; an alias of one can be written\n",
                          (unsigned)count);
        } else if (status == STATUS_OK) {
            check_index(table, &indexes[0], out);
        } else if (status == STATUS_END) {
            status = opensearch_template_check(self, table->name, out, NULL, error);
        }
        if (status != STATUS_FAILED) {
            status = opensearch_alias_check(self, table, out, error);
        }
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- emptying */

static void append_delete(const json_t *hit, struct buffer *deletes)
{
    const char *id = json_string_value(json_object_get(hit, "_id"));
    const char *routing = json_string_value(json_object_get(hit, "_routing"));
    if (id == NULL) {
        return;
    }
    buffer_append_string(deletes, "{\"delete\":{\"_id\":");
    json_append_string(deletes, id, strlen(id));
    if (routing != NULL) {
        buffer_append_string(deletes, ",\"routing\":");
        json_append_string(deletes, routing, strlen(routing));
    }
    buffer_append_string(deletes, "}}\n");
}

/* Ids of some documents, as deletes of a _bulk; `*left`: how many there are in all. */
static enum status list_some(struct opensearch_database *self, const char *table,
                             struct arena *arena, struct buffer *deletes, int64_t *left,
                             struct error *error)
{
    json_t *root = NULL;
    struct buffer body = {0};
    struct opensearch_index *index = NULL;
    struct opensearch_request request = {
        .operation = "_search", .object = table, .method = "POST", .repeatable = true};
    enum status status = opensearch_find_one(self, table, arena, &index, error);
    if (status != STATUS_OK) {
        return status;
    }
    request.path = index_path(arena, index, "/_search?allow_partial_search_results=false");
    buffer_format(&body,
                  "{\"size\":%d,\"_source\":false,\"track_total_hits\":true,"
                  "\"query\":{\"match_all\":{}}}",
                  (int)EMPTY_DOCUMENTS);
    status = opensearch_control_ask(self, &request, &body, &root, error);
    const json_t *found = json_object_get(root, "hits");
    const json_t *hits = json_object_get(found, "hits");
    *left = json_integer_value(json_object_get(json_object_get(found, "total"), "value"));
    for (size_t at = 0; at < json_array_size(hits); at++) {
        append_delete(json_array_get(hits, at), deletes);
    }
    json_decref(root);
    return status;
}

/* A round that leaves as many documents as there were would be repeated for ever. */
enum status opensearch_empty_table(struct database *database, const struct target_table *of,
                                   struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    const char *table = of->name;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    int64_t before = INT64_MAX;
    bool more = true;
    while (status == STATUS_OK && more) {
        struct buffer deletes = {0};
        int64_t left = 0;
        arena_reset(arena);
        status = opensearch_refresh(self, table, error);
        if (status == STATUS_OK) {
            status = list_some(self, table, arena, &deletes, &left, error);
        }
        if (status == STATUS_OK && left > 0 && (left >= before || deletes.length == 0)) {
            status = error_set(error, ERROR_TARGET_WRITE, table,
                               "%" PRId64 " of its documents can't be deleted by their ids", left);
        }
        before = left;
        more = status == STATUS_OK && deletes.length > 0;
        status = more ? opensearch_bulk_now(self, table, &deletes, HTTP_MISSING, error) : status;
        buffer_free(&deletes);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}
