/* A value of `since` moved back by its overlap. */
#include "engine/session/since_bound.h"
#include "model/time_text.h"
#include "support.h"
#include <string.h>

static const struct plan_since plain = {.column = "c", .table = "t"};

static struct plan_since with(int64_t overlap, bool is_time)
{
    struct plan_since since = plain;
    since.overlap = overlap;
    since.overlap_is_time = is_time;
    return since;
}

static void assert_moved(const char *from, int64_t milliseconds, const char *to)
{
    struct arena *arena = arena_create(0);
    struct plan_since since = with(milliseconds, true);
    struct cell value = cell_text(from, strlen(from));
    struct cell bound;
    struct error error = {0};
    assert_int_equal(since_bound_of(&since, &value, arena, &bound, &error), STATUS_OK);
    assert_int_equal(bound.length, strlen(to));
    assert_memory_equal(bound.text, to, bound.length);
    arena_destroy(arena);
}

static void texts_keep_their_form(void **state)
{
    (void)state;
    assert_moved("2024-03-01 00:00:05", 10000, "2024-02-29 23:59:55");
    assert_moved("2024-03-01T00:00:05.25Z", 10000, "2024-02-29T23:59:55.25Z");
    assert_moved("2024-03-01T00:00:05+02:00", 1, "2024-03-01T00:00:04+02:00");
    assert_moved("2024-01-01", 1, "2023-12-31");
    assert_moved("2024-01-01", 86400000, "2023-12-31");
    assert_moved("2024-01-01", 86400001, "2023-12-30");
    assert_moved("1970-01-01 00:00:00", 1000, "1969-12-31 23:59:59");
    assert_moved("0000-01-01 00:00:00", 1000,
                 "0000-01-01 00:00:00"); /* no year before it in four digits */
    assert_moved("2024-03-01 00:00:05", 0, "2024-03-01 00:00:05");
}

static void numbers_and_times(void **state)
{
    struct arena *arena = arena_create(0);
    struct plan_since by_5 = with(5, false);
    struct plan_since by_time = with(1500, true);
    struct cell bound;
    struct cell value = cell_int64(7);
    struct error error = {0};
    (void)state;
    assert_int_equal(since_bound_of(&by_5, &value, arena, &bound, &error), STATUS_OK);
    assert_int_equal(bound.i64, 2);
    value = cell_int64(INT64_MIN + 3);
    assert_int_equal(since_bound_of(&by_5, &value, arena, &bound, &error), STATUS_OK);
    assert_true(bound.i64 == INT64_MIN);
    value = cell_uint64(3);
    assert_int_equal(since_bound_of(&by_5, &value, arena, &bound, &error), STATUS_OK);
    assert_true(bound.u64 == 0);
    assert_int_equal(time_parse_timestamp("2024-03-01 00:00:01.000001", 26, &value), STATUS_OK);
    int64_t at_us = value.i64;
    assert_int_equal(since_bound_of(&by_time, &value, arena, &bound, &error), STATUS_OK);
    assert_true(bound.i64 == at_us - 1500000);
    value = (struct cell){.kind = VALUE_DATE, .i64 = 10};
    assert_int_equal(since_bound_of(&by_time, &value, arena, &bound, &error), STATUS_OK);
    assert_int_equal(bound.i64, 9);
    value = (struct cell){.kind = VALUE_TIMESTAMP, .flags = CELL_SPECIAL, .i64 = CELL_INFINITY};
    assert_int_equal(since_bound_of(&by_time, &value, arena, &bound, &error), STATUS_OK);
    assert_int_equal(bound.i64, CELL_INFINITY);
    arena_destroy(arena);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct arena *arena = arena_create(0);
    struct plan_since by_5 = with(5, false);
    struct plan_since by_time = with(1500, true);
    struct cell values[] = {cell_text("w00001", 6), cell_text("2024-1-1", 8), cell_int64(1),
                            cell_float64(1)};
    struct cell bound;
    struct error error = {0};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(since_bound_of(&by_time, &values[i], arena, &bound, &error),
                         STATUS_FAILED);
        assert_int_equal(error.code, ERROR_PLAN_INVALID);
        error_clear(&error);
    }
    struct cell text = cell_text("2024-01-01", 10);
    assert_int_equal(since_bound_of(&by_5, &text, arena, &bound, &error), STATUS_FAILED);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_keep_their_form),
        cmocka_unit_test(numbers_and_times),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
