/* The designer against designs that people published for the same queries: tests/data/design/cases.
 * The figures of those for DynamoDB are in docs/analyze-cases.md, which has to agree. */
#include "base/file.h"
#include "design/export/export_dynamodb.h"
#include "design/input/sql.h"
#include "design/layout/layout.h"
#include "design/workload/score.h"
#include "sql/ddl.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20, PUBLISHED_MAX = 32 };

#define COST_RATIO_MAX 99

static const char *const for_cassandra[] = {"sensors", "music", "orders", "likes"};
static const char *const for_dynamodb[] = {
    "dynamodb/audience",     "dynamodb/deals",    "dynamodb/devices", "dynamodb/food",
    "dynamodb/games",        "dynamodb/learning", "dynamodb/parcels", "dynamodb/projects",
    "dynamodb/registration", "dynamodb/shop",     "dynamodb/social",  "dynamodb/store"};

struct design_case {
    struct arena *arena;
    const struct cost_model *model;
    struct schema schema;
    struct graph graph;
    struct workload workload;
    struct places own_places;
    struct export_dynamodb dynamodb;
    struct places *places; /* of our design */
    struct pool pool;      /* our candidates and the published families */
    struct search search;
    bool *ours; /* by family of the pool */
    bool *published;
    bool exact;
    double unanswered;
    unsigned tables; /* of the published design, and its indexes */
    unsigned indexes;
    /* Weight of the requests that the published design saves, since one request of it returns items
     * of several kinds, which SQL asks for by several queries. */
    double requests_saved;
};

static char *read_file(struct arena *arena, const char *name, const char *ending)
{
    struct error error = {0};
    char *text = NULL;
    size_t length = 0;
    const char *path = arena_format(arena, "tests/data/design/cases/%s%s", name, ending);
    assert_int_equal(file_read_all(path, FILE_BYTES_MAX, arena, &text, &length, &error), STATUS_OK);
    return text;
}

/* ---------------------------------------------------------------- schema and queries */

/* "-- rows: NAME N" */
static void set_rows(struct design_case *self, const char *text)
{
    for (const char *at = strstr(text, "-- rows: "); at != NULL; at = strstr(at + 1, "-- rows: ")) {
        char name[64];
        long long rows = 0;
        assert_int_equal(sscanf(at, "-- rows: %63s %lld", name, &rows), 2);
        const struct schema_table *table = schema_find_table(&self->schema, name);
        assert_non_null(table);
        ((struct schema_table *)table)->row_count = rows;
    }
}

static void read_schema(struct design_case *self, const char *name)
{
    struct sql_ddl_report report = {0};
    char *text = read_file(self->arena, name, ".sql");
    sql_ddl_read(SQL_POSTGRES, text, strlen(text), self->arena, &self->schema, &report);
    set_rows(self, text);
    graph_from_schema(&self->schema, NULL, NULL, self->arena, &self->graph);
}

/* Statements end in ";" at a line's end; "-- weight: N" holds for those that follow. */
static void read_queries(struct design_case *self, const char *name, double write_factor)
{
    struct input_sql *input = input_sql_create(&self->graph, SQL_POSTGRES, self->arena);
    struct input_sql_report report = {0};
    double weight = 1;
    char *text = read_file(self->arena, name, ".queries.sql");
    for (char *end = strstr(text, ";\n"); end != NULL; text = end + 2, end = strstr(text, ";\n")) {
        *end = '\0';
        if (strncmp(text, "-- weight: ", 11) == 0) {
            weight = strtod(text + 11, &text);
        }
        text += strspn(text, "\n ");
        bool writes = strncmp(text, "SELECT", 6) != 0;
        const struct input_text statement = {
            .sql = text, .length = strlen(text), .weight = weight * (writes ? write_factor : 1)};
        input_sql_add(input, &statement);
    }
    input_sql_finish(input, &self->workload, &report);
    assert_int_equal(report.unparsable + report.unresolved + report.dropped, 0);
    for (uint32_t i = 0; i < self->workload.count; i++) {
        struct workload_statement *statement =
            (struct workload_statement *)&self->workload.statements[i];
        if (statement->unserved != NULL) {
            fail_msg("%s: %s", statement->text, statement->unserved);
        }
        statement->knows_referred = true; /* as the published designs take for granted */
    }
}

/* ---------------------------------------------------------------- the published design */

/* "album.genre": a field over relations, by the names of entities. */
static uint32_t place_named(struct design_case *self, uint32_t root, const char *name)
{
    uint32_t path = root;
    for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(name, '.')) {
        uint32_t entity = graph_find_entity(&self->graph, name, (size_t)(dot - name));
        uint32_t found = GRAPH_NONE;
        for (uint32_t i = 0; i < self->graph.relation_count; i++) {
            if (self->graph.relations[i].from == self->places->paths[path].entity &&
                self->graph.relations[i].to == entity) {
                found = i;
            }
        }
        /* "orders.customer_id" of what refers to orders by way of one relation */
        assert_int_not_equal(found, GRAPH_NONE);
        path = places_path(self->places, path, found);
        name = dot + 1;
    }
    uint32_t field = graph_find_field(places_entity(self->places, path), name, strlen(name));
    if (field == GRAPH_NONE) {
        fail_msg("no field %s", name);
    }
    return places_number(self->places, path, field);
}

static uint32_t split(char *text, char **parts, uint32_t max)
{
    uint32_t count = 0;
    char *rest = NULL;
    for (char *part = strtok_r(text, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
        part += strspn(part, " ");
        part[strcspn(part, "\n")] = '\0';
        while (part[0] != '\0' && part[strlen(part) - 1] == ' ') {
            part[strlen(part) - 1] = '\0';
        }
        if (part[0] != '\0') {
            assert_true(count < max);
            parts[count++] = part;
        }
    }
    return count;
}

static struct place_set places_of(struct design_case *self, uint32_t root, char *text)
{
    char *parts[32];
    struct place_set set = {0};
    uint32_t count = split(text, parts, 32);
    for (uint32_t i = 0; i < count; i++) {
        set = strcmp(parts[i], "*") == 0
                  ? place_set_union(set, places_all(self->places, root), self->arena)
                  : place_set_with(set, place_named(self, root, parts[i]), self->arena);
    }
    return set;
}

struct published {
    uint32_t families[PUBLISHED_MAX];
    uint32_t count;
};

/* "root | partition | clustering | fields" */
static void add_published(struct design_case *self, char *line, struct published *list)
{
    char *columns[4] = {line, NULL, NULL, NULL};
    char *first_rows = strstr(line, " | first rows");
    if (first_rows != NULL) {
        *first_rows = '\0';
    }
    for (uint32_t i = 1; i < 4; i++) {
        char *bar = strchr(columns[i - 1], '|');
        assert_non_null(bar);
        *bar = '\0';
        columns[i] = bar + 1;
    }
    char *parts[8];
    struct query_order order[8];
    uint32_t root = graph_find_entity(&self->graph, line, strcspn(line, " "));
    assert_int_not_equal(root, GRAPH_NONE);
    uint32_t count = split(columns[2], parts, 8);
    for (uint32_t i = 0; i < count; i++) {
        char *descending = strstr(parts[i], " desc");
        if (descending != NULL) {
            *descending = '\0';
        }
        order[i] = (struct query_order){place_named(self, root, parts[i]), descending != NULL};
    }
    uint32_t number =
        pool_add(&self->pool, (struct family){.root = root,
                                              .partition = places_of(self, root, columns[1]),
                                              .clustering = order,
                                              .clustering_count = count,
                                              .first_rows = first_rows != NULL,
                                              .fields = places_of(self, root, columns[3])});
    assert_true(list->count < PUBLISHED_MAX);
    list->families[list->count++] = number;
}

static void read_published(struct design_case *self, const char *name, struct published *list)
{
    char *text = read_file(self->arena, name, ".design");
    for (char *end = strchr(text, '\n'); end != NULL; text = end + 1, end = strchr(text, '\n')) {
        *end = '\0';
        bool is_note =
            sscanf(text, "-- tables: %u, indexes: %u", &self->tables, &self->indexes) == 2 ||
            sscanf(text, "-- requests saved: %lf", &self->requests_saved) == 1;
        if (!is_note) {
            add_published(self, text, list);
        }
    }
}

/* ---------------------------------------------------------------- our design */

struct our_choice {
    const struct pool *pool;
    const bool *chosen;
};

/* The published families are no candidates of this search. */
static struct our_choice choose(struct design_case *self)
{
    struct search_result result;
    if (self->model == &cost_dynamodb) {
        export_dynamodb_make(&self->graph, &self->workload, self->model, self->arena,
                             &self->dynamodb);
        self->places = &self->dynamodb.places;
        result = self->dynamodb.result;
        self->search = self->dynamodb.search;
    } else {
        struct pool *pool = arena_allocate_zeroed(self->arena, 1, sizeof(*pool));
        places_init(&self->own_places, &self->graph, self->arena);
        self->places = &self->own_places;
        pool_init(pool, self->places, self->model, SEARCH_POOL_MAX);
        search_prepare(&self->search, pool, &self->workload, self->arena);
        search_run(&self->search, &result);
    }
    self->exact = result.exact;
    self->unanswered = result.unanswered;
    return (struct our_choice){self->search.pool, result.chosen};
}

/* Both designs in one pool, so that they are priced alike. */
static void open_case(struct design_case *self, const char *name, const struct cost_model *model,
                      double write_factor)
{
    struct published list = {0};
    *self = (struct design_case){.arena = arena_create(0), .model = model};
    read_schema(self, name);
    read_queries(self, name, write_factor);
    struct our_choice ours = choose(self);
    pool_init(&self->pool, self->places, model, SEARCH_POOL_MAX);
    read_published(self, name, &list);
    search_prepare(&self->search, &self->pool, &self->workload, self->arena);
    self->ours = arena_allocate_zeroed(self->arena, self->pool.count + 1u, sizeof(bool));
    self->published = arena_allocate_zeroed(self->arena, self->pool.count + 1u, sizeof(bool));
    for (uint32_t i = 0; i < list.count; i++) {
        self->published[list.families[i]] = true;
    }
    for (uint32_t i = 0; i < ours.pool->count; i++) {
        uint32_t before = self->pool.count;
        uint32_t number =
            ours.chosen[i] ? pool_add(&self->pool, ours.pool->families[i]) : GRAPH_NONE;
        assert_int_equal(self->pool.count, before);
        self->ours[number != GRAPH_NONE ? number : before] = number != GRAPH_NONE;
    }
}

/* ---------------------------------------------------------------- tests */

static double cost_of_query(const struct design_case *self, uint32_t query, const bool *chosen,
                            bool *scans)
{
    struct access_plan plan;
    bool found = access_explain(&self->pool, &self->search.queries[query].query, chosen, &plan);
    *scans = found && plan.scans;
    return found ? plan.cost : SEARCH_UNANSWERED;
}

/* The cost of queries, writes and reads before writes. A published design has no table for some of
 * these reads, since whoever writes has what it copies at hand: then they cost no design anything.
 */
static double cost_of(const struct design_case *self, const bool *chosen, const bool *published)
{
    const struct search *search = &self->search;
    double cost = 0;
    bool scans = false;
    for (uint32_t i = 0; i < search->query_count; i++) {
        if (search->queries[i].weight > 0) {
            cost += search->queries[i].weight * cost_of_query(self, i, chosen, &scans);
        }
    }
    for (uint32_t i = 0; i < self->pool.count; i++) {
        const struct search_family *family = &search->families[i];
        cost += chosen[i] ? family->cost : 0;
        for (uint32_t j = 0; chosen[i] && j < family->read_count; j++) {
            uint32_t read = family->reads[j].query;
            double theirs = cost_of_query(self, read, published, &scans);
            if (theirs < SEARCH_UNANSWERED && !scans) {
                cost += family->reads[j].weight * cost_of_query(self, read, chosen, &scans);
            }
        }
    }
    return cost;
}

/* A published design keeps only what its queries ask for; ours keeps all rows. What is there for
 * that alone is left out of the comparison. */
static void drop_what_only_holds(const struct design_case *self, bool *chosen,
                                 const bool *published)
{
    for (uint32_t i = 0; i < self->pool.count; i++) {
        if (chosen[i]) {
            double before = cost_of(self, chosen, published);
            chosen[i] = false;
            chosen[i] = cost_of(self, chosen, published) > before;
        }
    }
}

static void print_choice(const struct design_case *self, const bool *chosen)
{
    struct search_result result = {.chosen = (bool *)chosen};
    struct layout layout;
    struct buffer text = {0};
    layout_make(&self->search, &result, LAYOUT_PLAIN, self->arena, &layout);
    layout_append_cql(&layout, NULL, &text);
    print_message("%s\n", buffer_string(&text));
    buffer_free(&text);
}

struct comparison {
    double ratio; /* our cost for one of the published design */
    struct score ours;
    struct score theirs;
};

static double weight_of_queries(const struct workload *workload)
{
    double weight = 0;
    for (uint32_t i = 0; i < workload->count; i++) {
        weight +=
            workload->statements[i].kind == WORKLOAD_SELECT ? workload->statements[i].weight : 0;
    }
    return weight;
}

static void compare(struct design_case *self, const char *name, double write_factor,
                    struct comparison *comparison)
{
    bool *needed = arena_allocate_zeroed(self->arena, self->pool.count + 1u, sizeof(bool));
    memcpy(needed, self->ours, self->pool.count * sizeof(bool));
    score_find(&self->search, self->ours, &comparison->ours);
    score_find(&self->search, self->published, &comparison->theirs);
    comparison->theirs.requests -= self->requests_saved / weight_of_queries(&self->workload);
    drop_what_only_holds(self, needed, self->published);
    double cost = cost_of(self, needed, self->published);
    double wanted = cost_of(self, self->published, self->published) -
                    self->requests_saved * cost_read(self->model, 1, 1, 1);
    comparison->ratio = cost / wanted;
    print_message("%s, writes x %g: %g, published %g: %.3f%s; coverage %.2f, published %.2f\n",
                  name, write_factor, cost, wanted, cost / wanted, self->exact ? "" : " (local)",
                  comparison->ours.coverage, comparison->theirs.coverage);
    if (cost > wanted * COST_RATIO_MAX) {
        print_choice(self, needed);
        fail_msg("%s: %g, and the published design costs %g", name, cost, wanted);
    }
    assert_int_equal(comparison->ours.unbounded, 0);
    assert_true(self->unanswered == 0);
}

static void no_published_design_costs_less(void **state)
{
    (void)state;
    struct design_case self;
    struct comparison comparison;
    for (size_t i = 0; i < sizeof(for_cassandra) / sizeof(for_cassandra[0]); i++) {
        for (double writes = 1; writes <= 10; writes *= 10) {
            open_case(&self, for_cassandra[i], &cost_cassandra, writes);
            compare(&self, for_cassandra[i], writes, &comparison);
            arena_destroy(self.arena);
        }
    }
}

/* A row of the table in docs/analyze-cases.md. */
static const char *row_of(const struct design_case *self, const char *name,
                          const struct comparison *comparison, double ratio_of_writes)
{
    uint32_t indexes = 0;
    for (uint32_t i = 0; i < self->dynamodb.count; i++) {
        indexes += self->dynamodb.tables[i].index_count;
    }
    const struct score *ours = &comparison->ours;
    const struct score *theirs = &comparison->theirs;
    return arena_format(self->arena,
                        "| %s | %u | %u + %u | %u + %u | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | "
                        "%.2f | %.2f |\n",
                        strchr(name, '/') + 1, ours->queries + ours->writes, self->tables,
                        self->indexes, self->dynamodb.count, indexes, theirs->requests,
                        ours->requests, theirs->amplification, ours->amplification,
                        theirs->duplication, ours->duplication, comparison->ratio, ratio_of_writes);
}

static void no_published_design_of_dynamodb_costs_less(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error = {0};
    char *page = NULL;
    size_t length = 0;
    unsigned stale = 0;
    assert_int_equal(
        file_read_all("docs/analyze-cases.md", FILE_BYTES_MAX, arena, &page, &length, &error),
        STATUS_OK);
    for (size_t i = 0; i < sizeof(for_dynamodb) / sizeof(for_dynamodb[0]); i++) {
        struct design_case self;
        struct comparison comparison;
        open_case(&self, for_dynamodb[i], &cost_dynamodb, 10);
        compare(&self, for_dynamodb[i], 10, &comparison);
        double ratio_of_writes = comparison.ratio;
        arena_destroy(self.arena);
        open_case(&self, for_dynamodb[i], &cost_dynamodb, 1);
        compare(&self, for_dynamodb[i], 1, &comparison);
        const char *row = row_of(&self, for_dynamodb[i], &comparison, ratio_of_writes);
        if (strstr(page, row) == NULL) {
            print_message("%s", row);
            stale++;
        }
        arena_destroy(self.arena);
    }
    arena_destroy(arena);
    if (stale > 0) {
        fail_msg("docs/analyze-cases.md lacks the %u rows above", stale);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_published_design_costs_less),
        cmocka_unit_test(no_published_design_of_dynamodb_costs_less)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
