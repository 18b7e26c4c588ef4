/* The control connection, its transactions, and others that work on the claimed run. */
#include "connectors/mysql/store.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/database.h"

enum status mysql_begin(struct mysql_database *self, MYSQL **connection, struct error *error)
{
    if (mysql_is_alive(self->control) && mysql_has_spoken(self->control)) {
        mysql_disconnect(self->control);
        self->control = NULL;
    }
    if (mysql_control(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return mysql_run(self, *connection, "START TRANSACTION", SQL_SHORT, ERROR_TARGET_WRITE, NULL,
                     error);
}

enum status mysql_end(struct mysql_database *self, MYSQL *connection, enum status status,
                      struct error *error)
{
    struct error ignored = {0};
    if (status == STATUS_OK) {
        return mysql_run(self, connection, "COMMIT", SQL_SHORT, ERROR_TARGET_WRITE, NULL, error);
    }
    /* what can't be rolled back goes with its connection */
    if (mysql_run(self, connection, "ROLLBACK", SQL_SHORT, ERROR_TARGET_WRITE, NULL, &ignored) !=
            STATUS_OK &&
        connection == self->control) {
        mysql_disconnect(self->control);
        self->control = NULL;
    }
    return status;
}

enum status mysql_control(struct mysql_database *self, MYSQL **connection, struct error *error)
{
    *connection = self->control;
    if (mysql_is_alive(self->control)) {
        return STATUS_OK;
    }
    if (self->mode == OPEN_SOURCE && self->sql.snapshot_taken) {
        error_set(error, ERROR_SOURCE_READ, self->sql.shown,
                  "the connection that holds the snapshot broke off");
        error_hint(error, "`transhume resume` continues, at a new snapshot");
        return STATUS_FAILED;
    }
    mysql_disconnect(self->control);
    self->control = NULL;
    enum status status = mysql_join(self, &self->control, error);
    *connection = self->control;
    return status;
}

enum status mysql_join(struct mysql_database *self, MYSQL **connection, struct error *error)
{
    enum status status = mysql_connect(self, connection, error);
    if (status != STATUS_OK || self->sql.run_id == NULL) {
        return status;
    }
    status = mysql_session_mark(self, *connection, error);
    status = status == STATUS_OK ? mysql_check_claim(self, *connection, error) : status;
    if (status != STATUS_OK) {
        mysql_disconnect(*connection);
        *connection = NULL;
    }
    return status;
}

enum status mysql_check_claim(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    bool stands = true;
    if (self->sql.guard_key == NULL) {
        return STATUS_OK;
    }
    enum status status = mysql_store_check_guard(self, connection, &stands, error);
    return status == STATUS_OK && !stands ? sql_run_fenced(self->sql.shown, error) : status;
}
