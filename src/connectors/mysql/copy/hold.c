/*
 * Holding what a run reads. Within a transaction, the first statement that names a table takes a
 * metadata lock on it to the transaction's end, which keeps ALTER, DROP and TRUNCATE out. A
 * snapshot takes none: until a table is touched it may be altered, and where InnoDB does that
 * without writing the rows anew (ALGORITHM=INSTANT), an older snapshot reads them by the new
 * columns, with their defaults for values. So all is touched at once, and then compared with the
 * catalogue that the plan was made from.
 *
 * Who waits to alter a table keeps everybody from it who has not touched it yet, readers of the
 * same snapshot, too: so each of them touches all of it as well, before it reads.
 */
#include "base/buffer.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/source.h"
#include "connectors/sql/request.h"
#include <stdlib.h>
#include <string.h>

/* Readers touch so many tables at most: with more it would take longer than it may. */
enum { TOUCHED_AT_ONCE = 50, TOUCHED_BY_READERS_MAX = 1000 };
enum { NO_SUCH_TABLE = 1146, DEFINITION_CHANGED = 1412 };

struct mysql_held {
    struct mysql_held *next;
    const char *from;                /* what stands behind FROM */
    const char *name;                /* as people know it */
    const struct mysql_table *table; /* the catalogue's; NULL: a query */
};

/* ---------------------------------------------------------------- what to hold */

static bool is_held(const struct mysql_database *self, const struct mysql_table *table)
{
    const struct mysql_held *held = self->held;
    while (held != NULL && (table == NULL || held->table != table)) {
        held = held->next;
    }
    return held != NULL;
}

/* Takes `from`. */
static void hold_add(struct mysql_database *self, struct buffer *from, const char *name,
                     const struct mysql_table *table)
{
    struct mysql_held *added = arena_allocate_zeroed(self->arena, 1, sizeof *added);
    *added = (struct mysql_held){.next = self->held,
                                 .from = sql_text(self->arena, from),
                                 .name = arena_copy_string(self->arena, name),
                                 .table = table};
    self->held = added;
}

enum status mysql_hold_table(struct sql_database *database, const char *name, struct error *error)
{
    struct mysql_database *self = mysql_database_of(&database->base);
    const struct mysql_catalog *catalog = NULL;
    struct buffer from = {0};
    if (mysql_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct mysql_table *table = mysql_catalog_find(catalog, name);
    if (table == NULL || is_held(self, table)) {
        return STATUS_OK;
    }
    mysql_append_table(&from, self, table->schema->name);
    hold_add(self, &from, table->schema->name, table);
    return STATUS_OK;
}

/* Only the server knows which tables a query reads. Before MySQL 5.6 a query in FROM is carried out
 * whole. */
enum status mysql_hold_query(struct sql_database *database, const struct read_request *request,
                             struct error *error)
{
    enum { LATE_SINCE = 50600 };
    struct mysql_database *self = mysql_database_of(&database->base);
    struct buffer from = {0};
    (void)error;
    if (self->version < LATE_SINCE) {
        return STATUS_OK;
    }
    sql_append_query(&from, request->query);
    buffer_append_string(&from, " AS q");
    hold_add(self, &from, request->name, NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- touching */

/* From `held` on, so many. A table that was emptied shows when a row is asked for, which of a view
 * or a query may be the work of hours. */
static enum status tables_touch(struct mysql_database *self, MYSQL *connection,
                                const struct mysql_held *held, uint32_t count, struct error *error)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < count && held != NULL; i++, held = held->next) {
        bool quick = held->table != NULL && held->table->schema->kind == SCHEMA_TABLE;
        buffer_format(&sql, "%s(SELECT 1 FROM %s LIMIT %d)", i > 0 ? " UNION ALL " : "", held->from,
                      quick);
    }
    return mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, NULL, error);
}

static enum status touch_one(struct mysql_database *self, const struct mysql_held *held,
                             struct error *error)
{
    enum status status = tables_touch(self, self->control, held, 1, error);
    unsigned number = status == STATUS_OK ? 0 : mysql_errno(self->control);
    if (number == NO_SUCH_TABLE) {
        return sql_refuse_changed(&self->sql, held->name, "dropped or renamed", error);
    }
    if (number == DEFINITION_CHANGED) {
        return sql_refuse_changed(&self->sql, held->name, "altered", error);
    }
    if (status != STATUS_OK) {
        error_context(error, "%s: ", held->name);
    }
    return status;
}

/* Which of many is in the way shows when they are touched one by one. */
static enum status touch_all(struct mysql_database *self, struct error *error)
{
    const struct mysql_held *held = self->held;
    enum status status = STATUS_OK;
    while (held != NULL && status == STATUS_OK) {
        struct error untold;
        bool together =
            tables_touch(self, self->control, held, TOUCHED_AT_ONCE, &untold) == STATUS_OK;
        for (uint32_t i = 0; i < TOUCHED_AT_ONCE && held != NULL && status == STATUS_OK; i++) {
            status = together ? STATUS_OK : touch_one(self, held, error);
            held = held->next;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- the readers */

/* A reader waits briefly: whoever has a table that the control connection holds is in a queue
 * behind it, so that waiting ends only when one of the two lets go. */
static enum status reader_join(struct mysql_database *self, MYSQL *connection, bool touches,
                               struct error *error)
{
    enum status status = mysql_wait_briefly(self, connection, error);
    const struct mysql_held *held = self->held;
    while (status == STATUS_OK && touches && held != NULL) {
        status = tables_touch(self, connection, held, TOUCHED_AT_ONCE, error);
        for (uint32_t i = 0; i < TOUCHED_AT_ONCE && held != NULL; i++) {
            held = held->next;
        }
    }
    return status;
}

enum status mysql_hold_join(struct mysql_database *self, struct error *error)
{
    uint32_t count = 0;
    for (const struct mysql_held *held = self->held; held != NULL; held = held->next) {
        count++;
    }
    bool touches = count <= TOUCHED_BY_READERS_MAX;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < self->pool_count && status == STATUS_OK && count > 0; i++) {
        status = reader_join(self, self->pool[i], touches, error);
    }
    if (status == STATUS_OK && count > 0 && self->slicer != NULL) {
        status = reader_join(self, self->slicer, touches, error);
    }
    return status;
}

/* ---------------------------------------------------------------- is it still the same? */

static int compare_name(const void *name, const void *shape)
{
    return strcmp(name, ((const struct mysql_shape *)shape)->name);
}

static enum status hold_check(struct mysql_database *self, struct arena *arena, struct error *error)
{
    struct mysql_shape *shapes = NULL;
    uint32_t count = 0;
    enum status status = mysql_catalog_shapes(self, self->control, arena, &shapes, &count, error);
    for (const struct mysql_held *held = self->held; status == STATUS_OK && held != NULL;
         held = held->next) {
        const struct mysql_shape *found =
            held->table == NULL || count == 0
                ? NULL
                : bsearch(held->table->schema->name, shapes, count, sizeof *shapes, compare_name);
        if (held->table != NULL &&
            (found == NULL || mysql_shape_is_other(&held->table->shape, found))) {
            status = sql_refuse_changed(&self->sql, held->name,
                                        found == NULL ? "dropped or renamed" : "altered", error);
        }
    }
    return status;
}

enum status mysql_hold_touch(struct mysql_database *self, struct error *error)
{
    if (self->held == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = touch_all(self, error);
    status = status == STATUS_OK ? hold_check(self, arena, error) : status;
    arena_destroy(arena);
    return status;
}
