/* Statements as queries in normal form. */
#include "design/workload/query.h"

#include <string.h>

enum { ALIASES_MAX = 64 };

/* ---------------------------------------------------------------- figures */

double query_rows(const struct places *places, uint32_t root, struct place_set given)
{
    const struct graph_entity *entity = &places->graph->entities[root];
    double values = 1;
    uint32_t keys = 0;
    for (uint32_t i = 0; i < given.count; i++) {
        struct place place = places->list[given.at[i]];
        values *= places_distinct(places, given.at[i]);
        keys += place.path == root && graph_fields_hold(entity->key, place.field);
    }
    if (keys == entity->key.count || values > entity->rows) {
        return 1;
    }
    return entity->rows / values;
}

double query_result_rows(const struct places *places, const struct query *query)
{
    struct place_set given = query->equal;
    double values = 1;
    for (uint32_t i = 0; i < query->in_count; i++) {
        given = place_set_with(given, query->in[i].place, places->arena);
        values *= query->in[i].values;
    }
    double rows = query_rows(places, query->root, given) * values;
    rows *= query->range != GRAPH_NONE ? query->range_share : 1;
    rows *= query->filters.count > 0 ? query->filter_share : 1;
    double all = places->graph->entities[query->root].rows;
    return rows < 1 ? 1 : rows > all ? all : rows;
}

/* ---------------------------------------------------------------- roots */

struct reading {
    struct places *places;
    const struct workload_statement *statement;
    uint32_t paths[ALIASES_MAX]; /* of the aliases, from the part's root; GRAPH_NONE: not in it */
    bool read[ALIASES_MAX];      /* an earlier part brings its fields */
};

/* Rows of `to` are wanted even where no row of `from` refers to them: they are a part. */
static bool is_outer(const struct workload_statement *statement, const struct workload_join *join)
{
    return statement->aliases[join->from].optional && !statement->aliases[join->to].optional;
}

static bool is_referred_to(const struct workload_statement *statement, uint32_t alias)
{
    for (uint32_t i = 0; i < statement->join_count; i++) {
        if (statement->joins[i].to == alias && !is_outer(statement, &statement->joins[i])) {
            return true;
        }
    }
    return false;
}

/* Follows the joins from `alias`. False: a circle. */
static bool reach(struct reading *reading, uint32_t alias, uint32_t path, uint32_t depth)
{
    const struct workload_statement *statement = reading->statement;
    if (depth > ALIASES_MAX) {
        return false;
    }
    reading->paths[alias] = path;
    for (uint32_t i = 0; i < statement->join_count; i++) {
        const struct workload_join *join = &statement->joins[i];
        if (join->from == alias && reading->paths[join->to] == GRAPH_NONE &&
            !reach(reading, join->to, places_path(reading->places, path, join->relation),
                   depth + 1)) {
            return false;
        }
    }
    return true;
}

/* GRAPH_NONE: its alias is not in this part. */
static uint32_t place_of(const struct reading *reading, struct workload_reference reference)
{
    uint32_t path = reading->paths[reference.alias];
    return path == GRAPH_NONE ? GRAPH_NONE : places_number(reading->places, path, reference.field);
}

/* The same of a field that this part is the first to bring. */
static uint32_t wanted_place(const struct reading *reading, struct workload_reference reference)
{
    return reading->read[reference.alias] ? GRAPH_NONE : place_of(reading, reference);
}

/* ---------------------------------------------------------------- predicates */

struct predicates {
    uint32_t *equal;
    uint32_t equal_count;
    struct query_in *in;
    uint32_t in_count;
    uint32_t *filters;
    uint32_t filter_count;
};

static double share_of(const struct workload_predicate *predicate)
{
    return predicate->selectivity > 0          ? predicate->selectivity
           : predicate->test == WORKLOAD_RANGE ? 0.25
                                               : 0.5;
}

static void add_filter(struct query *query, struct predicates *found, uint32_t place, double share)
{
    query->filter_share = (query->filter_share > 0 ? query->filter_share : 1) * share;
    found->filters[found->filter_count++] = place;
}

static void add_predicate(struct query *query, struct predicates *found, uint32_t place,
                          const struct workload_predicate *predicate)
{
    switch (predicate->test) {
    case WORKLOAD_EQUAL:
        found->equal[found->equal_count++] = place;
        break;
    case WORKLOAD_IN:
        found->in[found->in_count++] =
            (struct query_in){place, predicate->values < 1 ? 3 : predicate->values};
        break;
    case WORKLOAD_RANGE:
        if (query->range == GRAPH_NONE || query->range == place) {
            query->range_share =
                share_of(predicate) * (query->range == place ? query->range_share : 1);
            query->range = place;
            query->range_bounds |= predicate->bounds;
            break;
        }
        add_filter(query, found, place, share_of(predicate));
        break;
    case WORKLOAD_FILTER:
        add_filter(query, found, place, share_of(predicate));
        break;
    }
}

/* The first join that reaches an alias makes its rows; what others ask of them is a filter. */
static void add_further_joins(const struct reading *reading, struct query *query,
                              struct predicates *found)
{
    struct places *places = reading->places;
    for (uint32_t i = 0; i < reading->statement->join_count; i++) {
        const struct workload_join *join = &reading->statement->joins[i];
        const struct graph_relation *relation = &places->graph->relations[join->relation];
        bool is_read = reading->paths[join->from] != GRAPH_NONE;
        for (uint32_t j = 0; is_read && j < relation->fields.count; j++) {
            uint32_t from =
                places_number(places, reading->paths[join->from], relation->fields.at[j]);
            uint32_t to =
                places_number(places, reading->paths[join->to], relation->referenced.at[j]);
            if (from != to) {
                add_filter(query, found, from, 0.5);
                add_filter(query, found, to, 1);
            }
        }
    }
}

static uint32_t further_joins_max(const struct reading *reading)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < reading->statement->join_count; i++) {
        uint32_t relation = reading->statement->joins[i].relation;
        count += 2 * reading->places->graph->relations[relation].fields.count;
    }
    return count;
}

static void read_predicates(const struct reading *reading, struct query *query)
{
    const struct workload_statement *statement = reading->statement;
    struct arena *arena = reading->places->arena;
    uint32_t room = statement->predicate_count + further_joins_max(reading) + 1;
    struct predicates found = {.equal = arena_allocate_zeroed(arena, room, sizeof(uint32_t)),
                               .in = arena_allocate_zeroed(arena, room, sizeof(*found.in)),
                               .filters = arena_allocate_zeroed(arena, room, sizeof(uint32_t))};
    query->range = GRAPH_NONE;
    for (uint32_t i = 0; i < statement->predicate_count; i++) {
        uint32_t place = place_of(reading, statement->predicates[i].field);
        if (place != GRAPH_NONE) {
            add_predicate(query, &found, place, &statement->predicates[i]);
        }
    }
    add_further_joins(reading, query, &found);
    query->equal = place_set_of(found.equal, found.equal_count, arena);
    query->in = found.in;
    query->in_count = found.in_count;
    query->filters = place_set_of(found.filters, found.filter_count, arena);
}

/* ---------------------------------------------------------------- the rest */

static void read_order(const struct reading *reading, struct query *query)
{
    const struct workload_statement *statement = reading->statement;
    struct query_order *order =
        arena_allocate_zeroed(reading->places->arena, statement->order_count + 1u, sizeof(*order));
    for (uint32_t i = 0; i < statement->order_count; i++) {
        uint32_t place = wanted_place(reading, statement->order[i].field);
        if (place != GRAPH_NONE && !place_set_holds(query->equal, place)) {
            order[query->order_count++] =
                (struct query_order){place, statement->order[i].descending};
        }
    }
    query->order = order;
    query->limit = statement->limit > 0 && !statement->aggregates ? (double)statement->limit : 0;
}

static void read_fields(const struct reading *reading, struct query *query)
{
    const struct workload_statement *statement = reading->statement;
    struct arena *arena = reading->places->arena;
    uint32_t room = statement->field_count + statement->group_count + 1;
    uint32_t *list = arena_allocate_zeroed(arena, room, sizeof(*list));
    uint32_t count = 0;
    for (uint32_t i = 0; i < statement->field_count + statement->group_count; i++) {
        bool is_field = i < statement->field_count;
        uint32_t place =
            wanted_place(reading, is_field ? statement->fields[i]
                                           : statement->group[i - statement->field_count]);
        if (place != GRAPH_NONE) {
            list[count++] = place;
        }
    }
    query->fields = place_set_of(list, count, arena);
}

/* A part beside the first that is given nothing of its own is given the key of what both share,
 * once for each row of it that the first returns. */
static void depend(const struct reading *reading, const struct query_part *first,
                   struct query_part *part)
{
    struct query *query = &part->query;
    if (query->equal.count > 0 || query->in_count > 0) {
        return;
    }
    for (uint32_t i = 0; i < reading->statement->join_count; i++) {
        const struct workload_join *join = &reading->statement->joins[i];
        if (reading->paths[join->from] != query->root) {
            continue;
        }
        const struct graph_relation *relation = &reading->places->graph->relations[join->relation];
        for (uint32_t j = 0; j < relation->fields.count; j++) {
            query->equal = place_set_with(
                query->equal, places_number(reading->places, query->root, relation->fields.at[j]),
                reading->places->arena);
        }
        double shared = reading->places->graph->entities[relation->to].rows;
        double rows = query_result_rows(reading->places, &first->query);
        part->times = rows < shared ? rows : shared;
        return;
    }
}

static void read_part(struct reading *reading, uint32_t alias, const struct query_part *first,
                      struct query_part *part)
{
    const struct workload_statement *statement = reading->statement;
    *part = (struct query_part){.query = {.root = statement->aliases[alias].entity}, .times = 1};
    for (uint32_t i = 0; i < ALIASES_MAX; i++) {
        reading->paths[i] = GRAPH_NONE;
    }
    (void)reach(reading, alias, reading->statement->aliases[alias].entity, 0);
    read_predicates(reading, &part->query);
    read_order(reading, &part->query);
    read_fields(reading, &part->query);
    if (part != first) {
        depend(reading, first, part);
    }
    for (uint32_t i = 0; i < statement->alias_count; i++) {
        reading->read[i] = reading->read[i] || reading->paths[i] != GRAPH_NONE;
    }
}

uint32_t query_parts(struct places *places, const struct workload_statement *statement,
                     const struct query_part **parts)
{
    struct reading reading = {.places = places, .statement = statement};
    struct query_part *list =
        arena_allocate_zeroed(places->arena, statement->alias_count + 1u, sizeof(*list));
    uint32_t count = 0;
    *parts = list;
    if (statement->alias_count > ALIASES_MAX) {
        return 0;
    }
    for (uint32_t i = 0; i < 2 * statement->alias_count; i++) {
        uint32_t alias = i % statement->alias_count;
        bool later = i >= statement->alias_count;
        if (statement->aliases[alias].optional == later && !is_referred_to(statement, alias)) {
            read_part(&reading, alias, &list[0], &list[count]);
            count++;
        }
    }
    return count;
}

bool query_has_roots(const struct workload_statement *statement)
{
    bool reached[ALIASES_MAX] = {false};
    bool grows = statement->alias_count <= ALIASES_MAX;
    uint32_t count = 0;
    for (uint32_t i = 0; grows && i < statement->alias_count; i++) {
        reached[i] = !is_referred_to(statement, i);
        count += reached[i];
    }
    while (grows) {
        grows = false;
        for (uint32_t i = 0; i < statement->join_count; i++) {
            const struct workload_join *join = &statement->joins[i];
            if (reached[join->from] && !reached[join->to]) {
                reached[join->to] = true;
                grows = true;
                count++;
            }
        }
    }
    return count == statement->alias_count;
}

/* ---------------------------------------------------------------- ranges */

const char *query_low_test(const struct query *query)
{
    return query->range_bounds == 0                    ? ">="
           : (query->range_bounds & WORKLOAD_ABOVE)    ? ">"
           : (query->range_bounds & WORKLOAD_AT_LEAST) ? ">="
                                                       : NULL;
}

const char *query_high_test(const struct query *query)
{
    return query->range_bounds == 0                   ? "<="
           : (query->range_bounds & WORKLOAD_BELOW)   ? "<"
           : (query->range_bounds & WORKLOAD_AT_MOST) ? "<="
                                                      : NULL;
}

/* ---------------------------------------------------------------- equality */

static bool order_is_equal(const struct query *left, const struct query *right)
{
    bool equal = left->order_count == right->order_count;
    for (uint32_t i = 0; i < left->order_count && equal; i++) {
        equal = left->order[i].place == right->order[i].place &&
                left->order[i].descending == right->order[i].descending;
    }
    return equal;
}

static bool in_is_equal(const struct query *left, const struct query *right)
{
    bool equal = left->in_count == right->in_count;
    for (uint32_t i = 0; i < left->in_count && equal; i++) {
        equal =
            left->in[i].place == right->in[i].place && left->in[i].values == right->in[i].values;
    }
    return equal;
}

bool query_is_equal(const struct query *left, const struct query *right)
{
    return left->root == right->root && left->range == right->range &&
           left->range_share == right->range_share && left->range_bounds == right->range_bounds &&
           left->limit == right->limit && left->filter_share == right->filter_share &&
           place_set_is_equal(left->equal, right->equal) &&
           place_set_is_equal(left->filters, right->filters) &&
           place_set_is_equal(left->fields, right->fields) && in_is_equal(left, right) &&
           order_is_equal(left, right);
}

bool query_gives(const struct query *query, uint32_t place)
{
    bool equal = place_set_holds(query->equal, place);
    for (uint32_t i = 0; i < query->in_count; i++) {
        equal = equal || query->in[i].place == place;
    }
    return equal;
}
