/* SipHash-2-4 with 128 bits: a keyed hash that nobody without the key can guess at or turn round.
 * Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF", and the authors' reference
 * vectors. */
#ifndef TRANSHUME_BASE_SIPHASH_H
#define TRANSHUME_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t words[2]; /* of its 16 bytes, little-endian */
};

void siphash_128(const struct siphash_key *key, const void *bytes, size_t length, uint64_t hash[2]);

#endif
