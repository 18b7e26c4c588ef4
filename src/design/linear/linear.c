/* The packed matrix and the loops around the tiles. */
#include "design/linear/linear.h"

#include "base/memory.h"
#include "design/linear/linear_kernels.h"
#include <stdlib.h>
#include <string.h>

/*
 * The rows of the right matrix, `columns` at a time, each group transposed: what a tile reads
 * stands in the order in which it reads it. The last group is filled up with zeros.
 */
struct linear_packed {
    const struct linear_kernels *kernels;
    size_t count;
    size_t depth;
    float *panels;
};

struct linear_packed *linear_pack(const float *rows, size_t count, size_t depth)
{
    struct linear_packed *packed = memory_allocate(sizeof *packed);
    const struct linear_kernels *kernels = linear_kernels_at(0);
    size_t columns = kernels->columns;
    size_t panels = (count + columns - 1) / columns;
    *packed = (struct linear_packed){.kernels = kernels, .count = count, .depth = depth};
    packed->panels = memory_resize(NULL, panels * columns, depth * sizeof *packed->panels);
    float *to = packed->panels;
    for (size_t panel = 0; panel < panels; panel++) {
        size_t begin = panel * columns;
        for (size_t at = 0; at < depth; at++) {
            for (size_t column = begin; column < begin + columns; column++) {
                *to++ = column < count ? rows[column * depth + at] : 0;
            }
        }
    }
    return packed;
}

void linear_packed_free(struct linear_packed *packed)
{
    if (packed != NULL) {
        free(packed->panels);
        free(packed);
    }
}

/* One tile's sums, as far as there are such rows and columns. */
static void store(const float *tile, size_t rows, size_t columns, size_t tile_columns,
                  const float *bias, float *out, size_t out_width)
{
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            out[row * out_width + column] =
                tile[row * tile_columns + column] + (bias != NULL ? bias[column] : 0);
        }
    }
}

void linear_multiply(const float *left, size_t count, const struct linear_packed *right,
                     const float *bias, float *out)
{
    float tile[LINEAR_TILE_ROWS * LINEAR_TILE_COLUMNS_MAX];
    const float *rows[LINEAR_TILE_ROWS];
    size_t columns = right->kernels->columns;
    for (size_t begin = 0; begin < right->count; begin += columns) {
        const float *panel = right->panels + begin * right->depth;
        size_t wide = right->count - begin < columns ? right->count - begin : columns;
        for (size_t first = 0; first < count; first += LINEAR_TILE_ROWS) {
            size_t high = count - first < LINEAR_TILE_ROWS ? count - first : LINEAR_TILE_ROWS;
            for (size_t row = 0; row < LINEAR_TILE_ROWS; row++) {
                /* Where there is no row, the last one again. */
                rows[row] = left + (first + (row < high ? row : high - 1)) * right->depth;
            }
            right->kernels->tile(rows, panel, right->depth, tile);
            store(tile, high, wide, columns, bias != NULL ? bias + begin : NULL,
                  out + first * right->count + begin, right->count);
        }
    }
}

float linear_dot(const float *left, const float *right, size_t width)
{
    return linear_kernels_at(0)->dot(left, right, width);
}

float linear_squared_distance(const float *left, const float *right, size_t width)
{
    return linear_kernels_at(0)->squared_distance(left, right, width);
}

double linear_squared_distance_exact(const float *left, const float *right, size_t width)
{
    return linear_kernels_at(0)->squared_distance_exact(left, right, width);
}

void linear_gelu(float *values, size_t count)
{
    linear_kernels_at(0)->gelu(values, count);
}

void linear_normalize(float *row, const float *scale, const float *shift, size_t width)
{
    linear_kernels_at(0)->normalize(row, scale, shift, width);
}
