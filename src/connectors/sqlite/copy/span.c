/*
 * The bounds of a span: low < key <= high, either of them open.
 *
 *     byte 0      format: 1
 *     byte 1      flags: 1 has low, 2 has high, 4 by primary key
 *     by rowid:   low and high, 8 bytes each, little-endian, zero where open
 *     by key:     byte 2: number of parts; then the low tuple, then the high one, each where there
 * is one a part      one byte: SQLite's storage class (1 integer, 2 float, 3 text, 4 BLOB, 5 NULL);
 *                 integer and float: 8 bytes; text and BLOB: 4 bytes of length, then the bytes
 */
#include "base/text.h"
#include "connectors/sqlite/source.h"
#include <stdio.h>
#include <string.h>

enum { SPAN_FORMAT = 1, SPAN_HAS_LOW = 1, SPAN_HAS_HIGH = 2, SPAN_BY_KEY = 4 };

static void append_u64(struct buffer *out, uint64_t value)
{
    for (int shift = 0; shift < 64; shift += 8) {
        buffer_append_byte(out, (char)(value >> shift));
    }
}

static void append_u32(struct buffer *out, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8) {
        buffer_append_byte(out, (char)(value >> shift));
    }
}

static uint64_t read_little(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) {
        value = value << 8 | bytes[i];
    }
    return value;
}

void span_append_values(struct buffer *out, sqlite3_stmt *row, uint32_t parts)
{
    for (uint32_t i = 0; i < parts; i++) {
        int class = sqlite3_column_type(row, (int)i);
        buffer_append_byte(out, (char)class);
        if (class == SQLITE_INTEGER) {
            append_u64(out, (uint64_t)sqlite3_column_int64(row, (int)i));
        } else if (class == SQLITE_FLOAT) {
            double value = sqlite3_column_double(row, (int)i);
            uint64_t bits;
            memcpy(&bits, &value, sizeof bits);
            append_u64(out, bits);
        } else if (class == SQLITE_TEXT || class == SQLITE_BLOB) {
            const void *bytes = class == SQLITE_TEXT
                                    ? (const void *)sqlite3_column_text(row, (int)i)
                                    : sqlite3_column_blob(row, (int)i);
            uint32_t length = (uint32_t)sqlite3_column_bytes(row, (int)i);
            if (bytes == NULL && (class == SQLITE_TEXT || length > 0)) {
                memory_exhausted(length);
            }
            append_u32(out, length);
            buffer_append(out, bytes, length);
        }
    }
}

void span_encode_rowid(struct buffer *out, const int64_t *low, const int64_t *high)
{
    buffer_append_byte(out, SPAN_FORMAT);
    buffer_append_byte(
        out, (char)((low != NULL ? SPAN_HAS_LOW : 0) | (high != NULL ? SPAN_HAS_HIGH : 0)));
    append_u64(out, low != NULL ? (uint64_t)*low : 0);
    append_u64(out, high != NULL ? (uint64_t)*high : 0);
}

void span_encode_key(struct buffer *out, uint32_t parts, const struct buffer *low,
                     const struct buffer *high)
{
    buffer_append_byte(out, SPAN_FORMAT);
    buffer_append_byte(out, (char)(SPAN_BY_KEY | (low != NULL ? SPAN_HAS_LOW : 0) |
                                   (high != NULL ? SPAN_HAS_HIGH : 0)));
    buffer_append_byte(out, (char)parts);
    if (low != NULL) {
        buffer_append_buffer(out, low);
    }
    if (high != NULL) {
        buffer_append_buffer(out, high);
    }
}

/* The value's bytes after its class; NULL if they would end behind `end`. */
static const uint8_t *value_end(const uint8_t *at, const uint8_t *end)
{
    if (at >= end) {
        return NULL;
    }
    size_t left = (size_t)(end - at) - 1;
    switch (*at) {
    case SQLITE_INTEGER:
    case SQLITE_FLOAT:
        return left >= 8 ? at + 9 : NULL;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        return left >= 4 && left - 4 >= read_little(at + 1, 4) ? at + 5 + read_little(at + 1, 4)
                                                               : NULL;
    case SQLITE_NULL:
        return at + 1;
    default:
        return NULL;
    }
}

static const uint8_t *tuple_end(const uint8_t *at, const uint8_t *end, uint32_t parts)
{
    for (uint32_t i = 0; i < parts && at != NULL; i++) {
        at = value_end(at, end);
    }
    return at;
}

static enum status bad_bounds(const struct span *span, struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, span->printable,
              "the bounds of a span can't be understood");
    error_hint(error, "the ledger was written by another program or damaged; start a new run");
    return STATUS_FAILED;
}

static enum status decode_key(const struct span *span, struct span_bounds *bounds,
                              struct error *error)
{
    const uint8_t *at = span->bounds + 3;
    bounds->parts = span->bounds_length >= 3 ? span->bounds[2] : 0;
    if (bounds->parts == 0 || bounds->parts > SPAN_KEY_PARTS_MAX) {
        return bad_bounds(span, error);
    }
    if (bounds->has_low) {
        bounds->low_values = at;
        at = tuple_end(at, bounds->end, bounds->parts);
    }
    if (bounds->has_high && at != NULL) {
        bounds->high_values = at;
        at = tuple_end(at, bounds->end, bounds->parts);
    }
    return at == bounds->end ? STATUS_OK : bad_bounds(span, error);
}

enum status span_decode(const struct span *span, struct span_bounds *bounds, struct error *error)
{
    *bounds = (struct span_bounds){0};
    if (span == NULL || span->bounds_length == 0) {
        return STATUS_OK;
    }
    if (span->bounds_length < 2 || span->bounds[0] != SPAN_FORMAT || span->bounds[1] > 7) {
        return bad_bounds(span, error);
    }
    bounds->has_low = (span->bounds[1] & SPAN_HAS_LOW) != 0;
    bounds->has_high = (span->bounds[1] & SPAN_HAS_HIGH) != 0;
    bounds->by_key = (span->bounds[1] & SPAN_BY_KEY) != 0;
    bounds->end = span->bounds + span->bounds_length;
    if (bounds->by_key) {
        return decode_key(span, bounds, error);
    }
    if (span->bounds_length != 18) {
        return bad_bounds(span, error);
    }
    bounds->low = (int64_t)read_little(span->bounds + 2, 8);
    bounds->high = (int64_t)read_little(span->bounds + 10, 8);
    return STATUS_OK;
}

/* A row value compared in the order of the key's b-tree: all parts have the same direction. */
static void append_tuple(struct buffer *sql, const struct span_bounds *bounds,
                         const struct catalog_table *table, const char *alias, bool low)
{
    bool descending = table->key[0].descending;

    buffer_append_string(sql, " AND (");
    for (uint32_t i = 0; i < bounds->parts; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        catalog_append_key_part(sql, table, i, alias);
    }
    buffer_format(sql, ") %s%s (", low == descending ? "<" : ">", low ? "" : "=");
    for (uint32_t i = 0; i < bounds->parts; i++) {
        buffer_format(sql, "%s:%s%u", i > 0 ? ", " : "", low ? "low" : "high", i);
    }
    buffer_append_string(sql, ")");
    const struct catalog_column *first = &table->columns[table->key[0].column];
    if (sqlite3_stricmp(table->key[0].collation, first->collation) != 0) {
        /* says nothing new, but SQLite finds no index for a row value that begins with COLLATE */
        buffer_append_string(sql, " AND ");
        catalog_append_key_part(sql, table, 0, alias);
        buffer_format(sql, " %s= :%s0", low == descending ? "<" : ">", low ? "low" : "high");
    }
}

void span_append_condition(struct buffer *sql, const struct span_bounds *bounds,
                           const struct catalog_table *table, const char *alias)
{
    for (int low = 1; low >= 0; low--) {
        if (low ? !bounds->has_low : !bounds->has_high) {
            continue;
        }
        if (bounds->by_key) {
            append_tuple(sql, bounds, table, alias, low);
        } else {
            buffer_format(sql, " AND %s.%s %s :%s0", alias, table->schema->row_key,
                          low ? ">" : "<=", low ? "low" : "high");
        }
    }
}

static int bind_value(sqlite3_stmt *statement, int parameter, const uint8_t *value)
{
    switch (*value) {
    case SQLITE_INTEGER:
        return sqlite3_bind_int64(statement, parameter, (int64_t)read_little(value + 1, 8));
    case SQLITE_FLOAT: {
        uint64_t bits = read_little(value + 1, 8);
        double number;
        memcpy(&number, &bits, sizeof number);
        return sqlite3_bind_double(statement, parameter, number);
    }
    case SQLITE_TEXT:
        return sqlite3_bind_text(statement, parameter, (const char *)value + 5,
                                 (int)read_little(value + 1, 4), SQLITE_TRANSIENT);
    case SQLITE_BLOB:
        return sqlite3_bind_blob(statement, parameter, value + 5, (int)read_little(value + 1, 4),
                                 SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_null(statement, parameter);
    }
}

static int bind_tuple(const struct span_bounds *bounds, const uint8_t *values, const char *name,
                      sqlite3_stmt *statement)
{
    int result = SQLITE_OK;
    for (uint32_t i = 0; i < bounds->parts && result == SQLITE_OK; i++) {
        char parameter[16];
        snprintf(parameter, sizeof parameter, ":%s%u", name, i);
        int index = sqlite3_bind_parameter_index(statement, parameter);
        if (index > 0) {
            result = bind_value(statement, index, values);
        }
        values = value_end(values, bounds->end);
    }
    return result;
}

enum status span_bind(const struct span_bounds *bounds, sqlite3_stmt *statement,
                      struct error *error)
{
    int result = SQLITE_OK;

    if (bounds->by_key) {
        result =
            bounds->has_low ? bind_tuple(bounds, bounds->low_values, "low", statement) : SQLITE_OK;
        if (result == SQLITE_OK && bounds->has_high) {
            result = bind_tuple(bounds, bounds->high_values, "high", statement);
        }
    } else {
        int low = bounds->has_low ? sqlite3_bind_parameter_index(statement, ":low0") : 0;
        int high = bounds->has_high ? sqlite3_bind_parameter_index(statement, ":high0") : 0;
        result = low > 0 ? sqlite3_bind_int64(statement, low, bounds->low) : SQLITE_OK;
        if (result == SQLITE_OK && high > 0) {
            result = sqlite3_bind_int64(statement, high, bounds->high);
        }
    }
    if (result != SQLITE_OK) {
        sqlite_check_memory(result);
        return error_set(error, ERROR_INTERNAL, NULL, "a span can't be bound: %s",
                         sqlite3_errstr(result));
    }
    return STATUS_OK;
}

enum status sqlite_span_bind(const struct span *span, sqlite3_stmt *statement, struct error *error)
{
    struct span_bounds bounds;
    if (span_decode(span, &bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return span_bind(&bounds, statement, error);
}

void span_print_values(const uint8_t *values, const uint8_t *end, uint32_t parts,
                       struct buffer *out)
{
    for (uint32_t i = 0; i < parts && values != NULL; i++) {
        char text[64];
        double number;
        uint64_t bits = *values <= SQLITE_FLOAT ? read_little(values + 1, 8) : 0;
        buffer_append_string(out, i > 0 ? ", " : "");
        switch (*values) {
        case SQLITE_INTEGER:
            buffer_append_int64(out, (int64_t)bits);
            break;
        case SQLITE_FLOAT:
            memcpy(&number, &bits, sizeof number);
            buffer_format(out, "%.17g", number);
            break;
        case SQLITE_TEXT:
            text_printable(values + 5, read_little(values + 1, 4), text, sizeof text);
            buffer_append_string(out, text);
            break;
        case SQLITE_BLOB:
            buffer_append_string(out, "x'");
            bits = read_little(values + 1, 4);
            buffer_append_hex(out, values + 5, bits < 16 ? bits : 16);
            buffer_append_string(out, bits > 16 ? "...'" : "'");
            break;
        default:
            buffer_append_string(out, "NULL");
            break;
        }
        values = value_end(values, end);
    }
}
