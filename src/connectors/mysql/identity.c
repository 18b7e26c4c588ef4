/* The identity of a database, by which it is known again. */
#include "connectors/mysql/catalog.h"
#include "connectors/mysql/mysql_internal.h"

/* The identity is what the server says of itself, since it may be reached by several addresses.
 * MariaDB's own number (which old ones lack) tells apart what containers of one name can't. */
enum status mysql_identity_in(struct database *database, const char *schema, struct arena *arena,
                              const char **identity, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    bool has_uuid = !self->mariadb && self->version >= 50600;
    MYSQL *connection = NULL;
    MYSQL_RES *result = NULL;
    MYSQL_RES *number = NULL;

    enum status status = mysql_control(self, &connection, error);
    status = status == STATUS_OK ? mysql_run(self, connection,
                                             has_uuid ? "SELECT @@server_uuid, 0, ''"
                                                      : "SELECT @@hostname, @@port, @@datadir",
                                             SQL_SHORT, ERROR_NETWORK, &result, error)
                                 : status;
    status = status == STATUS_OK && !has_uuid
                 ? mysql_run(self, connection, "SHOW VARIABLES LIKE 'server_uid'", SQL_SHORT,
                             ERROR_NETWORK, &number, error)
                 : status;
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    MYSQL_ROW own = number != NULL ? mysql_fetch_row(number) : NULL;
    if (row != NULL) {
        *identity = arena_format(arena, "mysql server %s %s %s%s%s database %s", row[0], row[1],
                                 row[2], own != NULL ? " " : "", own != NULL ? own[1] : "", schema);
    }
    if (status == STATUS_OK && row == NULL) {
        status =
            error_set(error, ERROR_NETWORK, self->sql.shown, "the server does not name itself");
    }
    mysql_free_result(result);
    mysql_free_result(number);
    return status;
}
