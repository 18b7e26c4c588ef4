/* Condition variables whose waits end by the monotonic clock: no jump of the wall clock shortens or
 * prolongs one. */
#ifndef TRANSHUME_BASE_CONDITION_H
#define TRANSHUME_BASE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The caller destroys it with pthread_cond_destroy. */
void condition_init(pthread_cond_t *condition);
/* Waits once, with the mutex held; it may wake for nothing, so that the caller looks again. False:
 * clock_monotonic_ns() has reached `until_ns`. */
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ns);
/* The same, for at most `timeout_ms` from now. */
bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t timeout_ms);

#endif
