/* Waiting: for the next try, while there is patience, and for a turn under a limit. */
#include "base/clock.h"
#include "base/retry.h"
#include "engine/copy/throttle.h"
#include "support.h"
#include <string.h>

static void delays_double_up_to_a_cap(void **state)
{
    (void)state;
    for (uint32_t failures = 0; failures < 40; failures++) {
        int64_t cap = failures < 9 ? (int64_t)RETRY_BASE_MS << failures : RETRY_DELAY_MAX_MS;
        cap = cap > RETRY_DELAY_MAX_MS ? RETRY_DELAY_MAX_MS : cap;
        assert_int_equal(retry_delay_ms(failures, 0, 0), 0);
        assert_int_equal(retry_delay_ms(failures, 0, (uint64_t)cap), cap);
        assert_int_equal(retry_delay_ms(failures, 0, (uint64_t)cap + 1), 0);
    }
    assert_int_equal(retry_delay_ms(9, 300, 0), 300); /* the server's own hint */
    assert_int_equal(retry_delay_ms(0, 300, 30), 330);
    assert_int_equal(retry_delay_ms(0, 300, 31), 300);
}

static void patience_ends(void **state)
{
    (void)state;
    struct retry retry;
    struct error error;
    _Atomic bool cancelled = false;
    retry_init(&retry, 600); /* long enough that a busy machine leaves time for two tries */
    retry.cancelled = &cancelled;
    error_set(&error, ERROR_TARGET_THROTTLED, "target", "slow down");
    error.retry_after_ms = 80;
    int tries = 0;
    while (retry_wait(&retry, &error)) {
        tries++;
    }
    assert_in_range(tries, 2, 8);
    assert_non_null(strstr(error.context, "given up"));
    retry_reset(&retry);
    atomic_store(&cancelled, true);
    assert_false(retry_wait(&retry, &error));
    atomic_store(&cancelled, false);
    error_set(&error, ERROR_TARGET_WRITE, "target", "for good");
    assert_false(retry_wait(&retry, &error));
}

static void a_late_failure_is_a_new_one(void **state)
{
    (void)state;
    struct retry retry;
    struct error error;
    retry_init(&retry, 30);
    error_set(&error, ERROR_TARGET_THROTTLED, "target", "slow down");
    error.retry_after_ms = 1;
    for (int i = 0; i < 3; i++) {
        assert_true(retry_wait(&retry, &error));
        assert_int_equal(retry.failures, 1);
        clock_sleep_ms(40); /* it works for longer than the patience */
    }
    error.retry_after_ms = 60; /* longer than all of the patience */
    assert_false(retry_wait(&retry, &error));
}

static void a_late_failure_of_the_same_lock_is_the_same(void **state)
{
    (void)state;
    struct retry retry;
    struct error error;
    const char *const places[] = {"albums: ", "tracks: ", ""};
    retry_init(&retry, 30);
    for (int i = 0; i < 3; i++) { /* of others, or of who knows which */
        error_set(&error, ERROR_TARGET_LOCKED, "target", "somebody holds it");
        error_context(&error, "%s", places[i]);
        error.retry_after_ms = 1;
        assert_true(retry_wait(&retry, &error));
        clock_sleep_ms(40); /* it works for longer than the patience */
    }
    assert_true(retry_wait(&retry, &error));
    error_context(&error, "tracks: ");
    clock_sleep_ms(40);
    assert_true(retry_wait(&retry, &error));
    clock_sleep_ms(40);
    assert_false(retry_wait(&retry, &error));
    assert_non_null(strstr(error.context, "given up after 2 tries"));
    retry_reset(&retry);
    error_set(&error, ERROR_TARGET_LOCKED, "target", "somebody holds it");
    error_context(&error, "tracks: ");
    error.retry_after_ms = 1;
    assert_true(retry_wait(&retry, &error));
}

static void buckets_fill_by_the_clock(void **state)
{
    (void)state;
    struct throttle throttle;
    throttle_init(&throttle, 100, 0);
    int64_t now = throttle.filled_ns;
    assert_int_equal(throttle_take_at(&throttle, now += 1000000000, 100, 1), 0);
    assert_in_range(throttle_take_at(&throttle, now, 50, 1), 490, 510);
    assert_in_range(throttle_take_at(&throttle, now += 250000000, 0, 1), 240, 260);
    assert_int_equal(throttle_take_at(&throttle, now += 250000000, 0, 1), 0);
    assert_in_range(throttle_take_at(&throttle, now, 1000, 1), 9900, 10100); /* never too large */
    assert_int_equal(throttle_take_at(&throttle, now + 3600000000000, 100, 1), 0);
    assert_true(throttle_take_at(&throttle, now + 3600000000000, 1, 1) >
                0); /* one second's worth */
    throttle_destroy(&throttle);
    throttle_init(&throttle, 0, 0);
    assert_int_equal(throttle_take(&throttle, UINT64_MAX, UINT64_MAX), 0);
    assert_int_equal(throttle_left_ms(&throttle, 0), 0);
    assert_in_range(throttle_left_ms(&throttle, clock_monotonic_ms() + 60000), 50000, 60000);
    throttle.held = true;
    assert_in_range(throttle_left_ms(&throttle, 0), 1, 1000); /* to be asked again */
    throttle.held = false;
    assert_int_equal(throttle_left_ms(&throttle, 0), 0);
    throttle_destroy(&throttle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_up_to_a_cap),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(a_late_failure_is_a_new_one),
        cmocka_unit_test(a_late_failure_of_the_same_lock_is_the_same),
        cmocka_unit_test(buckets_fill_by_the_clock),
    };
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
