/*
 * Reviews a migration before it runs: what would lock out readers or writers, rewrite a table, lose
 * data, break the application that still runs, or fail half-way.
 *
 * Without a server; what a server would know (how large tables are, what type a column has) may be
 * given. Rules that another linter has, too, have its ids, so that its comments count here:
 *
 *   -- transhume:ignore rule[,rule]     the finding in this line or the next
 *   -- transhume:ignore-file [rule,…]   all of them in the file; without rules, no finding at all
 *   -- transhume:ignore-next …          as ignore
 *   -- squawk-ignore rule, squawk-ignore-file, -- atlas:nolint [rule]     likewise
 *
 *     struct lint_report report;
 *     lint_report_init(&report);
 *     struct lint_input input = {.file = path, .text = text, .length = length,
 *                                .kind = LINT_SQL, .language = SQL_POSTGRES};
 *     lint_text(&input, &report);     for each file
 *     lint_write(&report, LINT_FORM_TEXT, &out);
 *     report.errors + report.warnings > 0: exit code 1
 *     lint_report_free(&report);
 */
#ifndef TRANSHUME_EVOLVE_LINT_LINT_H
#define TRANSHUME_EVOLVE_LINT_LINT_H

#include "base/buffer.h"
#include "model/schema.h"
#include "sql/lexer.h"

enum lint_level {
    LINT_NOTE,    /* good to know; no reason to stop */
    LINT_WARNING, /* may lock, rewrite, lose or break something */
    LINT_ERROR    /* will fail, or does not do what it says */
};

/* The lock that a statement needs of a table, and so what others wait for. */
enum lint_lock {
    LINT_LOCK_NONE,   /* nothing, or it is not known */
    LINT_LOCK_SCHEMA, /* other changes of the schema wait */
    LINT_LOCK_WRITES, /* and writers */
    LINT_LOCK_READS   /* and readers */
};

/* By the ending of a file's name. */
enum lint_kind {
    LINT_SQL,
    LINT_CQL,      /* .cql: Cassandra */
    LINT_DYNAMODB, /* .dynamodb.json */
    LINT_HTTP,     /* .http: OpenSearch */
    LINT_MONGO     /* .mongo.json */
};

/* Which statements are one transaction. */
enum lint_transaction {
    LINT_AS_RUN, /* as `transhume schema up` runs them: the file is one, but for statements that may
                    not be in one, and unless it says "-- transhume:transaction none" */
    LINT_ALONE,  /* each by itself, unless the file says BEGIN */
    LINT_WHOLE   /* all of the file, whatever it has: as tools that know no exceptions */
};

struct lint_rule {
    const char *id;
    uint8_t kinds;    /* bits by enum lint_kind */
    uint8_t dialects; /* of SQL: bits by enum sql_language */
    enum lint_level level;
    enum lint_lock lock;
    bool rewrites;       /* the table is written anew under the lock */
    bool is_optional;    /* only where it is asked for by its id */
    bool goes_by_size;   /* a table known to be small makes it a note */
    const char *message; /* what is wrong, a sentence; a finding may have one of its own */
    const char *help;    /* what to write instead; NULL: nothing better is known */
};

/* All rules, in the order of their ids; the same in every call. */
const struct lint_rule *lint_rules(uint32_t *count);
/* NULL: there is none. Also by the ids of ours that are another's under another name. */
const struct lint_rule *lint_rule_find(const char *id, size_t length);

struct lint_input {
    const char *file; /* for the findings */
    const char *text;
    size_t length;
    enum lint_kind kind;
    enum sql_language language; /* of LINT_SQL */
    uint32_t server_version;    /* 150004, 80035, 101106; 0: not known, the newest is meant */
    enum lint_transaction transaction;
    const struct schema *schema; /* what is there before, with sizes; NULL: not known */
    const char *const *with;     /* ids of optional rules that count, ended by NULL; NULL: none */
    const char *const *without;  /* ids that do not count, ended by NULL; NULL: none */
    bool passes_over_comments;   /* those that leave findings out do not count */
};

/* Lines and columns count from 1, columns in characters; `end` is behind the last one. */
struct lint_finding {
    const char *file;
    const struct lint_rule *rule;
    enum lint_level level; /* the rule's, unless more is known */
    enum lint_lock lock;   /* likewise */
    struct sql_place place;
    struct sql_place end;
    const char *message;
    const char *help;                 /* NULL: none */
    const struct schema_table *table; /* of the input's schema; NULL: not known */
};

struct lint_report {
    struct arena *arena;           /* what findings point to */
    struct lint_finding *findings; /* by file as they came, then by place */
    uint32_t count;
    uint32_t capacity;
    uint32_t files;
    uint32_t notes;
    uint32_t warnings;
    uint32_t errors;
    uint32_t suppressed; /* by comments */
};

void lint_report_init(struct lint_report *report);
void lint_report_free(struct lint_report *report);

/* Adds the findings of a text. It has none of its own that fail: what cannot be read is a finding
 * ("syntax"). */
void lint_text(const struct lint_input *input, struct lint_report *report);

/* ---------------------------------------------------------------- what a statement costs */

/* The work that a statement does with all rows of its table. */
enum lint_work {
    LINT_WORK_NONE,    /* it is short, whatever the table's size */
    LINT_WORK_READ,    /* reads it through */
    LINT_WORK_INDEX,   /* builds an index */
    LINT_WORK_REWRITE, /* writes it anew */
    LINT_WORK_ROWS     /* changes rows one by one */
};

struct lint_cost {
    bool lock_known;
    enum lint_lock lock;
    bool whole_database; /* SQLite: the lock is of all tables */
    enum lint_work work;
    const char *table; /* NULL: of none, or not known */
    int64_t rows;      /* -1: not known */
    int64_t bytes;     /* -1: not known */
    double seconds;    /* by the sizes, with rates of middling machines; below 0: not known */
};

/*
 * Judges one statement of `input`, `length` bytes of SQL; what the table is known to hold comes
 * from the input's schema. What it costs goes by the rules above too, comments or not. The names
 * live in the arena.
 */
void lint_cost_of(const struct lint_input *input, const char *text, size_t length,
                  struct arena *arena, struct lint_cost *cost);
const char *lint_work_name(enum lint_work work);
const char *lint_lock_name(enum lint_lock lock);

enum lint_form {
    LINT_FORM_TEXT,  /* for people: file:line:column, rule, message, help, a count at the end */
    LINT_FORM_JSON,  /* an array of {file, line, column, line_end, column_end, level, rule, message,
                        help, lock, rewrites} */
    LINT_FORM_SARIF, /* SARIF 2.1.0 */
    LINT_FORM_GITHUB /* commands of a GitHub workflow, ::warning file=… */
};

void lint_write(const struct lint_report *report, enum lint_form form, struct buffer *out);

#endif
