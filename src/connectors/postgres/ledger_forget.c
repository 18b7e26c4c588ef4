/* Runs of the ledger: which there are, and taking one out, with all that was kept for it. */
#include "base/failpoint.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/objects.h"
#include "connectors/postgres/rebuild.h"
#include "connectors/sql/claim.h"
#include <string.h>

enum { RUNS_MAX = 100000 };

static enum status ask(struct postgres_database *self, PGconn *connection, const char *before,
                       const char *table, const char *after, const char *run_id, PGresult **result,
                       struct error *error)
{
    const struct postgres_parameter parameter = {.text = run_id};
    struct buffer sql = {0};
    buffer_append_string(&sql, before);
    postgres_append_table(&sql, self, table);
    buffer_append_string(&sql, after);
    return postgres_query_buffer(self, connection, &sql, &parameter, run_id != NULL, POSTGRES_LONG,
                                 ERROR_LEDGER_INVALID, result, error);
}

/* ---------------------------------------------------------------- listing */

static enum status list_runs(struct postgres_database *self, PGconn *connection,
                             struct arena *arena, const char ***ids, uint32_t *count,
                             struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_ledger_check(self, connection, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    status = ask(self, connection, "SELECT id FROM ", "_transhume_run", " ORDER BY number", NULL,
                 &result, error);
    int rows = status == STATUS_OK ? PQntuples(result) : 0;
    if (rows > RUNS_MAX) {
        status = postgres_ledger_invalid(self, "it has too many runs", error);
    }
    *ids =
        status == STATUS_OK ? arena_allocate_zeroed(arena, (size_t)rows + 1, sizeof **ids) : NULL;
    for (int i = 0; *ids != NULL && i < rows; i++) {
        (*ids)[i] = arena_copy_string(arena, PQgetvalue(result, i, 0));
        if ((*ids)[i] == NULL) {
            *ids = NULL;
        }
    }
    PQclear(result);
    if (status == STATUS_OK && *ids == NULL) {
        return error_set(error, ERROR_MEMORY, self->shown, "no memory for the list of runs");
    }
    *count = status == STATUS_OK ? (uint32_t)rows : 0;
    return status;
}

enum status postgres_ledger_list(struct database *database, struct arena *arena, const char ***ids,
                                 uint32_t *count, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;

    *ids = NULL;
    *count = 0;
    if (postgres_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_end(self, connection, list_runs(self, connection, arena, ids, count, error),
                        error);
}

/* ---------------------------------------------------------------- forgetting */

/* Types and functions that tables stood on go after these. */
static enum status forget_objects(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, bool rolled_back, struct error *error)
{
    bool found = false;
    enum status status =
        rolled_back ? postgres_objects_drop(self, connection, false, NULL, error) : STATUS_OK;
    status =
        status == STATUS_OK ? postgres_objects_listed(self, connection, &found, error) : status;
    return status == STATUS_OK && found ? ask(self, connection, "DELETE FROM ", "_transhume_object",
                                              " WHERE run = $1", run_id, NULL, error)
                                        : status;
}

static enum status forget_rows(struct postgres_database *self, PGconn *connection,
                               const char *run_id, uint64_t epoch, bool rolled_back,
                               struct error *error)
{
    static const char *const tables[] = {"_transhume_chunk", "_transhume_done", "_transhume_made"};
    char prefix[SQL_OWN_NAME_BYTES];
    PGresult *result = NULL;
    enum status status = postgres_ledger_check_epoch(self, connection, run_id, epoch, error);

    sql_undo_prefix(run_id, prefix);
    status = status == STATUS_OK ? postgres_drop_own(self, connection, prefix, error) : status;
    if (status == STATUS_OK) {
        status = forget_objects(self, connection, run_id, rolled_back, error);
    }
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && status == STATUS_OK; i++) {
        status = ask(self, connection, "DELETE FROM ", tables[i], " WHERE run = $1", run_id, NULL,
                     error);
    }
    status = status == STATUS_OK ? ask(self, connection, "DELETE FROM ", "_transhume_run",
                                       " WHERE id = $1", run_id, NULL, error)
                                 : status;
    status = status == STATUS_OK ? ask(self, connection, "SELECT 1 FROM ", "_transhume_run",
                                       " LIMIT 1", NULL, &result, error)
                                 : status;
    bool last = status == STATUS_OK && PQntuples(result) == 0;
    PQclear(result);
    status = status != STATUS_OK ? status
             : last              ? postgres_drop_own(self, connection, "_transhume_", error)
                                 : postgres_drop_key_tables(self, connection, error);
    return status == STATUS_OK ? failpoint_hit("postgres.before_forget", error) : status;
}

static enum status forget(struct postgres_database *self, const char *run_id, uint64_t epoch,
                          bool rolled_back, struct error *error)
{
    PGconn *connection = NULL;

    /* those who come after the ledger would not know of it */
    if (postgres_put_back(self, run_id, NULL, 0, NULL, error) != STATUS_OK ||
        postgres_begin_brief(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_end(
        self, connection, forget_rows(self, connection, run_id, epoch, rolled_back, error), error);
    return status == STATUS_OK ? failpoint_hit("postgres.after_forget", error) : status;
}

/* Asked in a session of no run: one that is to work on a run that is gone would be refused. */
static bool is_gone(struct postgres_database *self, const char *run_id)
{
    struct error ignored;
    PGconn *connection = NULL;
    PGresult *result = NULL;
    enum status status = postgres_connect(self, &connection, &ignored);
    status = status == STATUS_OK ? postgres_ledger_check(self, connection, &ignored) : status;
    bool gone = status == STATUS_END;
    if (status == STATUS_OK && ask(self, connection, "SELECT 1 FROM ", "_transhume_run",
                                   " WHERE id = $1", run_id, &result, &ignored) == STATUS_OK) {
        gone = PQntuples(result) == 0;
    }
    PQclear(result);
    postgres_disconnect(connection);
    return gone;
}

enum status postgres_ledger_forget(struct database *database, const char *run_id, uint64_t epoch,
                                   bool rolled_back, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    enum status status = forget(self, run_id, epoch, rolled_back, error);
    if (status != STATUS_OK && sql_may_be_forgotten(error) && is_gone(self, run_id)) {
        error_clear(error);
        status = STATUS_OK;
    }
    return status == STATUS_OK
               ? database->connector->ledger->release(database, run_id, epoch, error)
               : status;
}
