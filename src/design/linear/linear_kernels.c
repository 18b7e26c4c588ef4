/* The kernels of linear_lanes.h for each width of vectors, and which of them the processor runs.
 * meson.build compiles this file with -O3 and lets a product and a sum become one instruction. */
#include "design/linear/linear_kernels.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Below this a variance counts as this; 1e-12 is the model's own. */
#define LINEAR_NORMALIZE_LEAST 1e-12F

/* erf(t) = t · over(t²) / under(t²) for |t| up to the limit, where erf is 1 in floats; highest
 * power first. Fitted here, by least squares whose weights were moved until the greatest error was
 * least: 5e-8 in doubles, and 4e-7 with the rounding of floats. */
#define LINEAR_ERF_LIMIT 4.0F
enum { LINEAR_ERF_OVER = 7, LINEAR_ERF_UNDER = 5 };
static const float linear_erf_over[LINEAR_ERF_OVER] = {
    1.92170297e-08F, -1.99027181e-06F, 0.000155528993F, 0.00429277495F,
    0.0524326451F,   0.213938504F,     1.12837863F};
static const float linear_erf_under[LINEAR_ERF_UNDER] = {0.00109796645F, 0.0155505501F,
                                                         0.120797053F, 0.522925735F, 1.0F};

#if defined(__x86_64__)
#define LINEAR_LANES 16
#define LINEAR_TARGET __attribute__((target("avx512f")))
#define LINEAR_NAME(name) avx512_##name
#define LINEAR_TEXT "AVX-512"
#include "design/linear/linear_lanes.h"

#define LINEAR_LANES 8
#define LINEAR_TARGET __attribute__((target("avx2,fma")))
#define LINEAR_NAME(name) avx2_##name
#define LINEAR_TEXT "AVX2"
#include "design/linear/linear_lanes.h"
#endif

#define LINEAR_LANES 4
#define LINEAR_TARGET
#define LINEAR_NAME(name) plain_##name
#define LINEAR_TEXT "plain"
#include "design/linear/linear_lanes.h"

enum { KERNELS_MAX = 3 };

#if defined(__x86_64__)
static size_t find_kernels(const struct linear_kernels *found[KERNELS_MAX])
{
    size_t count = 0;
    if (__builtin_cpu_supports("avx512f")) {
        found[count++] = &avx512_kernels;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        found[count++] = &avx2_kernels;
    }
    found[count++] = &plain_kernels;
    return count;
}
#else
static size_t find_kernels(const struct linear_kernels *found[KERNELS_MAX])
{
    found[0] = &plain_kernels;
    return 1;
}
#endif

const struct linear_kernels *linear_kernels_at(size_t index)
{
    const struct linear_kernels *found[KERNELS_MAX];
    return index < find_kernels(found) ? found[index] : NULL;
}
