/* Queries that a plan brings: checked alone, in a sandbox that only reads, and described. */
#include "connectors/sqlite/source.h"
#include <stdio.h>
#include <string.h>

/* A plan's query may read, and do nothing else. */
static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    (void)context;
    (void)first;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return second != NULL && (sqlite3_stricmp(second, "load_extension") == 0 ||
                                  sqlite3_stricmp(second, SOURCE_ROW_FUNCTION) == 0 ||
                                  sqlite3_stricmp(second, "fts3_tokenizer") == 0)
                   ? SQLITE_DENY
                   : SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static enum status sqlite_query_refuse(const char *query, struct error *error, const char *why)
{
    char start[80];
    snprintf(start, sizeof start, "query %.60s", query);
    error_set(error, ERROR_PLAN_INVALID, start, "%s", why);
    error_hint(error, "a query is one SELECT in SQLite's SQL, without parameters");
    return STATUS_FAILED;
}

enum status query_check(sqlite3 *connection, const char *query, size_t *length, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_stmt *second = NULL;
    const char *tail = NULL;
    enum status status = STATUS_FAILED;

    sqlite3_set_authorizer(connection, authorize, NULL);
    int result = sqlite3_prepare_v2(connection, query, -1, &statement, &tail);
    sqlite_check_memory(result);
    if (result != SQLITE_OK) {
        sqlite_query_refuse(query, error, sqlite3_errmsg(connection));
    } else if (statement == NULL) {
        sqlite_query_refuse(query, error, "there is no statement in it");
    } else if (sqlite3_prepare_v2(connection, tail, -1, &second, NULL) != SQLITE_OK ||
               second != NULL) {
        sqlite_query_refuse(query, error, "something follows the statement");
    } else if (sqlite3_stmt_readonly(statement) == 0 || sqlite3_stmt_isexplain(statement) != 0 ||
               sqlite3_column_count(statement) == 0) {
        sqlite_query_refuse(query, error, "it is not a SELECT");
    } else if (sqlite3_bind_parameter_count(statement) > 0) {
        sqlite_query_refuse(query, error, "it has parameters");
    } else {
        *length = (size_t)(tail - query);
        status = STATUS_OK;
    }
    sqlite3_set_authorizer(connection, NULL, NULL);
    sqlite3_finalize(statement);
    sqlite3_finalize(second);
    return status;
}

void query_append(struct buffer *sql, const char *query, size_t length)
{
    while (length > 0 && strchr("; \t\r\n", query[length - 1]) != NULL) {
        length--;
    }
    buffer_append_byte(sql, '(');
    buffer_append(sql, query, length);
    buffer_append_string(sql, "\n)"); /* it may end with a comment */
}

static void describe_columns(sqlite3_stmt *statement, struct arena *arena,
                             struct schema_table *table)
{
    uint32_t count = (uint32_t)sqlite3_column_count(statement);
    struct schema_column *columns = arena_allocate_zeroed(arena, count, sizeof *columns);

    for (uint32_t i = 0; i < count; i++) {
        const char *name = sqlite3_column_name(statement, (int)i);
        const char *declared = sqlite3_column_decltype(statement, (int)i);
        const char *native = arena_copy_string(arena, declared != NULL ? declared : "");
        if (name == NULL) {
            memory_exhausted(0);
        }
        columns[i].name = arena_copy_string(arena, name);
        columns[i].type = sqlite_column_type_of(native, false).type;
    }
    table->columns = columns;
    table->column_count = count;
}

/* Described as requests will read it: as a subquery, whose column names are made unique. */
enum status query_describe_on(sqlite3 *connection, const char *query, struct arena *arena,
                              struct schema_table *table, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    struct buffer sql = {0};
    enum status status = STATUS_FAILED;
    size_t length = 0;

    *table = (struct schema_table){
        .kind = SCHEMA_QUERY, .name = "query", .row_count = -1, .size_bytes = -1};
    if (query_check(connection, query, &length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "SELECT * FROM ");
    query_append(&sql, query, length);
    if (sqlite3_prepare_v2(connection, buffer_string(&sql), -1, &statement, NULL) != SQLITE_OK) {
        sqlite_query_refuse(query, error, sqlite3_errmsg(connection));
    } else {
        describe_columns(statement, arena, table);
        status = STATUS_OK;
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status;
}
