/*
 * Values as the server's output functions write them, with the settings of our sessions (ISO dates
 * in UTC, intervals of ISO 8601, shortest floats, hexadecimal bytea). What a copy reads in binary
 * is brought into that form first, so that both ways make the same cell of a value.
 */
#include "base/bytes.h"
#include "base/clock.h"
#include "connectors/postgres/follow/feed.h"
#include "connectors/postgres/source.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include <string.h>

#define EPOCH_DAYS 10957
#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)

enum { BINARY_BYTES_MAX = 16 };

struct reading {
    const char *at;
    const char *end;
};

static bool feed_text_take(struct reading *in, char byte)
{
    bool found = in->at < in->end && *in->at == byte;
    in->at += found;
    return found;
}

/* Digits, at least one; no number that the server writes here has more than 18. */
static bool take_number(struct reading *in, int64_t *number)
{
    enum { DIGITS_MAX = 18 };
    const char *begin = in->at;
    *number = 0;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9' && in->at - begin < DIGITS_MAX) {
        *number = *number * 10 + (*in->at++ - '0');
    }
    return in->at > begin;
}

/* ".5" as microseconds; nothing is 0. */
static bool take_fraction(struct reading *in, int64_t *microseconds)
{
    int64_t unit = SECOND_US;
    *microseconds = 0;
    if (!feed_text_take(in, '.')) {
        return true;
    }
    const char *begin = in->at;
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9' && unit > 1; in->at++) {
        unit /= 10;
        *microseconds += unit * (*in->at - '0');
    }
    return in->at > begin;
}

static bool take_clock(struct reading *in, int64_t *microseconds)
{
    int64_t hours = 0;
    int64_t minutes = 0;
    int64_t seconds = 0;
    int64_t fraction = 0;
    bool fits = take_number(in, &hours) && feed_text_take(in, ':') && take_number(in, &minutes) &&
                feed_text_take(in, ':') && take_number(in, &seconds) &&
                take_fraction(in, &fraction) && hours < 100 && minutes < 60 && seconds <= 60;
    *microseconds = fits ? ((hours * 60 + minutes) * 60 + seconds) * SECOND_US + fraction : 0;
    return fits;
}

/* "+02", "-05:30:15": seconds east. */
static bool take_zone(struct reading *in, int64_t *seconds)
{
    int64_t part = 0;
    bool west = feed_text_take(in, '-');
    *seconds = 0;
    if (!west && !feed_text_take(in, '+')) {
        return false;
    }
    for (int64_t unit = 3600; unit > 0; unit /= 60) {
        if (unit < 3600 && !feed_text_take(in, ':')) {
            break;
        }
        if (!take_number(in, &part) || part > 99) {
            return false;
        }
        *seconds += unit * part;
    }
    *seconds = west ? -*seconds : *seconds;
    return true;
}

/* The year's sign stands at the text's end. */
static bool take_day(struct reading *in, int64_t *days)
{
    static const char before[] = " BC";
    int64_t year = 0;
    int64_t month = 0;
    int64_t day = 0;
    size_t length = (size_t)(in->end - in->at);
    bool bc = length > 3 && memcmp(in->end - 3, before, 3) == 0;
    in->end -= bc ? 3 : 0;
    if (!take_number(in, &year) || !feed_text_take(in, '-') || !take_number(in, &month) ||
        !feed_text_take(in, '-') || !take_number(in, &day) || year > INT32_MAX || month < 1 ||
        month > 12 || day < 1 || day > 31) {
        return false;
    }
    *days = clock_days_from_civil(bc ? 1 - year : year, (int)month, (int)day) - EPOCH_DAYS;
    return true;
}

/* ---------------------------------------------------------------- into binary */

/* The two that end the range. */
static bool is_infinite(const struct reading *in, int64_t *sign)
{
    size_t length = (size_t)(in->end - in->at);
    *sign = length > 0 && *in->at == '-' ? -1 : 1;
    return (length == 8 && memcmp(in->at, "infinity", 8) == 0) ||
           (length == 9 && memcmp(in->at, "-infinity", 9) == 0);
}

static bool read_date(struct reading *in, uint8_t *bytes)
{
    int64_t days = 0;
    int64_t sign = 0;
    if (is_infinite(in, &sign)) {
        bytes_put_be(bytes, (uint32_t)(sign < 0 ? INT32_MIN : INT32_MAX), 4);
        return true;
    }
    bool fits = take_day(in, &days) && in->at == in->end;
    bytes_put_be(bytes, (uint32_t)days, 4);
    return fits;
}

static bool read_timestamp(struct reading *in, bool zoned, uint8_t *bytes)
{
    int64_t days = 0;
    int64_t clock = 0;
    int64_t east = 0;
    int64_t sign = 0;
    if (is_infinite(in, &sign)) {
        bytes_put_be(bytes, (uint64_t)(sign < 0 ? INT64_MIN : INT64_MAX), 8);
        return true;
    }
    int64_t value = 0;
    bool fits = take_day(in, &days) && feed_text_take(in, ' ') && take_clock(in, &clock) &&
                (!zoned || take_zone(in, &east)) && in->at == in->end &&
                !__builtin_mul_overflow(days, DAY_US, &value) &&
                !__builtin_add_overflow(value, clock - east * SECOND_US, &value);
    bytes_put_be(bytes, (uint64_t)value, 8);
    return fits;
}

static bool read_time(struct reading *in, bool zoned, uint8_t *bytes)
{
    int64_t clock = 0;
    int64_t east = 0;
    bool fits = take_clock(in, &clock) && (!zoned || take_zone(in, &east)) && in->at == in->end;
    bytes_put_be(bytes, (uint64_t)clock, 8);
    bytes_put_be(bytes + 8, (uint32_t)-east, 4);
    return fits;
}

/* One "-5Y" or "-1.5S" of an interval. */
static bool take_part(struct reading *in, bool timed, int64_t *months, int64_t *days, int64_t *time)
{
    int64_t number = 0;
    int64_t fraction = 0;
    int64_t scaled = 0;
    bool negative = feed_text_take(in, '-');
    if (!take_number(in, &number) || !take_fraction(in, &fraction) || in->at == in->end) {
        return false;
    }
    int64_t sign = negative ? -1 : 1;
    if (!timed && number > INT32_MAX) {
        return false;
    }
    switch (*in->at++) {
    case 'Y':
        *months += sign * number * 12;
        return !timed;
    case 'M':
        if (!timed) {
            *months += sign * number;
            return true;
        }
        scaled = 60;
        break;
    case 'W':
        *days += sign * number * 7;
        return !timed;
    case 'D':
        *days += sign * number;
        return !timed;
    case 'H':
        scaled = 3600;
        break;
    case 'S':
        scaled = 1;
        break;
    default:
        return false;
    }
    return timed && !__builtin_mul_overflow(number, sign * scaled * SECOND_US, &number) &&
           !__builtin_add_overflow(*time, number, time) &&
           !__builtin_add_overflow(*time, sign * fraction, time);
}

static bool read_interval(struct reading *in, uint8_t *bytes)
{
    int64_t months = 0;
    int64_t days = 0;
    int64_t time = 0;
    int64_t sign = 0;
    bool timed = false;
    if (is_infinite(in, &sign)) {
        bytes_put_be(bytes, (uint64_t)(sign < 0 ? INT64_MIN : INT64_MAX), 8);
        bytes_put_be(bytes + 8, (uint32_t)(sign < 0 ? INT32_MIN : INT32_MAX), 4);
        bytes_put_be(bytes + 12, (uint32_t)(sign < 0 ? INT32_MIN : INT32_MAX), 4);
        return true;
    }
    bool fits = feed_text_take(in, 'P');
    while (fits && in->at < in->end) {
        if (feed_text_take(in, 'T')) {
            timed = true;
        }
        fits = take_part(in, timed, &months, &days, &time);
    }
    bytes_put_be(bytes, (uint64_t)time, 8);
    bytes_put_be(bytes + 8, (uint32_t)days, 4);
    bytes_put_be(bytes + 12, (uint32_t)months, 4);
    return fits && days >= INT32_MIN && days <= INT32_MAX && months >= INT32_MIN &&
           months <= INT32_MAX;
}

static bool read_float(struct reading *in, bool narrow, uint8_t *bytes)
{
    double value = 0;
    uint64_t wide = 0;
    uint32_t small = 0;
    if (number_to_double(in->at, (size_t)(in->end - in->at), &value) != STATUS_OK) {
        return false;
    }
    float rounded = (float)value;
    memcpy(&wide, &value, sizeof wide);
    memcpy(&small, &rounded, sizeof small);
    bytes_put_be(bytes, narrow ? small : wide, narrow ? 4 : 8);
    return true;
}

/* How many bytes it made; 0: the text is none of the type's. */
static uint32_t read_binary(enum postgres_format format, struct reading *in,
                            uint8_t bytes[BINARY_BYTES_MAX])
{
    switch (format) {
    case POSTGRES_AS_DATE:
        return read_date(in, bytes) ? 4 : 0;
    case POSTGRES_AS_TIME:
        return read_time(in, false, bytes) ? 8 : 0;
    case POSTGRES_AS_TIMETZ:
        return read_time(in, true, bytes) ? 12 : 0;
    case POSTGRES_AS_TIMESTAMP:
        return read_timestamp(in, false, bytes) ? 8 : 0;
    case POSTGRES_AS_TIMESTAMPTZ:
        return read_timestamp(in, true, bytes) ? 8 : 0;
    case POSTGRES_AS_INTERVAL:
        return read_interval(in, bytes) ? 16 : 0;
    case POSTGRES_AS_FLOAT4:
        return read_float(in, true, bytes) ? 4 : 0;
    case POSTGRES_AS_FLOAT8:
        return read_float(in, false, bytes) ? 8 : 0;
    default:
        return 0;
    }
}

/* ---------------------------------------------------------------- the others */

static bool read_integer(const char *text, size_t length, struct cell *cell)
{
    int64_t value = 0;
    bool fits = text_to_int64(text, length, &value) == STATUS_OK;
    *cell = cell_int64(value);
    return fits;
}

static int digit_of(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                          : -1;
}

/* "\x00ff" */
static bool read_bytea(const char *text, size_t length, struct arena *arena, struct cell *cell)
{
    if (length < 2 || length % 2 != 0 || text[0] != '\\' || text[1] != 'x') {
        return false;
    }
    size_t count = length / 2 - 1;
    uint8_t *bytes = arena_try_allocate(arena, count + 1);
    if (bytes == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        int high = digit_of(text[2 + 2 * i]);
        int low = digit_of(text[3 + 2 * i]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    *cell = cell_bytes(bytes, count);
    return true;
}

/* A copy of a text that would be borrowed. */
static enum status copy_text(enum postgres_format format, bool utf8, const char *text,
                             uint32_t length, struct arena *arena, struct cell *cell)
{
    const struct postgres_type type = {.format = format};
    const char *copy =
        arena_try_share(arena, text, length) ? text : arena_try_copy(arena, text, length);
    return copy != NULL ? postgres_decode(&type, utf8, (const uint8_t *)copy, length, arena, cell)
                        : STATUS_FAILED;
}

enum status postgres_decode_text(const struct postgres_type *type, bool utf8, const char *text,
                                 uint32_t length, struct arena *arena, struct cell *cell)
{
    uint8_t made[BINARY_BYTES_MAX] = {0};
    struct reading in = {text, text + length};
    uint32_t size = 0;
    switch (type->format) {
    case POSTGRES_AS_INT2:
    case POSTGRES_AS_INT4:
    case POSTGRES_AS_INT8:
    case POSTGRES_AS_OID:
        return read_integer(text, length, cell) ? STATUS_OK : STATUS_END;
    case POSTGRES_AS_BOOL:
        *cell = cell_bool(length == 1 && text[0] == 't');
        return length == 1 ? STATUS_OK : STATUS_END;
    case POSTGRES_AS_NUMERIC:
        return decimal_parse(text, length, arena, cell);
    case POSTGRES_AS_BYTEA:
        return read_bytea(text, length, arena, cell) ? STATUS_OK : STATUS_END;
    case POSTGRES_AS_UUID:
        return convert_read_uuid(text, length, arena, cell) ? STATUS_OK : STATUS_END;
    case POSTGRES_AS_JSON:
    case POSTGRES_AS_JSONB:
        return copy_text(POSTGRES_AS_JSON, utf8, text, length, arena, cell);
    case POSTGRES_AS_TEXT:
    case POSTGRES_AS_CAST:
        return copy_text(POSTGRES_AS_TEXT, utf8, text, length, arena, cell);
    default:
        size = read_binary(type->format, &in, made);
        return size == 0 ? STATUS_END : postgres_decode(type, utf8, made, size, arena, cell);
    }
}
