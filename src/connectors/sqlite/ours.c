/*
 * A table with a name of ours is used only if it is as we make it: who wrote the file may have put
 * a trigger there, a generated column, a view whose triggers take what is written, or a virtual
 * table, whose module would. Of the ledger, the objects and the history the columns are compared,
 * too, and they carry no check.
 */
#include "connectors/contract/history.h"
#include "connectors/sqlite/feed_internal.h"
#include "connectors/sqlite/ledger_internal.h"
#include "connectors/sqlite/source.h"
#include "connectors/sqlite/target_internal.h"
#include <string.h>
#include <strings.h>

#define OF_FEEDS "lower(tbl_name) GLOB '" FEED_LIST "' OR lower(tbl_name) GLOB '" FEED_LOG "*'"
/* The names of the tables of runs and feeds end otherwise each time. */
#define OF_RUNS \
    "lower(tbl_name) GLOB '" SQLITE_UNDO_TABLE "*' OR lower(tbl_name) GLOB '" SQLITE_KEY_TABLE "*'"
#define OF_FILE                                                                       \
    "lower(tbl_name) IN ('" SQL_STORE_TABLE "', '_transhume_object', '" HISTORY_TABLE \
    "', '" HISTORY_TABLE "_step', '" HISTORY_TABLE "_lock')"

enum { FOUND_NAME, FOUND_KIND, FOUND_TABLE };

/* The letters of a name that is always the same count, too: SQLite takes a table whose name has
 * other ones for ours, which then is not found under its own name. */
static const char find_others[] =
    "SELECT CASE kind WHEN 'generated' THEN (SELECT min(c.name) FROM pragma_table_xinfo(tbl_name, "
    "'main') c WHERE c.hidden > 1) ELSE name END, kind, tbl_name FROM (SELECT name, tbl_name, CASE "
    "WHEN type IN ('view', 'trigger') THEN type "
    "WHEN type = 'index' AND sql IS NOT NULL THEN type "
    "WHEN type <> 'table' THEN NULL "
    "WHEN rootpage = 0 THEN 'virtual' "
    "WHEN substr(tbl_name, 1, 11) <> '_transhume_' OR (tbl_name <> lower(tbl_name) AND "
    "NOT (" OF_RUNS " OR lower(tbl_name) GLOB '" FEED_LOG "*')) THEN 'spelling' "
    "WHEN EXISTS (SELECT 1 FROM pragma_table_xinfo(tbl_name, 'main') c WHERE c.hidden > 1) "
    "THEN 'generated' END AS kind FROM main.sqlite_schema WHERE " OF_FEEDS " OR (?1 AND (" OF_FILE
    " OR " OF_RUNS "))) WHERE kind IS NOT NULL LIMIT 1";

static enum status ours_refuse(const char *name, const char *kind, const char *table,
                               struct error *error)
{
    if (strcmp(kind, "trigger") == 0 || strcmp(kind, "index") == 0) {
        error_set(error, ERROR_NOT_OURS, table, "it is a table of ours, but carries the %s %s",
                  kind, name);
    } else if (strcmp(kind, "generated") == 0) {
        error_set(error, ERROR_NOT_OURS, table,
                  "it is a table of ours, but carries the generated column %s", name);
    } else if (strcmp(kind, "spelling") == 0) {
        error_set(
            error, ERROR_NOT_OURS, table,
            "to SQLite it has the name of a table of ours, which is written in small letters");
    } else {
        error_set(error, ERROR_NOT_OURS, table, "it has the name of a table of ours, but is a %s",
                  strcmp(kind, "virtual") == 0 ? "virtual table" : kind);
    }
    return error_hint(error, SQL_STORE_NOT_OURS_HINT);
}

static enum status check_kinds(struct sqlite_database *self, sqlite3 *connection, bool all,
                               struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_prepare(self, connection, find_others, &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_int(statement, 1, all);
        status = sqlite_step(self, statement, error);
    }
    if (status == STATUS_OK) {
        status = ours_refuse((const char *)sqlite3_column_text(statement, FOUND_NAME),
                             (const char *)sqlite3_column_text(statement, FOUND_KIND),
                             (const char *)sqlite3_column_text(statement, FOUND_TABLE), error);
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- columns and checks */

enum { FORM_NAME, FORM_TEXT, FORM_COLUMNS };

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
    const char *columns = own_columns(name);
    struct create_facts facts;
    create_text_read(text != NULL ? text : "", arena, &facts);
    return sql_store_check_form(name, NULL, facts.check_count > 0 ? facts.checks[0] : NULL, columns,
                                found, error);
}

static enum status check_forms(struct sqlite_database *self, sqlite3 *connection,
                               struct error *error)
{
    static const char sql[] =
        "SELECT m.name, m.sql, (SELECT group_concat(lower(x.name)) FROM (SELECT name FROM "
        "pragma_table_xinfo(m.name, 'main') ORDER BY cid) AS x) FROM main.sqlite_schema AS m "
        "WHERE m.type = 'table' AND lower(m.name) IN ('" SQL_STORE_TABLE
        "', '_transhume_object', '" HISTORY_TABLE "', '" HISTORY_TABLE "_step', '" HISTORY_TABLE
        "_lock')";
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
    enum status status = check_kinds(self, connection, true, error);
    return status == STATUS_OK ? check_forms(self, connection, error) : status;
}

enum status sqlite_check_feeds(struct sqlite_database *self, sqlite3 *connection,
                               struct error *error)
{
    return check_kinds(self, connection, false, error);
}
