/* A ring, and the same numbers sorted: one binary search and one move of memory a number. */
#include "observe/anomaly/anomaly_window.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void anomaly_window_init(struct anomaly_window *window, uint32_t capacity)
{
    *window = (struct anomaly_window){.capacity = capacity};
    window->ring = memory_allocate_zeroed(capacity, sizeof(*window->ring));
    window->sorted = memory_allocate_zeroed(capacity, sizeof(*window->sorted));
}

void anomaly_window_free(struct anomaly_window *window)
{
    free(window->ring);
    free(window->sorted);
    *window = (struct anomaly_window){0};
}

void anomaly_window_clear(struct anomaly_window *window)
{
    window->count = window->next = 0;
}

/* The first place whose number is not below. */
static uint32_t place_of(const struct anomaly_window *window, float number)
{
    uint32_t low = 0;
    uint32_t high = window->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (window->sorted[middle] < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void remove_oldest(struct anomaly_window *window)
{
    uint32_t at = place_of(window, window->ring[window->next]);
    window->count--;
    memmove(&window->sorted[at], &window->sorted[at + 1],
            (window->count - at) * sizeof(*window->sorted));
}

void anomaly_window_add(struct anomaly_window *window, double number)
{
    float kept = (float)number;
    if (!isfinite(kept)) {
        return;
    }
    if (window->count == window->capacity) {
        remove_oldest(window);
    }
    uint32_t at = place_of(window, kept);
    memmove(&window->sorted[at + 1], &window->sorted[at],
            (window->count - at) * sizeof(*window->sorted));
    window->sorted[at] = kept;
    window->count++;
    window->ring[window->next] = kept;
    window->next = (window->next + 1) % window->capacity;
}

double anomaly_window_quantile(const struct anomaly_window *window, double part)
{
    if (window->count == 0) {
        return 0;
    }
    double at = part * (window->count - 1);
    uint32_t below = (uint32_t)at;
    uint32_t above = below + 1 < window->count ? below + 1 : below;
    double share = at - below;
    return window->sorted[below] * (1 - share) + window->sorted[above] * share;
}

/* The nearest half of the numbers, taken one by one from the center outwards. */
double anomaly_window_spread(const struct anomaly_window *window, double center)
{
    uint32_t above = place_of(window, (float)center);
    uint32_t below = above;
    double distance = 0;
    for (uint32_t taken = 0; taken < (window->count + 1) / 2; taken++) {
        double down = below > 0 ? center - window->sorted[below - 1] : INFINITY;
        double up = above < window->count ? window->sorted[above] - center : INFINITY;
        if (down <= up) {
            distance = down;
            below--;
        } else {
            distance = up;
            above++;
        }
    }
    return 1.4826 * fmax(distance, 0);
}
