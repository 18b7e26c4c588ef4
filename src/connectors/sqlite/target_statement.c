/* Statements in a target, and what their failures mean. */
#include "connectors/sqlite/target_internal.h"

enum status sqlite_target_error(struct sqlite_database *database, sqlite3 *connection, int result,
                                enum error_code otherwise, const char *doing, struct error *error)
{
    return sqlite_error(connection, result, OPEN_TARGET, otherwise, database->sql.shown, doing,
                        error);
}

enum status sqlite_target_execute(struct sqlite_database *database, sqlite3 *connection,
                                  const char *sql, enum error_code otherwise, struct error *error)
{
    int result = sqlite3_exec(connection, sql, NULL, NULL, NULL);
    if (result != SQLITE_OK) {
        return sqlite_target_error(database, connection, result, otherwise, "a statement failed",
                                   error);
    }
    return STATUS_OK;
}

enum status sqlite_target_prepare(struct sqlite_database *database, sqlite3 *connection,
                                  const char *sql, sqlite3_stmt **statement, struct error *error)
{
    int result =
        sqlite3_prepare_v3(connection, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (result != SQLITE_OK) {
        return sqlite_target_error(database, connection, result, ERROR_TARGET_WRITE,
                                   "a statement can't be prepared", error);
    }
    return STATUS_OK;
}

enum status sqlite_target_prepare_buffer(struct sqlite_database *database, sqlite3 *connection,
                                         struct buffer *sql, sqlite3_stmt **statement,
                                         struct error *error)
{
    return sqlite_target_prepare(database, connection, buffer_string(sql), statement, error);
}

bool sqlite_same_name(const char *left, const char *right)
{
    return sqlite3_stricmp(left, right) == 0;
}

int sqlite_target_step(sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    return result;
}
