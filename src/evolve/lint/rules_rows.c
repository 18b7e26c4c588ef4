/* Statements that change rows, and lists of columns with one of them twice. */
#include "evolve/lint/lint_internal.h"
#include <string.h>

/* ---------------------------------------------------------------- a column twice */

struct target {
    const char *name;
    struct sql_span span;
    bool is_partial; /* a[1], a.b: may be there more than once */
};

struct targets {
    struct target *items;
    uint32_t count;
    uint32_t capacity;
};

static void add_target(struct lint_file *file, struct targets *targets, const struct target *target)
{
    targets->items = arena_make_room(file->arena, targets->items, targets->count,
                                     &targets->capacity, sizeof *targets->items);
    targets->items[targets->count++] = *target;
}

/* A column that is set; steps behind it. */
static void take_target(struct lint_file *file, struct sql_cursor *cursor, struct targets *targets)
{
    struct target target = {0};
    const struct sql_token token = cursor->token;
    if (!sql_token_is_name(&token, cursor->lexer.language)) {
        return;
    }
    target.name = sql_token_name(&token, cursor->lexer.language, file->arena);
    sql_advance(cursor);
    target.span = sql_span_from(&token, cursor);
    if (cursor->lexer.language == SQL_POSTGRES) {
        target.is_partial = sql_at_mark(cursor, '[') || sql_at_mark(cursor, '.');
    } else if (sql_take_mark(cursor, '.')) { /* table.column */
        targets->count = targets->count > 0 ? targets->count : 0;
        take_target(file, cursor, targets);
        return;
    }
    add_target(file, targets, &target);
}

static bool same_name(enum sql_language language, const char *a, const char *b)
{
    return language == SQL_POSTGRES ? strcmp(a, b) == 0 : strcasecmp(a, b) == 0;
}

static void report_twice(struct lint_file *file, const struct targets *targets)
{
    for (uint32_t i = 0; i < targets->count; i++) {
        bool twice = false;
        bool whole = !targets->items[i].is_partial;
        for (uint32_t k = 0; k < targets->count; k++) {
            if (k != i &&
                same_name(file->input->language, targets->items[i].name, targets->items[k].name)) {
                twice = true;
                whole |= !targets->items[k].is_partial;
            }
        }
        if (twice && whole) {
            char *message = arena_format(file->arena, "The column %.80s is there twice.",
                                         targets->items[i].name);
            lint_add(file, LINT_RULE_BAN_DUPLICATE_ASSIGNMENTS, &targets->items[i].span, message);
        }
    }
}

/* "(a, b)", which is next. */
static void take_list(struct lint_file *file, struct sql_cursor *cursor, struct targets *targets)
{
    sql_take_mark(cursor, '(');
    while (!sql_at_end(cursor) && !sql_at_mark(cursor, ')')) {
        take_target(file, cursor, targets);
        sql_skip_clause(cursor);
        sql_take_mark(cursor, ',');
    }
    sql_take_mark(cursor, ')');
}

/* Behind SET: "a = 1, (b, c) = (2, 3)". */
static void check_set(struct lint_file *file, struct sql_cursor *cursor)
{
    struct targets targets = {0};
    do {
        if (sql_at_mark(cursor, '(')) {
            take_list(file, cursor, &targets);
        } else {
            take_target(file, cursor, &targets);
        }
        while (!sql_at_end(cursor) && !sql_at_mark(cursor, ',') && !sql_at_mark(cursor, ')') &&
               !sql_at_one_of(cursor, "WHERE|FROM|RETURNING|WHEN|ORDER|LIMIT")) {
            sql_skip_group(cursor);
        }
    } while (sql_take_mark(cursor, ','));
    report_twice(file, &targets);
}

/* Behind INSERT, up to the columns in parentheses. */
static void check_insert(struct lint_file *file, struct sql_cursor *cursor)
{
    struct targets targets = {0};
    struct sql_name table;
    if (sql_take(cursor, "INTO")) {
        sql_take_name(cursor, file->arena, &table);
        if (sql_take(cursor, "AS")) {
            sql_advance(cursor);
        }
    }
    struct sql_cursor ahead = *cursor;
    sql_advance(&ahead);
    if (sql_at_mark(cursor, '(') && !sql_at_one_of(&ahead, "SELECT|WITH|VALUES") &&
        !sql_at_mark(&ahead, '(')) {
        take_list(file, cursor, &targets);
        report_twice(file, &targets);
    }
}

/* Every UPDATE … SET and INSERT of a statement, wherever it stands in it. */
static void check_assignments(struct lint_file *file, const struct lint_statement *statement)
{
    struct sql_cursor cursor;
    bool update = false; /* UPDATE, and its SET is not seen yet */
    sql_cursor_of_piece(&cursor, file->input->language, &statement->piece);
    while (!sql_at_end(&cursor)) {
        if (sql_take(&cursor, "INSERT")) {
            check_insert(file, &cursor);
        } else if (sql_take(&cursor, "UPDATE")) {
            update = true;
        } else if (update && sql_take(&cursor, "SET")) {
            update = false;
            check_set(file, &cursor);
        } else {
            sql_advance(&cursor);
        }
    }
}

static void check_table(struct lint_file *file, const struct sql_statement *table)
{
    struct targets targets = {0};
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct target target = {table->columns[i].name.name, table->columns[i].name.span,
                                      false};
        add_target(file, &targets, &target);
    }
    report_twice(file, &targets);
}

/* The token that names a query's column: behind AS or an operand, a column's own name, a
 * function's; of a literal alone, that literal, since it has the name that all of them have. */
static const struct sql_token *name_of_result(const struct sql_token last[3], uint32_t tokens,
                                              enum sql_language language)
{
    bool name = sql_token_is_name(&last[0], language) && last[0].kind != SQL_TOKEN_STRING;
    bool operand = last[1].kind == SQL_TOKEN_NUMBER || last[1].kind == SQL_TOKEN_STRING ||
                   last[1].kind == SQL_TOKEN_NAME || sql_token_is_mark(&last[1], '(');
    if (name && (tokens == 1 || operand || sql_token_is_mark(&last[1], '.') ||
                 sql_token_is_word(&last[1], "AS"))) {
        return &last[0];
    }
    if (sql_token_is_mark(&last[0], '(') && last[1].kind == SQL_TOKEN_WORD &&
        (tokens == 2 || sql_token_is_mark(&last[2], '.'))) {
        return &last[1];
    }
    bool literal = last[0].kind == SQL_TOKEN_NUMBER || last[0].kind == SQL_TOKEN_STRING;
    return tokens == 1 && literal ? &last[0] : NULL;
}

static void take_result(struct lint_file *file, struct sql_cursor *cursor, struct targets *targets)
{
    enum sql_language language = cursor->lexer.language;
    struct sql_token last[3] = {0};
    uint32_t tokens = 0;
    while (!sql_at_end(cursor) && !sql_at_mark(cursor, ',') && !sql_at_mark(cursor, ')') &&
           !sql_at_one_of(cursor, "FROM|INTO|WHERE|UNION|ORDER|LIMIT|GROUP")) {
        last[2] = last[1];
        last[1] = last[0];
        last[0] = cursor->token;
        sql_skip_group(cursor);
        tokens++;
    }
    const struct sql_token *token = name_of_result(last, tokens, language);
    if (token != NULL) {
        bool literal = token->kind == SQL_TOKEN_NUMBER || token->kind == SQL_TOKEN_STRING;
        const struct target target = {
            .name = literal ? "?column?" : sql_token_name(token, language, file->arena),
            .span = {token->text, token->length, token->place}};
        add_target(file, targets, &target);
    }
}

static void check_results(struct lint_file *file, struct sql_cursor *cursor)
{
    struct targets targets = {0};
    if (!sql_take(cursor, "SELECT")) {
        return;
    }
    sql_take(cursor, "ALL");
    do {
        take_result(file, cursor, &targets);
    } while (sql_take_mark(cursor, ','));
    report_twice(file, &targets);
}

/* CREATE VIEW v (a, b) AS SELECT …, CREATE TABLE t (a, b) AS SELECT …, SELECT … INTO t */
static void check_made_of_query(struct lint_file *file, const struct lint_statement *statement)
{
    struct sql_cursor cursor;
    struct sql_name name;
    sql_cursor_of_piece(&cursor, file->input->language, &statement->piece);
    if (statement->class != SQL_CLASS_DDL) {
        return;
    }
    if (sql_at(&cursor, "SELECT")) {
        check_results(file, &cursor);
        return;
    }
    if (!sql_take(&cursor, "CREATE")) {
        return;
    }
    sql_take_words(&cursor, "OR REPLACE");
    sql_take_one_of(&cursor, "TEMP|TEMPORARY|MATERIALIZED|RECURSIVE|FOREIGN");
    if (!sql_take(&cursor, "VIEW") && !sql_take(&cursor, "TABLE")) {
        return;
    }
    sql_take_words(&cursor, "IF NOT EXISTS");
    if (sql_take_name(&cursor, file->arena, &name) && sql_at_mark(&cursor, '(')) {
        struct targets targets = {0};
        take_list(file, &cursor, &targets);
        report_twice(file, &targets);
        return;
    }
    while (!sql_at_end(&cursor) && !sql_take(&cursor, "AS")) {
        sql_skip_group(&cursor);
    }
    check_results(file, &cursor);
}

/* ---------------------------------------------------------------- all rows at once */

static bool is_limited(struct sql_cursor cursor)
{
    while (!sql_at_end(&cursor)) {
        if (sql_at_one_of(&cursor, "WHERE|LIMIT|JOIN|USING")) {
            return true;
        }
        sql_skip_group(&cursor);
    }
    return false;
}

/* The table of UPDATE or DELETE; false: it is another statement. */
static bool changed_table(struct lint_file *file, struct sql_cursor *cursor, struct sql_name *table)
{
    if (sql_take(cursor, "UPDATE")) {
        sql_take_one_of(cursor, "ONLY|LOW_PRIORITY|IGNORE");
    } else if (sql_take(cursor, "DELETE")) {
        sql_take_one_of(cursor, "LOW_PRIORITY|QUICK|IGNORE");
        sql_take(cursor, "FROM");
        sql_take(cursor, "ONLY");
    } else {
        return false;
    }
    return sql_take_name(cursor, file->arena, table);
}

/* Was the table altered before in the same transaction? */
static bool is_locked(const struct lint_file *file, uint32_t number, const struct sql_name *table)
{
    for (uint32_t i = number; i > 0; i--) {
        const struct lint_statement *before = &file->statements[i - 1];
        if (!before->in_transaction || before->commits || before->rolls_back) {
            return false;
        }
        if (before->parsed.kind == SQL_STATEMENT_ALTER_TABLE &&
            strcmp(before->parsed.table.name, table->name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_changes(struct lint_file *file, uint32_t number)
{
    const struct lint_statement *statement = &file->statements[number];
    struct sql_cursor cursor;
    struct sql_name table;
    sql_cursor_of_piece(&cursor, file->input->language, &statement->piece);
    if (!changed_table(file, &cursor, &table) || lint_is_created(file, &table)) {
        return;
    }
    if (!is_limited(cursor)) {
        lint_add_of(file, LINT_RULE_UNBATCHED, &statement->parsed.span, &table, NULL);
    }
    if (statement->in_transaction && is_locked(file, number, &table)) {
        lint_add_of(file, LINT_RULE_BACKFILL_IN_TRANSACTION, &statement->parsed.span, &table, NULL);
    }
}

void lint_rules_rows(struct lint_file *file)
{
    for (uint32_t i = 0; i < file->count; i++) {
        const struct lint_statement *statement = &file->statements[i];
        if (statement->parsed.kind == SQL_STATEMENT_CREATE_TABLE) {
            check_table(file, &statement->parsed);
        } else if (statement->class == SQL_CLASS_DML) {
            check_assignments(file, statement);
        } else {
            check_made_of_query(file, statement);
        }
        check_changes(file, i);
    }
}
