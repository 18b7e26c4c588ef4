/* A session within the snapshot, and what it means for that if a reading failed. */
#include "connectors/postgres/locks.h"
#include "connectors/postgres/source.h"
#include <stdio.h>
#include <string.h>

/* A session that is in the way waits for the one that holds the snapshot, and so does this, for as
 * long as nobody lets go. So nothing is tried again: the run ends, and with it its sessions. */
static void tell_queue(const struct postgres_database *self, struct error *error)
{
    bool waited = strcmp(error->native_state, "55P03") == 0 || /* lock_timeout */
                  strcmp(error->native_state, "40P01") == 0;   /* a deadlock */
    if (!waited || self->snapshot == NULL || !postgres_hold_has_all(self)) {
        return;
    }
    error->class = ERROR_CLASS_STOP;
    error_context(error, "somebody waits to alter or lock a table until this run has read it, and "
                         "a session of the run that had not locked it yet would wait behind: ");
    error_hint(error, "the run has let go of its tables: wait until the other one is through");
}

/* A snapshot is gone with the connection that holds it. */
enum status postgres_reading_failed(struct postgres_database *self, struct error *error)
{
    if (error != NULL && error->class == ERROR_CLASS_RETRY && self->sql.snapshot_taken &&
        PQstatus(self->control) != CONNECTION_OK) {
        error_recode(error, ERROR_SOURCE_READ);
        error_hint(error, "the snapshot is lost; `transhume resume` continues at a new one");
    } else if (error != NULL && error->class == ERROR_CLASS_RETRY) {
        tell_queue(self, error);
    }
    return STATUS_FAILED;
}

/* Without that session nobody can import it, and the tables are no longer held. */
static enum status snapshot_is_gone(const struct postgres_database *self, struct error *error)
{
    char words[256];
    snprintf(words, sizeof words, "%.250s", error != NULL ? error->message : "");
    error_set(error, ERROR_SOURCE_READ, self->sql.shown,
              "the snapshot is lost: the session that held it was ended (%s)", words);
    error_hint(error, "`transhume resume` continues at a new one");
    return STATUS_FAILED;
}

/* Where somebody waits for a table already, nothing is locked yet. */
static enum status lock_early(struct postgres_database *self, PGconn *connection,
                              struct error *error)
{
    struct buffer sql = {0};
    struct error problem = {0};
    buffer_append_string(&sql, "SAVEPOINT early; ");
    if (self->snapshot == NULL || !postgres_hold_append(self, &sql)) {
        buffer_free(&sql);
        return STATUS_OK;
    }
    buffer_append_string(&sql, " NOWAIT; RELEASE SAVEPOINT early");
    if (postgres_execute_buffer(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, &problem) ==
        STATUS_OK) {
        return STATUS_OK;
    }
    if (PQtransactionStatus(connection) != PQTRANS_INERROR) {
        error_copy(error, &problem);
        return STATUS_FAILED;
    }
    return postgres_execute(self, connection,
                            "ROLLBACK TO SAVEPOINT early; RELEASE SAVEPOINT early", SQL_SHORT,
                            ERROR_SOURCE_READ, error);
}

enum status postgres_reader_connect(struct postgres_database *self, PGconn **connection,
                                    struct error *error)
{
    struct buffer sql = {0};
    if (postgres_connect(self, connection, error) != STATUS_OK) {
        return postgres_reading_failed(self, error);
    }
    buffer_append_string(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    if (self->snapshot != NULL) {
        postgres_append(&sql, "; SET TRANSACTION SNAPSHOT %q", self->snapshot);
    }
    if (self->snapshot != NULL && postgres_hold_has_all(self)) {
        buffer_format(&sql, "; SET LOCAL lock_timeout = %lld",
                      (long long)postgres_brief_lock_ms(self));
    }
    if (postgres_execute_buffer(self, *connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, error) !=
        STATUS_OK) {
        bool alive = PQstatus(*connection) == CONNECTION_OK;
        postgres_disconnect(*connection);
        *connection = NULL;
        return alive && self->snapshot != NULL ? snapshot_is_gone(self, error)
                                               : postgres_reading_failed(self, error);
    }
    if (lock_early(self, *connection, error) != STATUS_OK) {
        postgres_disconnect(*connection);
        *connection = NULL;
        return postgres_reading_failed(self, error);
    }
    return STATUS_OK;
}
