/* Random numbers from getrandom(2), from the clock where that fails. */
#include "engine/random.h"

#include "base/clock.h"
#include <stdio.h>
#include <sys/random.h>

uint64_t random_uint64(void)
{
    uint64_t number;
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        number = (uint64_t)clock_monotonic_ns() * UINT64_C(0x9e3779b97f4a7c15);
    }
    return number;
}

void random_run_id(char id[RUN_ID_BYTES])
{
    char stamp[32]; /* 2026-01-31T23:59:59.123Z */
    clock_format_utc(clock_utc_us(), stamp, sizeof(stamp));
    snprintf(id, RUN_ID_BYTES, "%.4s%.2s%.2sT%.2s%.2s%.2sZ-%06x", stamp, stamp + 5, stamp + 8,
             stamp + 11, stamp + 14, stamp + 17, (unsigned)(random_uint64() & 0xffffff));
}
