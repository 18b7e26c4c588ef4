/*
 * Merging groups by a chain of nearest neighbours (Müllner 2011): from a group to its nearest one,
 * on to the nearest of that, until two are each other's nearest; these merge. The merges come out
 * in another order than by distance, and are sorted; both linkages here allow that.
 */
#include "design/cluster/cluster_points.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct merge {
    size_t left; /* a point of each group */
    size_t right;
    double distance;
    size_t order; /* keeps the sort stable */
};

struct chain {
    size_t count;
    enum cluster_linkage linkage;
    double *distances; /* pairs as in the matrix; a merged group has the place of its second part */
    size_t *sizes;     /* 0: merged into another group */
    size_t *links;     /* the chain */
    size_t link_count;
    struct merge *merges;
    size_t merge_count;
};

static double *pair(const struct chain *chain, size_t left, size_t right)
{
    size_t low = left < right ? left : right;
    size_t high = left < right ? right : left;
    return &chain->distances[low * (2 * chain->count - low - 1) / 2 + high - low - 1];
}

/* The distance of a third group to the two that become one: the formula of Lance and Williams.
 * Ward: distances are such that the squares grow by what the merge adds to the squared errors. */
static double combine(const struct chain *chain, size_t left, size_t right, size_t other,
                      double between)
{
    double to_left = *pair(chain, left, other);
    double to_right = *pair(chain, right, other);
    double left_size = (double)chain->sizes[left];
    double right_size = (double)chain->sizes[right];
    double size = (double)chain->sizes[other];
    if (chain->linkage == CLUSTER_AVERAGE) {
        return (left_size * to_left + right_size * to_right) / (left_size + right_size);
    }
    double square = ((left_size + size) * to_left * to_left +
                     (right_size + size) * to_right * to_right - size * between * between) /
                    (left_size + right_size + size);
    return square > 0 ? sqrt(square) : 0; /* rounding may leave less than nothing */
}

/* The group nearest to the chain's last; on equal distances the one before it in the chain, so that
 * the chain ends. */
static size_t find_nearest(const struct chain *chain, double *least)
{
    size_t last = chain->links[chain->link_count - 1];
    size_t found = last;
    *least = INFINITY;
    if (chain->link_count > 1) {
        found = chain->links[chain->link_count - 2];
        *least = *pair(chain, last, found);
    }
    for (size_t other = 0; other < chain->count; other++) {
        if (other != last && chain->sizes[other] > 0 && *pair(chain, last, other) < *least) {
            found = other;
            *least = *pair(chain, last, other);
        }
    }
    return found;
}

static void cluster_agglomerative_merge(struct chain *chain, size_t left, size_t right,
                                        double distance)
{
    chain->merges[chain->merge_count] = (struct merge){left, right, distance, chain->merge_count};
    chain->merge_count++;
    for (size_t other = 0; other < chain->count; other++) {
        if (other != left && other != right && chain->sizes[other] > 0) {
            *pair(chain, right, other) = combine(chain, left, right, other, distance);
        }
    }
    chain->sizes[right] += chain->sizes[left];
    chain->sizes[left] = 0;
}

static void begin_chain(struct chain *chain)
{
    size_t first = 0;
    while (chain->sizes[first] == 0) {
        first++;
    }
    chain->links[chain->link_count++] = first;
}

/* Follows the chain to its end, and merges the two groups there. */
static void find_merge(struct chain *chain)
{
    for (;;) {
        double distance = 0;
        size_t last = chain->links[chain->link_count - 1];
        size_t next = find_nearest(chain, &distance);
        bool ends = chain->link_count > 1 && next == chain->links[chain->link_count - 2];
        /* Distances that rounding changed could lead in a circle: it is cut. */
        if (ends || chain->link_count == chain->count) {
            chain->link_count = ends ? chain->link_count - 2 : 0;
            cluster_agglomerative_merge(chain, last < next ? last : next, last < next ? next : last,
                                        distance);
            return;
        }
        chain->links[chain->link_count++] = next;
    }
}

static void find_merges(struct chain *chain)
{
    while (chain->merge_count + 1 < chain->count) {
        if (chain->link_count == 0) {
            begin_chain(chain);
        }
        find_merge(chain);
    }
}

static int compare_merges(const void *left, const void *right)
{
    const struct merge *a = left;
    const struct merge *b = right;
    if (a->distance != b->distance) {
        return a->distance < b->distance ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static size_t root_of(size_t *parents, size_t point)
{
    while (parents[point] != point) {
        parents[point] = parents[parents[point]];
        point = parents[point];
    }
    return point;
}

/* Does the first merges, and numbers the groups that are left. `parents` and `numbers` have room
 * for the points. */
static void cluster_agglomerative_cut(const struct chain *chain, size_t clusters, size_t *parents,
                                      size_t *numbers, int32_t *labels)
{
    size_t found = 0;
    for (size_t point = 0; point < chain->count; point++) {
        parents[point] = point;
        numbers[point] = SIZE_MAX;
    }
    for (size_t i = 0; i + clusters < chain->count; i++) {
        parents[root_of(parents, chain->merges[i].left)] = root_of(parents, chain->merges[i].right);
    }
    for (size_t point = 0; point < chain->count; point++) {
        size_t root = root_of(parents, point);
        if (numbers[root] == SIZE_MAX) {
            numbers[root] = found++;
        }
        labels[point] = (int32_t)numbers[root];
    }
}

static void cluster_agglomerative_begin(struct chain *chain,
                                        const struct cluster_distances *distances)
{
    double *to = chain->distances;
    for (size_t left = 0; left < chain->count; left++) {
        chain->sizes[left] = 1;
        for (size_t right = left + 1; right < chain->count; right++) {
            *to++ = sqrt((double)cluster_distance(distances, left, right));
        }
    }
}

enum status cluster_agglomerative(const struct cluster_distances *distances,
                                  enum cluster_linkage linkage, size_t clusters,
                                  struct arena *arena, int32_t **labels, struct error *error)
{
    size_t count = cluster_distances_count(distances);
    struct chain chain = {.count = count, .linkage = linkage};
    void *pairs = NULL;
    void *sizes = NULL;
    void *merges = NULL;
    enum status status = cluster_check_count(clusters, count, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = STATUS_FAILED;
    if (cluster_allocate(count * (count - 1) / 2, sizeof(double), &pairs, error) != STATUS_OK ||
        cluster_allocate(2 * count, sizeof(size_t), &sizes, error) != STATUS_OK ||
        cluster_allocate(count, sizeof(struct merge), &merges, error) != STATUS_OK) {
        goto out;
    }
    chain.distances = pairs;
    chain.sizes = sizes;
    chain.links = chain.sizes + count;
    chain.merges = merges;
    cluster_agglomerative_begin(&chain, distances);
    find_merges(&chain);
    qsort(chain.merges, chain.merge_count, sizeof *chain.merges, compare_merges);
    *labels = arena_allocate(arena, count * sizeof **labels);
    cluster_agglomerative_cut(&chain, clusters, chain.sizes, chain.links, *labels);
    status = STATUS_OK;
out:
    free(pairs);
    free(sizes);
    free(merges);
    return status;
}
