/* What a language model suggests, checked against a schema; and what it is asked. */
#include "design/advisor/advisor_parts.h"
#include "sql/ddl.h"
#include "support.h"
#include <stdio.h>
#include <string.h>

static const char ddl[] =
    "CREATE TABLE address (id integer PRIMARY KEY, city text, spot json);"
    "CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL, height double precision,"
    "  boss_id integer REFERENCES customer(id));"
    "CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES "
    "customer(id),"
    "  billing_id integer REFERENCES address(id), shipping_id integer REFERENCES address(id),"
    "  placed_at timestamp NOT NULL, total numeric(10,2));"
    "CREATE TABLE tag (id integer PRIMARY KEY, label text);"
    "CREATE TABLE order_tag (order_id integer REFERENCES orders(id), tag_id integer REFERENCES "
    "tag(id), PRIMARY KEY (order_id, tag_id));"
    "CREATE TABLE lonely (id integer PRIMARY KEY, \"odd.name\" text);";

struct checked {
    struct arena *arena;
    struct schema schema;
    struct graph graph;
    struct workload workload;
    struct advisor_reply reply;
    struct error error;
};

static int set_up(void **state)
{
    struct checked *self = calloc(1, sizeof(*self));
    struct sql_ddl_report report = {0};
    self->arena = arena_create(0);
    char *text = arena_copy_string(self->arena, ddl);
    sql_ddl_read(SQL_POSTGRES, text, strlen(text), self->arena, &self->schema, &report);
    assert_int_equal(self->schema.table_count, 6);
    graph_from_schema(&self->schema, NULL, NULL, self->arena, &self->graph);
    workload_assume(&self->graph, self->arena, &self->workload);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct checked *self = *state;
    arena_destroy(self->arena);
    free(self);
    return 0;
}

static enum status read_text(struct checked *self, const char *text)
{
    error_clear(&self->error);
    return advisor_reply_read(text, strlen(text), &self->graph, self->arena, &self->reply,
                              &self->error);
}

/* One table of these members. */
static const struct advisor_table *read_one(struct checked *self, const char *members)
{
    const char *text = arena_format(self->arena, "{\"tables\": [{\"name\": \"t\", %s}]}", members);
    assert_int_equal(read_text(self, text), STATUS_OK);
    return self->reply.table_count == 1 ? &self->reply.tables[0] : NULL;
}

static void check_columns(struct checked *self, struct advisor_columns columns,
                          const char *expected)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < columns.count; i++) {
        buffer_append_string(&text, i > 0 ? " " : "");
        advisor_append_column(&self->reply, &columns.at[i], &text);
        buffer_append_string(&text, columns.at[i].descending ? "-" : "");
    }
    assert_string_equal(buffer_string(&text), expected);
    buffer_free(&text);
}

static void check_dropped(struct checked *self, uint32_t at, const char *what, const char *why)
{
    assert_true(at < self->reply.dropped_count);
    assert_string_equal(self->reply.dropped[at].table, "t");
    assert_string_equal(self->reply.dropped[at].what, what);
    assert_string_equal(self->reply.dropped[at].why, why);
}

static const char *root_name(const struct checked *self, const struct advisor_table *table)
{
    return self->graph.entities[table->root].name;
}

/* ---------------------------------------------------------------- tables */

static void a_table_is_taken_as_it_was_said(void **state)
{
    struct checked *self = *state;
    const struct advisor_table *table =
        read_one(self, "\"rows_of\": \"orders\", \"partition_key\": [\"orders.customer_id\"], "
                       "\"clustering\": [{\"column\": \"orders.placed_at\", \"order\": \"DESC\"}, "
                       "\"orders.id asc\"], \"columns\": [\"orders.total\", \"customer.name\", "
                       "\"billing_id>address.city\"], \"queries\": [\"Q1\"], \"reason\": \"so\"");
    assert_non_null(table);
    assert_int_equal(self->reply.dropped_count, 0);
    assert_string_equal(root_name(self, table), "orders");
    check_columns(self, table->partition, "orders.customer_id");
    check_columns(self, table->clustering, "orders.placed_at- orders.id");
    check_columns(self, table->others,
                  "orders.total customer_id>customer.name billing_id>address.city");
    assert_string_equal(table->reason, "so");
    assert_string_equal(table->queries[0], "Q1");
}

static void inventions_are_dropped_and_listed(void **state)
{
    struct checked *self = *state;
    const struct advisor_table *table =
        read_one(self, "\"rows_of\": \"orders\", \"partition_key\": [\"orders.customer_id\", "
                       "\"orders.month_bucket\"], \"clustering\": [\"invoice.id\"], "
                       "\"columns\": [\"orders.total\", \"lonely.id\", 7, \"address.city\"]");
    assert_non_null(table);
    check_columns(self, table->partition, "orders.customer_id");
    check_columns(self, table->clustering, "");
    check_columns(self, table->others, "orders.total");
    assert_int_equal(self->reply.dropped_count, 5);
    check_dropped(self, 0, "a column", "it is no text");
    check_dropped(self, 1, "orders.month_bucket", "orders has no such column");
    check_dropped(self, 2, "invoice.id", "the schema has no such table");
    check_dropped(self, 3, "lonely.id", "orders refers to no lonely");
    check_dropped(self, 4, "address.city",
                  "several foreign keys lead from orders to address, and it does not say which");
}

static void a_table_without_a_usable_key_is_dropped(void **state)
{
    struct checked *self = *state;
    assert_null(read_one(self, "\"rows_of\": \"orders\", \"columns\": [\"orders.total\"]"));
    check_dropped(self, 0, "the table", "it has no usable partition key");
    assert_null(read_one(self, "\"rows_of\": \"nothing\", \"partition_key\": [\"no.such\"]"));
    check_dropped(self, 1, "the table", "nothing in it is of the schema");
    assert_null(read_one(self, "\"rows_of\": \"orders\", \"partition_key\": \"orders.nothing\""));
    check_dropped(self, 1, "the table", "it has no usable partition key");
}

static void keys_have_types_that_make_keys(void **state)
{
    struct checked *self = *state;
    assert_null(read_one(self, "\"partition_key\": [\"address.spot\"]"));
    check_dropped(self, 0, "address.spot", "a document or collection is no key");
    assert_null(read_one(self, "\"partition_key\": [\"customer.height\"]"));
    check_dropped(self, 0, "customer.height", "a floating-point number is no partition key");
    const struct advisor_table *table =
        read_one(self, "\"partition_key\": [{\"name\": \"customer.id\", \"type\": \"uuid\"}], "
                       "\"clustering\": [{\"column\": \"customer.height\"}]");
    assert_non_null(table);
    check_dropped(self, 0, "type uuid of customer.id", "it is integer");
    check_columns(self, table->clustering, "customer.height");
    assert_non_null(
        read_one(self, "\"partition_key\": [{\"name\": \"customer.id\", \"type\": \"BIGINT\"}]"));
    assert_int_equal(self->reply.dropped_count, 0);
}

static void the_root_is_what_reaches_the_columns(void **state)
{
    struct checked *self = *state;
    const struct advisor_table *table =
        read_one(self, "\"rows_of\": \"customer\", \"partition_key\": [\"customer.id\"], "
                       "\"columns\": [\"orders.total\"]");
    assert_non_null(table);
    assert_string_equal(root_name(self, table), "orders");
    check_dropped(self, 0, "rows_of customer",
                  "with these columns it has a row for each of orders");
    table = read_one(self, "\"partition_key\": [\"tag.label\"], \"columns\": [\"orders.total\"]");
    assert_non_null(table);
    assert_string_equal(root_name(self, table), "order_tag");
    table = read_one(self, "\"rows_of\": \"ghost\", \"partition_key\": [\"orders.id\"]");
    assert_non_null(table);
    check_dropped(self, 0, "rows_of ghost", "the schema has no such table");
}

static void columns_are_found_by_their_ways(void **state)
{
    struct checked *self = *state;
    const struct advisor_table *table = read_one(
        self, "\"rows_of\": \"orders\", \"partition_key\": [\"customer_id\"], \"columns\": "
              "[\"customer_id->boss_id->customer.name\", \"shipping_id > address.city\", "
              "\"total>address.city\", \"billing_id>customer.name\", "
              "\"`orders`.`total`\", \"ORDERS.TOTAL\", "
              "\"customer_id>boss_id>boss_id>boss_id>boss_id>name\"]");
    assert_non_null(table);
    check_columns(self, table->partition, "orders.customer_id");
    check_columns(self, table->others,
                  "customer_id>boss_id>customer.name shipping_id>address.city orders.total");
    check_dropped(self, 0, "total>address.city", "orders has no such foreign key");
    check_dropped(self, 1, "billing_id>customer.name", "that foreign key leads to address");
    check_dropped(self, 2, "customer_id>boss_id>boss_id>boss_id>boss_id>name",
                  "customer has no such foreign key");
    table = read_one(self, "\"partition_key\": [\"lonely.odd.name\"]");
    assert_non_null(table);
    check_columns(self, table->partition, "lonely.odd.name");
}

/* ---------------------------------------------------------------- texts */

static void json_is_found_in_what_stands_around_it(void **state)
{
    struct checked *self = *state;
    static const char *const good[] = {
        "[{\"name\":\"t\",\"partition_key\":[\"tag.id\"]}]",
        "```json\n{\"tables\":[{\"name\":\"t\",\"partition_key\":[\"tag.id\"]}]}\n```",
        "```\n{\"tables\":[{\"name\":\"t\",\"partition_key\":[\"tag.id\"]}]}",
        "Here you are:\n```sql\nSELECT 1\n```\n"
        "```json\n{\"tables\":[{\"name\":\"t\",\"partition_key\":[\"tag.id\"]}]}\n```\nGood luck!",
        "Sure! {\"tables\":[{\"name\":\"t\",\"partition_key\":[\"tag.id\"]}]} Anything else?"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(read_text(self, good[i]), STATUS_OK);
        assert_int_equal(self->reply.table_count, 1);
    }
    static const char *const bad[] = {
        "",    "I am sorry.", "<html><body>{ }</html>", "{\"tables\": [{\"name\": \"t\", \"parti",
        "42",  "\"text\"",    "{\"tables\": 7}",        "{}",
        "```", "```json"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(read_text(self, bad[i]), STATUS_FAILED);
        assert_int_equal(self->error.code, ERROR_ADVISOR);
        assert_true(self->error.hint[0] != '\0');
    }
    assert_int_equal(read_text(self, "{\"tables\": []}"), STATUS_OK);
    assert_int_equal(self->reply.table_count, 0);
}

static void tables_become_families(void **state)
{
    struct checked *self = *state;
    struct places places;
    struct pool pool;
    const struct advisor_table *table =
        read_one(self, "\"rows_of\": \"orders\", \"partition_key\": [\"customer.id\"], "
                       "\"clustering\": [\"orders.placed_at desc\"], \"columns\": "
                       "[\"customer.name\", \"orders.total\"]");
    assert_non_null(table);
    places_init(&places, &self->graph, self->arena);
    pool_init(&pool, &places, &cost_cassandra, 0);
    advisor_propose(&self->reply, &places, &pool);
    assert_int_equal(pool.count, 1);
    assert_int_equal(table->family, 0);
    const struct family *family = &pool.families[0];
    const struct graph_field *field = places_field(&places, family->partition.at[0]);
    assert_int_equal(family->root, table->root);
    assert_int_equal(family->partition.count, 1);
    assert_string_equal(field->name, "customer_id"); /* the foreign key, which is the same */
    assert_int_equal(family->clustering_count, 2);   /* with the primary key */
    assert_true(family->clustering[0].descending);
    assert_int_equal(family->fields.count, 5);
}

/* ---------------------------------------------------------------- prompts and waits */

static void prompts_keep_their_bounds(void **state)
{
    struct checked *self = *state;
    struct advisor_prompts prompts;
    advisor_prompts_make(&self->graph, &self->workload, 0, self->arena, &prompts);
    assert_int_equal(prompts.entities, 6);
    assert_int_equal(prompts.entities_left_out + prompts.queries_left_out, 0);
    assert_int_equal(prompts.queries, self->workload.count);
    assert_non_null(strstr(prompts.tables, "\ntable orders: "));
    assert_non_null(strstr(prompts.tables, "foreign key shipping_id -> address(id)"));
    assert_non_null(strstr(prompts.tables, "SELECT * FROM orders WHERE customer_id = ?"));
    assert_non_null(strstr(prompts.strategy, "\"odd.name\": text"));
}

static void constants_of_queries_stay_here(void **state)
{
    struct checked *self = *state;
    struct advisor_prompts prompts;
    uint32_t orders = graph_find_entity(&self->graph, "orders", 6);
    const struct workload_alias alias = {.name = "secret_alias", .entity = orders};
    const struct workload_predicate predicates[] = {
        {.test = WORKLOAD_EQUAL, .field = {0, 1}, .operand = "'secret-one'"},
        {.test = WORKLOAD_IN, .field = {0, 2}, .values = 3, .operand = "('secret-two')"},
        {.test = WORKLOAD_RANGE, .field = {0, 4}, .operand = "'secret-three'"},
        {.test = WORKLOAD_FILTER, .field = {0, 5}, .operand = "'secret-four'"}};
    const struct workload_reference field = {0, 0};
    const struct workload_statement statement = {.name = "secret-name",
                                                 .text = "SELECT 'secret-text'",
                                                 .weight = 3,
                                                 .aliases = &alias,
                                                 .alias_count = 1,
                                                 .predicates = predicates,
                                                 .predicate_count = 4,
                                                 .fields = &field,
                                                 .field_count = 1,
                                                 .limit = 4711};
    const struct workload workload = {self->arena, &statement, 1};
    advisor_prompts_make(&self->graph, &workload, 0, self->arena, &prompts);
    assert_null(strstr(prompts.tables, "secret"));
    assert_null(strstr(prompts.tables, "4711"));
    assert_non_null(strstr(prompts.tables,
                           "Q1, weight 3: SELECT id FROM orders WHERE customer_id = ? AND "
                           "billing_id IN (?) AND placed_at BETWEEN ? AND ? AND "
                           "some_test(total) LIMIT ?\n"));
}

static void a_large_schema_is_cut(void **state)
{
    struct checked *self = *state;
    struct advisor_prompts prompts;
    enum { TABLES = 300 };
    struct schema_column columns[10];
    struct schema_table *tables = arena_allocate_zeroed(self->arena, TABLES, sizeof(*tables));
    static const char *const key = "column_0_with_a_long_name";
    for (uint32_t i = 0; i < 10; i++) {
        columns[i] = (struct schema_column){
            .name = arena_format(self->arena, "column_%u_with_a_long_name", i),
            .type = {.kind = VALUE_INT64}};
    }
    for (uint32_t i = 0; i < TABLES; i++) {
        tables[i] = (struct schema_table){.name = arena_format(self->arena, "table_%03u", i),
                                          .columns = columns,
                                          .column_count = 10,
                                          .primary_key = {&key, 1},
                                          .row_count = 10};
    }
    const struct schema schema = {.tables = tables, .table_count = TABLES};
    struct graph graph;
    struct workload workload;
    graph_from_schema(&schema, NULL, NULL, self->arena, &graph);
    workload_assume(&graph, self->arena, &workload);
    for (size_t bytes = 1; bytes < 200000; bytes = bytes * 3 + 7000) {
        size_t most = bytes < ADVISOR_PROMPT_BYTES_MIN ? ADVISOR_PROMPT_BYTES_MIN : bytes;
        advisor_prompts_make(&graph, &workload, bytes, self->arena, &prompts);
        assert_true(strlen(prompts.tables) <= most && strlen(prompts.strategy) <= most);
        assert_true(prompts.entities > 0 && prompts.queries > 0);
        assert_int_equal(prompts.entities + prompts.entities_left_out, TABLES);
        assert_int_equal(prompts.queries + prompts.queries_left_out, workload.count);
    }
}

static void waits_grow_or_are_the_servers(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(advisor_wait_ms(i, 0), i * 10000);
    }
    assert_int_equal(advisor_wait_ms(1, 15000), 15000);
    assert_int_equal(advisor_wait_ms(2, 15000), 20000);
    assert_int_equal(advisor_wait_ms(6, 15000), 0);
    assert_int_equal(advisor_wait_ms(1, 3600000), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(a_table_is_taken_as_it_was_said),
                                       CASE(inventions_are_dropped_and_listed),
                                       CASE(a_table_without_a_usable_key_is_dropped),
                                       CASE(keys_have_types_that_make_keys),
                                       CASE(the_root_is_what_reaches_the_columns),
                                       CASE(columns_are_found_by_their_ways),
                                       CASE(json_is_found_in_what_stands_around_it),
                                       CASE(tables_become_families),
                                       CASE(prompts_keep_their_bounds),
                                       CASE(constants_of_queries_stay_here),
                                       CASE(a_large_schema_is_cut),
                                       CASE(waits_grow_or_are_the_servers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
