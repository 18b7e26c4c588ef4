/*
 * The two principal components, from the smaller of two symmetric matrices with the same
 * eigenvalues: X'X (width × width) or XX' (points × points), X having mean 0. Its two largest
 * eigenvalues and their vectors come from cluster_symmetric.c.
 */
#include "design/cluster/cluster_points.h"
#include "design/cluster/cluster_symmetric.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { COMPONENTS = 2 };

struct pca {
    const struct cluster_points *points;
    size_t count;
    size_t width;
    double *centered;
    bool by_points; /* the matrix is XX' */
    size_t side;
    double *matrix;
    double *vectors; /* COMPONENTS × side */
    double values[COMPONENTS];
    double total; /* sum of all eigenvalues */
};

static void center(struct pca *pca)
{
    const float *from = pca->points->values;
    for (size_t column = 0; column < pca->width; column++) {
        double mean = 0;
        for (size_t row = 0; row < pca->count; row++) {
            mean += (double)from[row * pca->width + column];
        }
        mean /= (double)pca->count;
        for (size_t row = 0; row < pca->count; row++) {
            pca->centered[row * pca->width + column] =
                (double)from[row * pca->width + column] - mean;
        }
    }
}

static double dot(const double *left, const double *right, size_t count)
{
    double sums[4] = {0};
    size_t at = 0;
    for (; at + 4 <= count; at += 4) {
        for (size_t lane = 0; lane < 4; lane++) {
            sums[lane] += left[at + lane] * right[at + lane];
        }
    }
    for (; at < count; at++) {
        sums[0] += left[at] * right[at];
    }
    return sums[0] + sums[1] + sums[2] + sums[3];
}

static void multiply(struct pca *pca)
{
    for (size_t row = 0; row < pca->side && pca->by_points; row++) {
        for (size_t column = 0; column <= row; column++) {
            pca->matrix[row * pca->side + column] = dot(
                pca->centered + row * pca->width, pca->centered + column * pca->width, pca->width);
        }
    }
    for (size_t point = 0; point < pca->count && !pca->by_points; point++) {
        const double *values = pca->centered + point * pca->width;
        for (size_t row = 0; row < pca->side; row++) {
            double *to = pca->matrix + row * pca->side;
            for (size_t column = 0; column <= row; column++) {
                to[column] += values[row] * values[column];
            }
        }
    }
    for (size_t row = 0; row < pca->side; row++) {
        for (size_t column = 0; column < row; column++) {
            pca->matrix[column * pca->side + row] = pca->matrix[row * pca->side + column];
        }
        pca->total += pca->matrix[row * pca->side + row];
    }
}

/* The direction in the points' space of length 1. */
static void find_direction(const struct pca *pca, size_t component, double *direction)
{
    const double *vector = pca->vectors + component * pca->side;
    if (!pca->by_points) {
        memcpy(direction, vector, pca->width * sizeof *direction);
        return;
    }
    memset(direction, 0, pca->width * sizeof *direction);
    for (size_t point = 0; point < pca->count; point++) {
        for (size_t at = 0; at < pca->width; at++) {
            direction[at] += vector[point] * pca->centered[point * pca->width + at];
        }
    }
    double length = sqrt(dot(direction, direction, pca->width));
    for (size_t at = 0; at < pca->width; at++) {
        direction[at] /= length;
    }
}

/* The entry of greatest size, the first of equal ones, is positive. */
static void settle_sign(double *direction, size_t width)
{
    size_t greatest = 0;
    for (size_t at = 1; at < width; at++) {
        greatest = fabs(direction[at]) > fabs(direction[greatest]) ? at : greatest;
    }
    if (direction[greatest] < 0) {
        for (size_t at = 0; at < width; at++) {
            direction[at] = -direction[at];
        }
    }
}

static void fill_plane(const struct pca *pca, struct arena *arena, struct cluster_plane *out)
{
    *out = (struct cluster_plane){
        .coordinates = arena_allocate_zeroed(arena, pca->count, COMPONENTS * sizeof(double)),
        .directions = arena_allocate_zeroed(arena, pca->width, COMPONENTS * sizeof(double))};
    for (size_t component = 0; component < COMPONENTS; component++) {
        double value = pca->values[component];
        double *direction = out->directions + component * pca->width;
        /* Below this, it is what rounding has left. */
        if (!(value > pca->total * 1e-14)) {
            continue;
        }
        find_direction(pca, component, direction);
        settle_sign(direction, pca->width);
        for (size_t point = 0; point < pca->count; point++) {
            out->coordinates[point * COMPONENTS + component] =
                dot(pca->centered + point * pca->width, direction, pca->width);
        }
        out->variance[component] = value / (double)(pca->count - 1);
        out->ratio[component] = value / pca->total;
    }
}

enum status cluster_pca(const struct cluster_points *points, struct arena *arena,
                        struct cluster_plane *out, struct error *error)
{
    void *memory = NULL;
    enum status status = cluster_check_points(points, CLUSTER_POINTS_MAX, error);
    struct pca pca = {.points = points, .count = points->count, .width = points->width};
    pca.by_points = pca.count < pca.width;
    pca.side = pca.by_points ? pca.count : pca.width;
    size_t values = pca.count * pca.width;
    size_t square = pca.side * pca.side;
    if (status == STATUS_OK) {
        status = cluster_allocate(values + square + COMPONENTS * pca.side, sizeof(double), &memory,
                                  error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    pca.centered = memory;
    pca.matrix = pca.centered + values;
    pca.vectors = pca.matrix + square;
    center(&pca);
    multiply(&pca);
    status =
        cluster_symmetric_largest(pca.matrix, pca.side, COMPONENTS, pca.values, pca.vectors, error);
    if (status == STATUS_OK) {
        fill_plane(&pca, arena, out);
    }
    free(memory);
    return status;
}
