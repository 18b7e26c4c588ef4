/* Nodes, and the connections to them. */
#include "connectors/cassandra/protocol/cql_session_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/retry.h"
#include "connectors/cassandra/protocol/cql_bundle.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    STREAMS_SPARE = 64, /* for the session's own calls */
    LOCAL_PORT_FIRST = 49152,
    LOCAL_PORT_COUNT = 16384
};

/* ---------------------------------------------------------------- nodes */

static struct link *add_link(struct cql_session *session, struct node *node, uint32_t shard)
{
    struct link *link = memory_allocate_zeroed(1, sizeof *link);
    link->node = node;
    link->shard = shard;
    session->links = memory_resize(session->links, session->link_count + 1, sizeof(struct link *));
    session->links[session->link_count++] = link;
    return link;
}

struct node *cql_node_add(struct cql_session *session, const char *host, uint16_t port)
{
    struct node *node = memory_allocate_zeroed(1, sizeof *node);
    node->index = (uint16_t)session->node_count;
    snprintf(node->name, sizeof node->name, strchr(host, ':') != NULL ? "[%.80s]:%u" : "%.80s:%u",
             host, port);
    node->host = memory_copy_string(host);
    node->port = port;
    node->dc = memory_copy_string("");
    node->rack = memory_copy_string("");
    node->links = memory_allocate_zeroed(1, sizeof(struct link *));
    node->links[0] = add_link(session, node, 0);
    node->link_count = 1;
    session->nodes = memory_resize(session->nodes, session->node_count + 1, sizeof(struct node *));
    session->nodes[session->node_count++] = node;
    return node;
}

struct node *cql_node_find(const struct cql_session *session, const uint8_t host_id[HOST_ID_BYTES])
{
    for (size_t at = 0; at < session->node_count; at++) {
        struct node *node = session->nodes[at];
        if (node->identified && memcmp(node->host_id, host_id, HOST_ID_BYTES) == 0) {
            return node;
        }
    }
    return NULL;
}

void cql_node_free(struct node *node)
{
    free(node->host);
    free(node->dc);
    free(node->rack);
    free(node->links);
    free(node);
}

bool cql_node_is_local(const struct cql_session *session, const struct node *node)
{
    return !node->gone &&
           (!session->known || (node->identified && strcmp(node->dc, session->local_dc) == 0));
}

/* A node of Scylla tells of its shards on the first connection; the others are for one each. */
static void take_shards(struct cql_session *session, struct link *link)
{
    struct node *node = link->node;
    const struct cql_shards *shards = cql_connection_shards(link->connection);
    uint16_t port = session->options.tls != NULL ? shards->port_tls : shards->port;
    if (node->link_count > 1 || shards->count < 2 || shards->count > CQL_STREAMS_MAX ||
        shards->shard >= shards->count || port == 0) {
        return;
    }
    node->shards = *shards;
    node->shards.port = port;
    node->links = memory_resize(node->links, shards->count, sizeof(struct link *));
    for (uint32_t shard = 0; shard < shards->count; shard++) {
        node->links[shard] = shard == shards->shard ? link : add_link(session, node, shard);
    }
    link->shard = shards->shard;
    node->link_count = shards->count;
}

/* ---------------------------------------------------------------- connections */

/* A port of ours that leads to the shard. */
static uint16_t local_port(const struct node *node, uint32_t shard)
{
    uint32_t count = node->shards.count;
    uint32_t steps = LOCAL_PORT_COUNT / count;
    uint32_t first = (LOCAL_PORT_FIRST + count - 1) / count * count + shard;
    uint32_t port = first + (uint32_t)(random_uint64() % (steps > 1 ? steps - 1 : 1)) * count;
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static enum status connect_link(struct cql_session *session, struct link *link, struct error *error)
{
    const struct cql_session_options *options = &session->options;
    const struct node *node = link->node;
    struct cql_connection_options own = {
        .name = node->name,
        .host = node->host,
        .port = node->port,
        .tls = options->tls,
        .server_name = options->server_name,
        .plaintext_allowed = options->plaintext_allowed,
        .user = options->user,
        .keyspace = options->keyspace,
        .password = options->password,
        .version = session->version > 0 ? session->version : options->version_max,
        .version_fixed = session->version > 0,
        .compression = options->compression,
        .streams_max = options->under_way_max + STREAMS_SPARE,
        .connect_timeout_ms = options->connect_timeout_ms,
        .heartbeat_ms = options->heartbeat_ms,
    };
    if (node->link_count > 1) {
        own.port = node->shards.port;
        own.local_port = local_port(node, link->shard);
    }
    if (options->bundle != NULL) { /* the host is an id: what the proxy knows the node by */
        own.server_name = node->host;
        own.host = cql_bundle_proxy_host(options->bundle);
        own.port = cql_bundle_proxy_port(options->bundle);
    }
    return cql_connection_open(&own, &link->connection, error);
}

bool cql_link_begin(struct cql_session *session, struct link *link)
{
    if (link->connection != NULL) {
        return true;
    }
    if (link->node->gone || clock_boottime_ms() < link->retry_at_ms) {
        return false;
    }
    struct error why;
    if (connect_link(session, link, &why) != STATUS_OK) {
        cql_link_fail(session, link, &why);
        return false;
    }
    return true;
}

bool cql_link_is_usable(struct cql_session *session, struct link *link)
{
    return link->open || cql_link_begin(session, link);
}

void cql_link_open(struct cql_session *session, struct link *link)
{
    struct error why;
    enum status status = cql_connection_ready(link->connection, &why);
    if (status == STATUS_FAILED) {
        cql_link_fail(session, link, &why);
    } else if (status == STATUS_OK) {
        link->open = true;
        link->failures = 0;
        session->version = cql_connection_version(link->connection);
        take_shards(session, link);
    }
}

/* Calls of a link that is closed: those that were not sent may go elsewhere. */
static void move_calls(struct cql_session *session, struct link *link,
                       struct cql_connection *connection)
{
    struct call_list moved = link->waiting;
    link->waiting = (struct call_list){0};
    void *tag;
    bool sent;
    while (connection != NULL && cql_connection_lost(connection, &tag, &sent)) {
        struct call *call = tag;
        if (sent) {
            link->load--;
            cql_call_end(session, call, CQL_FAILURE_LOST, true);
        } else {
            cql_call_list_add(&moved, call);
        }
    }
    for (struct call *call; (call = cql_call_list_take(&moved)) != NULL;) {
        link->load--;
        cql_call_dispatch(session, call);
    }
}

void cql_link_fail(struct cql_session *session, struct link *link, const struct error *why)
{
    log_write(LOG_DEBUG, "cassandra: %s: %s", link->node->name, why->message);
    struct cql_connection *connection = link->connection;
    link->failure = *why;
    session->failure = *why;
    link->connection = NULL;
    if (!link->open) {
        link->failures++;
        link->retry_at_ms = clock_boottime_ms() + RETRY_BASE_MS +
                            retry_delay_ms(link->failures, 0, random_uint64());
    }
    link->open = false;
    if (session->control == link) {
        cql_topology_lost(session);
    }
    move_calls(session, link, connection);
    if (connection != NULL) { /* a reply that was handed out may still be in it */
        session->broken =
            memory_resize(session->broken, session->broken_count + 1, sizeof connection);
        session->broken[session->broken_count++] = connection;
    }
}
