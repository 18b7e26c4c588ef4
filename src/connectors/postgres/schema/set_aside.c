/* Records that break a promise of their source: moved out of the way of a unique index, and told to
 * the engine until the run has settled. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/postgres/schema/keys.h"
#include "connectors/postgres/source.h"
#include "connectors/postgres/store.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE_ROWS = 500 };

typedef enum status lost_found(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                               const struct cell *key, uint32_t key_count,
                               const struct cell *record, enum duplicate_kind kind,
                               struct error *error);

static void append_lost_table(struct buffer *sql, const struct postgres_database *self,
                              const char *table)
{
    postgres_append_own_table(sql, self, POSTGRES_OWN_LOST, table);
}

/* ---------------------------------------------------------------- moving */

/* A record's place is its table's number and its ctid: partitions number theirs each for itself. */
static void append_move(struct buffer *sql, const struct postgres_database *self,
                        const struct target_table *table, struct column_list columns,
                        struct column_list order)
{
    struct buffer name = {0};
    postgres_append_table(&name, self, table->name);
    postgres_append(sql,
                    "WITH places AS (SELECT tableoid AS part, ctid AS place, "
                    "pg_catalog.row_number() OVER (PARTITION BY %l ORDER BY %l%stableoid, ctid) "
                    "AS number FROM %s WHERE ",
                    columns, order, order.count > 0 ? ", " : "", buffer_string(&name));
    for (uint32_t i = 0; i < columns.count; i++) {
        postgres_append(sql, "%s%n IS DISTINCT FROM NULL", i > 0 ? " AND " : "", columns.names[i]);
    }
    buffer_format(sql,
                  "), gone AS (DELETE FROM %s AS t USING places WHERE t.tableoid = places.part "
                  "AND t.ctid = places.place AND places.number > 1 RETURNING t.*) INSERT INTO ",
                  buffer_string(&name));
    append_lost_table(sql, self, table->name);
    buffer_append_string(sql, " SELECT * FROM gone");
    buffer_free(&name);
}

static enum status records_move(struct postgres_database *self, PGconn *connection,
                                const struct target_table *table, struct column_list columns,
                                struct column_list order, struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "CREATE TABLE IF NOT EXISTS ");
    append_lost_table(&sql, self, table->name);
    postgres_append(&sql, " AS SELECT * FROM %t WITH NO DATA", &self->sql, table->name);
    enum status status = postgres_query_buffer(self, connection, &sql, NULL, 0, SQL_LONG,
                                               ERROR_TARGET_WRITE, NULL, error);
    if (status == STATUS_OK) {
        append_move(&sql, self, table, columns, order);
        status = postgres_query_buffer(self, connection, &sql, NULL, 0, SQL_LONG,
                                       ERROR_TARGET_WRITE, &result, error);
    }
    if (status == STATUS_OK) {
        log_write(LOG_WARNING,
                  "%s: %s records share unique values with others, though the source says that "
                  "there are none: they are rejected",
                  table->name, PQcmdTuples(result));
        status = postgres_check_claim(self, connection, error);
    }
    PQclear(result);
    return status == STATUS_OK ? failpoint_hit("postgres.before_lost", error) : status;
}

enum status postgres_set_aside_move(struct postgres_database *self,
                                    const struct target_table *table, struct column_list columns,
                                    struct column_list order, struct error *error)
{
    PGconn *connection = NULL;
    self->lost_known = false;
    if (postgres_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_end(
        self, connection, records_move(self, connection, table, columns, order, error), error);
    return status == STATUS_OK ? failpoint_hit("postgres.after_lost", error) : status;
}

/* ---------------------------------------------------------------- telling */

static int32_t key_position(const struct postgres_table *facts, const struct target_table *table,
                            uint32_t part)
{
    return postgres_find_column(facts, table->key.names[part]);
}

/* One of them: told with its key and all that the table held of it. */
static enum status records_tell(const struct target_table *table,
                                const struct postgres_table *facts, const struct cell *record,
                                struct arena *arena, lost_found *found, void *context,
                                struct error *error)
{
    struct cell *key = arena_allocate_zeroed(arena, (size_t)table->key.count + 1, sizeof *key);
    for (uint32_t i = 0; i < table->key.count; i++) {
        int32_t position = key_position(facts, table, i);
        key[i] = position >= 0 ? record->items[2 * (size_t)position + 1] : cell_null();
    }
    return found(context, 0, UINT32_MAX, UINT64_MAX, key, table->key.count, record,
                 DUPLICATE_DIFFERS, error);
}

static enum status has_lost(struct postgres_database *self, PGconn *connection, const char *table,
                            bool *there, struct error *error)
{
    struct buffer name = {0};
    append_lost_table(&name, self, table);
    enum status status = postgres_is_there(self, connection, buffer_string(&name),
                                           ERROR_TARGET_INVALID, there, error);
    buffer_free(&name);
    return status;
}

/* STATUS_END: that was the last one. */
static enum status tell_page(struct postgres_database *self, const struct target_table *table,
                             const struct postgres_table *facts, uint64_t offset, lost_found *found,
                             void *context, struct error *error)
{
    const struct sql_table kept = postgres_table_of(facts);
    struct buffer from = {0};
    struct arena *arena = arena_create(0);
    struct batch *batch = batch_create(NULL, 1, PAGE_ROWS);
    append_lost_table(&from, self, table->name);
    buffer_format(&from, " ORDER BY ctid LIMIT %d OFFSET %llu", PAGE_ROWS,
                  (unsigned long long)offset);
    enum status status =
        postgres_read_records(&self->sql, &kept, buffer_string(&from), batch, error);
    uint32_t count = status == STATUS_OK ? batch->row_count : 0;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = records_tell(table, facts, batch_row(batch, i), arena, found, context, error);
    }
    batch_destroy(batch);
    arena_destroy(arena);
    buffer_free(&from);
    return status == STATUS_OK && count < PAGE_ROWS ? STATUS_END : status;
}

enum status postgres_set_aside_tell(
    struct database *database, const struct target_table *table,
    enum status (*found)(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                         const struct cell *key, uint32_t key_count, const struct cell *record,
                         enum duplicate_kind kind, struct error *error),
    void *context, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct postgres_table facts;
    PGconn *connection = NULL;
    PGresult *result = NULL;

    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    if (!self->lost_known) { /* asked for once; most runs have none */
        if (postgres_control(self, &connection, error) != STATUS_OK ||
            postgres_list_own_of(self, connection, POSTGRES_OWN_LOST, self->sql.run_id, &result,
                                 error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        self->lost_any = PQntuples(result) > 0;
        self->lost_known = true;
        PQclear(result);
    }
    if (!self->lost_any) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = postgres_control(self, &connection, error);
    status = status == STATUS_OK
                 ? postgres_target_describe(self, connection, table->name, arena, &facts, error)
                 : status;
    bool there = false;
    status = status == STATUS_OK ? has_lost(self, connection, table->name, &there, error) : status;
    for (uint64_t offset = 0; status == STATUS_OK && there; offset += PAGE_ROWS) {
        status = tell_page(self, table, &facts, offset, found, context, error);
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}
