/* The bucket of capacity units. */
#include "connectors/keyed/capacity.h"

#include "base/clock.h"
#include "base/signals.h"
#include <stdbool.h>

enum { MILLI = 1000, WAIT_SLICE_MS = 100 };

void keyed_capacity_init(struct keyed_capacity *capacity, uint64_t units_per_second)
{
    *capacity = (struct keyed_capacity){.units_per_second = units_per_second,
                                        .milliunits = (int64_t)units_per_second * MILLI,
                                        .filled_ms = clock_monotonic_ms()};
    pthread_mutex_init(&capacity->mutex, NULL);
}

void keyed_capacity_destroy(struct keyed_capacity *capacity)
{
    pthread_mutex_destroy(&capacity->mutex);
}

static void capacity_fill(struct keyed_capacity *capacity, int64_t now_ms)
{
    int64_t full = (int64_t)capacity->units_per_second * MILLI;
    int64_t passed_ms = now_ms - capacity->filled_ms;
    if (passed_ms <= 0) {
        return;
    }
    capacity->filled_ms = now_ms;
    /* units a second are thousandths of them a millisecond */
    int64_t wanted = full - capacity->milliunits;
    bool enough = passed_ms >= wanted / (int64_t)capacity->units_per_second + 1;
    capacity->milliunits =
        enough ? full : capacity->milliunits + passed_ms * (int64_t)capacity->units_per_second;
}

int64_t keyed_capacity_reserve(struct keyed_capacity *capacity, int64_t now_ms, int64_t milliunits)
{
    if (capacity->units_per_second == 0) {
        return 0;
    }
    pthread_mutex_lock(&capacity->mutex);
    capacity_fill(capacity, now_ms);
    int64_t debt = -capacity->milliunits;
    if (debt < 0) {
        capacity->milliunits -= milliunits;
    }
    pthread_mutex_unlock(&capacity->mutex);
    return debt < 0 ? 0 : debt / (int64_t)capacity->units_per_second + 1;
}

int64_t keyed_capacity_wait_ms(struct keyed_capacity *capacity, int64_t now_ms)
{
    return keyed_capacity_reserve(capacity, now_ms, 0);
}

void keyed_capacity_take(struct keyed_capacity *capacity, int64_t milliunits)
{
    if (capacity->units_per_second > 0) {
        pthread_mutex_lock(&capacity->mutex);
        capacity->milliunits -= milliunits;
        pthread_mutex_unlock(&capacity->mutex);
    }
}

void keyed_capacity_wait(struct keyed_capacity *capacity)
{
    int64_t wait_ms;
    while (signals_stop_level() < 2 &&
           (wait_ms = keyed_capacity_wait_ms(capacity, clock_monotonic_ms())) > 0) {
        clock_sleep_ms(wait_ms < WAIT_SLICE_MS ? wait_ms : WAIT_SLICE_MS);
    }
}
