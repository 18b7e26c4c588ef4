/* Token buckets filled by the clock. */
#include "engine/copy/throttle.h"

#include "base/clock.h"

enum { HELD_SLICE_MS = 100 };

void throttle_init(struct throttle *throttle, uint64_t rows_per_second, uint64_t bytes_per_second)
{
    *throttle = (struct throttle){.rows = {.per_second = rows_per_second},
                                  .bytes = {.per_second = bytes_per_second}};
    pthread_mutex_init(&throttle->mutex, NULL); /* can't fail for a default mutex */
    throttle->filled_ns = clock_monotonic_ns();
}

void throttle_destroy(struct throttle *throttle)
{
    pthread_mutex_destroy(&throttle->mutex);
}

static int64_t bucket_take(struct throttle_bucket *bucket, double seconds, uint64_t amount)
{
    if (bucket->per_second == 0) {
        return 0;
    }
    double rate = (double)bucket->per_second;
    bucket->tokens += seconds * rate;
    if (bucket->tokens > rate) {
        bucket->tokens = rate;
    }
    bucket->tokens -= (double)amount;
    return bucket->tokens >= 0 ? 0 : (int64_t)(-bucket->tokens / rate * 1000) + 1;
}

int64_t throttle_take_at(struct throttle *throttle, int64_t now_ns, uint64_t rows, uint64_t bytes)
{
    if (throttle->rows.per_second == 0 && throttle->bytes.per_second == 0) {
        return 0;
    }
    pthread_mutex_lock(&throttle->mutex);
    double seconds =
        now_ns > throttle->filled_ns ? (double)(now_ns - throttle->filled_ns) / 1e9 : 0;
    throttle->filled_ns = now_ns;
    int64_t for_rows = bucket_take(&throttle->rows, seconds, rows);
    int64_t for_bytes = bucket_take(&throttle->bytes, seconds, bytes);
    pthread_mutex_unlock(&throttle->mutex);
    return for_rows > for_bytes ? for_rows : for_bytes;
}

int64_t throttle_take(struct throttle *throttle, uint64_t rows, uint64_t bytes)
{
    return throttle_take_at(throttle, clock_monotonic_ns(), rows, bytes);
}

int64_t throttle_left_ms(const struct throttle *throttle, int64_t until_ms)
{
    int64_t left_ms = until_ms - clock_monotonic_ms();
    if (left_ms <= 0 && atomic_load(&throttle->held)) {
        return HELD_SLICE_MS;
    }
    return left_ms > 0 ? left_ms : 0;
}

void throttle_hold(struct throttle *throttle, bool held)
{
    if (held && !atomic_load(&throttle->held)) {
        atomic_store(&throttle->held_since_ms, clock_monotonic_ms());
    }
    atomic_store(&throttle->held, held);
}

int64_t throttle_held_ms(const struct throttle *throttle)
{
    return atomic_load(&throttle->held)
               ? clock_monotonic_ms() - atomic_load(&throttle->held_since_ms)
               : -1;
}
