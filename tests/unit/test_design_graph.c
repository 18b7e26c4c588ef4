/* Keys and relations by the names of columns. */
#include "design/graph/graph.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_say_keys_and_relations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
