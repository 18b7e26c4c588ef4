/*
 * The packed matrix and the loops around the tiles.
 *
 * Why there is no BLAS: for the products of MiniLM (384 rows by 384 to 1,536) on one core with
 * AVX-512, OpenBLAS 0.3.30 was measured at 74 to 163 thousand million operations a second, this at
 * 76 to 145. The distribution's OpenBLAS (0.3.21) is no faster, does not know all newer processors,
 * and starts threads of its own.
 */
#include "design/linear/linear.h"

#include "base/memory.h"
#include "design/linear/linear_kernels.h"
#include <stdbool.h>
#include <stdlib.h>

/* Values of a row that are multiplied at a time: as many as let a group of columns, and the same
 * values of some hundred rows, stay in the first and second level of caches. */
enum { BLOCK_DEPTH = 384 };

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

/* Where a tile's sums go. */
struct place {
    float *out;
    size_t width; /* of `out` */
    size_t rows;  /* as far as there are such, in the tile */
    size_t columns;
    const float *bias; /* of the first column; NULL: none */
    bool is_first;     /* nothing was added up so far */
};

static void linear_store(const float *tile, size_t tile_columns, const struct place *place)
{
    for (size_t row = 0; row < place->rows; row++) {
        float *out = place->out + row * place->width;
        const float *sums = tile + row * tile_columns;
        for (size_t column = 0; column < place->columns; column++) {
            float before = place->bias != NULL ? place->bias[column] : 0;
            out[column] = (place->is_first ? before : out[column]) + sums[column];
        }
    }
}

static size_t least(size_t left, size_t right)
{
    return left < right ? left : right;
}

/* `depth` values of each row from `begin` on, for all rows and one panel. */
static void multiply_panel(const float *left, size_t count, const struct linear_packed *right,
                           size_t begin, size_t depth, const float *panel, struct place place)
{
    float tile[LINEAR_TILE_ROWS * LINEAR_TILE_COLUMNS_MAX];
    const float *rows[LINEAR_TILE_ROWS];
    for (size_t first = 0; first < count; first += LINEAR_TILE_ROWS) {
        place.rows = least(count - first, LINEAR_TILE_ROWS);
        for (size_t row = 0; row < LINEAR_TILE_ROWS; row++) {
            /* Where there is no row, the last one again. */
            rows[row] = left + (first + least(row, place.rows - 1)) * right->depth + begin;
        }
        right->kernels->tile(rows, panel + begin * right->kernels->columns, depth, tile);
        linear_store(tile, right->kernels->columns, &place);
        place.out += LINEAR_TILE_ROWS * place.width;
    }
}

void linear_multiply(const float *left, size_t count, const struct linear_packed *right,
                     const float *bias, float *out)
{
    size_t columns = right->kernels->columns;
    for (size_t begin = 0; begin < right->depth; begin += BLOCK_DEPTH) {
        size_t depth = least(right->depth - begin, BLOCK_DEPTH);
        for (size_t first = 0; first < right->count; first += columns) {
            float *to = out + first;
            struct place place = {.out = to,
                                  .width = right->count,
                                  .columns = least(right->count - first, columns),
                                  .bias = bias != NULL ? bias + first : NULL,
                                  .is_first = begin == 0};
            multiply_panel(left, count, right, begin, depth, right->panels + first * right->depth,
                           place);
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
