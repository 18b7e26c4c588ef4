/* The shape and cost of a feed before it is made. */
#include "base/clock.h"
#include "base/text.h"
#include "connectors/sqlite/feed_internal.h"
#include <stdio.h>
#include <string.h>

enum {
    MEASURED_ROWS = 500,
    MEASURED_NS = 20 * 1000 * 1000, /* for each of both */
    ROUNDS_MAX = 200,
    COSTS = 3
};

/* ---------------------------------------------------------------- what a write costs */

static bool is_measurable(const struct schema_table *schema)
{
    bool plain = schema->native_sql != NULL;
    for (uint32_t i = 0; i < schema->column_count; i++) {
        plain = plain && schema->columns[i].generated == GENERATED_NO;
    }
    return plain;
}

/* Some rows, into a table of the same text in memory. False: what it takes is not here. */
static bool copy_rows(sqlite3 *from, sqlite3 *to, const struct schema_table *schema)
{
    struct buffer select = {0};
    struct buffer insert = {0};
    sqlite3_stmt *rows = NULL;
    sqlite3_stmt *put = NULL;
    sqlite_append(&select, "SELECT * FROM main.%n LIMIT %u", schema->name, MEASURED_ROWS);
    sqlite_append(&insert, "INSERT INTO main.%n VALUES (?", schema->name);
    for (uint32_t i = 1; i < schema->column_count; i++) {
        buffer_append_string(&insert, ", ?");
    }
    buffer_append_byte(&insert, ')');
    bool good = sqlite3_exec(to, schema->native_sql, NULL, NULL, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(from, buffer_string(&select), -1, &rows, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(to, buffer_string(&insert), -1, &put, NULL) == SQLITE_OK &&
                sqlite3_column_count(rows) == (int)schema->column_count;
    while (good && sqlite3_step(rows) == SQLITE_ROW) {
        for (int i = 0; i < (int)schema->column_count; i++) {
            good =
                good && sqlite3_bind_value(put, i + 1, sqlite3_column_value(rows, i)) == SQLITE_OK;
        }
        good = good && sqlite3_step(put) == SQLITE_DONE;
        sqlite3_reset(put);
    }
    sqlite3_finalize(rows);
    sqlite3_finalize(put);
    buffer_free(&select);
    buffer_free(&insert);
    return good;
}

/* Nanoseconds of an UPDATE of all rows. 0: it fails, or there are none. */
static double time_update(sqlite3 *memory, const struct schema_table *schema)
{
    struct buffer sql = {0};
    const char *column = schema->columns[schema->column_count - 1].name;
    int64_t begun_ns = clock_monotonic_ns();
    int64_t took_ns = 0;
    int rounds = 0;
    sqlite_append(&sql, "UPDATE main.%n SET %n = %n", schema->name, column, column);
    while (took_ns < MEASURED_NS && rounds < ROUNDS_MAX) {
        if (sqlite3_exec(memory, buffer_string(&sql), NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_changes(memory) == 0) {
            rounds = 0;
            break;
        }
        rounds++;
        took_ns = clock_monotonic_ns() - begun_ns;
    }
    buffer_free(&sql);
    return rounds > 0 ? (double)took_ns / rounds : 0;
}

/* How many times as long an UPDATE takes with the triggers, in memory. 0: not known. */
static double feed_foresee_measure(sqlite3 *connection, const char *name,
                                   const struct catalog_table *table)
{
    const struct schema_table *schema = table->schema;
    sqlite3 *memory = NULL;
    struct buffer sql = {0};
    double ratio = 0;
    if (is_measurable(schema) && sqlite3_open(":memory:", &memory) == SQLITE_OK &&
        copy_rows(connection, memory, schema)) {
        double before = time_update(memory, schema);
        feed_append_log(name, schema->column_count, 0, &sql);
        feed_append_triggers(name, 1, table, &sql);
        if (before > 0 &&
            sqlite3_exec(memory, buffer_string(&sql), NULL, NULL, NULL) == SQLITE_OK) {
            ratio = time_update(memory, schema) / before;
        }
    }
    sqlite3_close(memory);
    buffer_free(&sql);
    return ratio;
}

/* ---------------------------------------------------------------- all of it */

struct foreseeing {
    sqlite3 *connection;
    const char *name;
    struct arena *arena;
    const char **statements;
    uint32_t statement_count;
    const char **costs;
    uint32_t cost_count;
    struct lack_list *lacks;
    double slower; /* the most of all tables that could be measured */
    const char *slowest;
};

static const char *feed_foresee_keep(struct foreseeing *foreseeing, struct buffer *text)
{
    return sql_text(foreseeing->arena, text);
}

static enum status add_table(struct foreseeing *foreseeing, const struct catalog *catalog,
                             const char *name, uint32_t number, uint32_t *columns,
                             struct error *error)
{
    const struct catalog_table *table = NULL;
    uint32_t *key;
    struct buffer sql = {0};
    if (feed_find_table(catalog, name, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (feed_find_key(table, foreseeing->arena, &key) == 0) {
        return feed_refuse_keyless(table->schema->name, error);
    }
    *columns = table->schema->column_count > *columns ? table->schema->column_count : *columns;
    feed_append_triggers(foreseeing->name, number, table, &sql);
    foreseeing->statements[foreseeing->statement_count++] = feed_foresee_keep(foreseeing, &sql);
    double slower = feed_foresee_measure(foreseeing->connection, foreseeing->name, table);
    if (slower > foreseeing->slower) {
        foreseeing->slower = slower;
        foreseeing->slowest = arena_copy_string(foreseeing->arena, table->schema->name);
    }
    return STATUS_OK;
}

static void tell_costs(struct foreseeing *foreseeing, bool write_ahead)
{
    struct buffer line = {0};
    buffer_append_string(&line, "writers: each changed row is written once more, with its old and "
                                "new values, into a log in the same file and transaction");
    if (foreseeing->slower > 0) {
        buffer_format(
            &line,
            "; an UPDATE took up to %.1f times as long (%s, in memory; a commit costs the "
            "same)",
            foreseeing->slower, foreseeing->slowest);
    }
    foreseeing->costs[foreseeing->cost_count++] = feed_foresee_keep(foreseeing, &line);
    buffer_append_string(&line,
                         "disk: the log keeps what is not applied; --max-retained bounds it");
    foreseeing->costs[foreseeing->cost_count++] = feed_foresee_keep(foreseeing, &line);
    if (!write_ahead) {
        buffer_append_string(&line, "writers: the file is not in WAL mode, so they wait while the "
                                    "feed is read; PRAGMA journal_mode = WAL helps");
        foreseeing->costs[foreseeing->cost_count++] = feed_foresee_keep(foreseeing, &line);
    }
}

static bool is_write_ahead(sqlite3 *connection)
{
    sqlite3_stmt *statement = NULL;
    bool is = sqlite3_prepare_v2(connection, "PRAGMA main.journal_mode", -1, &statement, NULL) ==
                  SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW &&
              strcmp(sqlite_text_of(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    return is;
}

static enum status foresee(struct foreseeing *foreseeing, struct sqlite_database *self,
                           const struct followed_table *tables, uint32_t table_count,
                           struct error *error)
{
    struct catalog catalog;
    struct buffer sql = {0};
    uint32_t columns = 0;
    enum status status = catalog_read(self, foreseeing->connection, &catalog, error);
    if (status != STATUS_OK) {
        return status;
    }
    foreseeing->statements = arena_allocate_zeroed(foreseeing->arena, table_count + (size_t)2,
                                                   sizeof *foreseeing->statements);
    foreseeing->costs = arena_allocate_zeroed(foreseeing->arena, COSTS, sizeof *foreseeing->costs);
    foreseeing->statement_count = 2; /* what all share stands first, when its width is known */
    for (uint32_t i = 0; i < table_count && status == STATUS_OK; i++) {
        status = lacks_take(foreseeing->lacks,
                            add_table(foreseeing, &catalog, tables[i].name, i + 1, &columns, error),
                            error);
    }
    arena_destroy(catalog.schema->arena);
    feed_append_list(&sql);
    foreseeing->statements[0] = feed_foresee_keep(foreseeing, &sql);
    feed_append_log(foreseeing->name, columns, 0, &sql);
    foreseeing->statements[1] = feed_foresee_keep(foreseeing, &sql);
    tell_costs(foreseeing, is_write_ahead(foreseeing->connection));
    return status;
}

enum status sqlite_feed_foresee(struct database *database, const char *name,
                                const struct followed_table *tables, uint32_t table_count,
                                const struct database *target, struct arena *arena,
                                struct feed_forecast *forecast, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct foreseeing foreseeing = {.name = name, .arena = arena};
    (void)target; /* the server's own replication: there is no server */
    *forecast = (struct feed_forecast){.lacks = {.arena = arena}};
    foreseeing.lacks = &forecast->lacks;
    enum status status = lacks_take(&forecast->lacks, feed_can_be_followed(self, error), error);
    status =
        status == STATUS_OK ? feed_connect(self, false, &foreseeing.connection, error) : status;
    status = status == STATUS_OK ? foresee(&foreseeing, self, tables, table_count, error) : status;
    sqlite_connection_close(foreseeing.connection);
    forecast->statements = foreseeing.statements;
    forecast->statement_count = foreseeing.statement_count;
    forecast->costs = foreseeing.costs;
    forecast->cost_count = foreseeing.cost_count;
    return status;
}
