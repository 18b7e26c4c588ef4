/* Limits, and the distances of all pairs of points. */
#include "design/cluster/cluster_points.h"

#include "base/memory.h"
#include "design/linear/linear.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* The pairs (i, j) with i < j, row after row. */
struct cluster_distances {
    size_t count;
    float *squared;
};

enum status cluster_check_points(const struct cluster_points *points, size_t most,
                                 struct error *error)
{
    if (points->count < 1 || points->count > most) {
        return error_set(error, ERROR_BAD_VALUE, "clusters",
                         "%zu points can't be grouped in this way: 1 to %zu can", points->count,
                         most);
    }
    if (points->width < 1 || points->width > CLUSTER_WIDTH_MAX) {
        return error_set(error, ERROR_BAD_VALUE, "clusters",
                         "points of %zu values can't be grouped: 1 to %d can", points->width,
                         CLUSTER_WIDTH_MAX);
    }
    return STATUS_OK;
}

enum status cluster_check_count(size_t clusters, size_t points, struct error *error)
{
    if (clusters < 1 || clusters > points) {
        return error_set(error, ERROR_BAD_VALUE, "clusters", "%zu points can't make %zu clusters",
                         points, clusters);
    }
    return STATUS_OK;
}

enum status cluster_allocate(size_t count, size_t size, void **out, struct error *error)
{
    *out = calloc(count > 0 ? count : 1, size);
    return *out != NULL ? STATUS_OK
                        : error_set(error, ERROR_MEMORY, "clusters",
                                    "there is no memory for %zu values", count);
}

/* False: some distance is no finite number. */
static bool measure_all(const struct cluster_points *points, float *to)
{
    bool all_finite = true;
    for (size_t left = 0; left < points->count; left++) {
        for (size_t right = left + 1; right < points->count; right++) {
            *to = linear_squared_distance(points->values + left * points->width,
                                          points->values + right * points->width, points->width);
            all_finite = all_finite && isfinite(*to);
            to++;
        }
    }
    return all_finite;
}

enum status cluster_distances_measure(const struct cluster_points *points,
                                      struct cluster_distances **out, struct error *error)
{
    void *squared = NULL;
    size_t count = points->count;
    *out = NULL;
    if (cluster_check_points(points, CLUSTER_PAIRED_POINTS_MAX, error) != STATUS_OK ||
        cluster_allocate(count * (count - 1) / 2, sizeof(float), &squared, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cluster_distances *distances = memory_allocate(sizeof *distances);
    *distances = (struct cluster_distances){.count = count, .squared = squared};
    if (!measure_all(points, distances->squared)) {
        cluster_distances_free(distances);
        return error_set(error, ERROR_BAD_VALUE, "clusters",
                         "points whose values are no numbers, or too large, can't be grouped");
    }
    *out = distances;
    return STATUS_OK;
}

void cluster_distances_free(struct cluster_distances *distances)
{
    if (distances != NULL) {
        free(distances->squared);
        free(distances);
    }
}

float cluster_distance(const struct cluster_distances *distances, size_t left, size_t right)
{
    if (left == right) {
        return 0;
    }
    size_t low = left < right ? left : right;
    size_t high = left < right ? right : left;
    return distances->squared[low * (2 * distances->count - low - 1) / 2 + high - low - 1];
}

size_t cluster_distances_count(const struct cluster_distances *distances)
{
    return distances->count;
}
