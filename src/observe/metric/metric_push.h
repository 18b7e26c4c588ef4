/* Sends the registry to a Prometheus push gateway, for runs that end before anybody scrapes. */
#ifndef TRANSHUME_OBSERVE_METRIC_PUSH_H
#define TRANSHUME_OBSERVE_METRIC_PUSH_H

#include "base/buffer.h"
#include "base/error.h"

struct metric_push;

/*
 * `url`: of the gateway ("http://gateway:9091"), or of a group of it ("…/metrics/job/nightly"). A
 * gateway alone gets the group job="transhume", instance=HOSTNAME. Nothing is sent yet; what can't
 * be a URL is refused.
 * https://github.com/prometheus/pushgateway#api
 */
enum status metric_push_open(const char *url, struct metric_push **push,
                             struct error *error) MUST_USE;
/* Replaces the group's metrics (PUT) by `text` in METRIC_FORMAT_TEXT; waits two seconds at most. A
 * failure is a warning, once until it succeeds again. */
void metric_push_send(struct metric_push *push, const struct buffer *text);
void metric_push_close(struct metric_push *push); /* takes NULL */

#endif
