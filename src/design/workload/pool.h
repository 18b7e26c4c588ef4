/*
 * The pool: candidate families, among which the search chooses. Each query proposes those that
 * would serve it well: everything that it wants in one place; keys alone, with the rest looked up;
 * whole rows, which serve as the table itself; and the same for the pieces that it can be cut into.
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_POOL_H
#define TRANSHUME_DESIGN_WORKLOAD_POOL_H

#include "design/workload/family.h"

struct pool {
    struct places *places;
    const struct cost_model *model;
    struct family *families;
    uint32_t count;
    uint32_t capacity;
    uint32_t limit;  /* no family is added beyond; 0: none */
    uint32_t *first; /* by root: its newest family; GRAPH_NONE: none */
    uint32_t *next;  /* an older one of the same root */
    bool cut;        /* `limit` left something out */
};

void pool_init(struct pool *pool, struct places *places, const struct cost_model *model,
               uint32_t limit);

/* The number of that family, which is completed and added if it is new; GRAPH_NONE: the limit. */
uint32_t pool_add(struct pool *pool, struct family family);

/* For each entity its rows under their own key; where the key has several fields, also under the
 * beginning of it that refers to another entity. */
void pool_propose_tables(struct pool *pool);
/* Families that would serve `query`. */
void pool_propose(struct pool *pool, const struct query *query);

/* ---------------------------------------------------------------- cutting a query in two */

/*
 * `query` by way of the entity that `path` ends at: `first` finds that entity's rows by what is
 * given of them, and `then` finds the root's by these; `values` of `first` for each. False: nothing
 * that a key could find is given there.
 */
bool query_cut(struct places *places, const struct query *query, uint32_t path, struct query *first,
               struct query *then, double *values);

/* Paths at which query_cut may succeed; in the arena of the places. */
uint32_t query_cuts(struct places *places, const struct query *query, const uint32_t **paths);

#endif
