/* DBSCAN: Ester, Kriegel, Sander, Xu (1996). */
#include "design/cluster/cluster_points.h"

#include <stdlib.h>

static int compare_floats(const void *left, const void *right)
{
    float a = *(const float *)left;
    float b = *(const float *)right;
    return (a > b) - (a < b);
}

/* The value that would stand at `rank` if they were sorted (Hoare's selection). */
static float select_rank(float *values, size_t count, size_t rank)
{
    size_t low = 0;
    size_t high = count - 1;
    while (low < high) {
        float pivot = values[low + (high - low) / 2];
        size_t left = low;
        size_t right = high;
        for (;; left++, right--) {
            while (values[left] < pivot) {
                left++;
            }
            while (values[right] > pivot) {
                right--;
            }
            if (left >= right) {
                break;
            }
            float kept = values[left];
            values[left] = values[right];
            values[right] = kept;
        }
        if (rank <= right) {
            high = right;
        } else {
            low = right + 1;
        }
    }
    return values[rank];
}

/* The distance of a point to its `rank`-th nearest one, itself the first. */
static float distance_to(const struct cluster_distances *distances, size_t point, size_t rank,
                         float *room)
{
    size_t count = cluster_distances_count(distances);
    for (size_t other = 0; other < count; other++) {
        room[other] = cluster_distance(distances, point, other);
    }
    return select_rank(room, count, rank - 1);
}

/* Where the sorted distances lie farthest below the line from the first to the last. */
static double find_knee(const float *sorted, size_t count)
{
    size_t found = count - 1;
    double farthest = 0;
    double first = (double)sorted[0];
    double last = (double)sorted[count - 1];
    for (size_t i = 1; i + 1 < count; i++) {
        double line = first + (last - first) * (double)i / (double)(count - 1);
        if (line - (double)sorted[i] > farthest) {
            farthest = line - (double)sorted[i];
            found = i;
        }
    }
    return (double)sorted[found];
}

static enum status choose_eps(const struct cluster_distances *distances, size_t rank, double *eps,
                              struct error *error)
{
    size_t count = cluster_distances_count(distances);
    void *memory = NULL;
    if (cluster_allocate(2 * count, sizeof(float), &memory, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    float *curve = memory;
    for (size_t point = 0; point < count; point++) {
        curve[point] = distance_to(distances, point, rank, curve + count) / 2;
    }
    qsort(curve, count, sizeof *curve, compare_floats);
    *eps = find_knee(curve, count);
    free(memory);
    return STATUS_OK;
}

/* The points within reach of the point, itself included. */
static size_t find_neighbours(const struct cluster_distances *distances, size_t point, double eps,
                              size_t *neighbours)
{
    size_t found = 0;
    for (size_t other = 0; other < cluster_distances_count(distances); other++) {
        /* Half the squared distance of two points of length 1 is 1 - cosine. */
        if ((double)cluster_distance(distances, point, other) / 2 <= eps) {
            neighbours[found++] = other;
        }
    }
    return found;
}

/* Labels whatever can be reached from a dense point by way of dense points. */
struct growth {
    const struct cluster_distances *distances;
    double eps;
    size_t min_samples;
    size_t *neighbours;
    size_t *waiting; /* points in the group whose neighbours were not looked at */
    size_t waiting_count;
    int32_t *labels;
};

static void look_around(struct growth *growth, size_t point, int32_t label)
{
    size_t count = find_neighbours(growth->distances, point, growth->eps, growth->neighbours);
    if (count < growth->min_samples) {
        return; /* it stands at the border */
    }
    for (size_t i = 0; i < count; i++) {
        size_t other = growth->neighbours[i];
        if (growth->labels[other] == CLUSTER_NOISE) {
            growth->labels[other] = label;
            growth->waiting[growth->waiting_count++] = other;
        }
    }
}

static size_t grow_groups(struct growth *growth)
{
    size_t count = cluster_distances_count(growth->distances);
    int32_t label = 0;
    for (size_t point = 0; point < count; point++) {
        if (growth->labels[point] == CLUSTER_NOISE &&
            find_neighbours(growth->distances, point, growth->eps, growth->neighbours) >=
                growth->min_samples) {
            growth->labels[point] = label;
            look_around(growth, point, label);
            while (growth->waiting_count > 0) {
                look_around(growth, growth->waiting[--growth->waiting_count], label);
            }
            label++;
        }
    }
    return (size_t)label;
}

enum status cluster_dbscan(const struct cluster_distances *distances, double eps,
                           size_t min_samples, struct arena *arena, struct cluster_dbscan *out,
                           struct error *error)
{
    size_t count = cluster_distances_count(distances);
    void *memory = NULL;
    if (min_samples < 1 || min_samples > count || !(eps >= 0 && eps <= 2)) {
        return error_set(error, ERROR_BAD_VALUE, "clusters",
                         "DBSCAN wants a distance from 0 to 2 and 1 to %zu points, not %g and %zu",
                         count, eps, min_samples);
    }
    if (eps <= 0 && choose_eps(distances, min_samples, &eps, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (cluster_allocate(2 * count, sizeof(size_t), &memory, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    out->labels = arena_allocate(arena, count * sizeof *out->labels);
    for (size_t i = 0; i < count; i++) {
        out->labels[i] = CLUSTER_NOISE;
    }
    struct growth growth = {.distances = distances,
                            .eps = eps,
                            .min_samples = min_samples,
                            .neighbours = memory,
                            .waiting = (size_t *)memory + count,
                            .labels = out->labels};
    out->clusters = grow_groups(&growth);
    out->eps = eps;
    free(memory);
    return STATUS_OK;
}
