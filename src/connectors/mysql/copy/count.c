/* How many records a table holds: InnoDB keeps no such number, so a long table is counted by
 * ranges of its key, over several connections. */
#include "connectors/mysql/schema/workers.h"
#include <string.h>

/* Below that, connecting would cost more than it brings. */
enum { WIDE_KEYS = 500000, RANGES = MYSQL_CREW_MAX };

struct counting {
    struct mysql_database *self;
    const struct target_table *table;
    int64_t bounds[RANGES]; /* each range begins at its own; the first is open below */
    int64_t counts[RANGES];
};

/* A key of this run's making that is one whole number; its edges then cost nothing to find. */
static bool has_number_key(const struct target_table *table)
{
    if (!table->created || table->key.count != 1) {
        return false;
    }
    const struct schema_column *columns =
        table->same_engine != NULL ? table->same_engine->columns : table->columns;
    uint32_t count =
        table->same_engine != NULL ? table->same_engine->column_count : table->column_count;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(columns[i].name, table->key.names[0]) == 0) {
            return columns[i].type.kind == VALUE_INT64;
        }
    }
    return false;
}

/* STATUS_END: not worth it. */
static enum status find_bounds(struct counting *counting, MYSQL *connection, struct error *error)
{
    int64_t low = 0;
    int64_t high = 0;
    if (!has_number_key(counting->table)) {
        return STATUS_END;
    }
    if (mysql_ask_edge(counting->self, connection, "min", counting->table->name,
                       counting->table->key.names[0], ERROR_TARGET_INVALID, &low,
                       error) != STATUS_OK ||
        mysql_ask_edge(counting->self, connection, "max", counting->table->name,
                       counting->table->key.names[0], ERROR_TARGET_INVALID, &high,
                       error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t width = (uint64_t)high - (uint64_t)low;
    if (low == INT64_MIN || high < low || width < WIDE_KEYS) {
        return STATUS_END;
    }
    for (uint32_t i = 0; i < RANGES; i++) {
        counting->bounds[i] = (int64_t)((uint64_t)low + width / RANGES * i);
    }
    return STATUS_OK;
}

/* Whatever is written meanwhile, the ranges tile. */
static enum status count_range(void *context, MYSQL *connection, struct arena *arena,
                               uint32_t number, struct error *error)
{
    struct counting *counting = context;
    const char *key = counting->table->key.names[0];
    bool first = number == 0;
    bool last = number == RANGES - 1;
    struct buffer sql = {0};
    (void)arena;
    mysql_append(&sql, "SELECT count(*) FROM %t WHERE %n", &counting->self->sql,
                 counting->table->name, key);
    if (!first) {
        buffer_format(&sql, " >= %lld", (long long)counting->bounds[number]);
    }
    if (!first && !last) {
        mysql_append(&sql, " AND %n", key);
    }
    if (!last) {
        buffer_format(&sql, " < %lld", (long long)counting->bounds[number + 1]);
    }
    return mysql_ask_number(counting->self, connection, &sql, SQL_LONG, ERROR_TARGET_INVALID, 0,
                            &counting->counts[number], error);
}

enum status mysql_count(struct mysql_database *self, MYSQL *control,
                        const struct target_table *table, uint64_t *count, struct error *error)
{
    struct counting counting = {.self = self, .table = table};
    struct mysql_workers crew = {.self = self};
    enum status status = find_bounds(&counting, control, error);
    if (status == STATUS_OK) {
        status = mysql_workers_run(&crew, control, RANGES, count_range, &counting, error);
        mysql_workers_close(&crew);
    } else if (status == STATUS_END) {
        status = mysql_ask_number(
            self, control,
            mysql_sql("SELECT count(*) FROM %t", &counting.self->sql, counting.table->name),
            SQL_LONG, ERROR_TARGET_INVALID, 0, &counting.counts[0], error);
    }
    *count = 0;
    for (uint32_t i = 0; i < RANGES; i++) {
        *count += (uint64_t)counting.counts[i];
    }
    return status;
}
