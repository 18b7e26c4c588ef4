/* Requests and answers of an open connection. How it is opened: cql_handshake.c. */
#include "connectors/cassandra/protocol/cql_connection_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    GATHER_BYTES = 64 << 10,      /* flushed when there are so many */
    OUTGOING_BYTES_MAX = 1 << 20, /* a larger single request is taken, then no more */
    OUTGOING_KEPT_BYTES = 256 << 10
};

/* ---------------------------------------------------------------- life */

static char *cql_connection_copy(const char *text)
{
    return text != NULL ? memory_copy_string(text) : NULL;
}

enum status cql_connection_open(const struct cql_connection_options *options,
                                struct cql_connection **connection, struct error *error)
{
    struct cql_connection *new = memory_allocate_zeroed(1, sizeof *new);
    new->options = *options;
    struct cql_connection_options *own = &new->options;
    own->name = cql_connection_copy(options->name);
    own->host = cql_connection_copy(options->host);
    own->server_name = cql_connection_copy(options->server_name);
    own->user = cql_connection_copy(options->user);
    own->password = cql_connection_copy(options->password);
    own->keyspace = cql_connection_copy(options->keyspace);
    own->streams_max = options->streams_max > 0 ? options->streams_max : CQL_STREAMS_DEFAULT;
    if (own->streams_max > CQL_STREAMS_MAX) {
        own->streams_max = CQL_STREAMS_MAX;
    }
    new->version = options->version > 0 ? options->version : CQL_VERSION_MAX;
    new->slots = memory_allocate_zeroed(own->streams_max, sizeof *new->slots);
    new->first_free = NO_SLOT;
    new->generation = 1;
    new->next_deadline_ms = INT64_MAX;
    new->late_min_ms = INT64_MAX;
    new->open_until_ms = clock_boottime_ms() + options->connect_timeout_ms;
    new->arena = arena_create(4096);
    enum status status = cql_handshake_begin(new, error);
    if (status != STATUS_OK) {
        cql_connection_close(new);
        return status;
    }
    *connection = new;
    return STATUS_OK;
}

void cql_connection_close(struct cql_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    struct cql_connection_options *own = &connection->options;
    stream_destroy(connection->stream);
    cql_unframer_free(&connection->unframer);
    buffer_free(&connection->gathered);
    buffer_free(&connection->wire);
    arena_destroy(connection->arena);
    if (own->password != NULL) {
        secret_wipe((char *)(uintptr_t)own->password, strlen(own->password));
    }
    free((char *)(uintptr_t)own->password);
    free((char *)(uintptr_t)own->keyspace);
    free((char *)(uintptr_t)own->user);
    free((char *)(uintptr_t)own->server_name);
    free((char *)(uintptr_t)own->host);
    free((char *)(uintptr_t)own->name);
    free(connection->slots);
    free(connection);
}

enum status cql_connection_break(struct cql_connection *connection, const struct error *why,
                                 struct error *error)
{
    if (connection->step != STEP_BROKEN) {
        connection->failure = *why;
        if (connection->failure.object[0] == '\0') {
            snprintf(connection->failure.object, sizeof connection->failure.object, "%s",
                     connection->options.name);
        }
        connection->step = STEP_BROKEN;
        stream_destroy(connection->stream);
        connection->stream = NULL;
    }
    return error_copy(error, &connection->failure);
}

static enum status break_with(struct cql_connection *connection, enum error_code code,
                              const char *words, struct error *error)
{
    struct error why;
    error_clear(&why);
    error_set(&why, code, connection->options.name, "%s", words);
    return cql_connection_break(connection, &why, error);
}

uint8_t cql_connection_version(const struct cql_connection *connection)
{
    return connection->version;
}

const struct cql_shards *cql_connection_shards(const struct cql_connection *connection)
{
    return &connection->shards;
}

struct stream_report cql_connection_report(const struct cql_connection *connection)
{
    return stream_report(connection->stream);
}

uint32_t cql_connection_under_way(const struct cql_connection *connection)
{
    return connection->under_way;
}

/* ---------------------------------------------------------------- stream ids */

static int32_t take_slot(struct cql_connection *connection)
{
    int32_t index = connection->first_free;
    if (index != NO_SLOT) {
        connection->first_free = connection->slots[index].next_free;
        return index;
    }
    if (connection->slot_count < connection->options.streams_max) {
        return (int32_t)connection->slot_count++;
    }
    return NO_SLOT;
}

static void free_slot(struct cql_connection *connection, int32_t index)
{
    connection->slots[index] =
        (struct slot){.state = SLOT_FREE, .next_free = connection->first_free};
    connection->first_free = index;
}

/* ---------------------------------------------------------------- sending */

void cql_connection_gather(struct cql_connection *connection, int16_t stream,
                           enum cql_opcode opcode, const void *body, size_t length,
                           int64_t deadline_ms)
{
    struct buffer *gathered = &connection->gathered;
    if (gathered->length == 0) {
        connection->gathered_deadline_ms = INT64_MAX;
    }
    if (deadline_ms < connection->gathered_deadline_ms) {
        connection->gathered_deadline_ms = deadline_ms;
    }
    cql_envelope_write(gathered, connection->version, stream, opcode, body, length);
}

static void empty(struct buffer *buffer)
{
    if (buffer->capacity > OUTGOING_KEPT_BYTES) {
        buffer_free(buffer);
    }
    buffer_clear(buffer);
}

/* Moves what was gathered to the wire, which is empty. */
static void pack(struct cql_connection *connection)
{
    struct buffer *gathered = &connection->gathered;
    empty(&connection->wire);
    connection->wire_sent = 0;
    connection->wire_deadline_ms = connection->gathered_deadline_ms;
    if (connection->framing == CQL_FRAMING_PLAIN) {
        struct buffer spare = connection->wire;
        connection->wire = *gathered;
        *gathered = spare;
    } else {
        cql_frame_write(connection->framing, gathered->data, gathered->length, &connection->wire);
        empty(gathered);
    }
    connection->wire_generation = connection->generation++;
}

enum status cql_connection_flush(struct cql_connection *connection, struct error *error)
{
    if (connection->step == STEP_BROKEN) {
        return error_copy(error, &connection->failure);
    }
    struct buffer *wire = &connection->wire;
    while (true) {
        if (connection->wire_sent == wire->length) {
            if (connection->gathered.length == 0) {
                empty(wire);
                connection->wire_sent = 0;
                return STATUS_OK;
            }
            pack(connection);
        }
        if (clock_boottime_ms() >= connection->wire_deadline_ms) {
            return break_with(connection, ERROR_NETWORK,
                              "a request could not be sent before its deadline", error);
        }
        struct error why;
        size_t written;
        enum status status = stream_write(connection->stream, wire->data + connection->wire_sent,
                                          wire->length - connection->wire_sent, &written, &why);
        if (status == STATUS_FAILED) {
            return cql_connection_break(connection, &why, error);
        }
        /* even where nothing was taken, TLS may have made a record of it */
        connection->sent_generation = connection->wire_generation;
        connection->wire_sent += written;
        if (status != STATUS_OK) {
            return STATUS_OK;
        }
    }
}

static enum status protocol_cql_connection_send(struct cql_connection *connection,
                                                enum cql_opcode opcode, const void *body,
                                                size_t length, int64_t deadline_ms,
                                                struct slot request)
{
    int32_t index = take_slot(connection);
    if (index == NO_SLOT) {
        return STATUS_AGAIN;
    }
    request.deadline_ms = deadline_ms;
    request.generation = connection->generation;
    connection->slots[index] = request;
    if (deadline_ms < connection->next_deadline_ms) {
        connection->next_deadline_ms = deadline_ms;
    }
    if (deadline_ms < connection->late_min_ms) {
        connection->late_min_ms = deadline_ms;
    }
    cql_connection_gather(connection, (int16_t)index, opcode, body, length, deadline_ms);
    return STATUS_OK;
}

enum status cql_connection_send(struct cql_connection *connection, enum cql_opcode opcode,
                                const void *body, size_t length, int64_t deadline_ms, void *tag,
                                struct error *error)
{
    if (connection->step == STEP_BROKEN) {
        return error_copy(error, &connection->failure);
    }
    size_t outgoing = connection->gathered.length + connection->wire.length - connection->wire_sent;
    if (connection->step != STEP_OPEN || outgoing > OUTGOING_BYTES_MAX) {
        return STATUS_AGAIN;
    }
    struct slot request = {.state = SLOT_WAITING, .tag = tag};
    if (protocol_cql_connection_send(connection, opcode, body, length, deadline_ms, request) !=
        STATUS_OK) {
        return STATUS_AGAIN;
    }
    connection->under_way++;
    if (connection->gathered.length >= GATHER_BYTES) {
        return cql_connection_flush(connection, error);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- receiving */

enum status cql_connection_receive(struct cql_connection *connection, struct error *error)
{
    size_t capacity;
    void *room = cql_unframer_room(&connection->unframer, &capacity);
    if (room == NULL) {
        return break_with(connection, ERROR_MEMORY, "no memory for an answer this large", error);
    }
    struct error why;
    size_t got;
    enum status status = stream_read(connection->stream, room, capacity, &got, &why);
    if (status == STATUS_FAILED) {
        return cql_connection_break(connection, &why, error);
    }
    if (status == STATUS_END) {
        return break_with(connection, ERROR_NETWORK,
                          connection->step < STEP_OPEN
                              ? "the node closed the connection while it was set up"
                              : "the node closed the connection",
                          error);
    }
    if (status == STATUS_OK) {
        cql_unframer_add(&connection->unframer, got);
        connection->received_ms = clock_boottime_ms();
    }
    return status;
}

enum status cql_connection_envelope(struct cql_connection *connection,
                                    struct cql_envelope *envelope, struct error *error)
{
    struct error why;
    enum status status = cql_unframer_next(&connection->unframer, envelope, &why);
    return status == STATUS_FAILED ? cql_connection_break(connection, &why, error) : status;
}

/* Whose answer it is. AGAIN: nobody waits for it any more. */
static enum status cql_connection_settle(struct cql_connection *connection,
                                         const struct cql_envelope *envelope,
                                         struct cql_answer *answer, struct error *error)
{
    *answer = (struct cql_answer){.envelope = *envelope};
    if (envelope->version != connection->version) {
        return break_with(connection, ERROR_NETWORK_ANSWER,
                          "an answer has another version than the connection", error);
    }
    if (envelope->stream < 0) {
        answer->kind = CQL_ANSWER_EVENT;
        return envelope->opcode == CQL_EVENT ? STATUS_OK : STATUS_AGAIN;
    }
    struct slot *slot = (uint32_t)envelope->stream < connection->slot_count
                            ? &connection->slots[envelope->stream]
                            : NULL;
    if (slot == NULL || slot->state == SLOT_FREE) {
        return break_with(connection, ERROR_NETWORK_ANSWER,
                          "an answer came to a request that was not made", error);
    }
    enum slot_state state = slot->state;
    answer->kind = CQL_ANSWER_RESPONSE;
    answer->tag = slot->tag;
    free_slot(connection, envelope->stream);
    if (state == SLOT_WAITING) {
        connection->under_way--;
        return STATUS_OK;
    }
    connection->late_count -= state == SLOT_LATE;
    connection->beating &= state != SLOT_HEARTBEAT;
    return STATUS_AGAIN;
}

/* ---------------------------------------------------------------- time */

/* The deadline of a slot has passed. OK: `answer` says so. */
static enum status end_late(struct cql_connection *connection, struct slot *slot,
                            struct cql_answer *answer, struct error *error)
{
    if (slot->state == SLOT_HEARTBEAT) {
        return break_with(connection, ERROR_NETWORK, "the node does not answer any more", error);
    }
    *answer = (struct cql_answer){.kind = CQL_ANSWER_LATE, .tag = slot->tag};
    slot->state = SLOT_LATE;
    connection->under_way--;
    connection->late_count++;
    return STATUS_OK;
}

/* The next request that is late. The slots are looked through only once the nearest deadline has
 * passed, and from where the last search ended. */
static enum status find_late(struct cql_connection *connection, int64_t now_ms,
                             struct cql_answer *answer, struct error *error)
{
    if (now_ms < connection->next_deadline_ms) {
        return STATUS_AGAIN;
    }
    while (connection->late_at < connection->slot_count) {
        struct slot *slot = &connection->slots[connection->late_at++];
        if (slot->state != SLOT_WAITING && slot->state != SLOT_HEARTBEAT) {
            continue;
        }
        if (slot->deadline_ms <= now_ms) {
            return end_late(connection, slot, answer, error);
        }
        if (slot->deadline_ms < connection->late_min_ms) {
            connection->late_min_ms = slot->deadline_ms;
        }
    }
    connection->next_deadline_ms = connection->late_min_ms;
    connection->late_min_ms = INT64_MAX;
    connection->late_at = 0;
    return STATUS_AGAIN;
}

/* A heartbeat, if it is due. */
static void beat(struct cql_connection *connection, int64_t now_ms)
{
    const struct cql_connection_options *options = &connection->options;
    if (options->heartbeat_ms <= 0 || connection->beating ||
        now_ms < connection->received_ms + options->heartbeat_ms) {
        return;
    }
    struct slot heartbeat = {.state = SLOT_HEARTBEAT};
    connection->beating =
        protocol_cql_connection_send(connection, CQL_OPTIONS, NULL, 0,
                                     now_ms + options->connect_timeout_ms, heartbeat) == STATUS_OK;
}

/* Does the work that is due by the clock, once nothing more has come. */
static enum status keep_time(struct cql_connection *connection, struct cql_answer *answer,
                             struct error *error)
{
    int64_t now_ms = clock_boottime_ms();
    enum status status = find_late(connection, now_ms, answer, error);
    if (status != STATUS_AGAIN) {
        return status;
    }
    if (connection->late_count > connection->options.streams_max / 2) {
        return break_with(connection, ERROR_NETWORK, "the node leaves too many requests unanswered",
                          error);
    }
    beat(connection, now_ms);
    return cql_connection_flush(connection, error) == STATUS_OK ? STATUS_AGAIN : STATUS_FAILED;
}

enum status cql_connection_next(struct cql_connection *connection, struct cql_answer *answer,
                                struct error *error)
{
    if (connection->step == STEP_BROKEN) {
        return error_copy(error, &connection->failure);
    }
    while (true) {
        struct cql_envelope envelope;
        enum status status = cql_connection_envelope(connection, &envelope, error);
        if (status == STATUS_OK) {
            status = cql_connection_settle(connection, &envelope, answer, error);
            if (status != STATUS_AGAIN) {
                return status;
            }
            continue;
        }
        if (status == STATUS_AGAIN) {
            status = cql_connection_receive(connection, error);
        }
        if (status == STATUS_AGAIN) {
            return keep_time(connection, answer, error);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
}

bool cql_connection_lost(struct cql_connection *connection, void **tag, bool *sent)
{
    while (connection->lost_at < connection->slot_count) {
        const struct slot *slot = &connection->slots[connection->lost_at++];
        if (slot->state == SLOT_WAITING) {
            *tag = slot->tag;
            *sent = (int32_t)(slot->generation - connection->sent_generation) <= 0;
            connection->under_way--;
            return true;
        }
    }
    return false;
}

void cql_connection_wait(const struct cql_connection *connection, struct stream_wait *wait)
{
    *wait = (struct stream_wait){
        .stream = connection->stream,
        .to_read = true,
        .to_write = connection->wire_sent < connection->wire.length,
    };
}

int64_t cql_connection_wake_ms(const struct cql_connection *connection)
{
    bool idle = connection->wire_sent == connection->wire.length;
    if (connection->step == STEP_BROKEN || (idle && connection->gathered.length > 0)) {
        return 0;
    }
    if (connection->step < STEP_OPEN) {
        return connection->open_until_ms;
    }
    int64_t wake_ms = connection->next_deadline_ms;
    int64_t beat_ms = connection->received_ms + connection->options.heartbeat_ms;
    bool beats = connection->options.heartbeat_ms > 0 && !connection->beating;
    return beats && beat_ms < wake_ms ? beat_ms : wake_ms;
}
