/* Dates, times, timestamps and intervals to text and back. */
#include "model/time_text.h"
#include "support_arena.h"
#include <stdio.h>
#include <string.h>

static const char *text_of(const struct cell *cell)
{
    struct buffer out = {0};
    time_append(cell, &out);
    const char *copy = arena_copy(arena, out.data, out.length);
    buffer_free(&out);
    return copy;
}

static enum status parse(enum value_kind kind, const char *text, struct cell *cell)
{
    size_t length = strlen(text);
    switch (kind) {
    case VALUE_DATE:
        return time_parse_date(text, length, cell);
    case VALUE_TIME:
        return time_parse_time(text, length, cell);
    case VALUE_TIMESTAMP:
        return time_parse_timestamp(text, length, cell);
    default:
        return time_parse_interval(text, length, arena, cell);
    }
}

/* Every day from 1 March -4801 on by the rule of the calendar, counted one by one. */
static void each_day_follows_the_last(void **state)
{
    (void)state;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year = -4801;
    int month = 1;
    int day = 1;
    int64_t days = time_days_from_civil(year, month, day);
    struct cell cell = {.kind = VALUE_DATE};
    while (year < 12001) {
        int64_t found_year;
        int found_month;
        int found_day;
        time_civil_from_days(days, &found_year, &found_month, &found_day);
        if (found_year != year || found_month != month || found_day != day ||
            time_days_from_civil(year, month, day) != days) {
            fail_msg("day %lld", (long long)days);
        }
        if (days % 7 == 0) {
            struct cell back;
            char expected[40];
            cell.i64 = days;
            const char *text = text_of(&cell);
            snprintf(expected, sizeof(expected),
                     year < 0      ? "-%04lld-%02d-%02d"
                     : year > 9999 ? "+%lld-%02d-%02d"
                                   : "%04lld-%02d-%02d",
                     year < 0 ? (long long)-year : (long long)year, month, day);
            assert_string_equal(text, expected);
            assert_int_equal(time_parse_date(text, strlen(text), &back), STATUS_OK);
            assert_true(back.i64 == days && back.flags == 0);
            arena_reset(arena);
        }
        days++;
        int is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if (++day > lengths[month - 1] + (month == 2 && is_leap)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
    for (int64_t near = (1 << 29) - 800; near < (1 << 29) + 800; near++) {
        int64_t found[3] = {near, -near, near << 20};
        for (size_t i = 0; i < 3; i++) {
            time_civil_from_days(found[i], &year, &month, &day);
            assert_int_equal(time_days_from_civil(year, month, day), found[i]);
            assert_in_range(month, 1, 12);
            assert_in_range(day, 1, 31);
        }
    }
    assert_int_equal(time_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(time_days_from_civil(2000, 3, 1), 11017);
    assert_int_equal(time_days_from_civil(1, 1, 1), -719162);
}

static void known_texts(void **state)
{
    (void)state;
    static const struct {
        enum value_kind kind;
        const char *text;  /* read */
        const char *plain; /* written; NULL: the same */
    } cases[] = {
        {VALUE_DATE, "2024-02-29", NULL},
        {VALUE_DATE, "0001-01-01", NULL},
        {VALUE_DATE, "0000-02-29", NULL},
        {VALUE_DATE, "-0001-12-31", NULL},
        {VALUE_DATE, "-4713-11-24", NULL},
        {VALUE_DATE, "9999-12-31", NULL},
        {VALUE_DATE, "+10000-01-01", NULL},
        {VALUE_DATE, "10000-01-01", "+10000-01-01"},
        {VALUE_DATE, "+2024-01-01", "2024-01-01"},
        {VALUE_DATE, "+5874897-12-31", NULL},
        {VALUE_DATE, "0044-03-15 BC", "-0043-03-15"},
        {VALUE_DATE, "0001-12-31 BC", "0000-12-31"},
        {VALUE_DATE, "infinity", NULL},
        {VALUE_DATE, "-Infinity", "-infinity"},
        {VALUE_DATE, "0000-00-00", NULL},
        {VALUE_TIME, "00:00:00", NULL},
        {VALUE_TIME, "23:59:59.5", NULL},
        {VALUE_TIME, "23:59:59.999999999", NULL},
        {VALUE_TIME, "24:00:00", NULL},
        {VALUE_TIME, "12:30", "12:30:00"},
        {VALUE_TIME, "12:30:00.100000000000", "12:30:00.1"},
        {VALUE_TIME, "12:30:00,25", "12:30:00.25"},
        {VALUE_TIME, "23:59:59+02:00", NULL},
        {VALUE_TIME, "23:59:59-0530", "23:59:59-05:30"},
        {VALUE_TIME, "23:59:59+00", "23:59:59Z"},
        {VALUE_TIME, "23:59:59Z", NULL},
        {VALUE_TIME, "23:59:59-00:00:30", NULL},
        {VALUE_TIME, "23:59:59.000000001+15:59", NULL},
        {VALUE_TIMESTAMP, "2024-02-29T12:00:00.000001Z", NULL},
        {VALUE_TIMESTAMP, "2024-02-29 12:00:00", "2024-02-29T12:00:00"},
        {VALUE_TIMESTAMP, "2024-02-29", "2024-02-29T00:00:00"},
        {VALUE_TIMESTAMP, "2024-02-29T12:00", "2024-02-29T12:00:00"},
        {VALUE_TIMESTAMP, "2024-01-01T00:30:00+01:00", "2023-12-31T23:30:00Z"},
        {VALUE_TIMESTAMP, "2024-12-31T23:30:00-01:00", "2025-01-01T00:30:00Z"},
        {VALUE_TIMESTAMP, "1969-12-31T23:59:59.999999999", NULL},
        {VALUE_TIMESTAMP, "0001-01-01T00:00:00Z", NULL},
        {VALUE_TIMESTAMP, "+294246-12-31T23:59:59.999999", NULL},
        {VALUE_TIMESTAMP, "-4712-01-01T00:00:00", NULL},
        {VALUE_TIMESTAMP, "0044-03-15 12:00:00 BC", "-0043-03-15T12:00:00"},
        {VALUE_TIMESTAMP, "0044-03-15 12:00:00+00 BC", "-0043-03-15T12:00:00Z"},
        {VALUE_TIMESTAMP, "infinity", NULL},
        {VALUE_TIMESTAMP, "-infinity", NULL},
        {VALUE_TIMESTAMP, "0000-00-00", NULL},
        {VALUE_TIMESTAMP, "0000-00-00 00:00:00", "0000-00-00"},
        {VALUE_TIMESTAMP, "0000-00-00 00:00:00.000000", "0000-00-00"},
        {VALUE_INTERVAL, "PT0S", NULL},
        {VALUE_INTERVAL, "P1Y2M3DT4H5M6.5S", NULL},
        {VALUE_INTERVAL, "P14M", "P1Y2M"},
        {VALUE_INTERVAL, "P-1Y-2M", NULL},
        {VALUE_INTERVAL, "P2W", "P14D"},
        {VALUE_INTERVAL, "PT-0.5S", NULL},
        {VALUE_INTERVAL, "PT90M", "PT1H30M"},
        {VALUE_INTERVAL, "-P1DT1H", "P-1DT-1H"},
        {VALUE_INTERVAL, "P1Y-1M", "P11M"},
        {VALUE_INTERVAL, "PT1H-30M", "PT30M"},
        {VALUE_INTERVAL, "P0D", "PT0S"},
        {VALUE_INTERVAL, "PT0.000000001S", NULL},
        {VALUE_INTERVAL, "P178956970Y7M2147483647DT2562047H47M16.854775807S", NULL},
        {VALUE_INTERVAL, "P-178956970Y-8M-2147483648DT-2562047H-47M-16.854775808S", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cell cell;
        struct cell back;
        if (parse(cases[i].kind, cases[i].text, &cell) != STATUS_OK) {
            fail_msg("%s was not read", cases[i].text);
        }
        assert_int_equal(cell.kind, cases[i].kind);
        const char *text = text_of(&cell);
        assert_string_equal(text, cases[i].plain != NULL ? cases[i].plain : cases[i].text);
        assert_int_equal(parse(cases[i].kind, text, &back), STATUS_OK);
        assert_true(value_equal(&cell, &back));
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum value_kind kind;
        const char *text;
    } cases[] = {
        {VALUE_DATE, ""},
        {VALUE_DATE, "2024-02-30"},
        {VALUE_DATE, "2023-02-29"},
        {VALUE_DATE, "1900-02-29"},
        {VALUE_DATE, "2024-13-01"},
        {VALUE_DATE, "2024-00-01"},
        {VALUE_DATE, "2024-01-00"},
        {VALUE_DATE, "2024-01-32"},
        {VALUE_DATE, "24-01-01"},
        {VALUE_DATE, "2024-1-1"},
        {VALUE_DATE, "2024/01/01"},
        {VALUE_DATE, "2024-01-01 "},
        {VALUE_DATE, " 2024-01-01"},
        {VALUE_DATE, "2024-01-01T00:00:00"},
        {VALUE_DATE, "-0000-01-01"},
        {VALUE_DATE, "0000-01-01 BC"},
        {VALUE_DATE, "-0001-01-01 BC"},
        {VALUE_DATE, " BC"},
        {VALUE_DATE, "1000000000-01-01"},
        {VALUE_DATE, "99999999999999999999-01-01"},
        {VALUE_DATE, "today"},
        {VALUE_TIME, "24:00:01"},
        {VALUE_TIME, "25:00"},
        {VALUE_TIME, "23:60"},
        {VALUE_TIME, "23:59:60"},
        {VALUE_TIME, "23:59:59."},
        {VALUE_TIME, "23:59:59.0000000001"},
        {VALUE_TIME, "1:00"},
        {VALUE_TIME, "12"},
        {VALUE_TIME, "12:00 "},
        {VALUE_TIME, "12:00:00+24:00"},
        {VALUE_TIME, "12:00:00+1"},
        {VALUE_TIME, "12:00:00+01:60"},
        {VALUE_TIME, "12:00:00+"},
        {VALUE_TIME, "12:00:00 Z"},
        {VALUE_TIME, "infinity"},
        {VALUE_TIMESTAMP, "2024-02-29T"},
        {VALUE_TIMESTAMP, "2024-02-29X12:00:00"},
        {VALUE_TIMESTAMP, "2024-02-29T24:00:00"},
        {VALUE_TIMESTAMP, "2024-02-29T12:00:00ZZ"},
        {VALUE_TIMESTAMP, "+300000-01-01T00:00:00"},
        {VALUE_TIMESTAMP, "-300000-01-01T00:00:00"},
        {VALUE_TIMESTAMP, "12:00:00"},
        {VALUE_TIMESTAMP, "0000-00-00 00:00:01"},
        {VALUE_TIMESTAMP, "0000-00-00 00:00:00."},
        {VALUE_TIMESTAMP, "0000-00-00 00:00:00.01"},
        {VALUE_INTERVAL, ""},
        {VALUE_INTERVAL, "P"},
        {VALUE_INTERVAL, "PT"},
        {VALUE_INTERVAL, "P1"},
        {VALUE_INTERVAL, "P1Y2Y"},
        {VALUE_INTERVAL, "P1M1Y"},
        {VALUE_INTERVAL, "P1H"},
        {VALUE_INTERVAL, "PT1D"},
        {VALUE_INTERVAL, "P1.5Y"},
        {VALUE_INTERVAL, "PT1.5H"},
        {VALUE_INTERVAL, "P1DT"},
        {VALUE_INTERVAL, "PT1S "},
        {VALUE_INTERVAL, "1 day"},
        {VALUE_INTERVAL, "P99999999999Y"},
        {VALUE_INTERVAL, "P178956970Y8M"},
        {VALUE_INTERVAL, "PT99999999999999999999S"},
        {VALUE_INTERVAL, "PT9999999999S9"},
        {VALUE_INTERVAL, "-PT-9223372036.854775808S"},
        {VALUE_INTERVAL, "P1T"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cell cell;
        if (parse(cases[i].kind, cases[i].text, &cell) != STATUS_END) {
            fail_msg("'%s' was read", cases[i].text);
        }
    }
}

static void random_values_come_back(void **state)
{
    (void)state;
    static const enum value_kind kinds[] = {VALUE_DATE, VALUE_TIME, VALUE_TIMESTAMP,
                                            VALUE_INTERVAL};
    struct random random = random_start();
    for (long i = 0; i < test_rounds(200000); i++) {
        enum value_kind kind = kinds[i % 4];
        struct cell cell = random_value_of(&random, kind, arena, 0);
        struct cell back;
        if ((cell.flags & CELL_SPECIAL) != 0) {
            cell.flags = CELL_SPECIAL; /* no text says whether infinity has a zone */
        }
        const char *text = text_of(&cell);
        if (parse(kind, text, &back) != STATUS_OK) {
            fail_msg("%s was not read", text);
        }
        if (!value_equal(&cell, &back)) {
            fail_msg("%s came back as %s", text, text_of(&back));
        }
        if (i % 1000 == 0) {
            arena_reset(arena);
        }
    }
}

static void the_ends_of_the_range_are_written(void **state)
{
    (void)state;
    struct cell cell = {.kind = VALUE_TIMESTAMP, .i64 = INT64_MIN};
    struct cell back;
    assert_string_equal(text_of(&cell), "-290308-12-21T19:59:05.224192");
    assert_int_equal(parse(VALUE_TIMESTAMP, text_of(&cell), &back), STATUS_OK);
    assert_true(value_equal(&cell, &back));
    cell.i64 = INT64_MAX;
    cell.aux = 999;
    assert_string_equal(text_of(&cell), "+294247-01-10T04:00:54.775807999");
    assert_int_equal(parse(VALUE_TIMESTAMP, text_of(&cell), &back), STATUS_OK);
    assert_true(value_equal(&cell, &back));
    assert_int_equal(parse(VALUE_TIMESTAMP, "+294247-01-10T04:00:54.775808", &back), STATUS_END);
    struct cell interval = {.kind = VALUE_INTERVAL};
    struct value_interval least = {INT32_MIN, INT32_MIN, INT64_MIN};
    interval.interval = &least;
    assert_int_equal(parse(VALUE_INTERVAL, text_of(&interval), &back), STATUS_OK);
    assert_true(value_equal(&interval, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_day_follows_the_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(known_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_time_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_values_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_ends_of_the_range_are_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
