/*
 * A query in normal form: rows of one entity, its root, and of what they refer to. A SELECT that
 * joins several lists of one parent is several of these, which the client puts together.
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_QUERY_H
#define TRANSHUME_DESIGN_WORKLOAD_QUERY_H

#include "design/workload/place.h"
#include "design/workload/statement.h"

struct query_in {
    uint32_t place;
    double values; /* that it is compared with */
};

struct query_order {
    uint32_t place;
    bool descending;
};

/* Everything that it points to is in the arena of the places. */
struct query {
    uint32_t root;
    struct place_set equal;    /* to one value each */
    const struct query_in *in; /* to one of several */
    uint32_t in_count;
    uint32_t range; /* within bounds; GRAPH_NONE: none */
    double range_share;
    unsigned range_bounds;    /* of enum workload_bound; 0: both, which are within it */
    struct place_set filters; /* what is tested row by row */
    double filter_share;
    const struct query_order *order;
    uint32_t order_count;
    double limit;            /* 0: none */
    struct place_set fields; /* wanted */
};

/* Executions of a query for one of its statement. */
struct query_part {
    struct query query;
    double times;
};

/* ">", ">=" and "<", "<=" of its range; NULL: it has no such bound. */
const char *query_low_test(const struct query *query);
const char *query_high_test(const struct query *query);
/* Is the place equal to one given value, or to one of several? */
bool query_gives(const struct query *query, uint32_t place);

/* Is each of its aliases one that no join refers to, or reached from one? False: a circle of joins.
 */
bool query_has_roots(const struct workload_statement *statement);

/* The queries of a SELECT. Aliases without a root are in none of them. */
uint32_t query_parts(struct places *places, const struct workload_statement *statement,
                     const struct query_part **parts);

/* Rows of the root that have one given value at each of the places. */
double query_rows(const struct places *places, uint32_t root, struct place_set given);

/* Rows that a query returns, before its limit. */
double query_result_rows(const struct places *places, const struct query *query);

/* Do they ask for the same, whatever the fields' order? */
bool query_is_equal(const struct query *left, const struct query *right);

#endif
