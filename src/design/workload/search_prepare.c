/* Candidates, plans and costs of a workload. */
#include "design/workload/search.h"

#include <string.h>

/* ---------------------------------------------------------------- queries */

static uint32_t find_query(const struct search *search, const struct query *query)
{
    for (uint32_t i = 0; i < search->query_count; i++) {
        if (query_is_equal(&search->queries[i].query, query)) {
            return i;
        }
    }
    return GRAPH_NONE;
}

static uint32_t add_query(struct search *search, const struct query *query, uint32_t statement)
{
    search->queries = arena_make_room(search->arena, search->queries, search->query_count,
                                      &search->query_capacity, sizeof(*search->queries));
    search->queries[search->query_count] =
        (struct search_query){.query = *query, .statement = statement};
    return search->query_count++;
}

static void add_statements(struct search *search)
{
    for (uint32_t i = 0; i < search->workload->count; i++) {
        const struct workload_statement *statement = &search->workload->statements[i];
        const struct query_part *parts = NULL;
        if (statement->kind != WORKLOAD_SELECT || statement->unserved != NULL) {
            continue;
        }
        uint32_t count = query_parts(search->pool->places, statement, &parts);
        for (uint32_t j = 0; j < count; j++) {
            uint32_t query = add_query(search, &parts[j].query, i);
            search->queries[query].weight = statement->weight * parts[j].times;
            pool_propose(search->pool, &parts[j].query);
        }
    }
}

/* ---------------------------------------------------------------- writes */

static bool is_write(const struct workload_statement *statement)
{
    return statement->kind != WORKLOAD_SELECT && statement->unserved == NULL;
}

/* Families for what the writes of the families so far must read. */
static void propose_reads(struct search *search)
{
    uint32_t families = search->pool->count;
    for (uint32_t i = 0; i < search->workload->count; i++) {
        const struct workload_statement *statement = &search->workload->statements[i];
        for (uint32_t j = 0; j < families && is_write(statement); j++) {
            struct upkeep upkeep;
            upkeep_find(search->pool->places, search->pool->model, statement,
                        &search->pool->families[j], &upkeep);
            for (uint32_t k = 0; k < upkeep.read_count; k++) {
                if (find_query(search, &upkeep.reads[k].query) == GRAPH_NONE) {
                    (void)add_query(search, &upkeep.reads[k].query, GRAPH_NONE);
                    pool_propose(search->pool, &upkeep.reads[k].query);
                }
            }
        }
    }
}

struct reads {
    struct search_read *list;
    uint32_t count;
    uint32_t capacity;
};

static void add_read(struct search *search, struct reads *reads, const struct query *query,
                     double weight)
{
    uint32_t number = find_query(search, query);
    number = number == GRAPH_NONE ? add_query(search, query, GRAPH_NONE) : number;
    for (uint32_t i = 0; i < reads->count; i++) {
        if (reads->list[i].query == number) {
            reads->list[i].weight += weight;
            return;
        }
    }
    reads->list = arena_make_room(search->arena, reads->list, reads->count, &reads->capacity,
                                  sizeof(*reads->list));
    reads->list[reads->count++] = (struct search_read){number, weight};
}

/* A design that places rows by what the source's key begins with wins over one that costs the same:
 * what follows in a key is as often a status as something with many values. */
static double cost_of_placing(const struct search *search, const struct family *family)
{
    struct places *places = search->pool->places;
    const struct graph_fields key = places->graph->entities[family->root].key;
    bool within = family->partition.count > 0 && key.count > 1 &&
                  place_set_is_within(family->partition, places_key(places, family->root));
    bool leads = within &&
                 place_set_holds(family->partition, places_number(places, family->root, key.at[0]));
    return within && !leads ? 1e-6 : 0;
}

static void cost_family(struct search *search, uint32_t number)
{
    const struct family *family = &search->pool->families[number];
    const struct cost_model *model = search->pool->model;
    struct search_family *own = &search->families[number];
    struct reads reads = {0};
    own->cost = family->bytes * model->stored_byte + cost_of_placing(search, family);
    for (uint32_t i = 0; i < search->workload->count; i++) {
        const struct workload_statement *statement = &search->workload->statements[i];
        struct upkeep upkeep;
        if (!is_write(statement)) {
            continue;
        }
        upkeep_find(search->pool->places, model, statement, family, &upkeep);
        own->cost += statement->weight *
                     cost_write(model, upkeep.written, upkeep.removed, family->row_bytes);
        for (uint32_t j = 0; j < upkeep.read_count; j++) {
            add_read(search, &reads, &upkeep.reads[j].query,
                     statement->weight * upkeep.reads[j].times);
        }
    }
    own->reads = reads.list;
    own->read_count = reads.count;
}

/* ---------------------------------------------------------------- plans */

static bool has_step(const struct access_plan *plan, uint32_t before, uint32_t family)
{
    for (uint32_t i = 0; i < before; i++) {
        if (plan->steps[i].family == family) {
            return true;
        }
    }
    return false;
}

static bool has_family(const struct access_plans *plans, uint32_t before, uint32_t family)
{
    for (uint32_t i = 0; i < before; i++) {
        if (has_step(&plans->list[i], plans->list[i].step_count, family)) {
            return true;
        }
    }
    return false;
}

/* Counts, or with `list` writes, the queries that each family is in a plan of. */
static void index_queries(const struct search *search, uint32_t *counts, uint32_t *const *lists)
{
    for (uint32_t i = 0; i < search->query_count; i++) {
        const struct access_plans *plans = &search->queries[i].plans;
        for (uint32_t j = 0; j < plans->count; j++) {
            for (uint32_t k = 0; k < plans->list[j].step_count; k++) {
                uint32_t family = plans->list[j].steps[k].family;
                if (has_step(&plans->list[j], k, family) || has_family(plans, j, family)) {
                    continue;
                }
                if (lists != NULL) {
                    lists[family][counts[family]] = i;
                }
                counts[family]++;
            }
        }
    }
}

static void find_plans(struct search *search)
{
    uint32_t count = search->pool->count;
    uint32_t *counts = arena_allocate_zeroed(search->arena, count + 1u, sizeof(*counts));
    uint32_t **lists = arena_allocate_zeroed(search->arena, count + 1u, sizeof(*lists));
    for (uint32_t i = 0; i < search->query_count; i++) {
        access_find(search->pool, &search->queries[i].query, &search->queries[i].plans);
    }
    index_queries(search, counts, NULL);
    for (uint32_t i = 0; i < count; i++) {
        lists[i] = arena_allocate_zeroed(search->arena, counts[i] + 1u, sizeof(**lists));
        search->families[i].queries = lists[i];
        search->families[i].query_count = counts[i];
        counts[i] = 0;
    }
    index_queries(search, counts, lists);
}

void search_prepare(struct search *search, struct pool *pool, const struct workload *workload,
                    struct arena *arena)
{
    *search = (struct search){.pool = pool, .workload = workload, .arena = arena};
    pool_propose_tables(pool);
    add_statements(search);
    propose_reads(search);
    search->families = arena_allocate_zeroed(arena, pool->count + 1u, sizeof(*search->families));
    for (uint32_t i = 0; i < pool->count; i++) {
        cost_family(search, i);
    }
    find_plans(search);
}
