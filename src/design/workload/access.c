/* Plans of queries over the families of a pool. */
#include "design/workload/access.h"

#include "design/workload/bucket.h"

#include <math.h>
#include <string.h>

enum {
    DEPTH_MAX = 3,    /* cuts of a query */
    BRANCHES_MAX = 3, /* families tried for each look-up */
    PAIRS_MAX = 6     /* plans tried for each side of a cut */
};

/* That the client computes the number of a bucket: of two plans that cost the same, the one without
 * wins. */
#define BUCKET_COST 1e-9

/* ---------------------------------------------------------------- lists of plans */

static bool uses(const struct access_plan *plan, uint32_t family)
{
    for (uint32_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].family == family) {
            return true;
        }
    }
    return false;
}

static bool needs_no_more(const struct access_plan *plan, const struct access_plan *than)
{
    for (uint32_t i = 0; i < plan->step_count; i++) {
        if (!uses(than, plan->steps[i].family)) {
            return false;
        }
    }
    return true;
}

static void drop_worse(struct access_plans *plans, uint32_t from)
{
    uint32_t kept = from + 1;
    for (uint32_t i = from + 1; i < plans->count; i++) {
        if (!needs_no_more(&plans->list[from], &plans->list[i])) {
            plans->list[kept++] = plans->list[i];
        }
    }
    plans->count = kept;
}

static void add_plan(struct access_plans *plans, const struct access_plan *plan)
{
    uint32_t at = 0;
    for (; at < plans->count && plans->list[at].cost <= plan->cost; at++) {
        if (needs_no_more(&plans->list[at], plan)) {
            return;
        }
    }
    if (at == ACCESS_PLANS_MAX) {
        return;
    }
    plans->count -= plans->count == ACCESS_PLANS_MAX;
    memmove(plans->list + at + 1, plans->list + at, (plans->count - at) * sizeof(*plans->list));
    plans->list[at] = *plan;
    plans->count++;
    drop_worse(plans, at);
}

/* ---------------------------------------------------------------- look-ups */

struct finding {
    const struct pool *pool;
    struct arena *arena;
    struct access_plans *plans;
    const bool *chosen; /* the families to be used; NULL: all */
    uint32_t base;      /* the path from the query's root to that of the piece being answered */
};

static bool may_use(const struct finding *finding, uint32_t family)
{
    return finding->chosen == NULL || finding->chosen[family];
}

static void access_judge(struct access_plan *plan, double cost)
{
    plan->cost += cost;
    plan->judged += cost;
}

/* `query` NULL: single rows of what `path` ends at are looked up. */
static void add_step(const struct finding *finding, struct access_plan *plan, uint32_t family,
                     double requests, double rows, uint32_t path, const struct query *query)
{
    const struct family *step = &finding->pool->families[family];
    double cost = cost_read(finding->pool->model, requests, rows, step->row_bytes);
    access_judge(plan, plan->step_count > 0 ? finding->pool->model->step : 0);
    plan->steps[plan->step_count++] =
        (struct access_step){.family = family,
                             .requests = requests,
                             .rows = rows,
                             .cost = cost,
                             .path = places_join(finding->pool->places, finding->base, path),
                             .query = query};
    plan->cost += cost;
}

/* A family whose rows are of what `path` ends at, as the query's root sees its fields. */
struct seen {
    struct place_set key;
    struct place_set fields;
};

static struct place_set seen_set(struct places *places, uint32_t path, struct place_set set)
{
    if (places->paths[path].parent == GRAPH_NONE) {
        return set;
    }
    uint32_t *list = arena_allocate_zeroed(places->arena, set.count + 1u, sizeof(*list));
    for (uint32_t i = 0; i < set.count; i++) {
        list[i] = places_under(places, path, set.at[i]);
    }
    return place_set_of(list, set.count, places->arena);
}

static uint32_t count_common(struct place_set left, struct place_set right)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < left.count; i++) {
        count += place_set_holds(right, left.at[i]);
    }
    return count;
}

static double values_at(const struct query *query, uint32_t place)
{
    for (uint32_t i = 0; i < query->in_count; i++) {
        if (query->in[i].place == place) {
            return query->in[i].values;
        }
    }
    return place_set_holds(query->equal, place) ? 1 : 0;
}

/* Rows that a family leaves out, for having nothing in one of these fields of its key, are none
 * that the query wants. */
static bool leaves_out_wanted(struct place_set optional, const struct query *query)
{
    for (uint32_t i = 0; i < optional.count; i++) {
        if (optional.at[i] != query->range && values_at(query, optional.at[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The families that know most of what is missing about what `path` ends at. */
static uint32_t best_lookups(const struct finding *finding, const struct query *query,
                             uint32_t path, struct place_set known, struct place_set missing,
                             uint32_t found[BRANCHES_MAX])
{
    const struct pool *pool = finding->pool;
    uint32_t scores[BRANCHES_MAX] = {0};
    uint32_t count = 0;
    for (uint32_t i = pool->first[pool->places->paths[path].entity]; i != GRAPH_NONE;
         i = pool->next[i]) {
        const struct family *family = &pool->families[i];
        uint32_t score = count_common(missing, seen_set(pool->places, path, family->fields));
        if (score == 0 || !may_use(finding, i) ||
            !place_set_is_within(seen_set(pool->places, path, family->key), known) ||
            leaves_out_wanted(seen_set(pool->places, path, family->optional), query)) {
            continue;
        }
        score = score * 1024 + 1023 - (family->fields.count < 1023 ? family->fields.count : 1023);
        uint32_t at = count < BRANCHES_MAX ? count++ : BRANCHES_MAX - 1;
        if (at == BRANCHES_MAX - 1 && scores[at] >= score) {
            continue;
        }
        for (; at > 0 && scores[at - 1] < score; at--) {
            scores[at] = scores[at - 1];
            found[at] = found[at - 1];
        }
        scores[at] = score;
        found[at] = i;
    }
    return count;
}

/* Adds steps until nothing is missing, in all ways; each look-up happens once for each of `rows`,
 * or for each row there is. */
static void look_up(const struct finding *finding, const struct query *query,
                    const struct access_plan *plan, struct place_set known,
                    struct place_set missing, double rows)
{
    struct places *places = finding->pool->places;
    if (missing.count == 0) {
        add_plan(finding->plans, plan);
        return;
    }
    if (plan->step_count == ACCESS_STEPS_MAX) {
        return;
    }
    uint32_t path = places->list[missing.at[0]].path;
    for (uint32_t i = 1; i < missing.count; i++) {
        uint32_t other = places->list[missing.at[i]].path;
        path = places->paths[other].length < places->paths[path].length ? other : path;
    }
    for (; path != GRAPH_NONE; path = places->paths[path].parent) {
        uint32_t families[BRANCHES_MAX];
        uint32_t count = best_lookups(finding, query, path, known, missing, families);
        double all = places_entity(places, path)->rows;
        for (uint32_t i = 0; i < count; i++) {
            struct access_plan longer = *plan;
            struct place_set fields =
                seen_set(places, path, finding->pool->families[families[i]].fields);
            double times = rows < all ? rows : all;
            add_step(finding, &longer, families[i], times, times, path, NULL);
            look_up(finding, query, &longer, place_set_union(known, fields, finding->arena),
                    place_set_minus(missing, fields, finding->arena), rows);
        }
    }
}

/* ---------------------------------------------------------------- one family */

/* The part of a query that a family's key answers. */
struct reach {
    struct place_set used; /* places whose values the key has been given */
    double requests;
    double values; /* combinations of values that rows are asked by */
    bool ranged;   /* the range is within the key's order */
    bool ordered;  /* rows come in the query's order */
};

static bool follows_order(const struct family *family, const struct query *query, uint32_t from)
{
    for (uint32_t i = 0; i < query->order_count; i++) {
        uint32_t at = from + i;
        if (at >= family->clustering_count ||
            family->clustering[at].place != query->order[i].place ||
            (family->clustering[at].descending != query->order[i].descending) !=
                (family->clustering[from].descending != query->order[0].descending)) {
            return false;
        }
    }
    return true;
}

/* Partitions are asked one by one; within one, Cassandra takes a list of values in one request. */
static bool reach_family(const struct pool *pool, const struct family *family,
                         const struct query *query, struct reach *reach)
{
    uint32_t at = 0;
    *reach = (struct reach){.used = family->partition, .requests = 1, .values = 1};
    if (leaves_out_wanted(family->optional, query)) {
        return false;
    }
    for (uint32_t i = 0; i < family->partition.count; i++) {
        double values = values_at(query, family->partition.at[i]);
        if (values == 0) {
            return false;
        }
        reach->values *= values;
    }
    reach->requests = reach->values;
    for (; at < family->clustering_count; at++) {
        double values = values_at(query, family->clustering[at].place);
        if (values == 0) {
            break;
        }
        reach->values *= values;
        reach->used =
            place_set_with(reach->used, family->clustering[at].place, pool->places->arena);
    }
    reach->requests = pool->model->indexes ? reach->values : reach->requests;
    reach->ranged = query->range != GRAPH_NONE && at < family->clustering_count &&
                    family->clustering[at].place == query->range;
    reach->ordered = reach->values == 1 && follows_order(family, query, at);
    bool reads_first_rows = query->limit > 0 && (query->order_count == 0 || reach->ordered);
    return !family->first_rows || reads_first_rows || place_set_is_within(family->key, reach->used);
}

/* Partitions that a bucketed family is read in. */
static double buckets_read(const struct family *family, const struct query *query,
                           const struct reach *reach, bool pointed)
{
    if (family->buckets == 1 || pointed) {
        return 1;
    }
    if (family->bucket == FAMILY_BUCKET_HASH) {
        return family->buckets;
    }
    if (query->limit > 0 && reach->ordered) {
        return 1;
    }
    double part = bucket_mean_count(family) * (reach->ranged ? query->range_share : 1);
    return part < 1 ? 1 : ceil(part);
}

static struct place_set left_over(struct places *places, const struct query *query,
                                  const struct reach *reach)
{
    struct place_set left = place_set_union(query->equal, query->filters, places->arena);
    for (uint32_t i = 0; i < query->in_count; i++) {
        left = place_set_with(left, query->in[i].place, places->arena);
    }
    if (query->range != GRAPH_NONE && !reach->ranged) {
        left = place_set_with(left, query->range, places->arena);
    }
    return place_set_minus(left, reach->used, places->arena);
}

/* The places that rows must bring: wanted and not given ones, tested ones, and those sorted by. */
static struct place_set needed(struct places *places, const struct query *query,
                               struct place_set left, bool ordered)
{
    struct place_set fields = place_set_minus(query->fields, query->equal, places->arena);
    for (uint32_t i = 0; i < query->order_count && !ordered; i++) {
        fields = place_set_with(fields, query->order[i].place, places->arena);
    }
    return place_set_union(fields, left, places->arena);
}

static void try_family(const struct finding *finding, const struct query *query, uint32_t number)
{
    struct places *places = finding->pool->places;
    const struct family *family = &finding->pool->families[number];
    struct reach reach;
    if (!reach_family(finding->pool, family, query, &reach)) {
        return;
    }
    bool pointed = place_set_is_within(family->key, reach.used);
    double buckets = buckets_read(family, query, &reach, pointed);
    reach.ordered = reach.ordered && (buckets == 1 || family->bucket == FAMILY_BUCKET_TIME);
    struct place_set left = left_over(places, query, &reach);
    double rows = query_rows(places, query->root, reach.used) * reach.values;
    rows *= reach.ranged ? query->range_share : 1;
    rows = rows < 1 ? 1 : rows > family->rows ? family->rows : rows;
    double returned = query_result_rows(places, query);
    bool sorts = query->order_count > 0 && !reach.ordered && rows > 1;
    if (query->limit > 0) {
        rows = !sorts && left.count == 0 && rows > query->limit ? query->limit : rows;
        returned = returned > query->limit ? query->limit : returned;
    }
    struct access_plan plan = {.rows = returned, .filters = left.count > 0, .sorts = sorts};
    struct place_set missing =
        place_set_minus(needed(places, query, left, !sorts), family->fields, finding->arena);
    bool tests_late = !place_set_is_within(left, family->fields) || (sorts && query->limit > 0);
    add_step(finding, &plan, number, reach.requests * buckets, rows, query->root, query);
    plan.steps[0].limited = query->limit > 0 && !sorts && left.count == 0 && buckets == 1;
    plan.steps[0].ordered = query->order_count > 0 && reach.ordered;
    access_judge(&plan, sorts ? rows * finding->pool->model->sorted_row : 0);
    access_judge(&plan, sorts || plan.filters ? finding->pool->model->client : 0);
    access_judge(&plan, family->buckets > 1 || family->partition.count == 0 ? BUCKET_COST : 0);
    struct place_set tested = place_set_minus(query->equal, left, finding->arena);
    look_up(finding, query, &plan, place_set_union(family->fields, tested, finding->arena), missing,
            tests_late ? rows : returned);
}

static double scan_requests(const struct cost_model *model, const struct family *family)
{
    double pages = model->page_bytes > 0 ? ceil(family->bytes / model->page_bytes)
                                         : family->partitions * bucket_mean_count(family);
    return pages < 1 ? 1 : pages;
}

/* Reading all of a family that holds the root: what is left where no key helps. */
static void try_scan(const struct finding *finding, const struct query *query, uint32_t number)
{
    struct places *places = finding->pool->places;
    const struct family *family = &finding->pool->families[number];
    struct reach nothing = {0};
    struct place_set left = left_over(places, query, &nothing);
    struct place_set missing = place_set_minus(needed(places, query, left, query->order_count == 0),
                                               family->fields, finding->arena);
    struct access_plan plan = {.rows = query_result_rows(places, query),
                               .filters = left.count > 0,
                               .sorts = query->order_count > 0,
                               .scans = true};
    bool tests_late = !place_set_is_within(left, family->fields);
    add_step(finding, &plan, number, scan_requests(finding->pool->model, family), family->rows,
             query->root, query);
    plan.steps[0].scans = true;
    access_judge(&plan, finding->pool->model->scan);
    look_up(finding, query, &plan, family->fields, missing, tests_late ? family->rows : plan.rows);
}

/* ---------------------------------------------------------------- cuts */

static void workload_access_find(const struct finding *finding, const struct query *query,
                                 uint32_t depth);

static void join_plans(const struct finding *finding, const struct access_plan *first,
                       const struct access_plan *then)
{
    if (first->step_count + then->step_count > ACCESS_STEPS_MAX) {
        return;
    }
    struct access_plan both = *first;
    memcpy(both.steps + both.step_count, then->steps, then->step_count * sizeof(*then->steps));
    both.step_count += then->step_count;
    both.cost += then->cost;
    both.judged += then->judged;
    access_judge(&both, finding->pool->model->step);
    both.rows = then->rows;
    both.filters = first->filters || then->filters;
    both.sorts = then->sorts;
    both.scans = first->scans || then->scans;
    add_plan(finding->plans, &both);
}

static void find_cut(const struct finding *finding, const struct query *query, uint32_t path,
                     uint32_t depth)
{
    struct query *first = arena_allocate_zeroed(finding->arena, 1, sizeof(*first));
    struct query *then = arena_allocate_zeroed(finding->arena, 1, sizeof(*then));
    double values = 0;
    struct access_plans firsts = {0};
    struct access_plans thens = {0};
    if (!query_cut(finding->pool->places, query, path, first, then, &values)) {
        return;
    }
    struct finding inner = *finding;
    inner.plans = &firsts;
    firsts.list =
        arena_allocate_zeroed(finding->arena, ACCESS_PLANS_MAX + 1u, sizeof(*firsts.list));
    thens.list = arena_allocate_zeroed(finding->arena, ACCESS_PLANS_MAX + 1u, sizeof(*thens.list));
    inner.base = places_join(finding->pool->places, finding->base, path);
    workload_access_find(&inner, first, depth + 1);
    inner.base = finding->base;
    inner.plans = &thens;
    workload_access_find(&inner, then, depth + 1);
    for (uint32_t i = 0; i < firsts.count && i < PAIRS_MAX; i++) {
        for (uint32_t j = 0; j < thens.count && j < PAIRS_MAX; j++) {
            join_plans(finding, &firsts.list[i], &thens.list[j]);
        }
    }
}

static void workload_access_find(const struct finding *finding, const struct query *query,
                                 uint32_t depth)
{
    const struct pool *pool = finding->pool;
    const uint32_t *paths = NULL;
    for (uint32_t i = pool->first[query->root]; i != GRAPH_NONE; i = pool->next[i]) {
        if (!may_use(finding, i)) {
            continue;
        }
        try_family(finding, query, i);
        if (pool->families[i].whole && depth == 0 && !pool->families[i].first_rows) {
            try_scan(finding, query, i);
        }
    }
    uint32_t count = depth < DEPTH_MAX ? query_cuts(pool->places, query, &paths) : 0;
    for (uint32_t i = 0; i < count; i++) {
        find_cut(finding, query, paths[i], depth);
    }
}

/* All plans, into `scratch`; with what else is needed there, but for paths and places. */
static void find_all(const struct pool *pool, const struct query *query, const bool *chosen,
                     struct arena *scratch, struct access_plans *plans)
{
    struct places *places = pool->places;
    struct arena *lent = places->arena;
    plans->count = 0;
    plans->list = arena_allocate_zeroed(scratch, ACCESS_PLANS_MAX + 1u, sizeof(*plans->list));
    struct finding finding = {
        .pool = pool, .arena = scratch, .plans = plans, .chosen = chosen, .base = query->root};
    places->arena = scratch;
    workload_access_find(&finding, query, 0);
    places->arena = lent;
}

void access_find(const struct pool *pool, const struct query *query, struct access_plans *plans)
{
    struct arena *kept = pool->places->arena;
    struct arena *scratch = arena_create(0);
    struct access_plans found;
    find_all(pool, query, NULL, scratch, &found);
    plans->count = found.count;
    plans->list = arena_allocate_zeroed(kept, found.count + 1u, sizeof(*plans->list));
    memcpy(plans->list, found.list, found.count * sizeof(*plans->list));
    for (uint32_t i = 0; i < plans->count; i++) {
        for (uint32_t j = 0; j < plans->list[i].step_count; j++) {
            plans->list[i].steps[j].query = NULL;
        }
    }
    arena_destroy(scratch);
}

static struct place_set copy_set(struct place_set set, struct arena *arena)
{
    return place_set_of(set.at, set.count, arena);
}

static const struct query *copy_query(const struct query *query, struct arena *arena)
{
    struct query *copy = arena_allocate_zeroed(arena, 1, sizeof(*copy));
    struct query_in *in = arena_allocate_zeroed(arena, query->in_count + 1u, sizeof(*in));
    struct query_order *order =
        arena_allocate_zeroed(arena, query->order_count + 1u, sizeof(*order));
    for (uint32_t i = 0; i < query->in_count; i++) {
        in[i] = query->in[i];
    }
    for (uint32_t i = 0; i < query->order_count; i++) {
        order[i] = query->order[i];
    }
    *copy = *query;
    copy->equal = copy_set(query->equal, arena);
    copy->filters = copy_set(query->filters, arena);
    copy->fields = copy_set(query->fields, arena);
    copy->in = in;
    copy->order = order;
    return copy;
}

bool access_explain(const struct pool *pool, const struct query *query, const bool *chosen,
                    struct access_plan *plan)
{
    struct arena *scratch = arena_create(0);
    struct access_plans found;
    find_all(pool, query, chosen, scratch, &found);
    bool any = found.count > 0;
    if (any) {
        *plan = found.list[0];
        for (uint32_t i = 0; i < plan->step_count; i++) {
            if (plan->steps[i].query != NULL) {
                plan->steps[i].query = copy_query(plan->steps[i].query, pool->places->arena);
            }
        }
    }
    arena_destroy(scratch);
    return any;
}
