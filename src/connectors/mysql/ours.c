/*
 * Is what is called as ours is ours? Who may CREATE in the database can make a table of such a name
 * beforehand, or while a run is about to make it. It is used only if it is a table that keeps
 * transactions, has our columns, and nothing hangs on it that would turn what is written: a
 * trigger, a generated column, a check. An account that may not see triggers can't know.
 */
#include "base/text.h"
#include "connectors/mysql/store.h"
#include "connectors/sql/history.h"
#include <string.h>

static const struct {
    const char *name;
    const char *columns; /* NULL: not compared */
} own_tables[] = {
    {SQL_STORE_TABLE, "name,version,value"},
    {"_transhume_object", "number,run,what,name,digest"},
    {"_transhume_rebuild", "number,run,owner,name,clause"},
    {"_transhume_silenced", "number,run,owner,name,settings,statement"},
    {SQL_HISTORY_ACTS, NULL},
    {SQL_HISTORY_STEPS, NULL},
    {SQL_HISTORY_LOCK, NULL},
};
enum { OWN_COUNT = sizeof own_tables / sizeof own_tables[0] };

/* `name` NULL: each of those that have one name in every database. */
static void append_is_ours(struct buffer *sql, const char *column, const char *name)
{
    if (name != NULL) {
        mysql_append(sql, " AND %s = %q", column, name);
        return;
    }
    buffer_format(sql, " AND LOWER(%s)", column);
    for (size_t i = 0; i < OWN_COUNT; i++) {
        buffer_format(sql, "%s'%s'", i > 0 ? ", " : " IN (", own_tables[i].name);
    }
    buffer_append_byte(sql, ')');
}

/* ---------------------------------------------------------------- another thing, and triggers */

enum { OURS_TABLE, OURS_TRIGGER, OURS_IS };

static enum status refuse_kind(MYSQL_ROW row, struct error *error)
{
    if (row[OURS_TRIGGER] != NULL) {
        error_set(error, ERROR_NOT_OURS, row[OURS_TABLE],
                  "it is a table of ours, but carries the trigger %s", row[OURS_TRIGGER]);
    } else {
        error_set(error, ERROR_NOT_OURS, row[OURS_TABLE],
                  "it has the name of a table of ours, but is %s",
                  row[OURS_IS] != NULL ? row[OURS_IS] : "another thing");
    }
    return error_hint(error, SQL_STORE_NOT_OURS_HINT);
}

static enum status check_kinds(struct mysql_database *self, MYSQL *connection, const char *schema,
                               const char *name, struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    mysql_append(&sql,
                 "SELECT table_name, NULL, CASE table_type WHEN 'VIEW' THEN 'a view' WHEN "
                 "'SEQUENCE' THEN 'a sequence' WHEN 'BASE TABLE' THEN CONCAT('a table of ', "
                 "engine, ', which keeps no transactions') ELSE CONCAT('a ', LOWER(table_type), ' "
                 "table') END FROM information_schema.tables WHERE (table_type <> 'BASE TABLE' OR "
                 "engine NOT IN (SELECT e.engine FROM information_schema.engines e WHERE "
                 "e.transactions = 'YES')) AND table_schema = %q",
                 schema);
    append_is_ours(&sql, "table_name", name);
    mysql_append(&sql,
                 " UNION ALL SELECT event_object_table, trigger_name, NULL FROM "
                 "information_schema.triggers WHERE event_object_schema = %q",
                 schema);
    append_is_ours(&sql, "event_object_table", name);
    buffer_append_string(&sql, " LIMIT 1");
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    MYSQL_ROW row = status == STATUS_OK && result != NULL ? mysql_fetch_row(result) : NULL;
    status = row != NULL ? refuse_kind(row, error) : status;
    mysql_free_result(result);
    return status;
}

/* ---------------------------------------------------------------- columns and checks */

enum { FORM_NUMBER, FORM_COLUMNS, FORM_GENERATED, FORM_CHECK };

/* The least name of a check; MariaDB has those of columns in a place of its own. */
static void append_check(struct buffer *sql, const struct mysql_database *self, const char *schema,
                         const char *table)
{
    enum { CHECKS_MARIADB = 100222, CHECKS_MYSQL = 80016 };
    if (self->version < (self->mariadb ? CHECKS_MARIADB : CHECKS_MYSQL)) {
        buffer_append_string(sql, "NULL");
        return;
    }
    mysql_append(sql, "%s%q AND table_name = '%s')",
                 self->mariadb ? "(SELECT MIN(constraint_name) FROM "
                                 "information_schema.check_constraints WHERE constraint_schema = "
                               : "(SELECT MIN(constraint_name) FROM "
                                 "information_schema.table_constraints WHERE constraint_type = "
                                 "'CHECK' AND table_schema = ",
                 schema, table);
}

/* A table each: servers open just what a name is equal to, and else all tables of the database. */
static void append_form(struct buffer *sql, const struct mysql_database *self, const char *schema,
                        size_t number)
{
    buffer_format(sql,
                  "%sSELECT %zu, GROUP_CONCAT(LOWER(column_name) ORDER BY ordinal_position), "
                  "MIN(CASE WHEN extra LIKE '%% GENERATED%%' OR extra IN ('VIRTUAL', "
                  "'PERSISTENT') THEN column_name END), ",
                  number > 0 ? " UNION ALL " : "", number);
    append_check(sql, self, schema, own_tables[number].name);
    mysql_append(sql,
                 " FROM information_schema.columns WHERE table_schema = %q AND table_name = '%s'",
                 schema, own_tables[number].name);
}

static enum status check_form(MYSQL_ROW row, struct error *error)
{
    uint64_t number = 0;
    if (row[FORM_COLUMNS] == NULL ||
        text_to_uint64(row[FORM_NUMBER], strlen(row[FORM_NUMBER]), &number) != STATUS_OK ||
        number >= OWN_COUNT) {
        return STATUS_OK; /* it is not there */
    }
    return sql_store_check_form(own_tables[number].name, row[FORM_GENERATED], row[FORM_CHECK],
                                own_tables[number].columns, row[FORM_COLUMNS], error);
}

static enum status check_forms(struct mysql_database *self, MYSQL *connection, const char *schema,
                               struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    for (size_t i = 0; i < OWN_COUNT; i++) {
        append_form(&sql, self, schema, i);
    }
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        status = check_form(row, error);
    }
    mysql_free_result(result);
    return status;
}

enum status mysql_check_ours(struct mysql_database *self, MYSQL *connection, const char *schema,
                             struct error *error)
{
    enum status status = check_kinds(self, connection, schema, NULL, error);
    return status == STATUS_OK ? check_forms(self, connection, schema, error) : status;
}

enum status mysql_check_own(struct mysql_database *self, MYSQL *connection, const char *name,
                            struct error *error)
{
    return check_kinds(self, connection, self->sql.schema, name, error);
}
