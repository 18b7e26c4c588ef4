/* Writing chunks: batches taken in, results put out, keys kept after the last acknowledgement. */
#include "connectors/dynamodb/network_writer.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/dynamodb/network_json.h"
#include "connectors/lease.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW_FIRST = 8, SLICE_MS = 50 };

/* ---------------------------------------------------------------- open and close */

enum status dynamodb_network_writer_open(struct database *self, const struct target_table *tables,
                                         uint32_t table_count, uint64_t epoch,
                                         struct writer **writer, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct writer *made = (struct writer *)memory_allocate_zeroed(1, sizeof(*made));
    *writer = NULL;
    made->filling = (struct shipment **)memory_allocate_zeroed((size_t)table_count + 1,
                                                               sizeof(struct shipment *));
    made->network = network;
    made->tables = tables;
    made->table_count = table_count;
    made->epoch = epoch;
    made->results_last = &made->results;
    made->ready.last = &made->ready.first;
    made->delayed.last = &made->delayed.first;
    made->under_way.last = &made->under_way.first;
    made->held_last = &made->held;
    made->window = network->connections < WINDOW_FIRST ? network->connections : WINDOW_FIRST;
    made->slow_start_until = network->connections;
    if (dynamodb_client_create(network->service, network->connections, &made->client, error) !=
        STATUS_OK) {
        dynamodb_network_writer_close(made);
        return STATUS_FAILED;
    }
    *writer = made;
    return STATUS_OK;
}

static void free_list(struct writer *writer, struct shipment_list *list)
{
    while (list->first != NULL) {
        struct shipment *next = list->first->next;
        dynamodb_shipment_free(writer, list->first);
        list->first = next;
    }
    list->last = &list->first;
    list->count = 0;
}

static void free_waiting(struct waiting *waiting)
{
    batch_destroy(waiting->result.batch);
    arena_destroy(waiting->result.arena);
    free(waiting);
}

static void free_chunk(struct writer_chunk *chunk)
{
    dynamodb_spill_free(chunk->spill);
    free(chunk->ordinals);
    free(chunk);
}

static void free_held(struct held *held)
{
    buffer_free(&held->body);
    free(held);
}

static void free_requests(struct writer *writer)
{
    for (uint32_t at = 0; at < writer->table_count; at++) {
        if (writer->filling[at] != NULL) {
            dynamodb_shipment_free(writer, writer->filling[at]);
        }
    }
    free_list(writer, &writer->ready);
    free_list(writer, &writer->delayed);
    free_list(writer, &writer->under_way);
    while (writer->spare != NULL) {
        struct shipment *next = writer->spare->next;
        buffer_free(&writer->spare->body);
        free(writer->spare);
        writer->spare = next;
    }
    while (writer->held != NULL) {
        struct held *next = writer->held->next;
        free_held(writer->held);
        writer->held = next;
    }
}

void dynamodb_network_writer_close(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    dynamodb_client_destroy(writer->client);
    dynamodb_network_store.close(writer->store);
    free_requests(writer);
    while (writer->waiting != NULL) {
        struct waiting *next = writer->waiting->next;
        free_waiting(writer->waiting);
        writer->waiting = next;
    }
    while (writer->results != NULL) {
        struct waiting *next = writer->results->next;
        free_waiting(writer->results);
        writer->results = next;
    }
    while (writer->chunks != NULL) {
        struct writer_chunk *next = writer->chunks->next;
        free_chunk(writer->chunks);
        writer->chunks = next;
    }
    dynamodb_writer_free_encodings(writer);
    dynamodb_key_set_free(&writer->keys);
    buffer_free(&writer->scratch);
    free(writer->filling);
    free(writer);
}

/* ---------------------------------------------------------------- results */

void dynamodb_writer_refuse(struct waiting *waiting, uint32_t row, enum outcome_kind kind,
                            enum error_code code, const char *reason)
{
    struct batch_result *result = &waiting->result;
    if (result->arena == NULL) {
        result->arena = arena_create(0);
        result->outcomes = (const struct record_outcome *)arena_allocate_zeroed(
            result->arena, result->batch->row_count, sizeof(*result->outcomes));
    }
    struct record_outcome *outcomes = (struct record_outcome *)(uintptr_t)result->outcomes;
    const char *text = arena_copy_string(result->arena, reason);
    outcomes[result->outcome_count++] =
        (struct record_outcome){.row = row, .kind = kind, .code = code, .reason = text};
}

void dynamodb_writer_settled(struct writer *writer, struct waiting *waiting)
{
    if (--waiting->remaining > 0) {
        return;
    }
    struct waiting **link = &writer->waiting;
    while (*link != waiting) {
        link = &(*link)->next;
    }
    *link = waiting->next;
    waiting->next = NULL;
    writer->bytes -= waiting->bytes;
    *writer->results_last = waiting;
    writer->results_last = &waiting->next;
}

/* ---------------------------------------------------------------- chunks */

struct writer_chunk *dynamodb_writer_chunk(struct writer *writer, uint64_t number)
{
    struct writer_chunk *chunk = writer->chunks;
    while (chunk != NULL && chunk->number != number) {
        chunk = chunk->next;
    }
    return chunk;
}

enum status dynamodb_network_chunk_begin(struct writer *writer, uint64_t number, uint32_t attempt,
                                         struct error *error)
{
    if (dynamodb_check_claim(writer->network, writer->epoch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (dynamodb_writer_chunk(writer, number) != NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "chunk %" PRIu64 " is open already", number);
    }
    struct writer_chunk *chunk = (struct writer_chunk *)memory_allocate_zeroed(1, sizeof(*chunk));
    chunk->number = number;
    chunk->repeated = attempt > 1 || writer->epoch > 1;
    chunk->next = writer->chunks;
    writer->chunks = chunk;
    return failpoint_hit("dynamodb.chunk_begin", error);
}

static void end_chunk(struct writer *writer, uint64_t number)
{
    struct writer_chunk **link = &writer->chunks;
    while (*link != NULL && (*link)->number != number) {
        link = &(*link)->next;
    }
    struct writer_chunk *chunk = *link;
    if (chunk != NULL) {
        *link = chunk->next;
        free_chunk(chunk);
    }
}

/* The number of the batch's first record among its entity's of the chunk. */
static uint64_t count_ordinals(struct writer_chunk *chunk, uint32_t table,
                               const struct batch *batch)
{
    for (uint32_t at = 0; at < chunk->ordinal_rows; at++) {
        struct ordinal_count *row = &chunk->ordinals[at];
        if (row->table == table && row->entity == batch->entity) {
            uint64_t first = row->next;
            row->next += batch->row_count;
            return first;
        }
    }
    struct ordinal_count *grown = (struct ordinal_count *)memory_resize(
        chunk->ordinals, (size_t)chunk->ordinal_rows + 1, sizeof(*grown));
    chunk->ordinals = grown;
    grown[chunk->ordinal_rows++] = (struct ordinal_count){table, batch->entity, batch->row_count};
    return 0;
}

/* ---------------------------------------------------------------- submit and poll */

static enum status take_batch(struct writer *writer, struct writer_chunk *chunk, uint32_t table,
                              struct batch *batch, struct error *error)
{
    struct waiting *waiting = (struct waiting *)memory_allocate_zeroed(1, sizeof(*waiting));
    waiting->result.chunk = chunk->number;
    waiting->result.table = table;
    waiting->result.batch = batch;
    waiting->remaining = batch->row_count + 1; /* the last one is taken off below */
    waiting->bytes = batch_bytes(batch);
    waiting->next = writer->waiting;
    writer->waiting = waiting;
    writer->bytes += waiting->bytes;
    waiting->first_ordinal = count_ordinals(chunk, table, batch);
    if (dynamodb_writer_encode(writer, waiting, chunk, error) != STATUS_OK) {
        return STATUS_FAILED; /* chunk_abandon frees the batch */
    }
    dynamodb_writer_settled(writer, waiting);
    return STATUS_OK;
}

/* Small records need no long queue: what waits in it only makes the caches cold. */
static bool has_room(const struct writer *writer)
{
    return writer->bytes <= WRITER_BYTES_MAX && writer->ready.count <= (uint32_t)writer->window;
}

enum status dynamodb_network_submit(struct writer *writer, uint64_t number, uint32_t table,
                                    struct batch *batch, struct error *error)
{
    struct writer_chunk *chunk = dynamodb_writer_chunk(writer, number);
    if (chunk == NULL || table >= writer->table_count) {
        batch_destroy(batch);
        return error_set(error, ERROR_INTERNAL, NULL, "no such open chunk or table");
    }
    writer->refused = !has_room(writer);
    if (writer->refused) {
        return STATUS_AGAIN;
    }
    /* before new ones of their keys, which would overtake them */
    dynamodb_writer_release_held(writer);
    enum status status = take_batch(writer, chunk, table, batch, error);
    return status == STATUS_OK ? dynamodb_writer_pump(writer, false, error) : status;
}

static bool take_result(struct writer *writer, struct batch_result *result)
{
    struct waiting *waiting = writer->results;
    if (waiting == NULL) {
        return false;
    }
    writer->results = waiting->next;
    if (writer->results == NULL) {
        writer->results_last = &writer->results;
    }
    *result = waiting->result;
    free(waiting);
    return true;
}

enum status dynamodb_network_poll(struct writer *writer, int64_t timeout_ms,
                                  struct batch_result *result, struct error *error)
{
    int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    for (bool first = true;; first = false) {
        if (take_result(writer, result)) {
            return STATUS_OK;
        }
        /* what an abandoned chunk left on its way takes room, though nobody waits for it */
        if (writer->waiting == NULL && (!writer->refused || has_room(writer))) {
            return STATUS_END;
        }
        int64_t left = end_ms - clock_monotonic_ms();
        if ((left <= 0 || (writer->refused && has_room(writer))) && !first) {
            writer->refused = false;
            return STATUS_AGAIN;
        }
        if (dynamodb_writer_pump(writer, timeout_ms > 0, error) != STATUS_OK ||
            dynamodb_writer_receive(writer,
                                    left < 0          ? 0
                                    : left < SLICE_MS ? left
                                                      : SLICE_MS,
                                    error) == STATUS_FAILED) {
            return STATUS_FAILED;
        }
    }
}

/* ---------------------------------------------------------------- commit and abandon */

static bool settles(const struct writer *writer)
{
    bool any = false;
    for (uint32_t at = 0; at < writer->table_count; at++) {
        any = any || writer->tables[at].settles;
    }
    return any;
}

static enum status keep_keys(struct writer *writer, const struct writer_chunk *chunk,
                             struct error *error)
{
    struct database *self = &writer->network->base;
    if (chunk->spill == NULL && !(chunk->repeated && settles(writer))) {
        return STATUS_OK;
    }
    if (writer->store == NULL &&
        dynamodb_network_store.open(self, &writer->store, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return dynamodb_spill_store(chunk->spill, &dynamodb_network_store, writer->store,
                                writer->network->run->id, chunk->number, error);
}

/* Everything was acknowledged. The mark that follows needs the lease as well. */
enum status dynamodb_network_commit(struct writer *writer, uint64_t number,
                                    const struct done_mark *mark, struct error *error)
{
    const struct writer_chunk *chunk = dynamodb_writer_chunk(writer, number);
    (void)mark;
    if (chunk == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "no such open chunk");
    }
    if (dynamodb_check_claim(writer->network, writer->epoch, error) != STATUS_OK ||
        failpoint_hit("dynamodb.before_keys", error) != STATUS_OK ||
        keep_keys(writer, chunk, error) != STATUS_OK ||
        lease_wait(&writer->network->base, writer->network->timeout_ms, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    end_chunk(writer, number);
    return STATUS_OK;
}

static void forget_slots(struct shipment *shipment, uint64_t chunk)
{
    for (; shipment != NULL; shipment = shipment->next) {
        for (uint32_t at = 0; at < shipment->count; at++) {
            struct slot *slot = &shipment->slots[at];
            if (slot->waiting != NULL && slot->waiting->result.chunk == chunk) {
                slot->waiting = NULL;
            }
        }
    }
}

static void forget_held(struct writer *writer, uint64_t chunk)
{
    struct held **link = &writer->held;
    while (*link != NULL) {
        struct held *held = *link;
        if (held->slot.waiting->result.chunk != chunk) {
            link = &held->next;
            continue;
        }
        *link = held->next;
        writer->bytes -= held->body.length;
        free_held(held);
    }
    writer->held_last = link;
}

static struct waiting **forget_waiting(struct writer *writer, struct waiting **link, uint64_t chunk)
{
    while (*link != NULL) {
        struct waiting *waiting = *link;
        if (waiting->result.chunk != chunk) {
            link = &waiting->next;
            continue;
        }
        *link = waiting->next;
        writer->bytes -= waiting->remaining > 0 ? waiting->bytes : 0;
        free_waiting(waiting);
    }
    return link;
}

/* What was sent stays on its way: its keys stay taken until it is answered, so that it can't
 * overtake what repeats it. */
void dynamodb_network_chunk_abandon(struct writer *writer, uint64_t number)
{
    writer->keeps_order = true;
    for (uint32_t at = 0; at < writer->table_count; at++) {
        forget_slots(writer->filling[at], number);
    }
    forget_slots(writer->ready.first, number);
    forget_slots(writer->delayed.first, number);
    forget_slots(writer->under_way.first, number);
    forget_held(writer, number);
    (void)forget_waiting(writer, &writer->waiting, number);
    writer->results_last = forget_waiting(writer, &writer->results, number);
    end_chunk(writer, number);
}
