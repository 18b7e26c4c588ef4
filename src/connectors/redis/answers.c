/* Replies of nodes, and what they mean for the records that they are about. */
#include "connectors/keyed/keys.h"
#include "connectors/redis/send_internal.h"

#include "base/memory.h"

/* ---------------------------------------------------------------- flights */

void redis_note_record(struct redis_flight *flight, uint32_t at, enum keyed_outcome outcome,
                       const struct error *reason)
{
    uint32_t count = flight->request->count;
    if (outcome == KEYED_DONE) {
        return;
    }
    if (flight->outcomes == NULL) {
        flight->outcomes = memory_allocate_zeroed(count, sizeof(*flight->outcomes));
    }
    flight->outcomes[at] = outcome;
    if (reason != NULL) {
        if (flight->reasons == NULL) {
            flight->reasons = memory_allocate_zeroed(count, sizeof(*flight->reasons));
        }
        flight->reasons[at] = *reason;
    }
}

void redis_flight_landed(struct keyed_connection *connection, struct redis_flight *flight,
                         uint32_t count)
{
    flight->left -= count;
    if (flight->left == 0) {
        flight->next = NULL;
        *connection->answered_last = flight;
        connection->answered_last = &flight->next;
    }
}

static struct redis_owed *first_owed(struct redis_channel *channel)
{
    return &channel->owed[channel->owed_first];
}

static void drop_owed(struct redis_channel *channel)
{
    channel->owed_first = (channel->owed_first + 1) % channel->owed_capacity;
    channel->owed_count--;
}

/* All of a flight's records that a node has acknowledged may be lost with it. */
static void doubt(struct redis_flight *flight, const struct error *why)
{
    for (uint32_t at = 0; at < flight->request->count; at++) {
        if (flight->outcomes == NULL || flight->outcomes[at] == KEYED_DONE) {
            redis_note_record(flight, at, KEYED_AGAIN, why);
        }
    }
    flight->unknown = true;
}

void redis_give_up(struct keyed_connection *connection, struct redis_channel *channel,
                   const struct error *why)
{
    while (channel->owed_count > 0) {
        struct redis_owed owed = *first_owed(channel);
        drop_owed(channel);
        if (owed.flight == NULL) {
            continue;
        }
        if (owed.wait) {
            doubt(owed.flight, why);
        }
        for (uint32_t at = owed.first; !owed.wait && at < owed.first + owed.count; at++) {
            redis_note_record(owed.flight, at, KEYED_AGAIN, why);
            owed.flight->unknown = true;
        }
        redis_flight_landed(connection, owed.flight, owed.count);
    }
    redis_connection_close(channel->connection);
    channel->connection = NULL;
    channel->failed = false;
    channel->failure = *why;
    if (why->class != ERROR_CLASS_RETRY && connection->stop.code == ERROR_NONE) {
        connection->stop = *why;
    }
}

/* ---------------------------------------------------------------- errors */

/* A node's error decides the outcome of one record. */
static void take_error(struct keyed_connection *connection, uint16_t node,
                       struct redis_flight *flight, uint32_t at, const struct resp_value *reply)
{
    struct error why;
    uint16_t next = REDIS_NO_NODE;
    uint16_t slot = 0;
    const char *table = connection->tables[flight->request->table].name;
    error_clear(&why);
    (void)redis_refused(reply, table, &why);
    if (redis_server_redirected(connection->database->server, reply, node, &next, &slot)) {
        if (redis_error_is(reply, "ASK")) {
            struct error ignored;
            flight->left++; /* it is taken off for the reply that this was */
            if (redis_send_records(connection, next, flight, at, 1, true, &ignored) == STATUS_OK) {
                return;
            }
            flight->left--;
        } else {
            redis_server_moved(connection->database->server, slot, next);
        }
        redis_note_record(flight, at, KEYED_AGAIN, &why);
        return;
    }
    if (redis_error_is(reply, "NOSCRIPT")) { /* it was started again; so is the connection */
        redis_note_record(flight, at, KEYED_AGAIN, &why);
        struct error ignored;
        (void)!redis_connection_break(connection->channels[node]->connection,
                                      "the server was started again", &ignored);
        return;
    }
    flight->throttled = flight->throttled || why.code == ERROR_TARGET_THROTTLED;
    if (why.class == ERROR_CLASS_RETRY) {
        redis_note_record(flight, at, KEYED_AGAIN, &why);
        return;
    }
    bool of_record = redis_error_is(reply, "WRONGTYPE") || redis_error_is(reply, "ERR") ||
                     redis_error_is(reply, "EXECABORT");
    if (of_record && !redis_is_full(reply) && why.code == ERROR_TARGET_WRITE) {
        error_recode(&why, ERROR_REJECT_CONSTRAINT);
        redis_note_record(flight, at, KEYED_REFUSED, &why);
        return;
    }
    if (connection->stop.code == ERROR_NONE) {
        connection->stop = why;
    }
    redis_note_record(flight, at, KEYED_AGAIN, &why);
}

/* ---------------------------------------------------------------- one record's replies */

/* The record as it would be read if it were there: encoded, and its command taken for a reply. */
static enum status read_own(struct keyed_connection *connection, const struct keyed_record *record,
                            struct cell *own, struct error *error)
{
    struct keyed_record as_new = *record;
    struct target_table table = *record->table;
    struct buffer command = {0};
    struct resp_value words;
    enum redis_form form = connection->database->form;
    table.created = true; /* one command, HSET or SET */
    table.may_repeat = false;
    table.ttl = NULL;
    as_new.table = &table;
    as_new.repeated = false;
    as_new.envelope = NULL;
    enum status status = redis_encode(form, KEYED_PUT, &as_new, NULL, &command, error);
    if (status == STATUS_OK) {
        const char *copy = arena_copy(connection->arena, command.data, command.length);
        status = resp_read(copy, command.length, connection->arena, &words, error);
    }
    if (status == STATUS_OK) {
        const struct resp_value fields = {
            .type = RESP_LIST, .items = words.items + 2, .count = words.count - 2};
        status = redis_record_read(form == REDIS_JSON ? &words.items[2] : &fields, form, NULL,
                                   connection->arena, own, error);
    }
    buffer_free(&command);
    return status;
}

static enum keyed_outcome answers_compare(struct keyed_connection *connection,
                                          const struct keyed_request *request, uint32_t at,
                                          const struct resp_value *reply)
{
    struct error ignored;
    struct keyed_record record;
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct cell there;
    struct cell own;
    enum status status = redis_record_read(reply, connection->database->form, NULL,
                                           connection->arena, &there, &ignored);
    if (status != STATUS_OK) {
        return status == STATUS_END ? KEYED_GONE : KEYED_OCCUPIED;
    }
    return !keyed_request_record(request, at, key, &record) ||
                   (read_own(connection, &record, &own, &ignored) == STATUS_OK &&
                    keyed_values_are_equal(&own, &there))
               ? KEYED_DONE
               : KEYED_OCCUPIED;
}

/* The reply of a record that is one command. */
static void take_single(struct keyed_connection *connection, uint16_t node,
                        struct redis_flight *flight, uint32_t at, const struct resp_value *reply)
{
    enum keyed_kind kind = flight->request->kind;
    if (reply->type == RESP_ERROR && redis_error_is(reply, "WRONGTYPE") && kind == KEYED_LOOK) {
        redis_note_record(flight, at, KEYED_OCCUPIED, NULL);
    } else if (reply->type == RESP_ERROR) {
        take_error(connection, node, flight, at, reply);
    } else if (kind == KEYED_LOOK) {
        redis_note_record(flight, at, answers_compare(connection, flight->request, at, reply),
                          NULL);
    } else if (kind == KEYED_INSERT &&
               (reply->type == RESP_NULL || (reply->type == RESP_INTEGER && reply->integer == 0))) {
        redis_note_record(flight, at, KEYED_OCCUPIED, NULL);
    }
}

/* An error of a command within EXEC's list. */
static const struct resp_value *error_within(const struct resp_value *reply)
{
    for (uint32_t at = 0; reply->type == RESP_LIST && at < reply->count; at++) {
        if (reply->items[at].type == RESP_ERROR) {
            return &reply->items[at];
        }
    }
    return reply->type == RESP_ERROR ? reply : NULL;
}

/* The replies from MULTI to EXEC; false: EXEC's has not come yet. */
static bool take_of_transaction(struct keyed_connection *connection, uint16_t node,
                                struct redis_flight *flight, uint32_t at,
                                const struct resp_value *reply)
{
    struct redis_channel *channel = connection->channels[node];
    if (reply->type == RESP_SIMPLE) { /* OK, QUEUED */
        return false;
    }
    if (reply->type == RESP_ERROR && !redis_error_is(reply, "EXECABORT")) {
        if (!channel->failed) {
            take_error(connection, node, flight, at, reply);
        }
        channel->failed = true;
        return false;
    }
    const struct resp_value *refused = error_within(reply);
    if (refused != NULL && !channel->failed) {
        take_error(connection, node, flight, at, refused);
    }
    channel->failed = false;
    return true;
}

/* ---------------------------------------------------------------- replies */

static void take_wait(struct keyed_connection *connection, struct redis_owed *owed,
                      const struct resp_value *reply)
{
    int64_t copies = 0;
    struct error why;
    error_clear(&why);
    if (!resp_integer(reply, &copies) || copies < 1) {
        error_set(&why, ERROR_NETWORK, NULL,
                  "no replica has acknowledged what was written to its master");
        doubt(owed->flight, &why);
    }
    redis_flight_landed(connection, owed->flight, 1);
}

/* Is it a plain acknowledgement, as nearly all are? ":8\r\n" of HSET, "+OK\r\n" of SET. */
static bool is_plain(const struct redis_owed *owed, const struct text *raw)
{
    enum keyed_kind kind = owed->flight != NULL ? owed->flight->request->kind : KEYED_KINDS;
    return !owed->wait && (kind == KEYED_PUT || kind == KEYED_UPDATE || kind == KEYED_DELETE) &&
           (raw->data[0] == ':' || raw->data[0] == '+') &&
           !redis_is_transaction(owed->flight->request->body.data +
                                     owed->flight->request->slots[owed->first].offset,
                                 owed->flight->request->slots[owed->first].length);
}

/* The oldest record that is owed an answer has all of it. */
static void record_landed(struct keyed_connection *connection, struct redis_channel *channel,
                          struct redis_owed *owed)
{
    struct redis_flight *flight = owed->flight;
    owed->first++;
    if (--owed->count == 0) {
        drop_owed(channel);
    }
    redis_flight_landed(connection, flight, 1);
}

static enum status take_reply(struct keyed_connection *connection, uint16_t node,
                              const struct text *raw, struct error *error)
{
    struct resp_value reply;
    struct redis_channel *channel = connection->channels[node];
    struct redis_owed *owed = first_owed(channel);
    if (is_plain(owed, raw)) {
        record_landed(connection, channel, owed);
        return STATUS_OK;
    }
    arena_reset(connection->arena);
    if (resp_read(raw->data, raw->length, connection->arena, &reply, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (owed->flight == NULL) {
        drop_owed(channel);
    } else if (owed->wait) {
        struct redis_owed own = *owed;
        drop_owed(channel);
        take_wait(connection, &own, &reply);
    } else {
        /* what it leads to may be owed by the same node: the ring may move */
        struct redis_owed own = *owed;
        const struct keyed_slot *slot = &own.flight->request->slots[own.first];
        const char *bytes = own.flight->request->body.data + slot->offset;
        bool whole = true;
        if (redis_is_transaction(bytes, slot->length)) {
            whole = take_of_transaction(connection, node, own.flight, own.first, &reply);
        } else {
            take_single(connection, node, own.flight, own.first, &reply);
        }
        if (whole) {
            record_landed(connection, channel, first_owed(channel));
        }
    }
    return STATUS_OK;
}

enum status redis_take_replies(struct keyed_connection *connection, uint16_t node,
                               struct error *error)
{
    struct redis_channel *channel = connection->channels[node];
    enum status status = redis_connection_receive(channel->connection, error);
    while (status == STATUS_OK) {
        struct text raw;
        status = redis_connection_reply(channel->connection, &raw, error);
        if (status == STATUS_AGAIN) {
            status = redis_connection_receive(channel->connection, error);
            continue;
        }
        if (status == STATUS_OK && channel->owed_count == 0) {
            return redis_connection_break(channel->connection,
                                          "an answer came to what was not asked", error);
        }
        status = status == STATUS_OK ? take_reply(connection, node, &raw, error) : status;
    }
    return status;
}
