/* Canonical bytes: one encoding of every value, the same on every machine, that hashes stand on. */
#ifndef TRANSHUME_MODEL_CANONICAL_H
#define TRANSHUME_MODEL_CANONICAL_H

#include "base/buffer.h"
#include "model/value.h"

/*
 * Version 1. A value is one tag byte (enum value_kind, 1 byte) and:
 *   MISSING NULL                nothing
 *   BOOL                        1 byte
 *   INT64 UINT64 DECIMAL FLOAT32 FLOAT64   see below
 *   TEXT BYTES JSON ESCAPE      uint32 LE length, bytes   (ESCAPE: uint16 LE tag first, its
 *                               upper bit set for CELL_ESCAPED_TEXT)
 *   DATE TIME TIMESTAMP         byte of the flags ZONED or SPECIAL, int64 LE, then (TIME) int32 LE
 *                               offset, (TIMESTAMP) uint16 LE ns
 *   INTERVAL                    int32 LE months, int32 LE days, int64 LE ns
 *   UUID                        16 bytes
 *   LIST MAP                    uint32 LE count, the values in order
 *   SET                         uint32 LE count, the values sorted by their canonical bytes
 *   LARGE                       as the TEXT or BYTES it stands for, read in slices
 * Numbers: whole numbers in int64 are tag INT64 + int64 LE, above it up to uint64 UINT64 + uint64
 * LE whichever kind held them if the kind is INT64 or UINT64; FLOAT64 and FLOAT32 are their own tag
 * + IEEE bits of the double LE (one NaN); DECIMAL is its tag + uint32 LE length + plain text with
 * scale.
 * A connector's normal form decides before this which kinds are to be taken for equal.
 */
enum { CANONICAL_VERSION = 1 };

enum status canonical_append(const struct cell *cell, struct buffer *out,
                             struct error *error) MUST_USE;

struct canonical_hash {
    uint64_t low;
    uint64_t high;
};

/* XXH3-128 over the canonical bytes of the cells, without names: for keys and documents; of records
 * with fields: field_hash.h. `scratch` is reused. A large value at the top passes in slices. */
enum status canonical_hash_cells(const struct cell *cells, uint32_t count, struct buffer *scratch,
                                 struct canonical_hash *hash, struct error *error) MUST_USE;

/* Over bytes that are there already. */
struct canonical_hash canonical_hash_bytes(const void *bytes, size_t length);

/* Sums of hashes modulo 2^128: the order of records does not matter, multiplicity does. */
static inline void canonical_sum_add(struct canonical_hash *sum, const struct canonical_hash *hash)
{
    uint64_t low = sum->low + hash->low;
    sum->high += hash->high + (low < sum->low);
    sum->low = low;
}
void canonical_hash_format(const struct canonical_hash *hash, char hex[33]);
enum status canonical_hash_parse(const char *hex, struct canonical_hash *hash) MUST_USE;

#endif
