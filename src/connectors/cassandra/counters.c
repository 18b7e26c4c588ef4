/*
 * Tables of counters as a target. A counter can only be added to, and an addition that is sent
 * twice is made twice. So with ?counters=absent a row is read first:
 *
 *   not there          its counters are added to nothing
 *   there and equal    it is done: an earlier attempt wrote it
 *   there, different   a reject
 *
 * An addition of which nobody knows whether it was made may still be made for as long as the server
 * keeps the request (counter_write_request_timeout). Until that is over the row is not read again.
 */
#include "connectors/cassandra/target.h"

#include "base/clock.h"
#include "base/log.h"
#include "model/convert.h"
#include <inttypes.h>

enum { QUIET_MS_MIN = 10000 /* twice the server's own time limit, by default */, SLICE_MS = 50 };

/* ---------------------------------------------------------------- checks */

static const char refused[] = "it is a table of counters, which can't be written twice with the "
                              "same result; leave it out, or write only rows that are not there: "
                              "?counters=absent\n";

static bool is_counter(const struct target_table *table, uint32_t column, struct arena *arena)
{
    const struct cql_type *type = cassandra_new_type(table, &table->columns[column], arena);
    return type != NULL && type->kind == CQL_TYPE_COUNTER;
}

static void check_ttl(const struct target_table *table, struct buffer *out)
{
    if (table->ttl != NULL) {
        buffer_append_string(out, "counters have no time to live: leave `ttl` out\n");
    }
}

void cassandra_counters_check_new(const struct cassandra *self, const struct target_table *table,
                                  struct arena *arena, struct buffer *out)
{
    uint32_t counters = 0;
    const char *other = NULL;
    for (uint32_t at = 0; at < table->column_count; at++) {
        const char *name = table->columns[at].name;
        bool counter = is_counter(table, at, arena);
        counters += counter;
        other = !counter && !column_list_holds(table->key, name) ? name : other;
        if (counter && column_list_holds(table->key_shape.static_columns, name)) {
            buffer_format(out, "column %s: a static counter would be added to once a row\n", name);
        }
    }
    if (counters == 0) {
        return;
    }
    if (!self->settings.counters_absent) {
        buffer_append_string(out, refused);
    }
    if (other != NULL) {
        buffer_format(out, "column %s: beside counters a table has its key alone\n", other);
    }
    check_ttl(table, out);
}

bool cassandra_counters_check_there(const struct cassandra *self,
                                    const struct check_request *request,
                                    const struct cassandra_table *there, struct buffer *out)
{
    if (!self->settings.counters_absent) {
        buffer_append_string(out, refused);
        return false;
    }
    if (request->repairs) {
        buffer_append_string(out, "it is a table of counters, which can only be added to: what "
                                  "differs can't be set, and a row that was deleted can't be "
                                  "written again under its key\n");
        return false;
    }
    for (uint32_t at = there->key.count; at < there->column_count; at++) {
        if (there->columns[at].part == CASSANDRA_STATIC) {
            buffer_format(out, "column %s: a static counter would be added to once a row\n",
                          there->columns[at].name);
        }
    }
    check_ttl(request->table, out);
    return true;
}

/* ---------------------------------------------------------------- waiting */

int64_t cassandra_counters_quiet_ms(const struct cassandra *self)
{
    int64_t twice = 2 * self->keyed.room.timeout_ms;
    return twice > QUIET_MS_MIN ? twice : QUIET_MS_MIN;
}

void cassandra_counters_unsure(struct cassandra *self)
{
    int64_t until = clock_boottime_ms() + cassandra_counters_quiet_ms(self);
    int64_t known = atomic_load(&self->counters_quiet_ms);
    while (until > known &&
           !atomic_compare_exchange_weak(&self->counters_quiet_ms, &known, until)) {
    }
}

enum status cassandra_counters_wait(struct cassandra *self, struct error *error)
{
    int64_t left = atomic_load(&self->counters_quiet_ms) - clock_boottime_ms();
    if (left > 0) {
        log_write(LOG_INFO,
                  "counters wait for %" PRId64 " s, until no addition of an attempt that was "
                  "interrupted can be made any more",
                  left / 1000 + 1);
    }
    for (; left > 0; left = atomic_load(&self->counters_quiet_ms) - clock_boottime_ms()) {
        if (atomic_load(&self->keyed.base.hurried)) {
            return error_set(error, ERROR_INTERRUPTED, NULL,
                             "counters that an earlier attempt may have added to were waited for");
        }
        clock_sleep_ms(left < SLICE_MS ? left : SLICE_MS);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what differs */

static void append_value(const struct cell *cell, struct buffer *out)
{
    struct error ignored;
    bool nothing = cell == NULL || cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
    if (nothing || convert_append_text(cell, true, out, &ignored) != STATUS_OK) {
        buffer_append_string(out, nothing ? "null" : "?");
    }
}

enum status cassandra_counters_refuse(const struct keyed_record *record, const char *column,
                                      const struct cell *own, const struct cell *there,
                                      struct error *error)
{
    struct buffer key = {0};
    struct buffer values = {0};
    for (uint32_t at = 0; at < record->table->key.count; at++) {
        buffer_format(&key, "%s%s = ", at > 0 ? ", " : "", record->table->key.names[at]);
        append_value(&record->key[at], &key);
    }
    append_value(there, &values);
    buffer_append_string(&values, " there and ");
    append_value(own, &values);
    error_set(error, ERROR_REJECT_KEY_DUPLICATE, record->table->name,
              "the counter %s of the row with %.200s is %s in the source; only rows that are not "
              "there are written",
              column, buffer_string(&key), buffer_string(&values));
    buffer_free(&key);
    buffer_free(&values);
    return STATUS_FAILED;
}
