/* Fields to cells and cells to fields: how each kind of value is written in CSV. */
#ifndef TRANSHUME_CONNECTORS_CSV_VALUE_H
#define TRANSHUME_CONNECTORS_CSV_VALUE_H

#include "connectors/csv/scan.h"
#include "model/schema.h"
#include "model/value.h"

/*
 *   bool                 true, false
 *   whole, decimal       their digits; float: the shortest ones, NaN, Infinity, -Infinity
 *   text                 as it is; quoted where it must be, and where it would be read as a null
 *   bytes                \x and lower-case hex, or base64
 *   date, time, …        ISO 8601 (see time_append); uuid: 36 characters, lower case
 *   json, list, set, map JSON text
 *   null, missing        the dialect's null text
 *
 * Columns whose type is `dynamic` (any kind of value in any column, as SQLite has them) tell kinds
 * apart: a quoted field is text; an unquoted one is of the column's kind if it can be, else a whole
 * number, a decimal, a float (with exponent, NaN or infinite) or bytes (\x…) if it is written as
 * this program writes it, else text. So text that looks like one of these is quoted there.
 */

/*
 * Reads one field that is no null: its bytes without escapes, known to be UTF-8 if `is_utf8`.
 * Texts are not copied. STATUS_FAILED: `error` has class REJECT and says what is wrong, without the
 * column's name; or memory is out.
 */
enum status csv_value_read(const struct csv_dialect *dialect, const struct value_type *type,
                           const char *text, size_t length, bool quoted, bool is_utf8,
                           struct arena *arena, struct cell *cell, struct error *error) MUST_USE;

/* Is it a truth in a dynamic column, if it stands without quotes? */
bool csv_value_is_truth(const char *text, size_t length);

/* Appends one value as a field. STATUS_FAILED: `out` is as it was; class REJECT, or STOP. */
enum status csv_value_append(const struct csv_dialect *dialect, const struct value_type *type,
                             const struct cell *cell, bool first, struct buffer *out,
                             struct error *error) MUST_USE;

#endif
