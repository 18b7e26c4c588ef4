/* Rules for what SQLite cannot alter, and what goes wrong when a table is made anew instead. */
#include "evolve/lint/lint_internal.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- ADD COLUMN */

/* Why SQLite refuses to add the column; NULL: it does not. */
static const char *why_refused(const struct sql_column_named *column)
{
    const struct sql_constraint *generated =
        sql_column_constraint(column, SQL_CONSTRAINT_GENERATED);
    const struct sql_constraint *value = sql_column_constraint(column, SQL_CONSTRAINT_DEFAULT);
    if (sql_column_constraint(column, SQL_CONSTRAINT_PRIMARY_KEY) != NULL) {
        return "SQLite adds no PRIMARY KEY column.";
    }
    if (sql_column_constraint(column, SQL_CONSTRAINT_UNIQUE) != NULL) {
        return "SQLite adds no UNIQUE column.";
    }
    if (generated != NULL && !generated->is_virtual) {
        return "SQLite adds no STORED column; VIRTUAL it does.";
    }
    if (value != NULL && (value->expression.length == 0 || value->expression.text[0] == '(' ||
                          strncasecmp(value->expression.text, "CURRENT_", 8) == 0)) {
        return "SQLite adds no column whose default is no constant.";
    }
    if (value != NULL && sql_column_constraint(column, SQL_CONSTRAINT_REFERENCES) != NULL &&
        strncasecmp(value->expression.text, "NULL", 4) != 0) {
        return "With foreign keys on, SQLite adds no column that refers to a table and has a default.";
    }
    return NULL;
}

static void check_alter(struct lint_file *file, const struct sql_statement *statement)
{
    for (uint32_t i = 0; i < statement->action_count; i++) {
        const struct sql_action *action = &statement->actions[i];
        switch (action->kind) {
        case SQL_ACTION_ADD_COLUMN: {
            const char *why = why_refused(&action->column);
            if (why != NULL) {
                lint_add(file, LINT_RULE_SQLITE_ADD_COLUMN, &action->span, why);
            }
            break;
        }
        case SQL_ACTION_DROP_COLUMN:
        case SQL_ACTION_RENAME_COLUMN:
        case SQL_ACTION_RENAME_TABLE:
            break;
        default:
            lint_add(file, LINT_RULE_SQLITE_NO_SUCH_ALTER, &action->span, NULL);
            break;
        }
    }
    if (statement->action_count > 1) {
        lint_add(file, LINT_RULE_SQLITE_NO_SUCH_ALTER, &statement->span,
                 "SQLite takes one change in an ALTER TABLE.");
    }
}

/* ---------------------------------------------------------------- a table made anew */

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcasecmp(a, b) == 0;
}

bool lint_is_replaced(const struct lint_file *file, const struct lint_statement *statement,
                      const char *table)
{
    if (file->input->language != SQL_SQLITE) {
        return false;
    }
    for (const struct lint_statement *later = statement + 1; later < file->statements + file->count;
         later++) {
        for (uint32_t i = 0; i < later->parsed.action_count; i++) {
            if (later->parsed.actions[i].kind == SQL_ACTION_RENAME_TABLE &&
                same(later->parsed.actions[i].new_name.name, table)) {
                return true;
            }
        }
    }
    return false;
}

/* "PRAGMA foreign_keys = OFF" before a statement, outside a transaction. */
static bool has_keys_off(const struct lint_file *file, uint32_t number)
{
    bool off = false;
    for (uint32_t i = 0; i < number; i++) {
        struct sql_cursor cursor;
        sql_cursor_of_piece(&cursor, SQL_SQLITE, &file->statements[i].piece);
        if (sql_take_words(&cursor, "PRAGMA foreign_keys")) {
            sql_advance(&cursor);
            off = sql_at_one_of(&cursor, "OFF|FALSE|NO") ||
                  (cursor.token.length == 1 && cursor.token.text[0] == '0');
        }
    }
    return off;
}

static void check_drop(struct lint_file *file, uint32_t number)
{
    const struct lint_statement *statement = &file->statements[number];
    struct sql_cursor cursor;
    struct sql_name table;
    sql_cursor_of_piece(&cursor, SQL_SQLITE, &statement->piece);
    if (!sql_take_words(&cursor, "DROP TABLE")) {
        return;
    }
    sql_take_words(&cursor, "IF EXISTS");
    if (sql_take_name(&cursor, file->arena, &table) &&
        lint_is_replaced(file, statement, table.name) && !has_keys_off(file, number)) {
        lint_add(file, LINT_RULE_SQLITE_REBUILD, &statement->parsed.span, NULL);
    }
}

/* ALTER TABLE t RENAME TO t_old; CREATE TABLE t … */
static void check_rename(struct lint_file *file, uint32_t number)
{
    const struct sql_statement *statement = &file->statements[number].parsed;
    bool renames =
        statement->action_count == 1 && statement->actions[0].kind == SQL_ACTION_RENAME_TABLE;
    for (uint32_t i = number + 1; renames && i < file->count; i++) {
        const struct sql_statement *later = &file->statements[i].parsed;
        if (later->kind == SQL_STATEMENT_CREATE_TABLE &&
            same(later->table.name, statement->table.name)) {
            lint_add(file, LINT_RULE_SQLITE_REBUILD_RENAMES, &statement->span, NULL);
            return;
        }
    }
}

/* ---------------------------------------------------------------- PRAGMA, ATTACH */

static void check_pragma(struct lint_file *file, uint32_t number, bool open)
{
    const struct lint_statement *statement = &file->statements[number];
    struct sql_cursor cursor;
    sql_cursor_of_piece(&cursor, SQL_SQLITE, &statement->piece);
    if (sql_at(&cursor, "ATTACH")) {
        lint_add(file, LINT_RULE_SQLITE_ATTACH, &statement->parsed.span, NULL);
    } else if (sql_at_words(&cursor, "PRAGMA writable_schema")) {
        lint_add(file, LINT_RULE_SQLITE_WRITABLE_SCHEMA, &statement->parsed.span, NULL);
    } else if (open && sql_at_words(&cursor, "PRAGMA foreign_keys") &&
               sql_needs_no_transaction(SQL_SQLITE, &statement->piece)) {
        lint_add(file, LINT_RULE_SQLITE_FOREIGN_KEYS, &statement->parsed.span, NULL);
    }
}

void lint_rules_sqlite(struct lint_file *file)
{
    bool open = file->transaction == LINT_WHOLE;
    if (file->input->language != SQL_SQLITE) {
        return;
    }
    for (uint32_t i = 0; i < file->count; i++) {
        const struct lint_statement *statement = &file->statements[i];
        open = (open || statement->begins) && !statement->commits && !statement->rolls_back;
        if (statement->parsed.kind == SQL_STATEMENT_ALTER_TABLE) {
            check_alter(file, &statement->parsed);
        }
        check_drop(file, i);
        check_rename(file, i);
        check_pragma(file, i, open);
    }
}
