/*
 * Index templates of the server, which bring settings and mappings into every index that is made
 * under a name of theirs. What they would bring is asked for before the run:
 *
 *   POST /_index_template/_simulate_index/shop-album
 *   {"template":{"settings":{"index":{…}},"mappings":{…},"aliases":{}},"overlapping":[]}
 *
 * What a create request says itself wins over them: mappings of fields, `dynamic`. Templates of the
 * old kind (_template) are not in the answer; opensearch_prepare looks at the index that was made.
 * (OpenSearch: "Index templates"; Elasticsearch 7.10: "Simulate index API".)
 */
#include "connectors/opensearch/opensearch.h"

#include "model/json_tree.h"

/* STATUS_END: the server or the account has no such question. */
static enum status template_ask(struct opensearch_database *self, const char *table,
                                struct arena *arena, json_t **root, struct error *error)
{
    struct service_reply *reply = NULL;
    struct buffer path = {0};
    buffer_append_string(&path, "/_index_template/_simulate_index/");
    opensearch_index_append(self, table, &path);
    const struct opensearch_request request = {.operation = "_simulate_index",
                                               .object = table,
                                               .method = "POST",
                                               .path = arena_copy(arena, path.data, path.length),
                                               .repeatable = true};
    buffer_free(&path);
    *root = NULL;
    enum status status = opensearch_control(self, &request, NULL, &reply, error);
    if (status == STATUS_OK && reply->fault == OPENSEARCH_FAULT_NONE) {
        *root = opensearch_reply_parse(reply, table, error);
        status = *root != NULL ? STATUS_OK : STATUS_FAILED;
    } else if (status == STATUS_OK) {
        status = STATUS_END;
    } else if (error->class != ERROR_CLASS_RETRY) { /* an account without the right */
        error_clear(error);
        status = STATUS_END;
    }
    service_reply_destroy(reply);
    return status;
}

static const char *pipeline_of(const json_t *settings, const char *name)
{
    const char *pipeline = json_string_value(json_object_get(settings, name));
    return pipeline != NULL && strcmp(pipeline, "_none") != 0 ? pipeline : NULL;
}

enum status opensearch_template_check(struct opensearch_database *self, const char *table,
                                      struct buffer *refused, struct buffer *told,
                                      struct error *error)
{
    static const char *const names[] = {"default_pipeline", "final_pipeline"};
    json_t *root = NULL;
    struct arena *arena = arena_create(0);
    enum status status = template_ask(self, table, arena, &root, error);
    const json_t *template = json_object_get(root, "template");
    const json_t *settings = json_object_get(json_object_get(template, "settings"), "index");
    const char *lacking = opensearch_find_lacking(json_object_get(template, "mappings"), settings);
    if (lacking != NULL && refused != NULL) {
        buffer_format(refused, "by an index template of the server %s\n", lacking);
    }
    for (size_t at = 0; at < sizeof(names) / sizeof(*names) && told != NULL; at++) {
        const char *pipeline = pipeline_of(settings, names[at]);
        if (pipeline != NULL) {
            buffer_format(told,
                          "\t%s: an index template of the server sends documents through the "
                          "pipeline %s (%s), which may change them\n",
                          table, pipeline, names[at]);
        }
    }
    json_decref(root);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status opensearch_tell_changed(struct database *database, const struct target_table *tables,
                                    uint32_t table_count, const struct schema *objects,
                                    struct buffer *out, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    enum status status = STATUS_OK;
    struct arena *arena = arena_create(0);
    (void)objects;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        struct opensearch_index *indexes = NULL;
        uint32_t count = 0;
        if (opensearch_name_fault(self, tables[at].name) != NULL) {
            continue; /* check_table says so */
        }
        status = opensearch_describe(self, tables[at].name, arena, &indexes, &count, error);
        if (status == STATUS_END) {
            status = opensearch_template_check(self, tables[at].name, NULL, out, error);
        }
        arena_reset(arena);
    }
    arena_destroy(arena);
    return status;
}
