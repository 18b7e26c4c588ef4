/* Parts of a source that the role may not read: told with the statements that would let it. */
#include "base/memory.h"
#include "connectors/postgres/source.h"
#include "connectors/sql/check.h"
#include <stdlib.h>
#include <string.h>

/* The columns of what list_closed asks. */
enum { CLOSED_NAME, CLOSED_GRANT };

struct looking {
    struct postgres_database *self;
    PGconn *connection;
    PGresult *closed; /* what the role may not read, or not all columns of; by name */
    bool *told;       /* by its rows */
    struct buffer *out;
    struct error *error;
};

static enum status list_closed(struct looking *looking)
{
    const struct postgres_parameter spaces = {.text = looking->self->spaces};
    return postgres_catalog_query(
        looking->self, looking->connection,
        POSTGRES_WITH_SPACE
        "SELECT n.lead || c.relname, pg_catalog.format('GRANT SELECT ON %I.%I TO %I', n.nspname, "
        "c.relname, current_user) FROM pg_catalog.pg_class c JOIN space n ON n.oid = "
        "c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT "
        "pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY 1",
        &spaces, 1, SQL_SHORT, ERROR_SOURCE_READ, &looking->closed, looking->error);
}

/* -1: it is open. */
static int find_closed(const struct looking *looking, const char *table)
{
    for (int row = 0; table != NULL && row < PQntuples(looking->closed); row++) {
        if (strcmp(PQgetvalue(looking->closed, row, CLOSED_NAME), table) == 0) {
            return row;
        }
    }
    return -1;
}

static void tell_table(struct looking *looking, const char *table)
{
    char name[SQL_SHOWN_BYTES];
    int row = find_closed(looking, table);
    if (row >= 0 && !looking->told[row]) {
        looking->told[row] = true;
        buffer_format(looking->out, "%s: the role may not read it: %s\n",
                      sql_show_name(table, name), PQgetvalue(looking->closed, row, CLOSED_GRANT));
    }
}

/* Once the snapshot is taken, it lives in this very transaction, which a statement that fails would
 * end. */
static enum status guard(const struct looking *looking, const char *statement)
{
    return !looking->self->sql.snapshot_taken
               ? STATUS_OK
               : postgres_execute(looking->self, looking->connection, statement, SQL_SHORT,
                                  ERROR_SOURCE_READ, looking->error);
}

/* May it be read as it will be? Some columns may be enough. `problem`: what it fails with. */
static enum status is_refused(const struct looking *looking, const struct read_request *request,
                              bool *refused, struct error *problem)
{
    struct postgres_request compiled = {0};
    struct arena *arena = arena_create(0);
    *refused = false;
    if (guard(looking, "SAVEPOINT looking") != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    enum status status = postgres_request_compile(looking->self, looking->connection, request, NULL,
                                                  arena, &compiled, problem);
    if (status == STATUS_OK) {
        status = postgres_query_buffer(looking->self, looking->connection,
                                       postgres_sql("EXPLAIN %b", &compiled.select.sql), NULL, 0,
                                       SQL_SHORT, ERROR_SOURCE_READ, NULL, problem);
    }
    buffer_free(&compiled.select.sql);
    arena_destroy(arena);
    *refused = status != STATUS_OK && strcmp(problem->native_state, "42501") == 0;
    return guard(looking, "ROLLBACK TO SAVEPOINT looking; RELEASE SAVEPOINT looking");
}

static enum status look_at(struct looking *looking, const struct read_request *request)
{
    struct error problem = {0};
    bool refused = false;
    bool asks = request->table == NULL || find_closed(looking, request->table) >= 0;
    for (uint32_t i = 0; !asks && i < request->join_count; i++) {
        asks = find_closed(looking, request->joins[i].table) >= 0;
    }
    if (!asks || is_refused(looking, request, &refused, &problem) != STATUS_OK) {
        return asks ? STATUS_FAILED : STATUS_OK;
    }
    if (!refused && request->table == NULL && sql_is_wrong_query(&problem)) {
        error_copy(looking->error, &problem);
        error_recode(looking->error, ERROR_PLAN_INVALID);
        sql_name_query(request->name, looking->error);
        return STATUS_FAILED;
    }
    if (refused && request->table == NULL) {
        buffer_format(looking->out, "%s: %s: GRANT SELECT on it\n", request->name, problem.message);
    } else if (refused) {
        tell_table(looking, request->table);
    }
    for (uint32_t i = 0; refused && i < request->join_count; i++) {
        tell_table(looking, request->joins[i].table);
    }
    return STATUS_OK;
}

enum status postgres_tell_lacking(struct database *database,
                                  const struct read_request *const *requests,
                                  uint32_t request_count, struct buffer *out, struct error *error)
{
    struct looking looking = {.self = postgres_database_of(database), .out = out, .error = error};
    enum status status = postgres_control(looking.self, &looking.connection, error);
    status = status == STATUS_OK ? list_closed(&looking) : status;
    if (status == STATUS_OK) {
        looking.told =
            memory_allocate_zeroed((size_t)PQntuples(looking.closed) + 1, sizeof *looking.told);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < request_count; i++) {
        status = look_at(&looking, requests[i]);
    }
    free(looking.told);
    PQclear(looking.closed);
    return status;
}
