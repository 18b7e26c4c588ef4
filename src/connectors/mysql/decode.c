/*
 * Values as cells. In the text protocol numbers are digits, dates 2024-02-29, times
 * -838:59:59.000000, both joined by a space; a zero date is 0000-00-00. (COM_QUERY's resultset, in
 * the servers' manuals.) In the binary one the library has taken dates and times apart.
 */
#include "connectors/mysql/source.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <stdio.h>
#include <string.h>

static struct cell escaped(const char *bytes, size_t length, bool text)
{
    return (struct cell){.kind = VALUE_ESCAPE,
                         .flags = text ? CELL_ESCAPED_TEXT : 0,
                         .aux = ESCAPE_MYSQL,
                         .length = (uint32_t)length,
                         .bytes = (const uint8_t *)bytes};
}

/* ---------------------------------------------------------------- dates and times */

/* Exactly `count` digits. */
static bool take_digits(const char **at, const char *end, int count, int *value)
{
    *value = 0;
    if (end - *at < count) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        char digit = (*at)[i];
        if (digit < '0' || digit > '9') {
            return false;
        }
        *value = *value * 10 + (digit - '0');
    }
    *at += count;
    return true;
}

static bool decode_take(const char **at, const char *end, char letter)
{
    if (*at == end || **at != letter) {
        return false;
    }
    (*at)++;
    return true;
}

/* ".5" as microseconds; nothing as 0. */
static bool take_fraction(const char **at, const char *end, int64_t *microseconds)
{
    int64_t unit = 100000;
    *microseconds = 0;
    if (*at == end) {
        return true;
    }
    if (!decode_take(at, end, '.')) {
        return false;
    }
    for (; *at < end && **at >= '0' && **at <= '9' && unit > 0; (*at)++) {
        *microseconds += unit * (**at - '0');
        unit /= 10;
    }
    return *at == end;
}

struct date {
    int year;
    int month;
    int day;
};

static bool take_date(const char **at, const char *end, struct date *date)
{
    return take_digits(at, end, 4, &date->year) && decode_take(at, end, '-') &&
           take_digits(at, end, 2, &date->month) && decode_take(at, end, '-') &&
           take_digits(at, end, 2, &date->day);
}

static bool is_zero(const struct date *date)
{
    return date->year == 0 && date->month == 0 && date->day == 0;
}

/* The server may keep days that there are not, and months of 0. */
static bool is_real(const struct date *date)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);
    return date->month >= 1 && date->month <= 12 && date->day >= 1 &&
           date->day <= days[date->month - 1] + (leap && date->month == 2);
}

static struct cell zero_date(enum value_kind kind, bool zoned)
{
    return (struct cell){.kind = (uint8_t)kind,
                         .flags = (uint8_t)(CELL_SPECIAL | (zoned ? CELL_ZONED : 0)),
                         .i64 = CELL_ZERO_DATE};
}

static bool make_date(const struct date *date, struct cell *cell)
{
    if (is_zero(date)) {
        *cell = zero_date(VALUE_DATE, false);
        return true;
    }
    *cell = (struct cell){.kind = VALUE_DATE,
                          .i64 = time_days_from_civil(date->year, date->month, date->day)};
    return is_real(date);
}

static bool decode_date(const char *bytes, size_t length, struct cell *cell)
{
    const char *end = bytes + length;
    struct date date;
    return take_date(&bytes, end, &date) && bytes == end && make_date(&date, cell);
}

/* `microseconds` since midnight. */
static bool make_timestamp(const struct date *date, int64_t microseconds, bool zoned,
                           struct cell *cell)
{
    if (is_zero(date) && microseconds == 0) {
        *cell = zero_date(VALUE_TIMESTAMP, zoned);
        return true;
    }
    int64_t days = time_days_from_civil(date->year, date->month, date->day);
    *cell = (struct cell){.kind = VALUE_TIMESTAMP,
                          .flags = zoned ? CELL_ZONED : 0,
                          .i64 = days * INT64_C(86400000000) + microseconds};
    return is_real(date);
}

static int64_t microseconds_of(int64_t hours, int64_t minute, int64_t second, int64_t microseconds)
{
    return ((hours * 60 + minute) * 60 + second) * INT64_C(1000000) + microseconds;
}

static bool decode_timestamp(const char *bytes, size_t length, bool zoned, struct cell *cell)
{
    const char *end = bytes + length;
    struct date date;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int64_t microseconds = 0;
    return take_date(&bytes, end, &date) && decode_take(&bytes, end, ' ') &&
           take_digits(&bytes, end, 2, &hour) && decode_take(&bytes, end, ':') &&
           take_digits(&bytes, end, 2, &minute) && decode_take(&bytes, end, ':') &&
           take_digits(&bytes, end, 2, &second) && take_fraction(&bytes, end, &microseconds) &&
           make_timestamp(&date, microseconds_of(hour, minute, second, microseconds), zoned, cell);
}

bool mysql_is_time_of_day(int64_t nanoseconds)
{
    return nanoseconds >= 0 && nanoseconds <= INT64_C(86400000000000);
}

/* A time of day, or what is none as an interval. */
static struct cell make_time(bool negative, int64_t microseconds, struct arena *arena)
{
    if (mysql_is_time_of_day((negative ? -microseconds : microseconds) * 1000)) {
        return (struct cell){.kind = VALUE_TIME, .i64 = microseconds * 1000};
    }
    struct value_interval *interval = arena_allocate_zeroed(arena, 1, sizeof *interval);
    interval->nanoseconds = (negative ? -microseconds : microseconds) * 1000;
    return (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
}

static bool decode_time(const char *bytes, size_t length, struct arena *arena, struct cell *cell)
{
    const char *end = bytes + length;
    bool negative = decode_take(&bytes, end, '-');
    int64_t hours = 0;
    int minute = 0;
    int second = 0;
    int64_t microseconds = 0;
    while (bytes < end && *bytes >= '0' && *bytes <= '9' && hours < 10000) {
        hours = hours * 10 + (*bytes++ - '0');
    }
    bool fits = decode_take(&bytes, end, ':') && take_digits(&bytes, end, 2, &minute) &&
                decode_take(&bytes, end, ':') && take_digits(&bytes, end, 2, &second) &&
                take_fraction(&bytes, end, &microseconds);
    if (fits) {
        *cell = make_time(negative, microseconds_of(hours, minute, second, microseconds), arena);
    }
    return fits;
}

/* As the text protocol would have it. */
static struct cell escaped_moment(const struct mysql_type *type, const MYSQL_TIME *moment,
                                  struct arena *arena)
{
    char text[64];
    unsigned long unit = 1;
    int length = snprintf(text, sizeof text, "%04u-%02u-%02u", moment->year % 10000,
                          moment->month % 100, moment->day % 100);
    if (type->format != MYSQL_AS_DATE) {
        length += snprintf(text + length, sizeof text - (size_t)length, " %02u:%02u:%02u",
                           moment->hour % 100, moment->minute % 100, moment->second % 100);
    }
    if (type->format != MYSQL_AS_DATE && type->digits > 0) {
        for (unsigned i = type->digits; i < 6; i++) {
            unit *= 10;
        }
        length += snprintf(text + length, sizeof text - (size_t)length, ".%0*lu", type->digits,
                           moment->second_part % 1000000 / unit);
    }
    return escaped(arena_copy(arena, text, (size_t)length), (size_t)length, false);
}

void mysql_decode_moment(const struct mysql_type *type, const MYSQL_TIME *moment,
                         struct arena *arena, struct cell *cell)
{
    const struct date date = {
        .year = (int)moment->year, .month = (int)moment->month, .day = (int)moment->day};
    if (type->format == MYSQL_AS_TIME) { /* of more than a day, the days may stand apart */
        int64_t hours = ((int64_t)moment->day * 24 + moment->hour) % 100000;
        *cell = make_time(
            moment->neg != 0,
            microseconds_of(hours, moment->minute, moment->second, (int64_t)moment->second_part),
            arena);
        return;
    }
    int64_t microseconds =
        microseconds_of(moment->hour, moment->minute, moment->second, (int64_t)moment->second_part);
    bool fits = type->format == MYSQL_AS_DATE
                    ? make_date(&date, cell)
                    : make_timestamp(&date, microseconds, type->format == MYSQL_AS_TIMESTAMP, cell);
    if (!fits) {
        *cell = escaped_moment(type, moment, arena);
    }
}

/* ---------------------------------------------------------------- numbers */

static bool decode_int(const struct mysql_type *type, const char *bytes, size_t length,
                       struct cell *cell)
{
    int64_t value = 0;
    if (text_to_int64(bytes, length, &value) != STATUS_OK) {
        return false;
    }
    *cell = type->type.kind == VALUE_BOOL ? cell_bool(value != 0) : cell_int64(value);
    return true;
}

static bool decode_unsigned(const char *bytes, size_t length, struct cell *cell)
{
    *cell = cell_uint64(0);
    return text_to_uint64(bytes, length, &cell->u64) == STATUS_OK;
}

static bool decode_float(const char *bytes, size_t length, bool narrow, struct cell *cell)
{
    *cell = (struct cell){.kind = narrow ? VALUE_FLOAT32 : VALUE_FLOAT64};
    return number_to_double(bytes, length, &cell->f64) == STATUS_OK;
}

/* ---------------------------------------------------------------- texts */

static int hex_digit(char letter)
{
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
           : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                            : -1;
}

static bool decode_uuid(const char *bytes, size_t length, struct arena *arena, struct cell *cell)
{
    uint8_t *made = arena_allocate(arena, 16);
    size_t digits = 0;
    for (size_t i = 0; i < length && digits < 32; i++) {
        int value = hex_digit(bytes[i]);
        if (value >= 0) {
            made[digits / 2] = (uint8_t)(digits % 2 == 0 ? value << 4 : (made[digits / 2] | value));
            digits++;
        }
    }
    *cell = (struct cell){.kind = VALUE_UUID, .bytes = made};
    return digits == 32 && length == 36;
}

static bool decode_text(enum value_kind kind, const char *bytes, size_t length, struct cell *cell)
{
    *cell = (struct cell){.kind = (uint8_t)kind, .length = (uint32_t)length, .text = bytes};
    if (text_is_utf8(bytes, length)) {
        return true;
    }
    *cell = escaped(bytes, length, true);
    return true;
}

void mysql_decode(const struct mysql_type *type, const char *bytes, size_t length,
                  struct arena *arena, struct cell *cell)
{
    bool fits = true;
    switch (type->format) {
    case MYSQL_AS_INT:
    case MYSQL_AS_YEAR:
        fits = decode_int(type, bytes, length, cell);
        break;
    case MYSQL_AS_UINT:
    case MYSQL_AS_BIT:
        fits = decode_unsigned(bytes, length, cell);
        break;
    case MYSQL_AS_FLOAT:
    case MYSQL_AS_DOUBLE:
        fits = decode_float(bytes, length, type->format == MYSQL_AS_FLOAT, cell);
        break;
    case MYSQL_AS_DECIMAL:
        fits = decimal_parse(bytes, length, arena, cell) == STATUS_OK;
        break;
    case MYSQL_AS_BYTES:
    case MYSQL_AS_GEOMETRY:
        *cell = cell_bytes(bytes, length);
        break;
    case MYSQL_AS_DATE:
        fits = decode_date(bytes, length, cell);
        break;
    case MYSQL_AS_DATETIME:
    case MYSQL_AS_TIMESTAMP:
        fits = decode_timestamp(bytes, length, type->format == MYSQL_AS_TIMESTAMP, cell);
        break;
    case MYSQL_AS_TIME:
        fits = decode_time(bytes, length, arena, cell);
        break;
    case MYSQL_AS_UUID:
        fits = decode_uuid(bytes, length, arena, cell);
        break;
    case MYSQL_AS_JSON:
        fits = decode_text(VALUE_JSON, bytes, length, cell);
        break;
    default:
        fits = decode_text(VALUE_TEXT, bytes, length, cell);
    }
    if (!fits) {
        *cell = escaped(bytes, length, false);
    }
}
