/* Silhouettes (Rousseeuw 1987), and the number of clusters that has the best one. */
#include "design/cluster/cluster_points.h"

#include "base/memory.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* So many numbers of clusters are tried over the whole range, and so many around the best. */
enum { TRIES_WIDE = 24, TRIES_NEAR = 8 };

struct groups {
    size_t count;  /* one above the greatest label */
    size_t filled; /* labels that some point has */
    size_t points;
    size_t *sizes;
    double *sums; /* of the distances of one point to each group */
};

static void count_groups(const int32_t *labels, size_t points, struct groups *groups)
{
    *groups = (struct groups){0};
    for (size_t i = 0; i < points; i++) {
        if (labels[i] >= 0 && (size_t)labels[i] >= groups->count) {
            groups->count = (size_t)labels[i] + 1;
        }
    }
    groups->sizes = memory_allocate_zeroed(groups->count + 1, sizeof *groups->sizes);
    groups->sums = memory_allocate_zeroed(groups->count + 1, sizeof *groups->sums);
    for (size_t i = 0; i < points; i++) {
        if (labels[i] >= 0) {
            groups->filled += groups->sizes[labels[i]]++ == 0;
            groups->points++;
        }
    }
}

/* (b - a) / max(a, b): a the mean distance to its own group, b to the nearest other one. */
static double silhouette_of(const struct cluster_distances *distances, const int32_t *labels,
                            size_t point, struct groups *groups)
{
    size_t own = (size_t)labels[point];
    double nearest = INFINITY;
    if (groups->sizes[own] == 1) {
        return 0;
    }
    memset(groups->sums, 0, groups->count * sizeof *groups->sums);
    for (size_t other = 0; other < cluster_distances_count(distances); other++) {
        if (labels[other] >= 0) {
            groups->sums[labels[other]] += sqrt((double)cluster_distance(distances, point, other));
        }
    }
    for (size_t group = 0; group < groups->count; group++) {
        if (group != own && groups->sizes[group] > 0) {
            nearest = fmin(nearest, groups->sums[group] / (double)groups->sizes[group]);
        }
    }
    double within = groups->sums[own] / (double)(groups->sizes[own] - 1);
    double larger = fmax(within, nearest);
    return larger > 0 ? (nearest - within) / larger : 0;
}

enum status cluster_silhouette(const struct cluster_distances *distances, const int32_t *labels,
                               double *out)
{
    size_t points = cluster_distances_count(distances);
    struct groups groups;
    enum status status = STATUS_END;
    double sum = 0;
    count_groups(labels, points, &groups);
    if (groups.filled >= 2 && groups.filled < groups.points) {
        for (size_t point = 0; point < points; point++) {
            sum += labels[point] >= 0 ? silhouette_of(distances, labels, point, &groups) : 0;
        }
        *out = sum / (double)groups.points;
        status = STATUS_OK;
    }
    free(groups.sizes);
    free(groups.sums);
    return status;
}

/* ---------------------------------------------------------------- how many clusters */

struct search {
    const struct cluster_points *points;
    const struct cluster_distances *distances;
    uint32_t seed;
    struct cluster_choice *best; /* clusters 0: none yet */
};

static enum status try_number(const struct search *search, size_t clusters, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cluster_kmeans kmeans;
    double silhouette = 0;
    enum status status =
        cluster_kmeans(search->points, clusters, search->seed, arena, &kmeans, error);
    if (status == STATUS_OK) {
        struct cluster_choice *best = search->best;
        bool is_valid =
            cluster_silhouette(search->distances, kmeans.labels, &silhouette) == STATUS_OK;
        if (is_valid && (best->clusters == 0 || silhouette > best->silhouette ||
                         (silhouette >= best->silhouette && clusters < best->clusters))) {
            *best = (struct cluster_choice){clusters, silhouette};
        }
    }
    arena_destroy(arena);
    return status;
}

/* Numbers from `least` to `most`, at most `tries` of them, at equal ratios. */
static enum status try_numbers(const struct search *search, size_t least, size_t most, size_t tries,
                               struct error *error)
{
    size_t last = 0;
    size_t steps = most - least < tries ? most - least : tries - 1;
    for (size_t i = 0; i <= steps; i++) {
        double share = steps == 0 ? 0 : (double)i / (double)steps;
        size_t clusters =
            steps == most - least
                ? least + i
                : (size_t)lround((double)least * pow((double)most / (double)least, share));
        if (clusters > last) {
            last = clusters;
            if (try_number(search, clusters, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}

static enum status cluster_silhouette_choose(const struct search *search, size_t least, size_t most,
                                             struct error *error)
{
    if (try_numbers(search, least, most, TRIES_WIDE, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    size_t found = search->best->clusters;
    if (most - least < TRIES_WIDE || found == 0) {
        return STATUS_OK;
    }
    /* One step of the wide search is a ratio; what lies between two steps was not tried. */
    double ratio = pow((double)most / (double)least, 1.0 / (TRIES_WIDE - 1));
    size_t low = (size_t)fmax((double)least, ceil((double)found / ratio));
    size_t high = (size_t)fmin((double)most, floor((double)found * ratio));
    return try_numbers(search, low, high, TRIES_NEAR, error);
}

enum status cluster_choose(const struct cluster_points *points, size_t least, size_t most,
                           uint32_t seed, struct cluster_choice *out, struct error *error)
{
    struct cluster_distances *distances = NULL;
    *out = (struct cluster_choice){0};
    if (cluster_distances_measure(points, &distances, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct search search = {points, distances, seed, out};
    enum status status = STATUS_OK;
    least = least < 2 ? 2 : least;
    most = most > points->count - 1 ? points->count - 1 : most;
    if (least <= most) {
        status = cluster_silhouette_choose(&search, least, most, error);
    }
    if (status == STATUS_OK && out->clusters == 0) {
        *out = (struct cluster_choice){.clusters = 1}; /* too few points, or all alike */
    }
    cluster_distances_free(distances);
    return status;
}
