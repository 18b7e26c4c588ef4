#include "observe/anomaly/anomaly_detector.h"

#include <math.h>
#include <string.h>

void anomaly_detector_init(struct anomaly_detector *detector, const struct anomaly_options *options)
{
    *detector = (struct anomaly_detector){.options = *options};
    for (int i = 0; i < ANOMALY_BANDS; i++) {
        if (options->limit[i] > 0) {
            anomaly_window_init(&detector->bands[i].past, options->window);
        }
    }
}

void anomaly_detector_free(struct anomaly_detector *detector)
{
    for (int i = 0; i < ANOMALY_BANDS; i++) {
        anomaly_window_free(&detector->bands[i].past);
    }
}

void anomaly_detector_clear(struct anomaly_detector *detector)
{
    for (int i = 0; i < ANOMALY_BANDS; i++) {
        anomaly_window_clear(&detector->bands[i].past);
    }
    detector->count = 0;
    detector->up = detector->down = 0;
}

/* ---- bands */

struct limits {
    double center;
    double deviation;
    double low;
    double high;
};

static void find_limits(const struct anomaly_options *options, double limit,
                        const struct anomaly_window *past, struct limits *limits)
{
    double center = anomaly_window_quantile(past, 0.5);
    double floor = fmax(options->floor, options->floor_part * fabs(center));
    double deviation = fmax(anomaly_window_spread(past, center), floor);
    double below = options->reach * (center - anomaly_window_quantile(past, options->tail));
    double above = options->reach * (anomaly_window_quantile(past, 1 - options->tail) - center);
    limits->center = center;
    limits->deviation = deviation;
    limits->low = center - fmax(limit * deviation, below);
    limits->high = center + fmax(limit * deviation, above);
}

static double score_of(const struct limits *limits, double number)
{
    double way =
        number < limits->center ? limits->center - limits->low : limits->high - limits->center;
    return way > 0 ? (number - limits->center) / way : 0;
}

/* The number becomes past once `gap` others have come after it. */
static void learn_mean(struct anomaly_band *band, uint32_t gap, uint64_t count)
{
    if (gap == 0) {
        anomaly_window_add(&band->past, band->mean);
        return;
    }
    double *place = &band->recent[count % gap];
    if (count >= gap) {
        anomaly_window_add(&band->past, *place);
    }
    *place = band->mean;
}

/* A number counts for four deviations at most: one alone never does it. */
static double add_up(struct anomaly_detector *detector, const struct limits *limits, double number)
{
    enum { DEVIATIONS_MAX = 4 };
    const struct anomaly_options *options = &detector->options;
    double z = (number - limits->center) / limits->deviation;
    double clipped = fmax(-DEVIATIONS_MAX, fmin(DEVIATIONS_MAX, z));
    double most = 2 * options->cusum_limit; /* so that it comes down soon afterwards */
    detector->up = fmin(most, fmax(0, detector->up + clipped - options->cusum_slack));
    detector->down = fmin(most, fmax(0, detector->down - clipped - options->cusum_slack));
    return (detector->up >= detector->down ? detector->up : -detector->down) / options->cusum_limit;
}

static void anomaly_detector_judge(struct anomaly_detector *detector, int method, double number,
                                   struct anomaly_verdict *verdict)
{
    struct limits limits;
    const struct anomaly_options *options = &detector->options;
    const struct anomaly_band *band = &detector->bands[method];
    find_limits(options, options->limit[method], &band->past, &limits);
    verdict->scores[method] = score_of(&limits, band->mean);
    if (method == ANOMALY_ROBUST_Z) {
        verdict->center = limits.center;
        verdict->deviation = limits.deviation;
        verdict->low = limits.low;
        verdict->high = limits.high;
        if (options->cusum_limit > 0) {
            verdict->scores[ANOMALY_CUSUM] = add_up(detector, &limits, number);
        }
    }
}

void anomaly_detector_feed(struct anomaly_detector *detector, double number, bool learn,
                           struct anomaly_verdict *verdict)
{
    const struct anomaly_options *options = &detector->options;
    double jump = detector->count > 0 ? fabs(number - detector->last) : 0;
    memset(verdict, 0, sizeof(*verdict));
    for (int i = 0; i < ANOMALY_BANDS; i++) {
        struct anomaly_band *band = &detector->bands[i];
        double taken = i == ANOMALY_JUMPS ? jump : number;
        if (options->limit[i] <= 0) {
            continue;
        }
        band->mean =
            detector->count == 0 ? taken : band->mean + options->weight[i] * (taken - band->mean);
        if (band->past.count >= options->least) {
            anomaly_detector_judge(detector, i, number, verdict);
        }
        if (learn) {
            learn_mean(band, options->gap, detector->count);
        }
    }
    for (int i = 0; i < ANOMALY_METHODS; i++) {
        if (fabs(verdict->scores[i]) > fabs(verdict->score)) {
            verdict->score = verdict->scores[i];
            verdict->method = (enum anomaly_method)i;
        }
    }
    detector->last = number;
    detector->count += learn;
}
