/*
 * Rows by their keys, for whoever needs some: the target's reading back, rollback, settling. One
 * session of its own serves all threads in turn, so that renewals of a lease, which go over the
 * control session, do not wait for it.
 */
#include "connectors/cassandra/fetch.h"

#include "base/memory.h"
#include "connectors/cassandra/key.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "connectors/cassandra/rows.h"
#include "connectors/cassandra/schema.h"
#include "connectors/cassandra/select.h"
#include <stdlib.h>

struct cassandra_fetcher {
    pthread_mutex_t mutex; /* of the session, for a whole cassandra_fetch */
    struct cql_session *session;
};

struct fetching {
    const struct cassandra_table *table;
    const struct cassandra_select *select;
    struct arena *arena;
    cassandra_row_found *found;
    void *context;
};

void cassandra_fetcher_close(struct cassandra_fetcher *fetcher)
{
    if (fetcher != NULL) {
        cql_session_close(fetcher->session);
        pthread_mutex_destroy(&fetcher->mutex);
        free(fetcher);
    }
}

/* With its mutex locked. NULL: no session. */
static struct cassandra_fetcher *lock_fetcher(struct cassandra *self, struct error *error)
{
    pthread_mutex_lock(&self->keyed.mutex);
    if (self->fetcher == NULL) {
        self->fetcher = memory_allocate_zeroed(1, sizeof(*self->fetcher));
        pthread_mutex_init(&self->fetcher->mutex, NULL);
    }
    struct cassandra_fetcher *fetcher = self->fetcher;
    pthread_mutex_unlock(&self->keyed.mutex);
    pthread_mutex_lock(&fetcher->mutex);
    if (fetcher->session == NULL &&
        cassandra_connect(self, &fetcher->session, error) != STATUS_OK) {
        fetcher->session = NULL;
        pthread_mutex_unlock(&fetcher->mutex);
        return NULL;
    }
    return fetcher;
}

/* ---------------------------------------------------------------- rows */

static enum status decode(const struct fetching *fetching, const struct cql_columns *columns,
                          uint32_t column, struct cql_value value, struct cell *cell,
                          struct error *error)
{
    if (value.length > 0) {
        value.data =
            (const uint8_t *)arena_try_copy(fetching->arena, value.data, (size_t)value.length);
        if (value.data == NULL) {
            return error_set(error, ERROR_MEMORY, fetching->table->name,
                             "no memory for a value of %d bytes", (int)value.length);
        }
    }
    if (cql_value_decode(columns->list[column].type, value, fetching->arena, cell, error) !=
        STATUS_OK) {
        return error_context(error, "%s.%s: ", fetching->table->name,
                             fetching->table->columns[column].name);
    }
    return STATUS_OK;
}

static const struct record_envelope *envelope_of(const struct fetching *fetching,
                                                 const struct cql_columns *columns,
                                                 const struct cql_value *values)
{
    static const struct read_request document = {0};
    const struct cassandra_rows rows = {.request = &document,
                                        .table = fetching->table,
                                        .select = fetching->select,
                                        .columns = columns};
    if (fetching->select->times == NULL) {
        return NULL;
    }
    struct record_envelope *envelope = arena_allocate_zeroed(fetching->arena, 1, sizeof(*envelope));
    cassandra_rows_times(&rows, values, fetching->arena, envelope);
    return envelope;
}

/* A value that can't be read stands in the record as the server's bytes: it is there, after all. */
static enum status take_row(void *context, uint32_t key, const struct cql_columns *columns,
                            const struct cql_value *values, struct error *error)
{
    (void)key;
    const struct fetching *fetching = context;
    const struct cassandra_table *table = fetching->table;
    struct cell *cells =
        arena_allocate_zeroed(fetching->arena, (size_t)table->column_count + 1, sizeof(*cells));
    for (uint32_t at = 0; at < table->column_count; at++) {
        if (decode(fetching, columns, at, values[at], &cells[at], error) == STATUS_OK) {
            continue;
        }
        if (error->class != ERROR_CLASS_REJECT) {
            return STATUS_FAILED;
        }
        cells[at] = (struct cell){.kind = VALUE_ESCAPE, .aux = ESCAPE_CASSANDRA};
        cells[at].bytes = (const uint8_t *)arena_copy(fetching->arena, values[at].data,
                                                      (size_t)values[at].length);
        cells[at].length = (uint32_t)values[at].length;
    }
    return fetching->found(fetching->context, cells, envelope_of(fetching, columns, values), error);
}

/* ---------------------------------------------------------------- keys */

static enum status encode_keys(const struct cassandra_table *table, const struct cell *keys,
                               uint32_t key_count, struct buffer *values,
                               struct keyed_wanted_key *list, struct error *error)
{
    for (uint32_t at = 0; at < key_count; at++) {
        size_t begin = values->length;
        if (cassandra_key_encode(table, keys + (size_t)at * table->key.count, values,
                                 &list[at].token, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        list[at].bytes.length = values->length - begin;
    }
    const char *from = values->data; /* which may have moved until now */
    for (uint32_t at = 0; at < key_count; at++) {
        list[at].bytes.data = from;
        from += list[at].bytes.length;
    }
    return STATUS_OK;
}

enum status cassandra_fetch_values(struct cassandra *self, struct cassandra_look_up *look_up,
                                   cassandra_values_found *found, void *context,
                                   struct error *error)
{
    struct cassandra_fetcher *fetcher = lock_fetcher(self, error);
    if (fetcher == NULL) {
        return STATUS_FAILED;
    }
    look_up->session = fetcher->session;
    enum status status = cassandra_look_up(look_up, found, context, error);
    pthread_mutex_unlock(&fetcher->mutex);
    return status;
}

enum status cassandra_fetch(struct cassandra *self, const struct cassandra_table *table,
                            const struct cell *keys, uint32_t key_count, bool serial, bool times,
                            struct arena *arena, cassandra_row_found *found, void *context,
                            struct error *error)
{
    struct buffer values = {0};
    struct arena *own = arena_create(0);
    struct cassandra_select select = cassandra_select_all(self, table, times, own);
    struct keyed_wanted_key *list =
        arena_allocate_zeroed(own, (size_t)key_count + 1, sizeof(*list));
    struct fetching fetching = {
        .table = table, .select = &select, .arena = arena, .found = found, .context = context};
    enum status status = encode_keys(table, keys, key_count, &values, list, error);
    if (status == STATUS_OK) {
        struct cassandra_look_up look_up = {.cassandra = self,
                                            .table = table,
                                            .text = cassandra_select_key(&select, self, own),
                                            .field_count = select.field_count,
                                            .consistency = serial ? self->settings.serial
                                                                  : self->settings.read_consistency,
                                            .keys = list,
                                            .key_count = key_count};
        status = cassandra_fetch_values(self, &look_up, take_row, &fetching, error);
    }
    buffer_free(&values);
    arena_destroy(own);
    return status;
}
