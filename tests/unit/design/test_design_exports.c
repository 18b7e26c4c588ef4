/* Designs for DynamoDB and MongoDB, and the duplicates of one for Cassandra: the rules by which
 * they are made, over a shop in DDL and queries in SQL. */
#include "design/duplicates/duplicates.h"
#include "design/export/export_dynamodb.h"
#include "design/export/export_key.h"
#include "design/export/export_mongodb.h"
#include "design/input/sql.h"
#include "sql/ddl.h"
#include "support.h"
#include <string.h>

static const char shop[] =
    "CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE,"
    " city text);"
    "CREATE TABLE product (id integer PRIMARY KEY, name text NOT NULL, price numeric NOT NULL);"
    "CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customer,"
    " placed timestamp NOT NULL, status text NOT NULL, coupon text);"
    "CREATE TABLE line (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES orders,"
    " product_id integer NOT NULL REFERENCES product, quantity integer NOT NULL);"
    "CREATE TABLE tag (id integer PRIMARY KEY, word text NOT NULL);"
    "CREATE TABLE product_tag (product_id integer NOT NULL REFERENCES product,"
    " tag_id integer NOT NULL REFERENCES tag, PRIMARY KEY (product_id, tag_id));";

struct fixture {
    struct arena *arena;
    struct schema schema;
    struct graph graph;
    struct workload workload;
    struct cost_model model;
    struct places places;
    struct pool pool;
    struct search search;
    struct search_result result;
    struct layout layout;
};

static void set_rows(struct fixture *fixture, const char *table, int64_t rows)
{
    const struct schema_table *found = schema_find_table(&fixture->schema, table);
    assert_non_null(found);
    ((struct schema_table *)found)->row_count = rows;
}

static void add(struct input_sql *input, const char *sql, double weight)
{
    const struct input_text text = {.sql = sql, .length = strlen(sql), .weight = weight};
    input_sql_add(input, &text);
}

/* Statements are separated by ";". A read has a weight of 100, a write one of 1. */
static void start(struct fixture *fixture, const char *reads, const char *writes)
{
    struct sql_ddl_report ddl = {0};
    struct input_sql_report report = {0};
    char *schema;
    *fixture = (struct fixture){.arena = arena_create(0)};
    schema = arena_copy_string(fixture->arena, shop);
    sql_ddl_read(SQL_POSTGRES, schema, strlen(schema), fixture->arena, &fixture->schema, &ddl);
    set_rows(fixture, "customer", 1000);
    set_rows(fixture, "product", 500);
    set_rows(fixture, "orders", 10000);
    set_rows(fixture, "line", 30000);
    set_rows(fixture, "tag", 5000);
    set_rows(fixture, "product_tag", 10000);
    graph_from_schema(&fixture->schema, NULL, NULL, fixture->arena, &fixture->graph);
    struct input_sql *input = input_sql_create(&fixture->graph, SQL_POSTGRES, fixture->arena);
    add(input, reads, 100);
    add(input, writes, 1);
    input_sql_finish(input, &fixture->workload, &report);
    assert_int_equal(report.unparsable + report.unresolved + report.dropped, 0);
}

static void search(struct fixture *fixture, struct cost_model model)
{
    fixture->model = model;
    places_init(&fixture->places, &fixture->graph, fixture->arena);
    pool_init(&fixture->pool, &fixture->places, &fixture->model, 0);
    search_prepare(&fixture->search, &fixture->pool, &fixture->workload, fixture->arena);
    search_run(&fixture->search, &fixture->result);
    layout_make(&fixture->search, &fixture->result, LAYOUT_PLAIN, fixture->arena, &fixture->layout);
}

static void end(struct fixture *fixture)
{
    arena_destroy(fixture->arena);
}

static uint32_t entity(const struct fixture *fixture, const char *name)
{
    uint32_t found = graph_find_entity(&fixture->graph, name, strlen(name));
    assert_int_not_equal(found, GRAPH_NONE);
    return found;
}

static uint32_t place(struct fixture *fixture, const char *table, const char *field)
{
    uint32_t root = entity(fixture, table);
    return places_number(&fixture->places, root,
                         graph_find_field(&fixture->graph.entities[root], field, strlen(field)));
}

/* ---------------------------------------------------------------- keys of several fields */

static void parts_of_keys_are_padded_or_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t pad;
        bool escaped;
        const char *made;
    } cases[] = {
        {"7", 10, false, "0000000007"},
        {"-7", 10, false, "-0000000007"},
        {"-9223372036854775808", 19, false, "-9223372036854775808"},
        {"18446744073709551615", 20, false, "18446744073709551615"},
        {"a#b%c", 0, true, "a%23b%25c"},
        {"a#b%c", 0, false, "a#b%c"},
        {"-", 0, true, "-"},
        {"", 0, true, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buffer out = {0};
        export_key_append_text(cases[i].text, strlen(cases[i].text), cases[i].pad, cases[i].escaped,
                               &out);
        assert_string_equal(buffer_string(&out), cases[i].made);
        buffer_free(&out);
    }
}

/* ---------------------------------------------------------------- the model of DynamoDB */

static struct family by_field(struct fixture *fixture, const struct cost_model *model,
                              const char *table, const char *field)
{
    uint32_t partition = place(fixture, table, field);
    struct family family = {
        .root = entity(fixture, table),
        .partition = place_set_of(&partition, 1, fixture->arena),
        .fields = places_all(&fixture->places, entity(fixture, table)),
    };
    family_complete(&fixture->places, model, &family);
    return family;
}

/* A change of the key of an index, by the key of the table: a table of Cassandra must be read
 * first, and DynamoDB does that itself. */
static void indexes_need_no_reads_before_writes(void **state)
{
    (void)state;
    struct fixture fixture;
    struct upkeep upkeep;
    start(&fixture, "", "UPDATE orders SET status = 'sent' WHERE id = 7");
    places_init(&fixture.places, &fixture.graph, fixture.arena);
    const struct workload_statement *statement = &fixture.workload.statements[0];
    struct family family = by_field(&fixture, &cost_cassandra, "orders", "status");
    upkeep_find(&fixture.places, &cost_cassandra, statement, &family, &upkeep);
    assert_int_equal(upkeep.read_count, 1);
    family = by_field(&fixture, &cost_dynamodb, "orders", "status");
    upkeep_find(&fixture.places, &cost_dynamodb, statement, &family, &upkeep);
    assert_int_equal(upkeep.read_count, 0);
    assert_true(upkeep.written == 1 && upkeep.removed == 1);
    end(&fixture);
}

/* AWS's example: of 3 million orders 20 % are open; an item has 250 bytes. 600,000 items are read
 * at once, and a partition serves 48,000 of them a second: 13 shards. */
static void hot_partitions_are_sharded(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, "SELECT id FROM orders WHERE status = 'open'", "");
    places_init(&fixture.places, &fixture.graph, fixture.arena);
    struct graph_entity *orders =
        (struct graph_entity *)&fixture.graph.entities[entity(&fixture, "orders")];
    orders->rows = 3e6;
    for (uint32_t i = 0; i < orders->field_count; i++) {
        struct graph_field *field = (struct graph_field *)&orders->fields[i];
        field->bytes = 250.0 / orders->field_count;
        field->distinct = i == 0 ? 3e6 : 50;
    }
    struct family family = by_field(&fixture, &cost_dynamodb, "orders", "status");
    assert_true(family.partition_rows_max > 599999 && family.partition_rows_max < 600001);
    assert_int_equal(family.buckets, 13);
    end(&fixture);
}

/* ---------------------------------------------------------------- the scorecard */

static struct score score_of(const char *reads, const char *writes, struct cost_model model)
{
    struct fixture fixture;
    struct score score;
    start(&fixture, reads, writes);
    search(&fixture, model);
    score_find(&fixture.search, fixture.result.chosen, &score);
    end(&fixture);
    return score;
}

/* Of a customer and of its orders: two requests for each, no half of each. */
static void a_statement_of_two_parts_counts_once(void **state)
{
    (void)state;
    static const char joined[] =
        "SELECT c.name, o.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE c.id = 1";
    static const char *const parts[] = {"SELECT name FROM customer WHERE id = 1",
                                        "SELECT id FROM orders WHERE customer_id = 1"};
    const struct cost_model models[] = {cost_cassandra, cost_dynamodb};
    for (int i = 0; i < 2; i++) {
        struct score score = score_of(joined, "", models[i]);
        double sum =
            score_of(parts[0], "", models[i]).cost + score_of(parts[1], "", models[i]).cost;
        assert_true(score.requests == 2 && score.coverage == 0 && score.queries == 1);
        assert_true(score.cost > 0.99 * sum && score.cost < 1.01 * sum);
    }
}

/* One request takes a list of values within a partition of Cassandra, and DynamoDB's takes one. */
static void lists_of_values_are_counted_as_they_are_asked(void **state)
{
    (void)state;
    static const char within[] =
        "SELECT id FROM orders WHERE customer_id = 1 AND status IN ('a', 'b', 'c')";
    static const char across[] = "SELECT id, name FROM product WHERE id IN (1, 2, 3, 4)";
    struct score score = score_of(within, "", cost_cassandra);
    assert_true(score.requests == 1 && score.coverage == 1);
    score = score_of(across, "", cost_cassandra);
    assert_true(score.requests == 4 && score.coverage == 0);
    score = score_of(across, "", cost_dynamodb);
    assert_true(score.requests == 4 && score.coverage == 0);
}

static void what_is_unserved_counts_where_it_belongs(void **state)
{
    (void)state;
    static const char read[] = "SELECT name FROM customer WHERE id = 1";
    double cost = score_of(read, "", cost_cassandra).cost;
    struct score score =
        score_of(read, "UPDATE orders SET status = 'x' WHERE status <> 'y'", cost_cassandra);
    assert_true(score.unserved == 1 && score.coverage == 1 && score.cost == cost);
    score = score_of(
        "SELECT name FROM customer WHERE id = 1; SELECT id FROM customer WHERE name LIKE '%x%'", "",
        cost_cassandra);
    assert_true(score.unserved == 1 && score.coverage == 0.5);
}

/* ---------------------------------------------------------------- tables and indexes */

static const struct export_table *table_named(const struct export_dynamodb *design,
                                              const char *name)
{
    for (uint32_t i = 0; i < design->count; i++) {
        if (strcmp(design->tables[i].name, name) == 0) {
            return &design->tables[i];
        }
    }
    fail_msg("no table %s", name);
    return NULL;
}

static void assert_key(const struct export_table *table, struct export_key key,
                       const char *partition, const char *sort)
{
    assert_string_equal(table->attributes[key.partition].name, partition);
    if (sort == NULL) {
        assert_int_equal(key.sort, GRAPH_NONE);
    } else {
        assert_int_not_equal(key.sort, GRAPH_NONE);
        assert_string_equal(table->attributes[key.sort].name, sort);
    }
}

static void families_become_tables_and_indexes(void **state)
{
    (void)state;
    struct fixture fixture;
    struct export_dynamodb design;
    struct buffer text = {0};
    start(&fixture,
          "SELECT * FROM orders WHERE id = 1;"
          "SELECT id, status FROM orders WHERE customer_id = 1 ORDER BY placed DESC, id DESC;"
          "SELECT id, placed FROM orders WHERE coupon = 'x';"
          "SELECT * FROM product_tag WHERE product_id = 1",
          "INSERT INTO orders (id, customer_id, placed, status) VALUES (1, 2, '2024-01-01', 'new');"
          "UPDATE orders SET status = 'sent' WHERE id = 1");
    export_dynamodb_make(&fixture.graph, &fixture.workload, &cost_dynamodb, fixture.arena, &design);
    assert_true(design.score.coverage == 1 && design.score.reads_a_write == 0);
    const struct export_table *orders = table_named(&design, "orders");
    assert_key(orders, orders->key, "id", NULL);
    assert_int_equal(orders->index_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct export_index *index = &orders->indexes[i];
        if (!index->sparse) {
            assert_key(orders, index->key, "customer_id", "placed_id");
            export_append_template(&design, orders, &orders->attributes[index->key.sort], &text);
            assert_buffer(&text, "{placed}#{id:010}");
            assert_int_equal(index->projection, EXPORT_INCLUDE);
        } else {
            /* the id only completed the key: an index needs no unique one */
            assert_key(orders, index->key, "coupon", NULL);
        }
    }
    const struct export_table *links = table_named(&design, "product_tag");
    assert_key(links, links->key, "product_id", "tag_id");
    buffer_free(&text);
    end(&fixture);
}

/* A table with a list by each of its columns, the last one asked for most. */
static void start_wide(struct fixture *fixture, int columns)
{
    struct sql_ddl_report ddl = {0};
    struct input_sql_report report = {0};
    struct buffer text = {0};
    *fixture = (struct fixture){.arena = arena_create(0)};
    buffer_append_string(&text, "CREATE TABLE wide (id integer PRIMARY KEY");
    for (int i = 0; i < columns; i++) {
        buffer_format(&text, ", c%d integer NOT NULL", i);
    }
    buffer_append_string(&text, ");");
    sql_ddl_read(SQL_POSTGRES, buffer_string(&text), text.length, fixture->arena, &fixture->schema,
                 &ddl);
    graph_from_schema(&fixture->schema, NULL, NULL, fixture->arena, &fixture->graph);
    struct input_sql *input = input_sql_create(&fixture->graph, SQL_POSTGRES, fixture->arena);
    for (int i = 0; i < columns; i++) {
        add(input, arena_format(fixture->arena, "SELECT id FROM wide WHERE c%d = 1", i), 100 + i);
    }
    add(input, "UPDATE wide SET c0 = 1 WHERE id = 1", 1);
    input_sql_finish(input, &fixture->workload, &report);
    buffer_free(&text);
}

/* Of 23 lists by a column each, 20 are indexes, and those asked for least are tables. The update
 * needs a table by the key, which no list does. */
static void a_table_has_at_most_twenty_indexes(void **state)
{
    (void)state;
    struct fixture fixture;
    struct export_dynamodb design;
    start_wide(&fixture, 23);
    export_dynamodb_make(&fixture.graph, &fixture.workload, &cost_dynamodb, fixture.arena, &design);
    assert_key(table_named(&design, "wide"), table_named(&design, "wide")->key, "id", NULL);
    assert_int_equal(table_named(&design, "wide")->index_count, EXPORT_INDEXES_MAX);
    assert_int_equal(design.count, 4);
    assert_int_equal(design.note_count, 3);
    assert_key(table_named(&design, "wide_copy"), table_named(&design, "wide_copy")->key, "c2",
               "id");
    end(&fixture);
}

/* ---------------------------------------------------------------- documents */

static const struct export_decision *decision(const struct fixture *fixture,
                                              const struct export_mongodb *design,
                                              const char *child, const char *parent)
{
    for (uint32_t i = 0; i < fixture->graph.relation_count; i++) {
        const struct graph_relation *relation = &fixture->graph.relations[i];
        if (relation->from == entity(fixture, child) && relation->to == entity(fixture, parent)) {
            return &design->decisions[i];
        }
    }
    fail_msg("%s does not refer to %s", child, parent);
    return NULL;
}

static void children_are_embedded_by_rule(void **state)
{
    (void)state;
    struct fixture fixture;
    struct export_mongodb design;
    start(&fixture,
          "SELECT * FROM orders WHERE id = 1;"
          "SELECT * FROM line WHERE order_id = 1;"
          "SELECT * FROM orders WHERE customer_id = 1 ORDER BY placed DESC;"
          "SELECT orders.id, customer.name, customer.city FROM orders"
          " JOIN customer ON customer.id = orders.customer_id WHERE orders.status = 'open';"
          "SELECT * FROM product_tag WHERE tag_id = 1",
          "UPDATE customer SET city = 'Bonn' WHERE id = 1");
    search(&fixture, cost_cassandra);
    export_mongodb_make(&fixture.search, fixture.arena, &design);
    const struct export_decision *found = decision(&fixture, &design, "line", "orders");
    assert_int_equal(found->joining, EXPORT_EMBED);
    assert_true(found->together == 100 && found->alone == 0);
    /* read by time: it grows; and a name that never changes is copied, a city that does is not */
    found = decision(&fixture, &design, "orders", "customer");
    assert_int_equal(found->joining, EXPORT_REFERENCE_COPY);
    assert_non_null(strstr(found->reason, "read by time"));
    const struct export_document *orders = &design.documents[entity(&fixture, "orders")];
    assert_int_equal(orders->copied.count, 1);
    assert_string_equal(places_field(&fixture.places, orders->copied.at[0])->name, "name");
    /* a product has 20 tags, a tag 2 products */
    assert_int_equal(decision(&fixture, &design, "product_tag", "tag")->joining, EXPORT_KEY_LIST);
    end(&fixture);
}

/* The same tables, but lines are changed one by one: they are documents of their own. */
static void children_with_a_life_of_their_own_are_not(void **state)
{
    (void)state;
    struct fixture fixture;
    struct export_mongodb design;
    start(&fixture,
          "SELECT * FROM line WHERE order_id = 1;"
          "SELECT * FROM line WHERE product_id = 1",
          "UPDATE line SET quantity = 2 WHERE id = 1");
    search(&fixture, cost_cassandra);
    export_mongodb_make(&fixture.search, fixture.arena, &design);
    assert_int_equal(decision(&fixture, &design, "line", "orders")->joining, EXPORT_REFERENCE);
    end(&fixture);
}

/* Those asked for most have the indexes. */
static void a_collection_has_at_most_sixty_four_indexes(void **state)
{
    (void)state;
    struct fixture fixture;
    struct export_mongodb design;
    start_wide(&fixture, EXPORT_MONGO_INDEXES_MAX + 2);
    search(&fixture, cost_cassandra);
    export_mongodb_make(&fixture.search, fixture.arena, &design);
    assert_int_equal(design.documents[0].index_count, EXPORT_MONGO_INDEXES_MAX);
    assert_int_equal(design.documents[0].unindexed, 2);
    assert_string_equal(design.documents[0].indexes[0].fields[0], "c64");
    end(&fixture);
}

/* ---------------------------------------------------------------- duplicates */

static const struct duplicate *duplicate_of(const struct fixture *fixture,
                                            const struct duplicates *duplicates, const char *table,
                                            const char *column)
{
    (void)fixture;
    for (uint32_t i = 0; i < duplicates->count; i++) {
        if (strcmp(duplicates->list[i].table->name, table) == 0 &&
            strcmp(duplicates->list[i].column->name, column) == 0) {
            return &duplicates->list[i];
        }
    }
    return NULL;
}

static void each_duplicate_has_its_strategy(void **state)
{
    (void)state;
    struct fixture fixture;
    struct duplicates duplicates;
    struct buffer text = {0};
    start(&fixture,
          "SELECT * FROM orders WHERE id = 1;"
          "SELECT * FROM orders WHERE customer_id = 1;"
          "SELECT * FROM orders WHERE status = 'open';"
          "SELECT * FROM product WHERE id = 1;"
          "SELECT line.quantity, product.name, product.price FROM line"
          " JOIN product ON product.id = line.product_id WHERE line.order_id = 1",
          "UPDATE product SET price = 2 WHERE id = 1;"
          "UPDATE orders SET status = 'sent' WHERE id = 1");
    search(&fixture, cost_cassandra);
    duplicates_find(&fixture.layout, fixture.arena, &duplicates);
    const struct duplicate *found =
        duplicate_of(&fixture, &duplicates, "orders_by_customer_id", "placed");
    assert_non_null(found);
    assert_int_equal(found->strategy, DUPLICATE_BATCH);
    found = duplicate_of(&fixture, &duplicates, "orders_by_status", "placed");
    assert_non_null(found);
    assert_int_equal(found->strategy, DUPLICATE_VIEW);
    found = duplicate_of(&fixture, &duplicates, "line_by_order_id", "product_name");
    assert_non_null(found);
    assert_int_equal(found->strategy, DUPLICATE_APPLICATION);
    found = duplicate_of(&fixture, &duplicates, "line_by_order_id", "product_price");
    assert_non_null(found);
    assert_int_equal(found->strategy, DUPLICATE_STREAM); /* a product has 60 lines */
    duplicates_append(&duplicates, &text);
    assert_non_null(strstr(buffer_string(&text), "BEGIN BATCH"));
    assert_non_null(strstr(buffer_string(&text), "CREATE MATERIALIZED VIEW orders_by_status"));
    buffer_free(&text);
    end(&fixture);
}

/* A write of a row that twelve tables have touches as many partitions. */
static void a_batch_touches_at_most_ten_partitions(void **state)
{
    (void)state;
    for (uint32_t indexes = 7; indexes < 13; indexes += 5) {
        struct fixture fixture;
        struct duplicates duplicates;
        start_wide(&fixture, indexes);
        search(&fixture, cost_cassandra);
        duplicates_find(&fixture.layout, fixture.arena, &duplicates);
        assert_true(duplicates.count > 0);
        for (uint32_t i = 0; i < duplicates.count; i++) {
            bool is_stream = duplicates.list[i].strategy == DUPLICATE_STREAM;
            assert_true(duplicates.list[i].strategy == DUPLICATE_VIEW ||
                        is_stream == (indexes > 10));
        }
        end(&fixture);
    }
}

static uint32_t copied_fields(const struct fixture *fixture)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fixture->layout.count; i++) {
        const struct family *family = layout_family(&fixture->layout, &fixture->layout.tables[i]);
        for (uint32_t j = 0; j < family->fields.count; j++) {
            count += fixture->places.list[family->fields.at[j]].path != family->root;
        }
    }
    return count;
}

/* A query of little weight that copies a name into all lines: where bytes weigh, it reads the
 * product instead. */
static void a_copy_goes_away_where_bytes_weigh(void **state)
{
    (void)state;
    static const char queries[] =
        "SELECT line.quantity, product.name FROM line JOIN product"
        " ON product.id = line.product_id WHERE line.id = 1;"
        "SELECT * FROM line WHERE id = 1; SELECT * FROM product WHERE id = 1;"
        "SELECT * FROM orders WHERE id = 1; SELECT * FROM customer WHERE id = 1;"
        "SELECT * FROM tag WHERE id = 1; SELECT id FROM customer WHERE email = 'x'";
    struct fixture fixture;
    start(&fixture, queries, "");
    search(&fixture, cost_cassandra);
    assert_int_equal(copied_fields(&fixture), 1);
    double weight = 0;
    double bytes = 0;
    for (uint32_t i = 0; i < fixture.workload.count; i++) {
        weight += fixture.workload.statements[i].weight;
    }
    for (uint32_t i = 0; i < fixture.graph.entity_count; i++) {
        bytes += fixture.graph.entities[i].rows * fixture.graph.entities[i].row_bytes;
    }
    search(&fixture, cost_of_bytes(&cost_cassandra, weight, bytes));
    assert_int_equal(copied_fields(&fixture), 0);
    assert_true(fixture.result.unanswered == 0);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_keys_are_padded_or_escaped),
        cmocka_unit_test(indexes_need_no_reads_before_writes),
        cmocka_unit_test(hot_partitions_are_sharded),
        cmocka_unit_test(a_statement_of_two_parts_counts_once),
        cmocka_unit_test(lists_of_values_are_counted_as_they_are_asked),
        cmocka_unit_test(what_is_unserved_counts_where_it_belongs),
        cmocka_unit_test(families_become_tables_and_indexes),
        cmocka_unit_test(a_table_has_at_most_twenty_indexes),
        cmocka_unit_test(a_collection_has_at_most_sixty_four_indexes),
        cmocka_unit_test(children_are_embedded_by_rule),
        cmocka_unit_test(children_with_a_life_of_their_own_are_not),
        cmocka_unit_test(each_duplicate_has_its_strategy),
        cmocka_unit_test(a_batch_touches_at_most_ten_partitions),
        cmocka_unit_test(a_copy_goes_away_where_bytes_weigh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
