/* SQL as statements of a workload: a case is a text and the statements' short forms. */
#include "design/input/form.h"
#include "design/input/sql.h"
#include "design/workload/query.h"
#include "sql/ddl.h"
#include "support.h"
#include <string.h>

/* A shop; keys and foreign keys declared, but for "tag" and "visit". */
static const char shop[] =
    "CREATE TABLE customer (id int PRIMARY KEY, email text UNIQUE, name text, country text, active "
    "boolean, created_at timestamp);"
    "CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, employee_id "
    "int REFERENCES employee, status text, total numeric(10,2), ordered_at timestamp);"
    "CREATE TABLE order_line (order_id int REFERENCES orders, line int, product_id int REFERENCES "
    "product, quantity int, PRIMARY KEY (order_id, line));"
    "CREATE TABLE product (id int PRIMARY KEY, name text, price numeric, category text, data jsonb);"
    "CREATE TABLE employee (id int PRIMARY KEY, name text, reports_to int REFERENCES employee);"
    "CREATE TABLE payment (id int PRIMARY KEY, customer_id int REFERENCES customer, order_id int "
    "REFERENCES orders, paid_at timestamp);"
    "CREATE TABLE shipment (id int PRIMARY KEY, order_id int, line int, sent date, FOREIGN KEY "
    "(order_id, line) REFERENCES order_line (order_id, line));"
    "CREATE TABLE tag (label text, weight int);"
    "CREATE TABLE \"Odd Name\" (\"Id\" int PRIMARY KEY, \"Sélect\" text, \"user\" text);";

struct input_case {
    const char *sql;
    const char *form;
};

static struct graph make_graph(struct arena *arena)
{
    struct schema schema;
    struct sql_ddl_report report;
    struct graph graph;
    sql_ddl_read(SQL_POSTGRES, shop, sizeof shop - 1, arena, &schema, &report);
    assert_int_equal(report.findings.count, 0);
    graph_from_schema(&schema, NULL, NULL, arena, &graph);
    return graph;
}

static void show(const struct graph *graph, enum sql_language language, const char *sql,
                 struct arena *arena, struct buffer *out)
{
    struct workload workload;
    struct input_sql_report report;
    struct input_sql *input = input_sql_create(graph, language, arena);
    const struct input_text text = {
        .sql = sql, .length = strlen(sql), .weight = 1, .line = 1, .column = 1};
    input_sql_add(input, &text);
    input_sql_finish(input, &workload, &report);
    for (uint32_t i = 0; i < workload.count; i++) {
        buffer_append_string(out, i > 0 ? "\n" : "");
        if (workload.statements[i].weight != 1) {
            buffer_format(out, "%gx ", workload.statements[i].weight);
        }
        input_form_append(out, graph, &workload.statements[i], true);
    }
    for (uint32_t i = 0; i < report.findings.kept; i++) {
        buffer_format(out, "%s%u:%u %s", out->length > 0 ? "\n" : "", report.findings.first[i].line,
                      report.findings.first[i].column, report.findings.first[i].what);
    }
}

static void check(enum sql_language language, const struct input_case *cases, size_t count)
{
    struct arena *arena = arena_create(0);
    const struct graph graph = make_graph(arena);
    for (size_t i = 0; i < count; i++) {
        struct buffer out = {0};
        show(&graph, language, cases[i].sql, arena, &out);
        assert_buffer(&out, cases[i].form);
        buffer_free(&out);
    }
    arena_destroy(arena);
}

#define CHECK(language, cases) check(language, cases, sizeof(cases) / sizeof(cases)[0])

/* ---------------------------------------------------------------- PostgreSQL */

static const struct input_case selects[] = {
    {"SELECT name FROM customer WHERE id = $1",
     "SELECT customer.name FROM customer customer WHERE customer.id ="},
    {"select c.* from public.customer AS c where c.email = 'a@b' limit 1",
     "SELECT c.id, c.email, c.name, c.country, c.active, c.created_at FROM customer c WHERE c.email = "
     "LIMIT 1"},
    {"SELECT * FROM tag", "SELECT tag.label, tag.weight FROM tag tag"},
    {"SELECT id FROM orders WHERE customer_id = 5 AND status IN ('a','b','c') AND ordered_at >= now() "
     "- interval '7 days' ORDER BY ordered_at DESC, id LIMIT 10 OFFSET 20",
     "SELECT orders.id FROM orders orders WHERE orders.customer_id =, orders.status in3, "
     "orders.ordered_at range now() - '7 days'::interval ORDER orders.ordered_at desc, orders.id LIMIT "
     "30"},
    {"SELECT id FROM orders WHERE id = ANY($1)",
     "SELECT orders.id FROM orders orders WHERE orders.id "
     "in10"},
    {"SELECT id FROM orders WHERE id = ANY(ARRAY[1,2])",
     "SELECT orders.id FROM orders orders WHERE orders.id in2"},
    {"SELECT id FROM orders WHERE id IN (7)",
     "SELECT orders.id FROM orders orders WHERE orders.id ="},
    {"SELECT total FROM orders WHERE (id, status) IN ((1, 'a'), (2, 'b'), (3, 'c'))",
     "SELECT orders.total FROM orders orders WHERE orders.id in3, orders.status filter"},
    {"SELECT id FROM orders WHERE total BETWEEN 1 AND 2 AND 5 < total AND customer_id = 1",
     "SELECT orders.id FROM orders orders WHERE orders.total range, orders.customer_id ="},
    {"SELECT id FROM customer WHERE active AND NOT active AND active IS TRUE AND name LIKE 'A%'",
     "SELECT customer.id FROM customer customer WHERE customer.active = true, customer.name range"},
    {"SELECT id FROM customer WHERE name = 'x' AND country <> 'DE' AND email IS NOT NULL",
     "SELECT customer.id FROM customer customer WHERE customer.name =, customer.country filter, "
     "customer.email filter"},
    {"SELECT id FROM customer WHERE id = 1 OR id = 2 OR id IN (3, 4)",
     "SELECT customer.id FROM customer customer WHERE customer.id in4"},
    {"SELECT id FROM customer WHERE country = 'DE' AND (email = $1 OR name = $2)",
     "SELECT customer.id FROM customer customer WHERE customer.country =, customer.email filter, "
     "customer.name filter"},
    {"SELECT id FROM orders WHERE (ordered_at, id) < ($1, $2) AND customer_id = $3 ORDER BY 1",
     "SELECT orders.id FROM orders orders WHERE orders.ordered_at range, orders.id filter, "
     "orders.customer_id = ORDER orders.id"},
    {"SELECT lower(name) AS n FROM customer WHERE country = $1 ORDER BY n LIMIT 5",
     "SELECT customer.name FROM customer customer WHERE customer.country ="},
    {"SELECT \"Sélect\" FROM \"Odd Name\" WHERE \"Id\" = ? AND \"user\" = :user",
     "SELECT Odd Name.Sélect FROM Odd Name Odd Name WHERE Odd Name.Id =, Odd Name.user ="},
    {"SELECT 1 FROM customer WHERE id = %s AND email = %(mail)s AND 1 = 1",
     "SELECT FROM customer customer WHERE customer.id =, customer.email ="},
    {"SELECT data->>'x' FROM product WHERE id = $1 AND data->>'color' = 'red' AND data @> '{}'",
     "SELECT product.data FROM product product WHERE product.id =, product.data filter"},
};

static const struct input_case joins[] = {
    {"SELECT o.id, c.name FROM orders o JOIN customer c ON o.customer_id = c.id WHERE c.id = $1",
     "SELECT o.id, c.name FROM orders o, customer c JOIN o.customer_id>c WHERE c.id ="},
    {"SELECT name, o.id FROM customer, orders o WHERE customer.id = o.customer_id AND customer.id = 1",
     "SELECT customer.name, o.id FROM customer customer, orders o JOIN o.customer_id>customer WHERE "
     "customer.id ="},
    {"SELECT c.name, o.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE c.id = 1",
     "SELECT c.name, o.id FROM customer c, maybe orders o JOIN o.customer_id>c WHERE c.id ="},
    {"SELECT o.id FROM orders o RIGHT JOIN customer c ON o.customer_id = c.id WHERE c.id = 1",
     "SELECT o.id FROM maybe orders o, customer c JOIN o.customer_id>c WHERE c.id ="},
    {"SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.status = 'x'",
     "SELECT c.id FROM customer c, orders o JOIN o.customer_id>c WHERE o.status ="},
    {"SELECT p.name FROM orders o JOIN order_line l ON l.order_id = o.id JOIN product p ON p.id = "
     "l.product_id WHERE o.customer_id = 1",
     "SELECT p.name FROM orders o, order_line l, product p JOIN l.order_id>o, l.product_id>p WHERE "
     "o.customer_id ="},
    {"SELECT s.sent FROM shipment s JOIN order_line l USING (order_id, line) WHERE l.order_id = 1",
     "SELECT s.sent FROM shipment s, order_line l JOIN s.order_id+s.line>l WHERE l.order_id ="},
    {"SELECT sent FROM shipment NATURAL JOIN order_line WHERE product_id = 1",
     "SELECT shipment.sent FROM shipment shipment, order_line order_line JOIN "
     "shipment.order_id+shipment.line>order_line WHERE order_line.product_id ="},
    {"SELECT e.name, m.name FROM employee e JOIN employee m ON e.reports_to = m.id WHERE e.id = 1",
     "SELECT e.name, m.name FROM employee e, employee m JOIN e.reports_to>m WHERE e.id ="},
    {"SELECT o.id FROM orders o, payment p WHERE o.customer_id = p.customer_id AND p.id = 1",
     "SELECT o.id FROM orders o, payment p, customer customer JOIN o.customer_id>customer, "
     "p.customer_id>customer WHERE p.id ="},
    {"SELECT o.id FROM customer c, orders o, payment p WHERE c.id = o.customer_id AND o.customer_id = "
     "p.customer_id AND c.id = 1",
     "SELECT o.id FROM customer c, orders o, payment p JOIN o.customer_id>c, p.customer_id>c WHERE c.id "
     "="},
    {"SELECT o.id FROM orders o JOIN payment p ON p.order_id = o.id AND p.customer_id = o.customer_id "
     "WHERE p.id = 1",
     "SELECT o.id FROM orders o, payment p JOIN p.order_id>o WHERE p.id =, p.customer_id filter, "
     "o.customer_id filter"},
    {"SELECT p.name FROM product p JOIN tag t ON t.label = p.name WHERE p.id = 1",
     "SELECT p.name FROM product p, tag t WHERE p.id = UNSERVED a join of tag.label with product.name, "
     "which no relation connects; a foreign key or a relation given by hand; else two queries"},
    {"SELECT 1 FROM customer, product WHERE customer.id = 1",
     "SELECT FROM customer customer, product product WHERE customer.id = UNSERVED a cross join of "
     "customer and product; two queries"},
};

static const struct input_case subqueries[] = {
    {"SELECT id FROM orders WHERE customer_id IN (SELECT id FROM customer WHERE country = 'DE')",
     "SELECT orders.id FROM orders orders, customer customer JOIN orders.customer_id>customer WHERE "
     "customer.country ="},
    {"SELECT name FROM customer c WHERE country = 'DE' AND EXISTS (SELECT 1 FROM orders o WHERE "
     "o.customer_id = c.id AND o.total > 10)",
     "SELECT distinct c.name, c.id FROM customer c, orders o JOIN o.customer_id>c WHERE c.country =, "
     "o.total range"},
    {"WITH recent AS (SELECT id AS oid, customer_id FROM orders WHERE ordered_at > $1) SELECT c.name, "
     "oid FROM recent r JOIN customer c ON c.id = r.customer_id WHERE c.id = $2",
     "SELECT c.name, orders.id FROM orders orders, customer c JOIN orders.customer_id>c WHERE "
     "orders.ordered_at range, c.id ="},
    {"SELECT EXISTS (SELECT 1 FROM orders WHERE customer_id = $1)",
     "SELECT FROM orders orders WHERE orders.customer_id ="},
    {"SELECT (SELECT count(*) FROM orders WHERE customer_id = 1), (SELECT count(*) FROM customer)",
     "SELECT FROM orders orders, customer customer UNSERVED a subquery in an expression; a query of its "
     "own, whose result goes into this one"},
    {"SELECT x.n FROM (SELECT name AS n, id FROM customer) x WHERE x.id = 1",
     "SELECT customer.name FROM customer customer WHERE customer.id ="},
    {"SELECT x.a FROM (SELECT name, id FROM customer) AS x (a, b) WHERE b = 1",
     "SELECT customer.name FROM customer customer WHERE customer.id ="},
    {"SELECT name FROM customer WHERE id NOT IN (SELECT customer_id FROM orders)",
     "SELECT FROM customer customer UNSERVED rows that have no match in another table; a flag or a "
     "counter on the row, which writes keep up to date"},
    {"SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.id IS NULL",
     "SELECT FROM customer c, maybe orders o UNSERVED rows that have no match in another table; a flag "
     "or a counter on the row, which writes keep up to date"},
    {"SELECT id FROM orders WHERE total = (SELECT max(total) FROM orders)",
     "SELECT FROM orders orders UNSERVED a subquery in an expression; a query of its own, whose result goes "
     "into this one"},
    {"SELECT id FROM customer WHERE id IN (SELECT customer_id FROM orders GROUP BY 1)",
     "SELECT FROM customer customer UNSERVED a subquery with GROUP BY; a query of its own, whose result "
     "goes into this one"},
    {"WITH RECURSIVE t AS (SELECT 1) SELECT id FROM employee WHERE id = 1",
     "SELECT FROM employee employee UNSERVED a recursive query; one query for each level"},
    {"SELECT id FROM orders WHERE id = 1 UNION ALL (SELECT id FROM payment WHERE id = 2) ORDER BY 1",
     "SELECT orders.id FROM orders orders WHERE orders.id =\n"
     "SELECT payment.id FROM payment payment WHERE payment.id ="},
    {"SELECT id FROM orders WHERE id = 1 EXCEPT SELECT id FROM payment",
     "SELECT FROM orders orders UNSERVED EXCEPT; a query for each part, whose results are put together"},
};

static const struct input_case aggregates[] = {
    {"SELECT count(*) FROM orders WHERE customer_id = 1",
     "SELECT aggregates FROM orders orders WHERE orders.customer_id ="},
    {"SELECT status, sum(total) AS s FROM orders WHERE customer_id = 1 GROUP BY status HAVING "
     "count(employee_id) > 1 ORDER BY s DESC LIMIT 3",
     "SELECT aggregates orders.status, orders.total, orders.employee_id FROM orders orders WHERE "
     "orders.customer_id = GROUP orders.status"},
    {"SELECT status, count(*) AS n FROM orders WHERE customer_id = 1 GROUP BY status HAVING n > 1 ORDER BY "
     "n + 1",
     "SELECT aggregates orders.status FROM orders orders WHERE orders.customer_id = GROUP "
     "orders.status"},
    {"SELECT row_to_json(t) FROM tag t WHERE label = 'x'",
     "SELECT t.label, t.weight FROM tag t WHERE t.label ="},
    {"SELECT country, count(*) FROM customer GROUP BY 1",
     "SELECT aggregates customer.country FROM customer customer GROUP customer.country UNSERVED an "
     "aggregate over all rows of customer; a counter or a summary table that writes keep up to date, or "
     "an analytic copy"},
    {"SELECT date_trunc('day', ordered_at), count(*) FROM orders WHERE customer_id = 1 GROUP BY 1",
     "SELECT aggregates orders.ordered_at FROM orders orders WHERE orders.customer_id = GROUP "
     "orders.ordered_at"},
    {"SELECT id, row_number() OVER (PARTITION BY status ORDER BY total) FROM orders WHERE customer_id "
     "= 1",
     "SELECT aggregates orders.id, orders.status, orders.total FROM orders orders WHERE "
     "orders.customer_id ="},
    {"SELECT DISTINCT country FROM customer WHERE active",
     "SELECT distinct customer.country FROM customer customer WHERE customer.active = true"},
};

static const struct input_case unserved[] = {
    {"SELECT id FROM product WHERE category = NULL",
     "SELECT FROM product product UNSERVED a comparison with NULL, which is never true; no query: its "
     "result is empty"},
    {"SELECT id FROM product WHERE category = 'c' AND NULL < id",
     "SELECT FROM product product WHERE product.category = UNSERVED a comparison with NULL, which is "
     "never true; no query: its result is empty"},
    {"SELECT id FROM product WHERE 1 = 0",
     "SELECT FROM product product UNSERVED a comparison of two constants, which is never true; no "
     "query: its result is empty"},
    {"SELECT id FROM product WHERE category = 'c' AND 1 = 1 AND 'a' = 'a' AND TRUE",
     "SELECT product.id FROM product product WHERE product.category ="},
    {"SELECT id FROM product WHERE category = 'c' AND FALSE",
     "SELECT FROM product product WHERE product.category = UNSERVED FALSE, which is never true; no "
     "query: its result is empty"},
    {"SELECT id FROM product WHERE name LIKE '%x%'",
     "SELECT product.id FROM product product WHERE product.name filter UNSERVED LIKE '%x%' on "
     "product.name; a search index"},
    {"SELECT id FROM product WHERE category = 'c' AND name ILIKE 'x%'",
     "SELECT product.id FROM product product WHERE product.category =, product.name filter"},
    {"SELECT id FROM customer WHERE email = 'x' OR name = 'y'",
     "SELECT customer.id FROM customer customer WHERE customer.email filter, customer.name filter "
     "UNSERVED OR over customer.email and customer.name; a query for each side, whose results are put "
     "together"},
    {"SELECT id FROM customer WHERE lower(email) = $1",
     "SELECT customer.id FROM customer customer WHERE customer.email filter UNSERVED lower() on "
     "customer.email; a stored column with the value of the expression"},
    {"SELECT id FROM customer WHERE email IS NULL",
     "SELECT customer.id FROM customer customer WHERE customer.email filter UNSERVED IS NULL on "
     "customer.email; a stored flag that says so, as a part of a key"},
    {"SELECT id FROM customer c FULL JOIN orders o ON o.customer_id = c.id",
     "SELECT FROM customer c, orders o UNSERVED FULL JOIN; two queries, whose results are put together"},
    {"SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id AND o.status = 'x'",
     "SELECT FROM customer c, maybe orders o UNSERVED a condition on orders.status in ON of an outer "
     "join; two queries, whose results are put together"},
    {"SELECT e.id FROM employee e JOIN employee m ON m.id = e.reports_to AND e.id = m.reports_to WHERE "
     "e.id = 1",
     "SELECT e.id FROM employee e, employee m JOIN m.reports_to>e, e.reports_to>m WHERE e.id = UNSERVED "
     "joins that form a circle; a query for each table"},
    {"SELECT x FROM generate_series(1, 2) x, customer",
     "SELECT FROM customer customer UNSERVED a function in FROM; rows that the application makes"},
};

static const struct input_case changes[] = {
    {"INSERT INTO tag (label) VALUES ('a'), ('b'), ('c')", "3x INSERT tag.label FROM tag tag"},
    {"INSERT INTO tag VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING *",
     "INSERT tag.label, tag.weight FROM tag tag"},
    {"INSERT INTO tag SELECT name, 1 FROM product",
     "INSERT tag.label, tag.weight FROM tag tag UNSERVED INSERT … SELECT; a query, then an INSERT for "
     "each of its rows"},
    {"UPDATE orders SET status = 'x', total = total + 1 WHERE id = 1 AND status = 'y'",
     "UPDATE orders.status, orders.total FROM orders orders WHERE orders.id =, orders.status ="},
    {"DELETE FROM orders WHERE ordered_at < $1",
     "DELETE FROM orders orders WHERE orders.ordered_at range"},
    {"UPDATE orders o SET status = 'x' FROM customer c WHERE c.id = o.customer_id",
     "UPDATE o.status FROM orders o UNSERVED UPDATE by a join; a query for the keys, then a statement "
     "for each"},
    {"DELETE FROM orders WHERE customer_id IN (SELECT id FROM customer WHERE name = 'x')",
     "DELETE FROM orders orders, customer customer WHERE customer.name = UNSERVED DELETE by a "
     "subquery; a query for the keys, then a statement for each"},
    {"DELETE FROM tag",
     "DELETE FROM tag tag UNSERVED DELETE of all rows of tag; TRUNCATE, or a run over the whole table"},
};

static void test_selects(void **state)
{
    (void)state;
    CHECK(SQL_POSTGRES, selects);
}

static void test_joins(void **state)
{
    (void)state;
    CHECK(SQL_POSTGRES, joins);
}

static void test_subqueries(void **state)
{
    (void)state;
    CHECK(SQL_POSTGRES, subqueries);
}

static void test_aggregates(void **state)
{
    (void)state;
    CHECK(SQL_POSTGRES, aggregates);
}

static void test_unserved(void **state)
{
    (void)state;
    CHECK(SQL_POSTGRES, unserved);
}

/* A row is reached by one join; what further joins ask of it is tested row by row. */
static void test_further_joins(void **state)
{
    static const struct {
        const char *sql;
        uint32_t filters;
    } cases[] = {
        {"SELECT p.id FROM payment p JOIN orders o ON o.id = p.order_id JOIN customer c ON c.id = "
         "o.customer_id WHERE p.id = 1",
         0},
        {"SELECT p.id FROM payment p JOIN orders o ON o.id = p.order_id JOIN customer c ON c.id = "
         "o.customer_id AND c.id = p.customer_id WHERE p.id = 1",
         2},
        {"SELECT o.id FROM orders o JOIN employee e ON e.id = o.employee_id JOIN employee m ON m.id = "
         "e.reports_to AND e.id = m.reports_to WHERE o.id = 1",
         2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_create(0);
        struct graph graph = make_graph(arena);
        struct workload workload;
        struct input_sql_report report;
        struct places places;
        const struct query_part *parts = NULL;
        struct input_sql *input = input_sql_create(&graph, SQL_POSTGRES, arena);
        const struct input_text text = {
            .sql = cases[i].sql, .length = strlen(cases[i].sql), .weight = 1};
        input_sql_add(input, &text);
        input_sql_finish(input, &workload, &report);
        assert_int_equal(workload.count, 1);
        assert_null(workload.statements[0].unserved);
        places_init(&places, &graph, arena);
        assert_int_equal(query_parts(&places, &workload.statements[0], &parts), 1);
        assert_int_equal(parts[0].query.filters.count, cases[i].filters);
        arena_destroy(arena);
    }
}

static void test_changes(void **state)
{
    (void)state;
    CHECK(SQL_POSTGRES, changes);
}

/* ---------------------------------------------------------------- other dialects */

static const struct input_case mysql[] = {
    {"SELECT SQL_NO_CACHE `o`.`id` FROM `shop`.`orders` `o` FORCE INDEX (`x`) WHERE `o`.`customer_id` "
     "= ? LIMIT 20, 10",
     "SELECT o.id FROM orders o WHERE o.customer_id = LIMIT 30"},
    {"SELECT `id` FROM `orders` WHERE `status` IN (...) AND `customer_id` = ? LIMIT ?, ...",
     "SELECT orders.id FROM orders orders WHERE orders.status in10, orders.customer_id ="},
    {"INSERT INTO `tag` VALUES (...) /* , ... */", "INSERT tag.label, tag.weight FROM tag tag"},
    {"INSERT LOW_PRIORITY IGNORE INTO tag (label, weight) VALUES (\"it's\", 1) ON DUPLICATE KEY UPDATE "
     "weight = VALUES(weight) + 1",
     "INSERT tag.label, tag.weight FROM tag tag"},
    {"REPLACE INTO tag SET label = 'a', `weight` = 1 + (2)",
     "INSERT tag.label, tag.weight FROM tag tag"},
    {"UPDATE IGNORE orders SET status = 'x' WHERE id = 1 ORDER BY id LIMIT 1",
     "UPDATE orders.status FROM orders orders WHERE orders.id ="},
    {"DELETE QUICK FROM orders WHERE id = 1 LIMIT 1",
     "DELETE FROM orders orders WHERE orders.id ="},
    {"SELECT id FROM orders WHERE ordered_at > DATE_SUB(NOW(), INTERVAL 7 DAY) && customer_id <=> 5 "
     "LOCK IN SHARE MODE",
     "SELECT orders.id FROM orders orders WHERE orders.ordered_at range date_sub(now(), '7 "
     "DAY'::interval), orders.customer_id ="},
    {"SELECT c.name FROM customer c JOIN orders o WHERE o.customer_id = c.id AND o.id = 0x1F",
     "SELECT c.name FROM customer c, orders o JOIN o.customer_id>c WHERE o.id ="},
    {"UPDATE `orders` `o` SET `o`.`status` = 'x' WHERE `o`.`id` = 1",
     "UPDATE o.status FROM orders o WHERE o.id ="},
    {"UPDATE orders o JOIN customer c ON c.id = o.customer_id SET o.status = 'x' WHERE c.id = 1",
     "UPDATE o.status FROM orders o UNSERVED UPDATE by a join; a query for the keys, then a statement "
     "for each"},
    {"DELETE o FROM orders AS o JOIN customer c ON c.id = o.customer_id WHERE c.id = 1",
     "DELETE FROM orders orders UNSERVED DELETE by a join; a query for the keys, then a statement for "
     "each"},
    {"SELECT user FROM `Odd Name` WHERE Id = 1 AND user REGEXP 'x'",
     "SELECT Odd Name.user FROM Odd Name Odd Name WHERE Odd Name.Id =, Odd Name.user filter"},
    {"SELECT id FROM product WHERE MATCH (name, category) AGAINST ('x' IN BOOLEAN MODE)",
     "SELECT product.id FROM product product WHERE product.name filter, product.category filter "
     "UNSERVED full-text search on product.name; a search index"},
    {"SELECT GROUP_CONCAT(name ORDER BY id SEPARATOR ', ') FROM product WHERE category = @c # why\n",
     "SELECT aggregates product.name, product.id FROM product product WHERE product.category ="},
};

static const struct input_case sqlite[] = {
    {"SELECT [id] FROM \"orders\" WHERE customer_id == ?1 AND status IS @s AND employee_id IS NOT NULL "
     "LIMIT 5, 10",
     "SELECT orders.id FROM orders orders WHERE orders.customer_id =, orders.status =, "
     "orders.employee_id filter LIMIT 15"},
    {"INSERT OR REPLACE INTO tag VALUES (:a, $b)", "INSERT tag.label, tag.weight FROM tag tag"},
    {"UPDATE OR IGNORE tag SET weight = 1 WHERE label = 'x'",
     "UPDATE tag.weight FROM tag tag WHERE tag.label ="},
    {"SELECT name FROM product NOT INDEXED WHERE name GLOB 'x*' AND category NOT NULL",
     "SELECT product.name FROM product product WHERE product.name range, product.category filter"},
    {"SELECT name FROM product WHERE name MATCH 'x'",
     "SELECT product.name FROM product product WHERE product.name filter UNSERVED full-text search on "
     "product.name; a search index"},
    {"SELECT max(1, weight) FROM tag WHERE label = 'a'; SELECT name FROM customer WHERE rowid = 1",
     "SELECT tag.weight FROM tag tag WHERE tag.label =\n"
     "SELECT customer.name FROM customer customer WHERE customer.id ="},
};

static void test_mysql(void **state)
{
    (void)state;
    CHECK(SQL_MYSQL, mysql);
}

static void test_sqlite(void **state)
{
    (void)state;
    CHECK(SQL_SQLITE, sqlite);
}

/* ---------------------------------------------------------------- faults and merging */

static const struct input_case faults[] = {
    {"SELECT 'é', id\nFROM orders WHERE = 1", "2:19 syntax error at or near \"=\""},
    {"SELECT id FROM orders WHERE id =", "1:32 syntax error at end of input"},
    {"SELECT id FROM nowhere", "1:16 the schema has no table nowhere"},
    {"SELECT id,\n  o.colour FROM orders o", "2:3 o has no column colour"},
    {"SELECT colour FROM orders", "1:8 no table here has a column colour"},
    {"SELECT x.id FROM orders", "1:8 x is no table of this statement"},
    {"nonsense here", "1:1 syntax error at or near \"nonsense\""},
    {"SELECT id FROM orders WHERE id = 'x",
     "1:1 a statement with too many or too deeply nested parts, "
     "or one whose last string does not end"},
    {"BEGIN; SET x = 1; SELECT 1; CREATE TABLE x (a int); SELECT oid FROM pg_class; COMMIT", ""},
    {"", ""},
};

static void test_faults(void **state)
{
    (void)state;
    CHECK(SQL_POSTGRES, faults);
}

static void test_merging(void **state)
{
    static const struct {
        const char *sql;
        double weight;
    } texts[] = {
        {"SELECT id FROM orders WHERE id IN (1, 2) LIMIT 10", 1},
        {"SELECT id FROM orders WHERE id IN (1, 2, 3, 4) LIMIT 20", 3},
        {"select  id from orders where id in (5,6) -- again\n limit 10", 4},
        {"SELECT id FROM product WHERE name LIKE 'x%'", 2},
        {"SELECT id FROM product WHERE name LIKE 'yy%'", 3},
        {"SELECT id FROM product WHERE name LIKE '%y'", 1},
        {"SELECT id FROM orders WHERE =", 1},
        {"SELECT id FROM orders WHERE =", 1},
    };
    struct arena *arena = arena_create(0);
    const struct graph graph = make_graph(arena);
    struct input_sql *input = input_sql_create(&graph, SQL_POSTGRES, arena);
    struct workload workload;
    struct input_sql_report report;
    struct buffer out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct input_text text = {
            texts[i].sql, strlen(texts[i].sql), texts[i].weight, "named", 10, 1};
        input_sql_add(input, &text);
    }
    input_sql_finish(input, &workload, &report);
    for (uint32_t i = 0; i < workload.count; i++) {
        const struct workload_statement *statement = &workload.statements[i];
        buffer_format(&out, "%g %s: %s -> ", statement->weight, statement->name, statement->text);
        input_form_append(&out, &graph, statement, true);
        buffer_append_byte(&out, '\n');
    }
    assert_buffer(
        &out, "8 named: SELECT id FROM orders WHERE id IN ($1, $2) LIMIT 10 -> SELECT orders.id "
              "FROM orders orders WHERE orders.id in2.75 LIMIT 20\n"
              "5 named: SELECT id FROM product WHERE name LIKE $1 -> SELECT product.id FROM "
              "product product WHERE product.name range\n"
              "1 named: SELECT id FROM product WHERE name LIKE $1 -> SELECT product.id FROM "
              "product product WHERE product.name filter UNSERVED LIKE '%x%' on product.name; a "
              "search index\n");
    assert_int_equal(report.statements, 8);
    assert_int_equal(report.unparsable, 2);
    assert_int_equal(report.findings.kept, 1);
    assert_int_equal(report.findings.first[0].line, 10);
    buffer_free(&out);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selects),    cmocka_unit_test(test_joins),
        cmocka_unit_test(test_subqueries), cmocka_unit_test(test_aggregates),
        cmocka_unit_test(test_unserved),   cmocka_unit_test(test_further_joins),
        cmocka_unit_test(test_changes),    cmocka_unit_test(test_mysql),
        cmocka_unit_test(test_sqlite),     cmocka_unit_test(test_faults),
        cmocka_unit_test(test_merging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
