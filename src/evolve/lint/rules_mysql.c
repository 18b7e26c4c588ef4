/* Rules for what MySQL and MariaDB copy, lock, ignore and refuse. */
#include "evolve/lint/lint_internal.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- a type against another */

static void check_type(struct lint_file *file, const struct sql_statement *statement,
                       const struct sql_action *action)
{
    const struct sql_span *span = &action->column.type.span;
    const struct schema_column *column = lint_column(file, &statement->table, action->name.name);
    if (span->text == NULL || lint_is_free_change(file, column, span)) {
        return;
    }
    if (lint_is_members(action->column.type.name) || lint_is_members(span->text)) {
        lint_add_of(file, LINT_RULE_CHANGING_ENUM, span, &statement->table,
                    column == NULL ? "A change of the members of an ENUM or SET copies the table, "
                                     "unless they are only added at the end."
                                   : NULL);
        return;
    }
    lint_add_of(file, LINT_RULE_CHANGING_COLUMN_TYPE, &action->span, &statement->table,
                column == NULL
                    ? "A change of the type copies the table and locks writers out, unless "
                      "the column has that type already."
                    : "A change of the type copies the table and locks writers out.");
}

/* ---------------------------------------------------------------- ALTER TABLE */

static bool is_word(const struct sql_span *span, const char *word)
{
    return span->length == strlen(word) && strncasecmp(span->text, word, span->length) == 0;
}

static bool is_metadata(enum sql_action_kind kind)
{
    return kind == SQL_ACTION_RENAME_TABLE || kind == SQL_ACTION_RENAME_INDEX ||
           kind == SQL_ACTION_SET_DEFAULT || kind == SQL_ACTION_DROP_DEFAULT ||
           kind == SQL_ACTION_DROP_FOREIGN_KEY || kind == SQL_ACTION_DROP_INDEX ||
           kind == SQL_ACTION_DROP_CONSTRAINT;
}

static void check_clauses(struct lint_file *file, const struct sql_statement *statement)
{
    bool stated = false;
    bool changes = false;
    for (uint32_t i = 0; i < statement->action_count; i++) {
        const struct sql_action *action = &statement->actions[i];
        if (action->kind == SQL_ACTION_ALGORITHM || action->kind == SQL_ACTION_LOCK) {
            stated = true;
            if (is_word(&action->option, "COPY") || is_word(&action->option, "SHARED") ||
                is_word(&action->option, "EXCLUSIVE")) {
                lint_add_of(file, LINT_RULE_BAN_LOCKING_ALTER, &action->span, &statement->table,
                            NULL);
            }
        } else {
            changes |= !is_metadata(action->kind);
        }
    }
    if (!stated && changes && !lint_is_created(file, &statement->table)) {
        lint_add_of(file, LINT_RULE_REQUIRE_ALGORITHM, &statement->span, &statement->table, NULL);
    }
}

static bool ignores_references(const struct lint_file *file)
{
    enum { MARIADB = 100000, MARIADB_TAKES = 100500, MYSQL_TAKES = 90000 };
    uint32_t version = file->input->server_version;
    return version < MYSQL_TAKES || (version >= MARIADB && version < MARIADB_TAKES);
}

static void check_references(struct lint_file *file, const struct sql_column_named *column)
{
    const struct sql_constraint *found = sql_column_constraint(column, SQL_CONSTRAINT_REFERENCES);
    if (found != NULL && ignores_references(file)) {
        lint_add(file, LINT_RULE_INLINE_REFERENCES, &found->span, NULL);
    }
}

static void check_alter(struct lint_file *file, const struct sql_statement *statement)
{
    check_clauses(file, statement);
    for (uint32_t i = 0; i < statement->action_count; i++) {
        const struct sql_action *action = &statement->actions[i];
        bool unique = action->kind == SQL_ACTION_ADD_CONSTRAINT &&
                      (action->constraint->kind == SQL_CONSTRAINT_UNIQUE ||
                       action->constraint->kind == SQL_CONSTRAINT_PRIMARY_KEY);
        if (action->kind == SQL_ACTION_CHANGE_TYPE) {
            check_type(file, statement, action);
            bool renames = action->new_name.name != NULL && action->name.name != NULL &&
                           strcasecmp(action->new_name.name, action->name.name) != 0;
            if (renames) {
                lint_add(file, LINT_RULE_RENAMING_COLUMN, &action->span, NULL);
            }
        } else if (action->kind == SQL_ACTION_DROP_INDEX) {
            lint_add(file, LINT_RULE_DROP_INDEX_INVISIBLE_FIRST, &action->span, NULL);
        } else if (unique && !lint_is_created(file, &statement->table)) {
            lint_add(file, LINT_RULE_UNIQUE_MAY_FAIL, &action->span, NULL);
        }
        check_references(file, &action->column);
    }
}

/* Does it change no more than what the server knows of the table? */
static bool is_all_metadata(const struct sql_statement *statement)
{
    for (uint32_t i = 0; i < statement->action_count; i++) {
        enum sql_action_kind kind = statement->actions[i].kind;
        if (!is_metadata(kind) && kind != SQL_ACTION_ALGORITHM && kind != SQL_ACTION_LOCK) {
            return false;
        }
    }
    return true;
}

/* Each ALTER TABLE of a table that an earlier one of the file altered, where both may copy it. */
static void check_repeated(struct lint_file *file, uint32_t number)
{
    const struct sql_statement *statement = &file->statements[number].parsed;
    if (is_all_metadata(statement)) {
        return;
    }
    for (uint32_t i = 0; i < number; i++) {
        const struct sql_statement *before = &file->statements[i].parsed;
        if (before->kind == SQL_STATEMENT_ALTER_TABLE && !is_all_metadata(before) &&
            strcmp(before->table.name, statement->table.name) == 0) {
            lint_add_of(file, LINT_RULE_MULTIPLE_ALTERS, &statement->span, &statement->table, NULL);
            return;
        }
    }
}

/* ---------------------------------------------------------------- CREATE TABLE */

static bool has_primary_key(const struct sql_statement *table)
{
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        if (table->constraints[i].kind == SQL_CONSTRAINT_PRIMARY_KEY) {
            return true;
        }
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (sql_column_constraint(&table->columns[i], SQL_CONSTRAINT_PRIMARY_KEY) != NULL) {
            return true;
        }
    }
    return false;
}

static void check_engine(struct lint_file *file, const struct sql_span *options)
{
    struct sql_cursor cursor;
    sql_cursor_init(&cursor, SQL_MYSQL, options->text, options->length, &options->place);
    for (; !sql_at_end(&cursor); sql_advance(&cursor)) {
        const struct sql_token begin = cursor.token;
        if (!sql_take(&cursor, "ENGINE")) {
            continue;
        }
        if (sql_token_is_operator(&cursor.token, "=")) {
            sql_advance(&cursor);
        }
        if (sql_take_one_of(&cursor, "MyISAM|MEMORY|HEAP|Aria|ARCHIVE|CSV|BLACKHOLE|MERGE")) {
            const struct sql_span span = sql_span_from(&begin, &cursor);
            lint_add(file, LINT_RULE_ENGINE_NOT_TRANSACTIONAL, &span, NULL);
        }
    }
}

static void check_create(struct lint_file *file, const struct sql_statement *table)
{
    if (table->column_count > 0 && !table->temporary && !table->as_select &&
        !has_primary_key(table)) {
        lint_add(file, LINT_RULE_REQUIRE_PRIMARY_KEY, &table->table_span, NULL);
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        check_references(file, &table->columns[i]);
    }
    if (table->options.text != NULL) {
        check_engine(file, &table->options);
    }
}

/* Words of ALTER TABLE that are no action of a column: its engine, partitions, FULLTEXT. */
static void check_options(struct lint_file *file, const struct lint_statement *statement)
{
    struct sql_cursor cursor;
    const struct sql_name *table = &statement->parsed.table;
    bool created = lint_is_created(file, table);
    check_engine(file, &statement->parsed.span);
    sql_cursor_of_piece(&cursor, SQL_MYSQL, &statement->piece);
    for (; !created && !sql_at_end(&cursor); sql_advance(&cursor)) {
        const struct sql_token begin = cursor.token;
        if (sql_take_words(&cursor, "PARTITION BY")) {
            const struct sql_span span = sql_span_from(&begin, &cursor);
            lint_add_of(file, LINT_RULE_REWRITING_TABLE, &span, table,
                        "PARTITION BY copies the table, and writers are locked out meanwhile.");
        } else if (sql_at(&cursor, "FULLTEXT")) {
            const struct sql_span span = {begin.text, begin.length, begin.place};
            lint_add_of(file, LINT_RULE_FULLTEXT_INDEX, &span, table, NULL);
        }
        if (sql_at_end(&cursor)) {
            break;
        }
    }
}

/* OPTIMIZE TABLE, CREATE FULLTEXT INDEX */
static void check_other(struct lint_file *file, const struct lint_statement *statement)
{
    struct sql_cursor cursor;
    struct sql_name name = {0};
    sql_cursor_of_piece(&cursor, SQL_MYSQL, &statement->piece);
    const struct sql_token begin = cursor.token;
    if (sql_take(&cursor, "OPTIMIZE")) {
        sql_take_one_of(&cursor, "LOCAL|NO_WRITE_TO_BINLOG");
        if (sql_take_one_of(&cursor, "TABLE|TABLES") &&
            sql_take_name(&cursor, file->arena, &name)) {
            const struct sql_span span = sql_span_from(&begin, &cursor);
            lint_add_of(file, LINT_RULE_REWRITING_TABLE, &span, &name,
                        "OPTIMIZE TABLE writes the table anew.");
        }
    } else if (sql_take_words(&cursor, "CREATE FULLTEXT INDEX")) {
        const struct sql_span span = sql_span_from(&begin, &cursor);
        while (!sql_at_end(&cursor) && !sql_take(&cursor, "ON")) {
            sql_advance(&cursor);
        }
        sql_take_name(&cursor, file->arena, &name);
        if (name.name != NULL && !lint_is_created(file, &name)) {
            lint_add_of(file, LINT_RULE_FULLTEXT_INDEX, &span, &name, NULL);
        }
    }
}

static void check_dates(struct lint_file *file, const struct lint_statement *statement)
{
    struct sql_cursor cursor;
    sql_cursor_of_piece(&cursor, SQL_MYSQL, &statement->piece);
    for (; !sql_at_end(&cursor); sql_advance(&cursor)) {
        const struct sql_token *token = &cursor.token;
        if (token->kind == SQL_TOKEN_STRING && token->length > 11 &&
            strncmp(token->text + 1, "0000-00-00", 10) == 0) {
            const struct sql_span span = {token->text, token->length, token->place};
            lint_add(file, LINT_RULE_ZERO_DATE, &span, NULL);
        }
    }
}

void lint_rules_mysql(struct lint_file *file)
{
    if (file->input->language != SQL_MYSQL) {
        return;
    }
    for (uint32_t i = 0; i < file->count; i++) {
        const struct lint_statement *statement = &file->statements[i];
        switch (statement->parsed.kind) {
        case SQL_STATEMENT_CREATE_TABLE:
            check_create(file, &statement->parsed);
            break;
        case SQL_STATEMENT_ALTER_TABLE:
            check_alter(file, &statement->parsed);
            check_options(file, statement);
            check_repeated(file, i);
            break;
        case SQL_STATEMENT_DROP_INDEX:
            lint_add(file, LINT_RULE_DROP_INDEX_INVISIBLE_FIRST, &statement->parsed.span, NULL);
            break;
        default:
            break;
        }
        check_other(file, statement);
        if (statement->class == SQL_CLASS_DDL) {
            check_dates(file, statement);
        }
    }
}
