/* Lists within the items of lists. */
#include "support_plan.h"
#include <stdio.h>
#include <string.h>

static const char shop_sql[] =
    "CREATE TABLE customer(id INTEGER PRIMARY KEY NOT NULL, name TEXT);"
    "CREATE TABLE orders(id INTEGER PRIMARY KEY NOT NULL, customer INTEGER REFERENCES "
    "customer(id), day TEXT, open INTEGER);"
    "CREATE TABLE article(id INTEGER PRIMARY KEY NOT NULL, name TEXT);"
    "CREATE TABLE line(orders INTEGER REFERENCES orders(id), nr INTEGER NOT NULL, what INTEGER "
    "REFERENCES article(id), n INTEGER, price NUMERIC(10,2));"
    "CREATE TABLE note(id INTEGER PRIMARY KEY NOT NULL, orders INTEGER REFERENCES orders(id), text "
    "TEXT);"
    "CREATE TABLE part(article INTEGER NOT NULL REFERENCES article(id), nr INTEGER NOT NULL, name "
    "TEXT, PRIMARY KEY(article, nr)) WITHOUT ROWID;"
    "CREATE TABLE screw(id INTEGER PRIMARY KEY NOT NULL, article INTEGER, nr INTEGER, size TEXT, "
    "FOREIGN KEY(article, nr) REFERENCES part(article, nr));"
    "CREATE VIEW twin AS SELECT customer, day FROM orders UNION ALL SELECT customer, day FROM "
    "orders;"
    "CREATE VIEW remark AS SELECT orders, text FROM note UNION ALL SELECT orders, text FROM note;"
    "INSERT INTO customer VALUES(1, 'Ann'), (2, 'Bob'), (3, 'Cid');"
    "INSERT INTO orders VALUES(10, 1, 'Wed', 1), (11, 1, 'Mon', 0), (12, 2, 'Tue', 1), "
    "(13, NULL, 'Sun', 1), (14, 1, 'Fri', 1);"
    "INSERT INTO article VALUES(1, 'nut'), (2, 'bolt'), (3, NULL);"
    "INSERT INTO line VALUES(10, 1, 1, 5, 0.5), (10, 2, 2, 7, 1.25), (11, 1, 1, 1, 0.5), "
    "(12, 1, 3, 2, 2), (NULL, 1, 1, 9, 9), (13, 1, 1, 4, 4), (10, 3, NULL, 6, 3);"
    "INSERT INTO note VALUES(1, 10, 'late'), (2, 14, 'gift'), (3, 10, 'again'), (4, 13, 'lost');"
    "INSERT INTO part VALUES(1, 1, 'ring'), (1, 2, 'core'), (2, 1, 'head');"
    "INSERT INTO screw VALUES(1, 1, 2, 'M4'), (2, 2, 1, 'M6'), (3, 1, 1, 'M3'), (4, 1, 2, 'M5'), "
    "(5, NULL, 2, 'M9');";

static struct plan_test shop;

static int open_shop(void **state)
{
    (void)state;
    plan_test_open(&shop, shop_sql, "dynamodb-json");
    return 0;
}

static int open_sql(void **state)
{
    (void)state;
    plan_test_open(&shop, shop_sql, "sqlite");
    return 0;
}

static int close_shop(void **state)
{
    (void)state;
    plan_test_close(&shop);
    return 0;
}

#define OF_CUSTOMERS(fields) \
    "  t: { key: { partition: id }, from: customer, fields: { id: copy, " fields " } }\n"

/* Several beside one another, each in its own order, with a look-up; orders and lines whose foreign
 * key is null belong to none. */
static void lists_in_items(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        OF_CUSTOMERS("o: { embed: orders, order: day, fields: { id: copy, lines: { embed: line, "
                     "order: n desc, fields: { n: copy, what: { lookup: article, column: name }, "
                     "text: \"{n} x {what}\", twice: { sql: \"n * 2\" } } }, day: copy, notes: { "
                     "embed: note, fields: { text: copy } } } }"),
        "t {id:1,o:["
        "{\"id\":14,\"lines\":[],\"day\":\"Fri\",\"notes\":[{\"text\":\"gift\"}]},"
        "{\"id\":11,\"lines\":[{\"n\":1,\"what\":\"nut\",\"text\":\"1 x nut\",\"twice\":2}],"
        "\"day\":\"Mon\",\"notes\":[]},"
        "{\"id\":10,\"lines\":[{\"n\":7,\"what\":\"bolt\",\"text\":\"7 x bolt\",\"twice\":14},"
        "{\"n\":6,\"twice\":12},{\"n\":5,\"what\":\"nut\",\"text\":\"5 x nut\",\"twice\":10}],"
        "\"day\":\"Wed\",\"notes\":[{\"text\":\"late\"},{\"text\":\"again\"}]}]}\n"
        "t {id:2,o:[{\"id\":12,\"lines\":[{\"n\":2,\"twice\":4}],\"day\":\"Tue\",\"notes\":[]}]}\n"
        "t {id:3,o:[]}\n");
}

/* Items that are left out take their lists with them. */
static void conditions(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        OF_CUSTOMERS(
            "o: { embed: orders, where: \"day <> 'Mon'\", fields: { id: copy, lines: { "
            "embed: line, when: \"day <> 'Fri'\", where: \"n > 5\", fields: { n: copy } } } "
            "}, none: { embed: orders, when: \"id > 1\", fields: { l: { embed: line, "
            "fields: { n: copy } } } }"),
        "t {id:1,o:[{\"id\":10,\"lines\":[{\"n\":7},{\"n\":6}]},{\"id\":14}]}\n"
        "t {id:2,o:[{\"id\":12,\"lines\":[]}],none:[{\"l\":[{\"n\":2}]}]}\n"
        "t {id:3,o:[],none:[]}\n");
}

/* Four levels, through a table without a primary key and one with a key of two columns. What
 * several items name is in each of them. */
static void deep_lists(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t: { key: { partition: id }, from: customer, where: id < 3, fields: { id: copy, o: { "
        "embed: orders, fields: { id: copy, l: { embed: line, order: nr, fields: { nr: copy, p: { "
        "embed: part, match: { article: what }, order: name, fields: { name: copy, s: { embed: "
        "screw, order: size desc, fields: { size: copy } } } } } } } } } }\n",
        "t {id:1,o:[{\"id\":10,\"l\":["
        "{\"nr\":1,\"p\":[{\"name\":\"core\",\"s\":[{\"size\":\"M5\"},{\"size\":\"M4\"}]},"
        "{\"name\":\"ring\",\"s\":[{\"size\":\"M3\"}]}]},"
        "{\"nr\":2,\"p\":[{\"name\":\"head\",\"s\":[{\"size\":\"M6\"}]}]},{\"nr\":3,\"p\":[]}]},"
        "{\"id\":11,\"l\":[{\"nr\":1,\"p\":["
        "{\"name\":\"core\",\"s\":[{\"size\":\"M5\"},{\"size\":\"M4\"}]},"
        "{\"name\":\"ring\",\"s\":[{\"size\":\"M3\"}]}]}]},{\"id\":14,\"l\":[]}]}\n"
        "t {id:2,o:[{\"id\":12,\"l\":[{\"nr\":1,\"p\":[]}]}]}\n");
}

/* Rows that nothing tells apart have equal lists. */
static void items_of_a_view(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t: { key: { partition: id }, from: customer, where: id = 1, fields: { id: copy, o: { "
        "embed: twin, match: { customer: id }, order: day desc, fields: { day: copy, again: { "
        "embed: orders, match: { day: day }, fields: { id: copy, r: { embed: remark, match: { "
        "orders: id }, order: text, fields: { text: copy } } } } } } } }\n",
        "t {id:1,o:["
        "{\"day\":\"Wed\",\"again\":[{\"id\":10,\"r\":[{\"text\":\"again\"},{\"text\":\"again\"},"
        "{\"text\":\"late\"},{\"text\":\"late\"}]}]},"
        "{\"day\":\"Wed\",\"again\":[{\"id\":10,\"r\":[{\"text\":\"again\"},{\"text\":\"again\"},"
        "{\"text\":\"late\"},{\"text\":\"late\"}]}]},"
        "{\"day\":\"Mon\",\"again\":[{\"id\":11,\"r\":[]}]},"
        "{\"day\":\"Mon\",\"again\":[{\"id\":11,\"r\":[]}]},"
        "{\"day\":\"Fri\",\"again\":[{\"id\":14,\"r\":[{\"text\":\"gift\"},{\"text\":\"gift\"}]}]},"
        "{\"day\":\"Fri\",\"again\":[{\"id\":14,\"r\":[{\"text\":\"gift\"},{\"text\":\"gift\"}]}]}"
        "]}\n");
}

/* A list of the record that reads the rows of an inner one comes before the outer one. */
static void the_same_rows_twice(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t: { key: { partition: id }, from: customer, where: id = 1, fields: { id: copy, sum: { "
        "aggregate: orders.line, value: sum(n) }, flat: { embed: orders.line, where: n > 5, "
        "fields: { n: copy } }, o: { embed: orders, fields: { id: copy, l: { embed: line, where: n "
        "> 5, fields: { n: copy } } } } } }\n",
        "t {id:1,sum:19,flat:[{\"n\":7},{\"n\":6}],o:[{\"id\":10,\"l\":[{\"n\":7},{\"n\":6}]},"
        "{\"id\":11,\"l\":[]},{\"id\":14,\"l\":[]}]}\n");
}

/* Two entities of one table, each with its own items. */
static void lists_of_two_entities(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t:\n"
        "    key: { partition: id }\n"
        "    from: customer\n"
        "    where: id = 2\n"
        "    fields: { id: copy, o: { embed: orders, fields: { l: { embed: line, fields: { n: copy "
        "} } } } }\n"
        "  u:\n"
        "    key: { partition: id }\n"
        "    from: customer\n"
        "    where: id = 1\n"
        "    fields: { id: copy, o: { embed: orders, where: open = 0, fields: { l: { embed: line, "
        "fields: { price: copy } } } } }\n",
        "u {id:1,o:[{\"l\":[{\"price\":0.5}]}]}\n"
        "t {id:2,o:[{\"l\":[{\"n\":2}]}]}\n");
}

static void values_of_inner_items(void **state)
{
    (void)state;
    plan_test_expect(
        &shop,
        plan_test_tables(&shop, OF_CUSTOMERS("o: { embed: orders, fields: { id: { column: id, "
                                             "cast: text }, l: { embed: line, fields: "
                                             "{ n: { column: n, cast: text }, w: { column: what, "
                                             "default: 0 } } } } }")));
    assert_non_null(strstr(plan_test_run(&shop),
                           "t {id:2,o:[{\"id\":\"12\",\"l\":[{\"n\":\"2\",\"w\":3}]}]}\n"));
    plan_test_expect(
        &shop,
        "transhume: 1\ntypes: { numbers: { table: line, column: n, cast: text } }\ntables:\n" OF_CUSTOMERS(
            "o: { embed: orders, fields: { l: { embed: line, fields: { \"*\": copy, nr: { drop: true "
            "} } } } }"));
    assert_non_null(
        strstr(plan_test_run(&shop),
               "t {id:2,o:[{\"l\":[{\"orders\":12,\"what\":3,\"n\":\"2\",\"price\":2}]}]}\n"));
}

static void failing_items(void **state)
{
    (void)state;
    shop.show_rejects = true;
    plan_test_records(
        &shop,
        OF_CUSTOMERS("o: { embed: orders, order: id desc, fields: { id: copy, l: { embed: line, "
                     "order: nr, fields: { nr: copy, bad: { sql: \"CASE n WHEN 7 THEN "
                     "abs(-9223372036854775801 - n) END\" } } } } }"),
        "t REJECT expression 1: field o: item 3: l, item 2: field bad: the expression 'CASE n WHEN 7 THEN "
        "abs(-9223372036854775801 - n) END' failed: integer overflow "
        "{\"id\":1,\"o\":[{\"id\":14,\"l\":[]},{\"id\":11,\"l\":[{\"nr\":1}]},{\"id\":10,\"l\":["
        "{\"nr\":1},{\"nr\":2,\"bad\":?},{\"nr\":3}]}]}\n"
        "t {id:2,o:[{\"id\":12,\"l\":[{\"nr\":1}]}]}\n"
        "t {id:3,o:[]}\n");
    assert_int_equal(shop.counts[0].made, 3);
    assert_int_equal(shop.counts[0].rejected, 1);
    plan_test_expect(
        &shop,
        plan_test_tables(&shop, OF_CUSTOMERS("o: { embed: orders, fields: { id: copy, l: { embed: "
                                             "line, where: \"n <> 7 OR abs(-9223372036854775801 - "
                                             "n) > 0\", fields: { n: copy } } } }")));
    const char *out = plan_test_run(&shop);
    assert_non_null(strstr(out, "t REJECT expression 1: field o: item 1: l, item 2: "));
    assert_non_null(strstr(out, "\"l\":[{\"n\":5},{\"n\":7},{\"n\":6}]"));
    plan_test_expect(
        &shop,
        plan_test_tables(&shop, OF_CUSTOMERS("o: { embed: orders, fields: { id: copy, l: { embed: "
                                             "line, when: \"abs(-9223372036854775798 - id) > 0\", "
                                             "fields: { n: copy } } } }")));
    assert_non_null(strstr(plan_test_run(&shop),
                           "t REJECT expression 1: field o: item 1: field l: the expression"));
}

static void lists_that_grow_too_large(void **state)
{
    (void)state;
    shop.record_bytes_max = 24; /* of which forty times as much are held */
    plan_test_expect(
        &shop,
        plan_test_tables(&shop, OF_CUSTOMERS("o: { embed: orders, fields: { id: copy, l: { embed: "
                                             "line, fields: { n: copy, nr: copy, price: copy } } "
                                             "} }")));
    const char *out = plan_test_run(&shop);
    assert_non_null(strstr(out, "t REJECT record-too-large 1: "));
    assert_non_null(strstr(out, "the list o grows beyond 960 bytes with the lists in its items"));
    assert_non_null(strstr(out, "t {id:2,o:[{\"id\":12,\"l\":[{\"n\":2,\"nr\":1,\"price\":2}]}]}"));
    assert_non_null(strstr(out, "t {id:3,o:[]}\n"));
}

/* In columns lists are JSON; one that is left out is null. */
static void columns_get_json(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t: { key: [id], from: customer, fields: { id: copy, o: { embed: orders, fields: { id: "
        "copy, day: copy, l: { embed: line, when: \"day <> 'Fri'\", fields: { n: copy, what: copy } "
        "} } } } }\n",
        "t {id:1,o:[{\"id\":10,\"day\":\"Wed\",\"l\":[{\"n\":5,\"what\":1},{\"n\":7,\"what\":2},"
        "{\"n\":6,\"what\":null}]},{\"id\":11,\"day\":\"Mon\",\"l\":[{\"n\":1,\"what\":1}]},"
        "{\"id\":14,\"day\":\"Fri\",\"l\":null}]}\n"
        "t {id:2,o:[{\"id\":12,\"day\":\"Tue\",\"l\":[{\"n\":2,\"what\":3}]}]}\n"
        "t {id:3,o:[]}\n");
    assert_int_equal(shop.plan->tables[0].target.columns[1].type.kind, VALUE_JSON);
}

static const char *hash_of(const char *list)
{
    char yaml[1000];
    snprintf(yaml, sizeof yaml, OF_CUSTOMERS("%s"), list);
    plan_test_expect(&shop, plan_test_tables(&shop, yaml));
    return arena_copy_string(shop.arena, shop.plan->mapping_hash);
}

/* What makes other records is another mapping; a resume sees it. */
static void other_lists_are_other_mappings(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "o: { embed: orders, fields: { l: { embed: line, fields: { n: copy } } } }",
        "o: { embed: orders, fields: { l: { embed: line, fields: { nr: copy } } } }",
        "o: { embed: orders, fields: { m: { embed: line, fields: { n: copy } } } }",
        "o: { embed: orders, fields: { l: { embed: line, order: n, fields: { n: copy } } } }",
        "o: { embed: orders, fields: { l: { embed: line, where: n > 1, fields: { n: copy } } } }",
        "o: { embed: orders, fields: { l: { embed: line, when: id > 1, fields: { n: copy } } } }",
        "o: { embed: orders, order: day, fields: { l: { embed: line, fields: { n: copy } } } }",
        "o: { embed: orders, fields: { l: { embed: line.article, fields: { n: { const: 1 } } } } }",
        "o: { embed: orders.line, fields: { l: { embed: part, match: { article: what }, fields: { "
        "nr: copy } } } }",
        "o: { embed: orders, fields: { l: { embed: line.part, match: { article: what }, fields: { "
        "nr: copy } } } }",
    };
    const char *hashes[sizeof lists / sizeof lists[0]];
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        hashes[i] = hash_of(lists[i]);
        assert_string_equal(hash_of(lists[i]), hashes[i]);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(hashes[k], hashes[i]);
        }
    }
}

static void refused(void **state)
{
    (void)state;
    plan_test_expect_code(
        &shop,
        plan_test_tables(
            &shop,
            "  t: { key: { partition: id }, from: customer, fields: { id: copy, o: { embed: orders, "
            "fields: { l: { embed: line, fields: { n: copy } } } } } }\n"
            "  p: { key: { partition: id, sort: n }, pages: t.o, fields: { id: copy, n: { column: "
            "$page }, o: { column: $list } } }\n"),
        ERROR_NOT_IMPLEMENTED, "pages of 'o', whose items hold lists, come with a later version");
    plan_test_expect_code(
        &shop,
        plan_test_tables(
            &shop,
            "  t: { key: { partition: id }, from: customer, fields: { id: copy, o: { embed: orders, "
            "fields: { l: { embed: line, fields: { n: copy } } } } } }\n"
            "  p: { key: { partition: id, sort: n }, pages: t.l, fields: { id: copy, n: { column: "
            "$page }, o: { column: $list } } }\n"),
        ERROR_PLAN_INVALID, "entity 't' has no list 'l'");
    plan_test_expect_code(
        &shop,
        plan_test_tables(&shop, OF_CUSTOMERS("o: { embed: orders, fields: { l: { embed: customer "
                                             "} } }")),
        ERROR_PLAN_INVALID, "orders refers to customer: follow it with lookup:");
    plan_test_expect_code(
        &shop,
        plan_test_tables(&shop, OF_CUSTOMERS("o: { embed: orders, fields: { l: { embed: line, "
                                             "order: m } } }")),
        ERROR_PLAN_INVALID, "line has no column 'm' to order by");
}

/* Orders of the same day, and so on: as deep as it may be, and once more. */
static void as_deep_as_may_be(void **state)
{
    (void)state;
    char list[2000] = "fields: { id: copy }";
    char deeper[2000];
    for (int depth = 1; depth <= 9; depth++) {
        snprintf(deeper, sizeof deeper,
                 "fields: { id: copy, l: { embed: orders, match: { id: id }, %s } }", list);
        memcpy(list, deeper, sizeof list);
        if (depth == 8) {
            snprintf(deeper, sizeof deeper,
                     "  t: { key: { partition: id }, from: orders, where: id = 10, %s }\n", list);
            plan_test_records(
                &shop, deeper,
                "t {id:10,l:[{\"id\":10,\"l\":[{\"id\":10,\"l\":[{\"id\":10,\"l\":[{\"id\":10,\"l\":["
                "{\"id\":10,\"l\":[{\"id\":10,\"l\":[{\"id\":10,\"l\":[{\"id\":10}]}]}]}]}]}]}]}]}"
                "\n");
        }
    }
    snprintf(deeper, sizeof deeper, "  t: { key: { partition: id }, from: orders, %s }\n", list);
    plan_test_expect_code(&shop, plan_test_tables(&shop, deeper), ERROR_PLAN_INVALID,
                          "lists within lists are more than 8 deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_SHOP(test) cmocka_unit_test_setup_teardown(test, open_shop, close_shop)
#define WITH_SQL(test) cmocka_unit_test_setup_teardown(test, open_sql, close_shop)
        WITH_SHOP(lists_in_items),
        WITH_SHOP(conditions),
        WITH_SHOP(deep_lists),
        WITH_SHOP(items_of_a_view),
        WITH_SHOP(the_same_rows_twice),
        WITH_SHOP(lists_of_two_entities),
        WITH_SHOP(values_of_inner_items),
        WITH_SHOP(failing_items),
        WITH_SHOP(lists_that_grow_too_large),
        WITH_SQL(columns_get_json),
        WITH_SHOP(other_lists_are_other_mappings),
        WITH_SHOP(refused),
        WITH_SHOP(as_deep_as_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
