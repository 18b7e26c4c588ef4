/*
 * The choice of families. What counts first is that nothing is lost (each entity is held whole by
 * some family), then that every query can be answered, then the cost of the workload: queries by
 * their cheapest plan, what writes cost each family, the reads that writes need, and the bytes
 * stored. Of equal costs the fewer families win, then the smaller ones.
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_SEARCH_H
#define TRANSHUME_DESIGN_WORKLOAD_SEARCH_H

#include "design/workload/access.h"
#include "design/workload/upkeep.h"

struct search_query {
    struct query query;
    struct access_plans plans;
    double weight;      /* of the workload itself; 0: only writes need it */
    uint32_t statement; /* GRAPH_NONE: it is a read of writes */
};

/* A read that keeping a family costs. */
struct search_read {
    uint32_t query;
    double weight;
};

struct search_family {
    double cost; /* of its writes and bytes */
    const struct search_read *reads;
    uint32_t read_count;
    const uint32_t *queries; /* that have a plan with it */
    uint32_t query_count;
};

struct search {
    struct pool *pool;
    const struct workload *workload;
    struct arena *arena;
    struct search_query *queries;
    uint32_t query_count;
    uint32_t query_capacity;
    struct search_family *families; /* as the pool's */
};

enum {
    SEARCH_POOL_MAX = 20000,
    SEARCH_EXACT_MAX = 64,       /* families, for the exact search to be tried */
    SEARCH_EXACT_STEPS = 3000000 /* after which it gives up */
};

/* Costs of what no plan answers, and of an entity that no family holds; far above all others. */
#define SEARCH_UNANSWERED 1e9
#define SEARCH_LOST 1e15

struct search_result {
    bool *chosen; /* by family; in the search's arena */
    double cost;
    double unanswered; /* weight of queries without a plan */
    bool exact;        /* no other choice from this pool costs less */
    uint64_t steps;
};

/* Candidates for all of the workload, their plans and their costs. */
void search_prepare(struct search *search, struct pool *pool, const struct workload *workload,
                    struct arena *arena);

/* The best choice: exact where the pool is small enough, by local search where it is not. */
void search_run(const struct search *search, struct search_result *result);

/* The cost of a choice; for reports, and for tests that try all choices. */
double search_cost(const struct search *search, const bool *chosen);

#endif
