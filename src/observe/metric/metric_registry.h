/*
 * The registry of metrics: every number that a run shows, named by the rules of Prometheus.
 *
 * A number lives where it is counted, as an atomic of struct progress for instance, and the
 * registry knows how to read it. Counting costs nothing more than it did. Scrapes, the textfile,
 * the push gateway and StatsD all walk the one registry.
 *
 * Names, help and label names are constant texts. Label values are copied; they come from
 * databases, so one that is no UTF-8 or longer than METRIC_VALUE_BYTES_MAX is shown as printable
 * text with a hash behind it. Sets of values are bounded (METRIC_SERIES_MAX cells a family, the
 * rest is one series "other").
 *
 * Rules of names: https://prometheus.io/docs/practices/naming/
 */
#ifndef TRANSHUME_OBSERVE_METRIC_REGISTRY_H
#define TRANSHUME_OBSERVE_METRIC_REGISTRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metric_type {
    METRIC_COUNTER, /* its name ends in _total */
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_INFO,   /* always 1, and its labels say it; its name ends in _info */
    METRIC_UNTYPED /* a gauge whose name a type of its own would forbid */
};

enum {
    METRIC_LABELS_MAX = 6,
    METRIC_VALUE_BYTES_MAX = 160,
    METRIC_SERIES_MAX = 100,
    METRIC_BUCKETS_MAX = 24
};

struct metric_label {
    const char *name;
    const char *value;
};

struct metric_registry;
struct metric_family;

/* Reads one number; any thread, at any time before the registry is destroyed. NAN: it is not known
 * now, and the series is left out. */
typedef double (*metric_reader)(const void *context);

/* A distribution. Any thread observes; the sum is in units of the family's. */
struct metric_histogram;

struct metric_registry *metric_registry_create(void) __attribute__((returns_nonnull));
void metric_registry_destroy(struct metric_registry *registry); /* takes NULL */

/* A family, in the order in which they are shown. `unit`: "seconds", "bytes", "ratio" or NULL, and
 * the name ends in it (before _total). */
struct metric_family *metric_family_add(struct metric_registry *registry, enum metric_type type,
                                        const char *name, const char *unit, const char *help)
    __attribute__((returns_nonnull));

/* A series of the family that is read by `reader`. */
void metric_series_add(struct metric_family *family, const struct metric_label *labels,
                       uint32_t label_count, metric_reader reader, const void *context);
/* Readers for series whose context is an atomic number, or one in thousandths. */
double metric_read_uint64(const void *context);      /* _Atomic uint64_t */
double metric_read_thousandths(const void *context); /* _Atomic int64_t */

/* The cell of the series with these labels, made at the first call; any thread. Its owner is the
 * registry. */
_Atomic uint64_t *metric_cell(struct metric_family *family, const struct metric_label *labels,
                              uint32_t label_count) __attribute__((returns_nonnull));

/* A series of a family of METRIC_HISTOGRAM. `bounds` ascend, without +Inf, constant. */
struct metric_histogram *
metric_histogram_add(struct metric_family *family, const struct metric_label *labels,
                     uint32_t label_count, const double *bounds, uint32_t bound_count)
    __attribute__((returns_nonnull));
void metric_histogram_observe(struct metric_histogram *histogram, double value);

/* ---- for those who show them */

/* The counts of a histogram at one moment; counts[i] are those up to bounds[i] and above the bound
 * before it, and the last one those above all. */
struct metric_distribution {
    const double *bounds;
    uint32_t bound_count;
    uint64_t counts[METRIC_BUCKETS_MAX + 1];
    double sum;
};

struct metric_sample {
    enum metric_type type;
    const char *name;
    const char *unit; /* NULL: it has none */
    const char *help;
    bool first; /* of its family */
    bool none;  /* the family has no series yet: what follows here is not set */
    const struct metric_label *labels;
    uint32_t label_count;
    double value;                         /* not of a histogram */
    const struct metric_distribution *of; /* of a histogram; else NULL */
};

/* Calls `visit` for every series, family by family, and once for a family without any. The registry
 * is locked meanwhile: `visit` adds nothing and is quick. */
void metric_registry_visit(struct metric_registry *registry,
                           void (*visit)(void *context, const struct metric_sample *sample),
                           void *context);

#endif
