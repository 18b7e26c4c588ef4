/* The type that the values of a column have in common: types learned from all rows. */
#ifndef TRANSHUME_CONNECTORS_CSV_INFER_H
#define TRANSHUME_CONNECTORS_CSV_INFER_H

#include "base/buffer.h"
#include "base/text.h"
#include "model/schema.h"

/*
 * A column gets a type only if every value of it, written again from that type, gives the same
 * bytes (floats with an exponent: the same number). So 007, +49, 1e400 and 2024-01-05 10:00:00 stay
 * text.
 *
 *   all whole, within int64                 int64
 *   whole or with a fraction, 38 digits     decimal(p,s) of the most digits on both sides
 *   numbers, at least one that only a float can be (1e30, -0, NaN, Infinity), all of them exact as
 *   the shortest digits of a float64        float64
 *   all YYYY-MM-DD                          date
 *   all YYYY-MM-DDTHH:MM:SS[.f]             timestamp; all with Z: with zone
 *   anything else, and no value at all      text
 */
enum csv_class {
    CSV_CLASS_WHOLE,
    CSV_CLASS_WIDE_WHOLE, /* beyond int64 */
    CSV_CLASS_FRACTION,
    CSV_CLASS_FLOAT,      /* with an exponent, or minus zero */
    CSV_CLASS_FLOAT_WORD, /* NaN, Infinity, -Infinity */
    CSV_CLASS_DATE,
    CSV_CLASS_TIMESTAMP,
    CSV_CLASS_ZONED,
    CSV_CLASS_TEXT,
    CSV_CLASS_COUNT
};

enum { CSV_SAMPLE_BYTES = 32 };

/* Where a class was met first. */
struct csv_first {
    uint64_t line;
    uint32_t file;
    char sample[CSV_SAMPLE_BYTES]; /* the value, clipped */
};

struct csv_column_facts {
    uint32_t classes;   /* a bit each */
    bool inexact_float; /* a whole or fraction is not the shortest digits of any float64 */
    uint32_t whole_digits;
    uint32_t scale;
    uint64_t null_count;
    struct csv_first first[CSV_CLASS_COUNT];
};

/* Adds one value (not a null). */
void csv_infer_add(struct csv_column_facts *facts, const char *text, size_t length, uint32_t file,
                   uint64_t line);
/* Adds what a later piece of the same column showed; its lines are `line_offset` further on. */
void csv_infer_merge(struct csv_column_facts *facts, const struct csv_column_facts *later,
                     uint64_t line_offset);
struct value_type csv_infer_type(const struct csv_column_facts *facts);
/* Why the type is no narrower one: the class that decided it; CSV_CLASS_COUNT: nothing did. */
enum csv_class csv_infer_decider(const struct csv_column_facts *facts);

/* Which class a value is of; the digits before and after the point where it is a number. */
enum csv_class csv_infer_class(const char *text, size_t length, uint32_t *whole_digits,
                               uint32_t *scale, bool *inexact_float);

#endif
