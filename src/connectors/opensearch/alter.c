/* Sessions of changes of the schema, the running of requests and the asking of questions. The
 * history and the lease are a store of their own, the index PREFIXtranshume-schema. */
#include "connectors/opensearch/alter_session.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- sessions */

static void alter_close(struct alter_session *base)
{
    if (base != NULL) {
        opensearch_client_destroy(opensearch_alter_of(base)->client);
        history_store_close(base);
        free(opensearch_alter_of(base));
    }
}

static enum status alter_open(struct database *database, const struct alter_open *options,
                              struct alter_session **opened, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct store *store = NULL;
    *opened = NULL;
    if (options->history_schema != NULL) {
        error_set(error, ERROR_USAGE, options->history_schema,
                  "the history is kept in an index of the prefix");
        return error_hint(error, "leave --history-schema out");
    }
    if (opensearch_store_open_in(database, OPENSEARCH_HISTORY, &store, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct opensearch_alter *session = memory_allocate_zeroed(1, sizeof(*session));
    history_store_open(&session->base, database, store, &opensearch_store);
    session->base.before_failpoint = "opensearch.before_history";
    session->base.after_failpoint = "opensearch.after_history";
    session->database = self;
    if (opensearch_client_create(self->service, 1, &session->client, error) != STATUS_OK) {
        alter_close(&session->base);
        return STATUS_FAILED;
    }
    *opened = &session->base;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- running */

/* A _bulk answers 200 though records of it failed. */
static enum status judge_bulk(const struct opensearch_call *call, const struct service_reply *reply,
                              struct error *error)
{
    if (!opensearch_call_ends(call, "/_bulk") || reply->fault != OPENSEARCH_FAULT_NONE) {
        return STATUS_OK;
    }
    json_t *root = opensearch_reply_parse(reply, call->path, error);
    enum status status = root != NULL ? STATUS_OK : STATUS_FAILED;
    const json_t *items = json_object_get(root, "items");
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(items); i++) {
        void *first = json_object_iter(json_array_get(items, i));
        const json_t *item = first != NULL ? json_object_iter_value(first) : NULL;
        const json_t *fault = json_object_get(item, "error");
        const char *id = json_string_value(json_object_get(item, "_id"));
        const char *why = json_string_value(json_object_get(fault, "reason"));
        if (fault != NULL) {
            status = error_set(error, ERROR_TARGET_WRITE, call->path, "document %s: %.600s",
                               id != NULL ? id : "without an id", why != NULL ? why : "it failed");
        }
    }
    json_decref(root);
    return status;
}

static enum status run_plain(struct opensearch_alter *session, const struct opensearch_call *call,
                             struct alter_answer *answer, struct error *error)
{
    struct service_reply *reply = NULL;
    enum status status = opensearch_alter_send(session, call, &reply, error);
    status = status == STATUS_OK ? opensearch_alter_judge(call, reply, answer, error) : status;
    status = status == STATUS_OK ? judge_bulk(call, reply, error) : status;
    service_reply_destroy(reply);
    return status;
}

/* How long a declared change shut writers out. */
static void tell_block(struct opensearch_alter *session, const struct opensearch_call *call,
                       int64_t begun_ms)
{
    if (opensearch_call_ends(call, "/_block/write")) {
        session->blocked_ms = begun_ms;
    } else if (session->blocked_ms != 0 && opensearch_call_ends(call, "/_aliases")) {
        log_write(LOG_WARNING, "writes were shut out for %" PRId64 " ms",
                  clock_monotonic_ms() - session->blocked_ms);
        session->blocked_ms = 0;
    }
}

static enum status run_call(struct opensearch_alter *session, const struct opensearch_call *call,
                            const struct alter_request *request, struct alter_answer *answer,
                            struct arena *arena, struct error *error)
{
    if (call->pick != NULL) {
        return error_set(error, ERROR_TARGET_WRITE, call->path,
                         "there is more behind the path: %.80s", call->pick);
    }
    if (opensearch_is_own_step(call)) {
        return opensearch_run_own_step(session, call, error);
    }
    if (opensearch_call_is_task(call)) {
        return opensearch_task_run(session, call, request, answer, arena, error);
    }
    int64_t begun_ms = clock_monotonic_ms();
    enum status status = run_plain(session, call, answer, error);
    if (status == STATUS_OK) {
        tell_block(session, call, begun_ms);
    }
    return status;
}

static enum status alter_run(struct alter_session *base, const struct alter_request *request,
                             struct alter_answer *answer, struct error *error)
{
    struct opensearch_alter *session = opensearch_alter_of(base);
    struct opensearch_call call;
    *answer = (struct alter_answer){.fault = SIZE_MAX};
    if (request->language != ALTER_HTTP || request->data != NULL) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, NULL,
                         "%s takes requests of its own API alone", base->database->server);
    }
    struct arena *arena = arena_create(0);
    enum status status =
        opensearch_call_read(session, request->text, request->length, arena, &call, error);
    status = status == STATUS_OK ? failpoint_hit("opensearch.before_alter", error) : status;
    status = status == STATUS_OK ? run_call(session, &call, request, answer, arena, error) : status;
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("opensearch.after_alter", error) : status;
}

/* ---------------------------------------------------------------- asking */

static enum status answer_of(const struct opensearch_call *call, const struct service_reply *reply,
                             struct arena *arena, const char **text, struct error *error)
{
    struct alter_answer ignored;
    bool missing = reply->fault == OPENSEARCH_FAULT_MISSING;
    *text = NULL;
    if (strcmp(call->method, "HEAD") == 0 && (missing || reply->fault == OPENSEARCH_FAULT_NONE)) {
        *text = missing ? "false" : "true";
        return STATUS_OK;
    }
    if (missing) {
        return STATUS_OK;
    }
    if (opensearch_alter_judge(call, reply, &ignored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_t *root = opensearch_reply_parse(reply, call->path, error);
    if (root == NULL) {
        return STATUS_FAILED;
    }
    *text = opensearch_pick(root, call->pick, arena);
    json_decref(root);
    return STATUS_OK;
}

static bool only_asks(const struct opensearch_call *call)
{
    return strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0 ||
           (strcmp(call->method, "POST") == 0 &&
            (opensearch_call_ends(call, "/_count") || opensearch_call_ends(call, "/_search")));
}

static enum status alter_ask(struct alter_session *base, const char *sql, struct arena *arena,
                             const char **text, struct error *error)
{
    struct opensearch_alter *session = opensearch_alter_of(base);
    struct opensearch_call call;
    struct service_reply *reply = NULL;
    *text = NULL;
    if (opensearch_call_read(session, sql, strlen(sql), arena, &call, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!only_asks(&call)) {
        return error_set(error, ERROR_TARGET_WRITE, call.path,
                         "%s is no question: GET, HEAD, POST …/_count and POST …/_search are",
                         call.method);
    }
    enum status status = opensearch_alter_send(session, &call, &reply, error);
    status = status == STATUS_OK ? answer_of(&call, reply, arena, text, error) : status;
    service_reply_destroy(reply);
    return status;
}

const struct alter_functions opensearch_alter = {
    HISTORY_STORE_FUNCTIONS,
    .languages = 1u << ALTER_HTTP,
    .open = alter_open,
    .close = alter_close,
    .run = alter_run,
    .ask = alter_ask,
    .settle = opensearch_alter_settle,
};
