/* Classes of values, and the type that holds all classes of a column. */
#include "connectors/csv/infer.h"

#include "model/number_text.h"
#include "model/time_text.h"
#include <math.h>
#include <string.h>

enum { FLOAT_DIGITS_SURE = 15, DECIMAL_DIGITS_MAX = 38, NUMBER_BYTES_MAX = 400 };

static inline bool is_digit(char byte)
{
    return (unsigned char)(byte - '0') < 10;
}

/* Are the digits (a number without exponent or with one) the shortest of their nearest double? */
static bool is_exact_float(const char *text, size_t length)
{
    double value = 0;
    uint64_t wanted = 0;
    int exponent = 0;
    int negative = 0;
    if (number_to_double(text, length, &value) != STATUS_OK || !isfinite(value)) {
        return false;
    }
    /* equal digits of one nearest double have equal exponents */
    number_shortest(value, &wanted, &exponent, &negative);
    uint64_t found = 0;
    uint32_t count = 0;
    for (size_t at = 0; at < length && text[at] != 'e' && text[at] != 'E'; at++) {
        if (!is_digit(text[at])) {
            continue;
        }
        if (count < 19) {
            found = found * 10 + (uint64_t)(text[at] - '0');
            count += found != 0;
        } else if (text[at] != '0') {
            return false;
        }
    }
    while (found != 0 && found % 10 == 0) {
        found /= 10;
    }
    return found == wanted;
}

static enum csv_class float_or_text(const char *text, size_t length)
{
    return is_exact_float(text, length) ? CSV_CLASS_FLOAT : CSV_CLASS_TEXT;
}

static bool fits_int64(const char *digits, size_t count, bool negative)
{
    if (count != 19) {
        return count < 19;
    }
    return memcmp(digits, negative ? "9223372036854775808" : "9223372036854775807", 19) <= 0;
}

/* Behind "e" or "E": is it an exponent to the end? */
static bool is_exponent(const char *at, const char *end)
{
    at += at < end && (*at == '+' || *at == '-');
    if (at == end || end - at > 4) {
        return false;
    }
    for (; at < end; at++) {
        if (!is_digit(*at)) {
            return false;
        }
    }
    return true;
}

/* A number, or text: what begins with a digit or a minus. */
static enum csv_class class_of_number(const char *text, size_t length, uint32_t *whole_digits,
                                      uint32_t *scale, bool *inexact_float)
{
    const char *end = text + length;
    bool negative = text[0] == '-';
    const char *whole = text + negative;
    const char *at = whole;
    bool zero = true;
    while (at < end && is_digit(*at)) {
        zero = zero && *at == '0';
        at++;
    }
    size_t digits = (size_t)(at - whole);
    if (digits == 0 || (digits > 1 && whole[0] == '0') || length > NUMBER_BYTES_MAX) {
        return CSV_CLASS_TEXT;
    }
    *whole_digits = (uint32_t)digits;
    if (at == end) {
        if (zero && negative) {
            return CSV_CLASS_FLOAT;
        }
        *inexact_float = digits > FLOAT_DIGITS_SURE && !is_exact_float(text, length);
        return fits_int64(whole, digits, negative) ? CSV_CLASS_WHOLE : CSV_CLASS_WIDE_WHOLE;
    }
    if (*at == '.') {
        const char *fraction = ++at;
        while (at < end && is_digit(*at)) {
            zero = zero && *at == '0';
            at++;
        }
        if (at == fraction) {
            return CSV_CLASS_TEXT;
        }
        *scale = (uint32_t)(at - fraction);
        if (at == end) {
            if (zero && negative) {
                return float_or_text(text, length);
            }
            *inexact_float = digits + *scale > FLOAT_DIGITS_SURE && !is_exact_float(text, length);
            return CSV_CLASS_FRACTION;
        }
    }
    if ((*at == 'e' || *at == 'E') && is_exponent(at + 1, end)) {
        return float_or_text(text, length);
    }
    return CSV_CLASS_TEXT;
}

static bool is_written_as(const struct cell *cell, const char *text, size_t length)
{
    struct buffer again = {0};
    time_append(cell, &again);
    bool same = again.length == length && memcmp(again.data, text, length) == 0;
    buffer_free(&again);
    return same;
}

/* YYYY-MM-DD, perhaps with T and more behind it. */
static enum csv_class class_of_time(const char *text, size_t length)
{
    struct cell cell;
    if (length == 10) {
        bool date = time_parse_date(text, length, &cell) == STATUS_OK && cell.flags == 0;
        return date && is_written_as(&cell, text, length) ? CSV_CLASS_DATE : CSV_CLASS_TEXT;
    }
    if (length < 19 || text[10] != 'T' || time_parse_timestamp(text, length, &cell) != STATUS_OK ||
        (cell.flags & CELL_SPECIAL) != 0 || !is_written_as(&cell, text, length)) {
        return CSV_CLASS_TEXT;
    }
    return (cell.flags & CELL_ZONED) != 0 ? CSV_CLASS_ZONED : CSV_CLASS_TIMESTAMP;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

enum csv_class csv_infer_class(const char *text, size_t length, uint32_t *whole_digits,
                               uint32_t *scale, bool *inexact_float)
{
    *whole_digits = 0;
    *scale = 0;
    *inexact_float = false;
    if (length == 0) {
        return CSV_CLASS_TEXT;
    }
    if (length >= 10 && length <= 32 && text[4] == '-' && text[7] == '-' && is_digit(text[0])) {
        return class_of_time(text, length);
    }
    if (is_digit(text[0]) || (text[0] == '-' && length > 1 && is_digit(text[1]))) {
        return class_of_number(text, length, whole_digits, scale, inexact_float);
    }
    if (is_word(text, length, "NaN") || is_word(text, length, "Infinity") ||
        is_word(text, length, "-Infinity")) {
        return CSV_CLASS_FLOAT_WORD;
    }
    return CSV_CLASS_TEXT;
}

static void note_first(struct csv_column_facts *facts, enum csv_class class, const char *text,
                       size_t length, uint32_t file, uint64_t line)
{
    struct csv_first *first = &facts->first[class];
    facts->classes |= 1u << class;
    first->line = line;
    first->file = file;
    text_printable(text, length, first->sample, sizeof first->sample);
}

void csv_infer_add(struct csv_column_facts *facts, const char *text, size_t length, uint32_t file,
                   uint64_t line)
{
    uint32_t whole_digits = 0;
    uint32_t scale = 0;
    bool inexact = false;
    if ((facts->classes & 1u << CSV_CLASS_TEXT) != 0) {
        return;
    }
    enum csv_class class = csv_infer_class(text, length, &whole_digits, &scale, &inexact);
    if ((facts->classes & 1u << class) == 0) {
        note_first(facts, class, text, length, file, line);
    }
    facts->inexact_float = facts->inexact_float || inexact;
    facts->whole_digits = whole_digits > facts->whole_digits ? whole_digits : facts->whole_digits;
    facts->scale = scale > facts->scale ? scale : facts->scale;
}

void csv_infer_merge(struct csv_column_facts *facts, const struct csv_column_facts *later,
                     uint64_t line_offset)
{
    for (int class = 0; class < CSV_CLASS_COUNT; class ++) {
        uint32_t bit = 1u << class;
        if ((later->classes & bit) != 0 && (facts->classes & bit) == 0) {
            facts->first[class] = later->first[class];
            facts->first[class].line += line_offset;
        }
    }
    facts->classes |= later->classes;
    facts->inexact_float = facts->inexact_float || later->inexact_float;
    facts->null_count += later->null_count;
    facts->whole_digits =
        later->whole_digits > facts->whole_digits ? later->whole_digits : facts->whole_digits;
    facts->scale = later->scale > facts->scale ? later->scale : facts->scale;
}

enum {
    ALL_WHOLE = 1 << CSV_CLASS_WHOLE,
    ALL_DECIMAL = ALL_WHOLE | 1 << CSV_CLASS_WIDE_WHOLE | 1 << CSV_CLASS_FRACTION,
    ALL_NUMBERS = ALL_DECIMAL | 1 << CSV_CLASS_FLOAT | 1 << CSV_CLASS_FLOAT_WORD
};

static bool only(uint32_t classes, uint32_t allowed)
{
    return classes != 0 && (classes & ~allowed) == 0;
}

struct value_type csv_infer_type(const struct csv_column_facts *facts)
{
    uint32_t classes = facts->classes;
    struct value_type text = {.kind = VALUE_TEXT};
    if (only(classes, ALL_WHOLE)) {
        return (struct value_type){.kind = VALUE_INT64};
    }
    if (only(classes, ALL_DECIMAL)) {
        uint32_t digits = facts->whole_digits + facts->scale;
        return digits > DECIMAL_DIGITS_MAX ? text
                                           : (struct value_type){.kind = VALUE_DECIMAL,
                                                                 .precision = (int32_t)digits,
                                                                 .scale = (int32_t)facts->scale};
    }
    if (only(classes, ALL_NUMBERS)) {
        bool words = only(classes, 1u << CSV_CLASS_FLOAT_WORD);
        return words || facts->inexact_float ? text : (struct value_type){.kind = VALUE_FLOAT64};
    }
    if (only(classes, 1u << CSV_CLASS_DATE)) {
        return (struct value_type){.kind = VALUE_DATE};
    }
    if (only(classes, 1u << CSV_CLASS_TIMESTAMP)) {
        return (struct value_type){.kind = VALUE_TIMESTAMP};
    }
    if (only(classes, 1u << CSV_CLASS_ZONED)) {
        return (struct value_type){.kind = VALUE_TIMESTAMP, .zoned = true};
    }
    return text;
}

enum csv_class csv_infer_decider(const struct csv_column_facts *facts)
{
    uint32_t classes = facts->classes;
    if ((classes & (classes - 1)) == 0) {
        return CSV_CLASS_COUNT;
    }
    for (int class = CSV_CLASS_COUNT - 1; class > 0; class --) {
        if ((classes & 1u << class) != 0) {
            return (enum csv_class) class;
        }
    }
    return CSV_CLASS_COUNT;
}
