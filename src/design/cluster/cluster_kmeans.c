/*
 * k-means as scikit-learn does it on float32 points, in its order of operations: the points are
 * moved to mean 0; greedy k-means++ draws 2 + ln k candidates a center and keeps the one that
 * leaves the least potential; Lloyd's steps end when no label changes, or the centers move by less
 * than 1e-4 of the mean variance. Sums that decide what is drawn are of floats here because they
 * are there.
 */
#include "design/cluster/cluster_points.h"

#include "base/memory.h"
#include "design/cluster/cluster_random.h"
#include "design/linear/linear.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ITERATIONS_MAX = 300, TRIALS_MAX = 16, BLOCK = 240 };
#define TOLERANCE 1e-4

struct kmeans {
    const float *points; /* moved to mean 0 */
    size_t count;
    size_t width;
    size_t clusters;
    float tolerance;
    float *centers;
    float *centers_new;
    float *weights;  /* points in each cluster */
    float *norms;    /* squared, of the centers */
    float *products; /* a block of points × clusters */
    int32_t *labels;
    int32_t *labels_before;
};

/* ---------------------------------------------------------------- the first centers */

/* Where the candidates of k-means++ are weighed. */
struct seeding {
    float *closest;    /* squared distance of each point to its closest center */
    float *tried;      /* the same with the candidate */
    float *best;       /* the same with the best candidate so far */
    float *cumulative; /* sums of `closest` */
};

static const float *point_at(const struct kmeans *kmeans, size_t index)
{
    return kmeans->points + index * kmeans->width;
}

/* The potential with the point as one more center; `tried` has the distances. */
static float try_center(const struct kmeans *kmeans, size_t center, const float *closest,
                        float *tried)
{
    double potential = 0;
    for (size_t i = 0; i < kmeans->count; i++) {
        float distance = (float)linear_squared_distance_exact(point_at(kmeans, center),
                                                              point_at(kmeans, i), kmeans->width);
        tried[i] = closest != NULL && closest[i] < distance ? closest[i] : distance;
        potential += (double)tried[i];
    }
    return (float)potential;
}

/* The first place where the sums reach the value. */
static size_t cluster_kmeans_search(const float *cumulative, size_t count, double value)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((double)cumulative[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count ? low : count - 1;
}

static void swap(float **left, float **right)
{
    float *kept = *left;
    *left = *right;
    *right = kept;
}

/* The next center; the potential with it comes back. */
static float choose_center(const struct kmeans *kmeans, struct seeding *seeding, size_t trials,
                           float potential, struct cluster_random *random, size_t *center)
{
    double drawn[TRIALS_MAX];
    float least = FLT_MAX;
    float sum = 0;
    for (size_t trial = 0; trial < trials; trial++) {
        drawn[trial] = cluster_random_double(random) * (double)potential;
    }
    for (size_t i = 0; i < kmeans->count; i++) {
        sum += seeding->closest[i];
        seeding->cumulative[i] = sum;
    }
    for (size_t trial = 0; trial < trials; trial++) {
        size_t candidate = cluster_kmeans_search(seeding->cumulative, kmeans->count, drawn[trial]);
        float left = try_center(kmeans, candidate, seeding->closest, seeding->tried);
        if (trial == 0 || left < least) {
            least = left;
            *center = candidate;
            swap(&seeding->tried, &seeding->best);
        }
    }
    swap(&seeding->best, &seeding->closest);
    return least;
}

static void keep_center(struct kmeans *kmeans, size_t cluster, size_t point)
{
    memcpy(kmeans->centers + cluster * kmeans->width, point_at(kmeans, point),
           kmeans->width * sizeof *kmeans->centers);
}

static enum status choose_centers(struct kmeans *kmeans, uint32_t seed, struct error *error)
{
    struct cluster_random random;
    void *memory = NULL;
    if (cluster_allocate(4 * kmeans->count, sizeof(float), &memory, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    float *room = memory;
    struct seeding seeding = {room, room + kmeans->count, room + 2 * kmeans->count,
                              room + 3 * kmeans->count};
    size_t trials = 2 + (size_t)log((double)kmeans->clusters);
    cluster_random_seed(&random, seed);
    size_t center = cluster_random_choice(&random, kmeans->count);
    float potential = try_center(kmeans, center, NULL, seeding.closest);
    keep_center(kmeans, 0, center);
    for (size_t cluster = 1; cluster < kmeans->clusters; cluster++) {
        potential = choose_center(kmeans, &seeding, trials, potential, &random, &center);
        keep_center(kmeans, cluster, center);
    }
    free(memory);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- Lloyd's steps */

/* The nearest center of a point: |x - c|² but for |x|², which is the same for all centers. */
static int32_t nearest(const struct kmeans *kmeans, const float *products)
{
    int32_t found = 0;
    float least = kmeans->norms[0] - 2 * products[0];
    for (size_t cluster = 1; cluster < kmeans->clusters; cluster++) {
        float distance = kmeans->norms[cluster] - 2 * products[cluster];
        if (distance < least) {
            least = distance;
            found = (int32_t)cluster;
        }
    }
    return found;
}

static void assign(struct kmeans *kmeans)
{
    struct linear_packed *packed = linear_pack(kmeans->centers, kmeans->clusters, kmeans->width);
    for (size_t cluster = 0; cluster < kmeans->clusters; cluster++) {
        const float *center = kmeans->centers + cluster * kmeans->width;
        kmeans->norms[cluster] = linear_dot(center, center, kmeans->width);
    }
    for (size_t begin = 0; begin < kmeans->count; begin += BLOCK) {
        size_t count = kmeans->count - begin < BLOCK ? kmeans->count - begin : BLOCK;
        linear_multiply(point_at(kmeans, begin), count, packed, NULL, kmeans->products);
        for (size_t i = 0; i < count; i++) {
            kmeans->labels[begin + i] = nearest(kmeans, kmeans->products + i * kmeans->clusters);
        }
    }
    linear_packed_free(packed);
}

static void add_points(struct kmeans *kmeans)
{
    size_t width = kmeans->width;
    memset(kmeans->centers_new, 0, kmeans->clusters * width * sizeof *kmeans->centers_new);
    memset(kmeans->weights, 0, kmeans->clusters * sizeof *kmeans->weights);
    for (size_t i = 0; i < kmeans->count; i++) {
        float *sum = kmeans->centers_new + (size_t)kmeans->labels[i] * width;
        const float *point = point_at(kmeans, i);
        kmeans->weights[kmeans->labels[i]] += 1;
        for (size_t at = 0; at < width; at++) {
            sum[at] += point[at];
        }
    }
}

static size_t find_greatest(const float *values, size_t count)
{
    size_t found = 0;
    for (size_t i = 1; i < count; i++) {
        found = values[i] > values[found] ? i : found;
    }
    return found;
}

static void move_point(struct kmeans *kmeans, size_t index, size_t cluster)
{
    size_t width = kmeans->width;
    size_t old = (size_t)kmeans->labels[index];
    const float *point = point_at(kmeans, index);
    for (size_t at = 0; at < width; at++) {
        kmeans->centers_new[old * width + at] -= point[at];
        kmeans->centers_new[cluster * width + at] = point[at];
    }
    kmeans->weights[cluster] = 1;
    kmeans->weights[old] -= 1;
}

/* Clusters that had no points take those that are farthest from their centers, one each. */
static enum status relocate(struct kmeans *kmeans, struct error *error)
{
    void *memory = NULL;
    size_t width = kmeans->width;
    if (cluster_allocate(kmeans->count + kmeans->clusters, sizeof(float), &memory, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    float *distances = memory;
    float *weights_before = distances + kmeans->count;
    memcpy(weights_before, kmeans->weights, kmeans->clusters * sizeof *weights_before);
    for (size_t i = 0; i < kmeans->count; i++) {
        distances[i] = linear_squared_distance(
            point_at(kmeans, i), kmeans->centers + (size_t)kmeans->labels[i] * width, width);
    }
    bool all_alike = distances[find_greatest(distances, kmeans->count)] <= 0;
    for (size_t cluster = 0; cluster < kmeans->clusters && !all_alike; cluster++) {
        if (weights_before[cluster] <= 0) {
            size_t index = find_greatest(distances, kmeans->count);
            distances[index] = -1;
            move_point(kmeans, index, cluster);
        }
    }
    free(memory);
    return STATUS_OK;
}

/* Sums become means; a cluster that is empty all the same lies where the largest one does. */
static void average(struct kmeans *kmeans)
{
    size_t width = kmeans->width;
    size_t largest = 0;
    for (size_t cluster = 1; cluster < kmeans->clusters; cluster++) {
        largest = kmeans->weights[cluster] > kmeans->weights[largest] ? cluster : largest;
    }
    for (size_t cluster = 0; cluster < kmeans->clusters; cluster++) {
        float *center = kmeans->centers_new + cluster * width;
        float factor = kmeans->weights[cluster] > 0 ? 1.0F / kmeans->weights[cluster] : 0;
        for (size_t at = 0; at < width; at++) {
            center[at] =
                factor > 0 ? center[at] * factor : kmeans->centers_new[largest * width + at];
        }
    }
}

static float moved(const struct kmeans *kmeans)
{
    float sum = 0;
    for (size_t cluster = 0; cluster < kmeans->clusters; cluster++) {
        sum +=
            linear_squared_distance(kmeans->centers + cluster * kmeans->width,
                                    kmeans->centers_new + cluster * kmeans->width, kmeans->width);
    }
    return sum;
}

static enum status cluster_kmeans_step(struct kmeans *kmeans, struct error *error)
{
    assign(kmeans);
    add_points(kmeans);
    for (size_t cluster = 0; cluster < kmeans->clusters; cluster++) {
        if (kmeans->weights[cluster] <= 0) {
            if (relocate(kmeans, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            break;
        }
    }
    average(kmeans);
    return STATUS_OK;
}

static enum status iterate(struct kmeans *kmeans, unsigned *iterations, struct error *error)
{
    size_t label_bytes = kmeans->count * sizeof *kmeans->labels;
    bool settled = false;
    memset(kmeans->labels_before, 0xff, label_bytes);
    for (*iterations = 0; *iterations < ITERATIONS_MAX && !settled;) {
        if (cluster_kmeans_step(kmeans, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        float shift = moved(kmeans);
        swap(&kmeans->centers, &kmeans->centers_new);
        ++*iterations;
        settled = memcmp(kmeans->labels, kmeans->labels_before, label_bytes) == 0;
        if (!settled && shift <= kmeans->tolerance) {
            break;
        }
        memcpy(kmeans->labels_before, kmeans->labels, label_bytes);
    }
    if (!settled) {
        assign(kmeans);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- from points to clusters */

/* A copy with mean 0; `mean` has room for a point. */
static void center_points(const struct cluster_points *points, float *mean, float *copy)
{
    memset(mean, 0, points->width * sizeof *mean);
    for (size_t i = 0; i < points->count; i++) {
        for (size_t at = 0; at < points->width; at++) {
            mean[at] += points->values[i * points->width + at];
        }
    }
    for (size_t at = 0; at < points->width; at++) {
        mean[at] /= (float)points->count;
    }
    for (size_t i = 0; i < points->count; i++) {
        for (size_t at = 0; at < points->width; at++) {
            *copy++ = points->values[i * points->width + at] - mean[at];
        }
    }
}

static float tolerance_of(const struct kmeans *kmeans)
{
    double square = 0;
    for (size_t i = 0; i < kmeans->count * kmeans->width; i++) {
        square += (double)kmeans->points[i] * (double)kmeans->points[i];
    }
    return (float)(square / (double)kmeans->count / (double)kmeans->width * TOLERANCE);
}

static double inertia_of(const struct kmeans *kmeans)
{
    double sum = 0;
    for (size_t i = 0; i < kmeans->count; i++) {
        sum += (double)linear_squared_distance(
            point_at(kmeans, i), kmeans->centers + (size_t)kmeans->labels[i] * kmeans->width,
            kmeans->width);
    }
    return sum;
}

static void hand_over(const struct kmeans *kmeans, const float *mean, struct arena *arena,
                      struct cluster_kmeans *out)
{
    out->labels = arena_allocate(arena, kmeans->count * sizeof *out->labels);
    memcpy(out->labels, kmeans->labels, kmeans->count * sizeof *out->labels);
    out->centers = arena_allocate(arena, kmeans->clusters * kmeans->width * sizeof *out->centers);
    for (size_t cluster = 0; cluster < kmeans->clusters; cluster++) {
        for (size_t at = 0; at < kmeans->width; at++) {
            size_t place = cluster * kmeans->width + at;
            out->centers[place] = kmeans->centers[place] + mean[at];
        }
    }
    out->inertia = inertia_of(kmeans);
}

enum status cluster_kmeans(const struct cluster_points *points, size_t clusters, uint32_t seed,
                           struct arena *arena, struct cluster_kmeans *out, struct error *error)
{
    struct kmeans kmeans = {.count = points->count, .width = points->width, .clusters = clusters};
    void *memory = NULL;
    enum status status = cluster_check_points(points, CLUSTER_POINTS_MAX, error);
    if (status == STATUS_OK) {
        status = cluster_check_count(clusters, points->count, error);
    }
    size_t values = points->count * points->width;
    size_t center_values = clusters * points->width;
    if (status == STATUS_OK) {
        status = cluster_allocate(values + 2 * center_values + points->width + 2 * clusters +
                                      BLOCK * clusters + 2 * points->count,
                                  sizeof(float), &memory, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    float *room = memory;
    float *mean = room + values;
    center_points(points, mean, room);
    kmeans.points = room;
    kmeans.centers = mean + points->width;
    kmeans.centers_new = kmeans.centers + center_values;
    kmeans.weights = kmeans.centers_new + center_values;
    kmeans.norms = kmeans.weights + clusters;
    kmeans.products = kmeans.norms + clusters;
    kmeans.labels = (int32_t *)(void *)(kmeans.products + BLOCK * clusters);
    kmeans.labels_before = kmeans.labels + points->count;
    kmeans.tolerance = tolerance_of(&kmeans);
    status = choose_centers(&kmeans, seed, error);
    if (status == STATUS_OK) {
        status = iterate(&kmeans, &out->iterations, error);
    }
    if (status == STATUS_OK) {
        hand_over(&kmeans, mean, arena, out);
    }
    free(memory);
    return status;
}
