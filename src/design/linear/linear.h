/*
 * Arithmetic on rows of floats: products with a packed matrix, distances, and what a transformer
 * needs beside them. The code is chosen at run time for the processor: AVX-512, AVX2 with FMA, or
 * what the compiler's own target has.
 *
 * A value depends on its own rows alone, not on how many rows one call has: equal rows make equal
 * bits. Between processors the last bits differ.
 *
 * Why there is no BLAS: see the figures in linear.c.
 */
#ifndef TRANSHUME_DESIGN_LINEAR_H
#define TRANSHUME_DESIGN_LINEAR_H

#include <stddef.h>

/* A matrix as linear_multiply reads it. */
struct linear_packed;

/* Packs `count` rows of `depth` floats, row after row. */
struct linear_packed *linear_pack(const float *rows, size_t count, size_t depth)
    __attribute__((returns_nonnull));
void linear_packed_free(struct linear_packed *packed); /* NULL is fine */

/* out[i][j] = left[i] · right[j] + bias[j], with `count` rows in `left` and as many columns in
 * `out` as `right` has rows. `bias` may be NULL. */
void linear_multiply(const float *left, size_t count, const struct linear_packed *right,
                     const float *bias, float *out);

float linear_dot(const float *left, const float *right, size_t width);
/* The sum of squared differences. */
float linear_squared_distance(const float *left, const float *right, size_t width);
/* The same, computed in doubles. */
double linear_squared_distance_exact(const float *left, const float *right, size_t width);

/* Each x becomes x · Φ(x), Φ by the error function to 2e-7. */
void linear_gelu(float *values, size_t count);
/* Moves the row to mean 0 and variance 1, then scales and shifts each value. */
void linear_normalize(float *row, const float *scale, const float *shift, size_t width);

#endif
