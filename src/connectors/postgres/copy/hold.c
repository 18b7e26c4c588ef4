/*
 * Holding what a run reads: ACCESS SHARE on each of its tables, from before the snapshot on until
 * that is left. TRUNCATE and an ALTER TABLE that rewrites are not MVCC-safe (PostgreSQL's
 * manual, "Caveats" of concurrency control): an older snapshot finds the table empty.
 *
 * LOCK TABLE takes no snapshot, so the transaction that exports one can lock first. It takes
 * tables, with their partitions and children, and views, with what is behind them; PostgreSQL lets
 * nobody lock a materialized view or a foreign table.
 */
#include "base/log.h"
#include "connectors/postgres/source.h"
#include <poll.h>
#include <string.h>

/* The locks of all readers on more tables would be too many for the server's table of locks. */
enum { LOCKS_AT_ONCE = 500, STATEMENTS_EACH = 3, LOCKED_BY_READERS_MAX = 200 };

struct postgres_held {
    struct postgres_held *next;
    const char *name;                   /* as SQL has it */
    const struct postgres_table *table; /* the catalogue's; NULL: only a query names it */
    bool refused;                       /* the role may not lock it */
};

/* ---------------------------------------------------------------- what to hold */

static void postgres_hold_add(struct postgres_database *self, const char *name,
                              const struct postgres_table *table)
{
    for (const struct postgres_held *held = self->held; held != NULL; held = held->next) {
        if (table != NULL ? held->table == table : strcmp(held->name, name) == 0) {
            return;
        }
    }
    struct postgres_held *added = arena_allocate(self->arena, sizeof *added);
    *added = (struct postgres_held){
        .next = self->held, .name = arena_copy_string(self->arena, name), .table = table};
    self->held = added;
}

enum status postgres_hold_table(struct sql_database *database, const char *name,
                                struct error *error)
{
    struct postgres_database *self = postgres_database_of(&database->base);
    const struct postgres_catalog *catalog = NULL;
    struct buffer quoted = {0};
    if (postgres_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct postgres_table *table = postgres_catalog_find(catalog, name);
    if (table == NULL || strchr("rpv", table->kind) == NULL) {
        return STATUS_OK;
    }
    postgres_append_table(&quoted, self, name);
    postgres_hold_add(self, buffer_string(&quoted), table);
    buffer_free(&quoted);
    return STATUS_OK;
}

static enum status add_locked(struct postgres_database *self, struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        self, self->control,
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_locks l JOIN "
        "pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND "
        "c.relkind IN ('r', 'p', 'v') AND c.oid >= 16384",
        NULL, 0, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        postgres_hold_add(self, PQgetvalue(result, row, 0), NULL);
    }
    PQclear(result);
    return status;
}

/* Only the server knows what a query reads: it locks all of that when it parses the query. */
enum status postgres_hold_query(struct sql_database *database, const struct read_request *request,
                                struct error *error)
{
    struct postgres_database *self = postgres_database_of(&database->base);
    struct schema_table table;
    struct postgres_column *columns = NULL;
    struct error ignored;
    struct arena *arena = arena_create(0);
    enum status status = postgres_execute(self, self->control, "BEGIN READ ONLY", SQL_SHORT,
                                          ERROR_SOURCE_READ, error);
    if (status == STATUS_OK && postgres_describe_query(self, self->control, request->query, arena,
                                                       &table, &columns, &ignored) == STATUS_OK) {
        status = add_locked(self, error);
    }
    if (status == STATUS_OK) {
        status =
            postgres_execute(self, self->control, "ROLLBACK", SQL_SHORT, ERROR_SOURCE_READ, error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- locking */

/* STATUS_OK: the run can do without this one. */
static enum status not_locked(struct postgres_database *self, struct postgres_held *held,
                              struct error *error)
{
    if (strcmp(error->native_state, "42501") == 0) {
        held->refused = true;
        log_write(LOG_WARNING,
                  "%s: the role may not lock %s, which takes SELECT on all of it (GRANT SELECT): "
                  "nobody may TRUNCATE it, or ALTER its columns, before it is read",
                  self->sql.shown, held->name);
        return postgres_execute(self, self->control,
                                "ROLLBACK TO SAVEPOINT held; RELEASE SAVEPOINT held", SQL_SHORT,
                                ERROR_SOURCE_READ, error);
    }
    if (strcmp(error->native_state, "42P01") == 0) {
        return sql_refuse_changed(&self->sql, held->name, "dropped or renamed", error);
    }
    error_context(error, "%s: ", held->name);
    if (strcmp(error->native_state, "53200") == 0) {
        error_hint(error, "each table that is read takes a lock, and the server's table of locks "
                          "is full: raise max_locks_per_transaction, or move fewer tables at a "
                          "time with --include");
    }
    return STATUS_FAILED;
}

/* Statements sent together; `*done` counts those that went well. */
static enum status run_all(struct postgres_database *self, struct buffer *sql, uint32_t *done,
                           struct error *error)
{
    PGresult *result = NULL;
    *done = 0;
    enum status status = postgres_send_buffer(self, self->control, sql, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct error later;
    while (postgres_next_result(self, self->control, SQL_LONG, &result,
                                status == STATUS_OK ? error : &later) == STATUS_OK) {
        if (result == NULL) {
            return status;
        }
        if (PQresultStatus(result) == PGRES_COMMAND_OK) {
            ++*done;
        } else if (status == STATUS_OK) {
            status = postgres_failure(self, self->control, result, ERROR_SOURCE_READ, error);
        }
        PQclear(result);
        if (PQstatus(self->control) != CONNECTION_OK) {
            break;
        }
    }
    return STATUS_FAILED;
}

/* A round trip's worth of locks; `*next` is then the first that is not settled. */
static enum status lock_some(struct postgres_database *self, struct postgres_held **next,
                             struct error *error)
{
    struct buffer sql = {0};
    uint32_t wanted = 0;
    uint32_t done = 0;
    for (const struct postgres_held *held = *next; held != NULL && wanted < LOCKS_AT_ONCE;
         held = held->next, wanted++) {
        buffer_format(&sql,
                      "SAVEPOINT held; LOCK TABLE %s IN ACCESS SHARE MODE; RELEASE "
                      "SAVEPOINT held;",
                      held->name);
    }
    enum status status = run_all(self, &sql, &done, error);
    for (done /= STATEMENTS_EACH; done > 0 && *next != NULL; done--) {
        *next = (*next)->next;
    }
    if (status != STATUS_OK && PQstatus(self->control) == CONNECTION_OK && *next != NULL) {
        status = not_locked(self, *next, error);
        *next = (*next)->next;
    }
    return status;
}

enum status postgres_hold_lock(struct postgres_database *self, struct error *error)
{
    struct postgres_held *next = self->held;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && next != NULL) {
        status = lock_some(self, &next, error);
    }
    return status;
}

bool postgres_hold_has_all(const struct postgres_database *self)
{
    const struct postgres_held *held = self->held;
    while (held != NULL && !held->refused) {
        held = held->next;
    }
    return self->held != NULL && held == NULL;
}

bool postgres_hold_append(const struct postgres_database *self, struct buffer *sql)
{
    uint32_t count = 0;
    uint32_t locked = 0;
    for (const struct postgres_held *held = self->held; held != NULL; held = held->next) {
        count++;
    }
    if (count == 0 || count > LOCKED_BY_READERS_MAX) {
        return false;
    }
    for (const struct postgres_held *held = self->held; held != NULL; held = held->next) {
        if (!held->refused) {
            buffer_format(sql, "%s%s", locked++ == 0 ? "LOCK TABLE " : ", ", held->name);
        }
    }
    buffer_append_string(sql, locked > 0 ? " IN ACCESS SHARE MODE" : "");
    return locked > 0;
}

/* ---------------------------------------------------------------- is it still the same? */

enum status postgres_hold_check(struct postgres_database *self, struct error *error)
{
    PGresult *columns = NULL;
    if (self->held == NULL) {
        return STATUS_OK;
    }
    enum status status = postgres_catalog_columns(self, self->control, &columns, error);
    for (const struct postgres_held *held = self->held; status == STATUS_OK && held != NULL;
         held = held->next) {
        if (held->table != NULL && !postgres_catalog_agrees(columns, held->table)) {
            status = sql_refuse_changed(&self->sql, held->name, "altered", error);
        }
    }
    PQclear(columns);
    return status;
}

/* ---------------------------------------------------------------- does it last? */

enum status postgres_hold_lasts(const struct postgres_database *self, struct error *error)
{
    struct pollfd holder = {.fd = PQsocket(self->control), .events = POLLRDHUP};
    if (!self->sql.snapshot_taken ||
        (holder.fd >= 0 && (poll(&holder, 1, 0) == 0 || holder.revents == 0))) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_READ, self->sql.shown,
              "the snapshot is lost: the session that held it, and the tables against being "
              "emptied, was ended");
    error_hint(error, "`transhume resume` continues at a new one");
    return STATUS_FAILED;
}
