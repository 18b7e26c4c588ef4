/* The designer against designs that people published for the same queries: tests/data/design/cases.
 */
#include "base/file.h"
#include "design/input/sql.h"
#include "design/layout/layout.h"
#include "design/workload/score.h"
#include "sql/ddl.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20, PUBLISHED_MAX = 32 };

#define COST_RATIO_MAX 1.05

static const char *const cases[] = {"sensors", "music", "orders", "likes"};

struct design_case {
    struct arena *arena;
    struct schema schema;
    struct graph graph;
    struct workload workload;
    struct places places;
    struct pool pool;
    struct search search;
    uint32_t published[PUBLISHED_MAX]; /* families of the pool */
    uint32_t published_count;
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
            if (self->graph.relations[i].from == self->places.paths[path].entity &&
                self->graph.relations[i].to == entity) {
                found = i;
            }
        }
        /* "orders.customer_id" of what refers to orders by way of one relation */
        assert_int_not_equal(found, GRAPH_NONE);
        path = places_path(&self->places, path, found);
        name = dot + 1;
    }
    uint32_t field = graph_find_field(places_entity(&self->places, path), name, strlen(name));
    if (field == GRAPH_NONE) {
        fail_msg("no field %s", name);
    }
    return places_number(&self->places, path, field);
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
                  ? place_set_union(set, places_all(&self->places, root), self->arena)
                  : place_set_with(set, place_named(self, root, parts[i]), self->arena);
    }
    return set;
}

/* "root | partition | clustering | fields" */
static void add_published(struct design_case *self, char *line)
{
    char *columns[4] = {line, NULL, NULL, NULL};
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
    assert_true(self->published_count < PUBLISHED_MAX);
    self->published[self->published_count++] =
        pool_add(&self->pool, (struct family){.root = root,
                                              .partition = places_of(self, root, columns[1]),
                                              .clustering = order,
                                              .clustering_count = count,
                                              .fields = places_of(self, root, columns[3])});
}

static void read_published(struct design_case *self, const char *name)
{
    char *text = read_file(self->arena, name, ".design");
    for (char *end = strchr(text, '\n'); end != NULL; text = end + 1, end = strchr(text, '\n')) {
        *end = '\0';
        add_published(self, text);
    }
}

static void open_case(struct design_case *self, const char *name, double write_factor)
{
    *self = (struct design_case){.arena = arena_create(0)};
    read_schema(self, name);
    read_queries(self, name, write_factor);
    places_init(&self->places, &self->graph, self->arena);
    pool_init(&self->pool, &self->places, &cost_cassandra, SEARCH_POOL_MAX);
}

/* ---------------------------------------------------------------- tests */

/* The cost of queries, writes and reads before writes. A published design has no table for some of
 * these reads, since whoever writes has what it copies at hand: then they cost no design anything.
 */
static double cost_of(const struct design_case *self, const bool *chosen, const bool *published)
{
    const struct search *search = &self->search;
    double cost = 0;
    for (uint32_t i = 0; i < search->query_count; i++) {
        if (search->queries[i].weight > 0) {
            const struct access_plan *plan = search_plan(search, i, chosen);
            cost += search->queries[i].weight * (plan != NULL ? plan->cost : SEARCH_UNANSWERED);
        }
    }
    for (uint32_t i = 0; i < self->pool.count; i++) {
        const struct search_family *family = &search->families[i];
        cost += chosen[i] ? family->cost : 0;
        for (uint32_t j = 0; chosen[i] && j < family->read_count; j++) {
            const struct access_plan *theirs =
                search_plan(search, family->reads[j].query, published);
            const struct access_plan *plan = search_plan(search, family->reads[j].query, chosen);
            bool counts = theirs != NULL && !theirs->scans && plan != NULL;
            cost += counts ? family->reads[j].weight * plan->cost : 0;
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
        double before = cost_of(self, chosen, published);
        bool was = chosen[i];
        chosen[i] = false;
        chosen[i] = was && cost_of(self, chosen, published) > before;
    }
}

static void print_choice(const struct design_case *self, const struct search_result *result)
{
    struct layout layout;
    struct buffer text = {0};
    layout_make(&self->search, result, LAYOUT_PLAIN, self->arena, &layout);
    layout_append_cql(&layout, NULL, &text);
    print_message("%s\n", buffer_string(&text));
    buffer_free(&text);
}

static void compare(const char *name, double write_factor)
{
    struct design_case self;
    struct search_result result;
    struct score ours;
    struct score theirs;
    open_case(&self, name, write_factor);
    read_published(&self, name);
    search_prepare(&self.search, &self.pool, &self.workload, self.arena);
    search_run(&self.search, &result);
    score_find(&self.search, result.chosen, &ours);
    bool *published = arena_allocate_zeroed(self.arena, self.pool.count + 1u, sizeof(bool));
    bool *chosen = arena_allocate_zeroed(self.arena, self.pool.count + 1u, sizeof(bool));
    memcpy(chosen, result.chosen, self.pool.count * sizeof(bool));
    for (uint32_t i = 0; i < self.published_count; i++) {
        published[self.published[i]] = true;
    }
    score_find(&self.search, published, &theirs);
    drop_what_only_holds(&self, chosen, published);
    double cost = cost_of(&self, chosen, published);
    double wanted = cost_of(&self, published, published);
    print_message("%s, writes x %g: %g, published %g: %.3f%s; coverage %.2f, published %.2f\n",
                  name, write_factor, cost, wanted, cost / wanted, result.exact ? "" : " (local)",
                  ours.coverage, theirs.coverage);
    if (cost > wanted * COST_RATIO_MAX) {
        print_choice(&self, &result);
        fail_msg("%s: %g, and the published design costs %g", name, cost, wanted);
    }
    assert_int_equal(ours.unbounded, 0);
    assert_true(result.unanswered == 0);
    arena_destroy(self.arena);
}

static void no_published_design_costs_less(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        compare(cases[i], 1);
        compare(cases[i], 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_published_design_costs_less)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
