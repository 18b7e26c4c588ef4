/* What became of a request whose answer was not seen: many may be made again, of others what they
 * make or delete is there or not. */
#include "connectors/opensearch/alter_session.h"

#include "model/json_tree.h"
#include <string.h>

static bool is(const struct opensearch_call *call, const char *method)
{
    return strcmp(call->method, method) == 0;
}

/* "/name" alone */
static bool is_index(const struct opensearch_call *call)
{
    const char *query = strchr(call->path, '?');
    const char *slash = strchr(call->path + 1, '/');
    return call->path[1] != '_' && (slash == NULL || (query != NULL && slash > query));
}

static bool body_has(const struct opensearch_call *call, const char *word)
{
    return call->body != NULL && strstr(call->body, word) != NULL;
}

static bool path_has(const struct opensearch_call *call, const char *part)
{
    return strstr(call->path, part) != NULL;
}

/* Each action names its document, and none counts on what is there. */
static bool bulk_repeats(const struct opensearch_call *call)
{
    size_t actions = 0;
    size_t ids = 0;
    const char *body = call->body != NULL ? call->body : "";
    for (const char *at = strstr(body, "\"index\""); at != NULL; at = strstr(at + 1, "\"index\"")) {
        actions++;
    }
    for (const char *at = strstr(body, "\"_id\""); at != NULL; at = strstr(at + 1, "\"_id\"")) {
        ids++;
    }
    return !body_has(call, "\"create\"") && !body_has(call, "\"update\"") && ids >= actions;
}

/* Does making the request again leave the same? */
static bool repeats(const struct opensearch_call *call)
{
    static const char *const harmless[] = {
        "/_refresh", "/_flush",       "/_close",   "/_open",       "/_count",
        "/_search",  "/_cache/clear", "/_reindex", "/_forcemerge", "/_delete_by_query"};
    if (is(call, "GET") || is(call, "HEAD") || (is(call, "PUT") && !is_index(call))) {
        return !path_has(call, "/_create/") && !path_has(call, "op_type=create");
    }
    for (size_t i = 0; is(call, "POST") && i < sizeof(harmless) / sizeof(*harmless); i++) {
        if (opensearch_call_ends(call, harmless[i])) {
            return true;
        }
    }
    if (opensearch_call_ends(call, "/_bulk")) {
        return bulk_repeats(call);
    }
    if (opensearch_call_ends(call, "/_update_by_query") || path_has(call, "/_update/")) {
        return !body_has(call, "\"script\"");
    }
    return is(call, "POST") && path_has(call, "/_doc/");
}

/* The place whose being there tells it, and whether it is there once the request was carried out;
 * NULL: there is none. */
static const char *find_witness(const struct opensearch_call *call, struct arena *arena,
                                bool *is_there)
{
    static const char *const makers[] = {"/_clone/", "/_shrink/", "/_split/"};
    const char *target = opensearch_call_target(call, arena);
    *is_there = !is(call, "DELETE");
    for (size_t i = 0; i < sizeof(makers) / sizeof(*makers); i++) {
        const char *found = strstr(call->path, makers[i]);
        if (found != NULL) {
            return arena_format(arena, "/%.*s", (int)strcspn(found + strlen(makers[i]), "?"),
                                found + strlen(makers[i]));
        }
    }
    return is(call, "DELETE") || (is(call, "PUT") && is_index(call))
               ? arena_format(arena, "/%s", target)
               : NULL;
}

/* Of _aliases, which is carried out whole or not: what it removes is there or not. */
static const char *find_removal(const struct opensearch_call *call, struct arena *arena)
{
    const char *place = NULL;
    json_t *root =
        call->body != NULL ? json_tree_load(call->body, call->body_length, 0, NULL) : NULL;
    const json_t *actions = json_object_get(root, "actions");
    for (size_t i = 0; place == NULL && i < json_array_size(actions); i++) {
        const json_t *action = json_array_get(actions, i);
        const json_t *whole = json_object_get(action, "remove_index");
        const json_t *part = json_object_get(action, "remove");
        const char *index =
            json_string_value(json_object_get(whole != NULL ? whole : part, "index"));
        const char *alias = json_string_value(json_object_get(part, "alias"));
        if (index != NULL && (whole != NULL || alias != NULL)) {
            place = whole != NULL ? arena_format(arena, "/%s", index)
                                  : arena_format(arena, "/%s/_alias/%s", index, alias);
        }
    }
    json_decref(root);
    return place;
}

static enum status look(struct opensearch_alter *session, const char *place, bool wanted,
                        enum alter_settled *settled, struct error *error)
{
    bool found = false;
    if (opensearch_alter_is_there(session, place, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *settled = found == wanted ? ALTER_APPLIED : ALTER_ABSENT;
    return STATUS_OK;
}

static enum status settle_call(struct opensearch_alter *session, const struct opensearch_call *call,
                               const struct alter_request *request, struct arena *arena,
                               enum alter_settled *settled, struct error *error)
{
    bool is_there = false;
    if (opensearch_call_is_task(call)) {
        enum status joined = opensearch_task_join(session, call, request, arena, error);
        if (joined != STATUS_END) {
            *settled = ALTER_APPLIED;
            return joined;
        }
    }
    const char *place = opensearch_call_ends(call, "/_aliases")
                            ? find_removal(call, arena)
                            : find_witness(call, arena, &is_there);
    if (place != NULL) {
        return look(session, place, is_there, settled, error);
    }
    *settled =
        repeats(call) || opensearch_call_ends(call, "/_aliases") ? ALTER_ABSENT : ALTER_UNKNOWN;
    return STATUS_OK;
}

enum status opensearch_alter_settle(struct alter_session *base, const struct alter_request *request,
                                    const struct alter_object *objects, uint32_t count,
                                    const char *before, enum alter_settled *settled,
                                    struct error *error)
{
    struct opensearch_call call;
    struct arena *arena = arena_create(0);
    (void)objects;
    (void)count;
    (void)before;
    *settled = ALTER_UNKNOWN;
    enum status status = opensearch_call_read(opensearch_alter_of(base), request->text,
                                              request->length, arena, &call, error);
    if (status == STATUS_OK) {
        status = settle_call(opensearch_alter_of(base), &call, request, arena, settled, error);
    }
    arena_destroy(arena);
    return status;
}
