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

void clock_civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t era = days / 146097;
    int64_t day_of_era = days % 146097 + 719468 % 146097;
    era += 719468 / 146097 + day_of_era / 146097;
    day_of_era %= 146097;
    if (day_of_era < 0) {
        day_of_era += 146097;
        era--;
    }
    uint32_t doe = (uint32_t)day_of_era;
    uint32_t year_of_era = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t day_of_year = doe - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int64_t)year_of_era + era * 400 + (*month <= 2);
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
