/* Indexes, and statements that keep a table in order. */
#include "evolve/lint/lint_internal.h"
#include <string.h>
#include <strings.h>

static void check_create(struct lint_file *file, const struct lint_statement *statement)
{
    enum { WIDE = 3 };
    const struct sql_statement *parsed = &statement->parsed;
    bool concurrently = parsed->concurrently.text != NULL;
    if (!concurrently && parsed->table.name != NULL && !lint_is_created(file, &parsed->table)) {
        lint_add_of(file, LINT_RULE_REQUIRE_CONCURRENT_INDEX, &parsed->span, &parsed->table, NULL);
    }
    if (concurrently && parsed->index.name == NULL) {
        lint_add(file, LINT_RULE_CONCURRENT_INDEX_NAME, &parsed->span, NULL);
    }
    if (!parsed->unique && parsed->index_column_count > WIDE) {
        lint_add(file, LINT_RULE_WIDE_INDEX, &parsed->span, NULL);
    }
    if (parsed->unique && !lint_is_created(file, &parsed->table)) {
        lint_add(file, LINT_RULE_UNIQUE_MAY_FAIL, &parsed->span, NULL);
    }
}

/* ---------------------------------------------------------------- indexes within one table */

/* An index of a table that the file makes. */
struct index {
    const struct sql_named *columns;
    uint32_t count;
    const struct sql_span *span;
    bool unique;
};

static bool leads(const struct index *shorter, const struct index *longer)
{
    if (shorter->count == 0 || shorter->count > longer->count ||
        (shorter->unique && shorter->count < longer->count)) {
        return false;
    }
    for (uint32_t i = 0; i < shorter->count; i++) {
        const char *a = shorter->columns[i].name;
        const char *b = longer->columns[i].name;
        if (a == NULL || b == NULL || strcasecmp(a, b) != 0) {
            return false;
        }
    }
    return true;
}

static uint32_t indexes_of(const struct sql_statement *table, struct index *indexes, uint32_t most)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->constraint_count && count < most; i++) {
        const struct sql_constraint *constraint = &table->constraints[i];
        bool unique = constraint->kind == SQL_CONSTRAINT_PRIMARY_KEY ||
                      constraint->kind == SQL_CONSTRAINT_UNIQUE;
        if (unique || (constraint->kind == SQL_CONSTRAINT_INDEX &&
                       strncasecmp(constraint->span.text, "FULLTEXT", 8) != 0 &&
                       strncasecmp(constraint->span.text, "SPATIAL", 7) != 0)) {
            indexes[count++] = (struct index){constraint->columns, constraint->column_count,
                                              &constraint->span, unique};
        }
    }
    return count;
}

static void check_duplicates(struct lint_file *file, const struct sql_statement *table)
{
    enum { INDEXES_MAX = 64 };
    struct index indexes[INDEXES_MAX];
    uint32_t count = indexes_of(table, indexes, INDEXES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < count; k++) {
            bool same = indexes[i].count == indexes[k].count;
            if (i != k && leads(&indexes[i], &indexes[k]) &&
                (!same || (indexes[i].unique == indexes[k].unique ? i > k : !indexes[i].unique))) {
                lint_add(file, LINT_RULE_DUPLICATE_INDEX, indexes[i].span, NULL);
                break;
            }
        }
    }
}

/* ---------------------------------------------------------------- REINDEX, REFRESH, VACUUM */

static void check_reindex(struct lint_file *file, const struct lint_statement *statement,
                          struct sql_cursor *cursor)
{
    bool concurrently = false;
    if (sql_at_mark(cursor, '(')) {
        struct sql_cursor options = *cursor;
        sql_skip_group(cursor);
        for (; options.token.text < cursor->token.text; sql_advance(&options)) {
            concurrently |= sql_at(&options, "CONCURRENTLY");
        }
    }
    bool system = sql_at(cursor, "SYSTEM");
    sql_advance(cursor);
    if (!concurrently && !system && !sql_at(cursor, "CONCURRENTLY")) {
        lint_add(file, LINT_RULE_REQUIRE_CONCURRENT_REINDEX, &statement->parsed.span, NULL);
    }
}

/* VACUUM FULL t, VACUUM (FULL) t, VACUUM (FULL false) t */
static bool is_full(struct sql_cursor cursor)
{
    if (!sql_at_mark(&cursor, '(')) {
        return sql_at(&cursor, "FULL");
    }
    struct sql_cursor behind = cursor;
    sql_skip_group(&behind);
    for (; cursor.token.text < behind.token.text && !sql_at_end(&cursor); sql_advance(&cursor)) {
        if (sql_at(&cursor, "FULL")) {
            sql_advance(&cursor);
            return !sql_at_one_of(&cursor, "FALSE|OFF") &&
                   !(cursor.token.kind == SQL_TOKEN_NUMBER && cursor.token.text[0] == '0');
        }
    }
    return false;
}

static void check_maintenance(struct lint_file *file, const struct lint_statement *statement)
{
    enum { HAS_REPACK = 190000 };
    struct sql_cursor cursor;
    sql_cursor_of_piece(&cursor, file->input->language, &statement->piece);
    if (sql_take(&cursor, "REINDEX")) {
        check_reindex(file, statement, &cursor);
    } else if (sql_take_words(&cursor, "REFRESH MATERIALIZED VIEW")) {
        if (!sql_at(&cursor, "CONCURRENTLY")) {
            lint_add(file, LINT_RULE_REFRESH_CONCURRENTLY, &statement->parsed.span, NULL);
        }
    } else if (sql_at(&cursor, "CLUSTER") || (sql_take(&cursor, "VACUUM") && is_full(cursor))) {
        bool repack = file->input->server_version >= HAS_REPACK;
        lint_add(file, repack ? LINT_RULE_PREFER_REPACK : LINT_RULE_BAN_VACUUM_FULL,
                 &statement->parsed.span, NULL);
    }
}

void lint_rules_index(struct lint_file *file)
{
    for (uint32_t i = 0; i < file->count; i++) {
        const struct lint_statement *statement = &file->statements[i];
        switch (statement->parsed.kind) {
        case SQL_STATEMENT_CREATE_INDEX:
            check_create(file, statement);
            break;
        case SQL_STATEMENT_DROP_INDEX:
            if (statement->parsed.concurrently.text == NULL) {
                lint_add(file, LINT_RULE_REQUIRE_CONCURRENT_INDEX_DELETION, &statement->parsed.span,
                         NULL);
            }
            break;
        case SQL_STATEMENT_CREATE_TABLE:
            check_duplicates(file, &statement->parsed);
            break;
        default:
            if (file->input->language == SQL_POSTGRES) {
                check_maintenance(file, statement);
            }
            break;
        }
    }
}
