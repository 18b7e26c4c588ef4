/* Would a column take a value? The writer's own rules, asked by a statement that reads no table. */
#include "connectors/sqlite/writer_internal.h"
#include <string.h>
#include <strings.h>

struct trial {
    struct writer_view view;
    struct writer_column column;
    const struct cell *cell;
};

static void give(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct trial *trial = sqlite3_user_data(context);
    (void)count;
    (void)values;
    (void)writer_value_give(&trial->view, &trial->column, trial->cell, context);
}

/* A STRICT table takes what its columns' types say, and numbers as texts. */
static bool is_strictly(const char *declared, int type)
{
    bool number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    if (type == SQLITE_NULL || strcasecmp(declared, "ANY") == 0) {
        return true;
    }
    if (strcasecmp(declared, "REAL") == 0) {
        return number;
    }
    if (strcasecmp(declared, "TEXT") == 0) {
        return number || type == SQLITE_TEXT;
    }
    return strcasecmp(declared, "BLOB") == 0 ? type == SQLITE_BLOB : type == SQLITE_INTEGER;
}

static enum status look_at(const struct trial *trial, const struct sqlite_target_table *table,
                           sqlite3_stmt *statement, sqlite3 *connection, struct error *error)
{
    const struct sqlite_target_column *column = trial->column.column;
    int result = sqlite3_step(statement);
    if (trial->view.refusal.set) {
        return error_set(error, trial->view.refusal.code, NULL, "%s",
                         trial->view.refusal.reason);
    }
    if (trial->view.large_error.code != ERROR_NONE) {
        return error_copy(error, &trial->view.large_error);
    }
    if (result != SQLITE_ROW) {
        return sqlite_error(connection, result, OPEN_TARGET, ERROR_TARGET_INVALID, table->name,
                            "a value can't be tried", error);
    }
    return !table->strict || is_strictly(column->declared_type, sqlite3_column_type(statement, 0))
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_TYPE, column->name,
                           "the table is STRICT, and the value is no %s", column->declared_type);
}

enum status sqlite_try_value(struct sql_database *self, const struct sql_table *table,
                             uint32_t column, const struct cell *cell, struct arena *scratch,
                             struct error *error)
{
    static const char name[] = "transhume_try";
    struct sqlite_database *file = (struct sqlite_database *)self;
    const struct sqlite_target_table *facts = sqlite_facts_of(table);
    const struct sqlite_target_column *found = &facts->columns[column];
    struct trial trial = {
        .view = {.scratch = scratch, .utf16 = false},
        .column = {.affinity = found->affinity, .row_key = found->row_key, .column = found},
        .cell = cell};
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_create_function_v2(file->control, name, 0, SQLITE_UTF8, &trial, give, NULL,
                                            NULL, NULL);
    if (result != SQLITE_OK) {
        return sqlite_error(file->control, result, OPEN_TARGET, ERROR_TARGET_INVALID, facts->name,
                            "a value can't be tried", error);
    }
    enum status status =
        sqlite_prepare(file, file->control, "SELECT transhume_try()", &statement, error);
    status = status == STATUS_OK ? look_at(&trial, facts, statement, file->control, error) : status;
    sqlite3_finalize(statement);
    (void)sqlite3_create_function_v2(file->control, name, 0, SQLITE_UTF8, NULL, NULL, NULL, NULL,
                                     NULL);
    return status;
}

/* ---------------------------------------------------------------- tables that are to be made */

/* As prepare's own statement makes it, in a database of its own that is nowhere but in memory. */
enum status sqlite_imagine(struct sql_database *database, const struct target_table *table,
                           struct arena *arena, struct sql_table *made, struct error *error)
{
    struct sqlite_database *file = (struct sqlite_database *)database;
    struct sqlite_target_table *facts = arena_allocate_zeroed(arena, 1, sizeof *facts);
    struct buffer sql = {0};
    sqlite3 *memory = NULL;
    enum status status = STATUS_END;
    const char *same = table->same_engine != NULL ? table->same_engine->native_sql : NULL;
    sqlite_schema_append_table(table, false, &sql);
    if (sqlite3_open_v2(":memory:", &memory, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ==
            SQLITE_OK &&
        (sqlite3_exec(memory, same != NULL ? same : buffer_string(&sql), NULL, NULL, NULL) ==
             SQLITE_OK ||
         sqlite3_exec(memory, buffer_string(&sql), NULL, NULL, NULL) == SQLITE_OK)) {
        status = sqlite_target_describe(file, memory, table->name, arena, facts, error);
    }
    sqlite_check_memory(sqlite3_errcode(memory));
    sqlite3_close(memory);
    buffer_free(&sql);
    if (status == STATUS_OK) {
        *made = sqlite_table_of(facts, arena);
    }
    return status;
}
