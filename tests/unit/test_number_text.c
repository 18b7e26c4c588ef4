/* Numbers to text and back, against the C library's own and against exact decimals. */
#include "model/number_text.h"
#include "support.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static int is_same_double(double left, double right)
{
    uint64_t left_bits;
    uint64_t right_bits;
    memcpy(&left_bits, &left, sizeof(left));
    memcpy(&right_bits, &right, sizeof(right));
    return left_bits == right_bits;
}

static void assert_double_text(double value, const char *expected)
{
    char text[NUMBER_TEXT_MAX + 1];
    size_t length = number_from_double(value, text);
    assert_true(length <= NUMBER_TEXT_MAX);
    text[length] = '\0';
    assert_string_equal(text, expected);
}

static void doubles_have_their_known_texts(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.98, "1.98"},
        {100, "100"},
        {1234567.0, "1234567"},
        {123456.7891, "123456.7891"},
        {0.0001, "0.0001"},
        {0.00001, "0.00001"},
        {0.000001, "0.000001"},
        {0.0000001, "1e-7"},
        {1.5e-7, "1.5e-7"},
        {123e-8, "0.00000123"},
        {1e20, "100000000000000000000"},
        {123456789012345680000.0, "123456789012345680000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {-1e300, "-1e+300"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {2.225073858507201e-308, "2.225073858507201e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {9007199254740993.0, "9007199254740992"},
        {9007199254740991.0, "9007199254740991"},
        {9223372036854775807.0, "9223372036854776000"},
        {18446744073709551615.0, "18446744073709552000"},
        {4.35, "4.35"},
        {0.000123456789, "0.000123456789"},
        {9.5367431640625e-7, "9.5367431640625e-7"},
        {1e23, "1e+23"},
        {2e-44, "2e-44"},
        {9999999999.9999, "9999999999.9999"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_double_text(cases[i].value, cases[i].text);
    }
}

/* The digits as the C library would write them, with the fewest that read back. */
static void assert_shortest(double value)
{
    uint64_t digits;
    int exponent;
    int negative;
    char ours[64];
    char theirs[64];
    int precision = 0;
    number_shortest(value, &digits, &exponent, &negative);
    int count = snprintf(ours, sizeof(ours), "%llu", (unsigned long long)digits);
    do {
        snprintf(theirs, sizeof(theirs), "%.*e", precision++, value);
    } while (strtod(theirs, NULL) != value);
    assert_true(digits % 10 != 0 || digits == 0);
    /* Of two that are as short the nearer one; powers of two can have a shorter one that the C
     * library's rounding does not find, since it is not the nearest of its length. */
    assert_true(count <= precision);
    snprintf(theirs, sizeof(theirs), "%.*e", count - 1, value);
    if (count == precision && digits != 0) {
        char rebuilt[96];
        snprintf(rebuilt, sizeof(rebuilt), "%s%c%s%se%+03d", negative ? "-" : "", ours[0],
                 count > 1 ? "." : "", ours + 1, count - 1 + exponent);
        assert_string_equal(rebuilt, theirs);
    }
}

static void check_double(double value, int is_exhaustive)
{
    char text[NUMBER_TEXT_MAX + 1];
    double back;
    size_t length = number_from_double(value, text);
    assert_in_range(length, 1, NUMBER_TEXT_MAX);
    text[length] = '\0';
    assert_int_equal(number_to_double(text, length, &back), STATUS_OK);
    if (!is_same_double(value, back)) {
        fail_msg("%a became %s, which was read as %a", value, text, back);
    }
    if (!is_same_double(value, strtod(text, NULL))) {
        fail_msg("%a became %s, which strtod reads otherwise", value, text);
    }
    if (is_exhaustive) {
        assert_shortest(value);
    }
}

static void doubles_come_back(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long i = 0; i < test_rounds(1000000); i++) {
        uint64_t bits = random_bits(&random);
        switch (random_below(&random, 6)) {
        case 0: /* few digits of the fraction */
            bits &= UINT64_MAX << random_below(&random, 53);
            break;
        case 1: /* subnormal */
            bits &= ~((uint64_t)0x7FF << 52);
            break;
        case 2: /* of the size of most data */
            bits = (bits & ~((uint64_t)0x7FF << 52)) | (1003 + random_below(&random, 60)) << 52;
            break;
        default:
            break;
        }
        double value = double_of_bits(bits);
        if (isfinite(value)) {
            check_double(value, i % 32 == 0);
        }
    }
}

static void decimals_come_back(void **state)
{
    (void)state;
    struct random random = random_start();
    static const double powers[] = {1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8};
    for (long i = 0; i < test_rounds(300000); i++) {
        int64_t whole = (int64_t)(random_bits(&random) >> (random_below(&random, 50) + 11));
        int scale = (int)random_below(&random, 9);
        double value = (double)whole / powers[scale];
        check_double(value, i % 8 == 0);
        check_double(-value, 0);
    }
}

static void powers_and_their_neighbours_come_back(void **state)
{
    (void)state;
    for (int exponent = 0; exponent < 2047; exponent++) {
        uint64_t bits = (uint64_t)exponent << 52;
        check_double(double_of_bits(bits), 1);
        check_double(double_of_bits(bits + 1), 1);
        check_double(double_of_bits(bits == 0 ? 1 : bits - 1), 1);
    }
    char text[16];
    for (int exponent = -330; exponent <= 310; exponent++) {
        snprintf(text, sizeof(text), "1e%d", exponent);
        double value = strtod(text, NULL);
        double ours;
        assert_int_equal(number_to_double(text, strlen(text), &ours), STATUS_OK);
        assert_true(is_same_double(value, ours));
        if (isfinite(value)) {
            check_double(value, 1);
            check_double(nextafter(value, 0), 1);
            check_double(nextafter(value, 1e300), 1);
        }
    }
}

static void float32_come_back(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long i = 0; i < test_rounds(500000); i++) {
        uint32_t bits = (uint32_t)random_bits(&random);
        float value;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value)) {
            continue;
        }
        char text[NUMBER_TEXT_MAX + 1];
        size_t length = number_from_float32(value, text);
        text[length] = '\0';
        float back = strtof(text, NULL);
        assert_memory_equal(&back, &value, sizeof(value));
        if (i % 16 == 0 && value != 0) {
            uint64_t digits;
            int exponent;
            int negative;
            char theirs[32];
            int precision = 0;
            number_shortest_float32(value, &digits, &exponent, &negative);
            do {
                snprintf(theirs, sizeof(theirs), "%.*e", precision++, (double)value);
            } while (strtof(theirs, NULL) != value);
            assert_true(snprintf(text, sizeof(text), "%llu", (unsigned long long)digits) <=
                        precision);
        }
    }
    char text[NUMBER_TEXT_MAX];
    assert_int_equal(number_from_float32(0.1f, text), 3);
    assert_memory_equal(text, "0.1", 3);
    assert_int_equal(number_from_float32(-0.0f, text), 2);
    assert_memory_equal(text, "-0", 2);
    assert_int_equal(number_from_float32(16777216.0f, text), 8);
    assert_int_equal(number_from_float32(3.4028235e38f, text), 13);
    assert_memory_equal(text, "3.4028235e+38", 13);
    assert_int_equal(number_from_float32(1e-45f, text), 5);
    assert_int_equal(number_from_float32(NAN, text), 3);
    assert_int_equal(number_from_float32(-INFINITY, text), 9);
}

static void assert_read_alike(const char *text)
{
    double ours;
    double theirs = strtod(text, NULL);
    assert_int_equal(number_to_double(text, strlen(text), &ours), STATUS_OK);
    if (!is_same_double(ours, theirs)) {
        fail_msg("%s read as %a, not %a", text, ours, theirs);
    }
}

/* Texts of many digits, at and beside the middle between two doubles. */
static void hard_texts_are_read_exactly(void **state)
{
    (void)state;
    struct random random = random_start();
    static char text[2000];
    for (long i = 0; i < test_rounds(5000); i++) {
        uint64_t bits = random_bits(&random) >> 1;
        if (random_below(&random, 4) == 0) {
            bits &= 0xFFFFFFFFFFFFF; /* subnormal */
        }
        double value = double_of_bits(bits);
        double next = double_of_bits(bits + 1);
        if (!isfinite(next)) {
            continue;
        }
        long double middle = ((long double)value + (long double)next) / 2;
        snprintf(text, sizeof(text), "%.*Le", 790, middle);
        assert_read_alike(text);
        char *exponent = strchr(text, 'e');
        assert_non_null(exponent);
        exponent[-1] = '1'; /* just above */
        assert_read_alike(text);
        char *digit = exponent - 1; /* just below */
        *digit = '0';
        while (digit > text && (*digit == '0' || *digit == '.')) {
            digit--;
        }
        digit[0]--;
        for (digit++; digit < exponent; digit++) {
            if (*digit != '.') {
                *digit = '9';
            }
        }
        assert_read_alike(text);
        snprintf(text, sizeof(text), "%.*e", (int)random_below(&random, 60), value);
        assert_read_alike(text);
    }
}

/* More digits than the exact comparison holds: what follows them decides ties only. */
static void endless_texts_are_read_exactly(void **state)
{
    (void)state;
    static char text[3000];
    for (int digits = 780; digits < 2000; digits += 17) {
        for (int last = 0; last < 2; last++) {
            /* 2^53 + 1 lies between two doubles */
            int length = snprintf(text, sizeof(text), "9007199254740993.%0*d", digits, last);
            assert_read_alike(text);
            snprintf(text + length, sizeof(text) - (size_t)length, "e-%d", 40);
            assert_read_alike(text);
            length = snprintf(text, sizeof(text), "9007199254740993%0*d", digits, last);
            snprintf(text + length, sizeof(text) - (size_t)length, "e-%d", digits);
            assert_read_alike(text);
            snprintf(text, sizeof(text), "0.%0*d9007199254740993%0*de%d", digits, 0, digits, last,
                     digits + 16);
            assert_read_alike(text);
        }
    }
}

static void random_texts_are_read_alike(void **state)
{
    (void)state;
    struct random random = random_start();
    char text[100];
    for (long i = 0; i < test_rounds(300000); i++) {
        snprintf(text, sizeof(text), "%s%llu.%0*llue%d", random_below(&random, 2) ? "-" : "",
                 (unsigned long long)(random_bits(&random) >> random_below(&random, 64)),
                 (int)random_below(&random, 30),
                 (unsigned long long)(random_bits(&random) >> random_below(&random, 64)),
                 (int)random_between(&random, -360, 330));
        assert_read_alike(text);
    }
}

static void forms_of_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"0", 0.0},
        {"-0", -0.0},
        {"-0.0e5", -0.0},
        {"+1", 1},
        {"1.", 1},
        {".5", 0.5},
        {"-.5", -0.5},
        {"1e3", 1000},
        {"1E+3", 1000},
        {"1e-3", 0.001},
        {"00012", 12},
        {"1e400", INFINITY},
        {"-1e400", -INFINITY},
        {"1e-400", 0.0},
        {"1e99999999999999999999", INFINITY},
        {"1e-99999999999999999999", 0.0},
        {"0e99999999999999999999", 0.0},
        {"inf", INFINITY},
        {"-Infinity", -INFINITY},
        {"+INF", INFINITY},
        {"9007199254740993", 9007199254740992.0},
        {"9007199254740993.0000000000000000000000000000001", 9007199254740994.0},
        {"179769313486231580793728971405301e276", 1.7976931348623157e308},
        {"0.00000000000000000000000000000000000000000000000000001e53", 1},
        {"100000000000000000000000000000000000000000000000000000e-53", 1},
        {"2.4703282292062327208e-324", 0.0},
        {"2.4703282292062327209e-324", 5e-324},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        double value;
        assert_int_equal(number_to_double(good[i].text, strlen(good[i].text), &value), STATUS_OK);
        if (!is_same_double(value, good[i].value)) {
            fail_msg("%s read as %a", good[i].text, value);
        }
    }
    static const char *const bad[] = {
        "",     "-",   "+",  ".",    "e5",    "1e",    "1e+", "1.2.3", " 1",    "1 ",       "1,5",
        "0x10", "--1", "1-", "nanx", "infin", "1e5.0", "-.",  "+-1",   "1_000", "\302\2401"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        double value;
        assert_int_equal(number_to_double(bad[i], strlen(bad[i]), &value), STATUS_FAILED);
    }
    double value;
    assert_int_equal(number_to_double("nan", 3, &value), STATUS_OK);
    assert_true(isnan(value));
    assert_int_equal(number_to_double("1\0"
                                      "2",
                                      3, &value),
                     STATUS_FAILED);
    assert_int_equal(number_to_double("123", 2, &value), STATUS_OK);
    assert_true(value == 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_have_their_known_texts),
        cmocka_unit_test(doubles_come_back),
        cmocka_unit_test(decimals_come_back),
        cmocka_unit_test(powers_and_their_neighbours_come_back),
        cmocka_unit_test(float32_come_back),
        cmocka_unit_test(hard_texts_are_read_exactly),
        cmocka_unit_test(endless_texts_are_read_exactly),
        cmocka_unit_test(random_texts_are_read_alike),
        cmocka_unit_test(forms_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
