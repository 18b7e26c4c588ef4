/* How long nothing has moved, with a process that stands still now and then. */
#include "engine/copy/stall.h"
#include "support.h"

/* Looks every tenth of a second until `until_ms`; what the last look says. */
static int64_t look(struct stall *stall, int64_t moved_ms, int64_t until_ms)
{
    int64_t idle = -1;
    while (stall->checked_ms < until_ms) {
        idle = stall_idle_ms(stall, moved_ms, stall->checked_ms + 100);
    }
    return idle;
}

static void time_without_movement_is_counted(void **state)
{
    (void)state;
    struct stall stall = {.checked_ms = 10000};
    assert_int_equal(look(&stall, 10000, 12000), 2000);
    assert_int_equal(look(&stall, 11900, 12300), 400);
}

static void time_in_which_the_process_stood_is_not(void **state)
{
    (void)state;
    struct stall stall = {.checked_ms = 10000};
    assert_int_equal(look(&stall, 10000, 10500), 500);
    assert_int_equal(stall_idle_ms(&stall, 10000, 20500), 500);
    assert_int_equal(look(&stall, 10000, 20800), 800);
    assert_int_equal(stall_idle_ms(&stall, 10000, 30800), 800); /* and again */
    assert_int_equal(look(&stall, 30900, 31400), 500);          /* it moves */
    assert_int_equal(stall_idle_ms(&stall, 30900, 40000), 500);
}

/* The clock was read, the process stopped, and the movement told when it went on. */
static void movements_from_before_it_stood_may_come_late(void **state)
{
    (void)state;
    struct stall stall = {.checked_ms = 10000};
    assert_int_equal(look(&stall, 9990, 10100), 110);
    assert_true(stall_idle_ms(&stall, 9990, 13100) <= 110);
    assert_true(stall_idle_ms(&stall, 10150, 13200) <= 250);
    assert_true(look(&stall, 10150, 13500) <= 550);
    assert_int_equal(look(&stall, 13500, 13900), 400);
}

/* The process stood still between another worker's look at the clock and its word, and that came
 * after a movement since. */
static void a_late_word_sets_nothing_back(void **state)
{
    (void)state;
    struct progress progress = {.entities = NULL};
    struct stall stall = {.checked_ms = 10000};
    progress_moved(&progress, 9990);
    assert_int_equal(stall_idle_ms(&stall, atomic_load(&progress.last_movement_ms), 13100), 10);
    progress_moved(&progress, 13150);
    assert_int_equal(stall_idle_ms(&stall, atomic_load(&progress.last_movement_ms), 13200), 50);
    progress_moved(&progress, 10005);
    assert_int_equal(stall_idle_ms(&stall, atomic_load(&progress.last_movement_ms), 13300), 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_without_movement_is_counted),
        cmocka_unit_test(time_in_which_the_process_stood_is_not),
        cmocka_unit_test(movements_from_before_it_stood_may_come_late),
        cmocka_unit_test(a_late_word_sets_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
