/* Removing what is kept for a run besides the ledger. */
#include "base/failpoint.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/schema/objects.h"
#include "connectors/postgres/schema/rebuild.h"
#include "connectors/postgres/store.h"
#include <string.h>

/* ---------------------------------------------------------------- a run */

/* Types and functions that tables stood on go after these. */
static enum status forget_objects(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, bool rolled_back, struct error *error)
{
    const struct postgres_parameter run = {.text = run_id};
    bool found = false;
    enum status status =
        rolled_back ? postgres_objects_drop(self, connection, false, NULL, error) : STATUS_OK;
    status =
        status == STATUS_OK ? postgres_objects_listed(self, connection, &found, error) : status;
    if (status != STATUS_OK || !found) {
        return status;
    }
    return postgres_query_buffer(
        self, connection,
        postgres_sql("DELETE FROM %t WHERE run = $1", &self->sql, "_transhume_object"), &run, 1,
        SQL_LONG, ERROR_TARGET_WRITE, NULL, error);
}

/* `*last`: of a run whose ledger is elsewhere, no other run has notes here. */
static enum status forget_within(struct postgres_database *self, PGconn *connection,
                                 const char *run_id, bool rolled_back, bool *last,
                                 struct error *error)
{
    static const char *const kinds[] = {POSTGRES_OWN_UNDO, POSTGRES_OWN_KEYS, POSTGRES_OWN_LOST,
                                        POSTGRES_OWN_LATER};
    enum status status = postgres_check_claim(self, connection, error);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && status == STATUS_OK; i++) {
        status = postgres_drop_own(self, connection, kinds[i], run_id, error);
    }
    if (status == STATUS_OK) {
        status = forget_objects(self, connection, run_id, rolled_back, error);
    }
    if (status == STATUS_OK && self->sql.guard_key == NULL) {
        status = postgres_forget_notes(self, connection, run_id, last, error);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.before_forget", error) : status;
}

enum status postgres_forget_run(struct database *database, const char *run_id, bool rolled_back,
                                struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    PGresult *names = NULL;
    bool last = false;
    if (postgres_put_back(self, run_id, NULL, 0, NULL, error) != STATUS_OK ||
        postgres_begin_brief(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        postgres_end(self, connection,
                     forget_within(self, connection, run_id, rolled_back, &last, error), error);
    if (status == STATUS_OK && last) { /* else the ledger's store drops them */
        status = postgres_list_own(self, connection, "_transhume_", &names, error);
        status = postgres_drop_shared(self, connection, names, status, error);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.after_forget", error) : status;
}
