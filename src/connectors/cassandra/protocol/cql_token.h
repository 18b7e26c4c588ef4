/*
 * Tokens of Murmur3Partitioner, the place of a partition on the ring: a hash of its key's bytes.
 * The ring runs from the lowest int64, which is no partition's token, to the highest, and goes on
 * at the lowest again.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_TOKEN_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_TOKEN_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CQL_TOKEN_MIN INT64_MIN
#define CQL_TOKEN_MAX INT64_MAX

/* The token of a partition key: of a single column the value's bytes, of several the components
 * below, one after the other. */
int64_t cql_token_of(const void *key, size_t length);
/* Appends one component of a key of several columns: [short] n, n bytes, one 0. False: n is above
 * 65,535, which no key can be. */
bool cql_token_key_append(struct buffer *key, const void *value, size_t length) MUST_USE;

/* ERROR_TARGET_INVALID, which names it, unless it is Murmur3Partitioner (a class name, with or
 * without its package). */
enum status cql_token_check_partitioner(const char *name, size_t length,
                                        struct error *error) MUST_USE;

/* The partitions whose token is above `after` and at most `to`: `after` < `to`. As a condition:
 * token(key) > after AND token(key) <= to. */
struct cql_range {
    int64_t after;
    int64_t to;
};

/* How many tokens are in the range, 1 and more. */
static inline uint64_t cql_range_width(const struct cql_range *range)
{
    return (uint64_t)range->to - (uint64_t)range->after;
}
/* The range's piece `index` of `pieces` (1 and more, not above the width) of nearly one width;
 * pieces tile it. */
struct cql_range cql_range_piece(const struct cql_range *range, uint64_t index, uint64_t pieces);
/* The ranges between a ring's tokens (in any order; none: the whole ring), in the order of their
 * tokens, with the one that passes the end of the ring in two: they tile the ring. */
struct cql_range *cql_ranges_of(const int64_t *tokens, size_t token_count, struct arena *arena,
                                size_t *range_count);

/* The shard of a Scylla node that a token belongs to. */
uint32_t cql_token_shard(int64_t token, uint32_t shard_count, uint32_t ignored_bits);

#endif
