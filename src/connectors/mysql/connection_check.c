/* Does the server still work on a statement, or is the connection dead without either end knowing?
 */
#include "connectors/mysql/mysql_internal.h"
#include <errmsg.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *state, const char *const *names)
{
    while (*names != NULL && strcasecmp(state, *names) != 0) {
        names++;
    }
    return *names != NULL;
}

/* As the processlist tells; MariaDB's states and MySQL's have different names. */
static enum sql_life life_told(const char *command, const char *state)
{
    static const char *const writes[] = {"Writing to net", "Sending to client", NULL};
    static const char *const reads[] = {"Reading from net", "Receiving from client", NULL};
    if (strcmp(command, "Sleep") == 0 || is_one_of(state, writes)) {
        return SQL_IDLES;
    }
    return is_one_of(state, reads) ? SQL_READS : SQL_WORKS;
}

bool mysql_sees(struct mysql_database *self, MYSQL *other, MYSQL *connection)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    struct error ignored;
    buffer_format(&sql,
                  "SELECT " MYSQL_SERVER_NAME
                  ", p.host FROM information_schema.processlist AS p WHERE p.id = %lu",
                  mysql_thread_id(connection));
    bool sees = mysql_run_buffer(self, other, &sql, SQL_PROBE, ERROR_NETWORK, &result, &ignored) ==
                STATUS_OK;
    MYSQL_ROW row = sees ? mysql_fetch_row(result) : NULL;
    sees = row != NULL && row[0] != NULL && mysql_own_is(connection, row[0], row[1]);
    mysql_free_result(result);
    buffer_free(&sql);
    return sees;
}

/* A session that is gone, or was another server's, says nothing to us. */
static enum sql_life life_of_session(struct mysql_database *self, MYSQL *other, MYSQL *connection)
{
    unsigned long session = mysql_thread_id(connection);
    MYSQL_RES *result = NULL;
    struct error ignored;
    enum sql_life life = SQL_IDLES;
    if (mysql_run(self, other, "SHOW PROCESSLIST", SQL_SHORT, ERROR_NETWORK, &result, &ignored) !=
        STATUS_OK) {
        return SQL_WORKS; /* not known */
    }
    int id = mysql_column_named(result, "Id");
    int command = mysql_column_named(result, "Command");
    int state = mysql_column_named(result, "State");
    int host = mysql_column_named(result, "Host");
    for (MYSQL_ROW row; id >= 0 && command >= 0 && (row = mysql_fetch_row(result)) != NULL;) {
        if (row[id] != NULL && strtoul(row[id], NULL, 10) == session &&
            !mysql_own_differs(connection, other, host >= 0 ? row[host] : NULL)) {
            life = life_told(row[command] != NULL ? row[command] : "",
                             state >= 0 && row[state] != NULL ? row[state] : "");
        }
    }
    mysql_free_result(result);
    return life;
}

enum sql_life mysql_life_of(struct mysql_database *self, MYSQL *connection)
{
    MYSQL *other = NULL;
    struct error error;
    if (mysql_connect(self, &other, &error) != STATUS_OK) {
        bool by_client = error.native_code == 0 || error.native_code >= CR_MIN_ERROR;
        /* a server that has no connection left for us has answered */
        return error.code == ERROR_NETWORK && by_client ? SQL_SILENT : SQL_WORKS;
    }
    enum sql_life life = life_of_session(self, other, connection);
    mysql_disconnect(other);
    return life;
}
