/*
 * The catalogue's queries are of one moment: else a table that is made again between two of them
 * seems to have no key. In a transaction that is open already they are of its moments. What the
 * server's functions tell is of now all the same: where something is gone by then they fail, and
 * all is read again.
 */
#include "base/clock.h"
#include "connectors/postgres/catalog.h"
#include <string.h>

enum { MOMENTS_MAX = 20, MOMENT_PAUSE_MS = 25 };

enum status postgres_catalog_moment_begin(struct postgres_database *self, PGconn *connection,
                                          struct postgres_catalog_moment *moment,
                                          struct error *error)
{
    moment->is_ours = PQtransactionStatus(connection) == PQTRANS_IDLE;
    moment->count++;
    return moment->is_ours ? postgres_execute(self, connection,
                                              "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                                              SQL_SHORT, ERROR_SOURCE_READ, error)
                           : STATUS_OK;
}

/* "cache lookup failed for …", "could not open relation with OID …", and an object by its name. */
static bool is_of_something_gone(const struct error *error)
{
    return strcmp(error->native_state, "XX000") == 0 || strcmp(error->native_state, "42P01") == 0 ||
           strcmp(error->native_state, "42704") == 0;
}

bool postgres_catalog_moment_again(const struct postgres_catalog_moment *moment, enum status status,
                                   struct error *error)
{
    bool again = status != STATUS_OK && is_of_something_gone(error) && moment->count < MOMENTS_MAX;
    if (again) {
        error_clear(error);
        clock_sleep_ms(MOMENT_PAUSE_MS);
    }
    return again;
}

bool postgres_catalog_moment_end(struct postgres_database *self, PGconn *connection,
                                 const struct postgres_catalog_moment *moment, enum status *status,
                                 struct error *error)
{
    struct error ignored = {0};
    if (!moment->is_ours) {
        return false;
    }
    if (PQtransactionStatus(connection) != PQTRANS_IDLE &&
        postgres_execute(self, connection, "ROLLBACK", SQL_SHORT, ERROR_SOURCE_READ,
                         *status == STATUS_OK ? error : &ignored) != STATUS_OK) {
        *status = STATUS_FAILED;
        return false;
    }
    return postgres_catalog_moment_again(moment, *status, error);
}
