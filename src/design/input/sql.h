/* Statements of SQL, one after the other, as a workload. */
#ifndef TRANSHUME_DESIGN_INPUT_SQL_H
#define TRANSHUME_DESIGN_INPUT_SQL_H

#include "base/findings.h"
#include "design/workload/statement.h"
#include "sql/lexer.h"

enum {
    INPUT_STATEMENTS_MAX = 20000, /* different ones; what comes later is counted and dropped */
    INPUT_STATEMENT_BYTES_MAX = 1 << 20
};

struct input_sql_report {
    uint64_t statements;  /* given, whatever their weight; parts of a UNION each as one */
    uint64_t passed_over; /* that read or write no table of the schema: SET, BEGIN, CREATE, SELECT
                             1, the database's own catalogue */
    uint64_t unparsable;
    uint64_t unresolved;      /* a table or a column that the schema has not */
    uint64_t dropped;         /* too long, too deep, or too many different ones */
    struct findings findings; /* each text once */
};

/* One statement or several with ; between them. */
struct input_text {
    const char *sql;
    size_t length;
    double weight;    /* above 0 */
    const char *name; /* NULL: none */
    uint32_t line;    /* where it begins, for findings */
    uint32_t column;
};

struct input_sql;

/* The workload and all texts live in `arena`. `language`: of the texts that are added first. */
struct input_sql *input_sql_create(const struct graph *graph, enum sql_language language,
                                   struct arena *arena);
/* The language of the texts that follow. */
void input_sql_set_language(struct input_sql *self, enum sql_language language);
/*
 * SELECT, INSERT, UPDATE and DELETE become statements; the parts of a UNION are statements of their
 * own. Literals count as parameters: statements that differ in these alone are one, which has all
 * their weight. What cannot be parsed, or names what the schema has not, is reported, counted and
 * left out.
 */
void input_sql_add(struct input_sql *self, const struct input_text *text);
/* The workload, those of more weight first, and what was left out. Ends the collection. */
void input_sql_finish(struct input_sql *self, struct workload *workload,
                      struct input_sql_report *report);
/* Ends it without a workload; NULL is fine. */
void input_sql_destroy(struct input_sql *self);
/* So far; readers of logs add what they leave out themselves. */
struct input_sql_report *input_sql_report(struct input_sql *self);

#endif
