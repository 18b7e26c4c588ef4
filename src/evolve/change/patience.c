/*
 * Trying again what others' locks kept from being done. While a statement waits for a strong lock,
 * all who come after it wait behind it: the pause in which they get through is at least as long as
 * the wait was, and grows, so that others' long transactions cost them a tenth of their time.
 */
#include "base/clock.h"
#include "evolve/change/run_internal.h"

enum { PATIENCE_MIN_MS = 60000, PATIENCE_WAITS = 24, PAUSE_GROWTH_MAX = 10, WAIT_MIN_MS = 1000 };

void change_be_patient(const struct change_work *work, struct change_patience *patience)
{
    int64_t lock_ms = work->options->schema.lock_ms;
    int64_t all_ms = PATIENCE_WAITS * lock_ms;
    *patience = (struct change_patience){.lock_ms = lock_ms, .begun_ms = clock_monotonic_ms()};
    retry_init(&patience->retry, all_ms < PATIENCE_MIN_MS ? PATIENCE_MIN_MS : all_ms);
    patience->retry.stop_level = 1;
}

/* The pause after a try of `tried_ms` that ended at a lock, the `times`th one in a row. */
static int64_t change_pause_ms(int64_t lock_ms, int64_t tried_ms, uint32_t times)
{
    /* A try that worked long before it met the lock held others up only as long as it waited. */
    int64_t most = lock_ms > WAIT_MIN_MS ? lock_ms : WAIT_MIN_MS;
    int64_t waited = tried_ms < lock_ms ? lock_ms : tried_ms > most ? most : tried_ms;
    return waited * (times < PAUSE_GROWTH_MAX ? times : PAUSE_GROWTH_MAX);
}

bool change_try_again(struct change_patience *patience, struct error *error)
{
    if (error->code == ERROR_NETWORK || error->code == ERROR_TARGET_UNKNOWN_OUTCOME) {
        return false;
    }
    if (error->code == ERROR_TARGET_LOCKED) {
        patience->locks++;
        int64_t tried_ms = clock_monotonic_ms() - patience->begun_ms;
        int64_t pause_ms = change_pause_ms(patience->lock_ms, tried_ms, patience->locks);
        error->retry_after_ms = error->retry_after_ms > pause_ms ? error->retry_after_ms : pause_ms;
    }
    bool again = retry_wait(&patience->retry, error);
    patience->begun_ms = clock_monotonic_ms();
    return again;
}
