/* Statements that are carried out while the session checks no references. */
#include "connectors/mysql/locks.h"
#include "connectors/mysql/target.h"

enum status mysql_silence_keys(struct mysql_database *self, MYSQL *connection, bool off,
                               struct error *error)
{
    return mysql_run(self, connection,
                     off ? "SET foreign_key_checks = 0" : "SET foreign_key_checks = 1", SQL_SHORT,
                     ERROR_TARGET_WRITE, NULL, error);
}

/* A session that is lost takes its settings along. */
static enum status check_again(struct mysql_database *self, MYSQL *connection, enum status status,
                               struct error *error)
{
    struct error ignored = {0};
    bool good = status == STATUS_OK;
    enum status back = mysql_silence_keys(self, connection, false, good ? error : &ignored);
    return good ? back : status;
}

enum status mysql_alter_unchecked(struct mysql_database *self, MYSQL *connection,
                                  struct buffer *sql, const char *table, struct error *error)
{
    enum status status = mysql_silence_keys(self, connection, true, error);
    if (status != STATUS_OK) {
        buffer_free(sql);
        return status;
    }
    status = mysql_alter(self, connection, sql, table, SQL_LONG, ERROR_TARGET_WRITE, error);
    return check_again(self, connection, status, error);
}

enum status mysql_run_unchecked(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                                uint64_t *changed, struct error *error)
{
    enum status status = mysql_silence_keys(self, connection, true, error);
    if (status != STATUS_OK) {
        buffer_free(sql);
        return status;
    }
    status = mysql_run_buffer(self, connection, sql, SQL_LONG, ERROR_TARGET_WRITE, NULL, error);
    *changed = status == STATUS_OK ? mysql_affected_rows(connection) : 0;
    return check_again(self, connection, status, error);
}
