/* Times as numbers that count from 1970, and lengths of time as numbers, both ways. */
#include "base/buffer.h"
#include "model/convert_parts.h"
#include "model/decimal.h"
#include "model/time_text.h"
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 40 };

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_DAY (INT64_C(86400) * NS_PER_SECOND)

static bool is_time(enum value_kind kind)
{
    return kind == VALUE_TIMESTAMP || kind == VALUE_DATE || kind == VALUE_INTERVAL ||
           kind == VALUE_TIME;
}

bool convert_counts(enum value_kind from, const struct value_type *to)
{
    bool number = value_kind_is_number(to->kind);
    return to->epoch != EPOCH_NONE && ((number && (is_time(from) || from == VALUE_TEXT)) ||
                                       (is_time(to->kind) && to->kind != VALUE_TIME &&
                                        (value_kind_is_number(from) || from == VALUE_TEXT)));
}

/* By how many decimal digits a unit is larger than a nanosecond. */
static int unit_digits(enum epoch_unit unit)
{
    return unit == EPOCH_SECONDS        ? 9
           : unit == EPOCH_MILLISECONDS ? 6
           : unit == EPOCH_MICROSECONDS ? 3
                                        : 0;
}

/* --- a number to a time --- */

/* The nanoseconds that a plain decimal text counts in units. False: it has parts of a nanosecond,
 * or more digits than any time. */
static bool read_nanoseconds(const char *text, size_t length, int shift, __int128 *nanoseconds)
{
    bool negative = length > 0 && text[0] == '-';
    bool fraction = false;
    *nanoseconds = 0;
    if (length > DIGITS_MAX) {
        return false;
    }
    for (size_t i = negative; i < length; i++) {
        if (text[i] == '.') {
            fraction = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9' || (fraction && shift == 0 && text[i] != '0')) {
            return false;
        }
        if (fraction && shift == 0) {
            continue;
        }
        shift -= fraction;
        if (*nanoseconds > (__int128)INT64_MAX * NS_PER_SECOND) {
            return false;
        }
        *nanoseconds = *nanoseconds * 10 + (text[i] - '0');
    }
    for (; shift > 0; shift--) {
        *nanoseconds *= 10;
    }
    *nanoseconds = negative ? -*nanoseconds : *nanoseconds;
    return true;
}

/* The time, of the kind TIMESTAMP or INTERVAL. */
static enum status time_of(const struct conversion *conversion, const struct cell *from,
                           __int128 nanoseconds, struct cell *time)
{
    if (conversion->to->kind == VALUE_INTERVAL) {
        if (nanoseconds > INT64_MAX || nanoseconds < INT64_MIN) {
            return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, "it is out of range");
        }
        struct value_interval *interval = arena_allocate(conversion->arena, sizeof *interval);
        *interval = (struct value_interval){.nanoseconds = (int64_t)nanoseconds};
        *time = (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
        return STATUS_OK;
    }
    __int128 microseconds = nanoseconds / 1000;
    int64_t rest = (int64_t)(nanoseconds % 1000);
    if (rest < 0) {
        rest += 1000;
        microseconds--;
    }
    if (microseconds > INT64_MAX || microseconds < INT64_MIN) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, "it is out of range");
    }
    *time = (struct cell){.kind = VALUE_TIMESTAMP,
                          .flags = conversion->to->zoned ? CELL_ZONED : 0,
                          .aux = (uint16_t)rest,
                          .i64 = (int64_t)microseconds};
    return STATUS_OK;
}

static enum status time_of_number(const struct conversion *conversion, const struct cell *from,
                                  struct cell *result)
{
    const struct value_type plain = {.kind = VALUE_DECIMAL};
    struct value_type to = *conversion->to;
    struct cell decimal;
    struct error ignored;
    to.epoch = EPOCH_NONE;
    if (convert_value(from, &plain, false, conversion->arena, &decimal, &ignored) != STATUS_OK) {
        /* a text may be a time in words */
        return from->kind == VALUE_TEXT
                   ? convert_value(from, &to, conversion->allow_loss, conversion->arena, result,
                                   conversion->error)
                   : convert_refuse(conversion, from, ERROR_REJECT_NUMBER,
                                    "it is not a finite number");
    }
    struct buffer text = {0};
    struct cell time = {0};
    __int128 nanoseconds;
    decimal_append(&decimal, &text);
    bool read =
        read_nanoseconds(text.data, text.length, unit_digits(conversion->to->epoch), &nanoseconds);
    buffer_free(&text);
    if (!read) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER,
                              "it is no whole number of nanoseconds");
    }
    enum status status = time_of(conversion, from, nanoseconds, &time);
    return status == STATUS_OK ? convert_value(&time, &to, conversion->allow_loss,
                                               conversion->arena, result, conversion->error)
                               : status;
}

/* --- a time to a number --- */

static bool count_nanoseconds(const struct cell *from, __int128 *nanoseconds)
{
    switch ((enum value_kind)from->kind) {
    case VALUE_TIMESTAMP:
        *nanoseconds = (__int128)from->i64 * 1000 + from->aux;
        break;
    case VALUE_DATE:
        *nanoseconds = (__int128)from->i64 * NS_PER_DAY;
        break;
    case VALUE_TIME:
        *nanoseconds = from->i64;
        break;
    default:
        *nanoseconds = (__int128)from->interval->days * NS_PER_DAY + from->interval->nanoseconds;
        return from->interval->months == 0;
    }
    return (from->flags & CELL_SPECIAL) == 0;
}

/* Writes `nanoseconds` in a unit that is larger by so many digits. */
static size_t write_count(__int128 nanoseconds, int digits, char text[DIGITS_MAX + 3])
{
    bool negative = nanoseconds < 0;
    unsigned __int128 rest =
        negative ? -(unsigned __int128)nanoseconds : (unsigned __int128)nanoseconds;
    char backwards[DIGITS_MAX + 3];
    size_t length = 0;
    for (int i = 0; i <= digits || rest > 0; i++) {
        if (i == digits && digits > 0) {
            backwards[length++] = '.';
        }
        backwards[length++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (negative) {
        backwards[length++] = '-';
    }
    for (size_t i = 0; i < length; i++) {
        text[i] = backwards[length - 1 - i];
    }
    while (digits > 0 && (text[length - 1] == '0' || text[length - 1] == '.')) {
        length--;
        if (text[length] == '.') {
            break;
        }
    }
    return length;
}

/* Only an instant is a number: a time without a zone is made one as for a column of instants. */
static enum status instant_of(const struct conversion *conversion, const struct cell *from,
                              struct cell *instant)
{
    const struct value_type zoned = {
        .kind = VALUE_TIMESTAMP, .zoned = true, .zone = conversion->to->zone};
    bool special = (from->flags & CELL_SPECIAL) != 0;
    *instant = *from;
    if (from->kind == VALUE_TIME && (from->flags & CELL_ZONED) != 0 && !conversion->allow_loss) {
        return convert_refuse(conversion, from, ERROR_REJECT_TYPE, "its offset would be lost");
    }
    if (from->kind == VALUE_TIMESTAMP && !special && (from->flags & CELL_ZONED) == 0 &&
        zoned.zone == NULL && !conversion->allow_loss) {
        return convert_refuse(conversion, from, ERROR_REJECT_TYPE,
                              "it names no time zone: say with --time-zone which one is meant");
    }
    return from->kind == VALUE_TIMESTAMP && !special
               ? convert_value(from, &zoned, conversion->allow_loss, conversion->arena, instant,
                               conversion->error)
               : STATUS_OK;
}

static enum status number_of_time(const struct conversion *conversion, const struct cell *from,
                                  struct cell *result)
{
    __int128 nanoseconds;
    struct cell instant;
    if (instant_of(conversion, from, &instant) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!count_nanoseconds(&instant, &nanoseconds)) {
        return convert_refuse(conversion, from, ERROR_REJECT_TYPE,
                              from->kind == VALUE_INTERVAL ? "months have no one length"
                                                           : "it is no moment that has a number");
    }
    char text[DIGITS_MAX + 3];
    struct cell decimal;
    struct value_type to = *conversion->to;
    to.epoch = EPOCH_NONE;
    size_t length = write_count(nanoseconds, unit_digits(conversion->to->epoch), text);
    if (decimal_parse(text, length, conversion->arena, &decimal) != STATUS_OK) {
        return convert_refuse(conversion, from, ERROR_REJECT_NUMBER, "it is out of range");
    }
    return convert_value(&decimal, &to, conversion->allow_loss, conversion->arena, result,
                         conversion->error);
}

/* The number of a moment in words; of another text the number that it is. */
static enum status number_of_text(const struct conversion *conversion, const struct cell *from,
                                  struct cell *result)
{
    struct value_type to = *conversion->to;
    struct cell moment;
    to.epoch = EPOCH_NONE;
    return time_parse_timestamp(from->text, from->length, &moment) == STATUS_OK
               ? number_of_time(conversion, &moment, result)
               : convert_value(from, &to, conversion->allow_loss, conversion->arena, result,
                               conversion->error);
}

enum status convert_count(const struct conversion *conversion, const struct cell *from,
                          struct cell *result)
{
    if (is_time((enum value_kind)from->kind)) {
        return number_of_time(conversion, from, result);
    }
    return value_kind_is_number(conversion->to->kind) ? number_of_text(conversion, from, result)
                                                      : time_of_number(conversion, from, result);
}
