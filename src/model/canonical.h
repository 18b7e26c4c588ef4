/* Canonical bytes: one encoding of every value, the same on every machine, that hashes stand on. */
#ifndef TRANSHUME_MODEL_CANONICAL_H
#define TRANSHUME_MODEL_CANONICAL_H

#include "base/buffer.h"
#include "model/batch.h"
#include "model/value.h"
#include <endian.h>
#include <string.h>

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

/* Single values of kinds that every record holds, for who appends values' normal forms at once. */
static inline void canonical_store_u32(char *bytes, uint32_t number)
{
    number = htole32(number);
    memcpy(bytes, &number, sizeof number);
}
/* A tag and eight bytes: INT64, UINT64, FLOAT64. */
static inline void canonical_append_u64(struct buffer *out, enum value_kind tag, uint64_t number)
{
    if (buffer_reserve(out, 1 + sizeof number)) {
        char *to = out->data + out->length;
        out->length += 1 + sizeof number; /* before the bytes, which the compiler may take for it */
        number = htole64(number);
        to[0] = (char)tag;
        memcpy(to + 1, &number, sizeof number);
    }
}
/* memcpy; most names and many values are short, and a call would cost more than the copy. */
static inline void canonical_copy(char *to, const char *from, uint32_t length)
{
    if (length > 16) {
        memcpy(to, from, length);
    } else if (length >= 8) {
        uint64_t first;
        uint64_t last;
        memcpy(&first, from, sizeof first);
        memcpy(&last, from + length - 8, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + length - 8, &last, sizeof last);
    } else if (length >= 4) {
        uint32_t first;
        uint32_t last;
        memcpy(&first, from, sizeof first);
        memcpy(&last, from + length - 4, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + length - 4, &last, sizeof last);
    } else if (length > 0) {
        to[0] = from[0];
        to[length / 2] = from[length / 2];
        to[length - 1] = from[length - 1];
    }
}
/* A tag, the length and the bytes: TEXT, BYTES, JSON, DECIMAL. */
static inline void canonical_append_run(struct buffer *out, enum value_kind tag, const void *bytes,
                                        uint32_t length)
{
    if (buffer_reserve(out, (size_t)length + 5)) {
        char *to = out->data + out->length;
        out->length += (size_t)length + 5; /* as above */
        to[0] = (char)tag;
        canonical_store_u32(to + 1, length);
        canonical_copy(to + 5, bytes, length);
    }
}

/* A field's name, which every record has before the value: a TEXT, made once for many records. */
enum { CANONICAL_NAME_BYTES = 24 };
struct canonical_name {
    const char *text; /* borrowed */
    uint32_t length;
    char bytes[CANONICAL_NAME_BYTES]; /* tag, length and text, if they are no longer than this */
};
void canonical_name_make(const char *text, uint32_t length, struct canonical_name *name);
static inline void canonical_append_name(struct buffer *out, const struct canonical_name *name)
{
    if (name->length > CANONICAL_NAME_BYTES - 5) {
        canonical_append_run(out, VALUE_TEXT, name->text, name->length);
    } else if (buffer_reserve(out, CANONICAL_NAME_BYTES)) {
        char *to = out->data + out->length;
        out->length += (size_t)name->length + 5;
        memcpy(to, name->bytes, CANONICAL_NAME_BYTES); /* of a fixed size, which is faster */
    }
}

struct canonical_hash {
    uint64_t low;
    uint64_t high;
};

/* XXH3-128 over the canonical bytes of the cells, MISSING ones of a shape left out together with
 * their field's name: name (as a TEXT) and value are hashed pairwise, in order of the shape.
 * Cells of the source key behind the shape's do not count. `scratch` is reused. A large value at
 * the record's top passes in slices. */
enum status canonical_hash_record(const struct shape *shape, const struct cell *cells,
                                  uint32_t width, struct buffer *scratch,
                                  struct canonical_hash *hash, struct error *error) MUST_USE;
/* Over the given cells alone, without names: for keys. */
enum status canonical_hash_cells(const struct cell *cells, uint32_t count, struct buffer *scratch,
                                 struct canonical_hash *hash, struct error *error) MUST_USE;

/* Over canonical bytes that are there already; what canonical_hash_record gives for a record whose
 * names and values they are. */
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
