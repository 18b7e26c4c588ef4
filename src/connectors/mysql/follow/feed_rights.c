/* The account's rights for a cut-over: to stop the source's writers, to write the target. */
#include "connectors/mysql/follow/feed.h"
#include "connectors/mysql/source.h"
#include "connectors/mysql/target.h"

/* Which of the wanted rights on a table the account has not, for the server, the database or the
 * table. Nothing is told of an account that has rights by a role. */
static enum status find_missing(struct mysql_database *self, MYSQL *connection, const char *table,
                                const char *const *rights, struct buffer *missing,
                                struct error *error)
{
    static const char mine[] = "g.grantee = " MYSQL_GRANTEE;
    MYSQL_RES *result = NULL;
    struct buffer sql = {0};
    if (mysql_has_other_rights(self, connection)) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT w.p FROM (");
    for (int i = 0; rights[i] != NULL; i++) {
        buffer_format(&sql, "%sSELECT '%s' AS p", i > 0 ? " UNION ALL " : "", rights[i]);
    }
    mysql_append(&sql,
                 ") w WHERE NOT EXISTS (SELECT 1 FROM information_schema.user_privileges g WHERE "
                 "g.privilege_type = w.p AND %s) AND NOT EXISTS (SELECT 1 FROM "
                 "information_schema.schema_privileges g WHERE g.privilege_type = w.p AND %q LIKE "
                 "g.table_schema AND %s) AND NOT EXISTS (SELECT 1 FROM "
                 "information_schema.table_privileges g WHERE g.privilege_type = w.p AND "
                 "g.table_schema = %q AND g.table_name = %q AND %s)",
                 mine, self->sql.schema, mine, self->sql.schema, table, mine);
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL;) {
        buffer_format(missing, "%s%s", missing->length > 0 ? ", " : "", row[0]);
    }
    mysql_free_result(result);
    return status;
}

static enum status ask_rights(struct mysql_database *self, MYSQL *connection, const char *table,
                              const char *const *rights, struct lack_list *lacks,
                              struct error *error)
{
    struct buffer missing = {0};
    struct buffer grant = {0};
    enum status status = find_missing(self, connection, table, rights, &missing, error);
    if (status == STATUS_OK && missing.length > 0) {
        error_set(error, ERROR_PERMISSION, table, "the account has no %s on it",
                  buffer_string(&missing));
        buffer_format(&grant, "GRANT %s ON ", buffer_string(&missing));
        if (table[0] == '*') {
            mysql_append_all_of(&grant, self, connection, NULL, self->sql.schema);
        } else {
            mysql_append(&grant, "%n.%n", self->sql.schema, table);
        }
        mysql_hint_grant(self, connection, buffer_string(&grant), error);
        status = lacks_take(lacks, STATUS_FAILED, error);
    }
    buffer_free(&missing);
    buffer_free(&grant);
    return status;
}

/* Triggers of an account without SUPER are refused while there is a binary log. */
static enum status ask_trust(struct mysql_database *self, MYSQL *connection,
                             struct lack_list *lacks, struct error *error)
{
    static const char sql[] =
        "SELECT @@global.log_bin = 1 AND @@global.log_bin_trust_function_creators = 0 AND NOT "
        "EXISTS (SELECT 1 FROM information_schema.user_privileges g WHERE g.privilege_type = "
        "'SUPER' AND g.grantee = " MYSQL_GRANTEE ")";
    MYSQL_RES *result = NULL;
    enum status status =
        mysql_run(self, connection, sql, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL && row[0][0] == '1') {
        error_set(error, ERROR_PERMISSION, self->sql.shown,
                  "the account has no SUPER, without which nobody makes triggers while there is a "
                  "binary log");
        error_hint(error, "SET GLOBAL log_bin_trust_function_creators = ON");
        status = lacks_take(lacks, STATUS_FAILED, error);
    }
    mysql_free_result(result);
    return status;
}

/* Some rights pass over the server's setting; of an account that has rights by a role nothing is
 * told. */
static enum status ask_writable(struct mysql_database *self, MYSQL *connection,
                                struct lack_list *lacks, struct error *error)
{
    static const char sql[] =
        "SHOW SESSION VARIABLES WHERE value IN ('ON', '1') AND (variable_name IN "
        "('transaction_read_only', 'tx_read_only', 'super_read_only') OR (variable_name = "
        "'read_only' AND NOT EXISTS (SELECT 1 FROM information_schema.user_privileges g WHERE "
        "g.privilege_type IN ('SUPER', 'READ ONLY ADMIN', 'READ_ONLY ADMIN', 'CONNECTION_ADMIN') "
        "AND g.grantee = " MYSQL_GRANTEE ")))";
    MYSQL_RES *result = NULL;
    if (mysql_has_other_rights(self, connection)) {
        return STATUS_OK;
    }
    enum status status =
        mysql_run(self, connection, sql, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (row != NULL) {
        error_set(error, ERROR_PERMISSION, self->sql.shown,
                  "the account may write nothing there: %s is ON", row[0]);
        error_hint(error, "set it back, or give the primary's address");
        status = lacks_take(lacks, STATUS_FAILED, error);
    }
    mysql_free_result(result);
    return status;
}

enum status mysql_may_fence(struct database *database, const char *name, const char *const *tables,
                            uint32_t table_count, struct lack_list *lacks, struct error *error)
{
    static const char *const rights[] = {"TRIGGER", "REFERENCES", NULL};
    static const char *const own[] = {"CREATE", "ALTER", "DROP", NULL};
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    (void)name;
    enum status status = mysql_connect(self, &connection, error);
    for (uint32_t i = 0; i < table_count && status == STATUS_OK; i++) {
        status = ask_rights(self, connection, tables[i], rights, lacks, error);
    }
    if (status == STATUS_OK) { /* of the empty tables that refuse TRUNCATE, under any name */
        status = ask_rights(self, connection, "*", own, lacks, error);
    }
    status = status == STATUS_OK ? ask_trust(self, connection, lacks, error) : status;
    status = status == STATUS_OK ? ask_writable(self, connection, lacks, error) : status;
    mysql_disconnect(connection);
    return status;
}

enum status mysql_may_write(struct database *database, const struct target_table *tables,
                            uint32_t table_count, struct lack_list *lacks, struct error *error)
{
    static const char *const rights[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "ALTER", NULL};
    struct mysql_database *self = mysql_database_of(database);
    MYSQL *connection = NULL;
    enum status status = mysql_connect(self, &connection, error);
    for (uint32_t i = 0; i < table_count && status == STATUS_OK; i++) {
        status = ask_rights(self, connection, tables[i].name, rights, lacks, error);
    }
    mysql_disconnect(connection);
    return status;
}
