/* Cells as fields of LOAD DATA's lines, as values of statements, or as parameters. */
#include "base/memory.h"
#include "connectors/mysql/target.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <endian.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { FIELD_BYTES_MAX = 1000 * 1000 * 1000 };

static enum status encode_refuse(const struct mysql_column *column, enum error_code code,
                                 const char *why, struct error *error)
{
    return error_set(error, code, column->name, "%s, which %s can't hold", why,
                     column->type.type.native != NULL ? column->type.type.native : "the column");
}

/* ---------------------------------------------------------------- texts and bytes */

/* CHAR drops the blanks at the end, BINARY adds zeros. */
static bool is_fixed(const struct mysql_column *column)
{
    const char *native = column->type.type.native;
    return native != NULL &&
           (strncasecmp(native, "char", 4) == 0 || strncasecmp(native, "binary", 6) == 0);
}

/* Eight bytes at once: is there a tab, a line's end or a backslash among them? */
static inline uint64_t has_special(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);
    uint64_t tab = word ^ (ones * '\t');
    uint64_t line = word ^ (ones * '\n');
    uint64_t slash = word ^ (ones * '\\');
    return (((tab - ones) & ~tab) | ((line - ones) & ~line) | ((slash - ones) & ~slash)) & highs;
}

void mysql_append_field(struct buffer *out, const char *bytes, size_t length)
{
    if (length == 0) {
        return;
    }
    buffer_reserve(out, 2 * length);
    char *to = out->data + out->length;
    size_t i = 0;
    while (i < length) {
        uint64_t word;
        if (length - i >= sizeof word) {
            memcpy(&word, bytes + i, sizeof word);
            if (has_special(word) == 0) {
                memcpy(to, &word, sizeof word);
                to += sizeof word;
                i += sizeof word;
                continue;
            }
        }
        size_t stop = length - i < sizeof word ? length : i + sizeof word;
        for (; i < stop; i++) {
            char letter = bytes[i];
            if (letter == '\t' || letter == '\n' || letter == '\\') {
                *to++ = '\\';
                letter = letter == '\t' ? 't' : letter == '\n' ? 'n' : letter;
            }
            *to++ = letter;
        }
    }
    out->length = (size_t)(to - out->data);
}

enum {
    LENGTH_BYTES_MAX = 9,
    LENGTH_ONE_BYTE_MAX = 250,
    LENGTH_OF_TWO = 0xfc,
    LENGTH_OF_THREE = 0xfd,
    LENGTH_OF_EIGHT = 0xfe
};

/* "Length-encoded integers" in the servers' manuals. */
static size_t put_length(char *to, uint64_t length)
{
    size_t bytes = length < 1 << 16 ? 2 : length < 1 << 24 ? 3 : 8;
    uint64_t little = htole64(length);
    if (length <= LENGTH_ONE_BYTE_MAX) {
        *to = (char)length;
        return 1;
    }
    *to = (char)(bytes == 2 ? LENGTH_OF_TWO : bytes == 3 ? LENGTH_OF_THREE : LENGTH_OF_EIGHT);
    memcpy(to + 1, &little, bytes);
    return 1 + bytes;
}

/* Room for a value of that many bytes, in whatever form. */
static enum status make_room(const struct mysql_column *column, size_t length, struct buffer *out,
                             struct error *error)
{
    return length <= MEMORY_DATA_BYTES || buffer_try_reserve(out, 2 * length + LENGTH_BYTES_MAX)
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, column->name, "no memory for a value of %zu bytes",
                           length);
}

static void put_counted(struct buffer *out, const char *bytes, size_t length)
{
    buffer_reserve(out, LENGTH_BYTES_MAX + length);
    char *to = out->data + out->length;
    to += put_length(to, length);
    if (length > 0) {
        memcpy(to, bytes, length);
    }
    out->length = (size_t)(to - out->data) + length;
}

static void put_string(struct buffer *out, enum mysql_form form, const char *text, size_t length)
{
    if (form == MYSQL_IN_LINE) {
        mysql_append_field(out, text, length);
    } else if (form == MYSQL_IN_BULK) {
        put_counted(out, text, length);
    } else {
        mysql_append_text(out, text, length);
    }
}

/* A text that needs no escape. */
static void put_plain(struct buffer *out, enum mysql_form form, const char *text, size_t length)
{
    bool quoted = form == MYSQL_IN_STATEMENT;
    if (form == MYSQL_IN_BULK) {
        put_counted(out, text, length);
        return;
    }
    if (quoted) {
        buffer_append_byte(out, '\'');
    }
    buffer_append(out, text, length);
    if (quoted) {
        buffer_append_byte(out, '\'');
    }
}

static enum status put_text(const struct mysql_column *column, enum mysql_form form,
                            const char *text, size_t length, struct buffer *out,
                            struct error *error)
{
    int32_t limit = column->type.type.precision;
    if (length > FIELD_BYTES_MAX) {
        return encode_refuse(column, ERROR_REJECT_TOO_LARGE, "the text has more than 1 GB", error);
    }
    if (limit > 0 && length > (size_t)limit) {
        size_t characters = 0;
        for (size_t i = 0; i < length; i++) {
            characters += ((unsigned char)text[i] & 0xc0) != 0x80;
        }
        if (characters > (size_t)limit) {
            return error_set(error, ERROR_REJECT_TOO_LARGE, column->name,
                             "the text has %zu characters, %s holds %d", characters,
                             column->type.type.native, limit);
        }
    }
    if (column->type.format == MYSQL_AS_LABEL && !(column->error_value && length == 0) &&
        !mysql_holds_label(column->type.type.native, text, length)) {
        return error_set(error, ERROR_REJECT_TYPE, column->name,
                         "the text is no label, or none in this order, of %s",
                         column->type.type.native);
    }
    if (length > 0 && text[length - 1] == ' ' && is_fixed(column)) {
        return encode_refuse(column, ERROR_REJECT_TEXT, "the text ends in a blank", error);
    }
    if (make_room(column, length, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    put_string(out, form, text, length);
    return STATUS_OK;
}

static enum status put_bytes(const struct mysql_column *column, enum mysql_form form,
                             const uint8_t *bytes, size_t length, struct buffer *out,
                             struct error *error)
{
    int32_t limit = column->type.type.precision;
    if (length > FIELD_BYTES_MAX || (limit > 0 && length > (size_t)limit)) {
        return encode_refuse(column, ERROR_REJECT_TOO_LARGE, "the value has too many bytes", error);
    }
    if (limit > 0 && length < (size_t)limit && is_fixed(column)) {
        return encode_refuse(column, ERROR_REJECT_TYPE, "the value has too few bytes", error);
    }
    if (make_room(column, length, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (form == MYSQL_IN_STATEMENT) {
        mysql_append_bytes(out, bytes, length);
    } else {
        put_string(out, form, (const char *)bytes, length);
    }
    return STATUS_OK;
}

static enum status put_made_text(const struct mysql_column *column, enum mysql_form form,
                                 const struct cell *cell, struct buffer *out, struct error *error)
{
    struct buffer made = {0};
    enum status status = column->type.format == MYSQL_AS_JSON
                             ? convert_append_json(cell, &made, error)
                             : sql_append_column_text(&mysql_rules, cell, &made, error);
    if (status == STATUS_OK) {
        status = put_text(column, form, buffer_string(&made), made.length, out, error);
    }
    buffer_free(&made);
    return status;
}

/* ---------------------------------------------------------------- numbers */

static void put_word(struct buffer *out, uint64_t word)
{
    uint64_t little = htole64(word);
    buffer_append(out, &little, sizeof little);
}

/* Has the number more digits behind the point than float(M,D) keeps? */
static bool is_rounded(const struct mysql_column *column, double value)
{
    uint64_t digits;
    int exponent;
    int negative;
    bool narrow = column->type.format == MYSQL_AS_FLOAT;
    if (!column->type.rounds || (narrow && !isfinite((float)value))) {
        return false; /* what no float can hold the server refuses */
    }
    if (narrow) {
        number_shortest_float32((float)value, &digits, &exponent, &negative);
    } else {
        number_shortest(value, &digits, &exponent, &negative);
    }
    return digits != 0 && -exponent > column->type.digits;
}

static enum status put_float(const struct mysql_column *column, double value, enum mysql_form form,
                             struct buffer *out, struct error *error)
{
    char digits[NUMBER_TEXT_MAX];
    if (!isfinite(value)) {
        return encode_refuse(column, ERROR_REJECT_NUMBER,
                             isnan(value) ? "the number is NaN" : "the number is infinite", error);
    }
    if (is_rounded(column, value)) {
        return encode_refuse(column, ERROR_REJECT_NUMBER,
                             "the number has more digits behind the point", error);
    }
    if (form == MYSQL_IN_BULK) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        put_word(out, bits);
    } else {
        buffer_append(out, digits, number_from_double(value, digits));
    }
    return STATUS_OK;
}

/* The server would round what has more digits than the column: it is refused, unless they are
 * zeros. */
static enum status put_decimal(const struct mysql_column *column, const struct cell *cell,
                               struct arena *scratch, struct buffer *out, struct error *error)
{
    const struct value_type *type = &column->type.type;
    struct cell cut = *cell;
    int exact = 1;
    if (decimal_special(cell) != 0) {
        return encode_refuse(column, ERROR_REJECT_NUMBER, "the number is NaN or infinite", error);
    }
    if (decimal_scale(cell) > (uint32_t)type->scale) {
        (void)!decimal_rescale(cell, (uint32_t)type->scale, scratch, &cut, &exact);
    }
    if (!exact) {
        return error_set(error, ERROR_REJECT_NUMBER, column->name,
                         "the number has more than the %d digits after the point of %s",
                         type->scale, type->native);
    }
    decimal_append(&cut, out);
    return STATUS_OK;
}

/* The server would make a year about 2000 of one or two digits. */
static enum status put_year(const struct mysql_column *column, int64_t year, enum mysql_form form,
                            struct buffer *out, struct error *error)
{
    if (year < 0 || (year > 0 && year < 100)) {
        return encode_refuse(column, ERROR_REJECT_NUMBER, "the number is no year of four digits",
                             error);
    }
    if (form == MYSQL_IN_BULK) {
        put_word(out, (uint64_t)year);
    } else {
        buffer_append_string(out, year == 0 ? "000" : "");
        buffer_append_int64(out, year);
    }
    return STATUS_OK;
}

static enum status put_number(const struct mysql_column *column, const struct cell *cell,
                              enum mysql_form form, struct arena *scratch, struct buffer *out,
                              struct error *error)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_INT64:
    case VALUE_BOOL:
        if (column->type.format == MYSQL_AS_YEAR) {
            return put_year(column, cell->i64, form, out, error);
        }
        buffer_append_int64(out, cell->i64);
        return STATUS_OK;
    case VALUE_UINT64:
        buffer_append_uint64(out, cell->u64);
        return STATUS_OK;
    case VALUE_DECIMAL:
        return put_decimal(column, cell, scratch, out, error);
    default:
        return put_float(column, cell->f64, form, out, error);
    }
}

/* Its digits, behind room for the longest length that is closed up afterwards. */
static enum status put_counted_number(const struct mysql_column *column, const struct cell *cell,
                                      struct arena *scratch, struct buffer *out,
                                      struct error *error)
{
    size_t begin = out->length;
    buffer_reserve(out, LENGTH_BYTES_MAX);
    out->length += LENGTH_BYTES_MAX;
    enum status status = put_number(column, cell, MYSQL_IN_LINE, scratch, out, error);
    if (status == STATUS_OK) {
        size_t length = out->length - begin - LENGTH_BYTES_MAX;
        size_t head = put_length(out->data + begin, length);
        memmove(out->data + begin + head, out->data + begin + LENGTH_BYTES_MAX, length);
        out->length = begin + head + length;
    }
    return status;
}

/* A parameter that is sent as a number is one of eight bytes; decimals are texts. */
static enum status put_parameter(const struct mysql_column *column, const struct cell *cell,
                                 struct arena *scratch, struct buffer *out, struct error *error)
{
    switch (column->type.format) {
    case MYSQL_AS_YEAR:
    case MYSQL_AS_FLOAT:
    case MYSQL_AS_DOUBLE:
        return put_number(column, cell, MYSQL_IN_BULK, scratch, out, error);
    case MYSQL_AS_DECIMAL:
        return put_counted_number(column, cell, scratch, out, error);
    default:
        put_word(out, cell->kind == VALUE_UINT64 ? cell->u64 : (uint64_t)cell->i64);
        return STATUS_OK;
    }
}

/* ---------------------------------------------------------------- times */

/* Digits of seconds beyond what time(p) and datetime(p) keep, which the server would round. */
static bool has_excess(const struct mysql_column *column, int64_t microseconds)
{
    static const int64_t steps[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    int digits = column->type.digits;
    return digits < 6 && microseconds % 1000000 != 0 && microseconds % steps[digits] != 0;
}

static size_t put_digits(char *to, int value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return (size_t)width;
}

static size_t put_day(char *to, int64_t days)
{
    int64_t year = 0;
    int month = 0;
    int day = 0;
    time_civil_from_days(days, &year, &month, &day);
    size_t length = put_digits(to, (int)year, 4);
    to[length++] = '-';
    length += put_digits(to + length, month, 2);
    to[length++] = '-';
    return length + put_digits(to + length, day, 2);
}

static size_t put_clock(char *to, int64_t microseconds)
{
    int64_t seconds = microseconds / 1000000;
    int hours = (int)(seconds / 3600);
    size_t length = put_digits(to, hours, hours > 99 ? 3 : 2);
    to[length++] = ':';
    length += put_digits(to + length, (int)(seconds / 60 % 60), 2);
    to[length++] = ':';
    length += put_digits(to + length, (int)(seconds % 60), 2);
    if (microseconds % 1000000 != 0) {
        to[length++] = '.';
        length += put_digits(to + length, (int)(microseconds % 1000000), 6);
    }
    return length;
}

#define FIRST_DAY INT64_C(-719528) /* 0000-01-01 */
#define LAST_DAY INT64_C(2932896)  /* 9999-12-31 */
#define DAY_US INT64_C(86400000000)

static enum status put_date(const struct mysql_column *column, enum mysql_form form,
                            const struct cell *cell, struct buffer *out, struct error *error)
{
    char text[16] = "0000-00-00";
    bool special = (cell->flags & CELL_SPECIAL) != 0;
    if (special && cell->i64 != CELL_ZERO_DATE) {
        return encode_refuse(column, ERROR_REJECT_TYPE, "the date is infinite", error);
    }
    if (!special && (cell->i64 < FIRST_DAY || cell->i64 > LAST_DAY)) {
        return encode_refuse(column, ERROR_REJECT_TYPE, "the date is outside the years 0 to 9999",
                             error);
    }
    size_t length = special ? strlen(text) : put_day(text, cell->i64);
    put_plain(out, form, text, length);
    return STATUS_OK;
}

static enum status put_timestamp(const struct mysql_column *column, enum mysql_form form,
                                 const struct cell *cell, struct buffer *out, struct error *error)
{
    char text[40] = "0000-00-00 00:00:00";
    size_t length = strlen(text);
    if ((cell->flags & CELL_SPECIAL) != 0) {
        if (cell->i64 != CELL_ZERO_DATE) {
            return encode_refuse(column, ERROR_REJECT_TYPE, "the time is infinite", error);
        }
    } else {
        int64_t days = cell->i64 / DAY_US - (cell->i64 % DAY_US < 0);
        if (cell->aux != 0 || has_excess(column, cell->i64)) {
            return encode_refuse(column, ERROR_REJECT_TYPE, "the time has more digits of a second",
                                 error);
        }
        if (days < FIRST_DAY || days > LAST_DAY) {
            return encode_refuse(column, ERROR_REJECT_TYPE,
                                 "the time is outside the years 0 to 9999", error);
        }
        length = put_day(text, days);
        text[length++] = ' ';
        length += put_clock(text + length, cell->i64 - days * DAY_US);
    }
    put_plain(out, form, text, length);
    return STATUS_OK;
}

static enum status put_time(const struct mysql_column *column, enum mysql_form form,
                            const struct cell *cell, struct buffer *out, struct error *error)
{
    static const int64_t most = (INT64_C(838) * 3600 + 59 * 60 + 59) * 1000000 + 999999;
    bool interval = cell->kind == VALUE_INTERVAL;
    int64_t nanoseconds = interval ? cell->interval->nanoseconds : cell->i64;
    char text[40];
    if (interval && (cell->interval->months != 0 || cell->interval->days != 0)) {
        return encode_refuse(column, ERROR_REJECT_TYPE, "the interval has months or days", error);
    }
    if (nanoseconds % 1000 != 0 || has_excess(column, nanoseconds / 1000)) {
        return encode_refuse(column, ERROR_REJECT_TYPE, "the time has more digits of a second",
                             error);
    }
    int64_t value = nanoseconds / 1000;
    if (value > most || value < -most) {
        return encode_refuse(column, ERROR_REJECT_TYPE, "the time is beyond 838:59:59", error);
    }
    size_t length = 0;
    if (value < 0) {
        text[length++] = '-';
    }
    length += put_clock(text + length, value < 0 ? -value : value);
    put_plain(out, form, text, length);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of them */

static bool is_same(const struct mysql_column *column, const struct cell *cell)
{
    const struct value_type *type = &column->type.type;
    enum value_kind kind = (enum value_kind)cell->kind;
    switch (column->type.format) {
    case MYSQL_AS_INT:
    case MYSQL_AS_YEAR:
        return kind == VALUE_INT64 || kind == VALUE_BOOL;
    case MYSQL_AS_UINT:
    case MYSQL_AS_BIT:
        return kind == VALUE_UINT64 || kind == VALUE_BOOL ||
               (kind == VALUE_INT64 && cell->i64 >= 0);
    case MYSQL_AS_DECIMAL:
        return kind == VALUE_DECIMAL || kind == VALUE_INT64 || kind == VALUE_UINT64;
    case MYSQL_AS_DATETIME: /* an instant goes in as UTC */
        return kind == VALUE_TIMESTAMP;
    case MYSQL_AS_TIMESTAMP: /* what is zero is so in every zone */
        return kind == VALUE_TIMESTAMP && (cell->flags & (CELL_ZONED | CELL_SPECIAL)) != 0;
    case MYSQL_AS_TIME:
        return (kind == VALUE_TIME && (cell->flags & CELL_ZONED) == 0) || kind == VALUE_INTERVAL;
    case MYSQL_AS_GEOMETRY:
        return kind == VALUE_BYTES;
    default:
        return kind == type->kind;
    }
}

/* A value that is of the column's kind. */
static enum status put_same(const struct mysql_column *column, const struct cell *cell,
                            enum mysql_form form, struct arena *scratch, struct buffer *out,
                            struct error *error)
{
    switch (column->type.format) {
    case MYSQL_AS_BYTES:
    case MYSQL_AS_GEOMETRY:
        return put_bytes(column, form, cell->bytes, cell->length, out, error);
    case MYSQL_AS_DATE:
        return put_date(column, form, cell, out, error);
    case MYSQL_AS_DATETIME:
    case MYSQL_AS_TIMESTAMP:
        return put_timestamp(column, form, cell, out, error);
    case MYSQL_AS_TIME:
        return put_time(column, form, cell, out, error);
    case MYSQL_AS_UUID: {
        struct buffer text = {0};
        value_append_uuid(&text, cell->bytes);
        put_plain(out, form, buffer_string(&text), text.length);
        buffer_free(&text);
        return STATUS_OK;
    }
    default:
        return form == MYSQL_IN_BULK ? put_parameter(column, cell, scratch, out, error)
                                     : put_number(column, cell, form, scratch, out, error);
    }
}

/* A value of our own engine that no kind holds (a date with a day of 0): its text, if the column
 * takes such ones. */
static enum status put_escape(const struct mysql_column *column, const struct cell *cell,
                              enum mysql_form form, struct buffer *out, struct error *error)
{
    bool own = cell->aux == ESCAPE_MYSQL && (cell->flags & CELL_ESCAPED_TEXT) == 0;
    bool dated = column->type.format == MYSQL_AS_DATE || column->type.format == MYSQL_AS_DATETIME ||
                 column->type.format == MYSQL_AS_TIMESTAMP;
    if (!own || !dated) {
        return error_set(
            error, (cell->flags & CELL_ESCAPED_TEXT) != 0 ? ERROR_REJECT_TEXT : ERROR_REJECT_TYPE,
            column->name, "a value that only its source's engine can hold");
    }
    put_string(out, form, (const char *)cell->bytes, cell->length);
    return STATUS_OK;
}

/* The bits that the digits of a text are: a decimal number could not be told from them. */
static enum status bits_of_text(const struct mysql_column *column, const struct cell *text,
                                struct cell *made, struct error *error)
{
    enum { BITS_MAX = 64 };
    uint64_t bits = 0;
    for (uint32_t i = 0; i < text->length && i < BITS_MAX; i++) {
        if (text->text[i] != '0' && text->text[i] != '1') {
            return encode_refuse(column, ERROR_REJECT_TYPE, "it is no text of the digits 0 and 1",
                                 error);
        }
        bits = bits << 1 | (uint64_t)(text->text[i] - '0');
    }
    if (text->length == 0 || text->length > BITS_MAX) {
        return encode_refuse(column, ERROR_REJECT_TYPE, "it is no text of 1 to 64 digits 0 and 1",
                             error);
    }
    *made = cell_uint64(bits);
    return STATUS_OK;
}

/* A text such as 26:00:00, which is no time of a day: these columns hold lengths of time. */
static bool is_length(const struct mysql_column *column, const struct cell *cell,
                      struct arena *scratch, struct cell *made)
{
    struct cell time;
    return column->type.format == MYSQL_AS_TIME && cell->kind == VALUE_TEXT &&
           time_parse_time(cell->text, cell->length, &time) != STATUS_OK &&
           time_parse_length(cell->text, cell->length, scratch, made) == STATUS_OK;
}

enum status mysql_of_column(const struct mysql_column *column, const struct cell *cell,
                            struct arena *scratch, struct cell *made, struct error *error)
{
    struct value_type wanted = column->type.type;
    if (is_same(column, cell)) {
        *made = *cell;
        return STATUS_OK;
    }
    if (column->type.format == MYSQL_AS_BIT && cell->kind == VALUE_TEXT) {
        return bits_of_text(column, cell, made, error);
    }
    if (is_length(column, cell, scratch, made)) {
        return STATUS_OK;
    }
    wanted.dynamic = false;
    wanted.zoned = column->type.format == MYSQL_AS_TIMESTAMP;
    if (wanted.kind == VALUE_BYTES) {
        wanted.precision = 0;
    }
    return convert_value(cell, &wanted, false, scratch, made, error);
}

static void put_null(struct buffer *out, enum mysql_form form)
{
    if (form == MYSQL_IN_BULK) {
        buffer_append_byte(out, STMT_INDICATOR_NULL);
    } else {
        buffer_append_string(out, form == MYSQL_IN_LINE ? "\\N" : "NULL");
    }
}

uint16_t mysql_bulk_type(const struct mysql_column *column)
{
    enum { UNSIGNED = 0x8000 };
    switch (column->type.format) {
    case MYSQL_AS_INT:
    case MYSQL_AS_YEAR:
        return MYSQL_TYPE_LONGLONG;
    case MYSQL_AS_UINT:
    case MYSQL_AS_BIT:
        return UNSIGNED | MYSQL_TYPE_LONGLONG;
    case MYSQL_AS_FLOAT:
    case MYSQL_AS_DOUBLE:
        return MYSQL_TYPE_DOUBLE;
    case MYSQL_AS_BYTES:
    case MYSQL_AS_GEOMETRY:
        return MYSQL_TYPE_BLOB;
    default:
        return MYSQL_TYPE_STRING;
    }
}

static enum status encode_null(const struct mysql_column *column, enum mysql_form form,
                               struct buffer *out, struct error *error)
{
    /* of a NULL the server would make a number or a time of its own */
    if (column->not_null) {
        return error_set(error, ERROR_REJECT_CONSTRAINT, column->name,
                         "the value is null, the column is NOT NULL");
    }
    put_null(out, form);
    return STATUS_OK;
}

enum status mysql_encode(const struct mysql_column *column, const struct cell *cell,
                         enum mysql_form form, struct arena *scratch, struct buffer *out,
                         struct error *error)
{
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        return encode_null(column, form, out, error);
    }
    size_t begin = out->length;
    if (form == MYSQL_IN_BULK) {
        buffer_append_byte(out, STMT_INDICATOR_NONE);
    }
    if (cell->kind == VALUE_ESCAPE) {
        return put_escape(column, cell, form, out, error);
    }
    switch (column->type.format) {
    case MYSQL_AS_INT:
        if (cell->kind == VALUE_INT64) { /* the commonest, at once */
            if (form == MYSQL_IN_BULK) {
                put_word(out, (uint64_t)cell->i64);
            } else {
                buffer_append_int64(out, cell->i64);
            }
            return STATUS_OK;
        }
        break;
    case MYSQL_AS_TEXT:
    case MYSQL_AS_LABEL:
        return cell->kind == VALUE_TEXT
                   ? put_text(column, form, cell->text, cell->length, out, error)
                   : put_made_text(column, form, cell, out, error);
    case MYSQL_AS_JSON:
        return cell->kind == VALUE_JSON
                   ? put_text(column, form, cell->text, cell->length, out, error)
                   : put_made_text(column, form, cell, out, error);
    default:
        break;
    }
    struct cell made;
    if (mysql_of_column(column, cell, scratch, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made.kind == VALUE_NULL) { /* JSON's null is the column's */
        out->length = begin;
        return encode_null(column, form, out, error);
    }
    return put_same(column, &made, form, scratch, out, error);
}

bool mysql_needs_variable(const struct mysql_database *self, const struct mysql_column *column,
                          const char **expression, const char **end)
{
    bool text = column->type.format == MYSQL_AS_TEXT || column->type.format == MYSQL_AS_LABEL ||
                column->type.format == MYSQL_AS_JSON;
    *end = ")";
    if (column->type.format == MYSQL_AS_BIT) {
        *expression = "CAST(";
        *end = " AS UNSIGNED)";
        return true;
    }
    /* the stream has no character set, so that it can hold bytes: what is UTF-8 says so itself */
    bool other = text && column->charset != NULL && strncmp(column->charset, "utf8mb4", 7) != 0;
    /* of bytes these types would take the value itself */
    bool binary = column->type.format == MYSQL_AS_UUID ||
                  (column->type.format == MYSQL_AS_LABEL && column->charset == NULL);
    if (other || binary || (column->type.format == MYSQL_AS_JSON && !self->mariadb)) {
        *expression = "CONVERT(";
        *end = " USING utf8mb4)";
        return true;
    }
    return false;
}
