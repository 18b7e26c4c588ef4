/* Small text helpers that several modules need. */
#ifndef TRANSHUME_BASE_TEXT_H
#define TRANSHUME_BASE_TEXT_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes, not NUL-terminated. */
struct text {
    const char *data;
    size_t length;
};

/* True if the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong, <= U+10FFFF). */
int text_is_utf8(const void *bytes, size_t length);
/* The nearest of `names` to `name` by edit distance (case counts half), NULL if none is close. */
const char *text_nearest(const char *name, const char *const *names, size_t count);
/* For qsort over an array of strings: by bytes. */
int text_compare_strings(const void *left, const void *right);
/* By bytes; of two that begin alike the shorter is less. */
int text_compare(const char *left, size_t left_length, const char *right, size_t right_length);
/* Does it end so, with something before it? _folded: the case of ASCII letters does not matter. */
bool text_ends_with(const char *text, const char *ending);
bool text_ends_with_folded(const char *text, const char *ending);
/* Is it one of a list that ends with NULL? */
bool text_is_among(const char *text, const char *const *list);
/* 0 to 15, for letters of either case; -1: it is none. */
int text_hex_digit(char digit);
/* Shell-style pattern with * and ?; case-sensitive. */
int text_matches(const char *pattern, const char *text);
/* Copies for people: control characters and invalid bytes escaped, clipped with "..." at
 * capacity. */
void text_printable(const void *bytes, size_t length, char *out, size_t capacity);
/* Makes one clean line of a NUL-terminated text in place: control characters, line and paragraph
 * separators, marks that turn the writing direction and invalid UTF-8 become '?'. */
void text_clean_line(char *text);
/* The most bytes, at most `limit`, that end at a whole character of `length` bytes of UTF-8. */
size_t text_clip(const char *bytes, size_t length, size_t limit);
/* Whole-string conversions; STATUS_FAILED if it is not exactly one number in range. */
enum status text_to_int64(const char *text, size_t length, int64_t *value) MUST_USE;
enum status text_to_uint64(const char *text, size_t length, uint64_t *value) MUST_USE;
/* Decimal digits into `out` (20 bytes, all of which may be written); the length comes back. */
size_t text_from_int64(int64_t value, char *out);
size_t text_from_uint64(uint64_t value, char *out);
/* A hash of 128 bits as 32 lower-case hexadecimal digits and a NUL. */
void text_from_hash(uint64_t high, uint64_t low, char hex[33]);
/* "64MiB", "500k", "1G", "12345" into bytes: k, M, G, T and KiB, MiB … are powers of 1024, kB, MB …
 * powers of 1000; case does not matter. */
enum status text_to_bytes(const char *text, uint64_t *bytes) MUST_USE;
/* 1234567 -> "1,234,567"; 123456789 -> "117.7 MiB"; 3723 s -> "1h 02m". `out` >= 32 bytes. */
/* "30s", "500ms", "2m", "1h"; a bare number is seconds. */
enum status text_to_milliseconds(const char *text, uint64_t *milliseconds) MUST_USE;
void text_human_count(uint64_t count, char *out, size_t capacity);
void text_human_bytes(uint64_t bytes, char *out, size_t capacity);
void text_human_seconds(double seconds, char *out, size_t capacity);

#endif
