/*
 * Waiting for a table's definition (metadata locks). Whoever wants the table queues behind a
 * statement that waits to have it alone, readers too: so such a wait is brief, and tried again. Who
 * builds wants it at the end once more, when the whole building is lost: that wait is a long one.
 */
#include "connectors/mysql/locks.h"
#include "base/signals.h"
#include <stdlib.h>

enum { LOCK_TIMEOUT = 1205 };

/* ---------------------------------------------------------------- who holds it */

/* MySQL tells; MariaDB only where the plugin metadata_lock_info is loaded. */
static void append_holders(struct buffer *sql, const struct mysql_database *self, const char *table)
{
    mysql_append(sql, "%s%q%s%q",
                 self->mariadb ? "SELECT thread_id AS id FROM "
                                 "information_schema.metadata_lock_info WHERE table_schema = "
                               : "SELECT t.processlist_id AS id FROM "
                                 "performance_schema.metadata_locks AS m JOIN "
                                 "performance_schema.threads AS t ON t.thread_id = "
                                 "m.owner_thread_id WHERE m.lock_status = 'GRANTED' AND "
                                 "m.object_schema = ",
                 self->sql.schema,
                 self->mariadb ? " AND table_name = " : " AND m.object_name = ", table);
}

/* The first that is not of this process: the one that waits longest. */
static bool locks_describe(const MYSQL *connection, MYSQL_RES *rows, char holder[SQL_HOLDER_BYTES])
{
    MYSQL_ROW row = NULL;
    do {
        row = mysql_fetch_row(rows);
    } while (row != NULL && mysql_is_own(connection, strtoul(row[0], NULL, 10)));
    if (row == NULL) {
        return false;
    }
    bool idle = row[2] != NULL && row[2][0] == 'S'; /* Sleep */
    const struct sql_session session = {.number = row[0],
                                        .application = "",
                                        .user = row[1] != NULL ? row[1] : "",
                                        .state = idle ? "idle in transaction" : "",
                                        .seconds = row[3] != NULL ? row[3] : "",
                                        .query = row[4] != NULL ? row[4] : ""};
    sql_session_describe(&session, holder);
    return true;
}

/* `ids`: a query of sessions' numbers. */
static bool ask_holder(struct mysql_database *self, MYSQL *connection, struct buffer *ids,
                       char holder[SQL_HOLDER_BYTES])
{
    struct buffer sql = {0};
    struct error ignored;
    MYSQL_RES *rows = NULL;
    mysql_append(&sql,
                 "SELECT p.id, concat(p.user, '@', p.host), p.command, p.time, left(p.info, 200) "
                 "FROM information_schema.processlist AS p WHERE p.id IN (%b) AND p.id <> "
                 "connection_id() ORDER BY p.time DESC",
                 ids);
    buffer_free(ids);
    bool found = mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_NETWORK, &rows,
                                  &ignored) == STATUS_OK &&
                 rows != NULL && locks_describe(connection, rows, holder);
    mysql_free_result(rows);
    return found;
}

/* Who was in the way still is, for the most part. */
void mysql_tell_holder(struct mysql_database *self, MYSQL *connection, const char *table,
                       struct error *error)
{
    static const char end[] = "KILL CONNECTION";
    char holder[SQL_HOLDER_BYTES];
    struct buffer ids = {0};
    if (error->native_code != LOCK_TIMEOUT || !mysql_is_alive(connection)) {
        return;
    }
    append_holders(&ids, self, table);
    if (ask_holder(self, connection, &ids, holder)) {
        sql_lock_tell(error, holder, "holds it", end);
        return;
    }
    buffer_append_string(&ids, "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx");
    if (ask_holder(self, connection, &ids, holder)) {
        sql_lock_tell(error, holder, "has a transaction open, and may hold it", end);
    }
}

/* ---------------------------------------------------------------- asking for it */

static enum status set_lock_timeout(struct mysql_database *self, MYSQL *connection, int64_t wait_ms,
                                    struct error *error)
{
    return mysql_run_buffer(
        self, connection,
        mysql_sql("SET SESSION lock_wait_timeout = %D", (int64_t)mysql_lock_seconds(wait_ms)),
        SQL_SHORT, ERROR_NETWORK, NULL, error);
}

enum status mysql_wait_briefly(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    return set_lock_timeout(self, connection, sql_brief_lock_ms(self->timeout_ms), error);
}

enum status mysql_alter(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                        const char *table, enum sql_patience patience, enum error_code otherwise,
                        struct error *error)
{
    struct error ignored;
    bool brief = patience != SQL_BUILD;
    enum status status = brief ? mysql_wait_briefly(self, connection, error) : STATUS_OK;
    if (status != STATUS_OK) {
        buffer_free(sql);
        return status;
    }
    status = mysql_run_buffer(self, connection, sql, patience, otherwise, NULL, error);
    if (!mysql_is_alive(connection)) {
        return status;
    }
    if (status != STATUS_OK && table != NULL) {
        mysql_tell_holder(self, connection, table, error);
    }
    bool good = status == STATUS_OK;
    if (!brief) {
        return status;
    }
    enum status back = set_lock_timeout(self, connection, sql_long_lock_ms(self->timeout_ms),
                                        good ? error : &ignored);
    return good ? back : status;
}

/* ---------------------------------------------------------------- asking again */

void mysql_retry_begin(struct mysql_database *self, struct retry *retry)
{
    retry_init(retry, RETRY_PATIENCE_TIMEOUTS * self->timeout_ms);
    retry->stop_level = 1;
    retry->waiting_until_ms = &self->sql.base.report.waiting_until_ms;
}

bool mysql_tries_again(struct retry *retry, enum status status, struct error *error)
{
    if (status != STATUS_FAILED || error->class != ERROR_CLASS_RETRY) {
        return false;
    }
    if (retry_wait(retry, error)) {
        return true;
    }
    error->class = signals_stop_level() > 0 ? ERROR_CLASS_RETRY : ERROR_CLASS_STOP;
    return false;
}

enum status mysql_alter_persistently(struct mysql_database *self, MYSQL *connection,
                                     struct buffer *sql, const char *table,
                                     enum sql_patience patience, enum error_code otherwise,
                                     const _Atomic bool *cancelled, struct error *error)
{
    struct retry retry;
    enum status status;
    mysql_retry_begin(self, &retry);
    retry.cancelled = cancelled;
    do {
        struct buffer statement = {0};
        buffer_append_buffer(&statement, sql);
        status = mysql_alter(self, connection, &statement, table, patience, otherwise, error);
        if (status != STATUS_OK) {
            error_context(error, "%s: ", table);
        }
    } while (status != STATUS_OK && error->code == ERROR_TARGET_LOCKED &&
             mysql_is_alive(connection) && mysql_tries_again(&retry, status, error));
    buffer_free(sql);
    return status;
}
