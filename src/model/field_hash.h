/* Hashes of records, made field by field: what done marks sum, and rollbacks compare. */
#ifndef TRANSHUME_MODEL_FIELD_HASH_H
#define TRANSHUME_MODEL_FIELD_HASH_H

#include "model/canonical.h"
#include <endian.h>
#include <string.h>
#define XXH_INLINE_ALL /* most values are short: the call would cost as much as the work */
#include <xxhash.h>

/*
 * A field's hash is XXH3-128 of its value's bytes; the seed is made of its name, of its kind, and
 * of a decimal's scale. The bytes:
 *   NULL                        none
 *   INT64 UINT64 FLOAT32 FLOAT64   8, LE, of the number as canonical bytes have it
 *   DECIMAL, first that fits:   a double's shortest digits (decimal_is_of_double): that FLOAT64,
 *                               kind and all, so that floats need no digits
 *                               up to 18 digits, a scale of up to 18: the digits as int64 LE
 *                               else the plain text, with a scale of 0 in the seed
 *   TEXT BYTES JSON, LARGE      the bytes themselves; a large value's pass in slices
 *   all others                  their canonical bytes
 * A record's hash is XXH3-128 of the sum, modulo 2^128, of its fields' hashes (16 bytes, LE). So
 * no bytes of the whole record have to be laid out, the order of fields says nothing, and those
 * that are MISSING leave no trace. Values are told apart as by their canonical bytes, but for those
 * decimals that are floats; values of eight bytes, of two kinds or fields, by 64 bits only.
 */

/* One record in the making, and what making it takes; belongs to one thread. */
struct field_hasher {
    struct canonical_hash sum; /* of the fields so far */
    struct arena *arena;       /* borrowed: of normal forms */
    struct buffer scratch;
};

/* The seed of a field's name. */
uint64_t field_hash_seed(const char *name, uint32_t length);

/* The same, of its value's kind too, and of a DECIMAL's scale (else 0). */
static inline uint64_t field_hash_seed_of_kind(uint64_t seed, enum value_kind kind, uint32_t scale)
{
    return seed ^ ((uint64_t)kind | (uint64_t)scale << 8) * UINT64_C(0x9E3779B97F4A7C15);
}

static inline struct canonical_hash field_hash_of_digest(XXH128_hash_t digest)
{
    return (struct canonical_hash){.low = digest.low64, .high = digest.high64};
}

/* Adds a field of which the bytes are at hand. */
static inline void field_hash_add(struct field_hasher *hasher, uint64_t seed, enum value_kind kind,
                                  uint32_t scale, const void *bytes, size_t length)
{
    const struct canonical_hash hash = field_hash_of_digest(
        XXH3_128bits_withSeed(bytes, length, field_hash_seed_of_kind(seed, kind, scale)));
    canonical_sum_add(&hasher->sum, &hash);
}
static inline void field_hash_add_u64(struct field_hasher *hasher, uint64_t seed,
                                      enum value_kind kind, uint32_t scale, uint64_t number)
{
    number = htole64(number);
    field_hash_add(hasher, seed, kind, scale, &number, sizeof(number));
}
/* FLOAT32 or FLOAT64. */
static inline void field_hash_add_float(struct field_hasher *hasher, uint64_t seed,
                                        enum value_kind kind, double number)
{
    uint64_t bits = UINT64_C(0x7FF8000000000000); /* one NaN */
    if (number == number) {
        memcpy(&bits, &number, sizeof(bits));
    }
    field_hash_add_u64(hasher, seed, kind, 0, bits);
}
static inline void field_hash_add_null(struct field_hasher *hasher, uint64_t seed)
{
    field_hash_add(hasher, seed, VALUE_NULL, 0, "", 0);
}
void field_hash_add_decimal(struct field_hasher *hasher, uint64_t seed, const struct cell *cell);
/* Any value; MISSING adds nothing. */
enum status field_hash_add_cell(struct field_hasher *hasher, uint64_t seed, const struct cell *cell,
                                struct error *error) MUST_USE;

/* The record's hash; `hasher` is at the start of another record then. */
static inline struct canonical_hash field_hash_take(struct field_hasher *hasher)
{
    const uint64_t halves[2] = {htole64(hasher->sum.low), htole64(hasher->sum.high)};
    hasher->sum = (struct canonical_hash){0};
    return field_hash_of_digest(XXH3_128bits(halves, sizeof(halves)));
}

#endif
