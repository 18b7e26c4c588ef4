/*
 * Redis's own part of writing records (connectors/keyed/keyed.h): requests sent to the nodes that
 * have their keys. Their replies: answers.c.
 *
 *   request ──> runs of records of one node ──> that node's connection, in a pipeline
 *                                               each reply is the oldest one's that is owed
 */
#include "connectors/redis/send_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include <stdlib.h>

enum { RECONNECT_MS = 100, REFRESH_MS = 250, IDLE_MS = 20 };

/* ---------------------------------------------------------------- connections */

static void free_flight(struct keyed_connection *connection, struct redis_flight *flight)
{
    if (flight != NULL) {
        free(flight->outcomes);
        free(flight->reasons);
        free(flight);
        connection->flights--;
    }
}

static void free_channel(struct keyed_connection *connection, struct redis_channel *channel)
{
    struct error closed;
    error_clear(&closed);
    error_set(&closed, ERROR_NETWORK, NULL, "the connection is closed");
    if (channel != NULL) {
        redis_give_up(connection, channel, &closed);
        redis_connection_close(channel->connection);
        free(channel->owed);
        free(channel);
    }
}

static void redis_send_disconnect(struct keyed_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    for (uint32_t node = 0; node < connection->channel_count; node++) {
        free_channel(connection, connection->channels[node]);
    }
    free_flight(connection, connection->given);
    while (connection->answered != NULL) {
        struct redis_flight *next = connection->answered->next;
        free_flight(connection, connection->answered);
        connection->answered = next;
    }
    free(connection->reasons);
    free(connection->indexes);
    arena_destroy(connection->arena);
    free(connection);
}

static enum status redis_send_connect(struct database *database, const struct target_table *tables,
                                      uint32_t table_count, uint32_t in_flight_max,
                                      struct keyed_connection **connection, struct error *error)
{
    struct keyed_connection *made = memory_allocate_zeroed(1, sizeof(*made));
    enum status status = STATUS_OK;
    (void)in_flight_max;
    made->database = redis_of(database);
    made->tables = tables;
    made->answered_last = &made->answered;
    made->arena = arena_create(0);
    made->reasons = memory_allocate_zeroed(REDIS_RECORDS_MAX, sizeof(*made->reasons));
    made->indexes = memory_allocate_zeroed((size_t)table_count + 1, sizeof(*made->indexes));
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = redis_indexes_find(made->database, tables[at].name, &made->indexes[at], error);
    }
    if (status != STATUS_OK) {
        redis_send_disconnect(made);
        return STATUS_FAILED;
    }
    *connection = made;
    return STATUS_OK;
}

static enum status try_connect(struct database *database, const struct target_table *table,
                               struct keyed_connection **connection, struct error *error)
{
    enum status status = redis_send_connect(database, table, 1, 1, connection, error);
    if (status == STATUS_OK) {
        (*connection)->tries = true;
    }
    return status;
}

static void *encoder_of(struct keyed_connection *connection, uint32_t table,
                        const struct shape *shape)
{
    return connection->tries
               ? NULL
               : redis_encoder_create(connection->database, connection->tables[table].name, shape);
}

/* ---------------------------------------------------------------- channels */

/* A server forgets them when it starts again. */
static enum status load_scripts(struct redis_connection *connection, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (int name = 0; name < REDIS_SCRIPT_COUNT && status == STATUS_OK; name++) {
        buffer_clear(&command);
        resp_command(&command, "SCRIPT", "LOAD", redis_scripts[name].text, NULL);
        status = redis_connection_call(connection, &command, arena, &reply, error);
    }
    buffer_free(&command);
    arena_destroy(arena);
    return status;
}

/* Who has what may be another one by now. */
static void refresh(struct keyed_connection *connection)
{
    struct error ignored;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms - connection->refreshed_ms >= REFRESH_MS) {
        connection->refreshed_ms = now_ms;
        (void)!redis_server_refresh(connection->database->server, &ignored);
    }
}

static struct redis_channel *channel_of(struct keyed_connection *connection, uint16_t node)
{
    if (connection->channels[node] == NULL) {
        connection->channels[node] = memory_allocate_zeroed(1, sizeof(struct redis_channel));
        connection->channel_count =
            node >= connection->channel_count ? node + 1U : connection->channel_count;
    }
    return connection->channels[node];
}

static enum status open_channel(struct keyed_connection *connection, uint16_t node,
                                struct redis_channel **channel, struct error *error)
{
    if (node >= REDIS_NODES_MAX) {
        refresh(connection);
        return error_set(error, ERROR_NETWORK, NULL, "no node of the cluster has that slot now");
    }
    *channel = channel_of(connection, node);
    if ((*channel)->connection != NULL) {
        return STATUS_OK;
    }
    if (clock_monotonic_ms() < (*channel)->retry_at_ms) {
        return error_copy(error, &(*channel)->failure);
    }
    enum status status =
        redis_server_connect(connection->database->server, node, &(*channel)->connection, error);
    status = status == STATUS_OK ? load_scripts((*channel)->connection, error) : status;
    if (status != STATUS_OK) {
        redis_connection_close((*channel)->connection);
        (*channel)->connection = NULL;
        (*channel)->retry_at_ms = clock_monotonic_ms() + RECONNECT_MS;
        error_copy(&(*channel)->failure, error);
        refresh(connection);
    }
    return status;
}

static void owe(struct redis_channel *channel, const struct redis_owed *owed)
{
    if (channel->owed_count == channel->owed_capacity) {
        uint32_t capacity = channel->owed_capacity == 0 ? 16 : channel->owed_capacity * 2;
        struct redis_owed *grown = memory_allocate_zeroed(capacity, sizeof(*grown));
        for (uint32_t at = 0; at < channel->owed_count; at++) {
            grown[at] = channel->owed[(channel->owed_first + at) % channel->owed_capacity];
        }
        free(channel->owed);
        channel->owed = grown;
        channel->owed_first = 0;
        channel->owed_capacity = capacity;
    }
    channel->owed[(channel->owed_first + channel->owed_count) % channel->owed_capacity] = *owed;
    channel->owed_count++;
}

/* ---------------------------------------------------------------- sending */

static const char *bytes_of(const struct redis_flight *flight, uint32_t at)
{
    return flight->request->body.data + flight->request->slots[at].offset;
}

/* Behind a request that has to be on a replica as well. */
static enum status send_wait(struct keyed_connection *connection, struct redis_channel *channel,
                             struct redis_flight *flight, struct redis_owed *owed,
                             struct error *error)
{
    struct buffer command = {0};
    if (flight->request->kind == KEYED_LOOK ||
        redis_connection_facts(channel->connection)->replicas == 0) {
        return STATUS_OK;
    }
    resp_begin(&command, 3);
    resp_string(&command, "WAIT");
    resp_number(&command, 1);
    resp_number(&command, connection->database->keyed.room.timeout_ms / 2);
    enum status status =
        redis_connection_send(channel->connection, command.data, command.length, error);
    buffer_free(&command);
    owed->wait = true;
    owed->count = 1;
    flight->left++;
    owe(channel, owed);
    return status;
}

static enum status send_asking(struct redis_channel *channel, struct redis_owed owed,
                               struct error *error)
{
    static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
    owed.flight = NULL;
    owed.count = 1;
    owe(channel, &owed);
    return redis_connection_send(channel->connection, asking, sizeof(asking) - 1, error);
}

enum status redis_send_records(struct keyed_connection *connection, uint16_t node,
                               struct redis_flight *flight, uint32_t first, uint32_t count,
                               bool asking, struct error *error)
{
    struct redis_channel *channel = NULL;
    const struct keyed_slot *slots = flight->request->slots;
    enum status status = open_channel(connection, node, &channel, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct redis_owed owed = {.flight = flight,
                              .first = first,
                              .count = count,
                              .deadline_ms = clock_boottime_ms() +
                                             connection->database->keyed.room.timeout_ms};
    size_t length =
        slots[first + count - 1].offset + slots[first + count - 1].length - slots[first].offset;
    status = asking ? send_asking(channel, owed, error) : STATUS_OK;
    owe(channel, &owed);
    if (status == STATUS_OK) {
        status = redis_connection_send(channel->connection, bytes_of(flight, first), length, error);
    }
    status = status == STATUS_OK ? send_wait(connection, channel, flight, &owed, error) : status;
    if (status != STATUS_OK) { /* what was sent of it is to be answered as lost */
        struct error why = *error;
        redis_give_up(connection, channel, &why);
    }
    return STATUS_OK;
}

static uint16_t node_of_record(struct keyed_connection *connection,
                               const struct redis_flight *flight, uint32_t at)
{
    struct redis_server *server = connection->database->server;
    uint16_t slot = 0;
    if (redis_server_is_cluster(server)) {
        const struct text key =
            redis_key_of_commands(bytes_of(flight, at), flight->request->slots[at].length);
        slot = redis_slot_of(key.data, key.length);
    }
    return redis_server_node_of(server, slot);
}

/* Records one after the other that go to the same node. */
static uint32_t run_length(struct keyed_connection *connection, const struct redis_flight *flight,
                           uint32_t first, uint16_t node)
{
    uint32_t end = first + 1;
    if (!redis_server_is_cluster(connection->database->server)) {
        return flight->request->count - first;
    }
    while (end < flight->request->count && node_of_record(connection, flight, end) == node) {
        end++;
    }
    return end - first;
}

static enum status redis_send(struct keyed_connection *connection, struct keyed_request *request,
                              struct error *error)
{
    (void)error;
    struct redis_flight *flight = memory_allocate_zeroed(1, sizeof(*flight));
    connection->flights++;
    flight->request = request;
    flight->left = request->count + 1; /* the last one is taken off below */
    for (uint32_t first = 0; first < request->count;) {
        struct error why;
        uint16_t node = node_of_record(connection, flight, first);
        uint32_t count = run_length(connection, flight, first, node);
        if (redis_send_records(connection, node, flight, first, count, false, &why) != STATUS_OK) {
            if (why.class != ERROR_CLASS_RETRY && connection->stop.code == ERROR_NONE) {
                connection->stop = why;
            }
            for (uint32_t at = first; at < first + count; at++) {
                redis_note_record(flight, at, KEYED_AGAIN, &why);
            }
            redis_flight_landed(connection, flight, count);
        }
        first += count;
    }
    redis_flight_landed(connection, flight, 1);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- waiting */

static bool is_late(const struct redis_channel *channel, int64_t now_ms)
{
    return channel->owed_count > 0 && now_ms > channel->owed[channel->owed_first].deadline_ms;
}

/* Sends on, takes in, and gives up what is late. */
static void send_work(struct keyed_connection *connection, uint16_t node)
{
    struct error why;
    struct redis_channel *channel = connection->channels[node];
    if (channel == NULL || channel->connection == NULL) {
        return;
    }
    enum status status = redis_connection_flush(channel->connection, &why);
    status = status == STATUS_FAILED ? status : redis_take_replies(connection, node, &why);
    if (status != STATUS_FAILED && is_late(channel, clock_boottime_ms())) {
        status =
            redis_connection_break(channel->connection, "the server did not answer in time", &why);
    }
    if (status == STATUS_FAILED) {
        redis_give_up(connection, channel, &why);
        refresh(connection);
    }
}

static uint32_t list_waits(struct keyed_connection *connection, struct stream_wait *waits)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < connection->channel_count; node++) {
        const struct redis_channel *channel = connection->channels[node];
        if (channel != NULL && channel->connection != NULL && channel->owed_count > 0) {
            waits[count++] =
                (struct stream_wait){.stream = redis_connection_stream(channel->connection),
                                     .to_read = true,
                                     .to_write = redis_connection_unsent(channel->connection) > 0};
        }
    }
    return count;
}

static enum status wait_for_any(struct keyed_connection *connection, int64_t timeout_ms,
                                struct error *error)
{
    struct stream_wait waits[REDIS_NODES_MAX];
    uint32_t count = list_waits(connection, waits);
    if (count == 0) {
        clock_sleep_ms(timeout_ms < IDLE_MS ? timeout_ms : IDLE_MS);
        return STATUS_OK;
    }
    enum status status = stream_poll(waits, count, timeout_ms, error);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static void send_tell(struct keyed_connection *connection, struct redis_flight *flight,
                      struct keyed_answer *answer)
{
    bool single = flight->request->count == 1;
    *answer = (struct keyed_answer){.request = flight->request, .units = -1};
    answer->outcomes = single ? NULL : flight->outcomes;
    answer->outcome = single && flight->outcomes != NULL ? flight->outcomes[0] : KEYED_DONE;
    answer->throttled = flight->throttled;
    answer->unknown = flight->unknown;
    for (uint32_t at = 0; flight->reasons != NULL && at < flight->request->count; at++) {
        connection->reasons[at] = &flight->reasons[at];
        bool says = flight->reasons[at].code != ERROR_NONE;
        answer->reason = says && answer->reason == NULL ? &flight->reasons[at] : answer->reason;
    }
    answer->reasons = !single && flight->reasons != NULL ? connection->reasons : NULL;
}

static bool take_answered(struct keyed_connection *connection, struct keyed_answer *answer)
{
    struct redis_flight *flight = connection->answered;
    if (flight == NULL) {
        return false;
    }
    connection->answered = flight->next;
    if (connection->answered == NULL) {
        connection->answered_last = &connection->answered;
    }
    free_flight(connection, connection->given);
    connection->given = flight;
    send_tell(connection, flight, answer);
    return true;
}

static enum status poll(struct keyed_connection *connection, int64_t timeout_ms,
                        struct keyed_answer *answer, struct error *error)
{
    int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        if (connection->stop.code != ERROR_NONE) {
            return error_copy(error, &connection->stop);
        }
        if (take_answered(connection, answer)) {
            return STATUS_OK;
        }
        for (uint32_t node = 0; node < connection->channel_count; node++) {
            send_work(connection, (uint16_t)node);
        }
        int64_t left = end_ms - clock_monotonic_ms();
        if (connection->answered == NULL && left <= 0) {
            return STATUS_AGAIN;
        }
        if (connection->answered == NULL && wait_for_any(connection, left, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

/* ---------------------------------------------------------------- the service */

static enum status encode(struct keyed_connection *connection, enum keyed_kind kind,
                          const struct keyed_record *record, struct buffer *out,
                          struct error *error)
{
    const struct redis_indexes *indexes = connection->indexes[record->table - connection->tables];
    return redis_encode(connection->database->form, kind, record, indexes, out, error);
}

static uint32_t reply_count(const struct buffer *commands)
{
    uint32_t count = 0;
    struct resp_scan scan = {0};
    struct error ignored;
    /* a command is written as a list: each is as long as a reply of that form */
    for (size_t at = 0; at < commands->length; at += scan.at, count++) {
        scan = (struct resp_scan){0};
        if (resp_find_end(&scan, commands->data + at, commands->length - at, &ignored) !=
            STATUS_OK) {
            break;
        }
    }
    return count;
}

static enum status write_one(struct database *database, enum keyed_kind kind,
                             const struct keyed_record *record, struct error *error)
{
    struct redis_database *self = redis_of(database);
    struct keyed_record own = *record;
    struct buffer command = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    own.encoder = NULL;
    own.repeated = true;
    const struct redis_indexes *indexes = NULL;
    enum status status = redis_indexes_find(self, record->table->name, &indexes, error);
    status = status == STATUS_OK ? redis_encode(self->form, kind, &own, indexes, &command, error)
                                 : status;
    if (status == STATUS_OK) {
        const struct text key = redis_key_of_commands(command.data, command.length);
        struct redis_call call = {.replies = reply_count(&command),
                                  .slot = redis_slot_of(key.data, key.length),
                                  .writes = true,
                                  .lease = keyed_lease(&self->keyed),
                                  .object = record->table->name};
        status = redis_control(self, &call, &command, arena, &reply, error);
    }
    buffer_free(&command);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status redis_erase(struct database *database, const struct target_table *table,
                        const struct cell *keys, uint32_t count, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const struct keyed_record record = {.table = table,
                                            .key = keys + (size_t)at * table->key.count};
        status = write_one(database, KEYED_DELETE, &record, error);
    }
    return status;
}

const struct keyed_service redis_keyed_service = {
    .records_max = {[KEYED_PUT] = REDIS_RECORDS_MAX,
                    [KEYED_INSERT] = REDIS_RECORDS_MAX,
                    [KEYED_UPDATE] = REDIS_RECORDS_MAX,
                    [KEYED_LOOK] = 1,
                    [KEYED_DELETE] = REDIS_RECORDS_MAX},
    .request_bytes_max = REDIS_REQUEST_BYTES_MAX,
    .separator = '\0',
    .guard = KEYED_GUARD_NONE,
    .name = "redis",
    .tables = &redis_tables,
    .connect = redis_send_connect,
    .try_connect = try_connect,
    .disconnect = redis_send_disconnect,
    .encoder = encoder_of,
    .encoder_free = redis_encoder_destroy,
    .encode = encode,
    .append_key = redis_key_bytes,
    .read_key = redis_key_read,
    .send = redis_send,
    .poll = poll,
    .write = write_one,
    .erase = redis_erase,
    .erase_max = REDIS_RECORDS_MAX,
};
