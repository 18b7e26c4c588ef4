/* The outcome of a request whose answer was not seen: many may be made again, of others what they
 * make or delete is there or not. */
#include "connectors/opensearch/change_session.h"

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

/* A part of what a search finds, of which the second time would be another one; ids that are made
 * anew. */
static bool is_different_again(const struct opensearch_call *call)
{
    const char *document = strstr(call->path, "/_doc/");
    return path_has(call, "max_docs=") || body_has(call, "\"max_docs\"") ||
           (opensearch_call_ends(call, "/_reindex") && body_has(call, "ctx._id")) ||
           (document != NULL && strcspn(document + strlen("/_doc/"), "?") == 0);
}

/* Does making the request again leave the same? */
static bool repeats(const struct opensearch_call *call)
{
    static const char *const harmless[] = {
        "/_refresh", "/_flush",       "/_close",   "/_open",       "/_count",
        "/_search",  "/_cache/clear", "/_reindex", "/_forcemerge", "/_delete_by_query"};
    if (is_different_again(call)) {
        return false;
    }
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

/* The index or alias that a request of _aliases removes, which is carried out whole or not. */
struct removal {
    const char *index; /* NULL: it removes nothing */
    const char *alias; /* of it; NULL: the index itself */
};

static struct removal find_removal(const struct opensearch_call *call, struct arena *arena)
{
    struct removal found = {0};
    json_t *root =
        call->body != NULL ? json_tree_load(call->body, call->body_length, 0, NULL) : NULL;
    const json_t *actions = json_object_get(root, "actions");
    for (size_t i = 0; found.index == NULL && i < json_array_size(actions); i++) {
        const json_t *action = json_array_get(actions, i);
        const json_t *whole = json_object_get(action, "remove_index");
        const json_t *part = json_object_get(action, "remove");
        const char *index =
            json_string_value(json_object_get(whole != NULL ? whole : part, "index"));
        const char *alias = json_string_value(json_object_get(part, "alias"));
        if (index != NULL && (whole != NULL || alias != NULL)) {
            found.index = arena_copy_string(arena, index);
            found.alias = whole != NULL ? NULL : arena_copy_string(arena, alias);
        }
    }
    json_decref(root);
    return found;
}

static enum status alter_settled_look(struct opensearch_alter *session, const char *place,
                                      bool wanted, enum alter_settled *settled, struct error *error)
{
    bool found = false;
    if (opensearch_alter_is_there(session, place, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *settled = found == wanted ? ALTER_APPLIED : ALTER_ABSENT;
    return STATUS_OK;
}

/* Where an index was removed its name may stand for another one, as the same request makes it. */
static enum status look_for_removed(struct opensearch_alter *session, const struct removal *removal,
                                    struct arena *arena, enum alter_settled *settled,
                                    struct error *error)
{
    json_t *root = NULL;
    const char *index = opensearch_change_path(arena, removal->index, "");
    if (removal->alias != NULL) {
        const char *alias = opensearch_change_path(arena, removal->alias, "");
        return alter_settled_look(session, arena_format(arena, "%s/_alias%s", index, alias), false,
                                  settled, error);
    }
    enum status status = opensearch_alter_ask(
        session, "GET", arena_format(arena, "%s/_alias", index), NULL, &root, error);
    *settled = status == STATUS_OK && json_object_get(root, removal->index) != NULL ? ALTER_ABSENT
                                                                                    : ALTER_APPLIED;
    json_decref(root);
    return status == STATUS_END ? STATUS_OK : status;
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
    bool leads = opensearch_call_ends(call, "/_aliases");
    const struct removal removal = leads ? find_removal(call, arena) : (struct removal){0};
    if (removal.index != NULL) {
        return look_for_removed(session, &removal, arena, settled, error);
    }
    const char *place = leads ? NULL : find_witness(call, arena, &is_there);
    if (place != NULL) {
        return alter_settled_look(session, place, is_there, settled, error);
    }
    *settled = repeats(call) || leads ? ALTER_ABSENT : ALTER_UNKNOWN;
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
