/* Exact decimals: reading, writing, comparing, rescaling, sums. */
#include "model/decimal.h"
#include "support_arena.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cell decimal(const char *text)
{
    struct cell cell;
    if (decimal_parse(text, strlen(text), arena, &cell) != STATUS_OK) {
        fail_msg("%s was not read", text);
    }
    assert_int_equal(cell.kind, VALUE_DECIMAL);
    return cell;
}

static const char *text_of(const struct cell *cell)
{
    struct buffer out = {0};
    decimal_append(cell, &out);
    const char *copy = arena_copy(arena, out.data, out.length);
    buffer_free(&out);
    return copy;
}

static void decimals_are_read_with_their_scale(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *plain;
        const char *normal;
        int small;
    } cases[] = {
        {"0", "0", "0", 1},
        {"1.98", "1.98", "1.98", 1},
        {"0.10", "0.10", "0.1", 1},
        {"-0.10", "-0.10", "-0.1", 1},
        {"+5", "5", "5", 1},
        {"007.50", "7.50", "7.5", 1},
        {"-0", "0", "0", 1},
        {"-0.00", "0.00", "0", 1},
        {".5", "0.5", "0.5", 1},
        {"5.", "5", "5", 1},
        {"100", "100", "100", 1},
        {"1.5e3", "1500", "1500", 1},
        {"1.50E1", "15.0", "15", 1},
        {"15e-1", "1.5", "1.5", 1},
        {"15e-3", "0.015", "0.015", 1},
        {"0e5", "0", "0", 1},
        {"0e-5", "0.00000", "0", 1},
        {"999999999999999999", "999999999999999999", "999999999999999999", 1},
        {"1000000000000000000", "1000000000000000000", "1000000000000000000", 0},
        {"0.000000000000000001", "0.000000000000000001", "0.000000000000000001", 1},
        {"0.0000000000000000010", "0.0000000000000000010", "0.000000000000000001", 0},
        {"-0.0000000000000000000", "0.0000000000000000000", "0", 0},
        {"12345678901234567890123456789012345678.0123456789",
         "12345678901234567890123456789012345678.0123456789",
         "12345678901234567890123456789012345678.0123456789", 0},
        {"9223372036854775808", "9223372036854775808", "9223372036854775808", 0},
        {"-18446744073709551615.50", "-18446744073709551615.50", "-18446744073709551615.5", 0},
        {"1e20", "100000000000000000000", "100000000000000000000", 0},
        {"-000000000000000000000000123", "-123", "-123", 1},
        {"0000000000000000000000000.5", "0.5", "0.5", 1},
        {"NaN", "NaN", "NaN", 0},
        {"nan", "NaN", "NaN", 0},
        {"-nan", "NaN", "NaN", 0},
        {"infinity", "Infinity", "Infinity", 0},
        {"-INF", "-Infinity", "-Infinity", 0},
    };
    struct buffer normal = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cell cell = decimal(cases[i].text);
        assert_string_equal(text_of(&cell), cases[i].plain);
        assert_int_equal((cell.flags & CELL_SMALL) != 0, cases[i].small);
        decimal_append_normal(&cell, &normal);
        assert_buffer(&normal, cases[i].normal);
    }
    buffer_free(&normal);
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "-",
                                        "+",
                                        ".",
                                        "-.",
                                        "e5",
                                        "1e",
                                        "1e+",
                                        "1.2.3",
                                        " 1",
                                        "1 ",
                                        "1,5",
                                        "0x1",
                                        "--1",
                                        "1e5.5",
                                        "12a",
                                        "infi",
                                        "1e20001",
                                        "1e-20001",
                                        "1e99999999999999999999999",
                                        "nanny",
                                        "1-",
                                        "1234567890123456789012 "};
    struct cell cell;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (decimal_parse(cases[i], strlen(cases[i]), arena, &cell) != STATUS_END) {
            fail_msg("'%s' was read", cases[i]);
        }
    }
    assert_int_equal(decimal_parse("1\0", 2, arena, &cell), STATUS_END);
    struct cell large = decimal("1e20000");
    assert_int_equal(large.length, 20001);
    large = decimal("1e-20000");
    assert_int_equal(large.length, 20002);
}

static void small_decimals_of_any_integer_are_written(void **state)
{
    (void)state;
    struct cell cell = {.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .i64 = INT64_MIN};
    assert_string_equal(text_of(&cell), "-9223372036854775808");
    cell.aux = 18;
    assert_string_equal(text_of(&cell), "-9.223372036854775808");
    cell.i64 = -5;
    assert_string_equal(text_of(&cell), "-0.000000000000000005");
}

static void decimals_are_measured(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int digits;
        int exponent;
    } cases[] = {{"1.98", 3, 0},
                 {"0.05", 1, -2},
                 {"1200", 2, 3},
                 {"0", 0, 0},
                 {"0.00", 0, 0},
                 {"-10.10", 3, 1},
                 {"1e40", 1, 40},
                 {"1.10e-30", 2, -30},
                 {"12345678901234567890.5", 21, 19},
                 {"0.00000000000000000000", 0, 0}};
    int64_t digits;
    int64_t exponent;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cell cell = decimal(cases[i].text);
        assert_true(decimal_measure(&cell, &digits, &exponent));
        assert_int_equal(digits, cases[i].digits);
        assert_int_equal(exponent, cases[i].exponent);
    }
    struct cell nan = decimal("NaN");
    assert_false(decimal_measure(&nan, &digits, &exponent));
    assert_int_equal(decimal_special(&nan), 'N');
    struct cell infinity = decimal("-Infinity");
    assert_int_equal(decimal_special(&infinity), '-');
    assert_int_equal(decimal_scale(&infinity), 0);
    struct cell scaled = decimal("1.2300000000000000000000");
    assert_int_equal(decimal_scale(&scaled), 22);
    assert_int_equal(decimal_special(&scaled), 0);
}

static void decimals_are_ordered(void **state)
{
    (void)state;
    static const char *const ascending[] = {"-Infinity",
                                            "-1e30",
                                            "-100000000000000000000.5",
                                            "-100000000000000000000",
                                            "-2",
                                            "-1.5",
                                            "-1e-30",
                                            "0",
                                            "1e-30",
                                            "0.000000000000000001",
                                            "0.1",
                                            "0.11",
                                            "1",
                                            "1.000000000000000000001",
                                            "999999999999999999",
                                            "1000000000000000000",
                                            "1e30",
                                            "Infinity",
                                            "NaN"};
    enum { COUNT = sizeof(ascending) / sizeof(ascending[0]) };
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            struct cell left = decimal(ascending[i]);
            struct cell right = decimal(ascending[j]);
            assert_int_equal(decimal_compare(&left, &right), i < j ? -1 : i > j);
        }
    }
    static const char *const equal[][2] = {{"1.0", "1.00"},
                                           {"0", "0.00000000000000000000"},
                                           {"1e20", "100000000000000000000.000"},
                                           {"-5", "-5.0"}};
    for (size_t i = 0; i < 4; i++) {
        struct cell left = decimal(equal[i][0]);
        struct cell right = decimal(equal[i][1]);
        assert_int_equal(decimal_compare(&left, &right), 0);
        assert_int_equal(decimal_compare(&right, &left), 0);
    }
}

static void doubles_become_their_shortest_digits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
        int from_float;
    } cases[] = {{1.98, "1.98", 1},
                 {0.1, "0.1", 1},
                 {100, "100", 1},
                 {-0.5, "-0.5", 1},
                 {0.0, "0", 1},
                 {-0.0, "0", 1},
                 {1e17, "100000000000000000", 1},
                 {1e18, "1000000000000000000", 0},
                 {1e22, "10000000000000000000000", 0},
                 {1e-7, "0.0000001", 1},
                 {5e-324, NULL, 0},
                 {NAN, "NaN", 0},
                 {INFINITY, "Infinity", 0},
                 {-INFINITY, "-Infinity", 0}};
    struct cell cell;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(decimal_from_double(cases[i].value, arena, &cell), STATUS_OK);
        assert_int_equal((cell.flags & CELL_FROM_FLOAT) != 0, cases[i].from_float);
        if (cases[i].text != NULL) {
            assert_string_equal(text_of(&cell), cases[i].text);
        } else {
            assert_int_equal(cell.length, 326);
        }
    }
}

static void doubles_come_back_from_decimals(void **state)
{
    (void)state;
    struct random random = random_start();
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
    for (long i = 0; i < test_rounds(200000); i++) {
        uint64_t bits = random_bits(&random);
        double value;
        if (i % 2 == 0) {
            value = (double)random_between(&random, -1000000000, 1000000000) / 10000;
        } else {
            memcpy(&value, &bits, sizeof(value));
        }
        struct cell cell;
        assert_int_equal(decimal_from_double(value, arena, &cell), STATUS_OK);
        double back = decimal_to_double(&cell);
        assert_true(back == value || (isnan(back) && isnan(value)));
        if ((cell.flags & CELL_FROM_FLOAT) != 0) {
            assert_true((cell.flags & CELL_SMALL) != 0);
            assert_true((double)cell.i64 / powers[cell.aux] == value);
        }
        if (i % 1000 == 0) {
            arena_reset(arena);
        }
    }
}

static void whole_numbers_come_back(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status is_signed;
        int64_t value;
        enum status is_unsigned;
        uint64_t large;
    } cases[] = {
        {"0", STATUS_OK, 0, STATUS_OK, 0},
        {"-0.0", STATUS_OK, 0, STATUS_OK, 0},
        {"5.00", STATUS_OK, 5, STATUS_OK, 5},
        {"5.01", STATUS_FAILED, 0, STATUS_FAILED, 0},
        {"-5", STATUS_OK, -5, STATUS_FAILED, 0},
        {"9223372036854775807", STATUS_OK, INT64_MAX, STATUS_OK, INT64_MAX},
        {"9223372036854775808", STATUS_FAILED, 0, STATUS_OK, (uint64_t)INT64_MAX + 1},
        {"-9223372036854775808.000", STATUS_OK, INT64_MIN, STATUS_FAILED, 0},
        {"-9223372036854775809", STATUS_FAILED, 0, STATUS_FAILED, 0},
        {"18446744073709551615.0", STATUS_FAILED, 0, STATUS_OK, UINT64_MAX},
        {"18446744073709551616", STATUS_FAILED, 0, STATUS_FAILED, 0},
        {"1e30", STATUS_FAILED, 0, STATUS_FAILED, 0},
        {"0.0000000000000000000000000001", STATUS_FAILED, 0, STATUS_FAILED, 0},
        {"0.0000000000000000000000000000", STATUS_OK, 0, STATUS_OK, 0},
        {"NaN", STATUS_FAILED, 0, STATUS_FAILED, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cell cell = decimal(cases[i].text);
        int64_t value = 0;
        uint64_t large = 0;
        assert_int_equal(decimal_to_int64(&cell, &value), cases[i].is_signed);
        assert_int_equal(decimal_to_uint64(&cell, &large), cases[i].is_unsigned);
        assert_true(cases[i].is_signed != STATUS_OK || value == cases[i].value);
        assert_true(cases[i].is_unsigned != STATUS_OK || large == cases[i].large);
    }
    struct random random = random_start();
    for (int i = 0; i < 100000; i++) {
        uint64_t number = random_bits(&random) >> random_below(&random, 64);
        struct cell cell;
        int64_t value;
        uint64_t large;
        cell = decimal_from_uint64(number, arena);
        assert_int_equal(decimal_to_uint64(&cell, &large), STATUS_OK);
        assert_true(large == number);
        cell = decimal_from_int64((int64_t)number, arena);
        assert_int_equal(decimal_to_int64(&cell, &value), STATUS_OK);
        assert_true(value == (int64_t)number);
    }
}

static void decimals_are_rescaled(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t scale;
        const char *result;
        int exact;
    } cases[] = {
        {"1.5", 2, "1.50", 1},
        {"1.50", 1, "1.5", 1},
        {"1.25", 1, "1.2", 0},
        {"1.35", 1, "1.4", 0},
        {"1.251", 1, "1.3", 0},
        {"-1.25", 1, "-1.2", 0},
        {"-1.35", 1, "-1.4", 0},
        {"0.5", 0, "0", 0},
        {"1.5", 0, "2", 0},
        {"-0.4", 0, "0", 0},
        {"999.95", 1, "1000.0", 0},
        {"9.99", 0, "10", 0},
        {"5", 20, "5.00000000000000000000", 1},
        {"123456789012345678.5", 0, "123456789012345678", 0},
        {"123456789012345679.5", 0, "123456789012345680", 0},
        {"99999999999999999999.99", 1, "100000000000000000000.0", 0},
        {"-99999999999999999999.99", 0, "-100000000000000000000", 0},
        {"0.00000000000000000000000005", 25, "0.0000000000000000000000000", 0},
        {"0.00000000000000000000000015", 25, "0.0000000000000000000000002", 0},
        {"999999999999999999", 1, "999999999999999999.0", 1},
        {"NaN", 5, "NaN", 1},
        {"-Infinity", 5, "-Infinity", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cell cell = decimal(cases[i].text);
        struct cell result;
        int exact;
        assert_int_equal(decimal_rescale(&cell, cases[i].scale, arena, &result, &exact), STATUS_OK);
        assert_string_equal(text_of(&result), cases[i].result);
        assert_int_equal(exact, cases[i].exact);
    }
    struct cell cell = decimal("1");
    int exact;
    assert_int_equal(decimal_rescale(&cell, 20001, arena, &cell, &exact), STATUS_FAILED);
    struct cell small = {.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = 18, .i64 = INT64_MIN};
    struct cell result;
    assert_int_equal(decimal_rescale(&small, 0, arena, &result, &exact), STATUS_OK);
    assert_string_equal(text_of(&result), "-9");
}

/* A number as an integer × 10^-scale, to compute with on the side. */
struct exact {
    __int128 value;
    int scale;
};

static struct exact random_exact(struct random *random, struct cell *cell)
{
    struct exact exact = {0, (int)random_below(random, 16)};
    exact.value = (int64_t)random_bits(random) >> random_below(random, 64);
    if (random_below(random, 3) == 0) {
        exact.value *= (int64_t)random_below(random, 1000000) + 1;
    }
    char text[64];
    size_t count = 0;
    unsigned __int128 magnitude =
        exact.value < 0 ? -(unsigned __int128)exact.value : (unsigned __int128)exact.value;
    char digits[48];
    do {
        digits[count++] = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude > 0 || count <= (size_t)exact.scale);
    size_t length = 0;
    if (exact.value < 0) {
        text[length++] = '-';
    }
    while (count > 0) {
        text[length++] = digits[--count];
        if (count == (size_t)exact.scale && count > 0) {
            text[length++] = '.';
        }
    }
    text[length] = '\0';
    *cell = decimal(text);
    assert_string_equal(text_of(cell), exact.value == 0 && text[0] == '-' ? text + 1 : text);
    return exact;
}

static __int128 scaled(struct exact exact, int scale)
{
    for (; exact.scale < scale; exact.scale++) {
        exact.value *= 10;
    }
    return exact.value;
}

static void arithmetic_agrees_with_integers(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long i = 0; i < test_rounds(50000); i++) {
        struct cell left;
        struct cell right;
        struct exact a = random_exact(&random, &left);
        struct exact b = random_exact(&random, &right);
        /* up to 2^63 × 10^6 × 10^15 overflows: compare only what fits */
        if (i % 1000 == 0) {
            arena_reset(arena);
            continue;
        }
        int scale = a.scale > b.scale ? a.scale : b.scale;
        long double size = fabsl((long double)a.value) + fabsl((long double)b.value);
        if (size * powl(10, scale) > 1e37L) {
            continue;
        }
        __int128 x = scaled(a, scale);
        __int128 y = scaled(b, scale);
        assert_int_equal(decimal_compare(&left, &right), x < y ? -1 : x > y);
        struct decimal_sum sum;
        struct cell total;
        decimal_sum_init(&sum);
        assert_int_equal(decimal_sum_add(&sum, &left), STATUS_OK);
        assert_int_equal(decimal_sum_add(&sum, &right), STATUS_OK);
        assert_int_equal(decimal_sum_result(&sum, arena, &total), STATUS_OK);
        decimal_sum_free(&sum);
        struct cell negative = right; /* total - right == left */
        const char *text = text_of(&right);
        char *opposite = arena_format(arena, "%s%s", text[0] == '-' ? "" : "-",
                                      text[0] == '-' ? text + 1 : text);
        negative = decimal(opposite);
        decimal_sum_init(&sum);
        assert_int_equal(decimal_sum_add(&sum, &total), STATUS_OK);
        assert_int_equal(decimal_sum_add(&sum, &negative), STATUS_OK);
        assert_int_equal(decimal_sum_result(&sum, arena, &total), STATUS_OK);
        decimal_sum_free(&sum);
        if (total.kind == VALUE_INT64) {
            total = decimal_from_int64(total.i64, arena);
        }
        assert_int_equal(decimal_compare(&total, &left), 0);
    }
}

static void assert_sum(const struct cell *cells, size_t count, const char *expected)
{
    struct decimal_sum sum;
    struct cell total;
    decimal_sum_init(&sum);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(decimal_sum_add(&sum, &cells[i]), STATUS_OK);
    }
    assert_int_equal(decimal_sum_result(&sum, arena, &total), STATUS_OK);
    assert_int_equal(decimal_sum_result(&sum, arena, &total), STATUS_OK);
    decimal_sum_free(&sum);
    if (total.kind == VALUE_INT64) {
        char text[24];
        snprintf(text, sizeof(text), "int %lld", (long long)total.i64);
        assert_string_equal(text, expected);
    } else {
        assert_string_equal(text_of(&total), expected);
    }
}

static void sums_are_exact(void **state)
{
    (void)state;
    assert_sum(NULL, 0, "int 0");
    struct cell nothing[] = {cell_null(), cell_missing()};
    assert_sum(nothing, 2, "int 0");
    struct cell whole[] = {cell_int64(INT64_MAX), cell_int64(1)};
    assert_sum(whole, 1, "int 9223372036854775807");
    assert_sum(whole, 2, "9223372036854775808");
    struct cell back[] = {cell_int64(INT64_MAX), cell_int64(1), cell_int64(-10)};
    assert_sum(back, 3, "int 9223372036854775798");
    struct cell mixed[] = {cell_int64(1), decimal("0.10"), cell_float64(0.2), cell_null(),
                           cell_uint64(UINT64_MAX)};
    assert_sum(mixed, 5, "18446744073709551616.30");
    struct cell tenths[10];
    for (int i = 0; i < 10; i++) {
        tenths[i] = cell_float64(0.1);
    }
    assert_sum(tenths, 10, "1.0");
    struct cell single = cell_float64((double)0.1f);
    single.kind = VALUE_FLOAT32;
    assert_sum(&single, 1, "0.1");
    struct cell cancel[] = {decimal("0.05"), decimal("-0.05")};
    assert_sum(cancel, 2, "0.00");
    struct cell zeros[] = {decimal("2.50"), cell_float64(-2.5)};
    assert_sum(zeros, 2, "0.00");
}

static void sums_outgrow_128_bits(void **state)
{
    (void)state;
    struct cell large[] = {decimal("1e40"), cell_int64(1), decimal("0.5"), decimal("-1e40")};
    assert_sum(large, 1, "10000000000000000000000000000000000000000");
    assert_sum(large, 2, "10000000000000000000000000000000000000001");
    assert_sum(large, 3, "10000000000000000000000000000000000000001.5");
    assert_sum(large, 4, "1.5");
    struct cell small[] = {decimal("1e-40"), decimal("1"), decimal("-1e-40")};
    assert_sum(small, 2, "1.0000000000000000000000000000000000000001");
    assert_sum(small, 3, "1.0000000000000000000000000000000000000000");
    struct cell floats[] = {cell_float64(1e300), cell_float64(1e-300), cell_float64(-1e300)};
    struct decimal_sum sum;
    struct cell total;
    decimal_sum_init(&sum);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(decimal_sum_add(&sum, &floats[i]), STATUS_OK);
    }
    assert_int_equal(decimal_sum_result(&sum, arena, &total), STATUS_OK);
    struct cell expected = decimal("1e-300");
    assert_int_equal(decimal_compare(&total, &expected), 0);
    decimal_sum_free(&sum);
    struct cell nines[200];
    for (int i = 0; i < 200; i++) {
        nines[i] = decimal("99999999999999999999999999999999999999.99");
    }
    assert_sum(nines, 200, "19999999999999999999999999999999999999998.00");
    struct cell borrow[] = {decimal("1e39"), decimal("-0.01"), decimal("-1e39")};
    assert_sum(borrow, 2, "999999999999999999999999999999999999999.99");
    assert_sum(borrow, 3, "-0.01");
}

static void sums_of_specials(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), cell_float64(INFINITY), decimal("-Infinity")};
    assert_sum(cells, 2, "Infinity");
    assert_sum(cells, 3, "NaN");
    struct cell nan[] = {decimal("NaN"), cell_float64(-INFINITY)};
    assert_sum(nan, 2, "NaN");
    struct decimal_sum sum;
    decimal_sum_init(&sum);
    struct cell text = cell_text("1", 1);
    assert_int_equal(decimal_sum_add(&sum, &text), STATUS_FAILED);
    struct cell truth = cell_bool(1);
    assert_int_equal(decimal_sum_add(&sum, &truth), STATUS_FAILED);
    decimal_sum_free(&sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(decimals_are_read_with_their_scale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_number_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(small_decimals_of_any_integer_are_written, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(decimals_are_measured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decimals_are_ordered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(doubles_become_their_shortest_digits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(doubles_come_back_from_decimals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whole_numbers_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decimals_are_rescaled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(arithmetic_agrees_with_integers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_are_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_outgrow_128_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_of_specials, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
