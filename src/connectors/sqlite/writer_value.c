/* One value into one column, so that the column keeps it: what affinities would alter is
 * refused. */
#include "base/text.h"
#include "connectors/sqlite/writer_internal.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES_MAX = 1000 * 1000 * 1000, VALUE_SHOWN_MAX = 80, EXACT_DIGITS = 15 };
#define WHOLE_DOUBLE_MAX 9007199254740992 /* 2^53 */

static int writer_value_refuse(struct writer_view *view, enum error_code code,
                               const struct writer_column *column, const struct cell *cell,
                               const char *why, sqlite3_context *context)
{
    struct buffer value = {0};
    char name[128];
    char shown[VALUE_SHOWN_MAX * 2];

    if (!view->refusal.set) {
        value_print(cell, VALUE_SHOWN_MAX, &value);
        text_printable(buffer_string(&value), value.length, shown, sizeof shown);
        text_printable(column->column->name, strlen(column->column->name), name, sizeof name);
        view->refusal.set = true;
        view->refusal.code = code;
        snprintf(view->refusal.reason, sizeof view->refusal.reason, "column %s %s: %s%s%s", name,
                 why, shown, column->column->declared_type[0] != '\0' ? "; declared " : "",
                 column->column->declared_type);
        buffer_free(&value);
    }
    sqlite3_result_error_code(context, SQLITE_CONSTRAINT_VTAB);
    return SQLITE_CONSTRAINT_VTAB;
}

/* No matter of the record: the view's error says why. */
static int give_up(sqlite3_context *context)
{
    sqlite3_result_error_code(context, SQLITE_ABORT);
    return SQLITE_ABORT;
}

static int out_of_memory(struct writer_view *view, const struct writer_column *column,
                         sqlite3_context *context)
{
    error_set(&view->large_error, ERROR_MEMORY, column->column->name, "no memory for a value");
    return give_up(context);
}

static int give_text(struct writer_view *view, const struct writer_column *column,
                     const struct cell *cell, const char *text, size_t length,
                     sqlite3_context *context)
{
    if (length > VALUE_BYTES_MAX) {
        return writer_value_refuse(view, ERROR_REJECT_TOO_LARGE, column, cell,
                                   "can't hold so long a value", context);
    }
    sqlite3_result_text(context, text, (int)length, SQLITE_STATIC);
    return SQLITE_OK;
}

/* Text made here: it lives in the scratch arena until the batch is written. */
static int give_made_text(struct writer_view *view, const struct writer_column *column,
                          const struct cell *cell, struct buffer *text, sqlite3_context *context)
{
    char *copy = arena_try_copy(view->scratch, text->data, text->length);
    size_t length = text->length;

    buffer_free(text);
    if (copy == NULL) {
        return out_of_memory(view, column, context);
    }
    return give_text(view, column, cell, copy, length, context);
}

/* ---------------------------------------------------------------- numbers */

static bool is_numeric(enum sqlite_affinity affinity)
{
    return affinity >= SQLITE_AFFINITY_NUMERIC;
}

static int give_int64(struct writer_view *view, const struct writer_column *column,
                      const struct cell *cell, int64_t value, sqlite3_context *context)
{
    if (column->affinity == SQLITE_AFFINITY_REAL &&
        (value > WHOLE_DOUBLE_MAX || value < -WHOLE_DOUBLE_MAX) &&
        ((double)value >= 9223372036854775808.0 || (int64_t)(double)value != value)) {
        return writer_value_refuse(view, ERROR_REJECT_NUMBER, column, cell,
                                   "would round it to a binary floating-point number", context);
    }
    sqlite3_result_int64(context, value);
    return SQLITE_OK;
}

static int give_double(struct writer_view *view, const struct writer_column *column,
                       const struct cell *cell, double value, sqlite3_context *context)
{
    if (isnan(value)) {
        return writer_value_refuse(view, ERROR_REJECT_NUMBER, column, cell, "can't hold a NaN",
                                   context);
    }
    if (column->affinity == SQLITE_AFFINITY_TEXT) {
        /* SQLite's own conversion keeps 15 digits only. */
        char *digits = arena_allocate(view->scratch, NUMBER_TEXT_MAX);
        size_t length = cell->kind == VALUE_FLOAT32 ? number_from_float32((float)value, digits)
                                                    : number_from_double(value, digits);
        return give_text(view, column, cell, digits, length, context);
    }
    if (column->row_key && (value != floor(value) || fabs(value) > (double)WHOLE_DOUBLE_MAX)) {
        return writer_value_refuse(view, ERROR_REJECT_TYPE, column, cell,
                                   "is the row's number and must be whole", context);
    }
    sqlite3_result_double(context, value);
    return SQLITE_OK;
}

/* Is the decimal what the nearest double's shortest digits say? */
static bool double_keeps(struct writer_view *view, const struct cell *decimal, double *nearest)
{
    int64_t digits = 0;
    int64_t exponent = 0;
    struct cell back;

    *nearest = decimal_to_double(decimal);
    if (!decimal_measure(decimal, &digits, &exponent)) {
        return isinf(*nearest);
    }
    if (digits <= EXACT_DIGITS && exponent < 300 && exponent > -300) {
        return true;
    }
    return isfinite(*nearest) && decimal_from_double(*nearest, view->scratch, &back) == STATUS_OK &&
           decimal_compare(decimal, &back) == 0;
}

static int give_number(struct writer_view *view, const struct writer_column *column,
                       const struct cell *cell, const struct cell *decimal,
                       sqlite3_context *context)
{
    int64_t whole;
    double nearest;

    if (decimal_to_int64(decimal, &whole) == STATUS_OK) {
        return give_int64(view, column, cell, whole, context);
    }
    if (double_keeps(view, decimal, &nearest)) {
        return give_double(view, column, cell, nearest, context);
    }
    return writer_value_refuse(
        view, ERROR_REJECT_NUMBER, column, cell,
        is_numeric(column->affinity)
            ? "would round it to a binary floating-point number"
            : "holds no number of so many digits (one of the type TEXT does)",
        context);
}

static int give_decimal(struct writer_view *view, const struct writer_column *column,
                        const struct cell *cell, sqlite3_context *context)
{
    struct buffer digits = {0};

    if ((cell->flags & CELL_SMALL) != 0 && column->affinity != SQLITE_AFFINITY_TEXT) {
        if (sqlite_keeps_double(column->row_key ? SQLITE_AFFINITY_NONE : column->affinity, cell)) {
            return give_double(view, column, cell, decimal_to_double(cell), context);
        }
        if (cell->aux == 0) {
            return give_int64(view, column, cell, cell->i64, context);
        }
    }
    if (decimal_special(cell) == 'N') {
        return writer_value_refuse(view, ERROR_REJECT_NUMBER, column, cell, "can't hold a NaN",
                                   context);
    }
    if (column->affinity != SQLITE_AFFINITY_TEXT) {
        return give_number(view, column, cell, cell, context);
    }
    decimal_append(cell, &digits);
    return give_made_text(view, column, cell, &digits, context);
}

static int give_uint64(struct writer_view *view, const struct writer_column *column,
                       const struct cell *cell, sqlite3_context *context)
{
    struct buffer digits = {0};

    if (cell->u64 <= INT64_MAX) {
        return give_int64(view, column, cell, (int64_t)cell->u64, context);
    }
    if (column->affinity != SQLITE_AFFINITY_TEXT) {
        return writer_value_refuse(view, ERROR_REJECT_NUMBER, column, cell,
                                   "ends at 9223372036854775807", context);
    }
    buffer_append_uint64(&digits, cell->u64);
    return give_made_text(view, column, cell, &digits, context);
}

/* ---------------------------------------------------------------- texts */

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Would SQLite make a number of this text in a column with numeric affinity? */
static bool text_is_number(const char *text, size_t length)
{
    const char *at = text;
    const char *end = text + length;
    bool digits = false;

    while (at < end && is_space(*at)) {
        at++;
    }
    at += at < end && (*at == '-' || *at == '+');
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        digits = true;
    }
    if (at < end && *at == '.') {
        for (at++; at < end && *at >= '0' && *at <= '9'; at++) {
            digits = true;
        }
    }
    if (digits && at < end && (*at == 'e' || *at == 'E')) {
        const char *exponent = at + 1;
        exponent += exponent < end && (*exponent == '-' || *exponent == '+');
        if (exponent >= end || *exponent < '0' || *exponent > '9') {
            return false;
        }
        for (at = exponent; at < end && *at >= '0' && *at <= '9'; at++) {
        }
    }
    while (at < end && is_space(*at)) {
        at++;
    }
    return digits && at == end;
}

/* Plain digits as numbers are written: no sign of plus, no leading zeros, no exponent, no
 * spaces. */
static bool text_is_plain_number(const char *text, size_t length)
{
    const char *at = text;
    const char *end = text + length;
    bool minus = at < end && *at == '-';

    at += minus;
    const char *start = at;
    bool nonzero = false;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        nonzero = nonzero || *at != '0';
    }
    if (at == start || (start[0] == '0' && at - start > 1)) {
        return false;
    }
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        for (; at < end && *at >= '0' && *at <= '9'; at++) {
            nonzero = nonzero || *at != '0';
        }
        if (at == fraction) {
            return false;
        }
    }
    return at == end && (nonzero || !minus);
}

/* A numeric column makes a number of every text that looks like one: only if nothing is lost by
 * it. */
static int give_numeric_text(struct writer_view *view, const struct writer_column *column,
                             const struct cell *cell, sqlite3_context *context)
{
    struct cell decimal;

    if (!text_is_number(cell->text, cell->length)) {
        if (column->row_key) {
            return writer_value_refuse(view, ERROR_REJECT_TYPE, column, cell,
                                       "is the row's number and can't hold a text", context);
        }
        return give_text(view, column, cell, cell->text, cell->length, context);
    }
    if (!text_is_plain_number(cell->text, cell->length)) {
        return writer_value_refuse(view, ERROR_REJECT_TYPE, column, cell,
                                   "would make a number of this text and lose how it is written",
                                   context);
    }
    return decimal_parse(cell->text, cell->length, view->scratch, &decimal) == STATUS_OK
               ? give_number(view, column, cell, &decimal, context)
               : out_of_memory(view, column, context);
}

static int give_any_text(struct writer_view *view, const struct writer_column *column,
                         const struct cell *cell, sqlite3_context *context)
{
    if (is_numeric(column->affinity)) {
        return give_numeric_text(view, column, cell, context);
    }
    return give_text(view, column, cell, cell->text, cell->length, context);
}

/* Bytes that SQLite called text. A UTF-16 database would replace what is not UTF-8. */
static int give_escape(struct writer_view *view, const struct writer_column *column,
                       const struct cell *cell, sqlite3_context *context)
{
    struct cell text = cell_text(cell->text, cell->length);

    if (cell->aux != ESCAPE_SQLITE || (cell->flags & CELL_ESCAPED_TEXT) == 0) {
        return writer_value_refuse(view, ERROR_REJECT_UNREADABLE, column, cell,
                                   "can't hold this value", context);
    }
    if (view->utf16 && !text_is_utf8(cell->bytes, cell->length)) {
        return writer_value_refuse(view, ERROR_REJECT_TEXT, column, cell,
                                   "can't keep bytes that are no UTF-8 in a UTF-16 database",
                                   context);
    }
    return give_any_text(view, column, &text, context);
}

static int give_bytes(struct writer_view *view, const struct writer_column *column,
                      const struct cell *cell, const void *bytes, size_t length,
                      sqlite3_context *context)
{
    if (length > VALUE_BYTES_MAX) {
        return writer_value_refuse(view, ERROR_REJECT_TOO_LARGE, column, cell,
                                   "can't hold so long a value", context);
    }
    if (length == 0) {
        sqlite3_result_zeroblob(context, 0);
    } else {
        sqlite3_result_blob(context, bytes, (int)length, SQLITE_STATIC);
    }
    return SQLITE_OK;
}

/* ---------------------------------------------------------------- large values */

/* SQLite frees the copy as soon as the row is written, so that a batch never holds two of them. */
static int give_large(struct writer_view *view, const struct writer_column *column,
                      const struct cell *cell, sqlite3_context *context)
{
    struct large_value *large = cell->large;
    struct error error;

    if (large->length > VALUE_BYTES_MAX) {
        return writer_value_refuse(view, ERROR_REJECT_TOO_LARGE, column, cell,
                                   "can't hold so long a value", context);
    }
    if (view->stream_large && large->kind == VALUE_BYTES) {
        sqlite3_result_zeroblob64(context, large->length);
        return SQLITE_OK;
    }
    sqlite3_result_null(context); /* lets go of the last row's value first */
    char *bytes = sqlite3_malloc64(large->length + 1);
    if (bytes == NULL) {
        return out_of_memory(view, column, context);
    }
    if (large->read(large, 0, bytes, large->length, &error) != STATUS_OK) {
        sqlite3_free(bytes);
        view->large_error = error;
        return give_up(context);
    }
    bytes[large->length] = '\0';
    if (large->kind == VALUE_BYTES) {
        sqlite3_result_blob64(context, bytes, large->length, sqlite3_free);
    } else {
        sqlite3_result_text64(context, bytes, large->length, sqlite3_free, SQLITE_UTF8);
    }
    return SQLITE_OK;
}

/* ---------------------------------------------------------------- all kinds */

static int give_written(struct writer_view *view, const struct writer_column *column,
                        const struct cell *cell, bool as_json, sqlite3_context *context)
{
    struct buffer text = {0};
    struct error error;
    enum status status = as_json ? convert_append_json(cell, &text, &error)
                                 : convert_append_text(cell, false, &text, &error);

    if (status != STATUS_OK && error.code == ERROR_MEMORY) {
        buffer_free(&text);
        view->large_error = error;
        return give_up(context);
    }
    if (status != STATUS_OK) {
        buffer_free(&text);
        return writer_value_refuse(view, ERROR_REJECT_TYPE, column, cell, error.message, context);
    }
    if (is_numeric(column->affinity) && text_is_number(text.data, text.length)) {
        buffer_free(&text);
        return writer_value_refuse(view, ERROR_REJECT_TYPE, column, cell,
                                   "would make a number of this text", context);
    }
    return give_made_text(view, column, cell, &text, context);
}

int writer_value_give(struct writer_view *view, const struct writer_column *column,
                      const struct cell *cell, sqlite3_context *context)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        if (column->row_key) {
            return writer_value_refuse(view, ERROR_REJECT_KEY_NULL, column, cell,
                                       "is the key, and SQLite would number the row itself",
                                       context);
        }
        return SQLITE_OK;
    case VALUE_BOOL:
        sqlite3_result_int64(context, cell->i64 != 0);
        return SQLITE_OK;
    case VALUE_INT64:
        return give_int64(view, column, cell, cell->i64, context);
    case VALUE_UINT64:
        return give_uint64(view, column, cell, context);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return give_double(view, column, cell, cell->f64, context);
    case VALUE_DECIMAL:
        return give_decimal(view, column, cell, context);
    case VALUE_TEXT:
        return give_any_text(view, column, cell, context);
    case VALUE_BYTES:
        return give_bytes(view, column, cell, cell->bytes, cell->length, context);
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        return give_written(view, column, cell, false, context);
    case VALUE_JSON: {
        struct cell text = cell_text(cell->text, cell->length);
        return give_any_text(view, column, &text, context);
    }
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return give_written(view, column, cell, true, context);
    case VALUE_LARGE:
        return give_large(view, column, cell, context);
    case VALUE_ESCAPE:
        return give_escape(view, column, cell, context);
    default:
        return writer_value_refuse(view, ERROR_REJECT_TYPE, column, cell, "can't hold this value",
                                   context);
    }
}
