/* Bytes of CQL values to cells. */
#include "connectors/cassandra/protocol/cql_value.h"

#include "connectors/cassandra/protocol/cql_number.h"
#include "model/decimal.h"
#include "model/decimal_plain.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { SMALL_SCALE_MAX = 18, DATE_OFFSET_BITS = 31, US_A_MS = 1000 };
static const int64_t day_ns = 86400 * (int64_t)1000000000;

static enum status decode(const struct cql_type *type, struct cql_value value, struct arena *arena,
                          struct cell *cell, struct error *error) MUST_USE;

static enum status cql_decode_refuse(const struct cql_type *type, const char *why,
                                     struct error *error)
{
    const char *name = cql_kind_name(type->kind);
    return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "the server's bytes are no %s: %s",
                     name != NULL ? name : "value of a user-defined type", why);
}

static struct cell escape_of(struct cql_value value)
{
    return (struct cell){.kind = VALUE_ESCAPE,
                         .aux = ESCAPE_CASSANDRA,
                         .length = (uint32_t)value.length,
                         .bytes = value.data};
}

/* ---------------------------------------------------------------- numbers and times */

/* -digits[.digits] with `scale` digits after the point. */
static struct cell plain_decimal(bool negative, struct text digits, uint32_t scale,
                                 struct arena *arena)
{
    size_t zeros = digits.length <= scale ? scale + 1 - digits.length : 0;
    size_t count = zeros + digits.length;
    char *text = arena_allocate(arena, count + 2);
    char *at = text;
    if (negative) {
        *at++ = '-';
    }
    size_t whole = count - scale;
    for (size_t i = 0; i < count; i++) {
        if (i == whole) {
            *at++ = '.';
        }
        *at++ = i < zeros ? '0' : digits.data[i - zeros];
    }
    return (struct cell){.kind = VALUE_DECIMAL, .length = (uint32_t)(at - text), .text = text};
}

static struct cell decimal_of_bytes(const uint8_t *bytes, size_t length, uint32_t scale,
                                    struct arena *arena)
{
    int64_t small;
    if (scale <= SMALL_SCALE_MAX && cql_number_read_int64(bytes, length, &small) &&
        small > -(int64_t)decimal_powers[SMALL_SCALE_MAX] &&
        small < (int64_t)decimal_powers[SMALL_SCALE_MAX]) {
        return (struct cell){
            .kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = (uint16_t)scale, .i64 = small};
    }
    struct text digits = cql_number_digits(bytes, length, arena);
    return plain_decimal(bytes[0] >= 0x80, digits, scale, arena);
}

/* A decimal of a negative scale: with as many zeros behind it. */
static struct cell enlarged_decimal(const uint8_t *bytes, size_t length, uint32_t zeros,
                                    struct arena *arena)
{
    struct text digits = cql_number_digits(bytes, length, arena);
    size_t count = digits.length + (digits.length > 0 ? zeros : 0);
    char *text = arena_allocate(arena, count + 2);
    text[0] = '-';
    memcpy(text + 1, digits.data, digits.length);
    memset(text + 1 + digits.length, '0', count - digits.length);
    struct cell cell = {.kind = VALUE_DECIMAL};
    bool negative = bytes[0] >= 0x80;
    struct text plain = {text + !negative, count + negative};
    if (count == 0) {
        plain = (struct text){"0", 1};
    }
    return decimal_parse(plain.data, plain.length, arena, &cell) == STATUS_OK ? cell : cell_null();
}

static enum status decode_decimal(const struct cql_type *type, struct cql_value value,
                                  struct arena *arena, struct cell *cell, struct error *error)
{
    struct cql_reader reader = cql_reader_of(value.data, (size_t)value.length);
    int32_t scale = cql_read_int(&reader);
    size_t length = cql_reader_left(&reader);
    if (reader.failed || length == 0) {
        return cql_decode_refuse(type, "they are too few", error);
    }
    if (length > CQL_VARINT_BYTES_MAX || scale > CQL_SCALE_MAX || scale < -CQL_ZEROS_MAX) {
        *cell = escape_of(value);
    } else if (scale < 0) {
        *cell = enlarged_decimal(reader.at, length, (uint32_t)-scale, arena);
    } else {
        *cell = decimal_of_bytes(reader.at, length, (uint32_t)scale, arena);
    }
    return STATUS_OK;
}

static void decode_varint(struct cql_value value, struct arena *arena, struct cell *cell)
{
    int64_t number;
    size_t length = (size_t)value.length;
    if (cql_number_read_int64(value.data, length, &number)) {
        *cell = cell_int64(number);
    } else if (length > CQL_VARINT_BYTES_MAX) {
        *cell = escape_of(value);
    } else {
        *cell = decimal_of_bytes(value.data, length, 0, arena);
    }
}

static struct cell decode_float(const uint8_t *bytes)
{
    uint32_t bits = (uint32_t)bytes_get_be(bytes, 4);
    float number;
    memcpy(&number, &bits, sizeof number);
    return (struct cell){.kind = VALUE_FLOAT32, .f64 = (double)number};
}

static struct cell decode_double(const uint8_t *bytes)
{
    uint64_t bits = bytes_get_be(bytes, 8);
    double number;
    memcpy(&number, &bits, sizeof number);
    return cell_float64(number);
}

static struct cell decode_timestamp(struct cql_value value)
{
    int64_t ms = (int64_t)bytes_get_be(value.data, 8);
    int64_t us;
    if (__builtin_mul_overflow(ms, (int64_t)US_A_MS, &us)) {
        return escape_of(value);
    }
    return (struct cell){.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = us};
}

static enum status decode_time(const struct cql_type *type, struct cql_value value,
                               struct cell *cell, struct error *error)
{
    int64_t ns = (int64_t)bytes_get_be(value.data, 8);
    if (ns < 0 || ns >= day_ns) {
        return cql_decode_refuse(type, "it is not within a day", error);
    }
    *cell = (struct cell){.kind = VALUE_TIME, .i64 = ns};
    return STATUS_OK;
}

static enum status decode_duration(const struct cql_type *type, struct cql_value value,
                                   struct arena *arena, struct cell *cell, struct error *error)
{
    struct cql_reader reader = cql_reader_of(value.data, (size_t)value.length);
    int64_t months = cql_read_signed_vint(&reader);
    int64_t days = cql_read_signed_vint(&reader);
    int64_t ns = cql_read_signed_vint(&reader);
    if (reader.failed || cql_reader_left(&reader) > 0) {
        return cql_decode_refuse(type, "they are not three numbers", error);
    }
    if (months != (int32_t)months || days != (int32_t)days) {
        return cql_decode_refuse(type, "months or days are beyond 32 bits", error);
    }
    struct value_interval *interval = arena_allocate(arena, sizeof *interval);
    *interval = (struct value_interval){(int32_t)months, (int32_t)days, ns};
    *cell = (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- texts */

static struct cell decode_text(struct cql_value value)
{
    return text_is_utf8(value.data, (size_t)value.length)
               ? cell_text((const char *)value.data, (size_t)value.length)
               : cell_bytes(value.data, (size_t)value.length);
}

static enum status decode_inet(const struct cql_type *type, struct cql_value value,
                               struct arena *arena, struct cell *cell, struct error *error)
{
    if (value.length != 4 && value.length != 16) {
        return cql_decode_refuse(type, "an address has 4 or 16 of them", error);
    }
    char *text = arena_allocate(arena, INET6_ADDRSTRLEN);
    inet_ntop(value.length == 4 ? AF_INET : AF_INET6, value.data, text, INET6_ADDRSTRLEN);
    *cell = cell_text(text, strlen(text));
    cell->flags = CELL_ASCII;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what is nested */

static struct cell *allocate_cells(struct arena *arena, size_t count, struct error *error)
{
    struct cell *items = arena_try_allocate(arena, count * sizeof *items);
    if (items == NULL) {
        error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                  "there is no memory for a value of %zu elements", count);
    }
    return items;
}

/* `count` [bytes] that fill the reader to its end, of the parts' types in turn. */
static enum status decode_items(const struct cql_type *type, struct cql_reader *reader,
                                size_t count, struct arena *arena, struct cell *items,
                                struct error *error)
{
    for (size_t i = 0; i < count && !reader->failed; i++) {
        struct cql_value value = cql_read_value(reader);
        const struct cql_type *part = type->parts[type->part_count > 1 ? i % 2 : 0];
        if (decode(part, value, arena, &items[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return reader->failed ? cql_decode_refuse(type, "an element is cut short", error)
           : cql_reader_left(reader) > 0
               ? cql_decode_refuse(type, "more follow its elements", error)
               : STATUS_OK;
}

static enum status decode_collection(const struct cql_type *type, struct cql_value value,
                                     struct arena *arena, struct cell *cell, struct error *error)
{
    enum { LENGTH_BYTES = 4 };
    struct cql_reader reader = cql_reader_of(value.data, (size_t)value.length);
    size_t each = type->part_count;
    size_t count = cql_read_count(&reader, each * LENGTH_BYTES);
    if (reader.failed) {
        return cql_decode_refuse(type, "they are fewer than its elements", error);
    }
    struct cell *items = allocate_cells(arena, count * each, error);
    if (items == NULL ||
        decode_items(type, &reader, count * each, arena, items, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = cell_items(type->kind == CQL_TYPE_LIST  ? VALUE_LIST
                       : type->kind == CQL_TYPE_SET ? VALUE_SET
                                                    : VALUE_MAP,
                       items, count);
    return STATUS_OK;
}

/* The value of a field: null, if the bytes end before it. */
static enum status decode_field(const struct cql_type *field, struct cql_reader *reader,
                                struct arena *arena, struct cell *cell, struct error *error)
{
    struct cql_value none = {NULL, CQL_NULL};
    struct cql_value value = cql_reader_left(reader) > 0 ? cql_read_value(reader) : none;
    return decode(field, value, arena, cell, error);
}

static enum status decode_fields(const struct cql_type *type, struct cql_value value,
                                 struct arena *arena, struct cell *cell, struct error *error)
{
    bool named = type->kind == CQL_TYPE_UDT;
    size_t count = type->part_count;
    struct cql_reader reader = cql_reader_of(value.data, (size_t)value.length);
    struct cell *items = allocate_cells(arena, count * (named ? 2 : 1), error);
    if (items == NULL) {
        return STATUS_FAILED;
    }
    for (size_t i = 0; i < count; i++) {
        struct cell *item = &items[named ? 2 * i + 1 : i];
        if (named) {
            items[2 * i] = cell_text(type->field_names[i].data, type->field_names[i].length);
        }
        if (decode_field(type->parts[i], &reader, arena, item, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (reader.failed || cql_reader_left(&reader) > 0) {
        return cql_decode_refuse(
            type, reader.failed ? "a field is cut short" : "they have more fields than the type",
            error);
    }
    *cell = cell_items(named ? VALUE_MAP : VALUE_LIST, items, count);
    return STATUS_OK;
}

/* The next element of a vector: of `fixed` bytes, or (0) with their count before them. */
static struct cql_value read_element(struct cql_reader *reader, uint32_t fixed)
{
    uint64_t length = fixed > 0 ? fixed : cql_read_vint(reader);
    if (length > cql_reader_left(reader)) {
        cql_reader_fail(reader);
        return (struct cql_value){NULL, CQL_NULL};
    }
    return (struct cql_value){cql_read_raw(reader, (size_t)length), (int32_t)length};
}

static enum status decode_vector(const struct cql_type *type, struct cql_value value,
                                 struct arena *arena, struct cell *cell, struct error *error)
{
    uint32_t fixed = cql_type_fixed_bytes(type->parts[0]);
    struct cql_reader reader = cql_reader_of(value.data, (size_t)value.length);
    if (type->dimension > (uint32_t)value.length / (fixed > 0 ? fixed : 1)) {
        return cql_decode_refuse(type, "they are fewer than its elements", error);
    }
    struct cell *items = allocate_cells(arena, type->dimension, error);
    for (uint32_t i = 0; i < type->dimension && items != NULL; i++) {
        struct cql_value element = read_element(&reader, fixed);
        if (reader.failed) {
            return cql_decode_refuse(type, "an element is cut short", error);
        }
        if (decode(type->parts[0], element, arena, &items[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (items != NULL && cql_reader_left(&reader) > 0) {
        return cql_decode_refuse(type, "more follow its elements", error);
    }
    *cell = cell_items(VALUE_LIST, items, type->dimension);
    return items != NULL ? STATUS_OK : STATUS_FAILED;
}

/* ---------------------------------------------------------------- all of them */

/* Has a value of no bytes a meaning of its own? */
static bool may_be_empty(enum cql_kind kind)
{
    return kind == CQL_TYPE_ASCII || kind == CQL_TYPE_TEXT || kind == CQL_TYPE_BLOB ||
           kind == CQL_TYPE_TUPLE || kind == CQL_TYPE_UDT;
}

/* Decodes values of the types whose bytes vary. */
static enum status decode_varying(const struct cql_type *type, struct cql_value value,
                                  struct arena *arena, struct cell *cell, struct error *error)
{
    switch (type->kind) {
    case CQL_TYPE_DECIMAL:
        return decode_decimal(type, value, arena, cell, error);
    case CQL_TYPE_VARINT:
        decode_varint(value, arena, cell);
        return STATUS_OK;
    case CQL_TYPE_DURATION:
        return decode_duration(type, value, arena, cell, error);
    case CQL_TYPE_INET:
        return decode_inet(type, value, arena, cell, error);
    case CQL_TYPE_LIST:
    case CQL_TYPE_SET:
    case CQL_TYPE_MAP:
        return decode_collection(type, value, arena, cell, error);
    case CQL_TYPE_TUPLE:
    case CQL_TYPE_UDT:
        return decode_fields(type, value, arena, cell, error);
    case CQL_TYPE_VECTOR:
        return decode_vector(type, value, arena, cell, error);
    default:
        *cell = escape_of(value);
        return STATUS_OK;
    }
}

static enum status decode_fixed(const struct cql_type *type, struct cql_value value,
                                struct cell *cell, struct error *error)
{
    const uint8_t *bytes = value.data;
    switch (type->kind) {
    case CQL_TYPE_BOOLEAN:
        *cell = cell_bool(bytes[0]);
        return STATUS_OK;
    case CQL_TYPE_TINYINT:
        *cell = cell_int64((int8_t)bytes[0]);
        return STATUS_OK;
    case CQL_TYPE_SMALLINT:
        *cell = cell_int64((int16_t)bytes_get_be(bytes, 2));
        return STATUS_OK;
    case CQL_TYPE_INT:
        *cell = cell_int64((int32_t)bytes_get_be(bytes, 4));
        return STATUS_OK;
    case CQL_TYPE_FLOAT:
        *cell = decode_float(bytes);
        return STATUS_OK;
    case CQL_TYPE_DATE:
        *cell = (struct cell){.kind = VALUE_DATE,
                              .i64 = (int64_t)bytes_get_be(bytes, 4) -
                                     ((int64_t)1 << DATE_OFFSET_BITS)};
        return STATUS_OK;
    case CQL_TYPE_DOUBLE:
        *cell = decode_double(bytes);
        return STATUS_OK;
    case CQL_TYPE_TIMESTAMP:
        *cell = decode_timestamp(value);
        return STATUS_OK;
    case CQL_TYPE_TIME:
        return decode_time(type, value, cell, error);
    case CQL_TYPE_UUID:
    case CQL_TYPE_TIMEUUID:
        *cell = (struct cell){.kind = VALUE_UUID, .bytes = bytes};
        return STATUS_OK;
    default:
        *cell = cell_int64((int64_t)bytes_get_be(bytes, 8));
        return STATUS_OK;
    }
}

static enum status decode(const struct cql_type *type, struct cql_value value, struct arena *arena,
                          struct cell *cell, struct error *error)
{
    if (value.length < 0) {
        *cell = value.length == CQL_UNSET ? cell_missing() : cell_null();
        return STATUS_OK;
    }
    if (type->kind == CQL_TYPE_TEXT || type->kind == CQL_TYPE_ASCII) {
        *cell = decode_text(value);
        return STATUS_OK;
    }
    if (type->kind == CQL_TYPE_BLOB) {
        *cell = cell_bytes(value.data, (size_t)value.length);
        return STATUS_OK;
    }
    if (value.length == 0 && !may_be_empty(type->kind)) {
        *cell = escape_of(value);
        return STATUS_OK;
    }
    int32_t size = (int32_t)cql_kind_bytes(type->kind);
    if (size == 0) {
        return decode_varying(type, value, arena, cell, error);
    }
    if (value.length != size) {
        char why[64];
        snprintf(why, sizeof why, "it has %d, there are %d", size, value.length);
        return cql_decode_refuse(type, why, error);
    }
    return decode_fixed(type, value, cell, error);
}

enum status cql_value_decode(const struct cql_type *type, struct cql_value value,
                             struct arena *arena, struct cell *cell, struct error *error)
{
    return decode(type, value, arena, cell, error);
}
