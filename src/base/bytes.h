/* Whole numbers as bytes in a fixed order, for places and spans that files and sorters keep. */
#ifndef TRANSHUME_BASE_BYTES_H
#define TRANSHUME_BASE_BYTES_H

#include <stdint.h>

/* The lowest `count` (<= 8) bytes of `number`, most significant first: such bytes sort as the
 * numbers do. */
static inline void bytes_put_be(uint8_t *to, uint64_t number, int count)
{
    for (int at = 0; at < count; at++) {
        to[at] = (uint8_t)(number >> (8 * (count - 1 - at)));
    }
}

static inline uint64_t bytes_get_be(const uint8_t *from, int count)
{
    uint64_t number = 0;
    for (int at = 0; at < count; at++) {
        number = number << 8 | from[at];
    }
    return number;
}

/* The same, least significant first. */
static inline void bytes_put_le(uint8_t *to, uint64_t number, int count)
{
    for (int at = 0; at < count; at++) {
        to[at] = (uint8_t)(number >> (8 * at));
    }
}

static inline uint64_t bytes_get_le(const uint8_t *from, int count)
{
    uint64_t number = 0;
    for (int at = count - 1; at >= 0; at--) {
        number = number << 8 | from[at];
    }
    return number;
}

#endif
