/* Cells as values of binary COPY; decode.c draws the formats. */
#include "base/memory.h"
#include "base/text.h"
#include "connectors/postgres/target.h"
#include "connectors/sql/normal.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/json_reader.h"
#include <math.h>
#include <string.h>

#define EPOCH_DAYS 10957
#define EPOCH_US (EPOCH_DAYS * INT64_C(86400000000))

enum { FIELD_BYTES_MAX = 1000 * 1000 * 1000, NUMERIC_SCALE_MAX = 16383, GROUPS_SMALL_MAX = 8 };

/* ---------------------------------------------------------------- numbers, big-endian */

static void put16(struct buffer *out, uint16_t value)
{
    uint16_t swapped = __builtin_bswap16(value);
    buffer_append(out, &swapped, sizeof swapped);
}

static void put32(struct buffer *out, uint32_t value)
{
    uint32_t swapped = __builtin_bswap32(value);
    buffer_append(out, &swapped, sizeof swapped);
}

static void put64(struct buffer *out, uint64_t value)
{
    uint64_t swapped = __builtin_bswap64(value);
    buffer_append(out, &swapped, sizeof swapped);
}

static void put_field16(struct buffer *out, uint16_t value)
{
    put32(out, 2);
    put16(out, value);
}

static void put_field32(struct buffer *out, uint32_t value)
{
    uint64_t field = __builtin_bswap64(UINT64_C(4) << 32 | value);
    buffer_append(out, &field, sizeof field);
}

/* With its length before it, in one piece; `bytes` is not NULL. */
static inline void put_run(struct buffer *out, const void *bytes, uint32_t length)
{
    uint32_t size = __builtin_bswap32(length);
    buffer_reserve(out, sizeof size + length);
    memcpy(out->data + out->length, &size, sizeof size);
    memcpy(out->data + out->length + sizeof size, bytes, length);
    out->length += sizeof size + length;
}

static void put_field64(struct buffer *out, uint64_t value)
{
    uint64_t swapped = __builtin_bswap64(value);
    put_run(out, &swapped, sizeof swapped);
}

/* Room for a value of that many bytes. */
static enum status make_room(const struct postgres_column *column, size_t length,
                             struct buffer *out, struct error *error)
{
    enum { HEADER = 5 };
    return length <= MEMORY_DATA_BYTES || buffer_try_reserve(out, length + HEADER)
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, column->name, "no memory for a value of %zu bytes",
                           length);
}

static enum status out_of_range(const struct postgres_column *column, struct error *error)
{
    return error_set(error, ERROR_REJECT_NUMBER, column->name, "the value is out of range for %s",
                     column->type.type.native);
}

static enum status unfit(const struct postgres_column *column, const char *what,
                         struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, column->name, "%s, which %s can't hold", what,
                     column->type.type.native);
}

static enum status put_int(const struct postgres_column *column, int64_t value, struct buffer *out,
                           struct error *error)
{
    switch (column->type.format) {
    case POSTGRES_AS_INT8:
        put_field64(out, (uint64_t)value);
        return STATUS_OK;
    case POSTGRES_AS_INT4:
        if (value < INT32_MIN || value > INT32_MAX) {
            return out_of_range(column, error);
        }
        put_field32(out, (uint32_t)value);
        return STATUS_OK;
    case POSTGRES_AS_OID:
        if (value < 0 || value > UINT32_MAX) {
            return out_of_range(column, error);
        }
        put_field32(out, (uint32_t)value);
        return STATUS_OK;
    default:
        if (value < INT16_MIN || value > INT16_MAX) {
            return out_of_range(column, error);
        }
        put_field16(out, (uint16_t)value);
        return STATUS_OK;
    }
}

/* ---------------------------------------------------------------- numeric */

static void put_numeric_header(struct buffer *out, uint32_t digits, int weight, bool negative,
                               uint32_t scale)
{
    uint64_t parts = (uint64_t)digits << 48 | (uint64_t)(uint16_t)weight << 32 |
                     (negative ? UINT64_C(0x4000) << 16 : 0) | (scale & 0xffff);
    put32(out, 8 + 2 * digits);
    put64(out, parts);
}

/* magnitude × 10^-scale */
static void put_small_numeric(struct buffer *out, uint64_t magnitude, bool negative, uint32_t scale)
{
    static const uint32_t powers[] = {1, 1000, 100, 10};
    uint16_t groups[GROUPS_SMALL_MAX];
    uint64_t value;
    int count = 0;
    int below = (int)(scale + 3) / 4; /* groups after the point */

    if (__builtin_mul_overflow(magnitude, powers[scale % 4], &value)) {
        unsigned __int128 wide = (unsigned __int128)magnitude * powers[scale % 4];
        groups[count++] = (uint16_t)(wide % 10000);
        value = (uint64_t)(wide / 10000);
    }
    while (value > 0) {
        groups[count++] = (uint16_t)(value % 10000);
        value /= 10000;
    }
    int weight = count - below - 1;
    int first = 0; /* trailing zero groups are not sent */
    while (first < count && groups[first] == 0) {
        first++;
    }
    put_numeric_header(out, (uint32_t)(count - first), count > 0 ? weight : 0, negative, scale);
    for (int i = count - 1; i >= first; i--) {
        put16(out, groups[i]);
    }
}

/* Plain digits: groups of four, aligned at the point. */
static enum status put_text_numeric(const struct postgres_column *column, const char *text,
                                    size_t length, struct buffer *out, struct error *error)
{
    bool negative = length > 0 && text[0] == '-';
    text += negative;
    length -= negative;
    const char *point = memchr(text, '.', length);
    size_t whole = point != NULL ? (size_t)(point - text) : length;
    size_t scale = point != NULL ? length - whole - 1 : 0;
    size_t above = (whole + 3) / 4;
    size_t below = (scale + 3) / 4;
    if (scale > NUMERIC_SCALE_MAX || above > 32768) {
        return out_of_range(column, error);
    }
    size_t header = out->length;
    put_numeric_header(out, (uint32_t)(above + below), (int)above - 1, negative, (uint32_t)scale);
    size_t at = above * 4 - whole; /* zeros before the first digit */
    uint16_t group = 0;
    uint32_t sent = 0;
    size_t last_used = 0;
    for (size_t i = at; i < (above + below) * 4; i++) {
        size_t digit = i - at;
        char character = digit < whole           ? text[digit]
                         : digit < whole + scale ? text[digit + 1]
                                                 : '0';
        group = (uint16_t)(group * 10 + (character - '0'));
        if (i % 4 == 3) {
            put16(out, group);
            sent++;
            last_used = group != 0 ? sent : last_used;
            group = 0;
        }
    }
    out->length -= 2 * (sent - last_used);
    uint32_t size = __builtin_bswap32((uint32_t)(8 + 2 * last_used));
    uint16_t digits = __builtin_bswap16((uint16_t)last_used);
    memcpy(out->data + header, &size, sizeof size);
    memcpy(out->data + header + 4, &digits, sizeof digits);
    return STATUS_OK;
}

static void put_special_numeric(struct buffer *out, char which)
{
    put32(out, 8);
    put16(out, 0);
    put16(out, 0);
    put16(out, which == 'N' ? 0xc000 : which == '+' ? 0xd000 : 0xf000);
    put16(out, 0);
}

static enum status put_decimal(const struct postgres_column *column, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    if ((cell->flags & CELL_SMALL) != 0) {
        uint64_t magnitude = cell->i64 < 0 ? -(uint64_t)cell->i64 : (uint64_t)cell->i64;
        put_small_numeric(out, magnitude, cell->i64 < 0, cell->aux);
        return STATUS_OK;
    }
    char special = decimal_special(cell);
    if (special != 0) {
        put_special_numeric(out, special);
        return STATUS_OK;
    }
    return put_text_numeric(column, cell->text, cell->length, out, error);
}

/* numeric(p,-s) holds multiples of 10^s. */
static bool is_multiple(const char *digits, size_t length, size_t zeros)
{
    for (size_t i = length > zeros ? length - zeros : 0; i < length; i++) {
        if (digits[i] != '0' && digits[i] != '-') {
            return false;
        }
    }
    return true;
}

/* Are its last digits, those below 10^-scale, zeros? */
static enum status check_zeros(const struct postgres_column *column, const struct cell *cell,
                               int32_t scale, struct arena *scratch, struct error *error)
{
    char digits[24];
    struct cell whole = *cell;
    int exact = 1;
    if (cell->kind == VALUE_DECIMAL &&
        decimal_rescale(cell, 0, scratch, &whole, &exact) != STATUS_OK) {
        return error_set(error, ERROR_MEMORY, column->name, "no memory for a number");
    }
    if (cell->kind != VALUE_DECIMAL || (whole.flags & CELL_SMALL) != 0) {
        whole.length = (uint32_t)(cell->kind == VALUE_UINT64 ? text_from_uint64(cell->u64, digits)
                                                             : text_from_int64(whole.i64, digits));
        whole.text = digits;
    }
    return exact && is_multiple(whole.text, whole.length, (size_t)-scale)
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_NUMBER, column->name,
                           "the number has more digits than %s", column->type.type.native);
}

/* Checks a number for a column whose scale is below 0; the catalogue's words for other engines have
 * no such. */
static enum status check_multiple(const struct postgres_column *column, const struct cell *cell,
                                  struct arena *scratch, struct error *error)
{
    enum { MODIFIER_HEADER = 4 };
    int32_t scale = column->modifier < MODIFIER_HEADER
                        ? 0
                        : (((column->modifier - MODIFIER_HEADER) & 0x7ff) ^ 1024) - 1024;
    bool special = cell->kind == VALUE_DECIMAL && decimal_special(cell) != 0;
    return scale >= 0 || special ? STATUS_OK : check_zeros(column, cell, scale, scratch, error);
}

/* PostgreSQL would round what has more digits than the column: it is refused, unless they are
 * zeros. */
static enum status put_cut_decimal(const struct postgres_column *column, const struct cell *cell,
                                   struct arena *scratch, struct buffer *out, struct error *error)
{
    const struct value_type *type = &column->type.type;
    struct cell cut;
    int exact = 1;

    if (decimal_rescale(cell, (uint32_t)type->scale, scratch, &cut, &exact) != STATUS_OK) {
        return error_set(error, ERROR_MEMORY, column->name, "no memory for a number");
    }
    if (!exact) {
        return error_set(error, ERROR_REJECT_NUMBER, column->name,
                         "the number has more than the %d digits after the point of %s",
                         type->scale, type->native);
    }
    return put_decimal(column, &cut, out, error);
}

static enum status put_numeric(const struct postgres_column *column, const struct cell *cell,
                               struct arena *scratch, struct buffer *out, struct error *error)
{
    const struct value_type *type = &column->type.type;

    if (check_multiple(column, cell, scratch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (cell->kind == VALUE_INT64) {
        uint64_t magnitude = cell->i64 < 0 ? -(uint64_t)cell->i64 : (uint64_t)cell->i64;
        put_small_numeric(out, magnitude, cell->i64 < 0, 0);
        return STATUS_OK;
    }
    if (cell->kind == VALUE_UINT64) {
        put_small_numeric(out, cell->u64, false, 0);
        return STATUS_OK;
    }
    return type->precision == 0 || decimal_scale(cell) <= (uint32_t)type->scale ||
                   decimal_special(cell) != 0
               ? put_decimal(column, cell, out, error)
               : put_cut_decimal(column, cell, scratch, out, error);
}

/* ---------------------------------------------------------------- texts */

static enum status put_text(const struct postgres_column *column, const char *text, size_t length,
                            bool versioned, struct buffer *out, struct error *error)
{
    int32_t limit = column->type.type.precision;
    if (length > FIELD_BYTES_MAX) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, column->name,
                         "the value has %zu bytes; PostgreSQL holds 1 GB", length);
    }
    if (memchr(text, 0, length) != NULL) {
        return error_set(error, ERROR_REJECT_TEXT, column->name,
                         "the text holds a NUL, which PostgreSQL can't store");
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
    if (make_room(column, length, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    put32(out, (uint32_t)length + versioned);
    if (versioned) {
        buffer_append_byte(out, 1);
    }
    buffer_append(out, text, length);
    return STATUS_OK;
}

static enum status put_made_text(const struct postgres_column *column, struct buffer *made,
                                 bool versioned, struct buffer *out, struct error *error)
{
    enum status status =
        put_text(column, made->data != NULL ? made->data : "", made->length, versioned, out, error);
    buffer_free(made);
    return status;
}

static enum status put_as_text(const struct postgres_column *column, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    struct buffer made = {0};
    if (sql_append_column_text(&(struct sql_rules){0}, cell, &made, error) != STATUS_OK) {
        buffer_free(&made);
        return STATUS_FAILED;
    }
    return put_made_text(column, &made, false, out, error);
}

static enum status put_value_text(const struct postgres_column *column, const struct cell *cell,
                                  struct buffer *out, struct error *error)
{
    return cell->kind == VALUE_TEXT ? put_text(column, cell->text, cell->length, false, out, error)
                                    : put_as_text(column, cell, out, error);
}

static enum status put_json(const struct postgres_column *column, const struct cell *cell,
                            struct buffer *out, struct error *error)
{
    bool versioned = column->type.format == POSTGRES_AS_JSONB;
    struct buffer made = {0};
    if (cell->kind == VALUE_JSON && versioned && json_find_nul(cell->text, cell->length) != NULL) {
        return error_set(error, ERROR_REJECT_TEXT, column->name,
                         "the JSON holds \\u0000, which jsonb can't store");
    }
    if (cell->kind == VALUE_JSON) {
        return put_text(column, cell->text, cell->length, versioned, out, error);
    }
    if (convert_append_json(cell, &made, error) != STATUS_OK) {
        buffer_free(&made);
        return STATUS_FAILED;
    }
    return put_made_text(column, &made, versioned, out, error);
}

/* ---------------------------------------------------------------- times */

/* Digits of seconds beyond what timestamp(p) and time(p) keep, which PostgreSQL would round. */
static bool has_excess(const struct postgres_column *column, int64_t microseconds)
{
    static const int64_t steps[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    int32_t digits = column->modifier;
    return digits >= 0 && digits <= 6 && microseconds % steps[digits] != 0;
}

static enum status put_timestamp(const struct postgres_column *column, const struct cell *cell,
                                 struct buffer *out, struct error *error)
{
    int64_t value = 0;
    if ((cell->flags & CELL_SPECIAL) != 0) {
        if (cell->i64 == CELL_ZERO_DATE) {
            return unfit(column, "this is a zero date", error);
        }
        put_field64(out, cell->i64 == CELL_INFINITY ? INT64_MAX : (uint64_t)INT64_MIN);
        return STATUS_OK;
    }
    if (cell->aux != 0 || has_excess(column, cell->i64)) {
        return unfit(column, "the time has more digits of a second", error);
    }
    if (__builtin_sub_overflow(cell->i64, EPOCH_US, &value) || value == INT64_MIN) {
        return out_of_range(column, error);
    }
    put_field64(out, (uint64_t)value);
    return STATUS_OK;
}

static enum status put_date(const struct postgres_column *column, const struct cell *cell,
                            struct buffer *out, struct error *error)
{
    if ((cell->flags & CELL_SPECIAL) != 0) {
        if (cell->i64 == CELL_ZERO_DATE) {
            return unfit(column, "this is a zero date", error);
        }
        put_field32(out, cell->i64 == CELL_INFINITY ? INT32_MAX : (uint32_t)INT32_MIN);
        return STATUS_OK;
    }
    if (cell->i64 < INT32_MIN + EPOCH_DAYS + 1 || cell->i64 >= INT32_MAX) {
        return out_of_range(column, error);
    }
    put_field32(out, (uint32_t)(int32_t)(cell->i64 - EPOCH_DAYS));
    return STATUS_OK;
}

static enum status put_time(const struct postgres_column *column, const struct cell *cell,
                            struct buffer *out, struct error *error)
{
    bool zoned = column->type.format == POSTGRES_AS_TIMETZ;
    if (cell->i64 % 1000 != 0 || has_excess(column, cell->i64 / 1000)) {
        return unfit(column, "the time has more digits of a second", error);
    }
    put32(out, zoned ? 12 : 8);
    put64(out, (uint64_t)(cell->i64 / 1000));
    if (zoned) {
        put32(out, (uint32_t) - (int32_t)cell->length);
    }
    return STATUS_OK;
}

/* interval(p), and intervals of some fields (src/include/utils/timestamp.h): what is below the
 * least of them is cut off. */
static bool is_cut(int32_t modifier, const struct value_interval *interval)
{
    static const int64_t steps[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    enum { MONTH = 1 << 1, YEAR = 1 << 2, DAY = 1 << 3, HOUR = 1 << 10, MINUTE = 1 << 11 };
    enum { SECOND = 1 << 12 };
    int64_t microseconds = interval->nanoseconds / 1000;
    int32_t fields = modifier >> 16 & 0x7fff;
    int32_t digits = modifier & 0xffff;
    int64_t step = 0;
    if (modifier < 0) {
        return false;
    }
    if ((fields & SECOND) != 0) {
        step = digits <= 6 ? steps[digits] : 1;
    } else if ((fields & (MINUTE | HOUR)) != 0) {
        step = (fields & MINUTE) != 0 ? INT64_C(60000000) : INT64_C(3600000000);
    }
    if (step > 0) {
        return microseconds % step != 0;
    }
    bool months = (fields & DAY) == 0;
    bool years = months && (fields & MONTH) == 0;
    return microseconds != 0 || (months && interval->days != 0) ||
           (years && interval->months % 12 != 0);
}

static enum status put_interval(const struct postgres_column *column, const struct cell *cell,
                                struct buffer *out, struct error *error)
{
    const struct value_interval *interval = cell->interval;
    if (interval->nanoseconds % 1000 != 0) {
        return unfit(column, "the interval has nanoseconds", error);
    }
    if (is_cut(column->modifier, interval)) {
        return unfit(column, "the interval has smaller parts", error);
    }
    put32(out, 16);
    put64(out, (uint64_t)(interval->nanoseconds / 1000));
    put32(out, (uint32_t)interval->days);
    put32(out, (uint32_t)interval->months);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of them */

static void put_float(struct buffer *out, double value, bool narrow)
{
    if (narrow) {
        float small = (float)value;
        uint32_t bits;
        memcpy(&bits, &small, sizeof bits);
        put_field32(out, bits);
        return;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_field64(out, bits);
}

/* A value that is of the column's kind. */
static enum status put_same(const struct postgres_column *column, const struct cell *cell,
                            struct arena *scratch, struct buffer *out, struct error *error)
{
    switch (column->type.format) {
    case POSTGRES_AS_INT2:
    case POSTGRES_AS_INT4:
    case POSTGRES_AS_INT8:
    case POSTGRES_AS_OID:
        return put_int(column, cell->i64, out, error);
    case POSTGRES_AS_BOOL:
        put32(out, 1);
        buffer_append_byte(out, cell->i64 != 0);
        return STATUS_OK;
    case POSTGRES_AS_FLOAT4:
    case POSTGRES_AS_FLOAT8:
        put_float(out, cell->f64, column->type.format == POSTGRES_AS_FLOAT4);
        return STATUS_OK;
    case POSTGRES_AS_NUMERIC:
        return put_numeric(column, cell, scratch, out, error);
    case POSTGRES_AS_BYTEA:
        if (cell->length > FIELD_BYTES_MAX) {
            return error_set(error, ERROR_REJECT_TOO_LARGE, column->name,
                             "the value has %u bytes; PostgreSQL holds 1 GB", cell->length);
        }
        if (make_room(column, cell->length, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        put32(out, cell->length);
        buffer_append(out, cell->bytes, cell->length);
        return STATUS_OK;
    case POSTGRES_AS_DATE:
        return put_date(column, cell, out, error);
    case POSTGRES_AS_TIME:
    case POSTGRES_AS_TIMETZ:
        return put_time(column, cell, out, error);
    case POSTGRES_AS_TIMESTAMP:
    case POSTGRES_AS_TIMESTAMPTZ:
        return put_timestamp(column, cell, out, error);
    case POSTGRES_AS_INTERVAL:
        return put_interval(column, cell, out, error);
    case POSTGRES_AS_UUID:
        put32(out, 16);
        buffer_append(out, cell->bytes, 16);
        return STATUS_OK;
    default:
        return error_set(error, ERROR_INTERNAL, column->name, "a format without an encoder");
    }
}

static bool is_same(const struct postgres_column *column, const struct cell *cell)
{
    const struct value_type *type = &column->type.type;
    if (type->kind == VALUE_DECIMAL) {
        return cell->kind == VALUE_DECIMAL || cell->kind == VALUE_INT64 ||
               cell->kind == VALUE_UINT64;
    }
    bool timed = type->kind == VALUE_TIME || type->kind == VALUE_TIMESTAMP;
    bool special = (cell->flags & CELL_SPECIAL) != 0;
    return cell->kind == type->kind &&
           (!timed || special || ((cell->flags & CELL_ZONED) != 0) == type->zoned);
}

static enum status put_converted(const struct postgres_column *column, const struct cell *cell,
                                 struct arena *scratch, struct buffer *out, struct error *error)
{
    struct value_type wanted = column->type.type;
    struct cell made;
    wanted.dynamic = false;
    if (convert_value(cell, &wanted, false, scratch, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made.kind == VALUE_NULL) { /* JSON's null is the column's */
        put32(out, UINT32_MAX);
        return STATUS_OK;
    }
    return put_same(column, &made, scratch, out, error);
}

static enum status put_escape(const struct postgres_column *column, const struct cell *cell,
                              struct buffer *out, struct error *error)
{
    bool as_text = (cell->flags & CELL_ESCAPED_TEXT) != 0;
    if (cell->aux == ESCAPE_POSTGRES && !as_text && cell->length > 0 &&
        cell->bytes[0] == column->type.format) {
        if (make_room(column, cell->length, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        put32(out, cell->length - 1);
        buffer_append(out, cell->bytes + 1, cell->length - 1);
        return STATUS_OK;
    }
    return error_set(error, as_text ? ERROR_REJECT_TEXT : ERROR_REJECT_TYPE, column->name,
                     "a value that only its source's engine can hold");
}

/* Most values are of the column's own kind, all of which it holds. */
static inline bool put_plain(const struct postgres_column *column, const struct cell *cell,
                             struct buffer *out)
{
    bool number = (column->type.format == POSTGRES_AS_INT8 && cell->kind == VALUE_INT64) ||
                  (column->type.format == POSTGRES_AS_FLOAT8 && cell->kind == VALUE_FLOAT64);
    if (number) {
        put_field64(out, cell->u64); /* a float's bits, too */
        return true;
    }
    if (column->type.format == POSTGRES_AS_TEXT && cell->kind == VALUE_TEXT &&
        (cell->flags & CELL_ASCII) != 0 && column->type.type.precision <= 0 &&
        cell->length <= MEMORY_DATA_BYTES) {
        put_run(out, cell->text, cell->length);
        return true;
    }
    return false;
}

/* PostgreSQL would make these bits of the digits of a number, 101. */
static bool is_number_for_bits(const struct postgres_column *column, const struct cell *cell)
{
    const char *native = column->type.type.native != NULL ? column->type.type.native : "";
    bool number = cell->kind == VALUE_INT64 || cell->kind == VALUE_UINT64 ||
                  cell->kind == VALUE_FLOAT32 || cell->kind == VALUE_FLOAT64 ||
                  cell->kind == VALUE_DECIMAL;
    return number && strncmp(native, "bit", 3) == 0 && strchr("( ", native[3]) != NULL;
}

/* Apart, so that a plain value saves no registers for it. */
static NOINLINE enum status encode_other(const struct postgres_column *column,
                                         const struct cell *cell, struct arena *scratch,
                                         struct buffer *out, struct error *error)
{
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        put32(out, UINT32_MAX);
        return STATUS_OK;
    }
    if (cell->kind == VALUE_ESCAPE) {
        return put_escape(column, cell, out, error);
    }
    switch (column->type.format) {
    case POSTGRES_AS_TEXT:
    case POSTGRES_AS_CAST:
        return is_number_for_bits(column, cell) ? unfit(column, "this is a number", error)
                                                : put_value_text(column, cell, out, error);
    case POSTGRES_AS_JSON:
    case POSTGRES_AS_JSONB:
        return put_json(column, cell, out, error);
    default:
        return is_same(column, cell) ? put_same(column, cell, scratch, out, error)
                                     : put_converted(column, cell, scratch, out, error);
    }
}

enum status postgres_encode(const struct postgres_column *column, const struct cell *cell,
                            struct arena *scratch, struct buffer *out, struct error *error)
{
    return put_plain(column, cell, out) ? STATUS_OK
                                        : encode_other(column, cell, scratch, out, error);
}
