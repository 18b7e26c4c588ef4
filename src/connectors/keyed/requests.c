/* Requests on their way: filled, sent when the window, the lease and the caps allow, held back. */
#include "connectors/keyed/keyed_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include <inttypes.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- requests */

struct keyed_request *keyed_request_new(struct writer *writer, enum keyed_kind kind, uint32_t table)
{
    struct keyed_request *request = writer->spare;
    struct buffer body = {0};
    if (request != NULL) {
        writer->spare = request->next;
        writer->spare_count--;
        body = request->body;
        buffer_clear(&body);
    } else {
        request = memory_allocate(sizeof(*request) + writer->slots_max * sizeof(*request->slots));
    }
    *request = (struct keyed_request){.kind = kind,
                                      .table = table,
                                      .body = body,
                                      .writer = writer,
                                      .since_ms = clock_monotonic_ms()};
    return request;
}

/* Its keys are free again. */
void keyed_request_free(struct writer *writer, struct keyed_request *request)
{
    for (uint32_t at = 0; at < request->count; at++) {
        keyed_set_remove(&writer->keys, request->slots[at].key);
    }
    writer->bytes -= request->body.length < writer->bytes ? request->body.length : writer->bytes;
    if (writer->spare_count < WRITER_SPARE_BUFFERS &&
        request->body.capacity <= WRITER_SPARE_BYTES_MAX) {
        request->next = writer->spare;
        writer->spare = request;
        writer->spare_count++;
        return;
    }
    buffer_free(&request->body);
    free(request);
}

void keyed_list_add(struct keyed_list *list, struct keyed_request *request)
{
    request->next = NULL;
    *list->last = request;
    list->last = &request->next;
    list->count++;
}

static void unlink_request(struct keyed_list *list, struct keyed_request *request)
{
    struct keyed_request **link = &list->first;
    while (*link != request) {
        link = &(*link)->next;
    }
    *link = request->next;
    if (request->next == NULL) {
        list->last = link;
    }
    request->next = NULL;
    list->count--;
}

void keyed_body_begin(struct writer *writer, struct keyed_request *request)
{
    if (writer->service->begin != NULL) {
        writer->service->begin(writer->connection, request->kind, request->table, &request->body);
    }
}

void keyed_body_end(struct writer *writer, struct keyed_request *request)
{
    if (writer->service->end != NULL) {
        writer->service->end(writer->connection, request->kind, request->table, &request->body);
    }
}

static struct keyed_request *begin_request(struct writer *writer, enum keyed_kind kind,
                                           uint32_t table)
{
    struct keyed_request *request = keyed_request_new(writer, kind, table);
    keyed_body_begin(writer, request);
    return request;
}

static void end_request(struct writer *writer, struct keyed_request *request)
{
    keyed_body_end(writer, request);
    writer->bytes += request->body.length;
    keyed_list_add(&writer->ready, request);
}

static void requests_flush(struct writer *writer, uint32_t table)
{
    struct keyed_request *request = writer->filling[table];
    if (request != NULL && request->count > 0) {
        writer->filling[table] = NULL;
        end_request(writer, request);
    }
}

static enum keyed_kind kind_of(const struct writer *writer, uint32_t table)
{
    const struct keyed_service *service = writer->service;
    if (writer->kinds != NULL) {
        return writer->kinds[table];
    }
    return service->inserts_only != NULL && service->inserts_only(writer->connection, table)
               ? KEYED_INSERT
               : keyed_kind_of(&writer->tables[table]);
}

struct keyed_request *keyed_filling(struct writer *writer, uint32_t table)
{
    struct keyed_request *request = writer->filling[table];
    if (request != NULL && request->count == writer->service->records_max[request->kind]) {
        requests_flush(writer, table);
        request = NULL;
    }
    if (request == NULL) {
        request = begin_request(writer, kind_of(writer, table), table);
        writer->filling[table] = request;
    }
    return request;
}

static uint64_t group_of(const struct writer *writer, const char *bytes, size_t length)
{
    return writer->service->group != NULL ? writer->service->group(bytes, length) : 0;
}

/* May a record of that group, which makes the body so long, go along with what is in it? */
static bool goes_along(const struct keyed_request *request, uint64_t group, size_t body_length)
{
    return request->count == 0 ||
           (request->group == group && body_length <= request->writer->service->request_bytes_max);
}

static void add_record(struct keyed_request *request, const struct keyed_slot *slot,
                       const char *bytes)
{
    struct writer *writer = request->writer;
    struct keyed_slot *made = &request->slots[request->count];
    if (request->count > 0 && writer->service->separator != '\0') {
        buffer_append_byte(&request->body, writer->service->separator);
    }
    *made = *slot;
    made->offset = (uint32_t)request->body.length;
    request->group = group_of(writer, bytes, slot->length);
    buffer_append(&request->body, bytes, slot->length);
    keyed_set_add(&writer->keys, slot->key);
    request->count++;
}

struct keyed_request *keyed_request_cut(const struct keyed_request *from, const bool *chosen,
                                        enum keyed_kind kind)
{
    struct writer *writer = from->writer;
    struct keyed_request *request = keyed_request_new(writer, kind, from->table);
    keyed_body_begin(writer, request);
    for (uint32_t at = 0; at < from->count; at++) {
        if (chosen[at]) {
            add_record(request, &from->slots[at], from->body.data + from->slots[at].offset);
        }
    }
    keyed_body_end(writer, request);
    writer->bytes += request->body.length;
    request->failures = from->failures;
    request->tried = from->tried;
    return request;
}

/* ---------------------------------------------------------------- placing records */

static void requests_hold(struct writer *writer, uint32_t table, const struct keyed_slot *slot,
                          const char *bytes)
{
    struct held *held = memory_allocate_zeroed(1, sizeof(*held));
    held->table = table;
    held->slot = *slot;
    buffer_append(&held->bytes, bytes, slot->length);
    *writer->held_last = held;
    writer->held_last = &held->next;
    writer->bytes += slot->length;
}

/* Into the table's request, or held while its key is taken. */
static void requests_place(struct writer *writer, uint32_t table, const struct keyed_slot *slot,
                           const char *bytes)
{
    if (keyed_set_has(&writer->keys, slot->key)) {
        requests_hold(writer, table, slot, bytes);
        return;
    }
    struct keyed_request *request = keyed_filling(writer, table);
    if (!goes_along(request, group_of(writer, bytes, slot->length),
                    request->body.length + slot->length)) {
        requests_flush(writer, table);
        request = keyed_filling(writer, table);
    }
    add_record(request, slot, bytes);
}

/* A record that was encoded behind `start` of the filling body stays there, if it may. */
void keyed_keep(struct keyed_request *request, size_t start, const struct keyed_slot *slot)
{
    struct writer *writer = request->writer;
    struct buffer *body = &request->body;
    bool taken = keyed_set_has(&writer->keys, slot->key);
    uint64_t group = group_of(writer, body->data + slot->offset, slot->length);
    if (!taken && goes_along(request, group, body->length)) {
        keyed_set_add(&writer->keys, slot->key);
        request->group = group;
        request->slots[request->count++] = *slot;
        return;
    }
    struct buffer moved = {0};
    buffer_append(&moved, body->data + slot->offset, slot->length);
    body->length = start;
    if (!taken) {
        requests_flush(writer, request->table);
    }
    requests_place(writer, request->table, slot, moved.data);
    buffer_free(&moved);
}

void keyed_release_held(struct writer *writer)
{
    struct held **link = &writer->held;
    while (*link != NULL) {
        struct held *held = *link;
        if (keyed_set_has(&writer->keys, held->slot.key)) {
            link = &held->next;
            continue;
        }
        *link = held->next;
        if (held->next == NULL) {
            writer->held_last = link;
        }
        writer->bytes -= held->bytes.length;
        requests_place(writer, held->table, &held->slot, held->bytes.data);
        buffer_free(&held->bytes);
        free(held);
    }
}

/* ---------------------------------------------------------------- sending */

static bool is_wanted(const struct keyed_request *request)
{
    for (uint32_t at = 0; at < request->count; at++) {
        if (request->slots[at].waiting != NULL) {
            return true;
        }
    }
    /* what may have been done is sent again, so that a late one of it changes nothing */
    return request->tried && request->writer->service->guard == KEYED_GUARD_NONE;
}

/* `sent`: it is under way, also when this fails. */
static enum status requests_send(struct writer *writer, struct keyed_request *request, bool *sent,
                                 struct error *error)
{
    const struct keyed_room *room = writer->room;
    *sent = false;
    enum status status = keyed_hit(room, KEYED_POINT_BEFORE_SEND, error);
    if (status == STATUS_OK) {
        status = writer->under_way.count == 0
                     ? lease_wait(writer->database, room->timeout_ms, error)
                     : lease_check(writer->database, room->timeout_ms, error);
    }
    if (status == STATUS_OK) {
        status = writer->service->send(writer->connection, request, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    keyed_list_add(&writer->under_way, request);
    *sent = true;
    return keyed_hit(room, KEYED_POINT_AFTER_SEND, error);
}

/* Requests whose time has come go before new ones. */
static struct keyed_request *next_request(struct writer *writer, int64_t now_ms)
{
    for (struct keyed_request *request = writer->delayed.first; request != NULL;
         request = request->next) {
        if (request->next_ms <= now_ms) {
            unlink_request(&writer->delayed, request);
            return request;
        }
    }
    struct keyed_request *request = writer->ready.first;
    if (request != NULL) {
        unlink_request(&writer->ready, request);
    }
    return request;
}

static void flush_old(struct writer *writer, bool idle, int64_t now_ms)
{
    bool nothing_else = idle && writer->under_way.count == 0 && writer->ready.first == NULL;
    for (uint32_t at = 0; at < writer->table_count; at++) {
        const struct keyed_request *request = writer->filling[at];
        if (request != NULL && request->count > 0 &&
            (nothing_else || request->count == writer->service->records_max[request->kind] ||
             now_ms - request->since_ms > FILLING_MS_MAX)) {
            requests_flush(writer, at);
        }
    }
}

static void put_back(struct writer *writer, struct keyed_request *request)
{
    request->next = writer->ready.first;
    writer->ready.first = request;
    writer->ready.count++;
    if (request->next == NULL) {
        writer->ready.last = &request->next;
    }
}

enum status keyed_give_up(const struct writer *writer, int64_t now_ms, struct error *error)
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
    return now_ms - writer->failing_since_ms > keyed_patience_ms(writer->room)
               ? keyed_give_up(writer, now_ms, error)
               : STATUS_OK;
}

/* A guess at what it takes. */
static bool reserve_units(struct writer *writer, struct keyed_request *request, int64_t now_ms)
{
    const struct keyed_service *service = writer->service;
    struct keyed_capacity *capacity = &writer->room->capacity;
    double guess = 0;
    if (capacity->units_per_second == 0 || request->kind == KEYED_LOOK) {
        return true;
    }
    for (uint32_t at = 0; at < request->count; at++) {
        guess += service->units != NULL ? service->units(request->slots[at].length) : 1;
    }
    if (keyed_capacity_reserve(capacity, now_ms, (int64_t)(guess * 1000)) > 0) {
        return false;
    }
    request->reserved = (int64_t)(guess * 1000);
    return true;
}

enum status keyed_pump(struct writer *writer, bool idle, struct error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    keyed_release_held(writer);
    flush_old(writer, idle, now_ms);
    while (writer->under_way.count < (uint32_t)writer->window) {
        struct keyed_request *request = next_request(writer, now_ms);
        if (request == NULL) {
            return STATUS_OK;
        }
        if (!is_wanted(request)) {
            keyed_request_free(writer, request);
            continue;
        }
        if (!reserve_units(writer, request, now_ms)) {
            put_back(writer, request);
            return STATUS_OK;
        }
        bool sent = false;
        enum status status = requests_send(writer, request, &sent, error);
        if (status != STATUS_OK) {
            if (!sent) {
                put_back(writer, request);
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
    int64_t capped = keyed_capacity_wait_ms(&writer->room->capacity, now_ms);
    if (capped > 0) {
        return capped < wait ? capped : wait;
    }
    for (const struct keyed_request *request = writer->delayed.first; request != NULL;
         request = request->next) {
        int64_t left = request->next_ms > now_ms ? request->next_ms - now_ms : 1;
        wait = left < wait ? left : wait;
    }
    return wait;
}

static enum status take_next(struct writer *writer, int64_t timeout_ms, struct error *error)
{
    struct keyed_answer answer = {0};
    enum status status = writer->service->poll(writer->connection, timeout_ms, &answer, error);
    if (answer.request != NULL) {
        unlink_request(&writer->under_way, answer.request);
    }
    if (status == STATUS_FAILED && answer.request != NULL) {
        answer.request->tried = true;
        keyed_list_add(&writer->ready, answer.request); /* freed with the writer */
    }
    return status == STATUS_OK ? keyed_take_answer(writer, &answer, error) : status;
}

enum status keyed_receive(struct writer *writer, int64_t timeout_ms, struct error *error)
{
    int64_t wait = wait_ms(writer, timeout_ms);
    if (writer->under_way.count == 0) {
        if (wait > 0) {
            clock_sleep_ms(wait);
        }
        return STATUS_AGAIN;
    }
    enum status status = take_next(writer, wait, error);
    bool any = status == STATUS_OK;
    while (status == STATUS_OK && writer->under_way.count > 0) {
        status = take_next(writer, 0, error);
    }
    return status == STATUS_FAILED ? status : any ? STATUS_OK : STATUS_AGAIN;
}
