/* Which nodes there are, what they hold, and connections to them. */
#include "connectors/redis/protocol/server.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/contract/report.h"
#include "connectors/redis/protocol/crc16_table.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct node {
    struct redis_place place;
    char run_id[48]; /* when it was connected to first; "": never yet */
};

struct redis_server {
    struct redis_server_options options;
    struct redis_facts facts;
    bool cluster;
    pthread_mutex_t mutex; /* of what follows */
    struct node *nodes;
    uint32_t node_count;
    uint16_t slots[REDIS_SLOTS];
};

/* ---------------------------------------------------------------- slots */

uint16_t redis_slot_of(const char *key, size_t length)
{
    const char *open = memchr(key, '{', length);
    if (open != NULL) {
        const char *close = memchr(open + 1, '}', (size_t)(key + length - open) - 1);
        if (close != NULL && close > open + 1) {
            key = open + 1;
            length = (size_t)(close - key);
        }
    }
    uint16_t crc = 0;
    for (size_t at = 0; at < length; at++) {
        crc = (uint16_t)(crc << 8) ^ crc16_table[(uint8_t)(crc >> 8) ^ (uint8_t)key[at]];
    }
    return crc % REDIS_SLOTS;
}

uint16_t redis_server_node_of(struct redis_server *server, uint16_t slot)
{
    pthread_mutex_lock(&server->mutex);
    uint16_t node = server->slots[slot];
    pthread_mutex_unlock(&server->mutex);
    return node;
}

void redis_server_moved(struct redis_server *server, uint16_t slot, uint16_t node)
{
    pthread_mutex_lock(&server->mutex);
    server->slots[slot] = node;
    pthread_mutex_unlock(&server->mutex);
}

uint32_t redis_server_masters(struct redis_server *server, uint16_t nodes[REDIS_NODES_MAX])
{
    bool seen[REDIS_NODES_MAX] = {false};
    uint32_t count = 0;
    pthread_mutex_lock(&server->mutex);
    for (uint32_t slot = 0; slot < REDIS_SLOTS; slot++) {
        uint16_t node = server->slots[slot];
        if (node < REDIS_NODES_MAX && !seen[node]) {
            seen[node] = true;
            nodes[count++] = node;
        }
    }
    pthread_mutex_unlock(&server->mutex);
    return count;
}

/* ---------------------------------------------------------------- nodes */

/* With the mutex held. */
static uint16_t node_at(struct redis_server *server, const char *host, uint16_t port)
{
    for (uint32_t at = 0; at < server->node_count; at++) {
        const struct redis_place *place = &server->nodes[at].place;
        if (place->port == port && strcmp(place->host, host) == 0) {
            return (uint16_t)at;
        }
    }
    if (server->node_count == REDIS_NODES_MAX ||
        strlen(host) >= sizeof(server->nodes[0].place.host)) {
        return REDIS_NO_NODE;
    }
    struct node *made = &server->nodes[server->node_count];
    snprintf(made->place.host, sizeof(made->place.host), "%s", host);
    made->place.port = port;
    return (uint16_t)server->node_count++;
}

uint16_t redis_server_node_at(struct redis_server *server, const char *host, uint16_t port)
{
    pthread_mutex_lock(&server->mutex);
    uint16_t node = node_at(server, host, port);
    pthread_mutex_unlock(&server->mutex);
    return node;
}

bool redis_server_redirected(struct redis_server *server, const struct resp_value *reply,
                             uint16_t asked, uint16_t *node, uint16_t *slot)
{
    char text[320];
    unsigned number = 0;
    int place = 0;
    unsigned port = 0;
    if ((!redis_error_is(reply, "MOVED") && !redis_error_is(reply, "ASK")) ||
        reply->text.length >= sizeof(text)) {
        return false;
    }
    memcpy(text, reply->text.data, reply->text.length);
    text[reply->text.length] = '\0';
    char *colon = strrchr(text, ':');
    if (colon == NULL || sscanf(text, "%*s %u %n", &number, &place) != 1 || number >= REDIS_SLOTS ||
        sscanf(colon + 1, "%u", &port) != 1 || port > UINT16_MAX) {
        return false;
    }
    *colon = '\0';
    const char *host = text + place;
    pthread_mutex_lock(&server->mutex);
    if (host >= colon && asked < server->node_count) { /* the one that was asked, another port */
        host = server->nodes[asked].place.host;
    }
    *node = node_at(server, host, (uint16_t)port);
    pthread_mutex_unlock(&server->mutex);
    *slot = (uint16_t)number;
    return *node != REDIS_NO_NODE;
}

/* ---------------------------------------------------------------- connecting */

static void server_report(const struct redis_server *server,
                          const struct redis_connection *connection)
{
    static const enum link_security levels[] = {
        [STREAM_PLAINTEXT] = LINK_PLAINTEXT,
        [STREAM_PLAINTEXT_LOOPBACK] = LINK_PLAINTEXT_LOOPBACK,
        [STREAM_UNVERIFIED] = LINK_UNVERIFIED,
        [STREAM_AUTHORITY_VERIFIED] = LINK_AUTHORITY_VERIFIED,
        [STREAM_PEER_VERIFIED] = LINK_PEER_VERIFIED};
    const struct stream_report said = redis_connection_report(connection);
    report_link(server->options.database, levels[said.security], said.protocol, said.cipher);
}

/* A server that starts again without a log of its writes holds what its last snapshot did. */
static enum status check_memory(struct redis_server *server, uint16_t number,
                                const struct redis_facts *facts, struct error *error)
{
    struct node *node = &server->nodes[number];
    bool forgot = false;
    pthread_mutex_lock(&server->mutex);
    if (node->run_id[0] == '\0') {
        snprintf(node->run_id, sizeof(node->run_id), "%s", facts->run_id);
    } else {
        forgot = strcmp(node->run_id, facts->run_id) != 0 && !facts->append_only;
    }
    pthread_mutex_unlock(&server->mutex);
    if (!forgot || !server->options.writes) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_WRITE, node->place.host,
              "the server at port %u was started again and keeps no append-only file: what it "
              "acknowledged before may be gone",
              (unsigned)node->place.port);
    return error_hint(error, "turn appendonly on; then `transhume resume`, and `transhume validate "
                             "--repair` writes what is missing");
}

enum status redis_server_connect(struct redis_server *server, uint16_t number,
                                 struct redis_connection **connection, struct error *error)
{
    *connection = NULL;
    if (number >= server->node_count) {
        return error_set(error, ERROR_NETWORK, NULL, "no node of the cluster has that slot");
    }
    const struct redis_place *place = &server->nodes[number].place; /* which never changes */
    pthread_mutex_lock(&server->mutex);
    const struct redis_login login = server->options.login; /* its name may change */
    pthread_mutex_unlock(&server->mutex);
    if (redis_connection_open(place->host, place->port, &login, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    server_report(server, *connection);
    if (check_memory(server, number, redis_connection_facts(*connection), error) != STATUS_OK) {
        redis_connection_close(*connection);
        *connection = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- who has what */

static enum status server_ask(struct redis_connection *connection, struct buffer *command,
                              struct arena *arena, struct resp_value *reply, struct error *error)
{
    enum status status = redis_connection_call(connection, command, arena, reply, error);
    buffer_clear(command);
    return status == STATUS_OK && reply->type == RESP_ERROR
               ? redis_refused(reply, redis_connection_place(connection), error)
               : status;
}

/* A node of CLUSTER SLOTS: its address, port, id. */
static uint16_t read_node(struct redis_server *server, const struct resp_value *node,
                          const char *asked_host)
{
    char host[256];
    int64_t port = 0;
    if (node->type != RESP_LIST || node->count < 2 || !resp_integer(&node->items[1], &port) ||
        port < 1 || port > UINT16_MAX) {
        return REDIS_NO_NODE;
    }
    struct text said = node->items[0].text;
    bool known = node->items[0].type == RESP_TEXT && said.length > 0 && said.data[0] != '?' &&
                 said.length < sizeof(host);
    snprintf(host, sizeof(host), "%.*s", known ? (int)said.length : (int)strlen(asked_host),
             known ? said.data : asked_host);
    return node_at(server, host, (uint16_t)port);
}

/* Each range of CLUSTER SLOTS is: first, last, master, replicas. */
static void read_slots(struct redis_server *server, const struct resp_value *ranges,
                       const char *asked_host)
{
    pthread_mutex_lock(&server->mutex);
    memset(server->slots, 0xff, sizeof(server->slots)); /* REDIS_NO_NODE */
    for (uint32_t at = 0; at < ranges->count; at++) {
        const struct resp_value *range = &ranges->items[at];
        if (range->type != RESP_LIST || range->count < 3) {
            continue;
        }
        uint16_t node = read_node(server, &range->items[2], asked_host);
        for (int64_t slot = range->items[0].integer;
             slot >= 0 && slot <= range->items[1].integer && slot < REDIS_SLOTS; slot++) {
            server->slots[slot] = node;
        }
    }
    pthread_mutex_unlock(&server->mutex);
}

static enum status learn_slots(struct redis_server *server, struct redis_connection *connection,
                               const char *host, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    resp_command(&command, "CLUSTER", "SLOTS", NULL);
    enum status status = server_ask(connection, &command, arena, &reply, error);
    if (status == STATUS_OK) {
        read_slots(server, &reply, host);
    }
    buffer_free(&command);
    arena_destroy(arena);
    return status;
}

static void give_all_slots(struct redis_server *server, uint16_t node)
{
    pthread_mutex_lock(&server->mutex);
    for (uint32_t slot = 0; slot < REDIS_SLOTS; slot++) {
        server->slots[slot] = node;
    }
    pthread_mutex_unlock(&server->mutex);
}

/* The master that one Sentinel names. */
static enum status ask_sentinel(struct redis_server *server, const struct redis_place *place,
                                struct error *error)
{
    struct redis_connection *connection = NULL;
    struct buffer command = {0};
    struct resp_value reply;
    struct redis_login login = server->options.login;
    struct arena *arena = arena_create(0);
    int64_t port = 0;
    login.database = 0;
    login.user = NULL; /* the login is the master's; Sentinels have their own */
    login.password = NULL;
    enum status status =
        redis_connection_open(place->host, place->port, &login, &connection, error);
    if (status == STATUS_OK) {
        resp_command(&command, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", server->options.sentinel,
                     NULL);
        status = server_ask(connection, &command, arena, &reply, error);
    }
    if (status == STATUS_OK &&
        (reply.type != RESP_LIST || reply.count != 2 || !resp_integer(&reply.items[1], &port))) {
        error_set(error, ERROR_BAD_VALUE, redis_connection_place(connection),
                  "the Sentinel knows no master called %s", server->options.sentinel);
        status = error_hint(error, "sentinel= is the name in `sentinel monitor NAME …`");
    }
    if (status == STATUS_OK) {
        const char *host = arena_copy(arena, reply.items[0].text.data, reply.items[0].text.length);
        give_all_slots(server, redis_server_node_at(server, host, (uint16_t)port));
    }
    redis_connection_close(connection);
    buffer_free(&command);
    arena_destroy(arena);
    return status;
}

static enum status ask_sentinels(struct redis_server *server, struct error *error)
{
    enum status status = STATUS_FAILED;
    for (uint32_t at = 0; at < server->options.seed_count && status != STATUS_OK; at++) {
        status = ask_sentinel(server, &server->options.seeds[at], error);
    }
    return status;
}

/* The first of the known nodes that answers tells the slots. */
static enum status ask_nodes(struct redis_server *server, struct error *error)
{
    enum status status = STATUS_FAILED;
    for (uint32_t at = 0; at < server->node_count && status != STATUS_OK; at++) {
        struct redis_connection *connection = NULL;
        const struct redis_place *place = &server->nodes[at].place;
        status = redis_connection_open(place->host, place->port, &server->options.login,
                                       &connection, error);
        if (status == STATUS_OK) {
            status = learn_slots(server, connection, place->host, error);
        }
        redis_connection_close(connection);
    }
    return status;
}

enum status redis_server_refresh(struct redis_server *server, struct error *error)
{
    return server->options.sentinel != NULL ? ask_sentinels(server, error)
           : server->cluster                ? ask_nodes(server, error)
                                            : STATUS_OK;
}

/* ---------------------------------------------------------------- life */

/* The first connection, to whichever seed answers. */
static enum status look_at(struct redis_server *server, struct redis_connection **connection,
                           uint16_t *node, struct error *error)
{
    enum status status = STATUS_FAILED;
    if (server->options.sentinel != NULL) {
        status = ask_sentinels(server, error);
        *node = redis_server_node_of(server, 0);
        return status == STATUS_OK ? redis_server_connect(server, *node, connection, error)
                                   : status;
    }
    for (uint32_t at = 0; at < server->options.seed_count && status != STATUS_OK; at++) {
        const struct redis_place *seed = &server->options.seeds[at];
        *node = redis_server_node_at(server, seed->host, seed->port);
        status = redis_server_connect(server, *node, connection, error);
    }
    return status;
}

static enum status server_learn(struct redis_server *server, struct error *error)
{
    struct redis_connection *connection = NULL;
    uint16_t node = REDIS_NO_NODE;
    enum status status = look_at(server, &connection, &node, error);
    if (status != STATUS_OK) {
        return status;
    }
    server->facts = *redis_connection_facts(connection);
    if (server->facts.sentinel && server->options.sentinel == NULL) {
        error_set(error, ERROR_BAD_VALUE, redis_connection_place(connection),
                  "this is a Sentinel, which holds no data");
        status = error_hint(error, "name its master: ?sentinel=NAME");
    } else if (server->options.cluster == REDIS_CLUSTER_YES ||
               (server->options.cluster == REDIS_CLUSTER_AUTO && server->facts.cluster)) {
        server->cluster = true;
        status = learn_slots(server, connection, server->nodes[node].place.host, error);
    } else {
        give_all_slots(server, node);
    }
    redis_connection_close(connection);
    return status;
}

enum status redis_server_create(const struct redis_server_options *options,
                                struct redis_server **server, struct error *error)
{
    struct redis_server *made = memory_allocate_zeroed(1, sizeof(*made));
    made->options = *options;
    made->nodes = memory_allocate_zeroed(REDIS_NODES_MAX, sizeof(*made->nodes));
    pthread_mutex_init(&made->mutex, NULL);
    memset(made->slots, 0xff, sizeof(made->slots)); /* REDIS_NO_NODE */
    *server = made;
    if (server_learn(made, error) == STATUS_OK) {
        return STATUS_OK;
    }
    redis_server_destroy(made);
    *server = NULL;
    return STATUS_FAILED;
}

void redis_server_destroy(struct redis_server *server)
{
    if (server != NULL) {
        pthread_mutex_destroy(&server->mutex);
        free(server->nodes);
        free(server);
    }
}

/* ---------------------------------------------------------------- questions */

void redis_server_name(struct redis_server *server, const char *name)
{
    pthread_mutex_lock(&server->mutex);
    snprintf(server->options.login.name, sizeof(server->options.login.name), "%s", name);
    pthread_mutex_unlock(&server->mutex);
}

/* The first word of each line of CLUSTER NODES is a node's id. */
static void find_least_id(struct text lines, char *least, size_t capacity)
{
    const char *end = lines.data + lines.length;
    least[0] = '\0';
    for (const char *at = lines.data; at < end;) {
        char id[64];
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        snprintf(id, sizeof(id), "%.*s", (int)strcspn(at, " \n"), at);
        if (least[0] == '\0' || strcmp(id, least) < 0) {
            snprintf(least, capacity, "%s", id);
        }
        at = stop != NULL ? stop + 1 : end;
    }
}

static enum status cluster_place(struct redis_server *server, char *place, size_t capacity,
                                 struct error *error)
{
    struct redis_connection *connection = NULL;
    struct buffer command = {0};
    struct resp_value reply = {0};
    struct arena *arena = arena_create(0);
    uint16_t nodes[REDIS_NODES_MAX];
    uint32_t count = redis_server_masters(server, nodes);
    enum status status =
        redis_server_connect(server, count > 0 ? nodes[0] : REDIS_NO_NODE, &connection, error);
    if (status == STATUS_OK) {
        resp_command(&command, "CLUSTER", "NODES", NULL);
        status = server_ask(connection, &command, arena, &reply, error);
    }
    if (status == STATUS_OK) {
        const char *copy = arena_copy(arena, reply.text.data, reply.text.length);
        find_least_id((struct text){copy, reply.text.length}, place, capacity);
    }
    redis_connection_close(connection);
    buffer_free(&command);
    arena_destroy(arena);
    return status;
}

enum status redis_server_place(struct redis_server *server, char *place, size_t capacity,
                               struct error *error)
{
    if (server->cluster) {
        return cluster_place(server, place, capacity, error);
    }
    const struct redis_place *first = &server->nodes[redis_server_node_of(server, 0)].place;
    if (server->options.sentinel != NULL) {
        snprintf(place, capacity, "master %s", server->options.sentinel);
    } else {
        bool local = strcmp(first->host, "localhost") == 0 || strcmp(first->host, "::1") == 0;
        snprintf(place, capacity, "%s:%u", local ? "127.0.0.1" : first->host,
                 (unsigned)first->port);
    }
    return STATUS_OK;
}

const struct redis_facts *redis_server_facts(const struct redis_server *server)
{
    return &server->facts;
}

bool redis_server_is_cluster(const struct redis_server *server)
{
    return server->cluster;
}

int64_t redis_server_timeout_ms(const struct redis_server *server)
{
    return server->options.login.timeout_ms;
}

struct database *redis_server_database(const struct redis_server *server)
{
    return server->options.database;
}
