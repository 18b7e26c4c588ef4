/*
 * The cluster as the system tables and events tell it. One open link is watched, the control link:
 *
 *   REGISTER -> system.local -> system.peers_v2 (or peers) -> system_schema.keyspaces -> watched
 *
 * and again from system.local when nodes come or go, or from the start when the link is lost.
 */
#include "connectors/cassandra/protocol/cql_session_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include <arpa/inet.h>
#include <stdlib.h>

enum { SETTLE_MS = 1000, NODES_MAX = 10000, COLUMNS_MAX = 32 };

/* A node as the tables have it; in the session's staging arena. */
struct staged {
    struct staged *next;
    bool local; /* the node that was asked */
    const uint8_t *host_id;
    const char *host;
    uint16_t port;
    const char *dc;
    const char *rack;
    int64_t *tokens;
    size_t token_count;
};

static char *copy_text(struct cql_value value)
{
    return memory_copy_bytes(value.length > 0 ? (const char *)value.data : "",
                             value.length > 0 ? (size_t)value.length : 0);
}

static void cql_topology_replace(char **text, char *with)
{
    free(*text);
    *text = with;
}

/* ---------------------------------------------------------------- asking */

static void cql_topology_ask(struct cql_session *session, enum call_kind kind)
{
    static const char *const events[] = {"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"};
    struct call *call = cql_call_new(session, kind);
    call->pinned = session->control;
    if (kind == CALL_REGISTER) {
        call->opcode = CQL_REGISTER;
        cql_write_register(&call->body, events, sizeof events / sizeof *events);
    } else {
        cql_call_write_query(session, call,
                             kind == CALL_LOCAL ? "SELECT * FROM system.local WHERE key = 'local'"
                             : kind == CALL_PEERS && !session->old_peers
                                 ? "SELECT * FROM system.peers_v2"
                             : kind == CALL_PEERS ? "SELECT * FROM system.peers"
                                                  : "SELECT keyspace_name, replication FROM "
                                                    "system_schema.keyspaces");
    }
    session->watch = WATCH_ASKING;
    cql_call_dispatch(session, call);
}

/* Watches over the cluster from a link that is open; a known cluster is never left without one. */
static void choose_control(struct cql_session *session)
{
    for (size_t at = 0; at < session->link_count; at++) {
        struct link *link = session->links[at];
        if (link->open && !link->node->gone) {
            session->control = link;
            cql_topology_ask(session, CALL_REGISTER);
            return;
        }
    }
    for (size_t at = 0; session->known && at < session->link_count; at++) {
        struct link *link = session->links[at];
        if (cql_node_is_local(session, link->node) && cql_link_begin(session, link)) {
            return;
        }
    }
}

void cql_topology_tick(struct cql_session *session)
{
    if (session->control == NULL) {
        choose_control(session);
    }
    if (session->watch != WATCH_ON) {
        return;
    }
    if (clock_boottime_ms() >= session->refresh_at_ms) {
        session->refresh_at_ms = INT64_MAX;
        cql_topology_ask(session, CALL_LOCAL);
    } else if (session->keyspaces_stale) {
        session->keyspaces_stale = false;
        cql_topology_ask(session, CALL_KEYSPACES);
    }
}

int64_t cql_topology_wake_ms(const struct cql_session *session)
{
    return session->watch == WATCH_ON ? session->refresh_at_ms : INT64_MAX;
}

void cql_topology_lost(struct cql_session *session)
{
    session->control = NULL;
    session->watch = WATCH_NOTHING;
}

/* ---------------------------------------------------------------- rows */

/* The column of this name; null if there is none. */
static struct cql_value field(const struct cql_rows *rows, const struct cql_value *values,
                              const char *name)
{
    for (size_t at = 0; at < rows->columns.count; at++) {
        struct text column = rows->columns.list[at].name;
        if (column.length == strlen(name) && memcmp(column.data, name, column.length) == 0) {
            return values[at];
        }
    }
    return (struct cql_value){NULL, CQL_NULL};
}

/* An address as text; NULL: none, or the one that means any. */
static const char *address_of(struct cql_value value, struct arena *arena)
{
    static const uint8_t any[16];
    char text[INET6_ADDRSTRLEN];
    int family = value.length == 4 ? AF_INET : AF_INET6;
    if ((value.length != 4 && value.length != 16) ||
        memcmp(value.data, any, (size_t)value.length) == 0 ||
        inet_ntop(family, value.data, text, sizeof text) == NULL) {
        return NULL;
    }
    return arena_copy_string(arena, text);
}

/* A set<text> of numbers. */
static void read_tokens(struct cql_value set, struct arena *arena, struct staged *node)
{
    struct cql_reader reader = cql_reader_of(set.data, set.length > 0 ? (size_t)set.length : 0);
    size_t count = cql_read_count(&reader, 4);
    node->tokens = arena_allocate_zeroed(arena, count + 1, sizeof *node->tokens);
    for (size_t at = 0; at < count; at++) {
        struct cql_value value = cql_read_value(&reader);
        if (value.length > 0 && text_to_int64((const char *)value.data, (size_t)value.length,
                                              &node->tokens[node->token_count]) == STATUS_OK) {
            node->token_count++;
        }
    }
}

static void stage(struct cql_session *session, const struct cql_rows *rows,
                  const struct cql_value *values, bool local)
{
    struct arena *arena = session->staging;
    struct cql_value host_id = field(rows, values, "host_id");
    const char *host = address_of(field(rows, values, "native_address"), arena);
    host = host != NULL ? host : address_of(field(rows, values, "rpc_address"), arena);
    host = host != NULL ? host : address_of(field(rows, values, "peer"), arena);
    struct cql_value port = field(rows, values, "native_port");
    struct staged *node = arena_allocate_zeroed(arena, 1, sizeof *node);
    node->local = local;
    node->port = session->options.port;
    if (port.length == 4 && bytes_get_be(port.data, 4) <= UINT16_MAX) {
        node->port = (uint16_t)bytes_get_be(port.data, 4);
    }
    node->host = host;
    struct cql_value dc = field(rows, values, "data_center");
    struct cql_value rack = field(rows, values, "rack");
    node->dc = arena_copy(arena, dc.data, dc.length > 0 ? (size_t)dc.length : 0);
    node->rack = arena_copy(arena, rack.data, rack.length > 0 ? (size_t)rack.length : 0);
    read_tokens(field(rows, values, "tokens"), arena, node);
    /* a node that is joining or leaving lacks some of it */
    if (host_id.length == HOST_ID_BYTES && (local || (host != NULL && node->token_count > 0))) {
        node->host_id = (const uint8_t *)arena_copy(arena, host_id.data, HOST_ID_BYTES);
        node->next = session->staged;
        session->staged = node;
    }
}

static enum status take_local(struct cql_session *session, struct cql_rows *rows,
                              struct error *error)
{
    struct cql_value values[COLUMNS_MAX];
    arena_reset(session->staging);
    session->staged = NULL;
    if (cql_rows_next(rows, values) != STATUS_OK) {
        return error_set(error, ERROR_NETWORK_ANSWER, NULL, "system.local is empty");
    }
    struct cql_value partitioner = field(rows, values, "partitioner");
    if (cql_token_check_partitioner((const char *)partitioner.data,
                                    partitioner.length > 0 ? (size_t)partitioner.length : 0,
                                    error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    cql_topology_replace(&session->cluster_name, copy_text(field(rows, values, "cluster_name")));
    cql_topology_replace(&session->release, copy_text(field(rows, values, "release_version")));
    if (session->local_dc == NULL) {
        session->local_dc = copy_text(field(rows, values, "data_center"));
    }
    stage(session, rows, values, true);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the nodes */

static bool is_in_use(const struct node *node)
{
    for (uint32_t at = 0; at < node->link_count; at++) {
        if (node->links[at]->connection != NULL) {
            return true;
        }
    }
    return false;
}

static void uuid_text(const uint8_t uuid[HOST_ID_BYTES], char text[40])
{
    struct buffer hex = {0};
    for (int at = 0; at < HOST_ID_BYTES; at++) {
        buffer_format(&hex, "%s%02x", at == 4 || at == 6 || at == 8 || at == 10 ? "-" : "",
                      uuid[at]);
    }
    memcpy(text, buffer_string(&hex), hex.length + 1);
    buffer_free(&hex);
}

/* The node that a row is of: known by its id, or the one that was asked, or new. */
static struct node *node_of(struct cql_session *session, const struct staged *row)
{
    struct node *node = cql_node_find(session, row->host_id);
    if (node == NULL && row->local && !session->control->node->identified) {
        node = session->control->node;
    }
    if (node != NULL && !row->local && session->options.bundle == NULL && !is_in_use(node) &&
        (strcmp(node->host, row->host) != 0 || node->port != row->port)) {
        node->identified = false; /* it has moved */
        node->gone = true;
        node = NULL;
    }
    if (node == NULL) {
        char id[40];
        uuid_text(row->host_id, id);
        const char *host = row->host != NULL ? row->host : session->control->node->host;
        node = cql_node_add(session, session->options.bundle != NULL ? id : host, row->port);
    }
    node->identified = true;
    memcpy(node->host_id, row->host_id, HOST_ID_BYTES);
    cql_topology_replace(&node->dc, memory_copy_string(row->dc));
    cql_topology_replace(&node->rack, memory_copy_string(row->rack));
    return node;
}

static void forget_replicas(struct cql_session *session)
{
    for (struct keyspace *keyspace = session->keyspaces; keyspace != NULL;
         keyspace = keyspace->next) {
        free(keyspace->replicas);
        keyspace->replicas = NULL;
    }
}

static void place_nodes(struct cql_session *session)
{
    session->places = memory_resize(session->places, session->node_count, sizeof *session->places);
    for (size_t at = 0; at < session->node_count; at++) {
        const struct node *node = session->nodes[at];
        session->places[at] =
            node->gone ? (struct cql_place){"", ""} : (struct cql_place){node->dc, node->rack};
    }
}

/* Makes nodes and ring what the tables say. */
static void cql_topology_apply(struct cql_session *session)
{
    for (size_t at = 0; at < session->node_count; at++) {
        session->nodes[at]->gone = true;
    }
    size_t token_count = 0;
    for (const struct staged *row = session->staged; row != NULL; row = row->next) {
        token_count += row->token_count;
    }
    session->entries = memory_resize(session->entries, token_count + 1, sizeof *session->entries);
    session->entry_count = 0;
    for (const struct staged *row = session->staged; row != NULL; row = row->next) {
        struct node *node = node_of(session, row);
        node->gone = false;
        for (size_t at = 0; at < row->token_count; at++) {
            session->entries[session->entry_count++] =
                (struct cql_ring_entry){row->tokens[at], node->index};
        }
    }
    cql_ring_sort(session->entries, session->entry_count);
    place_nodes(session);
    forget_replicas(session);
}

static enum status check_local_dc(const struct cql_session *session, struct error *error)
{
    const char *other = "";
    for (size_t at = 0; at < session->node_count; at++) {
        const struct node *node = session->nodes[at];
        if (!node->gone && strcmp(node->dc, session->local_dc) == 0) {
            return STATUS_OK;
        }
        other = node->gone ? other : node->dc;
    }
    error_set(error, ERROR_TARGET_INVALID, NULL, "the cluster has no data centre %s",
              session->local_dc);
    return error_hint(error, "The name is case-sensitive; the cluster has, for example, %s.",
                      other);
}

static enum status take_peers(struct cql_session *session, struct cql_rows *rows,
                              struct error *error)
{
    struct cql_value values[COLUMNS_MAX];
    for (size_t left = NODES_MAX; left > 0 && cql_rows_next(rows, values) == STATUS_OK; left--) {
        stage(session, rows, values, false);
    }
    cql_topology_apply(session);
    return session->known ? STATUS_OK : check_local_dc(session, error);
}

/* ---------------------------------------------------------------- keyspaces */

struct keyspace *cql_topology_keyspace(struct cql_session *session, struct text name)
{
    for (struct keyspace *keyspace = session->keyspaces; keyspace != NULL;
         keyspace = keyspace->next) {
        if (strlen(keyspace->name) == name.length &&
            memcmp(keyspace->name, name.data, name.length) == 0) {
            return keyspace;
        }
    }
    struct keyspace *keyspace = memory_allocate_zeroed(1, sizeof *keyspace);
    keyspace->name = memory_copy_bytes(name.data, name.length);
    keyspace->replication = (struct cql_replication){CQL_STRATEGY_OTHER, 0};
    keyspace->next = session->keyspaces;
    session->keyspaces = keyspace;
    return keyspace;
}

static void take_keyspaces(struct cql_session *session, struct cql_rows *rows)
{
    struct cql_value values[COLUMNS_MAX];
    forget_replicas(session);
    while (cql_rows_next(rows, values) == STATUS_OK) {
        struct cql_value name = field(rows, values, "keyspace_name");
        if (name.length > 0) {
            struct keyspace *keyspace = cql_topology_keyspace(
                session, (struct text){(const char *)name.data, (size_t)name.length});
            keyspace->replication =
                cql_replication_read(field(rows, values, "replication"), session->local_dc);
        }
    }
}

const uint16_t *cql_topology_replicas(struct cql_session *session, const struct keyspace *keyspace,
                                      int64_t token, size_t *count)
{
    *count = 0;
    struct cql_ring ring = {session->entries, session->entry_count, session->places,
                            session->node_count};
    if (keyspace == NULL || ring.count == 0) {
        return NULL;
    }
    struct keyspace *own = (struct keyspace *)(uintptr_t)keyspace;
    if (own->replicas == NULL) {
        own->replicas = cql_ring_replicas(&ring, own->replication, session->local_dc, &own->width);
    }
    *count = own->width;
    return own->replicas + cql_ring_find(&ring, token) * own->width;
}

/* ---------------------------------------------------------------- answers */

static enum status take_rows(struct cql_session *session, enum call_kind kind,
                             struct cql_response *response, struct error *error)
{
    if (kind == CALL_REGISTER) {
        return STATUS_OK;
    }
    if (response->opcode != CQL_RESULT || response->kind != CQL_RESULT_ROWS ||
        response->rows.columns.list == NULL || response->rows.columns.count > COLUMNS_MAX) {
        return error_set(error, ERROR_NETWORK_ANSWER, NULL,
                         "the node's system tables cannot be read");
    }
    switch (kind) {
    case CALL_LOCAL:
        return take_local(session, &response->rows, error);
    case CALL_PEERS:
        return take_peers(session, &response->rows, error);
    default:
        take_keyspaces(session, &response->rows);
        return STATUS_OK;
    }
}

/* Asks the question that follows an answer. */
static void go_on(struct cql_session *session, enum call_kind kind)
{
    static const enum call_kind next[] = {
        [CALL_REGISTER] = CALL_LOCAL, [CALL_LOCAL] = CALL_PEERS, [CALL_PEERS] = CALL_KEYSPACES};
    if (kind == CALL_KEYSPACES) {
        session->watch = WATCH_ON;
        session->known = true;
    } else {
        cql_topology_ask(session, next[kind]);
    }
}

static void take_answer(struct cql_session *session, struct call *call)
{
    struct cql_response response;
    struct error why;
    error_clear(&why);
    arena_reset(session->arena);
    enum status status = cql_response_decode(&call->answer, session->arena, &response, &why);
    if (status == STATUS_OK && response.opcode == CQL_ERROR) {
        if (call->kind == CALL_PEERS && !session->old_peers && response.error.code == CQL_INVALID) {
            session->old_peers = true;
            cql_topology_ask(session, CALL_PEERS);
            return;
        }
        if (call->kind == CALL_KEYSPACES && response.error.code == CQL_INVALID) {
            go_on(session, call->kind); /* before 3.0: replicas are not known */
            return;
        }
        (void)cql_failure_of(&response.error, call->link->node->name, &why);
        status = STATUS_FAILED;
    } else if (status == STATUS_OK) {
        status = take_rows(session, call->kind, &response, &why);
    }
    if (status == STATUS_OK) {
        go_on(session, call->kind);
        return;
    }
    session->failure = why;
    session->unusable = session->unusable || (!session->known && why.class == ERROR_CLASS_STOP);
    session->watch = WATCH_ON; /* with what is known */
    session->refresh_at_ms = clock_boottime_ms() + session->options.request_timeout_ms;
}

void cql_topology_take(struct cql_session *session, struct call *call)
{
    if (call->pinned == session->control) {
        if (call->failure == CQL_FAILURE_NONE) {
            take_answer(session, call);
        } else {
            cql_topology_lost(session);
        }
    }
    cql_call_free(session, call);
}

/* ---------------------------------------------------------------- events */

static bool text_is(struct text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

/* A node is up, as others say: it may be tried at once. */
static void welcome(struct cql_session *session, const struct cql_inet *inet)
{
    char host[INET6_ADDRSTRLEN];
    if (inet_ntop(inet->length == 4 ? AF_INET : AF_INET6, inet->bytes, host, sizeof host) == NULL) {
        return;
    }
    for (size_t at = 0; at < session->link_count; at++) {
        struct link *link = session->links[at];
        if (strcmp(link->node->host, host) == 0 && link->connection == NULL) {
            link->retry_at_ms = 0;
            link->failures = 0;
        }
    }
}

void cql_topology_event(struct cql_session *session, const struct cql_envelope *envelope)
{
    struct cql_response response;
    struct error ignored;
    arena_reset(session->arena);
    if (cql_response_decode(envelope, session->arena, &response, &ignored) != STATUS_OK) {
        return;
    }
    const struct cql_event *event = &response.event;
    if (text_is(event->type, "SCHEMA_CHANGE")) {
        session->keyspaces_stale =
            session->keyspaces_stale || text_is(event->schema.target, "KEYSPACE");
        return;
    }
    if (text_is(event->change, "UP")) {
        welcome(session, &event->node);
    }
    session->refresh_at_ms = clock_boottime_ms() + SETTLE_MS;
}

void cql_topology_free(struct cql_session *session)
{
    for (struct keyspace *keyspace = session->keyspaces; keyspace != NULL;) {
        struct keyspace *next = keyspace->next;
        free(keyspace->replicas);
        free(keyspace->name);
        free(keyspace);
        keyspace = next;
    }
    free(session->entries);
    free(session->places);
    free(session->local_dc);
    free(session->cluster_name);
    free(session->release);
    arena_destroy(session->staging);
}
