/*
 * Branch and bound. Each family is chosen, out, or open; the bound of a node is what the chosen
 * cost, with each query by its cheapest plan without what is out. Where that plan has an open
 * family, the node branches on it; where none has, the bound is the cost.
 */
#include "design/workload/search_parts.h"

#include <string.h>

enum state { OPEN = 0, CHOSEN, OUT };

struct branching {
    const struct search *search;
    struct search_result *result;
    uint8_t *states;
    uint64_t steps;
};

static const struct access_plan *cheapest(const struct branching *branching, uint32_t query)
{
    const struct access_plans *plans = &branching->search->queries[query].plans;
    for (uint32_t i = 0; i < plans->count; i++) {
        bool possible = true;
        for (uint32_t j = 0; j < plans->list[i].step_count && possible; j++) {
            possible = branching->states[plans->list[i].steps[j].family] != OUT;
        }
        if (possible) {
            return &plans->list[i];
        }
    }
    return NULL;
}

/* The cost of a query, and a family to branch on if one is open and `open` has none yet. */
static double bound_query(const struct branching *branching, uint32_t query, uint32_t *open)
{
    const struct access_plan *plan = cheapest(branching, query);
    for (uint32_t i = 0; plan != NULL && *open == GRAPH_NONE && i < plan->step_count; i++) {
        if (branching->states[plan->steps[i].family] == OPEN) {
            *open = plan->steps[i].family;
        }
    }
    return plan != NULL ? plan->cost : SEARCH_UNANSWERED;
}

/* The cheapest way to hold what no chosen family holds. */
static double bound_entities(const struct branching *branching, uint32_t *open)
{
    const struct pool *pool = branching->search->pool;
    double cost = 0;
    for (uint32_t i = 0; i < pool->places->graph->entity_count; i++) {
        double least = SEARCH_LOST;
        uint32_t family = GRAPH_NONE;
        for (uint32_t j = pool->first[i]; j != GRAPH_NONE; j = pool->next[j]) {
            double own = branching->states[j] == CHOSEN ? 0 : branching->search->families[j].cost;
            if (pool->families[j].whole && branching->states[j] != OUT && own < least) {
                least = own;
                family = branching->states[j] == CHOSEN ? GRAPH_NONE : j;
            }
        }
        cost += least;
        *open = *open == GRAPH_NONE ? family : *open;
    }
    return cost;
}

static double bound(const struct branching *branching, uint32_t *open)
{
    const struct search *search = branching->search;
    double cost = 0;
    *open = GRAPH_NONE;
    for (uint32_t i = 0; i < search->query_count; i++) {
        if (search->queries[i].weight > 0) {
            cost += search->queries[i].weight * bound_query(branching, i, open);
        }
    }
    for (uint32_t i = 0; i < search->pool->count; i++) {
        const struct search_family *family = &search->families[i];
        if (branching->states[i] != CHOSEN) {
            continue;
        }
        cost += family->cost;
        for (uint32_t j = 0; j < family->read_count; j++) {
            cost += family->reads[j].weight * bound_query(branching, family->reads[j].query, open);
        }
    }
    return cost + bound_entities(branching, open);
}

static void search_exact_keep(struct branching *branching, double cost)
{
    branching->result->cost = cost;
    for (uint32_t i = 0; i < branching->search->pool->count; i++) {
        branching->result->chosen[i] = branching->states[i] == CHOSEN;
    }
}

static void branch(struct branching *branching)
{
    uint32_t open = GRAPH_NONE;
    double best = branching->result->cost;
    if (++branching->steps > SEARCH_EXACT_STEPS) {
        return;
    }
    double cost = bound(branching, &open);
    if (cost >= best - 1e-12 * best) {
        return;
    }
    if (open == GRAPH_NONE) {
        search_exact_keep(branching, cost);
        return;
    }
    branching->states[open] = CHOSEN;
    branch(branching);
    branching->states[open] = OUT;
    branch(branching);
    branching->states[open] = OPEN;
}

void search_exact(const struct search *search, struct search_result *result)
{
    struct arena *scratch = arena_create(0);
    struct branching branching = {.search = search, .result = result};
    branching.states = arena_allocate_zeroed(scratch, search->pool->count + 1u, 1);
    branch(&branching);
    result->steps = branching.steps;
    result->exact = branching.steps <= SEARCH_EXACT_STEPS;
    arena_destroy(scratch);
}
