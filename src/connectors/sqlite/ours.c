/* A table of our name is used only if nothing hangs on it: who
 * wrote the file may have put a trigger there, or a view whose triggers take what is written. */
#include "connectors/history.h"
#include "connectors/sqlite/ledger_internal.h"
#include "connectors/sqlite/target_internal.h"

enum status sqlite_check_ours(struct sqlite_database *self, sqlite3 *connection,
                              struct error *error)
{
    enum { COLUMN_NAME, COLUMN_TYPE, COLUMN_TABLE };
    static const char sql[] =
        "SELECT name, type, tbl_name FROM main.sqlite_schema WHERE type IN ('view', 'trigger') AND "
        "lower(tbl_name) IN ('" SQL_STORE_TABLE "', '_transhume_object', '" HISTORY_TABLE
        "', '" HISTORY_TABLE "_step', '" HISTORY_TABLE "_lock') LIMIT 1";
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(self, connection, sql, &statement, error);
    status = status == STATUS_OK ? sqlite_step(self, statement, error) : status;
    if (status == STATUS_OK) {
        const char *type = (const char *)sqlite3_column_text(statement, COLUMN_TYPE);
        const char *table = (const char *)sqlite3_column_text(statement, COLUMN_TABLE);
        if (type != NULL && type[0] == 'v') {
            error_set(error, ERROR_NOT_OURS, table,
                      "it has the name of a table of ours, but is a view");
        } else {
            error_set(error, ERROR_NOT_OURS, table,
                      "it is a table of ours, but carries the trigger %s",
                      (const char *)sqlite3_column_text(statement, COLUMN_NAME));
        }
        status = error_hint(error, SQL_STORE_NOT_OURS_HINT);
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}
