/*
 * A statement of the workload, as the designer sees it: which entities it joins, what it is given,
 * what it wants, in which order, and how often it runs. The readers of SQL and of query logs make
 * these; the search knows nothing of SQL.
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_STATEMENT_H
#define TRANSHUME_DESIGN_WORKLOAD_STATEMENT_H

#include "design/graph/graph.h"

enum workload_kind { WORKLOAD_SELECT, WORKLOAD_INSERT, WORKLOAD_UPDATE, WORKLOAD_DELETE };

/* A field of one of the statement's aliases. */
struct workload_reference {
    uint32_t alias;
    uint32_t field;
};

/* An occurrence of an entity in FROM: one that occurs twice is two aliases. */
struct workload_alias {
    const char *name;
    uint32_t entity;
    bool optional; /* the inner side of an outer join: its fields may be missing in a result */
};

/* Each row of `from` meets the row of `to` that `relation` refers to. */
struct workload_join {
    uint32_t from; /* aliases */
    uint32_t to;
    uint32_t relation;
};

enum workload_test {
    WORKLOAD_EQUAL, /* = ? */
    WORKLOAD_IN,    /* IN (?, ?, …), or = ANY */
    WORKLOAD_RANGE, /* <, <=, >, >=, BETWEEN, LIKE 'x%' */
    WORKLOAD_FILTER /* what no key can answer, and rows that were read can: <>, IS NULL, LIKE '%x',
                       an expression */
};

/* Bounds of a range. */
enum workload_bound {
    WORKLOAD_ABOVE = 1,
    WORKLOAD_AT_LEAST = 2,
    WORKLOAD_BELOW = 4,
    WORKLOAD_AT_MOST = 8
};

struct workload_predicate {
    enum workload_test test;
    struct workload_reference field;
    double values;       /* IN: how many */
    unsigned bounds;     /* RANGE: of enum workload_bound; 0: both, which are within it */
    double selectivity;  /* RANGE, FILTER: the share of rows that pass; 0: by the test */
    const char *operand; /* SQL of the constant it compares with; NULL: a parameter */
};

struct workload_order {
    struct workload_reference field;
    bool descending;
};

struct workload_statement {
    enum workload_kind kind;
    const char *name; /* "orders by customer"; NULL: by its number */
    const char *text; /* the SQL; NULL: assumed */
    double weight;    /* how often it runs, against the others; above 0 */
    bool assumed;     /* no log has it: it stands for a key, a foreign key or an index */
    const struct workload_alias *aliases;
    uint32_t alias_count;
    const struct workload_join *joins;
    uint32_t join_count;
    const struct workload_predicate *predicates; /* all hold: joined by AND */
    uint32_t predicate_count;
    const struct workload_order *order;
    uint32_t order_count;
    int64_t limit; /* 0: none */
    /* SELECT: the fields wanted; INSERT, UPDATE: those set. An INSERT has one alias, an UPDATE and
     * a DELETE one, with the predicates that say which rows. */
    const struct workload_reference *fields;
    uint32_t field_count;
    const struct workload_reference *group; /* GROUP BY */
    uint32_t group_count;
    bool knows_referred; /* INSERT: whoever writes has the rows at hand that the new one refers to,
                            and need not read what is copied of them */
    bool aggregates;     /* count, sum … : rows are read and added up by the client */
    bool distinct;
    /* The part that no design of keys can serve ("LIKE '%x%' on name"), and what can ("a
     * search index"): NULL: it can be. The statement is listed, and does not take part in the
     * search. */
    const char *unserved;
    const char *alternative;
};

struct workload {
    struct arena *arena;
    const struct workload_statement *statements;
    uint32_t count;
};

/* The workload of those who have no queries: a look-up by each key, a list by each foreign key
 * (newest first where the entity has a time), a look-up by each unique index, a list by each other
 * index, and an insert, weighted by rows; all marked as assumed. It lives in `arena`. */
void workload_assume(const struct graph *graph, struct arena *arena, struct workload *workload);

#endif
