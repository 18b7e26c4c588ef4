/* What MySQL and MariaDB copy, lock, ignore and refuse. */
#include "evolve/lint/lint_internal.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- a type against another */

/* A type without blanks, in lower case, but for what is in quotes. */
static char *squeezed(struct arena *arena, const char *text, size_t length)
{
    char *out = arena_copy(arena, text, length);
    size_t kept = 0;
    char quote = '\0';
    for (size_t i = 0; i < length; i++) {
        char byte = out[i];
        if (quote == '\0' && isspace((unsigned char)byte)) {
            continue;
        }
        quote = quote != '\0'                 ? (byte == quote ? '\0' : quote)
                : byte == '\'' || byte == '"' ? byte
                                              : '\0';
        out[kept++] = quote == '\0' ? (char)tolower((unsigned char)byte) : byte;
    }
    out[kept] = '\0';
    return out;
}

/* varchar(10) to varchar(20) costs nothing while the length fits the same number of bytes. */
static bool only_widens(const char *before, const char *after)
{
    enum { ONE_BYTE = 63 }; /* characters of utf8mb4 in 255 bytes */
    if (strncmp(before, "varchar(", 8) != 0 || strncmp(after, "varchar(", 8) != 0) {
        return false;
    }
    long old = strtol(before + 8, NULL, 10);
    long new = strtol(after + 8, NULL, 10);
    return new >= old && (old > ONE_BYTE || new <= ONE_BYTE);
}

static bool is_members(const char *type)
{
    return strncmp(type, "enum(", 5) == 0 || strncmp(type, "set(", 4) == 0;
}

/* Do the members of the one begin the other, and is there still room in the same bytes? */
static bool only_appends(const char *before, const char *after)
{
    size_t length = strlen(before);
    return length > 0 && before[length - 1] == ')' && strncmp(before, after, length - 1) == 0 &&
           (after[length - 1] == ',' || after[length - 1] == ')');
}

static void check_type(struct lint_file *file, const struct sql_statement *statement,
                       const struct sql_action *action)
{
    const struct sql_span *span = &action->column.type.span;
    const struct schema_column *column = lint_column(file, &statement->table, action->name.name);
    if (span->text == NULL) {
        return;
    }
    char *after = squeezed(file->arena, span->text, span->length);
    char *before = column != NULL && column->type.native != NULL
                       ? squeezed(file->arena, column->type.native, strlen(column->type.native))
                       : NULL;
    if (before != NULL && (strcmp(before, after) == 0 || only_widens(before, after))) {
        return;
    }
    if (is_members(after)) {
        if (before == NULL || !only_appends(before, after)) {
            lint_add_of(file, LINT_RULE_CHANGING_ENUM, span, &statement->table,
                        before == NULL
                            ? "A change of the members of an ENUM or SET copies the table, "
                              "unless they are only added at the end."
                            : NULL);
        }
        return;
    }
    lint_add_of(file, LINT_RULE_CHANGING_COLUMN_TYPE, &action->span, &statement->table,
                before == NULL
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

/* Each ALTER TABLE of a table that an earlier one of the file altered. */
static void check_repeated(struct lint_file *file, uint32_t number)
{
    const struct sql_statement *statement = &file->statements[number].parsed;
    for (uint32_t i = 0; i < number; i++) {
        const struct sql_statement *before = &file->statements[i].parsed;
        if (before->kind == SQL_STATEMENT_ALTER_TABLE &&
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
            check_repeated(file, i);
            break;
        case SQL_STATEMENT_DROP_INDEX:
            lint_add(file, LINT_RULE_DROP_INDEX_INVISIBLE_FIRST, &statement->parsed.span, NULL);
            break;
        default:
            break;
        }
        if (statement->class == SQL_CLASS_DDL) {
            check_dates(file, statement);
        }
    }
}
