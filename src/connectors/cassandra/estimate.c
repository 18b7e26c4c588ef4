#include "connectors/cassandra/estimate.h"

#include "base/bytes.h"
#include "connectors/cassandra/key.h"
#include "connectors/cassandra/select.h"
#include "connectors/cassandra/system_rows.h"
#include <string.h>

#define RING_WIDTH 18446744073709551616.0 /* 2^64 */

enum { PROBES = 4, PROBE_ROWS = 512 };

/* ---------------------------------------------------------------- rows */

/* Rows of a quarter of the ring, which are read to its end or PROBE_ROWS. */
static enum status estimate_probe(struct cassandra *self, const char *text,
                                  const struct cql_range *range, double *rows, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct buffer values = {0};
    struct cql_reply reply = {0};
    struct cql_value value;
    int64_t last = range->to;
    uint32_t count = 0;
    cassandra_select_write_range(range, &values);
    enum status status =
        cassandra_run_prepared(self, text, &values, 2, CQL_ONE, false, arena, &reply, error);
    struct cql_rows *found = &reply.response.rows;
    if (status == STATUS_OK && found->columns.count == 1) {
        while (cql_rows_next(found, &value) == STATUS_OK && value.length == 8) {
            last = (int64_t)bytes_get_be(value.data, 8);
            count++;
        }
        last = count < PROBE_ROWS || last <= range->after ? range->to : last;
        const struct cql_range seen = {range->after, last};
        *rows = count * ((double)cql_range_width(range) / (double)cql_range_width(&seen));
    }
    buffer_free(&values);
    arena_destroy(arena);
    return status;
}

double cassandra_estimate_rows(struct cassandra *self, const struct cassandra_table *table)
{
    static const struct cql_range ring = {CQL_TOKEN_MIN, CQL_TOKEN_MAX};
    struct buffer text = {0};
    struct error error;
    double all = 0;
    enum status status = STATUS_OK;
    buffer_append_string(&text, "SELECT ");
    cassandra_key_append_token(table, &text);
    buffer_append_string(&text, " FROM ");
    cassandra_append_table(self, table->name, &text);
    buffer_append_string(&text, " WHERE ");
    cassandra_key_append_token(table, &text);
    buffer_append_string(&text, " > ? AND ");
    cassandra_key_append_token(table, &text);
    buffer_format(&text, " <= ? LIMIT %d", (int)PROBE_ROWS);
    for (uint64_t at = 0; status == STATUS_OK && at < PROBES; at++) {
        double rows = 0;
        const struct cql_range range = cql_range_piece(&ring, at, PROBES);
        error_clear(&error);
        status = estimate_probe(self, buffer_string(&text), &range, &rows, &error);
        all += rows;
    }
    buffer_free(&text);
    return status == STATUS_OK ? all : -1;
}

/* ---------------------------------------------------------------- sizes */

static bool is_same(const char *name, struct text text)
{
    return strlen(name) == text.length && memcmp(name, text.data, text.length) == 0;
}

/* Rows come table by table. */
static struct cassandra_size *size_of(struct cassandra_sizes *sizes, struct text table,
                                      struct arena *arena)
{
    if (sizes->count == 0 || !is_same(sizes->list[sizes->count - 1].table, table)) {
        sizes->list[sizes->count++] =
            (struct cassandra_size){.table = arena_copy(arena, table.data, table.length)};
    }
    return &sizes->list[sizes->count - 1];
}

/* The range that passes the end of the ring begins above its end. */
static double width_of(struct text after, struct text to)
{
    int64_t begin = 0;
    int64_t end = 0;
    if (text_to_int64(after.data, after.length, &begin) != STATUS_OK ||
        text_to_int64(to.data, to.length, &end) != STATUS_OK) {
        return 0;
    }
    return begin == end ? 1 : (double)((uint64_t)end - (uint64_t)begin) / RING_WIDTH;
}

enum status cassandra_sizes_read(struct cassandra *self, struct arena *arena,
                                 struct cassandra_sizes *sizes, struct error *error)
{
    enum { TABLE, AFTER, TO, BYTES, PARTITIONS, FIELDS };
    static const char select[] =
        "SELECT table_name, range_start, range_end, mean_partition_size, partitions_count FROM "
        "system.size_estimates WHERE keyspace_name = ?";
    struct cql_value row[FIELDS];
    struct system_rows rows;
    *sizes = (struct cassandra_sizes){0};
    if (system_rows_read(self, select, NULL, NULL, FIELDS, arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sizes->list = arena_allocate_zeroed(arena, rows.rows.count + 1, sizeof(*sizes->list));
    while (system_rows_next(&rows, row)) {
        struct cassandra_size *size = size_of(sizes, system_text(row[TABLE]), arena);
        double partitions = (double)system_number(row[PARTITIONS]);
        size->partitions += partitions;
        size->bytes += partitions * (double)system_number(row[BYTES]);
        size->ring += width_of(system_text(row[AFTER]), system_text(row[TO]));
    }
    return system_rows_end(&rows, error);
}

void cassandra_sizes_find(const struct cassandra_sizes *sizes, const char *table,
                          int64_t *partitions, int64_t *bytes)
{
    *partitions = -1;
    *bytes = -1;
    for (size_t at = 0; at < sizes->count; at++) {
        const struct cassandra_size *size = &sizes->list[at];
        if (strcmp(size->table, table) == 0 && size->ring > 0 && size->partitions > 0) {
            double whole = size->ring < 1 ? 1 / size->ring : 1;
            *partitions = (int64_t)(size->partitions * whole + 0.5);
            *bytes = (int64_t)(size->bytes * whole + 0.5);
        }
    }
}
