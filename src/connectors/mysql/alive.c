/* Does the server still work on a statement, or is the connection dead without either end knowing?
 */
#include "connectors/mysql/mysql_internal.h"
#include <errmsg.h>
#include <stdlib.h>
#include <string.h>

/* A session that sleeps, that writes what nobody takes, or that is gone, says nothing to us. */
static enum maria_life life_of_session(struct maria_database *self, MYSQL *other,
                                       unsigned long session)
{
    MYSQL_RES *result = NULL;
    struct error ignored;
    enum maria_life life = MARIA_IDLES;
    if (maria_query(self, other, "SHOW PROCESSLIST", MARIA_SHORT, ERROR_NETWORK, &result,
                    &ignored) != STATUS_OK) {
        return MARIA_LIVES; /* not known */
    }
    int id = maria_column_named(result, "Id");
    int command = maria_column_named(result, "Command");
    int state = maria_column_named(result, "State");
    for (MYSQL_ROW row; id >= 0 && command >= 0 && (row = mysql_fetch_row(result)) != NULL;) {
        if (row[id] != NULL && strtoul(row[id], NULL, 10) == session) {
            bool writes = state >= 0 && row[state] != NULL &&
                          (strcasecmp(row[state], "Writing to net") == 0 ||
                           strcasecmp(row[state], "Sending to client") == 0);
            bool sleeps = row[command] != NULL && strcmp(row[command], "Sleep") == 0;
            life = writes || sleeps ? MARIA_IDLES : MARIA_LIVES;
        }
    }
    mysql_free_result(result);
    return life;
}

enum maria_life maria_life_of(struct maria_database *self, MYSQL *connection)
{
    MYSQL *other = NULL;
    struct error error;
    if (maria_connect(self, &other, &error) != STATUS_OK) {
        bool by_client = error.native_code == 0 || error.native_code >= CR_MIN_ERROR;
        /* a server that has no connection left for us has answered */
        return error.code == ERROR_NETWORK && by_client ? MARIA_SILENT : MARIA_LIVES;
    }
    enum maria_life life = life_of_session(self, other, mysql_thread_id(connection));
    maria_disconnect(other);
    return life;
}
