/* Zones: rules of TZ strings, files cut short, offsets; what real zones do is test_time_zones.py's.
 */
#include "model/time_text.h"
#include "model/time_zone.h"
#include "model/time_zone_rule.h"
#include "support_arena.h"
#include <stdlib.h>
#include <string.h>

#define US INT64_C(1000000)

static int64_t wall(const char *text)
{
    struct cell cell;
    assert_int_equal(time_parse_timestamp(text, strlen(text), &cell), STATUS_OK);
    return cell.i64;
}

static void put32(uint8_t *bytes, uint32_t number)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(number >> (24 - 8 * i));
    }
}

enum { FILE_CAPACITY = 512, HEADER = 44 };

/* A file of version 2: `first` before `when`, `second` from then on until the rule holds. */
static size_t make_file(uint8_t *file, int64_t when, int32_t first, int32_t second,
                        const char *rule)
{
    memset(file, 0, FILE_CAPACITY);
    memcpy(file, "TZif2", 5);
    put32(file + 36, 1); /* a type without a name: version 1 says nothing */
    uint8_t *at = file + HEADER + 6;
    memcpy(at, "TZif2", 5);
    put32(at + 32, 1);
    put32(at + 36, 2);
    put32(at + 40, 4);
    at += HEADER;
    put32(at, (uint32_t)((uint64_t)when >> 32));
    put32(at + 4, (uint32_t)when);
    at[8] = 1;
    put32(at + 9, (uint32_t)first);
    put32(at + 15, (uint32_t)second);
    memcpy(at + 21, "ABC", 4);
    at += 25;
    size_t length = strlen(rule);
    at[0] = '\n';
    memcpy(at + 1, rule, length);
    at[length + 1] = '\n';
    return (size_t)(at - file) + length + 2;
}

static const struct time_zone *zone_of(int64_t when, int32_t first, int32_t second,
                                       const char *rule)
{
    uint8_t file[FILE_CAPACITY];
    struct error error = {0};
    const struct time_zone *zone = NULL;
    size_t length = make_file(file, when, first, second, rule);
    assert_int_equal(time_zone_read("made", file, length, arena, &zone, &error), STATUS_OK);
    return zone;
}

static void assert_instants(const struct time_zone *zone, const char *shown, int count,
                            const char *first, const char *second)
{
    int64_t found[TIME_ZONE_INSTANTS];
    assert_int_equal(time_zone_instants(zone, wall(shown), found), count);
    if (count > 0) {
        assert_int_equal(found[0], wall(first));
    }
    if (count > 1) {
        assert_int_equal(found[1], wall(second));
    }
}

static void the_rule_holds_after_the_last_change(void **state)
{
    (void)state;
    const struct time_zone *zone =
        zone_of(0, 7200, 3600, "CET-1CEST,M3.5.0,M10.5.0/3"); /* +2, from 1970 on +1 */
    assert_instants(zone, "1969-06-01 12:00:00", 1, "1969-06-01 10:00:00", NULL);
    assert_instants(zone, "1970-01-01 01:30:00", 2, "1969-12-31 23:30:00", "1970-01-01 00:30:00");
    assert_instants(zone, "1970-02-01 12:00:00", 1, "1970-02-01 11:00:00", NULL);
    assert_instants(zone, "2024-07-01 12:00:00.000001", 1, "2024-07-01 10:00:00.000001", NULL);
    assert_instants(zone, "2024-03-31 01:59:59.999999", 1, "2024-03-31 00:59:59.999999", NULL);
    assert_instants(zone, "2024-03-31 02:00:00", 0, NULL, NULL);
    assert_instants(zone, "2024-03-31 02:59:59.999999", 0, NULL, NULL);
    assert_instants(zone, "2024-03-31 03:00:00", 1, "2024-03-31 01:00:00", NULL);
    assert_instants(zone, "2024-10-27 02:00:00", 2, "2024-10-27 00:00:00", "2024-10-27 01:00:00");
    assert_instants(zone, "2024-10-27 03:00:00", 1, "2024-10-27 02:00:00", NULL);
    assert_instants(zone, "+99999-07-01 12:00:00", 1, "+99999-07-01 10:00:00", NULL);
    assert_instants(zone, "-0044-03-15 12:00:00", 1, "-0044-03-15 10:00:00", NULL);
}

static void a_change_may_take_a_day(void **state)
{
    (void)state;
    const struct time_zone *zone =
        zone_of(wall("2011-12-30 10:00:00") / US, -36000, 50400, "<+14>-14");
    assert_instants(zone, "2011-12-29 23:59:59", 1, "2011-12-30 09:59:59", NULL);
    assert_instants(zone, "2011-12-30 12:00:00", 0, NULL, NULL);
    assert_instants(zone, "2011-12-31 00:00:00", 1, "2011-12-30 10:00:00", NULL);
    zone = zone_of(wall("2011-12-30 10:00:00") / US, 50400, -36000, "<-10>10");
    assert_instants(zone, "2011-12-30 12:00:00", 2, "2011-12-29 22:00:00", "2011-12-30 22:00:00");
}

static void summer_all_year_has_no_seams(void **state)
{
    (void)state;
    const struct time_zone *zone = zone_of(0, 0, 0, "XXX3EDT4,0/0,J365/23");
    assert_instants(zone, "2023-12-31 23:30:00", 1, "2024-01-01 03:30:00", NULL);
    assert_instants(zone, "2024-01-01 00:30:00", 1, "2024-01-01 04:30:00", NULL);
    zone = zone_of(0, 0, 0, "XXX3EDT4,0/0,J365/26"); /* the next summer begins before */
    assert_instants(zone, "2024-01-01 00:30:00", 1, "2024-01-01 04:30:00", NULL);
    assert_instants(zone, "2024-01-01 02:30:00", 1, "2024-01-01 06:30:00", NULL);
}

static void assert_year(const char *text, int64_t year, const char *first, int32_t first_offset,
                        const char *second)
{
    struct time_zone_rule rule;
    struct time_zone_change changes[2];
    assert_true(time_zone_rule_read(text, strlen(text), &rule));
    assert_true(rule.changes);
    time_zone_rule_year(&rule, year, changes);
    assert_int_equal(changes[0].at, wall(first) / US);
    assert_int_equal(changes[0].offset, first_offset);
    assert_int_equal(changes[1].at, wall(second) / US);
}

static void rules_are_read(void **state)
{
    (void)state;
    assert_year("CET-1CEST,M3.5.0,M10.5.0/3", 2024, "2024-03-31 01:00:00", 7200,
                "2024-10-27 01:00:00");
    assert_year("EST5EDT,M3.2.0,M11.1.0", 2026, "2026-03-08 07:00:00", -14400,
                "2026-11-01 06:00:00");
    assert_year("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 2024, "2024-04-06 15:00:00", 37800,
                "2024-10-05 15:30:00");
    assert_year("IST-1GMT0,M10.5.0,M3.5.0/1", 2024, "2024-03-31 01:00:00", 3600,
                "2024-10-27 01:00:00");
    assert_year("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2024, "2024-03-31 01:00:00", -3600,
                "2024-10-27 01:00:00");
    assert_year("AAA3BBB,J60/0,J300/0", 2024, "2024-03-01 03:00:00", -7200, "2024-10-27 02:00:00");
    assert_year("AAA3BBB,59/0,300/0", 2024, "2024-02-29 03:00:00", -7200, "2024-10-27 02:00:00");
    assert_year("AAA-24BBB,M1.1.1/167,M12.5.6/-167:59:59", 2024, "2024-01-06 23:00:00", 90000,
                "2024-12-19 23:00:01");
}

static void what_is_no_rule_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "C",
        "CET",
        "CET-",
        "CET-25",
        "CE1",
        "<+01-1",
        "CET-1CEST",
        "CET-1CEST,",
        "CET-1CEST,M3.5.0",
        "CET-1:60",
        "CET-1 ",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1C,M3.5.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J365",
        "CET-1CEST,366,1",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0/3x",
    };
    struct time_zone_rule rule;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (time_zone_rule_read(wrong[i], strlen(wrong[i]), &rule)) {
            fail_msg("'%s' was read", wrong[i]);
        }
    }
}

/* However a file is cut, and whatever byte of its headers is another one, it is refused or read
 * within its bounds. */
static void damaged_files(void **state)
{
    (void)state;
    uint8_t file[FILE_CAPACITY];
    struct error error = {0};
    const struct time_zone *zone;
    size_t length = make_file(file, 0, 7200, 3600, "CET-1CEST,M3.5.0,M10.5.0/3");
    assert_int_equal(time_zone_read("cut", file, 0, arena, &zone, &error), STATUS_FAILED);
    for (size_t i = 1; i < length; i++) {
        uint8_t *exact = malloc(i); /* its own, so that a byte too far is seen */
        assert_non_null(exact);
        memcpy(exact, file, i);
        assert_int_equal(time_zone_read("cut", exact, i, arena, &zone, &error), STATUS_FAILED);
        free(exact);
    }
    static const uint8_t bytes[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < length; i++) {
        for (size_t j = 0; j < sizeof bytes; j++) {
            uint8_t *changed = malloc(length);
            int64_t found[TIME_ZONE_INSTANTS];
            assert_non_null(changed);
            memcpy(changed, file, length);
            changed[i] = bytes[j];
            if (time_zone_read("odd", changed, length, arena, &zone, &error) == STATUS_OK) {
                assert_in_range(time_zone_instants(zone, 0, found), 0, 2);
            }
            free(changed);
        }
    }
}

static void fixed_offsets(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t seconds;
    } rows[] = {{"UTC", 0},       {"Z", 0},          {"+00:00", 0},  {"-00:30", -1800},
                {"+02:00", 7200}, {"-0330", -12600}, {"+14", 50400}, {"+00:09:21", 561}};
    static const char *const wrong[] = {"",        "+",       "+2",
                                        "02:00",   "+16:00",  "+0260",
                                        "+02:0",   "+02:00:", "+02:00:60",
                                        "+020000", "z",       "+02:00 ",
                                        "..",      "a/../b",  "/etc/localtime"};
    struct error error = {0};
    const struct time_zone *zone = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t found[TIME_ZONE_INSTANTS];
        assert_int_equal(time_zone_make(rows[i].name, arena, &zone, &error), STATUS_OK);
        assert_string_equal(time_zone_name(zone), rows[i].name);
        assert_int_equal(time_zone_instants(zone, 5, found), 1);
        assert_int_equal(found[0], 5 - rows[i].seconds * US);
        assert_int_equal(time_zone_instants(zone, -5, found), 1);
        assert_int_equal(found[0], -5 - rows[i].seconds * US);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(time_zone_make(wrong[i], arena, &zone, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_BAD_VALUE);
    }
    zone = NULL;
    assert_int_equal(time_zone_make("+15:59:59", arena, &zone, &error), STATUS_OK);
    int64_t found[TIME_ZONE_INSTANTS];
    assert_int_equal(time_zone_instants(zone, INT64_MIN, found), 0); /* before all instants */
    assert_int_equal(time_zone_instants(zone, INT64_MAX, found), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_rule_holds_after_the_last_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_may_take_a_day, set_up, tear_down),
        cmocka_unit_test_setup_teardown(summer_all_year_has_no_seams, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rules_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_rule_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fixed_offsets, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
