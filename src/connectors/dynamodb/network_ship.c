/* Requests on their way: filled, sent when the window, the lease and the caps allow, held back. */
#include "connectors/dynamodb/network_writer.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/dynamodb/network_json.h"
#include "connectors/lease.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char batch_end[] = "]},\"ReturnConsumedCapacity\":\"TOTAL\"}";

enum { UNIT_BYTES = 1024 };

/* ---------------------------------------------------------------- shipments */

struct shipment *dynamodb_shipment_new(struct writer *writer, enum shipment_kind kind,
                                       uint32_t table)
{
    struct shipment *shipment = writer->spare;
    if (shipment != NULL) {
        writer->spare = shipment->next;
        writer->spare_count--;
        struct buffer body = shipment->body;
        memset(shipment, 0, offsetof(struct shipment, slots));
        shipment->body = body;
        shipment->count = 0;
        shipment->failures = 0;
        shipment->next_ms = 0;
        shipment->reserved = 0;
        shipment->tried = false;
        shipment->vanished = 0;
    } else {
        shipment = (struct shipment *)memory_allocate_zeroed(1, sizeof(*shipment));
    }
    shipment->kind = kind;
    shipment->table = table;
    shipment->since_ms = clock_monotonic_ms();
    buffer_clear(&shipment->body);
    return shipment;
}

/* Its keys are free again. */
void dynamodb_shipment_free(struct writer *writer, struct shipment *shipment)
{
    for (uint32_t at = 0; at < shipment->count; at++) {
        dynamodb_key_set_remove(&writer->keys, shipment->slots[at].key);
    }
    writer->bytes -= shipment->body.length < writer->bytes ? shipment->body.length : writer->bytes;
    if (writer->spare_count < WRITER_SPARE_BUFFERS &&
        shipment->body.capacity <= WRITER_SPARE_BYTES_MAX) {
        shipment->next = writer->spare;
        writer->spare = shipment;
        writer->spare_count++;
        return;
    }
    buffer_free(&shipment->body);
    free(shipment);
}

void dynamodb_list_add(struct shipment_list *list, struct shipment *shipment)
{
    shipment->next = NULL;
    *list->last = shipment;
    list->last = &shipment->next;
    list->count++;
}

static void unlink_shipment(struct shipment_list *list, struct shipment *shipment)
{
    struct shipment **link = &list->first;
    while (*link != shipment) {
        link = &(*link)->next;
    }
    *link = shipment->next;
    if (shipment->next == NULL) {
        list->last = link;
    }
    shipment->next = NULL;
    list->count--;
}

static void begin_batch(const struct writer *writer, struct shipment *shipment)
{
    dynamodb_body_raw(&shipment->body, "{\"RequestItems\":{");
    dynamodb_body_name(&shipment->body, writer->tables[shipment->table].name);
    dynamodb_body_raw(&shipment->body, "[");
}

struct shipment *dynamodb_writer_filling(struct writer *writer, uint32_t table)
{
    struct shipment *shipment = writer->filling[table];
    if (shipment != NULL && shipment->count == SHIPMENT_ITEMS_MAX) {
        dynamodb_writer_flush(writer, table);
        shipment = NULL;
    }
    if (shipment == NULL) {
        shipment = dynamodb_shipment_new(writer, SHIPMENT_BATCH, table);
        begin_batch(writer, shipment);
        writer->filling[table] = shipment;
    }
    return shipment;
}

void dynamodb_writer_flush(struct writer *writer, uint32_t table)
{
    struct shipment *shipment = writer->filling[table];
    if (shipment == NULL || shipment->count == 0) {
        return;
    }
    writer->filling[table] = NULL;
    buffer_append(&shipment->body, batch_end, sizeof(batch_end) - 1);
    writer->bytes += shipment->body.length;
    dynamodb_list_add(&writer->ready, shipment);
}

/* ---------------------------------------------------------------- placing records */

static void hold(struct writer *writer, enum shipment_kind kind, uint32_t table,
                 const struct slot *slot, const char *bytes, size_t length)
{
    struct held *held = (struct held *)memory_allocate_zeroed(1, sizeof(*held));
    held->kind = kind;
    held->table = table;
    held->slot = *slot;
    buffer_append(&held->body, bytes, length);
    *writer->held_last = held;
    writer->held_last = &held->next;
    writer->bytes += length;
}

static void put_in_batch(struct writer *writer, uint32_t table, const struct slot *slot,
                         const char *bytes, size_t length)
{
    struct shipment *shipment = dynamodb_writer_filling(writer, table);
    if (shipment->count > 0 && shipment->body.length + length > SHIPMENT_BYTES_MAX) {
        dynamodb_writer_flush(writer, table);
        shipment = dynamodb_writer_filling(writer, table);
    }
    struct slot *made = &shipment->slots[shipment->count];
    if (shipment->count > 0) {
        buffer_append_byte(&shipment->body, ',');
    }
    *made = *slot;
    made->offset = (uint32_t)shipment->body.length;
    made->length = (uint32_t)length;
    buffer_append(&shipment->body, bytes, length);
    dynamodb_key_set_add(&writer->keys, slot->key);
    shipment->count++;
}

static void send_single(struct writer *writer, enum shipment_kind kind, uint32_t table,
                        const struct slot *slot, const char *bytes, size_t length)
{
    struct shipment *shipment = dynamodb_shipment_new(writer, kind, table);
    buffer_append(&shipment->body, bytes, length);
    dynamodb_key_set_add(&writer->keys, slot->key);
    shipment->slots[0] = *slot;
    shipment->slots[0].offset = 0;
    shipment->slots[0].length = (uint32_t)length;
    shipment->count = 1;
    writer->bytes += length;
    dynamodb_list_add(&writer->ready, shipment);
}

void dynamodb_writer_place(struct writer *writer, enum shipment_kind kind, uint32_t table,
                           const struct slot *slot, const char *bytes, size_t length)
{
    if (dynamodb_key_set_has(&writer->keys, slot->key)) {
        hold(writer, kind, table, slot, bytes, length);
    } else if (kind == SHIPMENT_BATCH) {
        put_in_batch(writer, table, slot, bytes, length);
    } else {
        send_single(writer, kind, table, slot, bytes, length);
    }
}

/* What encode_put wrote behind `start` of the filling body stays there, if it may. */
void dynamodb_writer_keep(struct writer *writer, struct shipment *shipment, size_t start,
                          const struct slot *slot)
{
    struct buffer *body = &shipment->body;
    bool taken = dynamodb_key_set_has(&writer->keys, slot->key);
    if (!taken && (shipment->count == 0 || body->length <= SHIPMENT_BYTES_MAX)) {
        dynamodb_key_set_add(&writer->keys, slot->key);
        shipment->slots[shipment->count++] = *slot;
        return;
    }
    struct buffer moved = {0};
    buffer_append(&moved, body->data + slot->offset, slot->length);
    body->length = start;
    if (!taken) {
        dynamodb_writer_flush(writer, shipment->table);
    }
    dynamodb_writer_place(writer, SHIPMENT_BATCH, shipment->table, slot, moved.data, moved.length);
    buffer_free(&moved);
}

void dynamodb_writer_release_held(struct writer *writer)
{
    struct held **link = &writer->held;
    while (*link != NULL) {
        struct held *held = *link;
        if (dynamodb_key_set_has(&writer->keys, held->slot.key)) {
            link = &held->next;
            continue;
        }
        *link = held->next;
        if (held->next == NULL) {
            writer->held_last = link;
        }
        writer->bytes -= held->body.length;
        dynamodb_writer_place(writer, held->kind, held->table, &held->slot, held->body.data,
                              held->body.length);
        buffer_free(&held->body);
        free(held);
    }
}

/* ---------------------------------------------------------------- sending */

static const char *operation_of(enum shipment_kind kind)
{
    return kind == SHIPMENT_BATCH    ? "BatchWriteItem"
           : kind == SHIPMENT_PUT    ? "PutItem"
           : kind == SHIPMENT_UPDATE ? "UpdateItem"
                                     : "GetItem";
}

static bool is_wanted(const struct shipment *shipment)
{
    for (uint32_t at = 0; at < shipment->count; at++) {
        if (shipment->slots[at].waiting != NULL) {
            return true;
        }
    }
    return shipment->tried; /* it is sent again, so that a late one of it changes nothing */
}

/* `sent`: it is under way, also when this fails. */
static enum status send(struct writer *writer, struct shipment *shipment, bool *sent,
                        struct error *error)
{
    *sent = false;
    struct dynamodb_network *network = writer->network;
    const struct dynamodb_request request = {.operation = operation_of(shipment->kind),
                                             .object = writer->tables[shipment->table].name,
                                             .body = shipment->body.data,
                                             .body_length = shipment->body.length,
                                             .lease = &network->base,
                                             .context = shipment};
    if (failpoint_hit("dynamodb.before_send", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = dynamodb_client_submit(writer->client, &request, error);
    if (status != STATUS_OK) {
        return status;
    }
    dynamodb_list_add(&writer->under_way, shipment);
    *sent = true;
    return failpoint_hit("dynamodb.after_send", error);
}

/* Requests whose time has come go before new ones. */
static struct shipment *next_shipment(struct writer *writer, int64_t now_ms)
{
    for (struct shipment *shipment = writer->delayed.first; shipment != NULL;
         shipment = shipment->next) {
        if (shipment->next_ms <= now_ms) {
            unlink_shipment(&writer->delayed, shipment);
            return shipment;
        }
    }
    struct shipment *shipment = writer->ready.first;
    if (shipment != NULL) {
        unlink_shipment(&writer->ready, shipment);
    }
    return shipment;
}

static void flush_old(struct writer *writer, bool idle, int64_t now_ms)
{
    bool nothing_else = idle && writer->under_way.count == 0 && writer->ready.first == NULL;
    for (uint32_t at = 0; at < writer->table_count; at++) {
        const struct shipment *shipment = writer->filling[at];
        if (shipment != NULL && shipment->count > 0 &&
            (nothing_else || shipment->count == SHIPMENT_ITEMS_MAX ||
             now_ms - shipment->since_ms > FILLING_MS_MAX)) {
            dynamodb_writer_flush(writer, at);
        }
    }
}

static void put_back(struct writer *writer, struct shipment *shipment)
{
    shipment->next = writer->ready.first;
    writer->ready.first = shipment;
    writer->ready.count++;
    if (shipment->next == NULL) {
        writer->ready.last = &shipment->next;
    }
}

enum status dynamodb_writer_give_up(const struct writer *writer, int64_t now_ms,
                                    struct error *error)
{
    error_context(error, "nothing was written for %" PRId64 " s: ",
                  (now_ms - writer->failing_since_ms) / 1000);
    error->class = ERROR_CLASS_STOP;
    return STATUS_FAILED;
}

static enum status begin_failing(struct writer *writer, int64_t now_ms, struct error *error)
{
    if (error->code == ERROR_LEASE_SHORT && writer->under_way.count > 0) {
        return STATUS_OK; /* what is under way is waited for first */
    }
    if (error->class != ERROR_CLASS_RETRY || error->code == ERROR_LEASE_SHORT) {
        return STATUS_FAILED;
    }
    if (writer->failing_since_ms == 0) {
        writer->failing_since_ms = now_ms;
    }
    return now_ms - writer->failing_since_ms > 4 * writer->network->timeout_ms
               ? dynamodb_writer_give_up(writer, now_ms, error)
               : STATUS_OK;
}

/* A guess at what it takes: a unit for each begun KiB of a record, as it is encoded. */
static bool reserve_units(struct writer *writer, struct shipment *shipment, int64_t now_ms)
{
    struct dynamodb_network *network = writer->network;
    int64_t guess = 0;
    if (network->write_units == 0 || shipment->kind == SHIPMENT_LOOK) {
        return true;
    }
    for (uint32_t at = 0; at < shipment->count; at++) {
        guess += (int64_t)((shipment->slots[at].length + UNIT_BYTES - 1) / UNIT_BYTES) * 1000;
    }
    if (dynamodb_capacity_reserve(&network->write_capacity, now_ms, guess) > 0) {
        return false;
    }
    shipment->reserved = guess;
    return true;
}

enum status dynamodb_writer_pump(struct writer *writer, bool idle, struct error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    dynamodb_writer_release_held(writer);
    flush_old(writer, idle, now_ms);
    while (writer->under_way.count < (uint32_t)writer->window) {
        struct shipment *shipment = next_shipment(writer, now_ms);
        if (shipment == NULL) {
            return STATUS_OK;
        }
        if (!is_wanted(shipment)) {
            dynamodb_shipment_free(writer, shipment);
            continue;
        }
        if (!reserve_units(writer, shipment, now_ms)) {
            put_back(writer, shipment);
            return STATUS_OK;
        }
        bool sent = false;
        enum status status = send(writer, shipment, &sent, error);
        if (status != STATUS_OK) {
            if (!sent) {
                put_back(writer, shipment);
            }
            return status == STATUS_AGAIN ? STATUS_OK : begin_failing(writer, now_ms, error);
        }
    }
    return STATUS_OK;
}

/* How long nothing can be done but wait. */
static int64_t wait_ms(struct writer *writer, int64_t most_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait = most_ms;
    int64_t capped = dynamodb_capacity_wait_ms(&writer->network->write_capacity, now_ms);
    if (capped > 0) {
        return capped < wait ? capped : wait;
    }
    for (const struct shipment *shipment = writer->delayed.first; shipment != NULL;
         shipment = shipment->next) {
        int64_t left = shipment->next_ms > now_ms ? shipment->next_ms - now_ms : 1;
        wait = left < wait ? left : wait;
    }
    return wait;
}

enum status dynamodb_writer_receive(struct writer *writer, int64_t timeout_ms, struct error *error)
{
    struct service_reply *response = NULL;
    int64_t wait = wait_ms(writer, timeout_ms);
    if (writer->under_way.count == 0) {
        if (wait > 0) {
            clock_sleep_ms(wait);
        }
        return STATUS_AGAIN;
    }
    enum status status = dynamodb_client_poll(writer->client, wait, &response, error);
    bool any = status == STATUS_OK;
    while (status == STATUS_OK) {
        struct shipment *shipment = (struct shipment *)response->context;
        unlink_shipment(&writer->under_way, shipment);
        status = dynamodb_writer_answer(writer, shipment, response, error);
        service_reply_destroy(response);
        if (status == STATUS_OK) {
            status = dynamodb_client_poll(writer->client, 0, &response, error);
        }
    }
    return status == STATUS_FAILED ? status : any ? STATUS_OK : STATUS_AGAIN;
}
