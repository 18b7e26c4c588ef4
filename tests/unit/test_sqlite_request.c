/* Requests with joins: they compare as SQLite does, repeat exactly, and cost no scan per parent
 * row. */
#include "support_sqlite_source.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_rows(struct source_test *test, const struct read_request *request,
                        const char *expected)
{
    const char *rows = source_rows(test, request, NULL);
    if (strcmp(rows, expected) != 0) {
        fail_msg("the rows are\n%sinstead of\n%s\n%s", rows, expected,
                 source_query_plan(test, request, NULL));
    }
}

static void prepare(struct source_test *test, const struct read_request *request)
{
    const struct read_request *requests[] = {request};
    if (test->source->prepare(test->database, requests, 1, NULL, &test->error) != STATUS_OK) {
        fail_msg("%s", test->error.message);
    }
}

/* Neither a sort of all rows nor a scan or an index made anew below the root. */
static void assert_cheap(struct source_test *test, const struct read_request *request,
                         const struct span *span)
{
    const char *plan = source_query_plan(test, request, span);
    const char *last = strstr(plan, "RIGHT PART OF");
    if (strstr(plan, "AUTOMATIC") != NULL ||
        (strstr(plan, "TEMP B-TREE") != NULL && last == NULL) || strstr(plan, "SCAN _t1") != NULL ||
        strstr(plan, "SCAN _t2") != NULL || strstr(plan, "SCAN _x") != NULL) {
        fail_msg("an expensive plan:\n%s", plan);
    }
}

static const char shop[] =
    "CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, boss INT);"
    "CREATE TABLE invoice(id INTEGER PRIMARY KEY, customer INT REFERENCES customer(id), day TEXT);"
    "CREATE INDEX invoice_customer ON invoice(customer);"
    "CREATE TABLE line(invoice INT, number INT, what TEXT, PRIMARY KEY(invoice, number)) WITHOUT ROWID;"
    "INSERT INTO customer VALUES(1, 'Ann', NULL), (2, 'Bob', 1), (3, 'Cy', 1), (4, 'Di', 99);"
    "INSERT INTO invoice VALUES(10, 2, 'c'), (11, 1, 'b'), (12, 2, 'a'), (13, NULL, 'z'), (14, 7, 'q');"
    "INSERT INTO line VALUES(10, 2, 'x'), (10, 1, 'y'), (12, 1, 'z'), (11, 5, 'w');";

static void test_up(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(&test, sqlite_file(shop));
    struct read_request *request = source_request(&test, "invoice", "id,0.name,?0,1.name,?1");
    struct read_join *joins = source_joins(&test, request, 2);
    joins[0] = source_join(&test, -1, "customer", "customer", "id", false);
    joins[1] = source_join(&test, 0, "customer", "boss", "id", false);
    assert_rows(&test, request,
                "i10|tBob|b1|tAnn|b1\ni11|tAnn|b1|-|b0\ni12|tBob|b1|tAnn|b1\ni13|-|b0|-|b0\n"
                "i14|-|b0|-|b0\n");
    assert_cheap(&test, request, NULL);
    source_close(&test);
}

static void test_down(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(&test, sqlite_file(shop));
    struct read_request *request = source_request(&test, "customer", "id,0.id,1.what,1.number");
    struct read_join *joins = source_joins(&test, request, 2);
    joins[0] = source_join(&test, -1, "invoice", "id", "customer", true);
    joins[1] = source_join(&test, 0, "line", "id", "invoice", true);
    request->ordered = true;
    assert_rows(&test, request, "i1|i11|tw|i5\ni2|i10|ty|i1\ni2|i10|tx|i2\ni2|i12|tz|i1\n");
    assert_cheap(&test, request, NULL);

    /* by an order of their own, then by key */
    struct read_order orders[] = {{.join = 0, .name = "day"},
                                  {.join = 1, .name = "what", .descending = true}};
    request->orders = orders;
    request->order_count = 2;
    assert_rows(&test, request, "i1|i11|tw|i5\ni2|i12|tz|i1\ni2|i10|ty|i1\ni2|i10|tx|i2\n");
    assert_cheap(&test, request, NULL);
    source_close(&test);
}

static void test_down_then_up(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(&test, sqlite_file(shop));
    struct read_request *request = source_request(&test, "customer", "id,0.id,1.name");
    struct read_join *joins = source_joins(&test, request, 2);
    joins[0] = source_join(&test, -1, "invoice", "id", "customer", true);
    joins[1] = source_join(&test, 0, "customer", "customer", "id", false);
    request->ordered = true;
    assert_rows(&test, request, "i1|i11|tAnn\ni2|i10|tBob\ni2|i12|tBob\n");
    assert_cheap(&test, request, NULL);
    source_close(&test);
}

static const char unindexed[] =
    "CREATE TABLE parent(id INTEGER PRIMARY KEY, code TEXT COLLATE NOCASE, n INT);"
    "CREATE TABLE child(v INT, p INT, code TEXT, n TEXT);"
    "CREATE TABLE pair(a TEXT, b INT, p INT, PRIMARY KEY(b DESC, a)) WITHOUT ROWID;"
    "INSERT INTO parent VALUES(1, 'abc', 10), (2, 'x', 20), (3, NULL, 30), (4, 'ABC', 10);"
    "INSERT INTO child VALUES(1, 2, 'ABC', '10'), (2, 1, 'abc', '20.0'), (3, 2, 'X', 'ten'),"
    " (4, NULL, NULL, NULL), (5, 9, 'abc ', ' 10'), (6, 1, 'Abc', '010');"
    "INSERT INTO pair VALUES('a', 1, 2), ('b', 2, 2), ('c', 1, 1), ('d', 3, NULL);";

/* The same rows by SQL alone: what the program's own joins have to bring. */
static const char *ask_rows(const char *path, const char *sql)
{
    static char wrapped[4096];
    snprintf(wrapped, sizeof wrapped, "SELECT coalesce(group_concat(line, ''), '') FROM (%s)", sql);
    return sqlite_file_ask(path, wrapped);
}

static void test_sorted_once(void **state)
{
    (void)state;
    struct source_test test;
    const char *path = sqlite_file(unindexed);
    source_open_reading(&test, path);
    struct read_request *request = source_request(&test, "parent", "id,0.v");
    source_joins(&test, request, 1)[0] = source_join(&test, -1, "child", "id", "p", true);
    request->ordered = true;

    assert_non_null(strstr(source_query_plan(&test, request, NULL), "_t1"));
    prepare(&test, request);
    assert_int_equal(test.sqlite->source->spill_builds, 1);
    assert_rows(&test, request, "i1|i2\ni1|i6\ni2|i1\ni2|i3\n");
    assert_cheap(&test, request, NULL);

    /* many spans read the one list */
    struct span *spans = NULL;
    uint32_t count = 0;
    struct buffer all = {0};
    assert_int_equal(
        test.source->split(test.database, request, 1, test.arena, &spans, &count, &test.error),
        STATUS_OK);
    assert_int_equal(count, 4);
    for (uint32_t i = 0; i < count; i++) {
        assert_cheap(&test, request, &spans[i]);
        buffer_append_string(&all, source_rows(&test, request, &spans[i]));
    }
    assert_string_equal(buffer_string(&all), "i1|i2\ni1|i6\ni2|i1\ni2|i3\n");
    buffer_free(&all);
    assert_int_equal(test.sqlite->source->spill_builds, 1);
    const char *spill = test.sqlite->source->spill_path;
    assert_int_equal(access(spill, F_OK), 0);
    spill = strdup(spill);
    source_close(&test);
    assert_int_not_equal(access(spill, F_OK), 0);
    free((void *)spill);
}

static void test_sorted_requests_share(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(&test, sqlite_file(unindexed));
    struct read_request *first = source_request(&test, "parent", "id,0.v");
    struct read_request *second = source_request(&test, "parent", "id,0.n");
    struct read_request *third = source_request(&test, "parent", "id,0.a");
    source_joins(&test, first, 1)[0] = source_join(&test, -1, "child", "id", "p", true);
    source_joins(&test, second, 1)[0] = source_join(&test, -1, "child", "id", "p", true);
    source_joins(&test, third, 1)[0] = source_join(&test, -1, "pair", "id", "p", true);
    const struct read_request *requests[] = {first, second, third};
    assert_int_equal(test.source->prepare(test.database, requests, 3, NULL, &test.error),
                     STATUS_OK);
    assert_int_equal(test.sqlite->source->spill_builds, 2);
    third->ordered = true;
    assert_rows(&test, third, "i1|tc\ni2|tb\ni2|ta\n");
    assert_cheap(&test, third, NULL);
    source_close(&test);
}

/* Collation and affinity: every pairing of column types, joined down and up, with and without an
 * index, gives what SQLite's own comparison gives. */
static void test_comparisons(void **state)
{
    (void)state;
    skip_without_long_double();
    static const char *const types[] = {"TEXT",
                                        "INTEGER",
                                        "REAL",
                                        "NUMERIC",
                                        "BLOB",
                                        "",
                                        "TEXT COLLATE NOCASE",
                                        "TEXT COLLATE RTRIM"};
    static const char values[] =
        "(1), (1.0), ('1'), ('1.0'), ('01'), (' 1'), ('a'), ('A'), ('a '), (x'61'), "
        "(x'31'), (NULL), (2), ('2'), (1.5), ('1.5'), (9007199254740993), "
        "('9007199254740993')";
    enum { COUNT = 8 };
    for (int left = 0; left < COUNT; left++) {
        for (int right = 0; right < COUNT * 2; right++) {
            char sql[2048];
            struct source_test test;
            snprintf(
                sql, sizeof sql,
                "CREATE TABLE l(id INTEGER PRIMARY KEY, k %s); CREATE TABLE r(id INTEGER PRIMARY KEY, "
                "k %s); INSERT INTO l(k) VALUES %s; INSERT INTO r(k) VALUES %s; %s",
                types[left], types[right % COUNT], values, values,
                right >= COUNT ? "CREATE INDEX rk ON r(k)" : "");
            const char *path = sqlite_file(sql);
            source_open_reading(&test, path);
            struct read_request *down = source_request(&test, "l", "id,0.id");
            source_joins(&test, down, 1)[0] = source_join(&test, -1, "r", "k", "k", true);
            struct read_request *up = source_request(&test, "l", "id,0.id");
            source_joins(&test, up, 1)[0] = source_join(&test, -1, "r", "k", "k", false);
            const struct read_request *requests[] = {down, up};
            assert_int_equal(test.source->prepare(test.database, requests, 2, NULL, &test.error),
                             STATUS_OK);
            assert_rows(&test, down,
                        ask_rows(path,
                                 "SELECT 'i' || l.id || '|i' || r.id || char(10) AS line FROM l, r "
                                 "WHERE l.k = r.k ORDER BY l.id, r.id"));
            assert_cheap(&test, down, NULL);
            assert_rows(
                &test, up,
                ask_rows(path,
                         "SELECT 'i' || l.id || '|' || coalesce('i' || (SELECT min(r.id) FROM r "
                         "WHERE r.k = l.k), '-') || char(10) AS line FROM l ORDER BY l.id"));
            assert_cheap(&test, up, NULL);
            source_close(&test);
        }
    }
}

/* The same from expressions, whose affinity no declared type tells, and with STRICT's ANY. */
static void test_comparisons_of_expressions(void **state)
{
    (void)state;
    static const char *const expressions[] = {
        "k", "k || ''", "CAST(k AS INTEGER)", "CAST(k AS TEXT)", "+k", "CAST(k AS BLOB)"};
    static const char *const types[] = {"TEXT", "INTEGER", "ANY", "BLOB"};
    for (int left = 0; left < 6; left++) {
        for (int right = 0; right < 4; right++) {
            char sql[2048];
            char query[200];
            struct source_test test;
            snprintf(
                sql, sizeof sql,
                "CREATE TABLE l(id INTEGER PRIMARY KEY, k); CREATE TABLE r(id INTEGER PRIMARY KEY, k %s) "
                "STRICT; INSERT INTO l(k) VALUES (1), ('1'), ('01'), (x'31'), ('a'), (2.0), (NULL); "
                "INSERT OR IGNORE INTO r(k) VALUES %s; CREATE VIEW v AS SELECT id, %s AS e FROM l",
                types[right],
                right == 3   ? "(x'31'), (x'61')"
                : right == 2 ? "(1), ('1'), ('01'), (x'31'), (1.0)"
                             : "(1), (2), ('1'), (' 1')",
                expressions[left]);
            const char *path = sqlite_file(sql);
            snprintf(query, sizeof query, "SELECT id, %s AS e FROM l", expressions[left]);
            source_open_reading(&test, path);
            struct read_request *down = source_request(&test, "q", "id,0.id");
            source_joins(&test, down, 1)[0] = source_join(&test, -1, "r", "e", "k", true);
            down->table = NULL;
            down->query = query;
            down->ordered = true;
            down->root_key = source_list(&test, "id");
            struct read_request *up = source_request(&test, "v", "id,0.id");
            source_joins(&test, up, 1)[0] = source_join(&test, -1, "r", "e", "k", false);
            up->ordered = true;
            up->root_key = down->root_key;
            const struct read_request *requests[] = {down, up};
            assert_int_equal(test.source->prepare(test.database, requests, 2, NULL, &test.error),
                             STATUS_OK);
            snprintf(
                sql, sizeof sql,
                "SELECT 'i' || l.id || '|i' || r.id || char(10) AS line FROM (%s) AS l, r WHERE r.k = l.e "
                "ORDER BY l.id, r.id",
                query);
            assert_rows(&test, down, ask_rows(path, sql));
            snprintf(
                sql, sizeof sql,
                "SELECT 'i' || l.id || '|' || coalesce('i' || (SELECT min(r.id) FROM r WHERE r.k = l.e), "
                "'-') || char(10) AS line FROM v AS l ORDER BY l.id");
            assert_rows(&test, up, ask_rows(path, sql));
            source_close(&test);
        }
    }
}

/* Up takes one partner at most, the first by key, though several are equal. */
static void test_up_not_unique(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(&test, sqlite_file(unindexed));
    struct read_request *request = source_request(&test, "child", "v,0.id,?0,1.a");
    struct read_join *joins = source_joins(&test, request, 2);
    joins[0] = source_join(&test, -1, "parent", "code", "code", false);
    joins[1] = source_join(&test, -1, "pair", "p", "p", false);
    const char *expected =
        "i1|i1|b1|tb\ni2|i1|b1|tc\ni3|i2|b1|tb\ni4|-|b0|-\ni5|-|b0|-\ni6|i1|b1|tc\n";
    assert_rows(&test, request, expected);
    prepare(&test, request);
    assert_int_equal(test.sqlite->source->spill_builds, 2);
    assert_rows(&test, request, expected);
    assert_cheap(&test, request, NULL);
    source_close(&test);
}

/* A unique index under another collation, a partial one, or one behind a conversion proves
 * nothing. */
static void test_unique_only_where_proven(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(
        &test,
        sqlite_file(
            "CREATE TABLE l(id INTEGER PRIMARY KEY, k TEXT, n INT);"
            "CREATE TABLE r(id INTEGER PRIMARY KEY, k TEXT COLLATE NOCASE, part TEXT, num TEXT "
            "UNIQUE, good TEXT UNIQUE); CREATE UNIQUE INDEX rb ON r(k COLLATE BINARY);"
            "CREATE UNIQUE INDEX rp ON r(part) WHERE id > 5;"
            "INSERT INTO l VALUES(1, 'a', 1);"
            "INSERT INTO r VALUES(1, 'A', 'a', '1.0', 'a'), (2, 'a', 'a', '1', 'b'), (3, 'b', "
            "'a', '01', 'c')"));
    static const struct {
        const char *from;
        const char *to;
        const char *expected;
        bool unique;
    } cases[] = {
        {"k", "k", "i1|i1\n", false},   {"k", "part", "i1|i1\n", false},
        {"n", "num", "i1|i1\n", false}, {"k", "good", "i1|i1\n", true},
        {"n", "id", "i1|i1\n", true},   {"k", "num", "i1|-\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read_request *request = source_request(&test, "l", "id,0.id");
        struct join_facts *facts = NULL;
        source_joins(&test, request, 1)[0] =
            source_join(&test, -1, "r", cases[i].from, cases[i].to, false);
        assert_rows(&test, request, cases[i].expected);
        assert_int_equal(join_resolve(test.sqlite, request, test.reader->connection, test.arena,
                                      &facts, &test.error),
                         STATUS_OK);
        assert_int_equal(facts[0].unique, cases[i].unique);
    }
    source_close(&test);
}

static void test_joins_with_views_and_queries(void **state)
{
    (void)state;
    struct source_test test;
    char sql[4096];
    snprintf(sql, sizeof sql,
             "%s CREATE VIEW named AS SELECT id, name FROM customer UNION ALL SELECT id, "
             "name || '2' FROM customer; CREATE VIEW some AS SELECT id FROM customer WHERE id < 3",
             shop);
    source_open_reading(&test, sqlite_file(sql));
    struct read_request *up = source_request(&test, "invoice", "id,0.name,?0");
    source_joins(&test, up, 1)[0] = source_join(&test, -1, "named", "customer", "id", false);
    prepare(&test, up);
    assert_rows(&test, up, "i10|tBob|b1\ni11|tAnn|b1\ni12|tBob|b1\ni13|-|b0\ni14|-|b0\n");

    struct read_request *down = source_request(&test, "some", "id,0.id");
    source_joins(&test, down, 1)[0] = source_join(&test, -1, "invoice", "id", "customer", true);
    down->ordered = true;
    source_rows_fail(&test, down, ERROR_PLAN_INVALID); /* nothing to order by */
    down->root_key = source_list(&test, "id");
    assert_rows(&test, down, "i1|i11\ni2|i10\ni2|i12\n");
    down->table = NULL;
    down->query = "SELECT id FROM customer WHERE id > 1";
    assert_rows(&test, down, "i2|i10\ni2|i12\n");
    source_close(&test);
}

static void test_join_errors(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(&test, sqlite_file(shop));
    static const char *const wrong[][3] = {{"custome", "customer", "id"},
                                           {"customer", "custumer", "id"},
                                           {"customer", "customer", "ident"}};
    for (int i = 0; i < 3; i++) {
        struct read_request *request = source_request(&test, "invoice", "id");
        source_joins(&test, request, 1)[0] =
            source_join(&test, -1, wrong[i][0], wrong[i][1], wrong[i][2], false);
        source_rows_fail(&test, request, ERROR_PLAN_INVALID);
    }
    source_close(&test);
}

/* The plan of the root never depends on which columns are read: parents and children merge by
 * order. */
static void test_same_order_whatever_is_read(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(
        &test, sqlite_file("CREATE TABLE t(a INT, b TEXT, wide TEXT); CREATE INDEX tb ON t(b, a);"
                           "INSERT INTO t VALUES(1, 'z', 'w'), (2, 'y', 'w'), (3, 'x', 'w');"
                           "CREATE TABLE h(rowid INT, _rowid_ INT, oid INT); CREATE INDEX ho ON "
                           "h(oid); INSERT INTO h VALUES(1, 1, 3), (2, 2, 2), (3, 3, 1)"));
    assert_rows(&test, source_request(&test, "t", "a"), "i1\ni2\ni3\n");
    assert_rows(&test, source_request(&test, "t", "b"), "tz\nty\ntx\n");
    assert_rows(&test, source_request(&test, "h", "oid"), "i3\ni2\ni1\n");
    source_close(&test);
}

static bool is_handed_over(struct source_test *test, const struct read_request *request,
                           const struct span *span)
{
    struct request_sql compiled;
    struct request_options options = {
        .connection = test->reader->connection, .schema = "main", .may_hand_over = true};
    assert_int_equal(
        request_compile(test->sqlite, request, span, options, test->arena, &compiled, &test->error),
        STATUS_OK);
    bool handed_over = compiled.hands_over;
    request_free(&compiled);
    return handed_over;
}

/* Batches of any size, each row once, in order. */
static void expect_numbers(struct source_test *test, const struct read_request *request,
                           const struct span *span, uint32_t rows_max, int64_t first, int64_t last)
{
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    enum status status;
    assert_int_equal(test->source->cursor_open(test->reader, request, span, &cursor, &test->error),
                     STATUS_OK);
    while ((status = test->source->cursor_next(cursor, rows_max, 1 << 20, &batch, &test->error)) ==
           STATUS_OK) {
        assert_true(batch->row_count > 0 && batch->row_count <= rows_max);
        for (uint32_t i = 0; i < batch->row_count; i++) {
            assert_int_equal(batch_row(batch, i)[0].i64, first++);
        }
        batch_destroy(batch);
    }
    assert_int_equal(status, STATUS_END);
    assert_int_equal(first, last + 1);
    test->source->cursor_close(cursor);
}

static void test_rows_that_are_handed_over(void **state)
{
    (void)state;
    struct source_test test;
    struct span *spans = NULL;
    uint32_t count = 0;
    struct buffer wide = {0};
    buffer_append_string(
        &wide,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE w(k PRIMARY KEY) WITHOUT "
        "ROWID; CREATE VIEW seen AS SELECT id FROM t; WITH RECURSIVE n(i) AS (SELECT 1 UNION "
        "ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t(id) SELECT i FROM n;"
        "CREATE TABLE wide(c0");
    for (int i = 1; i < 1500; i++) {
        buffer_format(&wide, ", c%d", i);
    }
    buffer_append_string(&wide, "); INSERT INTO wide(c0) VALUES(1), (2)");
    source_open_reading(&test, sqlite_file(buffer_string(&wide)));
    buffer_free(&wide);
    struct read_request *t = source_request(&test, "t", "id,v");
    assert_int_equal(
        test.source->split(test.database, t, 40, test.arena, &spans, &count, &test.error),
        STATUS_OK);
    assert_int_equal(count, 3);
    assert_true(is_handed_over(&test, t, NULL));
    assert_true(is_handed_over(&test, t, &spans[1]));
    for (uint32_t rows_max = 1; rows_max < 110; rows_max += 13) {
        expect_numbers(&test, t, NULL, rows_max, 1, 100);
        expect_numbers(&test, t, &spans[0], rows_max, 1, 40);
        expect_numbers(&test, t, &spans[1], rows_max, 41, 80);
        expect_numbers(&test, t, &spans[2], rows_max, 81, 100);
    }
    assert_false(is_handed_over(&test, source_request(&test, "w", "k"), NULL));
    assert_false(is_handed_over(&test, source_request(&test, "seen", "id"), NULL));
    struct read_request *down = source_request(&test, "t", "id,0.id");
    source_joins(&test, down, 1)[0] = source_join(&test, -1, "t", "id", "id", true);
    assert_false(is_handed_over(&test, down, NULL));
    struct read_request *all = source_request(&test, "wide", "c0");
    assert_true(is_handed_over(&test, all, NULL));
    all->column_count = 0; /* documents of more values than a function takes */
    assert_false(is_handed_over(&test, all, NULL));
    struct read_request query = {.name = "q", .query = "SELECT transhume_row(1, 2, 3) AS id"};
    query.columns = t->columns;
    query.column_count = 1;
    source_rows_fail(&test, &query, ERROR_PLAN_INVALID);
    source_close(&test);
}

/* More values than a function takes; texts, which are small; two values above the slice limit. */
enum disorder { OF_ROWIDS, OF_KEYS, OF_WIDE_ROWS, OF_LARGE_ROWS };

static const char *table_of_300(enum disorder disorder)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "CREATE TABLE t(id INTEGER PRIMARY KEY, v");
    for (int i = 0; i < 130 && disorder == OF_WIDE_ROWS; i++) {
        buffer_format(&sql, ", c%d", i);
    }
    buffer_format(&sql,
                  ")%s; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                  "300) INSERT INTO t (id, v) SELECT i, %s FROM n",
                  disorder == OF_KEYS ? " WITHOUT ROWID" : "",
                  disorder == OF_LARGE_ROWS
                      ? "CASE WHEN i IN (1, 11) THEN zeroblob(3000000) ELSE i END"
                      : "hex(zeroblob(20))");
    const char *path = sqlite_file(buffer_string(&sql));
    buffer_free(&sql);
    return path;
}

/* The first leaf of t with two of its rows in each other's place. */
static const char *swapped_rows(enum disorder disorder, uint32_t row, uint32_t with)
{
    enum { PAGE_BYTES = 4096, TABLE_LEAF = 0x0d, INDEX_LEAF = 0x0a, PLACES = 8 };
    uint8_t page[PAGE_BYTES];
    const char *path = table_of_300(disorder);
    long at = 0;
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    do { /* the first page holds the schema */
        at += PAGE_BYTES;
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_equal(fread(page, 1, sizeof page, file), sizeof page);
    } while (page[0] != (disorder == OF_KEYS ? INDEX_LEAF : TABLE_LEAF));
    assert_true(page[3] > 0 || page[4] >= with);
    uint8_t *first = page + PLACES + 2 * (size_t)(row - 1);
    uint8_t *second = page + PLACES + 2 * (size_t)(with - 1);
    for (size_t i = 0; i < 2; i++) {
        uint8_t swap = first[i];
        first[i] = second[i];
        second[i] = swap;
    }
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(page, 1, sizeof page, file), sizeof page);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* Whether it is told; if not, no row was left out. */
static bool tells_disorder(const char *path, uint64_t rows_a_span, const char *says)
{
    struct source_test test;
    struct span *spans = NULL;
    uint32_t count = 0;
    uint32_t rows = 0;
    enum status status = STATUS_OK;
    source_open_reading(&test, path);
    struct read_request *request = source_request(&test, "t", "id,v");
    if (test.source->split(test.database, request, rows_a_span, test.arena, &spans, &count,
                           &test.error) != STATUS_OK) {
        assert_non_null(strstr(test.error.message, "its rows can't be counted"));
        assert_non_null(strstr(test.error.hint, "backup"));
        source_close(&test);
        return true;
    }
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct cursor *cursor = NULL;
        assert_int_equal(
            test.source->cursor_open(test.reader, request, &spans[i], &cursor, &test.error),
            STATUS_OK);
        while (status == STATUS_OK) {
            struct batch *batch = NULL;
            status = test.source->cursor_next(cursor, 7, 1 << 20, &batch, &test.error);
            rows += status == STATUS_OK ? batch->row_count : 0;
            batch_destroy(batch);
        }
        test.source->cursor_close(cursor);
        status = status == STATUS_END ? STATUS_OK : status;
    }
    if (status != STATUS_OK) {
        assert_int_equal(test.error.code, ERROR_SOURCE_READ);
        /* a large value's row is found by its rowid, or not */
        assert_true(strstr(test.error.message, says) != NULL ||
                    strstr(test.error.message, "no such rowid") != NULL);
    } else {
        assert_int_equal(rows, 300);
    }
    source_close(&test);
    return status != STATUS_OK;
}

static uint32_t count_told(enum disorder disorder, const char *says)
{
    static const uint32_t pairs[][2] = {{1, 2}, {1, 15}, {9, 10}, {9, 18}, {10, 11}, {17, 18}};
    static const uint64_t rows_a_span[] = {5, 9, 10, 11, 17, 1000};
    uint32_t told = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        for (size_t j = 0; j < sizeof rows_a_span / sizeof *rows_a_span; j++) {
            const char *path = swapped_rows(disorder, pairs[i][0], pairs[i][1]);
            told += tells_disorder(path, rows_a_span[j], says);
        }
    }
    return told;
}

/* Whether a span ends before the disorder, in it, or behind it. */
static void test_rows_out_of_order(void **state)
{
    static const enum disorder disorders[] = {OF_ROWIDS, OF_WIDE_ROWS, OF_LARGE_ROWS};
    (void)state;
    for (size_t i = 0; i < sizeof disorders / sizeof *disorders; i++) {
        assert_int_equal(count_told(disorders[i], "its rowids are out of order"), 36);
    }
}

/* Keys are not looked at one by one: a span has as many rows as were counted. */
static void test_keys_out_of_order(void **state)
{
    (void)state;
    assert_true(count_told(OF_KEYS, "as many rows as were counted can't be read") > 10);
}

/* An index that lacks a row says nothing of the table's rows. */
static void test_counted_beside_a_damaged_index(void **state)
{
    (void)state;
    struct source_test test;
    struct span *spans = NULL;
    uint32_t count = 0;
    const char *path = sqlite_file(
        "CREATE TABLE t(id TEXT PRIMARY KEY, v INT) WITHOUT ROWID; CREATE INDEX tv ON t(v) WHERE v "
        "IS NOT NULL; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
        "INSERT INTO t SELECT printf('%04d', i), nullif(i, 150) FROM n; PRAGMA writable_schema = "
        "ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX tv ON t(v)' WHERE name = 'tv'");
    source_open_reading(&test, path);
    struct read_request *request = source_request(&test, "t", "id,v");
    assert_int_equal(
        test.source->split(test.database, request, 50, test.arena, &spans, &count, &test.error),
        STATUS_OK);
    int64_t rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        rows += source_count_lines(source_rows(&test, request, &spans[i]));
    }
    assert_int_equal(rows, 300);
    source_close(&test);
}

/* What a ledger says of a span's rows is of another snapshot. */
static void test_spans_of_another_snapshot(void **state)
{
    (void)state;
    struct source_test before;
    struct source_test after;
    struct span *spans = NULL;
    uint32_t count = 0;
    const char *path = table_of_300(OF_KEYS);
    source_open_reading(&before, path);
    struct read_request *request = source_request(&before, "t", "id");
    assert_int_equal(before.source->split(before.database, request, 100, before.arena, &spans,
                                          &count, &before.error),
                     STATUS_OK);
    assert_int_equal(count, 3);
    spans[1].row_estimate = 90; /* ten more came since */
    source_open_reading(&after, path);
    request = source_request(&after, "t", "id");
    assert_int_equal(source_count_lines(source_rows(&after, request, &spans[1])), 100);
    source_close(&after);
    source_close(&before);
}

/* What ANALYZE left while the table had a row or two makes SQLite sort, or read all, for what it
 * would find at once. */
static void test_rows_beside_old_statistics(void **state)
{
    static const char *const statistics[] = {"1 1", "2 1", "5 1", "1"};
    (void)state;
    for (size_t i = 0; i < sizeof statistics / sizeof *statistics; i++) {
        struct source_test test;
        struct span *spans = NULL;
        uint32_t count = 0;
        char sql[1024];
        snprintf(
            sql, sizeof sql,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE INDEX ta ON t(a); ANALYZE; INSERT "
            "INTO sqlite_stat1 VALUES('t', %s, '%s'); WITH RECURSIVE n(i) AS (SELECT 1 UNION "
            "ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, -i FROM n",
            strchr(statistics[i], ' ') != NULL ? "'ta'" : "NULL", statistics[i]);
        source_open_reading(&test, sqlite_file(sql));
        struct read_request *request = source_request(&test, "t", "id,a");
        assert_int_equal(test.source->split(test.database, request, 1000, test.arena, &spans,
                                            &count, &test.error),
                         STATUS_OK);
        assert_int_equal(count, 3);
        assert_true(is_handed_over(&test, request, NULL));
        expect_numbers(&test, request, NULL, 70, 1, 3000);
        for (uint32_t span = 0; span < count; span++) {
            expect_numbers(&test, request, &spans[span], 70, span * 1000 + 1, span * 1000 + 1000);
        }
        source_close(&test);
    }
}

/* A million rows below one parent, without an index: bounded, in order, and the order of the group
 * alone is sorted. */
static void test_large_group(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(
        &test,
        sqlite_file(
            "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p INT, v INT);"
            "INSERT INTO p VALUES(1), (2); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
            "SELECT i + 1 FROM n WHERE i < 200000) INSERT INTO c SELECT 1 + (i % 7 = 0), i FROM n"));
    struct read_request *request = source_request(&test, "p", "id,0.v");
    source_joins(&test, request, 1)[0] = source_join(&test, -1, "c", "id", "p", true);
    request->ordered = true;
    prepare(&test, request);
    assert_int_equal(test.sqlite->source->spill_builds, 1);
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    int64_t rows = 0;
    int64_t last = 0;
    int64_t parent = 1;
    assert_int_equal(test.source->cursor_open(test.reader, request, NULL, &cursor, &test.error),
                     STATUS_OK);
    while (test.source->cursor_next(cursor, 4096, 1 << 20, &batch, &test.error) == STATUS_OK) {
        for (uint32_t i = 0; i < batch->row_count; i++, rows++) {
            const struct cell *cells = batch_row(batch, i);
            assert_true(cells[0].i64 > parent || (cells[0].i64 == parent && cells[1].i64 > last));
            parent = cells[0].i64;
            last = cells[1].i64;
        }
        batch_destroy(batch);
    }
    assert_int_equal(rows, 200000);
    test.source->cursor_close(cursor);
    source_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_down_then_up),
        cmocka_unit_test(test_sorted_once),
        cmocka_unit_test(test_sorted_requests_share),
        cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_comparisons_of_expressions),
        cmocka_unit_test(test_up_not_unique),
        cmocka_unit_test(test_unique_only_where_proven),
        cmocka_unit_test(test_joins_with_views_and_queries),
        cmocka_unit_test(test_join_errors),
        cmocka_unit_test(test_same_order_whatever_is_read),
        cmocka_unit_test(test_rows_that_are_handed_over),
        cmocka_unit_test(test_rows_out_of_order),
        cmocka_unit_test(test_keys_out_of_order),
        cmocka_unit_test(test_counted_beside_a_damaged_index),
        cmocka_unit_test(test_spans_of_another_snapshot),
        cmocka_unit_test(test_rows_beside_old_statistics),
        cmocka_unit_test(test_large_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
