/* After the load: ANALYZE, with what can be done beside it. */
#include "base/log.h"
#include "connectors/postgres/schema/finish.h"
#include "connectors/postgres/schema/keys.h"
#include "postgres_sql.h"
#include <string.h>

enum { SMALL_BYTES = 1 << 20, ANALYZES_AT_ONCE = 4 };

/* Is it worth the while? What this run made always is, and what is small; other tables when they
 * grew by a tenth, which is when autovacuum would do it too. */
static bool wants_analyze(const struct target_table *table, const struct postgres_table *facts,
                          const PGresult *statistics)
{
    if (table->created) {
        return true;
    }
    for (int row = 0; row < PQntuples(statistics); row++) {
        if (strcmp(PQgetvalue(statistics, row, 0), table->name) != 0) {
            continue;
        }
        bool wanted =
            facts->schema->size_bytes < SMALL_BYTES || PQgetvalue(statistics, row, 2)[0] == 't';
        bool may = PQgetvalue(statistics, row, 1)[0] == 't';
        if (wanted && !may) {
            log_write(LOG_WARNING,
                      "%s: its statistics stay as they are, since the role does not own it; let "
                      "its owner run ANALYZE",
                      table->name);
        }
        return wanted && may;
    }
    return false;
}

/* Up to this size a table that was just written has its pages in memory: to ask for each of them in
 * advance takes a twelfth of ANALYZE's time. And one process counts it before ANALYZE ends, from
 * which others would only take processors. */
static const int64_t ALONE_BYTES = (int64_t)512 << 20;

static const char *settings_of_analyze(const struct postgres_database *self, int64_t weight)
{
    return self->server_version < 130000 ? NULL
           : weight <= ALONE_BYTES       ? "SET SESSION maintenance_io_concurrency = 0"
                                         : "RESET maintenance_io_concurrency";
}

static const char *settings_of_count(int64_t weight)
{
    return weight <= ALONE_BYTES ? "SET SESSION max_parallel_workers_per_gather = 0"
                                 : "RESET max_parallel_workers_per_gather";
}

static void add_build(struct postgres_build *builds, uint32_t *count, struct buffer *sql,
                      const char *name, int64_t weight, struct arena *arena)
{
    builds[(*count)++] = (struct postgres_build){.name = name,
                                                 .what = "statistics of",
                                                 .sql = sql_text(arena, sql),
                                                 .weight = weight,
                                                 .shuts_out = POSTGRES_SHUTS_NOBODY};
}

/* The engine will ask how many records are there: one processor can count them while another one
 * gathers statistics, and both read the table just once. */
static void add_count(const struct postgres_finisher *finisher, const struct target_table *table,
                      int64_t weight, struct postgres_build *builds, uint32_t *count,
                      struct arena *arena)
{
    const struct after_load_request *request = finisher->request;
    if (request->counted == NULL || !table->created) {
        return;
    }
    add_build(builds, count,
              postgres_sql("SELECT count(*) FROM %t", &finisher->self->sql, table->name),
              table->name, weight, arena);
    builds[*count - 1].what = "records of";
    builds[*count - 1].counted = &request->counted[table - request->tables];
    builds[*count - 1].settings = settings_of_count(weight);
}

static enum status set_sequences(void *context, struct error *error)
{
    const struct postgres_finisher *finisher = context;
    return postgres_set_sequences(finisher->self, finisher->connection, finisher->request->tables,
                                  finisher->request->table_count, error);
}

/* ANALYZE of all tables, several large ones at once, and their sequences beside; one statement for
 * many small tables, which makes a transaction of each. */
static enum status analyze(struct postgres_finisher *finisher,
                           const struct postgres_catalog *catalog, const PGresult *statistics,
                           struct arena *arena)
{
    const struct target_table *tables = finisher->request->tables;
    uint32_t table_count = finisher->request->table_count;
    enum { SMALL_TOGETHER = 100 };
    struct postgres_build *builds =
        arena_allocate_zeroed(arena, 2 * ((size_t)table_count + 1), sizeof *builds);
    struct buffer small = {0};
    uint32_t count = 0;
    uint32_t smalls = 0;
    const char *first = NULL;
    for (uint32_t i = 0; i < table_count; i++) {
        const struct postgres_table *facts = postgres_catalog_find(catalog, tables[i].name);
        struct buffer own = {0};
        if (facts == NULL || !wants_analyze(&tables[i], facts, statistics)) {
            continue;
        }
        bool large = facts->schema->size_bytes >= SMALL_BYTES;
        struct buffer *sql = large ? &own : &small;
        first = tables[i].name;
        buffer_append_string(sql, sql->length == 0 ? "ANALYZE " : ", ");
        postgres_append_table(sql, finisher->self, tables[i].name);
        smalls += !large;
        if (large) {
            add_build(builds, &count, sql, tables[i].name, facts->schema->size_bytes, arena);
            builds[count - 1].settings =
                settings_of_analyze(finisher->self, facts->schema->size_bytes);
            add_count(finisher, &tables[i], facts->schema->size_bytes, builds, &count, arena);
        } else if (smalls % SMALL_TOGETHER == 0) {
            add_build(builds, &count, sql, tables[i].name, 0, arena);
        }
    }
    if (small.length > 0) {
        add_build(builds, &count, &small, first, 0, arena);
    }
    const struct postgres_errand sequences = {set_sequences, finisher};
    return postgres_builds_run(finisher->self, builds, count, ANALYZES_AT_ONCE, &sequences,
                               finisher->request->progress, finisher->error);
}

enum status postgres_analyze_tables(struct postgres_finisher *finisher,
                                    const struct postgres_catalog *catalog, struct arena *arena)
{
    const struct postgres_parameter spaces = {.text = finisher->self->spaces};
    PGresult *statistics = NULL;
    enum status status = STATUS_OK;
    bool others = false;
    for (uint32_t i = 0; i < finisher->request->table_count; i++) {
        others = others || !finisher->request->tables[i].created;
    }
    if (others) {
        status =
            postgres_catalog_query(finisher->self, finisher->connection, sql_statistics, &spaces, 1,
                                   SQL_SHORT, ERROR_TARGET_INVALID, &statistics, finisher->error);
    }
    status = status == STATUS_OK ? analyze(finisher, catalog, statistics, arena) : status;
    PQclear(statistics);
    return status;
}
