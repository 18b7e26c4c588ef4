#include "sql/statement_internal.h"
#include <string.h>

struct sql_place sql_span_end(const struct sql_span *span)
{
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, SQL_POSTGRES, span->text, span->length, &span->place);
    sql_lexer_skip_to(&lexer, span->text + span->length);
    return lexer.place;
}

struct sql_span sql_span_from(const struct sql_token *begin, const struct sql_cursor *cursor)
{
    size_t length = cursor->behind > begin->text ? (size_t)(cursor->behind - begin->text) : 0;
    return (struct sql_span){begin->text, length, begin->place};
}

const struct sql_constraint *sql_column_constraint(const struct sql_column_named *column,
                                                   enum sql_constraint_kind kind)
{
    for (uint32_t i = 0; i < column->constraint_count; i++) {
        if (column->constraints[i].kind == kind) {
            return &column->constraints[i];
        }
    }
    return NULL;
}

void *statement_add(struct statement_reader *reader, struct statement_list *list, size_t size)
{
    list->items = arena_make_room(reader->arena, list->items, list->count, &list->capacity, size);
    return (char *)list->items + size * list->count++;
}

bool statement_name(struct statement_reader *reader, struct sql_named *named)
{
    const struct sql_token token = reader->cursor.token;
    if (!sql_token_is_name(&token, reader->language)) {
        return false;
    }
    named->name = sql_token_name(&token, reader->language, reader->arena);
    sql_advance(&reader->cursor);
    named->span = sql_span_from(&token, &reader->cursor);
    return true;
}

/* A table's name with what stands in front of it. */
static bool statement_table(struct statement_reader *reader)
{
    const struct sql_token begin = reader->cursor.token;
    bool found = sql_take_name(&reader->cursor, reader->arena, &reader->statement->table);
    reader->statement->table_span = sql_span_from(&begin, &reader->cursor);
    return found;
}

/* ---------------------------------------------------------------- CREATE TABLE */

static void read_elements(struct statement_reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct statement_list columns = {0};
    struct statement_list constraints = {0};
    sql_advance(cursor); /* ( */
    while (!sql_at_end(cursor) && !sql_at_mark(cursor, ')')) {
        struct sql_constraint constraint = {0};
        struct sql_named name = {0};
        if (sql_at(cursor, "LIKE")) {
            sql_skip_clause(cursor);
        } else if (statement_constraint(reader, &constraint)) {
            *(struct sql_constraint *)statement_add(reader, &constraints, sizeof constraint) =
                constraint;
        } else if (statement_name(reader, &name)) {
            struct sql_column_named *column = statement_add(reader, &columns, sizeof *column);
            column->name = name;
            statement_column(reader, column);
        }
        sql_skip_clause(cursor);
        sql_take_mark(cursor, ',');
    }
    sql_take_mark(cursor, ')');
    reader->statement->columns = columns.items;
    reader->statement->column_count = columns.count;
    reader->statement->constraints = constraints.items;
    reader->statement->constraint_count = constraints.count;
}

static void read_create_table(struct statement_reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct sql_statement *statement = reader->statement;
    statement->if_exists = sql_take_words(cursor, "IF NOT EXISTS");
    if (!statement_table(reader)) {
        return;
    }
    statement->kind = SQL_STATEMENT_CREATE_TABLE;
    struct sql_cursor ahead = *cursor;
    sql_advance(&ahead);
    if (sql_at_mark(cursor, '(') && !sql_at_one_of(&ahead, "SELECT|WITH")) {
        read_elements(reader);
    }
    const struct sql_token begin = cursor->token;
    while (!sql_at_end(cursor)) {
        statement->on_commit_drop |= sql_at_words(cursor, "ON COMMIT DROP");
        statement->as_select |= sql_at_one_of(cursor, "SELECT|EXECUTE|VALUES") ||
                                (sql_at_mark(cursor, '(') && statement->column_count == 0);
        sql_skip_group(cursor);
    }
    statement->options = sql_span_from(&begin, cursor);
}

/* ---------------------------------------------------------------- indexes */

static void take_concurrently(struct statement_reader *reader)
{
    const struct sql_token token = reader->cursor.token;
    if (sql_take(&reader->cursor, "CONCURRENTLY")) {
        reader->statement->concurrently = sql_span_from(&token, &reader->cursor);
    }
}

static void read_create_index(struct statement_reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct sql_statement *statement = reader->statement;
    take_concurrently(reader);
    statement->kind = SQL_STATEMENT_CREATE_INDEX;
    statement->if_exists = sql_take_words(cursor, "IF NOT EXISTS");
    if (!sql_at(cursor, "ON")) {
        statement_name(reader, &statement->index);
        if (sql_take_mark(cursor, '.')) { /* SQLite's schema */
            statement_name(reader, &statement->index);
        }
    }
    while (!sql_at_end(cursor) && !sql_take(cursor, "ON")) {
        sql_advance(cursor); /* MySQL: USING BTREE */
    }
    sql_take(cursor, "ONLY");
    statement_table(reader);
    if (sql_take(cursor, "USING")) {
        sql_advance(cursor);
    }
    if (sql_at_mark(cursor, '(')) {
        statement->index_columns = statement_columns(reader, &statement->index_column_count);
    }
    const struct sql_token begin = cursor->token;
    while (!sql_at_end(cursor)) {
        sql_advance(cursor);
    }
    statement->options = sql_span_from(&begin, cursor);
}

static void read_drop_index(struct statement_reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct sql_statement *statement = reader->statement;
    take_concurrently(reader);
    statement->kind = SQL_STATEMENT_DROP_INDEX;
    statement->if_exists = sql_take_words(cursor, "IF EXISTS");
    statement_name(reader, &statement->index);
    while (sql_take_mark(cursor, '.')) {
        statement_name(reader, &statement->index);
    }
    if (sql_take(cursor, "ON")) {
        statement_table(reader);
    }
}

/* ---------------------------------------------------------------- which */

static void read_create(struct statement_reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct sql_statement *statement = reader->statement;
    sql_take_words(cursor, "OR REPLACE");
    for (;;) {
        if (sql_take_one_of(cursor, "TEMP|TEMPORARY")) {
            statement->temporary = true;
        } else if (sql_take(cursor, "UNIQUE")) {
            statement->unique = true;
        } else if (!sql_take_one_of(cursor, "GLOBAL|LOCAL|UNLOGGED|FULLTEXT|SPATIAL|VECTOR|"
                                            "ONLINE|OFFLINE")) {
            break;
        }
    }
    if (sql_take(cursor, "TABLE")) {
        read_create_table(reader);
    } else if (sql_take(cursor, "INDEX")) {
        read_create_index(reader);
    }
}

static void read_alter(struct statement_reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    while (sql_take_one_of(cursor, "ONLINE|IGNORE")) {
    }
    if (!sql_take(cursor, "TABLE") || sql_at_words(cursor, "ALL IN")) {
        return;
    }
    reader->statement->if_exists = sql_take_words(cursor, "IF EXISTS");
    sql_take(cursor, "ONLY");
    if (!statement_table(reader)) {
        return;
    }
    if (sql_token_is_operator(&cursor->token, "*")) {
        sql_advance(cursor);
    }
    reader->statement->kind = SQL_STATEMENT_ALTER_TABLE;
    statement_actions(reader);
}

void sql_statement_read(enum sql_language language, const struct sql_piece *piece,
                        struct arena *arena, struct sql_statement *statement)
{
    struct statement_reader reader = {.language = language, .arena = arena, .statement = statement};
    struct sql_cursor *cursor = &reader.cursor;
    *statement = (struct sql_statement){.span = {piece->text, piece->length, piece->place}};
    sql_cursor_of_piece(cursor, language, piece);
    if (sql_take(cursor, "CREATE")) {
        read_create(&reader);
    } else if (sql_take(cursor, "ALTER")) {
        read_alter(&reader);
    } else if (sql_take_words(cursor, "DROP INDEX")) {
        read_drop_index(&reader);
    }
}
