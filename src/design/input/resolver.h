/*
 * From a parse tree to a statement of the workload: names are found in the graph, conditions become
 * joins and predicates.
 */
#ifndef TRANSHUME_DESIGN_INPUT_RESOLVER_H
#define TRANSHUME_DESIGN_INPUT_RESOLVER_H

#include "base/buffer.h"
#include "design/input/tree.h"
#include "design/workload/statement.h"
#include "sql/lexer.h"

/* A column that a FROM item gives. */
struct scope_column {
    const char *name;
    struct workload_reference field; /* its alias is GRAPH_NONE: it is computed */
};

/* An item of FROM: a table's columns, or those of a subquery that was put in its place. */
struct scope_item {
    const char *name; /* that columns are qualified by */
    uint32_t alias;   /* GRAPH_NONE: it has columns of its own */
    const struct scope_column *columns;
    uint32_t column_count;
};

struct scope {
    const struct scope *outer; /* of the SELECT around a subquery */
    struct buffer items;       /* struct scope_item */
};

struct equality {
    struct workload_reference left;
    struct workload_reference right;
    bool joined;
};

struct common_table {
    const char *name;
    json_t *select;
};

struct resolver {
    const struct graph *graph;
    struct arena *arena;
    enum sql_language language;
    struct buffer aliases;       /* struct workload_alias */
    struct buffer joins;         /* struct workload_join */
    struct buffer predicates;    /* struct workload_predicate */
    struct buffer order;         /* struct workload_order */
    struct buffer fields;        /* struct workload_reference */
    struct buffer group;         /* struct workload_reference */
    struct buffer equalities;    /* struct equality */
    struct buffer common_tables; /* struct common_table */
    struct buffer semi_joined;   /* uint32_t: aliases that only say which rows there are */
    json_t *targets;             /* of the SELECT: names of results, which HAVING may use */
    int64_t limit;
    uint32_t depth;      /* of subqueries that were put in */
    uint32_t join_begin; /* the first FROM item of the join whose conditions are read */
    bool aggregates;
    bool distinct;
    bool windows;
    bool in_outer_join; /* conditions are of ON of one */
    bool dotted;        /* lists are cut, as IN (...) of a digest */
    const char *unserved;
    const char *alternative;
    /* The reason why it is unserved if no predicate finds rows by a key. */
    const char *searches;
    const char *searches_alternative;
    /* Not resolved: a name that is not known, or no table of the schema at all. */
    const char *failure;
    size_t failure_at; /* in the SQL that was parsed */
    bool no_tables;
    bool system_tables; /* of a catalogue */
};

/* ---------------------------------------------------------------- resolver.c */

/* One statement of the tree ("SelectStmt" …). False: it is none of the four kinds, or it was not
 * resolved; `failure` says which name. The statement lives in the arena. */
bool resolver_run(struct resolver *self, json_t *node, struct workload_statement *statement);
void resolver_free(struct resolver *self);
/* The first reason stays. */
void resolver_unserved(struct resolver *self, const char *alternative, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Makes it unserved unless a key finds the rows that are tested. */
void resolver_searches(struct resolver *self, const char *alternative, const char *format, ...)
    PRINTF_LIKE(3, 4);
void resolver_fail(struct resolver *self, size_t at, const char *format, ...) PRINTF_LIKE(3, 4);
static inline bool resolver_goes_on(const struct resolver *self)
{
    return self->failure == NULL && self->unserved == NULL;
}

/* ---------------------------------------------------------------- scope.c */

uint32_t resolver_add_alias(struct resolver *self, const char *name, uint32_t entity);
struct workload_alias *resolver_alias(const struct resolver *self, uint32_t alias);
uint32_t resolver_alias_count(const struct resolver *self);
const struct graph_entity *resolver_entity(const struct resolver *self, uint32_t alias);
/* "orders.customer_id" */
const char *resolver_show(const struct resolver *self, struct workload_reference field);
const struct scope_item *input_scope_items(const struct scope *scope, uint32_t *count);
/* The field that a ColumnRef means. False: an unknown one, which is a failure, or a computed one.
 */
bool resolver_column(struct resolver *self, const struct scope *scope, json_t *reference,
                     struct workload_reference *field);
/* By its name alone among some items. */
bool input_scope_find(const struct resolver *self, const struct scope_item *items, uint32_t count,
                      const char *name, struct scope_column *column);
/* Columns that an item gives. */
uint32_t input_scope_item_count(const struct resolver *self, const struct scope_item *item);
struct scope_column input_scope_item_column(const struct resolver *self,
                                            const struct scope_item *item, uint32_t at);
bool reference_is(struct workload_reference left, struct workload_reference right);
void resolver_want(struct resolver *self, struct workload_reference field);
/* All columns in an expression, appended as references; notes aggregates, windows, subqueries. */
void resolver_collect(struct resolver *self, const struct scope *scope, json_t *node,
                      struct buffer *fields);

/* ---------------------------------------------------------------- from.c */

/* FROM, WHERE and WITH of a SELECT that is put in its outer one's place, or of the outermost. */
void resolver_from(struct resolver *self, struct scope *scope, json_t *list);
void resolver_add_common_tables(struct resolver *self, json_t *with);
/* EXISTS (SELECT …) and test IN (SELECT …); `test` may be NULL. */
void resolver_semi_join(struct resolver *self, const struct scope *scope, json_t *select,
                        json_t *test);

/* ---------------------------------------------------------------- where.c */

void resolver_condition(struct resolver *self, const struct scope *scope, json_t *node);
void resolver_add_equality(struct resolver *self, struct workload_reference left,
                           struct workload_reference right);

/* ---------------------------------------------------------------- constant.c */

/* True if no column is in the expression. */
bool input_is_constant(json_t *node);
/* Its SQL if it is more than a literal or a parameter: "now()", "true"; NULL: it is not, or it is
 * too involved. */
const char *input_constant_operand(json_t *node, struct arena *arena);

/* ---------------------------------------------------------------- join.c */

/* Equalities become joins by relations of the graph. */
void resolver_join(struct resolver *self);

/* ---------------------------------------------------------------- select.c */

void resolver_select(struct resolver *self, json_t *select);

/* ---------------------------------------------------------------- change.c */

void resolver_insert(struct resolver *self, json_t *insert);
void resolver_update(struct resolver *self, json_t *update);
void resolver_delete(struct resolver *self, json_t *delete_statement);

#endif
