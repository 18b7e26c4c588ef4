/* Columns, types and constraints of a statement. */
#include "sql/statement_internal.h"
#include <ctype.h>
#include <string.h>

struct sql_named *statement_columns(struct statement_reader *reader, uint32_t *count)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct statement_list list = {0};
    sql_take_mark(cursor, '(');
    while (!sql_at_end(cursor) && !sql_at_mark(cursor, ')')) {
        struct sql_named *column = statement_add(reader, &list, sizeof *column);
        struct sql_cursor ahead = *cursor;
        const struct sql_token begin = cursor->token;
        sql_advance(&ahead);
        bool call = sql_at_mark(&ahead, '(') && reader->language != SQL_MYSQL; /* f(a), not a(10) */
        bool plain = !call && ahead.token.kind != SQL_TOKEN_OPERATOR;
        if (plain && statement_name(reader, column)) {
            sql_skip_clause(cursor);
        } else {
            sql_skip_clause(cursor);
            column->span = sql_span_from(&begin, cursor);
        }
        sql_take_mark(cursor, ',');
    }
    sql_take_mark(cursor, ')');
    *count = list.count;
    return list.items;
}

/* ---------------------------------------------------------------- types */

/* Words that end a type or a default, since they begin something else of the column. */
static bool begins_constraint(const struct sql_cursor *cursor)
{
    return sql_at_one_of(cursor,
                         "CONSTRAINT|NULL|DEFAULT|GENERATED|PRIMARY|UNIQUE|CHECK|REFERENCES|"
                         "DEFERRABLE|INITIALLY|ENFORCED|COMMENT|AUTO_INCREMENT|AUTOINCREMENT|ON|"
                         "STORAGE|COMPRESSION|VISIBLE|INVISIBLE|FIRST|AFTER|KEY|CHARACTER|VIRTUAL|"
                         "STORED|PERSISTENT|USING|AS|COLUMN_FORMAT|OPTIONS|SRID|WITHOUT|WITH") ||
           sql_at_words(cursor, "NOT NULL") || sql_at_words(cursor, "NOT DEFERRABLE") ||
           sql_at_words(cursor, "NOT ENFORCED") || sql_at_words(cursor, "NOT VALID") ||
           sql_at_words(cursor, "NO INHERIT");
}

static bool ends_clause(const struct sql_cursor *cursor)
{
    return sql_at_end(cursor) || sql_at_mark(cursor, ',') || sql_at_mark(cursor, ')');
}

/* The second word of double precision, character varying, national character, long varchar. */
static void append_words(struct statement_reader *reader, struct sql_type_named *type)
{
    struct sql_cursor *cursor = &reader->cursor;
    static const char *const pairs[][2] = {
        {"double", "precision"}, {"character", "varying"},  {"char", "varying"},
        {"bit", "varying"},      {"national", "character"}, {"national", "char"},
        {"national", "varchar"}, {"nchar", "varying"},      {"long", "varchar"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcmp(type->name, pairs[i][0]) == 0 && sql_take(cursor, pairs[i][1])) {
            type->name = arena_format(reader->arena, "%s %s", pairs[i][0], pairs[i][1]);
        }
    }
    while (reader->language == SQL_SQLITE && cursor->token.kind == SQL_TOKEN_WORD &&
           !begins_constraint(cursor) && !sql_at(cursor, "COLLATE")) {
        sql_advance(cursor); /* any words are a type there */
    }
}

static void take_arguments(struct statement_reader *reader, struct sql_type_named *type)
{
    const struct sql_token begin = reader->cursor.token;
    if (sql_at_mark(&reader->cursor, '(')) {
        sql_skip_group(&reader->cursor);
        type->arguments = sql_span_from(&begin, &reader->cursor);
    }
}

static void take_suffixes(struct statement_reader *reader, struct sql_type_named *type)
{
    struct sql_cursor *cursor = &reader->cursor;
    if (sql_take_words(cursor, "WITH TIME ZONE") ||
        sql_take_words(cursor, "WITH LOCAL TIME ZONE")) {
        type->with_time_zone = true;
    }
    sql_take_words(cursor, "WITHOUT TIME ZONE");
    while (strcmp(type->name, "interval") == 0 &&
           sql_take_one_of(cursor, "YEAR|MONTH|DAY|HOUR|MINUTE|SECOND|TO")) {
    }
    while (reader->language == SQL_MYSQL && sql_at_one_of(cursor, "UNSIGNED|SIGNED|ZEROFILL")) {
        type->is_unsigned |= sql_at(cursor, "UNSIGNED");
        sql_advance(cursor);
    }
    if (reader->language == SQL_POSTGRES) {
        type->is_array |= sql_take(cursor, "ARRAY");
        while (sql_take_mark(cursor, '[')) {
            type->is_array = true;
            while (!sql_at_end(cursor) && !sql_take_mark(cursor, ']')) {
                sql_advance(cursor);
            }
        }
    }
}

void statement_type(struct statement_reader *reader, struct sql_type_named *type)
{
    struct sql_cursor *cursor = &reader->cursor;
    const struct sql_token begin = cursor->token;
    struct sql_name name;
    if (ends_clause(cursor) || (begins_constraint(cursor) && !sql_at(cursor, "CHARACTER"))) {
        return;
    }
    sql_take(cursor, "SETOF");
    type->quoted = cursor->token.kind == SQL_TOKEN_NAME;
    if (!sql_take_name(cursor, reader->arena, &name)) {
        return;
    }
    char *lower = arena_copy_string(reader->arena, name.name);
    for (char *at = lower; *at != '\0'; at++) {
        *at = (char)((unsigned char)*at < 0x80 ? tolower((unsigned char)*at) : *at);
    }
    type->space = name.space;
    type->name = lower;
    append_words(reader, type);
    take_arguments(reader, type);
    take_suffixes(reader, type);
    if (sql_token_is_operator(&cursor->token, "%")) { /* t.c%TYPE */
        sql_advance(cursor);
        sql_advance(cursor);
    }
    type->span = sql_span_from(&begin, cursor);
}

/* ---------------------------------------------------------------- constraints */

/* An expression without parentheses around it: up to what begins another property. */
static struct sql_span take_expression(struct statement_reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    const struct sql_token begin = cursor->token;
    bool first = true;
    while (!ends_clause(cursor) && (first || !begins_constraint(cursor)) &&
           !(reader->language == SQL_MYSQL && sql_at(cursor, "COLLATE"))) {
        sql_skip_group(cursor);
        first = false;
    }
    return sql_span_from(&begin, cursor);
}

/* "(expression)", without the parentheses. */
static struct sql_span take_group(struct statement_reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    if (!sql_at_mark(cursor, '(')) {
        return (struct sql_span){0};
    }
    struct sql_cursor inside = *cursor;
    sql_advance(&inside);
    const struct sql_token begin = inside.token;
    sql_skip_group(cursor);
    const char *end = cursor->behind;
    end -= end > begin.text && end[-1] == ')';
    size_t length = end > begin.text ? (size_t)(end - begin.text) : 0;
    return (struct sql_span){begin.text, length, begin.place};
}

static void take_reference(struct statement_reader *reader, struct sql_constraint *constraint)
{
    struct sql_cursor *cursor = &reader->cursor;
    sql_take_name(cursor, reader->arena, &constraint->references);
    if (sql_at_mark(cursor, '(')) {
        sql_skip_group(cursor);
    }
    for (;;) {
        if (sql_take(cursor, "MATCH")) {
            sql_advance(cursor);
        } else if (sql_take_words(cursor, "ON DELETE") || sql_take_words(cursor, "ON UPDATE")) {
            if (!sql_take_words(cursor, "NO ACTION") && sql_take(cursor, "SET")) {
                sql_advance(cursor);
            } else if (!sql_take_one_of(cursor, "CASCADE|RESTRICT")) {
                /* NO ACTION is behind us */
            }
            if (sql_at_mark(cursor, '(')) {
                sql_skip_group(cursor);
            }
        } else {
            return;
        }
    }
}

/* Attributes that may follow any constraint; they belong to it. */
static void take_attributes(struct statement_reader *reader, struct sql_constraint *constraint)
{
    struct sql_cursor *cursor = &reader->cursor;
    for (;;) {
        if (sql_take_words(cursor, "NOT VALID")) {
            constraint->not_valid = true;
        } else if (sql_take_words(cursor, "NOT ENFORCED")) {
            constraint->not_enforced = true;
        } else if (sql_take_words(cursor, "NOT DEFERRABLE") || sql_take(cursor, "DEFERRABLE") ||
                   sql_take(cursor, "ENFORCED") || sql_take_words(cursor, "NO INHERIT")) {
            /* of no interest */
        } else if (sql_take(cursor, "INITIALLY")) {
            sql_advance(cursor);
        } else if (sql_take_words(cursor, "USING INDEX TABLESPACE")) {
            sql_advance(cursor);
        } else if (sql_take_words(cursor, "USING INDEX")) {
            constraint->using_index = true;
            sql_advance(cursor);
        } else if (sql_take_words(cursor, "NULLS NOT DISTINCT") ||
                   sql_take_words(cursor, "NULLS DISTINCT")) {
            /* of no interest */
        } else if (sql_take_one_of(cursor, "INCLUDE|WITH|WHERE")) {
            sql_skip_group(cursor);
        } else {
            return;
        }
    }
}

/* GENERATED, or AS (…) of MySQL and SQLite. */
static void take_generated(struct statement_reader *reader, struct sql_constraint *constraint)
{
    struct sql_cursor *cursor = &reader->cursor;
    while (sql_take_one_of(cursor, "GENERATED|ALWAYS|BY|DEFAULT|ON|NULL|AS")) {
    }
    if (sql_take(cursor, "IDENTITY")) {
        constraint->kind = SQL_CONSTRAINT_IDENTITY;
        if (sql_at_mark(cursor, '(')) {
            sql_skip_group(cursor);
        }
        return;
    }
    constraint->kind = SQL_CONSTRAINT_GENERATED;
    constraint->expression = take_group(reader);
    constraint->is_virtual = !sql_at_one_of(cursor, "STORED|PERSISTENT");
    sql_take_one_of(cursor, "STORED|PERSISTENT|VIRTUAL");
}

/* Which kind of a constraint of a column is next, stepped over as far as it goes. */
static void take_column_constraint(struct statement_reader *reader,
                                   struct sql_constraint *constraint)
{
    struct sql_cursor *cursor = &reader->cursor;
    constraint->kind = SQL_CONSTRAINT_OTHER;
    if (sql_take_words(cursor, "NOT NULL")) {
        constraint->kind = SQL_CONSTRAINT_NOT_NULL;
    } else if (sql_take(cursor, "NULL")) {
        constraint->kind = SQL_CONSTRAINT_NULL;
    } else if (sql_take(cursor, "DEFAULT")) {
        constraint->kind = SQL_CONSTRAINT_DEFAULT;
        constraint->expression = take_expression(reader);
    } else if (sql_at_one_of(cursor, "GENERATED|AS")) {
        take_generated(reader, constraint);
    } else if (sql_take_words(cursor, "PRIMARY KEY") ||
               (reader->language == SQL_MYSQL && sql_take(cursor, "KEY"))) {
        constraint->kind = SQL_CONSTRAINT_PRIMARY_KEY;
        sql_take_one_of(cursor, "ASC|DESC");
    } else if (sql_take(cursor, "UNIQUE")) {
        constraint->kind = SQL_CONSTRAINT_UNIQUE;
        sql_take(cursor, "KEY");
    } else if (sql_take(cursor, "CHECK")) {
        constraint->kind = SQL_CONSTRAINT_CHECK;
        constraint->expression = take_group(reader);
    } else if (sql_take(cursor, "REFERENCES")) {
        constraint->kind = SQL_CONSTRAINT_REFERENCES;
        take_reference(reader, constraint);
    } else if (sql_take_one_of(cursor, "AUTO_INCREMENT|AUTOINCREMENT")) {
        constraint->kind = SQL_CONSTRAINT_IDENTITY;
    } else if (sql_take_words(cursor, "CHARACTER SET") ||
               sql_take_one_of(cursor, "COLLATE|CHARSET|COMMENT|STORAGE|COMPRESSION|AFTER|SRID")) {
        sql_advance(cursor);
    } else {
        sql_skip_group(cursor);
    }
}

static void take_constraint_name(struct statement_reader *reader, struct sql_constraint *constraint)
{
    if (sql_take(&reader->cursor, "CONSTRAINT") &&
        !sql_at_one_of(&reader->cursor, "PRIMARY|UNIQUE|FOREIGN|CHECK|NOT")) {
        statement_name(reader, &constraint->name);
    }
}

void statement_column(struct statement_reader *reader, struct sql_column_named *column)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct statement_list list = {0};
    statement_type(reader, &column->type);
    while (!ends_clause(cursor) && !sql_at(cursor, "USING")) {
        struct sql_constraint *constraint = statement_add(reader, &list, sizeof *constraint);
        const struct sql_token begin = cursor->token;
        take_constraint_name(reader, constraint);
        take_column_constraint(reader, constraint);
        take_attributes(reader, constraint);
        constraint->span = sql_span_from(&begin, cursor);
    }
    column->constraints = list.items;
    column->constraint_count = list.count;
}

void sql_take_column(struct sql_cursor *cursor, struct arena *arena,
                     struct sql_column_named *column)
{
    struct statement_reader reader = {
        .cursor = *cursor, .language = cursor->lexer.language, .arena = arena};
    *column = (struct sql_column_named){0};
    statement_column(&reader, column);
    *cursor = reader.cursor;
}

/* KEY and INDEX begin one only in MySQL; elsewhere they are columns' names. */
static bool begins_table_constraint(const struct statement_reader *reader)
{
    const struct sql_cursor *cursor = &reader->cursor;
    struct sql_cursor ahead = *cursor;
    sql_advance(&ahead);
    if (sql_at_one_of(cursor, "CONSTRAINT|CHECK|UNIQUE|EXCLUDE") ||
        sql_at_words(cursor, "PRIMARY KEY") || sql_at_words(cursor, "FOREIGN KEY") ||
        (reader->language == SQL_POSTGRES && sql_at_words(cursor, "NOT NULL"))) {
        return true;
    }
    return reader->language == SQL_MYSQL &&
           sql_at_one_of(cursor, "KEY|INDEX|FULLTEXT|SPATIAL|VECTOR");
}

static void take_keyed(struct statement_reader *reader, struct sql_constraint *constraint)
{
    struct sql_cursor *cursor = &reader->cursor;
    sql_take_one_of(cursor, "KEY|INDEX");
    sql_take_words(cursor, "IF NOT EXISTS");
    sql_take_words(cursor, "NULLS NOT DISTINCT");
    if (reader->language == SQL_MYSQL && !sql_at_mark(cursor, '(') && !sql_at(cursor, "USING")) {
        statement_name(reader, &constraint->name);
    }
    if (reader->language == SQL_MYSQL && sql_take(cursor, "USING")) {
        sql_advance(cursor);
    }
    if (sql_at_mark(cursor, '(')) {
        constraint->columns = statement_columns(reader, &constraint->column_count);
    }
}

bool statement_constraint(struct statement_reader *reader, struct sql_constraint *constraint)
{
    struct sql_cursor *cursor = &reader->cursor;
    const struct sql_token begin = cursor->token;
    if (!begins_table_constraint(reader)) {
        return false;
    }
    take_constraint_name(reader, constraint);
    constraint->kind = SQL_CONSTRAINT_OTHER;
    if (sql_take_words(cursor, "PRIMARY KEY")) {
        constraint->kind = SQL_CONSTRAINT_PRIMARY_KEY;
        take_keyed(reader, constraint);
    } else if (sql_take(cursor, "UNIQUE")) {
        constraint->kind = SQL_CONSTRAINT_UNIQUE;
        take_keyed(reader, constraint);
    } else if (sql_take_words(cursor, "FOREIGN KEY")) {
        constraint->kind = SQL_CONSTRAINT_FOREIGN_KEY;
        take_keyed(reader, constraint);
        if (sql_take(cursor, "REFERENCES")) {
            take_reference(reader, constraint);
        }
    } else if (sql_take(cursor, "CHECK")) {
        constraint->kind = SQL_CONSTRAINT_CHECK;
        constraint->expression = take_group(reader);
    } else if (sql_take_words(cursor, "NOT NULL")) {
        constraint->kind = SQL_CONSTRAINT_NOT_NULL;
        sql_advance(cursor);
    } else if (sql_take(cursor, "EXCLUDE")) {
        constraint->kind = SQL_CONSTRAINT_EXCLUDE;
        while (!sql_at_end(cursor) && !sql_at_mark(cursor, '(')) {
            sql_advance(cursor);
        }
        sql_skip_group(cursor);
    } else if (sql_take_one_of(cursor, "KEY|INDEX|FULLTEXT|SPATIAL|VECTOR")) {
        constraint->kind = SQL_CONSTRAINT_INDEX;
        take_keyed(reader, constraint);
    }
    take_attributes(reader, constraint);
    sql_skip_clause(cursor);
    constraint->span = sql_span_from(&begin, cursor);
    return true;
}
