/* Writes of control work: many at once, each to its end. */
#include "connectors/cassandra/target.h"

#include "base/clock.h"
#include "base/memory.h"
#include "connectors/cassandra/calls.h"
#include "connectors/cassandra/key.h"
#include "connectors/common/lease.h"
#include <stdlib.h>

/* Writes, and which of them are done. */
struct left {
    const struct cassandra_write *writes;
    bool *done;
    uint32_t count;
};

static bool is_done(const struct left *left)
{
    bool done = true;
    for (uint32_t at = 0; at < left->count; at++) {
        done = done && left->done[at];
    }
    return done;
}

static enum status send_one(struct cassandra *self, const struct cassandra_write *write, void *tag,
                            struct error *error)
{
    struct cql_statement statement = {
        .values = write->values, .values_length = write->length, .value_count = write->count};
    if (cql_session_prepare(self->control, write->text, &statement.prepared, NULL, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct cql_call call = {.statements = &statement,
                                  .statement_count = 1,
                                  .consistency = self->settings.write_consistency,
                                  .timestamp_us = write->timestamp_us,
                                  .deadline_ms = clock_boottime_ms() + self->keyed.room.timeout_ms,
                                  .tag = tag};
    return cql_session_send(self->control, &call, error);
}

/* Sends all that are left and takes their answers; the first failure is in `error`. */
static enum status write_all_pass(struct cassandra *self, struct left *left, struct error *error)
{
    enum status status = STATUS_OK;
    struct cql_reply reply;
    struct error reason;
    uint32_t sent = 0;
    for (uint32_t at = 0; at < left->count && status == STATUS_OK; at++) {
        if (!left->done[at]) {
            status = send_one(self, &left->writes[at], &left->done[at], error);
            sent += status == STATUS_OK;
        }
    }
    status = status == STATUS_AGAIN ? STATUS_OK : status; /* the next pass sends the others */
    while (sent > 0) {
        enum status answer =
            cql_session_poll(self->control, self->keyed.room.timeout_ms, &reply, &reason);
        if (answer == STATUS_AGAIN) {
            continue; /* each has a deadline of its own */
        }
        sent--;
        if (answer == STATUS_OK) {
            *(bool *)reply.tag = true;
        } else if (status == STATUS_OK) {
            status = error_copy(error, &reason);
        }
    }
    return status;
}

enum status cassandra_write_all(struct cassandra *self, const struct cassandra_write *writes,
                                uint32_t count, struct error *error)
{
    struct left left = {.writes = writes,
                        .done = memory_allocate_zeroed(count + (size_t)1, sizeof(bool)),
                        .count = count};
    struct cassandra_patience patience;
    enum status status;
    cassandra_patience_begin(&patience, self);
    do {
        status = self->keyed.room.run_id != NULL
                     ? lease_check(&self->keyed.base, self->keyed.room.timeout_ms, error)
                     : STATUS_OK;
        if (status == STATUS_OK) {
            pthread_mutex_lock(&self->keyed.control_mutex);
            status = write_all_pass(self, &left, error);
            pthread_mutex_unlock(&self->keyed.control_mutex);
        }
    } while ((status == STATUS_OK && !is_done(&left)) ||
             (status == STATUS_FAILED && cassandra_patience_wait(&patience, true, error)));
    free(left.done);
    return status;
}

/* ---------------------------------------------------------------- records and keys */

/* It is to win over what is there, so that of its times only those to live stay. */
static struct record_envelope envelope_of_now(struct arena *arena,
                                              const struct keyed_record *record)
{
    struct record_envelope envelope = *record->envelope;
    uint32_t count =
        record->shape != NULL ? record->shape->field_count : (uint32_t)record->cells->length;
    envelope.write_time_us = 0;
    if (envelope.cell_times != NULL) {
        struct cell_times *times = arena_allocate_zeroed(arena, count + 1u, sizeof(*times));
        for (uint32_t at = 0; at < count; at++) {
            times[at].ttl_seconds = envelope.cell_times[at].ttl_seconds;
        }
        envelope.cell_times = times;
    }
    return envelope;
}

void cassandra_write_join(const struct keyed_connection *connection, const char *bytes,
                          size_t length, struct arena *arena, struct cassandra_write *write)
{
    struct cassandra_record_part part = {0};
    struct cassandra_record record = cassandra_record_read(bytes, length);
    struct buffer text = {0};
    struct buffer values = {0};
    uint32_t count = 0;
    write->token = record.token;
    while (cassandra_record_next(&record, &part)) {
        buffer_append_string(&text, count == 0 ? "" : "; ");
        buffer_append_string(&text, cassandra_statement_at(connection, part.statement)->text);
        buffer_append(&values, part.values, part.length);
        write->count = (uint16_t)(write->count + part.value_count);
        count++;
    }
    write->text = arena_format(arena, count > 1 ? "BEGIN UNLOGGED BATCH %s; APPLY BATCH" : "%s",
                               buffer_string(&text));
    write->values = arena_copy(arena, values.data, values.length);
    write->length = values.length;
    buffer_free(&text);
    buffer_free(&values);
}

static enum status write_record(struct database *database, enum keyed_kind kind,
                                const struct keyed_record *record, bool leaves_row,
                                struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    struct keyed_connection *connection = NULL;
    struct buffer body = {0};
    struct keyed_record own = *record;
    own.repeated = true;
    if (cassandra_connection_make(self, record->table, 1, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (connection->layouts[0]->table->counter) {
        cassandra_connection_free(connection);
        return error_set(error, ERROR_TARGET_WRITE, record->table->name,
                         "counters can only be added to, and not be set");
    }
    struct target_table table = *record->table;
    table.may_repeat = true; /* what it is put over may have other fields */
    connection->tables = &table;
    connection->leaves_rows = leaves_row;
    own.table = &table;
    struct record_envelope envelope;
    if (own.envelope != NULL) {
        envelope = envelope_of_now(connection->arena, record);
        own.envelope = &envelope;
    }
    enum status status = cassandra_encode(connection, kind, &own, &body, error);
    if (status == STATUS_END && cassandra_fills_statics(connection, 0, own.shape)) {
        connection->leaves_rows = true; /* they outlive it */
        status = cassandra_encode(connection, kind, &own, &body, error);
    }
    if (status == STATUS_END) {
        status = STATUS_OK; /* its time to live is over: nothing is left to write */
    } else if (status == STATUS_OK) {
        struct cassandra_write write = {.timestamp_us = cassandra_now_us(self)};
        cassandra_write_join(connection, body.data, body.length, connection->arena, &write);
        status = cassandra_write_all(self, &write, 1, error);
    }
    buffer_free(&body);
    cassandra_connection_free(connection);
    return status;
}

enum status cassandra_write_record(struct database *database, enum keyed_kind kind,
                                   const struct keyed_record *record, struct error *error)
{
    return write_record(database, kind, record, false, error);
}

enum status cassandra_write_statics(struct database *database, enum keyed_kind kind,
                                    const struct keyed_record *record, struct error *error)
{
    return write_record(database, kind, record, true, error);
}

enum status cassandra_erase(struct database *database, const struct target_table *table,
                            const struct cell *keys, uint32_t count, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const struct cassandra_layout *layout = NULL;
    struct cassandra_write writes[CASSANDRA_ERASE_MAX];
    size_t begins[CASSANDRA_ERASE_MAX];
    struct buffer text = {0};
    struct buffer values = {0};
    enum status status = cassandra_layout_find(self, table, &layout, error);
    if (status == STATUS_OK) {
        buffer_append_string(&text, "DELETE FROM ");
        cassandra_append_table(self, table->name, &text);
        buffer_append_string(&text, " WHERE ");
        cassandra_key_append_where(layout->table, &text);
    }
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        begins[at] = values.length;
        status = cassandra_append_table_key(layout, table, keys + (size_t)at * table->key.count,
                                            &values, error);
        writes[at] = (struct cassandra_write){.text = buffer_string(&text),
                                              .length = values.length - begins[at],
                                              .count = (uint16_t)table->key.count,
                                              .timestamp_us = cassandra_now_us(self)};
    }
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        writes[at].values = values.data + begins[at];
    }
    status = status == STATUS_OK ? cassandra_write_all(self, writes, count, error) : status;
    buffer_free(&text);
    buffer_free(&values);
    return status;
}
