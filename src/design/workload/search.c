/* Local search: from a choice that has everything, families are dropped, added and exchanged for as
 * long as that makes it better. */
#include "design/workload/search_parts.h"

#include <string.h>

enum { ROUNDS_MAX = 20 };

/* ---------------------------------------------------------------- the cost of a choice */

static bool allows(const struct access_plan *plan, const bool *chosen)
{
    for (uint32_t i = 0; i < plan->step_count; i++) {
        if (!chosen[plan->steps[i].family]) {
            return false;
        }
    }
    return true;
}

/* The cheapest plan of a query that a choice allows; NULL: none. */
static const struct access_plan *search_plan(const struct search *search, uint32_t query,
                                             const bool *chosen)
{
    const struct access_plans *plans = &search->queries[query].plans;
    for (uint32_t i = 0; i < plans->count; i++) {
        if (allows(&plans->list[i], chosen)) {
            return &plans->list[i];
        }
    }
    return NULL;
}

static double cost_of(const struct search *search, uint32_t query, const bool *chosen)
{
    const struct access_plan *plan = search_plan(search, query, chosen);
    return plan != NULL ? plan->cost : SEARCH_UNANSWERED;
}

double search_cost(const struct search *search, const bool *chosen)
{
    const struct pool *pool = search->pool;
    double cost = 0;
    for (uint32_t i = 0; i < search->query_count; i++) {
        cost += search->queries[i].weight > 0
                    ? search->queries[i].weight * cost_of(search, i, chosen)
                    : 0;
    }
    for (uint32_t i = 0; i < pool->count; i++) {
        if (!chosen[i]) {
            continue;
        }
        cost += search->families[i].cost;
        for (uint32_t j = 0; j < search->families[i].read_count; j++) {
            const struct search_read *read = &search->families[i].reads[j];
            cost += read->weight * cost_of(search, read->query, chosen);
        }
    }
    for (uint32_t i = 0; i < pool->places->graph->entity_count; i++) {
        bool held = false;
        for (uint32_t j = pool->first[i]; j != GRAPH_NONE && !held; j = pool->next[j]) {
            held = chosen[j] && pool->families[j].whole;
        }
        cost += held ? 0 : SEARCH_LOST;
    }
    return cost;
}

/* ---------------------------------------------------------------- a choice that changes */

/* A choice and its cost, which follow each change of one family. */
struct choice {
    const struct search *search;
    bool *chosen;
    double *best;      /* by query; SEARCH_UNANSWERED */
    double *weight;    /* by query: of the workload and of the reads of what is chosen */
    uint32_t *holders; /* by entity: families chosen that hold it whole */
    uint32_t lost;     /* entities without */
    double cost;
    uint32_t count;
    double bytes;
};

static void toggle(struct choice *choice, uint32_t number)
{
    const struct search_family *own = &choice->search->families[number];
    const struct family *family = &choice->search->pool->families[number];
    bool added = !choice->chosen[number];
    double sign = added ? 1 : -1;
    choice->chosen[number] = added;
    choice->cost += sign * own->cost;
    choice->bytes += sign * family->bytes;
    choice->count += added ? 1u : UINT32_MAX;
    if (family->whole) {
        uint32_t *holders = &choice->holders[family->root];
        choice->lost -= added && *holders == 0;
        *holders += added ? 1u : UINT32_MAX;
        choice->lost += !added && *holders == 0;
    }
    for (uint32_t i = 0; i < own->query_count; i++) {
        uint32_t query = own->queries[i];
        double best = cost_of(choice->search, query, choice->chosen);
        if (choice->weight[query] > 0) {
            choice->cost += choice->weight[query] * (best - choice->best[query]);
        }
        choice->best[query] = best;
    }
    for (uint32_t i = 0; i < own->read_count; i++) {
        const struct search_read *read = &own->reads[i];
        choice->weight[read->query] += sign * read->weight;
        choice->cost += sign * read->weight * choice->best[read->query];
    }
}

static void search_start(struct choice *choice, const struct search *search, struct arena *arena)
{
    uint32_t entities = search->pool->places->graph->entity_count;
    *choice = (struct choice){.search = search, .lost = entities};
    choice->chosen = arena_allocate_zeroed(arena, search->pool->count + 1u, sizeof(bool));
    choice->best = arena_allocate_zeroed(arena, search->query_count + 1u, sizeof(double));
    choice->weight = arena_allocate_zeroed(arena, search->query_count + 1u, sizeof(double));
    choice->holders = arena_allocate_zeroed(arena, entities + 1u, sizeof(uint32_t));
    for (uint32_t i = 0; i < search->query_count; i++) {
        choice->best[i] = SEARCH_UNANSWERED;
        choice->weight[i] = search->queries[i].weight;
        choice->cost += choice->weight[i] * SEARCH_UNANSWERED;
    }
}

struct worth {
    uint32_t lost;
    double cost;
    uint32_t count;
    double bytes;
};

static struct worth worth_of(const struct choice *choice)
{
    return (struct worth){choice->lost, choice->cost, choice->count, choice->bytes};
}

static bool is_better(struct worth left, struct worth right)
{
    double slack = 1e-9 * (right.cost > 1 ? right.cost : 1);
    if (left.lost != right.lost) {
        return left.lost < right.lost;
    }
    if (left.cost < right.cost - slack || left.cost > right.cost + slack) {
        return left.cost < right.cost;
    }
    return left.count != right.count ? left.count < right.count : left.bytes < right.bytes;
}

/* ---------------------------------------------------------------- moves */

/* Drops `number` if that is better. */
static bool search_drop(struct choice *choice, uint32_t number)
{
    struct worth before = worth_of(choice);
    toggle(choice, number);
    if (is_better(worth_of(choice), before)) {
        return true;
    }
    toggle(choice, number);
    return false;
}

/* Adds `number`, and drops what it makes superfluous, if that is better than before. */
static bool search_add(struct choice *choice, uint32_t number, uint32_t *dropped)
{
    const struct pool *pool = choice->search->pool;
    struct worth before = worth_of(choice);
    uint32_t count = 0;
    toggle(choice, number);
    for (uint32_t i = pool->first[pool->families[number].root]; i != GRAPH_NONE;
         i = pool->next[i]) {
        if (i != number && choice->chosen[i] && search_drop(choice, i)) {
            dropped[count++] = i;
        }
    }
    if (is_better(worth_of(choice), before)) {
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        toggle(choice, dropped[i]);
    }
    toggle(choice, number);
    return false;
}

/* Puts `number` in the place of another one of its root, if that is better. */
static bool exchange(struct choice *choice, uint32_t number)
{
    const struct pool *pool = choice->search->pool;
    struct worth before = worth_of(choice);
    for (uint32_t i = pool->first[pool->families[number].root]; i != GRAPH_NONE;
         i = pool->next[i]) {
        if (i == number || !choice->chosen[i]) {
            continue;
        }
        toggle(choice, number);
        toggle(choice, i);
        if (is_better(worth_of(choice), before)) {
            return true;
        }
        toggle(choice, i);
        toggle(choice, number);
    }
    return false;
}

static void improve(struct choice *choice, struct arena *arena)
{
    uint32_t count = choice->search->pool->count;
    uint32_t *dropped = arena_allocate_zeroed(arena, count + 1u, sizeof(*dropped));
    bool better = true;
    for (uint32_t round = 0; better && round < ROUNDS_MAX; round++) {
        better = false;
        for (uint32_t i = 0; i < count; i++) {
            if (choice->chosen[i]) {
                better = search_drop(choice, i) || better;
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            if (!choice->chosen[i]) {
                better = search_add(choice, i, dropped) || exchange(choice, i) || better;
            }
        }
    }
}

/* ---------------------------------------------------------------- where to start */

static bool choose_plan(struct choice *choice, uint32_t query)
{
    const struct access_plans *plans = &choice->search->queries[query].plans;
    bool added = false;
    for (uint32_t i = 0; plans->count > 0 && i < plans->list[0].step_count; i++) {
        uint32_t family = plans->list[0].steps[i].family;
        if (!choice->chosen[family]) {
            toggle(choice, family);
            added = true;
        }
    }
    return added;
}

/* The families of the cheapest plan of each query, of the reads that these need, and so on. */
static void choose_cheapest(struct choice *choice)
{
    bool added = true;
    while (added) {
        added = false;
        for (uint32_t i = 0; i < choice->search->query_count; i++) {
            added = (choice->weight[i] > 0 && choose_plan(choice, i)) || added;
        }
    }
}

static void choose_tables(struct choice *choice)
{
    const struct pool *pool = choice->search->pool;
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct family *family = &pool->families[i];
        if (family->whole && !choice->chosen[i] && choice->holders[family->root] == 0 &&
            family->clustering_count == 0) {
            toggle(choice, i);
        }
    }
}

static double unanswered_of(const struct search *search, const bool *chosen)
{
    double weight = 0;
    for (uint32_t i = 0; i < search->query_count; i++) {
        if (search->queries[i].weight > 0 && search_plan(search, i, chosen) == NULL) {
            weight += search->queries[i].weight;
        }
    }
    return weight;
}

void search_run(const struct search *search, struct search_result *result)
{
    struct arena *scratch = arena_create(0);
    struct choice choices[2];
    *result = (struct search_result){0};
    result->chosen = arena_allocate_zeroed(search->arena, search->pool->count + 1u, sizeof(bool));
    for (uint32_t i = 0; i < 2; i++) {
        search_start(&choices[i], search, scratch);
        if (i == 0) {
            choose_cheapest(&choices[i]);
        }
        choose_tables(&choices[i]);
        improve(&choices[i], scratch);
    }
    bool second = is_better(worth_of(&choices[1]), worth_of(&choices[0]));
    memcpy(result->chosen, choices[second].chosen,
           choices[second].search->pool->count * sizeof(bool));
    result->cost = search_cost(search, result->chosen);
    if (search->pool->count <= SEARCH_EXACT_MAX) {
        search_exact(search, result);
    }
    result->unanswered = unanswered_of(search, result->chosen);
    arena_destroy(scratch);
}
