#include "base/siphash.h"

static inline uint64_t siphash_turn(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

static inline void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = siphash_turn(v[1], 13) ^ v[0];
    v[0] = siphash_turn(v[0], 32);
    v[2] += v[3];
    v[3] = siphash_turn(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = siphash_turn(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = siphash_turn(v[1], 17) ^ v[2];
    v[2] = siphash_turn(v[2], 32);
}

static inline void siphash_take(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v);
    mix(v);
    v[0] ^= word;
}

static uint64_t siphash_finish(uint64_t v[4])
{
    for (int round = 0; round < 4; round++) {
        mix(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t read_word(const uint8_t *at, size_t length)
{
    uint64_t word = 0;
    for (size_t i = 0; i < length; i++) {
        word |= (uint64_t)at[i] << (8 * i);
    }
    return word;
}

void siphash_128(const struct siphash_key *key, const void *bytes, size_t length, uint64_t hash[2])
{
    uint64_t v[4] = {
        key->words[0] ^ UINT64_C(0x736f6d6570736575), key->words[1] ^ UINT64_C(0x646f72616e646f6d),
        key->words[0] ^ UINT64_C(0x6c7967656e657261), key->words[1] ^ UINT64_C(0x7465646279746573)};
    const uint8_t *at = bytes;
    size_t left = length;
    v[1] ^= 0xee;
    for (; left >= 8; left -= 8, at += 8) {
        siphash_take(v, read_word(at, 8));
    }
    siphash_take(v, read_word(at, left) | (uint64_t)length << 56);
    v[2] ^= 0xee;
    hash[0] = siphash_finish(v);
    v[1] ^= 0xdd;
    hash[1] = siphash_finish(v);
}
