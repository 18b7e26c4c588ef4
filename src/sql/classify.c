#include "sql/classify.h"
#include "sql/function.h"
#include <stdlib.h>
#include <string.h>

/* How a statement begins, and words that must stand outside its parentheses, if any: the first row
 * that fits says its class. */
struct class_rule {
    const char *begins;
    const char *has; /* NULL: none are asked for */
    enum sql_statement_class class;
};

static const struct class_rule postgres_rules[] = {
    {"BEGIN", NULL, SQL_CLASS_TRANSACTION},
    {"START TRANSACTION", NULL, SQL_CLASS_TRANSACTION},
    {"COMMIT", NULL, SQL_CLASS_TRANSACTION},
    {"END", NULL, SQL_CLASS_TRANSACTION},
    {"ROLLBACK", NULL, SQL_CLASS_TRANSACTION},
    {"ABORT", NULL, SQL_CLASS_TRANSACTION},
    {"SAVEPOINT", NULL, SQL_CLASS_TRANSACTION},
    {"RELEASE", NULL, SQL_CLASS_TRANSACTION},
    {"PREPARE TRANSACTION", NULL, SQL_CLASS_TRANSACTION},
    {"SET", NULL, SQL_CLASS_SESSION},
    {"RESET", NULL, SQL_CLASS_SESSION},
    {"LISTEN", NULL, SQL_CLASS_SESSION},
    {"UNLISTEN", NULL, SQL_CLASS_SESSION},
    {"LOAD", NULL, SQL_CLASS_SESSION},
    {"PREPARE", NULL, SQL_CLASS_SESSION},
    {"DEALLOCATE", NULL, SQL_CLASS_SESSION},
    {"DISCARD ALL", NULL, SQL_CLASS_ALONE},
    {"DISCARD", NULL, SQL_CLASS_SESSION},
    {"VACUUM", NULL, SQL_CLASS_ALONE},
    {"CREATE DATABASE", NULL, SQL_CLASS_ALONE},
    {"DROP DATABASE", NULL, SQL_CLASS_ALONE},
    {"ALTER DATABASE", "TABLESPACE", SQL_CLASS_ALONE},
    {"CREATE TABLESPACE", NULL, SQL_CLASS_ALONE},
    {"DROP TABLESPACE", NULL, SQL_CLASS_ALONE},
    {"ALTER SYSTEM", NULL, SQL_CLASS_ALONE},
    {"CREATE SUBSCRIPTION", NULL, SQL_CLASS_ALONE},
    {"DROP SUBSCRIPTION", NULL, SQL_CLASS_ALONE},
    {"ALTER SUBSCRIPTION", "PUBLICATION", SQL_CLASS_ALONE},
    {"CREATE INDEX CONCURRENTLY", NULL, SQL_CLASS_ALONE},
    {"CREATE UNIQUE INDEX CONCURRENTLY", NULL, SQL_CLASS_ALONE},
    {"DROP INDEX CONCURRENTLY", NULL, SQL_CLASS_ALONE},
    {"ALTER TABLE", "CONCURRENTLY", SQL_CLASS_ALONE},
    {"ALTER TYPE", "ADD VALUE", SQL_CLASS_ALONE},
    {"CREATE", NULL, SQL_CLASS_DDL},
    {"ALTER", NULL, SQL_CLASS_DDL},
    {"DROP", NULL, SQL_CLASS_DDL},
    {"TRUNCATE", NULL, SQL_CLASS_DDL},
    {"COMMENT", NULL, SQL_CLASS_DDL},
    {"GRANT", NULL, SQL_CLASS_DDL},
    {"REVOKE", NULL, SQL_CLASS_DDL},
    {"REASSIGN", NULL, SQL_CLASS_DDL},
    {"SECURITY", NULL, SQL_CLASS_DDL},
    {"REFRESH", NULL, SQL_CLASS_DDL},
    {"IMPORT", NULL, SQL_CLASS_DDL},
    {"ANALYZE", NULL, SQL_CLASS_DDL},
    {"ANALYSE", NULL, SQL_CLASS_DDL},
    {"INSERT", NULL, SQL_CLASS_DML},
    {"UPDATE", NULL, SQL_CLASS_DML},
    {"DELETE", NULL, SQL_CLASS_DML},
    {"MERGE", NULL, SQL_CLASS_DML},
    {"NOTIFY", NULL, SQL_CLASS_DML},
    {"COPY", "FROM", SQL_CLASS_DML},
    {"COPY", "PROGRAM", SQL_CLASS_CALL},
    {"COPY", NULL, SQL_CLASS_READ},
    {"SHOW", NULL, SQL_CLASS_READ},
    {"FETCH", NULL, SQL_CLASS_READ},
    {"MOVE", NULL, SQL_CLASS_READ},
    {"DECLARE", NULL, SQL_CLASS_READ},
    {"CLOSE", NULL, SQL_CLASS_READ},
    {"LOCK", NULL, SQL_CLASS_READ},
    {"CHECKPOINT", NULL, SQL_CLASS_READ},
    {NULL, NULL, SQL_CLASS_CALL},
};

static const struct class_rule mysql_rules[] = {
    {"BEGIN NOT", NULL, SQL_CLASS_CALL},
    {"BEGIN", NULL, SQL_CLASS_TRANSACTION},
    {"START TRANSACTION", NULL, SQL_CLASS_TRANSACTION},
    {"COMMIT", NULL, SQL_CLASS_TRANSACTION},
    {"ROLLBACK", NULL, SQL_CLASS_TRANSACTION},
    {"SAVEPOINT", NULL, SQL_CLASS_TRANSACTION},
    {"RELEASE", NULL, SQL_CLASS_TRANSACTION},
    {"XA", NULL, SQL_CLASS_TRANSACTION},
    {"SET PASSWORD", NULL, SQL_CLASS_DDL},
    {"SET DEFAULT ROLE", NULL, SQL_CLASS_DDL},
    {"SET", NULL, SQL_CLASS_SESSION},
    {"USE", NULL, SQL_CLASS_SESSION},
    {"LOCK", NULL, SQL_CLASS_SESSION},
    {"UNLOCK", NULL, SQL_CLASS_SESSION},
    {"PREPARE", NULL, SQL_CLASS_SESSION},
    {"DEALLOCATE", NULL, SQL_CLASS_SESSION},
    {"DROP PREPARE", NULL, SQL_CLASS_SESSION},
    {"GET", NULL, SQL_CLASS_SESSION}, /* DIAGNOSTICS */
    {"CREATE", NULL, SQL_CLASS_DDL},
    {"ALTER", NULL, SQL_CLASS_DDL},
    {"DROP", NULL, SQL_CLASS_DDL},
    {"RENAME", NULL, SQL_CLASS_DDL},
    {"TRUNCATE", NULL, SQL_CLASS_DDL},
    {"GRANT", NULL, SQL_CLASS_DDL},
    {"REVOKE", NULL, SQL_CLASS_DDL},
    {"ANALYZE", NULL, SQL_CLASS_DDL},
    {"OPTIMIZE", NULL, SQL_CLASS_DDL},
    {"REPAIR", NULL, SQL_CLASS_DDL},
    {"CHECK", NULL, SQL_CLASS_DDL},
    {"CACHE", NULL, SQL_CLASS_DDL},
    {"LOAD INDEX", NULL, SQL_CLASS_DDL},
    {"FLUSH", NULL, SQL_CLASS_DDL},
    {"RESET", NULL, SQL_CLASS_DDL},
    {"PURGE", NULL, SQL_CLASS_DDL},
    {"CHANGE", NULL, SQL_CLASS_DDL},
    {"START", NULL, SQL_CLASS_DDL},
    {"STOP", NULL, SQL_CLASS_DDL},
    {"INSTALL", NULL, SQL_CLASS_DDL},
    {"UNINSTALL", NULL, SQL_CLASS_DDL},
    {"IMPORT", NULL, SQL_CLASS_DDL},
    {"KILL", NULL, SQL_CLASS_DDL},
    {"INSERT", NULL, SQL_CLASS_DML},
    {"REPLACE", NULL, SQL_CLASS_DML},
    {"UPDATE", NULL, SQL_CLASS_DML},
    {"DELETE", NULL, SQL_CLASS_DML},
    {"LOAD", NULL, SQL_CLASS_DML},
    {"SHOW", NULL, SQL_CLASS_READ},
    {"HELP", NULL, SQL_CLASS_READ},
    {"CHECKSUM", NULL, SQL_CLASS_READ},
    {"HANDLER", NULL, SQL_CLASS_READ},
    {NULL, NULL, SQL_CLASS_CALL},
};

static const struct class_rule sqlite_rules[] = {
    {"BEGIN", NULL, SQL_CLASS_TRANSACTION},
    {"COMMIT", NULL, SQL_CLASS_TRANSACTION},
    {"END", NULL, SQL_CLASS_TRANSACTION},
    {"ROLLBACK", NULL, SQL_CLASS_TRANSACTION},
    {"SAVEPOINT", NULL, SQL_CLASS_TRANSACTION},
    {"RELEASE", NULL, SQL_CLASS_TRANSACTION},
    {"VACUUM", NULL, SQL_CLASS_ALONE},
    {"ATTACH", NULL, SQL_CLASS_ALONE},
    {"DETACH", NULL, SQL_CLASS_ALONE},
    {"CREATE", NULL, SQL_CLASS_DDL},
    {"ALTER", NULL, SQL_CLASS_DDL},
    {"DROP", NULL, SQL_CLASS_DDL},
    {"ANALYZE", NULL, SQL_CLASS_DDL},
    {"REINDEX", NULL, SQL_CLASS_DDL},
    {"INSERT", NULL, SQL_CLASS_DML},
    {"REPLACE", NULL, SQL_CLASS_DML},
    {"UPDATE", NULL, SQL_CLASS_DML},
    {"DELETE", NULL, SQL_CLASS_DML},
    {NULL, NULL, SQL_CLASS_CALL},
};

static const struct class_rule cql_rules[] = {
    {"USE", NULL, SQL_CLASS_SESSION},   {"CREATE", NULL, SQL_CLASS_DDL},
    {"ALTER", NULL, SQL_CLASS_DDL},     {"DROP", NULL, SQL_CLASS_DDL},
    {"TRUNCATE", NULL, SQL_CLASS_DDL},  {"GRANT", NULL, SQL_CLASS_DDL},
    {"REVOKE", NULL, SQL_CLASS_DDL},    {"INSERT", NULL, SQL_CLASS_DML},
    {"UPDATE", NULL, SQL_CLASS_DML},    {"DELETE", NULL, SQL_CLASS_DML},
    {"BEGIN", NULL, SQL_CLASS_DML},     {"LIST", NULL, SQL_CLASS_READ},
    {"DESCRIBE", NULL, SQL_CLASS_READ}, {"DESC", NULL, SQL_CLASS_READ},
    {NULL, NULL, SQL_CLASS_CALL},
};

static bool has_outside(struct sql_cursor cursor, const char *words)
{
    while (!sql_at_end(&cursor)) {
        if (sql_at_words(&cursor, words)) {
            return true;
        }
        sql_skip_group(&cursor);
    }
    return false;
}

static enum sql_statement_class class_by_rules(const struct sql_cursor *cursor)
{
    static const struct class_rule *const rules[] = {[SQL_POSTGRES] = postgres_rules,
                                                     [SQL_MYSQL] = mysql_rules,
                                                     [SQL_SQLITE] = sqlite_rules,
                                                     [SQL_CQL] = cql_rules};
    const struct class_rule *rule = rules[cursor->lexer.language];
    while (rule->begins != NULL && (!sql_at_words(cursor, rule->begins) ||
                                    (rule->has != NULL && !has_outside(*cursor, rule->has)))) {
        rule++;
    }
    return rule->class;
}

/* ---------------------------------------------------------------- queries */

/* Findings in a query from its first word on. */
struct query {
    bool writes;      /* WITH … AS (DELETE …), WITH … UPDATE */
    bool calls;       /* a function that is not known to change nothing */
    bool sets;        /* set_config() */
    bool makes_table; /* PostgreSQL's SELECT … INTO */
    bool into_variable;
    bool into_file;
};

/* WITH name (columns) AS (…): the cursor is at the columns. */
static bool names_query(struct sql_cursor cursor)
{
    sql_skip_group(&cursor);
    if (!sql_take(&cursor, "AS")) {
        return false;
    }
    sql_take(&cursor, "NOT");
    sql_take(&cursor, "MATERIALIZED");
    return sql_at_mark(&cursor, '(');
}

/* A word in front of a parenthesis, at which the cursor is; `before` are the two in front of it. */
static void see_call(struct query *query, const struct sql_token *word,
                     const struct sql_token before[2], const struct sql_cursor *cursor)
{
    bool alias = sql_token_is_word(&before[0], "AS") || sql_token_is_mark(&before[0], ')');
    bool qualified = sql_token_is_mark(&before[0], '.');
    if (alias || names_query(*cursor)) {
        return;
    }
    if (sql_token_is_word(word, "set_config")) {
        query->sets = true;
        return;
    }
    query->calls |= !sql_function_changes_nothing(word) ||
                    (qualified && !sql_token_is_word(&before[1], "pg_catalog"));
}

/* Behind INTO: what it is of a query, or the table of an INSERT in it, whose columns are skipped.
 */
static void see_into(struct query *query, struct sql_cursor *cursor, bool outside)
{
    struct sql_cursor ahead = *cursor;
    if (outside) {
        query->makes_table |= cursor->lexer.language == SQL_POSTGRES;
        query->into_file |= sql_at_one_of(cursor, "OUTFILE|DUMPFILE");
        query->into_variable |= !query->into_file;
    }
    do {
        sql_advance(&ahead);
    } while (sql_take_mark(&ahead, '.'));
    if (sql_at_mark(&ahead, '(')) {
        sql_skip_group(&ahead);
        *cursor = ahead;
    }
}

static struct query look_at_query(struct sql_cursor cursor)
{
    struct query query = {0};
    struct sql_token before[2] = {0};
    uint32_t depth = 0;
    while (!sql_at_end(&cursor)) {
        const struct sql_token token = cursor.token;
        bool begins = sql_token_is_mark(&before[0], '(') || sql_token_is_mark(&before[0], ')');
        bool writes = sql_at_one_of(&cursor, "INSERT|UPDATE|DELETE|MERGE|REPLACE");
        depth += sql_token_is_mark(&token, '(');
        depth -= depth > 0 && sql_token_is_mark(&token, ')');
        sql_advance(&cursor);
        bool call = sql_at_mark(&cursor, '(') && token.kind == SQL_TOKEN_WORD;
        query.writes |= begins && writes && !call;
        if (call) {
            see_call(&query, &token, before, &cursor);
        } else if (sql_token_is_word(&token, "INTO")) {
            see_into(&query, &cursor, depth == 0 && !query.writes);
        }
        before[1] = before[0];
        before[0] = token;
    }
    return query;
}

static enum sql_statement_class class_of_query(const struct sql_cursor *cursor)
{
    const struct query query = look_at_query(*cursor);
    if (query.writes) {
        return SQL_CLASS_DML;
    }
    if (query.calls || query.into_file) {
        return SQL_CLASS_CALL;
    }
    if (query.makes_table) {
        return SQL_CLASS_DDL;
    }
    return query.sets || query.into_variable ? SQL_CLASS_SESSION : SQL_CLASS_READ;
}

/* ---------------------------------------------------------------- what needs a closer look */

static enum sql_statement_class class_of(struct sql_cursor *cursor);

/* EXPLAIN reads, but with ANALYZE the statement runs. */
static enum sql_statement_class class_of_explain(struct sql_cursor *cursor)
{
    bool runs = false;
    sql_advance(cursor);
    if (sql_at_mark(cursor, '(')) {
        struct sql_cursor options = *cursor;
        sql_skip_group(cursor);
        while (options.token.text < cursor->token.text && !sql_at_end(&options)) {
            runs |= sql_at_one_of(&options, "ANALYZE|ANALYSE");
            sql_advance(&options);
        }
    } else {
        runs = sql_take_one_of(cursor, "ANALYZE|ANALYSE");
        sql_take(cursor, "VERBOSE");
        if (sql_take(cursor, "FORMAT")) {
            sql_advance(cursor); /* = */
            sql_advance(cursor);
        }
    }
    return runs && cursor->lexer.language != SQL_SQLITE ? class_of(cursor) : SQL_CLASS_READ;
}

/* REINDEX [(…)] INDEX|TABLE of one; of more, or CONCURRENTLY, alone. */
static enum sql_statement_class class_of_reindex(struct sql_cursor *cursor)
{
    struct sql_cursor options = *cursor;
    sql_advance(cursor);
    if (sql_at_mark(cursor, '(')) {
        sql_skip_group(cursor);
        while (options.token.text < cursor->token.text && !sql_at_end(&options)) {
            if (sql_at(&options, "CONCURRENTLY")) {
                return SQL_CLASS_ALONE;
            }
            sql_advance(&options);
        }
    }
    if (sql_at_one_of(cursor, "DATABASE|SYSTEM|SCHEMA")) {
        return SQL_CLASS_ALONE;
    }
    sql_advance(cursor);
    return sql_at(cursor, "CONCURRENTLY") ? SQL_CLASS_ALONE : SQL_CLASS_DDL;
}

static const char *const pragma_outside[] = {"foreign_keys", "synchronous", "temp_store", NULL};

/* In a name such as main.foreign_keys, the last part. */
static void enter_pragma(struct sql_cursor *cursor)
{
    sql_advance(cursor);
    struct sql_cursor ahead = *cursor;
    sql_advance(&ahead);
    if (sql_take_mark(&ahead, '.')) {
        *cursor = ahead;
    }
}

static enum sql_statement_class class_of_pragma(struct sql_cursor *cursor)
{
    static const char reads[] =
        "table_info|table_xinfo|table_list|index_list|index_info|index_xinfo|foreign_key_list|"
        "foreign_key_check|integrity_check|quick_check|database_list|collation_list|function_list|"
        "module_list|pragma_list|compile_options|stats";
    static const char file[] = "journal_mode|page_size|auto_vacuum|encoding|locking_mode|"
                               "wal_checkpoint|journal_size_limit|mmap_size";
    static const char schema[] = "user_version|application_id|schema_version|optimize|"
                                 "incremental_vacuum|writable_schema|default_cache_size";
    enter_pragma(cursor);
    const struct sql_cursor name = *cursor;
    sql_advance(cursor);
    bool sets = !sql_at_end(cursor) || sql_at_one_of(&name, "optimize|incremental_vacuum|"
                                                            "wal_checkpoint");
    if (!sets || sql_at_one_of(&name, reads)) {
        return SQL_CLASS_READ;
    }
    return sql_at_one_of(&name, file)     ? SQL_CLASS_ALONE
           : sql_at_one_of(&name, schema) ? SQL_CLASS_DDL
                                          : SQL_CLASS_SESSION;
}

static enum sql_statement_class class_of_postgres(struct sql_cursor *cursor)
{
    if (sql_at(cursor, "REINDEX")) {
        return class_of_reindex(cursor);
    }
    if (sql_at(cursor, "CLUSTER")) {
        sql_advance(cursor);
        if (sql_at_mark(cursor, '(')) {
            sql_skip_group(cursor);
        }
        sql_take(cursor, "VERBOSE");
        return sql_at_end(cursor) ? SQL_CLASS_ALONE : SQL_CLASS_DDL;
    }
    return class_by_rules(cursor);
}

static enum sql_statement_class class_of_mysql(struct sql_cursor *cursor)
{
    struct sql_cursor ahead = *cursor;
    if (sql_take(&ahead, "ANALYZE") &&
        (sql_at_one_of(&ahead, "FORMAT|SELECT|WITH|UPDATE|DELETE|INSERT|REPLACE"))) {
        if (sql_take(&ahead, "FORMAT")) { /* MariaDB's ANALYZE FORMAT=JSON SELECT … */
            sql_advance(&ahead);
            sql_advance(&ahead);
        }
        return class_of(&ahead);
    }
    if (sql_take_words(&ahead, "SET STATEMENT")) { /* MariaDB's, for one statement */
        while (!sql_at_end(&ahead) && !sql_take(&ahead, "FOR")) {
            sql_advance(&ahead);
        }
        return class_of(&ahead);
    }
    return class_by_rules(cursor);
}

static enum sql_statement_class class_of(struct sql_cursor *cursor)
{
    while (sql_take_mark(cursor, '(')) {
    }
    bool cql = cursor->lexer.language == SQL_CQL;
    if (cql && sql_at(cursor, "SELECT")) {
        return SQL_CLASS_READ;
    }
    if (!cql && sql_at_one_of(cursor, "SELECT|WITH|VALUES|TABLE")) {
        return class_of_query(cursor);
    }
    if (!cql && sql_at_one_of(cursor, "EXPLAIN|DESCRIBE|DESC")) {
        return class_of_explain(cursor);
    }
    switch (cursor->lexer.language) {
    case SQL_POSTGRES:
        return class_of_postgres(cursor);
    case SQL_MYSQL:
        return class_of_mysql(cursor);
    case SQL_SQLITE:
        return sql_at(cursor, "PRAGMA") ? class_of_pragma(cursor) : class_by_rules(cursor);
    case SQL_CQL:
        break;
    }
    return class_by_rules(cursor);
}

/* Does a server of this version take what stands in the condition? MariaDB leaves out what is for
 * MySQL 5.7 and newer. */
static bool meets_condition(const struct sql_piece *piece, uint32_t server_version)
{
    enum { MARIADB = 100000, NOT_FOR_MARIADB = 50700 };
    const char *at = piece->run + 2;
    bool mariadb = server_version >= MARIADB;
    if (*at == 'M') {
        if (!mariadb) {
            return false;
        }
        at++;
    }
    unsigned long asked = strtoul(at + 1, NULL, 10);
    return asked <= server_version && (!mariadb || asked < NOT_FOR_MARIADB || asked >= MARIADB);
}

enum sql_statement_class sql_classify(enum sql_language language, const struct sql_piece *piece,
                                      uint32_t server_version)
{
    struct sql_cursor cursor;
    if (server_version > 0 && piece->run != piece->text &&
        !meets_condition(piece, server_version)) {
        return SQL_CLASS_READ;
    }
    sql_cursor_of_piece(&cursor, language, piece);
    return class_of(&cursor);
}

const char *sql_class_name(enum sql_statement_class class)
{
    static const char *const names[] = {"session", "transaction", "alone", "DDL",
                                        "DML",     "read",        "call"};
    return names[class];
}

bool sql_needs_no_transaction(enum sql_language language, const struct sql_piece *piece)
{
    struct sql_cursor cursor;
    sql_cursor_of_piece(&cursor, language, piece);
    if (language != SQL_SQLITE || !sql_at(&cursor, "PRAGMA")) {
        return false;
    }
    enter_pragma(&cursor);
    for (uint32_t i = 0; pragma_outside[i] != NULL; i++) {
        if (sql_take(&cursor, pragma_outside[i])) {
            return !sql_at_end(&cursor);
        }
    }
    return false;
}
