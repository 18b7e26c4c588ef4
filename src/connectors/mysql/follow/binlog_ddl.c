/* Reading statements of the binary log, whose names and changes alone count. */
#include "connectors/mysql/follow/binlog_ddl.h"
#include "sql/lexer.h"
#include <string.h>

struct reading {
    struct sql_lexer lexer;
    struct sql_token token;
    struct arena *arena;
    struct binlog_ddl *ddl;
    uint32_t capacity;
};

static void binlog_ddl_next(struct reading *reading)
{
    reading->token = sql_lexer_next_code(&reading->lexer);
}

static bool is(const struct reading *reading, const char *word)
{
    return sql_token_is_word(&reading->token, word);
}

static bool binlog_ddl_take(struct reading *reading, const char *word)
{
    bool found = is(reading, word);
    if (found) {
        binlog_ddl_next(reading);
    }
    return found;
}

static bool take_mark(struct reading *reading, char mark)
{
    bool found = sql_token_is_mark(&reading->token, mark);
    if (found) {
        binlog_ddl_next(reading);
    }
    return found;
}

static const char *take_name(struct reading *reading)
{
    if (!sql_token_is_name(&reading->token, SQL_MYSQL) || reading->token.unterminated) {
        return NULL;
    }
    const char *name = sql_token_name(&reading->token, SQL_MYSQL, reading->arena);
    binlog_ddl_next(reading);
    return name;
}

static void binlog_ddl_add(struct reading *reading, const char *database, const char *table)
{
    struct binlog_ddl *ddl = reading->ddl;
    if (ddl->table_count == reading->capacity) {
        uint32_t capacity = reading->capacity == 0 ? 4 : 2 * reading->capacity;
        struct binlog_table_name *grown =
            arena_allocate_zeroed(reading->arena, capacity, sizeof *grown);
        if (ddl->table_count > 0) {
            memcpy(grown, ddl->tables, ddl->table_count * sizeof *grown);
        }
        ddl->tables = grown;
        reading->capacity = capacity;
    }
    ddl->tables[ddl->table_count++] = (struct binlog_table_name){database, table};
}

static bool take_table(struct reading *reading)
{
    const char *database = NULL;
    const char *name = take_name(reading);
    if (name != NULL && take_mark(reading, '.')) {
        database = name;
        name = take_name(reading);
    }
    if (name != NULL) {
        binlog_ddl_add(reading, database, name);
    }
    return name != NULL;
}

static void skip_if_exists(struct reading *reading)
{
    if (binlog_ddl_take(reading, "IF")) {
        (void)binlog_ddl_take(reading, "NOT");
        (void)binlog_ddl_take(reading, "EXISTS");
    }
}

/* MariaDB's */
static void skip_wait(struct reading *reading)
{
    if (binlog_ddl_take(reading, "WAIT")) {
        binlog_ddl_next(reading);
    } else {
        (void)binlog_ddl_take(reading, "NOWAIT");
    }
}

/* ---------------------------------------------------------------- by their first word */

static void read_truncate(struct reading *reading)
{
    (void)binlog_ddl_take(reading, "TABLE");
    if (take_table(reading)) {
        reading->ddl->deeds |= BINLOG_EMPTIES;
    }
}

static void read_drop(struct reading *reading)
{
    bool database = is(reading, "DATABASE") || is(reading, "SCHEMA");
    if (!database && !is(reading, "TABLE") && !is(reading, "TABLES")) {
        return; /* TEMPORARY, too */
    }
    binlog_ddl_next(reading);
    skip_if_exists(reading);
    reading->ddl->deeds |= BINLOG_REPLACES;
    if (database) {
        const char *name = take_name(reading);
        if (name != NULL) {
            binlog_ddl_add(reading, name, NULL);
        }
        return;
    }
    while (take_table(reading) && take_mark(reading, ',')) {
    }
}

static void read_rename(struct reading *reading)
{
    if (!binlog_ddl_take(reading, "TABLE") && !binlog_ddl_take(reading, "TABLES")) {
        return;
    }
    reading->ddl->deeds |= BINLOG_REPLACES;
    skip_if_exists(reading);
    while (take_table(reading)) {
        skip_wait(reading);
        if (!binlog_ddl_take(reading, "TO") || !take_table(reading) || !take_mark(reading, ',')) {
            return;
        }
    }
}

/* REFERENCES … ON DELETE CASCADE and the like; the word ON was read. */
static void read_action(struct reading *reading)
{
    if ((binlog_ddl_take(reading, "DELETE") || binlog_ddl_take(reading, "UPDATE")) &&
        (is(reading, "CASCADE") || is(reading, "SET"))) {
        reading->ddl->deeds |= BINLOG_ACTS;
    }
}

static void read_to_end(struct reading *reading)
{
    while (reading->token.kind != SQL_TOKEN_END) {
        if (binlog_ddl_take(reading, "ON")) {
            read_action(reading);
        } else {
            binlog_ddl_next(reading);
        }
    }
}

static void read_create(struct reading *reading)
{
    bool again = binlog_ddl_take(reading, "OR") && binlog_ddl_take(reading, "REPLACE");
    if (again && (binlog_ddl_take(reading, "DATABASE") || binlog_ddl_take(reading, "SCHEMA"))) {
        const char *name = take_name(reading);
        if (name != NULL) {
            binlog_ddl_add(reading, name, NULL);
        }
        reading->ddl->deeds |= BINLOG_REPLACES;
        return;
    }
    if (!binlog_ddl_take(reading, "TABLE")) {
        return; /* TEMPORARY, too */
    }
    skip_if_exists(reading);
    if (take_table(reading)) {
        reading->ddl->deeds |= BINLOG_DEFINES | (again ? BINLOG_REPLACES : 0);
        read_to_end(reading);
    }
}

/* ---------------------------------------------------------------- ALTER TABLE */

/* TRUNCATE PARTITION …; EXCHANGE PARTITION p WITH TABLE t; MariaDB: CONVERT PARTITION p TO TABLE t,
 * CONVERT TABLE t TO PARTITION p …. The rest of the statement is theirs. */
static void read_partition(struct reading *reading)
{
    reading->ddl->deeds |= BINLOG_REPLACES;
    while (reading->token.kind != SQL_TOKEN_END) {
        if (!binlog_ddl_take(reading, "TABLE")) {
            binlog_ddl_next(reading);
        } else if (!take_table(reading)) {
            return;
        }
    }
}

static void read_renaming(struct reading *reading)
{
    if (is(reading, "COLUMN") || is(reading, "INDEX") || is(reading, "KEY")) {
        reading->ddl->deeds |= is(reading, "COLUMN") ? BINLOG_REDEFINES : 0;
        return;
    }
    if (!binlog_ddl_take(reading, "TO")) {
        (void)binlog_ddl_take(reading, "AS");
    }
    while (reading->token.kind == SQL_TOKEN_OPERATOR) {
        binlog_ddl_next(reading);
    }
    if (take_table(reading)) {
        reading->ddl->deeds |= BINLOG_REPLACES;
    }
}

/* DROP was read: is it a column? */
static bool drops_column(const struct reading *reading)
{
    static const char *const others[] = {"INDEX",      "KEY",   "PRIMARY",   "FOREIGN",
                                         "CONSTRAINT", "CHECK", "PARTITION", "TABLESPACE",
                                         "SYSTEM",     "PERIOD"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (is(reading, others[i])) {
            return false;
        }
    }
    return true;
}

/* The words that begin one of the changes. */
static void read_clause(struct reading *reading)
{
    static const char *const moving[] = {"TRUNCATE", "DROP",   "EXCHANGE",
                                         "DISCARD",  "IMPORT", "CONVERT"};
    for (size_t i = 0; i < sizeof moving / sizeof moving[0]; i++) {
        if (!binlog_ddl_take(reading, moving[i])) {
            continue;
        }
        if (i == 1 && drops_column(reading)) {
            reading->ddl->deeds |= BINLOG_REWRITES;
        }
        if (is(reading, "PARTITION") || is(reading, "TABLESPACE") ||
            (i == sizeof moving / sizeof moving[0] - 1 && is(reading, "TABLE"))) {
            read_partition(reading);
        } else if (is(reading, "TO")) { /* CONVERT TO CHARACTER SET */
            reading->ddl->deeds |= BINLOG_REDEFINES | BINLOG_REWRITES;
        }
        return;
    }
    if (binlog_ddl_take(reading, "RENAME")) {
        read_renaming(reading);
    } else if (binlog_ddl_take(reading, "MODIFY") || binlog_ddl_take(reading, "CHANGE")) {
        reading->ddl->deeds |= BINLOG_REDEFINES | BINLOG_REWRITES;
    }
}

static void read_alter(struct reading *reading)
{
    while (binlog_ddl_take(reading, "ONLINE") || binlog_ddl_take(reading, "OFFLINE") ||
           binlog_ddl_take(reading, "IGNORE")) {
    }
    if (!binlog_ddl_take(reading, "TABLE")) {
        return;
    }
    skip_if_exists(reading);
    if (!take_table(reading)) {
        return;
    }
    reading->ddl->deeds |= BINLOG_DEFINES;
    skip_wait(reading);
    int depth = 0;
    read_clause(reading);
    while (reading->token.kind != SQL_TOKEN_END) {
        if (sql_token_is_mark(&reading->token, '(')) {
            depth++;
        } else if (sql_token_is_mark(&reading->token, ')')) {
            depth--;
        } else if (binlog_ddl_take(reading, "ON")) {
            read_action(reading);
            continue;
        } else if (depth == 0 && take_mark(reading, ',')) {
            read_clause(reading);
            continue;
        }
        binlog_ddl_next(reading);
    }
}

void binlog_read_ddl(struct text statement, struct arena *arena, struct binlog_ddl *ddl)
{
    struct reading reading = {.arena = arena, .ddl = ddl};
    *ddl = (struct binlog_ddl){0};
    sql_lexer_init(&reading.lexer, SQL_MYSQL, statement.data, statement.length, NULL);
    binlog_ddl_next(&reading);
    if (binlog_ddl_take(&reading, "TRUNCATE")) {
        read_truncate(&reading);
    } else if (binlog_ddl_take(&reading, "DROP")) {
        read_drop(&reading);
    } else if (binlog_ddl_take(&reading, "RENAME")) {
        read_rename(&reading);
    } else if (binlog_ddl_take(&reading, "CREATE")) {
        read_create(&reading);
    } else if (binlog_ddl_take(&reading, "ALTER")) {
        read_alter(&reading);
    }
}
