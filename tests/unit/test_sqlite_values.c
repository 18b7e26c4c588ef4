/* What SQLite's values become: the storage class decides, the declared type refines. */
#include "base/signals.h"
#include "model/decimal.h"
#include "support_sqlite_source.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The cells of a column of this type that holds these SQL values. */
static void expect(const char *declared, const char *values, const char *expected)
{
    char sql[2048];
    struct source_test test;
    snprintf(sql, sizeof sql, "CREATE TABLE t(v %s); INSERT INTO t VALUES %s", declared, values);
    source_open_reading(&test, sqlite_file(sql));
    const char *rows = source_rows(&test, source_request(&test, "t", "v"), NULL);
    if (strcmp(rows, expected) != 0) {
        fail_msg("%s of %s gives\n%snot\n%s", values, declared, rows, expected);
    }
    source_close(&test);
}

static void test_integers(void **state)
{
    (void)state;
    expect("INTEGER",
           "(0), (-1), (9223372036854775807), (-9223372036854775808), ('text'), (x'00ff'), (NULL), "
           "(1.5), ('12'), (9223372036854775808)",
           "i0\ni-1\ni9223372036854775807\ni-9223372036854775808\nttext\nx00ff\n-\nf1.5\ni12\n"
           "f9.2233720368547758e+18\n");
    expect("BIGINT UNSIGNED", "(7)", "i7\n");
}

static void test_decimals(void **state)
{
    (void)state;
    skip_without_long_double();
    expect(
        "NUMERIC(10,2)",
        "(1.98), (0.10), (-0.99), (5), (5.0), (1979.99), (0.1 + 0.2), (1e300), (9e999), (-9e999), "
        "('abc'), (NULL), (123456789012345.6), (-0.0), (0.005)",
        "d1.98\nd0.1\nd-0.99\nd5\nd5\nd1979.99\nd0.30000000000000004\nd1000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000\ndInfinity\nd-Infinity\ntabc\n-\nd123456789012345.6\nd0\nd0.005\n");
    expect("DECIMAL", "(1.5), (2)", "d1.5\nd2\n");
    expect("DEC(5,2)", "(0.07)", "d0.07\n");
    expect("number(38,10)", "(0.0000000001), (12345678.123456)",
           "d0.0000000001\nd12345678.123456\n");
    expect("NUMERIC", "(17.1), ('1e3')", "d17.1\nd1000\n");
}

static void test_floats(void **state)
{
    (void)state;
    expect("REAL", "(1), (0.1), (9e999), (-9e999), ('x')",
           "f1\nf0.10000000000000001\nfinf\nf-inf\ntx\n");
    expect("DOUBLE PRECISION", "(2.5)", "f2.5\n");
}

static void test_booleans(void **state)
{
    (void)state;
    expect("BOOLEAN", "(0), (1), (2), (-1), ('true'), (NULL), (0.5)",
           "b0\nb1\ni2\ni-1\nttrue\n-\nf0.5\n");
    expect("bool", "(1)", "b1\n");
}

static void test_texts_and_others(void **state)
{
    (void)state;
    expect("DATETIME", "('2024-01-02 03:04:05'), (1700000000), (0.5), ('0000-00-00')",
           "t2024-01-02 03:04:05\ni1700000000\nf0.5\nt0000-00-00\n");
    expect("DATE", "('2024-01-02')", "t2024-01-02\n");
    expect("JSON", "('{\"a\": 1.0}')", "t{\"a\": 1.0}\n");
    expect("UUID", "('00000000-0000-0000-0000-000000000001')",
           "t00000000-0000-0000-0000-000000000001\n");
    expect("", "(1), ('a'), (x''), (''), (1.0), (NULL)", "i1\nta\nx\nt\nf1\n-\n");
    expect("BLOB", "('text stays'), (x'01')", "ttext stays\nx01\n");
    expect("TEXT", "(12), (x'0102'), ('a' || char(0) || 'b')", "t12\nx0102\nta");
}

static void test_nul_in_text(void **state)
{
    (void)state;
    struct source_test test;
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    source_open_reading(&test, sqlite_file("CREATE TABLE t(v TEXT); INSERT INTO t VALUES('a' || "
                                           "char(0) || 'b')"));
    struct read_request *request = source_request(&test, "t", "v");
    assert_int_equal(test.source->cursor_open(test.reader, request, NULL, &cursor, &test.error),
                     STATUS_OK);
    assert_int_equal(test.source->cursor_next(cursor, 10, 1000, &batch, &test.error), STATUS_OK);
    assert_int_equal(batch->cells[0].length, 3);
    assert_memory_equal(batch->cells[0].text, "a\0b", 3);
    assert_int_equal(batch->cells[0].flags & CELL_ASCII, 0);
    batch_destroy(batch);
    test.source->cursor_close(cursor);
    source_close(&test);
}

static void test_invalid_utf8(void **state)
{
    (void)state;
    expect("TEXT",
           "(cast(x'ff' AS TEXT)), (cast(x'616263646566676869c3' AS TEXT)), ('\xf0\x9f\x90\x91')",
           "eff\ne616263646566676869c3\nt\xf0\x9f\x90\x91\n");
    struct source_test test;
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    source_open_reading(&test,
                        sqlite_file("CREATE TABLE t(v); INSERT INTO t VALUES(cast(x'c0af' AS "
                                    "TEXT))"));
    struct read_request *request = source_request(&test, "t", "v");
    assert_int_equal(test.source->cursor_open(test.reader, request, NULL, &cursor, &test.error),
                     STATUS_OK);
    assert_int_equal(test.source->cursor_next(cursor, 10, 1000, &batch, &test.error), STATUS_OK);
    assert_int_equal(batch->cells[0].kind, VALUE_ESCAPE);
    assert_int_equal(batch->cells[0].aux, ESCAPE_SQLITE);
    assert_int_equal(batch->cells[0].flags, CELL_ESCAPED_TEXT);
    batch_destroy(batch);
    test.source->cursor_close(cursor);
    source_close(&test);
}

static void test_utf16(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(
        &test, sqlite_file("PRAGMA encoding='UTF-16le'; CREATE TABLE t(v TEXT, k NUMERIC(5,2));"
                           "INSERT INTO t VALUES('h\xc3\xa9llo \xf0\x9f\x90\x91', 1.25)"));
    assert_string_equal(source_rows(&test, source_request(&test, "t", "v,k"), NULL),
                        "th\xc3\xa9llo \xf0\x9f\x90\x91|d1.25\n");
    source_close(&test);
}

/* The hint is never wrong, at any length, place and byte. */
static void test_text_hint(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    for (size_t length = 0; length < 40; length++) {
        for (size_t place = 0; place <= length; place++) {
            for (int byte = 0; byte < 256; byte += place < length ? 1 : 256) {
                char text[40];
                struct cell cell;
                for (size_t i = 0; i < sizeof text; i++) {
                    text[i] = (char)('a' + i % 26);
                }
                if (place < length) {
                    text[place] = (char)byte;
                }
                bool plain =
                    place == length || (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\');
                assert_int_equal(cell_text_copy(text, length, arena, &cell), STATUS_OK);
                assert_int_equal(cell.length, length);
                assert_memory_equal(cell.bytes, text, length);
                assert_int_equal(cell.kind,
                                 byte < 0x80 || place == length ? VALUE_TEXT : VALUE_ESCAPE);
                assert_int_equal((cell.flags & CELL_ASCII) != 0, plain);
            }
        }
        arena_reset(arena);
    }
    arena_destroy(arena);
}

/* A decimal read from a float is the float's shortest digits, whichever way it was found. */
static void test_decimal_property(void **state)
{
    (void)state;
    struct random random = random_start();
    struct buffer sql = {0};
    enum { COUNT = 4000 };
    struct source_test test;

    buffer_append_string(
        &sql,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v NUMERIC(10,2), r REAL); INSERT INTO t VALUES");
    for (int i = 0; i < COUNT; i++) {
        double value = (double)random_between(&random, -100000000, 100000000) /
                       (double[]){1, 10, 100, 1000, 1e7}[random_below(&random, 5)];
        if (random_below(&random, 10) == 0) {
            value = ldexp((double)random_bits(&random), (int)random_below(&random, 200) - 150);
        }
        buffer_format(&sql, "%s(%d, %.17g, %.17g)", i > 0 ? "," : "", i, value, value);
    }
    source_open_reading(&test, sqlite_file(buffer_string(&sql)));
    buffer_free(&sql);
    struct read_request *request = source_request(&test, "t", "v,r");
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    int at = 0;
    assert_int_equal(test.source->cursor_open(test.reader, request, NULL, &cursor, &test.error),
                     STATUS_OK);
    while (test.source->cursor_next(cursor, 1000, 1 << 20, &batch, &test.error) == STATUS_OK) {
        for (uint32_t i = 0; i < batch->row_count; i++, at++) {
            struct cell expected;
            const struct cell *cell = batch_row(batch, i);
            assert_int_equal(cell->kind, VALUE_DECIMAL);
            assert_int_equal(decimal_from_double(cell[1].f64, test.arena, &expected), STATUS_OK);
            bool is_integer =
                (cell->flags & CELL_SMALL) != 0 && (cell->flags & CELL_FROM_FLOAT) == 0;
            assert_true(is_integer || decimal_compare(cell, &expected) == 0);
            assert_true(decimal_to_double(cell) == cell[1].f64);
            if ((cell->flags & CELL_FROM_FLOAT) != 0) {
                assert_true(value_equal(cell, &expected));
            }
        }
        batch_destroy(batch);
    }
    assert_int_equal(at, COUNT);
    test.source->cursor_close(cursor);
    source_close(&test);
}

/* Digits beyond the declared scale are kept, and counted. */
static void test_excess_digits(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(&test,
                        sqlite_file("CREATE TABLE t(v NUMERIC(10,2), w NUMERIC); INSERT INTO t "
                                    "VALUES(1.125, 1.125), (1.25, 1), (0.001, 0)"));
    assert_string_equal(source_rows(&test, source_request(&test, "t", "v,w"), NULL),
                        "d1.125|d1.125\nd1.25|d1\nd0.001|d0\n");
    const struct excess_digits *excess = test.sqlite->source->excess;
    assert_non_null(excess);
    assert_string_equal(excess->column, "v");
    assert_int_equal(excess->count, 2);
    assert_null(excess->next);
    source_close(&test);
}

static void test_generated_and_documents(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(&test,
                        sqlite_file("CREATE TABLE t(a INT, b AS (a * 2), c AS (a || 'x') STORED);"
                                    "INSERT INTO t VALUES(4)"));
    assert_string_equal(source_rows(&test, source_request(&test, "t", "a,b,c,rowid"), NULL),
                        "i4|i8|t4x|i1\n");
    assert_string_equal(source_rows(&test, source_request(&test, "t", ""), NULL),
                        "ta=i4;tb=i8;tc=t4x;\n");
    source_close(&test);
}

static void test_views_and_queries(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(
        &test, sqlite_file("CREATE TABLE t(a INTEGER PRIMARY KEY, p NUMERIC(5,2), f BOOLEAN);"
                           "INSERT INTO t VALUES(1, 0.5, 1), (2, 2, 0);"
                           "CREATE VIEW v AS SELECT a + 1 AS b, p, f FROM t"));
    assert_string_equal(source_rows(&test, source_request(&test, "v", "p,b,f"), NULL),
                        "d0.5|i2|b1\nd2|i3|b0\n");
    struct read_request *query = source_request(&test, "q", "p,s,f");
    query->table = NULL;
    query->query = "SELECT p, f, p || '' AS s FROM t ORDER BY a DESC; -- end";
    assert_string_equal(source_rows(&test, query, NULL), "d2|t2|b0\nd0.5|t0.5|b1\n");
    query->ordered = true;
    query->root_key = source_list(&test, "p");
    assert_string_equal(source_rows(&test, query, NULL), "d0.5|t0.5|b1\nd2|t2|b0\n");
    query = source_request(&test, "q", "nothing");
    query->table = NULL;
    query->query = "SELECT p FROM t";
    source_rows_fail(&test, query, ERROR_PLAN_INVALID);
    query->query = "DELETE FROM t";
    source_rows_fail(&test, query, ERROR_PLAN_INVALID);
    source_rows_fail(&test, source_request(&test, "t", "aa"), ERROR_PLAN_INVALID);
    source_rows_fail(&test, source_request(&test, "tt", "a"), ERROR_PLAN_INVALID);
    source_close(&test);
}

/* A view that never ends is left when stopping now is asked for. */
static void test_endless_view(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(&test,
                        sqlite_file("CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                                    "SELECT i FROM n) SELECT max(i) AS m FROM n"));
    signals_request_stop(2);
    source_rows_fail(&test, source_request(&test, "v", "m"), ERROR_INTERRUPTED);
    source_close(&test);
}

static void test_awkward_names(void **state)
{
    (void)state;
    struct source_test test;
    source_open_reading(
        &test, sqlite_file("CREATE TABLE \"x\"\"; DROP TABLE t; --\n\"(\"a\"\"b\" INT, "
                           "\"select\" INT, \"rowid\" TEXT, \"it's\" INT);"
                           "INSERT INTO \"x\"\"; DROP TABLE t; --\n\" VALUES(1, 2, 'r', 4)"));
    assert_string_equal(source_rows(&test,
                                    source_request(&test, "x\"; DROP TABLE t; --\n",
                                                   "a\"b,select,rowid,it's,_rowid_"),
                                    NULL),
                        "i1|i2|tr|i4|i1\n");
    source_close(&test);
}

static void test_declared_types(void **state)
{
    (void)state;
    static const struct {
        const char *declared;
        enum value_kind kind;
        char affinity;
        int32_t precision;
        int32_t scale;
    } cases[] = {
        {"INTEGER", VALUE_INT64, 'I', 0, 0},
        {"VARCHAR(20)", VALUE_TEXT, 'T', 0, 0},
        {"", VALUE_TEXT, 'B', 0, 0},
        {"BLOB", VALUE_BYTES, 'B', 0, 0},
        {"FLOAT", VALUE_FLOAT64, 'R', 0, 0},
        {"NUMERIC ( 10 , 2 )", VALUE_DECIMAL, 'N', 10, 2},
        {"decimal(7)", VALUE_DECIMAL, 'N', 7, 0},
        {"NUMERIC(a)", VALUE_DECIMAL, 'N', 0, 0},
        {"NUMERIC(", VALUE_DECIMAL, 'N', 0, 0},
        {"NUMERIC(99999999999999999999)", VALUE_DECIMAL, 'N', 0, 0},
        {"POINT", VALUE_INT64, 'I', 0, 0},
        {"DATETIME", VALUE_TEXT, 'N', 0, 0},
        {"CHARINT", VALUE_INT64, 'I', 0, 0},
        {"BOOLEAN", VALUE_BOOL, 'N', 0, 0},
        {"STRING", VALUE_TEXT, 'N', 0, 0},
        {"DECIMALINT(3)", VALUE_INT64, 'I', 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct column_type type = sqlite_column_type_of(cases[i].declared, false);
        assert_int_equal(type.type.kind, cases[i].kind);
        assert_int_equal(type.affinity, cases[i].affinity);
        assert_int_equal(type.type.precision, cases[i].precision);
        assert_int_equal(type.type.scale, cases[i].scale);
    }
    assert_int_equal(sqlite_column_type_of(NULL, false).affinity, 'B');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_nul_in_text),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_utf16),
        cmocka_unit_test(test_text_hint),
        cmocka_unit_test(test_decimal_property),
        cmocka_unit_test(test_excess_digits),
        cmocka_unit_test(test_generated_and_documents),
        cmocka_unit_test(test_views_and_queries),
        cmocka_unit_test(test_awkward_names),
        cmocka_unit_test(test_declared_types),
        cmocka_unit_test(test_texts_and_others),
        cmocka_unit_test(test_endless_view), /* last: a stop is not taken back */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
