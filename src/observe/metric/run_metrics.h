/* The metrics of a run: its progress, its events, its process. */
#ifndef TRANSHUME_OBSERVE_METRIC_RUN_METRICS_H
#define TRANSHUME_OBSERVE_METRIC_RUN_METRICS_H

#include "base/log.h"
#include "observe/metric/metric_registry.h"
#include "observe/progress.h"

/* Who is who. Texts are copied. */
struct run_identity {
    const char *run;    /* its id */
    const char *kind;   /* "copy", "rejects", "repair", "validation", "rollback" */
    const char *source; /* the kind of database: "postgres" */
    const char *target;
    int64_t data_at_us;          /* UTC: the moment of the source that is copied; 0: not known */
    uint64_t memory_limit_bytes; /* --memory */
    int64_t stall_ms;            /* --stall; 0: not known */
};

struct run_metrics;

/*
 * Registers all families. `progress` is read as long as the registry is; its entities from
 * PROGRESS_COPY on, when run_metrics_tick adds their series: of the first METRIC_SERIES_MAX - 1
 * tables each, of the others together as "other".
 */
struct run_metrics *run_metrics_create(struct metric_registry *registry, struct progress *progress)
    __attribute__((returns_nonnull));
void run_metrics_destroy(struct run_metrics *metrics); /* after the registry's last reader */

/* Adds the series that carry the run's id; only the first call counts. One thread at a time calls
 * this and the next three. */
void run_metrics_identify(struct run_metrics *metrics, const struct run_identity *identity);
/* Once a second: rates, time left, memory. */
void run_metrics_tick(struct run_metrics *metrics);
/* The run has ended: its duration is known. */
void run_metrics_end(struct run_metrics *metrics, double seconds);
/* Records of the table that a validation found to be missing, different or extra. */
void run_metrics_count_mismatches(struct run_metrics *metrics, const char *table, uint64_t count);

/* Counts it: errors and retries by code, chunks with their times, the state of the run. Any thread.
 */
void run_metrics_hear(struct run_metrics *metrics, const struct log_record *record);

#endif
