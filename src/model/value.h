/* The value: one cell of a record, of any kind that any database here can hold. */
#ifndef TRANSHUME_MODEL_VALUE_H
#define TRANSHUME_MODEL_VALUE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where each kind keeps its value (`aux`, `length` and the union):
 *
 *   MISSING, NULL      nothing. MISSING: the field is not there at all; NULL: there and empty.
 *   BOOL               i64 is 0 or 1
 *   INT64, UINT64      i64, u64
 *   FLOAT32, FLOAT64   f64 (a float32 widened; its own digits are those of (float)f64)
 *   DECIMAL            small (CELL_SMALL): i64 × 10^-aux, 0 <= aux <= 18: the scale is kept.
 *                      else: `length` bytes of plain text at `text`: -?digits[.digits], no
 *                      exponent, no leading zeros beyond one, no minus zero, the scale kept, or
 *                      NaN, Infinity, -Infinity.
 *   TEXT               `length` bytes at `text`, valid UTF-8, NULs allowed
 *   BYTES              `length` bytes at `bytes`
 *   DATE               i64 days since 1970-01-01, proleptic Gregorian, year 0 is 1 BC
 *   TIME               i64 ns since midnight (24:00:00 allowed); CELL_ZONED: offset of `length`
 *                      seconds east, read as int32
 *   TIMESTAMP          i64 µs since 1970-01-01T00:00:00, aux: further ns (0..999). CELL_ZONED: an
 *                      instant in UTC; else a wall clock without zone
 *   INTERVAL           `interval`
 *   UUID               16 bytes at `bytes`
 *   JSON               `length` bytes of JSON text at `text`, as the source wrote it
 *   LIST, SET          `length` cells at `items`
 *   MAP                `length` pairs at `items`: key, value, key, value; ordered, any key kind
 *   LARGE              `large`: a text or bytes value that is read in slices
 *   ESCAPE             `length` bytes at `bytes` that only an engine with the tag `aux` understands
 *                      (enum escape_tag); CELL_ESCAPED_TEXT: meant as text there
 * CELL_SPECIAL on DATE and TIMESTAMP: i64 is CELL_INFINITY, CELL_MINUS_INFINITY or CELL_ZERO_DATE.
 * CELL_FROM_FLOAT on a small DECIMAL: the source stored a binary float whose shortest digits these
 * are; (double)i64 / 10^aux is that float again.
 * INT64, TEXT, BYTES: aux is a hint of the type that the source keeps the value in, which only a
 * target of the same engine looks at; 0: none. Values that differ in it alone are equal.
 * Pointers are borrowed from the batch's arena (or from something that outlives the batch).
 */
enum value_kind {
    VALUE_MISSING = 0,
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT64,
    VALUE_UINT64,
    VALUE_FLOAT32,
    VALUE_FLOAT64,
    VALUE_DECIMAL,
    VALUE_TEXT,
    VALUE_BYTES,
    VALUE_DATE,
    VALUE_TIME,
    VALUE_TIMESTAMP,
    VALUE_INTERVAL,
    VALUE_UUID,
    VALUE_JSON,
    VALUE_LIST,
    VALUE_SET,
    VALUE_MAP,
    VALUE_LARGE,
    VALUE_ESCAPE,
    VALUE_KIND_COUNT
};

static inline int value_kind_is_number(enum value_kind kind)
{
    return kind >= VALUE_INT64 && kind <= VALUE_DECIMAL;
}

enum cell_flag {
    CELL_SMALL = 1,
    CELL_ZONED = 2,
    CELL_SPECIAL = 4,
    CELL_FROM_FLOAT = 8,
    CELL_ESCAPED_TEXT = 16,
    CELL_ASCII = 32, /* a TEXT known to be printable ASCII without " and \ : a hint, never needed;
                      * whoever changes a text drops it: what trusts it looks for no NUL */
};

enum cell_special { CELL_MINUS_INFINITY = -1, CELL_ZERO_DATE = 0, CELL_INFINITY = 1 };

enum escape_tag {
    ESCAPE_SQLITE = 1,
    ESCAPE_POSTGRES,
    ESCAPE_MYSQL,
    ESCAPE_MONGODB,
    ESCAPE_CASSANDRA,
    ESCAPE_TEST,
    ESCAPE_OMITTED = 0xffff /* no engine's: text that says why a reject lacks the value */
};

struct value_interval {
    int32_t months;
    int32_t days;
    int64_t nanoseconds;
};

struct large_value;

struct cell {
    uint8_t kind;  /* enum value_kind */
    uint8_t flags; /* enum cell_flag */
    uint16_t aux;
    uint32_t length;
    union {
        int64_t i64;
        uint64_t u64;
        double f64;
        const char *text;
        const uint8_t *bytes;
        const struct cell *items;
        const struct value_interval *interval;
        struct large_value *large;
    };
};
_Static_assert(sizeof(struct cell) == 16, "a cell is 16 bytes");

/*
 * A value too large to hold: a handle that its source serves within its snapshot. Any one thread at
 * a time may read. `release` is called once, by the batch that lists it (batch_keep_large).
 */
struct large_value {
    enum value_kind kind; /* VALUE_TEXT or VALUE_BYTES */
    uint64_t length;      /* bytes */
    /* Reads exactly `size` bytes from `offset`. */
    enum status (*read)(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                        struct error *error);
    void (*release)(struct large_value *self);
    struct large_value *next; /* the batch's list */
};

static inline struct cell cell_missing(void)
{
    return (struct cell){.kind = VALUE_MISSING};
}
static inline struct cell cell_null(void)
{
    return (struct cell){.kind = VALUE_NULL};
}
static inline struct cell cell_bool(int value)
{
    return (struct cell){.kind = VALUE_BOOL, .i64 = value != 0};
}
static inline struct cell cell_int64(int64_t value)
{
    return (struct cell){.kind = VALUE_INT64, .i64 = value};
}
static inline struct cell cell_uint64(uint64_t value)
{
    return (struct cell){.kind = VALUE_UINT64, .u64 = value};
}
static inline struct cell cell_float64(double value)
{
    return (struct cell){.kind = VALUE_FLOAT64, .f64 = value};
}
static inline struct cell cell_text(const char *text, size_t length)
{
    return (struct cell){.kind = VALUE_TEXT, .length = (uint32_t)length, .text = text};
}
static inline struct cell cell_bytes(const void *bytes, size_t length)
{
    return (struct cell){
        .kind = VALUE_BYTES, .length = (uint32_t)length, .bytes = (const uint8_t *)bytes};
}
static inline struct cell cell_items(enum value_kind kind, const struct cell *items, size_t count)
{
    return (struct cell){.kind = (uint8_t)kind, .length = (uint32_t)count, .items = items};
}

/* "int64", "text", … : the names used in plans (`cast:`), docs and messages. */
const char *value_kind_name(enum value_kind kind);
/* VALUE_KIND_COUNT if no kind has that name. */
enum value_kind value_kind_by_name(const char *name);

/* The field of a MAP with TEXT keys; NULL if it is not there, or the cell is no MAP. */
const struct cell *value_field(const struct cell *map, const char *name);

/* Equal in kind and value (decimal 1.0 and 1.00 differ; NaN equals NaN; -0.0 and 0.0 differ; maps
 * and lists in order, sets in any order). LARGE values are equal only if they are one handle. */
int value_equal(const struct cell *left, const struct cell *right);

struct arena;
/* A deep copy whose pointers live in `arena`; LARGE handles are shared, not copied. STATUS_FAILED:
 * there is no memory for so large a value. */
enum status value_copy(const struct cell *from, struct arena *arena, struct cell *to) MUST_USE;
/* For qsort over cells that are texts: by bytes. */
int value_compare_texts(const void *left, const void *right);

/* Bytes that the value takes beyond its cell, nested ones included: for byte bounds. */
size_t value_bytes(const struct cell *cell);

struct buffer;
/* 8-4-4-4-12 lower-case digits. */
void value_append_uuid(struct buffer *out, const uint8_t bytes[16]);
/* Are the bytes of an ESCAPE the text that its engine shows of the value, as of a day that is none
 * (MySQL's 2200-00-08)? */
bool value_escape_has_text(const struct cell *cell);
/* For people and logs: quoted texts, hex for bytes, clipped at about `limit` bytes. */
void value_print(const struct cell *cell, size_t limit, struct buffer *out);

#endif
