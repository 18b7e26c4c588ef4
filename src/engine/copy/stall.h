/* Stall reports: who waits for what when nothing moves. */
#ifndef TRANSHUME_ENGINE_STALL_H
#define TRANSHUME_ENGINE_STALL_H

#include "engine/copy/copy.h"

enum { STALL_FAIL_FACTOR = 10 };

struct stall {
    int64_t reported_ms; /* monotonic; of the last report */
    int64_t checked_ms;  /* likewise, of the last look; at first before any worker starts */
    int64_t woke_ms;     /* likewise, when it was last seen that the process had stood still */
    int64_t stood_ms;    /* how long it did in all, after the last movement before that */
};

/*
 * To be called often. Nothing moved for options.stall_ms: a line in the log for every worker, once
 * in each such time. STATUS_FAILED (ERROR_STALLED) after ten times as long. A worker that is being
 * asked to wait by the target or by a rate cap counts as moving. While a database asks to slow
 * down there are no such lines (session_note_reports says that), but the end is the same:
 * ERROR_TARGET_THROTTLED or ERROR_SOURCE_THROTTLED. Time in which the process itself stood still
 * (SIGSTOP, a suspended machine) is not counted.
 */
enum status stall_check(struct stall *stall, struct copy *copy, struct error *error) MUST_USE;
/* How long nothing has moved while the process ran, by a look at `now_ms`; the last movement was at
 * `moved_ms` (both monotonic). */
int64_t stall_idle_ms(struct stall *stall, int64_t moved_ms, int64_t now_ms);

#endif
