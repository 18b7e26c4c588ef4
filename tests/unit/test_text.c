/* Text helpers and the clock. */
#include "base/clock.h"
#include "base/text.h"
#include "support.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A plain decoder after RFC 3629 to compare with. */
static int is_utf8_slowly(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint32_t first = bytes[i];
        size_t size = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        if (size == 0 || first > 0xF7 || i + size > length) {
            return 0;
        }
        uint32_t code = size == 1 ? first : first & (0x7Fu >> size);
        for (size_t j = 1; j < size; j++) {
            if ((bytes[i + j] & 0xC0) != 0x80) {
                return 0;
            }
            code = code << 6 | (bytes[i + j] & 0x3Fu);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (code < least[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
            return 0;
        }
        i += size;
    }
    return 1;
}

static void utf8_by_cases(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "0123456789abcdef\xC3\xA9"};
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2\x41",
                                      "\xE0\x9F\xBF",
                                      "\xE0\xA0",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xF0\x90\x80",
                                      "\xFE",
                                      "\xFF",
                                      "0123456789abcde\xC3",
                                      "0123456789abcdef0123456\xE2\x82"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(text_is_utf8(bad[i], strlen(bad[i])));
    }
    assert_true(text_is_utf8("a\0b", 3));
    assert_true(text_is_utf8(NULL, 0));
}

/* All of up to three bytes, and four-byte ones by their first two, in each place of a longer
 * text. */
static void utf8_exhaustively(void **state)
{
    (void)state;
    uint8_t text[24];
    memset(text, 'a', sizeof(text));
    for (uint32_t i = 0; i < 0x1000000; i += i % 256 == 0xC1 ? 60 : 1) {
        uint8_t bytes[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 0x80};
        size_t length = bytes[0] >= 0xF0 ? 4 : 3;
        if (text_is_utf8(bytes, length) != is_utf8_slowly(bytes, length)) {
            fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
        }
    }
    struct random random = random_start();
    for (long i = 0; i < test_rounds(300000); i++) {
        size_t length = random_text(&random, (char *)text, sizeof(text));
        if (length > 0 && random_below(&random, 2)) {
            text[random_below(&random, length)] = (uint8_t)random_bits(&random);
        }
        assert_int_equal(text_is_utf8(text, length), is_utf8_slowly(text, length));
    }
}

static void clipping_keeps_characters_whole(void **state)
{
    (void)state;
    const char *text = "a\xC3\xA9\xF0\x9F\x98\x80z";
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};
    for (size_t limit = 0; limit < 10; limit++) {
        assert_int_equal(text_clip(text, 8, limit), expected[limit]);
    }
    assert_int_equal(text_clip("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
}

static void lines_become_clean(void **state)
{
    (void)state;
    char line[] = "a\tb\nc\x1b[0m \x7f \xC2\x85 \xE2\x80\xA8 \xE2\x81\xA6 \xFF\xC3 \xE2\x80\x93";
    text_clean_line(line);
    assert_string_equal(line, "a?b?c?[0m ? ? ? ? ?? \xE2\x80\x93");
}

static void printable_texts_are_escaped_and_clipped(void **state)
{
    (void)state;
    char out[64];
    text_printable("a\n\x01\xFF\xC2\x80\xC3\xA9\0z", 10, out, sizeof(out));
    assert_string_equal(out, "a\\n\\x01\\xff\\xc2\\x80\xC3\xA9\\x00z");
    text_printable("abcdef", 6, out, 7);
    assert_string_equal(out, "abcdef");
    text_printable("abcdef", 6, out, 6);
    assert_string_equal(out, "ab...");
    text_printable("a\xC3\xA9\xC3\xA9", 5, out, 6);
    assert_string_equal(out, "a\xC3\xA9\xC3\xA9");
    text_printable("a\xC3\xA9\xC3\xA9g", 6, out, 6);
    assert_string_equal(out, "a...");
    text_printable("abc", 3, out, 3);
    assert_string_equal(out, "..");
    text_printable("abc", 3, out, 1);
    assert_string_equal(out, "");
    text_printable("", 0, out, sizeof(out));
    assert_string_equal(out, "");
}

static void the_nearest_name_is_found(void **state)
{
    (void)state;
    static const char *const names[] = {"fields",   "from",  "where",
                                        "distinct", "Total", "CustomerId"};
    static const char *const cases[][2] = {
        {"feilds", "fields"},
        {"field", "fields"},
        {"form", "from"},
        {"distnct", "distinct"},
        {"customerid", "CustomerId"},
        {"total", "Total"},
        {"CustomrID", "CustomerId"},
        {"xyz", NULL},
        {"", NULL},
        {"wheel", NULL},
        {"completely_else", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *found = text_nearest(cases[i][0], names, 6);
        if (cases[i][1] == NULL) {
            assert_null(found);
        } else {
            assert_non_null(found);
            assert_string_equal(found, cases[i][1]);
        }
    }
    char large[200];
    memset(large, 'x', sizeof(large));
    large[199] = '\0';
    assert_null(text_nearest(large, names, 6));
    const char *only[] = {large};
    assert_null(text_nearest("x", only, 1));
    assert_null(text_nearest("x", NULL, 0));
}

static void patterns_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        int matches;
    } cases[] = {
        {"", "", 1},
        {"", "a", 0},
        {"a", "a", 1},
        {"a", "A", 0},
        {"*", "", 1},
        {"*", "abc", 1},
        {"a*c", "abbc", 1},
        {"a*c", "abbd", 0},
        {"?", "a", 1},
        {"?", "", 0},
        {"?", "\xC3\xA9", 1},
        {"?", "ab", 0},
        {"*b*", "abc", 1},
        {"*x*", "abc", 0},
        {"a**", "a", 1},
        {"*ab", "aab", 1},
        {"audit_*", "audit", 0},
        {"a?c*", "abcdef", 1},
        {"*a*a*a*b", "aaaaaaaaaaaaaaaa", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(text_matches(cases[i].pattern, cases[i].text), cases[i].matches);
    }
}

static enum status to_int64(const char *text, int64_t *value)
{
    return text_to_int64(text, strlen(text), value);
}

static enum status to_uint64(const char *text, uint64_t *value)
{
    return text_to_uint64(text, strlen(text), value);
}

static void numbers_are_read_and_written(void **state)
{
    (void)state;
    int64_t value;
    uint64_t large;
    char out[20];
    assert_int_equal(to_int64("-9223372036854775808", &value), STATUS_OK);
    assert_true(value == INT64_MIN);
    assert_int_equal(to_int64("9223372036854775807", &value), STATUS_OK);
    assert_true(value == INT64_MAX);
    assert_int_equal(to_int64("-0", &value), STATUS_OK);
    assert_int_equal(value, 0);
    assert_int_equal(to_uint64("18446744073709551615", &large), STATUS_OK);
    assert_true(large == UINT64_MAX);
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(to_int64(bad[i], &value), STATUS_FAILED);
    }
    assert_int_equal(to_uint64("18446744073709551616", &large), STATUS_FAILED);
    assert_int_equal(to_uint64("-1", &large), STATUS_FAILED);
    assert_int_equal(text_from_int64(INT64_MIN, out), 20);
    assert_memory_equal(out, "-9223372036854775808", 20);
    assert_int_equal(text_from_uint64(UINT64_MAX, out), 20);
    assert_memory_equal(out, "18446744073709551615", 20);
    struct random random = random_start();
    uint64_t power = 1;
    for (int digits = 1; digits <= 20; digits++, power *= 10) {
        for (uint64_t i = 0; i < 3; i++) {
            uint64_t number = power - 1 + i; /* around each power of ten */
            size_t length = text_from_uint64(number, out);
            assert_int_equal(text_to_uint64(out, length, &large), STATUS_OK);
            assert_true(large == number);
            assert_true(length == 1 || out[0] != '0');
        }
    }
    for (long i = 0; i < test_rounds(300000); i++) {
        int64_t number = (int64_t)random_bits(&random) >> random_below(&random, 64);
        size_t length = text_from_int64(number, out);
        assert_int_equal(text_to_int64(out, length, &value), STATUS_OK);
        assert_true(value == number);
    }
}

static void hashes_are_written(void **state)
{
    (void)state;
    char hex[33];
    text_from_hash(0x0123456789abcdef, 0xf, hex);
    assert_string_equal(hex, "0123456789abcdef000000000000000f");
}

static void strings_are_ordered_by_bytes(void **state)
{
    (void)state;
    const char *strings[] = {"b", "\xff", "", "ab", "B", "a"};
    static const char *const sorted[] = {"", "B", "a", "ab", "b", "\xff"};
    qsort(strings, 6, sizeof(char *), text_compare_strings);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(strings[i], sorted[i]);
    }
}

static void sizes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"12345", 12345},
                {"12345b", 12345},
                {"64MiB", 64 << 20},
                {"500k", 500 << 10},
                {"1G", 1 << 30},
                {"2kB", 2000},
                {"3MB", 3000000},
                {"1TiB", UINT64_C(1) << 40},
                {"1p", UINT64_C(1) << 50},
                {"1kib", 1024}};
    static const char *const bad[] = {
        "", "k", "-1", "1.5M", "1 M", "1MiBs", "1x", "1ii", "18446744073709551615k", "99999999P"};
    uint64_t bytes;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(text_to_bytes(good[i].text, &bytes), STATUS_OK);
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(text_to_bytes(bad[i], &bytes), STATUS_FAILED);
    }
}

static void people_can_read_it(void **state)
{
    (void)state;
    char out[32];
    static const struct {
        uint64_t count;
        const char *text;
    } counts[] = {{0, "0"},
                  {999, "999"},
                  {1000, "1,000"},
                  {1234567, "1,234,567"},
                  {UINT64_MAX, "18,446,744,073,709,551,615"}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        text_human_count(counts[i].count, out, sizeof(out));
        assert_string_equal(out, counts[i].text);
    }
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {{0, "0 B"},           {1023, "1023 B"},
                 {1024, "1.0 KiB"},    {123456789, "117.7 MiB"},
                 {1048575, "1.0 MiB"}, {UINT64_MAX, "16.0 EiB"}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        text_human_bytes(sizes[i].bytes, out, sizeof(out));
        assert_string_equal(out, sizes[i].text);
    }
    static const struct {
        double seconds;
        const char *text;
    } times[] = {{0, "0.0s"},      {1.26, "1.3s"},  {9.96, "10s"},    {59.4, "59s"},
                 {59.6, "1m 00s"}, {125, "2m 05s"}, {3723, "1h 02m"}, {90000, "1d 01h"},
                 {-1, "?"},        {1e300, "?"}};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        text_human_seconds(times[i].seconds, out, sizeof(out));
        assert_string_equal(out, times[i].text);
    }
    text_human_seconds(NAN, out, sizeof(out));
    assert_string_equal(out, "?");
}

static void the_clock_agrees_with_the_system(void **state)
{
    (void)state;
    char text[32];
    int64_t start = clock_monotonic_ns();
    clock_sleep_ms(5);
    clock_sleep_ms(-5);
    assert_true(clock_monotonic_ns() - start >= 5000000);
    assert_true(llabs(clock_utc_us() / 1000000 - (int64_t)time(NULL)) <= 1);
    clock_format_utc(0, text, sizeof(text));
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format_utc(-1, text, sizeof(text));
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    clock_format_utc(INT64_C(1709207999999999), text, sizeof(text));
    assert_string_equal(text, "2024-02-29T11:59:59.999Z");
    struct random random = random_start();
    for (int i = 0; i < 100000; i++) {
        int64_t seconds = random_between(&random, -62135596800, 253402300799);
        struct tm parts;
        char expected[32];
        time_t when = (time_t)seconds;
        gmtime_r(&when, &parts);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
        clock_format_utc(seconds * 1000000, text, sizeof(text));
        /* strftime writes years below 1000 without zeros */
        assert_string_equal(text + strlen(text) - 20, expected + strlen(expected) - 20);
        assert_int_equal(strtol(text, NULL, 10), parts.tm_year + 1900);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_by_cases),
        cmocka_unit_test(utf8_exhaustively),
        cmocka_unit_test(clipping_keeps_characters_whole),
        cmocka_unit_test(lines_become_clean),
        cmocka_unit_test(printable_texts_are_escaped_and_clipped),
        cmocka_unit_test(the_nearest_name_is_found),
        cmocka_unit_test(patterns_match),
        cmocka_unit_test(numbers_are_read_and_written),
        cmocka_unit_test(hashes_are_written),
        cmocka_unit_test(strings_are_ordered_by_bytes),
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(people_can_read_it),
        cmocka_unit_test(the_clock_agrees_with_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
