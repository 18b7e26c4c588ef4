/*
 * DynamoDB's own part of writing records (connectors/keyed/keyed.h): requests sent, and their
 * answers read. BatchWriteItem, at most 25 puts; UpdateItem, PutItem and GetItem one by one.
 */
#include "connectors/dynamodb/network/target.h"

#include "base/memory.h"
#include "connectors/dynamodb/network/body.h"
#include "connectors/keyed/keys.h"
#include "model/json_reader.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_BYTES_MAX = 4 << 20 /* the service's limit is 16 MB */, UNIT_BYTES = 1024 };

/* ---------------------------------------------------------------- connections */

static void send_disconnect(struct keyed_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    service_reply_destroy(connection->reply);
    dynamodb_client_destroy(connection->client);
    free(connection);
}

static enum status send_connect(struct database *self, const struct target_table *tables,
                                uint32_t table_count, uint32_t in_flight_max,
                                struct keyed_connection **connection, struct error *error)
{
    struct keyed_connection *made = memory_allocate_zeroed(1, sizeof(*made));
    (void)table_count;
    made->network = dynamodb_network_of(self);
    made->tables = tables;
    if (dynamodb_client_create(made->network->service, in_flight_max, &made->client, error) !=
        STATUS_OK) {
        send_disconnect(made);
        return STATUS_FAILED;
    }
    *connection = made;
    return STATUS_OK;
}

static struct dynamodb_encoder *make_encoder(struct dynamodb_network *network,
                                             const struct target_table *table,
                                             const struct shape *shape)
{
    const struct dynamodb_known *known =
        dynamodb_network_keys(network, table, &shape, shape != NULL ? 1 : 0, NULL);
    return dynamodb_encoder_create(shape, known->keys, known->key_count);
}

static void *encoder_of(struct keyed_connection *connection, uint32_t table,
                        const struct shape *shape)
{
    return make_encoder(connection->network, &connection->tables[table], shape);
}

static void encoder_free(void *encoder)
{
    dynamodb_encoder_destroy(encoder);
}

static double units_of(size_t length)
{
    size_t begun = (length + UNIT_BYTES - 1) / UNIT_BYTES;
    return (double)begun;
}

/* ---------------------------------------------------------------- sending */

static const char *operation_of(enum keyed_kind kind)
{
    return kind == KEYED_PUT      ? "BatchWriteItem"
           : kind == KEYED_INSERT ? "PutItem"
           : kind == KEYED_UPDATE ? "UpdateItem"
                                  : "GetItem";
}

static enum status network_send(struct keyed_connection *connection, struct keyed_request *request,
                                struct error *error)
{
    const struct dynamodb_request what = {.operation = operation_of(request->kind),
                                          .object = connection->tables[request->table].name,
                                          .body = request->body.data,
                                          .body_length = request->body.length,
                                          .lease = &connection->network->keyed.base,
                                          .context = request};
    return dynamodb_client_submit(connection->client, &what, error);
}

/* ---------------------------------------------------------------- what was left over */

static enum status mark_left(struct keyed_connection *connection,
                             const struct keyed_request *request, struct json_reader *reader,
                             struct error *error)
{
    const struct target_table *table = &connection->tables[request->table];
    struct cell item;
    struct cell key[2];
    if (dynamodb_item_read(reader, false, reader->arena, &item, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t at =
        dynamodb_key_of_item(table, &item, key) ? keyed_request_find(request, key) : UINT32_MAX;
    if (at == UINT32_MAX) {
        return error_set(error, ERROR_NETWORK_ANSWER, table->name,
                         "DynamoDB gives back a record that was not sent");
    }
    connection->left_count += connection->outcomes[at] == KEYED_DONE;
    connection->outcomes[at] = KEYED_AGAIN;
    return STATUS_OK;
}

/* {"UnprocessedItems":{"T":[{"PutRequest":{"Item":{…}}},…]},…}: outcomes of the records in it. */
static enum status find_left(struct keyed_connection *connection,
                             const struct keyed_request *request, const struct buffer *body,
                             struct error *error)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    struct arena *arena = arena_create(0);
    bool inside = false;
    json_reader_init(&reader, body->data, body->length, DYNAMODB_JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, error);
    while (status == STATUS_OK && token != JSON_TOKEN_END) {
        status = json_reader_next(&reader, &token, error);
        if (status != STATUS_OK || token != JSON_TOKEN_KEY) {
            continue;
        }
        if (reader.depth == 1) {
            inside = reader.length == 16 && memcmp(reader.text, "UnprocessedItems", 16) == 0;
            if (!inside) {
                status = json_reader_skip(&reader, token, error);
            }
        } else if (inside && reader.length == 4 && memcmp(reader.text, "Item", 4) == 0) {
            status = mark_left(connection, request, &reader, error);
        }
    }
    if (status == STATUS_FAILED && error->class == ERROR_CLASS_REJECT) {
        error_recode(error, ERROR_NETWORK_ANSWER);
    }
    arena_destroy(arena);
    return status;
}

static enum status judge_batch(struct keyed_connection *connection, struct keyed_answer *answer,
                               struct error *error)
{
    static const char none[] = "\"UnprocessedItems\":{}";
    const struct keyed_request *request = answer->request;
    struct buffer *body = &connection->reply->body;
    if (strstr(buffer_string(body), none) != NULL) {
        answer->units = dynamodb_units_told(buffer_string(body));
        return STATUS_OK;
    }
    memset(connection->outcomes, 0, sizeof(connection->outcomes)); /* KEYED_DONE */
    connection->left_count = 0;
    answer->outcomes = connection->outcomes;
    answer->throttled = true;
    if (find_left(connection, request, body, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    error_set(&connection->reason, ERROR_TARGET_THROTTLED, connection->tables[request->table].name,
              "DynamoDB left %" PRIu32 " of %" PRIu32 " records unprocessed",
              connection->left_count, request->count);
    answer->reason = &connection->reason;
    answer->units = 0;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what is there */

/* {"Item":{…},…}. STATUS_END: there is none. */
static enum status read_there(const struct buffer *body, struct arena *arena, struct cell *item,
                              struct error *error)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    json_reader_init(&reader, body->data, body->length, DYNAMODB_JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, error);
    while (status == STATUS_OK &&
           (status = json_reader_next(&reader, &token, error)) == STATUS_OK &&
           token == JSON_TOKEN_KEY) {
        if (reader.length == 4 && memcmp(reader.text, "Item", 4) == 0) {
            return dynamodb_item_read(&reader, false, arena, item, error);
        }
        status = json_reader_skip(&reader, token, error);
    }
    return status == STATUS_OK ? STATUS_END : status;
}

static enum status judge_look(struct keyed_connection *connection, struct keyed_answer *answer,
                              struct error *error)
{
    struct arena *arena = arena_create(0);
    struct buffer text = {0};
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct keyed_record record;
    struct cell found;
    struct cell own;
    struct json_reader reader;
    enum status status = STATUS_OK;
    if (keyed_request_record(answer->request, 0, key, &record)) {
        status = read_there(&connection->reply->body, arena, &found, error);
        answer->outcome = KEYED_OCCUPIED;
        if (status == STATUS_OK) {
            status = dynamodb_encoder_append(record.encoder, record.cells, &text, error);
        }
        if (status == STATUS_OK) {
            json_reader_init(&reader, text.data, text.length, DYNAMODB_JSON_DEPTH_MAX, arena);
            status = dynamodb_item_read(&reader, false, arena, &own, error);
        }
        if (status == STATUS_OK && keyed_values_are_equal(&own, &found)) {
            answer->outcome = KEYED_DONE;
        } else if (status == STATUS_END) {
            answer->outcome = KEYED_GONE;
        }
    }
    buffer_free(&text);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- any answer */

static enum error_code code_of(const struct service_reply *reply)
{
    const char *message = reply->error.message;
    if (reply->fault == DYNAMODB_FAULT_TOO_LARGE ||
        (strstr(message, "tem size") != NULL && strstr(message, "exceeded") != NULL)) {
        return ERROR_REJECT_TOO_LARGE;
    }
    if (strstr(message, "empty") != NULL && strstr(message, "key") != NULL) {
        return ERROR_REJECT_KEY_NULL;
    }
    return ERROR_REJECT_CONSTRAINT;
}

static enum status send_judge(struct keyed_connection *connection, struct keyed_answer *answer,
                              struct error *error)
{
    struct service_reply *reply = connection->reply;
    answer->reason = &reply->error;
    answer->units = -1;
    switch (reply->fault) {
    case DYNAMODB_FAULT_NONE:
        if (answer->request->kind == KEYED_PUT) {
            return judge_batch(connection, answer, error);
        }
        if (answer->request->kind == KEYED_LOOK) {
            return judge_look(connection, answer, error);
        }
        answer->units = dynamodb_units_told(buffer_string(&reply->body));
        return STATUS_OK;
    case DYNAMODB_FAULT_CONDITION:
        answer->outcome = KEYED_OCCUPIED;
        return STATUS_OK;
    case DYNAMODB_FAULT_INVALID:
    case DYNAMODB_FAULT_TOO_LARGE:
        answer->outcome = KEYED_REFUSED;
        error_recode(&reply->error, code_of(reply));
        return STATUS_OK;
    default:
        break;
    }
    if (reply->error.class != ERROR_CLASS_RETRY) {
        return error_copy(error, &reply->error);
    }
    answer->outcome = KEYED_AGAIN;
    answer->throttled = reply->fault == DYNAMODB_FAULT_THROTTLED;
    answer->unknown = reply->unknown_outcome;
    answer->units = answer->throttled ? 0 : -1;
    return STATUS_OK;
}

static enum status poll(struct keyed_connection *connection, int64_t timeout_ms,
                        struct keyed_answer *answer, struct error *error)
{
    service_reply_destroy(connection->reply);
    connection->reply = NULL;
    enum status status =
        dynamodb_client_poll(connection->client, timeout_ms, &connection->reply, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_AGAIN : status;
    }
    answer->request = connection->reply->context;
    return send_judge(connection, answer, error);
}

/* ---------------------------------------------------------------- one record */

static enum status write_one(struct database *self, enum keyed_kind kind,
                             const struct keyed_record *record, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct keyed_connection connection = {.network = network, .tables = record->table};
    struct keyed_record own = *record;
    struct service_reply *reply = NULL;
    struct buffer body = {0};
    own.encoder = make_encoder(network, record->table, record->shape);
    kind = kind == KEYED_PUT ? KEYED_INSERT : kind; /* PutItem, but without its condition */
    dynamodb_send_begin(&connection, kind, 0, &body);
    enum status status = dynamodb_send_encode(&connection, kind, &own, &body, error);
    dynamodb_body_raw(&body, "}");
    if (status == STATUS_OK) {
        status = dynamodb_network_write(network, operation_of(kind), record->table->name, &body,
                                        &reply, error);
    }
    if (status == STATUS_OK && reply->fault != DYNAMODB_FAULT_NONE) {
        error_copy(error, &reply->error);
        status = STATUS_FAILED;
    }
    service_reply_destroy(reply);
    dynamodb_encoder_destroy(own.encoder);
    buffer_free(&body);
    return status;
}

const struct keyed_service dynamodb_keyed_service = {
    .records_max = {[KEYED_PUT] = DYNAMODB_WRITES_MAX,
                    [KEYED_INSERT] = 1,
                    [KEYED_UPDATE] = 1,
                    [KEYED_LOOK] = 1},
    .request_bytes_max = REQUEST_BYTES_MAX,
    .separator = ',',
    .guard = KEYED_GUARD_NONE,
    .name = "dynamodb",
    .tables = &dynamodb_tables,
    .connect = send_connect,
    .disconnect = send_disconnect,
    .begin = dynamodb_send_begin,
    .end = dynamodb_send_end,
    .encoder = encoder_of,
    .encoder_free = encoder_free,
    .encode = dynamodb_send_encode,
    .append_key = dynamodb_key_append,
    .read_key = dynamodb_key_read,
    .units = units_of,
    .send = network_send,
    .poll = poll,
    .write = write_one,
    .erase = dynamodb_network_erase,
    .erase_max = DYNAMODB_WRITES_MAX,
};
