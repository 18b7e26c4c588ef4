/* Files of CQL. */
#include "evolve/lint/lint_internal.h"
#include <string.h>
#include <strings.h>

static bool says_if(struct sql_cursor cursor)
{
    for (; !sql_at_end(&cursor) && !sql_at_mark(&cursor, '('); sql_advance(&cursor)) {
        if (sql_at_words(&cursor, "IF NOT EXISTS") || sql_at_words(&cursor, "IF EXISTS") ||
            sql_at_words(&cursor, "OR REPLACE")) {
            return true;
        }
    }
    return false;
}

static void check_create(struct lint_file *file, const struct lint_statement *statement,
                         struct sql_cursor cursor)
{
    const struct sql_span *span = &statement->parsed.span;
    if (!says_if(cursor)) {
        lint_add(file, LINT_RULE_CQL_NOT_IDEMPOTENT, span, NULL);
    }
    if (sql_at_words(&cursor, "MATERIALIZED VIEW")) {
        lint_add(file, LINT_RULE_CQL_MATERIALIZED_VIEW, span, NULL);
    } else if (sql_at(&cursor, "INDEX")) {
        lint_add(file, LINT_RULE_CQL_SECONDARY_INDEX, span, NULL);
    } else if (sql_at(&cursor, "KEYSPACE")) {
        for (; !sql_at_end(&cursor); sql_advance(&cursor)) {
            const struct sql_token token = cursor.token;
            if (token.kind == SQL_TOKEN_STRING &&
                memmem(token.text, token.length, "SimpleStrategy", 14) != NULL) {
                const struct sql_span word = {token.text, token.length, token.place};
                lint_add(file, LINT_RULE_CQL_SIMPLE_STRATEGY, &word, NULL);
            }
        }
    }
}

static void check_alter(struct lint_file *file, const struct sql_statement *statement)
{
    for (uint32_t i = 0; i < statement->action_count; i++) {
        const struct sql_action *action = &statement->actions[i];
        if (action->kind == SQL_ACTION_DROP_COLUMN) {
            lint_add(file, LINT_RULE_BAN_DROP_COLUMN, &action->span, NULL);
        } else if (action->kind == SQL_ACTION_CHANGE_TYPE) {
            lint_add(file, LINT_RULE_CQL_CHANGING_TYPE, &action->span, NULL);
        } else if (action->kind == SQL_ACTION_RENAME_COLUMN) {
            lint_add(file, LINT_RULE_RENAMING_COLUMN, &action->span, NULL);
        }
    }
}

static void check_drop(struct lint_file *file, const struct lint_statement *statement,
                       struct sql_cursor cursor)
{
    const struct sql_span *span = &statement->parsed.span;
    if (sql_at_one_of(&cursor, "TABLE|COLUMNFAMILY")) {
        lint_add(file, LINT_RULE_BAN_DROP_TABLE, span, NULL);
    } else if (sql_at_one_of(&cursor, "KEYSPACE|SCHEMA")) {
        lint_add(file, LINT_RULE_BAN_DROP_DATABASE, span, NULL);
    }
    if (!says_if(cursor)) {
        lint_add(file, LINT_RULE_CQL_NOT_IDEMPOTENT, span, NULL);
    }
}

void lint_cql(struct lint_file *file)
{
    lint_read_statements(file);
    for (uint32_t i = 0; i < file->count; i++) {
        const struct lint_statement *statement = &file->statements[i];
        struct sql_cursor cursor;
        sql_cursor_of_piece(&cursor, SQL_CQL, &statement->piece);
        if (sql_take(&cursor, "CREATE")) {
            check_create(file, statement, cursor);
        } else if (sql_take(&cursor, "DROP")) {
            check_drop(file, statement, cursor);
        } else if (sql_at(&cursor, "TRUNCATE")) {
            lint_add(file, LINT_RULE_BAN_TRUNCATE, &statement->parsed.span, NULL);
        } else if (statement->class == SQL_CLASS_CALL) {
            lint_add_syntax(file, "The statement begins with no word of CQL.",
                            &statement->piece.place);
        }
        check_alter(file, &statement->parsed);
    }
}
