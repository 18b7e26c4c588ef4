/*
 * What is the toy's own in writing records (connectors/keyed/keyed.h). A request is a piece of the
 * log; the server that carries it out, late and out of order at the whim of a small generator, is
 * `poll`.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include "toy_internal.h"
#include <stdlib.h>
#include <string.h>

enum {
    RECORDS_MAX = 100,
    REQUEST_BYTES_MAX = 1 << 20,
    IN_FLIGHT_MAX = 16,
    PAUSE_MS = 10,
    BUSY_MS = 50
};

struct keyed_connection {
    struct toy_database *self;
    const struct target_table *tables;
    uint64_t random;
    struct keyed_request *pending[IN_FLIGHT_MAX];
    uint32_t pending_count;
    enum keyed_outcome outcomes[RECORDS_MAX]; /* of the last answer */
    struct error reason;
};

static uint64_t next_random(struct keyed_connection *connection)
{
    connection->random = connection->random * 6364136223846793005u + 1442695040888963407u;
    return connection->random >> 33;
}

static enum status toy_connect(struct database *database, const struct target_table *tables,
                               uint32_t table_count, uint32_t in_flight_max,
                               struct keyed_connection **connection, struct error *error)
{
    struct keyed_connection *made = memory_allocate_zeroed(1, sizeof *made);
    (void)table_count;
    (void)in_flight_max;
    (void)error;
    made->self = toy_of(database);
    made->tables = tables;
    made->random = keyed_room_of(database)->epoch * 2654435761u + 1;
    *connection = made;
    return STATUS_OK;
}

static void toy_disconnect(struct keyed_connection *connection)
{
    free(connection);
}

/* ---- records */

static enum status append_key(struct database *self, const struct target_table *table,
                              const struct cell *key, struct buffer *out, struct error *error)
{
    (void)self;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < table->key.count && status == STATUS_OK; i++) {
        status = toy_encode(&key[i], out, error);
    }
    return status;
}

static bool read_key(struct database *self, const struct target_table *table, const uint8_t *bytes,
                     size_t length, struct arena *arena, struct cell *key)
{
    (void)self;
    struct error ignored;
    for (uint32_t i = 0; i < table->key.count; i++) {
        size_t used;
        if (toy_decode(bytes, length, arena, &key[i], &used, &ignored) != STATUS_OK) {
            return false;
        }
        bytes += used;
        length -= used;
    }
    return length == 0;
}

static bool is_complete(const struct keyed_record *record)
{
    for (uint32_t i = 0; record->key && i < record->table->key.count; i++) {
        const struct cell *cell = &record->key[i];
        if (cell->kind == VALUE_MISSING || cell->kind == VALUE_NULL ||
            ((cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES) && cell->length == 0)) {
            return false;
        }
    }
    return record->key != NULL;
}

/* The record as a MAP without its missing fields. */
static struct cell record_map(const struct keyed_record *record, struct arena *arena)
{
    if (!record->shape) {
        return record->cells[0];
    }
    uint32_t count = 0;
    struct cell *pairs =
        arena_allocate_zeroed(arena, record->shape->field_count + 1, 2 * sizeof *pairs);
    for (uint32_t i = 0; i < record->shape->field_count; i++) {
        const struct shape_field *field = &record->shape->fields[i];
        if (record->cells[i].kind != VALUE_MISSING) {
            pairs[2 * (size_t)count] = cell_text(field->name, field->name_length);
            pairs[2 * (size_t)count++ + 1] = record->cells[i];
        }
    }
    return cell_items(VALUE_MAP, pairs, count);
}

static void append_put(struct toy_database *self, const struct target_table *table,
                       const struct buffer *key, const struct buffer *value, struct buffer *out)
{
    const struct toy_entry entry = {
        .kind = TOY_PUT,
        .run = self->run,
        .table = table->name,
        .table_length = (uint32_t)strlen(table->name),
        .key = (const uint8_t *)key->data,
        .key_length = (uint32_t)key->length,
        .value = (const uint8_t *)value->data,
        .value_length = (uint32_t)value->length,
    };
    toy_entry_append(&entry, out);
}

static enum status encode_record(struct toy_database *self, const struct keyed_record *record,
                                 struct buffer *out, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct buffer key = {0};
    struct buffer value = {0};
    enum status status = is_complete(record)
                             ? append_key(NULL, record->table, record->key, &key, error)
                             : error_set(error, ERROR_REJECT_KEY_NULL, record->table->name,
                                         "a part of the key is null or empty");
    if (status == STATUS_OK) {
        struct cell map = record_map(record, arena);
        status = toy_encode(&map, &value, error);
    }
    if (status == STATUS_OK) {
        append_put(self, record->table, &key, &value, out);
    }
    buffer_free(&key);
    buffer_free(&value);
    arena_destroy(arena);
    return status;
}

static enum status toy_write_encode(struct keyed_connection *connection, enum keyed_kind kind,
                                    const struct keyed_record *record, struct buffer *out,
                                    struct error *error)
{
    (void)kind;
    return encode_record(connection->self, record, out, error);
}

/* ---- the server */

static bool has_field(const struct cell *map, const struct cell *name)
{
    for (uint32_t i = 0; i < map->length; i++) {
        const struct cell *own = &map->items[2 * (size_t)i];
        if (own->length == name->length && memcmp(own->text, name->text, name->length) == 0) {
            return true;
        }
    }
    return false;
}

/* The fields of `entry` over those of what is there. */
static enum status merge(const struct toy_entry *entry, const struct toy_entry *there,
                         struct arena *arena, struct buffer *value, struct error *error)
{
    struct cell own;
    struct cell old;
    size_t used;
    if (toy_decode(entry->value, entry->value_length, arena, &own, &used, error) != STATUS_OK ||
        toy_decode(there->value, there->value_length, arena, &old, &used, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t count = own.length;
    struct cell *pairs =
        arena_allocate_zeroed(arena, (size_t)own.length + old.length + 1, 2 * sizeof *pairs);
    memcpy(pairs, own.items, 2 * (size_t)own.length * sizeof *pairs);
    for (uint32_t i = 0; i < old.length; i++) {
        if (!has_field(&own, &old.items[2 * (size_t)i])) {
            memcpy(&pairs[2 * (size_t)count++], &old.items[2 * (size_t)i], 2 * sizeof *pairs);
        }
    }
    struct cell merged = cell_items(VALUE_MAP, pairs, count);
    return toy_encode(&merged, value, error);
}

/* One record of any kind but PUT: what is to be written of it goes to `out`. */
static enum status decide(struct toy_database *self, enum keyed_kind kind,
                          const struct toy_index *index, const char *bytes, size_t length,
                          enum keyed_outcome *outcome, struct buffer *out, struct error *error)
{
    struct toy_entry entry;
    struct toy_entry there = {0};
    struct buffer value = {0};
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    if (!toy_entry_read(bytes, length, &entry)) {
        arena_destroy(arena);
        return error_set(error, ERROR_INTERNAL, self->log_path, "a record is no entry");
    }
    const struct toy_record *record = toy_index_find(index, entry.key, entry.key_length);
    *outcome = KEYED_DONE;
    if (record) {
        status = toy_log_read(self, record->offset, arena, &there, error);
    }
    if (status == STATUS_OK && kind == KEYED_LOOK) {
        bool same = record && there.value_length == entry.value_length &&
                    memcmp(there.value, entry.value, entry.value_length) == 0;
        *outcome = !record ? KEYED_GONE : same ? KEYED_DONE : KEYED_OCCUPIED;
    } else if (status == STATUS_OK && kind == KEYED_INSERT && record) {
        *outcome = KEYED_OCCUPIED;
    } else if (status == STATUS_OK && kind == KEYED_UPDATE && record) {
        status = merge(&entry, &there, arena, &value, error);
        entry.value = (const uint8_t *)value.data;
        entry.value_length = (uint32_t)value.length;
        toy_entry_append(&entry, out);
    } else if (status == STATUS_OK) {
        buffer_append(out, bytes, length);
    }
    buffer_free(&value);
    arena_destroy(arena);
    return status;
}

static enum status append_to_log(struct toy_database *self, const struct buffer *out,
                                 struct error *error)
{
    enum status status = failpoint_hit("toy.before_append", error);
    if (status == STATUS_OK && out->length > 0) {
        status = toy_log_write(self, out, error);
    }
    return status == STATUS_OK ? failpoint_hit("toy.after_append", error) : status;
}

static enum status carry_out(struct keyed_connection *connection,
                             const struct keyed_request *request, struct error *error)
{
    struct toy_database *self = connection->self;
    struct toy_index index;
    struct buffer out = {0};
    if (request->kind == KEYED_PUT) {
        memset(connection->outcomes, 0, sizeof connection->outcomes); /* KEYED_DONE */
        return append_to_log(self, &request->body, error);
    }
    enum status status =
        toy_index_load(self, connection->tables[request->table].name, &index, error);
    for (uint32_t i = 0; i < request->count && status == STATUS_OK; i++) {
        const struct keyed_slot *slot = &request->slots[i];
        status = decide(self, request->kind, &index, request->body.data + slot->offset,
                        slot->length, &connection->outcomes[i], &out, error);
    }
    status = status == STATUS_OK ? append_to_log(self, &out, error) : status;
    toy_index_free(&index);
    buffer_free(&out);
    return status;
}

/* Too busy, by its own will. */
static bool is_busy(struct toy_database *self)
{
    int64_t none = 0;
    int64_t now = clock_monotonic_ms();
    atomic_compare_exchange_strong(&self->first_write_ms, &none, now);
    return now - atomic_load(&self->first_write_ms) < self->throttle_ms;
}

/* ---- requests and answers */

static enum status toy_send(struct keyed_connection *connection, struct keyed_request *request,
                            struct error *error)
{
    (void)error;
    if (connection->pending_count == IN_FLIGHT_MAX) {
        return STATUS_AGAIN;
    }
    connection->pending[connection->pending_count++] = request;
    return STATUS_OK;
}

static enum status toy_poll(struct keyed_connection *connection, int64_t timeout_ms,
                            struct keyed_answer *answer, struct error *error)
{
    struct toy_database *self = connection->self;
    if (connection->pending_count == 0 || (timeout_ms == 0 && next_random(connection) % 3 != 0)) {
        return STATUS_AGAIN; /* nothing has come back yet */
    }
    uint32_t chosen = (uint32_t)(next_random(connection) % connection->pending_count);
    struct keyed_request *request = connection->pending[chosen];
    connection->pending[chosen] = connection->pending[--connection->pending_count];
    *answer = (struct keyed_answer){.request = request, .reason = &connection->reason};
    bool busy = is_busy(self);
    answer->fallbacks = busy && self->falls_back;
    if (busy && !self->falls_back) {
        error_set(&connection->reason, ERROR_TARGET_THROTTLED, self->folder, "the toy is busy");
        connection->reason.retry_after_ms = BUSY_MS;
        answer->outcome = KEYED_AGAIN;
        answer->throttled = true;
        clock_sleep_ms(timeout_ms < PAUSE_MS ? timeout_ms : PAUSE_MS);
        return STATUS_OK;
    }
    enum status status = lease_check(&self->keyed.base, self->request_ms, error);
    if (status == STATUS_OK) {
        status = carry_out(connection, request, error);
    }
    answer->outcomes = connection->outcomes;
    answer->units = request->kind == KEYED_LOOK ? 0 : request->count;
    return status;
}

static enum status toy_write_one(struct database *database, enum keyed_kind kind,
                                 const struct keyed_record *record, struct error *error)
{
    struct toy_database *self = toy_of(database);
    struct buffer body = {0};
    struct buffer out = {0};
    struct toy_index index;
    enum keyed_outcome ignored;
    enum status status = encode_record(self, record, &body, error);
    status = status == STATUS_OK ? lease_check(database, self->request_ms, error) : status;
    if (status == STATUS_OK && kind == KEYED_UPDATE) {
        status = toy_index_load(self, record->table->name, &index, error);
        if (status == STATUS_OK) {
            status = decide(self, kind, &index, body.data, body.length, &ignored, &out, error);
            toy_index_free(&index);
        }
    }
    status = status == STATUS_OK ? append_to_log(self, kind == KEYED_UPDATE ? &out : &body, error)
                                 : status;
    buffer_free(&body);
    buffer_free(&out);
    return status;
}

const struct keyed_service toy_service = {
    .records_max = {RECORDS_MAX, RECORDS_MAX, RECORDS_MAX, RECORDS_MAX},
    .request_bytes_max = REQUEST_BYTES_MAX,
    .guard = KEYED_GUARD_NONE,
    .name = "toy",
    .connect = toy_connect,
    .disconnect = toy_disconnect,
    .encode = toy_write_encode,
    .append_key = append_key,
    .read_key = read_key,
    .send = toy_send,
    .poll = toy_poll,
    .write = toy_write_one,
};
