/* Exact decimals: parse, print, compare, rescale and sum, never by way of binary floats. */
#ifndef TRANSHUME_MODEL_DECIMAL_H
#define TRANSHUME_MODEL_DECIMAL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "model/value.h"
#include <stdbool.h>

/*
 * Reads -?digits[.digits][(e|E)[+-]digits], a leading '+', NaN and [-]Infinity or inf (any case)
 * into a DECIMAL cell, small where it fits 18 digits and scale 18, else as plain text in `arena`;
 * digits may be on one side of the point only. The scale is kept; an exponent is expanded. There is
 * no minus zero among decimals. STATUS_END: it is no number, or its exponent is beyond ±20,000.
 */
enum status decimal_parse(const char *text, size_t length, struct arena *arena,
                          struct cell *cell) MUST_USE;

/* The plain digits: "1.98", "-0.10", "NaN". */
void decimal_append(const struct cell *decimal, struct buffer *out);
/* The small form (CELL_SMALL) of a decimal of up to 18 digits and a scale of up to 18, whichever
 * form it has. */
bool decimal_to_small(const struct cell *decimal, struct cell *small);
/* A small decimal (CELL_SMALL) without the zeros at its end. */
struct cell decimal_small_normal(const struct cell *decimal);
/* Without trailing zeros after the point, "0" for every zero: what stores without scale give. */
void decimal_append_normal(const struct cell *decimal, struct buffer *out);

/* Significant digits (leading and trailing zeros not counted) and the exponent of the first one
 * (1.98 → 3 digits, exponent 0; 0.05 → 1, -2; 1200 → 2, 3); zero: 0 digits. False for NaN and
 * infinity. */
int decimal_measure(const struct cell *decimal, int64_t *digits, int64_t *exponent);

/* -1, 0, 1 by value, whatever the scales; NaN is above all and equal to itself. */
int decimal_compare(const struct cell *left, const struct cell *right);

/* From a float: its shortest digits that read back as the same float. CELL_FROM_FLOAT is set when
 * the result is small and (double)i64 / 10^aux is that float (with 17 digits it may be off by one
 * bit; decimal_to_double never is). */
enum status decimal_from_double(double value, struct arena *arena, struct cell *cell) MUST_USE;
/* Has it digits after the point, no zeros at its end, and is it just what decimal_from_double makes
 * of some double? Then that is `*value`, which else means nothing. */
bool decimal_is_of_double(const struct cell *decimal, double *value);
/* The nearest double; of one with CELL_FROM_FLOAT in one step. */
double decimal_to_double(const struct cell *decimal);
/* STATUS_FAILED when it is no whole number in range. */
enum status decimal_to_int64(const struct cell *decimal, int64_t *value) MUST_USE;
enum status decimal_to_uint64(const struct cell *decimal, uint64_t *value) MUST_USE;

/* From a whole number, whatever its size. */
struct cell decimal_from_int64(int64_t value, struct arena *arena);
struct cell decimal_from_uint64(uint64_t value, struct arena *arena);

/* The same number with exactly `scale` digits after the point: zeros are added, and digits cut, the
 * last one rounded half to even; `*exact` says whether only zeros were cut. NaN and infinity stay
 * as they are. STATUS_FAILED: the scale is beyond 20,000. */
enum status decimal_rescale(const struct cell *decimal, uint32_t scale, struct arena *arena,
                            struct cell *result, int *exact) MUST_USE;

/* 0 for a number, else 'N' for NaN, '+' and '-' for the infinities. */
char decimal_special(const struct cell *decimal);
/* Digits after the point as written; 0 for NaN and infinities. */
uint32_t decimal_scale(const struct cell *decimal);

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
/* Could additions have led to it? Asked of one that was read from a file. */
bool decimal_sum_is_sound(const struct decimal_sum *sum);
/* NULL and MISSING add nothing. STATUS_FAILED: not a number. */
enum status decimal_sum_add(struct decimal_sum *sum, const struct cell *cell) MUST_USE;
/* INT64 if all added were whole and it fits, else DECIMAL with the largest scale; of none: 0. */
enum status decimal_sum_result(struct decimal_sum *sum, struct arena *arena,
                               struct cell *cell) MUST_USE;

#endif
