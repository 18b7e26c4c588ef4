/* Calls: to which node they go, and what becomes of them. */
#include "connectors/cassandra/protocol/cql_session_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include <stdlib.h>

enum {
    BODY_KEPT_BYTES = 8 << 10,
    PREPARED_AGAIN_MAX = 3,
    PREPARED_EVER_MAX = 200, /* of all statements of a batch */
    LINK_TURNS_MAX = 64,     /* replies in a row from one link */
    WAIT_MS_MAX = 1000
};

/* ---------------------------------------------------------------- life */

struct call *cql_call_new(struct cql_session *session, enum call_kind kind)
{
    struct call *call = session->free_calls;
    struct buffer body = {0};
    if (call != NULL) {
        session->free_calls = call->next;
        body = call->body;
        buffer_clear(&body);
    } else {
        call = memory_allocate_zeroed(1, sizeof *call);
    }
    *call = (struct call){.kind = kind,
                          .body = body,
                          .deadline_ms = clock_boottime_ms() + session->options.request_timeout_ms,
                          .began_us = clock_monotonic_ns() / 1000};
    return call;
}

void cql_call_free(struct cql_session *session, struct call *call)
{
    if (call->body.capacity > BODY_KEPT_BYTES) {
        buffer_free(&call->body);
    }
    call->next = session->free_calls;
    session->free_calls = call;
}

void cql_call_list_add(struct call_list *list, struct call *call)
{
    call->next = NULL;
    *(list->first != NULL ? &list->last->next : &list->first) = call;
    list->last = call;
}

struct call *cql_call_list_take(struct call_list *list)
{
    struct call *call = list->first;
    if (call != NULL) {
        list->first = call->next;
        call->next = NULL;
    }
    return call;
}

void cql_call_write_query(struct cql_session *session, struct call *call, const char *text)
{
    struct cql_bound bound = {.query = {text, strlen(text)}};
    struct cql_parameters parameters = {.consistency = CQL_ONE, .timestamp_us = CQL_NO_TIMESTAMP};
    call->opcode = CQL_QUERY;
    cql_write_statement(&call->body, session->version, &bound, &parameters);
}

void cql_call_end(struct cql_session *session, struct call *call, enum cql_failure failure,
                  bool sent)
{
    call->failure = failure;
    call->sent = sent;
    call->answer = (struct cql_envelope){0};
    cql_call_list_add(&session->done, call);
}

void cql_call_keep(struct call *call, struct call_list *list)
{
    if (call->failure == CQL_FAILURE_NONE && !call->kept) {
        buffer_clear(&call->body);
        buffer_append(&call->body, call->answer.body, call->answer.length);
        call->answer.body = (const uint8_t *)call->body.data;
        call->kept = true;
    }
    cql_call_list_add(list, call);
}

/* ---------------------------------------------------------------- choosing */

static uint64_t bit_of(const struct node *node)
{
    return node->index < 64 ? UINT64_C(1) << node->index : 0;
}

static struct link *link_for(struct cql_session *session, struct node *node,
                             const struct call *call)
{
    if (call->routed && node->link_count > 1) {
        struct link *link = node->links[cql_token_shard(call->token, node->shards.count,
                                                        node->shards.ignored_bits)];
        if (cql_link_is_usable(session, link) && link->open) {
            return link;
        }
    }
    struct link *best = node->links[0];
    for (uint32_t at = 0; at < node->link_count; at++) {
        struct link *link = node->links[at];
        if (link->open && (!best->open || link->load < best->load)) {
            best = link;
        }
    }
    return best;
}

/* The better one of `best` (may be NULL) and the node's link: open before opening, then the one
 * with less to do. */
static struct link *better(struct cql_session *session, struct node *node, const struct call *call,
                           struct link *best)
{
    if ((call->tried & bit_of(node)) != 0 || !cql_node_is_local(session, node)) {
        return best;
    }
    struct link *link = link_for(session, node, call);
    if (!cql_link_is_usable(session, link) || (best != NULL && best->open && !link->open)) {
        return best;
    }
    if (best == NULL || (link->open && !best->open) || link->load < best->load) {
        return link;
    }
    return best;
}

/* An open replica, else any open node, else a replica or node that is being connected to. */
static struct link *cql_call_choose(struct cql_session *session, const struct call *call)
{
    if (call->pinned != NULL) {
        return call->pinned->connection != NULL ? call->pinned : NULL;
    }
    struct link *best = NULL;
    size_t count = 0;
    const uint16_t *replicas =
        call->routed ? cql_topology_replicas(session, call->keyspace, call->token, &count) : NULL;
    for (size_t at = 0; at < count && replicas[at] != CQL_NO_NODE; at++) {
        best = better(session, session->nodes[replicas[at]], call, best);
    }
    if (best != NULL && best->open) {
        return best;
    }
    struct link *any = NULL;
    session->rotation++;
    for (size_t at = 0; at < session->node_count; at++) {
        size_t index = (session->rotation + at) % session->node_count;
        any = better(session, session->nodes[index], call, any);
    }
    return best == NULL || (any != NULL && any->open) ? any : best;
}

/* Sends the call over the link, or lets it wait there. */
static enum status cql_call_give(struct link *link, struct call *call, struct error *error)
{
    enum status status = STATUS_AGAIN;
    call->link = link;
    if (link->open && link->waiting.first == NULL) {
        status = cql_connection_send(link->connection, call->opcode, call->body.data,
                                     call->body.length, call->deadline_ms, call, error);
    }
    if (status == STATUS_FAILED) {
        return status;
    }
    link->load++;
    if (status == STATUS_AGAIN) {
        cql_call_list_add(&link->waiting, call);
    } else {
        call->attempts++;
    }
    return STATUS_OK;
}

void cql_call_dispatch(struct cql_session *session, struct call *call)
{
    while (clock_boottime_ms() < call->deadline_ms) {
        struct link *link = cql_call_choose(session, call);
        if (link == NULL) {
            cql_call_end(session, call, CQL_FAILURE_NO_HOST, false);
            return;
        }
        struct error why;
        if (cql_call_give(link, call, &why) == STATUS_OK) {
            return;
        }
        call->tried |= bit_of(link->node);
        cql_link_fail(session, link, &why);
    }
    cql_call_end(session, call, CQL_FAILURE_LATE, false);
}

/* ---------------------------------------------------------------- prepared statements */

static struct prepared *prepared_of(const struct cql_session *session, struct text id)
{
    for (struct prepared *prepared = session->prepared; prepared != NULL;
         prepared = prepared->next) {
        if (prepared->id.length == id.length &&
            memcmp(prepared->id.data, id.data, id.length) == 0) {
            return prepared;
        }
    }
    return NULL;
}

/* The node did not know a statement of the call: prepares it there, then the call is sent again.
 * False: that can't be done. */
static bool prepare_again(struct cql_session *session, struct call *call, struct text id)
{
    struct prepared *prepared = prepared_of(session, id);
    if (prepared == NULL) {
        return false;
    }
    if (call->unprepared != prepared) { /* another one of a batch */
        call->unprepared = prepared;
        call->prepared_again = 0;
    }
    if (call->prepared_again++ >= PREPARED_AGAIN_MAX ||
        call->prepared_ever++ >= PREPARED_EVER_MAX) {
        return false;
    }
    for (struct call *other = session->preparing; other != NULL; other = other->next_preparing) {
        if (other->prepared == prepared && other->pinned == call->link) {
            cql_call_list_add(&other->waiting, call);
            return true;
        }
    }
    struct call *prepare = cql_call_new(session, CALL_PREPARE);
    prepare->opcode = CQL_PREPARE;
    prepare->prepared = prepared;
    prepare->pinned = call->link;
    prepare->next_preparing = session->preparing;
    session->preparing = prepare;
    cql_write_prepare(&prepare->body, session->version,
                      (struct text){prepared->public.text, strlen(prepared->public.text)});
    cql_call_list_add(&prepare->waiting, call);
    cql_call_dispatch(session, prepare);
    return true;
}

static struct text text_of_prepared(const void *context, struct text id)
{
    const struct prepared *prepared = prepared_of(context, id);
    const char *text = prepared != NULL ? prepared->public.text : "";
    return (struct text){text, strlen(text)};
}

/* A node whose cache has no room for the statement forgets it as soon as it is prepared: caches of
 * Cassandra 4.0 and later let nothing new in that would push out what is asked for more often. The
 * statement goes along as a text then, which costs the node its parsing. */
static bool send_as_text(struct cql_session *session, struct call *call, struct text id)
{
    struct prepared *prepared = prepared_of(session, id);
    struct buffer body = {0};
    if (prepared == NULL || !cql_write_as_texts(&body, session->version, call->opcode, &call->body,
                                                text_of_prepared, session)) {
        buffer_free(&body);
        return false;
    }
    buffer_free(&call->body);
    call->body = body;
    prepared->forgotten = true;
    call->opcode = call->opcode == CQL_EXECUTE ? CQL_QUERY : call->opcode;
    if (!session->told_of_texts) {
        session->told_of_texts = true;
        log_write(LOG_WARNING,
                  "a node forgets statements as soon as they are prepared: they are sent as texts, "
                  "which is slower; prepared_statements_cache_size of cassandra.yaml is its room");
    }
    cql_call_dispatch(session, call);
    return true;
}

/* The statement is known to the node now; or its answer is that of the calls, too; or there is
 * none, and other nodes may serve. */
static void end_prepare(struct cql_session *session, struct call *prepare)
{
    struct call **at = &session->preparing;
    while (*at != prepare) {
        at = &(*at)->next_preparing;
    }
    *at = prepare->next_preparing;
    bool answered = prepare->failure == CQL_FAILURE_NONE;
    bool known = answered && prepare->answer.opcode == CQL_RESULT;
    for (struct call *call; (call = cql_call_list_take(&prepare->waiting)) != NULL;) {
        struct error why;
        if (answered && !known) {
            call->answer = prepare->answer;
            cql_call_keep(call, &session->done);
        } else if (!known || !prepare->pinned->open ||
                   cql_call_give(prepare->pinned, call, &why) != STATUS_OK) {
            cql_call_dispatch(session, call);
        }
    }
    cql_call_free(session, prepare);
}

/* ---------------------------------------------------------------- answers */

/* Whether another node can have the call, which this one did not carry out. */
static bool move_on(struct cql_session *session, struct call *call)
{
    call->tried |= bit_of(call->link->node);
    if (call->pinned != NULL || cql_call_choose(session, call) == NULL) {
        return false;
    }
    cql_call_dispatch(session, call);
    return true;
}

/* Whether the call goes on in spite of an ERROR. */
static bool survives(struct cql_session *session, struct call *call)
{
    struct cql_response response;
    struct error ignored;
    arena_reset(session->arena);
    if (cql_response_decode(&call->answer, session->arena, &response, &ignored) != STATUS_OK) {
        return false;
    }
    switch (response.error.code) {
    case CQL_UNPREPARED:
        return prepare_again(session, call, response.error.unprepared_id) ||
               send_as_text(session, call, response.error.unprepared_id);
    case CQL_BOOTSTRAPPING:
        return move_on(session, call);
    case CQL_UNAVAILABLE:
        if (call->was_unavailable || call->conditional) {
            return false;
        }
        call->was_unavailable = true;
        return move_on(session, call);
    default:
        return false;
    }
}

/* Settles a call that has its outcome. True: it is for a caller. */
static bool cql_call_settle(struct cql_session *session, struct call *call)
{
    if (call->failure == CQL_FAILURE_NONE && !call->kept && call->answer.opcode == CQL_ERROR &&
        survives(session, call)) {
        return false;
    }
    if (call->kind <= CALL_WAITED) {
        return true;
    }
    if (call->kind == CALL_PREPARE) {
        end_prepare(session, call);
    } else {
        cql_topology_take(session, call);
    }
    return false;
}

/* ---------------------------------------------------------------- reading */

/* Calls that wait for a link to have room, as far as it has; those that are too late end. */
static void send_waiting(struct cql_session *session, struct link *link)
{
    int64_t now_ms = clock_boottime_ms();
    struct call_list waiting = link->waiting;
    link->waiting = (struct call_list){0};
    for (struct call *call; (call = cql_call_list_take(&waiting)) != NULL;) {
        struct error why;
        link->load--;
        if (now_ms >= call->deadline_ms) {
            cql_call_end(session, call, CQL_FAILURE_LATE, false);
        } else if (link->connection == NULL || cql_call_give(link, call, &why) != STATUS_OK) {
            cql_call_dispatch(session, call);
        }
    }
}

/* The next call that has its outcome from this link. NULL: none now. */
static struct call *read_link(struct cql_session *session, struct link *link)
{
    struct cql_answer answer;
    struct error why;
    enum status status;
    while ((status = cql_connection_next(link->connection, &answer, &why)) == STATUS_OK) {
        if (answer.kind == CQL_ANSWER_EVENT) {
            cql_topology_event(session, &answer.envelope);
            continue;
        }
        struct call *call = answer.tag;
        link->load--;
        call->sent = true;
        call->failure = CQL_FAILURE_NONE;
        call->answer = answer.envelope;
        if (answer.kind == CQL_ANSWER_LATE) {
            cql_call_end(session, call, CQL_FAILURE_LATE, true);
        } else if (cql_call_settle(session, call)) {
            return call;
        }
        if (!link->open) { /* settling it closed it */
            return NULL;
        }
    }
    if (status == STATUS_FAILED) {
        cql_link_fail(session, link, &why);
    }
    return NULL;
}

/* Whose turn it is after this one, now or when it had its share. */
static void cql_call_turn(struct cql_session *session, bool now)
{
    if (now || ++session->link_turns >= LINK_TURNS_MAX) {
        session->link_turns = 0;
        session->link_at = (session->link_at + 1) % session->link_count;
    }
}

struct call *cql_call_next(struct cql_session *session)
{
    while (session->broken_count > 0) {
        cql_connection_close(session->broken[--session->broken_count]);
    }
    for (struct call *call; (call = cql_call_list_take(&session->done)) != NULL;) {
        if (cql_call_settle(session, call)) {
            return call;
        }
    }
    for (size_t left = session->link_count; left > 0; left--) {
        struct link *link = session->links[session->link_at];
        if (link->connection != NULL && !link->open) {
            cql_link_open(session, link);
        }
        if (link->open) {
            struct call *call = read_link(session, link);
            if (call != NULL) {
                cql_call_turn(session, false);
                return call;
            }
        }
        if (link->waiting.first != NULL) {
            send_waiting(session, link);
        }
        cql_call_turn(session, true);
    }
    cql_topology_tick(session);
    return session->done.first != NULL ? cql_call_next(session) : NULL;
}

void cql_call_wait(struct cql_session *session, int64_t until_ms)
{
    int64_t now_ms = clock_boottime_ms();
    int64_t wake_ms = cql_topology_wake_ms(session);
    size_t count = 0;
    wake_ms = wake_ms < until_ms ? wake_ms : until_ms;
    if (session->wait_capacity < session->link_count) {
        session->wait_capacity = session->link_count;
        session->waits =
            memory_resize(session->waits, session->wait_capacity, sizeof *session->waits);
    }
    for (size_t at = 0; at < session->link_count; at++) {
        struct link *link = session->links[at];
        struct error ignored;
        if (link->connection == NULL) {
            continue;
        }
        if (link->open && cql_connection_flush(link->connection, &ignored) != STATUS_OK) {
            return; /* cql_call_next meets it */
        }
        int64_t link_ms = cql_connection_wake_ms(link->connection);
        wake_ms = link_ms < wake_ms ? link_ms : wake_ms;
        cql_connection_wait(link->connection, &session->waits[count++]);
    }
    int64_t timeout_ms = wake_ms > now_ms ? wake_ms - now_ms : 0;
    struct error ignored;
    (void)!stream_poll(session->waits, count, timeout_ms < WAIT_MS_MAX ? timeout_ms : WAIT_MS_MAX,
                       &ignored);
}
