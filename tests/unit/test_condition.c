/* Timed waits: they last as long as was asked, by the monotonic clock, or until a signal comes. */
#include "base/clock.h"
#include "support.h"

enum { MILLISECOND_NS = 1000000, SHORT_MS = 50, LONG_MS = 60000 };

struct bell {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    bool rung;
};

static void bell_init(struct bell *bell)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&bell->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    condition_init(&bell->condition);
    bell->rung = false;
    pthread_mutex_lock(&bell->mutex);
}

static void bell_free(struct bell *bell)
{
    assert_int_equal(pthread_mutex_unlock(&bell->mutex), 0); /* EPERM if it was not held */
    pthread_cond_destroy(&bell->condition);
    pthread_mutex_destroy(&bell->mutex);
}

static void *ring(void *context)
{
    struct bell *bell = context;
    pthread_mutex_lock(&bell->mutex);
    bell->rung = true;
    pthread_cond_signal(&bell->condition);
    pthread_mutex_unlock(&bell->mutex);
    return NULL;
}

/* By the wall clock, whose year is another, the time would be over at once. */
static void nobody_rings(void **state)
{
    (void)state;
    struct bell bell;
    bell_init(&bell);
    int64_t begun = clock_monotonic_ns();
    while (condition_wait_until(&bell.condition, &bell.mutex, begun + SHORT_MS * MILLISECOND_NS)) {
    }
    assert_true(clock_monotonic_ns() >= begun + SHORT_MS * MILLISECOND_NS);
    begun = clock_monotonic_ns();
    int64_t waited = begun;
    while (condition_wait(&bell.condition, &bell.mutex, SHORT_MS)) {
        waited = clock_monotonic_ns(); /* woken for nothing: the time begins anew */
    }
    assert_true(clock_monotonic_ns() >= waited + SHORT_MS * MILLISECOND_NS);
    bell_free(&bell);
}

static void the_time_is_over(void **state)
{
    (void)state;
    struct bell bell;
    bell_init(&bell);
    assert_false(condition_wait_until(&bell.condition, &bell.mutex, clock_monotonic_ns() - 1));
    assert_false(condition_wait_until(&bell.condition, &bell.mutex, 0));
    assert_false(condition_wait(&bell.condition, &bell.mutex, 0));
    bell_free(&bell);
}

static void somebody_rings(void **state)
{
    (void)state;
    struct bell bell;
    pthread_t ringer;
    bell_init(&bell);
    int64_t until = clock_monotonic_ns() + (int64_t)LONG_MS * MILLISECOND_NS;
    assert_int_equal(pthread_create(&ringer, NULL, ring, &bell), 0);
    bool in_time = true;
    while (!bell.rung && in_time) {
        in_time = condition_wait_until(&bell.condition, &bell.mutex, until);
    }
    assert_true(in_time);
    assert_int_equal(pthread_join(ringer, NULL), 0); /* it has let go of the mutex */
    bell_free(&bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_rings),
        cmocka_unit_test(the_time_is_over),
        cmocka_unit_test(somebody_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
