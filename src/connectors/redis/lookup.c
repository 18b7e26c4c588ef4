/*
 * Commands in a pipeline, for reading by key: their replies in the order of the commands.
 *
 *   oldest ──> its node's connection: the next reply there is its own, since each node answers in
 * order
 *
 * What a broken connection leaves unanswered is sent again; a redirected command goes by itself.
 */
#include "connectors/redis/redis.h"

#include "base/memory.h"
#include "base/retry.h"
#include <stdlib.h>

struct command {
    struct command *next;
    struct buffer text;
    struct buffer key;
    uint16_t slot;
    uint16_t node; /* that it was sent to */
    bool sent;
};

struct redis_lookup {
    struct redis_database *database;
    struct redis_client *client; /* of the pipeline */
    struct redis_client *aside;  /* of what is redirected */
    struct command *first;
    struct command **last;
    uint32_t count;
    uint32_t unsent;
};

struct redis_lookup *redis_lookup_create(struct redis_database *self)
{
    struct redis_lookup *made = memory_allocate_zeroed(1, sizeof(*made));
    made->database = self;
    made->client = redis_client_create(self->server);
    made->aside = redis_client_create(self->server);
    made->last = &made->first;
    return made;
}

static void drop_first(struct redis_lookup *lookup)
{
    struct command *command = lookup->first;
    lookup->first = command->next;
    if (lookup->first == NULL) {
        lookup->last = &lookup->first;
    }
    lookup->count--;
    buffer_free(&command->text);
    buffer_free(&command->key);
    free(command);
}

void redis_lookup_destroy(struct redis_lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    while (lookup->first != NULL) {
        drop_first(lookup);
    }
    redis_client_destroy(lookup->client);
    redis_client_destroy(lookup->aside);
    free(lookup);
}

void redis_lookup_add(struct redis_lookup *lookup, struct text key, struct buffer *text)
{
    struct command *made = memory_allocate_zeroed(1, sizeof(*made));
    made->text = *text;
    *text = (struct buffer){0};
    buffer_append(&made->key, key.data, key.length);
    made->slot = redis_slot_of(key.data, key.length);
    *lookup->last = made;
    lookup->last = &made->next;
    lookup->count++;
    lookup->unsent++;
}

uint32_t redis_lookup_count(const struct redis_lookup *lookup)
{
    return lookup->count;
}

/* Commands that were sent to the node are to be sent again. */
static void lose_node(struct redis_lookup *lookup, uint16_t node)
{
    for (struct command *command = lookup->first; command != NULL; command = command->next) {
        if (command->sent && command->node == node) {
            command->sent = false;
            lookup->unsent++;
        }
    }
    if (node < REDIS_NODES_MAX) {
        redis_client_drop(lookup->client, node);
    }
}

/* `*node`: that of the failure. */
static enum status send_all(struct redis_lookup *lookup, uint16_t *node, struct error *error)
{
    for (struct command *command = lookup->first; command != NULL && lookup->unsent > 0;
         command = command->next) {
        struct redis_connection *connection = NULL;
        if (command->sent) {
            continue;
        }
        *node = redis_server_node_of(lookup->database->server, command->slot);
        if (redis_client_connection(lookup->client, *node, &connection, error) != STATUS_OK ||
            redis_connection_send(connection, command->text.data, command->text.length, error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
        command->node = *node;
        command->sent = true;
        lookup->unsent--;
    }
    return STATUS_OK;
}

static enum status read_first(struct redis_lookup *lookup, struct arena *arena,
                              struct resp_value *reply, uint16_t *node, struct error *error)
{
    struct redis_connection *connection = NULL;
    if (lookup->unsent > 0 && send_all(lookup, node, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *node = lookup->first->node;
    return redis_client_connection(lookup->client, *node, &connection, error) == STATUS_OK
               ? redis_connection_next(connection, arena, reply, error)
               : STATUS_FAILED;
}

/* Where the slot has moved. The command goes by itself; those behind it by what is known then. */
static enum status follow(struct redis_lookup *lookup, struct arena *arena,
                          struct resp_value *reply, struct error *error)
{
    uint16_t node = REDIS_NO_NODE;
    uint16_t slot = 0;
    if (!redis_server_redirected(lookup->database->server, reply, lookup->first->node, &node,
                                 &slot) &&
        !redis_error_is(reply, "TRYAGAIN") && !redis_error_is(reply, "CLUSTERDOWN") &&
        !redis_error_is(reply, "LOADING") && !redis_error_is(reply, "MASTERDOWN")) {
        return STATUS_OK;
    }
    const struct redis_call call = {.command = &lookup->first->text, .slot = lookup->first->slot};
    return redis_client_call(lookup->aside, &call, arena, reply, error);
}

enum status redis_lookup_next(struct redis_lookup *lookup, struct arena *arena,
                              struct resp_value *reply, struct text *key, struct error *error)
{
    struct retry retry;
    struct database *database = &lookup->database->keyed.base;
    enum status status = STATUS_OK;
    if (lookup->first == NULL) {
        return STATUS_END;
    }
    retry_init(&retry, RETRY_PATIENCE_TIMEOUTS * lookup->database->keyed.room.timeout_ms);
    retry.cancelled = &database->hurried;
    retry.counter = &database->report.counts.retries;
    uint16_t node = REDIS_NO_NODE;
    while ((status = read_first(lookup, arena, reply, &node, error)) != STATUS_OK) {
        struct error ignored;
        lose_node(lookup, node);
        if (error->class != ERROR_CLASS_RETRY || !retry_wait(&retry, error)) {
            error->class = ERROR_CLASS_STOP;
            return STATUS_FAILED;
        }
        (void)!redis_server_refresh(lookup->database->server, &ignored);
    }
    if (reply->type == RESP_ERROR) {
        status = follow(lookup, arena, reply, error);
    }
    if (key != NULL) {
        const struct buffer *own = &lookup->first->key;
        *key = (struct text){arena_copy(arena, own->data, own->length), own->length};
    }
    drop_first(lookup);
    return status;
}
