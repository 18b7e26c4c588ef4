/* Keys and relations by the names of columns. */
#include "design/graph/graph.h"
#include "design/graph/graph_evidence.h"
#include "design/input/names.h"
#include "support.h"
#include <string.h>

/* Each relation as "orders.customer_id>customers.id 72", each key as "orders(id)". */
static void append_graph(const struct graph *graph, struct buffer *out)
{
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        const struct graph_entity *entity = &graph->entities[i];
        buffer_format(out, "%s%s(", i > 0 ? " " : "", entity->name);
        for (uint32_t j = 0; j < entity->key.count; j++) {
            buffer_format(out, "%s%s", j > 0 ? "," : "", entity->fields[entity->key.at[j]].name);
        }
        buffer_append_byte(out, ')');
    }
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        const struct graph_entity *from = &graph->entities[relation->from];
        const struct graph_entity *to = &graph->entities[relation->to];
        buffer_format(out, " %s.%s>%s.%s %.0f", from->name,
                      from->fields[relation->fields.at[0]].name, to->name,
                      to->fields[relation->referenced.at[0]].name, relation->confidence * 100);
    }
}

static const struct {
    const char *names;
    const char *graph;
} cases[] = {
    {"[\"orders.id\", \"orders.customer_id\", \"customers.id\"]",
     "customers(id) orders(id) orders.customer_id>customers.id 72"},
    {"[\"Album.AlbumId\", \"Album.ArtistId\", \"Artist.ArtistId\"]",
     "Album(AlbumId) Artist(ArtistId) Album.ArtistId>Artist.ArtistId 81"},
    /* a role before the name, plurals of three kinds, words in capitals */
    {"[\"sale.id\", \"sale.billing_address_id\", \"addresses.id\", \"sale.categoryId\", "
     "\"categories.id\", \"sale.BOX_ID\", \"boxes.id\"]",
     "addresses(id) boxes(id) categories(id) sale(id) sale.billing_address_id>addresses.id 56 "
     "sale.categoryId>categories.id 72 sale.BOX_ID>boxes.id 72"},
    {"[\"employee.id\", \"employee.reports_to\", \"employee.parent_id\", \"employee.status\"]",
     "employee(id) employee.reports_to>employee.id 48 employee.parent_id>employee.id 48"},
    /* a link table has what it refers to for a key; what nothing identifies, all of it */
    {"[\"a.id\", \"b.id\", \"a_b.a_id\", \"a_b.b_id\", \"log.at\", \"log.what\"]",
     "a(id) a_b(a_id,b_id) b(id) log(at,what) a_b.a_id>a.id 72 a_b.b_id>b.id 72"},
};

static void names_say_keys_and_relations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_create(0);
        struct schema schema = {0};
        struct graph graph;
        struct input_names_report report = {.findings = {.arena = arena}};
        struct error error = {0};
        struct buffer text = {0};
        assert_int_equal(input_names_read(cases[i].names, strlen(cases[i].names), "names", arena,
                                          &schema, &report, &error),
                         STATUS_OK);
        graph_from_schema(&schema, NULL, NULL, arena, &graph);
        append_graph(&graph, &text);
        assert_string_equal(buffer_string(&text), cases[i].graph);
        buffer_free(&text);
        arena_destroy(arena);
    }
}

/* What the confidence is of so many values found, by kind and by what else was found. */
static const struct {
    struct graph_evidence evidence;
    double least;
    double most;
} tried[] = {
    /* 1 to 5 is in every key that counts its rows; so is anything within its range */
    {{.kind = VALUE_INT64, .values = 5, .found = 5, .distinct = 5, .rivals = 1}, 0, 0},
    {{.kind = VALUE_INT64,
      .values = 100,
      .found = 100,
      .others = 60,
      .others_found = 60,
      .distinct = 120,
      .rivals = 1},
     0,
     0},
    /* but for the ends, if there are many values and few keys, and it does not count its own */
    {{.kind = VALUE_INT64,
      .values = 100,
      .found = 100,
      .others = 60,
      .others_found = 60,
      .ends_match = true,
      .distinct = 400,
      .rivals = 2},
     0.85,
     0.9},
    {{.kind = VALUE_INT64,
      .values = 100,
      .found = 100,
      .others = 60,
      .others_found = 60,
      .ends_match = true,
      .distinct = 400,
      .rivals = 50},
     0,
     0},
    {{.kind = VALUE_INT64,
      .values = 100,
      .found = 100,
      .others = 60,
      .others_found = 60,
      .ends_match = true,
      .numbers_rows = true,
      .distinct = 400,
      .rivals = 2},
     0,
     0},
    /* numbers that only the key has */
    {{.kind = VALUE_INT64,
      .values = 100,
      .found = 96,
      .others = 190,
      .others_found = 1,
      .distinct = 100,
      .rivals = 50},
     0.85,
     0.9},
    {{.kind = VALUE_INT64,
      .values = 100,
      .found = 50,
      .others = 190,
      .others_found = 1,
      .distinct = 100,
      .rivals = 50},
     0.4,
     0.46},
    {{.kind = VALUE_INT64, .values = 4, .found = 4, .others = 6, .distinct = 4, .rivals = 1}, 0, 0},
    /* words */
    {{.kind = VALUE_TEXT, .bytes = 6, .values = 3, .found = 3, .rivals = 1}, 0, 0},
    {{.kind = VALUE_TEXT, .bytes = 6, .values = 20, .found = 20, .rivals = 9}, 0.89, 0.9},
    {{.kind = VALUE_TEXT, .bytes = 2, .values = 8, .found = 8, .rivals = 2}, 0, 0.1},
    {{.kind = VALUE_UUID, .values = 5, .found = 5, .rivals = 300}, 0.89, 0.9},
    /* a name that numbers say nothing of, support, or refute */
    {{.named = 0.8, .kind = VALUE_INT64, .values = 5, .found = 5, .distinct = 5}, 0.8, 0.8},
    {{.named = 0.8, .kind = VALUE_INT64, .values = 90, .found = 90, .others = 170, .distinct = 90},
     0.97,
     0.99},
    {{.named = 0.8, .kind = VALUE_TEXT, .bytes = 6, .values = 50, .found = 10}, 0, 0.2},
    {{.named = 0.8, .kind = VALUE_INT64}, 0, 0},
};

static void evidence_says_how_sure(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
        double confidence = graph_evidence_confidence(&tried[i].evidence);
        if (confidence < tried[i].least - 1e-9 || confidence > tried[i].most + 1e-9) {
            fail_msg("case %zu: %f", i, confidence);
        }
    }
}

static struct figures_picks picks_of(int64_t first, int64_t step, int64_t count, uint64_t salt)
{
    struct figures_picks picks = {0};
    for (int64_t i = 0; i < count; i++) {
        const struct cell cell = {.kind = VALUE_INT64, .i64 = first + i * step};
        figures_picks_add(&picks, (uint64_t)(i + 1) * 0x9e3779b97f4a7c15U + salt, &cell);
    }
    return picks;
}

static void samples_are_of_the_least_hashes(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct figures_picks picks = picks_of(-30, 10, 1000, 0);
    const struct figures_sample *sample = figures_picks_sample(&picks, arena);
    assert_int_equal(sample->count, FIGURES_SAMPLE_MAX);
    assert_int_equal(sample->distinct, 1000);
    assert_int_equal(sample->least, -30);
    assert_int_equal(sample->greatest, 9960);
    assert_int_equal(sample->step, 10);
    uint32_t below = 0;
    for (int64_t i = 0; i < 1000; i++) {
        below += (uint64_t)(i + 1) * 0x9e3779b97f4a7c15U <= sample->hashes[sample->count - 1];
    }
    assert_int_equal(below, FIGURES_SAMPLE_MAX);
    for (uint32_t i = 1; i < sample->count; i++) {
        assert_true(sample->hashes[i - 1] < sample->hashes[i]);
    }
    figures_picks_free(&picks);
    /* the ends of what there is, and a text among numbers */
    picks = picks_of(INT64_MIN, INT64_MAX, 2, 1);
    sample = figures_picks_sample(&picks, arena);
    assert_int_equal(sample->step, INT64_MAX);
    const struct cell text = {.kind = VALUE_TEXT, .length = 1, .text = "x"};
    figures_picks_add(&picks, 7, &text);
    assert_null(figures_picks_sample(&picks, arena));
    figures_picks_free(&picks);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_say_keys_and_relations),
                                       cmocka_unit_test(evidence_says_how_sure),
                                       cmocka_unit_test(samples_are_of_the_least_hashes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
