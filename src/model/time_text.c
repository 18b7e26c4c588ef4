/* ISO 8601 text of dates, times, timestamps and intervals, and the readers of it. */
#include "model/time_text.h"

#include "base/arena.h"
#include "base/text.h"
#include <string.h>
#include <strings.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MINUTE (60 * NS_PER_SECOND)
#define NS_PER_HOUR (3600 * NS_PER_SECOND)
#define NS_PER_DAY (86400 * NS_PER_SECOND)
#define US_PER_DAY INT64_C(86400000000)

enum { DATE_BYTES_MAX = 40, TIME_BYTES_MAX = 32, YEAR_DIGITS_MAX = 12, YEAR_MAX = 999999999 };

/* --- writing --- */

static size_t put_two(int number, char *out)
{
    out[0] = (char)('0' + number / 10);
    out[1] = (char)('0' + number % 10);
    return 2;
}

/* At least four digits; a sign where it is not one of the years 0000 to 9999. */
static size_t put_year(int64_t year, char *out)
{
    if (year >= 0 && year <= 9999) {
        put_two((int)(year / 100), out);
        put_two((int)(year % 100), out + 2);
        return 4;
    }
    out[0] = year < 0 ? '-' : '+';
    uint64_t magnitude = year < 0 ? 0 - (uint64_t)year : (uint64_t)year;
    char digits[20];
    size_t count = text_from_uint64(magnitude, digits);
    size_t zeros = count < 4 ? 4 - count : 0;
    memset(out + 1, '0', zeros);
    memcpy(out + 1 + zeros, digits, count);
    return 1 + zeros + count;
}

static size_t put_date(int64_t days, char *out)
{
    int64_t year;
    int month;
    int day;
    clock_civil_from_days(days, &year, &month, &day);
    size_t length = put_year(year, out);
    out[length++] = '-';
    length += put_two(month, out + length);
    out[length++] = '-';
    return length + put_two(day, out + length);
}

/* ".5" of 500,000,000 ns; nothing of 0. */
static size_t put_fraction(uint32_t ns, char *out)
{
    if (ns == 0) {
        return 0;
    }
    out[0] = '.';
    size_t length = 10;
    for (size_t i = 9; i > 0; i--) {
        out[i] = (char)('0' + ns % 10);
        ns /= 10;
    }
    while (out[length - 1] == '0') {
        length--;
    }
    return length;
}

static size_t put_time(int64_t ns, char *out)
{
    int64_t seconds = ns / NS_PER_SECOND;
    size_t length = put_two((int)(seconds / 3600), out);
    out[length++] = ':';
    length += put_two((int)(seconds / 60 % 60), out + length);
    out[length++] = ':';
    length += put_two((int)(seconds % 60), out + length);
    return length + put_fraction((uint32_t)(ns % NS_PER_SECOND), out + length);
}

/* "Z", "+02:00" or "-00:00:30" */
static size_t put_offset(int32_t seconds, char *out)
{
    if (seconds == 0) {
        out[0] = 'Z';
        return 1;
    }
    int magnitude = seconds < 0 ? -seconds : seconds;
    out[0] = seconds < 0 ? '-' : '+';
    put_two(magnitude / 3600, out + 1);
    out[3] = ':';
    put_two(magnitude / 60 % 60, out + 4);
    if (magnitude % 60 == 0) {
        return 6;
    }
    out[6] = ':';
    put_two(magnitude % 60, out + 7);
    return 9;
}

static size_t put_timestamp(const struct cell *cell, char *out)
{
    int64_t days = cell->i64 / US_PER_DAY;
    int64_t us = cell->i64 % US_PER_DAY;
    if (us < 0) {
        us += US_PER_DAY;
        days--;
    }
    size_t length = put_date(days, out);
    out[length++] = 'T';
    length += put_time(us * 1000 + cell->aux, out + length);
    if ((cell->flags & CELL_ZONED) != 0) {
        out[length++] = 'Z';
    }
    return length;
}

/* A signed part of a duration and its letter; nothing for 0. */
static void append_part(int64_t amount, char unit, struct buffer *out)
{
    if (amount != 0) {
        buffer_append_int64(out, amount);
        buffer_append_byte(out, unit);
    }
}

static void append_interval(const struct value_interval *interval, struct buffer *out)
{
    int64_t ns = interval->nanoseconds;
    buffer_append_byte(out, 'P');
    append_part(interval->months / 12, 'Y', out);
    append_part(interval->months % 12, 'M', out);
    append_part(interval->days, 'D', out);
    if (ns != 0) {
        buffer_append_byte(out, 'T');
        append_part(ns / NS_PER_HOUR, 'H', out);
        append_part(ns / NS_PER_MINUTE % 60, 'M', out);
        int64_t rest = ns % NS_PER_MINUTE;
        if (rest != 0) {
            char fraction[12];
            int64_t magnitude = rest < 0 ? -rest : rest;
            if (rest < 0) {
                buffer_append_byte(out, '-');
            }
            buffer_append_int64(out, magnitude / NS_PER_SECOND);
            buffer_append(out, fraction,
                          put_fraction((uint32_t)(magnitude % NS_PER_SECOND), fraction));
            buffer_append_byte(out, 'S');
        }
    } else if (interval->months == 0 && interval->days == 0) {
        buffer_append_string(out, "T0S");
    }
}

void time_append(const struct cell *cell, struct buffer *out)
{
    if (cell->kind == VALUE_INTERVAL) {
        append_interval(cell->interval, out);
        return;
    }
    if ((cell->flags & CELL_SPECIAL) != 0) {
        buffer_append_string(out, cell->i64 == CELL_INFINITY         ? "infinity"
                                  : cell->i64 == CELL_MINUS_INFINITY ? "-infinity"
                                                                     : "0000-00-00");
        return;
    }
    buffer_reserve(out, DATE_BYTES_MAX + TIME_BYTES_MAX);
    char *position = out->data + out->length;
    if (cell->kind == VALUE_DATE) {
        out->length += put_date(cell->i64, position);
    } else if (cell->kind == VALUE_TIMESTAMP) {
        out->length += put_timestamp(cell, position);
    } else {
        size_t length = put_time(cell->i64, position);
        if ((cell->flags & CELL_ZONED) != 0) {
            length += put_offset((int32_t)cell->length, position + length);
        }
        out->length += length;
    }
}

/* --- reading: each reader moves `*position` behind what it has read, or returns false --- */

struct reading {
    const char *position;
    const char *end;
};

static int read_byte(struct reading *reading, char byte)
{
    if (reading->position == reading->end || *reading->position != byte) {
        return 0;
    }
    reading->position++;
    return 1;
}

static int is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static int read_two(struct reading *reading, int limit, int *number)
{
    const char *digits = reading->position;
    if (reading->end - digits < 2 || !is_digit(digits[0]) || !is_digit(digits[1])) {
        return 0;
    }
    *number = (digits[0] - '0') * 10 + (digits[1] - '0');
    reading->position += 2;
    return *number <= limit;
}

static int read_year(struct reading *reading, int64_t *year)
{
    int negative = read_byte(reading, '-');
    if (!negative) {
        read_byte(reading, '+');
    }
    const char *start = reading->position;
    *year = 0;
    while (reading->position < reading->end && is_digit(*reading->position) &&
           reading->position - start < YEAR_DIGITS_MAX) {
        *year = *year * 10 + (*reading->position++ - '0');
    }
    if (reading->position - start < 4 || *year > YEAR_MAX || (negative && *year == 0)) {
        return 0;
    }
    *year = negative ? -*year : *year;
    return 1;
}

static int days_in_month(int64_t year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap);
}

static int read_date(struct reading *reading, int before_christ, int64_t *days)
{
    int64_t year;
    int month;
    int day;
    if (!read_year(reading, &year) || !read_byte(reading, '-') || !read_two(reading, 12, &month) ||
        month < 1 || !read_byte(reading, '-') || !read_two(reading, 31, &day)) {
        return 0;
    }
    if (before_christ) {
        if (year < 1) {
            return 0;
        }
        year = 1 - year;
    }
    if (day < 1 || day > days_in_month(year, month)) {
        return 0;
    }
    *days = clock_days_from_civil(year, month, day);
    return 1;
}

/* The digits after a '.' or ',' as ns; beyond nine digits only zeros may follow. */
static int read_fraction(struct reading *reading, int64_t *ns)
{
    *ns = 0;
    if (!read_byte(reading, '.') && !read_byte(reading, ',')) {
        return 1;
    }
    int64_t unit = NS_PER_SECOND / 10;
    const char *start = reading->position;
    for (; reading->position < reading->end && is_digit(*reading->position); reading->position++) {
        int digit = *reading->position - '0';
        if (unit == 0 && digit != 0) {
            return 0;
        }
        *ns += digit * unit;
        unit /= 10;
    }
    return reading->position > start;
}

static int read_clock(struct reading *reading, int64_t *ns)
{
    int hour;
    int minute;
    int second = 0;
    int64_t fraction = 0;
    if (!read_two(reading, 24, &hour) || !read_byte(reading, ':') ||
        !read_two(reading, 59, &minute)) {
        return 0;
    }
    if (read_byte(reading, ':') &&
        (!read_two(reading, 59, &second) || !read_fraction(reading, &fraction))) {
        return 0;
    }
    *ns = hour * NS_PER_HOUR + minute * NS_PER_MINUTE + second * NS_PER_SECOND + fraction;
    return *ns <= NS_PER_DAY;
}

/* Z or an offset, if there is one: *zoned says whether. */
static int read_offset(struct reading *reading, int *zoned, int32_t *seconds)
{
    *seconds = 0;
    *zoned = 1;
    if (read_byte(reading, 'Z') || read_byte(reading, 'z')) {
        return 1;
    }
    int negative = read_byte(reading, '-');
    if (!negative && !read_byte(reading, '+')) {
        *zoned = 0;
        return 1;
    }
    int hour;
    int minute = 0;
    int second = 0;
    if (!read_two(reading, 23, &hour)) {
        return 0;
    }
    if (read_byte(reading, ':')) {
        if (!read_two(reading, 59, &minute) ||
            (read_byte(reading, ':') && !read_two(reading, 59, &second))) {
            return 0;
        }
    } else if (reading->position < reading->end && is_digit(*reading->position) &&
               !read_two(reading, 59, &minute)) {
        return 0;
    }
    *seconds = hour * 3600 + minute * 60 + second;
    *seconds = negative ? -*seconds : *seconds;
    return 1;
}

/* Takes " BC" off the end. */
static int read_before_christ(struct reading *reading)
{
    if (reading->end - reading->position > 3 && memcmp(reading->end - 3, " BC", 3) == 0) {
        reading->end -= 3;
        return 1;
    }
    return 0;
}

static int read_special(const char *text, size_t length, enum value_kind kind, struct cell *cell)
{
    static const char zero_time[] = "0000-00-00 00:00:00";
    int64_t which;
    if (length == 8 && strncasecmp(text, "infinity", 8) == 0) {
        which = CELL_INFINITY;
    } else if (length == 9 && strncasecmp(text, "-infinity", 9) == 0) {
        which = CELL_MINUS_INFINITY;
    } else if (length == 10 && memcmp(text, zero_time, 10) == 0) {
        which = CELL_ZERO_DATE;
    } else if (kind == VALUE_TIMESTAMP && length >= 19 && memcmp(text, zero_time, 10) == 0 &&
               (text[10] == ' ' || text[10] == 'T') && memcmp(text + 11, zero_time + 11, 8) == 0) {
        size_t zeros = length > 20 && text[19] == '.' ? strspn(text + 20, "0") : 0;
        if (length > 19 && (zeros == 0 || zeros < length - 20)) {
            return 0;
        }
        which = CELL_ZERO_DATE;
    } else {
        return 0;
    }
    *cell = (struct cell){.kind = (uint8_t)kind, .flags = CELL_SPECIAL, .i64 = which};
    return 1;
}

enum status time_parse_date(const char *text, size_t length, struct cell *cell)
{
    struct reading reading = {text, text + length};
    int64_t days;
    int before_christ = read_before_christ(&reading);
    if (!read_date(&reading, before_christ, &days) || reading.position != reading.end) {
        return read_special(text, length, VALUE_DATE, cell) ? STATUS_OK : STATUS_END;
    }
    *cell = (struct cell){.kind = VALUE_DATE, .i64 = days};
    return STATUS_OK;
}

enum status time_parse_time(const char *text, size_t length, struct cell *cell)
{
    struct reading reading = {text, text + length};
    int64_t ns;
    int zoned;
    int32_t offset;
    if (!read_clock(&reading, &ns) || !read_offset(&reading, &zoned, &offset) ||
        reading.position != reading.end) {
        return STATUS_END;
    }
    *cell = (struct cell){.kind = VALUE_TIME, .length = (uint32_t)offset, .i64 = ns};
    cell->flags = zoned ? CELL_ZONED : 0;
    return STATUS_OK;
}

enum status time_parse_timestamp(const char *text, size_t length, struct cell *cell)
{
    struct reading reading = {text, text + length};
    int64_t days;
    int64_t ns = 0;
    int zoned = 0;
    int32_t offset = 0;
    int before_christ = read_before_christ(&reading);
    if (!read_date(&reading, before_christ, &days)) {
        return read_special(text, length, VALUE_TIMESTAMP, cell) ? STATUS_OK : STATUS_END;
    }
    if (reading.position != reading.end) {
        if ((!read_byte(&reading, 'T') && !read_byte(&reading, ' ') && !read_byte(&reading, 't')) ||
            !read_clock(&reading, &ns) || ns == NS_PER_DAY ||
            !read_offset(&reading, &zoned, &offset) || reading.position != reading.end) {
            return STATUS_END;
        }
    }
    /* midnight of the first day is below the range, the rest of that day is not */
    __int128 us = (__int128)days * US_PER_DAY + ns / 1000 - offset * INT64_C(1000000);
    if (us < INT64_MIN || us > INT64_MAX) {
        return STATUS_END;
    }
    *cell =
        (struct cell){.kind = VALUE_TIMESTAMP, .aux = (uint16_t)(ns % 1000), .i64 = (int64_t)us};
    cell->flags = zoned ? CELL_ZONED : 0;
    return STATUS_OK;
}

/* One signed part of a duration, its fraction in ns if it has one, and its letter. */
static int read_part(struct reading *reading, int64_t *amount, int64_t *ns, int *has_fraction,
                     char *unit)
{
    int negative = read_byte(reading, '-');
    if (!negative) {
        read_byte(reading, '+');
    }
    const char *start = reading->position;
    while (reading->position < reading->end && is_digit(*reading->position)) {
        reading->position++;
    }
    /* With its sign at once: the smallest number has no positive counterpart. */
    if (text_to_int64(start - negative, (size_t)(reading->position - start + negative), amount) !=
        STATUS_OK) {
        return 0;
    }
    const char *point = reading->position;
    if (!read_fraction(reading, ns) || reading->position == reading->end) {
        return 0;
    }
    *has_fraction = reading->position != point;
    *ns = negative ? -*ns : *ns;
    *unit = *reading->position++;
    return 1;
}

/* sum += amount × unit; false on overflow */
static int add_amount(int64_t *sum, int64_t amount, int64_t unit)
{
    int64_t product;
    return !__builtin_mul_overflow(amount, unit, &product) &&
           !__builtin_add_overflow(*sum, product, sum);
}

/* The parts after P, letters in their order, each at most once. */
static int read_parts(struct reading *reading, int64_t *months, int64_t *days, int64_t *ns)
{
    static const char letters[] = "YMWDTHMS";
    const char *letter = letters;
    int in_time = 0;
    int parts = 0;
    while (reading->position < reading->end) {
        if (!in_time && read_byte(reading, 'T')) {
            in_time = 1;
            letter = strchr(letters, 'T') + 1;
            parts = 0; /* one must follow */
            continue;
        }
        int64_t amount;
        int64_t fraction;
        int has_fraction;
        char unit;
        if (!read_part(reading, &amount, &fraction, &has_fraction, &unit) || unit == '\0') {
            return 0;
        }
        letter = strchr(letter, unit);
        if (letter == NULL || (!in_time && letter > letters + 3) || (has_fraction && unit != 'S')) {
            return 0;
        }
        static const int64_t month_units[] = {12, 1, 0, 0, 0, 0, 0, 0};
        static const int64_t day_units[] = {0, 0, 7, 1, 0, 0, 0, 0};
        static const int64_t ns_units[] = {
            0, 0, 0, 0, 0, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND};
        size_t index = (size_t)(letter - letters);
        if (!add_amount(months, amount, month_units[index]) ||
            !add_amount(days, amount, day_units[index]) ||
            !add_amount(ns, amount, ns_units[index]) || !add_amount(ns, fraction, 1)) {
            return 0;
        }
        letter++;
        parts++;
    }
    return parts > 0;
}

enum status time_parse_interval(const char *text, size_t length, struct arena *arena,
                                struct cell *cell)
{
    struct reading reading = {text, text + length};
    int negative = read_byte(&reading, '-');
    int64_t months = 0;
    int64_t days = 0;
    int64_t ns = 0;
    if (!read_byte(&reading, 'P') || !read_parts(&reading, &months, &days, &ns)) {
        return STATUS_END;
    }
    if (negative) {
        months = -months;
        days = -days;
        if (__builtin_sub_overflow(INT64_C(0), ns, &ns)) {
            return STATUS_END;
        }
    }
    if (months < INT32_MIN || months > INT32_MAX || days < INT32_MIN || days > INT32_MAX) {
        return STATUS_END;
    }
    struct value_interval *interval = arena_allocate(arena, sizeof(*interval));
    *interval = (struct value_interval){(int32_t)months, (int32_t)days, ns};
    *cell = (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
    return STATUS_OK;
}

enum status time_parse_length(const char *text, size_t length, struct arena *arena,
                              struct cell *cell)
{
    enum { HOUR_DIGITS_MAX = 6 };
    struct reading reading = {text, text + length};
    int negative = read_byte(&reading, '-');
    int64_t hours = 0;
    int64_t fraction = 0;
    int minute;
    int second = 0;
    const char *start = reading.position;
    while (reading.position < reading.end && is_digit(*reading.position) &&
           reading.position - start < HOUR_DIGITS_MAX) {
        hours = hours * 10 + (*reading.position++ - '0');
    }
    if (reading.position == start || !read_byte(&reading, ':') ||
        !read_two(&reading, 59, &minute) ||
        (read_byte(&reading, ':') &&
         (!read_two(&reading, 59, &second) || !read_fraction(&reading, &fraction))) ||
        reading.position != reading.end) {
        return STATUS_END;
    }
    int64_t ns = hours * NS_PER_HOUR + minute * NS_PER_MINUTE + second * NS_PER_SECOND + fraction;
    struct value_interval *interval = arena_allocate(arena, sizeof *interval);
    *interval = (struct value_interval){.nanoseconds = negative ? -ns : ns};
    *cell = (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
    return STATUS_OK;
}
