/* Values of a SQLite row as cells: the storage class decides, the declared type refines. The hot
 * path. */
#include "base/text.h"
#include "connectors/sqlite/source.h"
#include "model/decimal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sixteen bytes looked at together. A comparison gives 0 or -1 for each. */
typedef int8_t piece __attribute__((vector_size(16)));
enum { PIECE_BYTES = 16, HALF_BYTES = PIECE_BYTES / 2 };

/* Findings in any byte: above 0x7f as a byte below 0; no printable ASCII, or a quote or a
 * backslash, as a byte that is not 0. */
struct found {
    piece high;
    piece special;
};

static inline void cell_look(struct found *found, piece bytes)
{
    found->high |= bytes;
    found->special |=
        (bytes < ' ') | (bytes == 0x7f) | (bytes == '"') | (bytes == '\\'); /* high ones are < 0 */
}

static inline void copy_piece(char *to, const char *from, struct found *found)
{
    piece bytes;
    memcpy(&bytes, from, PIECE_BYTES);
    memcpy(to, &bytes, PIECE_BYTES);
    cell_look(found, bytes);
}

/* The last piece, or half, may lie over the one before. */
static inline void copy_scanning(char *to, const char *from, size_t length, struct found *found)
{
    uint64_t halves[2] = {0x2020202020202020, 0x2020202020202020};
    piece bytes;

    if (length >= PIECE_BYTES) {
        for (size_t at = 0; at + PIECE_BYTES <= length; at += PIECE_BYTES) {
            copy_piece(to + at, from + at, found);
        }
        copy_piece(to + length - PIECE_BYTES, from + length - PIECE_BYTES, found);
        return;
    }
    if (length >= HALF_BYTES) {
        memcpy(&halves[0], from, HALF_BYTES);
        memcpy(&halves[1], from + length - HALF_BYTES, HALF_BYTES);
        memcpy(to, &halves[0], HALF_BYTES);
        memcpy(to + length - HALF_BYTES, &halves[1], HALF_BYTES);
    } else {
        for (size_t i = 0; i < length; i++) {
            to[i] = from[i];
            halves[0] = halves[0] << 8 | (unsigned char)from[i];
        }
    }
    memcpy(&bytes, halves, PIECE_BYTES);
    cell_look(found, bytes);
}

static inline uint64_t any(piece bytes)
{
    uint64_t halves[2];
    memcpy(halves, &bytes, PIECE_BYTES);
    return halves[0] | halves[1];
}

/* Only what is large is tried: the other way is the faster one. */
static inline void *allocate_value(struct arena *arena, size_t length)
{
    if (length < ARENA_SHARED_BYTES) {
        return length > MEMORY_DATA_BYTES ? arena_try_allocate(arena, length)
                                          : arena_allocate(arena, length);
    }
    void *memory = malloc(length);
    if (memory != NULL) {
        arena_take_over(arena, memory, length, free);
    }
    return memory;
}

enum status cell_text_copy(const char *from, size_t length, struct arena *arena, struct cell *cell)
{
    struct found found = {0};
    char *to = allocate_value(arena, length);

    if (to == NULL) {
        return STATUS_FAILED;
    }
    copy_scanning(to, from, length, &found);
    *cell = cell_text(to, length);
    if (any(found.special) == 0) {
        cell->flags = CELL_ASCII;
    } else if ((any(found.high) & 0x8080808080808080) != 0 && !text_is_utf8(to, length)) {
        cell->kind = VALUE_ESCAPE;
        cell->flags = CELL_ESCAPED_TEXT;
        cell->aux = ESCAPE_SQLITE;
    }
    return STATUS_OK;
}

static enum status copy_bytes(const void *from, size_t length, struct arena *arena,
                              struct cell *cell)
{
    void *to = allocate_value(arena, length);
    if (to == NULL) {
        return STATUS_FAILED;
    }
    if (length > 0) {
        memcpy(to, from, length);
    }
    *cell = cell_bytes(to, length);
    return STATUS_OK;
}

/*
 * A float of at most 15 digits that is the nearest one to digits / 10^scale is no nearer to any
 * other decimal of 15 digits: so those are its shortest digits, once trailing zeros are gone.
 */
static inline bool decimal_fast(double value, int32_t scale, struct cell *cell)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (scale < 0 || scale > 15) {
        return false;
    }
    double scaled = value * powers[scale];
    if (!(fabs(scaled) < 1e15)) {
        return false;
    }
    int64_t digits = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    if ((double)digits / powers[scale] != value || digits == 0) {
        return false;
    }
    while (scale > 0 && digits % 10 == 0) {
        digits /= 10;
        scale--;
    }
    *cell = (struct cell){.kind = VALUE_DECIMAL,
                          .flags = CELL_SMALL | CELL_FROM_FLOAT,
                          .aux = (uint16_t)scale,
                          .i64 = digits};
    return true;
}

static enum status read_decimal(double value, int32_t scale, struct arena *arena, struct cell *cell,
                                uint64_t *excess)
{
    if (decimal_fast(value, scale, cell)) {
        return STATUS_OK;
    }
    if (decimal_from_double(value, arena, cell) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (scale >= 0 && isfinite(value)) {
        int64_t digits = 0;
        int64_t exponent = 0;
        if (decimal_measure(cell, &digits, &exponent) && digits > 0 &&
            digits - 1 - exponent > scale) {
            *excess += 1;
        }
    }
    return STATUS_OK;
}

static inline enum status read_value(sqlite3_value *value, const struct request_column *column,
                                     struct arena *arena, struct cell *cell, size_t *bytes,
                                     uint64_t *excess)
{
    const void *data;
    size_t length;

    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        cell->kind = VALUE_INT64;
        cell->flags = 0;
        cell->aux = 0;
        cell->length = 0;
        cell->i64 = sqlite3_value_int64(value);
        if (column->rule == READ_DECIMAL) {
            cell->kind = VALUE_DECIMAL;
            cell->flags = CELL_SMALL;
        } else if (column->rule >= READ_BOOL && (uint64_t)cell->i64 <= 1) {
            cell->kind = VALUE_BOOL;
        }
        return STATUS_OK;
    case SQLITE_FLOAT:
        if (column->rule == READ_DECIMAL) {
            return read_decimal(sqlite3_value_double(value), column->scale, arena, cell, excess);
        }
        *cell = cell_float64(sqlite3_value_double(value));
        return STATUS_OK;
    case SQLITE_TEXT:
        data = sqlite3_value_text(value);
        length = (size_t)sqlite3_value_bytes(value);
        if (data == NULL) {
            return STATUS_FAILED;
        }
        *bytes += length;
        return cell_text_copy(data, length, arena, cell);
    case SQLITE_BLOB:
        data = sqlite3_value_blob(value);
        length = (size_t)sqlite3_value_bytes(value);
        if (data == NULL && length > 0) {
            return STATUS_FAILED;
        }
        *bytes += length;
        return copy_bytes(data, length, arena, cell);
    default:
        *cell = cell_null();
        return STATUS_OK;
    }
}

enum status cells_read(sqlite3_stmt *row, sqlite3_value *const *values,
                       const struct request_column *columns, uint32_t count, struct arena *arena,
                       struct cell *cells, size_t *bytes, uint64_t *excess)
{
    size_t copied = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct request_column *column = &columns[i];
        sqlite3_value *value = values != NULL ? values[column->result]
                                              : sqlite3_column_value(row, (int)column->result);
        if (read_value(value, column, arena, &cells[i], &copied, &excess[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *bytes += copied;
    return STATUS_OK;
}
