/*
 * The anomaly monitor of a run that goes on: takes a sample a second of its progress, its events
 * and its process, tells of what it finds through the log (EVENT_ANOMALY), and shows
 *   transhume_anomaly_active{series,detector}   1: it goes on
 *   transhume_anomaly_score{series,detector}    1 or above: outside of what is in order
 */
#ifndef TRANSHUME_OBSERVE_ANOMALY_ANOMALY_WATCH_H
#define TRANSHUME_OBSERVE_ANOMALY_ANOMALY_WATCH_H

#include "base/log.h"
#include "observe/metric/metric_registry.h"
#include "observe/progress.h"

struct anomaly_watch;

/* Both are used until it is destroyed; the registry's readers until that is. */
struct anomaly_watch *anomaly_watch_create(struct metric_registry *registry,
                                           const struct progress *progress)
    __attribute__((returns_nonnull));
void anomaly_watch_destroy(struct anomaly_watch *watch); /* takes NULL */

/* The limit of --memory; more than the process should need at all is worked out from it. */
void anomaly_watch_set_memory(struct anomaly_watch *watch, uint64_t limit_bytes);
/* The limit of --stall; 0: none. */
void anomaly_watch_set_stall(struct anomaly_watch *watch, int64_t limit_ms);
/* Does the run stand still, by the check progress.stall as of the last tick? Any thread. */
bool anomaly_watch_is_stalled(const struct anomaly_watch *watch);
/* Once a second; one thread, as the next one. */
void anomaly_watch_tick(struct anomaly_watch *watch);
/* The run is over: what goes on ends. */
void anomaly_watch_end(struct anomaly_watch *watch);
/* Hears of pauses; any thread. */
void anomaly_watch_hear(struct anomaly_watch *watch, const struct log_record *record);

#endif
