/* Commands one by one: connections to nodes, redirections, another try. */
#include "connectors/redis/protocol/client.h"

#include "base/memory.h"
#include "base/retry.h"
#include "connectors/common/lease.h"
#include <stdlib.h>

enum { REDIRECTIONS_MAX = 16 };

struct redis_client {
    struct redis_server *server;
    struct redis_connection *connections[REDIS_NODES_MAX]; /* by node; NULL: none */
};

struct redis_client *redis_client_create(struct redis_server *server)
{
    struct redis_client *made = memory_allocate_zeroed(1, sizeof(*made));
    made->server = server;
    return made;
}

void redis_client_destroy(struct redis_client *client)
{
    for (uint32_t at = 0; client != NULL && at < REDIS_NODES_MAX; at++) {
        redis_connection_close(client->connections[at]);
    }
    free(client);
}

void redis_client_drop(struct redis_client *client, uint16_t node)
{
    redis_connection_close(client->connections[node]);
    client->connections[node] = NULL;
}

enum status redis_client_connection(struct redis_client *client, uint16_t node,
                                    struct redis_connection **connection, struct error *error)
{
    if (node >= REDIS_NODES_MAX) {
        return error_set(error, ERROR_NETWORK, NULL, "no node of the cluster has that slot now");
    }
    if (client->connections[node] == NULL &&
        redis_server_connect(client->server, node, &client->connections[node], error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    *connection = client->connections[node];
    return STATUS_OK;
}

/* ---------------------------------------------------------------- one try */

/* The last reply of the command's. */
static enum status exchange(struct redis_connection *connection, const struct buffer *command,
                            uint32_t replies, bool asking, struct arena *arena,
                            struct resp_value *reply, struct error *error)
{
    struct buffer ask = {0};
    if (asking) {
        resp_command(&ask, "ASKING", NULL);
    }
    enum status status = redis_connection_send(connection, ask.data, ask.length, error);
    buffer_free(&ask);
    if (status == STATUS_OK) {
        status = redis_connection_send(connection, command->data, command->length, error);
    }
    uint32_t count = (replies > 0 ? replies : 1) + asking;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        status = redis_connection_next(connection, arena, reply, error);
    }
    return status;
}

/* The write is on a replica as well, where there is one. */
static enum status wait_for_replica(struct redis_client *client,
                                    struct redis_connection *connection, struct arena *arena,
                                    struct error *error)
{
    struct resp_value reply;
    struct buffer command = {0};
    int64_t copies = 0;
    if (redis_connection_facts(connection)->replicas == 0) {
        return STATUS_OK;
    }
    resp_begin(&command, 3);
    resp_string(&command, "WAIT");
    resp_number(&command, 1);
    resp_number(&command, redis_server_timeout_ms(client->server) / 2);
    enum status status = redis_connection_call(connection, &command, arena, &reply, error);
    buffer_free(&command);
    if (status == STATUS_OK && (!resp_integer(&reply, &copies) || copies < 1)) {
        status = error_set(error, ERROR_NETWORK, redis_connection_place(connection),
                           "no replica has acknowledged what was written");
    }
    return status;
}

static enum status try_call(struct redis_client *client, const struct redis_call *call,
                            struct arena *arena, struct resp_value *reply, struct error *error)
{
    struct redis_connection *connection = NULL;
    uint16_t node = call->to_node ? call->node : redis_server_node_of(client->server, call->slot);
    bool asking = false;
    for (int tries = 0; tries < REDIRECTIONS_MAX; tries++) {
        uint16_t next = REDIS_NO_NODE;
        uint16_t slot = 0;
        if (call->lease != NULL &&
            lease_check(call->lease, redis_server_timeout_ms(client->server), error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        enum status status = redis_client_connection(client, node, &connection, error);
        if (status != STATUS_OK) {
            return status;
        }
        status = exchange(connection, call->command, call->replies, asking, arena, reply, error);
        if (status != STATUS_OK) {
            redis_client_drop(client, node);
            return status;
        }
        if (!redis_server_redirected(client->server, reply, node, &next, &slot)) {
            break;
        }
        asking = redis_error_is(reply, "ASK");
        if (!asking) {
            redis_server_moved(client->server, slot, next);
        }
        node = next;
    }
    if (reply->type == RESP_ERROR) {
        return redis_refused(reply, call->object, error);
    }
    return call->writes ? wait_for_replica(client, connection, arena, error) : STATUS_OK;
}

/* ---------------------------------------------------------------- until it is done */

enum status redis_client_call(struct redis_client *client, const struct redis_call *call,
                              struct arena *arena, struct resp_value *reply, struct error *error)
{
    struct retry retry;
    struct database *database = redis_server_database(client->server);
    retry_init(&retry, RETRY_PATIENCE_TIMEOUTS * redis_server_timeout_ms(client->server));
    retry.cancelled = &database->hurried;
    retry.counter = &database->report.counts.retries;
    for (;;) {
        enum status status = try_call(client, call, arena, reply, error);
        if (status == STATUS_OK || call->once || error->class != ERROR_CLASS_RETRY ||
            error->code == ERROR_LEASE_SHORT) {
            return status;
        }
        if (!retry_wait(&retry, error)) {
            error->class = ERROR_CLASS_STOP;
            return STATUS_FAILED;
        }
        struct error ignored;
        (void)!redis_server_refresh(client->server, &ignored);
    }
}
