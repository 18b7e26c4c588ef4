/*
 * How a query can be answered by families of the pool: in one request, or in several of which each
 * is given what the earlier ones returned.
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_ACCESS_H
#define TRANSHUME_DESIGN_WORKLOAD_ACCESS_H

#include "design/workload/pool.h"

enum { ACCESS_STEPS_MAX = 6, ACCESS_PLANS_MAX = 48 };

struct access_step {
    uint32_t family;
    double requests; /* for one execution of the query */
    double rows;     /* read in all of them */
    double cost;
    bool scans;   /* reads all of the family */
    bool limited; /* the query's limit is the request's */
    bool ordered; /* rows come in the order that the query has */
    /* Set by access_explain only: */
    uint32_t path;             /* from the query's root to that of the family */
    const struct query *query; /* that it answers, as seen from the family's root; NULL: it looks up
                                  single rows by their whole key */
};

struct access_plan {
    struct access_step steps[ACCESS_STEPS_MAX];
    uint32_t step_count;
    double cost;
    double judged; /* of `cost`: what no server charges for, such as a further step */
    double rows;   /* returned */
    bool filters;  /* the client drops rows that were read */
    bool sorts;    /* the client sorts */
    bool scans;
};

struct access_plans {
    struct access_plan *list; /* cheapest first; none needs more families than a cheaper one */
    uint32_t count;
};

/* All plans that are worth it; they live in the arena of the places. */
void access_find(const struct pool *pool, const struct query *query, struct access_plans *plans);

/* The cheapest plan with the families chosen, with all of its steps' details, in the arena of the
 * places. False: there is none. */
bool access_explain(const struct pool *pool, const struct query *query, const bool *chosen,
                    struct access_plan *plan);

#endif
