/* Watching the time of the last movement. */
#include "engine/copy/stall.h"

#include "base/clock.h"
#include "base/log.h"
#include "connectors/contract/report.h"
#include <inttypes.h>
#include <stdio.h>

static void stall_describe(const struct worker *worker, char *text, size_t capacity)
{
    const struct progress_worker *shown = worker->shown;
    const char *doing = atomic_load(&shown->doing);
    uint64_t chunk = atomic_load(&shown->chunk);
    const char *side = worker->writes ? "writer" : "reader";
    if (chunk == 0) {
        snprintf(text, capacity, "%s %" PRIu32 " %s", side, shown->number, doing);
    } else {
        const struct ledger_chunk *about = copy_chunk(worker->copy, chunk - 1);
        snprintf(text, capacity, "%s %" PRIu32 " %s, chunk %" PRIu64 " of %s (%s)", side,
                 shown->number, doing, chunk, copy_stream(worker->copy, chunk - 1)->name,
                 about->span.printable);
    }
}

static void stall_report(const struct copy *copy, int64_t idle_ms)
{
    log_event(LOG_WARNING, EVENT_OF(EVENT_STALL, .milliseconds = idle_ms),
              "nothing moved for %.1f s:", (double)idle_ms / 1000);
    for (uint32_t i = 0; i < copy->reader_count + copy->writer_count; i++) {
        char text[512];
        stall_describe(&copy->workers[i], text, sizeof(text));
        log_write(LOG_WARNING, "  %s", text);
    }
}

/* Who looks every tenth of a second, and did not for seconds, was not let. A worker may have read
 * the clock before that, and tell of its movement after it. */
int64_t stall_idle_ms(struct stall *stall, int64_t moved_ms, int64_t now_ms)
{
    enum { STOOD_MS_MIN = 1000 };
    int64_t away = now_ms - stall->checked_ms;
    stall->checked_ms = now_ms;
    if (away >= STOOD_MS_MIN) {
        stall->stood_ms += away;
        stall->woke_ms = now_ms;
    }
    if (moved_ms >= stall->woke_ms) {
        stall->stood_ms = 0;
    }
    int64_t since_movement = stall->woke_ms - moved_ms;
    int64_t stood = stall->stood_ms < since_movement ? stall->stood_ms : since_movement;
    return now_ms - moved_ms - (stall->stood_ms > 0 ? stood : 0);
}

enum status stall_check(struct stall *stall, struct copy *copy, struct error *error)
{
    const struct progress *progress = &copy->session->progress;
    int64_t now = clock_monotonic_ms();
    int64_t limit = copy->session->options.limits.stall_ms;
    int64_t idle = stall_idle_ms(stall, atomic_load(&progress->last_movement_ms), now);
    if (idle < limit || progress_waiting_until_ms(progress) > now) {
        stall->reported_ms = 0;
        return STATUS_OK;
    }
    bool by_target = report_throttled_for_ms(copy->session->target, now) > 0;
    bool throttled = by_target || report_throttled_for_ms(copy->session->source, now) > 0;
    if (!throttled && (stall->reported_ms == 0 || now - stall->reported_ms >= limit)) {
        stall->reported_ms = now;
        stall_report(copy, idle);
    }
    if (idle < limit * STALL_FAIL_FACTOR) {
        return STATUS_OK;
    }
    if (throttled) {
        error_set(error, by_target ? ERROR_TARGET_THROTTLED : ERROR_SOURCE_THROTTLED, "run",
                  "nothing moved for %" PRId64 " s: the %s kept asking to slow down", idle / 1000,
                  by_target ? "target" : "source");
        error_hint(error,
                   "give it more capacity; `transhume resume` continues, with --stall TIME for "
                   "more patience");
        return STATUS_FAILED;
    }
    char first[512];
    stall_describe(&copy->workers[copy->reader_count], first, sizeof(first));
    error_set(error, ERROR_STALLED, "run", "nothing moved for %" PRId64 " s: %s", idle / 1000,
              first);
    error_hint(error,
               "see the log for what each worker waits for; `transhume resume` continues, with "
               "--stall TIME for more patience");
    return STATUS_FAILED;
}
