/* Householder, Sturm, and inverse iteration. */
#include "design/cluster/cluster_symmetric.h"

#include "design/cluster/cluster_points.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BISECTIONS_MAX = 200, INVERSE_ITERATIONS = 6 };

/* The least pivot, of a zero matrix too: a vector of length 1 can be divided by it some times. */
#define PIVOT_LEAST 1e-100

/* Three diagonals: `next[i]` stands beside `diagonal[i]`, and below `diagonal[i]` to its left. */
struct tridiagonal {
    size_t side;
    double *diagonal;
    double *next;
    double *room; /* five times the side */
};

/* ---------------------------------------------------------------- three diagonals */

/* Reflects so that the column below the subdiagonal becomes zero. The reflection's vector stays in
 * that column, below the diagonal: H = 1 - vv', with v of length √2, or v = 0. */
static double reflect_column(double *matrix, size_t side, size_t column)
{
    double norm = 0;
    for (size_t row = column + 1; row < side; row++) {
        norm = hypot(norm, matrix[row * side + column]);
    }
    double first = matrix[(column + 1) * side + column];
    double target = first > 0 ? -norm : norm;
    /* v = (x - target e) scaled; its squared length is 2 target (target - first). */
    double square = target * (target - first);
    for (size_t row = column + 1; row < side; row++) {
        double value = matrix[row * side + column] - (row == column + 1 ? target : 0);
        matrix[row * side + column] = square > 0 ? value / sqrt(square) : 0;
    }
    return target;
}

/* H A H for the part of the matrix right of and below the column; `v` and `w` have room. */
static void reflect_rest(double *matrix, size_t side, size_t column, double *v, double *w)
{
    double product = 0;
    for (size_t row = column + 1; row < side; row++) {
        v[row] = matrix[row * side + column];
    }
    for (size_t row = column + 1; row < side; row++) {
        double sum = 0;
        for (size_t at = column + 1; at < side; at++) {
            sum += matrix[row * side + at] * v[at];
        }
        w[row] = sum;
        product += sum * v[row];
    }
    for (size_t row = column + 1; row < side; row++) {
        w[row] -= product / 2 * v[row];
    }
    for (size_t row = column + 1; row < side; row++) {
        double *to = matrix + row * side;
        for (size_t at = column + 1; at < side; at++) {
            to[at] -= v[row] * w[at] + w[row] * v[at];
        }
    }
}

static void reduce(double *matrix, struct tridiagonal *three)
{
    size_t side = three->side;
    for (size_t column = 0; column < side; column++) {
        three->diagonal[column] = matrix[column * side + column];
        three->next[column] = 0;
        if (column + 1 < side) {
            three->next[column] = reflect_column(matrix, side, column);
            reflect_rest(matrix, side, column, three->room, three->room + side);
        }
    }
}

/* From the space of the three diagonals back to that of the matrix. */
static void reflect_back(const double *matrix, size_t side, double *vector)
{
    for (size_t column = side - 1; column-- > 0;) {
        double sum = 0;
        for (size_t row = column + 1; row < side; row++) {
            sum += matrix[row * side + column] * vector[row];
        }
        for (size_t row = column + 1; row < side; row++) {
            vector[row] -= sum * matrix[row * side + column];
        }
    }
}

/* ---------------------------------------------------------------- eigenvalues */

/* How many eigenvalues are greater than `value`. */
static size_t count_above(const struct tridiagonal *three, double value)
{
    size_t count = 0;
    double pivot = 1;
    for (size_t i = 0; i < three->side; i++) {
        double before = i == 0 ? 0 : three->next[i - 1];
        pivot = three->diagonal[i] - value - before * before / pivot;
        if (pivot == 0) {
            pivot = -DBL_MIN / DBL_EPSILON;
        }
        count += pivot > 0;
    }
    return count;
}

/* No eigenvalue is greater in size. */
static double bound_of(const struct tridiagonal *three)
{
    double bound = 0;
    for (size_t i = 0; i < three->side; i++) {
        double before = i == 0 ? 0 : fabs(three->next[i - 1]);
        bound = fmax(bound, fabs(three->diagonal[i]) + before + fabs(three->next[i]));
    }
    return bound;
}

/* The eigenvalue that has `rank` greater ones. */
static double find_value(const struct tridiagonal *three, size_t rank, double bound)
{
    double low = -bound;
    double high = bound;
    for (int i = 0; i < BISECTIONS_MAX && high - low > bound * DBL_EPSILON; i++) {
        double middle = low + (high - low) / 2;
        if (count_above(three, middle) > rank) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + (high - low) / 2;
}

/* ---------------------------------------------------------------- eigenvectors */

/* Solves (T - value) x = x by Gauss with row exchanges; three diagonals are left above. */
static void solve(const struct tridiagonal *three, double value, double least, double *x)
{
    size_t side = three->side;
    double *middle = three->room;
    double *above = middle + side;
    double *second = above + side;
    double *below = second + side;
    for (size_t i = 0; i < side; i++) {
        middle[i] = three->diagonal[i] - value;
        above[i] = three->next[i];
        below[i] = three->next[i];
        second[i] = 0;
    }
    for (size_t i = 0; i + 1 < side; i++) {
        if (fabs(middle[i]) >= fabs(below[i])) {
            double factor = middle[i] == 0 ? 0 : below[i] / middle[i];
            middle[i + 1] -= factor * above[i];
            x[i + 1] -= factor * x[i];
            continue;
        }
        double factor = middle[i] / below[i];
        double kept = above[i];
        double value_kept = x[i];
        middle[i] = below[i];
        above[i] = middle[i + 1];
        second[i] = above[i + 1];
        middle[i + 1] = kept - factor * above[i];
        above[i + 1] = -factor * second[i];
        x[i] = x[i + 1];
        x[i + 1] = value_kept - factor * x[i];
    }
    for (size_t i = side; i-- > 0;) {
        double sum = x[i];
        sum -= i + 1 < side ? above[i] * x[i + 1] : 0;
        sum -= i + 2 < side ? second[i] * x[i + 2] : 0;
        x[i] = sum / (fabs(middle[i]) < least ? copysign(least, middle[i]) : middle[i]);
    }
}

/* To length 1; what it has of the vectors before it is taken out first. */
static void make_unit(double *vectors, size_t number, size_t side)
{
    double *vector = vectors + number * side;
    double norm = 0;
    for (size_t other = 0; other < number; other++) {
        double sum = 0;
        for (size_t at = 0; at < side; at++) {
            sum += vector[at] * vectors[other * side + at];
        }
        for (size_t at = 0; at < side; at++) {
            vector[at] -= sum * vectors[other * side + at];
        }
    }
    for (size_t at = 0; at < side; at++) {
        norm = hypot(norm, vector[at]);
    }
    for (size_t at = 0; at < side && norm > 0; at++) {
        vector[at] /= norm;
    }
}

static void find_vector(const struct tridiagonal *three, double value, double bound, size_t number,
                        double *vectors)
{
    double *vector = vectors + number * three->side;
    for (size_t at = 0; at < three->side; at++) {
        /* Any start does that is not orthogonal to the answer. */
        vector[at] = 1 + 0.5 * sin((double)(at + 1) * (double)(number + 1) * 1.7);
    }
    for (int i = 0; i < INVERSE_ITERATIONS; i++) {
        make_unit(vectors, number, three->side);
        solve(three, value, fmax(bound * DBL_EPSILON, PIVOT_LEAST), vector);
    }
    make_unit(vectors, number, three->side);
}

enum status cluster_symmetric_largest(double *matrix, size_t side, size_t wanted, double *values,
                                      double *vectors, struct error *error)
{
    void *memory = NULL;
    if (cluster_allocate(7 * side, sizeof(double), &memory, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct tridiagonal three = {.side = side,
                                .diagonal = memory,
                                .next = (double *)memory + side,
                                .room = (double *)memory + 2 * side};
    reduce(matrix, &three);
    double bound = bound_of(&three);
    size_t found = wanted < side ? wanted : side;
    for (size_t number = 0; number < wanted; number++) {
        values[number] = number < found ? find_value(&three, number, bound) : 0;
        memset(vectors + number * side, 0, side * sizeof *vectors);
    }
    for (size_t number = 0; number < found; number++) {
        find_vector(&three, values[number], bound, number, vectors);
    }
    for (size_t number = 0; number < found; number++) {
        reflect_back(matrix, side, vectors + number * side);
    }
    free(memory);
    return STATUS_OK;
}
