/* The ids of runs: a time, to the millisecond so that they sort by it, and a random tail. */
#include "engine/folder/run_id.h"

#include "base/clock.h"
#include "base/random.h"
#include <stdio.h>

void random_run_id(char id[RUN_ID_BYTES])
{
    char stamp[32]; /* 2026-01-31T23:59:59.123Z */
    int64_t now_us = clock_utc_us();
    clock_format_utc(now_us, stamp, sizeof(stamp));
    snprintf(id, RUN_ID_BYTES, "%.4s%.2s%.2sT%.2s%.2s%.2sZ-%03x%03x", stamp, stamp + 5, stamp + 8,
             stamp + 11, stamp + 14, stamp + 17, (unsigned)(now_us / 1000 % 1000),
             (unsigned)(random_uint64() & 0xfff));
}
