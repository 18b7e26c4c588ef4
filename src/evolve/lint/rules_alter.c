/* Rules for what an ALTER TABLE locks, rewrites, loses and breaks. */
#include "evolve/lint/lint_internal.h"
#include "sql/function.h"
#include <string.h>

/* ---------------------------------------------------------------- defaults */

/* One operand: a literal, a known function that is the same for all rows, something in parentheses,
 * with casts behind it. False: it is none. */
static bool take_operand(struct sql_cursor *cursor);

static bool take_operands(struct sql_cursor *cursor)
{
    do {
        while (cursor->token.kind == SQL_TOKEN_OPERATOR) {
            sql_advance(cursor); /* a sign */
        }
        if (!take_operand(cursor)) {
            return false;
        }
    } while (cursor->token.kind == SQL_TOKEN_OPERATOR ||
             sql_take_one_of(cursor, "AND|OR|IS|NOT|AT"));
    return true;
}

static bool take_list(struct sql_cursor *cursor, char close)
{
    sql_advance(cursor);
    while (!sql_at_end(cursor) && !sql_at_mark(cursor, close)) {
        if (!take_operands(cursor)) {
            return false;
        }
        sql_take_mark(cursor, ',');
    }
    return sql_take_mark(cursor, close);
}

/* A word: a keyword with a value, a type in front of a string, or a function. */
static bool take_word(struct sql_cursor *cursor)
{
    struct sql_token word = cursor->token;
    struct sql_cursor ahead = *cursor;
    sql_advance(&ahead);
    while (sql_take_mark(&ahead, '.')) {
        word = ahead.token;
        sql_advance(&ahead);
    }
    if (sql_token_is_word(&word, "CAST") && sql_take_mark(&ahead, '(')) {
        bool constant = take_operands(&ahead) && sql_at(&ahead, "AS");
        sql_skip_clause(&ahead);
        *cursor = ahead;
        return sql_take_mark(cursor, ')') && constant;
    }
    if (sql_at_mark(&ahead, '(')) {
        *cursor = ahead;
        return sql_function_is_stable(&word) && take_list(cursor, ')');
    }
    bool known =
        sql_at_one_of(cursor, "TRUE|FALSE|NULL|CURRENT_TIMESTAMP|CURRENT_DATE|CURRENT_TIME|"
                              "LOCALTIME|LOCALTIMESTAMP|CURRENT_USER|SESSION_USER|USER|"
                              "CURRENT_ROLE|CURRENT_CATALOG|CURRENT_SCHEMA|DISTINCT|FROM|"
                              "ZONE|TIME|UNKNOWN");
    *cursor = ahead;
    if (known) {
        return true;
    }
    while (cursor->token.kind == SQL_TOKEN_WORD) { /* timestamp with time zone '…' */
        sql_advance(cursor);
    }
    if (cursor->token.kind != SQL_TOKEN_STRING) {
        return false;
    }
    sql_advance(cursor);
    return true;
}

static void take_casts(struct sql_cursor *cursor)
{
    struct arena *arena = arena_create(0);
    for (;;) {
        if (sql_token_is_operator(&cursor->token, "::")) {
            struct sql_name name;
            sql_advance(cursor);
            sql_take_name(cursor, arena, &name);
            while (cursor->token.kind == SQL_TOKEN_WORD &&
                   !sql_at_one_of(cursor, "AND|OR|COLLATE")) {
                sql_advance(cursor);
            }
            if (sql_at_mark(cursor, '(')) {
                sql_skip_group(cursor);
            }
        } else if (sql_take(cursor, "COLLATE")) {
            sql_advance(cursor);
        } else if (sql_take_mark(cursor, '[')) {
            while (!sql_at_end(cursor) && !sql_take_mark(cursor, ']')) {
                sql_advance(cursor);
            }
        } else {
            break;
        }
    }
    arena_destroy(arena);
}

static bool take_operand(struct sql_cursor *cursor)
{
    bool found;
    if (cursor->token.kind == SQL_TOKEN_STRING || cursor->token.kind == SQL_TOKEN_NUMBER) {
        sql_advance(cursor);
        found = true;
    } else if (sql_at_mark(cursor, '(')) {
        found = take_list(cursor, ')');
    } else if (sql_take(cursor, "ARRAY")) {
        found = sql_at_mark(cursor, '[') && take_list(cursor, ']');
    } else if (sql_at_mark(cursor, '[')) {
        found = take_list(cursor, ']');
    } else {
        found = cursor->token.kind == SQL_TOKEN_WORD && take_word(cursor);
    }
    if (found) {
        take_casts(cursor);
    }
    return found;
}

/* Is the expression the same for all rows, so that PostgreSQL keeps it beside the table? */
static bool lint_is_constant(const struct lint_file *file, const struct sql_span *expression)
{
    struct sql_cursor cursor;
    sql_cursor_init(&cursor, file->input->language, expression->text, expression->length,
                    &expression->place);
    return take_operands(&cursor) && sql_at_end(&cursor);
}

/* ---------------------------------------------------------------- ADD COLUMN */

struct alter {
    struct lint_file *file;
    const struct sql_statement *statement;
    const struct sql_action *action;
};

static void rules_alter_report(const struct alter *alter, enum lint_rule_number rule,
                               const struct sql_span *span, const char *message)
{
    lint_add_of(alter->file, rule, span, &alter->statement->table, message);
}

static bool is_postgres(const struct alter *alter)
{
    return alter->file->input->language == SQL_POSTGRES;
}

/* MySQL and MariaDB: any literal and CURRENT_TIMESTAMP are instant. */
static bool is_expression(const struct sql_constraint *constraint)
{
    return constraint->expression.length > 0 && constraint->expression.text[0] == '(';
}

static void check_default(const struct alter *alter, const struct sql_constraint *constraint)
{
    enum { FAST_DEFAULTS = 110000 };
    uint32_t version = alter->file->input->server_version;
    if (is_postgres(alter)) {
        bool fast = version == 0 || version >= FAST_DEFAULTS;
        if (!fast || !lint_is_constant(alter->file, &constraint->expression)) {
            rules_alter_report(alter, LINT_RULE_ADDING_FIELD_WITH_DEFAULT, &constraint->expression,
                               NULL);
        }
    } else if (is_expression(constraint)) {
        rules_alter_report(alter, LINT_RULE_ADDING_FIELD_WITH_DEFAULT, &constraint->expression,
                           "A column whose default is an expression copies the table.");
    }
}

static void check_added_constraint(const struct alter *alter,
                                   const struct sql_constraint *constraint)
{
    switch (constraint->kind) {
    case SQL_CONSTRAINT_DEFAULT:
        check_default(alter, constraint);
        break;
    case SQL_CONSTRAINT_GENERATED:
        if (!constraint->is_virtual || is_postgres(alter)) {
            rules_alter_report(alter, LINT_RULE_ADDING_FIELD_WITH_DEFAULT, &constraint->span,
                               is_postgres(alter) ? NULL
                                                  : "A stored generated column copies the table.");
        }
        break;
    case SQL_CONSTRAINT_IDENTITY:
        if (is_postgres(alter)) {
            rules_alter_report(alter, LINT_RULE_ADDING_FIELD_WITH_DEFAULT, &constraint->span, NULL);
        }
        break;
    case SQL_CONSTRAINT_REFERENCES:
        if (is_postgres(alter)) {
            rules_alter_report(alter, LINT_RULE_ADDING_FOREIGN_KEY, &constraint->span, NULL);
        }
        break;
    case SQL_CONSTRAINT_PRIMARY_KEY:
        rules_alter_report(alter, LINT_RULE_ADDING_PRIMARY_KEY, &constraint->span, NULL);
        break;
    case SQL_CONSTRAINT_UNIQUE:
        rules_alter_report(alter, LINT_RULE_DISALLOWED_UNIQUE, &constraint->span, NULL);
        break;
    default:
        break;
    }
}

static bool is_serial(const struct sql_type_named *type)
{
    return type->name != NULL && strstr(type->name, "serial") != NULL;
}

static void check_added_column(const struct alter *alter)
{
    const struct sql_column_named *column = &alter->action->column;
    if (is_postgres(alter) && is_serial(&column->type)) {
        rules_alter_report(
            alter, LINT_RULE_REWRITING_TABLE, &column->type.span,
            "A serial column has another value in each row: the table is rewritten under an "
            "ACCESS EXCLUSIVE lock.");
    }
    for (uint32_t i = 0; i < column->constraint_count; i++) {
        check_added_constraint(alter, &column->constraints[i]);
    }
    bool filled = sql_column_constraint(column, SQL_CONSTRAINT_DEFAULT) != NULL ||
                  sql_column_constraint(column, SQL_CONSTRAINT_GENERATED) != NULL ||
                  sql_column_constraint(column, SQL_CONSTRAINT_IDENTITY) != NULL;
    if (!filled && sql_column_constraint(column, SQL_CONSTRAINT_NOT_NULL) != NULL) {
        const char *message =
            alter->file->input->language == SQL_MYSQL
                ? "A column that is NOT NULL without a default: rows that are there get 0 or '', and "
                  "the running application cannot insert any more."
                : NULL;
        rules_alter_report(alter, LINT_RULE_ADDING_REQUIRED_FIELD, &alter->action->span, message);
    }
}

/* ---------------------------------------------------------------- constraints */

static void check_added_to_table(const struct alter *alter)
{
    const struct sql_constraint *constraint = alter->action->constraint;
    bool created = lint_is_created(alter->file, &alter->statement->table);
    bool checked_later = constraint->not_valid || constraint->not_enforced;
    /* Constraints that are an index have no NOT VALID: their own rules say what to do. */
    bool is_index = constraint->kind == SQL_CONSTRAINT_UNIQUE ||
                    constraint->kind == SQL_CONSTRAINT_PRIMARY_KEY ||
                    constraint->kind == SQL_CONSTRAINT_EXCLUDE;
    if (is_postgres(alter) && !created && !checked_later && !is_index) {
        rules_alter_report(alter, LINT_RULE_CONSTRAINT_MISSING_NOT_VALID, &alter->action->span,
                           NULL);
        if (constraint->kind == SQL_CONSTRAINT_FOREIGN_KEY) {
            lint_set_lock(alter->file, LINT_RULE_CONSTRAINT_MISSING_NOT_VALID, LINT_LOCK_WRITES);
        }
    }
    if (constraint->kind == SQL_CONSTRAINT_FOREIGN_KEY && !created && !checked_later) {
        lint_add_help(alter->file, LINT_RULE_ADDING_FOREIGN_KEY, &constraint->span,
                      is_postgres(alter) ? NULL : "A foreign key that is checked copies the table.",
                      is_postgres(alter)
                          ? "Add it NOT VALID, and VALIDATE CONSTRAINT in a later transaction."
                          : "With SET foreign_key_checks = 0 it is added in place, unchecked: look "
                            "for orphans first.");
    } else if (constraint->kind == SQL_CONSTRAINT_PRIMARY_KEY && !constraint->using_index) {
        rules_alter_report(alter, LINT_RULE_ADDING_PRIMARY_KEY, &constraint->span, NULL);
    } else if (constraint->kind == SQL_CONSTRAINT_UNIQUE && !constraint->using_index && !created) {
        rules_alter_report(alter, LINT_RULE_DISALLOWED_UNIQUE, &constraint->span, NULL);
    } else if (constraint->kind == SQL_CONSTRAINT_EXCLUDE && !created) {
        rules_alter_report(alter, LINT_RULE_ADDING_EXCLUSION, &constraint->span, NULL);
    }
}

/* ---------------------------------------------------------------- the rest of the actions */

/* A change of a type that the schema shows to cost nothing; with USING every row is computed. */
static bool is_free(const struct alter *alter)
{
    const struct sql_action *action = alter->action;
    const struct sql_span *type = &action->column.type.span;
    const char *end = action->option.text + action->option.length;
    const struct schema_column *column =
        lint_column(alter->file, &alter->statement->table, action->name.name);
    return type->text != NULL && type->text + type->length == end &&
           lint_is_free_change(alter->file, column, type);
}

/* Is the table one that the file makes, and nobody has used yet? */
static bool is_unseen(const struct alter *alter)
{
    bool known = alter->file->transaction == LINT_AS_RUN || !is_postgres(alter);
    return known && lint_is_created(alter->file, &alter->statement->table);
}

static void check_action(const struct alter *alter)
{
    const struct sql_action *action = alter->action;
    switch (action->kind) {
    case SQL_ACTION_ADD_COLUMN:
        check_added_column(alter);
        break;
    case SQL_ACTION_ADD_CONSTRAINT:
        check_added_to_table(alter);
        break;
    case SQL_ACTION_DROP_COLUMN:
        lint_add(alter->file, LINT_RULE_BAN_DROP_COLUMN, &action->span, NULL);
        break;
    case SQL_ACTION_DROP_NOT_NULL:
        lint_add(alter->file, LINT_RULE_BAN_DROP_NOT_NULL, &action->option, NULL);
        break;
    case SQL_ACTION_DROP_PRIMARY_KEY:
        if (!is_unseen(alter)) {
            rules_alter_report(
                alter, LINT_RULE_REWRITING_TABLE, &action->span,
                "DROP PRIMARY KEY copies the table, and writers are locked out meanwhile.");
        }
        lint_add(alter->file, LINT_RULE_DROPPING_CONSTRAINT, &action->span, NULL);
        break;
    case SQL_ACTION_DROP_CONSTRAINT:
    case SQL_ACTION_DROP_FOREIGN_KEY:
        lint_add(alter->file, LINT_RULE_DROPPING_CONSTRAINT, &action->span, NULL);
        break;
    case SQL_ACTION_CHANGE_TYPE:
        if (is_postgres(alter) && !is_free(alter)) {
            rules_alter_report(alter, LINT_RULE_CHANGING_COLUMN_TYPE, &action->option, NULL);
        }
        break;
    case SQL_ACTION_RENAME_COLUMN:
        lint_add(alter->file, LINT_RULE_RENAMING_COLUMN, &action->span, NULL);
        break;
    case SQL_ACTION_RENAME_TABLE:
        if (is_unseen(alter)) {
            break;
        }
        lint_add(alter->file, LINT_RULE_RENAMING_TABLE, &action->span, NULL);
        break;
    case SQL_ACTION_DETACH_PARTITION:
        if (action->concurrently.text == NULL) {
            rules_alter_report(alter, LINT_RULE_REQUIRE_CONCURRENT_DETACH, &action->span, NULL);
        }
        break;
    case SQL_ACTION_REWRITE:
        rules_alter_report(alter, LINT_RULE_REWRITING_TABLE, &action->span, NULL);
        break;
    default:
        break;
    }
}

/* ---------------------------------------------------------------- SET NOT NULL behind a check */

/* A constraint of the file that was added NOT VALID. */
struct later {
    const char *name;
    const struct sql_statement *statement;
    const char *not_null_of; /* the column that it keeps from being NULL; NULL: it is another */
    bool validated;
    bool forgotten; /* it was added before a transaction began */
};

/* A VALIDATE of a constraint that the file does not add. */
struct other {
    const struct sql_statement *statement;
};

struct laters {
    struct later *items;
    uint32_t count;
    uint32_t capacity;
    struct other *others;
    uint32_t other_count;
    uint32_t other_capacity;
};

static bool same_table(const struct sql_statement *a, const struct sql_statement *b)
{
    return a->table.name != NULL && b->table.name != NULL &&
           strcmp(a->table.name, b->table.name) == 0;
}

/* "column IS NOT NULL" */
static const char *column_not_null(struct lint_file *file, const struct sql_span *expression)
{
    struct sql_cursor cursor;
    struct sql_name column;
    if (expression->text == NULL) {
        return NULL;
    }
    sql_cursor_init(&cursor, file->input->language, expression->text, expression->length,
                    &expression->place);
    bool found = sql_take_name(&cursor, file->arena, &column) &&
                 sql_take_words(&cursor, "IS NOT NULL") && sql_at_end(&cursor);
    return found ? column.name : NULL;
}

static void add_later(struct lint_file *file, struct laters *laters,
                      const struct sql_statement *statement,
                      const struct sql_constraint *constraint)
{
    laters->items = arena_make_room(file->arena, laters->items, laters->count, &laters->capacity,
                                    sizeof *laters->items);
    bool check = constraint->kind == SQL_CONSTRAINT_CHECK;
    laters->items[laters->count++] = (struct later){
        .name = constraint->name.name,
        .statement = statement,
        .not_null_of = check ? column_not_null(file, &constraint->expression) : NULL};
}

/* VALIDATE: of a constraint of this file in the same transaction it gains nothing. */
static void see_validate(const struct alter *alter, struct laters *laters, bool in_transaction)
{
    const struct sql_action *action = alter->action;
    for (uint32_t i = 0; i < laters->count && action->name.name != NULL; i++) {
        struct later *later = &laters->items[i];
        if (strcmp(later->name, action->name.name) != 0) {
            continue;
        }
        later->validated |= same_table(later->statement, alter->statement);
        if (in_transaction && !later->forgotten) {
            lint_add_help(alter->file, LINT_RULE_CONSTRAINT_MISSING_NOT_VALID, &action->span,
                          "NOT VALID and VALIDATE CONSTRAINT in one transaction: the lock of the "
                          "first is held while the table is read.",
                          "Put VALIDATE CONSTRAINT into a file of its own.");
            break;
        }
    }
}

/* Does a valid check of this file say so? */
static bool is_known_not_null(const struct alter *alter, const struct laters *laters)
{
    const char *column = alter->action->name.name;
    for (uint32_t i = 0; i < laters->count && column != NULL; i++) {
        const struct later *later = &laters->items[i];
        if (later->validated && later->not_null_of != NULL &&
            strcmp(later->not_null_of, column) == 0 &&
            same_table(later->statement, alter->statement)) {
            return true;
        }
    }
    return false;
}

static bool is_check_of_file(const struct laters *laters, const struct sql_statement *statement,
                             const char *name)
{
    for (uint32_t i = 0; i < laters->count; i++) {
        const struct later *later = &laters->items[i];
        if (strcmp(later->name, name) == 0 && later->not_null_of != NULL &&
            same_table(later->statement, statement)) {
            return true;
        }
    }
    return false;
}

/* VALIDATE of a constraint that this file does not add: it may be the check. */
static void note_other(const struct alter *alter, struct laters *laters)
{
    const char *name = alter->action->name.name;
    if (name == NULL || is_check_of_file(laters, alter->statement, name)) {
        return;
    }
    laters->others = arena_make_room(alter->file->arena, laters->others, laters->other_count,
                                     &laters->other_capacity, sizeof *laters->others);
    laters->others[laters->other_count++].statement = alter->statement;
}

static bool validates_other(const struct alter *alter, const struct laters *laters)
{
    for (uint32_t i = 0; i < laters->other_count; i++) {
        if (same_table(laters->others[i].statement, alter->statement)) {
            return true;
        }
    }
    return false;
}

static void check_set_not_null(const struct alter *alter, const struct laters *laters)
{
    enum { USES_CHECKS = 120000 };
    uint32_t version = alter->file->input->server_version;
    bool uses_checks = version == 0 || version >= USES_CHECKS;
    const struct schema_column *column =
        lint_column(alter->file, &alter->statement->table, alter->action->name.name);
    if (column != NULL && column->not_null) {
        return;
    }
    if (!uses_checks || (!is_known_not_null(alter, laters) && !validates_other(alter, laters))) {
        rules_alter_report(alter, LINT_RULE_ADDING_NOT_NULL, &alter->action->option, NULL);
    }
}

static void follow_constraints(const struct alter *alter, struct laters *laters,
                               bool in_transaction)
{
    const struct sql_action *action = alter->action;
    if (action->kind == SQL_ACTION_ADD_CONSTRAINT && action->constraint->not_valid &&
        action->constraint->name.name != NULL) {
        add_later(alter->file, laters, alter->statement, action->constraint);
    } else if (action->kind == SQL_ACTION_VALIDATE_CONSTRAINT) {
        note_other(alter, laters);
        see_validate(alter, laters, in_transaction);
    } else if (action->kind == SQL_ACTION_SET_NOT_NULL) {
        check_set_not_null(alter, laters);
    }
}

void lint_rules_alter(struct lint_file *file)
{
    struct laters laters = {0};
    bool was_in = file->transaction == LINT_WHOLE;
    for (uint32_t i = 0; i < file->count; i++) {
        const struct lint_statement *statement = &file->statements[i];
        for (uint32_t n = 0; statement->begins && !was_in && n < laters.count; n++) {
            laters.items[n].forgotten = true;
        }
        was_in = statement->in_transaction && !statement->commits;
        for (uint32_t k = 0; k < statement->parsed.action_count; k++) {
            const struct alter alter = {file, &statement->parsed, &statement->parsed.actions[k]};
            check_action(&alter);
            follow_constraints(&alter, &laters, statement->in_transaction);
        }
    }
}
