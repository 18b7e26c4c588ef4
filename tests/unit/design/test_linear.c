/* Products, distances and the rest, by every set of kernels that this processor runs, against plain
 * loops in doubles. */
#include "design/linear/linear.h"
#include "design/linear/linear_kernels.h"
#include "support.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 20, DEPTH_MAX = 70, COLUMNS_MAX = 70 };

static float some_float(struct random *random)
{
    return (float)random_between(random, -1000, 1000) / 500.0F;
}

static void fill(struct random *random, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = some_float(random);
    }
}

static double product(const float *left, const float *right, size_t depth)
{
    double sum = 0;
    for (size_t at = 0; at < depth; at++) {
        sum += (double)left[at] * (double)right[at];
    }
    return sum;
}

static void assert_near(double found, double expected, double most)
{
    if (!(fabs(found - expected) <= most)) {
        fail_msg("%.9g is not within %g of %.9g", found, most, expected);
    }
}

static void products_of_any_shape(void **state)
{
    (void)state;
    struct random random = random_start();
    float left[ROWS_MAX * DEPTH_MAX];
    float right[COLUMNS_MAX * DEPTH_MAX];
    float bias[COLUMNS_MAX];
    float out[ROWS_MAX * COLUMNS_MAX];
    for (long round = test_rounds(200); round > 0; round--) {
        size_t rows = 1 + random_below(&random, ROWS_MAX);
        size_t depth = 1 + random_below(&random, DEPTH_MAX);
        size_t columns = 1 + random_below(&random, COLUMNS_MAX);
        const float *added = random_below(&random, 2) == 0 ? bias : NULL;
        fill(&random, left, rows * depth);
        fill(&random, right, columns * depth);
        fill(&random, bias, columns);
        struct linear_packed *packed = linear_pack(right, columns, depth);
        linear_multiply(left, rows, packed, added, out);
        linear_packed_free(packed);
        for (size_t i = 0; i < rows * columns; i++) {
            double expected =
                product(left + i / columns * depth, right + i % columns * depth, depth) +
                (added != NULL ? (double)added[i % columns] : 0);
            assert_near((double)out[i], expected, 1e-4);
        }
    }
    linear_packed_free(NULL);
}

/* What stands beside a row makes no difference to it. */
static void equal_rows_make_equal_bits(void **state)
{
    (void)state;
    struct random random = random_start();
    float left[ROWS_MAX * DEPTH_MAX];
    float right[COLUMNS_MAX * DEPTH_MAX];
    float out[ROWS_MAX * COLUMNS_MAX];
    float alone[COLUMNS_MAX];
    fill(&random, left, ROWS_MAX * DEPTH_MAX);
    fill(&random, right, COLUMNS_MAX * DEPTH_MAX);
    struct linear_packed *packed = linear_pack(right, COLUMNS_MAX, DEPTH_MAX);
    linear_multiply(left, ROWS_MAX, packed, NULL, out);
    for (size_t row = 0; row < ROWS_MAX; row++) {
        linear_multiply(left + row * DEPTH_MAX, 1, packed, NULL, alone);
        assert_memory_equal(alone, out + row * COLUMNS_MAX, sizeof alone);
    }
    linear_packed_free(packed);
}

static void check_tile(const struct linear_kernels *kernels, struct random *random)
{
    float left[LINEAR_TILE_ROWS * DEPTH_MAX];
    float panel[DEPTH_MAX * LINEAR_TILE_COLUMNS_MAX];
    float out[LINEAR_TILE_ROWS * LINEAR_TILE_COLUMNS_MAX];
    const float *rows[LINEAR_TILE_ROWS];
    size_t columns = kernels->columns;
    fill(random, left, LINEAR_TILE_ROWS * DEPTH_MAX);
    fill(random, panel, DEPTH_MAX * columns);
    for (size_t row = 0; row < LINEAR_TILE_ROWS; row++) {
        rows[row] = left + row * DEPTH_MAX;
    }
    kernels->tile(rows, panel, DEPTH_MAX, out);
    for (size_t i = 0; i < LINEAR_TILE_ROWS * columns; i++) {
        double sum = 0;
        for (size_t at = 0; at < DEPTH_MAX; at++) {
            sum += (double)rows[i / columns][at] * (double)panel[at * columns + i % columns];
        }
        assert_near((double)out[i], sum, 1e-4);
    }
}

static void check_rows(const struct linear_kernels *kernels, struct random *random, size_t width)
{
    float left[DEPTH_MAX];
    float right[DEPTH_MAX];
    double distance = 0;
    fill(random, left, width);
    fill(random, right, width);
    for (size_t at = 0; at < width; at++) {
        distance += pow((double)left[at] - (double)right[at], 2);
    }
    assert_near((double)kernels->dot(left, right, width), product(left, right, width), 1e-4);
    assert_near((double)kernels->squared_distance(left, right, width), distance, 1e-3);
    assert_near(kernels->squared_distance_exact(left, right, width), distance, 1e-11);
    assert_true(kernels->squared_distance(left, left, width) == 0);
}

static void check_normalize(const struct linear_kernels *kernels, struct random *random,
                            size_t width)
{
    float row[DEPTH_MAX];
    float before[DEPTH_MAX];
    float scale[DEPTH_MAX];
    float shift[DEPTH_MAX];
    double mean = 0;
    double variance = 0;
    fill(random, row, width);
    fill(random, scale, width);
    fill(random, shift, width);
    memcpy(before, row, sizeof row);
    for (size_t at = 0; at < width; at++) {
        mean += (double)row[at] / (double)width;
    }
    for (size_t at = 0; at < width; at++) {
        variance += pow((double)row[at] - mean, 2) / (double)width;
    }
    kernels->normalize(row, scale, shift, width);
    for (size_t at = 0; at < width; at++) {
        double expected = ((double)before[at] - mean) / sqrt(variance + 1e-12) * (double)scale[at] +
                          (double)shift[at];
        assert_near((double)row[at], expected, 1e-4);
    }
}

/* Every value of [-8, 8] in steps, whose number no vector divides; nothing beyond them is touched.
 */
static void check_gelu(const struct linear_kernels *kernels)
{
    enum { STEPS = 4001 };
    float *values = calloc(STEPS + 1, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < STEPS; i++) {
        values[i] = -8.0F + 16.0F * (float)i / (STEPS - 1);
    }
    values[STEPS] = 7;
    kernels->gelu(values, STEPS);
    for (size_t i = 0; i < STEPS; i++) {
        double x = (double)(-8.0F + 16.0F * (float)i / (STEPS - 1));
        assert_near((double)values[i], x / 2 * (1 + erf(x * M_SQRT1_2)), 4e-7 * fmax(1, fabs(x)));
    }
    assert_true(values[STEPS] == 7);
    free(values);
}

static void all_kernels(void **state)
{
    (void)state;
    struct random random = random_start();
    size_t count = 0;
    for (const struct linear_kernels *kernels; (kernels = linear_kernels_at(count)) != NULL;
         count++) {
        print_message("%s\n", kernels->name);
        check_tile(kernels, &random);
        for (size_t width = 1; width <= DEPTH_MAX; width++) {
            check_rows(kernels, &random, width);
        }
        check_normalize(kernels, &random, DEPTH_MAX);
        check_normalize(kernels, &random, 3);
        check_gelu(kernels);
    }
    assert_true(count >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_any_shape),
        cmocka_unit_test(equal_rows_make_equal_bits),
        cmocka_unit_test(all_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
