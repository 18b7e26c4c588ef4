/*
 * Sends the registry by StatsD over UDP, labels as DogStatsD's tags: counters as what was added
 * since the last time, gauges as they are, of histograms the count and the sum.
 * https://github.com/statsd/statsd/blob/master/docs/metric_types.md
 * https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/
 */
#ifndef TRANSHUME_OBSERVE_METRIC_STATSD_H
#define TRANSHUME_OBSERVE_METRIC_STATSD_H

#include "base/error.h"
#include "observe/metric/metric_registry.h"

struct metric_statsd;

/* `address`: net/address.h. Nobody answers in StatsD: whether anybody listens is not known. */
enum status metric_statsd_open(const char *address, struct metric_statsd **statsd,
                               struct error *error) MUST_USE;
void metric_statsd_send(struct metric_statsd *statsd, struct metric_registry *registry);
void metric_statsd_close(struct metric_statsd *statsd); /* takes NULL */

#endif
