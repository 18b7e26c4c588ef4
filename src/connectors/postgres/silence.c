/* Sessions in which no trigger and no foreign key answers. */
#include "base/log.h"
#include "connectors/postgres/target.h"

enum status postgres_may_silence(struct postgres_database *self, PGconn *connection, bool *may,
                                 struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        self, connection,
        self->server_version >= 150000
            ? "SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
            : "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user",
        NULL, 0, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    *may = status == STATUS_OK && PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return status;
}

enum status postgres_silence_triggers(struct postgres_database *self, PGconn *connection, bool off,
                                      struct error *error)
{
    bool may = false;
    enum status status = postgres_may_silence(self, connection, &may, error);
    if (status == STATUS_OK && !may && off) {
        log_write(LOG_WARNING,
                  "%s: triggers fire while records are repaired: the role may not set "
                  "session_replication_role",
                  self->sql.shown);
    }
    if (status == STATUS_OK && may) {
        status = postgres_execute(self, connection,
                                  off ? "SET session_replication_role = replica"
                                      : "SET session_replication_role = origin",
                                  SQL_SHORT, ERROR_TARGET_WRITE, error);
    }
    return status;
}
