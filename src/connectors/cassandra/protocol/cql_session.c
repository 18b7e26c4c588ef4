/* A session as callers see it. Its parts: cql_session_internal.h. */
#include "connectors/cassandra/protocol/cql_session_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "connectors/cassandra/protocol/cql_bundle.h"
#include <stdlib.h>

enum { AGREEMENT_PAUSE_MS = 100, STATEMENTS_MAX = 65535 };

/* ---------------------------------------------------------------- opening */

static char *cql_session_copy(const char *text)
{
    return text != NULL ? memory_copy_string(text) : NULL;
}

static void set_default(int64_t *value, int64_t otherwise)
{
    *value = *value > 0 ? *value : otherwise;
}

static void take_options(struct cql_session *session, const struct cql_session_options *options)
{
    struct cql_session_options *own = &session->options;
    *own = *options;
    own->contacts = NULL;
    own->user = cql_session_copy(options->user);
    own->password = cql_session_copy(options->password);
    own->keyspace = cql_session_copy(options->keyspace);
    own->server_name = cql_session_copy(options->server_name);
    session->local_dc = cql_session_copy(options->local_dc);
    if (own->port == 0 && options->contact_count > 0) {
        own->port = options->contacts[0].port;
    }
    own->port = own->port > 0 ? own->port : CQL_PORT;
    own->version_max = options->version_max > 0 ? options->version_max : CQL_VERSION_MAX;
    own->under_way_max = options->under_way_max > 0 ? options->under_way_max : 1024;
    set_default(&own->connect_timeout_ms, 5000);
    set_default(&own->request_timeout_ms, 12000);
    set_default(&own->heartbeat_ms, 30000);
    set_default(&own->agreement_timeout_ms, 30000);
    if (options->bundle != NULL) {
        own->tls = cql_bundle_tls(options->bundle);
        own->server_name = NULL;
        if (session->local_dc == NULL) {
            session->local_dc = cql_session_copy(cql_bundle_local_dc(options->bundle));
        }
    }
}

static void add_contacts(struct cql_session *session, const struct cql_session_options *options)
{
    const struct cql_bundle *bundle = options->bundle;
    if (bundle != NULL) {
        for (size_t at = 0; at < cql_bundle_contact_count(bundle); at++) {
            (void)cql_node_add(session, cql_bundle_contact(bundle, at),
                               cql_bundle_proxy_port(bundle));
        }
        return;
    }
    for (size_t at = 0; at < options->contact_count; at++) {
        const struct cql_contact *contact = &options->contacts[at];
        (void)cql_node_add(session, contact->host,
                           contact->port > 0 ? contact->port : session->options.port);
    }
}

/* Connects to one contact point and reads the cluster's topology from it. False: it failed. */
static bool try_contact(struct cql_session *session, struct link *link)
{
    int64_t until_ms = clock_boottime_ms() + session->options.connect_timeout_ms +
                       session->options.request_timeout_ms;
    error_set(&session->failure, ERROR_NETWORK, link->node->name,
              "the node did not say in time what its cluster is made of");
    if (!cql_link_begin(session, link)) {
        return false;
    }
    while (!session->known && !session->unusable && link->connection != NULL) {
        (void)cql_call_next(session); /* there are no calls of users yet */
        if (clock_boottime_ms() >= until_ms) {
            return false;
        }
        if (!session->known && !session->unusable && link->connection != NULL) {
            cql_call_wait(session, until_ms);
        }
    }
    return session->known;
}

enum status cql_session_open(const struct cql_session_options *options,
                             struct cql_session **session, struct error *error)
{
    struct cql_session *new = memory_allocate_zeroed(1, sizeof *new);
    error_set(&new->failure, ERROR_BAD_VALUE, NULL, "there is no contact point");
    new->arena = arena_create(0);
    new->staging = arena_create(4096);
    new->refresh_at_ms = INT64_MAX;
    take_options(new, options);
    add_contacts(new, options);
    size_t contact_count = new->link_count;
    for (size_t at = 0; at < contact_count && !new->known && !new->unusable; at++) {
        (void)try_contact(new, new->links[at]);
    }
    if (!new->known) {
        error_copy(error, &new->failure);
        cql_session_close(new);
        return STATUS_FAILED;
    }
    *session = new;
    return STATUS_OK;
}

static void free_calls(struct call *call)
{
    while (call != NULL) {
        struct call *next = call->next;
        buffer_free(&call->body);
        free(call);
        call = next;
    }
}

/* Puts the calls that a link has among the free ones, without an outcome. */
static void drop_calls(struct cql_session *session, struct link *link)
{
    struct call *call;
    while ((call = cql_call_list_take(&link->waiting)) != NULL) {
        cql_call_free(session, call);
    }
    if (link->connection == NULL) {
        return;
    }
    void *tag;
    bool sent;
    while (cql_connection_lost(link->connection, &tag, &sent)) {
        cql_call_free(session, tag);
    }
    cql_connection_close(link->connection);
}

void cql_session_close(struct cql_session *session)
{
    if (session == NULL) {
        return;
    }
    for (struct call *prepare = session->preparing; prepare != NULL;
         prepare = prepare->next_preparing) {
        free_calls(prepare->waiting.first);
    }
    for (size_t at = 0; at < session->link_count; at++) {
        drop_calls(session, session->links[at]);
        free(session->links[at]);
    }
    for (size_t at = 0; at < session->broken_count; at++) {
        cql_connection_close(session->broken[at]);
    }
    for (size_t at = 0; at < session->node_count; at++) {
        cql_node_free(session->nodes[at]);
    }
    free_calls(session->done.first);
    free_calls(session->free_calls);
    free_calls(session->out);
    for (struct prepared *prepared = session->prepared; prepared != NULL;) {
        struct prepared *next = prepared->next;
        arena_destroy(prepared->arena);
        prepared = next;
    }
    struct cql_session_options *own = &session->options;
    if (own->password != NULL) {
        secret_wipe((char *)(uintptr_t)own->password, strlen(own->password));
    }
    free((char *)(uintptr_t)own->password);
    free((char *)(uintptr_t)own->keyspace);
    free((char *)(uintptr_t)own->user);
    free((char *)(uintptr_t)own->server_name);
    cql_topology_free(session);
    arena_destroy(session->arena);
    free(session->broken);
    free(session->waits);
    free(session->nodes);
    free(session->links);
    free(session);
}

/* ---------------------------------------------------------------- the cluster */

struct cql_cluster cql_session_cluster(const struct cql_session *session)
{
    struct cql_cluster cluster = {
        .version = session->version,
        .release = session->release,
        .cluster_name = session->cluster_name,
        .local_dc = session->local_dc,
    };
    for (size_t at = 0; at < session->node_count; at++) {
        cluster.node_count += !session->nodes[at]->gone;
        cluster.local_node_count += cql_node_is_local(session, session->nodes[at]);
    }
    for (size_t at = session->link_count; at > 0; at--) {
        if (session->links[at - 1]->open) {
            cluster.report = cql_connection_report(session->links[at - 1]->connection);
        }
    }
    return cluster;
}

struct cql_range *cql_session_ranges(struct cql_session *session, struct arena *arena,
                                     size_t *count)
{
    int64_t *tokens = arena_allocate_zeroed(arena, session->entry_count + 1, sizeof *tokens);
    for (size_t at = 0; at < session->entry_count; at++) {
        tokens[at] = session->entries[at].token;
    }
    return cql_ranges_of(tokens, session->entry_count, arena, count);
}

/* ---------------------------------------------------------------- replies */

/* Why there was no answer. */
static enum status cql_session_explain(const struct cql_session *session, struct call *call,
                                       struct cql_reply *reply, struct error *error)
{
    const struct error *why = call->link != NULL && call->failure == CQL_FAILURE_LOST
                                  ? &call->link->failure
                                  : &session->failure;
    switch (call->failure) {
    case CQL_FAILURE_LATE:
        return error_set(error, ERROR_NETWORK, reply->node,
                         call->sent ? "no answer by the request's deadline"
                                    : "the request could not be sent before its deadline");
    case CQL_FAILURE_NO_HOST:
        error_copy(error, why);
        if (why->code == ERROR_CREDENTIALS) {
            reply->failure = CQL_FAILURE_CREDENTIALS;
            return STATUS_FAILED;
        }
        error->class = error->code == ERROR_TLS ? ERROR_CLASS_STOP : ERROR_CLASS_RETRY;
        return error_context(error, "no node can be reached: ");
    default:
        error_copy(error, why);
        return error_context(error, "the connection was lost with requests under way: ");
    }
}

/* A prepared statement's result looks different now. */
static void change_columns(struct call *call, const struct cql_rows *rows)
{
    struct prepared *prepared = call->prepared;
    struct arena *arena = prepared->arena;
    struct cql_envelope kept = call->answer;
    struct cql_response again;
    struct error ignored;
    kept.body = (const uint8_t *)arena_copy(arena, kept.body, kept.length);
    if (rows->columns.list != NULL &&
        cql_response_decode(&kept, arena, &again, &ignored) == STATUS_OK) {
        prepared->public.columns = again.rows.columns;
        prepared->metadata_id = again.rows.metadata_id;
    }
}

static enum status take_rows(struct call *call, struct cql_reply *reply, struct error *error)
{
    struct cql_rows *rows = &reply->response.rows;
    if (rows->metadata_id.data != NULL && call->prepared != NULL) {
        change_columns(call, rows);
    }
    if (rows->columns.list == NULL && rows->columns.count > 0) {
        if (rows->columns.count != call->columns.count) {
            reply->failure = CQL_FAILURE_PROTOCOL;
            return error_set(error, ERROR_NETWORK_ANSWER, reply->node,
                             "a result has %zu columns; its statement was prepared with %zu",
                             rows->columns.count, call->columns.count);
        }
        rows->columns = call->columns;
    }
    return STATUS_OK;
}

/* The reply to a call that has its outcome; what it points to is in the call and the arena. */
static enum status make_reply(struct cql_session *session, struct call *call, struct arena *arena,
                              struct cql_reply *reply, struct error *error)
{
    *reply = (struct cql_reply){
        .tag = call->tag,
        .node = call->link != NULL ? call->link->node->name : "",
        .failure = call->failure,
        .attempts = call->attempts,
        .took_us = clock_monotonic_ns() / 1000 - call->began_us,
    };
    if (call->failure != CQL_FAILURE_NONE) {
        reply->may_have_happened = call->sent;
        return cql_session_explain(session, call, reply, error);
    }
    if (cql_response_decode(&call->answer, arena, &reply->response, error) != STATUS_OK ||
        (reply->response.opcode != CQL_RESULT && reply->response.opcode != CQL_ERROR)) {
        reply->failure = CQL_FAILURE_PROTOCOL;
        reply->may_have_happened = true;
        return error_set(error, ERROR_NETWORK_ANSWER, reply->node,
                         "the answer to a request cannot be understood");
    }
    if (reply->response.opcode == CQL_ERROR) {
        reply->cause = reply->response.error;
        reply->failure = cql_failure_of(&reply->cause, reply->node, error);
        reply->may_have_happened = cql_failure_may_have_happened(reply->failure);
        return STATUS_FAILED;
    }
    if (reply->response.kind == CQL_RESULT_SCHEMA_CHANGE) {
        session->changed = call->link;
    }
    return reply->response.kind == CQL_RESULT_ROWS ? take_rows(call, reply, error) : STATUS_OK;
}

static void free_out(struct cql_session *session)
{
    if (session->out != NULL) {
        cql_call_free(session, session->out);
        session->out = NULL;
    }
}

enum status cql_session_poll(struct cql_session *session, int64_t timeout_ms,
                             struct cql_reply *reply, struct error *error)
{
    int64_t until_ms = timeout_ms > 0 ? clock_boottime_ms() + timeout_ms : 0;
    free_out(session);
    struct call *call;
    while ((call = cql_call_next(session)) == NULL) {
        if (until_ms == 0 || clock_boottime_ms() >= until_ms || session->under_way == 0) {
            return STATUS_AGAIN;
        }
        cql_call_wait(session, until_ms);
    }
    session->under_way--;
    session->out = call;
    arena_reset(session->arena);
    return make_reply(session, call, session->arena, reply, error);
}

/* Works until `wanted`, a call of the session's own, has its outcome, or until the time; those of
 * users are kept for poll. */
static void cql_session_work(struct cql_session *session, const struct call *wanted,
                             int64_t until_ms)
{
    struct call_list others = {0};
    while (true) {
        struct call *call = cql_call_next(session);
        if (call != NULL && call != wanted) {
            cql_call_keep(call, &others);
        } else if (call != NULL || clock_boottime_ms() >= until_ms) {
            break;
        } else {
            cql_call_wait(session, until_ms);
        }
    }
    for (struct call *call; (call = cql_call_list_take(&others)) != NULL;) {
        cql_call_list_add(&session->done, call);
    }
}

/* Sends a call and waits; the reply lives in `arena`. */
static enum status run_call(struct cql_session *session, struct call *call, struct arena *arena,
                            struct cql_reply *reply, struct error *error)
{
    free_out(session);
    cql_call_dispatch(session, call);
    cql_session_work(session, call, INT64_MAX);
    if (call->answer.length > 0) {
        call->answer.body =
            (const uint8_t *)arena_copy(arena, call->answer.body, call->answer.length);
    }
    enum status status = make_reply(session, call, arena, reply, error);
    reply->tag = NULL;
    cql_call_free(session, call);
    return status;
}

/* ---------------------------------------------------------------- sending */

static struct prepared *prepared_of(const struct cql_statement *statement)
{
    return (struct prepared *)(uintptr_t)statement->prepared;
}

static struct cql_bound cql_session_bind(const struct cql_statement *statement)
{
    struct cql_bound bound = {.values = statement->values,
                              .values_length = statement->values_length,
                              .value_count = statement->value_count};
    const struct prepared *prepared = prepared_of(statement);
    if (prepared != NULL && !prepared->forgotten) {
        bound.id = prepared->id;
        bound.metadata_id = prepared->metadata_id;
    } else {
        const char *text = prepared != NULL ? prepared->public.text : statement->text;
        bound.query = (struct text){text, strlen(text)};
    }
    return bound;
}

static void write_batch(struct cql_session *session, struct call *to, const struct cql_call *call,
                        const struct cql_parameters *parameters)
{
    to->opcode = CQL_BATCH;
    size_t begin = cql_write_batch_begin(
        &to->body, (enum cql_batch_type)((int)call->batch - (int)CQL_BATCH_OF_LOGGED));
    for (size_t at = 0; at < call->statement_count; at++) {
        struct cql_bound bound = cql_session_bind(&call->statements[at]);
        cql_write_batch_add(&to->body, &bound);
    }
    cql_write_batch_end(&to->body, session->version, begin, call->statement_count, parameters);
}

static void write_single(struct cql_session *session, struct call *to,
                         const struct cql_statement *statement, struct cql_parameters *parameters)
{
    struct cql_bound bound = cql_session_bind(statement);
    to->opcode = bound.query.length == 0 ? CQL_EXECUTE : CQL_QUERY;
    to->prepared = prepared_of(statement);
    if (to->opcode == CQL_EXECUTE && session->version >= 5) {
        to->columns = to->prepared->public.columns;
        parameters->skip_metadata = to->columns.list != NULL;
    }
    cql_write_statement(&to->body, session->version, &bound, parameters);
}

static struct call *make_call(struct cql_session *session, enum call_kind kind,
                              const struct cql_call *call)
{
    struct call *new = cql_call_new(session, kind);
    const struct prepared *prepared = prepared_of(&call->statements[0]);
    struct cql_parameters parameters = {
        .consistency = call->consistency,
        .serial_consistency = call->serial_consistency,
        .timestamp_us = call->timestamp_us,
        .page_size = call->page_size,
        .paging_state = call->paging_state,
    };
    new->tag = call->tag;
    new->conditional = call->serial_consistency != 0;
    if (call->deadline_ms > 0) {
        new->deadline_ms = call->deadline_ms;
    }
    if (call->token != NULL) {
        new->routed = true;
        new->token = *call->token;
        new->keyspace = call->keyspace != NULL
                            ? cql_topology_keyspace(
                                  session, (struct text){call->keyspace, strlen(call->keyspace)})
                        : prepared != NULL ? prepared->keyspace
                                           : NULL;
    }
    if (call->batch == CQL_BATCH_NONE) {
        write_single(session, new, &call->statements[0], &parameters);
    } else {
        write_batch(session, new, call, &parameters);
    }
    return new;
}

static enum status check_call(const struct cql_call *call, struct error *error)
{
    if (call->statement_count == 0 || call->statement_count > STATEMENTS_MAX ||
        (call->batch == CQL_BATCH_NONE && call->statement_count != 1)) {
        return error_set(error, ERROR_INTERNAL, NULL, "a call of %zu statements",
                         call->statement_count);
    }
    return STATUS_OK;
}

enum status cql_session_send(struct cql_session *session, const struct cql_call *call,
                             struct error *error)
{
    if (session->under_way >= session->options.under_way_max) {
        return STATUS_AGAIN;
    }
    if (check_call(call, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    session->under_way++;
    cql_call_dispatch(session, make_call(session, CALL_USER, call));
    return STATUS_OK;
}

void cql_session_flush(struct cql_session *session)
{
    for (size_t at = 0; at < session->link_count; at++) {
        struct error ignored; /* cql_call_next meets it */
        if (session->links[at]->open) {
            (void)!cql_connection_flush(session->links[at]->connection, &ignored);
        }
    }
}

uint32_t cql_session_under_way(const struct cql_session *session)
{
    return session->under_way;
}

/* ---------------------------------------------------------------- waiting */

enum status cql_session_query(struct cql_session *session, const struct cql_call *call,
                              struct arena *arena, struct cql_reply *reply, struct error *error)
{
    if (check_call(call, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        run_call(session, make_call(session, CALL_WAITED, call), arena, reply, error);
    if (status == STATUS_OK && reply->response.kind == CQL_RESULT_SCHEMA_CHANGE) {
        return cql_session_agree(session, error);
    }
    return status;
}

enum status cql_session_run(struct cql_session *session, const char *text,
                            enum cql_consistency consistency, struct arena *arena,
                            struct cql_reply *reply, struct error *error)
{
    const struct cql_statement statement = {.text = text};
    const struct cql_call call = {.statements = &statement,
                                  .statement_count = 1,
                                  .consistency = consistency,
                                  .timestamp_us = CQL_NO_TIMESTAMP};
    return cql_session_query(session, &call, arena, reply, error);
}

static void take_prepared(struct cql_session *session, struct prepared *prepared,
                          const struct cql_prepared_result *result)
{
    prepared->id = result->id;
    prepared->metadata_id = result->metadata_id;
    prepared->public.parameters = result->parameters;
    prepared->public.key = result->key;
    prepared->public.key_count = result->key_count;
    prepared->public.columns = result->columns;
    if (result->parameters.count > 0) {
        prepared->public.keyspace = result->parameters.list[0].keyspace;
        prepared->public.table = result->parameters.list[0].table;
        prepared->keyspace = cql_topology_keyspace(session, prepared->public.keyspace);
    }
    prepared->next = session->prepared;
    session->prepared = prepared;
}

enum status cql_session_prepare(struct cql_session *session, const char *text,
                                const struct cql_prepared **prepared, enum cql_failure *failure,
                                struct error *error)
{
    for (struct prepared *known = session->prepared; known != NULL; known = known->next) {
        if (strcmp(known->public.text, text) == 0) {
            *prepared = &known->public;
            return STATUS_OK;
        }
    }
    struct call *call = cql_call_new(session, CALL_WAITED);
    call->opcode = CQL_PREPARE;
    cql_write_prepare(&call->body, session->version, (struct text){text, strlen(text)});
    struct arena *arena = arena_create(4096);
    struct cql_reply reply;
    enum status status = run_call(session, call, arena, &reply, error);
    if (failure != NULL) {
        *failure = reply.failure;
    }
    if (status == STATUS_OK && reply.response.kind != CQL_RESULT_PREPARED) {
        status = error_set(error, ERROR_NETWORK_ANSWER, reply.node,
                           "the answer to PREPARE is something else");
    }
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    struct prepared *new = arena_allocate_zeroed(arena, 1, sizeof *new);
    new->arena = arena;
    new->public.text = arena_copy_string(arena, text);
    take_prepared(session, new, &reply.response.prepared);
    *prepared = &new->public;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- agreement */

/* The node that changed the schema last: others may not have heard of it, and agree on the old one.
 */
static struct link *changed_link(const struct cql_session *session)
{
    return session->changed != NULL && session->changed->open ? session->changed : session->control;
}

/* The two columns that one node has. */
static enum status ask_node(struct cql_session *session, struct link *link, const char *text,
                            struct arena *arena, struct cql_rows *rows, struct error *error)
{
    struct call *call = cql_call_new(session, CALL_WAITED);
    call->pinned = link;
    cql_call_write_query(session, call, text);
    struct cql_reply reply;
    enum status status = run_call(session, call, arena, &reply, error);
    if (status == STATUS_OK &&
        (reply.response.kind != CQL_RESULT_ROWS || reply.response.rows.columns.count != 2)) {
        return error_set(error, ERROR_NETWORK_ANSWER, reply.node,
                         "the node's system tables cannot be read");
    }
    *rows = reply.response.rows;
    return status;
}

/* A node that cannot be reached is not waited for. */
static bool is_down(struct cql_session *session, struct cql_value host_id)
{
    const struct node *node =
        host_id.length == HOST_ID_BYTES ? cql_node_find(session, host_id.data) : NULL;
    if (node == NULL || node->gone) {
        return true;
    }
    struct link *link = node->links[0];
    return !link->open && (link->failures > 0 || !cql_link_begin(session, link));
}

/* OK: all that are up agree. AGAIN: not yet. */
static enum status compare_schemas(struct cql_session *session, struct link *link,
                                   struct arena *arena, struct error *error)
{
    const char *peers = session->old_peers ? "SELECT host_id, schema_version FROM system.peers"
                                           : "SELECT host_id, schema_version FROM system.peers_v2";
    struct cql_rows rows;
    struct cql_value own[2];
    struct cql_value other[2];
    enum status status = ask_node(
        session, link, "SELECT host_id, schema_version FROM system.local WHERE key = 'local'",
        arena, &rows, error);
    if (status != STATUS_OK || cql_rows_next(&rows, own) != STATUS_OK) {
        return status == STATUS_FAILED ? status : STATUS_AGAIN;
    }
    status = ask_node(session, link, peers, arena, &rows, error);
    while (status == STATUS_OK && cql_rows_next(&rows, other) == STATUS_OK) {
        bool agrees = own[1].length == other[1].length && own[1].length > 0 &&
                      memcmp(own[1].data, other[1].data, (size_t)own[1].length) == 0;
        if (!agrees && !is_down(session, other[0])) {
            return STATUS_AGAIN;
        }
    }
    return status;
}

enum status cql_session_agree(struct cql_session *session, struct error *error)
{
    int64_t until_ms = clock_boottime_ms() + session->options.agreement_timeout_ms;
    struct arena *arena = arena_create(4096);
    enum status status = STATUS_AGAIN;
    error_clear(error);
    while (status != STATUS_OK && clock_boottime_ms() < until_ms) {
        arena_reset(arena);
        struct link *link = changed_link(session);
        status = link != NULL ? compare_schemas(session, link, arena, error) : STATUS_AGAIN;
        if (status != STATUS_OK) {
            cql_session_work(session, NULL, clock_boottime_ms() + AGREEMENT_PAUSE_MS);
        }
    }
    arena_destroy(arena);
    if (status == STATUS_AGAIN) {
        error_set(error, ERROR_NETWORK, session->cluster_name,
                  "the nodes did not agree on one schema within %lld s",
                  (long long)(session->options.agreement_timeout_ms / 1000));
        status = error_hint(error, "`nodetool describecluster` shows which node differs.");
    }
    return status;
}
