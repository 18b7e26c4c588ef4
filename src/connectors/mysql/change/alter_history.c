/* The history's tables in a MySQL or MariaDB database. */
#include "connectors/mysql/change/alter.h"
#include "connectors/mysql/store.h"
#include <inttypes.h>

enum { NO_SUCH_TABLE = 1146, NO_SUCH_DATABASE = 1049, NULL_REFUSED = 1048 };

static void append_table(const struct alter_session *session, struct buffer *sql, const char *name)
{
    mysql_append(sql, "%n.%n", ((const struct mysql_alter *)session)->history_schema, name);
}

static void append_begun(const struct alter_session *session, struct buffer *sql)
{
    buffer_append_string(sql, session->history->now);
}

static void append_time(struct buffer *sql, int64_t us)
{
    buffer_format(sql, "('1970-01-01' + INTERVAL %" PRId64 " MICROSECOND)", us);
}

static void append_microseconds(struct buffer *sql, const char *column)
{
    buffer_format(sql, "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', %s)", column);
}

static enum status visit_rows(MYSQL_RES *result, sql_history_field_visit *visit, void *context,
                              struct error *error)
{
    enum status status = STATUS_OK;
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL;) {
        status = visit(context, (const char *const *)row, error);
    }
    return status;
}

/* A file may have turned autocommit off. */
static enum status make_durable(struct mysql_alter *session, struct error *error)
{
    unsigned status = 0;
    bool known =
        mariadb_get_infov(session->connection, MARIADB_CONNECTION_SERVER_STATUS, &status) == 0;
    return session->within || !known || (status & SERVER_STATUS_AUTOCOMMIT) != 0
               ? STATUS_OK
               : mysql_run(session->database, session->connection, "COMMIT", SQL_LONG,
                           ERROR_TARGET_WRITE, NULL, error);
}

/* Once a session; those that are made from then on are. */
static enum status see_history(struct mysql_alter *session, struct error *error)
{
    if (session->history_seen) {
        return STATUS_OK;
    }
    enum status status =
        mysql_check_ours(session->database, session->connection, session->history_schema, error);
    session->history_seen = status == STATUS_OK;
    return status;
}

static enum status alter_history_run(struct alter_session *base, struct buffer *sql,
                                     sql_history_field_visit *visit, void *context,
                                     uint64_t *changed, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    struct error inner = {0};
    MYSQL_RES *result = NULL;
    enum status status = see_history(session, &inner);
    if (status != STATUS_OK) {
        buffer_free(sql);
    } else {
        status = mysql_run_buffer(session->database, session->connection, sql,
                                  visit != NULL ? SQL_LONG : SQL_SHORT, ERROR_TARGET_WRITE, &result,
                                  &inner);
    }
    if (status == STATUS_OK && changed != NULL) {
        *changed = mysql_affected_rows(session->connection);
    }
    if (status == STATUS_OK && visit != NULL && result != NULL) {
        status = visit_rows(result, visit, context, &inner);
    }
    mysql_free_result(result);
    status = status == STATUS_OK && visit == NULL ? make_durable(session, &inner) : status;
    if (status == STATUS_FAILED && visit != NULL &&
        (inner.native_code == NO_SUCH_TABLE || inner.native_code == NO_SUCH_DATABASE)) {
        return STATUS_END;
    }
    if (status == STATUS_FAILED) {
        mysql_alter_lost(session, status, &inner);
        error_copy(error, &inner);
    }
    return status;
}

#define TEXTS " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
#define DIALECT(times, clock, options)                                                          \
    {                                                                                           \
        .name = "mysql",                                                                        \
        .types = {[SQL_HISTORY_NUMBER] = "BIGINT UNSIGNED",                                     \
                  [SQL_HISTORY_COUNT] = "INT UNSIGNED",                                         \
                  [SQL_HISTORY_WORD] = "VARCHAR(40) CHARACTER SET ascii",                       \
                  [SQL_HISTORY_NAME] = "VARCHAR(255)" TEXTS,                                    \
                  [SQL_HISTORY_TEXT] = "MEDIUMTEXT" TEXTS,                                      \
                  [SQL_HISTORY_TIME] = times},                                                  \
        .table_end = " ENGINE=InnoDB" options, .hex = {"CONVERT(X'", "' USING utf8mb4)"},       \
        .conflict = {" ON DUPLICATE KEY UPDATE ", ""}, .given = {"VALUES(", ")"}, .now = clock, \
        .locking = " FOR UPDATE", .null_code = NULL_REFUSED, .append_table = append_table,      \
        .append_begun = append_begun, .append_time = append_time,                               \
        .append_microseconds = append_microseconds, .run = alter_history_run,                   \
    }

const struct sql_history_dialect mysql_history =
    DIALECT("DATETIME(6)", "UTC_TIMESTAMP(6)", " ROW_FORMAT=DYNAMIC");
const struct sql_history_dialect mysql_history_old = DIALECT("DATETIME", "UTC_TIMESTAMP()", "");
