/* Cells to bytes of CQL values: what has no parts. */
#include "connectors/cassandra/protocol/cql_value.h"

#include "connectors/cassandra/protocol/cql_encode.h"
#include "connectors/cassandra/protocol/cql_number.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t day_ns = 86400 * (int64_t)1000000000;
static const double two_to_63 = 9223372036854775808.0;
static const char too_many_digits[] = "up to 39,456 digits";
enum { US_A_MS = 1000, SHOWN_MAX = 60 };

enum status cql_encode_refuse(const struct cql_type *type, const struct cell *cell,
                              enum error_code code, const char *takes, struct error *error)
{
    struct arena *arena = arena_create(1024);
    struct buffer shown = {0};
    value_print(cell, SHOWN_MAX, &shown);
    error_set(error, code, NULL, "%s %s does not fit %s%s%s%s", value_kind_name(cell->kind),
              buffer_string(&shown), cql_type_text(type, arena), takes != NULL ? " (" : "",
              takes != NULL ? takes : "", takes != NULL ? ")" : "");
    buffer_free(&shown);
    arena_destroy(arena);
    return STATUS_FAILED;
}

static enum status refuse_kind(const struct cql_type *type, const struct cell *cell,
                               struct error *error)
{
    return cql_encode_refuse(type, cell, ERROR_REJECT_TYPE, NULL, error);
}

/* ---------------------------------------------------------------- numbers */

/* The whole number that the cell is, if it has one in 64 bits. */
static bool whole_of(const struct cell *cell, int64_t *number)
{
    switch (cell->kind) {
    case VALUE_INT64:
        *number = cell->i64;
        return true;
    case VALUE_UINT64:
        *number = (int64_t)cell->u64;
        return cell->u64 <= INT64_MAX;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        if (!(cell->f64 >= -two_to_63 && cell->f64 < two_to_63) || cell->f64 != floor(cell->f64)) {
            return false;
        }
        *number = (int64_t)cell->f64;
        return true;
    case VALUE_DECIMAL:
        return decimal_to_int64(cell, number) == STATUS_OK;
    default:
        return false;
    }
}

static enum status encode_whole(const struct cql_type *type, const struct cell *cell,
                                struct buffer *out, struct error *error)
{
    int64_t number;
    int bytes = (int)cql_kind_bytes(type->kind);
    int64_t most = bytes == 8 ? INT64_MAX : ((int64_t)1 << (8 * bytes - 1)) - 1;
    if (!value_kind_is_number(cell->kind)) {
        return refuse_kind(type, cell, error);
    }
    if (!whole_of(cell, &number) || number > most || number < -most - 1) {
        char range[64];
        snprintf(range, sizeof range, "whole numbers from %" PRId64 " to %" PRId64, -most - 1,
                 most);
        return cql_encode_refuse(type, cell, ERROR_REJECT_NUMBER, range, error);
    }
    uint8_t put[8];
    bytes_put_be(put, (uint64_t)number, bytes);
    cql_write_value(out, put, bytes);
    return STATUS_OK;
}

/* The decimal that any number is: of floats that of their shortest digits. */
static enum status decimal_of(const struct cell *cell, struct arena *arena, struct cell *decimal)
{
    char text[NUMBER_TEXT_MAX];
    switch (cell->kind) {
    case VALUE_INT64:
        *decimal = decimal_from_int64(cell->i64, arena);
        return STATUS_OK;
    case VALUE_UINT64:
        *decimal = decimal_from_uint64(cell->u64, arena);
        return STATUS_OK;
    case VALUE_FLOAT32:
        return decimal_parse(text, number_from_float32((float)cell->f64, text), arena, decimal);
    case VALUE_FLOAT64:
        return decimal_from_double(cell->f64, arena, decimal);
    default:
        *decimal = *cell;
        return STATUS_OK;
    }
}

/* The number without its point. False: it has too many digits. */
static bool append_unscaled(const struct cell *decimal, struct buffer *out)
{
    if ((decimal->flags & CELL_SMALL) != 0) {
        cql_number_append_int64(decimal->i64, out);
        return true;
    }
    struct buffer digits = {0};
    bool negative = decimal->text[0] == '-';
    for (uint32_t i = negative; i < decimal->length; i++) {
        if (decimal->text[i] != '.') {
            buffer_append_byte(&digits, decimal->text[i]);
        }
    }
    struct text text = {digits.data, digits.length};
    bool fits = cql_number_append_digits(negative, text, out);
    buffer_free(&digits);
    return fits;
}

/* The numbers that the type takes, where this one is none of them. */
static const char *append_decimal(const struct cell *decimal, struct buffer *out)
{
    if (decimal_special(decimal) != 0) {
        return "finite numbers";
    }
    if (decimal_scale(decimal) > CQL_SCALE_MAX) {
        return "up to 20,000 digits after the point";
    }
    cql_write_int(out, (int32_t)decimal_scale(decimal));
    return append_unscaled(decimal, out) ? NULL : too_many_digits;
}

static enum status encode_decimal(const struct cql_type *type, const struct cell *cell,
                                  struct buffer *out, struct error *error)
{
    if (!value_kind_is_number(cell->kind)) {
        return refuse_kind(type, cell, error);
    }
    size_t begin = cql_write_begin(out);
    const char *takes = NULL;
    if (cell->kind == VALUE_DECIMAL) {
        takes = append_decimal(cell, out);
    } else {
        struct cell decimal = {0};
        struct arena *arena = arena_create(1024);
        takes = decimal_of(cell, arena, &decimal) == STATUS_OK ? append_decimal(&decimal, out)
                                                               : "finite numbers";
        arena_destroy(arena);
    }
    if (takes != NULL) {
        return cql_encode_refuse(type, cell, ERROR_REJECT_NUMBER, takes, error);
    }
    cql_write_end(out, begin);
    return STATUS_OK;
}

/* One that is beyond 64 bits. */
static const char *append_large_whole(const struct cell *cell, struct buffer *out)
{
    struct arena *arena = arena_create(1024);
    struct cell decimal = {0};
    struct cell whole = {0};
    int exact = 0;
    const char *why = "whole numbers";
    if (decimal_of(cell, arena, &decimal) == STATUS_OK && decimal_special(&decimal) == 0 &&
        decimal_rescale(&decimal, 0, arena, &whole, &exact) == STATUS_OK && exact) {
        why = append_unscaled(&whole, out) ? NULL : too_many_digits;
    }
    arena_destroy(arena);
    return why;
}

static enum status encode_varint(const struct cql_type *type, const struct cell *cell,
                                 struct buffer *out, struct error *error)
{
    int64_t number;
    if (!value_kind_is_number(cell->kind)) {
        return refuse_kind(type, cell, error);
    }
    size_t begin = cql_write_begin(out);
    if (whole_of(cell, &number)) {
        cql_number_append_int64(number, out);
    } else {
        const char *why = append_large_whole(cell, out);
        if (why != NULL) {
            return cql_encode_refuse(type, cell, ERROR_REJECT_NUMBER, why, error);
        }
    }
    cql_write_end(out, begin);
    return STATUS_OK;
}

/* Is the float, by its shortest digits, the decimal? */
static bool is_same_number(const struct cell *decimal, const struct cell *number)
{
    struct arena *arena = arena_create(1024);
    struct cell digits = {0};
    bool same = decimal_of(number, arena, &digits) == STATUS_OK &&
                decimal_special(decimal) == decimal_special(&digits) &&
                decimal_compare(decimal, &digits) == 0;
    arena_destroy(arena);
    return same;
}

/* The double or (`single`) float that says just what the cell says. */
static bool float_of(const struct cell *cell, bool single, double *number)
{
    struct cell made = {.kind = single ? VALUE_FLOAT32 : VALUE_FLOAT64};
    switch (cell->kind) {
    case VALUE_INT64:
        *number = single ? (double)(float)cell->i64 : (double)cell->i64;
        return *number < two_to_63 && (int64_t)*number == cell->i64;
    case VALUE_UINT64:
        *number = single ? (double)(float)cell->u64 : (double)cell->u64;
        return *number < 2 * two_to_63 && (uint64_t)*number == cell->u64;
    case VALUE_DECIMAL:
        *number = decimal_to_double(cell);
        *number = single ? (double)(float)*number : *number;
        made.f64 = *number;
        return is_same_number(cell, &made);
    default:
        *number = single ? (double)(float)cell->f64 : cell->f64;
        return *number == cell->f64 || isnan(cell->f64);
    }
}

static enum status encode_float(const struct cql_type *type, const struct cell *cell,
                                struct buffer *out, struct error *error)
{
    bool single = type->kind == CQL_TYPE_FLOAT;
    double number;
    if (!value_kind_is_number(cell->kind)) {
        return refuse_kind(type, cell, error);
    }
    if (!float_of(cell, single, &number)) {
        return cql_encode_refuse(type, cell, ERROR_REJECT_NUMBER, "without rounding", error);
    }
    uint8_t bytes[8];
    if (single) {
        float narrow = (float)number;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        bytes_put_be(bytes, bits, 4);
    } else {
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        bytes_put_be(bytes, bits, 8);
    }
    cql_write_value(out, bytes, single ? 4 : 8);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- times */

static void write_long(struct buffer *out, int64_t number)
{
    cql_write_int(out, 8);
    cql_write_long(out, number);
}

static enum status encode_timestamp(const struct cql_type *type, const struct cell *cell,
                                    struct buffer *out, struct error *error)
{
    if (cell->kind != VALUE_TIMESTAMP || (cell->flags & CELL_SPECIAL) != 0) {
        return refuse_kind(type, cell, error);
    }
    if (cell->aux != 0 || cell->i64 % US_A_MS != 0) {
        return cql_encode_refuse(type, cell, ERROR_REJECT_TYPE, "milliseconds", error);
    }
    write_long(out, cell->i64 / US_A_MS);
    return STATUS_OK;
}

static enum status encode_date(const struct cql_type *type, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    if (cell->kind != VALUE_DATE || (cell->flags & CELL_SPECIAL) != 0) {
        return refuse_kind(type, cell, error);
    }
    if (cell->i64 != (int32_t)cell->i64) {
        return cql_encode_refuse(type, cell, ERROR_REJECT_TYPE,
                                 "days from -5877641-06-23 to 5881580-07-11", error);
    }
    cql_write_int(out, 4);
    cql_write_int(out, (int32_t)((uint32_t)cell->i64 ^ 0x80000000u));
    return STATUS_OK;
}

static enum status encode_time(const struct cql_type *type, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    if (cell->kind != VALUE_TIME) {
        return refuse_kind(type, cell, error);
    }
    if ((cell->flags & CELL_ZONED) != 0 || cell->i64 < 0 || cell->i64 >= day_ns) {
        return cql_encode_refuse(type, cell, ERROR_REJECT_TYPE,
                                 "times without zone, below 24:00:00", error);
    }
    write_long(out, cell->i64);
    return STATUS_OK;
}

static enum status encode_duration(const struct cql_type *type, const struct cell *cell,
                                   struct buffer *out, struct error *error)
{
    bool clock = cell->kind == VALUE_TIME && (cell->flags & CELL_ZONED) == 0;
    if (cell->kind != VALUE_INTERVAL && !clock) {
        return refuse_kind(type, cell, error);
    }
    struct value_interval of_clock = {.nanoseconds = cell->i64};
    const struct value_interval *interval = clock ? &of_clock : cell->interval;
    bool below = interval->months < 0 || interval->days < 0 || interval->nanoseconds < 0;
    bool above = interval->months > 0 || interval->days > 0 || interval->nanoseconds > 0;
    if (below && above) {
        return cql_encode_refuse(type, cell, ERROR_REJECT_TYPE,
                                 "months, days and nanoseconds of one sign", error);
    }
    size_t begin = cql_write_begin(out);
    cql_write_signed_vint(out, interval->months);
    cql_write_signed_vint(out, interval->days);
    cql_write_signed_vint(out, interval->nanoseconds);
    cql_write_end(out, begin);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- texts and bytes */

static enum status encode_large(const struct cql_type *type, const struct cell *cell,
                                struct buffer *out, struct error *error)
{
    struct large_value *large = cell->large;
    bool text = type->kind == CQL_TYPE_TEXT && large->kind == VALUE_TEXT;
    if (!text && !(type->kind == CQL_TYPE_BLOB && large->kind == VALUE_BYTES)) {
        return refuse_kind(type, cell, error);
    }
    if (large->length > CQL_VALUE_BYTES_MAX) {
        return convert_refuse_large(large->length, CQL_VALUE_BYTES_MAX, error);
    }
    size_t length = (size_t)large->length;
    cql_write_int(out, (int32_t)length);
    if (!buffer_try_reserve(out, length)) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                         "there is no memory for a value of %zu bytes", length);
    }
    if (large->read(large, 0, out->data + out->length, length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    out->length += length;
    return STATUS_OK;
}

static bool is_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((signed char)text[i] < 0) {
            return false;
        }
    }
    return true;
}

static enum status encode_text(const struct cql_type *type, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    size_t begin = cql_write_begin(out);
    if (cell->kind == VALUE_TEXT || cell->kind == VALUE_JSON) {
        buffer_append(out, cell->text, cell->length);
    } else if (cell->kind == VALUE_ESCAPE ||
               convert_append_text(cell, false, out, error) != STATUS_OK) {
        return refuse_kind(type, cell, error);
    }
    const char *text = out->data + begin;
    size_t length = out->length - begin;
    if ((cell->flags & CELL_ASCII) == 0 && !text_is_utf8(text, length)) {
        return cql_encode_refuse(type, cell, ERROR_REJECT_TEXT, "valid UTF-8", error);
    }
    if (type->kind == CQL_TYPE_ASCII && !is_ascii(text, length)) {
        return cql_encode_refuse(type, cell, ERROR_REJECT_TEXT, "ASCII alone", error);
    }
    cql_write_end(out, begin);
    return STATUS_OK;
}

static enum status encode_blob(const struct cql_type *type, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    if (cell->kind != VALUE_BYTES) {
        return refuse_kind(type, cell, error);
    }
    if (cell->length > CQL_VALUE_BYTES_MAX) {
        return convert_refuse_large(cell->length, CQL_VALUE_BYTES_MAX, error);
    }
    cql_write_value(out, cell->bytes, (int32_t)cell->length);
    return STATUS_OK;
}

static enum status encode_boolean(const struct cql_type *type, const struct cell *cell,
                                  struct buffer *out, struct error *error)
{
    if (cell->kind != VALUE_BOOL) {
        return refuse_kind(type, cell, error);
    }
    uint8_t byte = cell->i64 != 0;
    cql_write_value(out, &byte, 1);
    return STATUS_OK;
}

static enum status encode_uuid(const struct cql_type *type, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    if (cell->kind != VALUE_UUID) {
        return refuse_kind(type, cell, error);
    }
    if (type->kind == CQL_TYPE_TIMEUUID && cell->bytes[6] >> 4 != 1) {
        return cql_encode_refuse(type, cell, ERROR_REJECT_TYPE, "UUIDs of version 1", error);
    }
    cql_write_value(out, cell->bytes, 16);
    return STATUS_OK;
}

static enum status encode_inet(const struct cql_type *type, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    char text[INET6_ADDRSTRLEN] = {0};
    uint8_t bytes[16];
    if (cell->kind != VALUE_TEXT) {
        return refuse_kind(type, cell, error);
    }
    if (cell->length < sizeof text && memchr(cell->text, '\0', cell->length) == NULL) {
        memcpy(text, cell->text, cell->length);
    }
    if (inet_pton(AF_INET, text, bytes) == 1) {
        cql_write_value(out, bytes, 4);
    } else if (inet_pton(AF_INET6, text, bytes) == 1) {
        cql_write_value(out, bytes, 16);
    } else {
        return cql_encode_refuse(type, cell, ERROR_REJECT_TYPE, "addresses of IPv4 and IPv6",
                                 error);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of them */

/* Bytes that no cell stands for: only as a type that reads them as such again. */
static enum status encode_escape(const struct cql_type *type, const struct cell *cell,
                                 struct buffer *out, struct error *error)
{
    struct arena *arena = arena_create(1024);
    struct cell again = {0};
    struct cql_value value = {cell->bytes, (int32_t)cell->length};
    bool same = cell->aux == ESCAPE_CASSANDRA && cell->length <= CQL_VALUE_BYTES_MAX &&
                cql_value_decode(type, value, arena, &again, NULL) == STATUS_OK &&
                again.kind == VALUE_ESCAPE;
    arena_destroy(arena);
    if (!same) {
        return refuse_kind(type, cell, error);
    }
    cql_write_value(out, cell->bytes, (int32_t)cell->length);
    return STATUS_OK;
}

typedef enum status encode_function(const struct cql_type *type, const struct cell *cell,
                                    struct buffer *out, struct error *error);

static encode_function *const encoders[CQL_TYPE_KINDS] = {
    [CQL_TYPE_CUSTOM] = cql_encode_nested,   [CQL_TYPE_ASCII] = encode_text,
    [CQL_TYPE_TEXT] = encode_text,           [CQL_TYPE_BLOB] = encode_blob,
    [CQL_TYPE_BOOLEAN] = encode_boolean,     [CQL_TYPE_TINYINT] = encode_whole,
    [CQL_TYPE_SMALLINT] = encode_whole,      [CQL_TYPE_INT] = encode_whole,
    [CQL_TYPE_BIGINT] = encode_whole,        [CQL_TYPE_COUNTER] = encode_whole,
    [CQL_TYPE_VARINT] = encode_varint,       [CQL_TYPE_DECIMAL] = encode_decimal,
    [CQL_TYPE_FLOAT] = encode_float,         [CQL_TYPE_DOUBLE] = encode_float,
    [CQL_TYPE_TIMESTAMP] = encode_timestamp, [CQL_TYPE_DATE] = encode_date,
    [CQL_TYPE_TIME] = encode_time,           [CQL_TYPE_DURATION] = encode_duration,
    [CQL_TYPE_UUID] = encode_uuid,           [CQL_TYPE_TIMEUUID] = encode_uuid,
    [CQL_TYPE_INET] = encode_inet,           [CQL_TYPE_LIST] = cql_encode_nested,
    [CQL_TYPE_MAP] = cql_encode_nested,      [CQL_TYPE_SET] = cql_encode_nested,
    [CQL_TYPE_UDT] = cql_encode_nested,      [CQL_TYPE_TUPLE] = cql_encode_nested,
    [CQL_TYPE_VECTOR] = cql_encode_nested,
};

static enum status encode_kind(const struct cql_type *type, const struct cell *cell,
                               struct buffer *out, struct error *error)
{
    switch (cell->kind) {
    case VALUE_MISSING:
        cql_write_unset(out);
        return STATUS_OK;
    case VALUE_NULL:
        cql_write_null(out);
        return STATUS_OK;
    case VALUE_LARGE:
        return encode_large(type, cell, out, error);
    case VALUE_ESCAPE:
        return encode_escape(type, cell, out, error);
    default:
        return encoders[type->kind](type, cell, out, error);
    }
}

enum status cql_encode_any(const struct cql_type *type, const struct cell *cell, struct buffer *out,
                           struct error *error)
{
    size_t start = out->length;
    if (encode_kind(type, cell, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return out->length - start <= CQL_VALUE_BYTES_MAX
               ? STATUS_OK
               : convert_refuse_large(out->length - start, CQL_VALUE_BYTES_MAX, error);
}

enum status cql_value_encode(const struct cql_type *type, const struct cell *cell,
                             struct buffer *out, struct error *error)
{
    size_t start = out->length;
    if (cql_encode_any(type, cell, out, error) != STATUS_OK) {
        out->length = start;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}
