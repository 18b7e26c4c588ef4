/* Backoff: how long to wait, and the waiting itself in slices that a stop can end. */
#include "base/retry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/signals.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void retry_init(struct retry *retry, int64_t patience_ms)
{
    *retry = (struct retry){.patience_ms = patience_ms};
}

void retry_reset(struct retry *retry)
{
    retry->failures = 0;
    retry->lock[0] = '\0';
    retry->give_up_ms = 0;
}

int64_t retry_delay_ms(uint32_t failures, int64_t retry_after_ms, uint64_t random)
{
    if (retry_after_ms > 0) {
        return retry_after_ms + (int64_t)(random % (uint64_t)(retry_after_ms / 10 + 1));
    }
    uint32_t doublings = failures < 16 ? failures : 16;
    int64_t cap = (int64_t)RETRY_BASE_MS << doublings;
    if (cap > RETRY_DELAY_MAX_MS) {
        cap = RETRY_DELAY_MAX_MS;
    }
    return (int64_t)(random % (uint64_t)(cap + 1));
}

static bool is_cancelled(const struct retry *retry)
{
    return signals_stop_level() >= (retry->stop_level != 0 ? retry->stop_level : 2) ||
           (retry->cancelled != NULL && atomic_load(retry->cancelled));
}

static bool sleep_until(const struct retry *retry, int64_t until_ms)
{
    int64_t left;
    while ((left = until_ms - clock_monotonic_ms()) > 0) {
        if (is_cancelled(retry)) {
            return false;
        }
        clock_sleep_ms(left < RETRY_SLICE_MS ? left : RETRY_SLICE_MS);
    }
    return !is_cancelled(retry);
}

/* Empty: it is of no lock, or nobody says of which. */
static const char *lock_of(const struct error *error)
{
    bool locked = error->code == ERROR_TARGET_LOCKED || error->code == ERROR_SOURCE_LOCKED;
    return locked ? error->context : "";
}

/* A try that fails at a lock leaves nothing, however long it worked before. */
static bool is_stuck(const struct retry *retry, const struct error *error)
{
    const char *lock = lock_of(error);
    return lock[0] != '\0' && strcmp(lock, retry->lock) == 0;
}

bool retry_plan(struct retry *retry, struct error *error, int64_t *until_ms)
{
    if (error->class != ERROR_CLASS_RETRY || is_cancelled(retry)) {
        return false;
    }
    int64_t now = clock_monotonic_ms();
    if (!is_stuck(retry, error) && retry->give_up_ms > 0 &&
        now - retry->waited_ms > retry->patience_ms) {
        retry_reset(retry);
    }
    snprintf(retry->lock, sizeof retry->lock, "%s", lock_of(error));
    if (retry->give_up_ms == 0) {
        retry->give_up_ms = now + retry->patience_ms;
    }
    int64_t delay = retry_delay_ms(retry->failures, error->retry_after_ms, random_uint64());
    if (now + delay > retry->give_up_ms) {
        error_context(error,
                      "given up after %" PRIu32 " tries in %" PRId64 " s: ", retry->failures + 1,
                      (now - retry->give_up_ms + retry->patience_ms) / 1000);
        return false;
    }
    retry->failures++;
    log_event(LOG_WARNING,
              EVENT_OF(EVENT_RETRY, .code = error_describe(error->code)->name,
                       .count = retry->failures + 1),
              "try %" PRIu32 " in %" PRId64 " ms after: %s: %s", retry->failures + 1, delay,
              error->object, error->message);
    if (retry->counter != NULL) {
        atomic_fetch_add(retry->counter, 1);
    }
    *until_ms = retry->waited_ms = now + delay;
    return true;
}

bool retry_wait(struct retry *retry, struct error *error)
{
    int64_t until_ms = 0;
    if (!retry_plan(retry, error, &until_ms)) {
        return false;
    }
    if (retry->waiting_until_ms != NULL) {
        atomic_store(retry->waiting_until_ms, until_ms);
    }
    bool waited = sleep_until(retry, until_ms);
    retry->waited_ms = clock_monotonic_ms();
    if (retry->waiting_until_ms != NULL) {
        atomic_store(retry->waiting_until_ms, 0);
    }
    return waited;
}
