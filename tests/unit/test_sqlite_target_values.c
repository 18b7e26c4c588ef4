/* Values into SQLite columns: every storage class under every affinity, and all that can't be
 * kept. */
#include "connectors/sqlite/sqlite_internal.h"
#include "model/decimal.h"
#include "support_sqlite_target.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const affinities[] = {"INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC", ""};
enum { AFFINITIES = 6 };

/* One column of the declared type, filled with one cell: what typeof and quote say, or the
 * reject. */
struct kept {
    char text[600];
    enum error_code code; /* NONE: written */
    char reason[600];
};

static struct kept keep(const char *declared, struct cell cell)
{
    const char *path = target_path("values.db");
    char sql[256];
    struct kept kept = {0};
    static const char *const names[] = {"v"};

    snprintf(sql, sizeof sql, "CREATE TABLE t(v %s)", declared);
    file_execute(path, sql);
    struct database *database = target_open(path);
    target_begin_run(database, 1);
    struct target_table table = {.name = "t", .existing = EXISTING_APPEND};
    struct writer *writer = target_writer(database, &table, 1);
    struct batch *batch = target_batch(target_shape(names, 1), &cell, 1);
    struct batch_result result = target_write_chunk(writer, database, 1, batch);
    if (result.outcome_count == 1) {
        kept.code = result.outcomes[0].code;
        snprintf(kept.reason, sizeof kept.reason, "%s", result.outcomes[0].reason);
        assert_string_equal(file_ask(path, "SELECT count(*) FROM t"), "0");
    } else {
        snprintf(kept.text, sizeof kept.text, "%s",
                 file_ask(path, "SELECT typeof(v) || ' ' || quote(v) FROM t"));
    }
    target_result_free(&result);
    sqlite_target.writer_close(writer);
    target_close(database);
    return kept;
}

static void expect(const char *declared, struct cell cell, const char *text)
{
    struct kept kept = keep(declared, cell);
    if (kept.code != ERROR_NONE) {
        fail_msg("a %s column refuses %s: %s", declared, text, kept.reason);
    }
    assert_string_equal(kept.text, text);
}

static void expect_reject(const char *declared, struct cell cell, enum error_code code)
{
    struct kept kept = keep(declared, cell);
    if (kept.code != code) {
        fail_msg("a %s column: expected %s, got %s %s", declared, error_describe(code)->name,
                 kept.code == ERROR_NONE ? kept.text : error_describe(kept.code)->name,
                 kept.reason);
    }
    assert_non_null(strstr(kept.reason, "v"));
}

/* The number that is all of the text after its class. */
static double number_after(const char *text, const char *class)
{
    char *end = NULL;
    assert_memory_equal(text, class, strlen(class));
    double number = strtod(text + strlen(class), &end);
    assert_string_equal(end, "");
    return number;
}

static void expect_real(const char *declared, struct cell cell, double value)
{
    struct kept kept = keep(declared, cell);
    assert_int_equal(kept.code, ERROR_NONE);
    assert_true(number_after(kept.text, "real ") == value);
}

/*
 * What a source column of an affinity can hold at all comes back with the same class and value.
 * SQLite itself says what that is: the value is put there by plain SQL, read back, and written as
 * cells.
 */
static void classes_survive_under_every_affinity(void **state)
{
    (void)state;
    static const char *const literals[] = {"NULL",
                                           "0",
                                           "1",
                                           "-1",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "9007199254740993",
                                           "1.5",
                                           "-0.1",
                                           "1e300",
                                           "-1e-300",
                                           "9e999",
                                           "3.0",
                                           "4611686018427387904.0",
                                           "'text'",
                                           "''",
                                           "'12'",
                                           "'1.50'",
                                           "'0x10'",
                                           "'1e'",
                                           "' '",
                                           "'-'",
                                           "'.'",
                                           "'Inf'",
                                           "'2024-01-01'",
                                           "x''",
                                           "x'00ff'",
                                           "x'3132'",
                                           "char(0)",
                                           "'a' || char(0) || 'b'",
                                           "char(8364, 128512)"};
    for (int a = 0; a < AFFINITIES; a++) {
        for (uint32_t i = 0; i < COUNT_OF(literals); i++) {
            const char *path = target_path("source.db");
            char sql[256];
            snprintf(sql, sizeof sql, "CREATE TABLE s(v %s); INSERT INTO s VALUES(%s)",
                     affinities[a], literals[i]);
            file_execute(path, sql);
            char before[600];
            snprintf(before, sizeof before, "%s",
                     file_ask(path, "SELECT typeof(v) || ' ' || quote(v) FROM s"));
            sqlite3 *reader = NULL;
            sqlite3_stmt *row = NULL;
            assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
            assert_int_equal(sqlite3_prepare_v2(reader, "SELECT v FROM s", -1, &row, NULL),
                             SQLITE_OK);
            assert_int_equal(sqlite3_step(row), SQLITE_ROW);
            struct cell cell = cell_null();
            switch (sqlite3_column_type(row, 0)) {
            case SQLITE_INTEGER:
                cell = cell_int64(sqlite3_column_int64(row, 0));
                break;
            case SQLITE_FLOAT:
                cell = cell_float64(sqlite3_column_double(row, 0));
                break;
            case SQLITE_TEXT:
                cell = cell_text((const char *)sqlite3_column_text(row, 0),
                                 (size_t)sqlite3_column_bytes(row, 0));
                break;
            case SQLITE_BLOB:
                cell =
                    cell_bytes(sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
                break;
            default:
                break;
            }
            expect(affinities[a], cell, before);
            sqlite3_finalize(row);
            sqlite3_close(reader);
        }
    }
}

static void texts_that_look_like_numbers_are_not_altered(void **state)
{
    (void)state;
    static const char *const numeric[] = {"INTEGER",       "NUMERIC", "REAL",
                                          "DECIMAL(10,2)", "BOOLEAN", "DATETIME"};
    static const char *const refused[] = {"007",    "+1", " 1", "1 ",  "1e3", "-0",
                                          "0x1p3 ", ".5", "5.", "1E5", "\n3"};
    for (uint32_t a = 0; a < COUNT_OF(numeric); a++) {
        for (uint32_t i = 0; i < COUNT_OF(refused); i++) {
            struct cell cell = cell_text(refused[i], strlen(refused[i]));
            if (strcmp(refused[i], "0x1p3 ") == 0) {
                expect(numeric[a], cell, "text '0x1p3 '"); /* no number to SQLite */
            } else {
                expect_reject(numeric[a], cell, ERROR_REJECT_TYPE);
            }
        }
    }
    expect("INTEGER", CELL_TEXT("12"), "integer 12");
    expect("NUMERIC", CELL_TEXT("1.50"), "real 1.5");
    expect("REAL", CELL_TEXT("12"), "real 12.0");
    expect("TEXT", CELL_TEXT("007"), "text '007'");
    expect("", CELL_TEXT("007"), "text '007'");
    expect("BLOB", CELL_TEXT(" 1"), "text ' 1'");
    expect_reject("NUMERIC", CELL_TEXT("12345678901234567890"), ERROR_REJECT_NUMBER);
    expect_reject("NUMERIC", CELL_TEXT("0.12345678901234567890"), ERROR_REJECT_NUMBER);
    expect("TEXT", CELL_TEXT("12345678901234567890"), "text '12345678901234567890'");
    expect("INTEGER", CELL_TEXT("9223372036854775807"), "integer 9223372036854775807");
}

static struct cell decimal(struct arena *arena, const char *digits)
{
    struct cell cell;
    assert_int_equal(decimal_parse(digits, strlen(digits), arena, &cell), STATUS_OK);
    return cell;
}

static void decimals_are_kept_or_refused(void **state)
{
    (void)state;
    skip_without_long_double();
    struct arena *arena = arena_create(0);
    struct cell from_float;

    expect("NUMERIC(10,2)", decimal(arena, "1.98"), "real 1.98");
    expect("NUMERIC(10,2)", decimal(arena, "-0.10"), "real -0.1");
    expect("NUMERIC(10,2)", decimal(arena, "5"), "integer 5");
    expect("NUMERIC(10,2)", decimal(arena, "5.00"), "integer 5");
    expect("NUMERIC", decimal(arena, "999999999999999"), "integer 999999999999999");
    expect("NUMERIC", decimal(arena, "9223372036854775807"), "integer 9223372036854775807");
    expect("NUMERIC", decimal(arena, "123456789012.345"), "real 123456789012.345");
    expect_reject("NUMERIC", decimal(arena, "0.12345678901234567"), ERROR_REJECT_NUMBER);
    expect_reject("NUMERIC(38,10)", decimal(arena, "1234567890123456789012345678.0123456789"),
                  ERROR_REJECT_NUMBER);
    expect_reject("REAL", decimal(arena, "9007199254740993"), ERROR_REJECT_NUMBER);
    expect("TEXT", decimal(arena, "1234567890123456789012345678.0123456789"),
           "text '1234567890123456789012345678.0123456789'");
    expect("TEXT", decimal(arena, "0.10"), "text '0.10'");
    expect_reject("NUMERIC", decimal(arena, "NaN"), ERROR_REJECT_NUMBER);
    expect_real("NUMERIC", decimal(arena, "Infinity"), (double)INFINITY);

    /* every two-digit price comes back as the float it was */
    for (int i = 0; i < 50; i++) {
        double price = i * 37 / 100.0 + 0.01;
        char text[64];
        assert_int_equal(decimal_from_double(price, arena, &from_float), STATUS_OK);
        sqlite3_snprintf(sizeof text, text, "real %!.17g", price);
        struct kept kept = keep("NUMERIC(10,2)", from_float);
        assert_int_equal(kept.code, ERROR_NONE);
        bool is_real = strncmp(kept.text, "real ", 5) == 0;
        assert_true(number_after(kept.text, is_real ? "real " : "integer ") == price);
    }
    arena_destroy(arena);
}

static void numbers_at_their_ends(void **state)
{
    (void)state;
    expect("INTEGER", cell_uint64(INT64_MAX), "integer 9223372036854775807");
    expect_reject("INTEGER", cell_uint64(UINT64_MAX), ERROR_REJECT_NUMBER);
    expect_reject("NUMERIC", cell_uint64(UINT64_MAX), ERROR_REJECT_NUMBER);
    expect_reject("", cell_uint64(UINT64_MAX), ERROR_REJECT_NUMBER);
    expect("TEXT", cell_uint64(UINT64_MAX), "text '18446744073709551615'");
    expect_reject("REAL", cell_int64(9007199254740993), ERROR_REJECT_NUMBER);
    expect_reject("REAL", cell_int64(INT64_MAX), ERROR_REJECT_NUMBER);
    expect_real("REAL", cell_int64(INT64_MIN), -9223372036854775808.0);
    expect_real("REAL", cell_int64(9007199254740992), 9007199254740992.0);
    for (int a = 0; a < AFFINITIES; a++) {
        expect_reject(affinities[a], cell_float64((double)NAN), ERROR_REJECT_NUMBER);
    }
    expect_real("REAL", cell_float64((double)INFINITY), (double)INFINITY);
    expect("TEXT", cell_float64(0.1), "text '0.1'");
    expect("TEXT", cell_float64(1.0 / 3), "text '0.3333333333333333'");
    expect("BOOLEAN", cell_bool(1), "integer 1");
    expect("TEXT", cell_int64(12), "text '12'");
}

/*
 * Every kind of number and its ends under every affinity. A column holds the value as a number,
 * TEXT as digits, or the record is rejected: never a text where a number was expected, never a
 * rounded number.
 */
struct number_case {
    const char *what;
    struct cell cell;
    const char *kept[AFFINITIES]; /* INTEGER, TEXT, BLOB, REAL, NUMERIC, none; NULL: rejected */
};

static void expect_cases(const struct number_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int a = 0; a < AFFINITIES; a++) {
            if (cases[i].kept[a] != NULL) {
                expect(affinities[a], cases[i].cell, cases[i].kept[a]);
            } else {
                expect_reject(affinities[a], cases[i].cell, ERROR_REJECT_NUMBER);
            }
        }
    }
}

static void integers_under_every_affinity(void **state)
{
    (void)state;
    skip_without_long_double();
    const struct number_case cases[] = {
        {"true",
         cell_bool(1),
         {"integer 1", "text '1'", "integer 1", "real 1.0", "integer 1", "integer 1"}},
        {"int64 5",
         cell_int64(5),
         {"integer 5", "text '5'", "integer 5", "real 5.0", "integer 5", "integer 5"}},
        {"2^53 + 1",
         cell_int64(9007199254740993),
         {"integer 9007199254740993", "text '9007199254740993'", "integer 9007199254740993", NULL,
          "integer 9007199254740993", "integer 9007199254740993"}},
        {"least int64",
         cell_int64(INT64_MIN),
         {"integer -9223372036854775808", "text '-9223372036854775808'",
          "integer -9223372036854775808", "real -9.2233720368547758078e+18",
          "integer -9223372036854775808", "integer -9223372036854775808"}},
        {"most uint64",
         cell_uint64(UINT64_MAX),
         {NULL, "text '18446744073709551615'", NULL, NULL, NULL, NULL}},
    };
    expect_cases(cases, COUNT_OF(cases));
}

static struct cell sum_beyond_int64(struct arena *arena)
{
    struct decimal_sum sum;
    struct cell beyond;
    decimal_sum_init(&sum);
    for (int i = 0; i < 2; i++) {
        const struct cell most = cell_int64(INT64_MAX);
        assert_int_equal(decimal_sum_add(&sum, &most), STATUS_OK);
    }
    assert_int_equal(decimal_sum_result(&sum, arena, &beyond), STATUS_OK);
    assert_int_equal(beyond.kind, VALUE_DECIMAL);
    decimal_sum_free(&sum);
    return beyond;
}

static void decimals_under_every_affinity(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    const struct number_case cases[] = {
        {"sum beyond int64",
         sum_beyond_int64(arena),
         {NULL, "text '18446744073709551614'", NULL, NULL, NULL, NULL}},
        {"decimal 2e19",
         decimal(arena, "20000000000000000000"),
         {"real 2.0e+19", "text '20000000000000000000'", "real 2.0e+19", "real 2.0e+19",
          "real 2.0e+19", "real 2.0e+19"}},
        {"decimal 1.50",
         decimal(arena, "1.50"),
         {"real 1.5", "text '1.50'", "real 1.5", "real 1.5", "real 1.5", "real 1.5"}},
        {"decimal 5.00",
         decimal(arena, "5.00"),
         {"integer 5", "text '5.00'", "integer 5", "real 5.0", "integer 5", "integer 5"}},
        {"38 digits",
         decimal(arena, "1234567890123456789012345678.0123456789"),
         {NULL, "text '1234567890123456789012345678.0123456789'", NULL, NULL, NULL, NULL}},
        {"17 digits",
         decimal(arena, "0.12345678901234567"),
         {NULL, "text '0.12345678901234567'", NULL, NULL, NULL, NULL}},
        {"decimal NaN", decimal(arena, "NaN"), {NULL, NULL, NULL, NULL, NULL, NULL}},
        {"decimal infinity",
         decimal(arena, "Infinity"),
         {"real Inf", "text 'Infinity'", "real Inf", "real Inf", "real Inf", "real Inf"}},
        {"decimal -infinity",
         decimal(arena, "-Infinity"),
         {"real -Inf", "text '-Infinity'", "real -Inf", "real -Inf", "real -Inf", "real -Inf"}},
    };
    expect_cases(cases, COUNT_OF(cases));
    arena_destroy(arena);
}

static void floats_under_every_affinity(void **state)
{
    (void)state;
    const struct number_case cases[] = {
        {"float64 0.1",
         cell_float64(0.1),
         {"real 0.1", "text '0.1'", "real 0.1", "real 0.1", "real 0.1", "real 0.1"}},
        {"float64 3",
         cell_float64(3),
         {"integer 3", "text '3'", "real 3.0", "real 3.0", "integer 3", "real 3.0"}},
        {"float64 NaN", cell_float64((double)NAN), {NULL, NULL, NULL, NULL, NULL, NULL}},
        {"float64 infinity",
         cell_float64((double)INFINITY),
         {"real Inf", "text 'Infinity'", "real Inf", "real Inf", "real Inf", "real Inf"}},
        {"float64 -infinity",
         cell_float64(-(double)INFINITY),
         {"real -Inf", "text '-Infinity'", "real -Inf", "real -Inf", "real -Inf", "real -Inf"}},
        {"float32 0.1",
         ((struct cell){.kind = VALUE_FLOAT32, .f64 = (double)0.1F}),
         {"real 1.00000001490116119384e-01", "text '0.1'", "real 1.00000001490116119384e-01",
          "real 1.00000001490116119384e-01", "real 1.00000001490116119384e-01",
          "real 1.00000001490116119384e-01"}},
        {"float32 NaN",
         ((struct cell){.kind = VALUE_FLOAT32, .f64 = (double)NAN}),
         {NULL, NULL, NULL, NULL, NULL, NULL}},
    };
    expect_cases(cases, COUNT_OF(cases));
}

static void dates_and_the_like_become_iso_text(void **state)
{
    (void)state;
    static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                     0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    static const struct cell items[] = {{.kind = VALUE_INT64, .i64 = 1}, {.kind = VALUE_NULL}};
    for (int a = 0; a < AFFINITIES; a++) {
        expect(affinities[a], (struct cell){.kind = VALUE_DATE, .i64 = 19782}, "text '2024-02-29'");
        expect(affinities[a],
               (struct cell){.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = 1000001},
               "text '1970-01-01T00:00:01.000001Z'");
        expect(affinities[a], (struct cell){.kind = VALUE_UUID, .bytes = uuid, .length = 16},
               "text '123e4567-e89b-12d3-a456-426614174000'");
        expect(affinities[a], cell_items(VALUE_LIST, items, 2), "text '[1,null]'");
    }
    expect("TEXT", (struct cell){.kind = VALUE_JSON, .text = "{\"a\": 1}", .length = 8},
           "text '{\"a\": 1}'");
    expect_reject("NUMERIC", (struct cell){.kind = VALUE_JSON, .text = "1e2", .length = 3},
                  ERROR_REJECT_TYPE);
}

static void bytes_that_are_no_utf8_stay_text(void **state)
{
    (void)state;
    struct cell cell = {.kind = VALUE_ESCAPE,
                        .flags = CELL_ESCAPED_TEXT,
                        .aux = ESCAPE_SQLITE,
                        .length = 3,
                        .bytes = (const uint8_t *)"a\xff\xfe"};
    const char *path = target_path("escape.db");
    static const char *const names[] = {"v"};
    struct target_table table = {.name = "t", .existing = EXISTING_APPEND};

    file_execute(path, "CREATE TABLE t(v)");
    struct database *database = target_open(path);
    target_begin_run(database, 1);
    struct writer *writer = target_writer(database, &table, 1);
    struct batch_result result =
        target_write_chunk(writer, database, 1, target_batch(target_shape(names, 1), &cell, 1));
    assert_int_equal(result.written, 1);
    target_result_free(&result);
    sqlite_target.writer_close(writer);
    target_close(database);
    assert_string_equal(file_ask(path, "SELECT typeof(v), hex(CAST(v AS BLOB)) FROM t"),
                        "text|61FFFE");

    cell.aux = ESCAPE_POSTGRES;
    expect_reject("TEXT", cell, ERROR_REJECT_UNREADABLE);
}

static void a_utf16_file_refuses_what_it_would_replace(void **state)
{
    (void)state;
    const char *path = target_path("utf16.db");
    static const char *const names[] = {"v"};
    struct target_table table = {.name = "t", .existing = EXISTING_APPEND};
    struct cell cells[] = {{.kind = VALUE_ESCAPE,
                            .flags = CELL_ESCAPED_TEXT,
                            .aux = ESCAPE_SQLITE,
                            .length = 2,
                            .bytes = (const uint8_t *)"a\xff"},
                           CELL_TEXT("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")};

    file_execute(path, "PRAGMA encoding='UTF-16le'; CREATE TABLE t(v)");
    struct database *database = target_open(path);
    target_begin_run(database, 1);
    struct writer *writer = target_writer(database, &table, 1);
    struct batch_result result =
        target_write_chunk(writer, database, 1, target_batch(target_shape(names, 1), cells, 2));
    assert_int_equal(result.written, 1);
    assert_int_equal(result.outcome_count, 1);
    assert_int_equal(result.outcomes[0].row, 0);
    assert_int_equal(result.outcomes[0].code, ERROR_REJECT_TEXT);
    target_result_free(&result);
    sqlite_target.writer_close(writer);
    target_close(database);
    assert_string_equal(file_ask(path, "SELECT v FROM t"), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
}

static void the_row_number_is_never_made_up(void **state)
{
    (void)state;
    expect_reject("INTEGER PRIMARY KEY", cell_null(), ERROR_REJECT_KEY_NULL);
    expect_reject("INTEGER PRIMARY KEY", cell_missing(), ERROR_REJECT_KEY_NULL);
    expect_reject("INTEGER PRIMARY KEY", CELL_TEXT("x"), ERROR_REJECT_TYPE);
    expect_reject("INTEGER PRIMARY KEY", CELL_BYTES("x"), ERROR_REJECT_TYPE);
    expect_reject("INTEGER PRIMARY KEY", cell_float64(1.5), ERROR_REJECT_TYPE);
    expect("INTEGER PRIMARY KEY", cell_float64(2.0), "integer 2");
    expect("INTEGER PRIMARY KEY", cell_int64(INT64_MIN), "integer -9223372036854775808");
    expect("INT PRIMARY KEY", cell_null(), "null NULL");
}

static void strict_tables_are_obeyed(void **state)
{
    (void)state;
    const char *path = target_path("strict.db");
    static const char *const names[] = {"i", "t", "a"};
    struct target_table table = {.name = "t", .existing = EXISTING_APPEND};
    struct cell cells[] = {cell_int64(1),  CELL_TEXT("x"),  CELL_TEXT("007"), /* kept */
                           CELL_TEXT("x"), CELL_TEXT("x"),  cell_null(),      /* text in INTEGER */
                           cell_int64(3),  CELL_BYTES("x"), cell_null()};     /* bytes in TEXT */

    file_execute(path, "CREATE TABLE t(i INTEGER, t TEXT, a ANY) STRICT");
    struct database *database = target_open(path);
    target_begin_run(database, 1);
    struct writer *writer = target_writer(database, &table, 1);
    struct batch_result result =
        target_write_chunk(writer, database, 1, target_batch(target_shape(names, 3), cells, 3));
    assert_int_equal(result.written, 1);
    assert_int_equal(result.outcome_count, 2);
    assert_int_equal(result.outcomes[0].code, ERROR_REJECT_TYPE);
    assert_non_null(strstr(result.outcomes[0].reason, "i = \"x\""));
    assert_int_equal(result.outcomes[1].row, 2);
    target_result_free(&result);
    sqlite_target.writer_close(writer);
    target_close(database);
    assert_string_equal(file_ask(path, "SELECT i, t, a, typeof(a) FROM t"), "1|x|007|text");
}

static void the_normal_form_is_what_reading_back_gives(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct random random = random_start();
    struct database *database = target_open(target_path("normal.db"));
    struct error error;

    for (long i = 0; i < test_rounds(3000); i++) {
        struct cell value = random_value(&random, arena, 2);
        struct cell once;
        struct cell twice;
        if (sqlite_target.normal_form(database, &value, arena, &once, &error) != STATUS_OK) {
            continue; /* a set or interval that has no JSON or text form is refused by writing too
                       */
        }
        assert_int_equal(sqlite_target.normal_form(database, &once, arena, &twice, &error),
                         STATUS_OK);
        assert_true(value_equal(&once, &twice));
    }
    struct cell normal;
    struct cell tenth = decimal(arena, "0.10");
    assert_int_equal(sqlite_target.normal_form(database, &tenth, arena, &normal, &error),
                     STATUS_OK);
    assert_int_equal(normal.kind, VALUE_FLOAT64);
    assert_true(normal.f64 == 0.1);
    struct cell zero = cell_float64(-0.0);
    assert_int_equal(sqlite_target.normal_form(database, &zero, arena, &normal, &error), STATUS_OK);
    assert_int_equal(normal.kind, VALUE_INT64);
    target_close(database);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_survive_under_every_affinity),
        cmocka_unit_test(texts_that_look_like_numbers_are_not_altered),
        cmocka_unit_test(decimals_are_kept_or_refused),
        cmocka_unit_test(numbers_at_their_ends),
        cmocka_unit_test(integers_under_every_affinity),
        cmocka_unit_test(decimals_under_every_affinity),
        cmocka_unit_test(floats_under_every_affinity),
        cmocka_unit_test(dates_and_the_like_become_iso_text),
        cmocka_unit_test(bytes_that_are_no_utf8_stay_text),
        cmocka_unit_test(a_utf16_file_refuses_what_it_would_replace),
        cmocka_unit_test(the_row_number_is_never_made_up),
        cmocka_unit_test(strict_tables_are_obeyed),
        cmocka_unit_test(the_normal_form_is_what_reading_back_gives),
    };
    return cmocka_run_group_tests_name("sqlite_target_values", tests, NULL, NULL);
}
