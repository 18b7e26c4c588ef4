/* Would a column take a value? The writer's own rules, asked by a statement that reads no table. */
#include "connectors/sqlite/writer_internal.h"
#include <string.h>
#include <strings.h>

struct trial {
    struct writer_view view;
    struct writer_column column;
    const struct cell *cell;
};

static void trial_give(sqlite3_context *context, int count, sqlite3_value **values)
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
        return error_set(error, trial->view.refusal.code, NULL, "%s", trial->view.refusal.reason);
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
    int result = sqlite3_create_function_v2(file->control, name, 0, SQLITE_UTF8, &trial, trial_give,
                                            NULL, NULL, NULL);
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

/* ---------------------------------------------------------------- CHECKs */

/* The table's own statement makes it again, in memory. */
struct sql_checks {
    const char *sql;
};

enum status sqlite_find_checks(struct sql_database *self, const struct sql_table *table,
                               struct arena *arena, struct sql_checks **checks, struct error *error)
{
    const struct sqlite_target_table *facts = sqlite_facts_of(table);
    (void)self;
    (void)error;
    if (facts->sql == NULL || facts->is_virtual || strcasestr(facts->sql, "check") == NULL) {
        return STATUS_END;
    }
    *checks = arena_allocate_zeroed(arena, 1, sizeof **checks);
    (*checks)->sql = facts->sql;
    return STATUS_OK;
}

/* A record's values, as the writer gives them. */
struct trial_row {
    struct writer_view view;
    struct writer_column *columns;
    const struct cell *cells;
};

static void give_field(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct trial_row *row = sqlite3_user_data(context);
    int at = sqlite3_value_int(values[0]);
    (void)count;
    (void)writer_value_give(&row->view, &row->columns[at], &row->cells[at], context);
}

/* "INSERT INTO things (at, size) VALUES (transhume_try(0), transhume_try(1))". */
static void append_trial_insert(struct buffer *sql, const struct sqlite_target_table *facts,
                                const struct shape *shape, struct trial_row *row)
{
    struct buffer values = {0};
    sqlite_append(sql, "INSERT INTO %n", facts->name);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const struct sqlite_target_column *column =
            sqlite_target_find_column(facts, shape->fields[i].name);
        bool left = column == NULL || column->generated || row->cells[i].kind == VALUE_MISSING;
        if (!left) {
            row->columns[i] = (struct writer_column){
                .affinity = column->affinity, .row_key = column->row_key, .column = column};
            sqlite_append(sql, "%s%n", values.length > 0 ? ", " : " (", column->name);
            buffer_format(&values, "%stranshume_try(%u)", values.length > 0 ? ", " : "", i);
        }
    }
    if (values.length > 0) {
        buffer_format(sql, ") VALUES (%s)", buffer_string(&values));
    } else {
        buffer_append_string(sql, " DEFAULT VALUES");
    }
    buffer_free(&values);
}

/* A refusal of the copy in memory that no CHECK made is passed over: it lacks the functions of the
 * application, say. */
enum status sqlite_try_checks(struct sql_database *self, const struct sql_table *table,
                              const struct sql_checks *checks, const struct shape *shape,
                              const struct cell *cells, struct arena *scratch, struct error *error)
{
    const struct sqlite_target_table *facts = sqlite_facts_of(table);
    struct trial_row row = {.view = {.scratch = scratch, .utf16 = false}, .cells = cells};
    struct buffer sql = {0};
    sqlite3 *memory = NULL;
    enum status status = STATUS_OK;
    (void)self;
    row.columns = arena_allocate_zeroed(scratch, shape->field_count + 1u, sizeof *row.columns);
    append_trial_insert(&sql, facts, shape, &row);
    if (sqlite3_open_v2(":memory:", &memory, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ==
            SQLITE_OK &&
        sqlite3_create_function_v2(memory, "transhume_try", 1, SQLITE_UTF8, &row, give_field, NULL,
                                   NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(memory, checks->sql, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(memory, buffer_string(&sql), NULL, NULL, NULL) != SQLITE_OK &&
        sqlite3_extended_errcode(memory) == SQLITE_CONSTRAINT_CHECK) {
        status = error_set(error, ERROR_REJECT_CONSTRAINT, NULL, "%s", sqlite3_errmsg(memory));
    }
    sqlite_check_memory(sqlite3_errcode(memory));
    sqlite3_close(memory);
    buffer_free(&sql);
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
