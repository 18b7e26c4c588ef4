/* The parts of the lint: a file as the rules see it, and how they report. */
#ifndef TRANSHUME_EVOLVE_LINT_LINT_INTERNAL_H
#define TRANSHUME_EVOLVE_LINT_LINT_INTERNAL_H

#include "evolve/lint/lint.h"
#include "sql/classify.h"
#include "sql/statement.h"

enum lint_rule_number {
#define LINT_RULE(name, id, kinds, dialects, level, lock, flags, message, help) LINT_RULE_##name,
#include "evolve/lint/rules.def"
#undef LINT_RULE
    LINT_RULE_COUNT
};

struct lint_statement {
    struct sql_piece piece;
    enum sql_statement_class class;
    struct sql_statement parsed;
    bool in_transaction; /* with others that come before or behind it */
    bool begins;         /* BEGIN, START TRANSACTION */
    bool commits;        /* COMMIT, END */
    bool rolls_back;     /* ROLLBACK, ABORT, not to a savepoint */
};

struct lint_file {
    const struct lint_input *input;
    struct lint_report *report;
    struct arena *arena;
    enum lint_transaction transaction; /* what the file says counts more than what was asked for */
    struct lint_statement *statements;
    uint32_t count;
    const char **created; /* tables that are made in this file; PostgreSQL: in a transaction, so
                             that nobody else has seen them */
    uint32_t created_count;
    uint32_t created_capacity;
    uint32_t first_finding; /* in the report */
};

/* ---------------------------------------------------------------- findings.c: findings */

/* Adds a finding, unless the rule does not count here. `message` NULL: the rule's. */
void lint_add(struct lint_file *file, enum lint_rule_number rule, const struct sql_span *span,
              const char *message);
/* The same of a table, whose size counts. */
void lint_add_of(struct lint_file *file, enum lint_rule_number rule, const struct sql_span *span,
                 const struct sql_name *table, const char *message);
/* The same with a help of its own. */
void lint_add_help(struct lint_file *file, enum lint_rule_number rule, const struct sql_span *span,
                   const char *message, const char *help);
/* The lock of the last finding, if it is one of the rule, which mostly takes another one. */
void lint_set_lock(struct lint_file *file, enum lint_rule_number rule, enum lint_lock lock);
void lint_add_syntax(struct lint_file *file, const char *what, const struct sql_place *place);
/* Splits, classifies and reads the file; what cannot be is a finding. */
void lint_read_statements(struct lint_file *file);
bool lint_is_created(const struct lint_file *file, const struct sql_name *table);
/* SQLite: is another table given the name of this one behind the statement? Then its rows are
 * there. */
bool lint_is_replaced(const struct lint_file *file, const struct lint_statement *statement,
                      const char *table);
/* The table and the column as the schema knows them; NULL: it does not. */
const struct schema_table *lint_table(const struct lint_file *file, const struct sql_name *table);
const struct schema_column *lint_column(const struct lint_file *file, const struct sql_name *table,
                                        const char *column);

/* ---------------------------------------------------------------- rules of SQL, a file each */

void lint_rules_alter(struct lint_file *file);  /* ALTER TABLE */
void lint_rules_index(struct lint_file *file);  /* indexes, REINDEX, REFRESH, VACUUM */
void lint_rules_type(struct lint_file *file);   /* types of columns */
void lint_rules_object(struct lint_file *file); /* DROP, TRUNCATE, domains, enums, names */
void lint_rules_transaction(
    struct lint_file *file);                  /* BEGIN, COMMIT, timeouts, what can be repeated */
void lint_rules_rows(struct lint_file *file); /* INSERT, UPDATE, DELETE */
void lint_rules_mysql(struct lint_file *file);
void lint_rules_sqlite(struct lint_file *file);

/* ---------------------------------------------------------------- type_change.c */

/* "enum(…)" or "set(…)" */
bool lint_is_members(const char *type);
/* Does the column, as it is known (NULL: it is not), keep its bytes when it gets the type, so that
 * nothing is read or written? */
bool lint_is_free_change(const struct lint_file *file, const struct schema_column *column,
                         const struct sql_span *type);

/* ---------------------------------------------------------------- other files */

void lint_cql(struct lint_file *file);
void lint_dynamodb(struct lint_file *file);
void lint_http(struct lint_file *file);
void lint_mongo(struct lint_file *file);

/* ---------------------------------------------------------------- suppress.c */

/* Takes findings of this file off the report that a comment in it says to leave out. */
void lint_suppress(struct lint_file *file);
/* Does a comment of the file say so: "transhume:transaction none"? */
bool lint_says(const struct lint_file *file, const char *directive);

#endif
