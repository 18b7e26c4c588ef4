/* A table of our name is used only if it has our columns and nothing hangs on it: who wrote the
 * file may have put a trigger there, a generated column, a check, or a view whose triggers take
 * what is written. */
#include "connectors/history.h"
#include "connectors/sqlite/ledger_internal.h"
#include "connectors/sqlite/source.h"
#include "connectors/sqlite/target_internal.h"
#include <string.h>
#include <strings.h>

#define OWN_TABLES                                                                      \
    "('" SQL_STORE_TABLE "', '_transhume_object', '" HISTORY_TABLE "', '" HISTORY_TABLE \
    "_step', '" HISTORY_TABLE "_lock')"

/* ---------------------------------------------------------------- views and triggers */

static enum status check_kinds(struct sqlite_database *self, sqlite3 *connection,
                               struct error *error)
{
    enum { COLUMN_NAME, COLUMN_TYPE, COLUMN_TABLE };
    static const char sql[] =
        "SELECT name, type, tbl_name FROM main.sqlite_schema WHERE type IN ('view', 'trigger') AND "
        "lower(tbl_name) IN " OWN_TABLES " LIMIT 1";
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

/* ---------------------------------------------------------------- columns and checks */

enum { FORM_NAME, FORM_TEXT, FORM_COLUMNS, FORM_GENERATED };

/* NULL: not compared. */
static const char *own_columns(const char *table)
{
    static const struct {
        const char *name;
        const char *columns;
    } tables[] = {{SQL_STORE_TABLE, "name,version,value"},
                  {"_transhume_object", "run,type,name,sql"}};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcasecmp(tables[i].name, table) == 0) {
            return tables[i].columns;
        }
    }
    return NULL;
}

static enum status check_form(sqlite3_stmt *statement, struct arena *arena, struct error *error)
{
    const char *name = sqlite_text_of(statement, FORM_NAME);
    const char *text = sqlite_text_of(statement, FORM_TEXT);
    const char *found = sqlite_text_of(statement, FORM_COLUMNS);
    const char *generated = sqlite_text_of(statement, FORM_GENERATED);
    const char *columns = own_columns(name);
    struct create_facts facts;
    create_text_read(text != NULL ? text : "", arena, &facts);
    if (generated != NULL) {
        error_set(error, ERROR_NOT_OURS, name,
                  "it is a table of ours, but carries the generated column %s", generated);
    } else if (facts.check_count > 0) {
        error_set(error, ERROR_NOT_OURS, name, "it is a table of ours, but carries the check %s",
                  facts.checks[0]);
    } else if (columns != NULL && (found == NULL || strcmp(found, columns) != 0)) {
        error_set(error, ERROR_NOT_OURS, name,
                  "it has the name of a table of ours, but other columns: %s",
                  found != NULL ? found : "none");
    } else {
        return STATUS_OK;
    }
    return error_hint(error, SQL_STORE_NOT_OURS_HINT);
}

static enum status check_forms(struct sqlite_database *self, sqlite3 *connection,
                               struct error *error)
{
    static const char sql[] =
        "SELECT m.name, m.sql, (SELECT group_concat(lower(x.name)) FROM (SELECT name FROM "
        "pragma_table_xinfo(m.name, 'main') ORDER BY cid) AS x), (SELECT min(name) FROM "
        "pragma_table_xinfo(m.name, 'main') WHERE hidden IN (2, 3)) FROM main.sqlite_schema AS m "
        "WHERE m.type = 'table' AND lower(m.name) IN " OWN_TABLES;
    sqlite3_stmt *statement = NULL;
    struct arena *arena = arena_create(0);
    enum status status = sqlite_target_prepare(self, connection, sql, &statement, error);
    while (status == STATUS_OK && (status = sqlite_step(self, statement, error)) == STATUS_OK) {
        status = check_form(statement, arena, error);
    }
    sqlite3_finalize(statement);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sqlite_check_ours(struct sqlite_database *self, sqlite3 *connection,
                              struct error *error)
{
    enum status status = check_kinds(self, connection, error);
    return status == STATUS_OK ? check_forms(self, connection, error) : status;
}
