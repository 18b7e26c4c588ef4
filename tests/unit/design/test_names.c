/* Clusters of names adjusted by hand, their file, the prompt, labels that lie on nothing. */
#include "support.h"

#include "design/embed/embed.h"
#include "design/input/names.h"
#include "design/names/names.h"
#include "design/names/names_labels.h"
#include "support_arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char list[] = "[\"orders.id\", \"orders.customer_id\", \"orders.total\", "
                           "\"customers.id\", \"customers.name\", \"customers.größe\"]";

static struct schema schema;
static struct graph graph;
static struct names names;
static struct names_clusters clusters;

/* Vectors on two axes, a table's columns on one, each a little farther than the one before. */
static void make_vectors(void)
{
    float *vectors = arena_allocate_zeroed(arena, names.count, EMBED_WIDTH * sizeof(*vectors));
    for (uint32_t i = 0; i < names.count; i++) {
        float *vector = vectors + (size_t)i * EMBED_WIDTH;
        vector[names.columns[i].entity] = 1;
        vector[10] = (float)names.columns[i].field * (float)names.columns[i].field / 10;
    }
    names.vectors = vectors;
}

static void read_names(const char *text)
{
    struct input_names_report report;
    struct error error = {0};
    assert_int_equal(input_names_read(text, strlen(text), "names", arena, &schema, &report, &error),
                     STATUS_OK);
    graph_from_schema(&schema, NULL, NULL, arena, &graph);
    struct names_column *columns = arena_allocate_zeroed(arena, 100, sizeof(*columns));
    names = (struct names){
        .arena = arena, .graph = &graph, .columns = columns, .index = {.arena = arena}};
    for (uint32_t i = 0; i < graph.entity_count; i++) {
        for (uint32_t j = 0; j < graph.entities[i].field_count; j++) {
            const char *name = arena_format(arena, "%s.%s", graph.entities[i].name,
                                            graph.entities[i].fields[j].name);
            columns[names.count] = (struct names_column){name, i, j};
            name_index_add(&names.index, name, strlen(name), names.count++);
        }
    }
    make_vectors();
}

static int set_up_names(void **state)
{
    const struct names_options options = {.algorithm = NAMES_KMEANS};
    struct error error = {0};
    int failed = set_up(state);
    read_names(list);
    assert_int_equal(names_group(&names, &options, &clusters, &error), STATUS_OK);
    return failed;
}

/* "customers: id name größe | orders: id customer_id total" */
static const char *shown(void)
{
    struct buffer out = {0};
    for (uint32_t i = 0; i < clusters.count; i++) {
        buffer_format(&out, "%s%s:", i > 0 ? " | " : "", clusters.list[i]);
        for (uint32_t j = 0; j < names.count; j++) {
            if (clusters.of[j] == i) {
                buffer_format(&out, " %s", names.columns[j].name);
            }
        }
    }
    const char *kept = arena_copy_string(arena, buffer_string(&out));
    buffer_free(&out);
    return kept;
}

static void adjust(enum names_verb verb, const char *text)
{
    struct error error = {0};
    assert_int_equal(names_adjust(&clusters, verb, text, &error), STATUS_OK);
}

static void assert_refused(enum names_verb verb, const char *text, const char *object,
                           const char *why)
{
    struct error error = {0};
    const char *before = shown();
    assert_int_equal(names_adjust(&clusters, verb, text, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_BAD_VALUE);
    assert_string_equal(error.object, object);
    assert_non_null(strstr(error.message, why));
    assert_string_equal(shown(), before);
}

static void clusters_are_named_by_their_tables(void **state)
{
    (void)state;
    assert_string_equal(shown(), "customers: customers.id customers.name customers.größe | "
                                 "orders: orders.id orders.customer_id orders.total");
}

static void columns_move(void **state)
{
    (void)state;
    adjust(NAMES_MOVE, "orders.customer_id=customers");
    adjust(NAMES_MOVE, "customers.größe=2"); /* by its number */
    assert_string_equal(shown(), "customers: customers.id customers.name orders.customer_id | "
                                 "orders: customers.größe orders.id orders.total");
    adjust(NAMES_MOVE, "customers.id=ORDERS");
    adjust(NAMES_MOVE, "customers.name=orders");
    adjust(NAMES_MOVE, "orders.customer_id=orders"); /* the last one: there is no cluster left */
    assert_string_equal(shown(), "orders: customers.id customers.name customers.größe orders.id "
                                 "orders.customer_id orders.total");
}

static void clusters_merge_and_split(void **state)
{
    (void)state;
    adjust(NAMES_MERGE, "orders,customers");
    assert_string_equal(shown(), "orders: customers.id customers.name customers.größe orders.id "
                                 "orders.customer_id orders.total");
    adjust(NAMES_SPLIT, "orders");
    assert_string_equal(shown(), "orders: customers.id customers.name customers.größe | "
                                 "orders_2: orders.id orders.customer_id orders.total");
    adjust(NAMES_RENAME, "orders=people");
    adjust(NAMES_RENAME, "orders_2=Käufe");
    assert_string_equal(shown(), "people: customers.id customers.name customers.größe | "
                                 "Käufe: orders.id orders.customer_id orders.total");
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    assert_refused(NAMES_MOVE, "orders.id", "orders.id", "table.column=CLUSTER");
    assert_refused(NAMES_MOVE, "orders.ix=orders", "orders.ix", "is no column");
    assert_refused(NAMES_MOVE, "orders.id=order", "order", "is no cluster");
    assert_refused(NAMES_MOVE, "orders.id=3", "3", "is no cluster");
    assert_refused(NAMES_MERGE, "orders", "orders", "two clusters or more");
    assert_refused(NAMES_MERGE, "orders,orders", "orders,orders", "two clusters or more");
    assert_refused(NAMES_MERGE, "orders,", "", "is no cluster");
    assert_refused(NAMES_SPLIT, "nowhere", "nowhere", "is no cluster");
    assert_refused(NAMES_RENAME, "orders", "orders", "CLUSTER=NAME");
    assert_refused(NAMES_RENAME, "orders=", "orders", "a new name has");
    assert_refused(NAMES_RENAME, "orders=Customers", "customers", "another cluster");
    adjust(NAMES_MOVE, "orders.customer_id=customers");
    adjust(NAMES_MOVE, "orders.total=customers");
    assert_refused(NAMES_SPLIT, "orders", "orders", "one column alone");
}

/* Two names that differ in their case alone have the same vector. */
static void names_that_are_alike_are_not_split(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < names.count; i++) {
        float *vector = (float *)names.vectors + (size_t)i * EMBED_WIDTH;
        memcpy(vector, names.vectors, EMBED_WIDTH * sizeof(*vector));
    }
    assert_refused(NAMES_SPLIT, "orders", "orders", "names are all alike");
    assert_refused(NAMES_SPLIT, "1", "customers", "names are all alike");
}

/* ---------------------------------------------------------------- the file */

static enum status read_back(const char *text, struct buffer *notes, struct error *error)
{
    return names_read_file(&names, text, strlen(text), "c.yaml", &clusters, notes, error);
}

static void the_file_is_read_again(void **state)
{
    (void)state;
    struct buffer file = {0};
    struct buffer notes = {0};
    struct error error = {0};
    adjust(NAMES_MOVE, "orders.total=customers");
    adjust(NAMES_RENAME, "orders=a \"b\": #c");
    clusters.of[0] = NAMES_NONE;
    const char *before = shown();
    names_append_file(&clusters, &file);
    assert_int_equal(read_back(buffer_string(&file), &notes, &error), STATUS_OK);
    assert_string_equal(shown(), before);
    assert_int_equal(clusters.of[0], NAMES_NONE);
    assert_buffer(&notes, "");
    buffer_free(&notes);
    buffer_free(&file);
}

static void what_changed_is_told(void **state)
{
    (void)state;
    struct buffer notes = {0};
    struct error error = {0};
    static const char text[] = "clusters:\n"
                               "  - name: one\n    columns:\n      - orders.id\n      - gone.id\n"
                               "  - name: empty\n    columns: []\n"
                               "  - name: two\n    columns: [customers.id, orders.id]\n";
    assert_int_equal(read_back(text, &notes, &error), STATUS_OK);
    assert_string_equal(shown(), "one: orders.id orders.customer_id orders.total | "
                                 "two: customers.id customers.name customers.größe");
    assert_buffer(&notes, "c.yaml:5:9: gone.id is no column of the source any more\n"
                          "c.yaml:9:29: orders.id is there twice; where it is first counts\n"
                          "c.yaml: customers.name is new, and put into two\n"
                          "c.yaml: customers.größe is new, and put into two\n"
                          "c.yaml: orders.customer_id is new, and put into one\n"
                          "c.yaml: orders.total is new, and put into one\n");
    buffer_free(&notes);
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status status;
        const char *place;
    } cases[] = {
        {"clusters: 5\n", STATUS_FAILED, "c.yaml:1:1"},
        {"clusters:\n  - columns: [orders.id]\n", STATUS_FAILED, "c.yaml:2:5"},
        {"clusters:\n  - name: a\n    columns: x\n", STATUS_FAILED, "c.yaml:3:14"},
        {"clusters: [", STATUS_FAILED, "c.yaml:"},
        {"clusters:\n  - name: a\n    columns: [other.x, other.y]\n", STATUS_END, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buffer notes = {0};
        struct error error = {0};
        assert_int_equal(read_back(cases[i].text, &notes, &error), cases[i].status);
        assert_memory_equal(error.object, cases[i].place, strlen(cases[i].place));
        assert_buffer(&notes, "");
    }
}

/* ---------------------------------------------------------------- the prompt */

static void run_prompt(const char *commands, struct buffer *said)
{
    char *text = NULL;
    size_t length = 0;
    char *given = arena_copy_string(arena, commands);
    FILE *in = fmemopen(given, strlen(given), "r");
    FILE *out = open_memstream(&text, &length);
    struct error error = {0};
    const char *path = arena_format(arena, "%s/clusters.yaml", test_folder());
    assert_int_equal(names_prompt(&clusters, path, in, out, false, &error), STATUS_OK);
    fclose(in);
    fclose(out);
    buffer_append(said, text, length);
    free(text);
}

static void the_prompt_keeps_what_is_written(void **state)
{
    (void)state;
    struct buffer said = {0};
    run_prompt("move orders.total customers\nWRITE\nmerge customers,orders\nquit\nsplit 1\n",
               &said);
    assert_string_equal(shown(),
                        "customers: customers.id customers.name customers.größe orders.total | "
                        "orders: orders.id orders.customer_id");
    assert_non_null(strstr(buffer_string(&said), "1 change dropped, not written"));
    buffer_free(&said);
}

static void the_prompt_undoes(void **state)
{
    (void)state;
    struct buffer said = {0};
    const char *before = shown();
    run_prompt("  merge customers,orders  \nsplit customers\nundo\nundo\nundo\nwrite\n", &said);
    assert_string_equal(shown(), before);
    assert_non_null(strstr(buffer_string(&said), "nothing was changed"));
    buffer_free(&said);
}

static void the_prompt_answers(void **state)
{
    (void)state;
    struct buffer said = {0};
    run_prompt("frobnicate\nmove x=1\nsplit\n\nshow\nhelp", &said);
    static const char *const told[] = {
        "frobnicate is no command; `help` lists them", "x is no column", "is no cluster",
        " 1 customers (3)\n     customers.id", "take the last change"};
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
        assert_non_null(strstr(buffer_string(&said), told[i]));
    }
    buffer_free(&said);
}

/* ---------------------------------------------------------------- what follows */

static void a_table_has_the_key_of_the_graph(void **state)
{
    (void)state;
    struct buffer out = {0};
    const struct names_relations none = {0};
    adjust(NAMES_MOVE, "orders.id=customers");
    names_append_tables(&clusters, &none, LAYOUT_CLASSIC, &out);
    const char *text = buffer_string(&out);
    assert_non_null(strstr(text, "\"name\": \"customers_orders_data\""));
    assert_non_null(
        strstr(text, "{\"name\": \"customers_größe\", \"source\": \"customers.größe\"}"));
    assert_non_null(strstr(
        text, "\"key\": {\"partition\": [\"customers_id\"], \"clustering\": [\"orders_id\"]}"));
    /* The other table's key is in another cluster, and there nevertheless. */
    assert_non_null(strstr(
        text, "{\"name\": \"orders_id\", \"source\": \"orders.id\", \"added\": \"for the key\"}"));
    buffer_free(&out);
}

static void similar_names_propose_a_relation(void **state)
{
    (void)state;
    struct names_relations relations;
    read_names("[\"a.id\", \"b.id\", \"b.client_code\"]");
    float *vectors = (float *)names.vectors;
    memset(vectors, 0, 3 * EMBED_WIDTH * sizeof(*vectors));
    vectors[0] = 1;
    vectors[EMBED_WIDTH + 1] = 1;
    vectors[2 * EMBED_WIDTH] = 0.8F;
    vectors[2 * EMBED_WIDTH + 2] = 0.6F;
    ((struct graph_field *)graph.entities[1].fields)[1].type = graph.entities[0].fields[0].type;
    names_propose_relations(&names, &relations);
    assert_int_equal(relations.count, 1);
    assert_int_equal(relations.list[0].from, 1);
    assert_int_equal(relations.list[0].to, 0);
    assert_int_equal(relations.list[0].origin, GRAPH_SIMILAR);
    assert_true(relations.list[0].confidence > 0.39 && relations.list[0].confidence < 0.41);
    vectors[2 * EMBED_WIDTH] = 0.5F;
    names_propose_relations(&names, &relations);
    assert_int_equal(relations.count, 0);
}

static bool overlap(const struct names_box *left, const struct names_box *right)
{
    return left->left < right->right && right->left < left->right && left->top < right->bottom &&
           right->top < left->bottom;
}

/* A hundred, half of them in a heap. */
static void labels_lie_on_nothing(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    struct names_label labels[COUNT] = {0};
    struct random random = random_start();
    const struct names_box area = {0, 0, 2000, 1400};
    for (int i = 0; i < COUNT; i++) {
        int64_t reach = i % 2 == 0 ? 700 : 120;
        labels[i] =
            (struct names_label){.x = (double)random_between(&random, 1000 - reach, 1000 + reach),
                                 .y = (double)random_between(&random, 700 - reach, 700 + reach),
                                 .width = (double)random_between(&random, 60, 250),
                                 .height = 20};
        labels[i].y = labels[i].y < 10 ? 10 : labels[i].y > 1390 ? 1390 : labels[i].y;
    }
    assert_int_equal(names_place_labels(labels, COUNT, &area, 6), 0);
    for (int i = 0; i < COUNT; i++) {
        const struct names_box *box = &labels[i].box;
        assert_true(box->left >= 0 && box->right <= 2000 && box->top >= 0 && box->bottom <= 1400);
        for (int j = 0; j < COUNT; j++) {
            const struct names_box point = {labels[j].x - 1, labels[j].y - 1, labels[j].x + 1,
                                            labels[j].y + 1};
            assert_false(i != j && overlap(box, &labels[j].box));
            assert_false(overlap(box, &point));
        }
    }
}

static void one_column_is_drawn(void **state)
{
    (void)state;
    const struct names_options options = {.algorithm = NAMES_AGGLOMERATIVE, .choose = true};
    struct cluster_plane plane;
    struct buffer png = {0};
    struct error error = {0};
    uint32_t unlabelled = 1;
    read_names("[\"注文.顧客\"]");
    assert_int_equal(names_group(&names, &options, &clusters, &error), STATUS_OK);
    assert_int_equal(names_plane(&names, &plane, &error), STATUS_OK);
    assert_int_equal(names_draw(&clusters, &plane, &png, &unlabelled, &error), STATUS_OK);
    assert_int_equal(unlabelled, 0);
    assert_memory_equal(png.data, "\x89PNG\r\n\x1a\n", 8);
    assert_memory_equal(png.data + 33, "\0\0\0\x09pHYs\0\0\x17\x12\0\0\x17\x12\x01", 17);
    buffer_free(&png);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clusters_are_named_by_their_tables, set_up_names,
                                        tear_down),
        cmocka_unit_test_setup_teardown(columns_move, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(clusters_merge_and_split, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(names_that_are_alike_are_not_split, set_up_names,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_file_is_read_again, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(what_changed_is_told, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(bad_files_are_refused, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(the_prompt_keeps_what_is_written, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(the_prompt_undoes, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(the_prompt_answers, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(a_table_has_the_key_of_the_graph, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(similar_names_propose_a_relation, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(labels_lie_on_nothing, set_up_names, tear_down),
        cmocka_unit_test_setup_teardown(one_column_is_drawn, set_up_names, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
