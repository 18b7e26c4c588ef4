/* Clusters of points that can be checked by hand, and properties of random ones. */
#include "design/cluster/cluster.h"
#include "design/cluster/cluster_symmetric.h"
#include "support.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_near(double found, double expected, double most)
{
    if (!(fabs(found - expected) <= most)) {
        fail_msg("%.12g is not within %g of %.12g", found, most, expected);
    }
}

static void assert_labels(const int32_t *labels, const int32_t *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(labels[i], expected[i]);
    }
}

static struct cluster_distances *measure(const struct cluster_points *points)
{
    struct cluster_distances *distances = NULL;
    struct error error = {0};
    assert_int_equal(cluster_distances_measure(points, &distances, &error), STATUS_OK);
    return distances;
}

/* ---------------------------------------------------------------- k-means */

/* scikit-learn's own example: two columns of three points. */
static const float two_columns[] = {1, 2, 1, 4, 1, 0, 10, 2, 10, 4, 10, 0};

static void kmeans_of_two_columns(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct cluster_points points = {two_columns, 6, 2};
    struct cluster_kmeans found;
    struct error error = {0};
    assert_int_equal(cluster_kmeans(&points, 2, 0, arena, &found, &error), STATUS_OK);
    assert_labels(found.labels, (const int32_t[]){1, 1, 1, 0, 0, 0}, 6);
    assert_near(found.inertia, 16, 1e-5);
    assert_near((double)found.centers[0], 10, 1e-6);
    assert_near((double)found.centers[1], 2, 1e-6);
    assert_near((double)found.centers[2], 1, 1e-6);
    assert_int_equal(cluster_kmeans(&points, 6, 42, arena, &found, &error), STATUS_OK);
    assert_near(found.inertia, 0, 1e-9);
    assert_int_equal(cluster_kmeans(&points, 1, 42, arena, &found, &error), STATUS_OK);
    assert_labels(found.labels, (const int32_t[]){0, 0, 0, 0, 0, 0}, 6);
    assert_near(found.inertia, 6 * 4.5 * 4.5 + 16, 1e-4);
    arena_destroy(arena);
}

/* More clusters than different points: some stay empty, and no point is lost. */
static void kmeans_of_equal_points(void **state)
{
    (void)state;
    static const float values[] = {1, 1, 1, 1, 5, 5, 5, 5};
    struct arena *arena = arena_create(0);
    struct cluster_points points = {values, 8, 1};
    struct cluster_kmeans found;
    struct error error = {0};
    for (size_t clusters = 2; clusters <= 8; clusters++) {
        assert_int_equal(cluster_kmeans(&points, clusters, 42, arena, &found, &error), STATUS_OK);
        assert_near(found.inertia, 0, 0);
        for (size_t i = 0; i < 8; i++) {
            assert_int_equal(found.labels[i], found.labels[i / 4 * 4]);
            assert_true(found.labels[i] >= 0 && (size_t)found.labels[i] < clusters);
        }
        assert_int_not_equal(found.labels[0], found.labels[7]);
    }
    arena_destroy(arena);
}

/* Groups far apart are found whatever the seed, and each center is the mean of its points. */
static void kmeans_of_random_groups(void **state)
{
    (void)state;
    enum { GROUPS = 4, EACH = 15, COUNT = GROUPS * EACH, WIDTH = 9 };
    struct random random = random_start();
    for (long round = test_rounds(30); round > 0; round--) {
        float values[COUNT * WIDTH];
        struct arena *arena = arena_create(0);
        struct cluster_points points = {values, COUNT, WIDTH};
        struct cluster_kmeans found;
        struct error error = {0};
        for (size_t i = 0; i < COUNT * WIDTH; i++) {
            values[i] = (i % WIDTH == i / WIDTH / EACH ? 50.0F : 0) +
                        (float)random_between(&random, -1000, 1000) / 1000.0F;
        }
        assert_int_equal(
            cluster_kmeans(&points, GROUPS, (uint32_t)random_bits(&random), arena, &found, &error),
            STATUS_OK);
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(found.labels[i], found.labels[i / EACH * EACH]);
        }
        for (size_t group = 0; group < GROUPS; group++) {
            for (size_t at = 0; at < WIDTH; at++) {
                double mean = 0;
                for (size_t i = group * EACH; i < (group + 1) * EACH; i++) {
                    mean += (double)values[i * WIDTH + at] / EACH;
                }
                size_t label = (size_t)found.labels[group * EACH];
                assert_near((double)found.centers[label * WIDTH + at], mean, 1e-4);
            }
        }
        assert_true(found.iterations >= 1 && found.iterations <= 300);
        arena_destroy(arena);
    }
}

static void assert_refused(enum status status, struct error *error)
{
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(error->code, ERROR_BAD_VALUE);
    error_clear(error);
}

static void what_can_not_be_grouped(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct cluster_points points = {two_columns, 6, 2};
    struct cluster_points none = {two_columns, 0, 2};
    struct cluster_points flat = {two_columns, 6, 0};
    struct cluster_points many = {two_columns, CLUSTER_POINTS_MAX + 1, 2};
    struct cluster_points many_pairs = {two_columns, CLUSTER_PAIRED_POINTS_MAX + 1, 2};
    struct cluster_distances *distances = measure(&points);
    struct cluster_distances *refused = NULL;
    struct cluster_kmeans kmeans;
    struct cluster_dbscan dbscan;
    struct cluster_plane plane;
    struct cluster_choice choice;
    int32_t *labels = NULL;
    struct error error = {0};
    assert_refused(cluster_kmeans(&points, 0, 1, arena, &kmeans, &error), &error);
    assert_refused(cluster_kmeans(&points, 7, 1, arena, &kmeans, &error), &error);
    assert_refused(cluster_kmeans(&none, 1, 1, arena, &kmeans, &error), &error);
    assert_refused(cluster_kmeans(&flat, 1, 1, arena, &kmeans, &error), &error);
    assert_refused(cluster_kmeans(&many, 1, 1, arena, &kmeans, &error), &error);
    assert_refused(cluster_pca(&many, arena, &plane, &error), &error);
    assert_refused(cluster_pca(&none, arena, &plane, &error), &error);
    assert_refused(cluster_distances_measure(&many_pairs, &refused, &error), &error);
    assert_null(refused);
    struct cluster_points odd = {(const float[]){1, NAN, 2, INFINITY}, 2, 2};
    assert_refused(cluster_distances_measure(&odd, &refused, &error), &error);
    assert_null(refused);
    assert_refused(cluster_choose(&many_pairs, 2, 3, 1, &choice, &error), &error);
    assert_refused(cluster_agglomerative(distances, CLUSTER_WARD, 0, arena, &labels, &error),
                   &error);
    assert_refused(cluster_agglomerative(distances, CLUSTER_WARD, 7, arena, &labels, &error),
                   &error);
    assert_refused(cluster_dbscan(distances, 0.1, 0, arena, &dbscan, &error), &error);
    assert_refused(cluster_dbscan(distances, 0.1, 7, arena, &dbscan, &error), &error);
    assert_refused(cluster_dbscan(distances, 2.5, 2, arena, &dbscan, &error), &error);
    assert_refused(cluster_dbscan(distances, (double)NAN, 2, arena, &dbscan, &error), &error);
    cluster_distances_free(distances);
    cluster_distances_free(NULL);
    arena_destroy(arena);
}

/* ---------------------------------------------------------------- by distances */

/* On a line: 0 1 3 | 10 11 | 20. */
static const float line[] = {0, 1, 3, 10, 11, 20};

static void merges_on_a_line(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct cluster_points points = {line, 6, 1};
    struct cluster_distances *distances = measure(&points);
    struct error error = {0};
    static const int32_t expected[6][6] = {{0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 1},
                                           {0, 0, 0, 1, 1, 2}, {0, 0, 1, 2, 2, 3},
                                           {0, 0, 1, 2, 3, 4}, {0, 1, 2, 3, 4, 5}};
    for (size_t clusters = 1; clusters <= 6; clusters++) {
        int32_t *labels = NULL;
        /* of two merges of distance 1 the one that was found first */
        assert_int_equal(
            cluster_agglomerative(distances, CLUSTER_AVERAGE, clusters, arena, &labels, &error),
            STATUS_OK);
        assert_labels(labels, expected[clusters - 1], 6);
    }
    int32_t *labels = NULL;
    assert_int_equal(cluster_agglomerative(distances, CLUSTER_WARD, 3, arena, &labels, &error),
                     STATUS_OK);
    assert_labels(labels, expected[2], 6);
    cluster_distances_free(distances);

    points.count = 1;
    distances = measure(&points);
    assert_int_equal(cluster_agglomerative(distances, CLUSTER_WARD, 1, arena, &labels, &error),
                     STATUS_OK);
    assert_int_equal(labels[0], 0);
    cluster_distances_free(distances);
    arena_destroy(arena);
}

/* Points of few different values: many distances are equal, or nothing. */
static void merges_of_equal_points(void **state)
{
    (void)state;
    enum { COUNT = 40, WIDTH = 3 };
    struct random random = random_start();
    for (long round = test_rounds(50); round > 0; round--) {
        float values[COUNT * WIDTH];
        struct arena *arena = arena_create(0);
        struct cluster_points points = {values, COUNT, WIDTH};
        struct error error = {0};
        for (size_t i = 0; i < COUNT * WIDTH; i++) {
            values[i] = 0.1F * (float)random_below(&random, 2);
        }
        struct cluster_distances *distances = measure(&points);
        for (size_t clusters = 1; clusters <= COUNT; clusters++) {
            int32_t *labels = NULL;
            int32_t greatest = 0;
            enum cluster_linkage linkage = clusters % 2 == 0 ? CLUSTER_WARD : CLUSTER_AVERAGE;
            assert_int_equal(
                cluster_agglomerative(distances, linkage, clusters, arena, &labels, &error),
                STATUS_OK);
            for (size_t i = 0; i < COUNT; i++) {
                assert_true(labels[i] >= 0 && labels[i] <= greatest + 1);
                greatest = labels[i] > greatest ? labels[i] : greatest;
            }
            assert_int_equal(greatest + 1, clusters);
        }
        cluster_distances_free(distances);
        arena_destroy(arena);
    }
}

/* Ward would rather join two that are alone than add one to many. */
static void ward_is_not_average(void **state)
{
    (void)state;
    static const float values[] = {0, 0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F, 0.7F, 4, 8.5F};
    struct arena *arena = arena_create(0);
    struct cluster_points points = {values, 10, 1};
    struct cluster_distances *distances = measure(&points);
    struct error error = {0};
    int32_t *labels = NULL;
    assert_int_equal(cluster_agglomerative(distances, CLUSTER_AVERAGE, 2, arena, &labels, &error),
                     STATUS_OK);
    assert_int_equal(labels[8], 0);
    assert_int_equal(labels[9], 1);
    assert_int_equal(cluster_agglomerative(distances, CLUSTER_WARD, 2, arena, &labels, &error),
                     STATUS_OK);
    assert_int_equal(labels[8], 1);
    assert_int_equal(labels[9], 1);
    cluster_distances_free(distances);
    arena_destroy(arena);
}

static void silhouettes(void **state)
{
    (void)state;
    struct cluster_points points = {line, 6, 1};
    struct cluster_distances *distances = measure(&points);
    double found = 0;
    /* 0: a = 2, b = 10.5; 1: 1.5, 9.5; 3: 2.5, 7.5; 10: 1, 26/3; 11: 1, 9; 20: alone, 0 */
    double expected = ((10.5 - 2) / 10.5 + (9.5 - 1.5) / 9.5 + (7.5 - 2.5) / 7.5 +
                       (26.0 / 3 - 1) / (26.0 / 3) + (9.0 - 1) / 9.0) /
                      6;
    assert_int_equal(cluster_silhouette(distances, (const int32_t[]){0, 0, 0, 1, 1, 2}, &found),
                     STATUS_OK);
    assert_near(found, expected, 1e-6);
    /* a label that no point has, and points of none */
    assert_int_equal(
        cluster_silhouette(distances, (const int32_t[]){0, 0, 0, 7, 7, CLUSTER_NOISE}, &found),
        STATUS_OK);
    assert_near(found,
                ((10.5 - 2) / 10.5 + (9.5 - 1.5) / 9.5 + (7.5 - 2.5) / 7.5 +
                 (26.0 / 3 - 1) / (26.0 / 3) + (29.0 / 3 - 1) / (29.0 / 3)) /
                    5,
                1e-6);
    assert_int_equal(cluster_silhouette(distances, (const int32_t[]){0, 0, 0, 0, 0, 0}, &found),
                     STATUS_END);
    assert_int_equal(cluster_silhouette(distances, (const int32_t[]){0, 1, 2, 3, 4, 5}, &found),
                     STATUS_END);
    cluster_distances_free(distances);
}

/* Points on a circle, by their angles in degrees. */
static void make_circle(const int *angles, size_t count, float *values)
{
    for (size_t i = 0; i < count; i++) {
        values[2 * i] = cosf((float)angles[i] * (float)M_PI / 180);
        values[2 * i + 1] = sinf((float)angles[i] * (float)M_PI / 180);
    }
}

static void dense_groups_on_a_circle(void **state)
{
    (void)state;
    static const int angles[] = {0, 90, 2, 92, 4, 94, 200, 6, 12};
    enum { COUNT = sizeof angles / sizeof *angles };
    float values[2 * COUNT];
    struct arena *arena = arena_create(0);
    struct cluster_points points = {values, COUNT, 2};
    struct cluster_dbscan found;
    struct error error = {0};
    make_circle(angles, COUNT, values);
    struct cluster_distances *distances = measure(&points);
    /* within three degrees; 12 is not */
    double eps = 1 - cos(3 * M_PI / 180);
    assert_int_equal(cluster_dbscan(distances, eps, 3, arena, &found, &error), STATUS_OK);
    assert_labels(found.labels, (const int32_t[]){0, 1, 0, 1, 0, 1, -1, 0, -1}, COUNT);
    assert_int_equal(found.clusters, 2);
    /* within seven: 12 stands at the border of the first group */
    eps = 1 - cos(7 * M_PI / 180);
    assert_int_equal(cluster_dbscan(distances, eps, 3, arena, &found, &error), STATUS_OK);
    assert_labels(found.labels, (const int32_t[]){0, 1, 0, 1, 0, 1, -1, 0, 0}, COUNT);
    /* the third nearest is 2 to 4 degrees away for most: the bend is there */
    assert_int_equal(cluster_dbscan(distances, 0, 3, arena, &found, &error), STATUS_OK);
    assert_true(found.eps > 1 - cos(3 * M_PI / 180) && found.eps < 1 - cos(13 * M_PI / 180));
    assert_int_equal(found.labels[6], CLUSTER_NOISE);
    assert_int_equal(found.clusters, 2);
    cluster_distances_free(distances);
    arena_destroy(arena);
}

static void dbscan_of_equal_points(void **state)
{
    (void)state;
    static const float values[] = {1, 0, 1, 0, 1, 0};
    struct arena *arena = arena_create(0);
    struct cluster_points points = {values, 3, 2};
    struct cluster_distances *distances = measure(&points);
    struct cluster_dbscan found;
    struct error error = {0};
    assert_int_equal(cluster_dbscan(distances, 0, 2, arena, &found, &error), STATUS_OK);
    assert_labels(found.labels, (const int32_t[]){0, 0, 0}, 3);
    cluster_distances_free(distances);
    arena_destroy(arena);
}

static void choices_of_a_number(void **state)
{
    (void)state;
    enum { GROUPS = 5, EACH = 12, COUNT = GROUPS * EACH, WIDTH = 6 };
    struct random random = random_start();
    float values[COUNT * WIDTH];
    struct cluster_points points = {values, COUNT, WIDTH};
    struct cluster_choice found;
    struct error error = {0};
    for (size_t i = 0; i < COUNT * WIDTH; i++) {
        values[i] = (i % WIDTH == i / WIDTH / EACH ? 30.0F : 0) +
                    (float)random_between(&random, -1000, 1000) / 1000.0F;
    }
    assert_int_equal(cluster_choose(&points, 2, 12, 42, &found, &error), STATUS_OK);
    assert_int_equal(found.clusters, GROUPS);
    assert_true(found.silhouette > 0.9 && found.silhouette <= 1);
    /* more numbers than are tried at first */
    assert_int_equal(cluster_choose(&points, 0, 1000, 42, &found, &error), STATUS_OK);
    assert_int_equal(found.clusters, GROUPS);
    assert_int_equal(cluster_choose(&points, 7, 12, 42, &found, &error), STATUS_OK);
    assert_true(found.clusters >= 7 && found.clusters <= 12);
    points.count = 2;
    assert_int_equal(cluster_choose(&points, 2, 12, 42, &found, &error), STATUS_OK);
    assert_int_equal(found.clusters, 1);
}

/* ---------------------------------------------------------------- a plane */

enum { SIDE_MAX = 24, WANTED = 3 };

static double product(const double *left, const double *right, size_t count)
{
    double sum = 0;
    for (size_t at = 0; at < count; at++) {
        sum += left[at] * right[at];
    }
    return sum;
}

/* Rows of length 1, each orthogonal to the others. */
static void make_basis(struct random *random, size_t side, double *basis)
{
    for (size_t i = 0; i < side; i++) {
        double *row = basis + i * side;
        for (size_t at = 0; at < side; at++) {
            row[at] = (double)random_between(random, -1000, 1000) + 0.5;
        }
        for (size_t other = 0; other < 2 * i; other++) { /* twice, for what rounding leaves */
            const double *before = basis + other % i * side;
            double share = product(row, before, side);
            for (size_t at = 0; at < side; at++) {
                row[at] -= share * before[at];
            }
        }
        double length = sqrt(product(row, row, side));
        for (size_t at = 0; at < side; at++) {
            row[at] /= length;
        }
    }
}

/* A matrix that has these eigenvalues. */
static void make_matrix(const double *basis, const double *values, size_t side, double *matrix)
{
    memset(matrix, 0, side * side * sizeof *matrix);
    for (size_t i = 0; i < side; i++) {
        for (size_t at = 0; at < side * side; at++) {
            matrix[at] += values[i] * basis[i * side + at / side] * basis[i * side + at % side];
        }
    }
}

static void check_vectors(const double *matrix, size_t side, const double *values,
                          const double *vectors)
{
    size_t count = side < WANTED ? side : WANTED;
    for (size_t number = 0; number < count; number++) {
        const double *vector = vectors + number * side;
        for (size_t row = 0; row < side; row++) {
            assert_near(product(matrix + row * side, vector, side), values[number] * vector[row],
                        1e-8);
        }
        for (size_t other = 0; other <= number; other++) {
            assert_near(product(vector, vectors + other * side, side), other == number ? 1 : 0,
                        1e-9);
        }
    }
}

static void eigenvalues_of_random_matrices(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long round = test_rounds(200); round > 0; round--) {
        size_t side = 1 + random_below(&random, SIDE_MAX);
        double basis[SIDE_MAX * SIDE_MAX];
        double matrix[SIDE_MAX * SIDE_MAX];
        double copy[SIDE_MAX * SIDE_MAX];
        double expected[SIDE_MAX + WANTED] = {0};
        double values[WANTED];
        double vectors[WANTED * SIDE_MAX];
        double next = 1000;
        struct error error = {0};
        for (size_t i = 0; i < side; i++) { /* descending; now and then equal, or zero */
            next *= random_below(&random, 3) == 0 ? 1 : (double)random_below(&random, 100) / 100;
            expected[i] = next;
        }
        make_basis(&random, side, basis);
        make_matrix(basis, expected, side, matrix);
        memcpy(copy, matrix, side * side * sizeof *copy);
        assert_int_equal(cluster_symmetric_largest(copy, side, WANTED, values, vectors, &error),
                         STATUS_OK);
        for (size_t number = 0; number < WANTED; number++) {
            assert_near(values[number], expected[number], 1e-9);
        }
        check_vectors(matrix, side, values, vectors);
    }
}

/* An ellipse of points: its axes, their variances, and the signs. */
static void axes_of_an_ellipse(void **state)
{
    (void)state;
    static const float values[] = {3, 4, 3, 4, 3, 4};
    static const float cross[] = {10 + 6, 20 + 8, 10 - 6, 20 - 8, 10 - 4, 20 + 3, 10 + 4, 20 - 3};
    struct arena *arena = arena_create(0);
    struct cluster_points points = {cross, 4, 2};
    struct cluster_plane found;
    struct error error = {0};
    assert_int_equal(cluster_pca(&points, arena, &found, &error), STATUS_OK);
    assert_near(found.variance[0], 200.0 / 3, 1e-9);
    assert_near(found.variance[1], 50.0 / 3, 1e-9);
    assert_near(found.ratio[0], 0.8, 1e-12);
    assert_near(found.ratio[1], 0.2, 1e-12);
    assert_near(found.directions[0], 0.6, 1e-9);
    assert_near(found.directions[1], 0.8, 1e-9);
    assert_near(found.directions[2], 0.8, 1e-9); /* the greater entry is positive */
    assert_near(found.directions[3], -0.6, 1e-9);
    assert_near(found.coordinates[0], 10, 1e-9);
    assert_near(found.coordinates[2], -10, 1e-9);
    assert_near(found.coordinates[5], -5, 1e-9);

    /* equal points vary in no direction */
    points = (struct cluster_points){values, 3, 2};
    assert_int_equal(cluster_pca(&points, arena, &found, &error), STATUS_OK);
    for (size_t i = 0; i < 6; i++) {
        assert_true(found.coordinates[i] == 0);
    }
    assert_true(found.ratio[0] == 0 && found.ratio[1] == 0);
    arena_destroy(arena);
}

/* As many points as values and one more or fewer: from either matrix the same plane. */
static void both_ways_to_a_plane(void **state)
{
    (void)state;
    enum { WIDTH = 12, COUNT = 13 };
    struct random random = random_start();
    float values[COUNT * WIDTH];
    float padded[COUNT * 2 * WIDTH] = {0};
    struct arena *arena = arena_create(0);
    struct cluster_points points = {values, COUNT, WIDTH};
    struct cluster_points wide = {padded, COUNT, 2 * (size_t)WIDTH};
    struct cluster_plane found;
    struct cluster_plane again;
    struct error error = {0};
    for (size_t i = 0; i < COUNT * WIDTH; i++) {
        values[i] = (float)random_between(&random, -1000, 1000);
        padded[i / WIDTH * 2 * WIDTH + i % WIDTH] = values[i];
    }
    assert_int_equal(cluster_pca(&points, arena, &found, &error), STATUS_OK);
    assert_int_equal(cluster_pca(&wide, arena, &again, &error), STATUS_OK);
    for (size_t i = 0; i < 2 * COUNT; i++) {
        assert_near(found.coordinates[i], again.coordinates[i], 1e-6);
    }
    assert_near(found.ratio[0], again.ratio[0], 1e-12);
    assert_near(found.ratio[1], again.ratio[1], 1e-12);
    points.count = 1;
    assert_int_equal(cluster_pca(&points, arena, &found, &error), STATUS_OK);
    assert_true(found.coordinates[0] == 0 && found.coordinates[1] == 0);
    points.count = 2; /* a line */
    assert_int_equal(cluster_pca(&points, arena, &found, &error), STATUS_OK);
    assert_near(found.ratio[0], 1, 1e-12);
    assert_true(found.coordinates[1] == 0 && found.coordinates[3] == 0);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kmeans_of_two_columns),
        cmocka_unit_test(kmeans_of_equal_points),
        cmocka_unit_test(kmeans_of_random_groups),
        cmocka_unit_test(what_can_not_be_grouped),
        cmocka_unit_test(merges_on_a_line),
        cmocka_unit_test(merges_of_equal_points),
        cmocka_unit_test(ward_is_not_average),
        cmocka_unit_test(silhouettes),
        cmocka_unit_test(dense_groups_on_a_circle),
        cmocka_unit_test(dbscan_of_equal_points),
        cmocka_unit_test(choices_of_a_number),
        cmocka_unit_test(eigenvalues_of_random_matrices),
        cmocka_unit_test(axes_of_an_ellipse),
        cmocka_unit_test(both_ways_to_a_plane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
