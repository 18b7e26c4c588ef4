/*
 * Changing the schema of a prefix: requests of the REST API, one after the other, as files
 * NNN_name.http have them:
 *
 *   # a comment
 *   PUT /${prefix}users/_settings
 *   Allow-Status: 404
 *
 *   {"index": {"refresh_interval": "5s"}}
 *
 * ${prefix} is that of the URI. Of headers Content-Type and Accept may stand there, as they are
 * sent anyway, and Allow-Status: an answer that is no failure. A question is written the same way;
 * behind its path may stand what of the answer is meant ("count", "hits.total.value",
 * "*.settings.index.number_of_replicas": "*" is the first member), and its body on the same line.
 *
 *   alter.c          sessions, running, asking     alter_request.c  requests as texts
 *   alter_settled.c  what became of a request      alter_task.c     work that the server does apart
 */
#ifndef TRANSHUME_CONNECTORS_OPENSEARCH_ALTER_SESSION_H
#define TRANSHUME_CONNECTORS_OPENSEARCH_ALTER_SESSION_H

#include "connectors/common/history_store.h"
#include "connectors/opensearch/opensearch.h"

struct opensearch_alter {
    struct alter_session base;
    struct opensearch_database *database;
    struct opensearch_client *client;
    int64_t blocked_ms; /* when this session shut writes out (monotonic); 0: it did not */
};

static inline struct opensearch_alter *opensearch_alter_of(struct alter_session *session)
{
    return (struct opensearch_alter *)session;
}

/* ---------------------------------------------------------------- alter_request.c */

/* One request; texts in an arena. */
struct opensearch_call {
    const char *method;
    const char *path; /* from "/" on, with its query */
    const char *pick; /* what of the answer is meant; NULL: nothing is said */
    const char *body; /* NULL: none */
    size_t body_length;
    uint32_t allowed; /* a status of HTTP that is no failure; 0: none */
};

/* Reads a text. ERROR_TARGET_WRITE: it is none. */
enum status opensearch_call_read(const struct opensearch_alter *session, const char *text,
                                 size_t length, struct arena *arena, struct opensearch_call *call,
                                 struct error *error) MUST_USE;
/* Does the path end so, ahead of its query? */
bool opensearch_call_ends(const struct opensearch_call *call, const char *end);
/* The path up to the query, without the slash in front. */
const char *opensearch_call_target(const struct opensearch_call *call, struct arena *arena);

/* Sends it, while the lease lasts; STATUS_OK also where the answer is a fault of the request. */
enum status opensearch_alter_send(struct opensearch_alter *session,
                                  const struct opensearch_call *call, struct service_reply **reply,
                                  struct error *error) MUST_USE;
/* The meaning of an answer: STATUS_OK, or the error in the terms of alter_functions.run. */
enum status opensearch_alter_judge(const struct opensearch_call *call,
                                   const struct service_reply *reply, struct alter_answer *answer,
                                   struct error *error) MUST_USE;
/* One request of this program's own, to its end; `body` may be NULL. `*root` is the caller's; a
 * NULL `root`: nobody wants it. STATUS_END: 404. */
enum status opensearch_alter_ask(struct opensearch_alter *session, const char *method,
                                 const char *path, const char *body, json_t **root,
                                 struct error *error) MUST_USE;
/* HEAD: is it there? */
enum status opensearch_alter_is_there(struct opensearch_alter *session, const char *path,
                                      bool *is_there, struct error *error) MUST_USE;
/* The part of an answer that `pick` means, in the arena; NULL: it is not there, or null. */
const char *opensearch_pick(const json_t *root, const char *pick, struct arena *arena);

/* ---------------------------------------------------------------- alter_task.c */

/* Does the server do it apart, as a task that can be watched? */
bool opensearch_call_is_task(const struct opensearch_call *call);
/* Has it done, and tells of it meanwhile; the lease is renewed. */
enum status opensearch_task_run(struct opensearch_alter *session,
                                const struct opensearch_call *call,
                                const struct alter_request *request, struct alter_answer *answer,
                                struct arena *arena, struct error *error) MUST_USE;
/* Watches one that is under way already, of a session that is gone. STATUS_END: there is none. */
enum status opensearch_task_join(struct opensearch_alter *session,
                                 const struct opensearch_call *call,
                                 const struct alter_request *request, struct arena *arena,
                                 struct error *error) MUST_USE;

/* ---------------------------------------------------------------- alter_settled.c */

/* alter_functions.settle */
enum status opensearch_alter_settle(struct alter_session *session,
                                    const struct alter_request *request,
                                    const struct alter_object *objects, uint32_t count,
                                    const char *before, enum alter_settled *settled,
                                    struct error *error);

/* ---------------------------------------------------------------- change_copy.c */

/* Is it a step of a declared change that is no single request: "POST /_transhume/WORD"? */
bool opensearch_is_own_step(const struct opensearch_call *call);
enum status opensearch_run_own_step(struct opensearch_alter *session,
                                    const struct opensearch_call *call,
                                    struct error *error) MUST_USE;

#endif
