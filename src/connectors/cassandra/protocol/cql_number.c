/* Two's complement of any size to decimal digits and back; vints. */
#include "connectors/cassandra/protocol/cql_number.h"

#include "base/memory.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include <stdlib.h>
#include <string.h>

enum { GROUP_DIGITS = 9, GROUP = 1000000000, WORD_BYTES = 4, SMALL_BYTES = 8 };

/* The bytes before which the sign alone stands. */
static size_t skip_sign(const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (at + 1 < length && ((bytes[at] == 0 && bytes[at + 1] < 0x80) ||
                               (bytes[at] == 0xff && bytes[at + 1] >= 0x80))) {
        at++;
    }
    return at;
}

bool cql_number_read_int64(const uint8_t *bytes, size_t length, int64_t *number)
{
    size_t start = skip_sign(bytes, length);
    if (length - start > SMALL_BYTES) {
        return false;
    }
    uint64_t read = bytes[start] >= 0x80 ? UINT64_MAX : 0;
    for (size_t at = start; at < length; at++) {
        read = read << 8 | bytes[at];
    }
    *number = (int64_t)read;
    return true;
}

/* ---------------------------------------------------------------- to digits */

/* The magnitude as words, the least significant first; how many there are. */
static size_t to_words(const uint8_t *bytes, size_t length, uint32_t *words)
{
    bool negative = bytes[0] >= 0x80;
    size_t count = (length + WORD_BYTES - 1) / WORD_BYTES;
    uint64_t carry = negative;
    memset(words, 0, count * sizeof *words);
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = bytes[length - 1 - i];
        words[i / WORD_BYTES] |= (uint32_t)(uint8_t)(negative ? ~byte : byte)
                                 << (8 * (i % WORD_BYTES));
    }
    for (size_t i = 0; i < count && carry > 0; i++) {
        carry += words[i];
        words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    while (count > 0 && words[count - 1] == 0) {
        count--;
    }
    return count;
}

/* Divides by GROUP in place; the rest. */
static uint32_t divide(uint32_t *words, size_t *count)
{
    uint64_t rest = 0;
    for (size_t i = *count; i > 0; i--) {
        rest = rest << 32 | words[i - 1];
        words[i - 1] = (uint32_t)(rest / GROUP);
        rest %= GROUP;
    }
    while (*count > 0 && words[*count - 1] == 0) {
        (*count)--;
    }
    return (uint32_t)rest;
}

struct text cql_number_digits(const uint8_t *bytes, size_t length, struct arena *arena)
{
    uint32_t *words = arena_allocate(arena, length + WORD_BYTES);
    size_t count = to_words(bytes, length, words);
    /* 8 × log10(2) is below 2.41 */
    size_t room = length * 241 / 100 + GROUP_DIGITS + 1;
    char *text = arena_allocate(arena, room);
    char *at = text + room;
    while (count > 0) {
        uint32_t group = divide(words, &count);
        for (int i = 0; i < GROUP_DIGITS; i++) {
            *--at = (char)('0' + group % 10);
            group /= 10;
        }
    }
    while (at < text + room && *at == '0') {
        at++;
    }
    return (struct text){at, (size_t)(text + room - at)};
}

int cql_number_compare(const uint8_t *left, size_t left_length, const uint8_t *right,
                       size_t right_length)
{
    size_t from_left = skip_sign(left, left_length);
    size_t from_right = skip_sign(right, right_length);
    bool negative = left[from_left] >= 0x80;
    if (negative != (right[from_right] >= 0x80)) {
        return negative ? -1 : 1;
    }
    size_t one = left_length - from_left;
    size_t two = right_length - from_right;
    if (one != two) {
        return (one < two) != negative ? -1 : 1;
    }
    int order = memcmp(left + from_left, right + from_right, one);
    return order < 0 ? -1 : order > 0;
}

/* ---------------------------------------------------------------- from digits */

void cql_number_append_int64(int64_t number, struct buffer *out)
{
    uint8_t bytes[SMALL_BYTES];
    bytes_put_be(bytes, (uint64_t)number, SMALL_BYTES);
    size_t start = skip_sign(bytes, SMALL_BYTES);
    buffer_append(out, bytes + start, SMALL_BYTES - start);
}

/* words × factor + rest; `*count` grows by the carry. */
static void multiply(uint32_t *words, size_t *count, uint32_t factor, uint32_t rest)
{
    uint64_t carry = rest;
    for (size_t i = 0; i < *count; i++) {
        carry += (uint64_t)words[i] * factor;
        words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry > 0) {
        words[(*count)++] = (uint32_t)carry;
    }
}

/* The magnitude's words as bytes, with the sign. */
static void append_words(const uint32_t *words, size_t count, bool negative, struct buffer *out)
{
    size_t start = out->length;
    buffer_append_byte(out, 0);
    for (size_t i = count; i > 0; i--) {
        cql_write_int(out, (int32_t)words[i - 1]);
    }
    uint8_t *bytes = (uint8_t *)out->data + start;
    size_t length = out->length - start;
    unsigned carry = 1;
    for (size_t i = length; i > 0 && negative; i--) {
        carry += (uint8_t)~bytes[i - 1];
        bytes[i - 1] = (uint8_t)carry;
        carry >>= 8;
    }
    size_t surplus = skip_sign(bytes, length);
    memmove(bytes, bytes + surplus, length - surplus);
    out->length -= surplus;
}

bool cql_number_append_digits(bool negative, struct text digits, struct buffer *out)
{
    static const uint32_t powers[] = {1,      10,      100,      1000,      10000,
                                      100000, 1000000, 10000000, 100000000, GROUP};
    enum { DIGITS_MAX = CQL_VARINT_BYTES_MAX * 241 / 100 + 1 };
    for (; digits.length > 0 && *digits.data == '0'; digits.length--) {
        digits.data++;
    }
    if (digits.length > DIGITS_MAX) {
        return false;
    }
    size_t start = out->length;
    uint32_t *words = memory_allocate((digits.length / GROUP_DIGITS + 2) * sizeof *words);
    size_t count = 0;
    for (size_t at = 0; at < digits.length;) {
        uint32_t group = 0;
        size_t taken = 0;
        for (; taken < GROUP_DIGITS && at < digits.length; taken++, at++) {
            group = group * 10 + (uint32_t)(digits.data[at] - '0');
        }
        multiply(words, &count, powers[taken], group);
    }
    append_words(words, count, negative, out);
    free(words);
    if (out->length - start > CQL_VARINT_BYTES_MAX) {
        out->length = start;
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- vints */

uint64_t cql_read_vint(struct cql_reader *reader)
{
    uint8_t first = cql_read_byte(reader);
    int more = first == 0xff ? 8 : __builtin_clz(~((unsigned)first << 24));
    const uint8_t *rest = cql_read_raw(reader, (size_t)more);
    if (rest == NULL) {
        return 0;
    }
    uint64_t top = more < 7 ? first & (0xffu >> (more + 1)) : 0;
    return (more < 8 ? top << (8 * more) : 0) | bytes_get_be(rest, more);
}

size_t cql_put_vint(uint8_t bytes[CQL_VINT_BYTES_MAX], uint64_t number)
{
    int more = 0;
    while (more < 8 && number >> (7 * (more + 1)) != 0) {
        more++;
    }
    if (more == 8) {
        bytes[0] = 0xff;
        bytes_put_be(bytes + 1, number, 8);
        return CQL_VINT_BYTES_MAX;
    }
    bytes_put_be(bytes, number, more + 1);
    bytes[0] |= (uint8_t)(0xff00u >> more);
    return (size_t)more + 1;
}

void cql_write_vint(struct buffer *to, uint64_t number)
{
    uint8_t bytes[CQL_VINT_BYTES_MAX];
    size_t length = cql_put_vint(bytes, number);
    buffer_append(to, bytes, length);
}

int64_t cql_read_signed_vint(struct cql_reader *reader)
{
    uint64_t read = cql_read_vint(reader);
    return (int64_t)(read >> 1 ^ (0 - (read & 1)));
}

void cql_write_signed_vint(struct buffer *to, int64_t number)
{
    cql_write_vint(to, (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0));
}
