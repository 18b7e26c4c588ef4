/*
 * Murmur3Partitioner hashes with MurmurHash3_x64_128, seed 0, and takes its first 64 bits; but it
 * takes the bytes of the tail as signed, so that a high byte there changes all bits above it.
 */
#include "connectors/cassandra/protocol/cql_token.h"

#include "base/bytes.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- the hash */

#define MURMUR_1 UINT64_C(0x87c37b91114253d5)
#define MURMUR_2 UINT64_C(0x4cf5ad432745937f)

static uint64_t rotate(uint64_t number, int bits)
{
    return number << bits | number >> (64 - bits);
}

static uint64_t mix_first(uint64_t k1)
{
    return rotate(k1 * MURMUR_1, 31) * MURMUR_2;
}

static uint64_t mix_second(uint64_t k2)
{
    return rotate(k2 * MURMUR_2, 33) * MURMUR_1;
}

static uint64_t cql_token_finish(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* Up to 8 bytes, least significant first, each sign-extended. */
static uint64_t tail_of(const uint8_t *bytes, size_t count)
{
    uint64_t tail = 0;
    for (size_t at = 0; at < count; at++) {
        tail ^= (uint64_t)(int64_t)(int8_t)bytes[at] << (8 * at);
    }
    return tail;
}

int64_t cql_token_of(const void *key, size_t length)
{
    const uint8_t *bytes = key;
    uint64_t h1 = 0;
    uint64_t h2 = 0;
    size_t left = length;
    for (; left >= 16; left -= 16, bytes += 16) {
        h1 ^= mix_first(bytes_get_le(bytes, 8));
        h1 = (rotate(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= mix_second(bytes_get_le(bytes + 8, 8));
        h2 = (rotate(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    if (left > 8) {
        h2 ^= mix_second(tail_of(bytes + 8, left - 8));
    }
    if (left > 0) {
        h1 ^= mix_first(tail_of(bytes, left < 8 ? left : 8));
    }
    h1 ^= length;
    h2 ^= length;
    h1 += h2;
    h2 += h1;
    int64_t token = (int64_t)(cql_token_finish(h1) + cql_token_finish(h2));
    return token == CQL_TOKEN_MIN ? CQL_TOKEN_MAX : token;
}

bool cql_token_key_append(struct buffer *key, const void *value, size_t length)
{
    if (length > UINT16_MAX) {
        return false;
    }
    uint8_t prefix[2];
    bytes_put_be(prefix, length, 2);
    buffer_append(key, prefix, sizeof prefix);
    buffer_append(key, value, length);
    buffer_append_byte(key, '\0');
    return true;
}

enum status cql_token_check_partitioner(const char *name, size_t length, struct error *error)
{
    static const char known[] = "Murmur3Partitioner";
    size_t begin = length;
    while (begin > 0 && name[begin - 1] != '.') {
        begin--;
    }
    if (length - begin == sizeof known - 1 && memcmp(name + begin, known, sizeof known - 1) == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_INVALID, NULL,
              "the cluster's partitioner is %.*s, which is not supported", (int)(length - begin),
              name + begin);
    return error_hint(error, "Only clusters with Murmur3Partitioner, the default since Cassandra "
                             "1.2, can be read and written.");
}

/* ---------------------------------------------------------------- ranges */

struct cql_range cql_range_piece(const struct cql_range *range, uint64_t index, uint64_t pieces)
{
    uint64_t width = cql_range_width(range);
    assert(pieces > 0 && pieces <= width && index < pieces);
    unsigned __int128 begin = (unsigned __int128)width * index / pieces;
    unsigned __int128 end = (unsigned __int128)width * (index + 1) / pieces;
    return (struct cql_range){(int64_t)((uint64_t)range->after + (uint64_t)begin),
                              (int64_t)((uint64_t)range->after + (uint64_t)end)};
}

static int compare_tokens(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

struct cql_range *cql_ranges_of(const int64_t *tokens, size_t token_count, struct arena *arena,
                                size_t *range_count)
{
    int64_t *sorted = arena_allocate_zeroed(arena, token_count + 1, sizeof *sorted);
    if (token_count > 0) {
        memcpy(sorted, tokens, token_count * sizeof *sorted);
        qsort(sorted, token_count, sizeof *sorted, compare_tokens);
    }
    sorted[token_count] = CQL_TOKEN_MAX;
    struct cql_range *ranges = arena_allocate_zeroed(arena, token_count + 1, sizeof *ranges);
    int64_t after = CQL_TOKEN_MIN;
    *range_count = 0;
    for (size_t at = 0; at <= token_count; at++) {
        if (sorted[at] > after) {
            ranges[(*range_count)++] = (struct cql_range){after, sorted[at]};
            after = sorted[at];
        }
    }
    return ranges;
}

uint32_t cql_token_shard(int64_t token, uint32_t shard_count, uint32_t ignored_bits)
{
    uint64_t biased = (uint64_t)token + (UINT64_C(1) << 63);
    uint64_t kept = ignored_bits < 64 ? biased << ignored_bits : 0;
    return (uint32_t)((unsigned __int128)kept * shard_count >> 64);
}
