/* The ledger's tables in the target: whether they are there, and what the run made. */
#include "connectors/mysql/target.h"
#include <string.h>

enum { LEDGER_TABLES = 4 };

enum status maria_ledger_invalid(const struct maria_database *self, const char *what,
                                 struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, self->shown, "the ledger in the target is damaged: %s",
              what);
    error_hint(error, "it was edited or cut; restore the target from a backup, or start anew with "
                      "an empty database");
    return STATUS_FAILED;
}

/* _transhume_run is made last: without it the others are what a crash left of making them. */
enum status maria_ledger_check(struct maria_database *self, MYSQL *connection, struct error *error)
{
    struct buffer sql = {0};
    int64_t count = 0;
    int64_t format = 0;
    buffer_append_string(&sql, "SELECT count(*) + 10 * sum(table_name = '_transhume_run') FROM "
                               "information_schema.tables WHERE table_name IN ('_transhume_run', "
                               "'_transhume_chunk', '_transhume_done', '_transhume_made') AND "
                               "table_schema = ");
    maria_append_string(&sql, self->schema);
    if (maria_ask_number(self, connection, &sql, MARIA_SHORT, ERROR_TARGET_INVALID, 0, &count,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count < 10) {
        return STATUS_END;
    }
    if (count != 10 + LEDGER_TABLES) {
        return maria_ledger_invalid(self, "one of its tables is missing", error);
    }
    buffer_append_string(&sql, "SELECT max(format) FROM ");
    maria_append_table(&sql, self, "_transhume_run");
    enum status status = maria_ask_number(self, connection, &sql, MARIA_SHORT, ERROR_LEDGER_INVALID,
                                          1, &format, error);
    if (status == STATUS_OK && format > MARIA_LEDGER_FORMAT) {
        error_set(error, ERROR_FORMAT_NEWER, self->shown,
                  "the ledger in the target has format %lld, this version knows %d",
                  (long long)format, MARIA_LEDGER_FORMAT);
        error_hint(error, "go on with the version of transhume that began the run, or a later one");
        return STATUS_FAILED;
    }
    return status;
}

/* ---------------------------------------------------------------- tables that the run made */

enum status maria_ledger_note_making(struct maria_database *self, MYSQL *connection,
                                     const char *table, enum maria_making making,
                                     struct error *error)
{
    struct buffer sql = {0};
    if (self->run_id == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "REPLACE INTO ");
    maria_append_table(&sql, self, "_transhume_made");
    buffer_append_string(&sql, " (run, name, making) VALUES (");
    maria_append_string(&sql, self->run_id);
    buffer_append_string(&sql, ", ");
    maria_append_string(&sql, table);
    buffer_format(&sql, ", %d)", (int)making);
    return maria_query_buffer(self, connection, &sql, MARIA_SHORT, ERROR_TARGET_WRITE, NULL, error);
}

enum status maria_ledger_making(struct maria_database *self, MYSQL *connection, const char *table,
                                enum maria_making *making, struct error *error)
{
    struct buffer sql = {0};
    int64_t number = 0;
    *making = MARIA_NOT_MADE;
    if (self->run_id == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT making FROM ");
    maria_append_table(&sql, self, "_transhume_made");
    buffer_append_string(&sql, " WHERE run = ");
    maria_append_string(&sql, self->run_id);
    /* the ledger has a name as the plan does, who asks may have it as the server does */
    buffer_append_string(&sql, self->folds_names ? " AND LOWER(name) = LOWER(" : " AND name = (");
    maria_append_string(&sql, table);
    buffer_append_byte(&sql, ')');
    if (maria_ask_number(self, connection, &sql, MARIA_SHORT, ERROR_LEDGER_INVALID, MARIA_NOT_MADE,
                         &number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *making = number == MARIA_MADE       ? MARIA_MADE
              : number == MARIA_INTENDED ? MARIA_INTENDED
              : number == MARIA_UNDONE   ? MARIA_UNDONE
                                         : MARIA_NOT_MADE;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- keys that the run wrote */

void maria_append_key_table(struct buffer *sql, const struct maria_database *self,
                            const char *table)
{
    char name[SQL_OWN_NAME_BYTES];
    sql_own_name("_transhume_key_", table, name);
    maria_append_table(sql, self, name);
}

enum status maria_list_own(struct maria_database *self, MYSQL *connection, const char *prefix,
                           MYSQL_RES **names, struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT table_name FROM information_schema.tables WHERE table_type "
                               "= 'BASE TABLE' AND table_schema = ");
    maria_append_string(&sql, self->schema);
    buffer_format(&sql, " AND LEFT(table_name, %zu) = '%s' ORDER BY table_name <> '_transhume_run'",
                  strlen(prefix), prefix);
    return maria_query_buffer(self, connection, &sql, MARIA_SHORT, ERROR_TARGET_WRITE, names,
                              error);
}

enum status maria_drop_key_tables(struct maria_database *self, MYSQL *connection,
                                  struct error *error)
{
    struct buffer drop = {0};
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    enum status status = maria_list_own(self, connection, "_transhume_key_", &result, error);
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        buffer_append_string(&drop, drop.length > 0 ? ", " : "DROP TABLE IF EXISTS ");
        maria_append_table(&drop, self, row[0]);
    }
    mysql_free_result(result);
    if (status != STATUS_OK || buffer_is_empty(&drop)) {
        buffer_free(&drop);
        return status;
    }
    return maria_query_buffer(self, connection, &drop, MARIA_SHORT, ERROR_TARGET_WRITE, NULL,
                              error);
}
