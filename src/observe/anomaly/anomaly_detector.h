/*
 * Detectors over one series of numbers, each against a band that the series' own past makes:
 *   robust_z   the number itself is far from the median
 *   ewma       the exponentially weighted mean of the last numbers is far from where it used to be
 *   drift      the same with a longer mean
 *   jumps      the numbers jump more from one to the next than they used to
 *   cusum      small distances to one side have added up
 * Bands know that numbers next to each other depend on each other: a mean is compared with former
 * means, not with what it would be for independent numbers. Pure: no clock, no log.
 */
#ifndef TRANSHUME_OBSERVE_ANOMALY_ANOMALY_DETECTOR_H
#define TRANSHUME_OBSERVE_ANOMALY_ANOMALY_DETECTOR_H

#include "observe/anomaly/anomaly_window.h"

enum anomaly_method {
    ANOMALY_ROBUST_Z,
    ANOMALY_EWMA,
    ANOMALY_DRIFT,
    ANOMALY_JUMPS,
    ANOMALY_CUSUM,
    ANOMALY_METHODS
};
enum { ANOMALY_BANDS = ANOMALY_CUSUM, ANOMALY_GAP_MAX = 16 };

struct anomaly_options {
    uint32_t window; /* numbers that make the past; 8 bytes each and band */
    uint32_t least;  /* so many of them before anything is judged */
    uint32_t gap;    /* the newest numbers, which are not yet past */
    /* The band reaches from the median as far as `limit` deviations (1.4826 times the median
     * absolute one), and as far as `reach` times the way to the quantile `tail` on that side. */
    double limit[ANOMALY_BANDS];  /* 0: the method is left out */
    double weight[ANOMALY_BANDS]; /* of the newest number in the mean; 1: the number itself */
    double tail;
    double reach;
    double floor; /* the least deviation, and as a part of the median */
    double floor_part;
    double cusum_slack; /* in deviations: distances below it do not add up */
    double cusum_limit; /* 0: left out */
};

struct anomaly_band {
    struct anomaly_window past;
    double recent[ANOMALY_GAP_MAX];
    double mean;
};

struct anomaly_detector {
    struct anomaly_options options;
    struct anomaly_band bands[ANOMALY_BANDS];
    uint64_t count; /* numbers learned */
    double last;
    double up;
    double down;
};

/* The verdict on a number: `score` 1 or more, and it is outside. */
struct anomaly_verdict {
    double score; /* of the method that finds it farthest outside, below 0: on the lower side; 0:
                     there is no past yet */
    enum anomaly_method method;
    double scores[ANOMALY_METHODS];
    double center; /* of robust_z's band */
    double deviation;
    double low;
    double high;
};

void anomaly_detector_init(struct anomaly_detector *detector,
                           const struct anomaly_options *options);
void anomaly_detector_free(struct anomaly_detector *detector);
/* Forgets all: what comes is another series. */
void anomaly_detector_clear(struct anomaly_detector *detector);
/* `learn` false: it is judged, and leaves no trace in the past. */
void anomaly_detector_feed(struct anomaly_detector *detector, double number, bool learn,
                           struct anomaly_verdict *verdict);

#endif
