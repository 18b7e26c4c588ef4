/* Families, series and cells. Everything lives in one arena under one mutex; the hot path touches
 * atomics alone. */
#include "observe/metric/metric_registry.h"

#include "base/arena.h"
#include "base/memory.h"
#include "base/text.h"
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { HASH_BYTES = 17 };

struct metric_histogram {
    const double *bounds;
    uint32_t bound_count;
    _Atomic uint64_t counts[METRIC_BUCKETS_MAX + 1];
    _Atomic uint64_t sum_bits; /* of a double */
};

struct series {
    struct series *next;
    const struct metric_label *labels;
    uint32_t label_count;
    metric_reader reader;
    const void *context;
    _Atomic uint64_t cell;              /* of metric_cell */
    struct metric_histogram *histogram; /* NULL: it is none */
};

struct metric_family {
    struct metric_family *next;
    struct metric_registry *registry;
    enum metric_type type;
    const char *name;
    const char *unit;
    const char *help;
    struct series *first;
    struct series **last;
    uint32_t series_count;
};

struct metric_registry {
    pthread_mutex_t mutex;
    struct arena *arena;
    struct metric_family *first;
    struct metric_family **last;
};

struct metric_registry *metric_registry_create(void)
{
    struct metric_registry *registry = memory_allocate_zeroed(1, sizeof(*registry));
    pthread_mutex_init(&registry->mutex, NULL);
    registry->arena = arena_create(0);
    registry->last = &registry->first;
    return registry;
}

void metric_registry_destroy(struct metric_registry *registry)
{
    if (registry != NULL) {
        pthread_mutex_destroy(&registry->mutex);
        arena_destroy(registry->arena);
        free(registry);
    }
}

struct metric_family *metric_family_add(struct metric_registry *registry, enum metric_type type,
                                        const char *name, const char *unit, const char *help)
{
    pthread_mutex_lock(&registry->mutex);
    struct metric_family *family = arena_allocate_zeroed(registry->arena, 1, sizeof(*family));
    *family = (struct metric_family){.registry = registry,
                                     .type = type,
                                     .name = name,
                                     .unit = unit,
                                     .help = help,
                                     .last = &family->first};
    *registry->last = family;
    registry->last = &family->next;
    pthread_mutex_unlock(&registry->mutex);
    return family;
}

/* Labels as series have them. */
struct clean_labels {
    struct metric_label labels[METRIC_LABELS_MAX];
    char texts[METRIC_LABELS_MAX][METRIC_VALUE_BYTES_MAX + 1];
};

/* Prometheus refuses all that a scrape brings for one byte that is no UTF-8. */
static const struct metric_label *clean(const struct metric_label *labels, uint32_t label_count,
                                        struct clean_labels *out)
{
    for (uint32_t i = 0; i < label_count; i++) {
        const char *value = labels[i].value;
        size_t length = strlen(value);
        out->labels[i] = labels[i];
        if (length > METRIC_VALUE_BYTES_MAX || !text_is_utf8(value, length)) {
            char *text = out->texts[i];
            text_printable(value, length, text, METRIC_VALUE_BYTES_MAX + 1 - HASH_BYTES);
            size_t used = strlen(text);
            snprintf(text + used, sizeof(out->texts[i]) - used, "~%016" PRIx64,
                     XXH3_64bits(value, length));
            out->labels[i].value = text;
        }
    }
    return out->labels;
}

static bool has_labels(const struct series *series, const struct metric_label *labels,
                       uint32_t label_count)
{
    bool same = series->label_count == label_count;
    for (uint32_t i = 0; i < label_count && same; i++) {
        same = strcmp(series->labels[i].name, labels[i].name) == 0 &&
               strcmp(series->labels[i].value, labels[i].value) == 0;
    }
    return same;
}

static struct series *metric_registry_find(const struct metric_family *family,
                                           const struct metric_label *labels, uint32_t label_count)
{
    struct series *series = family->first;
    while (series != NULL && !has_labels(series, labels, label_count)) {
        series = series->next;
    }
    return series;
}

static struct series *metric_registry_add(struct metric_family *family,
                                          const struct metric_label *labels, uint32_t label_count)
{
    struct arena *arena = family->registry->arena;
    struct series *series = arena_allocate_zeroed(arena, 1, sizeof(*series));
    struct metric_label *copies =
        arena_allocate_zeroed(arena, label_count + (size_t)1, sizeof(*copies));
    for (uint32_t i = 0; i < label_count; i++) {
        copies[i] =
            (struct metric_label){labels[i].name, arena_copy_string(arena, labels[i].value)};
    }
    series->labels = copies;
    series->label_count = label_count;
    *family->last = series;
    family->last = &series->next;
    family->series_count++;
    return series;
}

void metric_series_add(struct metric_family *family, const struct metric_label *labels,
                       uint32_t label_count, metric_reader reader, const void *context)
{
    struct clean_labels cleaned;
    pthread_mutex_lock(&family->registry->mutex);
    struct series *series =
        metric_registry_add(family, clean(labels, label_count, &cleaned), label_count);
    series->reader = reader;
    series->context = context;
    pthread_mutex_unlock(&family->registry->mutex);
}

double metric_read_uint64(const void *context)
{
    const _Atomic uint64_t *number = context;
    return (double)atomic_load_explicit(number, memory_order_relaxed);
}

double metric_read_thousandths(const void *context)
{
    const _Atomic int64_t *number = context;
    return (double)atomic_load_explicit(number, memory_order_relaxed) / 1000;
}

_Atomic uint64_t *metric_cell(struct metric_family *family, const struct metric_label *labels,
                              uint32_t label_count)
{
    struct clean_labels cleaned;
    struct metric_label others[METRIC_LABELS_MAX];
    labels = clean(labels, label_count, &cleaned);
    pthread_mutex_lock(&family->registry->mutex);
    struct series *series = metric_registry_find(family, labels, label_count);
    if (series == NULL && family->series_count >= METRIC_SERIES_MAX) {
        for (uint32_t i = 0; i < label_count; i++) {
            others[i] = (struct metric_label){labels[i].name, "other"};
        }
        labels = others;
        series = metric_registry_find(family, labels, label_count);
    }
    if (series == NULL) {
        series = metric_registry_add(family, labels, label_count);
        series->reader = metric_read_uint64;
        series->context = &series->cell;
    }
    pthread_mutex_unlock(&family->registry->mutex);
    return &series->cell;
}

struct metric_histogram *metric_histogram_add(struct metric_family *family,
                                              const struct metric_label *labels,
                                              uint32_t label_count, const double *bounds,
                                              uint32_t bound_count)
{
    struct clean_labels cleaned;
    pthread_mutex_lock(&family->registry->mutex);
    struct series *series =
        metric_registry_add(family, clean(labels, label_count, &cleaned), label_count);
    series->histogram =
        arena_allocate_zeroed(family->registry->arena, 1, sizeof(*series->histogram));
    series->histogram->bounds = bounds;
    series->histogram->bound_count = bound_count;
    pthread_mutex_unlock(&family->registry->mutex);
    return series->histogram;
}

static double double_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

void metric_histogram_observe(struct metric_histogram *histogram, double value)
{
    uint32_t bucket = 0;
    while (bucket < histogram->bound_count && value > histogram->bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&histogram->counts[bucket], 1, memory_order_relaxed);
    uint64_t old = atomic_load_explicit(&histogram->sum_bits, memory_order_relaxed);
    uint64_t new;
    do {
        double sum = double_of(old) + value;
        memcpy(&new, &sum, sizeof(new));
    } while (!atomic_compare_exchange_weak_explicit(&histogram->sum_bits, &old, new,
                                                    memory_order_relaxed, memory_order_relaxed));
}

/* ---- showing */

static void read_histogram(const struct metric_histogram *histogram,
                           struct metric_distribution *distribution)
{
    distribution->bounds = histogram->bounds;
    distribution->bound_count = histogram->bound_count;
    for (uint32_t i = 0; i <= histogram->bound_count; i++) {
        distribution->counts[i] = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
    }
    distribution->sum = double_of(atomic_load_explicit(&histogram->sum_bits, memory_order_relaxed));
}

static void visit_family(const struct metric_family *family,
                         void (*visit)(void *context, const struct metric_sample *sample),
                         void *context)
{
    struct metric_distribution distribution;
    struct metric_sample sample = {.type = family->type,
                                   .name = family->name,
                                   .unit = family->unit,
                                   .help = family->help,
                                   .first = true};
    for (const struct series *series = family->first; series != NULL; series = series->next) {
        sample.labels = series->labels;
        sample.label_count = series->label_count;
        if (series->histogram != NULL) {
            read_histogram(series->histogram, &distribution);
            sample.of = &distribution;
        } else {
            sample.value = series->reader(series->context);
            sample.of = NULL;
        }
        if (sample.of != NULL || !isnan(sample.value)) {
            visit(context, &sample);
            sample.first = false;
        }
    }
    if (sample.first) {
        sample.none = true;
        visit(context, &sample);
    }
}

void metric_registry_visit(struct metric_registry *registry,
                           void (*visit)(void *context, const struct metric_sample *sample),
                           void *context)
{
    pthread_mutex_lock(&registry->mutex);
    for (const struct metric_family *family = registry->first; family != NULL;
         family = family->next) {
        visit_family(family, visit, context);
    }
    pthread_mutex_unlock(&registry->mutex);
}
