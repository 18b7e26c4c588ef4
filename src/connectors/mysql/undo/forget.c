/* Removing what was kept for a run, or for any. */
#include "base/failpoint.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/schema/rebuild.h"
#include "connectors/mysql/store.h"

/* ---------------------------------------------------------------- a run */

static enum status forget_rows(struct mysql_database *self, const char *run_id, struct error *error)
{
    MYSQL *connection = NULL;
    if (mysql_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = mysql_objects_forget(self, connection, run_id, error);
    if (status == STATUS_OK && self->sql.guard_key == NULL) { /* else the ledger does */
        status = mysql_forget_notes(self, connection, run_id, error);
    }
    status = status == STATUS_OK ? mysql_check_claim(self, connection, error) : status;
    status = status == STATUS_OK ? failpoint_hit("mysql.before_forget", error) : status;
    return mysql_end(self, connection, status, error);
}

/* The store of a ledger elsewhere does not remove the table. */
static enum status drop_empty(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    int64_t found = 1;
    enum status status =
        mysql_ask_number(self, connection,
                         mysql_sql("SELECT EXISTS (SELECT 1 FROM %t)", &self->sql, SQL_STORE_TABLE),
                         SQL_SHORT, ERROR_LEDGER_INVALID, 1, &found, error);
    return status == STATUS_OK && found == 0 ? mysql_drop_own(self, connection, NULL, error)
                                             : status;
}

enum status mysql_forget_run(struct database *database, const char *run_id, bool rolled_back,
                             struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    if (rolled_back && (mysql_control(self, &connection, error) != STATUS_OK ||
                        mysql_objects_drop_early(self, connection, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (mysql_put_back(self, run_id, NULL, error) != STATUS_OK ||
        forget_rows(self, run_id, error) != STATUS_OK ||
        failpoint_hit("mysql.after_forget", error) != STATUS_OK ||
        mysql_control(self, &connection, error) != STATUS_OK ||
        mysql_drop_own(self, connection, run_id, error) != STATUS_OK ||
        (self->sql.guard_key == NULL && drop_empty(self, connection, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    return failpoint_hit("mysql.after_sweep", error);
}

/* ---------------------------------------------------------------- where no run is left */

/* Where there is a ledger, what is left is its to remove. */
enum status mysql_tidy(struct database *database, bool rolled_back, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    (void)rolled_back;
    if (mysql_control(self, &connection, error) != STATUS_OK ||
        mysql_lock_creating(self, connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = mysql_store_exists(self, connection, error);
    if (status == STATUS_END) {
        status = mysql_drop_own(self, connection, NULL, error);
    }
    mysql_unlock_creating(self, connection);
    return status;
}
