/* Numbers to digits and back, at the speed the hot path needs. */
#ifndef TRANSHUME_MODEL_NUMBER_TEXT_H
#define TRANSHUME_MODEL_NUMBER_TEXT_H

#include "base/status.h"
#include "base/text.h"
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 40 };

/* Writes digits without NUL into `out` (>= NUMBER_TEXT_MAX bytes); the length comes back. */
static inline size_t number_from_int64(int64_t value, char *out)
{
    return text_from_int64(value, out);
}
static inline size_t number_from_uint64(uint64_t value, char *out)
{
    return text_from_uint64(value, out);
}

/*
 * The shortest digits that read back as the same double: `*digits` × 10^`*exponent`, sign in
 * `*negative`. Finite values only; zero gives digits 0, others end in no zero.
 */
void number_shortest(double value, uint64_t *digits, int *exponent, int *negative);
/* As number_shortest for a float32. */
void number_shortest_float32(float value, uint64_t *digits, int *exponent, int *negative);

/* The shortest text, as JavaScript writes it but for minus zero: plain from 1e-6 to below 1e21
 * ("0.1", "1234567.0" without a ".0": "1234567"), else with exponent ("1e-7", "1.5e+300"); "-0" for
 * minus zero; "NaN", "Infinity", "-Infinity". */
size_t number_from_double(double value, char *out);
size_t number_from_float32(float value, char *out);

/* The nearest double of a whole text: [+-]digits[.digits][(e|E)[+-]digits] with a digit on one side
 * of the point at least, or [+-]inf, [+-]infinity, nan in any case. Too large gives an infinity.
 * STATUS_FAILED if it is not one number. Locale-free. */
enum status number_to_double(const char *text, size_t length, double *value) MUST_USE;

#endif
