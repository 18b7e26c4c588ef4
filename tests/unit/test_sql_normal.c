/* Normal forms that are hashed at once are those that are made first. */
#include "connectors/sql/normal.h"
#include "model/decimal.h"
#include "model/field_hash.h"
#include "support_arena.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the second of three fields; the last is of a kind that is always there. */
static void check_with(const struct sql_rules *rules, const struct cell *cell)
{
    static const char *const names[] = {"id", "", "a name that is longer than others"};
    uint64_t seeds[3];
    const struct cell cells[] = {cell_int64(-7), *cell, cell_null()};
    uint32_t count = 99;
    struct error made_error = {0};
    struct error hashed_error = {0};
    struct field_hasher made = {.arena = arena};
    struct field_hasher hashed = {.arena = arena};
    struct cell normal;
    enum status expected = STATUS_OK;
    uint32_t whole = 0;
    for (int i = 0; i < 3; i++) {
        seeds[i] = field_hash_seed(names[i], (uint32_t)strlen(names[i]));
    }
    while (whole < 3 && expected == STATUS_OK) {
        expected = sql_normal_form(rules, &cells[whole], arena, &normal, &made_error);
        if (expected == STATUS_OK) {
            expected = field_hash_add_cell(&made, seeds[whole], &normal, &made_error);
        }
        whole += expected == STATUS_OK;
    }
    assert_int_equal(sql_hash_normal(rules, seeds, cells, 3, &hashed, &count, &hashed_error),
                     expected);
    assert_int_equal(count, whole);
    assert_memory_equal(&hashed.sum, &made.sum, sizeof(made.sum));
    assert_int_equal(hashed_error.code, made_error.code);
    buffer_free(&made.scratch);
    buffer_free(&hashed.scratch);
}

static void check(struct cell cell)
{
    for (unsigned bits = 0; bits < 8; bits++) {
        const struct sql_rules rules = {
            .truth_is_number = bits & 1, .zone_dropped = bits & 2, .zero_unsigned = bits & 4};
        check_with(&rules, &cell);
    }
    arena_reset(arena);
}

static void check_text(const char *text)
{
    check(cell_text(text, strlen(text)));
}

static void texts_that_are_numbers_and_texts_that_only_look_so(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "0",
                                        "00",
                                        "007",
                                        "7",
                                        "10",
                                        "1.5",
                                        "1.50",
                                        "1.",
                                        ".5",
                                        "0.5",
                                        "00.5",
                                        "1.2.3",
                                        "1e5",
                                        "1E5",
                                        "+1",
                                        "-1",
                                        "-0",
                                        "-0.0",
                                        "0.0",
                                        "-",
                                        "-a",
                                        "NaN",
                                        "nan",
                                        "-NaN",
                                        "Infinity",
                                        "-Infinity",
                                        "inf",
                                        "Inf",
                                        "-inf",
                                        "Nancy",
                                        "INFINITY",
                                        "Iris",
                                        "true",
                                        "false",
                                        "True",
                                        "t",
                                        "f",
                                        "tru",
                                        "trues",
                                        "falsehood",
                                        "N",
                                        "I",
                                        "12a",
                                        "12 ",
                                        " 12",
                                        "2024-01-01",
                                        "2024-01-01T10:00:00",
                                        "10:00",
                                        "1-2",
                                        "12345678",
                                        "123456789",
                                        "99999999",
                                        "100000000",
                                        "999999999999999999",
                                        "1000000000000000000",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "18446744073709551616",
                                        "099999999999999999",
                                        "0.000000000000000001",
                                        "123456789012345678901234567890.5",
                                        "\xc3\xa9",
                                        "9\xc3\xa9"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_text(texts[i]);
    }
    check(cell_text("\0", 1));
    check(cell_text("1\0", 2));
    check(cell_text("t\0ue", 4));
    check(cell_text(NULL, 0));
    check(cell_bytes(NULL, 0));
    check(cell_bytes("12", 2));
}

static void numbers(void **state)
{
    (void)state;
    static const double values[] = {0.0,
                                    -0.0,
                                    1.0,
                                    -1.0,
                                    0.1,
                                    -0.1,
                                    1e15,
                                    1e17,
                                    1e18,
                                    1e19,
                                    1e22,
                                    1e300,
                                    1e-5,
                                    1e-7,
                                    1e-18,
                                    1e-19,
                                    1e-300,
                                    5e-324,
                                    0.3,
                                    2.5e10,
                                    4.5e15,
                                    1.5e15,
                                    9007199254740991.0,
                                    9007199254740992.0,
                                    9007199254740993.0,
                                    1.7976931348623157e308,
                                    (double)NAN,
                                    (double)INFINITY,
                                    -(double)INFINITY};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct cell cell = cell_float64(values[i]);
        check(cell);
        cell.kind = VALUE_FLOAT32;
        cell.f64 = (double)(float)values[i];
        check(cell);
    }
    for (int64_t digits = 1, round = 0; round < 19; digits *= ++round < 19 ? 10 : 1) {
        for (uint16_t scale = 0; scale <= 18; scale++) {
            for (int64_t near = -1; near <= 1; near++) {
                check((struct cell){.kind = VALUE_DECIMAL,
                                    .flags = CELL_SMALL,
                                    .aux = scale,
                                    .i64 = digits + near});
                check((struct cell){.kind = VALUE_DECIMAL,
                                    .flags = CELL_SMALL,
                                    .aux = scale,
                                    .i64 = -digits + near});
            }
        }
    }
    check(cell_int64(INT64_MIN));
    check(cell_uint64(UINT64_MAX));
    check(cell_bool(1));
    check(cell_missing());
    check(cell_null());
}

static void times(void **state)
{
    (void)state;
    static const int64_t days[] = {0,       -1,      1,         -719528,   -719529,
                                   2932896, 2932897, 100000000, -100000000};
    static const uint8_t flags[] = {0, CELL_ZONED, CELL_SPECIAL};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        for (size_t flag = 0; flag < sizeof flags; flag++) {
            check((struct cell){.kind = VALUE_DATE, .flags = flags[flag], .i64 = days[i]});
            check((struct cell){.kind = VALUE_TIMESTAMP,
                                .flags = flags[flag],
                                .i64 = days[i] * 86400000000 + 123456,
                                .aux = (uint16_t)(i * 100)});
        }
    }
    check((struct cell){.kind = VALUE_DATE, .flags = CELL_SPECIAL, .i64 = CELL_INFINITY});
    check(
        (struct cell){.kind = VALUE_TIMESTAMP, .flags = CELL_SPECIAL, .i64 = CELL_MINUS_INFINITY});
    check((struct cell){.kind = VALUE_TIME, .i64 = 86399999999999});
    check((struct cell){
        .kind = VALUE_TIME, .flags = CELL_ZONED, .length = (uint32_t)-3600, .i64 = 0});
}

static void large_values_are_left_to_the_caller(void **state)
{
    (void)state;
    const struct cell cells[] = {cell_int64(1), {.kind = VALUE_LARGE}, cell_int64(2)};
    const uint64_t seeds[] = {1, 2, 3};
    struct field_hasher hashed = {.arena = arena};
    struct field_hasher first = {.arena = arena};
    struct error error = {0};
    uint32_t count = 99;
    assert_int_equal(
        sql_hash_normal(&(struct sql_rules){0}, seeds, cells, 3, &hashed, &count, &error),
        STATUS_OK);
    assert_int_equal(count, 1);
    field_hash_add_u64(&first, 1, VALUE_INT64, 0, 1);
    assert_memory_equal(&hashed.sum, &first.sum, sizeof(first.sum));
}

static void random_values_of_all_kinds(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long i = 0; i < test_rounds(30000); i++) {
        struct cell cell = random_value(&random, arena, 3);
        check(cell);
    }
    for (long i = 0; i < test_rounds(30000); i++) {
        char text[12];
        size_t length = random_below(&random, sizeof text + 1);
        for (size_t at = 0; at < length; at++) {
            text[at] = "0123456789.-+eENIatf"[random_below(&random, 20)];
        }
        check(cell_text(text, length));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_numbers_and_texts_that_only_look_so),
        cmocka_unit_test(numbers),
        cmocka_unit_test(times),
        cmocka_unit_test(large_values_are_left_to_the_caller),
        cmocka_unit_test(random_values_of_all_kinds),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
