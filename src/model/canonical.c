/* Canonical bytes (drawn in canonical.h) and the hashes over them. */
#include "model/canonical.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/decimal.h"
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL /* records are short: the call would cost as much as the work */
#include <xxhash.h>

enum { DEPTH_MAX = 1000, SLICE_BYTES = 65536 };

static void put_u16(struct buffer *out, uint16_t number)
{
    uint8_t bytes[2] = {(uint8_t)number, (uint8_t)(number >> 8)};
    buffer_append(out, bytes, sizeof(bytes));
}

static void store_u64(char *bytes, uint64_t number)
{
    number = htole64(number);
    memcpy(bytes, &number, sizeof(number));
}

static void store_u32(char *bytes, uint32_t number)
{
    number = htole32(number);
    memcpy(bytes, &number, sizeof number);
}

/* A tag and eight bytes: INT64, UINT64, FLOAT64. */
static void put_tagged(struct buffer *out, enum value_kind tag, uint64_t number)
{
    buffer_reserve(out, 1 + sizeof number);
    char *to = out->data + out->length;
    out->length += 1 + sizeof number; /* before the bytes, which the compiler may take for it */
    number = htole64(number);
    to[0] = (char)tag;
    memcpy(to + 1, &number, sizeof number);
}

/* memcpy; many values are short, and a call would cost more than the copy. */
static void copy_bytes(char *to, const char *from, uint32_t length)
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
static void put_run(struct buffer *out, enum value_kind tag, const void *bytes, uint32_t length)
{
    buffer_reserve(out, (size_t)length + 5);
    char *to = out->data + out->length;
    out->length += (size_t)length + 5; /* as above */
    to[0] = (char)tag;
    store_u32(to + 1, length);
    copy_bytes(to + 5, bytes, length);
}

static void put_u32(struct buffer *out, uint32_t number)
{
    buffer_reserve(out, 4);
    store_u32(out->data + out->length, number);
    out->length += 4;
}

static void put_u64(struct buffer *out, uint64_t number)
{
    buffer_reserve(out, 8);
    store_u64(out->data + out->length, number);
    out->length += 8;
}

static void put_double(struct buffer *out, enum value_kind tag, double number)
{
    uint64_t bits = 0x7FF8000000000000u;
    if (number == number) {
        memcpy(&bits, &number, sizeof(bits));
    }
    put_tagged(out, tag, bits);
}

static void put_decimal(struct buffer *out, const struct cell *cell)
{
    size_t start = out->length;
    buffer_append_byte(out, VALUE_DECIMAL);
    put_u32(out, 0);
    size_t digits = out->length;
    decimal_append(cell, out);
    store_u32(out->data + start + 1, (uint32_t)(out->length - digits));
}

static void put_time(struct buffer *out, const struct cell *cell)
{
    /* only the flags that are part of the value: what is infinite, or zero, is so in every zone */
    uint8_t flags = cell->flags & ((cell->flags & CELL_SPECIAL) != 0 ? CELL_SPECIAL : CELL_ZONED);
    buffer_append_byte(out, (char)cell->kind);
    buffer_append_byte(out, (char)flags);
    put_u64(out, cell->u64);
    int is_special = (flags & CELL_SPECIAL) != 0;
    if (cell->kind == VALUE_TIME) {
        put_u32(out, (flags & CELL_ZONED) != 0 ? cell->length : 0);
    } else if (cell->kind == VALUE_TIMESTAMP) {
        put_u16(out, is_special ? 0 : cell->aux);
    }
}

static void put_interval(struct buffer *out, const struct value_interval *interval)
{
    buffer_append_byte(out, VALUE_INTERVAL);
    put_u32(out, (uint32_t)interval->months);
    put_u32(out, (uint32_t)interval->days);
    put_u64(out, (uint64_t)interval->nanoseconds);
}

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a value's canonical bytes");
}

/* For a tag, a length and so many bytes: data may be of any length. */
static bool has_room(struct buffer *out, uint32_t length)
{
    return length <= MEMORY_DATA_BYTES || buffer_try_reserve(out, (size_t)length + 8);
}

/* Tag and length of a large value, which then follows in slices. */
static enum status put_large_head(struct buffer *out, const struct large_value *large,
                                  struct error *error)
{
    if (large->length > UINT32_MAX) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                         "a value of %llu bytes is above the limit of 4 GiB",
                         (unsigned long long)large->length);
    }
    buffer_append_byte(out, (char)large->kind);
    put_u32(out, (uint32_t)large->length);
    return STATUS_OK;
}

static enum status put_large(struct buffer *out, struct large_value *large, struct error *error)
{
    enum status status = put_large_head(out, large, error);
    if (status == STATUS_OK && !buffer_try_reserve(out, (size_t)large->length)) {
        status = no_memory(error);
    }
    for (uint64_t offset = 0; offset < large->length && status == STATUS_OK;) {
        uint64_t rest = large->length - offset;
        size_t size = rest < SLICE_BYTES ? (size_t)rest : SLICE_BYTES;
        status = large->read(large, offset, out->data + out->length, size, error);
        out->length += status == STATUS_OK ? size : 0;
        offset += size;
    }
    return status;
}

/* --- sets: the members' bytes are put one after another, then in order --- */

struct member {
    const char *bytes;
    size_t length;
};

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left;
    const struct member *b = right;
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static enum status put_value(struct buffer *out, const struct cell *cell, int depth,
                             struct error *error);

/* Puts the bytes from `start` on, which are those of the members, in their order. */
static void sort_members(struct buffer *out, size_t start, const size_t *ends, uint32_t count)
{
    struct member *members = memory_allocate_zeroed(count, sizeof(*members));
    size_t length = out->length - start;
    char *sorted = memory_allocate(length);
    for (uint32_t i = 0; i < count; i++) {
        size_t begin = i == 0 ? start : ends[i - 1];
        members[i] = (struct member){out->data + begin, ends[i] - begin};
    }
    qsort(members, count, sizeof(*members), compare_members);
    char *position = sorted;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(position, members[i].bytes, members[i].length);
        position += members[i].length;
    }
    memcpy(out->data + start, sorted, length);
    free(sorted);
    free(members);
}

static enum status put_set(struct buffer *out, const struct cell *cell, int depth,
                           struct error *error)
{
    size_t start = out->length;
    if (cell->length == 0) {
        return STATUS_OK;
    }
    size_t *ends = memory_allocate_zeroed(cell->length, sizeof(*ends));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < cell->length && status == STATUS_OK; i++) {
        status = put_value(out, &cell->items[i], depth, error);
        ends[i] = out->length;
    }
    if (status == STATUS_OK) {
        sort_members(out, start, ends, cell->length);
    }
    free(ends);
    return status;
}

static enum status put_nested(struct buffer *out, const struct cell *cell, int depth,
                              struct error *error)
{
    if (depth == 0) {
        return error_set(error, ERROR_REJECT_TOO_DEEP, NULL, "a value nests deeper than %d levels",
                         DEPTH_MAX);
    }
    buffer_append_byte(out, (char)cell->kind);
    put_u32(out, cell->length);
    if (cell->kind == VALUE_SET) {
        return put_set(out, cell, depth - 1, error);
    }
    size_t count = cell->kind == VALUE_MAP ? 2 * (size_t)cell->length : cell->length;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = put_value(out, &cell->items[i], depth - 1, error);
    }
    return status;
}

static enum status put_value(struct buffer *out, const struct cell *cell, int depth,
                             struct error *error)
{
    enum value_kind kind = (enum value_kind)cell->kind;
    switch (kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        buffer_append_byte(out, (char)kind);
        break;
    case VALUE_BOOL:
        buffer_append_byte(out, VALUE_BOOL);
        buffer_append_byte(out, cell->i64 != 0);
        break;
    case VALUE_INT64:
        put_tagged(out, VALUE_INT64, cell->u64);
        break;
    case VALUE_UINT64:
        put_tagged(out, cell->u64 <= INT64_MAX ? VALUE_INT64 : VALUE_UINT64, cell->u64);
        break;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        put_double(out, kind, cell->f64);
        break;
    case VALUE_DECIMAL:
        put_decimal(out, cell);
        break;
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
        if (!has_room(out, cell->length)) {
            return no_memory(error);
        }
        put_run(out, kind, cell->bytes, cell->length);
        break;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
        put_time(out, cell);
        break;
    case VALUE_INTERVAL:
        put_interval(out, cell->interval);
        break;
    case VALUE_UUID:
        buffer_append_byte(out, VALUE_UUID);
        buffer_append(out, cell->bytes, 16);
        break;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return put_nested(out, cell, depth, error);
    case VALUE_LARGE:
        return put_large(out, cell->large, error);
    case VALUE_ESCAPE:
        if (!has_room(out, cell->length)) {
            return no_memory(error);
        }
        buffer_append_byte(out, VALUE_ESCAPE);
        /* the tag's upper bit tells escaped text from other bytes */
        put_u16(out, (uint16_t)(cell->aux | (cell->flags & CELL_ESCAPED_TEXT ? 0x8000 : 0)));
        put_u32(out, cell->length);
        buffer_append(out, cell->bytes, cell->length);
        break;
    case VALUE_KIND_COUNT:
        break;
    }
    return STATUS_OK;
}

enum status canonical_append(const struct cell *cell, struct buffer *out, struct error *error)
{
    return put_value(out, cell, DEPTH_MAX, error);
}

/* --- hashes --- */

static struct canonical_hash hash_of_digest(XXH128_hash_t digest)
{
    return (struct canonical_hash){.low = digest.low64, .high = digest.high64};
}

struct canonical_hash canonical_hash_bytes(const void *bytes, size_t length)
{
    return hash_of_digest(XXH3_128bits(bytes, length));
}

/*
 * The bytes go through `scratch`; only a record with a large value at its top needs the stream, so
 * that the value passes in slices.
 */
struct hashing {
    struct buffer *scratch;
    XXH3_state_t *stream; /* NULL until the first large value */
};

static void start_stream(struct hashing *hashing)
{
    if (hashing->stream == NULL) {
        hashing->stream = XXH3_createState();
        if (hashing->stream == NULL) {
            memory_exhausted(sizeof *hashing->stream);
        }
        XXH3_128bits_reset(hashing->stream);
    }
    XXH3_128bits_update(hashing->stream, hashing->scratch->data, hashing->scratch->length);
    buffer_clear(hashing->scratch);
}

static enum status hash_large(struct hashing *hashing, struct large_value *large,
                              struct error *error)
{
    struct buffer *scratch = hashing->scratch;
    enum status status = put_large_head(scratch, large, error);
    if (status == STATUS_OK) {
        buffer_reserve(scratch, SLICE_BYTES);
        start_stream(hashing);
    }
    for (uint64_t offset = 0; offset < large->length && status == STATUS_OK;) {
        uint64_t rest = large->length - offset;
        size_t size = rest < SLICE_BYTES ? (size_t)rest : SLICE_BYTES;
        status = large->read(large, offset, scratch->data, size, error);
        if (status == STATUS_OK) {
            XXH3_128bits_update(hashing->stream, scratch->data, size);
        }
        offset += size;
    }
    return status;
}

static enum status finish_hash(struct hashing *hashing, enum status status,
                               struct canonical_hash *hash)
{
    if (status == STATUS_OK && hashing->stream != NULL) {
        XXH3_128bits_update(hashing->stream, hashing->scratch->data, hashing->scratch->length);
        *hash = hash_of_digest(XXH3_128bits_digest(hashing->stream));
    } else if (status == STATUS_OK) {
        *hash = canonical_hash_bytes(hashing->scratch->data, hashing->scratch->length);
    }
    XXH3_freeState(hashing->stream);
    return status;
}

enum status canonical_hash_cells(const struct cell *cells, uint32_t count, struct buffer *scratch,
                                 struct canonical_hash *hash, struct error *error)
{
    struct hashing hashing = {.scratch = scratch};
    enum status status = STATUS_OK;
    buffer_clear(scratch);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = cells[i].kind == VALUE_LARGE
                     ? hash_large(&hashing, cells[i].large, error)
                     : put_value(hashing.scratch, &cells[i], DEPTH_MAX, error);
    }
    return finish_hash(&hashing, status, hash);
}

void canonical_hash_format(const struct canonical_hash *hash, char hex[33])
{
    text_from_hash(hash->high, hash->low, hex);
}

enum status canonical_hash_parse(const char *hex, struct canonical_hash *hash)
{
    uint64_t halves[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
        uint8_t digit = (uint8_t)hex[i];
        if (digit >= '0' && digit <= '9') {
            digit = (uint8_t)(digit - '0');
        } else if (digit >= 'a' && digit <= 'f') {
            digit = (uint8_t)(digit - 'a' + 10);
        } else {
            return STATUS_FAILED;
        }
        halves[i / 16] = halves[i / 16] << 4 | digit;
    }
    if (hex[32] != '\0') {
        return STATUS_FAILED;
    }
    *hash = (struct canonical_hash){.low = halves[1], .high = halves[0]};
    return STATUS_OK;
}
