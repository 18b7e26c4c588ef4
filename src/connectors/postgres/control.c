/* The control connection, its transactions, and others that work on the claimed run. */
#include "connectors/postgres/target.h"
#include <string.h>

/* The answer's end comes behind that word. */
void postgres_hear_of_end(PGconn *connection)
{
    for (int i = 0; i < 2 && connection != NULL && PQstatus(connection) == CONNECTION_OK; i++) {
        (void)!PQconsumeInput(connection);
    }
}

enum status postgres_begin(struct postgres_database *self, PGconn **connection, struct error *error)
{
    postgres_hear_of_end(self->control);
    if (postgres_control(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_execute(self, *connection, "BEGIN", SQL_SHORT, ERROR_TARGET_WRITE, error);
}

/* Where a statement failed and nobody minded, the server answers a COMMIT by rolling back. */
static enum status target_commit(struct postgres_database *self, PGconn *connection,
                                 struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_query(self, connection, "COMMIT", NULL, 0, SQL_SHORT,
                                        ERROR_TARGET_WRITE, &result, error);
    if (status == STATUS_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        status = error_set(error, ERROR_TARGET_WRITE, self->sql.shown,
                           "the server rolled a transaction back instead of committing it");
    }
    PQclear(result);
    return status;
}

enum status postgres_end(struct postgres_database *self, PGconn *connection, enum status status,
                         struct error *error)
{
    struct error ignored = {0};
    if (status == STATUS_OK) {
        return target_commit(self, connection, error);
    }
    /* what can't be rolled back goes with its connection */
    if (postgres_execute(self, connection, "ROLLBACK", SQL_SHORT, ERROR_TARGET_WRITE, &ignored) !=
            STATUS_OK &&
        connection == self->control) {
        postgres_disconnect(self->control);
        self->control = NULL;
    }
    return status;
}

enum status postgres_control(struct postgres_database *self, PGconn **connection,
                             struct error *error)
{
    *connection = self->control;
    if (self->control != NULL && PQstatus(self->control) == CONNECTION_OK) {
        return STATUS_OK;
    }
    if (self->mode == OPEN_SOURCE && self->sql.snapshot_taken) {
        error_set(error, ERROR_SOURCE_READ, self->sql.shown,
                  "the connection that holds the snapshot broke off");
        error_hint(error, "`transhume resume` continues, at a new snapshot");
        return STATUS_FAILED;
    }
    postgres_disconnect(self->control);
    self->control = NULL;
    enum status status = postgres_join(self, &self->control, error);
    *connection = self->control;
    return status;
}

enum status postgres_join(struct postgres_database *self, PGconn **connection, struct error *error)
{
    enum status status = postgres_connect(self, connection, error);
    if (status != STATUS_OK || self->sql.run_id == NULL) {
        return status;
    }
    status = postgres_session_mark(self, *connection, self->sql.run_id, self->sql.epoch, error);
    status = status == STATUS_OK ? postgres_check_claim(self, *connection, error) : status;
    if (status != STATUS_OK) {
        postgres_disconnect(*connection);
        *connection = NULL;
    }
    return status;
}
