/* Trying again: full-jitter exponential backoff with a deadline; the server's own hint wins. */
#ifndef TRANSHUME_BASE_RETRY_H
#define TRANSHUME_BASE_RETRY_H

#include "base/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How often a failing call may wait for its timeout until it is given up. */
enum { RETRY_PATIENCE_TIMEOUTS = 4 };

enum { RETRY_BASE_MS = 50, RETRY_DELAY_MAX_MS = 20000, RETRY_SLICE_MS = 50 };

/* One thing that is tried again and again; belongs to one thread. */
struct retry {
    int64_t patience_ms; /* from the first failure of a row to giving up */
    int64_t give_up_ms;  /* monotonic; 0: no failure yet */
    int64_t waited_ms;   /* monotonic: when the last wait ended */
    uint32_t failures;
    char lock[384]; /* the place where the last failure was of a lock; empty: it was not, or nobody
                       said */
    int stop_level; /* of signals_stop_level, that ends a wait; 0: 2 */
    const _Atomic bool *cancelled;     /* may be NULL: ends a wait early */
    _Atomic int64_t *waiting_until_ms; /* may be NULL: shown while waiting; of this thread alone */
    _Atomic uint64_t *counter;         /* may be NULL: one more a retry */
};

void retry_init(struct retry *retry, int64_t patience_ms);
/* After a success: the next failure starts a new deadline. So does one that comes so late that what
 * was tried must have worked for longer than the patience in between, unless it ended at the same
 * lock again: that work was in vain. */
void retry_reset(struct retry *retry);

/*
 * Asks after a failure: false when the error is not of class RETRY, the deadline is past, or the
 * run is being stopped (`stop_level`, or `cancelled`); else waits, and true. A deadline that is
 * past says so in the error's context.
 */
bool retry_wait(struct retry *retry, struct error *error);
/* The same without the waiting, for who has other things to do: `*until_ms` (monotonic) is its
 * end. */
bool retry_plan(struct retry *retry, struct error *error, int64_t *until_ms);

/* The delay before try `failures` + 1: random in 0..min(cap, base * 2^failures), or the server's
 * hint with up to a tenth more. */
int64_t retry_delay_ms(uint32_t failures, int64_t retry_after_ms, uint64_t random);

#endif
