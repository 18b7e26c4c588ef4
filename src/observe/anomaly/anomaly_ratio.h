/* Counts of seconds: how sure is a ratio, and does a rare event become frequent? Pure. */
#ifndef TRANSHUME_OBSERVE_ANOMALY_ANOMALY_RATIO_H
#define TRANSHUME_OBSERVE_ANOMALY_ANOMALY_RATIO_H

#include <stdint.h>

/* The bounds of Wilson's interval for `hits` of `all` at so many deviations (2.576: 99 %). */
void anomaly_wilson(double hits, double all, double deviations, double *low, double *high);

/*
 * CUSUM of a Poisson count: what comes above a reference between the usual rate and `times` of it
 * adds up.
 */
struct anomaly_poisson {
    double sum;
};
/* Returns the sum as a part of `limit`. */
double anomaly_poisson_feed(struct anomaly_poisson *poisson, double count, double usual,
                            double times, double limit);

#endif
