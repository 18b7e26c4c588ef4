/* Clocks and the calendar. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

int64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

int64_t clock_boottime_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_utc_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Both count in eras of 400 years (146,097 days) that begin on 1 March, so that the leap day is the
 * last of its year: H. Hinnant, "chrono-compatible low-level date algorithms". */
int64_t clock_days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* Within the era: C. Neri and L. Schneider, "Euclidean affine functions and their application to
 * calendar algorithms", proposition 6.3; two multiplications take the place of six divisions. */
void clock_civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    const int64_t first = 719468; /* 0000-03-01 to 1970-01-01 */
    int64_t era = 0;
    uint32_t days_in;
    if (days >= -first && days < (1 << 29)) {
        days_in = (uint32_t)(days + first);
    } else {
        int64_t day_of_era = days % 146097 + first % 146097;
        era = days / 146097 + first / 146097 + day_of_era / 146097;
        day_of_era %= 146097;
        if (day_of_era < 0) {
            day_of_era += 146097;
            era--;
        }
        days_in = (uint32_t)day_of_era;
    }
    uint32_t century = (4 * days_in + 3) / 146097;
    uint32_t day_of_century = (4 * days_in + 3) % 146097 / 4;
    uint64_t product = UINT64_C(2939745) * (4 * day_of_century + 3);
    uint32_t day_of_year = (uint32_t)product / 2939745 / 4;
    uint32_t month_and_day = 2141 * day_of_year + 197913;
    int next_year = day_of_year >= 306;
    *day = (int)(month_and_day % 65536 / 2141) + 1;
    *month = (int)(month_and_day / 65536) - (next_year ? 12 : 0);
    *year = (int64_t)(100 * century + (uint32_t)(product >> 32)) + era * 400 + next_year;
}

void clock_format_utc(int64_t utc_us, char *text, size_t capacity)
{
    int64_t days = utc_us / 86400000000;
    int64_t rest = utc_us % 86400000000;
    if (rest < 0) {
        rest += 86400000000;
        days--;
    }
    int64_t year;
    int month;
    int day;
    clock_civil_from_days(days, &year, &month, &day);
    int ms = (int)(rest / 1000);
    snprintf(text, capacity, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)year, month, day,
             ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

void clock_sleep_ms(int64_t ms)
{
    if (ms > 0) {
        struct timespec wait = {.tv_sec = (time_t)(ms / 1000),
                                .tv_nsec = (long)(ms % 1000) * 1000000};
        nanosleep(&wait, NULL);
    }
}

/* ---------------------------------------------------------------- condition variables */

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
