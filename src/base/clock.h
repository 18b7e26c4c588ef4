/* Time: monotonic for waiting and measuring, UTC for stamps. Nothing here uses the process's
 * zone. */
#ifndef TRANSHUME_BASE_CLOCK_H
#define TRANSHUME_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_monotonic_ns(void);
int64_t clock_monotonic_ms(void);
int64_t clock_boottime_ms(void); /* monotonic, and goes on while the machine sleeps */
int64_t clock_utc_us(void);      /* microseconds since 1970-01-01T00:00:00Z */
/* "2026-01-31T23:59:59.123Z" into `text` (at least 32 bytes). */
void clock_format_utc(int64_t utc_us, char *text, size_t capacity);
void clock_sleep_ms(int64_t ms); /* returns early on a signal */

/* Days since 1970-01-01 of a proleptic Gregorian date (year 0 = 1 BC), and back. The day may lie
 * outside its month, the month must be 1..12; |year| up to 10^12. */
int64_t clock_days_from_civil(int64_t year, int month, int day);
void clock_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

/* ---------------------------------------------------------------- condition variables */

/* Their waits end by the monotonic clock: no jump of the wall clock shortens or prolongs one. */

/* The caller destroys it with pthread_cond_destroy. */
void condition_init(pthread_cond_t *condition);
/* Waits once, with the mutex held; it may wake for nothing, so that the caller looks again. False:
 * clock_monotonic_ns() has reached `until_ns`. */
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ns);
/* The same, for at most `timeout_ms` from now. */
bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t timeout_ms);

#endif
