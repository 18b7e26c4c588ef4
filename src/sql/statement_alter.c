/* The effect of an ALTER TABLE, action by action. */
#include "sql/statement_internal.h"
#include <string.h>

/* ---------------------------------------------------------------- ADD */

static void read_added_column(struct statement_reader *reader, struct sql_action *action)
{
    action->kind = SQL_ACTION_ADD_COLUMN;
    if (statement_name(reader, &action->name)) {
        action->column.name = action->name;
        statement_column(reader, &action->column);
    }
}

static void read_add(struct statement_reader *reader, struct sql_action *action)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct sql_constraint constraint = {0};
    if (sql_at(cursor, "PARTITION") && reader->language == SQL_MYSQL) {
        action->kind = SQL_ACTION_OTHER;
        return;
    }
    bool column = sql_take(cursor, "COLUMN");
    action->if_exists = sql_take_words(cursor, "IF NOT EXISTS");
    if (!column && statement_constraint(reader, &constraint)) {
        action->kind = SQL_ACTION_ADD_CONSTRAINT;
        action->name = constraint.name;
        action->constraint = arena_allocate(reader->arena, sizeof constraint);
        *action->constraint = constraint;
        return;
    }
    read_added_column(reader, action);
}

/* MySQL's ADD (a int, b int): an action for each. */
static void read_added_columns(struct statement_reader *reader, struct statement_list *list,
                               const struct sql_token *begin)
{
    struct sql_cursor *cursor = &reader->cursor;
    sql_take_mark(cursor, '(');
    while (!sql_at_end(cursor) && !sql_at_mark(cursor, ')')) {
        struct sql_action *action = statement_add(reader, list, sizeof *action);
        struct sql_constraint constraint = {0};
        if (statement_constraint(reader, &constraint)) {
            action->kind = SQL_ACTION_ADD_CONSTRAINT;
            action->constraint = arena_allocate(reader->arena, sizeof constraint);
            *action->constraint = constraint;
        } else {
            read_added_column(reader, action);
        }
        sql_skip_clause(cursor);
        action->span = sql_span_from(begin, cursor);
        sql_take_mark(cursor, ',');
    }
    sql_take_mark(cursor, ')');
}

/* ---------------------------------------------------------------- DROP, RENAME */

static void read_drop(struct statement_reader *reader, struct sql_action *action)
{
    struct sql_cursor *cursor = &reader->cursor;
    bool mysql = reader->language == SQL_MYSQL;
    if (mysql && sql_at(cursor, "PARTITION")) {
        action->kind = SQL_ACTION_OTHER;
        return;
    }
    action->kind = SQL_ACTION_DROP_COLUMN;
    if (sql_take(cursor, "CONSTRAINT") || (mysql && sql_take(cursor, "CHECK"))) {
        action->kind = SQL_ACTION_DROP_CONSTRAINT;
    } else if (mysql && sql_take_words(cursor, "PRIMARY KEY")) {
        action->kind = SQL_ACTION_DROP_PRIMARY_KEY;
        return;
    } else if (mysql && sql_take_words(cursor, "FOREIGN KEY")) {
        action->kind = SQL_ACTION_DROP_FOREIGN_KEY;
    } else if (mysql && sql_take_one_of(cursor, "INDEX|KEY")) {
        action->kind = SQL_ACTION_DROP_INDEX;
    } else {
        sql_take(cursor, "COLUMN");
    }
    action->if_exists = sql_take_words(cursor, "IF EXISTS");
    statement_name(reader, &action->name);
}

static void read_rename(struct statement_reader *reader, struct sql_action *action)
{
    struct sql_cursor *cursor = &reader->cursor;
    bool mysql = reader->language == SQL_MYSQL;
    if (sql_take_one_of(cursor, mysql ? "TO|AS" : "TO") ||
        sql_token_is_operator(&cursor->token, "=")) {
        if (sql_token_is_operator(&cursor->token, "=")) {
            sql_advance(cursor);
        }
        action->kind = SQL_ACTION_RENAME_TABLE;
        statement_name(reader, &action->new_name);
        while (sql_take_mark(cursor, '.')) {
            statement_name(reader, &action->new_name);
        }
        return;
    }
    action->kind = SQL_ACTION_RENAME_COLUMN;
    if (sql_take(cursor, "CONSTRAINT")) {
        action->kind = SQL_ACTION_RENAME_CONSTRAINT;
    } else if (mysql && sql_take_one_of(cursor, "INDEX|KEY")) {
        action->kind = SQL_ACTION_RENAME_INDEX;
    } else if (!sql_take(cursor, "COLUMN") && mysql) {
        action->kind = SQL_ACTION_RENAME_TABLE;
        statement_name(reader, &action->new_name);
        return;
    }
    action->if_exists = sql_take_words(cursor, "IF EXISTS");
    statement_name(reader, &action->name);
    if (sql_take(cursor, "TO")) {
        statement_name(reader, &action->new_name);
    }
}

/* ---------------------------------------------------------------- columns */

static void read_alter_column(struct statement_reader *reader, struct sql_action *action)
{
    struct sql_cursor *cursor = &reader->cursor;
    if (sql_at_one_of(cursor, "CONSTRAINT|INDEX|CHECK") ||
        (reader->language == SQL_POSTGRES && sql_at(cursor, "KEY"))) {
        action->kind = SQL_ACTION_OTHER;
        return;
    }
    sql_take(cursor, "COLUMN");
    action->if_exists = sql_take_words(cursor, "IF EXISTS");
    statement_name(reader, &action->name);
    const struct sql_token begin = cursor->token;
    action->kind = SQL_ACTION_ALTER_COLUMN;
    if (sql_take(cursor, "TYPE") || sql_take_words(cursor, "SET DATA TYPE")) {
        action->kind = SQL_ACTION_CHANGE_TYPE;
        action->column.name = action->name;
        statement_type(reader, &action->column.type);
    } else if (sql_take_words(cursor, "SET NOT NULL")) {
        action->kind = SQL_ACTION_SET_NOT_NULL;
    } else if (sql_take_words(cursor, "DROP NOT NULL")) {
        action->kind = SQL_ACTION_DROP_NOT_NULL;
    } else if (sql_take_words(cursor, "SET DEFAULT")) {
        action->kind = SQL_ACTION_SET_DEFAULT;
    } else if (sql_take_words(cursor, "DROP DEFAULT")) {
        action->kind = SQL_ACTION_DROP_DEFAULT;
    } else if (sql_take_one_of(cursor, "SET|RESET")) {
        bool option = sql_at(cursor, "STATISTICS") || sql_at_mark(cursor, '(');
        action->kind = option ? SQL_ACTION_COLUMN_OPTION : SQL_ACTION_ALTER_COLUMN;
    }
    sql_skip_clause(cursor);
    action->option = sql_span_from(&begin, cursor);
}

/* MODIFY name …, CHANGE old new … */
static void read_modify(struct statement_reader *reader, struct sql_action *action, bool renames)
{
    struct sql_cursor *cursor = &reader->cursor;
    sql_take(cursor, "COLUMN");
    action->if_exists = sql_take_words(cursor, "IF EXISTS");
    action->kind = SQL_ACTION_CHANGE_TYPE;
    statement_name(reader, &action->name);
    action->column.name = action->name;
    if (renames && statement_name(reader, &action->new_name)) {
        action->column.name = action->new_name;
    }
    statement_column(reader, &action->column);
}

/* ---------------------------------------------------------------- the rest */

static void read_set(struct statement_reader *reader, struct sql_action *action)
{
    struct sql_cursor *cursor = &reader->cursor;
    if (sql_take(cursor, "SCHEMA")) {
        action->kind = SQL_ACTION_SET_SCHEMA;
        statement_name(reader, &action->new_name);
    } else if (sql_at_one_of(cursor, "LOGGED|UNLOGGED|TABLESPACE|ACCESS")) {
        action->kind = SQL_ACTION_REWRITE;
    } else if (sql_at_mark(cursor, '(') || sql_at_words(cursor, "WITHOUT CLUSTER")) {
        action->kind = SQL_ACTION_OPTION;
    }
}

static void read_partition(struct statement_reader *reader, struct sql_action *action, bool attach)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct sql_name table;
    action->kind = attach ? SQL_ACTION_ATTACH_PARTITION : SQL_ACTION_DETACH_PARTITION;
    const struct sql_token begin = cursor->token;
    if (sql_take_name(cursor, reader->arena, &table)) {
        action->name = (struct sql_named){table.name, sql_span_from(&begin, cursor)};
    }
    const struct sql_token word = cursor->token;
    if (!attach && sql_take_one_of(cursor, "CONCURRENTLY|FINALIZE")) {
        action->concurrently = sql_span_from(&word, cursor);
    }
}

/* "ALGORITHM = INSTANT" */
static void read_word(struct statement_reader *reader, struct sql_action *action,
                      enum sql_action_kind kind)
{
    struct sql_cursor *cursor = &reader->cursor;
    action->kind = kind;
    if (sql_token_is_operator(&cursor->token, "=")) {
        sql_advance(cursor);
    }
    const struct sql_token begin = cursor->token;
    sql_advance(cursor);
    action->option = sql_span_from(&begin, cursor);
}

static void read_mysql(struct statement_reader *reader, struct sql_action *action)
{
    struct sql_cursor *cursor = &reader->cursor;
    if (sql_take(cursor, "MODIFY")) {
        read_modify(reader, action, false);
    } else if (sql_take(cursor, "CHANGE")) {
        read_modify(reader, action, true);
    } else if (sql_take(cursor, "ALGORITHM")) {
        read_word(reader, action, SQL_ACTION_ALGORITHM);
    } else if (sql_take(cursor, "LOCK")) {
        read_word(reader, action, SQL_ACTION_LOCK);
    } else if (sql_at_one_of(cursor, "FORCE|ENGINE|ROW_FORMAT|KEY_BLOCK_SIZE") ||
               sql_at_words(cursor, "CONVERT TO") || sql_at_words(cursor, "ORDER BY")) {
        action->kind = SQL_ACTION_REWRITE;
    }
}

static void read_action(struct statement_reader *reader, struct sql_action *action)
{
    struct sql_cursor *cursor = &reader->cursor;
    action->kind = SQL_ACTION_OTHER;
    if (sql_take(cursor, "ADD")) {
        read_add(reader, action);
    } else if (sql_take(cursor, "DROP")) {
        read_drop(reader, action);
    } else if (sql_take(cursor, "RENAME")) {
        read_rename(reader, action);
    } else if (sql_take(cursor, "ALTER")) {
        read_alter_column(reader, action);
    } else if (reader->language == SQL_MYSQL) {
        read_mysql(reader, action);
    } else if (sql_take(cursor, "SET")) {
        read_set(reader, action);
    } else if (sql_take_words(cursor, "VALIDATE CONSTRAINT")) {
        action->kind = SQL_ACTION_VALIDATE_CONSTRAINT;
        statement_name(reader, &action->name);
    } else if (sql_take_words(cursor, "ATTACH PARTITION")) {
        read_partition(reader, action, true);
    } else if (sql_take_words(cursor, "DETACH PARTITION")) {
        read_partition(reader, action, false);
    } else if (sql_at(cursor, "RESET") || sql_at_words(cursor, "CLUSTER ON")) {
        action->kind = SQL_ACTION_OPTION;
    } else if (sql_take_one_of(cursor, "ENABLE|DISABLE")) {
        sql_take_one_of(cursor, "ALWAYS|REPLICA");
        action->kind = sql_at(cursor, "TRIGGER") ? SQL_ACTION_TRIGGER : SQL_ACTION_OTHER;
    }
}

/* Is ADD followed by columns in parentheses? */
static bool adds_list(const struct statement_reader *reader)
{
    struct sql_cursor ahead = reader->cursor;
    if (reader->language != SQL_MYSQL || !sql_take(&ahead, "ADD")) {
        return false;
    }
    sql_take(&ahead, "COLUMN");
    return sql_at_mark(&ahead, '(');
}

void statement_actions(struct statement_reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct statement_list list = {0};
    while (!sql_at_end(cursor)) {
        const struct sql_token begin = cursor->token;
        if (adds_list(reader)) {
            sql_take(cursor, "ADD");
            sql_take(cursor, "COLUMN");
            read_added_columns(reader, &list, &begin);
        } else {
            struct sql_action action = {0};
            read_action(reader, &action);
            sql_skip_clause(cursor);
            action.span = sql_span_from(&begin, cursor);
            *(struct sql_action *)statement_add(reader, &list, sizeof action) = action;
        }
        if (!sql_take_mark(cursor, ',') && sql_at_mark(cursor, ')')) {
            sql_advance(cursor); /* one too many */
        }
    }
    reader->statement->actions = list.items;
    reader->statement->action_count = list.count;
}
