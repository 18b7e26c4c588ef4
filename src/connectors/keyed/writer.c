/* Writing chunks: batches taken in, results put out, keys kept after the last acknowledgement. */
#include "connectors/keyed/keyed_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include <inttypes.h>
#include <stdlib.h>

enum { WINDOW_FIRST = 8, READY_MORE = 64, SLICE_MS = 50 };

/* ---------------------------------------------------------------- open and close */

static uint32_t most_records(const struct keyed_service *service)
{
    uint32_t most = 1;
    for (int kind = 0; kind < KEYED_KINDS; kind++) {
        most = service->records_max[kind] > most ? service->records_max[kind] : most;
    }
    return most;
}

enum status keyed_writer_open(struct database *self, const struct target_table *tables,
                              uint32_t table_count, uint64_t epoch, struct writer **writer,
                              struct error *error)
{
    struct keyed_room *room = keyed_room_of(self);
    const struct keyed_service *service = room->service;
    for (uint32_t at = 0; at < table_count; at++) {
        if (tables[at].key.count > KEYED_KEY_COLUMNS_MAX) {
            return error_set(error, ERROR_TARGET_SCHEMA, tables[at].name,
                             "its key has more than %d columns", KEYED_KEY_COLUMNS_MAX);
        }
    }
    struct writer *made = memory_allocate_zeroed(1, sizeof(*made));
    *writer = NULL;
    made->filling = memory_allocate_zeroed((size_t)table_count + 1, sizeof(struct keyed_request *));
    made->database = self;
    made->room = room;
    made->service = service;
    made->tables = tables;
    made->table_count = table_count;
    made->epoch = epoch;
    made->slots_max = most_records(service);
    made->results_last = &made->results;
    made->ready.last = &made->ready.first;
    made->delayed.last = &made->delayed.first;
    made->under_way.last = &made->under_way.first;
    made->held_last = &made->held;
    made->window = room->in_flight_max < WINDOW_FIRST ? room->in_flight_max : WINDOW_FIRST;
    made->slow_start_until = room->in_flight_max;
    if (service->connect(self, tables, table_count, room->in_flight_max, &made->connection,
                         error) != STATUS_OK) {
        keyed_writer_close(made);
        return STATUS_FAILED;
    }
    *writer = made;
    return STATUS_OK;
}

static void free_list(struct writer *writer, struct keyed_list *list)
{
    while (list->first != NULL) {
        struct keyed_request *next = list->first->next;
        keyed_request_free(writer, list->first);
        list->first = next;
    }
    list->last = &list->first;
    list->count = 0;
}

static void free_waiting(struct keyed_waiting *waiting)
{
    batch_destroy(waiting->result.batch);
    arena_destroy(waiting->result.arena);
    free(waiting);
}

static void free_chunk(struct writer_chunk *chunk)
{
    keyed_spill_free(chunk->spill);
    free(chunk->ordinals);
    free(chunk);
}

static void free_held(struct held *held)
{
    buffer_free(&held->bytes);
    free(held);
}

static void free_requests(struct writer *writer)
{
    for (uint32_t at = 0; at < writer->table_count; at++) {
        if (writer->filling[at] != NULL) {
            keyed_request_free(writer, writer->filling[at]);
        }
    }
    free_list(writer, &writer->ready);
    free_list(writer, &writer->delayed);
    free_list(writer, &writer->under_way);
    while (writer->spare != NULL) {
        struct keyed_request *next = writer->spare->next;
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

void keyed_writer_close(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    keyed_free_encodings(writer);
    writer->service->disconnect(writer->connection);
    if (writer->store != NULL) {
        writer->room->home->connector->store->close(writer->store);
    }
    free_requests(writer);
    while (writer->waiting != NULL) {
        struct keyed_waiting *next = writer->waiting->next;
        free_waiting(writer->waiting);
        writer->waiting = next;
    }
    while (writer->results != NULL) {
        struct keyed_waiting *next = writer->results->next;
        free_waiting(writer->results);
        writer->results = next;
    }
    while (writer->chunks != NULL) {
        struct writer_chunk *next = writer->chunks->next;
        free_chunk(writer->chunks);
        writer->chunks = next;
    }
    keyed_set_free(&writer->keys);
    buffer_free(&writer->scratch);
    buffer_free(&writer->place);
    buffer_free(&writer->claims);
    free(writer->filling);
    free(writer);
}

/* ---------------------------------------------------------------- results */

void keyed_note_outcome(struct batch_result *result, uint32_t row, enum outcome_kind kind,
                        enum error_code code, const char *reason)
{
    if (result->arena == NULL) {
        result->arena = arena_create(0);
        result->outcomes = arena_allocate_zeroed(result->arena, result->batch->row_count,
                                                 sizeof(*result->outcomes));
    }
    struct record_outcome *outcomes = (struct record_outcome *)(uintptr_t)result->outcomes;
    const char *text = arena_copy_string(result->arena, reason);
    outcomes[result->outcome_count++] =
        (struct record_outcome){.row = row, .kind = kind, .code = code, .reason = text};
}

void keyed_note_refused(struct keyed_waiting *waiting, uint32_t row, enum outcome_kind kind,
                        enum error_code code, const char *reason)
{
    keyed_note_outcome(&waiting->result, row, kind, code, reason);
}

void keyed_record_ended(struct writer *writer, struct keyed_waiting *waiting)
{
    if (--waiting->remaining > 0) {
        return;
    }
    struct keyed_waiting **link = &writer->waiting;
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

struct writer_chunk *keyed_find_chunk(struct writer *writer, uint64_t number)
{
    struct writer_chunk *chunk = writer->chunks;
    while (chunk != NULL && chunk->number != number) {
        chunk = chunk->next;
    }
    return chunk;
}

struct database *keyed_writer_database(const struct writer *writer)
{
    return writer->database;
}

const struct target_table *keyed_writer_table(const struct writer *writer, uint32_t table)
{
    return &writer->tables[table];
}

enum status keyed_chunk_begin(struct writer *writer, uint64_t number, uint32_t attempt,
                              struct error *error)
{
    if (keyed_check_claim(writer->database, writer->room, writer->epoch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (keyed_find_chunk(writer, number) != NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "chunk %" PRIu64 " is open already", number);
    }
    struct writer_chunk *chunk = memory_allocate_zeroed(1, sizeof(*chunk));
    chunk->number = number;
    chunk->attempt = attempt;
    chunk->repeated = attempt > 1 || writer->epoch > 1;
    chunk->next = writer->chunks;
    writer->chunks = chunk;
    return keyed_hit(writer->room, KEYED_POINT_CHUNK_BEGIN, error);
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
    struct ordinal_count *grown =
        memory_resize(chunk->ordinals, (size_t)chunk->ordinal_rows + 1, sizeof(*grown));
    chunk->ordinals = grown;
    grown[chunk->ordinal_rows++] = (struct ordinal_count){table, batch->entity, batch->row_count};
    return 0;
}

/* ---------------------------------------------------------------- submit and poll */

static enum status take_batch(struct writer *writer, struct writer_chunk *chunk, uint32_t table,
                              struct batch *batch, struct error *error)
{
    struct keyed_waiting *waiting = memory_allocate_zeroed(1, sizeof(*waiting));
    waiting->result.chunk = chunk->number;
    waiting->result.table = table;
    waiting->result.batch = batch;
    waiting->remaining = batch->row_count + 1; /* the last one is taken off below */
    waiting->bytes = batch_bytes(batch);
    waiting->next = writer->waiting;
    writer->waiting = waiting;
    writer->bytes += waiting->bytes;
    waiting->first_ordinal = count_ordinals(chunk, table, batch);
    if (keyed_encode_batch(writer, waiting, chunk, error) != STATUS_OK) {
        return STATUS_FAILED; /* chunk_abandon frees the batch */
    }
    keyed_record_ended(writer, waiting);
    return STATUS_OK;
}

/* Small records need no long queue: what waits in it only makes the caches cold. */
static bool has_room(const struct writer *writer)
{
    return writer->bytes <= KEYED_BYTES_MAX &&
           writer->ready.count <= (uint32_t)writer->window + READY_MORE;
}

enum status keyed_submit(struct writer *writer, uint64_t number, uint32_t table,
                         struct batch *batch, struct error *error)
{
    struct writer_chunk *chunk = keyed_find_chunk(writer, number);
    if (chunk == NULL || table >= writer->table_count) {
        batch_destroy(batch);
        return error_set(error, ERROR_INTERNAL, NULL, "no such open chunk or table");
    }
    writer->refused = !has_room(writer);
    if (writer->refused) {
        return STATUS_AGAIN;
    }
    /* before new ones of their keys, which would overtake them */
    keyed_release_held(writer);
    enum status status = take_batch(writer, chunk, table, batch, error);
    return status == STATUS_OK ? keyed_pump(writer, false, error) : status;
}

static bool take_result(struct writer *writer, struct batch_result *result)
{
    struct keyed_waiting *waiting = writer->results;
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

/* Only a repair's batches are read back. */
static enum status writer_prove(struct writer *writer, struct batch_result *result,
                                struct error *error)
{
    if (!writer->database->repairs || writer->service->prove == NULL || result->written == 0) {
        return STATUS_OK;
    }
    enum status status =
        writer->service->prove(writer->database, &writer->tables[result->table], result, error);
    if (status != STATUS_OK) {
        batch_destroy(result->batch);
        arena_destroy(result->arena);
        *result = (struct batch_result){0};
    }
    return status;
}

enum status keyed_poll(struct writer *writer, int64_t timeout_ms, struct batch_result *result,
                       struct error *error)
{
    int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    for (bool first = true;; first = false) {
        if (take_result(writer, result)) {
            return writer_prove(writer, result, error);
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
        if (keyed_pump(writer, timeout_ms > 0, error) != STATUS_OK ||
            keyed_receive(writer,
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
    struct database *home = writer->room->home;
    if (chunk->spill == NULL && !(chunk->repeated && settles(writer))) {
        return STATUS_OK;
    }
    if (writer->store == NULL &&
        home->connector->store->open(home, &writer->store, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return keyed_spill_store(chunk->spill, home->connector->store, writer->store,
                             writer->room->run_id, chunk->number, error);
}

/* Everything was acknowledged. The mark that follows needs the lease as well. */
enum status keyed_commit(struct writer *writer, uint64_t number, const struct done_mark *mark,
                         struct error *error)
{
    const struct writer_chunk *chunk = keyed_find_chunk(writer, number);
    (void)mark;
    if (chunk == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "no such open chunk");
    }
    if (keyed_check_claim(writer->database, writer->room, writer->epoch, error) != STATUS_OK ||
        keyed_hit(writer->room, KEYED_POINT_BEFORE_KEYS, error) != STATUS_OK ||
        keep_keys(writer, chunk, error) != STATUS_OK ||
        lease_wait(writer->database, writer->room->timeout_ms, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    end_chunk(writer, number);
    return STATUS_OK;
}

static void forget_slots(struct keyed_request *request, uint64_t chunk)
{
    for (; request != NULL; request = request->next) {
        for (uint32_t at = 0; at < request->count; at++) {
            struct keyed_slot *slot = &request->slots[at];
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
        writer->bytes -= held->bytes.length;
        free_held(held);
    }
    writer->held_last = link;
}

static struct keyed_waiting **forget_waiting(struct writer *writer, struct keyed_waiting **link,
                                             uint64_t chunk)
{
    while (*link != NULL) {
        struct keyed_waiting *waiting = *link;
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

/* A request that was sent stays on its way: its keys stay taken until it is answered, so that it
 * can't overtake what repeats it. */
void keyed_chunk_abandon(struct writer *writer, uint64_t number)
{
    writer->keeps_order = true;
    if (writer->service->abandoned != NULL) {
        writer->service->abandoned(writer->connection);
    }
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
