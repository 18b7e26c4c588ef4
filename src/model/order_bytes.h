/* Values as bytes that sort as the values do: keys that are matched and orders of lists. */
#ifndef TRANSHUME_MODEL_ORDER_BYTES_H
#define TRANSHUME_MODEL_ORDER_BYTES_H

#include "base/buffer.h"
#include "model/value.h"
#include <stdbool.h>

/*
 * Appends bytes that memcmp orders, and that are equal exactly for equal values:
 *   - MISSING and NULL are one and the first; then false and true; then numbers; text; bytes;
 * dates, times, timestamps, intervals, uuids, JSON, lists, sets, maps.
 *   - Numbers are compared by value, whatever their kind: 1, 1.0 and 1e0 are one. A float counts as
 *     its shortest digits, so 0.1 equals the decimal 0.1; -0.0 is 0. NaN is the last number.
 *   - All else only equals its own kind: the text '1' is not the number 1, a date no timestamp, a
 *     timestamp with a zone none without. Texts go by their bytes.
 * No value's bytes are the beginning of another's, so those of several values may stand in a row.
 * STATUS_FAILED: a LARGE or ESCAPE value, which has no order.
 */
enum status order_bytes_append(const struct cell *cell, struct buffer *out,
                               struct error *error) MUST_USE;
/* Null, missing and NaN equal nothing, not even themselves. */
bool order_bytes_matches_nothing(const struct cell *cell);

#endif
