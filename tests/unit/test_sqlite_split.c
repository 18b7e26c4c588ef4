/* Spans tile: no gap, no overlap, whatever the key, its collation, its direction and its values. */
#include "support_sqlite_source.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Splits, reads each span, and compares their rows in turn with one read of all. */
static uint32_t expect_tiles(const char *path, const char *table, const char *columns,
                             uint64_t wanted, bool exact)
{
    struct source_test test;
    struct span *spans = NULL;
    uint32_t count = 0;
    struct buffer all = {0};

    source_open_reading(&test, path);
    struct read_request *request = source_request(&test, table, columns);
    if (test.source->split(test.database, request, wanted, test.arena, &spans, &count,
                           &test.error) != STATUS_OK) {
        fail_msg("%s", test.error.message);
    }
    assert_true(count >= 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *rows = source_rows(&test, request, &spans[i]);
        const char *plan = source_query_plan(&test, request, &spans[i]);
        /* the first one of rowids begins at the table's beginning, and ends by its reader */
        bool bounded = i > 0 || (count > 1 && strncmp(spans[i].printable, "rowid", 5) != 0);
        if (strstr(plan, "TEMP B-TREE") != NULL || (bounded && strstr(plan, "SEARCH") == NULL)) {
            fail_msg("span %s of %s is read by\n%s", spans[i].printable,
                     sqlite_file_ask(path, "SELECT sql FROM sqlite_schema"), plan);
        }
        int64_t lines = source_count_lines(rows);
        if (spans[i].row_estimate >= 0) {
            assert_int_equal(lines, spans[i].row_estimate);
        }
        if (exact && i + 1 < count) {
            assert_int_equal(lines, wanted);
        }
        assert_non_null(spans[i].printable);
        buffer_append_string(&all, rows);
    }
    const char *whole = source_rows(&test, request, NULL);
    if (strcmp(buffer_string(&all), whole) != 0) {
        fail_msg("%u spans of %s do not tile:\n%s\ninstead of\n%s", count, table,
                 buffer_string(&all), whole);
    }
    char number[64];
    char sql[128];
    snprintf(number, sizeof number, "%" PRId64, source_count_lines(whole));
    snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", table);
    assert_string_equal(sqlite_file_ask(path, sql), number);
    buffer_free(&all);
    source_close(&test);
    return count;
}

static void test_dense(void **state)
{
    (void)state;
    const char *path = sqlite_file(
        "CREATE TABLE t(v INT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 1000) INSERT INTO t SELECT i FROM n");
    assert_int_equal(expect_tiles(path, "t", "rowid,v", 100, true), 10);
    assert_int_equal(expect_tiles(path, "t", "v", 999, true), 2);
    assert_int_equal(expect_tiles(path, "t", "v", 1000, true), 1);
    assert_int_equal(expect_tiles(path, "t", "v", UINT64_MAX, true), 1);
    assert_int_equal(expect_tiles(path, "t", "v", 0, false), 1000);
}

static void expect_rows(const char *path, int64_t told, int64_t counted)
{
    struct source_test test;
    struct stream_facts facts;
    struct span *spans = NULL;
    uint32_t count = 0;
    int64_t rows = 0;
    int64_t lines = 0;

    source_open_reading(&test, path);
    const struct read_request *request = source_request(&test, "t", "id");
    assert_int_equal(
        test.source->describe_stream(test.database, request, test.arena, &facts, &test.error),
        STATUS_OK);
    assert_int_equal(facts.row_count, told);
    assert_int_equal(test.source->count(test.database, request, &rows, &test.error), STATUS_OK);
    assert_int_equal(rows, counted);
    assert_int_equal(
        test.source->split(test.database, request, 400000, test.arena, &spans, &count, &test.error),
        STATUS_OK);
    assert_int_equal(count, 3);
    for (uint32_t i = 0; i < count; i++) {
        lines += source_count_lines(source_rows(&test, request, &spans[i]));
    }
    assert_int_equal(lines, counted);
    source_close(&test);
}

/* Many rows are not counted before they are read, unless there are gaps where they are looked at.
 */
static void test_guessed(void **state)
{
    (void)state;
    const char *path = sqlite_file(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE n(i) AS (SELECT -5 UNION ALL "
        "SELECT i + 1 FROM n WHERE i < 1099994) INSERT INTO t SELECT i, 'some more bytes' FROM n");
    expect_rows(path, 1100000, 1100000);
    sqlite_file_execute(path, "DELETE FROM t WHERE id BETWEEN 5000 AND 5999");
    expect_rows(path, 1100000, 1099000);
    sqlite_file_execute(path, "DELETE FROM t WHERE id = 550000");
    expect_rows(path, 1100000, 1098999);
    sqlite_file_execute(path, "DELETE FROM t WHERE id = 5");
    expect_rows(path, 1098998, 1098998);
}

/* Rows where they are looked at, and hardly any in between: no more than the file has room for. */
static void test_guesses_fit_the_file(void **state)
{
    (void)state;
    struct source_test test;
    struct stream_facts facts;
    struct span *spans = NULL;
    uint32_t count = 0;
    const char *path = sqlite_file(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB); CREATE TABLE full(v); "
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 8191) INSERT INTO "
        "t(id) SELECT (i / 128) * 1000000000000000 + i % 128 FROM n; "
        "INSERT INTO full VALUES (zeroblob(20000000))");
    source_open_reading(&test, path);
    const struct read_request *request = source_request(&test, "t", "id");
    assert_int_equal(
        test.source->describe_stream(test.database, request, test.arena, &facts, &test.error),
        STATUS_OK);
    assert_int_equal(facts.row_count, 8192);
    assert_int_equal(
        test.source->split(test.database, request, 4096, test.arena, &spans, &count, &test.error),
        STATUS_OK);
    assert_int_equal(count, 2);
    source_close(&test);
}

static void test_extreme_rowids(void **state)
{
    (void)state;
    const char *path = sqlite_file(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT); INSERT INTO t VALUES(-9223372036854775808, 1),"
        "(9223372036854775807, 2), (0, 3), (-1, 4), (1, 5), (-9223372036854775807, 6), (42, 7)");
    assert_int_equal(expect_tiles(path, "t", "id", 1, true), 7);
    assert_int_equal(expect_tiles(path, "t", "id", 2, true), 4);
    assert_int_equal(expect_tiles(path, "t", "id", 3, true), 3);
    path =
        sqlite_file("CREATE TABLE t(id INTEGER PRIMARY KEY, v INT); INSERT INTO t VALUES"
                    "(9223372036854775805, 1), (9223372036854775806, 2), (9223372036854775807, 3)");
    assert_int_equal(expect_tiles(path, "t", "id", 1, true), 3);
    path = sqlite_file("CREATE TABLE t(id INTEGER PRIMARY KEY, v INT); INSERT INTO t VALUES"
                       "(-9223372036854775808, 1), (-9223372036854775807, 2)");
    assert_int_equal(expect_tiles(path, "t", "id", 1, true), 2);
}

static void test_empty_and_keyless(void **state)
{
    (void)state;
    const char *path =
        sqlite_file("CREATE TABLE t(v); CREATE TABLE k(a PRIMARY KEY) WITHOUT ROWID;"
                    "CREATE TABLE h(rowid, _rowid_, oid); CREATE VIEW v AS SELECT * FROM h;"
                    "INSERT INTO h VALUES(1, 2, 3), (4, 5, 6), (1, 2, 3)");
    assert_int_equal(expect_tiles(path, "t", "v", 10, false), 1);
    assert_int_equal(expect_tiles(path, "k", "a", 10, false), 1);
    assert_int_equal(expect_tiles(path, "h", "rowid,_rowid_,oid", 1, false), 1);
    assert_int_equal(expect_tiles(path, "v", "rowid,oid", 1, false), 1);
}

static void append_random_value(struct random *random, struct buffer *sql)
{
    static const char *const texts[] = {"'a'", "'A'",   "'a '",  "'A  '",      "''",   "' '",
                                        "'b'", "'B'",   "'ab'",  "'\xc3\xa9'", "'10'", "'9'",
                                        "x''", "x'61'", "x'00'", "x'ff'"};
    switch (random_below(random, 5)) {
    case 0:
        buffer_format(sql, "%" PRId64, random_between(random, -3, 3));
        break;
    case 1:
        buffer_format(sql, "%.17g", (double)random_between(random, -9, 9) / 4);
        break;
    case 2:
        buffer_append_string(sql, texts[random_below(random, 16)]);
        break;
    case 3:
        buffer_format(sql, "'%c%c'", (int)random_between(random, 'A', 'z'),
                      (int)random_between(random, 'a', 'z'));
        break;
    default:
        buffer_format(sql, "%" PRId64, (int64_t)random_bits(random));
        break;
    }
}

/* Keys of one to three parts, every declared type, collation and direction, with mixed values. */
static void test_random_keys(void **state)
{
    (void)state;
    static const char *const types[] = {"TEXT", "INT", "", "REAL", "BLOB", "NUMERIC"};
    static const char *const collations[] = {"", " COLLATE NOCASE", " COLLATE RTRIM",
                                             " COLLATE BINARY"};
    struct random random = random_start();

    for (long round = 0; round < test_rounds(40); round++) {
        struct buffer sql = {0};
        uint32_t parts = 1 + (uint32_t)random_below(&random, 3);
        char columns[32] = "v";
        buffer_append_string(&sql, "CREATE TABLE k(v INT");
        for (uint32_t i = 0; i < parts; i++) {
            buffer_format(&sql, ", c%u %s%s", i, types[random_below(&random, 6)],
                          collations[random_below(&random, 4)]);
            snprintf(columns + strlen(columns), sizeof columns - strlen(columns), ",c%u", i);
        }
        for (uint32_t i = 0; i < parts; i++) {
            buffer_format(&sql, "%sc%u%s%s", i > 0 ? ", " : ", PRIMARY KEY(", parts - 1 - i,
                          random_below(&random, 3) == 0 ? collations[random_below(&random, 4)] : "",
                          random_below(&random, 3) == 0 ? " DESC" : "");
        }
        buffer_append_string(&sql, ")) WITHOUT ROWID; BEGIN;");
        uint64_t rows = random_below(&random, 120);
        for (uint64_t row = 0; row < rows; row++) {
            buffer_format(&sql, "INSERT OR IGNORE INTO k VALUES(%" PRIu64, row);
            for (uint32_t i = 0; i < parts; i++) {
                buffer_append_string(&sql, ", ");
                append_random_value(&random, &sql);
            }
            buffer_append_string(&sql, ");");
        }
        buffer_append_string(&sql, "COMMIT");
        const char *path = sqlite_file(buffer_string(&sql));
        expect_tiles(path, "k", columns, 1 + random_below(&random, 20), false);
        buffer_free(&sql);
    }
}

static void test_random_rowids(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(20); round++) {
        struct buffer sql = {0};
        buffer_append_string(&sql, "CREATE TABLE t(id TEXT PRIMARY KEY, v INT); BEGIN;");
        uint64_t rows = random_below(&random, 100);
        int shift = (int)random_below(&random, 60);
        for (uint64_t row = 0; row < rows; row++) {
            buffer_format(&sql, "INSERT OR IGNORE INTO t(rowid, id, v) VALUES(%" PRId64 ", ",
                          (int64_t)random_bits(&random) >> shift);
            if (random_below(&random, 4) == 0) {
                buffer_append_string(&sql, "NULL");
            } else {
                append_random_value(&random, &sql);
            }
            buffer_format(&sql, ", %" PRIu64 ");", row);
        }
        buffer_append_string(&sql, "COMMIT");
        const char *path = sqlite_file(buffer_string(&sql));
        expect_tiles(path, "t", "rowid,id,v", 1 + random_below(&random, 20), true);
        buffer_free(&sql);
    }
}

static void test_printable(void **state)
{
    (void)state;
    struct source_test test;
    struct span *spans = NULL;
    uint32_t count = 0;
    source_open_reading(
        &test, sqlite_file("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(5), "
                           "(7), (9), (20); CREATE TABLE k(a, b, PRIMARY KEY(a, b)) WITHOUT "
                           "ROWID; INSERT INTO k VALUES('x' || char(10), 1), ('y', x'0aff')"));
    assert_int_equal(test.source->split(test.database, source_request(&test, "t", "id"), 2,
                                        test.arena, &spans, &count, &test.error),
                     STATUS_OK);
    assert_int_equal(count, 2);
    assert_string_equal(spans[0].printable, "rowid 5..7");
    assert_string_equal(spans[0].last_id, "7");
    assert_string_equal(spans[1].printable, "rowid 8..20");
    assert_string_equal(spans[1].last_id, "20");
    assert_int_equal(test.source->split(test.database, source_request(&test, "k", "a"), 1,
                                        test.arena, &spans, &count, &test.error),
                     STATUS_OK);
    assert_int_equal(count, 2);
    assert_null(strchr(spans[0].printable, '\n'));
    assert_string_equal(spans[1].last_id, "y, x'0aff'");
    source_close(&test);
}

static void test_facts(void **state)
{
    (void)state;
    struct source_test test;
    static const struct {
        const char *table;
        bool keyed;
        bool unique;
        const char *key;
    } cases[] = {
        {"i", true, true, "id"},     {"r", false, true, "rowid"}, {"k", true, true, "b"},
        {"n", false, true, "rowid"}, {"s", false, true, "c"},     {"h", false, false, NULL},
        {"v", false, false, NULL},
    };
    source_open(
        &test,
        sqlite_file("CREATE TABLE i(id INTEGER PRIMARY KEY); CREATE TABLE r(a); CREATE TABLE "
                    "k(a, b, PRIMARY KEY(b)) WITHOUT ROWID; CREATE TABLE n(c TEXT PRIMARY "
                    "KEY); CREATE TABLE s(c TEXT NOT NULL PRIMARY KEY); CREATE TABLE "
                    "h(rowid, oid, _rowid_); CREATE VIEW v AS SELECT * FROM i"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stream_facts facts;
        assert_int_equal(test.source->describe_stream(test.database,
                                                      source_request(&test, cases[i].table, "x"),
                                                      test.arena, &facts, &test.error),
                         STATUS_OK);
        assert_int_equal(facts.keyed, cases[i].keyed);
        assert_int_equal(facts.key_unique, cases[i].unique);
        assert_int_equal(facts.key.count, cases[i].key != NULL);
        if (cases[i].key != NULL) {
            assert_string_equal(facts.key.names[0], cases[i].key);
        }
    }
    source_close(&test);
}

/* Bounds from a ledger are not trusted. */
static void test_broken_bounds(void **state)
{
    (void)state;
    struct random random = random_start();
    struct span_bounds bounds;
    struct error error;
    struct buffer good = {0};
    struct buffer tuple = {0};
    sqlite3 *connection = NULL;
    sqlite3_stmt *row = NULL;

    assert_int_equal(sqlite3_open(":memory:", &connection), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(connection, "SELECT 1, 'text', x'0102', 1.5, NULL", -1, &row, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    span_append_values(&tuple, row, 5);
    span_encode_key(&good, 5, &tuple, &tuple);
    struct span span = {.printable = "x",
                        .bounds = (const uint8_t *)good.data,
                        .bounds_length = (uint32_t)good.length};
    assert_int_equal(span_decode(&span, &bounds, &error), STATUS_OK);
    assert_int_equal(bounds.parts, 5);
    for (uint32_t length = 1; length < good.length; length++) {
        /* a copy of just that length, so that a sanitizer sees a read behind it */
        uint8_t *cut = malloc(length);
        memcpy(cut, good.data, length);
        span = (struct span){.printable = "x", .bounds = cut, .bounds_length = length};
        assert_int_equal(span_decode(&span, &bounds, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_LEDGER_INVALID);
        free(cut);
    }
    for (int round = 0; round < 20000; round++) {
        uint8_t *changed = malloc(good.length);
        memcpy(changed, good.data, good.length);
        for (uint64_t n = 1 + random_below(&random, 3); n > 0; n--) {
            changed[random_below(&random, good.length)] = (uint8_t)random_bits(&random);
        }
        span = (struct span){
            .printable = "x", .bounds = changed, .bounds_length = (uint32_t)good.length};
        if (span_decode(&span, &bounds, &error) == STATUS_OK && bounds.by_key && bounds.has_low) {
            struct buffer text = {0};
            span_print_values(bounds.low_values, bounds.end, bounds.parts, &text);
            buffer_free(&text);
        }
        free(changed);
    }
    sqlite3_finalize(row);
    sqlite3_close(connection);
    buffer_free(&good);
    buffer_free(&tuple);
}

/* A span is refused by a table that has another kind of key than when the run began. */
static void test_span_of_another_key(void **state)
{
    (void)state;
    struct source_test test;
    struct buffer bounds = {0};
    struct cursor *cursor = NULL;
    int64_t low = 5;
    source_open_reading(
        &test, sqlite_file("CREATE TABLE k(a PRIMARY KEY) WITHOUT ROWID; CREATE TABLE t(a)"));
    span_encode_rowid(&bounds, &low, NULL);
    struct span span = {.printable = "rowid 6..",
                        .bounds = (const uint8_t *)bounds.data,
                        .bounds_length = (uint32_t)bounds.length};
    assert_int_equal(test.source->cursor_open(test.reader, source_request(&test, "k", "a"), &span,
                                              &cursor, &test.error),
                     STATUS_FAILED);
    assert_int_equal(test.error.code, ERROR_LEDGER_INVALID);
    assert_string_equal(source_rows(&test, source_request(&test, "t", "a"), &span), "");
    buffer_free(&bounds);
    source_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_guessed),
        cmocka_unit_test(test_guesses_fit_the_file),
        cmocka_unit_test(test_extreme_rowids),
        cmocka_unit_test(test_empty_and_keyless),
        cmocka_unit_test(test_random_keys),
        cmocka_unit_test(test_random_rowids),
        cmocka_unit_test(test_printable),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_broken_bounds),
        cmocka_unit_test(test_span_of_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
