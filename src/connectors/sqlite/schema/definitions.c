/* Definitions of a SQLite file: all that sqlite_schema holds, tables taken apart. */
#include "connectors/sqlite/schema/definitions.h"
#include "connectors/sqlite/sqlite_internal.h"
#include <string.h>

struct definition_session {
    struct sqlite_database *database; /* NULL: a scratch place alone */
    sqlite3 *connection;
    struct arena *arena;
};

static enum status open_session(struct database *database, bool scratch,
                                struct definition_session **session, struct error *error)
{
    struct sqlite_database *self = database != NULL ? sqlite_database_of(database) : NULL;
    sqlite3 *connection = NULL;
    *session = NULL;
    if (!scratch) {
        if (sqlite_connection_open(self->path, CONNECTION_READ, self->timeout_ms, &connection,
                                   error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } else {
        int result = sqlite3_open_v2(":memory:", &connection,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                         SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                                     NULL);
        if (result != SQLITE_OK) {
            sqlite_error(connection, result, OPEN_TARGET, ERROR_TARGET_WRITE,
                         ":memory:", "it can't be opened", error);
            sqlite_connection_close(connection);
            return STATUS_FAILED;
        }
    }
    struct arena *arena = arena_create(0);
    *session = arena_allocate_zeroed(arena, 1, sizeof **session);
    **session = (struct definition_session){self, connection, arena};
    return STATUS_OK;
}

static void close_session(struct definition_session *session)
{
    if (session != NULL) {
        sqlite_connection_close(session->connection);
        arena_destroy(session->arena);
    }
}

static enum status definitions_fail(struct definition_session *session, int result,
                                    struct error *error)
{
    return sqlite_error(session->connection, result, OPEN_TARGET, ERROR_TARGET_SCHEMA,
                        session->database != NULL ? session->database->sql.shown : "SQL", "refused",
                        error);
}

static enum status sqlite_definitions_run(struct definition_session *session, const char *text,
                                          size_t length, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(session->connection, text, (int)length, &statement, NULL);
    while (result == SQLITE_OK || result == SQLITE_ROW) {
        result = statement != NULL ? sqlite3_step(statement) : SQLITE_DONE;
    }
    enum status status =
        result == SQLITE_DONE ? STATUS_OK : definitions_fail(session, result, error);
    sqlite3_finalize(statement);
    return status;
}

/* ---------------------------------------------------------------- reading */

static const char *id_of(struct arena *arena, const char *lead, const char *name)
{
    char *id = arena_format(arena, "%s:%s", lead, name);
    for (char *at = id; *at != '\0'; at++) {
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
    }
    return id;
}

static void take_row(struct sql_definitions *list, const char *type, const char *name,
                     const char *table, const char *sql)
{
    const char *normal = sql_normal_text(SQL_SQLITE, sql, list->arena);
    bool relation = strcmp(type, "table") == 0 || strcmp(type, "view") == 0;
    const char *kind = strncmp(normal, "create virtual", 14) == 0 ? "virtual table" : type;
    struct definition *item = sql_definitions_add(list, kind, NULL, relation ? NULL : table, name);
    if (item == NULL) {
        return;
    }
    uint32_t number = list->count - 1;
    list->ids[number] = id_of(list->arena, relation ? "relation" : type, name);
    list->owner_ids[number] = relation ? NULL : id_of(list->arena, "relation", table);
    sql_definitions_add_fact(list, item, "_sql", sql);
    if (strcmp(kind, "table") == 0) {
        sqlite_take_table_apart(list, number, sql);
    } else {
        sql_definitions_add_fact(list, item, "definition", normal);
    }
}

static enum status read_definitions(struct definition_session *session, struct arena *arena,
                                    struct definitions *definitions, struct error *error)
{
    /* what belongs to a virtual table comes and goes with it */
    static const char sql[] =
        "SELECT s.type, s.name, s.tbl_name, s.sql FROM main.sqlite_schema s WHERE s.sql IS NOT "
        "NULL AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND s.name NOT LIKE '\\_transhume\\_%' "
        "ESCAPE '\\' AND s.tbl_name NOT LIKE '\\_transhume\\_%' ESCAPE '\\' AND NOT EXISTS (SELECT "
        "1 FROM pragma_table_list l WHERE l.schema = 'main' AND l.name = s.name AND l.type = "
        "'shadow') ORDER BY s.rowid";
    static const char *const named[] = {"table", "virtual table", "view", NULL};
    struct sql_definitions list = {.arena = arena, .kinds = sqlite_definition_kinds};
    struct sql_definition_needs needs = {0};
    sqlite3_stmt *row = NULL;
    int result = sqlite3_prepare_v2(session->connection, sql, -1, &row, NULL);
    while (result == SQLITE_OK || result == SQLITE_ROW) {
        result = sqlite3_step(row);
        if (result == SQLITE_ROW) {
            const char *columns[4];
            for (int i = 0; i < 4; i++) {
                const char *text = sqlite_text_of(row, i);
                columns[i] = arena_copy_string(arena, text != NULL ? text : "");
            }
            take_row(&list, columns[0], columns[1], columns[2], columns[3]);
        }
    }
    enum status status =
        result == SQLITE_DONE ? STATUS_OK : definitions_fail(session, result, error);
    sqlite3_finalize(row);
    if (status == STATUS_OK) {
        sql_definitions_find_needs(&list, SQL_SQLITE, "_sql", named, &needs);
        sql_definitions_finish(&list, &needs, definitions);
    }
    return status;
}

static enum status sqlite_definitions_emit(struct definition_session *session,
                                           const struct definition_change *change,
                                           struct arena *arena,
                                           const struct definition_statement **statements,
                                           uint32_t *count, struct error *error)
{
    (void)session;
    struct sql_emission emission = {.change = change, .arena = arena};
    return sql_definitions_emit(sqlite_definition_kinds, &emission, statements, count, error);
}

const struct definition_functions sqlite_definition_functions = {
    .language = SQL_SQLITE,
    .folds_names = true,
    .open = open_session,
    .close = close_session,
    .run = sqlite_definitions_run,
    .read = read_definitions,
    .emit = sqlite_definitions_emit,
    .disturbs = sqlite_definition_disturbs,
};
