/* Conversions from kind to kind, as `cast:` and writers need them: exact, or refused and why. */
#ifndef TRANSHUME_MODEL_CONVERT_H
#define TRANSHUME_MODEL_CONVERT_H

#include "base/arena.h"
#include "base/error.h"
#include "model/schema.h"
#include "model/value.h"

/* How a conversion from one type to another treats all values of the former. */
enum conversion_loss {
    CONVERSION_EXACT,   /* every value comes back the same */
    CONVERSION_WIDENED, /* every value is kept; its type or scale is not */
    CONVERSION_LOSSY,   /* some values lose something: the plan has to allow it */
    CONVERSION_PARTIAL, /* some values can't be converted: those records are rejected */
    CONVERSION_IMPOSSIBLE
};

enum conversion_loss convert_loss(const struct value_type *from, const struct value_type *to);

/*
 * Converts one value; pointers of the result live in `arena` or are borrowed from `from`. MISSING
 * and NULL stay what they are. STATUS_FAILED with ERROR_REJECT_TYPE or ERROR_REJECT_NUMBER when
 * this value cannot be had without loss; with `allow_loss` it is rounded (half even) or cut
 * instead. TEXT to number wants exactly one number (surrounding spaces are an error); BOOL reads
 * true/false, t/f, 1/0; number to TEXT gives its shortest exact digits; BYTES to TEXT wants UTF-8;
 * TEXT and BYTES to JSON are the JSON text that they hold (but see value_type.plain_strings); JSON,
 * LIST, SET and MAP to TEXT or JSON give JSON text; TEXT and JSON to LIST, SET or MAP are read as
 * JSON; other kinds see through JSON to the scalar in it.
 *
 * TEXT to LIST is an array's text ({…}) or JSON; TEXT and JSON with an element type are, from and
 * to it, array_text.h's.
 *
 * Digits of a second beyond those of the type are rounded off (half even) with `allow_loss`;
 * without it they stay, for the writer to refuse.
 *
 * A float and a decimal are taken for equal if the float's shortest digits are the decimal's value.
 * The limits in `to` (length of TEXT in characters and of BYTES in bytes, precision and scale,
 * which a decimal then gets) hold unless `to` is dynamic. A timestamp without zone becomes one with
 * zone by the zone of `to`, if its clocks show it once; else (taken for UTC), and the other way,
 * only with `allow_loss`. ESCAPE with CELL_ESCAPED_TEXT
 * becomes BYTES, or with `allow_loss` TEXT with U+FFFD for what is not UTF-8. LARGE stays LARGE
 * where its kind is the one that is wanted; else it is read whole, up to CONVERT_LARGE_BYTES_MAX.
 */
enum status convert_value(const struct cell *from, const struct value_type *to, bool allow_loss,
                          struct arena *arena, struct cell *result, struct error *error) MUST_USE;

/* The most that is read whole of a large value to convert it or to look at it. */
enum { CONVERT_LARGE_BYTES_MAX = 64 << 20 };
/* The reject of a value that has more bytes than can be had here. */
enum status convert_refuse_large(uint64_t length, uint64_t bytes_max, struct error *error);
/* Reads a LARGE cell whole into the arena: TEXT or BYTES, as it is. STATUS_FAILED with
 * ERROR_REJECT_TOO_LARGE beyond `bytes_max`, else with what its source says. */
enum status convert_read_large(const struct cell *from, uint64_t bytes_max, struct arena *arena,
                               struct cell *result, struct error *error) MUST_USE;

/* False if no value of kind `from` can become `to`. */
bool convert_is_possible(enum value_kind from, enum value_kind to);

/* The text that templates, CSV and text columns use. BYTES are lower-case hex only if `hex`; else
 * they must be UTF-8. NULL and MISSING have no text and append nothing. */
struct buffer;
enum status convert_append_text(const struct cell *from, bool hex, struct buffer *out,
                                struct error *error) MUST_USE;

/* Reads a whole JSON text into cells: objects to MAP, arrays to LIST, numbers to INT64 or UINT64
 * where they are written whole and fit, else DECIMAL, strings to TEXT. STATUS_FAILED with
 * ERROR_REJECT_UNREADABLE, ERROR_REJECT_TOO_DEEP or ERROR_REJECT_NUMBER. */
enum status convert_read_json(const char *text, size_t length, struct arena *arena,
                              struct cell *result, struct error *error) MUST_USE;

/* A UUID as it is written, in 36 characters. False: it is none. */
bool convert_read_uuid(const char *text, size_t length, struct arena *arena, struct cell *result);

/* JSON text of any value: numbers as exact digits, NaN and infinities as strings, BYTES as base64,
 * dates as ISO text, maps with text keys as objects, others as lists of pairs. */
enum status convert_append_json(const struct cell *from, struct buffer *out,
                                struct error *error) MUST_USE;

#endif
