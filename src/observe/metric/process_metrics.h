/* The process in numbers, named as Prometheus's client libraries name them. */
#ifndef TRANSHUME_OBSERVE_METRIC_PROCESS_METRICS_H
#define TRANSHUME_OBSERVE_METRIC_PROCESS_METRICS_H

#include "observe/metric/metric_registry.h"

/* process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds,
 * process_start_time_seconds. */
void process_metrics_add(struct metric_registry *registry);
/* The memory that is resident now; 0: the system does not say. */
uint64_t process_resident_bytes(void);

#endif
