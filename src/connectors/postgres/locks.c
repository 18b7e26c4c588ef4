/*
 * Waiting for locks. Whoever wants a table queues behind a statement that waits for a strong lock
 * on it, readers too: so such a wait is short, and tried again.
 */
#include "connectors/postgres/locks.h"
#include <stdio.h>

/* ---------------------------------------------------------------- asking for strong ones */

enum status postgres_set_lock_timeout(struct postgres_database *self, PGconn *connection,
                                      const char *how, int64_t wait_ms, struct error *error)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SET %s lock_timeout = %lld", how, (long long)wait_ms);
    return postgres_execute(self, connection, sql, SQL_SHORT, ERROR_NETWORK, error);
}

enum status postgres_begin_brief(struct postgres_database *self, PGconn **connection,
                                 struct error *error)
{
    struct error ignored;
    if (postgres_begin(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        postgres_set_lock_timeout(self, *connection, "LOCAL", postgres_brief_lock_ms(self), error);
    return status == STATUS_OK ? STATUS_OK : postgres_end(self, *connection, status, &ignored);
}

static enum status alter(struct postgres_database *self, PGconn *connection, const char *sql,
                         int64_t wait_ms, enum sql_patience patience, enum error_code otherwise,
                         struct error *error)
{
    struct error ignored;
    bool within = PQtransactionStatus(connection) != PQTRANS_IDLE;
    enum status status =
        postgres_set_lock_timeout(self, connection, within ? "LOCAL" : "SESSION", wait_ms, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = postgres_query(self, connection, sql, NULL, 0, patience, otherwise, NULL, error);
    if (within || PQstatus(connection) != CONNECTION_OK) {
        return status; /* it ends with the transaction, or the session */
    }
    bool good = status == STATUS_OK;
    enum status back = postgres_execute(self, connection, "RESET lock_timeout", SQL_SHORT,
                                        ERROR_NETWORK, good ? error : &ignored);
    return good ? back : status;
}

enum status postgres_alter(struct postgres_database *self, PGconn *connection, const char *sql,
                           enum sql_patience patience, enum error_code otherwise,
                           struct error *error)
{
    return alter(self, connection, sql, postgres_brief_lock_ms(self), patience, otherwise, error);
}

enum status postgres_alter_beside(struct postgres_database *self, PGconn *connection,
                                  const char *sql, int64_t wait_ms, enum error_code otherwise,
                                  struct error *error)
{
    return alter(self, connection, sql, wait_ms, SQL_BUILD, otherwise, error);
}
