/* Canonical bytes of normal forms, at once: each record that is copied passes here. */
#include "connectors/sql/normal.h"
#include "model/canonical.h"
#include "model/decimal.h"
#include "model/time_text.h"
#include <string.h>

enum { INT64_DIGITS = 18 }; /* so many always fit */

#define DOUBLE_WHOLE_MAX 9007199254740992.0 /* 2^53 */

/* A text of digits alone becomes a number, unless a zero leads; one that holds anything but digits
 * and a point stays a text. Of the others sql_normal_form knows more. */
static bool append_text_of_digits(const struct cell *cell, struct buffer *out)
{
    const char *text = cell->text;
    int64_t number = 0;
    bool is_whole = cell->length <= INT64_DIGITS;

    for (uint32_t i = 0; i < cell->length; i++) {
        if (text[i] == '.') {
            is_whole = false;
        } else if (text[i] < '0' || text[i] > '9') {
            canonical_append_run(out, VALUE_TEXT, text, cell->length);
            return true;
        } else if (is_whole) {
            number = 10 * number + (text[i] - '0');
        }
    }
    if (is_whole && (text[0] != '0' || cell->length == 1)) {
        canonical_append_u64(out, VALUE_INT64, (uint64_t)number);
        return true;
    }
    return false;
}

/* Most texts begin with a letter that no number, and no word for one, begins with. */
static bool append_text(const struct cell *cell, struct buffer *out)
{
    char first = cell->length > 0 ? cell->text[0] : '\0';
    switch (first) {
    case '\0':
    case '-':
        return false;
    case 'N': /* NaN */
    case 'I': /* Infinity */
    case 't': /* true */
    case 'f': /* false */
        if (cell->length >= 3 && cell->length <= 8) {
            return false;
        }
        break;
    default:
        if (first >= '0' && first <= '9') {
            return append_text_of_digits(cell, out);
        }
    }
    canonical_append_run(out, VALUE_TEXT, cell->text, cell->length);
    return true;
}

/* As whole number where it is one, else without zeros at the end. */
static void append_small_decimal(const struct cell *cell, struct buffer *out)
{
    struct cell number = decimal_small_normal(cell);
    size_t start = out->length;
    if (number.aux == 0) {
        canonical_append_u64(out, VALUE_INT64, number.u64);
        return;
    }
    canonical_append_run(out, VALUE_DECIMAL, NULL, 0);
    decimal_append(&number, out);
    if (!out->failed) {
        canonical_store_u32(out->data + start + 1, (uint32_t)(out->length - start - 5));
    }
}

/* Zeros and what is not finite have rules of their own. */
static enum status append_float(double value, struct arena *arena, struct buffer *out,
                                struct error *error)
{
    struct cell digits;
    if (!(value > -DOUBLE_WHOLE_MAX && value < DOUBLE_WHOLE_MAX) || value == 0) {
        return STATUS_AGAIN;
    }
    if (value == (double)(int64_t)value) {
        canonical_append_u64(out, VALUE_INT64, (uint64_t)(int64_t)value);
        return STATUS_OK;
    }
    if (decimal_from_double(value, arena, &digits) != STATUS_OK) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the normal form of a value");
    }
    if ((digits.flags & CELL_SMALL) == 0) {
        return STATUS_AGAIN;
    }
    append_small_decimal(&digits, out);
    return STATUS_OK;
}

static void append_time(const struct sql_rules *rules, const struct cell *cell, struct buffer *out)
{
    struct cell plain = *cell;
    size_t start = out->length;
    if (rules->zone_dropped && cell->kind == VALUE_TIMESTAMP) {
        plain.flags &= (uint8_t)~CELL_ZONED;
    }
    canonical_append_run(out, VALUE_TEXT, NULL, 0);
    time_append(&plain, out);
    if (!out->failed) {
        canonical_store_u32(out->data + start + 1, (uint32_t)(out->length - start - 5));
    }
}

/* STATUS_AGAIN: nothing was appended, its normal form has to be made first. */
static enum status append_common(const struct sql_rules *rules, const struct cell *cell,
                                 struct arena *arena, struct buffer *out, struct error *error)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        buffer_append_byte(out, VALUE_NULL);
        return STATUS_OK;
    case VALUE_INT64:
        canonical_append_u64(out, VALUE_INT64, cell->u64);
        return STATUS_OK;
    case VALUE_BYTES:
        canonical_append_run(out, VALUE_BYTES, cell->bytes, cell->length);
        return STATUS_OK;
    case VALUE_TEXT:
        return append_text(cell, out) ? STATUS_OK : STATUS_AGAIN;
    case VALUE_DECIMAL:
        if ((cell->flags & CELL_SMALL) == 0) {
            return STATUS_AGAIN;
        }
        append_small_decimal(cell, out);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return append_float(cell->f64, arena, out, error);
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
        if ((cell->flags & CELL_SPECIAL) != 0) {
            return STATUS_AGAIN;
        }
        append_time(rules, cell, out);
        return STATUS_OK;
    default:
        return STATUS_AGAIN;
    }
}

static enum status append_by_form(const struct sql_rules *rules, const struct cell *cell,
                                  struct arena *arena, struct buffer *out, struct error *error)
{
    struct cell normal;
    enum status status = sql_normal_form(rules, cell, arena, &normal, error);
    return status == STATUS_OK ? canonical_append(&normal, out, error) : status;
}

enum status sql_append_normal(const struct sql_rules *rules, const struct canonical_name *names,
                              const struct cell *cells, uint32_t count, struct arena *arena,
                              struct buffer *out, uint32_t *appended, struct error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t before = out->length;
        canonical_append_name(out, &names[i]);
        enum status status = append_common(rules, &cells[i], arena, out, error);
        if (status == STATUS_AGAIN) {
            status = append_by_form(rules, &cells[i], arena, out, error);
        }
        if (status != STATUS_OK) {
            out->length = before;
            *appended = i;
            return status;
        }
    }
    *appended = count;
    return STATUS_OK;
}
