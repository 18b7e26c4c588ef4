/* Writes of control work: many at once, each to its end. */
#include "connectors/cassandra/target.h"

#include "base/clock.h"
#include "base/memory.h"
#include "connectors/cassandra/patience.h"
#include "connectors/lease.h"
#include <stdlib.h>

/* Those that are not done yet. */
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
                                  .deadline_ms = clock_boottime_ms() + self->timeout_ms,
                                  .tag = tag};
    return cql_session_send(self->control, &call, error);
}

/* Sends all that are left and takes their answers; the first failure is in `error`. */
static enum status pass(struct cassandra *self, struct left *left, struct error *error)
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
        enum status answer = cql_session_poll(self->control, self->timeout_ms, &reply, &reason);
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
                     ? lease_check(&self->keyed.base, self->timeout_ms, error)
                     : STATUS_OK;
        if (status == STATUS_OK) {
            pthread_mutex_lock(&self->control_mutex);
            status = pass(self, &left, error);
            pthread_mutex_unlock(&self->control_mutex);
        }
    } while ((status == STATUS_OK && !is_done(&left)) ||
             (status == STATUS_FAILED && cassandra_patience_wait(&patience, true, error)));
    free(left.done);
    return status;
}

void cassandra_write_join(const struct keyed_connection *connection, const struct buffer *body,
                          struct buffer *text, struct buffer *values, struct cassandra_write *write)
{
    struct cassandra_record_part part = {0};
    struct cassandra_record record = cassandra_record_read(body->data, body->length);
    uint32_t count = 0;
    write->token = record.token;
    while (cassandra_record_next(&record, &part)) {
        buffer_append_string(text, count == 0 ? "" : "; ");
        buffer_append_string(text, cassandra_statement_at(connection, part.statement)->text);
        buffer_append(values, part.values, part.length);
        write->count = (uint16_t)(write->count + part.value_count);
        count++;
    }
    if (count > 1) {
        char *statements =
            memory_format("BEGIN UNLOGGED BATCH %s; APPLY BATCH", buffer_string(text));
        buffer_clear(text);
        buffer_append_string(text, statements);
        free(statements);
    }
    write->text = buffer_string(text);
    write->values = values->data;
    write->length = values->length;
}
