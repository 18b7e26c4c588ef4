/* The last numbers of a series, kept in order of time and of size: median and spread in one look.
 */
#ifndef TRANSHUME_OBSERVE_ANOMALY_ANOMALY_WINDOW_H
#define TRANSHUME_OBSERVE_ANOMALY_ANOMALY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* 8 bytes a number. */
struct anomaly_window {
    float *ring;
    float *sorted;
    uint32_t capacity;
    uint32_t count;
    uint32_t next;
};

void anomaly_window_init(struct anomaly_window *window, uint32_t capacity);
void anomaly_window_free(struct anomaly_window *window);
void anomaly_window_clear(struct anomaly_window *window);
/* The oldest one goes when it is full. A number that is not finite is left out. */
void anomaly_window_add(struct anomaly_window *window, double number);
/* The quantile at `part`, of 0..1; 0 where the window is empty. */
double anomaly_window_quantile(const struct anomaly_window *window, double part);
/* Median of the distances from `center`, times 1.4826: the standard deviation of a normal series
 * whose outliers do not count. */
double anomaly_window_spread(const struct anomaly_window *window, double center);

#endif
