#include "observe/anomaly/anomaly_ratio.h"

#include <math.h>

void anomaly_wilson(double hits, double all, double deviations, double *low, double *high)
{
    if (all <= 0) {
        *low = 0;
        *high = 1;
        return;
    }
    double part = hits / all;
    double square = deviations * deviations;
    double center = part + square / (2 * all);
    double reach = deviations * sqrt(part * (1 - part) / all + square / (4 * all * all));
    double scale = 1 + square / all;
    *low = fmax(0, (center - reach) / scale);
    *high = fmin(1, (center + reach) / scale);
}

double anomaly_poisson_feed(struct anomaly_poisson *poisson, double count, double usual,
                            double times, double limit)
{
    double reference = usual * (times - 1) / log(times);
    poisson->sum = fmin(2 * limit, fmax(0, poisson->sum + count - reference));
    return poisson->sum / limit;
}
