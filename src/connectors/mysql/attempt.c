/* What the account may do, by the server's own word. */
#include "connectors/mysql/catalog.h"

enum status mysql_is_denied(struct mysql_database *self, MYSQL *connection,
                            struct buffer *statement, bool prepared, enum error_code code,
                            bool *denied, struct error *problem, struct error *error)
{
    enum { DENIED_DATABASE = 1044, DENIED_TABLE = 1142, DENIED_COLUMN = 1143 };
    struct buffer sql = {0};
    if (prepared) {
        buffer_append_string(&sql, "PREPARE transhume_attempt FROM ");
        mysql_append_string(&sql, buffer_string(statement));
    } else {
        buffer_append_buffer(&sql, statement);
    }
    bool failed =
        mysql_run_buffer(self, connection, &sql, MYSQL_SHORT, code, NULL, problem) != STATUS_OK;
    unsigned answer = failed ? mysql_errno(connection) : 0;
    *denied = answer == DENIED_DATABASE || answer == DENIED_TABLE || answer == DENIED_COLUMN;
    return failed || !prepared ? STATUS_OK
                               : mysql_run(self, connection, "DEALLOCATE PREPARE transhume_attempt",
                                           MYSQL_SHORT, code, NULL, error);
}

enum status mysql_is_denied_select(struct mysql_database *self, MYSQL *connection,
                                   const char *table, enum error_code code, bool *denied,
                                   struct error *error)
{
    struct error ignored = {0};
    struct buffer sql = {0};
    mysql_append(&sql, "SELECT 1 FROM %t", &self->sql, table);
    enum status status =
        mysql_is_denied(self, connection, &sql, true, code, denied, &ignored, error);
    buffer_free(&sql);
    return status;
}
