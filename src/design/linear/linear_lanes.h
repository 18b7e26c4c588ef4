/*
 * The kernels for one width of vectors, as text: linear_kernels.c includes this file once a width,
 * having defined
 *
 *   LINEAR_LANES       how many floats a vector holds
 *   LINEAR_TARGET      the attribute that allows the processor's instructions, or nothing
 *   LINEAR_NAME(name)  the name of this width's function or type
 *
 * Loads and stores go through types that may lie at any address of a float.
 */

typedef float LINEAR_NAME(lanes) __attribute__((vector_size(4 * LINEAR_LANES)));
typedef float LINEAR_NAME(loose)
    __attribute__((vector_size(4 * LINEAR_LANES), aligned(4), may_alias));
typedef int32_t LINEAR_NAME(bits) __attribute__((vector_size(4 * LINEAR_LANES)));
typedef double LINEAR_NAME(wide) __attribute__((vector_size(4 * LINEAR_LANES)));
typedef float LINEAR_NAME(narrow)
    __attribute__((vector_size(2 * LINEAR_LANES), aligned(4), may_alias));

LINEAR_TARGET static void LINEAR_NAME(tile)(const float *const rows[LINEAR_TILE_ROWS],
                                            const float *panel, size_t depth, float *out)
{
    LINEAR_NAME(lanes) sums[LINEAR_TILE_ROWS][2] = {{{0}}};
    for (size_t at = 0; at < depth; at++, panel += 2 * LINEAR_LANES) {
        LINEAR_NAME(lanes) first = *(const LINEAR_NAME(loose) *)panel;
        LINEAR_NAME(lanes) second = *(const LINEAR_NAME(loose) *)(panel + LINEAR_LANES);
#pragma GCC unroll 6
        for (int row = 0; row < LINEAR_TILE_ROWS; row++) {
            float left = rows[row][at];
            sums[row][0] += left * first;
            sums[row][1] += left * second;
        }
    }
#pragma GCC unroll 6
    for (int row = 0; row < LINEAR_TILE_ROWS; row++, out += 2 * LINEAR_LANES) {
        *(LINEAR_NAME(loose) *)out = sums[row][0];
        *(LINEAR_NAME(loose) *)(out + LINEAR_LANES) = sums[row][1];
    }
}

LINEAR_TARGET static float LINEAR_NAME(dot)(const float *left, const float *right, size_t width)
{
    LINEAR_NAME(lanes) sums = {0};
    size_t at = 0;
    for (; at + LINEAR_LANES <= width; at += LINEAR_LANES) {
        sums +=
            *(const LINEAR_NAME(loose) *)(left + at) * *(const LINEAR_NAME(loose) *)(right + at);
    }
    float sum = 0;
    for (int lane = 0; lane < LINEAR_LANES; lane++) {
        sum += sums[lane];
    }
    for (; at < width; at++) {
        sum += left[at] * right[at];
    }
    return sum;
}

LINEAR_TARGET static float LINEAR_NAME(squared_distance)(const float *left, const float *right,
                                                         size_t width)
{
    LINEAR_NAME(lanes) sums = {0};
    size_t at = 0;
    for (; at + LINEAR_LANES <= width; at += LINEAR_LANES) {
        LINEAR_NAME(lanes)
        apart =
            *(const LINEAR_NAME(loose) *)(left + at) - *(const LINEAR_NAME(loose) *)(right + at);
        sums += apart * apart;
    }
    float sum = 0;
    for (int lane = 0; lane < LINEAR_LANES; lane++) {
        sum += sums[lane];
    }
    for (; at < width; at++) {
        sum += (left[at] - right[at]) * (left[at] - right[at]);
    }
    return sum;
}

LINEAR_TARGET static double LINEAR_NAME(squared_distance_exact)(const float *left,
                                                                const float *right, size_t width)
{
    LINEAR_NAME(wide) sums = {0};
    size_t at = 0;
    for (; at + LINEAR_LANES / 2 <= width; at += LINEAR_LANES / 2) {
        LINEAR_NAME(wide)
        apart =
            __builtin_convertvector(*(const LINEAR_NAME(narrow) *)(left + at), LINEAR_NAME(wide)) -
            __builtin_convertvector(*(const LINEAR_NAME(narrow) *)(right + at), LINEAR_NAME(wide));
        sums += apart * apart;
    }
    double sum = 0;
    for (int lane = 0; lane < LINEAR_LANES / 2; lane++) {
        sum += sums[lane];
    }
    for (; at < width; at++) {
        double apart = (double)left[at] - (double)right[at];
        sum += apart * apart;
    }
    return sum;
}

/* x/2 · (1 + erf(x / √2)): erf(t) = t · P(t²) / Q(t²), and ±1 where |t| is large. */
LINEAR_TARGET static void LINEAR_NAME(gelu)(float *values, size_t count)
{
    float last[LINEAR_LANES] = {0};
    for (size_t at = 0; at < count; at += LINEAR_LANES) {
        size_t left = count - at;
        float *place = values + at;
        if (left < LINEAR_LANES) {
            memcpy(last, place, left * sizeof *last);
            place = last;
        }
        LINEAR_NAME(lanes) x = *(const LINEAR_NAME(loose) *)place;
        LINEAR_NAME(lanes) limit = LINEAR_ERF_LIMIT - (LINEAR_NAME(lanes)){0};
        LINEAR_NAME(lanes) t = x * (float)M_SQRT1_2;
        LINEAR_NAME(bits) above = t > limit;
        LINEAR_NAME(bits) below = t < -limit;
        t = (LINEAR_NAME(lanes))(((LINEAR_NAME(bits))t & ~above & ~below) |
                                 ((LINEAR_NAME(bits))limit & above) |
                                 ((LINEAR_NAME(bits)) - limit & below));
        LINEAR_NAME(lanes) square = t * t;
        LINEAR_NAME(lanes) over = linear_erf_over[0] - (LINEAR_NAME(lanes)){0};
        LINEAR_NAME(lanes) under = linear_erf_under[0] - (LINEAR_NAME(lanes)){0};
#pragma GCC unroll 8
        for (int power = 1; power < LINEAR_ERF_OVER; power++) {
            over = over * square + linear_erf_over[power];
        }
#pragma GCC unroll 8
        for (int power = 1; power < LINEAR_ERF_UNDER; power++) {
            under = under * square + linear_erf_under[power];
        }
        *(LINEAR_NAME(loose) *)place = 0.5F * x * (1.0F + t * over / under);
        if (left < LINEAR_LANES) {
            memcpy(values + at, last, left * sizeof *last);
        }
    }
}

LINEAR_TARGET static void LINEAR_NAME(normalize)(float *row, const float *scale, const float *shift,
                                                 size_t width)
{
    LINEAR_NAME(lanes) sums = {0};
    size_t whole = width - width % LINEAR_LANES;
    float mean = 0;
    for (size_t at = 0; at < whole; at += LINEAR_LANES) {
        sums += *(const LINEAR_NAME(loose) *)(row + at);
    }
    for (int lane = 0; lane < LINEAR_LANES; lane++) {
        mean += sums[lane];
    }
    for (size_t at = whole; at < width; at++) {
        mean += row[at];
    }
    mean /= (float)width;
    sums = (LINEAR_NAME(lanes)){0};
    float variance = 0;
    for (size_t at = 0; at < whole; at += LINEAR_LANES) {
        LINEAR_NAME(lanes) apart = *(const LINEAR_NAME(loose) *)(row + at) - mean;
        sums += apart * apart;
    }
    for (int lane = 0; lane < LINEAR_LANES; lane++) {
        variance += sums[lane];
    }
    for (size_t at = whole; at < width; at++) {
        variance += (row[at] - mean) * (row[at] - mean);
    }
    float factor = 1.0F / sqrtf(variance / (float)width + LINEAR_NORMALIZE_LEAST);
    for (size_t at = 0; at < width; at++) {
        row[at] = (row[at] - mean) * factor * scale[at] + shift[at];
    }
}

static const struct linear_kernels LINEAR_NAME(kernels) = {
    .name = LINEAR_TEXT,
    .columns = 2 * LINEAR_LANES,
    .tile = LINEAR_NAME(tile),
    .dot = LINEAR_NAME(dot),
    .squared_distance = LINEAR_NAME(squared_distance),
    .squared_distance_exact = LINEAR_NAME(squared_distance_exact),
    .gelu = LINEAR_NAME(gelu),
    .normalize = LINEAR_NAME(normalize),
};

#undef LINEAR_LANES
#undef LINEAR_TARGET
#undef LINEAR_NAME
#undef LINEAR_TEXT
