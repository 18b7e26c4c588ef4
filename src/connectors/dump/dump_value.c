/*
 * Values of a dump as cells: what its database's own connector reads of the same value.
 *
 *   PostgreSQL   the texts of its output functions under pg_dump's settings: ISO dates, intervals
 * as "1 year 2 mons -3 days +04:05:06.5", bytea as \x00ff or with octal escapes, the shortest
 * digits of floats MySQL        the texts of the text protocol; strings of bytes as they are SQLite
 * literals, whose storage class is the value's own; the declared type refines it
 */
#include "base/memory.h"
#include "base/text.h"
#include "connectors/dump/dump_row.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include "model/time_zone.h"
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#define NO_CONVERSION ((iconv_t)-1)

/* ---------------------------------------------------------------- encodings */

struct dump_encoding {
    iconv_t conversion;
};

enum status dump_encoding_open(const char *name, struct dump_encoding **encoding,
                               struct error *error)
{
    *encoding = NULL;
    if (name == NULL) {
        return STATUS_OK;
    }
    iconv_t conversion = iconv_open("UTF-8", name);
    if (conversion == NO_CONVERSION) {
        error_set(error, ERROR_SOURCE_INVALID, name, "the dump's encoding is not known here");
        return error_hint(error, "dump again in UTF-8");
    }
    *encoding = memory_allocate_zeroed(1, sizeof **encoding);
    (*encoding)->conversion = conversion;
    return STATUS_OK;
}

void dump_encoding_close(struct dump_encoding *encoding)
{
    if (encoding != NULL) {
        iconv_close(encoding->conversion);
        free(encoding);
    }
}

/* Single bytes become at most three of UTF-8. */
static bool to_utf8(struct dump_encoding *encoding, const struct dump_literal *literal,
                    struct arena *arena, struct dump_literal *made)
{
    enum { GROWTH = 4 };
    size_t left = literal->length;
    size_t room = literal->length * GROWTH + GROWTH;
    char *in = (char *)(uintptr_t)literal->text; /* iconv does not write there */
    char *text = arena_try_allocate(arena, room);
    char *out = text;
    iconv(encoding->conversion, NULL, NULL, NULL, NULL);
    if (text == NULL || iconv(encoding->conversion, &in, &left, &out, &room) == (size_t)-1) {
        return false;
    }
    *made = (struct dump_literal){DUMP_STRING, text, (size_t)(out - text)};
    return true;
}

/* ---------------------------------------------------------------- what dialects share */

struct value {
    const struct dump_header *header;
    const struct value_type *type;
    enum escape_tag tag;
    struct arena *arena;
    const char *text;
    size_t length;
    const char *why; /* set where the text is none of the type's */
};

static enum status none(struct value *value, const char *why)
{
    value->why = why;
    return STATUS_END;
}

static enum status escaped(const struct value *value, bool text, struct cell *cell)
{
    *cell = (struct cell){.kind = VALUE_ESCAPE,
                          .flags = text ? CELL_ESCAPED_TEXT : 0,
                          .aux = (uint16_t)value->tag,
                          .length = (uint32_t)value->length,
                          .bytes = (const uint8_t *)value->text};
    return STATUS_OK;
}

static enum status read_text(struct value *value, enum value_kind kind, struct cell *cell)
{
    if (!text_is_utf8(value->text, value->length)) {
        return escaped(value, true, cell);
    }
    *cell = cell_text(value->text, value->length);
    cell->kind = (uint8_t)kind;
    return STATUS_OK;
}

static enum status read_whole(struct value *value, struct cell *cell)
{
    int64_t number = 0;
    if (value->type->kind == VALUE_UINT64) {
        *cell = cell_uint64(0);
        return text_to_uint64(value->text, value->length, &cell->u64) == STATUS_OK
                   ? STATUS_OK
                   : none(value, "is no whole number from 0 on");
    }
    if (text_to_int64(value->text, value->length, &number) != STATUS_OK) {
        return none(value, "is no whole number");
    }
    *cell = cell_int64(number);
    return STATUS_OK;
}

static enum status read_float(struct value *value, struct cell *cell)
{
    double number = 0;
    if (number_to_double(value->text, value->length, &number) != STATUS_OK) {
        return none(value, "is no number");
    }
    bool narrow = value->type->kind == VALUE_FLOAT32;
    *cell = (struct cell){.kind = narrow ? VALUE_FLOAT32 : VALUE_FLOAT64,
                          .f64 = narrow ? (double)(float)number : number};
    return STATUS_OK;
}

static enum status read_decimal(struct value *value, struct cell *cell)
{
    return decimal_parse(value->text, value->length, value->arena, cell) == STATUS_OK
               ? STATUS_OK
               : none(value, "is no number");
}

static enum status read_uuid(struct value *value, struct cell *cell)
{
    return convert_read_uuid(value->text, value->length, value->arena, cell)
               ? STATUS_OK
               : none(value, "is no UUID");
}

static enum status read_bytes(const struct value *value, struct cell *cell)
{
    *cell = cell_bytes(value->text, value->length);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- PostgreSQL */

static bool is_octal(const char *text)
{
    return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' && text[1] <= '7' && text[2] >= '0' &&
           text[2] <= '7';
}

/* bytea_output = escape: bytes as they are, \\ and \ooo. In place. */
static enum status read_escaped_bytea(struct value *value, struct cell *cell)
{
    char *text = (char *)(uintptr_t)value->text;
    size_t made = 0;
    for (size_t at = 0; at < value->length;) {
        if (text[at] != '\\') {
            text[made++] = text[at++];
        } else if (value->length - at >= 2 && text[at + 1] == '\\') {
            text[made++] = '\\';
            at += 2;
        } else if (value->length - at >= 4 && is_octal(text + at + 1)) {
            text[made++] = (char)((text[at + 1] - '0') << 6 | (text[at + 2] - '0') << 3 |
                                  (text[at + 3] - '0'));
            at += 4;
        } else {
            return none(value, "is no bytea");
        }
    }
    *cell = cell_bytes(text, made);
    return STATUS_OK;
}

static enum status read_bytea(struct value *value, struct cell *cell)
{
    char *text = (char *)(uintptr_t)value->text;
    if (value->length < 2 || text[0] != '\\' || text[1] != 'x') {
        return read_escaped_bytea(value, cell);
    }
    size_t count = (value->length - 2) / 2;
    for (size_t i = 0; i < count; i++) {
        int high = text_hex_digit(text[2 + 2 * i]);
        int low = text_hex_digit(text[3 + 2 * i]);
        if (high < 0 || low < 0) {
            return none(value, "is no bytea");
        }
        text[i] = (char)(high << 4 | low);
    }
    *cell = cell_bytes(text, count);
    return value->length % 2 == 0 ? STATUS_OK : none(value, "is no bytea");
}

/* "-04:05:06.5", of as many hours as there are. */
static bool take_clock(const char *text, size_t length, struct value_interval *sum)
{
    char clock[40] = "00";
    bool negative = length > 0 && text[0] == '-';
    const char *colon = memchr(text, ':', length);
    size_t whole = colon != NULL ? (size_t)(colon - text) : 0;
    size_t rest = length - whole;
    struct cell cell = {0};
    int64_t hours = 0;
    int64_t nanoseconds = 0;
    if (colon == NULL || rest > sizeof clock - 3 ||
        text_to_int64(text, whole, &hours) != STATUS_OK) {
        return false;
    }
    memcpy(clock + 2, colon, rest);
    if (time_parse_time(clock, rest + 2, &cell) != STATUS_OK ||
        __builtin_mul_overflow(hours < 0 ? -hours : hours, INT64_C(3600000000000), &nanoseconds) ||
        __builtin_add_overflow(nanoseconds, cell.i64, &nanoseconds)) {
        return false;
    }
    sum->nanoseconds = negative ? -nanoseconds : nanoseconds;
    return true;
}

/* "-3" and "days". */
static bool take_unit(const char *number, size_t digits, const char *word, size_t length,
                      struct value_interval *sum)
{
    static const struct {
        const char *unit;
        int32_t months;
        int32_t days;
    } units[] = {{"year", 12, 0}, {"mon", 1, 0}, {"day", 0, 1}};
    int64_t count = 0;
    if (text_to_int64(number, digits, &count) != STATUS_OK || count > INT32_MAX ||
        count < INT32_MIN) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t unit = strlen(units[i].unit);
        bool plural = length == unit + 1 && word[unit] == 's';
        if ((length == unit || plural) && memcmp(word, units[i].unit, unit) == 0) {
            int32_t months = 0;
            return !__builtin_mul_overflow((int32_t)count, units[i].months, &months) &&
                   !__builtin_add_overflow(sum->months, months, &sum->months) &&
                   !__builtin_add_overflow(sum->days, (int32_t)count * units[i].days, &sum->days);
        }
    }
    return false;
}

/* One "-3 days" or "+04:05:06.5"; `*at` moves behind it. */
static bool take_interval_part(const char **at, const char *end, struct value_interval *sum)
{
    const char *begin = *at + (**at == '+' ? 1 : 0);
    const char *space = memchr(begin, ' ', (size_t)(end - begin));
    size_t length = (size_t)((space != NULL ? space : end) - begin);
    if (memchr(begin, ':', length) != NULL) {
        *at = begin + length;
        return take_clock(begin, length, sum);
    }
    if (space == NULL) {
        return false;
    }
    const char *word = space + 1;
    const char *stop = memchr(word, ' ', (size_t)(end - word));
    stop = stop != NULL ? stop : end;
    *at = stop;
    return take_unit(begin, length, word, (size_t)(stop - word), sum);
}

static enum status read_interval(struct value *value, struct cell *cell)
{
    struct value_interval *sum = arena_allocate_zeroed(value->arena, 1, sizeof *sum);
    const char *at = value->text;
    const char *end = at + value->length;
    if (value->length > 0 && value->text[0] == 'P') {
        return time_parse_interval(value->text, value->length, value->arena, cell) == STATUS_OK
                   ? STATUS_OK
                   : none(value, "is no interval");
    }
    while (at < end) {
        if (!take_interval_part(&at, end, sum)) {
            return none(value, "is no interval as PostgreSQL's style `postgres` writes it");
        }
        at += at < end ? 1 : 0;
    }
    *cell = (struct cell){.kind = VALUE_INTERVAL, .interval = sum};
    return value->length > 0 ? STATUS_OK : none(value, "is no interval");
}

static enum status read_zoned(struct value *value, struct cell *cell)
{
    enum status status = time_parse_timestamp(value->text, value->length, cell);
    bool special = status == STATUS_OK && (cell->flags & CELL_SPECIAL) != 0;
    if (special && value->type->zoned) {
        cell->flags |= CELL_ZONED;
    }
    return status == STATUS_OK && ((cell->flags & CELL_ZONED) != 0) == value->type->zoned
               ? STATUS_OK
               : none(value, value->type->zoned ? "is no timestamp with a zone"
                                                : "is no timestamp without a zone");
}

static enum status read_truth(struct value *value, struct cell *cell)
{
    char letter = value->length > 0 ? value->text[0] : '\0';
    bool one = value->length == 1 || strncmp(value->text, "true", value->length) == 0 ||
               strncmp(value->text, "false", value->length) == 0;
    *cell = cell_bool(letter == 't');
    return one && (letter == 't' || letter == 'f') ? STATUS_OK : none(value, "is no boolean");
}

static enum status read_postgres(struct value *value, struct cell *cell)
{
    switch (value->type->kind) {
    case VALUE_BOOL:
        return read_truth(value, cell);
    case VALUE_INT64:
    case VALUE_UINT64:
        return read_whole(value, cell);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return read_float(value, cell);
    case VALUE_DECIMAL:
        return read_decimal(value, cell);
    case VALUE_BYTES:
        return read_bytea(value, cell);
    case VALUE_DATE:
        return time_parse_date(value->text, value->length, cell) == STATUS_OK
                   ? STATUS_OK
                   : none(value, "is no date");
    case VALUE_TIME:
        return time_parse_time(value->text, value->length, cell) == STATUS_OK
                   ? STATUS_OK
                   : none(value, "is no time");
    case VALUE_TIMESTAMP:
        return read_zoned(value, cell);
    case VALUE_INTERVAL:
        return read_interval(value, cell);
    case VALUE_UUID:
        return read_uuid(value, cell);
    case VALUE_JSON:
        return read_text(value, VALUE_JSON, cell);
    default:
        return read_text(value, VALUE_TEXT, cell);
    }
}

/* ---------------------------------------------------------------- MySQL and MariaDB */

static bool is_bit(const struct value_type *type)
{
    return type->native != NULL && strncmp(type->native, "bit", 3) == 0;
}

/* Bits are b'101', or the number's bytes, the highest first. */
static enum status read_bits(struct value *value, enum dump_literal_kind kind, struct cell *cell)
{
    uint64_t number = 0;
    size_t base = kind == DUMP_BITS ? 1 : 8;
    if (value->length > 64 / base) {
        return none(value, "has more than 64 bits");
    }
    for (size_t i = 0; i < value->length; i++) {
        uint64_t digit = kind == DUMP_BITS ? (uint64_t)(value->text[i] - '0')
                                           : (uint64_t)(unsigned char)value->text[i];
        if (kind == DUMP_BITS && digit > 1) {
            return none(value, "is no string of bits");
        }
        number = number << base | digit;
    }
    *cell = cell_uint64(number);
    return STATUS_OK;
}

/* A day that there is not, which the server keeps all the same. */
static enum status read_day(struct value *value, struct cell *cell)
{
    bool date = value->type->kind == VALUE_DATE;
    enum status status = date ? time_parse_date(value->text, value->length, cell)
                              : time_parse_timestamp(value->text, value->length, cell);
    if (status != STATUS_OK || (cell->flags & CELL_ZONED) != 0) {
        return escaped(value, false, cell);
    }
    if (date || !value->type->zoned) {
        return STATUS_OK;
    }
    const struct time_zone *zone = value->header->session.zone;
    int64_t instants[TIME_ZONE_INSTANTS];
    cell->flags |= CELL_ZONED;
    if (zone == NULL || (cell->flags & CELL_SPECIAL) != 0) {
        return STATUS_OK;
    }
    int count = time_zone_instants(zone, cell->i64, instants);
    cell->i64 = instants[0];
    return count == 1 ? STATUS_OK : none(value, "is no one moment in the dump's time zone");
}

static enum status read_clock(struct value *value, struct cell *cell)
{
    return time_parse_time(value->text, value->length, cell) == STATUS_OK ||
                   time_parse_length(value->text, value->length, value->arena, cell) == STATUS_OK
               ? STATUS_OK
               : none(value, "is no time");
}

static enum status read_mysql(struct value *value, enum dump_literal_kind kind, struct cell *cell)
{
    if (kind == DUMP_TRUTH) {
        value->text = value->text[0] == 't' ? "1" : "0";
    }
    switch (value->type->kind) {
    case VALUE_INT64:
    case VALUE_UINT64:
        return is_bit(value->type) && kind != DUMP_NUMBER ? read_bits(value, kind, cell)
                                                          : read_whole(value, cell);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return read_float(value, cell);
    case VALUE_DECIMAL:
        return read_decimal(value, cell);
    case VALUE_BYTES:
        return read_bytes(value, cell);
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
        return read_day(value, cell);
    case VALUE_TIME:
        return read_clock(value, cell);
    case VALUE_UUID:
        return read_uuid(value, cell);
    case VALUE_JSON:
        return read_text(value, VALUE_JSON, cell);
    default:
        return read_text(value, VALUE_TEXT, cell);
    }
}

/* ---------------------------------------------------------------- SQLite */

static enum status read_sqlite_number(struct value *value, struct cell *cell)
{
    int64_t whole = 0;
    double number = 0;
    if (text_to_int64(value->text, value->length, &whole) == STATUS_OK) {
        *cell = cell_int64(whole);
        if (value->type->kind == VALUE_DECIMAL) {
            cell->kind = VALUE_DECIMAL;
            cell->flags = CELL_SMALL;
        } else if (value->type->kind == VALUE_BOOL && (uint64_t)whole <= 1) {
            cell->kind = VALUE_BOOL;
        }
        return STATUS_OK;
    }
    if (number_to_double(value->text, value->length, &number) != STATUS_OK) {
        return none(value, "is no number");
    }
    *cell = cell_float64(number);
    return value->type->kind != VALUE_DECIMAL ||
                   decimal_from_double(number, value->arena, cell) == STATUS_OK
               ? STATUS_OK
               : none(value, "has too many digits");
}

static enum status read_sqlite(struct value *value, enum dump_literal_kind kind, struct cell *cell)
{
    switch (kind) {
    case DUMP_NUMBER:
        return read_sqlite_number(value, cell);
    case DUMP_TRUTH:
        *cell = cell_int64(value->text[0] == 't');
        return STATUS_OK;
    case DUMP_BYTES:
        return read_bytes(value, cell);
    default:
        return read_text(value, VALUE_TEXT, cell);
    }
}

/* ---------------------------------------------------------------- all of them */

static bool is_textual(enum value_kind kind)
{
    return kind == VALUE_TEXT || kind == VALUE_JSON;
}

enum status dump_value_read(enum sql_language language, const struct dump_header *header,
                            const struct value_type *type, const struct dump_literal *literal,
                            struct dump_encoding *encoding, struct arena *arena, struct cell *cell,
                            const char **why)
{
    static const enum escape_tag tags[] = {
        [SQL_POSTGRES] = ESCAPE_POSTGRES, [SQL_MYSQL] = ESCAPE_MYSQL, [SQL_SQLITE] = ESCAPE_SQLITE};
    struct dump_literal converted = *literal;
    *why = "";
    if (literal->kind == DUMP_NULL) {
        *cell = cell_null();
        return STATUS_OK;
    }
    if (literal->kind == DUMP_OTHER || literal->kind == DUMP_DEFAULT) {
        *why = "is an expression that only its database can compute";
        return STATUS_END;
    }
    if (encoding != NULL && literal->kind == DUMP_STRING && is_textual(type->kind) &&
        !to_utf8(encoding, literal, arena, &converted)) {
        *why = "is no text of the dump's encoding";
        return STATUS_END;
    }
    struct value value = {.header = header,
                          .type = type,
                          .tag = tags[language],
                          .arena = arena,
                          .text = converted.text,
                          .length = converted.length};
    enum status status = language == SQL_POSTGRES ? read_postgres(&value, cell)
                         : language == SQL_MYSQL  ? read_mysql(&value, literal->kind, cell)
                                                  : read_sqlite(&value, literal->kind, cell);
    *why = value.why;
    return status;
}
