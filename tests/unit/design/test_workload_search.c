/* The search for families against all choices tried, and designs that are known to be right. */
#include "design/workload/search.h"
#include "support.h"
#include <stdio.h>
#include <string.h>

enum { TABLES_MAX = 5, COLUMNS = 4, STATEMENTS_MAX = 12, FAMILIES_MAX = 15 };

/* ---------------------------------------------------------------- small random cases */

struct random_case {
    struct arena *arena;
    uint64_t state;
    struct schema_column columns[TABLES_MAX][COLUMNS];
    struct schema_foreign_key keys[TABLES_MAX];
    const char *key_columns[TABLES_MAX];
    struct schema_table tables[TABLES_MAX];
    struct schema schema;
    struct graph graph;
    struct workload_statement statements[STATEMENTS_MAX];
    struct workload workload;
};

static uint32_t draw(struct random_case *random, uint32_t below)
{
    random->state = random->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random->state >> 33) % below;
}

static const char *const id_name = "id";
static const struct column_list id_key = {&id_name, 1};

/* Tables t0, t1 …, each with id, up (a foreign key to an earlier table), a and b. */
static void make_schema(struct random_case *random)
{
    static const char *const names[COLUMNS] = {"id", "up", "a", "b"};
    static const char *const tables[TABLES_MAX] = {"t0", "t1", "t2", "t3", "t4"};
    uint32_t count = 2 + draw(random, TABLES_MAX - 1);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < COLUMNS; j++) {
            random->columns[i][j] =
                (struct schema_column){.name = names[j],
                                       .not_null = j != 1 || draw(random, 2) == 0,
                                       .type = {.kind = j == 3 ? VALUE_TIMESTAMP : VALUE_INT64}};
        }
        random->key_columns[i] = "up";
        random->tables[i] = (struct schema_table){.name = tables[i],
                                                  .columns = random->columns[i],
                                                  .column_count = COLUMNS,
                                                  .primary_key = id_key,
                                                  .row_count = 10 << draw(random, 14)};
        if (i > 0) {
            random->keys[i] = (struct schema_foreign_key){.columns = {&random->key_columns[i], 1},
                                                          .references = tables[draw(random, i)]};
            random->tables[i].foreign_keys = &random->keys[i];
            random->tables[i].foreign_key_count = 1;
        }
    }
    random->schema = (struct schema){.tables = random->tables, .table_count = count};
    graph_from_schema(&random->schema, NULL, NULL, random->arena, &random->graph);
}

static uint32_t relation_from(const struct graph *graph, uint32_t entity)
{
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        if (graph->relations[i].from == entity) {
            return i;
        }
    }
    return GRAPH_NONE;
}

/* A SELECT of one table, or of it and the one that it refers to. */
static void make_select(struct random_case *random, struct workload_statement *statement)
{
    uint32_t entity = draw(random, random->graph.entity_count);
    uint32_t relation = relation_from(&random->graph, entity);
    bool joins = relation != GRAPH_NONE && draw(random, 2) == 0;
    struct workload_alias *aliases = arena_allocate_zeroed(random->arena, 2, sizeof(*aliases));
    struct workload_join *join = arena_allocate_zeroed(random->arena, 1, sizeof(*join));
    struct workload_predicate *predicates =
        arena_allocate_zeroed(random->arena, 2, sizeof(*predicates));
    struct workload_reference *fields = arena_allocate_zeroed(random->arena, 3, sizeof(*fields));
    struct workload_order *order = arena_allocate_zeroed(random->arena, 1, sizeof(*order));
    aliases[0].entity = entity;
    if (joins) {
        aliases[1].entity = random->graph.relations[relation].to;
        *join = (struct workload_join){0, 1, relation};
    }
    predicates[0] =
        (struct workload_predicate){.field = {joins ? draw(random, 2) : 0, draw(random, 3)}};
    predicates[1] = (struct workload_predicate){.test = WORKLOAD_RANGE, .field = {0, 3}};
    for (uint32_t i = 0; i < 3; i++) {
        fields[i] = (struct workload_reference){joins ? draw(random, 2) : 0, draw(random, COLUMNS)};
    }
    *order = (struct workload_order){{0, draw(random, COLUMNS)}, draw(random, 2) == 0};
    *statement = (struct workload_statement){.weight = 1 + draw(random, 20),
                                             .aliases = aliases,
                                             .alias_count = joins ? 2 : 1,
                                             .joins = join,
                                             .join_count = joins ? 1 : 0,
                                             .predicates = predicates,
                                             .predicate_count = 1 + draw(random, 2),
                                             .order = order,
                                             .order_count = draw(random, 2),
                                             .fields = fields,
                                             .field_count = 3};
}

static void make_write(struct random_case *random, struct workload_statement *statement)
{
    struct workload_alias *alias = arena_allocate_zeroed(random->arena, 1, sizeof(*alias));
    struct workload_predicate *predicate =
        arena_allocate_zeroed(random->arena, 1, sizeof(*predicate));
    struct workload_reference *field = arena_allocate_zeroed(random->arena, 1, sizeof(*field));
    alias->entity = draw(random, random->graph.entity_count);
    field->field = 2 + draw(random, 2);
    *statement = (struct workload_statement){.kind = WORKLOAD_INSERT + draw(random, 3),
                                             .weight = 1 + draw(random, 20),
                                             .aliases = alias,
                                             .alias_count = 1,
                                             .predicates = predicate,
                                             .predicate_count = 1,
                                             .fields = field,
                                             .field_count = 1};
}

static void make_case(struct random_case *random, uint64_t seed)
{
    *random = (struct random_case){.arena = arena_create(0), .state = seed};
    make_schema(random);
    uint32_t count = 2 + draw(random, 4);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && draw(random, 3) == 0) {
            make_write(random, &random->statements[i]);
        } else {
            make_select(random, &random->statements[i]);
        }
    }
    random->workload = (struct workload){random->arena, random->statements, count};
}

static double try_all(const struct search *search)
{
    bool chosen[FAMILIES_MAX] = {false};
    double best = SEARCH_LOST;
    for (uint32_t choice = 0; choice < 1u << search->pool->count; choice++) {
        for (uint32_t i = 0; i < search->pool->count; i++) {
            chosen[i] = (choice >> i & 1u) != 0;
        }
        double cost = search_cost(search, chosen);
        best = cost < best ? cost : best;
    }
    return best;
}

static void no_choice_is_better_than_the_one_found(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct random_case random;
        struct places places;
        struct pool pool;
        struct search search;
        struct search_result result;
        make_case(&random, seed);
        places_init(&places, &random.graph, random.arena);
        pool_init(&pool, &places, &cost_cassandra, FAMILIES_MAX);
        search_prepare(&search, &pool, &random.workload, random.arena);
        search_run(&search, &result);
        assert_true(result.exact);
        double best = try_all(&search);
        if (result.cost > best * (1 + 1e-9)) {
            fail_msg("seed %llu: %g, and %g is possible", (unsigned long long)seed, result.cost,
                     best);
        }
        assert_true(best < SEARCH_UNANSWERED);
        arena_destroy(random.arena);
    }
}

/* Is the place, as the plan's query sees it, given to one of the steps so far? */
static bool is_given(struct places *places, const struct access_plan *plan, uint32_t steps,
                     uint32_t place)
{
    bool given = false;
    for (uint32_t i = 0; i < steps; i++) {
        const struct query *query = plan->steps[i].query;
        uint32_t path = plan->steps[i].path;
        for (uint32_t j = 0; query != NULL && j < query->equal.count; j++) {
            given = given || places_under(places, path, query->equal.at[j]) == place;
        }
        for (uint32_t j = 0; query != NULL && j < query->in_count; j++) {
            given = given || places_under(places, path, query->in[j].place) == place;
        }
        given = given || (query != NULL && query->range != GRAPH_NONE &&
                          places_under(places, path, query->range) == place);
    }
    return given;
}

/* Rows that a looked-up family does not have, for they have nothing in its key, are not wanted. */
static bool finds_all(struct search *search, const struct access_plan *plan, uint32_t step)
{
    const struct family *family = &search->pool->families[plan->steps[step].family];
    struct places *places = search->pool->places;
    bool found = true;
    for (uint32_t i = 0; i < family->optional.count; i++) {
        uint32_t place = places_under(places, plan->steps[step].path, family->optional.at[i]);
        found = found && is_given(places, plan, step, place);
    }
    return found;
}

static uint32_t check_plans(struct search *search, const struct query *query,
                            const struct access_plans *plans)
{
    uint32_t look_ups = 0;
    for (uint32_t i = 0; i < plans->count; i++) {
        struct access_plan plan;
        bool *chosen = arena_allocate_zeroed(search->arena, search->pool->count, sizeof(*chosen));
        for (uint32_t j = 0; j < plans->list[i].step_count; j++) {
            chosen[plans->list[i].steps[j].family] = true;
        }
        assert_true(access_explain(search->pool, query, chosen, &plan));
        for (uint32_t j = 0; j < plan.step_count; j++) {
            bool looks_up = plan.steps[j].query == NULL;
            assert_true(!looks_up || finds_all(search, &plan, j));
            look_ups += looks_up;
        }
    }
    return look_ups;
}

static void rows_are_looked_up_where_they_all_are(void **state)
{
    (void)state;
    uint32_t look_ups = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct random_case random;
        struct places places;
        struct pool pool;
        struct search search;
        make_case(&random, seed);
        places_init(&places, &random.graph, random.arena);
        pool_init(&pool, &places, seed % 2 ? &cost_cassandra : &cost_dynamodb, 0);
        search_prepare(&search, &pool, &random.workload, random.arena);
        for (uint32_t i = 0; i < search.query_count; i++) {
            look_ups += check_plans(&search, &search.queries[i].query, &search.queries[i].plans);
        }
        arena_destroy(random.arena);
    }
    assert_true(look_ups > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_choice_is_better_than_the_one_found),
                                       cmocka_unit_test(rows_are_looked_up_where_they_all_are)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
