/*
 * Values of rows in the binary log. Before a value there is no length but where its type has one:
 *
 *   char, varchar      a byte, or two where the column may hold more than 255 bytes
 *   blob, text, json   as many bytes as the metadata says
 *   enum, set, bit     as long as the metadata says
 *   decimal            nine digits in four bytes, most significant first; negative ones turned over
 *   datetime(n)        five bytes, most significant first, and two digits of a second in a byte
 */
#include "base/bytes.h"
#include "connectors/mysql/follow/binlog.h"
#include "model/number_text.h"
#include <string.h>

/* Seconds' digits: two a byte. */
static size_t fraction_bytes(uint8_t digits)
{
    return (size_t)(digits + 1) / 2;
}

static size_t fixed_bytes(const struct binlog_column *column)
{
    switch (column->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_YEAR:
        return 1;
    case MYSQL_TYPE_SHORT:
        return 2;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_TIME:
        return 3;
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_TIMESTAMP:
        return 4;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_DATETIME:
        return 8;
    case MYSQL_TYPE_TIMESTAMP2:
        return 4 + fraction_bytes(column->digits);
    case MYSQL_TYPE_DATETIME2:
        return 5 + fraction_bytes(column->digits);
    case MYSQL_TYPE_TIME2:
        return 3 + fraction_bytes(column->digits);
    case MYSQL_TYPE_NEWDECIMAL:
        return binlog_decimal_bytes(column->length, column->digits);
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
        return column->length;
    default:
        return 0;
    }
}

static int counted_bytes(const struct binlog_column *column)
{
    switch (column->type) {
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
        return column->length > 255 ? 2 : 1;
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_GEOMETRY:
    case MYSQL_TYPE_JSON:
    case 242: /* vector */
        return column->length <= 4 ? column->length : 0;
    default:
        return 0;
    }
}

bool binlog_take_value(const struct binlog_column *column, struct binlog_bytes *bytes,
                       struct text *value)
{
    size_t length = fixed_bytes(column);
    if (length == 0) {
        int counted = counted_bytes(column);
        if (counted == 0) {
            return false; /* a type that is not known: nothing behind it can be found */
        }
        length = (size_t)binlog_take_number(bytes, counted);
    }
    *value = (struct text){(const char *)binlog_take(bytes, length), length};
    return !bytes->bad;
}

uint32_t binlog_count_bits(const uint8_t *bits, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        found += binlog_has_bit(bits, i);
    }
    return found;
}

/* ---------------------------------------------------------------- decimals */

static const uint8_t bytes_of_digits[] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
enum { GROUP = 9 };

size_t binlog_decimal_bytes(unsigned precision, unsigned scale)
{
    if (scale > precision) {
        return 0;
    }
    unsigned whole = precision - scale;
    return whole / GROUP * 4u + bytes_of_digits[whole % GROUP] + scale / GROUP * 4u +
           bytes_of_digits[scale % GROUP];
}

static const uint8_t *print_group(const uint8_t *at, uint8_t mask, unsigned digits,
                                  struct buffer *out)
{
    uint32_t number = 0;
    unsigned count = bytes_of_digits[digits];
    for (unsigned i = 0; i < count; i++) {
        number = number << 8 | (uint8_t)(at[i] ^ mask);
    }
    buffer_format(out, "%0*u", (int)digits, number);
    return at + count;
}

bool binlog_print_decimal(const uint8_t *bytes, size_t length, unsigned precision, unsigned scale,
                          struct buffer *out)
{
    enum { LONGEST = 64 };
    uint8_t copy[LONGEST];
    if (precision == 0 || precision > 65 || scale > precision || length > sizeof copy ||
        binlog_decimal_bytes(precision, scale) != length || length == 0) {
        return false;
    }
    memcpy(copy, bytes, length);
    bool negative = (copy[0] & 0x80) == 0;
    uint8_t mask = negative ? 0xff : 0;
    copy[0] ^= 0x80;
    const uint8_t *at = copy;
    unsigned whole = precision - scale;
    struct buffer digits = {0};
    if (whole % GROUP > 0) {
        at = print_group(at, mask, whole % GROUP, &digits);
    }
    for (unsigned i = 0; i < whole / GROUP; i++) {
        at = print_group(at, mask, GROUP, &digits);
    }
    size_t zeros = 0;
    while (zeros + 1 < digits.length && digits.data[zeros] == '0') {
        zeros++;
    }
    buffer_append_string(out, negative ? "-" : "");
    if (digits.length == 0) {
        buffer_append_byte(out, '0');
    } else {
        buffer_append(out, digits.data + zeros, digits.length - zeros);
    }
    buffer_free(&digits);
    buffer_append_string(out, scale > 0 ? "." : "");
    for (unsigned i = 0; i < scale / GROUP; i++) {
        at = print_group(at, mask, GROUP, out);
    }
    if (scale % GROUP > 0) {
        (void)print_group(at, mask, scale % GROUP, out);
    }
    return true;
}

/* ---------------------------------------------------------------- times */

static void print_fraction(uint64_t fraction, uint8_t digits, struct buffer *out)
{
    static const uint32_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    if (digits > 0 && digits <= 6) {
        /* kept in whole bytes: of an odd number of digits a tenth more */
        uint64_t kept = digits % 2 != 0 ? fraction / 10 : fraction;
        buffer_format(out, ".%0*llu", digits, (unsigned long long)(kept % tens[digits]));
    }
}

static uint64_t take_fraction(const uint8_t *bytes, uint8_t digits)
{
    return bytes_get_be(bytes, (int)fraction_bytes(digits));
}

static void print_date(uint64_t year, uint64_t month, uint64_t day, struct buffer *out)
{
    buffer_format(out, "%04u-%02u-%02u", (unsigned)year, (unsigned)month, (unsigned)day);
}

static void print_clock(uint64_t hour, uint64_t minute, uint64_t second, struct buffer *out)
{
    buffer_format(out, "%02u:%02u:%02u", (unsigned)hour, (unsigned)minute, (unsigned)second);
}

/* In UTC. */
static void print_instant(uint64_t seconds, struct buffer *out)
{
    uint64_t days = seconds / 86400;
    uint64_t of_day = seconds % 86400;
    if (seconds == 0) {
        buffer_append_string(out, "0000-00-00 00:00:00");
        return;
    }
    /* civil from days, with eras of 400 years that begin in March */
    uint64_t shifted = days + 719468;
    uint64_t era = shifted / 146097;
    uint64_t of_era = shifted % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t march = (5 * of_year + 2) / 153;
    uint64_t month = march < 10 ? march + 3 : march - 9;
    print_date(year + era * 400 + (month <= 2), month, of_year - (153 * march + 2) / 5 + 1, out);
    buffer_append_byte(out, ' ');
    print_clock(of_day / 3600, of_day / 60 % 60, of_day % 60, out);
}

static void print_datetime(uint64_t packed, struct buffer *out)
{
    uint64_t day = packed >> 17;
    print_date((day >> 5) / 13, (day >> 5) % 13, day & 31, out);
    buffer_append_byte(out, ' ');
    print_clock(packed >> 12 & 31, packed >> 6 & 63, packed & 63, out);
}

/* A number of so many bytes with the sign turned over, the fraction within. */
static void print_time(const uint8_t *bytes, uint8_t digits, struct buffer *out)
{
    size_t parts = fraction_bytes(digits);
    int64_t half = INT64_C(1) << (23 + 8 * parts);
    int64_t value = (int64_t)bytes_get_be(bytes, (int)(3 + parts)) - half;
    uint64_t size = (uint64_t)(value < 0 ? -value : value);
    uint64_t clock = size >> (8 * parts);
    uint64_t fraction = size & ((UINT64_C(1) << (8 * parts)) - 1);
    buffer_append_string(out, value < 0 ? "-" : "");
    print_clock(clock >> 12 & 1023, clock >> 6 & 63, clock & 63, out);
    print_fraction(fraction, digits, out);
}

static bool print_moment(const struct binlog_column *column, const uint8_t *bytes,
                         struct buffer *out)
{
    uint64_t old = 0;
    switch (column->type) {
    case MYSQL_TYPE_TIMESTAMP2:
        print_instant(bytes_get_be(bytes, 4), out);
        print_fraction(take_fraction(bytes + 4, column->digits), column->digits, out);
        return true;
    case MYSQL_TYPE_DATETIME2:
        print_datetime(bytes_get_be(bytes, 5) & ~(UINT64_C(1) << 39), out);
        print_fraction(take_fraction(bytes + 5, column->digits), column->digits, out);
        return true;
    case MYSQL_TYPE_TIME2:
        print_time(bytes, column->digits, out);
        return true;
    case MYSQL_TYPE_TIMESTAMP:
        print_instant(bytes_get_le(bytes, 4), out);
        return true;
    case MYSQL_TYPE_DATETIME:
        old = bytes_get_le(bytes, 8);
        print_date(old / 10000000000, old / 100000000 % 100, old / 1000000 % 100, out);
        buffer_append_byte(out, ' ');
        print_clock(old / 10000 % 100, old / 100 % 100, old % 100, out);
        return true;
    case MYSQL_TYPE_TIME: {
        int32_t time = (int32_t)(bytes_get_le(bytes, 3) << 8) >> 8;
        uint32_t size = (uint32_t)(time < 0 ? -time : time);
        buffer_append_string(out, time < 0 ? "-" : "");
        print_clock(size / 10000, size / 100 % 100, size % 100, out);
        return true;
    }
    default:
        old = bytes_get_le(bytes, 3);
        print_date(old >> 9, old >> 5 & 15, old & 31, out);
        return true;
    }
}

/* ---------------------------------------------------------------- labels */

/* The label at `place`, from 1, of "enum('a','b''c')". */
static bool print_label(const char *words, uint64_t place, struct buffer *out)
{
    const char *at = words != NULL ? strchr(words, '\'') : NULL;
    for (uint64_t i = 1; at != NULL && *at == '\''; i++) {
        const char *end = at + 1;
        while (*end != '\0' && (*end != '\'' || end[1] == '\'')) {
            if (i == place) {
                buffer_append_byte(out, *end);
            }
            end += *end == '\'' ? 2 : 1;
        }
        if (i == place) {
            return true;
        }
        at = *end == '\'' && end[1] == ',' ? end + 2 : NULL;
    }
    return false;
}

static bool print_labels(const struct binlog_column *column, const char *words, uint64_t number,
                         struct buffer *out)
{
    if (column->type == MYSQL_TYPE_ENUM) {
        return number == 0 || print_label(words, number, out); /* 0: what was no label */
    }
    bool first = true;
    for (uint64_t i = 0; i < 64; i++) {
        if ((number >> i & 1) != 0) {
            buffer_append_string(out, first ? "" : ",");
            first = false;
            if (!print_label(words, i + 1, out)) {
                return false;
            }
        }
    }
    return true;
}

static bool print_told_label(const struct binlog_column *column, uint64_t place, struct buffer *out)
{
    struct binlog_bytes labels = {(const uint8_t *)column->labels.data, column->labels.length,
                                  false};
    for (uint64_t i = 1; i <= column->label_count; i++) {
        size_t length = (size_t)binlog_take_length(&labels);
        const uint8_t *label = binlog_take(&labels, length);
        if (label == NULL) {
            return false;
        }
        if (i == place) {
            buffer_append(out, label, length);
            return true;
        }
    }
    return false;
}

bool binlog_print_labels(const struct binlog_column *column, struct text value, struct buffer *out)
{
    if (value.length > 8) {
        return false;
    }
    uint64_t number = bytes_get_le((const uint8_t *)value.data, (int)value.length);
    if (column->type == MYSQL_TYPE_ENUM) {
        return number == 0 || print_told_label(column, number, out);
    }
    bool first = true;
    for (uint64_t i = 0; i < 64; i++) {
        if ((number >> i & 1) != 0) {
            buffer_append_string(out, first ? "" : ",");
            first = false;
            if (!print_told_label(column, i + 1, out)) {
                return false;
            }
        }
    }
    return true;
}

/* ---------------------------------------------------------------- numbers */

static int64_t sign_extend(uint64_t number, size_t bytes)
{
    unsigned unused = (unsigned)(64 - 8 * bytes);
    return (int64_t)(number << unused) >> unused;
}

static void print_float(const uint8_t *bytes, bool narrow, struct buffer *out)
{
    char text[NUMBER_TEXT_MAX];
    if (narrow) {
        float value;
        memcpy(&value, bytes, sizeof value);
        /* the copy reads it as the double that it is */
        buffer_append(out, text, number_from_double((double)value, text));
        return;
    }
    double value;
    memcpy(&value, bytes, sizeof value);
    buffer_append(out, text, number_from_double(value, text));
}

bool binlog_print_value(const struct binlog_column *column, const struct mysql_type *type,
                        struct text value, struct buffer *out)
{
    const uint8_t *bytes = (const uint8_t *)value.data;
    const char *words = type->type.native;
    switch (column->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG: {
        uint64_t number = bytes_get_le(bytes, (int)value.length);
        if (column->is_unsigned ||
            (!column->is_signed && words != NULL && strstr(words, "unsigned") != NULL)) {
            buffer_append_uint64(out, number);
        } else {
            buffer_append_int64(out, sign_extend(number, value.length));
        }
        return true;
    }
    case MYSQL_TYPE_YEAR:
        buffer_append_uint64(out, bytes[0] == 0 ? 0 : bytes[0] + 1900u);
        return true;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        print_float(bytes, column->type == MYSQL_TYPE_FLOAT, out);
        return true;
    case MYSQL_TYPE_NEWDECIMAL:
        return binlog_print_decimal(bytes, value.length, column->length, column->digits, out);
    case MYSQL_TYPE_BIT:
        if (value.length > 8) {
            return false;
        }
        buffer_append_uint64(out, bytes_get_be(bytes, (int)value.length));
        return true;
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
        return value.length <= 8 &&
               print_labels(column, words, bytes_get_le(bytes, (int)value.length), out);
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_DATETIME2:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_TIME2:
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        return print_moment(column, bytes, out);
    case MYSQL_TYPE_JSON:
        return binlog_print_json(value, out);
    default:
        buffer_append(out, value.data, value.length);
        return true;
    }
}
