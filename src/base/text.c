/* Text helpers: UTF-8, patterns, nearest names, numbers for machines and for people. */
#include "base/text.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The length of the well-formed character at `bytes`, 0 if there is none (RFC 3629, table 3-7 of
 * the Unicode standard). `first` >= 0x80. */
static size_t sequence_length(const uint8_t *bytes, size_t available)
{
    uint8_t first = bytes[0];
    if (first < 0xC2 || first > 0xF4) {
        return 0;
    }
    if (first < 0xE0) {
        return available >= 2 && (bytes[1] & 0xC0) == 0x80 ? 2 : 0;
    }
    if (available < 3 || (bytes[1] & 0xC0) != 0x80 || (bytes[2] & 0xC0) != 0x80) {
        return 0;
    }
    if (first < 0xF0) {
        int overlong = first == 0xE0 && bytes[1] < 0xA0;
        int surrogate = first == 0xED && bytes[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (available < 4 || (bytes[3] & 0xC0) != 0x80) {
        return 0;
    }
    int overlong = first == 0xF0 && bytes[1] < 0x90;
    int too_high = first == 0xF4 && bytes[1] > 0x8F;
    return overlong || too_high ? 0 : 4;
}

int text_is_utf8(const void *bytes, size_t length)
{
    if (length == 0) {
        return 1; /* `bytes` may be NULL */
    }
    const uint8_t *position = bytes;
    const uint8_t *end = position + length;
    while (position < end) {
        while (end - position >= 16) {
            uint64_t words[2];
            memcpy(words, position, 16);
            if (((words[0] | words[1]) & 0x8080808080808080u) != 0) {
                break;
            }
            position += 16;
        }
        if (end - position >= 8) {
            uint64_t word;
            memcpy(&word, position, 8);
            if ((word & 0x8080808080808080u) == 0) {
                position += 8;
                continue;
            }
        }
        /* To the next multi-byte characters, and through all that follow each other. */
        while (position < end && *position < 0x80) {
            position++;
        }
        while (position < end && *position >= 0x80) {
            size_t size = sequence_length(position, (size_t)(end - position));
            if (size == 0) {
                return 0;
            }
            position += size;
        }
    }
    return 1;
}

size_t text_clip(const char *bytes, size_t length, size_t limit)
{
    if (length <= limit) {
        return length;
    }
    size_t end = limit;
    while (end > 0 && limit - end < 3 && ((uint8_t)bytes[end] & 0xC0) == 0x80) {
        end--;
    }
    return ((uint8_t)bytes[end] & 0xC0) == 0x80 ? limit : end;
}

/* True for characters that move the cursor, end a line or turn the direction of writing. */
static int is_unsafe(const uint8_t *bytes, size_t size)
{
    if (size == 1) {
        return bytes[0] < 0x20 || bytes[0] == 0x7F;
    }
    if (size == 2) {
        return bytes[0] == 0xC2 && bytes[1] < 0xA0; /* U+0080 to U+009F */
    }
    if (size == 3 && bytes[0] == 0xE2 && bytes[1] == 0x80) {
        /* U+200E, U+200F, U+2028 to U+202E */
        return bytes[2] == 0x8E || bytes[2] == 0x8F || (bytes[2] >= 0xA8 && bytes[2] <= 0xAE);
    }
    /* U+2066 to U+2069 */
    return size == 3 && bytes[0] == 0xE2 && bytes[1] == 0x81 && bytes[2] >= 0xA6 &&
           bytes[2] <= 0xA9;
}

static size_t character_length(const uint8_t *bytes, size_t available)
{
    return bytes[0] < 0x80 ? 1 : sequence_length(bytes, available);
}

void text_clean_line(char *text)
{
    size_t length = strlen(text);
    size_t out = 0;
    for (size_t in = 0; in < length;) {
        const uint8_t *bytes = (const uint8_t *)text + in;
        size_t size = character_length(bytes, length - in);
        if (size == 0 || is_unsafe(bytes, size)) {
            text[out++] = '?';
            in += size == 0 ? 1 : size;
        } else {
            memmove(text + out, bytes, size);
            out += size;
            in += size;
        }
    }
    text[out] = '\0';
}

/* One character of a printable copy into `out` (at least 16 bytes); `*used` input bytes are
 * done. */
static size_t escape_character(const uint8_t *bytes, size_t available, size_t *used, char *out)
{
    static const char digits[] = "0123456789abcdef";
    static const char named[] = "abtnvfr"; /* from 7 on */
    size_t size = character_length(bytes, available);
    *used = size == 0 ? 1 : size;
    if (size > 0 && !is_unsafe(bytes, size)) {
        memcpy(out, bytes, size);
        return size;
    }
    if (bytes[0] >= 7 && bytes[0] <= 13) {
        out[0] = '\\';
        out[1] = named[bytes[0] - 7];
        return 2;
    }
    for (size_t i = 0; i < *used; i++) {
        memcpy(out + 4 * i, "\\x", 2);
        out[4 * i + 2] = digits[bytes[i] >> 4];
        out[4 * i + 3] = digits[bytes[i] & 15];
    }
    return 4 * *used;
}

void text_printable(const void *bytes, size_t length, char *out, size_t capacity)
{
    const uint8_t *position = bytes;
    size_t filled = 0;
    size_t whole = 0; /* how much of `out` may stay when "..." must follow */
    if (capacity == 0) {
        return;
    }
    while (length > 0) {
        char escaped[16];
        size_t used;
        size_t size = escape_character(position, length, &used, escaped);
        if (filled + size > capacity - 1) {
            size_t dots = capacity - 1 < 3 ? capacity - 1 : 3;
            memcpy(out + whole, "...", dots);
            filled = whole + dots;
            break;
        }
        memcpy(out + filled, escaped, size);
        filled += size;
        if (filled + 3 <= capacity - 1) {
            whole = filled;
        }
        position += used;
        length -= used;
    }
    out[filled] = '\0';
}

static uint8_t text_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

enum { NEAREST_LENGTH_MAX = 64 };

/* Edit distance in half steps (insert, delete, replace, swap of neighbours: 2; case: 1). */
static unsigned edit_distance(const char *left, size_t left_length, const char *right,
                              size_t right_length)
{
    unsigned rows[3][NEAREST_LENGTH_MAX + 1];
    unsigned *before = rows[0];
    unsigned *above = rows[1];
    unsigned *row = rows[2];
    for (size_t j = 0; j <= right_length; j++) {
        above[j] = (unsigned)(2 * j);
    }
    for (size_t i = 1; i <= left_length; i++) {
        row[0] = (unsigned)(2 * i);
        for (size_t j = 1; j <= right_length; j++) {
            uint8_t a = (uint8_t)left[i - 1];
            uint8_t b = (uint8_t)right[j - 1];
            unsigned best = above[j - 1] + (a == b ? 0 : text_lower(a) == text_lower(b) ? 1 : 2);
            best = above[j] + 2 < best ? above[j] + 2 : best;
            best = row[j - 1] + 2 < best ? row[j - 1] + 2 : best;
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] &&
                before[j - 2] + 2 < best) {
                best = before[j - 2] + 2;
            }
            row[j] = best;
        }
        unsigned *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[right_length];
}

const char *text_nearest(const char *name, const char *const *names, size_t count)
{
    size_t length = strlen(name);
    if (length == 0 || length > NEAREST_LENGTH_MAX) {
        return NULL;
    }
    const char *nearest = NULL;
    /* Close: at most one edit in three characters, and one in any case. */
    unsigned limit = (unsigned)(length / 3 > 1 ? 2 * (length / 3) : 2);
    for (size_t i = 0; i < count; i++) {
        size_t other_length = strlen(names[i]);
        size_t difference = other_length > length ? other_length - length : length - other_length;
        if (other_length > NEAREST_LENGTH_MAX || 2 * difference > limit) {
            /* all its letters in order, only the case differing, is found by the distance below */
            continue;
        }
        unsigned distance = edit_distance(name, length, names[i], other_length);
        if (distance <= limit && (nearest == NULL || distance < limit)) {
            nearest = names[i];
            limit = distance;
        }
    }
    return nearest;
}

int text_compare_strings(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

int text_compare(const char *left, size_t left_length, const char *right, size_t right_length)
{
    size_t shorter = left_length < right_length ? left_length : right_length;
    int order = memcmp(left, right, shorter);
    return order != 0 ? order : (left_length > right_length) - (left_length < right_length);
}

bool text_ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text);
    size_t size = strlen(ending);
    return length > size && strcmp(text + length - size, ending) == 0;
}

bool text_ends_with_folded(const char *text, const char *ending)
{
    size_t length = strlen(text);
    size_t size = strlen(ending);
    return length > size && strcasecmp(text + length - size, ending) == 0;
}

bool text_is_among(const char *text, const char *const *list)
{
    while (*list != NULL && strcmp(text, *list) != 0) {
        list++;
    }
    return *list != NULL;
}

int text_hex_digit(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

int text_matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *retry = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern == '?') {
            pattern++;
            size_t size = character_length((const uint8_t *)text, strlen(text));
            text += size == 0 ? 1 : size;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++retry;
        } else {
            return 0;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

enum { SAFE_DIGITS = 19 }; /* so many never overflow */

enum status text_to_uint64(const char *text, size_t length, uint64_t *value)
{
    uint64_t sum = 0;
    size_t safe = length < SAFE_DIGITS ? length : SAFE_DIGITS;
    for (size_t i = 0; i < safe; i++) {
        uint8_t digit = (uint8_t)(text[i] - '0');
        if (digit > 9) {
            return STATUS_FAILED;
        }
        sum = 10 * sum + digit;
    }
    for (size_t i = safe; i < length; i++) {
        uint8_t digit = (uint8_t)(text[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, digit, &sum)) {
            return STATUS_FAILED;
        }
    }
    *value = sum;
    return length > 0 ? STATUS_OK : STATUS_FAILED;
}

void text_from_hash(uint64_t high, uint64_t low, char hex[33])
{
    snprintf(hex, 33, "%016" PRIx64 "%016" PRIx64, high, low);
}

enum status text_to_int64(const char *text, size_t length, int64_t *value)
{
    int negative = length > 0 && text[0] == '-';
    uint64_t magnitude;
    if (text_to_uint64(text + negative, length - (size_t)negative, &magnitude) != STATUS_OK ||
        magnitude > (uint64_t)INT64_MAX + (uint64_t)negative) {
        return STATUS_FAILED;
    }
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return STATUS_OK;
}

/*
 * Eight digits as eight bytes, the first in the lowest: the number is halved three times, into
 * parts of four, two and one digits, all parts at once. x / 100 is x * 10486 >> 20 for four digits,
 * x / 10 is x * 103 >> 10 for two.
 */
static uint64_t eight_digits(uint32_t value)
{
    uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (twos - 10 * tens) << 8;
}

static void put_eight(uint64_t digits, char *out)
{
    digits = htole64(digits);
    memcpy(out, &digits, sizeof digits);
}

enum { EIGHT_DIGITS = 100000000 };
#define ASCII_ZEROS UINT64_C(0x3030303030303030)

size_t text_from_uint64(uint64_t value, char *out)
{
    if (value < EIGHT_DIGITS) {
        /* Writes eight bytes: those behind the digits are NUL. */
        uint64_t digits = eight_digits((uint32_t)value);
        unsigned zeros = digits == 0 ? 7 : (unsigned)__builtin_ctzll(digits) / 8;
        put_eight((digits | ASCII_ZEROS) >> 8 * zeros, out);
        return 8 - zeros;
    }
    size_t length = text_from_uint64(value / EIGHT_DIGITS, out);
    put_eight(eight_digits((uint32_t)(value % EIGHT_DIGITS)) | ASCII_ZEROS, out + length);
    return length + 8;
}

size_t text_from_int64(int64_t value, char *out)
{
    if (value >= 0) {
        return text_from_uint64((uint64_t)value, out);
    }
    out[0] = '-';
    return 1 + text_from_uint64(0 - (uint64_t)value, out + 1);
}

enum status text_to_bytes(const char *text, uint64_t *bytes)
{
    static const char units[] = "kmgtp";
    size_t digits = strspn(text, "0123456789");
    uint64_t number;
    if (text_to_uint64(text, digits, &number) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *suffix = text + digits;
    uint64_t base = 1024;
    unsigned power = 0;
    const char *unit = *suffix == '\0' ? NULL : strchr(units, text_lower((uint8_t)*suffix));
    if (unit != NULL) {
        power = (unsigned)(unit - units) + 1;
        suffix++;
        if (text_lower((uint8_t)suffix[0]) == 'i' && text_lower((uint8_t)suffix[1]) == 'b') {
            suffix += 2;
        } else if (text_lower((uint8_t)suffix[0]) == 'b') {
            base = 1000;
            suffix++;
        }
    } else if (text_lower((uint8_t)*suffix) == 'b') {
        suffix++;
    }
    for (; power > 0; power--) {
        if (__builtin_mul_overflow(number, base, &number)) {
            return STATUS_FAILED;
        }
    }
    *bytes = number;
    return *suffix == '\0' ? STATUS_OK : STATUS_FAILED;
}

enum status text_to_milliseconds(const char *text, uint64_t *milliseconds)
{
    static const struct {
        const char *suffix;
        uint64_t factor;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1000}};
    size_t digits = strspn(text, "0123456789");
    if (digits > 12 || text_to_uint64(text, digits, milliseconds) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].suffix) == 0) {
            *milliseconds *= units[i].factor;
            return STATUS_OK;
        }
    }
    return STATUS_FAILED;
}

void text_human_count(uint64_t count, char *out, size_t capacity)
{
    char digits[20];
    char grouped[28];
    size_t length = text_from_uint64(count, digits);
    size_t filled = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            grouped[filled++] = ',';
        }
        grouped[filled++] = digits[i];
    }
    grouped[filled] = '\0';
    snprintf(out, capacity, "%s", grouped);
}

void text_human_bytes(uint64_t bytes, char *out, size_t capacity)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(out, capacity, "%u B", (unsigned)bytes);
        return;
    }
    double amount = (double)bytes / 1024;
    size_t unit = 0;
    while (amount >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        amount /= 1024;
        unit++;
    }
    /* by hand: printf would take the decimal point of the process's locale */
    uint64_t tenths = (uint64_t)(amount * 10 + 0.5);
    snprintf(out, capacity, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10),
             units[unit]);
}

void text_human_seconds(double seconds, char *out, size_t capacity)
{
    if (!(seconds >= 0) || seconds > 1e12) {
        snprintf(out, capacity, "?");
        return;
    }
    if (seconds < 9.95) {
        unsigned tenths = (unsigned)(seconds * 10 + 0.5);
        snprintf(out, capacity, "%u.%us", tenths / 10, tenths % 10);
        return;
    }
    uint64_t whole = (uint64_t)(seconds + 0.5);
    if (whole < 60) {
        snprintf(out, capacity, "%us", (unsigned)whole);
    } else if (whole < 3600) {
        snprintf(out, capacity, "%um %02us", (unsigned)(whole / 60), (unsigned)(whole % 60));
    } else if (whole < 86400) {
        snprintf(out, capacity, "%uh %02um", (unsigned)(whole / 3600), (unsigned)(whole / 60 % 60));
    } else {
        snprintf(out, capacity, "%llud %02uh", (unsigned long long)(whole / 86400),
                 (unsigned)(whole / 3600 % 24));
    }
}
