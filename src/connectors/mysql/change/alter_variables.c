/* The settings of a session in which migrations run: noted at its opening, put back after each
 * file. mysql_reset_connection would give the lock back, too. */
#include "base/log.h"
#include "connectors/mysql/change/alter.h"
#include <string.h>
#include <strings.h>

struct mysql_alter_variable {
    const char *name;
    const char *value;
};

/* Variables that dumps and migrations set; a server has them or not. */
static const char *const names[] = {"alter_algorithm",
                                    "autocommit",
                                    "binlog_format",
                                    "character_set_client",
                                    "character_set_connection",
                                    "character_set_results",
                                    "check_constraint_checks",
                                    "collation_connection",
                                    "completion_type",
                                    "default_storage_engine",
                                    "default_tmp_storage_engine",
                                    "default_week_format",
                                    "div_precision_increment",
                                    "explicit_defaults_for_timestamp",
                                    "foreign_key_checks",
                                    "group_concat_max_len",
                                    "idle_transaction_timeout",
                                    "innodb_lock_wait_timeout",
                                    "innodb_strict_mode",
                                    "lc_time_names",
                                    "lock_wait_timeout",
                                    "low_priority_updates",
                                    "max_execution_time",
                                    "max_sort_length",
                                    "max_statement_time",
                                    "net_read_timeout",
                                    "net_write_timeout",
                                    "old_alter_table",
                                    "optimizer_switch",
                                    "sql_auto_is_null",
                                    "sql_big_selects",
                                    "sql_generate_invisible_primary_key",
                                    "sql_log_bin",
                                    "sql_mode",
                                    "sql_notes",
                                    "sql_quote_show_create",
                                    "sql_require_primary_key",
                                    "sql_safe_updates",
                                    "sql_select_limit",
                                    "sql_warnings",
                                    "time_zone",
                                    "transaction_isolation",
                                    "transaction_read_only",
                                    "tx_isolation",
                                    "tx_read_only",
                                    "unique_checks",
                                    "wait_timeout"};
enum { NAMES = sizeof names / sizeof *names };

static enum status read_variables(struct mysql_alter *session, MYSQL_RES **result,
                                  struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SHOW SESSION VARIABLES WHERE Variable_name IN (");
    for (int i = 0; i < NAMES; i++) {
        buffer_format(&sql, "%s'%s'", i > 0 ? ", " : "", names[i]);
    }
    buffer_append_byte(&sql, ')');
    return mysql_run_buffer(session->database, session->connection, &sql, SQL_SHORT, ERROR_NETWORK,
                            result, error);
}

enum status mysql_alter_note_variables(struct mysql_alter *session, struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status = read_variables(session, &result, error);
    session->variables = arena_allocate_zeroed(session->arena, NAMES, sizeof *session->variables);
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL;) {
        if (session->variable_count < NAMES && row[1] != NULL) {
            session->variables[session->variable_count++] =
                (struct mysql_alter_variable){arena_copy_string(session->arena, row[0]),
                                              arena_copy_string(session->arena, row[1])};
        }
    }
    mysql_free_result(result);
    return status;
}

static const char *value_of(const struct mysql_alter *session, const char *name)
{
    for (uint32_t i = 0; i < session->variable_count; i++) {
        if (strcasecmp(session->variables[i].name, name) == 0) {
            return session->variables[i].value;
        }
    }
    return NULL;
}

static bool is_number(const char *value)
{
    return value[0] != '\0' && value[strspn(value, "0123456789.")] == '\0';
}

static enum status put_back(struct mysql_alter *session, const char *name, const char *value,
                            struct error *error)
{
    struct buffer sql = {0};
    struct error refusal = {0};
    buffer_format(&sql, "SET SESSION %s = ", name);
    if (is_number(value)) {
        buffer_append_string(&sql, value);
    } else {
        mysql_append_string(&sql, value);
    }
    enum status status = mysql_run_buffer(session->database, session->connection, &sql, SQL_SHORT,
                                          ERROR_NETWORK, NULL, &refusal);
    if (status == STATUS_OK || !mysql_is_alive(session->connection)) {
        return status == STATUS_OK ? status : error_copy(error, &refusal);
    }
    log_write(LOG_WARNING, "%s: %s can't be put back to %s: %s", session->base.shown, name, value,
              refusal.message);
    return STATUS_OK;
}

/* `timestamp` is another one each time that it is read, unless it was set. */
enum status mysql_alter_put_back(struct mysql_alter *session, struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status =
        mysql_run(session->database, session->connection, "SET timestamp = DEFAULT", SQL_SHORT,
                  ERROR_NETWORK, NULL, error);
    status = status == STATUS_OK ? read_variables(session, &result, error) : status;
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL;) {
        const char *before = value_of(session, row[0]);
        if (before != NULL && row[1] != NULL && strcmp(before, row[1]) != 0) {
            status = put_back(session, row[0], before, error);
        }
    }
    mysql_free_result(result);
    session->lock_ms = -1;
    return status;
}
