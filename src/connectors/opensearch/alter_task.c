/*
 * Work that takes as long as an index is large is done by the server as a task: the request ends at
 * once with the task's name, and GET /_tasks/NAME says how far it is. The program's end does not
 * end it. (OpenSearch: "Tasks API", "Reindex", "Update by query": wait_for_completion.)
 */
#include "connectors/opensearch/alter_session.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { POLL_FIRST_MS = 20, POLL_MAX_MS = 500 };

static const char *const endings[] = {"/_reindex", "/_update_by_query", "/_delete_by_query", NULL};

bool opensearch_call_is_task(const struct opensearch_call *call)
{
    bool found = false;
    for (const char *const *end = endings; *end != NULL; end++) {
        found = found || opensearch_call_ends(call, *end);
    }
    return found && strcmp(call->method, "POST") == 0 &&
           strstr(call->path, "wait_for_completion=true") == NULL;
}

/* ---------------------------------------------------------------- watching */

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

static void alter_task_tell(const struct alter_request *request, const json_t *root)
{
    char words[96];
    const json_t *state = json_object_get(json_object_get(root, "task"), "status");
    uint64_t total = number(state, "total");
    uint64_t done = number(state, "created") + number(state, "updated") + number(state, "deleted") +
                    number(state, "noops") + number(state, "version_conflicts");
    if (request->progress != NULL) {
        snprintf(words, sizeof(words), "%" PRIu64 " of %" PRIu64 " documents", done, total);
        request->progress(request->context, total > 0 ? (double)done / (double)total : -1, words);
    }
}

/* The answer of a task that is over. */
static enum status alter_task_judge(const struct opensearch_call *call, const json_t *root,
                                    struct alter_answer *answer, struct error *error)
{
    const json_t *fault = json_object_get(root, "error");
    const json_t *response = json_object_get(root, "response");
    const json_t *first = json_array_get(json_object_get(response, "failures"), 0);
    const json_t *cause = json_object_get(first, "cause");
    const char *id = json_string_value(json_object_get(first, "id"));
    const char *why = json_string_value(json_object_get(fault != NULL ? fault : cause, "reason"));
    if (fault != NULL || first != NULL) {
        return error_set(error, ERROR_TARGET_WRITE, call->path, "%s%s%s%.600s",
                         id != NULL ? "document " : "", id != NULL ? id : "",
                         id != NULL ? ": " : "", why != NULL ? why : "it failed");
    }
    if (json_is_string(json_object_get(response, "canceled"))) {
        return error_set(error, ERROR_TARGET_WRITE, call->path, "somebody cancelled it: %.300s",
                         json_string_value(json_object_get(response, "canceled")));
    }
    answer->counts = true;
    answer->rows =
        number(response, "created") + number(response, "updated") + number(response, "deleted");
    return STATUS_OK;
}

static enum status give_up(struct opensearch_alter *session, const struct opensearch_call *call,
                           const char *task, struct arena *arena, struct error *error)
{
    struct error ignored = {0};
    const char *path = arena_format(arena, "/_tasks/%s/_cancel", task);
    (void)!opensearch_alter_ask(session, "POST", path, NULL, NULL, &ignored);
    return error_set(error, ERROR_TARGET_WRITE, call->path,
                     "it took longer than it may, and was cancelled: a part of the documents is "
                     "done");
}

static enum status alter_task_watch(struct opensearch_alter *session,
                                    const struct opensearch_call *call, const char *task,
                                    const struct alter_request *request,
                                    struct alter_answer *answer, struct arena *arena,
                                    struct error *error)
{
    const char *path = arena_format(arena, "/_tasks/%s", task);
    int64_t begun_ms = clock_monotonic_ms();
    int64_t delay_ms = POLL_FIRST_MS;
    enum status status = STATUS_OK;
    for (bool over = false; status == STATUS_OK && !over;) {
        json_t *root = NULL;
        status = opensearch_alter_ask(session, "GET", path, NULL, &root, error);
        if (status == STATUS_END) {
            status =
                error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, call->path,
                          "its task %s is not there any more: the node was started again", task);
        }
        over = json_is_true(json_object_get(root, "completed"));
        if (status == STATUS_OK && over) {
            status = alter_task_judge(call, root, answer, error);
        } else if (status == STATUS_OK) {
            alter_task_tell(request, root);
            bool late = request->time_ms > 0 && clock_monotonic_ms() - begun_ms >= request->time_ms;
            status = late ? give_up(session, call, task, arena, error) : STATUS_OK;
            clock_sleep_ms(delay_ms);
            delay_ms = delay_ms * 2 < POLL_MAX_MS ? delay_ms * 2 : POLL_MAX_MS;
        }
        json_decref(root);
    }
    return status;
}

/* ---------------------------------------------------------------- beginning */

enum status opensearch_task_run(struct opensearch_alter *session,
                                const struct opensearch_call *call,
                                const struct alter_request *request, struct alter_answer *answer,
                                struct arena *arena, struct error *error)
{
    struct service_reply *reply = NULL;
    struct opensearch_call apart = *call;
    json_t *root = NULL;
    if (strstr(call->path, "wait_for_completion=") == NULL) {
        apart.path = arena_format(arena, "%s%cwait_for_completion=false", call->path,
                                  strchr(call->path, '?') != NULL ? '&' : '?');
    }
    enum status status = failpoint_hit("opensearch.before_task", error);
    status = status == STATUS_OK ? opensearch_alter_send(session, &apart, &reply, error) : status;
    status = status == STATUS_OK ? opensearch_alter_judge(call, reply, answer, error) : status;
    if (status == STATUS_OK && reply->fault == OPENSEARCH_FAULT_NONE) {
        root = opensearch_reply_parse(reply, call->path, error);
        status = root != NULL ? failpoint_hit("opensearch.after_task", error) : STATUS_FAILED;
    }
    const char *task = json_string_value(json_object_get(root, "task"));
    if (status == STATUS_OK && task != NULL) {
        status = alter_task_watch(session, call, arena_copy_string(arena, task), request, answer,
                                  arena, error);
    }
    json_decref(root);
    service_reply_destroy(reply);
    return status;
}

/* ---------------------------------------------------------------- joining */

/* "update-by-query [INDEX]", "reindex from [A] to [B]": does it speak of what the call does? */
static bool is_of(const json_t *task, const struct opensearch_call *call, struct arena *arena)
{
    const char *words = json_string_value(json_object_get(task, "description"));
    const char *target = opensearch_call_target(call, arena);
    if (words == NULL || json_object_get(task, "parent_task_id") != NULL) {
        return false;
    }
    if (opensearch_call_ends(call, "/_reindex")) {
        json_t *body =
            call->body != NULL ? json_loadb(call->body, call->body_length, 0, NULL) : NULL;
        const char *to = json_string_value(json_object_get(json_object_get(body, "dest"), "index"));
        bool same = to != NULL && strstr(words, arena_format(arena, "to [%s]", to)) != NULL;
        json_decref(body);
        return same;
    }
    const char *slash = strchr(target, '/');
    size_t length = slash != NULL ? (size_t)(slash - target) : 0;
    return strstr(words, arena_format(arena, "[%.*s]", (int)length, target)) != NULL;
}

static const char *find_task(const json_t *root, const struct opensearch_call *call,
                             struct arena *arena)
{
    const char *name = NULL;
    const json_t *node = NULL;
    const char *found = NULL;
    json_object_foreach(json_object_get(root, "nodes"), name, node)
    {
        const char *id = NULL;
        const json_t *task = NULL;
        json_object_foreach(json_object_get(node, "tasks"), id, task)
        {
            found = is_of(task, call, arena) ? arena_copy_string(arena, id) : found;
        }
    }
    return found;
}

enum status opensearch_task_join(struct opensearch_alter *session,
                                 const struct opensearch_call *call,
                                 const struct alter_request *request, struct arena *arena,
                                 struct error *error)
{
    json_t *root = NULL;
    struct alter_answer ignored = {0};
    enum status status = opensearch_alter_ask(
        session, "GET", "/_tasks?detailed=true&actions=*reindex,*byquery", NULL, &root, error);
    const char *task = status == STATUS_OK ? find_task(root, call, arena) : NULL;
    json_decref(root);
    if (status != STATUS_OK || task == NULL) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_END;
    }
    return alter_task_watch(session, call, task, request, &ignored, arena, error);
}
