/* Which bytes of a window matter: a bit each, sixteen or more bytes at a time. */
#include "connectors/csv/scan.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { BLOCK = 64, CONTROL_MAX = '\r' };

typedef void fill_function(const char *bytes, size_t blocks, const char marks[3], uint64_t *masks);

/* By table: eight bits a step. */
static void fill_portable(const char *bytes, size_t blocks, const char marks[3], uint64_t *masks)
{
    uint8_t wanted[256] = {0};
    for (int at = 0; at < 3; at++) {
        wanted[(unsigned char)marks[at]] = 1;
    }
    memset(wanted, 1, CONTROL_MAX + 1);
    for (size_t block = 0; block < blocks; block++) {
        const unsigned char *from = (const unsigned char *)bytes + block * BLOCK;
        uint64_t mask = 0;
        for (int at = 0; at < BLOCK; at++) {
            mask |= (uint64_t)wanted[from[at]] << at;
        }
        masks[block] = mask;
    }
}

#if defined(__x86_64__)
static void fill_sse2(const char *bytes, size_t blocks, const char marks[3], uint64_t *masks)
{
    const __m128i control = _mm_set1_epi8(CONTROL_MAX);
    const __m128i first = _mm_set1_epi8(marks[0]);
    const __m128i second = _mm_set1_epi8(marks[1]);
    const __m128i third = _mm_set1_epi8(marks[2]);
    for (size_t block = 0; block < blocks; block++) {
        uint64_t mask = 0;
        for (int part = 0; part < 4; part++) {
            const __m128i *from =
                (const __m128i *)(const void *)(bytes + block * BLOCK + part * 16);
            __m128i found = _mm_loadu_si128(from);
            __m128i low = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(found, control), found),
                                       _mm_cmpeq_epi8(found, first));
            __m128i high =
                _mm_or_si128(_mm_cmpeq_epi8(found, second), _mm_cmpeq_epi8(found, third));
            __m128i all = _mm_or_si128(low, high);
            mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(all) << (16 * part);
        }
        masks[block] = mask;
    }
}

__attribute__((target("avx2"))) static void fill_avx2(const char *bytes, size_t blocks,
                                                      const char marks[3], uint64_t *masks)
{
    const __m256i control = _mm256_set1_epi8(CONTROL_MAX);
    const __m256i first = _mm256_set1_epi8(marks[0]);
    const __m256i second = _mm256_set1_epi8(marks[1]);
    const __m256i third = _mm256_set1_epi8(marks[2]);
    for (size_t block = 0; block < blocks; block++) {
        uint64_t mask = 0;
        for (int part = 0; part < 2; part++) {
            const __m256i *from =
                (const __m256i *)(const void *)(bytes + block * BLOCK + part * 32);
            __m256i found = _mm256_loadu_si256(from);
            __m256i low = _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(found, control), found),
                                          _mm256_cmpeq_epi8(found, first));
            __m256i high =
                _mm256_or_si256(_mm256_cmpeq_epi8(found, second), _mm256_cmpeq_epi8(found, third));
            __m256i all = _mm256_or_si256(low, high);
            mask |= (uint64_t)(uint32_t)_mm256_movemask_epi8(all) << (32 * part);
        }
        masks[block] = mask;
    }
}
#endif

static fill_function *function_of(int way)
{
#if defined(__x86_64__)
    if (way == 2) {
        return __builtin_cpu_supports("avx2") ? fill_avx2 : NULL;
    }
    if (way == 1) {
        return fill_sse2;
    }
#endif
    return way == 0 ? fill_portable : NULL;
}

static void fill_with(fill_function *fill, const char *bytes, size_t length, const char marks[3],
                      uint64_t *masks)
{
    size_t whole = length / BLOCK;
    size_t rest = length % BLOCK;
    fill(bytes, whole, marks, masks);
    if (rest > 0) {
        char last[BLOCK] = {0};
        memcpy(last, bytes + whole * BLOCK, rest);
        fill(last, 1, marks, masks + whole);
        masks[whole] &= (UINT64_C(1) << rest) - 1;
    }
}

bool csv_masks_fill_with(int way, const char *bytes, size_t length, const char marks[3],
                         uint64_t *masks)
{
    fill_function *fill = function_of(way);
    if (fill == NULL) {
        return false;
    }
    fill_with(fill, bytes, length, marks, masks);
    return true;
}

void csv_masks_fill(const char *bytes, size_t length, const char marks[3], uint64_t *masks)
{
    fill_function *fill = function_of(2);
    if (fill == NULL) {
        fill = function_of(1);
    }
    fill_with(fill != NULL ? fill : fill_portable, bytes, length, marks, masks);
}
