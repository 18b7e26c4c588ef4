/* Hashes of values' normal forms, at once: each record that is copied passes here. */
#include "connectors/sql/normal.h"

#include "base/text.h"
#include "model/decimal.h"
#include "model/field_hash.h"
#include "model/time_text.h"
#include <string.h>

enum { INT64_DIGITS = 18 }; /* so many always fit */

#define DOUBLE_WHOLE_MAX 9007199254740992.0 /* 2^53 */

/* A text of digits alone becomes a number, unless a zero leads; one that holds anything but digits
 * and a point stays a text. Of the others sql_normal_form knows more. */
static bool add_text_of_digits(struct field_hasher *hasher, uint64_t seed, const struct cell *cell)
{
    const char *text = cell->text;
    int64_t number = 0;
    bool is_whole = cell->length <= INT64_DIGITS;

    for (uint32_t i = 0; i < cell->length; i++) {
        if (text[i] == '.') {
            is_whole = false;
        } else if (text[i] < '0' || text[i] > '9') {
            field_hash_add(hasher, seed, VALUE_TEXT, 0, text, cell->length);
            return true;
        } else if (is_whole) {
            number = 10 * number + (text[i] - '0');
        }
    }
    if (is_whole && (text[0] != '0' || cell->length == 1)) {
        field_hash_add_u64(hasher, seed, VALUE_INT64, 0, (uint64_t)number);
        return true;
    }
    return false;
}

/* Most texts begin with a letter that no number, and no word for one, begins with. */
static bool add_text(struct field_hasher *hasher, uint64_t seed, const struct cell *cell)
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
            return add_text_of_digits(hasher, seed, cell);
        }
    }
    field_hash_add(hasher, seed, VALUE_TEXT, 0, cell->text, cell->length);
    return true;
}

/* As whole number where it is one, else without zeros at the end. */
static void add_small_decimal(struct field_hasher *hasher, uint64_t seed, const struct cell *cell)
{
    struct cell number = decimal_small_normal(cell);
    if (number.aux > 0) {
        field_hash_add_decimal(hasher, seed, &number);
    } else {
        field_hash_add_u64(hasher, seed, VALUE_INT64, 0, number.u64);
    }
}

/* A fraction's hash is that of its shortest digits; whole numbers beyond these, zeros and what is
 * not finite have rules of their own. */
static bool add_float(struct field_hasher *hasher, uint64_t seed, double value)
{
    if (!(value > -DOUBLE_WHOLE_MAX && value < DOUBLE_WHOLE_MAX) || value == 0) {
        return false;
    }
    if (value == (double)(int64_t)value) {
        field_hash_add_u64(hasher, seed, VALUE_INT64, 0, (uint64_t)(int64_t)value);
    } else {
        field_hash_add_float(hasher, seed, VALUE_FLOAT64, value);
    }
    return true;
}

static void add_time(struct field_hasher *hasher, uint64_t seed, const struct sql_rules *rules,
                     const struct cell *cell)
{
    struct cell plain = *cell;
    struct buffer *text = &hasher->scratch;
    if (rules->zone_dropped && cell->kind == VALUE_TIMESTAMP) {
        plain.flags &= (uint8_t)~CELL_ZONED;
    }
    buffer_clear(text);
    time_append(&plain, text);
    field_hash_add(hasher, seed, VALUE_TEXT, 0, text->data, text->length);
}

/* False: nothing was added, its normal form has to be made first. */
static bool add_common(struct field_hasher *hasher, uint64_t seed, const struct sql_rules *rules,
                       const struct cell *cell)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        field_hash_add_null(hasher, seed);
        return true;
    case VALUE_INT64:
        field_hash_add_u64(hasher, seed, VALUE_INT64, 0, cell->u64);
        return true;
    case VALUE_BYTES:
        if (cell->length <= SQL_LONG_BYTES && text_is_utf8(cell->bytes, cell->length)) {
            return add_text(hasher, seed, cell);
        }
        field_hash_add(hasher, seed, VALUE_BYTES, 0, cell->bytes, cell->length);
        return true;
    case VALUE_TEXT:
        return cell->length <= SQL_LONG_BYTES && add_text(hasher, seed, cell);
    case VALUE_DECIMAL:
        if ((cell->flags & CELL_SMALL) == 0) {
            return false;
        }
        add_small_decimal(hasher, seed, cell);
        return true;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return add_float(hasher, seed, cell->f64);
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
        if ((cell->flags & CELL_SPECIAL) != 0) {
            return false;
        }
        add_time(hasher, seed, rules, cell);
        return true;
    default:
        return false;
    }
}

static enum status add_normal_form(struct field_hasher *hasher, uint64_t seed,
                                   const struct sql_rules *rules, const struct cell *cell,
                                   struct error *error)
{
    struct cell normal;
    enum status status = sql_normal_form(rules, cell, hasher->arena, &normal, error);
    return status == STATUS_OK ? field_hash_add_cell(hasher, seed, &normal, error) : status;
}

enum status sql_hash_normal(const struct sql_rules *rules, const uint64_t *seeds,
                            const struct cell *cells, uint32_t count, struct field_hasher *hasher,
                            uint32_t *hashed, struct error *error)
{
    const struct cell *cell = cells;
    const struct cell *end = cells + count;
    enum status status = STATUS_OK;
    for (; cell < end && cell->kind != VALUE_LARGE; cell++, seeds++) {
        if (!add_common(hasher, *seeds, rules, cell)) {
            status = add_normal_form(hasher, *seeds, rules, cell, error);
        }
        if (status != STATUS_OK) {
            break;
        }
    }
    *hashed = (uint32_t)(cell - cells);
    return status;
}
