/* Candidate families. */
#include "design/workload/pool.h"

#include <string.h>

enum { CUTS_DEPTH_MAX = 3 };

/* ---------------------------------------------------------------- the pool */

void pool_init(struct pool *pool, struct places *places, const struct cost_model *model,
               uint32_t limit)
{
    uint32_t entities = places->graph->entity_count;
    *pool = (struct pool){.places = places, .model = model, .limit = limit};
    pool->first = arena_allocate_zeroed(places->arena, entities + 1u, sizeof(*pool->first));
    for (uint32_t i = 0; i < entities; i++) {
        pool->first[i] = GRAPH_NONE;
    }
}

static void pool_grow(struct pool *pool)
{
    uint32_t capacity = pool->capacity * 2 + 64;
    struct family *families =
        arena_allocate_zeroed(pool->places->arena, capacity, sizeof(*families));
    uint32_t *next = arena_allocate_zeroed(pool->places->arena, capacity, sizeof(*next));
    if (pool->count > 0) {
        memcpy(families, pool->families, pool->count * sizeof(*families));
        memcpy(next, pool->next, pool->count * sizeof(*next));
    }
    pool->families = families;
    pool->next = next;
    pool->capacity = capacity;
}

uint32_t pool_add(struct pool *pool, struct family family)
{
    family_complete(pool->places, pool->model, &family);
    for (uint32_t i = pool->first[family.root]; i != GRAPH_NONE; i = pool->next[i]) {
        if (family_is_equal(&pool->families[i], &family)) {
            return i;
        }
    }
    if (pool->limit > 0 && pool->count >= pool->limit) {
        pool->cut = true;
        return GRAPH_NONE;
    }
    if (pool->count == pool->capacity) {
        pool_grow(pool);
    }
    pool->families[pool->count] = family;
    pool->next[pool->count] = pool->first[family.root];
    pool->first[family.root] = pool->count;
    return pool->count++;
}

/* ---------------------------------------------------------------- cuts */

static bool is_below(const struct places *places, uint32_t place, uint32_t path)
{
    return places_begins(places, places->list[place].path, path);
}

/* `place` as the entity at the end of `path` sees it. */
static uint32_t as_seen_from(struct places *places, uint32_t place, uint32_t path)
{
    struct place at = places->list[place];
    return places_number(places, places_rest(places, at.path, path), at.field);
}

/* The places of the set that lie below the path, as seen from there; `rest`: the others. */
static struct place_set take_below(struct places *places, struct place_set set, uint32_t path,
                                   struct place_set *rest)
{
    uint32_t *below = arena_allocate_zeroed(places->arena, set.count + 1u, sizeof(*below));
    uint32_t *other = arena_allocate_zeroed(places->arena, set.count + 1u, sizeof(*other));
    uint32_t below_count = 0;
    uint32_t other_count = 0;
    for (uint32_t i = 0; i < set.count; i++) {
        if (is_below(places, set.at[i], path)) {
            below[below_count++] = as_seen_from(places, set.at[i], path);
        } else {
            other[other_count++] = set.at[i];
        }
    }
    *rest = place_set_of(other, other_count, places->arena);
    return place_set_of(below, below_count, places->arena);
}

static void cut_in(struct places *places, const struct query *query, uint32_t path,
                   struct query *first, struct query *then)
{
    struct query_in *below =
        arena_allocate_zeroed(places->arena, query->in_count + 1u, sizeof(*below));
    struct query_in *other =
        arena_allocate_zeroed(places->arena, query->in_count + 9u, sizeof(*other));
    for (uint32_t i = 0; i < query->in_count; i++) {
        if (is_below(places, query->in[i].place, path)) {
            below[first->in_count++] = (struct query_in){
                as_seen_from(places, query->in[i].place, path), query->in[i].values};
        } else {
            other[then->in_count++] = query->in[i];
        }
    }
    first->in = below;
    then->in = other;
}

static void cut_range(struct places *places, const struct query *query, uint32_t path,
                      struct query *first, struct query *then)
{
    first->range = GRAPH_NONE;
    if (query->range != GRAPH_NONE && is_below(places, query->range, path)) {
        first->range = as_seen_from(places, query->range, path);
        first->range_share = query->range_share;
        first->range_bounds = query->range_bounds;
        then->range = GRAPH_NONE;
    }
}

/* The joint of both: the fields of the last relation, one value or `values` of them. */
static void give_joint(struct places *places, uint32_t path, double values, struct query *first,
                       struct query *then)
{
    struct place_path last = places->paths[path];
    const struct graph_relation *relation = &places->graph->relations[last.relation];
    struct query_in *in = (struct query_in *)then->in;
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        uint32_t joint = places_number(places, last.parent, relation->fields.at[i]);
        first->fields = place_set_with(
            first->fields, places_number(places, last.entity, relation->referenced.at[i]),
            places->arena);
        if (values > 1 && i == 0 && then->in_count < 8) {
            in[then->in_count++] = (struct query_in){joint, values};
        } else {
            then->equal = place_set_with(then->equal, joint, places->arena);
        }
    }
}

bool query_cut(struct places *places, const struct query *query, uint32_t path, struct query *first,
               struct query *then, double *values)
{
    struct place_set filters;
    *first = (struct query){.root = places->paths[path].entity, .filter_share = 1};
    *then = *query;
    then->in_count = 0;
    first->equal = take_below(places, query->equal, path, &then->equal);
    cut_in(places, query, path, first, then);
    if (first->equal.count + first->in_count == 0) {
        return false;
    }
    cut_range(places, query, path, first, then);
    (void)take_below(places, query->filters, path, &filters);
    if (filters.count == 0 && query->filters.count > 0) {
        first->filters = take_below(places, query->filters, path, &then->filters);
        first->filter_share = query->filter_share;
    }
    first->fields = take_below(places, query->fields, path, &then->fields);
    *values = query_result_rows(places, first);
    give_joint(places, path, *values, first, then);
    return true;
}

uint32_t query_cuts(struct places *places, const struct query *query, const uint32_t **paths)
{
    uint32_t room = (query->equal.count + query->in_count) * 8 + 1;
    uint32_t *list = arena_allocate_zeroed(places->arena, room, sizeof(*list));
    uint32_t count = 0;
    for (uint32_t i = 0; i < query->equal.count + query->in_count; i++) {
        uint32_t place =
            i < query->equal.count ? query->equal.at[i] : query->in[i - query->equal.count].place;
        uint32_t path = places->list[place].path;
        for (; places->paths[path].parent != GRAPH_NONE && count + 1 < room;
             path = places->paths[path].parent) {
            list[count++] = path;
        }
    }
    struct place_set set = place_set_of(list, count, places->arena);
    *paths = set.at;
    return set.count;
}

/* ---------------------------------------------------------------- tables */

void pool_propose_tables(struct pool *pool)
{
    struct places *places = pool->places;
    const struct graph *graph = places->graph;
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        struct place_set key = places_key(places, i);
        struct place_set all = places_all(places, i);
        (void)pool_add(pool, (struct family){.root = i, .partition = key, .fields = all});
        for (uint32_t j = 0; j < graph->relation_count && key.count > 1; j++) {
            const struct graph_relation *relation = &graph->relations[j];
            if (relation->from != i) {
                continue;
            }
            uint32_t list[16];
            uint32_t count = 0;
            for (; count < relation->fields.count && count < 16; count++) {
                list[count] = places_number(places, i, relation->fields.at[count]);
            }
            struct place_set beginning = place_set_of(list, count, places->arena);
            if (beginning.count < key.count && place_set_is_within(beginning, key)) {
                (void)pool_add(pool,
                               (struct family){.root = i, .partition = beginning, .fields = all});
            }
        }
    }
}

/* ---------------------------------------------------------------- of a query */

/* A partition key for a query, and what comes next in the order. */
static void propose_ordered(struct pool *pool, const struct query *query,
                            struct place_set partition, bool ordered_first, struct place_set fields)
{
    struct places *places = pool->places;
    uint32_t room = query->equal.count + query->in_count + query->order_count + 2;
    struct query_order *clustering =
        arena_allocate_zeroed(places->arena, room, sizeof(*clustering));
    uint32_t count = 0;
    for (uint32_t i = 0; i < query->equal.count; i++) {
        clustering[count++] = (struct query_order){query->equal.at[i], false};
    }
    for (uint32_t i = 0; i < query->in_count; i++) {
        clustering[count++] = (struct query_order){query->in[i].place, false};
    }
    if (query->range != GRAPH_NONE && !ordered_first &&
        !(query->order_count > 0 && query->order[0].place == query->range)) {
        clustering[count++] = (struct query_order){query->range, false};
    }
    for (uint32_t i = 0; i < query->order_count; i++) {
        if (places_may_be_null(places, query->order[i].place)) {
            break; /* rows without it could not be in the family: the client sorts */
        }
        clustering[count++] = query->order[i];
    }
    if (ordered_first && query->range != GRAPH_NONE) {
        fields = place_set_with(fields, query->range, places->arena);
    }
    struct family family = {.root = query->root,
                            .partition = partition,
                            .clustering = clustering,
                            .clustering_count = count,
                            .fields = fields};
    uint32_t added = pool_add(pool, family);
    if (added != GRAPH_NONE && query->limit > 0 && pool->model->indexes &&
        pool->families[added].buckets > 1) {
        family.first_rows = true;
        (void)pool_add(pool, family);
    }
}

static void propose_fields(struct pool *pool, const struct query *query, struct place_set partition,
                           struct place_set fields)
{
    propose_ordered(pool, query, partition, false, fields);
    if (query->range != GRAPH_NONE && query->order_count > 0 &&
        query->order[0].place != query->range) {
        propose_ordered(pool, query, partition, true, fields);
    }
}

static void propose_partition(struct pool *pool, const struct query *query,
                              struct place_set partition, bool main)
{
    struct arena *arena = pool->places->arena;
    struct place_set view = place_set_union(query->fields, query->filters, arena);
    propose_fields(pool, query, partition, view);
    struct place_set whole = place_set_union(view, places_all(pool->places, query->root), arena);
    propose_fields(pool, query, partition, whole);
    if (main) {
        propose_fields(pool, query, partition, places_key(pool->places, query->root));
        propose_fields(pool, query, partition, places_all(pool->places, query->root));
    }
}

static struct place_set given_of(const struct query *query, struct arena *arena)
{
    struct place_set given = query->equal;
    for (uint32_t i = 0; i < query->in_count; i++) {
        given = place_set_with(given, query->in[i].place, arena);
    }
    return given;
}

static struct place_set of_path(const struct places *places, struct place_set set, uint32_t path)
{
    uint32_t *list = arena_allocate_zeroed(places->arena, set.count + 1u, sizeof(*list));
    uint32_t count = 0;
    for (uint32_t i = 0; i < set.count; i++) {
        if (places->list[set.at[i]].path == path) {
            list[count++] = set.at[i];
        }
    }
    return place_set_of(list, count, places->arena);
}

static void propose_partitions(struct pool *pool, const struct query *query)
{
    struct places *places = pool->places;
    struct place_set given = given_of(query, places->arena);
    propose_partition(pool, query, given, true);
    if (given.count > 1 && query->in_count > 0) {
        propose_partition(pool, query, query->equal, true);
    }
    for (uint32_t i = 0; i < given.count && given.count > 1; i++) {
        struct place_set alike = of_path(places, given, places->list[given.at[i]].path);
        if (alike.count < given.count && alike.at[0] == given.at[i]) {
            propose_partition(pool, query, alike, false);
        }
        if (given.count <= 3) {
            propose_partition(pool, query, place_set_of(&given.at[i], 1, places->arena), false);
        }
    }
}

static void propose_deep(struct pool *pool, const struct query *query, uint32_t depth)
{
    const uint32_t *paths = NULL;
    propose_partitions(pool, query);
    uint32_t count = query_cuts(pool->places, query, &paths);
    for (uint32_t i = 0; i < count && depth < CUTS_DEPTH_MAX; i++) {
        struct query first;
        struct query then;
        double values = 0;
        if (query_cut(pool->places, query, paths[i], &first, &then, &values)) {
            propose_deep(pool, &first, depth + 1);
            propose_deep(pool, &then, depth + 1);
        }
    }
}

void pool_propose(struct pool *pool, const struct query *query)
{
    propose_deep(pool, query, 0);
}
