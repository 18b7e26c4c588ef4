/* One set of kernels for each width of vector registers; linear.c chooses among them. */
#ifndef TRANSHUME_DESIGN_LINEAR_KERNELS_H
#define TRANSHUME_DESIGN_LINEAR_KERNELS_H

#include <stddef.h>

/* Rows of the left matrix that one tile takes. With two vectors of the right matrix they need
 * fifteen registers, which every 64-bit processor with vectors has. */
enum {
    LINEAR_TILE_ROWS = 6,
    LINEAR_LANES_MAX = 16,
    LINEAR_TILE_COLUMNS_MAX = 2 * LINEAR_LANES_MAX
};

struct linear_kernels {
    const char *name;
    size_t columns; /* of a tile: two vectors */
    /* out[row][column] = rows[row] · column of the panel, which is depth × columns. */
    void (*tile)(const float *const rows[LINEAR_TILE_ROWS], const float *panel, size_t depth,
                 float *out);
    float (*dot)(const float *left, const float *right, size_t width);
    float (*squared_distance)(const float *left, const float *right, size_t width);
    double (*squared_distance_exact)(const float *left, const float *right, size_t width);
    void (*gelu)(float *values, size_t count);
    void (*normalize)(float *row, const float *scale, const float *shift, size_t width);
};

/* The sets that this processor can run, the widest first; NULL beyond the last. */
const struct linear_kernels *linear_kernels_at(size_t index);

#endif
