#include "observe/anomaly/anomaly_watch.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "observe/anomaly/anomaly_monitor.h"
#include "observe/metric/process_metrics.h"
#include "observe/progress_view.h"
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCOPE_SURE_S = 3, /* a table leads for so long: it is what is worked on */
    TEXT_BYTES = 64,
    RECORD_BYTES = 256,
};
/* The memory that the program needs besides --memory: itself, the libraries of connectors,
 * connections. */
static const uint64_t base_bytes = UINT64_C(96) << 20;
static const uint64_t worker_bytes = UINT64_C(4) << 20;

/* The number that a series of the registry reads. */
struct check_series {
    const struct anomaly_watch *watch;
    enum anomaly_check check;
};

struct anomaly_watch {
    const struct progress *progress;
    struct anomaly_monitor *monitor;
    struct check_series series[ANOMALY_CHECKS];
    /* of the last tick: the registry reads them at any time */
    _Atomic uint64_t score_thousandths[ANOMALY_CHECKS];
    _Atomic bool active[ANOMALY_CHECKS];
    _Atomic bool held;
    _Atomic uint64_t memory_bytes;
    _Atomic int64_t stall_ms;
    uint64_t *work; /* of each entity at the last tick */
    uint32_t work_count;
    uint32_t scope;
    uint32_t next_scope;
    uint32_t next_scope_s;
    int64_t left_bytes;     /* before the source drops what is not applied, a second ago; -1 */
    double used_per_second; /* of them, over the last half minute or so */
};

/* ---- what is found, as a sentence */

static void format_number(const char *unit, double number, char *out)
{
    static const char seconds[] = "seconds"; /* and of what */
    uint64_t whole = number > 0 ? (uint64_t)(number + 0.5) : 0;
    if (strcmp(unit, "bytes") == 0) {
        text_human_bytes(whole, out, TEXT_BYTES);
    } else if (strncmp(unit, seconds, strlen(seconds)) == 0) {
        text_human_seconds(number, out, TEXT_BYTES / 2);
        strncat(out, unit + strlen(seconds), TEXT_BYTES - strlen(out) - 1);
    } else if (strcmp(unit, "of the records") == 0) {
        snprintf(out, TEXT_BYTES, "%.2g%% of the records", 100 * number);
    } else if (number < 10) {
        snprintf(out, TEXT_BYTES, "%.2g %s", number, unit);
    } else {
        text_human_count(whole, out, TEXT_BYTES / 2);
        strncat(out, " ", TEXT_BYTES - strlen(out) - 1);
        strncat(out, unit, TEXT_BYTES - strlen(out) - 1);
    }
}

static void format_band(const struct anomaly_finding *finding, char *out, size_t capacity)
{
    char low[TEXT_BYTES] = "";
    char high[TEXT_BYTES] = "";
    format_number(finding->unit, finding->low, low);
    format_number(finding->unit, finding->high, high);
    if (isfinite(finding->low) && isfinite(finding->high)) {
        snprintf(out, capacity, "%s to %s", low, high);
    } else if (isfinite(finding->low)) {
        snprintf(out, capacity, "at least %s", low);
    } else if (isfinite(finding->high)) {
        snprintf(out, capacity, "at most %s", high);
    } else {
        snprintf(out, capacity, "not known");
    }
}

/* The reason for it that the run itself knows. */
static const char *reason_of(const struct anomaly_watch *watch)
{
    const struct progress *progress = watch->progress;
    if (atomic_load(&progress->target.throttled_ms) > 0) {
        return "; the target asks to slow down";
    }
    if (atomic_load(&progress->source.throttled_ms) > 0) {
        return "; the source asks to slow down";
    }
    return progress_waiting_until_ms(progress) > clock_monotonic_ms()
               ? "; something that failed is about to be tried again"
               : "";
}

static void anomaly_watch_tell(void *context, const struct anomaly_finding *finding)
{
    const struct anomaly_watch *watch = context;
    char code[TEXT_BYTES];
    char value[TEXT_BYTES];
    char band[2 * TEXT_BYTES + 8];
    char took[TEXT_BYTES];
    int64_t took_ms = finding->at_ms - finding->since_ms;
    snprintf(code, sizeof(code), "%s.%s", finding->series, finding->detector);
    text_human_seconds((double)took_ms / 1000, took, sizeof(took));
    if (finding->ended) {
        log_event(LOG_INFO,
                  EVENT_OF(EVENT_ANOMALY, .code = code, .state = "ended", .milliseconds = took_ms),
                  "%s is in order again, or can't be compared any more, after %s [%s]",
                  finding->series, took, code);
        return;
    }
    format_number(finding->unit, finding->value, value);
    format_band(finding, band, sizeof(band));
    log_event(LOG_WARNING,
              EVENT_OF(EVENT_ANOMALY, .code = code, .state = "began", .milliseconds = took_ms,
                       .hint = finding->hint),
              "%s: %s, expected %s (by the last %u s), for %s%s [%s]", finding->series, value, band,
              finding->window_seconds, took, reason_of(watch), code);
}

/* ---- the registry */

static double read_score(const void *context)
{
    const struct check_series *series = context;
    return (double)atomic_load(&series->watch->score_thousandths[series->check]) / 1000;
}

static double read_active(const void *context)
{
    const struct check_series *series = context;
    return atomic_load(&series->watch->active[series->check]) ? 1 : 0;
}

static void add_families(struct anomaly_watch *watch, struct metric_registry *registry)
{
    struct metric_family *active =
        metric_family_add(registry, METRIC_GAUGE, "transhume_anomaly_active", NULL,
                          "1 while something is out of order; 0: all is as expected.");
    struct metric_family *score =
        metric_family_add(registry, METRIC_GAUGE, "transhume_anomaly_score", NULL,
                          "How far a series is from what is expected; 1 and above: outside.");
    for (int i = 0; i < ANOMALY_CHECKS; i++) {
        enum anomaly_check check = (enum anomaly_check)i;
        const struct metric_label labels[] = {{"series", anomaly_check_series(check)},
                                              {"detector", anomaly_check_detector(check)}};
        watch->series[i] = (struct check_series){watch, check};
        metric_series_add(active, labels, 2, read_active, &watch->series[i]);
        metric_series_add(score, labels, 2, read_score, &watch->series[i]);
    }
}

/* ---- samples */

/* The table on which most of the work of the last seconds was, from 1; it stays until another one
 * leads for a while. */
static uint32_t find_scope(struct anomaly_watch *watch)
{
    const struct progress *progress = watch->progress;
    uint64_t most = 0;
    uint64_t all = 0;
    uint32_t leader = watch->scope;
    if (watch->work == NULL || watch->work_count != progress->entity_count) {
        free(watch->work);
        watch->work_count = progress->entity_count;
        watch->work = memory_allocate_zeroed((size_t)watch->work_count + 1, sizeof(*watch->work));
    }
    for (uint32_t i = 0; i < watch->work_count; i++) {
        const struct progress_entity *entity = &progress->entities[i];
        uint64_t work = atomic_load(&entity->bytes) + RECORD_BYTES * progress_entity_done(entity);
        uint64_t more = work > watch->work[i] ? work - watch->work[i] : 0;
        watch->work[i] = work;
        all += more;
        if (more > most) {
            most = more;
            leader = i + 1;
        }
    }
    if (leader == watch->scope || most * 10 < all * 6) {
        watch->next_scope_s = 0;
        return watch->scope;
    }
    watch->next_scope_s = leader == watch->next_scope ? watch->next_scope_s + 1 : 1;
    watch->next_scope = leader;
    if (watch->scope == 0 || watch->next_scope_s >= SCOPE_SURE_S) {
        watch->scope = leader;
    }
    return watch->scope;
}

static uint64_t memory_bound(const struct anomaly_watch *watch, uint32_t workers)
{
    uint64_t limit = atomic_load(&watch->memory_bytes);
    return limit == 0 ? 0 : base_bytes + 2 * limit + workers * worker_bytes;
}

/* At the rate at which the room gets less; below 0: not known, or it does not. */
static double retention_seconds(struct anomaly_watch *watch)
{
    enum { SMOOTHING_S = 30 };
    const struct progress_follow *follow = &watch->progress->follow;
    int64_t left = atomic_load(&follow->watched) ? atomic_load(&follow->bytes_left) : -1;
    double used = left >= 0 && watch->left_bytes >= 0 ? (double)(watch->left_bytes - left) : 0;
    watch->used_per_second += (used - watch->used_per_second) / SMOOTHING_S;
    watch->left_bytes = left;
    int64_t left_us = atomic_load(&follow->watched) ? atomic_load(&follow->left_us) : -1;
    if (left_us >= 0) {
        return (double)left_us / 1e6;
    }
    return left >= 0 && watch->used_per_second >= 1 ? (double)left / watch->used_per_second : -1;
}

static void take_sample(struct anomaly_watch *watch, struct anomaly_sample *sample)
{
    struct progress_view view;
    struct progress_meter meter = {0};
    const struct progress *progress = watch->progress;
    int64_t now_ms = clock_monotonic_ms();
    progress_view_take(progress, &meter, now_ms, &view);
    uint32_t workers = atomic_load(&progress->worker_count) / 2; /* of each, one reads */
    bool copies = view.phase == PROGRESS_COPY;
    bool known = view.chunks_total > 0;
    *sample = (struct anomaly_sample){
        .at_ms = now_ms,
        .phase = (uint32_t)view.phase,
        .scope = copies ? find_scope(watch) : 0,
        .moves = copies && (!known || view.chunks_done < view.chunks_total),
        .held = atomic_load(&watch->held),
        .stall_ms = atomic_load(&watch->stall_ms),
        .moved_ms = atomic_load(&progress->last_movement_ms),
        .records = view.done,
        .bytes = view.bytes,
        .rejected = view.rejected,
        .retries = view.retries + atomic_load(&progress->source.retries) +
                   atomic_load(&progress->target.retries),
        .chunks_left = known ? view.chunks_total - view.chunks_done : 0,
        .workers = known ? workers : 0,
        .resident_bytes = (double)process_resident_bytes(),
        .memory_bound_bytes = (double)memory_bound(watch, workers),
        .lag_seconds = progress_follow_lag_seconds(&progress->follow, clock_utc_us()),
        .retention_seconds = retention_seconds(watch),
    };
}

static void anomaly_watch_show(struct anomaly_watch *watch)
{
    for (int i = 0; i < ANOMALY_CHECKS; i++) {
        enum anomaly_check check = (enum anomaly_check)i;
        double score = fmin(fmax(0, anomaly_monitor_score(watch->monitor, check)), 1e6);
        atomic_store(&watch->score_thousandths[i], (uint64_t)(score * 1000));
        atomic_store(&watch->active[i], anomaly_monitor_is_active(watch->monitor, check));
    }
}

void anomaly_watch_tick(struct anomaly_watch *watch)
{
    struct anomaly_sample sample;
    take_sample(watch, &sample);
    anomaly_monitor_feed(watch->monitor, &sample);
    anomaly_watch_show(watch);
}

void anomaly_watch_end(struct anomaly_watch *watch)
{
    anomaly_monitor_end(watch->monitor, clock_monotonic_ms());
    anomaly_watch_show(watch);
}

void anomaly_watch_hear(struct anomaly_watch *watch, const struct log_record *record)
{
    if (record->event->kind == EVENT_PAUSE && record->event->state != NULL) {
        atomic_store(&watch->held, strcmp(record->event->state, "ended") != 0);
    }
}

void anomaly_watch_set_memory(struct anomaly_watch *watch, uint64_t limit_bytes)
{
    atomic_store(&watch->memory_bytes, limit_bytes);
}

void anomaly_watch_set_stall(struct anomaly_watch *watch, int64_t limit_ms)
{
    atomic_store(&watch->stall_ms, limit_ms);
}

bool anomaly_watch_is_stalled(const struct anomaly_watch *watch)
{
    return atomic_load(&watch->active[ANOMALY_PROGRESS_STALL]);
}

struct anomaly_watch *anomaly_watch_create(struct metric_registry *registry,
                                           const struct progress *progress)
{
    struct anomaly_watch *watch = memory_allocate_zeroed(1, sizeof(*watch));
    watch->progress = progress;
    watch->left_bytes = -1;
    watch->monitor = anomaly_monitor_create(anomaly_watch_tell, watch);
    add_families(watch, registry);
    return watch;
}

void anomaly_watch_destroy(struct anomaly_watch *watch)
{
    if (watch != NULL) {
        anomaly_monitor_destroy(watch->monitor);
        free(watch->work);
        free(watch);
    }
}
