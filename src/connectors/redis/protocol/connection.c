/* Bytes of an open connection: commands gathered and sent, replies found in what comes. */
#include "connectors/redis/protocol/connection_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include <stdlib.h>

enum {
    RECEIVE_BYTES = 64 << 10,
    INCOMING_KEPT_BYTES = 1 << 20, /* of a buffer that held a large reply */
    OUTGOING_KEPT_BYTES = 1 << 20
};

/* ---------------------------------------------------------------- failing */

static enum status break_as(struct redis_connection *connection, const struct error *why,
                            struct error *error)
{
    if (!connection->broken) {
        connection->broken = true;
        connection->failure = *why;
        if (connection->failure.object[0] == '\0') {
            snprintf(connection->failure.object, sizeof(connection->failure.object), "%s",
                     connection->place);
        }
    }
    return error_copy(error, &connection->failure);
}

enum status redis_connection_break(struct redis_connection *connection, const char *why,
                                   struct error *error)
{
    struct error made;
    error_clear(&made);
    error_set(&made, ERROR_NETWORK, connection->place, "%s", why);
    return break_as(connection, &made, error);
}

/* ---------------------------------------------------------------- out */

static void connection_shrink(struct buffer *buffer, size_t kept)
{
    if (buffer->capacity > kept) {
        buffer_free(buffer);
    }
    buffer_clear(buffer);
}

/* STATUS_AGAIN: the stream took `*written` of the bytes, and no more now. */
static enum status write_some(struct redis_connection *connection, const char *bytes, size_t length,
                              size_t *written, struct error *error)
{
    struct error why;
    *written = 0;
    while (*written < length) {
        size_t taken = 0;
        enum status status =
            stream_write(connection->stream, bytes + *written, length - *written, &taken, &why);
        if (status == STATUS_FAILED) {
            return break_as(connection, &why, error);
        }
        *written += taken;
        if (status != STATUS_OK) {
            return STATUS_AGAIN;
        }
    }
    return STATUS_OK;
}

enum status redis_connection_flush(struct redis_connection *connection, struct error *error)
{
    size_t written = 0;
    struct buffer *outgoing = &connection->outgoing;
    if (connection->broken) {
        return error_copy(error, &connection->failure);
    }
    enum status status = write_some(connection, outgoing->data + connection->sent,
                                    outgoing->length - connection->sent, &written, error);
    connection->sent += written;
    if (status == STATUS_OK) {
        connection_shrink(outgoing, OUTGOING_KEPT_BYTES);
        connection->sent = 0;
    }
    return status;
}

enum status redis_connection_send(struct redis_connection *connection, const void *bytes,
                                  size_t length, struct error *error)
{
    size_t written = 0;
    enum status status = redis_connection_flush(connection, error);
    if (status == STATUS_OK) {
        status = write_some(connection, bytes, length, &written, error);
    }
    if (status == STATUS_AGAIN) {
        buffer_append(&connection->outgoing, (const char *)bytes + written, length - written);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

size_t redis_connection_unsent(const struct redis_connection *connection)
{
    return connection->outgoing.length - connection->sent;
}

/* ---------------------------------------------------------------- in */

/* Replies that were read go from the front. */
static void drop_read(struct redis_connection *connection)
{
    struct buffer *incoming = &connection->incoming;
    size_t left = incoming->length - connection->taken;
    if (connection->taken == 0) {
        return;
    }
    if (left == 0) {
        connection_shrink(incoming, INCOMING_KEPT_BYTES);
    } else {
        memmove(incoming->data, incoming->data + connection->taken, left);
        incoming->length = left;
    }
    connection->taken = 0;
}

enum status redis_connection_receive(struct redis_connection *connection, struct error *error)
{
    struct error why;
    size_t got = 0;
    struct buffer *incoming = &connection->incoming;
    if (connection->broken) {
        return error_copy(error, &connection->failure);
    }
    drop_read(connection);
    if (!buffer_try_reserve(incoming, RECEIVE_BYTES)) {
        error_clear(&why);
        error_set(&why, ERROR_MEMORY, NULL, "no memory for an answer this large");
        return break_as(connection, &why, error);
    }
    enum status status = stream_read(connection->stream, incoming->data + incoming->length,
                                     RECEIVE_BYTES, &got, &why);
    if (status == STATUS_FAILED) {
        return break_as(connection, &why, error);
    }
    if (status == STATUS_END) {
        return redis_connection_break(connection, "the server closed the connection", error);
    }
    incoming->length += got;
    return status;
}

/* Is it a message that the server sends unasked, in version 3? */
static bool is_push(const char *bytes)
{
    return bytes[0] == '>';
}

enum status redis_connection_reply(struct redis_connection *connection, struct text *reply,
                                   struct error *error)
{
    struct error why;
    if (connection->broken) {
        return error_copy(error, &connection->failure);
    }
    for (;;) {
        const char *bytes = connection->incoming.data + connection->taken;
        size_t length = connection->incoming.length - connection->taken;
        if (length == 0) {
            return STATUS_AGAIN;
        }
        enum status status = resp_find_end(&connection->scan, bytes, length, &why);
        if (status != STATUS_OK) {
            return status == STATUS_FAILED ? break_as(connection, &why, error) : STATUS_AGAIN;
        }
        *reply = (struct text){bytes, connection->scan.at};
        connection->taken += connection->scan.at;
        connection->scan = (struct resp_scan){0};
        if (!is_push(bytes)) {
            return STATUS_OK;
        }
    }
}

/* ---------------------------------------------------------------- one after the other */

static enum status wait_for(struct redis_connection *connection, int64_t deadline_ms,
                            struct error *error)
{
    struct stream_wait wait = {.stream = connection->stream,
                               .to_read = true,
                               .to_write = redis_connection_unsent(connection) > 0};
    int64_t left = deadline_ms - clock_boottime_ms();
    if (left <= 0) {
        return redis_connection_break(connection, "the server did not answer in time", error);
    }
    enum status status = stream_poll(&wait, 1, left, error);
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

enum status redis_connection_next(struct redis_connection *connection, struct arena *arena,
                                  struct resp_value *reply, struct error *error)
{
    struct text raw;
    struct error why;
    int64_t deadline_ms = clock_boottime_ms() + connection->timeout_ms;
    enum status status;
    while ((status = redis_connection_reply(connection, &raw, error)) == STATUS_AGAIN) {
        enum status sent = redis_connection_flush(connection, error);
        status =
            sent == STATUS_FAILED ? STATUS_FAILED : redis_connection_receive(connection, error);
        if (status == STATUS_AGAIN) {
            status = wait_for(connection, deadline_ms, error);
        }
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    const char *copy = arena_try_copy(arena, raw.data, raw.length);
    if (copy == NULL) {
        error_clear(&why);
        error_set(&why, ERROR_MEMORY, NULL, "no memory for an answer this large");
        return break_as(connection, &why, error);
    }
    return resp_read(copy, raw.length, arena, reply, &why) == STATUS_OK
               ? STATUS_OK
               : break_as(connection, &why, error);
}

enum status redis_connection_call(struct redis_connection *connection, const struct buffer *command,
                                  struct arena *arena, struct resp_value *reply,
                                  struct error *error)
{
    enum status status = redis_connection_send(connection, command->data, command->length, error);
    return status == STATUS_OK ? redis_connection_next(connection, arena, reply, error) : status;
}

/* ---------------------------------------------------------------- life */

void redis_connection_close(struct redis_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    stream_destroy(connection->stream);
    buffer_free(&connection->outgoing);
    buffer_free(&connection->incoming);
    free(connection);
}

const struct redis_facts *redis_connection_facts(const struct redis_connection *connection)
{
    return &connection->facts;
}

struct stream_report redis_connection_report(const struct redis_connection *connection)
{
    return stream_report(connection->stream);
}

const char *redis_connection_place(const struct redis_connection *connection)
{
    return connection->place;
}

struct stream *redis_connection_stream(struct redis_connection *connection)
{
    return connection->stream;
}
