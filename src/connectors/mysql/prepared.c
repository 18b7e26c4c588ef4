/* Prepared statements: calls of the client library that may wait, and what the server forgets. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/signals.h"
#include "connectors/mysql/mysql_internal.h"
#include <errmsg.h>
#include <poll.h>
#include <sys/socket.h>

/* A statement that goes out no further: the server, or the way to it, stands still. */
static enum status await_room(const struct mysql_database *self, MYSQL *connection,
                              struct error *error)
{
    enum { SLICE_MS = 250 };
    int64_t deadline_ms = clock_monotonic_ms() + self->timeout_ms;
    struct pollfd waiting = {.fd = mysql_get_socket(connection), .events = POLLOUT};
    int ready = 0;
    while (ready == 0 && clock_monotonic_ms() < deadline_ms && signals_stop_level() < 2) {
        ready = poll(&waiting, 1, SLICE_MS);
    }
    if (ready != 0) {
        return STATUS_OK; /* the library finds out what has broken */
    }
    shutdown(waiting.fd, SHUT_RDWR);
    return error_set(error, signals_stop_level() < 2 ? ERROR_NETWORK : ERROR_INTERRUPTED,
                     self->sql.shown, "the server takes no more of a statement");
}

enum status mysql_wait_for(struct mysql_database *self, MYSQL *connection, int events,
                           enum status status, struct error *error)
{
    if (status != STATUS_OK) {
        return status;
    }
    return (events & MYSQL_WAIT_WRITE) != 0 ? await_room(self, connection, error)
                                            : mysql_await(self, connection, SQL_LONG, error);
}

MYSQL_STMT *mysql_statement_create(MYSQL *connection)
{
    MYSQL_STMT *statement = mysql_stmt_init(connection);
    if (statement == NULL) {
        memory_exhausted(0);
    }
    return statement;
}

enum status mysql_statement_failure(struct mysql_database *self, MYSQL *connection,
                                    MYSQL_STMT *statement, enum error_code otherwise,
                                    struct error *error)
{
    if (mysql_stmt_errno(statement) == CR_OUT_OF_MEMORY) {
        memory_exhausted(0);
    }
    if (mysql_errno(connection) != 0) {
        return mysql_failure(self, connection, otherwise, error);
    }
    return error_set(error, otherwise, self->sql.shown, "the client's library says: %s",
                     mysql_stmt_error(statement));
}

enum status mysql_statement_prepare(struct mysql_database *self, MYSQL *connection,
                                    MYSQL_STMT *statement, const char *sql, size_t length,
                                    bool *refused, struct error *error)
{
    int failed = 0;
    enum status status = STATUS_OK;
    int waits_for = mysql_stmt_prepare_start(&failed, statement, sql, (unsigned long)length);
    while (waits_for != 0) {
        status = mysql_wait_for(self, connection, waits_for, status, error);
        waits_for = mysql_stmt_prepare_cont(&failed, statement, waits_for & ~MYSQL_WAIT_TIMEOUT);
    }
    *refused = false;
    if (status != STATUS_OK || failed == 0) {
        return status;
    }
    struct error why = {0};
    mysql_statement_failure(self, connection, statement, ERROR_TARGET_INVALID, &why);
    /* a deadlock has ended the transaction, too */
    /* a deadlock has ended the transaction: whoever reads on by text reads beside the snapshot */
    bool locked = why.code == ERROR_SOURCE_LOCKED || why.code == ERROR_TARGET_LOCKED;
    *refused = why.class != ERROR_CLASS_RETRY && !locked && mysql_is_alive(connection);
    if (*refused) {
        return STATUS_OK;
    }
    return mysql_statement_failure(self, connection, statement, ERROR_NETWORK, error);
}

bool mysql_statement_is_forgotten(MYSQL *connection)
{
    /* the last one is CR_ERR_MISSING_ERROR_INFO, which libmariadb's header has since 3.3 */
    enum { UNKNOWN_STATEMENT = 1243, NEEDS_PREPARING = 1615, NO_ERROR_INFO = 5026 };
    unsigned number = mysql_errno(connection);
    /* MariaDB 11.4 says nothing when it has to prepare an INSERT in bulk anew */
    return number == UNKNOWN_STATEMENT || number == NEEDS_PREPARING || number == NO_ERROR_INFO;
}
