/* Records that refer to what was taken out of a table. */
#include "connectors/postgres/locks.h"
#include "connectors/postgres/schema/orphans.h"
#include "connectors/postgres/undo/rollback.h"
#include "postgres_sql.h"

/* The columns of partnerless.sql. */
enum field {
    FIELD_NUMBER,
    FIELD_NAME,
    FIELD_TABLE,
    FIELD_TABLE_PLACE,
    FIELD_PARTNER,
    FIELD_PARTNER_PLACE,
    FIELD_FULL,
    FIELD_PERIOD,
    FIELD_COLUMN,
    FIELD_REFERENCED,
    FIELD_OPERATOR,
    FIELD_COLLATION,
    FIELD_KEY
};

struct asking {
    struct postgres_database *self;
    struct arena *arena;
    const PGresult *keys;
    struct buffer *out;
    struct buffer *unasked;
    struct error *error;
};

/* As FROM has them; `shown` is what sql_orphans calls the first. */
struct places {
    const char *shown;
    const char *table;
    const char *partner;
};

static void append_place(struct buffer *out, const void *self, const char *name)
{
    const struct places *places = self;
    buffer_append_string(out, name == places->shown ? places->table : places->partner);
}

/* The values that the rows of one foreign key hold in a column; the first lists' ends are NULL in
 * the rows of a longer one. */
static struct column_list read_list(const struct asking *asking, int first, enum field field)
{
    int end = postgres_referrer_end(asking->keys, first);
    const char **names = arena_allocate_zeroed(asking->arena, (size_t)(end - first), sizeof *names);
    uint32_t count = 0;
    for (int row = first; row < end; row++) {
        if (!PQgetisnull(asking->keys, row, field)) {
            names[row - first] = PQgetvalue(asking->keys, row, field);
            count++;
        }
    }
    return (struct column_list){names, count};
}

/* Others' locks are not waited for. */
static enum status postgres_partnerless_ask(const struct asking *asking,
                                            const struct sql_orphans *orphans)
{
    struct postgres_database *self = asking->self;
    struct buffer sql = {0};
    PGconn *connection = NULL;
    PGresult *rows = NULL;
    if (postgres_begin_brief(self, &connection, asking->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sql_orphans_append_query(&sql, orphans);
    enum status status = postgres_query_buffer(self, connection, &sql, NULL, 0, SQL_BUILD,
                                               ERROR_TARGET_INVALID, &rows, asking->error);
    if (status == STATUS_OK) {
        sql_orphans_append_line(asking->out, orphans, (uint32_t)PQntuples(rows),
                                postgres_orphans_cell, rows);
        PQclear(rows);
        return postgres_end(self, connection, STATUS_OK, asking->error);
    }
    bool lost = postgres_is_lost(connection, asking->error->native_state);
    status = postgres_end(self, connection, status, asking->error);
    return status == STATUS_OK
               ? STATUS_OK
               : sql_orphans_pass_over(asking->unasked, orphans, lost, asking->error);
}

static enum status ask_key(const struct asking *asking, int first)
{
    const PGresult *keys = asking->keys;
    struct sql_orphans orphans = postgres_orphans(asking->self);
    const struct places places = {PQgetvalue(keys, first, FIELD_TABLE),
                                  PQgetvalue(keys, first, FIELD_TABLE_PLACE),
                                  PQgetvalue(keys, first, FIELD_PARTNER_PLACE)};
    orphans.self = &places;
    orphans.append_table = append_place;
    orphans.table = places.shown;
    orphans.partner = PQgetvalue(keys, first, FIELD_PARTNER);
    orphans.name = PQgetvalue(keys, first, FIELD_NAME);
    orphans.full = PQgetvalue(keys, first, FIELD_FULL)[0] == 't';
    if (PQgetvalue(keys, first, FIELD_PERIOD)[0] == 't') {
        error_set(asking->error, ERROR_TARGET_SCHEMA, orphans.table, "it compares a PERIOD");
        return sql_orphans_pass_over(asking->unasked, &orphans, false, asking->error);
    }
    orphans.columns = read_list(asking, first, FIELD_COLUMN);
    orphans.referenced = read_list(asking, first, FIELD_REFERENCED);
    orphans.key = read_list(asking, first, FIELD_KEY);
    orphans.operators = read_list(asking, first, FIELD_OPERATOR).names;
    orphans.collations = read_list(asking, first, FIELD_COLLATION).names;
    return postgres_partnerless_ask(asking, &orphans);
}

enum status postgres_tell_partnerless(struct database *database, const struct target_table *table,
                                      struct buffer *out, struct buffer *unasked,
                                      struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    const struct sql_table_place place = sql_place_of(&self->sql, table->name);
    const struct postgres_parameter parameters[] = {
        {.text = place.schema}, {.text = place.name}, {.text = self->sql.schema}};
    struct asking asking = {self, arena_create(0), NULL, out, unasked, error};
    PGconn *connection = NULL;
    PGresult *keys = NULL;
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_catalog_query(self, connection, sql_partnerless, parameters, 3, SQL_SHORT,
                                        ERROR_TARGET_INVALID, &keys, error);
    }
    asking.keys = keys;
    for (int row = 0; status == STATUS_OK && row < PQntuples(keys);
         row = postgres_referrer_end(keys, row)) {
        status = ask_key(&asking, row);
    }
    PQclear(keys);
    arena_destroy(asking.arena);
    return status;
}
