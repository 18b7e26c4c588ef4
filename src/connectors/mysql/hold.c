/*
 * Holding what a run reads. Within a transaction, the first statement that names a table takes a
 * metadata lock on it to the transaction's end, which keeps ALTER, DROP and TRUNCATE out. A
 * snapshot takes none: until a table is touched it may be altered, and where InnoDB does that
 * without writing the rows anew (ALGORITHM=INSTANT), an older snapshot reads them by the new
 * columns, with their defaults for values. So all is touched at once, and then compared with the
 * catalogue that the plan was made from.
 */
#include "base/buffer.h"
#include "connectors/mysql/source.h"
#include "connectors/sql/request.h"
#include <stdlib.h>
#include <string.h>

enum { TOUCHED_AT_ONCE = 50 };
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
static void add(struct mysql_database *self, struct buffer *from, const char *name,
                const struct mysql_table *table)
{
    struct mysql_held *added = arena_allocate_zeroed(self->arena, 1, sizeof *added);
    *added = (struct mysql_held){.next = self->held,
                                 .from = arena_copy_string(self->arena, buffer_string(from)),
                                 .name = arena_copy_string(self->arena, name),
                                 .table = table};
    buffer_free(from);
    self->held = added;
}

static enum status add_table(struct mysql_database *self, const char *name, struct error *error)
{
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
    add(self, &from, table->schema->name, table);
    return STATUS_OK;
}

/* What it reads only the server knows. Before MySQL 5.6 a query in FROM is carried out whole. */
static void add_query(struct mysql_database *self, const struct read_request *request)
{
    enum { LATE_SINCE = 50600 };
    struct buffer from = {0};
    if (self->version < LATE_SINCE) {
        return;
    }
    sql_append_query(&from, request->query);
    buffer_append_string(&from, " AS q");
    add(self, &from, request->name, NULL);
}

enum status mysql_hold(struct database *database, const struct read_request *const *requests,
                       uint32_t request_count, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < request_count; i++) {
        const struct read_request *request = requests[i];
        if (request->table != NULL) {
            status = add_table(self, request->table, error);
        } else if (request->query != NULL) {
            add_query(self, request);
        }
        for (uint32_t j = 0; status == STATUS_OK && j < request->join_count; j++) {
            status = add_table(self, request->joins[j].table, error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- touching */

static enum status changed(const struct mysql_database *self, const char *name, const char *what,
                           struct error *error)
{
    error_set(error, ERROR_SOURCE_CHANGED, self->sql.shown,
              "%s was %s while the run began, after the catalogue was read", name, what);
    error_hint(error, "start the command again, once nobody alters the source's tables");
    return STATUS_FAILED;
}

/* From `held` on, so many. A table that was emptied shows when a row is asked for, which of a view
 * or a query may be the work of hours. */
static enum status touch(struct mysql_database *self, const struct mysql_held *held, uint32_t count,
                         struct error *error)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < count && held != NULL; i++, held = held->next) {
        bool quick = held->table != NULL && held->table->schema->kind == SCHEMA_TABLE;
        buffer_format(&sql, "%s(SELECT 1 FROM %s LIMIT %d)", i > 0 ? " UNION ALL " : "", held->from,
                      quick);
    }
    return mysql_run_buffer(self, self->control, &sql, MYSQL_SHORT, ERROR_SOURCE_READ, NULL, error);
}

static enum status touch_one(struct mysql_database *self, const struct mysql_held *held,
                             struct error *error)
{
    enum status status = touch(self, held, 1, error);
    unsigned number = status == STATUS_OK ? 0 : mysql_errno(self->control);
    if (number == NO_SUCH_TABLE) {
        return changed(self, held->name, "dropped or renamed", error);
    }
    if (number == DEFINITION_CHANGED) {
        return changed(self, held->name, "altered", error);
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
        bool together = touch(self, held, TOUCHED_AT_ONCE, &untold) == STATUS_OK;
        for (uint32_t i = 0; i < TOUCHED_AT_ONCE && held != NULL && status == STATUS_OK; i++) {
            status = together ? STATUS_OK : touch_one(self, held, error);
            held = held->next;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- is it still the same? */

static int compare_name(const void *name, const void *shape)
{
    return strcmp(name, ((const struct mysql_shape *)shape)->name);
}

static enum status check(struct mysql_database *self, struct arena *arena, struct error *error)
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
            status =
                changed(self, held->name, found == NULL ? "dropped or renamed" : "altered", error);
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
    status = status == STATUS_OK ? check(self, arena, error) : status;
    arena_destroy(arena);
    return status;
}
