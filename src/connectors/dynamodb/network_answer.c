/* Answers: records acknowledged, left over, refused; requests that go out again. */
#include "connectors/dynamodb/network_writer.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/name_index.h"
#include "connectors/dynamodb/network_json.h"
#include "connectors/report.h"
#include "model/json_reader.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHRINK_EVERY_MS = 100,
    VANISHED_MAX = 10, /* looks in vain for what refused a record */
    THROTTLED_PATIENCE_MS = 10 * 60 * 1000,
    WINDOW_MIN = 1
};
static const double shrink_to = 0.6;

/* ---------------------------------------------------------------- how fast */

static void grow_window(struct writer *writer)
{
    double most = writer->network->connections;
    writer->window += writer->window < writer->slow_start_until ? 1 : 1 / writer->window;
    writer->window = writer->window < most ? writer->window : most;
}

/* Once for many requests that were under way together. */
static void shrink_window(struct writer *writer)
{
    int64_t now_ms = clock_monotonic_ms();
    report_throttled(&writer->network->base);
    if (now_ms - writer->shrunk_ms < SHRINK_EVERY_MS) {
        return;
    }
    writer->shrunk_ms = now_ms;
    writer->window *= shrink_to;
    writer->window = writer->window > WINDOW_MIN ? writer->window : WINDOW_MIN;
    writer->slow_start_until = writer->window;
}

/* What was guessed too much, or too little, goes to the next one. */
static void count_units(struct writer *writer, struct shipment *shipment, double units)
{
    report_units(&writer->network->base, units);
    if (writer->network->write_units > 0) {
        dynamodb_capacity_take(&writer->network->write_capacity,
                               (int64_t)(units * 1000) - shipment->reserved);
    }
    shipment->reserved = 0;
}

/* ---------------------------------------------------------------- going out again */

static enum status fail_or_wait(struct writer *writer, const struct service_reply *response,
                                struct error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t patience_ms = response->fault == DYNAMODB_FAULT_THROTTLED
                              ? THROTTLED_PATIENCE_MS
                              : 4 * writer->network->timeout_ms;
    if (writer->failing_since_ms == 0) {
        writer->failing_since_ms = now_ms;
    }
    if (now_ms - writer->failing_since_ms <= patience_ms) {
        return STATUS_OK;
    }
    error_copy(error, &response->error);
    return dynamodb_writer_give_up(writer, now_ms, error);
}

static void delay(struct writer *writer, struct shipment *shipment, int64_t retry_after_ms)
{
    int64_t wait = service_backoff_ms(shipment->failures, retry_after_ms);
    shipment->failures++;
    shipment->next_ms = clock_monotonic_ms() + wait;
    dynamodb_list_add(&writer->delayed, shipment);
}

static enum status send_again(struct writer *writer, struct shipment *shipment,
                              const struct service_reply *response, struct error *error)
{
    if (response->fault == DYNAMODB_FAULT_THROTTLED) {
        shrink_window(writer);
        count_units(writer, shipment, 0);
    }
    shipment->tried = shipment->tried || response->unknown_outcome;
    log_write(LOG_DEBUG, "table %s: a request goes out again after: %s",
              writer->tables[shipment->table].name, response->error.message);
    enum status status = fail_or_wait(writer, response, error);
    delay(writer, shipment, response->error.retry_after_ms);
    return status;
}

/* A request of the slots from..until of another one, whose keys it takes over. */
static struct shipment *cut(struct writer *writer, const struct shipment *from, const bool *chosen)
{
    struct shipment *shipment = dynamodb_shipment_new(writer, SHIPMENT_BATCH, from->table);
    struct buffer *body = &shipment->body;
    dynamodb_body_raw(body, "{\"RequestItems\":{");
    dynamodb_body_name(body, writer->tables[from->table].name);
    dynamodb_body_raw(body, "[");
    for (uint32_t at = 0; at < from->count; at++) {
        if (!chosen[at]) {
            continue;
        }
        struct slot *slot = &shipment->slots[shipment->count];
        *slot = from->slots[at];
        if (shipment->count > 0) {
            buffer_append_byte(body, ',');
        }
        slot->offset = (uint32_t)body->length;
        buffer_append(body, from->body.data + from->slots[at].offset, slot->length);
        dynamodb_key_set_add(&writer->keys, slot->key);
        shipment->count++;
    }
    dynamodb_body_raw(body, "]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
    writer->bytes += body->length;
    shipment->failures = from->failures;
    shipment->tried = from->tried;
    return shipment;
}

/* ---------------------------------------------------------------- records */

static void acknowledge(struct writer *writer, struct slot *slot)
{
    struct waiting *waiting = slot->waiting;
    slot->waiting = NULL;
    if (waiting != NULL) {
        waiting->result.written++;
        waiting->result.bytes += slot->length;
        dynamodb_writer_settled(writer, waiting);
    }
}

static enum status refuse(struct writer *writer, struct slot *slot, enum outcome_kind kind,
                          enum error_code code, const char *reason, struct error *error)
{
    struct waiting *waiting = slot->waiting;
    slot->waiting = NULL;
    if (waiting == NULL) {
        return STATUS_OK;
    }
    if (dynamodb_writer_note_void(writer, waiting, slot->row, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    dynamodb_writer_refuse(waiting, slot->row, kind, code, reason);
    dynamodb_writer_settled(writer, waiting);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- BatchWriteItem */

static bool find_slot(const struct shipment *shipment, struct key_hash key, uint32_t *found)
{
    for (uint32_t at = 0; at < shipment->count; at++) {
        if (shipment->slots[at].key.low == key.low && shipment->slots[at].key.high == key.high) {
            *found = at;
            return true;
        }
    }
    return false;
}

static enum status mark_left(struct writer *writer, const struct shipment *shipment,
                             struct json_reader *reader, bool *left, struct error *error)
{
    const struct target_table *table = &writer->tables[shipment->table];
    struct cell item;
    struct cell key[2];
    struct key_hash hash;
    uint32_t at = 0;
    if (dynamodb_item_read(reader, false, reader->arena, &item, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!dynamodb_key_of_item(table, &item, key) ||
        dynamodb_writer_hash_key(writer, shipment->table, key, &hash, error) != STATUS_OK ||
        !find_slot(shipment, hash, &at)) {
        return error_set(error, ERROR_NETWORK_ANSWER, table->name,
                         "DynamoDB gives back a record that was not sent");
    }
    left[at] = true;
    return STATUS_OK;
}

/* {"UnprocessedItems":{"T":[{"PutRequest":{"Item":{…}}},…]},…}: `left` is set for the records in
 * it. */
static enum status find_left(struct writer *writer, const struct shipment *shipment,
                             const struct buffer *body, bool *left, struct error *error)
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
            status = mark_left(writer, shipment, &reader, left, error);
        }
    }
    if (status == STATUS_FAILED && error->class == ERROR_CLASS_REJECT) {
        error_recode(error, ERROR_NETWORK_ANSWER);
    }
    arena_destroy(arena);
    return status;
}

static enum status take_batch_answer(struct writer *writer, struct shipment *shipment,
                                     struct service_reply *response, struct error *error)
{
    static const char none[] = "\"UnprocessedItems\":{}";
    bool left[SHIPMENT_ITEMS_MAX] = {false};
    uint32_t left_count = 0;
    const char *text = buffer_string(&response->body);
    bool all = strstr(text, none) != NULL;
    if (all) {
        count_units(writer, shipment, dynamodb_capacity_told(buffer_string(&response->body)));
    } else if (find_left(writer, shipment, &response->body, left, error) != STATUS_OK) {
        shipment->tried = true;
        dynamodb_list_add(&writer->ready, shipment); /* freed with the writer */
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < shipment->count; at++) {
        if (left[at]) {
            left_count++;
        } else {
            acknowledge(writer, &shipment->slots[at]);
        }
    }
    if (left_count < shipment->count) {
        writer->failing_since_ms = 0;
    }
    if (left_count == 0) {
        grow_window(writer);
        dynamodb_shipment_free(writer, shipment);
        return STATUS_OK;
    }
    struct shipment *rest = cut(writer, shipment, left);
    struct service_reply throttled = {.fault = DYNAMODB_FAULT_THROTTLED};
    rest->failures = left_count < shipment->count ? 0 : shipment->failures;
    error_set(&throttled.error, ERROR_TARGET_THROTTLED, writer->tables[shipment->table].name,
              "DynamoDB left %" PRIu32 " of %" PRIu32 " records unprocessed", left_count,
              shipment->count);
    enum status status = send_again(writer, rest, &throttled, error);
    dynamodb_shipment_free(writer, shipment);
    return status;
}

/* The request was refused as a whole: some record in it is at fault. */
static void halve(struct writer *writer, struct shipment *shipment)
{
    bool chosen[2][SHIPMENT_ITEMS_MAX] = {{false}};
    for (uint32_t at = 0; at < shipment->count; at++) {
        chosen[at < shipment->count / 2 ? 0 : 1][at] = true;
    }
    for (int half = 0; half < 2; half++) {
        dynamodb_list_add(&writer->ready, cut(writer, shipment, chosen[half]));
    }
    dynamodb_shipment_free(writer, shipment);
}

static enum error_code code_of(const struct service_reply *response)
{
    const char *message = response->error.message;
    if (response->fault == DYNAMODB_FAULT_TOO_LARGE ||
        (strstr(message, "tem size") != NULL && strstr(message, "exceeded") != NULL)) {
        return ERROR_REJECT_TOO_LARGE;
    }
    if (strstr(message, "empty") != NULL && strstr(message, "key") != NULL) {
        return ERROR_REJECT_KEY_NULL;
    }
    return ERROR_REJECT_CONSTRAINT;
}

static enum status reject_all(struct writer *writer, struct shipment *shipment,
                              const struct service_reply *response, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < shipment->count && status == STATUS_OK; at++) {
        status = refuse(writer, &shipment->slots[at], OUTCOME_REJECTED, code_of(response),
                        response->error.message, error);
    }
    dynamodb_shipment_free(writer, shipment);
    return status;
}

/* ---------------------------------------------------------------- conditional puts */

static enum status already_there(struct writer *writer, struct shipment *shipment,
                                 const char *reason, struct error *error)
{
    bool skip = writer->tables[shipment->table].existing == EXISTING_SKIP;
    enum status status =
        refuse(writer, &shipment->slots[0], skip ? OUTCOME_SKIPPED : OUTCOME_REJECTED,
               skip ? ERROR_NONE : ERROR_REJECT_KEY_DUPLICATE, reason, error);
    dynamodb_shipment_free(writer, shipment);
    return status;
}

/* The same record's next request: a look at what is there, or another try to put it. */
static enum status make_into(struct writer *writer, struct shipment *shipment,
                             enum shipment_kind kind, struct error *error)
{
    struct slot *slot = &shipment->slots[0];
    writer->bytes -= shipment->body.length;
    buffer_clear(&shipment->body);
    enum status status =
        kind == SHIPMENT_LOOK
            ? dynamodb_writer_look_body(writer, slot->waiting, slot->row, &shipment->body, error)
            : dynamodb_writer_put_body(writer, slot->waiting, slot->row, &shipment->body, error);
    writer->bytes += shipment->body.length;
    shipment->kind = kind;
    shipment->failures = 0;
    dynamodb_list_add(&writer->ready, shipment); /* after a failure it is freed with the writer */
    return status;
}

/* The record there may be this one, written by a try whose answer was lost or by an attempt before
 * this one: it is looked at. */
static enum status take_condition(struct writer *writer, struct shipment *shipment,
                                  struct error *error)
{
    struct slot *slot = &shipment->slots[0];
    const struct writer_chunk *chunk =
        slot->waiting != NULL ? dynamodb_writer_chunk(writer, slot->waiting->result.chunk) : NULL;
    bool maybe_ours = shipment->tried || (chunk != NULL && chunk->repeated);
    if (slot->waiting == NULL || !maybe_ours) {
        return already_there(writer, shipment, "a record with this key is in the table already",
                             error);
    }
    return make_into(writer, shipment, SHIPMENT_LOOK, error);
}

static bool same_value(struct arena *arena, const struct cell *left, const struct cell *right);

/* Names in any order. */
static bool same_map(struct arena *arena, const struct cell *left, const struct cell *right)
{
    struct name_index names = {.arena = arena};
    bool same = left->length == right->length;
    for (uint32_t at = 0; same && at < right->length; at++) {
        const struct cell *name = &right->items[2 * (size_t)at];
        uint32_t before = NAME_INDEX_NONE;
        (void)!name_index_add(&names, name->text, name->length, at, &before);
    }
    for (uint32_t at = 0; same && at < left->length; at++) {
        const struct cell *name = &left->items[2 * (size_t)at];
        uint32_t place = name_index_find(&names, name->text, name->length);
        same = place != NAME_INDEX_NONE &&
               same_value(arena, name + 1, &right->items[2 * (size_t)place + 1]);
    }
    return same;
}

static bool same_value(struct arena *arena, const struct cell *left, const struct cell *right)
{
    if (left->kind != right->kind) {
        return false;
    }
    if (left->kind == VALUE_MAP) {
        return same_map(arena, left, right);
    }
    if (left->kind != VALUE_LIST) {
        return value_equal(left, right);
    }
    bool same = left->length == right->length;
    for (size_t at = 0; same && at < left->length; at++) {
        same = same_value(arena, &left->items[at], &right->items[at]);
    }
    return same;
}

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

static enum status compare_there(struct writer *writer, const struct slot *slot,
                                 const struct buffer *body, bool *same, bool *there,
                                 struct error *error)
{
    struct arena *arena = arena_create(0);
    struct buffer text = {0};
    struct cell found;
    struct cell own;
    struct json_reader reader;
    *same = false;
    *there = false;
    enum status status = read_there(body, arena, &found, error);
    if (status == STATUS_OK) {
        *there = true;
        status = dynamodb_writer_item_text(writer, slot->waiting, slot->row, &text, error);
    }
    if (status == STATUS_OK) {
        json_reader_init(&reader, text.data, text.length, DYNAMODB_JSON_DEPTH_MAX, arena);
        status = dynamodb_item_read(&reader, false, arena, &own, error);
        *same = status == STATUS_OK && same_map(arena, &own, &found);
    }
    buffer_free(&text);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status take_look(struct writer *writer, struct shipment *shipment,
                             const struct service_reply *response, struct error *error)
{
    struct slot *slot = &shipment->slots[0];
    bool same = false;
    bool there = false;
    if (slot->waiting == NULL) {
        dynamodb_shipment_free(writer, shipment);
        return STATUS_OK;
    }
    if (compare_there(writer, slot, &response->body, &same, &there, error) != STATUS_OK) {
        dynamodb_list_add(&writer->ready, shipment);
        return STATUS_FAILED;
    }
    if (there && !same) {
        return already_there(writer, shipment,
                             "a record with this key and other fields is in the table already; it "
                             "may be this one as it was before the run was interrupted",
                             error);
    }
    if (!there && shipment->vanished++ < VANISHED_MAX) {
        /* its time to live was over, or somebody deleted it: nothing is in the way any more */
        return make_into(writer, shipment, SHIPMENT_PUT, error);
    }
    if (!there) {
        dynamodb_list_add(&writer->ready, shipment);
        return error_set(error, ERROR_TARGET_WRITE, writer->tables[shipment->table].name,
                         "a record comes and goes while it is written: the table is in use");
    }
    acknowledge(writer, slot);
    dynamodb_shipment_free(writer, shipment);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- any answer */

static enum status take_success(struct writer *writer, struct shipment *shipment,
                                struct service_reply *response, struct error *error)
{
    if (shipment->kind == SHIPMENT_BATCH) {
        return take_batch_answer(writer, shipment, response, error);
    }
    writer->failing_since_ms = 0;
    grow_window(writer);
    if (shipment->kind == SHIPMENT_LOOK) {
        return take_look(writer, shipment, response, error);
    }
    count_units(writer, shipment, dynamodb_capacity_told(buffer_string(&response->body)));
    acknowledge(writer, &shipment->slots[0]);
    dynamodb_shipment_free(writer, shipment);
    return STATUS_OK;
}

enum status dynamodb_writer_answer(struct writer *writer, struct shipment *shipment,
                                   struct service_reply *response, struct error *error)
{
    if (failpoint_hit("dynamodb.after_answer", error) != STATUS_OK) {
        dynamodb_list_add(&writer->ready, shipment);
        return STATUS_FAILED;
    }
    switch (response->fault) {
    case DYNAMODB_FAULT_NONE:
        return take_success(writer, shipment, response, error);
    case DYNAMODB_FAULT_CONDITION:
        writer->failing_since_ms = 0;
        return take_condition(writer, shipment, error);
    case DYNAMODB_FAULT_INVALID:
    case DYNAMODB_FAULT_TOO_LARGE:
        if (shipment->count > 1) {
            halve(writer, shipment);
            return STATUS_OK;
        }
        return reject_all(writer, shipment, response, error);
    default:
        break;
    }
    if (response->error.class == ERROR_CLASS_RETRY) {
        return send_again(writer, shipment, response, error);
    }
    error_copy(error, &response->error);
    dynamodb_list_add(&writer->ready, shipment);
    return STATUS_FAILED;
}
