/*
 * Watches one run by a sample a second, and finds what is out of order in it. Pure: time comes with
 * the samples, findings go to a function; recorded runs are replayed through it
 * (tests/anomaly_probe). It keeps less than 16 KiB, whatever the run.
 *
 * What the run says of itself keeps it quiet: speed is compared only within one phase and one
 * table, once they have been under way for some seconds, not while the run is held by a pause that
 * was asked for, and not when there is less left to do than workers to do it.
 */
#ifndef TRANSHUME_OBSERVE_ANOMALY_ANOMALY_MONITOR_H
#define TRANSHUME_OBSERVE_ANOMALY_ANOMALY_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

/* A run at one moment. Numbers that count go up from the run's beginning on. */
struct anomaly_sample {
    int64_t at_ms;    /* any clock that goes on steadily */
    uint32_t phase;   /* another number: another phase */
    uint32_t scope;   /* what is mainly worked on (a table): speeds compare within it */
    bool moves;       /* a phase that moves records, and some are left */
    bool held;        /* it waits because it was asked to */
    int64_t moved_ms; /* another number: something moved, whether or not it is counted yet */
    int64_t stall_ms; /* without movement for so long: a stall at the latest; 0: not said */
    uint64_t records; /* done: written, rejected or skipped */
    uint64_t bytes;
    uint64_t rejected;
    uint64_t retries;
    uint64_t chunks_left;
    uint32_t workers;      /* 0: not known */
    double resident_bytes; /* this and the next: 0: not known */
    double memory_bound_bytes;
    double lag_seconds;       /* behind the source's changes; below 0: not known */
    double retention_seconds; /* until the source drops changes that are not read yet; likewise */
};

/* The number that is looked at, and how: in pairs, which label transhume_anomaly_score. */
enum anomaly_check {
    ANOMALY_THROUGHPUT_ROBUST_Z,
    ANOMALY_THROUGHPUT_EWMA,
    ANOMALY_THROUGHPUT_DRIFT,
    ANOMALY_THROUGHPUT_CUSUM,
    ANOMALY_THROUGHPUT_SLOW, /* below half of what it was */
    ANOMALY_PROGRESS_STALL,
    ANOMALY_REJECTS_WILSON, /* surely above 1 % */
    ANOMALY_RETRIES_CUSUM,
    ANOMALY_MEMORY_BOUND, /* above 80 % of it */
    ANOMALY_MEMORY_GROWTH,
    ANOMALY_LAG_GROWTH,
    ANOMALY_RETENTION_LEFT,
    ANOMALY_CHECKS
};

struct anomaly_finding {
    enum anomaly_check check;
    const char *series;   /* "throughput" */
    const char *detector; /* "robust_z" */
    const char *unit;     /* of the next three */
    double value;
    double low; /* what would be in order; NAN: no bound on that side */
    double high;
    uint32_t window_seconds; /* what it was compared with */
    int64_t since_ms;        /* when it began, before it was sure */
    int64_t at_ms;
    bool ended;       /* it is over */
    const char *hint; /* what to do */
};

struct anomaly_monitor;

/* `tell` hears of each finding when it begins and when it ends. */
struct anomaly_monitor *anomaly_monitor_create(void (*tell)(void *context,
                                                            const struct anomaly_finding *finding),
                                               void *context) __attribute__((returns_nonnull));
void anomaly_monitor_destroy(struct anomaly_monitor *monitor); /* takes NULL */
void anomaly_monitor_feed(struct anomaly_monitor *monitor, const struct anomaly_sample *sample);
/* The run is over: what is active ends. */
void anomaly_monitor_end(struct anomaly_monitor *monitor, int64_t at_ms);

/* The score of the last sample: 1 or above is outside of what is in order. */
double anomaly_monitor_score(const struct anomaly_monitor *monitor, enum anomaly_check check);
bool anomaly_monitor_is_active(const struct anomaly_monitor *monitor, enum anomaly_check check);
const char *anomaly_check_series(enum anomaly_check check);
const char *anomaly_check_detector(enum anomaly_check check);

#endif
