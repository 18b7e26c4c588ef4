/* Condition variables that wait by the monotonic clock. */
#include "base/condition.h"

#include "base/clock.h"
#include <time.h>

void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes); /* none of these fails on Linux with such arguments */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                             .tv_nsec = (long)(until_ns % 1000000000)};
    return pthread_cond_timedwait(condition, mutex, &until) == 0;
}

bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t timeout_ms)
{
    return condition_wait_until(condition, mutex, clock_monotonic_ns() + timeout_ms * 1000000);
}
