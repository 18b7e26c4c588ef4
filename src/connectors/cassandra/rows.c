#include "connectors/cassandra/rows.h"

#include "base/bytes.h"
#include "base/text.h"
#include "connectors/cassandra/key.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include <string.h>

enum { RAW_BYTES_MAX = 4 << 20 /* of a value that can't be read, kept for its reject */ };

/* ---------------------------------------------------------------- making */

static const char *const *names_of(const struct cql_columns *columns, struct arena *arena)
{
    const char **names = arena_allocate_zeroed(arena, columns->count + 1, sizeof(*names));
    for (size_t at = 0; at < columns->count; at++) {
        names[at] = arena_copy(arena, columns->list[at].name.data, columns->list[at].name.length);
    }
    return names;
}

struct cassandra_rows cassandra_rows_of_table(const struct read_request *request,
                                              const struct cassandra_select *select,
                                              const struct cql_columns *columns,
                                              struct arena *arena)
{
    const struct cassandra_table *table = select->table;
    const char **names =
        arena_allocate_zeroed(arena, (size_t)select->column_count + 1, sizeof(*names));
    for (uint32_t at = 0; at < select->column_count; at++) {
        names[at] = table->columns[select->columns[at]].name;
    }
    return (struct cassandra_rows){.request = request,
                                   .name = table->name,
                                   .table = table,
                                   .select = select,
                                   .columns = columns,
                                   .places = select->places,
                                   .names = names,
                                   .document_count = select->column_count,
                                   .key = select->key,
                                   .key_count = table->key.count};
}

static int32_t rows_find(const char *const *names, size_t count, const char *name)
{
    for (size_t at = 0; at < count; at++) {
        if (strcmp(names[at], name) == 0) {
            return (int32_t)at;
        }
    }
    return -1;
}

struct cassandra_rows cassandra_rows_of_query(const struct read_request *request,
                                              const struct cql_columns *columns,
                                              struct column_list key, struct arena *arena)
{
    const char *const *names = names_of(columns, arena);
    int32_t *places =
        arena_allocate_zeroed(arena, (size_t)request->column_count + 1, sizeof(*places));
    uint32_t *keys = arena_allocate_zeroed(arena, (size_t)key.count + 1, sizeof(*keys));
    uint32_t key_count = 0;
    for (uint32_t at = 0; at < request->column_count; at++) {
        places[at] = rows_find(names, columns->count, request->columns[at].name);
    }
    for (uint32_t at = 0; at < key.count; at++) {
        int32_t place = rows_find(names, columns->count, key.names[at]);
        if (place >= 0) {
            keys[key_count++] = (uint32_t)place;
        }
    }
    return (struct cassandra_rows){.request = request,
                                   .name = request->name,
                                   .columns = columns,
                                   .places = places,
                                   .names = names,
                                   .document_count = (uint32_t)columns->count,
                                   .key = keys,
                                   .key_count = key_count};
}

/* ---------------------------------------------------------------- times */

static int64_t number_at(const struct cql_value *value)
{
    if (value->length != 4 && value->length != 8) {
        return 0;
    }
    uint64_t number = bytes_get_be(value->data, value->length);
    return value->length == 8 ? (int64_t)number : (int32_t)(uint32_t)number;
}

/* A column with elements has a list of their times to live: the longest, and none if one of them
 * has none. */
static int64_t ttl_at(const struct cql_columns *columns, uint32_t column,
                      const struct cql_value *values)
{
    const struct cql_value *value = &values[column];
    if (columns->list[column].type->kind != CQL_TYPE_LIST || value->length < 0) {
        return number_at(value);
    }
    struct cql_reader reader = cql_reader_of(value->data, (size_t)value->length);
    int32_t count = cql_read_int(&reader);
    int64_t longest = 0;
    for (int32_t i = 0; i < count && !reader.failed; i++) {
        const struct cql_value element = cql_read_value(&reader);
        int64_t ttl = number_at(&element);
        if (ttl <= 0) {
            return 0;
        }
        longest = ttl > longest ? ttl : longest;
    }
    return longest;
}

/* The times of a column that has them. A time of 0 is told apart from none. */
static struct cell_times times_at(const struct cassandra_rows *rows, uint32_t place,
                                  const struct cql_value *values)
{
    uint32_t at = (uint32_t)rows->select->times[place];
    int64_t written = number_at(&values[at]);
    return (struct cell_times){written == 0 && values[at].length > 0 ? 1 : written,
                               ttl_at(rows->columns, at + 1, values)};
}

static bool is_static(const struct cassandra_rows *rows, uint32_t place)
{
    return rows->table->columns[rows->select->columns[place]].part == CASSANDRA_STATIC;
}

/* The record as a whole: the newest time, and the TTL of the cell that lives longest: with it the
 * row goes. Static values are the partition's. */
static void sum_times(const struct cassandra_rows *rows, const struct cql_value *values,
                      struct record_envelope *envelope)
{
    bool any = false;
    bool stays = false;
    for (uint32_t place = 0; place < rows->select->column_count; place++) {
        if (rows->select->times[place] < 0 || values[place].length < 0 || is_static(rows, place)) {
            continue;
        }
        const struct cell_times times = times_at(rows, place, values);
        stays = stays || times.ttl_seconds <= 0;
        if (times.ttl_seconds > envelope->ttl_seconds) {
            envelope->ttl_seconds = times.ttl_seconds;
        }
        if (!any || times.write_time_us > envelope->write_time_us) {
            envelope->write_time_us = times.write_time_us;
        }
        any = true;
    }
    envelope->ttl_seconds = stays ? 0 : envelope->ttl_seconds;
}

/* A cell that has no times of its own (of the key, a collection, null) has the record's. */
void cassandra_rows_times(const struct cassandra_rows *rows, const struct cql_value *values,
                          struct arena *arena, struct record_envelope *envelope)
{
    bool document = rows->request->column_count == 0;
    uint32_t count = document ? rows->select->column_count : rows->request->column_count;
    struct cell_times *times = arena_allocate_zeroed(arena, count + 1u, sizeof(*times));
    sum_times(rows, values, envelope);
    for (uint32_t at = 0; at < count; at++) {
        int32_t place = document ? (int32_t)at : rows->places[at];
        bool own = place >= 0 && rows->select->times[place] >= 0 && values[place].length >= 0;
        times[at] = own ? times_at(rows, (uint32_t)place, values)
                        : (struct cell_times){envelope->write_time_us, envelope->ttl_seconds};
    }
    envelope->cell_times = times;
}

/* ---------------------------------------------------------------- records */

/* Its parts as far as they can be read. */
static const struct cell *key_of(const struct cassandra_rows *rows, const struct cql_value *values,
                                 struct arena *arena)
{
    struct error ignored;
    struct cell *key = arena_allocate_zeroed(arena, (size_t)rows->key_count + 1, sizeof(*key));
    for (uint32_t at = 0; at < rows->key_count; at++) {
        uint32_t place = rows->key[at];
        if (cql_value_decode(rows->columns->list[place].type, values[place], arena, &key[at],
                             &ignored) != STATUS_OK) {
            key[at] = cell_missing();
        }
    }
    return key;
}

static void rows_refuse(const struct cassandra_rows *rows, struct batch *batch,
                        const struct cql_value *values, const struct cql_value *raw,
                        const struct error *reason)
{
    struct cell cell = {.kind = VALUE_ESCAPE, .aux = ESCAPE_CASSANDRA};
    if (raw != NULL && raw->length > 0) {
        cell.bytes = raw->data;
        cell.length = (uint32_t)(raw->length < RAW_BYTES_MAX ? raw->length : RAW_BYTES_MAX);
    }
    batch_refuse(batch, reason->code, reason->message, key_of(rows, values, batch->arena),
                 rows->key_count, &cell);
}

/* No clustering key: the partition has no rows. */
static bool is_static_alone(const struct cassandra_rows *rows, const struct cql_value *values)
{
    const struct cassandra_table *table = rows->table;
    return table != NULL && table->clustering_count > 0 && !table->compact &&
           values[rows->select->key[table->partition_count]].length < 0;
}

/* All of it can be read, but it is no row. */
static void refuse_partition(const struct cassandra_rows *rows, struct batch *batch,
                             const struct cql_value *values)
{
    bool document = rows->request->column_count == 0;
    uint32_t columns = document ? rows->document_count : rows->request->column_count;
    struct cell *items =
        arena_allocate_zeroed(batch->arena, columns + (size_t)1, 2 * sizeof(*items));
    uint32_t count = 0;
    for (uint32_t at = 0; at < columns; at++) {
        struct error ignored;
        int32_t place = document ? (int32_t)at : rows->places[at];
        if (place >= 0 &&
            cql_value_decode(rows->columns->list[place].type, values[place], batch->arena,
                             &items[2 * (size_t)count + 1], &ignored) == STATUS_OK) {
            const char *name = rows->names[place];
            items[2 * (size_t)count++] = cell_text(name, (uint32_t)strlen(name));
        }
    }
    const struct cell record = cell_items(VALUE_MAP, items, count);
    batch_refuse(batch, ERROR_REJECT_KEY_NULL, "the partition has static values and no rows",
                 key_of(rows, values, batch->arena), rows->key_count, &record);
}

/* STATUS_END: the value can't be read, and the record is refused. */
static enum status decode(const struct cassandra_rows *rows, struct batch *batch,
                          const struct cql_value *values, uint32_t place, struct cell *cell,
                          struct error *error)
{
    const struct cql_column *column = &rows->columns->list[place];
    struct error reason;
    if (cql_value_decode(column->type, values[place], batch->arena, cell, &reason) == STATUS_OK) {
        return STATUS_OK;
    }
    if (reason.class != ERROR_CLASS_REJECT) {
        return error_copy(error, &reason);
    }
    struct error named;
    error_set(&named, reason.code, rows->name, "%s: %s", rows->names[place], reason.message);
    batch_drop_last(batch);
    rows_refuse(rows, batch, values, &values[place], &named);
    return STATUS_END;
}

static enum status add_cells(const struct cassandra_rows *rows, struct batch *batch,
                             const struct cql_value *values, struct error *error)
{
    enum status status = STATUS_OK;
    struct cell *row = batch_append(batch);
    for (uint32_t at = 0; at < rows->request->column_count && status == STATUS_OK; at++) {
        if (rows->places[at] < 0) {
            row[at] = cell_missing();
        } else {
            status = decode(rows, batch, values, (uint32_t)rows->places[at], &row[at], error);
        }
    }
    return status;
}

static enum status add_document(const struct cassandra_rows *rows, struct batch *batch,
                                const struct cql_value *values, struct error *error)
{
    enum status status = STATUS_OK;
    struct cell *row = batch_append(batch);
    struct cell *cells =
        arena_allocate_zeroed(batch->arena, (size_t)rows->document_count + 1, sizeof(*cells));
    for (uint32_t at = 0; at < rows->document_count && status == STATUS_OK; at++) {
        status = decode(rows, batch, values, at, &cells[at], error);
    }
    if (status == STATUS_OK) {
        batch_make_document(batch, rows->names, cells, rows->document_count, row);
    }
    return status;
}

enum status cassandra_rows_add(const struct cassandra_rows *rows, struct batch *batch,
                               const struct cql_value *values, struct error *error)
{
    bool document = rows->request->column_count == 0;
    if (is_static_alone(rows, values) && !rows->request->partitions) {
        refuse_partition(rows, batch, values);
        return STATUS_OK;
    }
    enum status status =
        document ? add_document(rows, batch, values, error) : add_cells(rows, batch, values, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    if (batch->envelopes == NULL) {
        return STATUS_OK;
    }
    struct record_envelope *envelope = &batch->envelopes[batch->row_count - 1];
    *envelope = (struct record_envelope){0};
    if (document) {
        envelope->source_key = key_of(rows, values, batch->arena);
        envelope->source_key_count = rows->key_count;
    }
    if (rows->select != NULL && rows->select->times != NULL) {
        cassandra_rows_times(rows, values, batch->arena, envelope);
    }
    return STATUS_OK;
}

int64_t cassandra_rows_token(const struct cassandra_rows *rows, const struct cql_value *values)
{
    enum { PARTS_MAX = 64 };
    struct cql_value parts[PARTS_MAX];
    uint32_t count =
        rows->table->partition_count < PARTS_MAX ? rows->table->partition_count : PARTS_MAX;
    for (uint32_t at = 0; at < count; at++) {
        parts[at] = values[rows->key[at]];
    }
    return cassandra_key_token(parts, count);
}
