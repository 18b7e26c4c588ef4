/*
 * Groups of points, and points in the plane. Deterministic: the same points give the same groups,
 * those of scikit-learn 1.5 and later with the same settings (but for ties and for differences in
 * the last bit).
 *
 * Results are the arena's. Points are borrowed, row after row. Too many points, or a setting out of
 * its range, is an error (ERROR_BAD_VALUE) before any work.
 */
#ifndef TRANSHUME_DESIGN_CLUSTER_H
#define TRANSHUME_DESIGN_CLUSTER_H

#include "base/arena.h"
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum {
    CLUSTER_POINTS_MAX = 100000,
    CLUSTER_PAIRED_POINTS_MAX = 5000, /* for what compares each point with each other */
    CLUSTER_WIDTH_MAX = 2048,
    CLUSTER_NOISE = -1 /* the label of a point that is in no group */
};

struct cluster_points {
    const float *values;
    size_t count;
    size_t width;
};

/* ---------------------------------------------------------------- k-means */

struct cluster_kmeans {
    int32_t *labels;
    float *centers; /* a row a cluster */
    double inertia; /* sum of the squared distances to the centers */
    unsigned iterations;
};

/* Lloyd's algorithm from one start by greedy k-means++: KMeans(n_clusters=clusters, n_init=1,
 * random_state=seed) of float32 points. As many points as clusters at least. */
enum status cluster_kmeans(const struct cluster_points *points, size_t clusters, uint32_t seed,
                           struct arena *arena, struct cluster_kmeans *out,
                           struct error *error) MUST_USE;

/*
 * Which number of clusters, from `least` to `most`, has the greatest silhouette; of equal ones the
 * smallest. The bounds are brought into 2 to points - 1. Where there are many numbers, some are
 * tried and then those around the best.
 */
struct cluster_choice {
    size_t clusters;
    double silhouette;
};
enum status cluster_choose(const struct cluster_points *points, size_t least, size_t most,
                           uint32_t seed, struct cluster_choice *out, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- by distances */

/* Squared Euclidean distances of all pairs: four bytes a pair. */
struct cluster_distances;
enum status cluster_distances_measure(const struct cluster_points *points,
                                      struct cluster_distances **out, struct error *error) MUST_USE;
void cluster_distances_free(struct cluster_distances *distances); /* NULL is fine */

/* How much nearer points are to their own cluster than to the next one: the mean of (b - a) /
 * max(a, b), from -1 to 1. Points of CLUSTER_NOISE are left out. With fewer than two clusters, or
 * as many as points, there is none: STATUS_END. */
enum status cluster_silhouette(const struct cluster_distances *distances, const int32_t *labels,
                               double *out) MUST_USE;

/* Groups of points of length 1 that are dense by cosine distance: DBSCAN(eps, min_samples,
 * metric="cosine"). `eps` 0: where the curve of the distances to the min_samples-th nearest point
 * bends most. */
struct cluster_dbscan {
    int32_t *labels; /* CLUSTER_NOISE: of no group */
    size_t clusters;
    double eps; /* that was used */
};
enum status cluster_dbscan(const struct cluster_distances *distances, double eps,
                           size_t min_samples, struct arena *arena, struct cluster_dbscan *out,
                           struct error *error) MUST_USE;

/* Merges the two nearest groups until `clusters` are left: AgglomerativeClustering(n_clusters,
 * linkage). Labels are numbered by the first point of each group. */
enum cluster_linkage { CLUSTER_WARD, CLUSTER_AVERAGE };
enum status cluster_agglomerative(const struct cluster_distances *distances,
                                  enum cluster_linkage linkage, size_t clusters,
                                  struct arena *arena, int32_t **labels,
                                  struct error *error) MUST_USE;

/* ---------------------------------------------------------------- a plane */

/* The two directions in which the points vary most, exactly: PCA(n_components=2), signs included. A
 * direction in which nothing varies is all zeros. */
struct cluster_plane {
    double *coordinates; /* two a point */
    double *directions;  /* two rows of the points' width */
    double variance[2];  /* along each */
    double ratio[2];     /* of the variance of all directions */
};
enum status cluster_pca(const struct cluster_points *points, struct arena *arena,
                        struct cluster_plane *out, struct error *error) MUST_USE;

#endif
