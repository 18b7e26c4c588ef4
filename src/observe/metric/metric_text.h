/* The registry as text: what is scraped, pushed, put beside a node's own metrics, or sent. */
#ifndef TRANSHUME_OBSERVE_METRIC_TEXT_H
#define TRANSHUME_OBSERVE_METRIC_TEXT_H

#include "base/buffer.h"
#include "base/error.h"
#include "observe/metric/metric_registry.h"

enum metric_format {
    METRIC_FORMAT_TEXT,       /* Prometheus's text format 0.0.4 */
    METRIC_FORMAT_OPENMETRICS /* OpenMetrics 1.0 */
};

/*
 * Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/
 * OpenMetrics: https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
void metric_append(struct metric_registry *registry, enum metric_format format, struct buffer *out);
/* "text/plain; version=0.0.4; charset=utf-8" or OpenMetrics's. */
const char *metric_content_type(enum metric_format format);
/* The format that an Accept header asks for; NULL or anything unknown: text. */
enum metric_format metric_format_accepted(const char *accept);

/* Replaces the file whole, for node_exporter's textfile collector, which reads *.prom. */
enum status metric_write_file(struct metric_registry *registry, const char *path,
                              struct error *error) MUST_USE;

#endif
