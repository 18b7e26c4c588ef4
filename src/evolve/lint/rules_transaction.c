/* Transactions, timeouts, and whether a file can be run again. */
#include "evolve/lint/lint_internal.h"
#include <string.h>

/* ---------------------------------------------------------------- BEGIN and COMMIT */

static const char ours[] =
    "Put the statements into files of their own, each of which is a transaction.";

static void check_begin(struct lint_file *file, const struct lint_statement *statement, bool open)
{
    if (file->transaction == LINT_WHOLE) {
        lint_add_help(file, LINT_RULE_TRANSACTION_NESTING, &statement->parsed.span,
                      "There is a transaction already, of the tool that runs the file.", ours);
    } else if (open) {
        lint_add_help(file, LINT_RULE_TRANSACTION_NESTING, &statement->parsed.span, NULL, ours);
    }
}

static void check_end(struct lint_file *file, const struct lint_statement *statement, bool open)
{
    if (file->transaction == LINT_WHOLE) {
        lint_add_help(file, LINT_RULE_TRANSACTION_NESTING, &statement->parsed.span,
                      "It ends the transaction of the tool that runs the file.", ours);
    } else if (!open) {
        lint_add_help(file, LINT_RULE_TRANSACTION_NESTING, &statement->parsed.span,
                      "There is no transaction to end.", "BEGIN one before, or leave it out.");
    } else if (statement->rolls_back && file->transaction == LINT_AS_RUN) {
        lint_add_help(file, LINT_RULE_TRANSACTION_NESTING, &statement->parsed.span,
                      "The file undoes what it does; transhume refuses to run it.",
                      "Leave ROLLBACK out.");
    }
}

static void check_nesting(struct lint_file *file)
{
    const struct lint_statement *open = NULL;
    for (uint32_t i = 0; i < file->count; i++) {
        const struct lint_statement *statement = &file->statements[i];
        if (statement->begins) {
            check_begin(file, statement, open != NULL);
            open = statement;
        } else if (statement->commits || statement->rolls_back) {
            check_end(file, statement, open != NULL);
            open = NULL;
        }
    }
    if (open != NULL) {
        lint_add(file, LINT_RULE_BAN_UNCOMMITTED, &open->parsed.span, NULL);
    }
}

/* CONCURRENTLY where it is refused. */
static void check_concurrently(struct lint_file *file, const struct lint_statement *statement)
{
    const struct sql_statement *parsed = &statement->parsed;
    if (!statement->in_transaction || file->count < 2) {
        return;
    }
    if (parsed->concurrently.text != NULL) {
        lint_add(file, LINT_RULE_BAN_CONCURRENT_IN_TRANSACTION, &parsed->concurrently, NULL);
    }
    for (uint32_t i = 0; i < parsed->action_count; i++) {
        const struct sql_span *word = &parsed->actions[i].concurrently;
        if (word->text != NULL && word->length == strlen("CONCURRENTLY")) {
            lint_add(file, LINT_RULE_BAN_CONCURRENT_IN_TRANSACTION, word, NULL);
        }
    }
}

/* ---------------------------------------------------------------- timeouts */

static bool has_foreign_key(const struct sql_statement *table)
{
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        if (table->constraints[i].kind == SQL_CONSTRAINT_FOREIGN_KEY) {
            return true;
        }
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (sql_column_constraint(&table->columns[i], SQL_CONSTRAINT_REFERENCES) != NULL) {
            return true;
        }
    }
    return false;
}

/* May others wait for it? All changes of a schema, but for a table that refers to none. */
static bool may_block(const struct lint_statement *statement, const struct sql_cursor *cursor)
{
    if (statement->parsed.kind == SQL_STATEMENT_CREATE_TABLE && !statement->parsed.as_select) {
        return has_foreign_key(&statement->parsed);
    }
    if (sql_at_one_of(cursor, "CREATE|ALTER|DROP|CLUSTER|COMMENT|IMPORT|LOAD|LOCK|REFRESH|REINDEX|"
                              "TRUNCATE|VACUUM")) {
        return true;
    }
    return statement->class == SQL_CLASS_DDL && sql_at_one_of(cursor, "SELECT|WITH"); /* INTO */
}

static void check_timeouts(struct lint_file *file)
{
    bool lock = false;      /* it is set, or its lack was told */
    bool statement = false; /* likewise */
    for (uint32_t i = 0; i < file->count && !(lock && statement); i++) {
        const struct lint_statement *one = &file->statements[i];
        struct sql_cursor cursor;
        sql_cursor_of_piece(&cursor, file->input->language, &one->piece);
        if (sql_take(&cursor, "SET")) {
            sql_take_one_of(&cursor, "SESSION|LOCAL");
            lock |= sql_at(&cursor, "lock_timeout");
            statement |= sql_at(&cursor, "statement_timeout");
        } else if (may_block(one, &cursor)) {
            if (!lock) {
                lint_add(file, LINT_RULE_REQUIRE_LOCK_TIMEOUT, &one->parsed.span, NULL);
            }
            if (!statement) {
                lint_add(file, LINT_RULE_REQUIRE_STATEMENT_TIMEOUT, &one->parsed.span, NULL);
            }
            lock = statement = true;
        }
    }
}

/* ---------------------------------------------------------------- run again */

static const char if_exists[] =
    "Without IF EXISTS the migration cannot be run again if it fails behind this.";
static const char if_not_exists[] =
    "Without IF NOT EXISTS the migration cannot be run again if it fails behind this.";
static const char no_transaction[] =
    "Without a transaction the migration cannot be run again if it fails behind this.";

/* Constraints that were dropped so far in the file, and maybe added again. */
struct dropped {
    const char *name;
    bool added;
};

struct drops {
    struct dropped *items;
    uint32_t count;
    uint32_t capacity;
};

static struct dropped *find_dropped(struct drops *drops, const char *name)
{
    for (uint32_t i = 0; name != NULL && i < drops->count; i++) {
        if (strcmp(drops->items[i].name, name) == 0) {
            return &drops->items[i];
        }
    }
    return NULL;
}

static void note_dropped(struct lint_file *file, struct drops *drops, const char *name)
{
    struct dropped *dropped = find_dropped(drops, name);
    if (dropped == NULL && name != NULL) {
        drops->items = arena_make_room(file->arena, drops->items, drops->count, &drops->capacity,
                                       sizeof *drops->items);
        dropped = &drops->items[drops->count++];
        dropped->name = name;
    }
    if (dropped != NULL) {
        dropped->added = false;
    }
}

/* NULL: the action can be repeated. */
static const char *what_action_lacks(struct lint_file *file, struct drops *drops,
                                     const struct sql_action *action)
{
    struct dropped *dropped;
    switch (action->kind) {
    case SQL_ACTION_DROP_CONSTRAINT:
        note_dropped(file, drops, action->name.name);
        return action->if_exists ? NULL : if_exists;
    case SQL_ACTION_DROP_COLUMN:
        return action->if_exists ? NULL : if_exists;
    case SQL_ACTION_ADD_COLUMN:
        return action->if_exists ? NULL : if_not_exists;
    case SQL_ACTION_VALIDATE_CONSTRAINT:
        return find_dropped(drops, action->name.name) != NULL ? NULL : no_transaction;
    case SQL_ACTION_ADD_CONSTRAINT:
        dropped = find_dropped(drops, action->name.name);
        if (dropped != NULL && !dropped->added) {
            dropped->added = true;
            return NULL;
        }
        return no_transaction;
    default:
        return no_transaction;
    }
}

static void check_repeatable_alter(struct lint_file *file, struct drops *drops,
                                   const struct lint_statement *statement)
{
    for (uint32_t i = 0; i < statement->parsed.action_count; i++) {
        const struct sql_action *action = &statement->parsed.actions[i];
        const char *lacks = what_action_lacks(file, drops, action);
        if (lacks != NULL && !statement->in_transaction) {
            lint_add(file, LINT_RULE_PREFER_ROBUST, &action->span, lacks);
        }
    }
}

static const char *what_statement_lacks(const struct lint_file *file,
                                        const struct lint_statement *statement)
{
    const struct sql_statement *parsed = &statement->parsed;
    struct sql_cursor cursor;
    switch (parsed->kind) {
    case SQL_STATEMENT_CREATE_INDEX:
        return parsed->if_exists || parsed->index.name == NULL ? NULL : if_not_exists;
    case SQL_STATEMENT_CREATE_TABLE:
        if (parsed->if_exists || parsed->as_select ||
            (parsed->temporary && parsed->on_commit_drop)) {
            return NULL;
        }
        return if_not_exists;
    case SQL_STATEMENT_DROP_INDEX:
        return parsed->if_exists ? NULL : if_exists;
    default:
        sql_cursor_of_piece(&cursor, file->input->language, &statement->piece);
        bool drop = sql_take(&cursor, "DROP") && sql_take_one_of(&cursor, "TABLE|TYPE");
        return drop && !sql_at_words(&cursor, "IF EXISTS") ? if_exists : NULL;
    }
}

static void check_repeatable(struct lint_file *file)
{
    struct drops drops = {0};
    for (uint32_t i = 0; i < file->count; i++) {
        const struct lint_statement *statement = &file->statements[i];
        bool alone = statement->parsed.kind == SQL_STATEMENT_CREATE_INDEX &&
                     statement->parsed.concurrently.text != NULL;
        const char *lacks = what_statement_lacks(file, statement);
        check_repeatable_alter(file, &drops, statement);
        if (lacks != NULL && (alone || !statement->in_transaction)) {
            lint_add(file, LINT_RULE_PREFER_ROBUST, &statement->parsed.span, lacks);
        }
    }
}

void lint_rules_transaction(struct lint_file *file)
{
    check_nesting(file);
    if (file->input->language != SQL_POSTGRES) {
        return;
    }
    for (uint32_t i = 0; i < file->count; i++) {
        check_concurrently(file, &file->statements[i]);
    }
    /* transhume sets both timeouts, and knows which statements it has run. */
    if (file->input->transaction != LINT_AS_RUN) {
        check_timeouts(file);
        check_repeatable(file);
    }
}
