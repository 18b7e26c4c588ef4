/* Exact decimals: parse, print, compare, rescale and sum, never by way of binary floats. */
#ifndef TRANSHUME_MODEL_DECIMAL_H
#define TRANSHUME_MODEL_DECIMAL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "model/value.h"

/*
 * Reads -?digits[.digits][(e|E)[+-]digits], a leading '+', NaN and [-]Infinity (any case) into a
 * DECIMAL cell, small where it fits 18 digits and scale 18, else as plain text in `arena`. The scale
 * is kept; an exponent is expanded (beyond ±20,000 digits: STATUS_FAILED). STATUS_FAILED also for
 * anything that is not a number.
 */
enum status decimal_parse(const char *text, size_t length, struct arena *arena,
                          struct cell *cell) MUST_USE;

/* The plain digits: "1.98", "-0.10", "NaN". */
void decimal_append(const struct cell *decimal, struct buffer *out);
/* Without trailing zeros after the point, and "0" for every zero: what stores without scale give back. */
void decimal_append_normal(const struct cell *decimal, struct buffer *out);

/* Significant digits (leading and trailing zeros not counted) and the exponent of the first one
 * (1.98 → 3 digits, exponent 0; 0.05 → 1, -2; 1200 → 2, 3); zero: 0 digits. False for NaN and infinity. */
int decimal_measure(const struct cell *decimal, int64_t *digits, int64_t *exponent);

/* -1, 0, 1 by value, whatever the scales; NaN is above all and equal to itself. */
int decimal_compare(const struct cell *left, const struct cell *right);

/* From a float: its shortest digits that read back as the same float. CELL_FROM_FLOAT is set when
 * the result is small. */
enum status decimal_from_double(double value, struct arena *arena, struct cell *cell) MUST_USE;
/* The nearest double. */
double decimal_to_double(const struct cell *decimal);
/* STATUS_FAILED when it is no whole number in range. */
enum status decimal_to_int64(const struct cell *decimal, int64_t *value) MUST_USE;

/* Exact running sums of INT64, UINT64, DECIMAL and (by shortest digits) FLOAT cells. */
struct decimal_sum {
    __int128 small; /* the sum × 10^scale while it fits */
    int32_t scale;
    int is_special; /* NaN or infinity met: `special` says which */
    double special;
    struct buffer large; /* the sum as text once it did not fit; empty before */
};
void decimal_sum_init(struct decimal_sum *sum);
void decimal_sum_free(struct decimal_sum *sum);
/* NULL and MISSING add nothing. STATUS_FAILED: not a number, or memory is out. */
enum status decimal_sum_add(struct decimal_sum *sum, const struct cell *cell) MUST_USE;
/* INT64 if all added were whole and it fits, else DECIMAL with the largest scale met; of nothing: 0. */
enum status decimal_sum_result(struct decimal_sum *sum, struct arena *arena,
                               struct cell *cell) MUST_USE;

#endif
