/* Rules for objects that go away, get another name, or have a bad one. */
#include "evolve/lint/lint_internal.h"
#include <string.h>

/* ---------------------------------------------------------------- DROP, TRUNCATE, RENAME */

/* Takes the words of a kind of objects that applications use by name. */
static bool take_object_kind(struct sql_cursor *cursor)
{
    return sql_take_words(cursor, "MATERIALIZED VIEW") ||
           sql_take_one_of(cursor, "VIEW|TYPE|DOMAIN|FUNCTION|PROCEDURE|ROUTINE|AGGREGATE|SEQUENCE|"
                                   "EVENT");
}

/* Is an object of that name made in the file, in front of the statement or behind it? */
static bool is_made(struct lint_file *file, const char *name)
{
    for (uint32_t i = 0; i < file->count; i++) {
        struct sql_cursor cursor;
        struct sql_name made = {0};
        sql_cursor_of_piece(&cursor, file->input->language, &file->statements[i].piece);
        if (!sql_take(&cursor, "CREATE")) {
            continue;
        }
        while (!sql_at_end(&cursor) && !take_object_kind(&cursor)) {
            sql_advance(&cursor);
        }
        sql_take_words(&cursor, "IF NOT EXISTS");
        if (sql_take_name(&cursor, file->arena, &made) && strcmp(made.name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_drop_object(struct lint_file *file, const struct lint_statement *statement,
                              struct sql_cursor cursor)
{
    struct sql_name name = {0};
    if (!take_object_kind(&cursor)) {
        return;
    }
    sql_take_words(&cursor, "IF EXISTS");
    if (sql_take_name(&cursor, file->arena, &name) && !is_made(file, name.name)) {
        lint_add(file, LINT_RULE_BAN_DROP_OBJECT, &statement->parsed.span, NULL);
    }
}

static void check_drop(struct lint_file *file, const struct lint_statement *statement,
                       struct sql_cursor cursor)
{
    const struct sql_span *span = &statement->parsed.span;
    bool mysql = file->input->language == SQL_MYSQL;
    if (sql_at(&cursor, "TEMPORARY")) {
        return;
    }
    if (sql_at(&cursor, "TABLE") || sql_at_words(&cursor, "FOREIGN TABLE")) {
        struct sql_name table = {0};
        bool plain = sql_take(&cursor, "TABLE");
        sql_take_words(&cursor, "IF EXISTS");
        sql_take_name(&cursor, file->arena, &table);
        if (plain && !lint_is_replaced(file, statement, table.name)) {
            lint_add(file, LINT_RULE_BAN_DROP_TABLE, span, NULL);
        }
    } else if (sql_at(&cursor, "DATABASE") || (mysql && sql_at(&cursor, "SCHEMA"))) {
        lint_add(file, LINT_RULE_BAN_DROP_DATABASE, span, NULL);
    } else if (sql_at(&cursor, "SCHEMA")) {
        lint_add(file, LINT_RULE_BAN_DROP_SCHEMA, span, NULL);
    } else {
        check_drop_object(file, statement, cursor);
    }
}

/* ---------------------------------------------------------------- what PostgreSQL locks or moves
 */

/* LOCK TABLE; ALTER … SET SCHEMA, ENABLE ROW LEVEL SECURITY, ATTACH PARTITION. */
static void check_postgres(struct lint_file *file, const struct lint_statement *statement,
                           struct sql_cursor cursor)
{
    const struct sql_span *whole = &statement->parsed.span;
    if (sql_at(&cursor, "LOCK")) {
        lint_add(file, LINT_RULE_BAN_LOCK_TABLE, whole, NULL);
    }
    if (!sql_take(&cursor, "ALTER")) {
        return;
    }
    bool table = statement->parsed.kind == SQL_STATEMENT_ALTER_TABLE;
    bool created = table && lint_is_created(file, &statement->parsed.table);
    for (; !created && !sql_at_end(&cursor); sql_advance(&cursor)) {
        const struct sql_token begin = cursor.token;
        enum lint_rule_number rule = LINT_RULE_COUNT;
        if (sql_take_words(&cursor, "SET SCHEMA")) {
            rule = LINT_RULE_CHANGING_SCHEMA;
        } else if (table && (sql_take_words(&cursor, "ENABLE ROW LEVEL SECURITY") ||
                             sql_take_words(&cursor, "FORCE ROW LEVEL SECURITY"))) {
            rule = LINT_RULE_ENABLING_ROW_SECURITY;
        } else if (table && sql_take_words(&cursor, "ATTACH PARTITION")) {
            rule = LINT_RULE_ATTACHING_PARTITION;
        }
        if (rule != LINT_RULE_COUNT) {
            const struct sql_span span = sql_span_from(&begin, &cursor);
            lint_add(file, rule, &span, NULL);
        }
        if (sql_at_end(&cursor)) {
            break;
        }
    }
}

static void check_truncate(struct lint_file *file, const struct lint_statement *statement,
                           struct sql_cursor cursor)
{
    lint_add(file, LINT_RULE_BAN_TRUNCATE, &statement->parsed.span, NULL);
    while (!sql_at_end(&cursor)) {
        const struct sql_token token = cursor.token;
        if (sql_take(&cursor, "CASCADE") && sql_at_end(&cursor)) {
            const struct sql_span word = sql_span_from(&token, &cursor);
            lint_add(file, LINT_RULE_BAN_TRUNCATE_CASCADE, &word, NULL);
        } else if (cursor.token.text == token.text) {
            sql_advance(&cursor);
        }
    }
}

/* ---------------------------------------------------------------- domains, types, schemas */

static void check_create_domain(struct lint_file *file, struct sql_cursor cursor)
{
    struct sql_name name;
    struct sql_column_named column;
    if (!sql_take_name(&cursor, file->arena, &name)) {
        return;
    }
    sql_take(&cursor, "AS");
    sql_take_column(&cursor, file->arena, &column);
    if (column.constraint_count > 0) {
        struct sql_span span = column.constraints[0].span;
        const struct sql_span *last = &column.constraints[column.constraint_count - 1].span;
        span.length = (size_t)(last->text + last->length - span.text);
        lint_add(file, LINT_RULE_BAN_CREATE_DOMAIN, &span, NULL);
    }
}

/* The rest of a statement from here on. */
static struct sql_span rest_of(struct sql_cursor cursor)
{
    const struct sql_token begin = cursor.token;
    while (!sql_at_end(&cursor)) {
        sql_advance(&cursor);
    }
    return sql_span_from(&begin, &cursor);
}

static void check_alter(struct lint_file *file, struct sql_cursor cursor)
{
    struct sql_name name;
    if (sql_take(&cursor, "DOMAIN")) {
        if (sql_take_name(&cursor, file->arena, &name) && sql_at(&cursor, "ADD")) {
            const struct sql_span span = rest_of(cursor);
            lint_add(file, LINT_RULE_BAN_ALTER_DOMAIN, &span, NULL);
        }
    } else if (sql_take(&cursor, "TYPE") && sql_take_name(&cursor, file->arena, &name)) {
        const struct sql_span span = rest_of(cursor);
        if (sql_at_words(&cursor, "RENAME VALUE")) {
            lint_add(file, LINT_RULE_RENAMING_ENUM_VALUE, &span, NULL);
        } else if (sql_take_words(&cursor, "ADD VALUE")) {
            while (!sql_at_end(&cursor) && !sql_at_one_of(&cursor, "BEFORE|AFTER")) {
                sql_advance(&cursor);
            }
            if (sql_at_end(&cursor)) {
                lint_add(file, LINT_RULE_REQUIRE_ENUM_ORDERING, &span, NULL);
            }
        }
    } else if (sql_take(&cursor, "SCHEMA") && sql_take_name(&cursor, file->arena, &name) &&
               sql_at(&cursor, "RENAME")) {
        const struct sql_span span = rest_of(cursor);
        lint_add(file, LINT_RULE_RENAMING_SCHEMA, &span, NULL);
    }
}

static void check_object(struct lint_file *file, const struct lint_statement *statement)
{
    struct sql_cursor cursor;
    sql_cursor_of_piece(&cursor, file->input->language, &statement->piece);
    if (file->input->language == SQL_POSTGRES) {
        check_postgres(file, statement, cursor);
    }
    if (sql_take(&cursor, "DROP")) {
        check_drop(file, statement, cursor);
    } else if (sql_take(&cursor, "TRUNCATE")) {
        check_truncate(file, statement, cursor);
    } else if (sql_take_words(&cursor, "CREATE DOMAIN")) {
        check_create_domain(file, cursor);
    } else if (sql_take(&cursor, "ALTER")) {
        check_alter(file, cursor);
    } else if (sql_take_words(&cursor, "RENAME TABLE")) {
        lint_add(file, LINT_RULE_RENAMING_TABLE, &statement->parsed.span, NULL);
    }
    if (statement->class == SQL_CLASS_CALL) {
        lint_add(file, LINT_RULE_UNKNOWN_EFFECT, &statement->parsed.span, NULL);
    }
}

/* ---------------------------------------------------------------- names */

static void check_names(struct lint_file *file, const struct lint_statement *statement)
{
    enum { POSTGRES_BYTES = 63, MYSQL_CHARACTERS = 64 };
    struct sql_cursor cursor;
    bool mysql = file->input->language == SQL_MYSQL;
    sql_cursor_of_piece(&cursor, file->input->language, &statement->piece);
    for (; !sql_at_end(&cursor); sql_advance(&cursor)) {
        const struct sql_token *token = &cursor.token;
        if (token->length <= POSTGRES_BYTES || token->unterminated ||
            (token->kind != SQL_TOKEN_WORD && token->kind != SQL_TOKEN_NAME)) {
            continue;
        }
        const char *name = sql_token_name(token, file->input->language, file->arena);
        const struct sql_span span = {token->text, token->length, token->place};
        size_t characters = sql_span_end(&span).column - token->place.column;
        bool quoted = token->kind == SQL_TOKEN_NAME;
        if (mysql ? characters > MYSQL_CHARACTERS + (quoted ? 2u : 0u)
                  : strlen(name) > POSTGRES_BYTES) {
            lint_add(file, LINT_RULE_IDENTIFIER_TOO_LONG, &span,
                     mysql ? "The name is longer than 64 characters, which the server refuses."
                           : NULL);
        }
    }
}

static void require_schema(struct lint_file *file, const struct lint_statement *statement)
{
    const struct sql_statement *parsed = &statement->parsed;
    bool table =
        parsed->kind == SQL_STATEMENT_CREATE_TABLE || parsed->kind == SQL_STATEMENT_ALTER_TABLE;
    if (table && !parsed->temporary && parsed->table.space == NULL) {
        lint_add(file, LINT_RULE_REQUIRE_TABLE_SCHEMA, &parsed->table_span, NULL);
    }
    struct sql_cursor cursor;
    struct sql_name name;
    sql_cursor_of_piece(&cursor, file->input->language, &statement->piece);
    if (!sql_take_words(&cursor, "DROP TABLE")) {
        return;
    }
    sql_take_words(&cursor, "IF EXISTS");
    do {
        const struct sql_token begin = cursor.token;
        if (sql_take_name(&cursor, file->arena, &name) && name.space == NULL) {
            const struct sql_span span = sql_span_from(&begin, &cursor);
            lint_add(file, LINT_RULE_REQUIRE_TABLE_SCHEMA, &span, NULL);
        }
    } while (sql_take_mark(&cursor, ','));
}

void lint_rules_object(struct lint_file *file)
{
    for (uint32_t i = 0; i < file->count; i++) {
        check_object(file, &file->statements[i]);
        check_names(file, &file->statements[i]);
        require_schema(file, &file->statements[i]);
    }
}
